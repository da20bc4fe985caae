"""What a patient is told about a case, written with the step of the case that it tells."""

from dataclasses import dataclass
from datetime import datetime
from html import escape

from bot import notices
from bot.captions import caption, delete_button, result_buttons
from bot.context import Services
from bot.deliveries import RESULT
from bot.findings import stored
from bot.say import edit, say, show, unanswered
from bot.settings import Results
from bot.texts.catalogue import Texts
from classifier.classifier import Answer
from classifier.labels import gravest
from classifier.refusals import RefusalReason
from classifier.report_texts import WORDS
from storage import cases, images, outbox, people, reviews, work
from storage.cases import UNFINISHED, Case, CaseState
from storage.errors import LeaseLost
from storage.images import ImageKind, Sealed
from storage.outbox import OutState
from storage.people import Person
from storage.staff import Role
from storage.transaction import Tx

# Telegram makes a JPEG of every photo, so a PNG would only cost time.
REPORT_TYPE = "image/jpeg"
# With so many chats waiting for a message, a second's worth, progress is no longer told.
CROWDED = 30
# Nor with more unfinished cases than these.
FEW = 8


@dataclass(frozen=True, slots=True)
class Drawn:
    """An answer with its pictures, if they are kept, not yet entered."""

    answer: Answer
    seconds: float
    scan: Sealed | None = None
    report: Sealed | None = None
    slices: tuple[Sealed, ...] = ()


def is_shown(answer: Answer) -> bool:
    """Tell whether its picture comes back annotated.

    What shows no chest is kept only beside one that does, where a doctor may want to see it.
    """
    return answer.finding is not None or answer.refusal is RefusalReason.NO_CT_MODEL


def progress_key(case: Case) -> str:
    """Name the progress message of a case."""
    return f"{outbox.PROGRESS}{case.id}"


def crowded(tx: Tx) -> bool:
    """Tell whether so many wait that their answers come before words about them."""
    return work.unfinished(tx) > FEW


def begin(tx: Tx, services: Services, case: Case, person: Person) -> None:
    """Tell that the case is being worked on; raises LeaseLost if it is finished."""
    if cases.get(tx, case.id).state not in UNFINISHED:
        raise LeaseLost
    if not crowded(tx) and outbox.waiting(tx) < CROWDED:
        tell_progress(tx, services.texts_of(person)("progress.classifying"), case, person, "begin")


def withdraw(tx: Tx, services: Services, case: Case, person: Person) -> None:
    """Take a case back because its person wants so."""
    cases.advance(tx, case.id, CaseState.WITHDRAWN)
    text = services.texts_of(person)("progress.withdrawn", number=case.number)
    tell_progress(tx, text, case, person, "end")


def withdraw_all(tx: Tx, services: Services, person: Person) -> int:
    """Take back what a person still waits for; gives how much."""
    # The answer of a classified one is on its way.
    waiting = [
        case for case in work.unfinished_of(tx, person.id) if case.state is not CaseState.CLASSIFIED
    ]
    for case in waiting:
        withdraw(tx, services, case, person)
    return len(waiting)


def refuse(
    tx: Tx, services: Services, case: Case, person: Person, worker: str, reason: str, sentence: str
) -> None:
    """Tell why a file could not be fetched."""
    cases.advance(tx, case.id, CaseState.REFUSED, worker=worker, reason=reason)
    texts = services.texts_of(person)
    text = unanswered(texts, sentence)
    say(tx, f"{RESULT}{case.id}:0", person.telegram_id, text, case_id=case.id)
    tell_progress(tx, texts("progress.refused", number=case.number), case, person, "end")


def waits_for_doctor(services: Services, case: Case) -> bool:
    """Tell whether the patient is not to see an answer before a doctor did."""
    after_review = services.settings.results is Results.AFTER_REVIEW
    return after_review and case.state not in (CaseState.REVIEWED, CaseState.REFUSED)


def finish(
    tx: Tx,
    services: Services,
    case: Case,
    person: Person,
    drawn: tuple[Drawn, ...],
    worker: str,
) -> None:
    """Enter what was found and have it sent: all of it or nothing."""
    texts = services.texts_of(person)
    found = gravest(each.answer.finding for each in drawn if each.answer.finding)
    # The pictures that the finding is about come first.
    order = sorted(range(len(drawn)), key=lambda index: drawn[index].answer.finding is not found)
    entered = {index: _enter_images(tx, case, drawn[index]) for index in order}
    done = texts("progress.done" if found else "progress.refused", number=case.number)
    if found is None:
        reason = drawn[0].answer.refusal
        cases.advance(tx, case.id, CaseState.REFUSED, worker=worker, reason=reason)
    else:
        if cases.get(tx, case.id).state is CaseState.RECEIVED:
            cases.advance(tx, case.id, CaseState.READ, worker=worker)
        cases.add_finding(tx, case.id, stored(found, drawn[order[0]].seconds))
        cases.advance(tx, case.id, CaseState.CLASSIFIED, worker=worker)
        if services.settings.results is Results.AFTER_REVIEW:
            _wait_for_review(tx, texts, case, person)
            refused = [each for each in drawn if each.answer.finding is None]
            for index, each in enumerate(refused, start=1):
                _send(tx, services, case, person, each, None, f"{RESULT}{case.id}:{index}")
            return
    for index, each in enumerate(drawn):
        _send(tx, services, case, person, each, entered[index], f"{RESULT}{case.id}:{index}")
    # After the answer, which is what the patient waits for.
    tell_progress(tx, done, case, person, "end")


