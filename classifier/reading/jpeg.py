"""JPEG Lossless, JPEG Extended and JPEG-LS for pydicom: a frame that was cut off is none.

The first two through the libjpeg-turbo of imagecodecs: pydicom's own choice for Lossless takes
three to four times as long, and it leaves the 12 bits of Extended (1.2.840.10008.1.2.4.51) to a
decoder under the GPL. The last by pydicom's choice, which turns for ever in what has no end.
"""

import imagecodecs
from pydicom.pixels.decoders import pyjpegls
from pydicom.pixels.decoders.base import DecodeRunner
from pydicom.uid import (
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
)

_END_OF_IMAGE = b"\xff\xd9"
# Some writers pad by more than the one byte that evens the length.
_PADDED = 64

_LS = (JPEGLSLossless, JPEGLSNearLossless)
DECODER_DEPENDENCIES = {
    syntax: ("imagecodecs>=2026.1",)
    for syntax in (JPEGExtended12Bit, JPEGLossless, JPEGLosslessSV1)
} | dict.fromkeys(_LS, ("pyjpegls>=1.5",))


def is_available(uid: str) -> bool:
    """Say whether this plugin decodes a transfer syntax."""
    return uid in DECODER_DEPENDENCIES


def decode_frame(source: bytes, runner: DecodeRunner) -> bytes:
    """Decode one frame to samples of 8 or 16 bits, colours by pixel and as they are stored.

    Raises ValueError where the frame was cut off, which the decoder would fill up with grey.
    """
    if _END_OF_IMAGE not in source[-_PADDED:]:
        raise ValueError("no end of image")
    if runner.transfer_syntax in _LS:
        return bytes(pyjpegls._decode_frame(source, runner))
    as_stored = "rgb" if runner.samples_per_pixel == 3 else None
    pixels = imagecodecs.jpeg8_decode(source, colorspace=as_stored, outcolorspace=as_stored)
    runner.set_option("bits_allocated", 8 * pixels.itemsize)
    if runner.samples_per_pixel > 1:
        runner.set_option("planar_configuration", 0)
    return pixels.tobytes()
