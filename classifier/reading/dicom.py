"""DICOM files to scans: CR, DX, CT of one or many frames, secondary capture."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice, repeat
from typing import BinaryIO

from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames
from pydicom.pixels.decoders.base import Decoder, get_decoder
from pydicom.pixels.processing import apply_color_lut

from classifier.labels import CTNumbers, Doubt, Greys, Modality
from classifier.reading import jpeg
from classifier.reading.damage import is_damaged
from classifier.reading.detect import HEAD_BYTES, detect
from classifier.reading.frames import frame_tags, rescale, spacing
from classifier.reading.header import OWN_SALT, look, number, parse, text, value, whole
from classifier.reading.header_doubts import doubts
from classifier.reading.limits import MAX_PIXEL_BYTES, MAX_SLICES, is_too_large, refusing
from classifier.reading.render import Stored, grey, hounsfield, luma
from classifier.reading.scan import FileKind, Scan, Units
from classifier.reading.series import FileLook
from classifier.reading.upright import height_to_width, squared, upright
from classifier.refusals import Refusal, RefusalReason

_PIXEL_KEYWORDS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")

# The quickest of the decoders that are installed; for the other syntaxes pydicom's own choice.
_PLUGINS = {
    **dict.fromkeys(jpeg.DECODER_DEPENDENCIES, "checked"),
    uid.JPEG2000Lossless: "pylibjpeg",
    uid.JPEG2000: "pylibjpeg",
    uid.RLELossless: "pylibjpeg",
}
for _syntax in jpeg.DECODER_DEPENDENCIES:
    get_decoder(_syntax).add_plugin("checked", (jpeg.__name__, jpeg.decode_frame.__name__))


def read_dicom(data: bytes) -> tuple[Scan, ...]:
    """Read a DICOM file: one scan, or each frame of a CT in the order of the file.

    X-rays and secondary captures come as grey in [0, 1], CT slices (rows, columns) in Hounsfield
    units. Raises `Refusal`.
    """
    return tuple(iterate_dicom(data))


def iterate_dicom(data: bytes, salt: bytes = OWN_SALT) -> Iterator[Scan]:
    """Yield the scans of a DICOM file one by one, so that many frames need not fit in memory.

    Raises `Refusal`.
    """
    if detect(data[:HEAD_BYTES]) is not FileKind.DICOM:
        raise Refusal(RefusalReason.UNKNOWN_TYPE)
    with refusing():
        dataset = parse(data)
        said = look(dataset, salt)
        if not said.frames:
            # Of compressed pixels that were cut off pydicom leaves nothing, their header neither.
            reason = RefusalReason.NO_PIXELS if len(dataset) else RefusalReason.BROKEN
            raise Refusal(reason, "Rows, Columns")
        if said.excluded_by is not None:
            raise Refusal(RefusalReason.NOT_CHEST, said.excluded_by)
        frames = _checked_frames(dataset, said)
        yield from _scans(dataset, said, frames)


def look_at_dicom(stream: BinaryIO, salt: bytes = OWN_SALT) -> FileLook:
    """Read the header alone."""
    with refusing():
        return look(parse(stream, pixels=False), salt)


def _checked_frames(dataset: Dataset, said: FileLook) -> int:
    """Check the header against the budget before a decoder believes it (PS3.3 C.7.6.3)."""
    if not any(keyword in dataset for keyword in _PIXEL_KEYWORDS):
        raise Refusal(RefusalReason.NO_PIXELS, "PixelData")
    rows, columns = whole(dataset, "Rows") or 0, whole(dataset, "Columns") or 0
    if rows <= 0 or columns <= 0:
        raise Refusal(RefusalReason.BROKEN, "Rows, Columns")
    if is_too_large(rows, columns):
        raise Refusal(RefusalReason.TOO_LARGE, "Rows, Columns")
    frames = max(1, whole(dataset, "NumberOfFrames") or 1)
    sample_bits = (whole(dataset, "SamplesPerPixel") or 1) * (whole(dataset, "BitsAllocated") or 8)
    if frames > MAX_SLICES or rows * columns * sample_bits * frames > 8 * MAX_PIXEL_BYTES:
        raise Refusal(RefusalReason.TOO_LARGE, "NumberOfFrames, SamplesPerPixel, BitsAllocated")
    if frames > 1 and said.modality is not Modality.CT:
        raise Refusal(RefusalReason.SEVERAL_STUDIES, "NumberOfFrames")
    return frames


def _scans(dataset: Dataset, said: FileLook, frames: int) -> Iterator[Scan]:
    syntax = dataset.file_meta.TransferSyntaxUID
    for keyword, usual in _usual(dataset).items():
        if value(dataset, keyword) is None:
            setattr(dataset, keyword, usual)
    dataset.PhotometricInterpretation = str(dataset.PhotometricInterpretation).upper()
    decoded = _decoder(syntax).iter_array(dataset, decoding_plugin=_PLUGINS.get(syntax, ""))
    count = 0
    for count, ((stored, _), is_holed) in enumerate(
        zip(islice(decoded, frames), _holed(dataset, syntax, frames), strict=False), start=1
    ):
        scan = _scan(dataset, said, count - 1, frames, stored)
        yield replace(scan, doubts=scan.doubts | {Doubt.DAMAGED}) if is_holed else scan
    if count < frames:
        raise Refusal(RefusalReason.BROKEN, "NumberOfFrames")


def _holed(dataset: Dataset, syntax: str, frames: int) -> Iterator[bool]:
    """Tell of each frame whether its JPEG is damaged; of other syntaxes no decoder at hand does."""
    is_of_8_bits = syntax == uid.JPEGExtended12Bit and whole(dataset, "BitsAllocated") == 8
    if syntax != uid.JPEGBaseline8Bit and not is_of_8_bits:
        return repeat(False, frames)
    return map(is_damaged, generate_frames(dataset.PixelData, number_of_frames=frames))


def _usual(dataset: Dataset) -> dict[str, object]:
    """Tell how pixels nearly always lie, for headers that do not say it all (PS3.3 C.7.6.3)."""
    return {
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "BitsStored": whole(dataset, "BitsAllocated"),
        "PixelRepresentation": 0,
        "PlanarConfiguration": 0,
    }


def _decoder(syntax: str) -> Decoder:
    try:
        decoder = get_decoder(uid.UID(syntax))
    except NotImplementedError:  # so pydicom says that it knows no decoder
        decoder = None
    if decoder is None or not decoder.is_available:
        raise Refusal(RefusalReason.UNSUPPORTED_SYNTAX, "TransferSyntaxUID")
    return decoder


def _scan(dataset: Dataset, said: FileLook, index: int, frames: int, stored: Stored) -> Scan:
    pixels: Greys | CTNumbers
    units, chroma, painted = Units.GREY, 0.0, 0.0
    bits = whole(dataset, "BitsStored") or 8
    if text(dataset, "PhotometricInterpretation") == "PALETTE COLOR":
        stored = apply_color_lut(stored, dataset)
        bits = 8 * stored.dtype.itemsize
    if stored.ndim == 3:
        pixels, chroma, painted = luma(stored, 2 ** min(bits, 8 * stored.dtype.itemsize) - 1)
    elif _is_in_hounsfield(dataset, said):
        units = Units.HOUNSFIELD
        pixels = hounsfield(dataset, stored, *rescale(dataset, index))
    else:
        pixels = grey(dataset, stored)
    millimetres = spacing(dataset, index)
    tags = frame_tags(dataset, index, frames, said.tags)
    # Detectors of X-rays have square pixels, whatever distances are written; else there is a ratio.
    height = height_to_width(dataset, millimetres if said.modality is Modality.CT else None)
    square = squared(pixels, height)
    if millimetres and square.shape != pixels.shape:
        millimetres = min(millimetres), min(millimetres)
    return Scan(
        upright(square, tags.orientation),
        units,
        said.modality,
        millimetres,
        tags,
        came_as=FileKind.DICOM,
        chroma=chroma,
        patches=painted,
        doubts=doubts(dataset),
    )


def _is_in_hounsfield(dataset: Dataset, said: FileLook) -> bool:
    """Tell a CT image from a rendered capture of one: 8 bits that do not reach below water.

    Source: PS3.3 C.8.2.1; captures are found with a rescale of 1 and 0.
    """
    if said.modality is not Modality.CT:
        return False
    is_deep = (whole(dataset, "BitsStored") or 16) > 8
    return is_deep or (number(dataset, "RescaleIntercept") or 0) < 0
