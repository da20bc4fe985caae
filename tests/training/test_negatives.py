import numpy as np
import pytest

from training.negatives import FAMILIES, family, negatives


def test_made_up_negatives_differ_and_stay_in_range() -> None:
    made = negatives(12, 48)
    assert made.shape == (12, 48, 48)
    assert made.min() >= 0
    assert made.max() <= 1
    assert len({each.tobytes() for each in made}) == 12
    np.testing.assert_array_equal(made, negatives(12, 48))


@pytest.mark.parametrize("name", FAMILIES)
def test_each_family_can_be_made_alone(name: str) -> None:
    made = family(name, 6, 40, seed=1)
    assert made.shape == (6, 40, 40)
    assert np.isfinite(made).all()
    np.testing.assert_array_equal(made, family(name, 6, 40, seed=1))
