import csv
from pathlib import Path

import pytest

from training import films
from training.photographs import KINDS


def test_photographs_ordinary_pictures_and_others_are_looked_through(
    labelled_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(films.film, "find", lambda grey, whole, score: None)
    films.main([labelled_folder], part="tuning", count=1, out=tmp_path / "films.csv")
    rows = list(csv.DictReader((tmp_path / "films.csv").open()))
    others = [f"ordinary, {labelled_folder.name}", "no scan", "photographs of no scan"]
    assert [row["pictures"] for row in rows] == [*KINDS, *others]
    assert {row["part"] for row in rows} == {"tuning"}
    # Where nothing is cut nothing is found, and nothing let in by it.
    assert all(float(row["cut"]) == 0 for row in rows)
    assert all(float(row["found"]) == 0 for row in rows[: len(KINDS)])
    assert all(float(row["let_in"]) == 0 for row in rows[len(KINDS) :])


def test_a_film_counts_as_found_where_it_lies(
    labelled_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = []

    def photograph(*given: object) -> object:
        taken.append(photographed(*given))
        return taken[-1]

    def find(grey: films.FloatArray, whole: float, score: films.film.Score) -> films.film.Quad:
        return films.film.Quad(taken[-1].corners / (grey.shape[1], grey.shape[0]), 1.0)

    photographed = films.photograph
    monkeypatch.setattr(films, "photograph", photograph)
    monkeypatch.setattr(films.film, "find", find)
    bench = films.Bench(films.GATE)
    (film,) = films._greys(films.split(films.find_examples(labelled_folder)).tuning, 1)
    row = bench.films("light box", [film])
    assert (row["count"], row["cut"], row["found"]) == (1, "1.0000", "1.0000")
