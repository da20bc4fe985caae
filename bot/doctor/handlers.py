"""Which of the doctor's handlers hears what; all of it is heard of doctors alone."""

from collections.abc import Mapping

from bot.context import Command
from bot.dialogs import Taker
from bot.doctor import card, casebook, digest, review, verdicts, worklist
from storage.opinions import Verdict

COMMANDS: Mapping[str, Command] = {
    "review": review.review,
    "worklist": worklist.show,
    "case": casebook.show,
    "mystats": worklist.show_stats,
    "digest": digest.show,
}
TAPS: Mapping[str, Command] = {
    rf"^{card.VERDICT}:\w+:({'|'.join(Verdict)})$": verdicts.note,
    rf"^{card.SEND}:\w+$": verdicts.send,
    rf"^{card.SECOND}:\w+$": verdicts.ask_second,
    rf"^{card.BACK}:\w+$": verdicts.go_back,
    rf"^{card.UNDO}:\w+$": verdicts.undo,
    rf"^{card.NEXT}:$": review.show_next,
    rf"^{card.SKIP}:\w+$": review.skip,
    rf"^{card.RELEASE}:\w+$": review.release,
    rf"^{card.ZOOM}:\w+$": review.zoom,
    rf"^{card.ALBUM}:\w+$": review.show_more,
    rf"^{digest.TURN}:(on|off)$": digest.turn,
}
# What takes the message that answers an open question of a kind.
DIALOGS: Mapping[str, Taker] = {
    verdicts.ASKED: verdicts.take_comment,
}
# And what takes a /cancel in place of the answer.
TAKEN_BACK: Mapping[str, Taker] = {
    verdicts.ASKED: verdicts.cancel,
}
