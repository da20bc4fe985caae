"""A last layer fitted to frozen features, balanced so that it tells scanners apart little."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold

from classifier.labels import FloatArray, Label
from classifier.saliency import Head
from training.arrays import Arrays
from training.calibrate import Classes
from training.dataset import FOLDS

STRENGTH = 0.01  # C of the regression on standardised features: 2,200 slices, 500 features
SHRINKAGE = 0.1
NEVER_LOGIT = -30.0  # the bias of a class that was not among the examples


@dataclass(frozen=True, slots=True)
class Table(Arrays):
    """`features` (n, channels) of slices, with `classes`, `sources` and `patients` (n,)."""

    features: FloatArray
    classes: Classes
    sources: NDArray[np.str_]
    patients: NDArray[np.str_]

    def folds(self, seed: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Cut off a fifth of the patients of each source and class, in turn: the rest, and it."""
        folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
        strata = np.char.add(self.classes.astype(str), self.sources)
        yield from folds.split(strata, strata, self.patients)


def fit_head(table: Table, erase: bool) -> Head:
    """Fit a logistic regression in which patients, sources and classes weigh the same.

    With `erase` the directions that tell sources of one class apart are taken out first.
    """
    weights = weigh(table)
    centre = np.average(table.features, axis=0, weights=weights)
    spread = np.sqrt(np.average((table.features - centre) ** 2, axis=0, weights=weights)) + 1e-6
    known = (table.features - centre) / spread
    kept = without_sources(known, table) if erase else np.eye(known.shape[1])
    model = LogisticRegression(C=STRENGTH, max_iter=300, tol=1e-3)
    model.fit(known @ kept, table.classes, sample_weight=weights)
    coefficients, intercepts = model.coef_, model.intercept_
    if len(model.classes_) == 2:
        coefficients = np.concatenate([-coefficients, coefficients]) / 2
        intercepts = np.concatenate([-intercepts, intercepts]) / 2
    kernel = np.zeros((known.shape[1], len(Label)))
    bias = np.full(len(Label), NEVER_LOGIT)
    kernel[:, model.classes_] = kept @ coefficients.T / spread[:, np.newaxis]
    bias[model.classes_] = intercepts - centre @ kernel[:, model.classes_]
    return Head(kernel.astype(np.float32), bias.astype(np.float32))


def weigh(table: Table) -> NDArray[np.float64]:
    """Weigh slices (n,), mean 1: each class alike, in it each source, in that each patient."""
    weights = np.zeros(len(table.classes))
    for each in np.unique(table.classes):
        sources = np.unique(table.sources[table.classes == each])
        for source in sources:
            rows = (table.classes == each) & (table.sources == source)
            patients, of = np.unique(table.patients[rows], return_inverse=True)
            weights[rows] = 1 / (np.bincount(of)[of] * len(patients) * len(sources))
    scaled: NDArray[np.float64] = weights / weights.mean()
    return scaled


def without_sources(known: NDArray[np.float64], table: Table) -> NDArray[np.float64]:
    """Give the projection (channels, channels) after which sources of a class have one mean.

    It changes the features as little as can be, measured by their covariance within source and
    class. Source: Belrose et al. 2023, "LEACE: Perfect linear concept erasure in closed form".
    """
    rest, directions = known.copy(), []
    for each in np.unique(table.classes):
        means = []
        for source in np.unique(table.sources[table.classes == each]):
            rows = (table.classes == each) & (table.sources == source)
            means.append(known[rows].mean(0))
            rest[rows] -= means[-1]
        directions += [mean - means[0] for mean in means[1:]]
    size = known.shape[1]
    if not directions:
        return np.eye(size)
    covariance = rest.T @ rest / len(rest)
    even = np.eye(size) * np.trace(covariance) / size
    values, vectors = np.linalg.eigh((1 - SHRINKAGE) * covariance + SHRINKAGE * even)
    whiten, colour = (vectors * values**power @ vectors.T for power in (-0.5, 0.5))
    basis = np.linalg.svd(whiten @ np.array(directions).T, full_matrices=False)[0]
    projection: NDArray[np.float64] = np.eye(size) - whiten @ basis @ basis.T @ colour
    return projection
