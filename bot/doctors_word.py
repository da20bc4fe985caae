"""What a patient reads of what doctors said: the verdict in plain words, comments as written."""

from html import escape

from bot.texts.catalogue import Texts
from storage import opinions
from storage.cases import Case
from storage.opinions import How
from storage.transaction import Tx


def text(tx: Tx, texts: Texts, case: Case) -> str | None:
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
