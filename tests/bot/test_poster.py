import io
import re

import numpy as np
import pytest
from PIL import Image

from bot.poster import poster

LINK = "https://t.me/some_bot?start=abc"
MARGIN = 60
NAMES = [
    "Clinic",
    "St. Bartholomew's and the Royal London Children's Hospital, Dept. of Radiology 12",
    "上海市第一人民医院附属儿童医学中心呼吸内科及放射影像科门诊部浦东分院" * 2,
    "W" * 50,
]


@pytest.mark.parametrize("name", NAMES)
def test_a_long_clinic_name_is_whole_and_on_the_paper(name: str) -> None:
    page = np.asarray(Image.open(io.BytesIO(poster(LINK, name, "png"))).convert("L"))
    assert page[:, :MARGIN].min() == page[:, -MARGIN:].min() == 255
    drawn = poster(LINK, name, "svg").decode().replace("&#x27;", "'")
    lines = re.findall("<text[^>]*>([^<]*)</text>", drawn)
    assert "".join(lines).replace(" ", "").startswith(name.replace(" ", ""))


@pytest.mark.parametrize("kind, start", [("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<svg")])
def test_a_poster_without_a_clinic_is_made_too(kind: str, start: bytes) -> None:
    assert poster(LINK, "", kind).startswith(start)


@pytest.mark.parametrize("name", ["عيادة", "Clinic ☎"])
def test_a_name_that_our_fonts_lack_is_left_out_and_not_questioned(name: str) -> None:
    assert poster(LINK, name, "png") == poster(LINK, "", "png")
    assert name in poster(LINK, name, "svg").decode()
