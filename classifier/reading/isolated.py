"""Files in, studies out: the reading that users of this package call."""

import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from threading import Lock
from types import TracebackType
from typing import Self, TypeVar

from classifier.labels import Modality
from classifier.lungs import lung_volume
from classifier.reading.archive import Listing
from classifier.reading.child import Child, Reply
from classifier.reading.limits import MAX_STUDY_BYTES, SECONDS_PER_STUDY
from classifier.reading.scan import FileKind, Scan, Study, evenly
from classifier.reading.series import (
    LOCALIZER,
    MIN_POSITIONS,
    FileLook,
    all_series,
    choose,
    group,
    in_order,
    one_of_each_place,
    runs_from_feet,
)
from classifier.reading.sources import Source, expand, kind_of, name_apart, opened
from classifier.reading.wire import Message
from classifier.refusals import Refusal, RefusalReason

T = TypeVar("T")
Progress = Callable[[int, int], None]

# Entries of a zip asked for at once, because each request opens the zip anew.
_CHUNK = 16
# So many slices of a series tell how much of it is lung.
_PROBES = 8
# Twice as many as the network is shown: the lungs fill half of a long series or more.
MOST_READ = 128
# More of a series than this must be whole.
LEAST_WHOLE = 0.5


@dataclass(frozen=True, slots=True)
class _Task:
    """One request: a file, or some entries of a zip."""

    path: Path
    members: tuple[int, ...] | None = None


@dataclass(slots=True)
class _Allowance:
    """The seconds of all children that one upload has left."""

    seconds: float


@dataclass(frozen=True, slots=True)
class _Chosen:
    """The entries that an archive is about, in anatomical order.

    `lost` counts damaged files that belong or may belong to them, `unseen` other files that were
    meant to be looked at. There were `series` CT series to choose from.
    """

    members: tuple[int, ...]
    lost: int
    unseen: int
    series: int = 1


