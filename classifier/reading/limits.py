"""What one file may cost, and what it means to cost more."""

from collections.abc import Iterator
from contextlib import contextmanager

from classifier.refusals import Refusal, RefusalReason

MIB = 1024 * 1024

# The largest flat-panel X-rays have about 20 megapixels, mammograms 30.
MAX_PIXELS = 50_000_000
# The longest, of a whole spine or leg, have some 10,000 rows. To shrink one row of all the pixels
# allowed takes 1 GB, and not of the child.
MAX_SIDE = 20_000
MAX_FILE_BYTES = 300 * MIB
MAX_PIXEL_BYTES = 400 * MIB
# A whole chest at 0.4 mm has fewer slices than this; 1 GiB is 1,024 slices of 512 x 512 in
# float32, which rendered ones are, and twice as many of CT numbers.
MAX_SLICES = 1000
MAX_STUDY_BYTES = 1024 * MIB

MAX_ARCHIVE_BYTES = 1024 * MIB
MAX_ARCHIVE_ENTRIES = 4096
MAX_INFLATED_BYTES = 1536 * MIB

MEMORY_BYTES = 1024 * MIB
# On the processor: what an honest file takes by the clock hangs on how many others are read.
SECONDS_PER_FILE = 2.0
# A large X-ray in lossless JPEG 2000 takes an honest decoder longer: so much of it earns a second.
BYTES_PER_SECOND = 4 * MIB
MOST_SECONDS_PER_FILE = 6.0
# A file of many frames is a series in one file: each frame that comes out earns the next its time.
SECONDS_PER_FRAME = 0.05
# By the clock so many times as long, for what waits for its turn, and an end for what hangs.
CROWDED = 5.0
# Of all children together; 1000 slices in JPEG 2000, the slowest of all, take them 35 seconds.
SECONDS_PER_STUDY = 180.0
START_SECONDS = 30.0


def is_too_large(rows: int, columns: int) -> bool:
    """Tell whether a picture has more pixels than any that is read, or a longer side."""
    return rows * columns > MAX_PIXELS or max(rows, columns) > MAX_SIDE


def seconds_for(size: int) -> float:
    """Tell how long a file of so many bytes may take, on the processor."""
    return min(SECONDS_PER_FILE + size / BYTES_PER_SECOND, MOST_SECONDS_PER_FILE)


@contextmanager
def refusing() -> Iterator[None]:
    """Turn whatever a parser or decoder raises into a `Refusal`, without its text.

    The text of a parser's error can hold values of the file, so only its type is kept.
    """
    try:
        yield
    except Refusal:
        raise
    except (MemoryError, RecursionError) as error:
        raise Refusal(RefusalReason.TOO_COSTLY, type(error).__name__) from None
    except Exception as error:
        raise Refusal(RefusalReason.BROKEN, type(error).__name__) from None
