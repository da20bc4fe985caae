"""What a patient is told about a case, written with the step of the case that it tells."""

from dataclasses import dataclass
from datetime import datetime
from html import escape

from bot import notices
from bot.context import Services
from bot.deliveries import RESULT
from bot.say import Buttons, edit, say, show
from bot.settings import Results
from bot.texts.catalogue import Texts
from classifier.classifier import Answer
from classifier.labels import Label
from classifier.refusals import RefusalReason
from classifier.report_texts import WORDS, percent
from storage import cases, history, images, outbox, people, work
from storage.cases import UNFINISHED, Case, CaseState, Saliency, StoredFinding
from storage.errors import LeaseLost
from storage.images import ImageKind, Sealed
from storage.people import Person
from storage.staff import Role
from storage.transaction import Tx

# Telegram makes a JPEG of every photo, so a PNG would only cost time.
REPORT_TYPE = "image/jpeg"


# With a second's worth of messages waiting, only what matters is said.
CROWDED = 30


@dataclass(frozen=True, slots=True)
class Drawn:
    """An answer with its two pictures, kept but not yet entered."""

    answer: Answer
    scan: Sealed | None
    report: Sealed | None
    seconds: float


def progress_key(case: Case) -> str:
    """Name the progress message of a case."""
    return f"progress:{case.id}"


def begin(tx: Tx, services: Services, case: Case, person: Person) -> None:
    """Tell that the case is being worked on; raises LeaseLost if it is finished."""
    if cases.get(tx, case.id).state not in UNFINISHED:
        raise LeaseLost
    if outbox.waiting(tx) < CROWDED:
        _progress(tx, services.texts_of(person)("progress.classifying"), case, person, "begin")


def withdraw(tx: Tx, services: Services, case: Case, person: Person) -> None:
    """Take a case back because its person wants so."""
    cases.advance(tx, case.id, CaseState.WITHDRAWN)
    text = services.texts_of(person)("progress.withdrawn", number=case.number)
    _progress(tx, text, case, person, "end")


def refuse(
    tx: Tx, services: Services, case: Case, person: Person, worker: str, reason: str, sentence: str
) -> None:
    """Tell why a file could not be fetched."""
    cases.advance(tx, case.id, CaseState.REFUSED, worker=worker, reason=reason)
    texts = services.texts_of(person)
    say(tx, f"{RESULT}{case.id}:0", person.telegram_id, sentence, case_id=case.id)
    _progress(tx, texts("progress.refused", number=case.number), case, person, "end")


def repeat(tx: Tx, services: Services, case: Case, person: Person, content: str) -> bool:
    """Give an earlier answer to the same content again; False if there is none."""
    cases.set_content(tx, case.id, content)
    earlier = cases.earlier(tx, case.id)
    if earlier is None:
        return False
    cases.mark_duplicate(tx, case.id, earlier.id)
    show_again(tx, services, earlier, person, f"again:{case.id}")
    _progress(tx, again(services, earlier, person), case, person, "end")
    return True


def again(services: Services, earlier: Case, person: Person) -> str:
    """Say that an answer was given before, or that a doctor has not seen it yet."""
    texts = services.texts_of(person)
    if waits_for_doctor(services, earlier):
        return texts("progress.review", number=earlier.number)
    return texts("result.again")


def show_again(tx: Tx, services: Services, earlier: Case, person: Person, key: str) -> None:
    """Show the pictures of an earlier answer, unless they wait for a doctor."""
    if waits_for_doctor(services, earlier):
        return
    texts, chat = services.texts_of(person), person.telegram_id
    findings, buttons = history.findings(tx, earlier.id), result_buttons(texts, earlier)
    text = texts("result.case", number=earlier.number)
    if findings:
        text = caption(texts, findings[-1], earlier.number)
    for picture in images.of_case(tx, earlier.id, ImageKind.REPORT):
        name = f"{key}:{picture.id}"
        show(tx, name, chat, picture.id, text, buttons, case_id=earlier.id)


