"""The card of a case in a doctor's hands: both pictures, what is known, and the buttons."""

from html import escape

from babel.dates import format_timedelta
from babel.units import format_unit

from bot.replies import Acting
from bot.say import Buttons, edit, say, show_made
from bot.texts.catalogue import Texts
from classifier.report_texts import percent
from storage import audit, history, images, opinions, outbox, reviews
from storage.cases import Case, StoredFinding
from storage.images import ImageKind
from storage.opinions import Opinion, OpinionState, Verdict
from storage.outbox import OutKind, OutRow, OutState
from storage.staff import Member
from storage.transaction import Tx

BUILD = "case_card"
VERDICT, SKIP, RELEASE = "verdict", "review_skip", "review_release"
ZOOM, ALBUM = "review_zoom", "review_album"
SEND, SECOND, BACK = "verdict_send", "verdict_second", "verdict_back"
UNDO, NEXT = "verdict_undo", "review_next"
# Telegram takes captions of 1024 units; more of a long note is in `/case`.
LONGEST_NOTE = 300
LONGEST_QUOTE = 40
ALBUM_HOLDS = 10


def show(tx: Tx, acting: Acting, case: Case, key: str) -> None:
    """Send the card, and take an older one of the same case out of the chat."""
    older = _latest(tx, acting.member, case.id)
    # One that did not go out yet has no place in the chat.
    if older is not None and not outbox.drop(tx, older.key) and older.message_id is not None:
        outbox.take_out(tx, key, acting.chat, older.message_id)
    text, buttons = _face(tx, acting.texts, case)
    show_made(
        tx,
        f"{_keys(acting.member, case.id)}{key}",
        acting.chat,
        BUILD,
        text,
        buttons,
        case_id=case.id,
        instead=acting.texts("card.no_picture"),
        instead_buttons=[_moving_on(acting.texts, case)],
    )
    audit.record(tx, acting.member.actor, "case_shown", case.id)


def refresh(tx: Tx, acting: Acting, case: Case, key: str) -> None:
    """Let the card say how things stand now."""
    texts = acting.texts
    if is_unseen(tx, acting.member, case):
        text = f"{texts('card.no_picture')}\n\n{_caption(tx, texts, case)}"
        change(tx, acting.member, case, key, text, [_moving_on(texts, case)])
    else:
        change(tx, acting.member, case, key, *_face(tx, texts, case))


def change(tx: Tx, member: Member, case: Case, key: str, text: str, buttons: Buttons = ()) -> None:
    """Let the card say something else; without one that can be changed it is a message."""
    card, chat = _latest(tx, member, case.id), member.telegram_id
    if card is None:
        say(tx, key, chat, text, buttons, case_id=case.id)
        return
    if card.message_id is None and card.state not in (OutState.PENDING, OutState.SENDING):
        # Whether it arrived is not known: what is said now is the card from here on.
        say(tx, f"{_keys(member, case.id)}{key}", chat, text, buttons, case_id=case.id)
        return
    captioned = card.kind is OutKind.PHOTO
    edit(tx, key, chat, card.key, text, buttons, case_id=case.id, captioned=captioned)


def is_unseen(tx: Tx, member: Member, case: Case) -> bool:
    """Tell whether the doctor's card came without its picture: nobody judges words."""
    pictures = [row for row in _cards(tx, member, case.id) if row.kind is OutKind.PHOTO]
    return bool(pictures) and pictures[-1].state is OutState.FAILED


def album(tx: Tx, case_id: int) -> list[str]:
    """Give what the card has no room for: the slices that decided, or further pictures."""
    slices = images.of_case(tx, case_id, ImageKind.SLICE)
    reports = images.of_case(tx, case_id, ImageKind.REPORT)
    return [each.id for each in slices or (reports if len(reports) > 1 else [])][:ALBUM_HOLDS]


def units(text: str) -> int:
    """Measure a text as Telegram does."""
    return len(text.encode("utf-16-le")) // 2


def fitted(text: str, most: int) -> str:
    """Cut a text to so many of the units that Telegram counts."""
    cut = text.encode("utf-16-le")[: 2 * most].decode("utf-16-le", "ignore")
    return cut if cut == text else f"{cut}…"


def quoted(typed: str) -> str:
    """Repeat what somebody typed, which may be a whole page that was pasted."""
    return escape(fitted(typed, LONGEST_QUOTE))


def _keys(member: Member, case_id: int) -> str:
    """Begin the keys of the cards of a case in a doctor's chat."""
    return f"card:{case_id}:{member.id}:"


def _latest(tx: Tx, member: Member, case_id: int) -> OutRow | None:
    return next(reversed(_cards(tx, member, case_id)), None)


def _cards(tx: Tx, member: Member, case_id: int) -> list[OutRow]:
    begin = _keys(member, case_id)
    return [row for row in outbox.of_case(tx, case_id) if row.key.startswith(begin)]


