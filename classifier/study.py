"""A CT study: which slices the network sees, and one finding from many."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np
from PIL import Image

from classifier import quality
from classifier.engines import Output
from classifier.labels import Doubt, Finding, FloatArray, Label, Modality, Places
from classifier.lungs import GRID, Masks, find_lungs, lung_box, lung_input, lung_share
from classifier.model import Model
from classifier.preprocess import to_grey, to_unit
from classifier.reading.scan import Scan, Study, Units, evenly
from classifier.reading.series import is_axial

FEWEST_LUNG = 0.5
# So much of the body is lung in some slice of every chest (0.22 and more in whole series, 0.10 and
# more in single slices); gas in the bowel and the windpipe are less.
LEAST_LUNG = 0.05
# Evenly spaced, more slices of one pair of lungs say the same again.
MOST_LOOKED_AT = 64
# Chosen with whole sources left out (docs/ct.md): the few slices that look worst mislead more.
SHARE_DECIDING = 1.0
# So many of those that speak most for pneumonia are shown one by one.
MOST_NAMED = 3
_AT_ONCE = 64  # slices, so that a long series does not take much memory
_SIDE_BY_SIDE = 2  # threads: NumPy and Pillow work outside Python's lock
_CELLS = 64


@dataclass(frozen=True, slots=True)
class Looked:
    """What the network sees of a study: n slices, by their `indices` in it.

    `masks` (n, `GRID`, `GRID`) are their lungs, `inputs` (n, size, size, 1) float32 in [0, 1].
    `is_chest` is False for a series with air in it but no lungs.
    """

    indices: list[int]
    masks: Masks
    inputs: FloatArray
    is_chest: bool


def look_at(scans: Sequence[Scan], size: int) -> Looked:
    """Choose the slices with much lung and make the network's inputs of them."""
    parts = [scans[start : start + _AT_ONCE] for start in range(0, len(scans), _AT_ONCE)]
    with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
        masks = np.concatenate(list(pool.map(find_lungs, parts)))
        indices = lung_slices(masks)
        inputs = pool.map(lambda index: lung_input(scans[index], masks[index], size), indices)
        looked = to_unit(np.stack(list(inputs))[..., np.newaxis])
    fullest = max(indices, key=lambda index: int(masks[index].sum()))
    is_slice = len(scans) == 1 or scans[fullest].units is Units.GREY
    is_chest = is_slice or lung_share(scans[fullest], masks[fullest]) >= LEAST_LUNG
    return Looked(indices, masks[indices], looked, is_chest)


def lung_slices(masks: Masks) -> list[int]:
    """Choose of masks (n, `GRID`, `GRID`) those with at least half the lung of the fullest one.

    Gives their indices, at most `MOST_LOOKED_AT`, evenly spaced.
    """
    lung = masks.sum((1, 2))
    return evenly(np.flatnonzero(lung >= FEWEST_LUNG * lung.max()).tolist(), MOST_LOOKED_AT)


def aggregate(logits: FloatArray, share: float = SHARE_DECIDING) -> tuple[FloatArray, list[int]]:
    """Make one row of logits (3,) of many (n, 3): the mean of the `share` that speaks most for
    pneumonia. Names the three slices that do so most, too.
    """
    pneumonia = logits[:, 1:].max(1) - logits[:, 0]
    order = np.argsort(-pneumonia, kind="stable")
    mean: FloatArray = logits[order[: max(1, round(share * len(logits)))]].mean(0)
    return mean, order[:MOST_NAMED].tolist()


def conclude(
    model: Model, study: Study, looked: Looked, output: Output
) -> tuple[Finding, tuple[FloatArray, ...]]:
    """Make the finding of a study; gives the slices that decided as shown, too, the first most."""
    logits, deciding = aggregate(output.logits)
    first, indices = deciding[0], [looked.indices[each] for each in deciding]
    shown = tuple(to_grey(study.scans[index]) for index in indices)
    doubts = quality.doubts(quality.measure(shown[0]), Modality.CT)
    doubts |= left_unseen(study) | _damaged(study)
    if _is_odd(study, looked) or model.likeness.distance(output.features.mean(0)) > 1:
        doubts |= {Doubt.UNLIKE_TRAINING}
    finding = model.finding(logits, output.features[first], study.slices, doubts)
    finding = replace(
        finding,
        saliency=over_slice(finding.saliency, looked.masks[first]),
        places=_places(study, indices, output.logits) if len(study.scans) > 1 else None,
    )
    return finding, shown


def left_unseen(study: Study) -> frozenset[Doubt]:
    """Doubt an answer to less than was sent."""
    return frozenset({Doubt.OTHERS_UNSEEN} if study.unseen else ())


def over_slice(saliency: FloatArray, mask: Masks) -> FloatArray:
    """Lay what covers the box of the lungs over the whole slice; outside the lungs it is 0.

    `saliency` is (h, w) in logit units, `mask` (`GRID`, `GRID`); gives (64, 64), or `saliency` as
    it is without lungs. The evidence of a place, its saliency times the number of cells, stays
    what it was.
    """
    if not mask.any():
        return saliency
    left, top, right, bottom = lung_box(mask)
    evidence = Image.fromarray(saliency.astype(np.float32) * np.float32(saliency.size))
    whole = np.zeros((GRID, GRID), np.float32)
    stretched = evidence.resize((right - left, bottom - top), Image.Resampling.BILINEAR)
    whole[top:bottom, left:right] = np.asarray(stretched)
    small = Image.fromarray(whole * mask).resize((_CELLS, _CELLS), Image.Resampling.BOX)
    return np.asarray(small, dtype=np.float32) / np.float32(_CELLS**2)


def _damaged(study: Study) -> frozenset[Doubt]:
    """Take over that a file is damaged; what else files give reason for is said of X-rays alone."""
    return frozenset({Doubt.DAMAGED}).intersection(
        chain.from_iterable(scan.doubts for scan in study.scans)
    )


def _is_odd(study: Study, looked: Looked) -> bool:
    """Tell what the network has never seen: a slice without lung, or one not across the body."""
    tags = [scan.tags for scan in study.scans]
    lengthwise = any(tag.orientation for tag in tags) and not is_axial(tags)
    return lengthwise or not looked.masks.any((1, 2)).all()


def _places(study: Study, deciding: Sequence[int], logits: FloatArray) -> Places:
    normal = tuple(Label).index(Label.NORMAL)
    return Places(
        deciding=tuple(map(study.place, deciding)),
        from_feet=study.from_feet,
        looked_at=len(logits),
        affected=int((logits.argmax(1) != normal).sum()),
        series=study.series,
    )
