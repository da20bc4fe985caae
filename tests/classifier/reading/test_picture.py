"""Pictures to grey."""

from collections.abc import Callable
from io import BytesIO

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from classifier.preprocess import to_grey
from classifier.reading.limits import MAX_PIXELS, MAX_SIDE
from classifier.reading.picture import read_picture
from classifier.reading.scan import FileKind, Units
from classifier.refusals import Refusal, RefusalReason

Encode = Callable[..., bytes]
RAMP = np.add.outer(np.arange(48), np.arange(64)).astype(np.uint8)


def test_a_grey_jpeg_is_exactly_its_values(picture: Encode) -> None:
    data = picture(RAMP)
    with Image.open(BytesIO(data)) as image:
        expected = np.asarray(image)
    scan = read_picture(data)
    assert scan.pixels.dtype == np.uint8
    assert np.array_equal(scan.pixels, expected)
    assert (scan.units, scan.modality, scan.came_as) == (Units.GREY, None, FileKind.JPEG)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF"])
def test_a_lossless_grey_picture_keeps_its_values(kind: str, picture: Encode) -> None:
    assert np.array_equal(read_picture(picture(RAMP, kind)).pixels, RAMP)


def test_grey_stored_as_colour_keeps_its_values_and_has_no_chroma(picture: Encode) -> None:
    scan = read_picture(picture(np.stack([RAMP] * 3, axis=2), "PNG"))
    assert np.array_equal(scan.pixels, RAMP)
    assert scan.chroma == 0


def test_colour_becomes_luma_and_is_told_by_its_chroma(picture: Encode) -> None:
    scan = read_picture(picture(Image.new("RGB", (8, 8), (255, 0, 0)), "WEBP", lossless=True))
    assert to_grey(scan).mean() == pytest.approx(0.299, abs=0.003)
    assert scan.chroma == 1


@pytest.mark.parametrize("mode", ["1", "P", "CMYK", "YCbCr", "RGBA", "LA"])
def test_a_white_picture_is_white_in_every_mode(mode: str, picture: Encode) -> None:
    white = Image.new("L", (8, 8), 255).convert("RGB" if mode == "CMYK" else "L")
    kind = "TIFF" if mode in ("CMYK", "YCbCr") else "PNG"
    assert to_grey(read_picture(picture(white.convert(mode), kind))).min() > 0.99


def test_a_cmyk_jpeg_is_not_inverted(picture: Encode) -> None:
    dark = Image.new("RGB", (16, 16), (20, 20, 20)).convert("CMYK")
    assert to_grey(read_picture(picture(dark))).mean() == pytest.approx(20 / 255, abs=0.03)


def test_what_is_transparent_becomes_black(picture: Encode) -> None:
    image = Image.new("RGBA", (8, 8), (255, 255, 255, 0))
    image.paste((255, 255, 255, 128), (0, 0, 8, 4))
    pixels = to_grey(read_picture(picture(image, "PNG")))
    assert pixels[:4] == pytest.approx(128 / 255, abs=0.005)
    assert not pixels[4:].any()


def test_the_transparent_colour_of_a_palette_becomes_black(picture: Encode) -> None:
    image = Image.new("L", (8, 8), 255).convert("P")
    assert not read_picture(picture(image, "PNG", transparency=image.getpixel((0, 0)))).pixels.any()


@pytest.mark.parametrize(("largest", "full"), [(4000, 4095), (65000, 65535), (200, 255)])
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_deep_grey_is_scaled_by_its_depth(
    largest: int, full: int, kind: str, picture: Encode
) -> None:
    values = np.linspace(0, largest, 64 * 48).reshape(48, 64).astype(np.uint16)
    assert np.allclose(read_picture(picture(values, kind)).pixels, values / full)


@pytest.mark.parametrize("dtype", [np.int32, np.float32])
def test_deeper_values_end_between_0_and_1(dtype: type, picture: Encode) -> None:
    values = np.linspace(-5, 1e6, 64 * 48).reshape(48, 64).astype(dtype)
    pixels = read_picture(picture(values, "TIFF")).pixels
    assert (pixels.min(), pixels.max()) == (0, 1)


def test_values_that_are_no_numbers_become_black(picture: Encode) -> None:
    values = np.array([[np.nan, np.inf], [0.5, 1.0]], np.float32)
    assert read_picture(picture(values, "TIFF")).pixels.tolist()[0] == [0, 0]


def test_a_marker_above_the_depth_of_a_picture_does_not_darken_it(picture: Encode) -> None:
    values = np.linspace(0, 4000, 64 * 48).reshape(48, 64).astype(np.uint16)
    values[:2, :5] = 65535
    pixels = read_picture(picture(values, "PNG")).pixels
    assert np.allclose(pixels[2:], values[2:] / 4095)
    assert (pixels[:2, :5] == 1).all()


def test_one_value_that_is_no_number_leaves_the_scale_of_the_others(picture: Encode) -> None:
    values = np.linspace(0, 1, 64 * 48, dtype=np.float32).reshape(48, 64)
    values[0, 0] = np.nan
    assert np.allclose(read_picture(picture(values, "TIFF")).pixels[1:], values[1:])


def test_a_deep_tiff_whose_zero_is_white_is_no_negative(picture: Encode) -> None:
    values = np.linspace(0, 65535, 64 * 48).reshape(48, 64).astype(np.uint16)
    pixels = read_picture(picture(values, "TIFF", tiffinfo={262: 0})).pixels
    assert np.allclose(pixels, 1 - values / 65535)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_a_picture_of_any_kind_is_no_larger_than_what_is_looked_at(
    kind: str, picture: Encode
) -> None:
    halves = np.zeros((4400, 4800), np.uint16)
    halves[:2200] = 60000
    pixels = read_picture(picture(halves, kind)).pixels
    assert pixels.shape == (2200, 2400)
    assert np.allclose(pixels[[500, 1700], 500], [60000 / 65535, 0])


