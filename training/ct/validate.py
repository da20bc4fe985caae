"""How well a last layer does on patients it never saw, and on sources it never saw."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classifier.labels import FloatArray, Label
from classifier.model import calibrated
from classifier.saliency import Head
from classifier.study import aggregate
from training.arrays import Arrays
from training.calibrate import Classes, lowest_proven, temperature_of_least
from training.ct.head import Table, fit_head
from training.figures import BACTERIAL, NORMAL, VIRAL, auroc

RESAMPLES = 500
# Of the patients surely told a label, at most this share has something else.
AT_MOST = {Label.NORMAL: 0.02, Label.BACTERIAL: 0.1, Label.VIRAL: 0.1}
# So many patients make the strictest threshold. Fewer could not prove 2 % even with none wrong, nor
# 10 % with one wrong.
FIRST = {Label.NORMAL: 149, Label.BACTERIAL: 46, Label.VIRAL: 46}


@dataclass(frozen=True, slots=True)
class Patients(Arrays):
    """One answer for each patient: `logits` (n, 3), `classes`, `sources` and `names` (n,)."""

    logits: FloatArray
    classes: Classes
    sources: NDArray[np.str_]
    names: NDArray[np.str_]


def cross_validated(table: Table, erase: bool, seed: int) -> FloatArray:
    """Answer each slice, (n, 3) logits, with a layer fitted without a fifth of the patients."""
    logits = np.zeros((len(table.classes), len(Label)), np.float32)
    for rest, mine in table.folds(seed):
        logits[mine] = answers(fit_head(table.of(rest), erase), table.features[mine])
    return logits


def source_left_out(table: Table, erase: bool) -> FloatArray:
    """Answer each slice, (n, 3) logits, with a layer fitted without its source."""
    logits = np.zeros((len(table.classes), len(Label)), np.float32)
    for source in np.unique(table.sources):
        mine = table.sources == source
        logits[mine] = answers(fit_head(table.of(~mine), erase), table.features[mine])
    return logits


def answers(head: Head, features: FloatArray) -> FloatArray:
    """Give the logits (n, 3)."""
    logits: FloatArray = features @ head.kernel + head.bias
    return logits


def by_patient(logits: FloatArray, table: Table, share: float) -> Patients:
    """Make one answer of a patient's slices, of the `share` that speaks most for pneumonia."""
    names, first = np.unique(table.patients, return_index=True)
    rows = [aggregate(logits[table.patients == name], share)[0] for name in names]
    return Patients(np.array(rows), table.classes[first], table.sources[first], names)


def measure(patients: Patients) -> dict[str, float]:
    """Measure for each source what its classes allow; probabilities are not calibrated here."""
    shares, found = calibrated(patients.logits, 1.0), {}
    for source in np.unique(patients.sources):
        mine = patients.sources == source
        classes, ours = patients.classes[mine], shares[mine]
        ill, called_ill = classes != NORMAL, ours[:, NORMAL] < 0.5
        if ill.any():
            found[f"{source}_sensitivity"] = float(called_ill[ill].mean())
        if not ill.all():
            found[f"{source}_specificity"] = float((~called_ill)[~ill].mean())
        if ill.any() and not ill.all():
            found[f"{source}_ill_auroc"] = auroc(ill, 1 - ours[:, NORMAL])
        if {BACTERIAL, VIRAL} <= set(classes.tolist()):
            viral = ours[:, VIRAL] / np.maximum(ours[:, VIRAL] + ours[:, BACTERIAL], 1e-12)
            found[f"{source}_viral_auroc"] = auroc(classes == VIRAL, viral)
            found[f"{source}_accuracy"] = float((ours.argmax(1) == classes).mean())
    return found


def interval(patients: Patients) -> dict[str, tuple[float, float]]:
    """Give 95 % bootstrap intervals of `measure`, patients drawn within source and class."""
    rng = np.random.default_rng(0)
    strata = np.char.add(patients.classes.astype(str), patients.sources)
    groups = [np.flatnonzero(strata == each) for each in np.unique(strata)]
    drawn = [
        measure(patients.of(np.concatenate([rng.choice(each, len(each)) for each in groups])))
        for _ in range(RESAMPLES)
    ]
    ends = {}
    for name in drawn[0]:
        low, high = np.percentile([each[name] for each in drawn], (2.5, 97.5))
        ends[name] = (float(low), float(high))
    return ends


def row(seeds: Iterable[Patients], left_out: Patients) -> Mapping[str, str]:
    """Write one line of the results: mean ± sd over the seeds with the interval of the first.

    Names that begin with `new_` are of sources left out.
    """
    tried = list(seeds)
    measured = [measure(each) for each in tried]
    cells = {}
    for name, (low, high) in interval(tried[0]).items():
        values = [each[name] for each in measured]
        cells[name] = f"{np.mean(values):.3f} ± {np.std(values):.3f} ({low:.3f} – {high:.3f})"
    ends = interval(left_out)
    for name, value in measure(left_out).items():
        if is_of_new(name):
            cells[f"new_{name}"] = f"{value:.3f} ({ends[name][0]:.3f} – {ends[name][1]:.3f})"
    return cells


def is_of_new(name: str) -> bool:
    """Tell whether a figure says anything of sources left out."""
    # Bacterial pneumonia has one source, so nothing is learnt of it without that.
    return "viral" not in name and "accuracy" not in name


def temperature(left_out: Patients) -> float:
    """Fit the temperature to ill or not, which is all that a new source can show.

    Sources and, in them, ill and healthy weigh the same: the layer was fitted so.
    """
    ill = left_out.classes != NORMAL
    cells = np.unique(np.char.add(left_out.sources, ill.astype(str)), return_inverse=True)[1]
    weights = 1 / np.bincount(cells)[cells]

    def loss(temperature: float) -> float:
        normal = calibrated(left_out.logits, temperature)[:, NORMAL]
        right = np.where(ill, 1 - normal, normal)
        return float(-np.average(np.log(np.maximum(right, 1e-12)), weights=weights))

    return temperature_of_least(loss)


def sure_from(left_out: Patients, temperature: float) -> dict[Label, float]:
    """Find for each label from which probability `AT_MOST` is proven on sources left out.

    As `calibrate.sure_from`, with one answer for each patient; 1 if it never is.
    """
    shares = calibrated(left_out.logits, temperature)
    found = {}
    for index, label in enumerate(Label):
        mine = np.flatnonzero(shares.argmax(1) == index)
        mine = mine[np.argsort(-shares[mine, index], kind="stable")]
        wrong = left_out.classes[mine] != index
        found[label] = lowest_proven(shares[mine, index], wrong, FIRST[label], AT_MOST[label])
    return found
