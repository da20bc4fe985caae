"""What the networks of all folds say of pictures they never saw, put together.

`python -m training.out_of_fold RUNS --recipe NAME` after `training.cross_validate`: prints figures
with their spread over the seeds, fits temperature and thresholds, adds rows to the results.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from classifier.labels import FloatArray
from classifier.model import calibrated
from training.arrays import Arrays
from training.calibrate import Answered, Classes, fit_limits
from training.dataset import FOLDS
from training.figures import Interval, Predictions, figures, kinds_apart, measure
from training.record import add_rows, circumstances, columns, command
from training.stress import STRESSES

RESULTS = Path(__file__).parent / "results" / "cross_validation.csv"
FILE = "out_of_fold.npz"


@dataclass(frozen=True, slots=True)
class Answers(Arrays):
    """Of n held-out pictures: `logits` (n, 1 + stresses, 3), the clean picture's first; else (n,).

    `folds` and `seeds` tell which network answered.
    """

    logits: FloatArray
    classes: Classes
    sources: NDArray[np.str_]
    patients: NDArray[np.str_]
    folds: NDArray[np.int64]
    seeds: NDArray[np.int64]

    def save(self, path: Path) -> None:
        """Write all as .npz, whole or not at all."""
        scratch = path.with_suffix(".tmp.npz")
        np.savez(scratch, **{each.name: getattr(self, each.name) for each in fields(self)})
        scratch.replace(path)


def load(path: Path) -> Answers:
    """Read what `Answers.save` wrote."""
    with np.load(path) as arrays:
        return Answers(**{name: arrays[name] for name in arrays.files})


def answers_of_others(path: Path, fold: int) -> Answered:
    """Give the clean answers of all folds but one, to calibrate what is measured on it."""
    answers = load(path)
    return answered(answers.of(answers.folds != fold))


def answered(answers: Answers) -> Answered:
    """Give what was said of the clean pictures; a patient whom several seeds judged stays one."""
    return Answered(answers.logits[:, 0], answers.classes, answers.patients)


def main(
    runs: Annotated[Path, typer.Argument(help="what training.cross_validate wrote")],
    recipe: Annotated[str, typer.Option(help="its name, for the rows")],
    results: Annotated[Path, typer.Option(help="CSV that gets a row a seed and source")] = RESULTS,
) -> None:
    """Measure and calibrate on out-of-fold answers alone; only seeds with all folds count."""
    answers = _whole_seeds([load(path) for path in sorted(runs.glob("*/held_out.npz"))])
    answers.save(runs / FILE)
    limits = fit_limits(answered(answers))
    (runs / "calibration.json").write_text(json.dumps(asdict(limits), indent=2) + "\n")
    print(json.dumps(asdict(limits)))
    temperature = limits.temperature
    about = circumstances(command("training.out_of_fold"))
    about |= {"recipe": recipe, "temperature": f"{temperature:.4f}"}
    for source in np.unique(answers.sources):
        mine = answers.of(answers.sources == source)
        measured = {
            int(seed): _figures(mine.of(mine.seeds == seed), temperature)
            for seed in np.unique(mine.seeds)
        }
        print(f"\n{source}, {len(measured)} seeds\n\n{spread(list(measured.values()))}")
        rows = [{"seed": seed, "source": source} | columns(row) for seed, row in measured.items()]
        add_rows(results, [about | row for row in rows])


def spread(measured: Sequence[dict[str, Interval]]) -> str:
    """Write mean and standard deviation over runs as a Markdown table."""
    rows = [
        f"| {name} | {np.mean(values):.4f} | {np.std(values, ddof=1) if values[1:] else 0:.4f} |"
        for name in measured[0]
        for values in ([each[name][0] for each in measured],)
    ]
    return "\n".join(["| figure | mean | sd over seeds |", "|---|---|---|", *rows])


def _whole_seeds(answers: Sequence[Answers]) -> Answers:
    every = Answers.joined(answers)
    folds = {seed: len(set(every.folds[every.seeds == seed])) for seed in set(every.seeds)}
    whole = [seed for seed, count in folds.items() if count == FOLDS]
    if not whole:
        raise typer.BadParameter(f"no seed has all {FOLDS} folds")
    return every.of(np.isin(every.seeds, whole))


def _figures(answers: Answers, temperature: float) -> dict[str, Interval]:
    """Measure the clean pictures, and under stress what is right, without an interval."""
    clean, *stress = np.moveaxis(calibrated(answers.logits, temperature), 1, 0)
    predictions = Predictions(clean, answers.classes, answers.patients)
    figures_of_all = figures(predictions)
    right = "accuracy" if "accuracy" in figures_of_all else "pneumonia_accuracy"
    if right == "accuracy":
        kinds = kinds_apart(predictions).items()
        figures_of_all |= {f"kind_{name.replace(' ', '_')}": each for name, each in kinds}
    for kind, probabilities in zip(STRESSES, stress, strict=True):
        value = measure(answers.classes, probabilities)[right]
        figures_of_all[f"stress_{kind}_{right}"] = (value, np.nan, np.nan)
    return figures_of_all


if __name__ == "__main__":
    typer.run(main)
