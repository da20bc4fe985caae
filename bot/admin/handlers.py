"""Which of the admin's handlers hears what; all of it is heard of admins alone."""

from collections.abc import Mapping

from bot.admin import (
    audit,
    disputes,
    export,
    health,
    intake,
    invitations,
    model_choice,
    model_comparison,
    models,
    sources,
    staff,
    stats,
)
from bot.admin.broadcast import compose
from bot.admin.broadcast import handlers as broadcast
from bot.context import Command
from bot.dialogs import Taker
from bot.replies import kept
from storage.opinions import Verdict
from storage.staff import Role

COMMANDS: Mapping[str, Command] = {
    "staff": staff.show,
    "audit": audit.show,
    "disputes": disputes.show,
    "model": models.show,
    "export": export.show,
    "qr": sources.show_all,
    "stats": stats.show,
    "health": health.show,
    "pause": intake.begin_pause,
    "resume": intake.end_pause,
    "broadcast": compose.show,
}
TAPS: Mapping[str, Command] = {
    rf"^{staff.PAGE}:\d+$": staff.turn,
    rf"^{staff.REVOKE}:\d+$": staff.ask_to_revoke,
    rf"^{staff.REVOKE_SURE}:\d+$": staff.revoke,
    rf"^{staff.KEEP}:$": kept(Role.ADMIN, "staff.kept"),
    rf"^{invitations.INVITE}:(doctor|admin)$": invitations.ask_name,
    rf"^{invitations.WITHDRAW}:\d+$": invitations.withdraw,
    rf"^{audit.PAGE}:\d+$": audit.turn,
    rf"^{audit.FILE}:$": audit.send_all,
    rf"^{disputes.CHOOSE}:\w+:({'|'.join(Verdict)})$": disputes.choose,
    rf"^{disputes.SURE}:\w+:({'|'.join(Verdict)})$": disputes.decide,
    rf"^{disputes.BACK}:\w+$": disputes.go_back,
    rf"^{disputes.RETURN}:\w+$": disputes.send_back,
    rf"^{models.SHOW}:[0-9a-f]{{16}}$": models.show_one,
    rf"^{model_choice.USE}:[0-9a-f]{{16}}$": model_choice.ask,
    rf"^{model_choice.USE_SURE}:[0-9a-f]{{16}}$": model_choice.use,
    rf"^{model_choice.LISTEN}:[0-9a-f]{{16}}$": model_choice.listen,
    rf"^{model_choice.STOP}:(xray|ct)$": model_choice.stop,
    rf"^{model_choice.KEEP}:$": kept(Role.ADMIN, "model.kept"),
    rf"^{model_choice.COMPARE}:$": model_comparison.show,
    rf"^{export.SEND}:$": export.send,
    rf"^{export.KEEP}:$": kept(Role.ADMIN, "export.kept"),
    rf"^{sources.PAGE}:\d+$": sources.show_older,
    rf"^{sources.MAKE}:$": sources.ask_name,
    rf"^{sources.SHOW}:\d+$": sources.show,
    rf"^{sources.POSTER}:\d+:(png|pdf)$": sources.send_poster,
    rf"^{sources.RETIRE}:\d+$": sources.ask_to_retire,
    rf"^{sources.RETIRE_SURE}:\d+$": sources.retire,
    rf"^{sources.KEEP}:$": kept(Role.ADMIN, "source.kept"),
    **broadcast.TAPS,
}
# What takes the message that answers an open question of a kind.
DIALOGS: Mapping[str, Taker] = {
    invitations.ASKED: invitations.take_name,
    sources.ASKED: sources.take_name,
    **broadcast.DIALOGS,
}