def test_a_photo_is_turned_as_its_exif_says(picture: Encode) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    upright = read_picture(picture(RAMP, "PNG", exif=exif)).pixels
    assert np.array_equal(upright, np.rot90(RAMP, -1))


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_an_animation_is_refused_because_one_frame_alone_would_be_answered(
    kind: str, picture: Encode
) -> None:
    frames = [Image.new("RGB", (8, 8), (value, value, value)) for value in (255, 0)]
    with pytest.raises(Refusal) as caught:
        read_picture(picture(frames[0], kind, save_all=True, append_images=frames[1:]))
    assert caught.value.reason is RefusalReason.SEVERAL_STUDIES


def test_a_phone_s_photo_with_copies_for_other_screens_is_read(picture: Encode) -> None:
    frames = [Image.new("RGB", (8, 8), (value, value, value)) for value in (255, 0)]
    data = picture(frames[0], "MPO", save_all=True, append_images=frames[1:])
    assert to_grey(read_picture(data)).min() == 1


def test_a_phone_s_largest_photo_is_decoded_smaller(picture: Encode) -> None:
    halves = np.zeros((4400, 6000), np.uint8)
    halves[:2200] = 200
    pixels = read_picture(picture(halves)).pixels
    assert pixels.shape == (2200, 3000)
    assert (pixels[500, 500], pixels[1700, 500]) == (200, 0)
    assert read_picture(picture(halves[:3990])).pixels.shape == (3990, 6000)


def test_a_picture_beyond_the_budget_is_refused_before_it_is_decoded(picture: Encode) -> None:
    side = int(MAX_PIXELS**0.5) + 1
    with pytest.raises(Refusal) as caught:
        read_picture(picture(Image.new("1", (side, side)), "PNG"))
    assert caught.value.reason is RefusalReason.TOO_LARGE


@pytest.mark.parametrize("size", [(MAX_SIDE + 1, 1), (1, MAX_SIDE + 1)], ids=["wide", "tall"])
def test_a_picture_as_long_as_none_is_refused(size: tuple[int, int], picture: Encode) -> None:
    with pytest.raises(Refusal) as caught:
        read_picture(picture(Image.new("L", size), "PNG"))
    assert caught.value.reason is RefusalReason.TOO_LARGE


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "BMP"])
def test_half_a_picture_is_refused_as_broken(kind: str, picture: Encode) -> None:
    data = picture(np.random.default_rng(1).integers(0, 255, (64, 64), np.uint8), kind)
    with pytest.raises(Refusal) as caught:
        read_picture(data[: len(data) // 2])
    assert caught.value.reason is RefusalReason.BROKEN


def test_other_content_is_refused_as_unknown() -> None:
    with pytest.raises(Refusal) as caught:
        read_picture(b"no picture")
    assert caught.value.reason is RefusalReason.UNKNOWN_TYPE


def tiff(*pages: tuple[tuple[int, int], int, bool]) -> bytes:
    """Write pages of (rows, columns), all of one grey, some marked as reduced."""
    images = []
    for shape, level, is_reduced in pages:
        about = TiffImagePlugin.ImageFileDirectory_v2()
        about[254] = int(is_reduced)
        image = Image.fromarray(np.full(shape, level, np.uint8))
        image.encoderinfo = {"tiffinfo": about}
        images.append(image)
    out = BytesIO()
    first = images[0].encoderinfo["tiffinfo"]
    images[0].save(out, "TIFF", save_all=True, append_images=images[1:], tiffinfo=first)
    return out.getvalue()


def test_of_a_tiff_whose_thumbnail_comes_first_the_picture_is_read() -> None:
    read = read_picture(tiff(((10, 8), 50, True), ((100, 80), 200, False))).pixels
    assert read.shape == (100, 80) and (read == 200).all()


@pytest.mark.parametrize(
    ("first", "other"),
    [(False, (40, 20)), (False, (90, 90)), (True, (20, 20))],
    ids=["of other sides", "larger", "a copy of a copy"],
)
def test_what_is_marked_as_a_smaller_copy_and_is_none_is_another_film(
    first: bool, other: tuple[int, int]
) -> None:
    with pytest.raises(Refusal) as refused:
        read_picture(tiff(((40, 40), 50, first), (other, 200, True)))
    assert refused.value.reason is RefusalReason.SEVERAL_STUDIES


def test_a_channel_of_a_bmp_that_nobody_filled_hides_nothing() -> None:
    out = BytesIO()
    Image.new("RGBA", (8, 8), (90, 90, 90, 0)).save(out, "BMP")
    assert (read_picture(out.getvalue()).pixels == 90).all()


@pytest.mark.parametrize("copies", [False, True], ids=["films", "smaller copies"])
def test_a_tiff_of_several_films_is_refused(copies: bool) -> None:
    pages = [Image.fromarray(np.full((40, 40), level, np.uint8)) for level in (50, 200)]
    about = TiffImagePlugin.ImageFileDirectory_v2()
    about[254] = int(copies)
    pages[1].encoderinfo = {"tiffinfo": about}
    out = BytesIO()
    pages[0].save(out, "TIFF", save_all=True, append_images=pages[1:])
    if copies:
        assert (read_picture(out.getvalue()).pixels == 50).all()
    else:
        with pytest.raises(Refusal) as refused:
            read_picture(out.getvalue())
        assert refused.value.reason is RefusalReason.SEVERAL_STUDIES
