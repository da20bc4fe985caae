import re
from pathlib import Path

import pytest

from bot.acts import Words
from bot.csv_file import as_csv
from bot.texts.catalogue import Texts
from classifier.report_texts import Language

ROOT = Path(__file__).parents[2]
RECORDED = re.compile(r'audit\.record\(\s*tx,\s*[\w.]+,\s*"(\w+)"')


def test_every_act_that_is_recorded_has_words_in_both_languages() -> None:
    sources = [path for room in ("bot", "storage") for path in (ROOT / room).rglob("*.py")]
    acts = {act for path in sources for act in RECORDED.findall(path.read_text("utf-8"))}
    assert {"staff_invited", "delete_case", "forget"} <= acts
    for language in Language:
        known = Texts(language)._sentences
        assert {act for act in acts if f"audit.did.{act}" not in known} == set()


@pytest.mark.parametrize(
    "detail", ["announcement 2 · waiting 3/5", "3 pictures", "folder 7", "active", "connection"]
)
def test_no_english_is_left_in_a_detail_that_a_chinese_admin_reads(detail: str) -> None:
    assert not re.search("[a-z]", Words(Texts(Language.CHINESE), {}).detail(detail))


@pytest.mark.parametrize("things", ["pictures", "cases"])
def test_one_is_not_counted_in_the_plural(things: str) -> None:
    said = Words(Texts(Language.ENGLISH), {}).detail(f"1 {things}")
    assert said == f"1 {things.removesuffix('s')}(s)"


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_no_cell_of_a_table_becomes_a_formula(cell: str) -> None:
    text = as_csv([("name", cell)]).decode("utf-8-sig")
    assert text.replace('"', "") == f"name,'{cell}\r\n"


def test_a_table_keeps_numbers_commas_and_chinese() -> None:
    assert as_csv([(-1, "a,b", "李医生", "")]) == '\ufeff-1,"a,b",李医生,\r\n'.encode()
