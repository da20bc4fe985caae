"""Which files belong together as one CT series, and in which order its slices lie."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from classifier.labels import Modality
from classifier.reading.scan import FileKind, Scan, Tags
from classifier.refusals import Refusal, RefusalReason

# Fewer positions than this are single pictures: a localizer, copies of one slice, a pair of views.
MIN_POSITIONS = 3


@dataclass(frozen=True, slots=True)
class Look:
    """What a file says of itself before its pixels are decoded."""

    kind: FileKind
    modality: Modality | None = None
    tags: Tags = field(default_factory=Tags)

    @property
    def is_slice(self) -> bool:
        """Whether it can be a slice of a CT series; a localizer (PS3.3 C.8.2.1.1.1) cannot."""
        localizer = "LOCALIZER" in (self.tags.image_type or "").upper()
        return self.kind is FileKind.DICOM and self.modality is Modality.CT and not localizer


def anatomical_order(tags: Sequence[Tags]) -> list[int]:
    """Give the indices of slices from feet to head.

    By the image position projected on the slice normal (PS3.3 C.7.6.2.1.1), turned so that its
    largest component points to the head, the back or the left. Without positions by slice location,
    without that by instance number: rising, and then the end at which it starts is not known.
    """
    keys = _distances(tags)
    ties = [tag.instance_number or 0 for tag in tags]
    return sorted(range(len(tags)), key=lambda index: (keys[index], ties[index]))


def _distances(tags: Sequence[Tags]) -> list[float]:
    positions = [tag.position for tag in tags if tag.position is not None]
    if len(positions) == len(tags):
        return [float(d) for d in np.asarray(positions) @ _normal(tags)]
    locations = [tag.slice_location for tag in tags if tag.slice_location is not None]
    if len(locations) == len(tags):
        return locations
    return [float(tag.instance_number or 0) for tag in tags]


def _normal(tags: Sequence[Tags]) -> np.ndarray:
    orientation = next((tag.orientation for tag in tags if tag.orientation), (1, 0, 0, 0, 1, 0))
    normal = np.cross(orientation[:3], orientation[3:])
    largest = normal[np.abs(normal).argmax()]
    return normal if largest > 0 else -normal


def runs_from_feet(tags: Sequence[Tags]) -> bool:
    """Tell whether `anatomical_order` begins next to the feet: positions, and axial slices.

    The third coordinate of a patient rises to the head (PS3.3 C.7.6.2.1.1). How slice locations
    and instance numbers run is the maker's affair.
    """
    return (
        all(tag.position is not None for tag in tags)
        and len(set(_distances(tags))) > 1
        and is_axial(tags)
    )


def is_axial(tags: Sequence[Tags]) -> bool:
    """Tell whether slices cut across the body, as far as they say how they lie."""
    return int(np.abs(_normal(tags)).argmax()) == 2


def in_order(scans: Sequence[Scan]) -> tuple[Scan, ...]:
    """Sort scans from feet to head."""
    return tuple(scans[index] for index in anatomical_order([scan.tags for scan in scans]))


def group(items: Iterable[tuple[Hashable, Look]]) -> list[list[int]]:
    """Group the indices of CT slices of one series with at least `MIN_POSITIONS` places.

    Each item is a folder and a look; slices of different folders are never one series.
    """
    found: defaultdict[Hashable, list[int]] = defaultdict(list)
    places: defaultdict[Hashable, set[float]] = defaultdict(set)
    for index, (folder, look) in enumerate(items):
        if look.is_slice and look.tags.series_uid:
            # Careless anonymisers give one UID to series of several patients.
            key = folder, look.tags.patient_key, look.tags.study_uid, look.tags.series_uid
            found[key].append(index)
            places[key].add(_place(look.tags))
    return [found[key] for key in found if len(places[key]) >= MIN_POSITIONS]


def _place(tags: Tags) -> float:
    return round(_distances([tags])[0], 3)


def choose(looks: Sequence[Look], lungs: Callable[[list[int]], float] = len) -> list[int]:
    """Choose the indices of what an archive is about: one picture or one CT series.

    Of several CT series in one study an axial one, and of those the one with most slices that show
    lung, which `lungs` counts. Raises `Refusal` with NOTHING_INSIDE or SEVERAL_STUDIES.
    """
    if not looks:
        raise Refusal(RefusalReason.NOTHING_INSIDE, "no picture among the entries")
    # A viewer on the disc brings icons: beside DICOM files other pictures come second.
    dicom = [i for i, look in enumerate(looks) if look.kind is FileKind.DICOM]
    images = dicom or list(range(len(looks)))
    if len({(looks[i].tags.patient_key, looks[i].tags.study_uid) for i in images}) > 1:
        raise Refusal(RefusalReason.SEVERAL_STUDIES, "PatientID, StudyInstanceUID")
    if len(images) == 1:
        return images
    series = all_series(looks)
    if not series:
        raise Refusal(RefusalReason.SEVERAL_STUDIES, f"{len(images)} pictures")
    axial = [each for each in series if is_axial([looks[i].tags for i in each])] or series
    return axial[0] if len(axial) == 1 else max(axial, key=lambda each: (lungs(each), len(each)))


def all_series(looks: Sequence[Look]) -> list[list[int]]:
    """Find the CT series of at least two slices, localizers left out, as indices."""
    series: defaultdict[str, list[int]] = defaultdict(list)
    for index, look in enumerate(looks):
        if look.is_slice:
            series[look.tags.series_uid or ""].append(index)
    return [each for each in series.values() if len(each) > 1]
