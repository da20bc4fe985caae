"""A CT series: which slices to look at, and one finding from many."""

from collections.abc import Sequence

import numpy as np

from classifier.labels import FloatArray
from classifier.reading.scan import Scan, Units

# Between air in the lungs and soft tissue; the window keeps the air around the body out of it.
LUNG_HU = (-950.0, -500.0)
FEWEST_LUNG = 0.5
SHARE_DECIDING = 0.25
# So many of those that decided are worth a look one by one.
MOST_NAMED = 3


def lung_slices(scans: Sequence[Scan]) -> list[int]:
    """Choose the slices with much lung: those with at least half the lung of the fullest one.

    Pictures that are not in Hounsfield units are all chosen.
    """
    if any(scan.units is not Units.HOUNSFIELD for scan in scans):
        return list(range(len(scans)))
    lung = np.array([_lung_share(scan) for scan in scans])
    return [int(index) for index in np.flatnonzero(lung >= FEWEST_LUNG * lung.max())]


def aggregate(logits: FloatArray) -> tuple[FloatArray, list[int]]:
    """Make one row of logits (3,) of many (n, 3), and name up to three slices that decided most.

    The mean over the quarter of slices that speak most for pneumonia: few slices of a sick lung
    show the illness.
    """
    pneumonia = logits[:, 1:].max(1) - logits[:, 0]
    count = max(1, round(SHARE_DECIDING * len(logits)))
    deciding = np.argsort(pneumonia)[-count:]
    mean: FloatArray = logits[deciding].mean(0)
    return mean, deciding[::-1][:MOST_NAMED].tolist()


def _lung_share(scan: Scan) -> float:
    """Measure the share of the middle half that has the density of lung."""
    rows, columns = scan.pixels.shape
    # The table and the air beside the body stay outside.
    middle = scan.pixels[rows // 4 : -rows // 4 : 4, columns // 6 : -columns // 6 : 4]
    return float(((middle > LUNG_HU[0]) & (middle < LUNG_HU[1])).mean())
