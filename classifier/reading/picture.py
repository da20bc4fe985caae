"""JPEG, PNG, WebP, TIFF and BMP to a `Scan`, through Pillow."""

from contextlib import suppress
from io import BytesIO

import numpy as np
from PIL import Image, ImageChops, ImageOps, ImageSequence
from PIL.TiffImagePlugin import TiffImageFile

from classifier.labels import Doubt, FloatArray, Greys
from classifier.reading.colour import patches
from classifier.reading.damage import is_damaged
from classifier.reading.detect import detect
from classifier.reading.limits import MAX_PIXELS, is_too_large, refusing
from classifier.reading.scan import FileKind, Scan, Units
from classifier.refusals import Refusal, RefusalReason

PICTURE_KINDS = (FileKind.JPEG, FileKind.PNG, FileKind.WEBP, FileKind.TIFF, FileKind.BMP)

_DEEP_MODES = ("I", "F", "I;16", "I;16L", "I;16B", "I;16N")
_NEW_SUBFILE_TYPE, _IS_REDUCED = 254, 1
_PHOTOMETRIC, _WHITE_IS_ZERO = 262, 0
# A picture with twice as many pixels a side is made smaller, a phone's JPEG while it is decoded: it
# shows no more of a film, and costs the program that looks at it.
ENOUGH = 2000
_NEARLY_ALL = 99.5
_FULL_SCALES = tuple(2**bits - 1 for bits in (8, 10, 12, 14, 16))


def read_picture(data: bytes) -> Scan:
    """Read one picture, upright; several pages, and animations, are refused.

    Pixels are luma (ITU-R 601), uint8. Deeper values are float32 in [0, 1], divided by the full
    scale of the smallest usual depth that holds nearly all, since 12 bits often travel in 16, with
    a marker burnt in above them. What is transparent becomes black. Raises `Refusal`.
    """
    kind = detect(data)
    if kind not in PICTURE_KINDS:
        raise Refusal(RefusalReason.UNKNOWN_TYPE)
    with refusing():
        return _read(data, kind)


def _read(data: bytes, kind: FileKind) -> Scan:
    try:
        image = Image.open(BytesIO(data), formats=[kind.upper()])
    except Image.DecompressionBombError:
        raise Refusal(RefusalReason.TOO_LARGE, f"more than {MAX_PIXELS} pixels") from None
    with image:
        if kind is FileKind.JPEG:
            image.draft(None, (ENOUGH, ENOUGH))
        if _pages(image, kind) > 1:
            raise Refusal(RefusalReason.SEVERAL_STUDIES, "pages")
        if is_too_large(image.height, image.width):
            raise Refusal(RefusalReason.TOO_LARGE, f"more than {MAX_PIXELS} pixels, or too long")
        image.load()
        # Broken EXIF must not cost the picture.
        with suppress(Exception):
            ImageOps.exif_transpose(image, in_place=True)
        is_negative = _is_deep_negative(image)
        pixels, chroma, painted = _values(image)
    if is_negative:
        pixels = 1 - pixels
    factor = min(pixels.shape) // ENOUGH
    if factor > 1:
        pixels = np.asarray(Image.fromarray(pixels).reduce(factor))
    return Scan(
        pixels,
        Units.GREY,
        modality=None,
        spacing=None,
        came_as=kind,
        chroma=chroma,
        patches=painted,
        doubts=frozenset({Doubt.DAMAGED} if kind is FileKind.JPEG and is_damaged(data) else ()),
    )


def _pages(image: Image.Image, kind: FileKind) -> int:
    """Count pages, or frames of an animation; a phone's JPEG may bring copies for other screens.

    Of a TIFF those that are no smaller copies of its picture, which need not come first, and to
    which it is turned (TIFF 6.0, NewSubfileType).
    """
    if kind is not FileKind.TIFF:
        return 1 if kind is FileKind.JPEG else getattr(image, "n_frames", 1)
    pages = []
    for page in ImageSequence.Iterator(image):
        tags = page.tag_v2 if isinstance(page, TiffImageFile) else {}
        pages.append((page.size, bool(tags.get(_NEW_SUBFILE_TYPE, 0) & _IS_REDUCED)))
    whole = [place for place, (_, is_reduced) in enumerate(pages) if not is_reduced]
    if not whole:
        return len(pages)
    image.seek(whole[0])
    others = [size for size, is_reduced in pages if is_reduced and not _is_copy(size, image.size)]
    return len(whole) + len(others)


def _is_copy(size: tuple[int, int], of: tuple[int, int]) -> bool:
    """Tell a smaller copy of a picture by its sides, which rounding may change by a pixel."""
    scale = size[0] / of[0]
    return scale <= 1 and abs(size[1] - scale * of[1]) <= 1 + 0.01 * of[1] * scale


def _is_deep_negative(image: Image.Image) -> bool:
    """Tell a TIFF whose 0 is white (TIFF 6.0); of 8 bits Pillow knows."""
    tags = image.tag_v2 if isinstance(image, TiffImageFile) else {}
    return image.mode in _DEEP_MODES and tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO


def _values(image: Image.Image) -> tuple[Greys, float, float]:
    if image.mode in _DEEP_MODES:
        return _scaled(np.asarray(image)), 0.0, 0.0
    flat = _opaque(image)
    if flat.mode in ("1", "L"):
        return np.asarray(flat.convert("L")), 0.0, 0.0
    rgb = flat if flat.mode == "RGB" else flat.convert("RGB")
    return np.asarray(rgb.convert("L")), _chroma(rgb), patches(rgb)


def _opaque(image: Image.Image) -> Image.Image:
    """Lay what is transparent over black."""
    if not image.has_transparency_data:
        return image
    layer = image.convert("RGBA")
    if image.format == "BMP" and layer.getchannel("A").getextrema() == (0, 0):
        # Nothing but a channel that its writer left empty.
        return layer.convert("RGB")
    black = Image.new("RGBA", layer.size, (0, 0, 0, 255))
    return Image.alpha_composite(black, layer).convert("RGB")


def _scaled(values: np.ndarray) -> FloatArray:
    grey = np.nan_to_num(values.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    already_unit = values.dtype.kind == "f" and grey.min() >= 0 and grey.max() <= 1
    if not already_unit:
        grey -= min(float(grey.min()), 0.0)
        largest = float(np.percentile(grey, _NEARLY_ALL))
        grey /= next((full for full in _FULL_SCALES if largest <= full), largest)
    return np.clip(grey, 0, 1, out=grey)


def _chroma(rgb: Image.Image) -> float:
    red, green, blue = rgb.split()
    high = ImageChops.lighter(ImageChops.lighter(red, green), blue)
    low = ImageChops.darker(ImageChops.darker(red, green), blue)
    return float(np.asarray(ImageChops.difference(high, low)).mean() / 255)
