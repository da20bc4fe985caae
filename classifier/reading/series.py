"""Which files belong together as one CT series, and in which order its slices lie."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np

from classifier.labels import Modality
from classifier.reading.scan import FileKind, Scan, Tags
from classifier.refusals import Refusal, RefusalReason

# Fewer positions than this are single pictures: a localizer, copies of one slice, a pair of views.
MIN_POSITIONS = 3
# Two reconstructions of one chest differ by less, and then the one with more slices tells more.
NEARLY = 0.8
# A study has a dozen reconstructions; to look for lungs in each of hundreds takes minutes.
MOST_MEASURED = 24
# What excludes the scout views that come with every CT.
LOCALIZER = "ImageType"


@dataclass(frozen=True, slots=True)
class FileLook:
    """What a file says of itself before its pixels are decoded.

    `grid` tells how its pixels lie, and `common` stands for what else is alike for all slices of a
    series. `excluded_by` names the attribute that says that it is no chest from the front. Without
    `frames` it should be a picture, and was cut off before that.
    """

    kind: FileKind
    modality: Modality | None = None
    tags: Tags = field(default_factory=Tags)
    frames: int = 1
    grid: str | None = None
    common: str | None = None
    excluded_by: str | None = None

    @property
    def is_slice(self) -> bool:
        """Whether it can be a slice of a CT series."""
        return self.excluded_by is None and self.modality is Modality.CT


def anatomical_order(tags: Sequence[Tags]) -> list[int]:
    """Give the indices of slices from feet to head.

    By the image position projected on the slice normal (PS3.3 C.7.6.2.1.1), turned so that its
    largest component points to the head, the back or the left. Without positions by slice location,
    without that by instance number: rising, and then the end at which it starts is not known.
    """
    keys = _distances(tags)
    ties = [tag.instance_number or 0 for tag in tags]
    return sorted(range(len(tags)), key=lambda index: (keys[index], ties[index]))


def one_of_each_place(tags: Sequence[Tags]) -> list[int]:
    """Give the indices of slices from feet to head, one where several lie at the same place.

    Copies, other reconstructions and other phases of a series show the same again; the first by
    instance number stays. Where no places are known, all do.
    """
    order = anatomical_order(tags)
    distances = _distances(tags)
    first = {round(distances[index], 2): index for index in reversed(order)}
    if len(first) < MIN_POSITIONS or not _have_places(tags):
        return order
    return list(first.values())[::-1]


def _have_places(tags: Sequence[Tags]) -> bool:
    return all(tag.position is not None for tag in tags) or all(
        tag.slice_location is not None for tag in tags
    )


def extent(tags: Sequence[Tags]) -> float:
    """Measure from the first slice to the last, in mm as far as their places are known."""
    return float(np.ptp(_distances(tags)))


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
    if not normal.any():
        # What some writers put where they do not know.
        normal = np.array([0.0, 0.0, 1.0])
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
    return _axis(tags) == 2


def _axis(tags: Sequence[Tags]) -> int:
    """Tell what the slices are stacked along: 0 from side to side, 1 front to back, 2 upwards."""
    return int(np.abs(_normal(tags)).argmax())


def in_order(scans: Sequence[Scan]) -> list[Scan]:
    """Sort scans from feet to head."""
    return [scans[index] for index in anatomical_order([scan.tags for scan in scans])]


def group(items: Iterable[tuple[Hashable, FileLook]]) -> list[list[int]]:
    """Group the indices of CT slices of one series with at least `MIN_POSITIONS` places.

    Each item is a folder and a look; slices of different folders are never one series.
    """
    found: defaultdict[Hashable, list[int]] = defaultdict(list)
    places: defaultdict[Hashable, set[float]] = defaultdict(set)
    for index, (folder, look) in enumerate(items):
        if look.is_slice and look.tags.series_uid:
            # Careless anonymisers give one UID to series of several patients.
            tags = look.tags
            who = tags.patient_key, tags.study_uid
            key = folder, who, *_traits(look)
            found[key].append(index)
            places[key].add(_place(look.tags))
    return [found[key] for key in found if len(places[key]) >= MIN_POSITIONS]


def _traits(look: FileLook) -> tuple[Hashable, ...]:
    return look.tags.series_uid, look.grid, look.common, _axis([look.tags])


def _place(tags: Tags) -> float:
    return round(_distances([tags])[0], 3)


def choose(looks: Sequence[FileLook], lungs: Callable[[list[int]], float]) -> list[int]:
    """Choose the indices of what an archive is about: one picture or one CT series.

    Of several CT series in one study an axial one that is no captured screen, and of the
    `MOST_MEASURED` longest of those the one with most lung, which `lungs` measures, or of nearly as
    much the one with most slices. Raises `Refusal` with
    NOTHING_INSIDE, SEVERAL_STUDIES or NOT_CHEST.
    """
    if not looks:
        raise Refusal(RefusalReason.NOTHING_INSIDE, "no picture among the entries")
    # A viewer on the disc brings icons: beside DICOM files other pictures come second.
    chests = [i for i, look in enumerate(looks) if look.excluded_by is None]
    images = [i for i in chests if looks[i].kind is FileKind.DICOM] or chests
    if not images:
        raise Refusal(RefusalReason.NOT_CHEST, looks[0].excluded_by or "")
    _check_one_study([looks[i].tags for i in images], [look.tags for look in looks])
    if len(images) == 1:
        return images
    series = all_series(looks)
    if not series:
        raise Refusal(RefusalReason.SEVERAL_STUDIES, f"{len(images)} pictures")
    longest = _longest(looks, series)
    if len(longest) == 1:
        return longest[0]
    measured = [lungs(each) for each in longest]
    enough = NEARLY * max(measured)
    return next(each for each, lung in zip(longest, measured, strict=True) if lung >= enough)


def _longest(looks: Sequence[FileLook], series: list[list[int]]) -> list[list[int]]:
    """Give the series that may be the chest, the one of most slices first.

    Axial ones, and of those the ones that tell how they lie, which captured screens do not.
    """
    axial = [each for each in series if is_axial([looks[i].tags for i in each])] or series
    slices = [each for each in axial if any(_tells_how_it_lies(looks[i]) for i in each)] or axial
    longest = sorted(slices, key=lambda each: sum(looks[i].frames for i in each), reverse=True)
    return longest[:MOST_MEASURED]


def _tells_how_it_lies(look: FileLook) -> bool:
    """Tell whether an orientation is known; a file of many frames has one for each."""
    return look.tags.orientation is not None or look.frames > 1


def _check_one_study(images: Sequence[Tags], everything: Sequence[Tags]) -> None:
    """Refuse two people, whatever is shown of them, and two studies of the chest.

    What bears no name goes with what is of its study; anonymisers leave single files out.
    """
    studies = {tags.study_uid for tags in images} - {None}
    known = {tags.patient_key is not None or tags.study_uid is not None for tags in images}
    if max(len(studies), len(known)) > 1 or _are_several({tags.patient_key for tags in everything}):
        raise Refusal(RefusalReason.SEVERAL_STUDIES, "PatientID, StudyInstanceUID")


def _are_several(patients: set[str | None]) -> bool:
    """Tell whether what names a patient is said in two ways, or in two that share nothing.

    That both are of one sex, which comes last, is nothing shared.
    """
    said = [key.split("|") for key in patients if key]
    if any(len(set(part) - {""}) > 1 for part in zip(*said, strict=True)):
        return True
    names = [parts[:-1] for parts in said]
    return any(not any(map(all, zip(*pair, strict=True))) for pair in combinations(names, 2))


def all_series(looks: Sequence[FileLook]) -> list[list[int]]:
    """Find the CT series of at least two slices, localizers left out, as indices.

    What lies another way, has other pixels, or differs in what is `common` is another series:
    anonymisers may give one UID, or none, to several, and to several patients.
    """
    series: defaultdict[Hashable, list[int]] = defaultdict(list)
    for index, look in enumerate(looks):
        if look.is_slice:
            series[_traits(look)].append(index)
    return [each for each in series.values() if sum(looks[i].frames for i in each) > 1]