def _face(tx: Tx, texts: Texts, case: Case) -> tuple[str, Buttons]:
    opinion = opinions.open_of(tx, case.id)
    if opinion is None:
        return _caption(tx, texts, case), _choices(tx, texts, case)
    if opinion.state is OpinionState.DRAFT:
        return _draft(tx, texts, case, opinion)
    undo = (texts("given.undo"), f"{UNDO}:{case.number}")
    assert opinion.final_at is not None
    left = round((opinion.final_at - tx.time).total_seconds())
    text = given(texts, case, opinion, max(left, 0))
    return text, [[undo, (texts("given.next"), f"{NEXT}:")]]


def given(texts: Texts, case: Case, opinion: Opinion, seconds: int) -> str:
    """Tell a verdict that was given, and for how long it can be taken back."""
    verdict = texts(f"verdict.{opinion.verdict}")
    told = texts("given.text", number=case.number, verdict=verdict)
    if not seconds:
        return told
    time = format_unit(seconds, "second", locale=texts.language)
    return f"{told}\n{texts('given.second' if opinion.second else 'given.counts', time=time)}"


def _caption(tx: Tx, texts: Texts, case: Case) -> str:
    finding = history.findings(tx, case.id)[0]
    age = format_timedelta(tx.time - case.received_at, locale=texts.language)
    parts = [texts("card.title", number=case.number, age=age)]
    if reviews.wants_another(tx, case.id):
        parts.append(texts("card.again"))
    if case.doctor_asked_at is not None:
        parts.append(texts("card.asked"))
    parts += _note(texts, case)
    parts.append(estimate(texts, finding))
    if finding.doubts:
        doubts = texts("card.between").join(texts(f"doubt.{each}") for each in finding.doubts)
        parts.append(texts("card.doubts", doubts=doubts))
    if finding.slices > 1:
        parts.append(texts("card.slices", count=finding.slices))
    return "\n".join(parts)


def _note(texts: Texts, case: Case) -> list[str]:
    note = fitted(case.note, LONGEST_NOTE) if case.note else ""
    return [texts("card.note", note=escape(note))] if note else []


def estimate(texts: Texts, finding: StoredFinding) -> str:
    """Say in two lines what a model found."""
    if finding.label:
        label = texts(f"verdict.{finding.label}")
    else:
        label = texts("card.pneumonia" if finding.is_pneumonia else "card.unsure")
    shares = {name: getattr(finding, name) for name in ("normal", "bacterial", "viral")}
    written = {name: escape(percent(share)) for name, share in shares.items()}
    model = texts("card.model", model=escape(finding.model), label=label)
    return f"{model}\n{texts('card.shares', **written)}"


def _choices(tx: Tx, texts: Texts, case: Case) -> Buttons:
    number, label = case.number, history.findings(tx, case.id)[0].label

    def choice(verdict: Verdict) -> tuple[str, str]:
        return texts(f"verdict.{verdict}"), f"{VERDICT}:{number}:{verdict}"

    agree = texts("card.agree", label=texts(f"verdict.{label}")) if label else ""
    look = [(texts("card.zoom"), f"{ZOOM}:{number}")]
    if more := album(tx, case.id):
        name = "card.deciding" if images.of_case(tx, case.id, ImageKind.SLICE) else "card.album"
        look.append((texts(name, count=len(more)), f"{ALBUM}:{number}"))
    return [
        *([[(agree, f"{VERDICT}:{number}:{label}")]] if label else []),
        [choice(Verdict.NORMAL), choice(Verdict.OTHER)],
        [choice(Verdict.BACTERIAL), choice(Verdict.VIRAL)],
        [choice(Verdict.UNREADABLE)],
        look,
        _moving_on(texts, case),
    ]


def _moving_on(texts: Texts, case: Case) -> list[tuple[str, str]]:
    skip = (texts("card.skip"), f"{SKIP}:{case.number}")
    return [skip, (texts("card.release"), f"{RELEASE}:{case.number}")]


def _draft(tx: Tx, texts: Texts, case: Case, opinion: Opinion) -> tuple[str, Buttons]:
    verdict, comment = texts(f"verdict.{opinion.verdict}"), opinion.comment
    parts = [
        texts("draft.verdict", number=case.number, verdict=verdict),
        *_note(texts, case),
        texts("draft.comment", comment=escape(comment)) if comment else texts("draft.no_comment"),
    ]
    buttons = [[(texts("draft.send"), f"{SEND}:{case.number}")]]
    if not reviews.wants_another(tx, case.id):
        buttons.append([(texts("draft.second"), f"{SECOND}:{case.number}")])
    buttons.append([(texts("draft.back"), f"{BACK}:{case.number}")])
    return "\n\n".join(parts), buttons