class IsolatedReader:
    """Reads files in child processes that are kept warm; safe to use from many threads.

    A file costs at most 2 seconds (a large one alone up to 6) on the processor and 1 GB of a child,
    all files of an upload 3 minutes, and never the parent.
    """

    def __init__(self, workers: int = 2) -> None:
        """Start the children and do not wait for them."""
        self._salt = secrets.token_bytes(16)
        self._lock = Lock()
        self._closed = False
        self._children = {Child(self._salt) for _ in range(workers)}
        self._idle: SimpleQueue[Child] = SimpleQueue()
        for child in self._children:
            self._idle.put(child)
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="reading")

    def __enter__(self) -> Self:
        """Give the reader."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the children."""
        self.close()

    def close(self) -> None:
        """End the children; what is being read is refused, or ends in a RuntimeError."""
        with self._lock:
            self._closed = True
            for child in self._children:
                child.stop()
        self._threads.shutdown(cancel_futures=True)

    @property
    def pids(self) -> tuple[int, ...]:
        """The process ids of the children."""
        with self._lock:
            return tuple(child.pid for child in self._children)

    def sources(self, paths: Sequence[Path]) -> list[Source]:
        """Find what there is to read in files and folders.

        DICOM CT slices of one series and one folder, in at least `MIN_POSITIONS` places, are one
        source; every other file is one. Raises `FileNotFoundError`.
        """
        files = expand(paths)
        dicom = [path for path in _crowded(files) if kind_of(path) is FileKind.DICOM]
        looks = list(self._threads.map(self._look, _crowded(dicom)))
        series: dict[Path, tuple[Path, ...]] = {}
        for indices in group((path.parent, look) for path, look in looks):
            order = one_of_each_place([looks[index][1].tags for index in indices])
            together = tuple(looks[indices[place]][0] for place in order)
            series |= dict.fromkeys((looks[index][0] for index in indices), together)
        return name_apart(list(dict.fromkeys(series.get(path, (path,)) for path in files)))

    def read(self, source: Source, progress: Progress | None = None) -> Study:
        """Read one source; of a series `progress` hears the slices done and their number.

        A series comes from feet to head, of a long one only `MOST_READ` slices, and may lose less
        than half of them to damage. Raises `Refusal`.
        """
        left = _Allowance(SECONDS_PER_STUDY)
        if len(source.paths) > 1:
            return self._series(source.paths, lambda paths: list(map(_Task, paths)), left, progress)
        task = _Task(source.paths[0])
        with opened(task.path) as (_, kind):
            pass
        if kind is FileKind.ZIP:
            return self._archive(task, left, progress)
        return self._series([task], list, left, None)

    def _archive(self, task: _Task, left: _Allowance, progress: Progress | None) -> Study:
        listing = _only(self._run("list", task)[0][0], Listing)[0]
        chosen = self._choose(task, listing, left)
        tasks = partial(_tasks, task.path)
        study = self._series(chosen.members, tasks, left, progress, chosen.lost)
        return replace(study, series=chosen.series, unseen=study.unseen + chosen.unseen)

    def _choose(self, task: _Task, listing: Listing, left: _Allowance) -> _Chosen:
        """Choose what an archive is about."""
        members = listing.members
        answers = self._gather("look", _tasks(task.path, members), left)
        seen = [
            (member, said)
            for member, (said, *_) in zip(members, answers, strict=True)
            if isinstance(said, FileLook) and said.frames
        ]
        if not seen:
            _only(answers[0], FileLook)
            raise Refusal(RefusalReason.BROKEN, "Rows, Columns")
        looks = [look for _, look in seen]

        def ordered(indices: list[int]) -> list[int]:
            order = one_of_each_place([looks[index].tags for index in indices])
            return [seen[indices[place]][0] for place in order]

        def lungs(indices: list[int]) -> float:
            return self._lung_volume(_tasks(task.path, evenly(ordered(indices), _PROBES)), left)

        indices = choose(looks, lungs)
        first = looks[indices[0]]
        of_series = first.is_slice
        around = {seen[index][0] for index in indices}
        beside = [a[0] for m, a in zip(members, answers, strict=True) if m not in around]
        broken = listing.damaged + sum(map(_is_broken, beside))
        unseen = sum(_was_meant(other, first) for other in beside)
        return _Chosen(
            members=tuple(ordered(indices)),
            lost=broken if of_series else 0,
            unseen=broken + unseen + (0 if of_series else listing.unreadable),
            series=max(1, len(all_series(looks))),
        )

    def _lung_volume(self, tasks: list[_Task], left: _Allowance) -> float:
        """Estimate how much lung a series shows, in mm³, from slices that span it evenly."""
        some = evenly(_scans(self._gather("read", tasks, left)), _PROBES)
        return lung_volume(some) if some else 0.0

    def _series(
        self,
        slices: Sequence[T],
        tasks: Callable[[Sequence[T]], list[_Task]],
        left: _Allowance,
        progress: Progress | None,
        lost: int = 0,
    ) -> Study:
        """Read slices in their order, of many of them some, by the requests that `tasks` makes.

        Of the series `lost` slices are missing already.
        """
        chosen = evenly(range(len(slices)), MOST_READ)
        answers = self._gather("read", tasks([slices[place] for place in chosen]), left, progress)
        refusals = [answer[-1] for answer in answers if isinstance(answer[-1], Refusal)]
        share_left = (1 - len(refusals) / len(answers)) * len(slices) / (len(slices) + lost)
        if share_left <= LEAST_WHOLE:
            raise refusals[0] if refusals else Refusal(RefusalReason.BROKEN, f"{lost} files")
        scans, count = _scans(answers), len(slices)
        from_feet = len(scans) > 1 and runs_from_feet([scan.tags for scan in scans])
        places = [
            p for p, answer in zip(chosen, answers, strict=True) if isinstance(answer[0], Scan)
        ]
        if len(places) < len(scans):
            # The frames of one file come out all of them.
            scans = [scans[place] for place in one_of_each_place([scan.tags for scan in scans])]
            places, count = evenly(range(len(scans)), MOST_READ), len(scans)
            scans = [scans[place] for place in places]
        skipped = frozenset(range(count)).difference(places)
        return Study(tuple(scans), len(refusals), from_feet, skipped=skipped)

    def _gather(
        self, do: str, tasks: list[_Task], left: _Allowance, progress: Progress | None = None
    ) -> list[Reply]:
        """Run requests on all children side by side; the first that goes too far ends them all."""
        answers: list[Reply] = []
        total = sum(len(task.members or (0,)) for task in tasks)
        room = MAX_STUDY_BYTES
        # One file does not wait behind the slices of somebody else's series.
        side_by_side = self._threads.map if len(tasks) > 1 else map
        for part, took in side_by_side(lambda task: self._run(do, task), tasks):
            answers += part
            left.seconds -= took
            if left.seconds < 0:
                raise Refusal(RefusalReason.TOO_COSTLY, f"more than {SECONDS_PER_STUDY:g} seconds")
            room -= sum(m.pixels.nbytes for a in part for m in a if isinstance(m, Scan))
            if room < 0:
                raise Refusal(RefusalReason.TOO_LARGE, f"more than {MAX_STUDY_BYTES} bytes")
            if progress is not None:
                progress(len(answers), total)
        return answers

    def _look(self, path: Path) -> tuple[Path, FileLook]:
        with suppress(Refusal):
            return path, _only(self._run("look", _Task(path))[0][0], FileLook)[0]
        return path, FileLook(FileKind.DICOM)

    def _run(self, do: str, task: _Task) -> tuple[list[Reply], float]:
        """Run a request; gives the seconds that it took a child, too."""
        with opened(task.path) as (stream, kind), self._lease() as child:
            child.prepare(dicom=kind in (FileKind.DICOM, FileKind.ZIP))
            begun = time.monotonic()
            return list(child.ask(do, stream, task.members)), time.monotonic() - begun

    @contextmanager
    def _lease(self) -> Iterator[Child]:
        child = self._idle.get()
        try:
            child = self._fit(child)
            yield child
        finally:
            self._idle.put(self._fit(child))

    def _fit(self, child: Child) -> Child:
        """Give the child back, or a new one in its place if it is of no more use."""
        with self._lock:
            if self._closed or child.usable:
                return child
            child.stop()
            with suppress(OSError):
                fresh = Child(self._salt)
                self._children ^= {child, fresh}
                return fresh
            return child