def give_back(
    tx: Tx, services: Services, case: Case, worker: str, reason: str, at: datetime, tries: int
) -> None:
    """Have a case tried again later, or let it fail and tell so."""
    given_back = work.retry(tx, case.id, worker, at=at, reason=reason, give_up_after=tries)
    if given_back.state is CaseState.FAILED:
        failed(tx, services, given_back)


def give_up(tx: Tx, services: Services, case: Case, worker: str, reason: str) -> None:
    """Let a case fail and tell so."""
    failed(tx, services, cases.advance(tx, case.id, CaseState.FAILED, worker=worker, reason=reason))


def failed(tx: Tx, services: Services, case: Case) -> None:
    """Tell the patient and the admins that a case got no answer."""
    person = people.get(tx, case.person_id) if case.person_id else None
    if person is not None:
        texts = services.texts_of(person)
        key = f"failed:{case.id}"
        text = unanswered(texts, texts("refusal.failed"))
        say(tx, key, person.telegram_id, text, case_id=case.id)
        tell_progress(tx, texts("progress.refused", number=case.number), case, person, "end")
    notices.tell(
        tx,
        services,
        Role.ADMIN,
        f"failed:{case.id}",
        "admin.failed",
        case_id=case.id,
        number=case.number,
        attempts=case.attempts,
        error=escape(case.reason or ""),
    )


def _send(
    tx: Tx,
    services: Services,
    case: Case,
    person: Person,
    drawn: Drawn,
    image_id: str | None,
    key: str,
) -> None:
    texts = services.texts_of(person)
    answer, chat = drawn.answer, person.telegram_id
    if answer.finding is not None and image_id is not None:
        text = caption(texts, stored(answer.finding, drawn.seconds), case.number)
        show(tx, key, chat, image_id, text, result_buttons(texts, case), case_id=case.id)
        return
    assert answer.refusal is not None
    text = unanswered(texts, escape(WORDS[texts.language].refusals[answer.refusal]))
    if answer.refusal is RefusalReason.NO_CT_MODEL and image_id is not None:
        show(tx, key, chat, image_id, text, [[delete_button(texts, case)]], case_id=case.id)
    else:
        say(tx, key, chat, text, case_id=case.id)


def _wait_for_review(tx: Tx, texts: Texts, case: Case, person: Person) -> None:
    cases.ask_doctor(tx, case.id)
    tell_progress(tx, texts("progress.review", number=case.number), case, person, "end")
    text, buttons = doctor_first(tx, texts, case), [[delete_button(texts, case)]]
    say(tx, f"{RESULT}{case.id}:0", person.telegram_id, text, buttons, case_id=case.id)


def doctor_first(tx: Tx, texts: Texts, case: Case) -> str:
    """Say that the answer waits for a doctor, or that there is none."""
    is_there = reviews.another(tx, case.id)
    return unanswered(texts, texts("result.after_review" if is_there else "result.no_doctor"))


def tell_progress(tx: Tx, text: str, case: Case, person: Person, stage: str) -> bool:
    """Let the progress message say something else; False if none is there or on its way."""
    target = progress_key(case)
    if stage == "end" and outbox.waiting(tx) >= CROWDED and outbox.drop(tx, target):
        return False
    row = outbox.by_key(tx, target)
    if row is None or not (row.message_id or row.state in (OutState.PENDING, OutState.SENDING)):
        return False
    # A case tried again tells its stage again.
    key = f"{target}:{stage}:{case.attempts}"
    edit(tx, key, person.telegram_id, target, text, case_id=case.id)
    return True


def _enter_images(tx: Tx, case: Case, drawn: Drawn) -> str | None:
    """Give its pictures to the case; gives the id of the annotated one."""
    if drawn.scan is None or drawn.report is None:
        return None
    images.attach(tx, drawn.scan, case.id, ImageKind.SCAN)
    for slice_ in drawn.slices:
        images.attach(tx, slice_, case.id, ImageKind.SLICE)
    return images.attach(tx, drawn.report, case.id, ImageKind.REPORT, REPORT_TYPE).id
