"""What a patient is told about a case, written with the step of the case that it tells."""

import json
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from html import escape

from bot import doctors_word, notices, redrawn
from bot.context import Services
from bot.deliveries import AGAIN, BLOCKED, RESULT, REVIEW, WORD
from bot.say import Buttons, edit, say, show, unanswered
from bot.settings import Results
from bot.texts.catalogue import Texts
from classifier.classifier import Answer
from classifier.labels import Finding, Label, Modality, gravest
from classifier.refusals import RefusalReason
from classifier.report_texts import WORDS, percent
from storage import audit, cases, history, images, outbox, people, staff, work
from storage.cases import UNFINISHED, Case, CaseState, Saliency, StoredFinding, UploadedFile
from storage.errors import LeaseLost
from storage.images import ImageKind, Sealed
from storage.outbox import OutKind, OutState
from storage.people import Person
from storage.staff import Role
from storage.transaction import Tx

# Telegram makes a JPEG of every photo, so a PNG would only cost time.
REPORT_TYPE = "image/jpeg"


# With so many messages waiting, a second's worth, progress is no longer told.
CROWDED = 30
# Nor with more unfinished cases than these.
FEW = 8

# Reasons that lie in the file itself. For so long they are repeated without reading it again;
# after that a newer version may accept it.
LASTING = frozenset(RefusalReason) - {RefusalReason.TOO_COSTLY}
REFUSED_FOR = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Drawn:
    """An answer with its pictures, kept but not yet entered."""

    answer: Answer
    seconds: float
    scan: Sealed | None = None
    report: Sealed | None = None
    slices: tuple[Sealed, ...] = ()


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
        _progress(tx, services.texts_of(person)("progress.classifying"), case, person, "begin")


def withdraw(tx: Tx, services: Services, case: Case, person: Person) -> None:
    """Take a case back because its person wants so."""
    cases.advance(tx, case.id, CaseState.WITHDRAWN)
    text = services.texts_of(person)("progress.withdrawn", number=case.number)
    _progress(tx, text, case, person, "end")


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
    _progress(tx, texts("progress.refused", number=case.number), case, person, "end")


def repeat(tx: Tx, services: Services, case: Case, person: Person, content: str) -> bool:
    """Give an earlier answer to the same content again; False if there is none."""
    cases.set_content(tx, case.id, content)
    earlier = cases.earlier(tx, case.id, LASTING, tx.time - REFUSED_FOR)
    if earlier is None or not _can_be_shown(tx, services, earlier):
        return False
    cases.mark_duplicate(tx, case.id, earlier.id)
    show_again(tx, services, earlier, person, f"{AGAIN}{case.id}")
    text = again(services, earlier, person)
    is_told = _progress(tx, text, case, person, "end")
    if not is_told and waits_for_doctor(services, earlier):
        # No picture follows that would speak for itself.
        say(tx, f"{AGAIN}{case.id}:0", person.telegram_id, text, case_id=earlier.id)
    return True


def earlier_of(tx: Tx, services: Services, person: Person, file: UploadedFile) -> Case | None:
    """Find the case in which this very file was answered before, if that can be shown again."""
    earlier = cases.earlier_file(tx, person.id, file.unique_id, LASTING, tx.time - REFUSED_FOR)
    return earlier if earlier and _can_be_shown(tx, services, earlier) else None


def _can_be_shown(tx: Tx, services: Services, earlier: Case) -> bool:
    """Tell whether an earlier answer can be given again; one without a picture always can."""
    if earlier.state is CaseState.REFUSED and earlier.reason != RefusalReason.NO_CT_MODEL:
        return True
    return redrawn.can_show(tx, services, earlier) and not _is_withdrawn(tx, services, earlier)


def _is_withdrawn(tx: Tx, services: Services, earlier: Case) -> bool:
    """Tell whether an answer that no doctor looked at is of a model that no longer answers."""
    if earlier.state is not CaseState.ANSWERED:
        return False
    answering = {model.name for model in services.models.active.models.values()}
    return any(each.model not in answering for each in history.findings(tx, earlier.id))


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
    if earlier.state is CaseState.REFUSED:
        _refuse_again(tx, texts, earlier, chat, key)
        return
    findings, buttons = history.findings(tx, earlier.id), result_buttons(texts, earlier)
    number = texts("result.case", number=earlier.number)
    text = caption(texts, findings[-1], earlier.number) if findings else number
    further = f"{texts('result.not_a_diagnosis')}\n\n{number}"
    redrawn.show_again(tx, key, chat, earlier, texts.language, text, buttons, further)
    if word := doctors_word.text(tx, texts, earlier):
        say(tx, f"{key}{WORD}", chat, word, case_id=earlier.id)


