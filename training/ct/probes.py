"""What tells the class or the source though it should not: the mask, the border, the features."""

import numpy as np
from PIL import Image
from sklearn import metrics
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from classifier.labels import FloatArray
from classifier.lungs import GRID, lung_box
from training.calibrate import Classes
from training.ct.head import Table, weigh, without_sources
from training.ct.slices import Slices

SIDE = 16
DIRECTIONS = 64
SEEDS = 3


def probe(looks: FloatArray, table: Table, truth: Classes) -> list[float]:
    """Tell how well looks (n, k) alone predict the truth (n,): macro AUROC over slices, each seed.

    A linear probe, patients kept on one side.
    """
    found = []
    for seed in range(SEEDS):
        shares = np.zeros((len(truth), len(np.unique(truth))))
        for fit, held_out in table.folds(seed):
            linear = make_pipeline(
                StandardScaler(),
                PCA(min(DIRECTIONS, looks.shape[1]), random_state=0),
                LogisticRegression(C=0.1, class_weight="balanced", max_iter=300),
            )
            shares[held_out] = linear.fit(looks[fit], truth[fit]).predict_proba(looks[held_out])
        one_hot = np.eye(shares.shape[1])[np.unique(truth, return_inverse=True)[1]]
        found.append(float(metrics.roc_auc_score(one_hot, shares, average="macro")))
    return found


def mask_alone(slices: Slices) -> FloatArray:
    """The shape that the network sees: the mask in its box, (n, 256)."""
    return np.stack([_small(mask, lung_box(mask)) for mask in slices.masks])


def border_alone(slices: Slices) -> FloatArray:
    """What the network never sees: the whole slice with its lungs blanked, and their size."""
    outside = np.where(slices.masks, 0, slices.greys).astype(np.float32)
    whole = np.stack([_small(each, (0, 0, GRID, GRID)) for each in outside])
    return np.column_stack([whole, slices.masks.mean((1, 2))])


def erased(table: Table) -> FloatArray:
    """The features after the source's directions are taken out, on the whole table."""
    weights = weigh(table)
    centre = np.average(table.features, axis=0, weights=weights)
    known = (table.features - centre) / (table.features.std(0) + 1e-6)
    cleaned: FloatArray = known @ without_sources(known, table)
    return cleaned


def _small(cells: np.ndarray, box: tuple[int, int, int, int]) -> FloatArray:
    image = Image.fromarray(cells.astype(np.float32)).resize((SIDE, SIDE), box=box)
    return np.asarray(image, dtype=np.float32).ravel()
