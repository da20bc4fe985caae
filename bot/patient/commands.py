"""The patient's plain commands: each one reply."""

from html import escape

from telegram import Update

from bot import answers, doctors_word
from bot.context import Context, Sender, Services
from bot.joining import join
from bot.menus import commands_of, publish_for
from bot.patient import consent
from bot.replies import answer_tap, reply_once, tapped_value
from bot.say import say, unanswered
from bot.times import told
from classifier.labels import Label
from classifier.report_texts import WORDS, Language
from storage import dialogs, history, people, sources, work
from storage.cases import CaseState
from storage.history import CaseRecord
from storage.people import Person
from storage.transaction import Tx

# Telegram takes texts of 4096 units.
MOST_LINES = 30


async def start(update: Update, context: Context) -> None:
    """Welcome, take note of the clinic behind the link, and ask for agreement."""
    token = context.args[0] if context.args else None
    if token and await join(update, context, token):
        return

    def reply(tx: Tx, services: Services, person: Person, key: str) -> None:
        source = sources.by_token(tx, token) if token else None
        if source is not None:
            people.seen(tx, person.telegram_id, person.language_code, source.token)
        texts = services.texts_of(person)
        clinic = source.name if source else services.settings.clinic
        parts = [texts("welcome.clinic", clinic=escape(clinic))] if clinic else []
        parts += [texts("welcome")]
        agreed = consent.has_agreed(tx, person)
        if agreed:
            parts += [texts("welcome.how")]
        say(tx, key, person.telegram_id, "\n\n".join(parts))
        if not agreed:
            consent.ask(tx, services, person, key, after_picture=False)

    await reply_once(update, context, reply)


async def show_help(update: Update, context: Context) -> None:
    """Tell how it works."""

    def reply(tx: Tx, services: Services, person: Person, key: str) -> None:
        texts = services.texts_of(person)
        names = commands_of(services.roles.of(person.telegram_id))
        listed = "\n".join(f"/{name} – {texts(f'command.{name}')}" for name in names)
        say(tx, key, person.telegram_id, texts("help.text", commands=listed))

    await reply_once(update, context, reply)


async def privacy(update: Update, context: Context) -> None:
    """Tell what happens to pictures."""

    def reply(tx: Tx, services: Services, person: Person, key: str) -> None:
        texts = services.texts_of(person)
        text = texts("privacy.text", days=services.settings.retention_days)
        say(tx, key, person.telegram_id, text, consent.way_back(tx, texts, person))

    await reply_once(update, context, reply)


async def ask_language(update: Update, context: Context) -> None:
    """Offer the languages."""

    def reply(tx: Tx, services: Services, person: Person, key: str) -> None:
        names = [[("中文", "language:zh"), ("English", "language:en")]]
        say(tx, key, person.telegram_id, services.texts_of(person)("language.ask"), names)

    await reply_once(update, context, reply)


async def set_language(update: Update, context: Context) -> None:
    """Keep the language chosen."""
    await answer_tap(update, context)
    language = Language(tapped_value(update))

    def reply(tx: Tx, services: Services, person: Person, key: str) -> None:
        people.set_language(tx, person.id, language)
        changed = people.get(tx, person.id)
        assert changed is not None
        say(tx, key, person.telegram_id, services.texts_of(changed)("language.set"))

    await reply_once(update, context, reply)
    chat = Sender.of(update).telegram_id
    context.application.create_task(publish_for(context.bot, context.services, chat))


async def status(update: Update, context: Context) -> None:
    """Tell what is being worked on."""

    def reply(tx: Tx, services: Services, person: Person, key: str) -> None:
        texts = services.texts_of(person)
        waiting = [(case, f"state.{case.state}") for case in work.unfinished_of(tx, person.id)]
        waiting += [(case, "status.doctor") for case in work.awaiting_doctor(tx, person.id)]
        lines = [
            texts(
                "status.line",
                number=case.number,
                state=texts(state),
                since=told(services.settings, case.received_at, texts.language),
            )
            for case, state in waiting[:MOST_LINES]
        ]
        if len(waiting) > MOST_LINES:
            lines.append(texts("status.more", count=len(waiting) - MOST_LINES))
        told_all = unanswered(texts, "\n".join(lines)) if lines else texts("status.none")
        say(tx, key, person.telegram_id, told_all)

    await reply_once(update, context, reply)


async def show_history(update: Update, context: Context) -> None:
    """List the last pictures and their answers."""

    def reply(tx: Tx, services: Services, person: Person, key: str) -> None:
        texts = services.texts_of(person)
        awaited = {case.id for case in work.awaiting_doctor(tx, person.id)}
        lines = [
            texts(
                "history.line",
                when=told(services.settings, record.case.received_at, texts.language),
                number=record.case.number,
                answer=_answer(record, services, person, record.case.id in awaited),
            )
            for record in history.newest(tx, person.id)
        ]
        text = "\n".join([texts("history.title"), *lines]) if lines else texts("history.none")
        say(tx, key, person.telegram_id, text)

    await reply_once(update, context, reply)


def _answer(record: CaseRecord, services: Services, person: Person, is_awaited: bool) -> str:
    texts = services.texts_of(person)
    if not record.findings or record.case.state is CaseState.CLASSIFIED:
        return texts(f"state.{record.case.state}")
    if record.review is not None:
        differ = doctors_word.differs(record.review.how, len(record.said))
        verdict = texts(f"verdict.{record.review.verdict}")
        return texts("history.differ" if differ else "history.doctor", verdict=verdict)
    finding, words = record.findings[-1], WORDS[texts.language]
    if answers.waits_for_doctor(services, record.case):
        if not is_awaited:
            return texts("history.no_word")
        looking = record.case.state is CaseState.UNDER_REVIEW
        return texts("state.under_review" if looking else "status.doctor")
    if finding.label:
        return words.labels[Label(finding.label)]
    return words.pneumonia if finding.is_pneumonia else words.unsure


async def cancel(update: Update, context: Context) -> None:
    """Take a question of staff back, or else what still waits out of the queue."""

    def reply(tx: Tx, services: Services, person: Person, key: str) -> None:
        texts = services.texts_of(person)
        if dialogs.end(tx, person.telegram_id):
            # Who works here and is a patient too keeps the two apart.
            text = texts("cancel.dialog")
        elif withdrawn := answers.withdraw_all(tx, services, person):
            text = texts("cancel.done", count=withdrawn)
        else:
            text = texts("cancel.none")
        say(tx, key, person.telegram_id, text)

    await reply_once(update, context, reply)