def _crowded(files: Sequence[Path]) -> list[Path]:
    """Keep the files with enough others in their folder to be a series."""
    count = Counter(path.parent for path in files)
    return [path for path in files if count[path.parent] >= MIN_POSITIONS]


def _tasks(path: Path, members: Sequence[int]) -> list[_Task]:
    starts = range(0, len(members), _CHUNK)
    return [_Task(path, tuple(members[start : start + _CHUNK])) for start in starts]


def _scans(answers: Sequence[Reply]) -> list[Scan]:
    """Take the scans out of answers, from feet to head."""
    return in_order([message for answer in answers for message in answer if type(message) is Scan])


def _is_broken(other: Message) -> bool:
    is_cut = isinstance(other, FileLook) and not other.frames
    return is_cut or (isinstance(other, Refusal) and other.reason is RefusalReason.BROKEN)


def _was_meant(other: Message, chosen: FileLook) -> bool:
    """Tell whether what lies beside the chosen, and is whole, was sent to be looked at, too.

    A hospital's disc also holds reports without a picture, and with a CT series other series,
    localizers and the icons of a viewer. Under the same UID such are slices that do not fit.
    """
    if _is_broken(other):
        return False
    if isinstance(other, Refusal):
        return other.reason is not RefusalReason.NO_PIXELS
    if not isinstance(other, FileLook) or not chosen.is_slice:
        return True
    if other.kind is FileKind.DICOM:
        uid = chosen.tags.series_uid
        if other.is_slice and uid is not None and other.tags.series_uid == uid:
            return True
        return other.modality is not Modality.CT or other.excluded_by not in (None, LOCALIZER)
    return other.kind is FileKind.JPEG


def _only(answer: Reply, kind: type[T]) -> list[T]:
    if isinstance(answer[-1], Refusal):
        raise answer[-1]
    return [message for message in answer if isinstance(message, kind)]