def _refuse_again(tx: Tx, texts: Texts, case: Case, chat: int, key: str) -> None:
    reason = RefusalReason(str(case.reason))
    text = unanswered(texts, escape(WORDS[texts.language].refusals[reason]))
    if reason is RefusalReason.NO_CT_MODEL:
        buttons = [[_delete(texts, case)]]
        redrawn.show_again(tx, key, chat, case, texts.language, text, buttons)
    else:
        say(tx, f"{key}:0", chat, text, case_id=case.id)


def reviewed(tx: Tx, services: Services, case: Case) -> None:
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
    word = doctors_word.text(tx, texts, case)
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
    buttons = [[(texts("button.meaning"), f"meaning:{case.number}")], [_delete(texts, case)]]
    redrawn.show_again(tx, f"{key}:picture", chat, case, texts.language, text, buttons)


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
        text = unanswered(texts, texts("refusal.failed"))
        say(tx, key, person.telegram_id, text, case_id=case.id)
        _progress(tx, texts("progress.refused", number=case.number), case, person, "end")
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


def result_buttons(texts: Texts, case: Case) -> Buttons:
    """Give the buttons under an answer."""
    return [
        [(texts("button.meaning"), f"meaning:{case.number}")],
        [(texts("button.doctor"), f"doctor:{case.number}"), _delete(texts, case)],
    ]


def _delete(texts: Texts, case: Case) -> tuple[str, str]:
    return texts("button.delete"), f"delete:{case.number}"


def caption(texts: Texts, finding: StoredFinding, number: str) -> str:
    """Say the answer in plain words, under the picture."""
    if finding.is_pneumonia:
        share = escape(percent(finding.bacterial + finding.viral))
        first = texts("result.pneumonia", percent=share)
    elif finding.label is None:
        first = texts("result.unsure")
    else:
        name = WORDS[texts.language].labels[Label(finding.label)]
        share = escape(percent(getattr(finding, finding.label)))
        key = "result.label" if finding.label == Label.NORMAL else "result.kind"
        first = texts(key, label=name, percent=share)
    parts = [first, texts("result.not_a_diagnosis"), texts("result.case", number=number)]
    if finding.modality == Modality.CT:
        parts.insert(0, escape(WORDS[texts.language].experimental))
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
        text = caption(texts, stored(answer.finding, drawn.seconds), case.number)
        show(tx, key, chat, image_id, text, result_buttons(texts, case), case_id=case.id)
        return
    assert answer.refusal is not None
    text = unanswered(texts, escape(WORDS[texts.language].refusals[answer.refusal]))
    if answer.refusal is RefusalReason.NO_CT_MODEL and image_id is not None:
        show(tx, key, chat, image_id, text, [[_delete(texts, case)]], case_id=case.id)
    else:
        say(tx, key, chat, text, case_id=case.id)


def _wait_for_review(tx: Tx, texts: Texts, case: Case, person: Person) -> None:
    cases.ask_doctor(tx, case.id)
    _progress(tx, texts("progress.review", number=case.number), case, person, "end")
    is_there = bool(staff.reachable(tx, Role.DOCTOR))
    text = unanswered(texts, texts("result.after_review" if is_there else "result.no_doctor"))
    say(tx, f"{RESULT}{case.id}:0", person.telegram_id, text, case_id=case.id)


def _progress(tx: Tx, text: str, case: Case, person: Person, stage: str) -> bool:
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


def stored(finding: Finding, seconds: float) -> StoredFinding:
    """Write a finding down as it is kept."""
    rows, columns = finding.saliency.shape
    return StoredFinding(
        model=finding.model,
        modality=finding.modality,
        **{label.value: share for label, share in finding.probabilities.items()},
        label=finding.label,
        doubts=tuple(finding.doubts),
        slices=finding.slices,
        seconds=seconds,
        saliency=Saliency(rows, columns, finding.saliency.astype("<f4").tobytes()),
        places=json.dumps(asdict(finding.places)) if finding.places else None,
        is_pneumonia=finding.is_pneumonia,
    )
