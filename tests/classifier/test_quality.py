from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter, ImageOps

from classifier import quality
from classifier.labels import Doubt, FloatArray, Modality
from classifier.preprocess import to_grey, to_unit
from classifier.reading.picture import read_picture
from classifier.report_texts import WORDS


def chest(side: int = 400) -> FloatArray:
    """A bright body, less so to its sides, with two dark lungs behind ribs."""
    y, x = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
    lungs = np.minimum(abs(x - 0.42), abs(x + 0.42)) ** 2 / 0.1 + y**2 / 0.5 < 1
    ribs = np.sin(25 * y + 4 * x**2) > 0.3
    shade = 0.1 * x**2 + 0.15 * y
    return (np.where(lungs, 0.3 + 0.15 * ribs, 0.75) - shade).astype(np.float32)


def doubts(shown: FloatArray, modality: Modality = Modality.XRAY) -> frozenset[Doubt]:
    return quality.doubts(quality.measure(shown), modality)


def blurred(shown: FloatArray, share: float) -> FloatArray:
    image = Image.fromarray(np.rint(255 * shown).astype(np.uint8))
    soft = image.filter(ImageFilter.GaussianBlur(share * len(shown)))
    return np.asarray(soft, np.float32) / np.float32(255)


def noisy(shown: FloatArray, spread: float = 0.03) -> FloatArray:
    noise = np.random.default_rng(0).normal(0, spread, shown.shape)
    return np.clip(shown + noise, 0, 1).astype(np.float32)


@pytest.mark.parametrize("side", [150, 224, 1500])
def test_a_good_picture_of_any_size_is_beyond_doubt(side: int) -> None:
    assert doubts(chest(side)) == frozenset()
    assert doubts(noisy(chest(side))) == frozenset()


@pytest.mark.parametrize("side", [224, 1500])
def test_a_blurred_picture_is_told_whatever_its_size(side: int) -> None:
    assert doubts(blurred(chest(side), 0.015)) == {Doubt.BLURRED}


def test_a_thumbnail_is_told_however_it_was_enlarged_and_sharpened() -> None:
    small = Image.fromarray(np.rint(255 * noisy(chest(400))).astype(np.uint8))
    small.thumbnail((64, 64))
    for way in (Image.Resampling.LANCZOS, Image.Resampling.BICUBIC):
        large = small.resize((700, 700), way).filter(ImageFilter.UnsharpMask(6, 300, 0))
        shown = np.asarray(large, np.float32) / np.float32(255)
        assert Doubt.TOO_SMALL in doubts(shown)
        assert Doubt.TOO_SMALL not in doubts(shown, Modality.CT)


def test_a_sharpened_picture_of_a_good_size_is_not_taken_for_a_thumbnail() -> None:
    image = Image.fromarray(np.rint(255 * noisy(chest(400))).astype(np.uint8))
    sharp = image.filter(ImageFilter.UnsharpMask(3, 300, 0))
    assert Doubt.TOO_SMALL not in doubts(np.asarray(sharp, np.float32) / np.float32(255))


def test_noise_over_a_blurred_picture_does_not_make_it_sharp() -> None:
    assert doubts(noisy(blurred(chest(224), 0.015))) == {Doubt.BLURRED}


def test_strong_grain_is_told() -> None:
    assert Doubt.POOR_QUALITY in doubts(noisy(chest(224), 0.1))


@pytest.mark.parametrize("pixels", [4, 8])
def test_coarse_grain_is_told(pixels: int) -> None:
    drawn = np.random.default_rng(0).normal(0, 0.05, (640 // pixels, 640 // pixels))
    grain = Image.fromarray(drawn.astype(np.float32)).resize((640, 640), Image.Resampling.BILINEAR)
    shown = np.clip(blurred(chest(640), 0.003) + np.asarray(grain), 0, 1)
    assert doubts(shown) == {Doubt.POOR_QUALITY}
    assert doubts(shown, Modality.CT) == frozenset()


def test_lost_pixels_are_told() -> None:
    rng, shown = np.random.default_rng(0), chest(224)
    peppered = np.where(rng.random(shown.shape) < 0.03, rng.choice((0, 1), shown.shape), shown)
    assert Doubt.POOR_QUALITY in doubts(peppered.astype(np.float32))


def test_each_fault_has_its_own_doubt() -> None:
    good = chest()
    assert doubts(good[:, :149]) >= {Doubt.TOO_SMALL}
    assert doubts(good**4) == {Doubt.TOO_DARK}
    assert doubts(0.7 + 0.5 * (good - 0.25)) >= {Doubt.TOO_BRIGHT}
    assert doubts(np.clip(good * 1.5, 0, 1)) >= {Doubt.CLIPPED}
    assert doubts(0.5 + 0.1 * good) == {Doubt.FLAT}


@pytest.mark.parametrize("levels", [8, 16])
def test_few_greys_are_told_as_edited(levels: int) -> None:
    assert doubts(np.floor(noisy(chest()) * levels) / levels) == {Doubt.EDITED}


def test_equalised_greys_are_told_as_edited() -> None:
    image = Image.fromarray(np.rint(255 * noisy(chest())).astype(np.uint8))
    assert Doubt.EDITED in doubts(to_unit(np.asarray(ImageOps.equalize(image))))


@pytest.mark.parametrize("grey", [0.1, 0.4])
def test_a_lung_covered_with_one_grey_is_told_as_edited(grey: float) -> None:
    covered = chest()
    covered[80:300, 60:160] = grey
    assert doubts(covered) == {Doubt.EDITED}


def test_a_blank_picture_is_flat_and_not_blurred() -> None:
    assert doubts(np.full((300, 300), 0.5, np.float32)) == {Doubt.FLAT}


def test_of_a_ct_slice_only_size_and_contrast_are_judged() -> None:
    dark = blurred(chest(), 0.03) * 0.5
    assert doubts(dark, Modality.CT) == frozenset()
    assert doubts(dark[:100] * 0.1, Modality.CT) == {Doubt.TOO_SMALL, Doubt.FLAT}


def test_files_as_a_hospital_gives_them_are_beyond_doubt(shared_data: Path) -> None:
    for path in (shared_data / "xray" / "original-size").rglob("*.jp*g"):
        assert doubts(to_grey(read_picture(path.read_bytes()))) == frozenset(), path.name


def test_the_doubt_of_earlier_builds_can_still_be_drawn() -> None:
    assert all(words.doubts[Doubt("poor_quality")] for words in WORDS.values())
