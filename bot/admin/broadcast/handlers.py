"""Which tap and which answer belongs to which step of an announcement."""

from collections.abc import Mapping

from bot.admin.broadcast import audience, compose, confirm, control, report, schedule
from bot.admin.broadcast.words import ANNOUNCEMENT, DROP, SAFETY
from bot.context import Command
from bot.dialogs import Taker
from bot.replies import kept
from classifier.report_texts import Language
from storage.recipients import Crowd
from storage.staff import Role

ID = r"\d{1,18}"
SECONDS = r"\d{1,10}"
CROWDS, LANGUAGES = "|".join(Crowd), "|".join(Language)

TAPS: Mapping[str, Command] = {
    rf"^{compose.MODEL}:$": compose.use_model,
    rf"^{compose.SKIP}:{ID}:({LANGUAGES})$": compose.skip_sentence,
    rf"^{audience.TO}:{ID}:({CROWDS})$": audience.choose,
    rf"^{audience.SOURCE}:{ID}:{ID}$": audience.choose_source,
    rf"^{audience.LANGUAGE}:{ID}:({LANGUAGES})$": audience.choose_language,
    rf"^{audience.WEIGHT}:{ID}:({ANNOUNCEMENT}|{SAFETY})$": audience.weigh,
    rf"^{confirm.SEND}:{ID}$": confirm.ask_to_send,
    rf"^{confirm.SURE}:{ID}$": confirm.send,
    rf"^{confirm.BACK}:{ID}$": confirm.go_back,
    rf"^{DROP}:{ID}$": confirm.drop,
    rf"^{confirm.LATER}:{ID}$": schedule.ask_time,
    rf"^{schedule.AT}:{ID}:{SECONDS}$": schedule.schedule,
    rf"^{report.PAUSE}:{ID}$": control.pause,
    rf"^{report.RESUME}:{ID}$": control.resume,
    rf"^{report.CANCEL}:{ID}$": control.ask_to_cancel,
    rf"^{report.CANCEL_SURE}:{ID}$": control.cancel,
    rf"^{report.KEEP}:{ID}$": kept(Role.ADMIN, "broadcast.kept"),
    rf"^{report.FILE}:{ID}$": report.send_report,
}
DIALOGS: Mapping[str, Taker] = {
    compose.MESSAGE: compose.take_message,
    compose.SENTENCE: compose.take_sentence,
    confirm.TIME: schedule.take_time,
}
