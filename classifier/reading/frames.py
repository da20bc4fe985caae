"""What belongs to one frame: from its functional groups, else from the data set itself."""

from collections.abc import Iterator
from dataclasses import replace

from pydicom.dataset import Dataset

from classifier.reading.header import number, numbers, sextuple, triple, value
from classifier.reading.scan import Tags


def frame_tags(dataset: Dataset, index: int, frames: int, tags: Tags) -> Tags:
    """Add the place of a frame (PS3.3 C.7.6.16.2.3, C.7.6.16.2.4); of several each has a number."""
    if frames > 1:
        tags = replace(tags, instance_number=index + 1)
    if "PerFrameFunctionalGroupsSequence" not in dataset:
        return tags
    places = [triple(d, "ImagePositionPatient") for d in _of(dataset, index, "PlanePosition")]
    turns = [
        sextuple(d, "ImageOrientationPatient") for d in _of(dataset, index, "PlaneOrientation")
    ]
    return replace(
        tags,
        position=next((place for place in places if place), None),
        orientation=next((turn for turn in turns if turn), None),
    )


def rescale(dataset: Dataset, index: int) -> tuple[float, float]:
    """Give the slope and intercept of a frame (PS3.3 C.7.6.16.2.9, C.11.1), 1 and 0 if none."""
    for holder in _of(dataset, index, "PixelValueTransformation"):
        slope, intercept = number(holder, "RescaleSlope"), number(holder, "RescaleIntercept")
        if slope or intercept is not None:
            return slope or 1.0, intercept or 0.0
    return 1.0, 0.0


def spacing(dataset: Dataset, index: int) -> tuple[float, float] | None:
    """Give millimetres between rows and between columns (PS3.3 10.7.1.3), None if unknown."""
    for holder in _of(dataset, index, "PixelMeasures"):
        for keyword in ("PixelSpacing", "ImagerPixelSpacing"):
            found = numbers(holder, keyword)
            if len(found) == 2 and min(found) > 0:
                return found[0], found[1]
    return None


def _of(dataset: Dataset, index: int, group: str) -> Iterator[Dataset]:
    """Yield where a frame's attribute may stand, the most special place first."""
    per_frame = value(dataset, "PerFrameFunctionalGroupsSequence") or []
    shared = value(dataset, "SharedFunctionalGroupsSequence") or []
    for item in (*per_frame[index : index + 1], *shared[:1]):
        yield from (value(item, f"{group}Sequence") or [])[:1]
    yield dataset
