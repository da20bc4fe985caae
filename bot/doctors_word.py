"""What a patient hears of what doctors said: the verdict in plain words, comments as written."""

from html import escape

from bot import redrawn
from bot.captions import delete_button
from bot.context import Services
from bot.deliveries import BLOCKED, RESULT, REVIEW
from bot.say import say
from bot.texts.catalogue import Texts
from storage import audit, cases, opinions, outbox, people
from storage.cases import Case
from storage.opinions import How
from storage.outbox import OutKind, OutState
from storage.people import Person
from storage.transaction import Tx


def words(tx: Tx, texts: Texts, case: Case) -> str | None:
    """Say what doctors decided about a case; None if they have not."""
    review = opinions.review_of(tx, case.id)
    if review is None:
        return None
    said = opinions.final_of(tx, case.id)
    title = "word.title" if len(said) == 1 else "word.title_several"
    comments = [
        texts("word.comment", comment=escape(each.comment))
        for each in said
        if each.comment and each.verdict is review.verdict
    ]
    parts = (
        texts(title, number=case.number),
        *_how(texts, review.how, len(said)),
        texts(f"word.{review.verdict}"),
        *comments,
        texts("word.limits"),
    )
    return "\n\n".join(parts)


def differs(how: How, said: int) -> bool:
    """Tell whether an admin chose between opinions that differ."""
    # An admin may also have decided on the word of one.
    return how is How.ADMIN and said > 1


def _how(texts: Texts, how: How, said: int) -> tuple[str, ...]:
    """Say how far the doctors agree: nobody is to take the view of some for that of all."""
    if how is How.ONE:
        return ()
    return (texts("word.differ" if differs(how, said) else f"word.how.{how}"),)


def tell(tx: Tx, services: Services, case: Case) -> None:
    """Tell what doctors said, and show the answer now if it waited for that."""
    person = people.get(tx, case.person_id) if case.person_id else None
    if person is not None:
        _tell_review(tx, services, case, person, f"{REVIEW}{case.id}")


def let_in(tx: Tx, services: Services, chat: int) -> None:
    """Note that somebody blocks the bot no more, and tell them what they missed."""
    people.unblock(tx, chat)
    if person := people.by_telegram_id(tx, chat):
        catch_up(tx, services, person)


def catch_up(tx: Tx, services: Services, person: Person) -> None:
    """Tell somebody who is back what doctors said while they had blocked the bot."""
    for case_id in outbox.kept_back(tx, person, REVIEW):
        case = cases.get(tx, case_id)
        audit.record(tx, audit.SYSTEM, "sent_again", case.id)
        key = f"{REVIEW}{case.id}:{tx.time.timestamp()}"
        _tell_review(tx, services, case, person, key)


def _tell_review(tx: Tx, services: Services, case: Case, person: Person, key: str) -> None:
    texts, chat = services.texts_of(person), person.telegram_id
    word = words(tx, texts, case)
    assert word is not None
    rows = outbox.of_case(tx, case.id)
    was_shown = any(
        row.kind is OutKind.PHOTO and row.key.startswith(RESULT) and row.reason != BLOCKED
        for row in rows
    )
    lacks_picture = not was_shown and redrawn.can_show(tx, services, case)
    was_told = any(
        row.kind is OutKind.MESSAGE and row.key.startswith(REVIEW) and row.state is OutState.SENT
        for row in rows
    )
    # The block may have kept back only the picture that follows.
    if not (was_told and lacks_picture):
        say(tx, f"{key}:0", chat, word, case_id=case.id)
    if not lacks_picture:
        return
    text = texts("word.picture", number=case.number)
    buttons = [[(texts("button.meaning"), f"meaning:{case.number}")], [delete_button(texts, case)]]
    redrawn.show_again(tx, f"{key}:picture", chat, case, texts.language, text, buttons)
