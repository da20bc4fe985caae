"""Values looked up in the tables of a DICOM file: VOI and modality LUT."""

from collections.abc import Callable

import numpy as np
import pytest
from pydicom.dataset import Dataset

from .conftest import one, with_item

Make = Callable[..., bytes]
MakeSet = Callable[..., Dataset]


def test_a_voi_table_wins_over_a_window(dataset: MakeSet, written: Make) -> None:
    table = [1023 - i for i in range(1024)]
    made = dataset(
        np.arange(1024, dtype=np.uint16).reshape(32, 32), WindowCenter=2000, WindowWidth=2001
    )
    with_item(made, "VOILUTSequence", LUTDescriptor=[1024, 0, 10], LUTData=table)
    made.VOILUTSequence[0]["LUTDescriptor"].VR = "US"
    made.VOILUTSequence[0]["LUTData"].VR = "US"
    expected = np.array(table).reshape(32, 32) / 1023
    assert np.allclose(one(written(made)).pixels, expected, atol=1e-6)


@pytest.mark.parametrize("packed", ["US", "OW in bytes", "OW in words"])
def test_a_voi_table_of_eight_bits_renders_twelve(
    packed: str, dataset: MakeSet, written: Make
) -> None:
    stored = np.arange(4096, dtype=np.uint16).reshape(64, 64)
    table = (255 * (np.arange(4096) / 4095) ** 0.5).astype(np.uint16)
    made = dataset(stored, BitsStored=12, HighBit=11)
    data = table.tolist() if packed == "US" else table.astype("<u2").tobytes()
    if packed == "OW in bytes":
        data = table.astype(np.uint8).tobytes()
    with_item(made, "VOILUTSequence", LUTDescriptor=[4096, 0, 8], LUTData=data)
    made.VOILUTSequence[0]["LUTDescriptor"].VR = "US"
    made.VOILUTSequence[0]["LUTData"].VR = packed[:2]
    expected = table.reshape(64, 64) / 255
    assert np.allclose(one(written(made)).pixels, expected, atol=1e-6)


def test_a_modality_table_is_applied_before_the_window(dataset: MakeSet, written: Make) -> None:
    made = dataset(np.arange(16, dtype=np.uint16).reshape(4, 4), WindowCenter=150, WindowWidth=301)
    table = [i * 20 for i in range(16)]
    with_item(made, "ModalityLUTSequence", LUTDescriptor=[16, 0, 16], LUTData=table)
    made.ModalityLUTSequence[0]["LUTDescriptor"].VR = "US"
    made.ModalityLUTSequence[0]["LUTData"].VR = "US"
    pixels = one(written(made)).pixels.ravel()
    expected = np.clip((np.array(table) - 149.5) / 300 + 0.5, 0, 1)
    assert np.allclose(pixels, expected, atol=1e-5)


@pytest.mark.parametrize("bits", [10, 12])
def test_a_modality_table_may_be_of_any_depth(bits: int, dataset: MakeSet, written: Make) -> None:
    made = dataset(np.arange(16, dtype=np.uint16).reshape(4, 4), WindowCenter=150, WindowWidth=301)
    table = [i * 20 for i in range(16)]
    with_item(made, "ModalityLUTSequence", LUTDescriptor=[16, 0, bits], LUTData=table)
    made.ModalityLUTSequence[0]["LUTDescriptor"].VR = "US"
    made.ModalityLUTSequence[0]["LUTData"].VR = "US"
    expected = np.clip((np.array(table) - 149.5) / 300 + 0.5, 0, 1)
    assert np.allclose(one(written(made)).pixels.ravel(), expected, atol=1e-5)


@pytest.mark.parametrize(
    "table",
    [
        {"LUTDescriptor": [4096, 0, 16], "LUTData": list(range(4096))},
        {"LUTDescriptor": [4096, 0, 12]},
        {"LUTDescriptor": [1, 0, 16], "LUTData": [9]},
    ],
    ids=["of another depth", "without entries", "of one entry"],
)
def test_beside_a_table_that_shows_nothing_the_window_counts(
    table: dict[str, list[int]], dataset: MakeSet, written: Make
) -> None:
    stored = np.arange(4096, dtype=np.uint16).reshape(64, 64)
    window = {"WindowCenter": 2048, "WindowWidth": 4096}
    made = dataset(stored, BitsStored=12, HighBit=11, **window)
    with_item(made, "VOILUTSequence", **table)
    for element in made.VOILUTSequence[0]:
        element.VR = "US"
    plain = dataset(stored, BitsStored=12, HighBit=11, **window)
    assert np.array_equal(one(written(made)).pixels, one(written(plain)).pixels)
