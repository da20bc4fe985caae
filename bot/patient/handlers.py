"""Which of the patient's handlers hears what; the first that fits takes the update."""

from telegram.ext import CallbackQueryHandler, CommandHandler, MessageHandler, filters

from bot.context import BotApplication
from bot.patient import announcements, commands, consent, my_data, others, results, scans

PRIVATE = filters.ChatType.PRIVATE


def add_handlers(application: BotApplication) -> None:
    """Register what everybody may do; after all others, because the last takes everything."""
    add = application.add_handler
    for name, command in {
        "start": commands.start,
        "help": commands.show_help,
        "privacy": commands.privacy,
        "language": commands.ask_language,
        "status": commands.status,
        "history": commands.show_history,
        "cancel": commands.cancel,
        "announcements": announcements.show,
        "mydata": my_data.send_data,
        "forget": my_data.ask_to_forget,
    }.items():
        add(CommandHandler(name, command, PRIVATE & filters.UpdateType.MESSAGE))
    for pattern, tap in {
        "^consent:(yes|again|no|back):": consent.decided,
        "^language:(zh|en)$": commands.set_language,
        "^meaning:": results.explain,
        f"^{announcements.SWITCH}:(on|off)$": announcements.switch,
        "^doctor:": results.ask_doctor,
        "^delete:": results.ask_to_delete,
        "^deleted:": results.delete_case,
        "^kept:$": results.keep,
        f"^{my_data.FORGET}$": my_data.forget,
    }.items():
        add(CallbackQueryHandler(tap, pattern))
    add(CallbackQueryHandler(others.old_tap))
    # Telegram calls a GIF a document too; it is a video to us.
    picture = filters.PHOTO | (filters.Document.ALL & ~filters.ANIMATION)
    add(MessageHandler(PRIVATE & picture, scans.received))
    add(MessageHandler(PRIVATE & ~filters.StatusUpdate.ALL, others.not_a_picture))
