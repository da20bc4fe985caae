"""JPEG Extended with 12 bits (1.2.840.10008.1.2.4.51) for pydicom, through GDCM.

pydicom leaves this depth to a decoder under the GPL; GDCM reads it when told the depth.
"""

import gdcm  # type: ignore[import-untyped]  # GDCM ships no types
from pydicom.pixels.decoders.base import DecodeRunner
from pydicom.uid import JPEGExtended12Bit

DECODER_DEPENDENCIES = {JPEGExtended12Bit: ("gdcm>=3.0.10",)}


def is_available(uid: str) -> bool:
    """Say whether this plugin decodes a transfer syntax."""
    return uid in DECODER_DEPENDENCIES


def decode_frame(source: bytes, runner: DecodeRunner) -> bytes:
    """Decode one frame to little-endian samples of 8 or 16 bits."""
    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(source)
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    # GDCM's binding gives bytes as text.
    text: str = _image(element, runner).GetBuffer()
    return text.encode("utf-8", "surrogateescape")


def _image(element: gdcm.DataElement, runner: DecodeRunner) -> gdcm.Image:
    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((runner.columns, runner.rows, 1))
    image.SetDataElement(element)
    shades = gdcm.PhotometricInterpretation.GetPIType(runner.photometric_interpretation)
    image.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(shades))
    syntax = gdcm.TransferSyntax.GetTSType(str(JPEGExtended12Bit))
    image.SetTransferSyntax(gdcm.TransferSyntax(syntax))
    stored, signed = runner.bits_stored, runner.pixel_representation
    samples, allocated = runner.samples_per_pixel, runner.bits_allocated
    image.SetPixelFormat(gdcm.PixelFormat(samples, allocated, stored, stored - 1, signed))
    return image