def waits_for_doctor(services: Services, case: Case) -> bool:
    """Tell whether the patient is not to see an answer before a doctor did."""
    after_review = services.settings.results is Results.AFTER_REVIEW
    return after_review and case.state is not CaseState.REVIEWED


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
    found = [each for each in drawn if each.answer.finding is not None]
    entered = [_enter_images(tx, case, each) for each in drawn]
    done = texts("progress.done" if found else "progress.refused", number=case.number)
    if not found:
        reason = drawn[0].answer.refusal if drawn else RefusalReason.NOTHING_INSIDE
        cases.advance(tx, case.id, CaseState.REFUSED, worker=worker, reason=reason)
    else:
        if cases.get(tx, case.id).state is CaseState.RECEIVED:
            cases.advance(tx, case.id, CaseState.READ, worker=worker)
        cases.add_finding(tx, case.id, _gravest(found))
        cases.advance(tx, case.id, CaseState.CLASSIFIED, worker=worker)
        if services.settings.results is Results.AFTER_REVIEW:
            _wait_for_review(tx, texts, case, person)
            return
    for index, (each, image_id) in enumerate(zip(drawn, entered, strict=True)):
        _send(tx, services, case, person, each, image_id, f"{RESULT}{case.id}:{index}")
    # After the answer, which is what the patient waits for.
    _progress(tx, done, case, person, "end")


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
        say(tx, key, person.telegram_id, texts("refusal.failed"), case_id=case.id)
        _progress(tx, texts("progress.refused", number=case.number), case, person, "end")
    notices.tell(
        tx,
        services,
        Role.ADMIN,
        f"failed:{case.id}",
        "admin.failed",
        number=case.number,
        attempts=case.attempts,
        error=escape(case.reason or ""),
    )


def result_buttons(texts: Texts, case: Case) -> Buttons:
    """Give the buttons under an answer."""
    return [
        [(texts("button.meaning"), f"meaning:{case.number}")],
        [
            (texts("button.doctor"), f"doctor:{case.number}"),
            (texts("button.delete"), f"delete:{case.number}"),
        ],
    ]


def caption(texts: Texts, finding: StoredFinding, number: str) -> str:
    """Say the answer in plain words, under the picture."""
    if finding.label is None:
        first = texts("result.unsure")
    else:
        name = WORDS[texts.language].labels[Label(finding.label)]
        share = escape(percent(getattr(finding, finding.label)))
        first = texts("result.label", label=name, percent=share)
    parts = (first, texts("result.not_a_diagnosis"), texts("result.case", number=number))
    return "\n\n".join(parts)


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
        text = caption(texts, _stored(drawn), case.number)
        show(tx, key, chat, image_id, text, result_buttons(texts, case), case_id=case.id)
        return
    assert answer.refusal is not None
    sentence = escape(WORDS[texts.language].refusals[answer.refusal])
    if answer.refusal is RefusalReason.NO_CT_MODEL and image_id is not None:
        delete = [[(texts("button.delete"), f"delete:{case.number}")]]
        show(tx, key, chat, image_id, sentence, delete, case_id=case.id)
    else:
        say(tx, key, chat, sentence, case_id=case.id)


def _wait_for_review(tx: Tx, texts: Texts, case: Case, person: Person) -> None:
    cases.ask_doctor(tx, case.id)
    _progress(tx, texts("progress.review", number=case.number), case, person, "end")
    say(
        tx,
        f"{RESULT}{case.id}:0",
        person.telegram_id,
        texts("result.after_review"),
        case_id=case.id,
    )


def _progress(tx: Tx, text: str, case: Case, person: Person, stage: str) -> None:
    target = progress_key(case)
    if stage == "end" and outbox.waiting(tx) >= CROWDED and outbox.drop(tx, target):
        return
    if outbox.by_key(tx, target) is not None:
        # A case tried again tells its stage again.
        key = f"{target}:{stage}:{case.attempts}"
        edit(tx, key, person.telegram_id, target, text, case_id=case.id)


def _enter_images(tx: Tx, case: Case, drawn: Drawn) -> str | None:
    """Give both pictures to the case; gives the id of the annotated one."""
    if drawn.scan is None or drawn.report is None:
        return None
    images.attach(tx, drawn.scan, case.id, ImageKind.SCAN)
    return images.attach(tx, drawn.report, case.id, ImageKind.REPORT, REPORT_TYPE).id


def _gravest(found: list[Drawn]) -> StoredFinding:
    """Keep the finding of an album that speaks most for pneumonia."""
    return min(map(_stored, found), key=lambda finding: finding.normal)


def _stored(drawn: Drawn) -> StoredFinding:
    finding = drawn.answer.finding
    assert finding is not None
    rows, columns = finding.saliency.shape
    return StoredFinding(
        model=finding.model,
        modality=finding.modality,
        **{label.value: share for label, share in finding.probabilities.items()},
        label=finding.label,
        doubts=tuple(finding.doubts),
        slices=finding.slices,
        seconds=drawn.seconds,
        saliency=Saliency(rows, columns, finding.saliency.astype("<f4").tobytes()),
    )
