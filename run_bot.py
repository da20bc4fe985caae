"""The command line."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from classifier.card import BrokenModel
from classifier.classifier import Answer, Classifier
from classifier.model import MODELS, EngineKind, load_installed
from classifier.reading.isolated import IsolatedReader
from classifier.reading.sources import Source
from classifier.refusals import SENTENCES
from classifier.report import Report, draw, to_png
from classifier.report_texts import Language, percent

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
errors = Console(stderr=True)

UNSURE = "unsure"
# Reading, inference and drawing of different files overlap; more only costs memory.
SIDE_BY_SIDE = 4


@app.callback()
def main() -> None:
    """Read chest X-rays and CT series: normal, bacterial or viral pneumonia. Not a diagnosis."""


@app.command()
def classify(
    paths: Annotated[list[Path], typer.Argument(metavar="FILE_OR_FOLDER…", exists=True)],
    out: Annotated[Path, typer.Option(help="where the annotated pictures go")] = Path("answers"),
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object a line")] = False,
    language: Annotated[Language, typer.Option(help="of the pictures")] = Language.ENGLISH,
    engine: Annotated[EngineKind, typer.Option()] = EngineKind.ONNX,
    models: Annotated[Path, typer.Option(help="folder of model folders")] = MODELS,
) -> None:
    """Answer each picture, DICOM file, or zip or folder of one CT series with a picture."""
    try:
        with IsolatedReader() as reader:
            classifier = Classifier(reader, load_installed(models, engine))
            sources = reader.sources(paths)
            if not sources:
                raise typer.BadParameter("there is no file in there")
            out.mkdir(parents=True, exist_ok=True)
            answers = asyncio.run(_answer_all(classifier, sources, out, language, as_json))
    except BrokenModel as error:
        errors.print(f"The model cannot be used: {error}", markup=False)
        raise typer.Exit(2) from None
    raise typer.Exit(0 if all(answer.finding for answer in answers) else 1)


async def _answer_all(
    classifier: Classifier, sources: Sequence[Source], out: Path, language: Language, as_json: bool
) -> list[Answer]:
    """Answer the sources side by side and print them in their order."""
    room = asyncio.Semaphore(SIDE_BY_SIDE)
    answers = []
    with Progress(console=errors, transient=True) as bar:

        async def answer(number: int, source: Source) -> Answer:
            async with room:
                return await _answer(classifier, number, source, out, language, bar)

        async with classifier:
            tasks = [asyncio.create_task(answer(*item)) for item in enumerate(sources, start=1)]
            for source, task in bar.track(list(zip(sources, tasks, strict=True))):
                answers.append(await task)
                bar.console.file.flush()
                print(_as_json(source, answers[-1]) if as_json else _as_line(source, answers[-1]))
    return answers


async def _answer(
    classifier: Classifier,
    number: int,
    source: Source,
    out: Path,
    language: Language,
    bar: Progress,
) -> Answer:
    """Answer one source and write its picture; the pixels are let go afterwards."""
    slices = bar.add_task(source.name, visible=len(source.paths) > 1)
    answer = await classifier.classify(
        source, lambda done, total: bar.update(slices, completed=done, total=total)
    )
    bar.remove_task(slices)
    if answer.shown is not None:
        await asyncio.to_thread(_draw, answer, f"{number:04}", language, out / f"{source.name}.png")
    return replace(answer, shown=None)


def _draw(answer: Answer, case: str, language: Language, path: Path) -> None:
    assert answer.shown is not None
    report = Report(
        shown=answer.shown,
        finding=answer.finding,
        refusal=answer.refusal,
        modality=answer.modality,
        model=answer.model,
        case=case,
        when=datetime.now(UTC).astimezone(),
        language=language,
    )
    path.write_bytes(to_png(draw(report)))


def _as_json(source: Source, answer: Answer) -> str:
    finding = answer.finding
    return json.dumps(
        {
            "file": str(source.path),
            "accepted": finding is not None,
            "reason": answer.refusal,
            "modality": answer.modality,
            "probabilities": finding and finding.probabilities,
            "label": finding and (finding.label or UNSURE),
            "model": answer.model,
            "slices": answer.slices,
            "seconds": round(answer.seconds, 3),
        },
        ensure_ascii=False,
    )


def _as_line(source: Source, answer: Answer) -> str:
    if answer.refusal:
        detail = f" ({answer.detail})" if answer.detail else ""
        return f"{source.path}: refused: {SENTENCES[answer.refusal]}{detail}"
    assert answer.finding is not None
    shares = ", ".join(
        f"{label} {percent(share)}" for label, share in answer.finding.probabilities.items()
    )
    return f"{source.path}: {answer.finding.label or UNSURE} ({shares})"


if __name__ == "__main__":
    app()
