"""An answer that was given before, given again to the same person."""

from datetime import timedelta
from html import escape

from bot import answers, doctors_word, redrawn
from bot.captions import caption, delete_button, result_buttons
from bot.context import Services
from bot.deliveries import AGAIN, WORD
from bot.say import say, unanswered
from bot.texts.catalogue import Texts
from classifier.labels import Modality
from classifier.refusals import RefusalReason
from classifier.report_texts import WORDS
from storage import cases, history, opinions
from storage.cases import Case, CaseState, UploadedFile
from storage.people import Person
from storage.transaction import Tx

# Reasons that lie in the file itself. For so long they are repeated without reading it again;
# after that a newer version may accept it.
LASTING = frozenset(RefusalReason) - {RefusalReason.TOO_COSTLY}
REFUSED_FOR = timedelta(days=1)


def earlier_of(tx: Tx, services: Services, person: Person, file: UploadedFile) -> Case | None:
    """Find the case in which this very file was answered before, if that can be shown again."""
    earlier = cases.earlier_file(tx, person.id, file.unique_id, LASTING, tx.time - REFUSED_FOR)
    return earlier if earlier and _can_be_shown(tx, services, earlier) else None


def repeat(tx: Tx, services: Services, case: Case, person: Person, content: str) -> bool:
    """Give an earlier answer to the same content again; False if there is none."""
    cases.set_content(tx, case.id, content)
    earlier = cases.earlier(tx, case.id, LASTING, tx.time - REFUSED_FOR)
    if earlier is None or not _can_be_shown(tx, services, earlier):
        return False
    cases.mark_duplicate(tx, case.id, earlier.id)
    show_again(tx, services, earlier, person, f"{AGAIN}{case.id}")
    text = again(tx, services, earlier, person, case.note)
    is_told = answers.tell_progress(tx, text, case, person, "end")
    if not is_told and answers.waits_for_doctor(services, earlier):
        # No picture follows that would speak for itself.
        say(tx, f"{AGAIN}{case.id}:0", person.telegram_id, text, case_id=earlier.id)
    return True


def _can_be_shown(tx: Tx, services: Services, earlier: Case) -> bool:
    """Tell whether an earlier answer can be given again; one without a picture always can."""
    if earlier.state is CaseState.REFUSED:
        if earlier.reason != RefusalReason.NO_CT_MODEL:
            return True
        if Modality.CT in services.models.active.models:
            return False
    return redrawn.can_show(tx, services, earlier) and not _is_withdrawn(tx, services, earlier)


def _is_withdrawn(tx: Tx, services: Services, earlier: Case) -> bool:
    """Tell whether an answer that no doctor looked at is of a model that no longer answers."""
    if earlier.state is not CaseState.ANSWERED:
        return False
    answering = {model.name for model in services.models.active.models.values()}
    return any(each.model not in answering for each in history.findings(tx, earlier.id))


def again(tx: Tx, services: Services, earlier: Case, person: Person, note: str | None) -> str:
    """Say that an answer was given before, or that a doctor has not seen it yet.

    What is written beside the picture now goes to the doctors, or they will not read it.
    """
    texts = services.texts_of(person)
    text = texts("result.again")
    if answers.waits_for_doctor(services, earlier):
        number = texts("result.case", number=earlier.number)
        text = f"{answers.doctor_first(tx, texts, earlier)}\n\n{number}"
    is_judged = earlier.state is CaseState.REVIEWED or opinions.open_of(tx, earlier.id)
    if note and is_judged:
        text += "\n\n" + texts("result.note_unread")
    elif note and f"\n{note}\n" not in f"\n{earlier.note}\n":
        cases.add_note(tx, earlier.id, note)
    return text


def show_again(tx: Tx, services: Services, earlier: Case, person: Person, key: str) -> None:
    """Show the pictures of an earlier answer, unless they wait for a doctor."""
    if answers.waits_for_doctor(services, earlier):
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
    if word := doctors_word.words(tx, texts, earlier):
        say(tx, f"{key}{WORD}", chat, word, case_id=earlier.id)


def _refuse_again(tx: Tx, texts: Texts, case: Case, chat: int, key: str) -> None:
    reason = RefusalReason(str(case.reason))
    text = unanswered(texts, escape(WORDS[texts.language].refusals[reason]))
    if reason is RefusalReason.NO_CT_MODEL:
        buttons = [[delete_button(texts, case)]]
        redrawn.show_again(tx, key, chat, case, texts.language, text, buttons)
    else:
        say(tx, f"{key}:0", chat, text, case_id=case.id)
