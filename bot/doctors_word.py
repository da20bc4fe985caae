"""What a patient reads of what doctors said: the verdict in plain words, comments as written."""

from html import escape

from bot.texts.catalogue import Texts
from storage import opinions
from storage.cases import Case
from storage.transaction import Tx


def text(tx: Tx, texts: Texts, case: Case) -> str | None:
    """Say what doctors decided about a case; None if they have not."""
    review = opinions.review_of(tx, case.id)
    if review is None:
        return None
    said = opinions.final_of(tx, case.id)
    # An admin may have decided on the word of one.
    title = "word.title" if len(said) == 1 else "word.title_several"
    comments = [
        texts("word.comment", comment=escape(each.comment))
        for each in said
        if each.comment and each.verdict is review.verdict
    ]
    parts = (
        texts(title, number=case.number),
        texts(f"word.{review.verdict}"),
        *comments,
        texts("word.limits"),
    )
    return "\n\n".join(parts)
