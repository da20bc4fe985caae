"""Agreement before the first picture: asked in one screen, versioned, kept with its time."""

from datetime import timedelta

from telegram import Update

from bot import answers
from bot.context import Context, Services
from bot.replies import answer_tap, reply_once, tapped
from bot.say import Buttons, edit_here, say, unanswered
from bot.texts.catalogue import Texts
from storage import dialogs, outbox, people, reviews
from storage.people import Person
from storage.transaction import Tx

# A changed text gets a new version, and everyone is asked again. One that lets models learn from
# reviewed pictures stands in `lessons.CONSENTS`, too.
VERSION = "2026-12-2"
# What a picture before the agreement asks for stands open so long: more pictures ask nothing more.
OPEN = timedelta(minutes=1)
ASKED = "consent"
AGREE, AGREE_AGAIN = "consent:yes", "consent:again"
DECLINE, TAKE_BACK = "consent:no", "consent:back"


def has_agreed(tx: Tx, person: Person) -> bool:
    """Tell whether a person agreed to the text as it is now."""
    return people.has_consent(tx, person.id, VERSION)


def ask(tx: Tx, services: Services, person: Person, key: str, *, after_picture: bool) -> None:
    """Show the text with its two buttons, and only once for pictures that follow each other."""
    texts = services.texts_of(person)
    if after_picture:
        if _is_asked(tx, person):
            return
        dialogs.begin(tx, person.telegram_id, ASKED, {}, OPEN)
        say(tx, f"{key}:first", person.telegram_id, texts("consent.first"))
    text = texts("consent.text", days=services.settings.retention_days)
    say(tx, f"{key}:consent", person.telegram_id, text, _buttons(texts, after_picture))


def way_back(tx: Tx, texts: Texts, person: Person) -> Buttons:
    """Give the button by which an agreement, to whichever text, is taken back."""
    if not people.consents(tx, person.id):
        return ()
    return [[(texts("consent.take_back"), f"{TAKE_BACK}:{VERSION}")]]


async def decided(update: Update, context: Context) -> None:
    """Keep the patient's decision."""
    await answer_tap(update, context)
    choice, _, version = tapped(update).rpartition(":")

    def reply(tx: Tx, services: Services, person: Person, key: str) -> None:
        if _is_asked(tx, person):
            dialogs.end(tx, person.telegram_id)
        declines = choice in (DECLINE, TAKE_BACK)
        if not declines and version != VERSION:
            # The button stood under a text that has changed since.
            ask(tx, services, person, key, after_picture=choice == AGREE_AGAIN)
            return
        texts = services.texts_of(person)
        if declines:
            further = _withdraw(tx, services, person, key)
        else:
            people.consent(tx, person.id, VERSION)
            further = [texts("consent.back")] if reviews.come_back(tx, person.id) else []
        above = "privacy.text" if choice == TAKE_BACK else "consent.text"
        stays = texts(above, days=services.settings.retention_days)
        edit_here(tx, f"{key}:edit", update, stays)
        said = {AGREE: "consent.agreed", AGREE_AGAIN: "consent.agreed_again"}
        words = [texts(said.get(choice, "consent.declined")), *further]
        say(tx, key, person.telegram_id, "\n\n".join(words))

    await reply_once(update, context, reply)


def _withdraw(tx: Tx, services: Services, person: Person, key: str) -> list[str]:
    """Take the agreement back, and pictures from the model and doctors; gives what to add."""
    people.withdraw_consent(tx, person.id)
    answers.withdraw_all(tx, services, person)
    for chat, message_id in outbox.elsewhere(tx, person):
        outbox.take_out(tx, key, chat, message_id)
    outbox.take_back(tx, person)
    texts = services.texts_of(person)
    return [unanswered(texts, texts("consent.left"))] if reviews.leave(tx, person.id) else []


def _is_asked(tx: Tx, person: Person) -> bool:
    dialog = dialogs.current(tx, person.telegram_id)
    return dialog is not None and dialog.kind == ASKED


def _buttons(texts: Texts, after_picture: bool) -> Buttons:
    agree = AGREE_AGAIN if after_picture else AGREE
    choices = {"consent.agree": agree, "consent.decline": DECLINE}
    return [[(texts(label), f"{choice}:{VERSION}")] for label, choice in choices.items()]
