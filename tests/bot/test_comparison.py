import pytest

from bot.comparison import compare
from storage.agreement import Share
from storage.models import Alike


def test_without_cases_there_is_nothing_to_compare() -> None:
    assert compare([]) is None


def test_shares_and_difference_count_every_case() -> None:
    found = compare(
        [
            Alike(patients=60, cases=1, both=1, only_active=0, only_shadow=0),
            Alike(patients=20, cases=1, both=0, only_active=0, only_shadow=1),
            Alike(patients=5, cases=2, both=0, only_active=1, only_shadow=0),
        ]
    )
    assert found is not None
    assert (found.active, found.shadow) == (Share(65, 90), Share(80, 90))
    assert (found.only_active, found.only_shadow) == (5, 20)
    assert found.difference == pytest.approx(15 / 90)
    # The linear approximation over patients gives 0.059 to 0.274.
    assert found.low == pytest.approx(0.059, abs=0.01)
    assert found.high == pytest.approx(0.274, abs=0.01)


def test_the_same_cases_of_fewer_patients_tell_less() -> None:
    apart = [
        Alike(patients=50, cases=1, both=1, only_active=0, only_shadow=0),
        Alike(patients=25, cases=1, both=0, only_active=0, only_shadow=1),
        Alike(patients=25, cases=1, both=0, only_active=1, only_shadow=0),
    ]
    together = [
        Alike(patients=10, cases=5, both=5, only_active=0, only_shadow=0),
        Alike(patients=5, cases=5, both=0, only_active=0, only_shadow=5),
        Alike(patients=5, cases=5, both=0, only_active=5, only_shadow=0),
    ]
    many, few = compare(apart), compare(together)
    assert many is not None and few is not None
    assert many.difference == few.difference == 0
    assert few.high - few.low > 2 * (many.high - many.low)


def test_the_same_numbers_give_the_same_interval() -> None:
    groups = [Alike(patients=9, cases=1, both=0, only_active=0, only_shadow=1)]
    groups.append(Alike(patients=9, cases=1, both=1, only_active=0, only_shadow=0))
    assert compare(groups) == compare(groups)
