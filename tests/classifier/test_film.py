import numpy as np
from PIL import Image

from classifier import film
from classifier.labels import FloatArray

CORNERS = np.array([[0.25, 0.2], [0.8, 0.26], [0.76, 0.85], [0.2, 0.8]])


def picture() -> FloatArray:
    """A bright body with two dark lungs."""
    y, x = np.mgrid[-1:1:300j, -1:1:400j]
    lungs = (abs(abs(x) - 0.42) / 0.3) ** 2 + (y / 0.7) ** 2 < 1
    return np.where(lungs, 0.3, 0.7).astype(np.float32)


def photograph() -> FloatArray:
    """The picture aslant on something white, 600 x 500 pixels."""
    source = np.array([[0, 0], [400, 0], [400, 300], [0, 300]], float)
    way = tuple(film.homography(CORNERS * (600, 500), source).ravel()[:8])
    image = Image.fromarray(picture()).transform(
        (600, 500), Image.Transform.PERSPECTIVE, way, Image.Resampling.BILINEAR, fillcolor=1
    )
    return np.asarray(image, np.float32)


def likeness(grey: FloatArray) -> float:
    """Score a picture by how near it is to the one photographed."""
    small = [
        np.asarray(Image.fromarray(each).resize((32, 32), Image.Resampling.BILINEAR))
        for each in (grey, picture())
    ]
    return 2 - 5 * float(np.abs(small[0] - small[1]).mean())


def find(grey: FloatArray, score: film.Score) -> film.Quad | None:
    return film.find(grey, score(grey), score)


def test_a_film_in_perspective_is_found_and_straightened() -> None:
    found = find(photograph(), likeness)
    assert found is not None
    np.testing.assert_allclose(found.corners, CORNERS, atol=0.03)
    assert likeness(film.straighten(photograph(), found.corners)) > 1.8


def test_a_picture_that_fills_the_frame_is_left_alone() -> None:
    assert find(picture(), likeness) is None


def test_without_a_frame_only_the_whole_is_looked_at() -> None:
    noise = np.random.default_rng(0).random((300, 300)).astype(np.float32)
    for grey in (noise, np.full((200, 300), 0.5, np.float32)):
        scored: list[FloatArray] = []
        assert film.find(grey, 0.0, lambda seen, to=scored: to.append(seen) or 0.0) is None
        assert not scored


def test_in_an_ordinary_xray_no_film_is_sought() -> None:
    assert film.find(photograph(), film.ORDINARY, likeness) is None


def test_nothing_is_cut_unless_it_looks_clearly_more_like_an_xray_than_the_whole() -> None:
    assert find(photograph(), lambda grey: 0.0) is None


def test_straightened_keeps_the_resolution_of_the_photograph() -> None:
    whole = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], float)
    np.testing.assert_allclose(film.straighten(picture(), whole), picture(), atol=1e-5)
    assert max(film.straighten(picture(), whole, 100).shape) == 100
