"""What stands under the picture of an answer: its caption and its buttons."""

from html import escape

from bot.say import Buttons
from bot.texts.catalogue import Texts
from classifier.labels import Label, Modality
from classifier.report_texts import WORDS, percent
from storage.cases import Case, StoredFinding


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


def result_buttons(texts: Texts, case: Case) -> Buttons:
    """Give the buttons under an answer."""
    return [
        [(texts("button.meaning"), f"meaning:{case.number}")],
        [(texts("button.doctor"), f"doctor:{case.number}"), delete_button(texts, case)],
    ]


def delete_button(texts: Texts, case: Case) -> tuple[str, str]:
    """Give the button that erases a case."""
    return texts("button.delete"), f"delete:{case.number}"
