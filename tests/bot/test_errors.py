import sqlite3

from bot.errors import place, way


def caught(error: Exception) -> BaseException:
    try:
        raise error
    except Exception as raised:
        return raised


def test_an_error_is_placed_in_our_code_that_asked_for_it() -> None:
    lines = ["transaction.py:3", "storage/cases.py:7", "bot/answers.py:5", "bot/worker.py:9"]
    assert place(lines) == "bot/answers.py:5"


def test_an_error_of_others_alone_is_placed_where_it_broke_out() -> None:
    assert place(["_client.py:3"]) == "_client.py:3"
    assert place(way(sqlite3.OperationalError())) == "?"


def test_the_way_holds_lines_and_no_words() -> None:
    (line,) = way(caught(KeyError("Somebody^Secret")))
    assert line.startswith("tests/bot/test_errors.py:")
