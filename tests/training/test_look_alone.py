import csv
from pathlib import Path

import numpy as np
from PIL import Image

from training import look_alone


def test_what_a_look_tells_apart_is_near_one_and_what_it_does_not_near_a_half(
    tmp_path: Path,
) -> None:
    """Early bacterial pictures are darker; all others look alike."""
    rng = np.random.default_rng(0)
    names = {"normal": "IM-{:04}", "bacterial": "person{}_bacteria_1", "viral": "person{}_virus_1"}
    for label, name in names.items():
        (tmp_path / label).mkdir()
        for number in (*range(400, 500), *range(1307, 1407)):
            dark = label == "bacterial" and number < 1307
            pixels = rng.integers(0, 200, (30, 30)) * (0.5 if dark else 1.0)
            path = tmp_path / label / f"{name.format(number)}.png"
            Image.fromarray(pixels.astype(np.uint8)).save(path)
    look_alone.main(tmp_path, tmp_path / "look.csv")
    rows = {row["told_apart"]: row for row in csv.DictReader((tmp_path / "look.csv").open())}
    assert set(rows) == set(look_alone.COMPARED)
    early = rows["bacterial: patients up to 1306, later ones"]
    assert (early["first"], early["second"]) == ("100", "100")
    assert float(early["auroc"]) > 0.99
    assert float(rows["bacterial up to patient 1306, viral"]["auroc"]) > 0.99
    alike = rows["bacterial of later patients, viral"]
    assert float(alike["auroc_low"]) < 0.5 < float(alike["auroc_high"])
