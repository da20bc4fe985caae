"""The command line."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn

import typer
from rich.console import Console
from rich.progress import Progress

from bot.memory import share_one_heap
from bot.networks import Networks
from classifier.card import BrokenModel
from classifier.classifier import Answer, Classifier
from classifier.gate import Gate
from classifier.labels import Modality
from classifier.model import MODELS, EngineKind, load_installed
from classifier.reading.isolated import IsolatedReader
from classifier.reading.sources import Source
from classifier.refusals import SENTENCES
from classifier.report import Report, draw, to_png
from classifier.report_texts import Language, percent

if TYPE_CHECKING:
    from bot.settings import Settings

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
errors = Console(stderr=True)

# Reading, inference and drawing of different files overlap; more only costs memory.
SIDE_BY_SIDE = 4


@app.callback()
def main() -> None:
    """Read chest X-rays and CT series: normal, bacterial or viral pneumonia. Not a diagnosis."""
    share_one_heap()


@app.command()
def classify(
    paths: Annotated[list[Path], typer.Argument(metavar="FILE_OR_FOLDER…", exists=True)],
    out: Annotated[
        Path, typer.Option(file_okay=False, help="where the annotated pictures go")
    ] = Path("answers"),
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object a line")] = False,
    language: Annotated[Language, typer.Option(help="of the pictures")] = Language.ENGLISH,
    engine: Annotated[EngineKind, typer.Option()] = EngineKind.ONNX,
    models: Annotated[Path, typer.Option(help="folder of model folders")] = MODELS,
) -> None:
    """Answer each picture, DICOM file, or zip or folder of one CT series with a picture."""
    try:
        with IsolatedReader() as reader:
            classifier = Classifier(reader, load_installed(models, engine), Gate())
            sources = reader.sources(paths)
            if not sources:
                raise typer.BadParameter("there is no file in there")
            files = [path for source in sources for path in source.paths]
            # A link lies in one folder, and what it leads to in another.
            if any(out.resolve() in (p.parent.resolve(), p.resolve().parent) for p in files):
                raise typer.BadParameter("--out must not be a folder of the files: name another")
            out.mkdir(parents=True, exist_ok=True)
            answers = asyncio.run(_answer_all(classifier, sources, out, language, as_json))
    except BrokenModel as error:
        _stop(f"The model cannot be used: {error}")
    except ImportError as error:
        _stop(f"{error.name} cannot be imported: for --engine {engine} install the extra gpu")
    except OSError as error:
        _stop(f"The answers cannot be written: {error}")
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
    path = out / f"{source.name}.png"
    # Where this one is refused, no earlier answer of the same name is to stand for it.
    path.unlink(missing_ok=True)
    slices = bar.add_task(source.name, visible=len(source.paths) > 1)
    answer = await classifier.classify(
        source, lambda done, total: bar.update(slices, completed=done, total=total)
    )
    bar.remove_task(slices)
    if answer.shown is not None:
        report = Report.of(answer, f"{number:04}", datetime.now(UTC).astimezone(), language)
        await asyncio.to_thread(_draw, report, path)
    return replace(answer, shown=None, deciding=())


def _draw(report: Report, path: Path) -> None:
    path.write_bytes(to_png(draw(report)))


def _as_json(source: Source, answer: Answer) -> str:
    finding = answer.finding
    shares = finding and {label: round(each, 4) for label, each in finding.probabilities.items()}
    return json.dumps(
        {
            "file": str(source.path),
            "accepted": finding is not None,
            "reason": answer.refusal,
            "modality": answer.modality,
            "probabilities": shares,
            "label": finding and finding.told,
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
    experimental = "; experimental, CT" if answer.modality is Modality.CT else ""
    return f"{source.path}: {answer.finding.told} ({shares}{experimental})"


@contextmanager
def _told_plainly() -> Iterator[None]:
    """Tell in a line what an operator can mend."""
    from bot.mending import MENDABLE, mend

    try:
        yield
    except MENDABLE as error:
        _stop(mend(error))


@app.command()
@_told_plainly()
def run() -> None:
    """Run the bot: polling, or a webhook when WEBHOOK_URL is set."""
    import uvloop

    # Children start and networks load while the rest is imported.
    with IsolatedReader() as reader:
        settings = _settings()
        networks = Networks(settings.classifier_url)
        from bot.app import run as run_until_stopped

        uvloop.run(run_until_stopped(settings, reader, networks))


@app.command(name="try")
@_told_plainly()
def try_out(
    data_dir: Annotated[
        Path | None, typer.Option(help="folder to keep; default: temporary")
    ] = None,
    port: Annotated[int, typer.Option(help="port of the page", min=1, max=65535)] = 8080,
    language: Annotated[Language, typer.Option(help="for people with any other")] = (
        Language.ENGLISH
    ),
) -> None:
    """Try the bot in the browser, without Telegram and without a token."""
    import uvloop

    from bot.tryout import try_out

    uvloop.run(try_out(data_dir, port, language))


@app.command()
@_told_plainly()
def check() -> None:
    """Look at all that a bot needs, Telegram included; each is ok or says what mends it."""
    from bot.check import check_all

    checks = asyncio.run(check_all())
    for each in checks:
        print(f"{each.name}: {each.mend or 'ok'}")
    raise typer.Exit(1 if any(each.mend for each in checks) else 0)


@app.command()
@_told_plainly()
def qr(
    source: Annotated[str, typer.Option(help="clinic that the link names")] = "",
    out: Annotated[Path, typer.Option(help="FILE.png, .svg or .pdf")] = Path("poster.png"),
) -> None:
    """Make the printable poster with the QR code that opens the bot."""
    from bot.joining import LONGEST_NAME, tidy
    from bot.links import deep_link
    from bot.poster import poster

    kind = out.suffix.lower().removeprefix(".")
    if kind not in ("png", "svg", "pdf"):
        raise typer.BadParameter("the file's name must end in .png, .svg or .pdf")
    source = tidy(source)
    if len(source) > LONGEST_NAME:
        raise typer.BadParameter(f"a clinic's name has at most {LONGEST_NAME} letters")
    settings = _settings()
    if source:
        _database(settings)
    link = asyncio.run(deep_link(settings, source))
    out.write_bytes(poster(link, source or settings.clinic, kind))
    print(f"{out}: {link}")


@app.command()
@_told_plainly()
def backup(
    file: Annotated[
        Path | None, typer.Argument(help="a new file; default: one in the data dir's backups/")
    ] = None,
) -> None:
    """Write a checked copy of the database; the bot may go on meanwhile.

    Only what lies in the data dir's `backups` is deleted with the retention period; a copy
    elsewhere has to be deleted by hand.
    """
    from storage.backups import SUFFIX, back_up
    from storage.clock import utc_now
    from storage.database import BACKUPS

    database = _database(_settings())
    target = file or database.parent / BACKUPS / f"by-hand-{utc_now():%Y%m%dT%H%M%SZ}{SUFFIX}"
    back_up(database, target)
    print(f"{target}: written and checked")


@app.command()
@_told_plainly()
def invite(
    role: Annotated[Literal["doctor", "admin"], typer.Option(help="that the link gives")],
    name: Annotated[str, typer.Option(help="for /staff and /audit")],
) -> None:
    """Invite a doctor or an admin by a link that works once, also where no admin is left."""
    from bot.joining import LONGEST_NAME, tidy
    from bot.links import invitation_link
    from bot.times import told
    from storage.staff import Role

    name = tidy(name)
    if not 1 <= len(name) <= LONGEST_NAME:
        raise typer.BadParameter(f"a name has 1 to {LONGEST_NAME} letters")
    settings = _settings()
    _database(settings)
    link, until = asyncio.run(invitation_link(settings, Role(role), name))
    print(f"{link}\nWorks once, until {told(settings, until, Language.ENGLISH)}.")


def _database(settings: "Settings") -> Path:
    """Find the database that the bot has made."""
    from storage.store import DATABASE

    path = settings.data_dir / DATABASE
    if not path.exists():
        where = settings.data_dir
        _stop(f"There is no database in {where}: the bot has not run here; check BOT_DATA_DIR")
    return path


def _settings() -> "Settings":
    """Load the settings and have their secrets kept out of the logs."""
    from bot.logs import set_up_logs
    from bot.settings import load_settings

    settings = load_settings()
    set_up_logs(settings.secrets, settings.log_format)
    return settings


def _stop(message: str) -> NoReturn:
    # Soft wrapping: a path or a command is copied whole.
    errors.print(message, markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(2)


if __name__ == "__main__":
    app()
