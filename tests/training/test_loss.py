import keras
import numpy as np
import pytest
from scipy.special import softmax

from training.loss import WrittenLabelLoss

LOGITS = np.array([[2.0, 0.5, -1.0], [0.0, 0.0, 0.0], [-3.0, 4.0, 1.0]], np.float32)
SHARES = softmax(LOGITS, axis=1)


def written(*classes: int) -> np.ndarray:
    return np.eye(4, dtype=np.float32)[list(classes)]


def loss(targets: np.ndarray, **options: float) -> np.ndarray:
    logits = keras.ops.convert_to_tensor(LOGITS)
    return keras.ops.convert_to_numpy(WrittenLabelLoss(**options).call(targets, logits))


def test_a_known_label_costs_its_cross_entropy() -> None:
    np.testing.assert_allclose(
        loss(written(0, 1, 2)), -np.log(SHARES[range(3), range(3)]), rtol=1e-5
    )


def test_label_smoothing_is_that_of_keras() -> None:
    keras_loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1)
    theirs = keras_loss(np.eye(3, dtype=np.float32), LOGITS)
    assert loss(written(0, 1, 2), label_smoothing=0.1).mean() == pytest.approx(
        float(theirs), rel=1e-5
    )


def test_pneumonia_of_unknown_cause_is_bacterial_or_viral() -> None:
    np.testing.assert_allclose(loss(written(3, 3, 3)), -np.log(1 - SHARES[:, 0]), atol=1e-6)


def test_a_doubtful_label_need_not_be_sure() -> None:
    both = loss(written(1, 2, 2), flips=0.1)
    seen = 0.9 * SHARES[range(3), [1, 2, 2]] + 0.1 * SHARES[range(3), [2, 1, 1]]
    np.testing.assert_allclose(both, -np.log(seen), rtol=1e-5)


def test_flips_leave_normal_and_unknown_cause_alone() -> None:
    for targets in (written(0, 0, 0), written(3, 3, 3)):
        np.testing.assert_allclose(loss(targets, flips=0.1), loss(targets), rtol=1e-5)


def test_huge_logits_cost_a_finite_loss() -> None:
    wrong = np.array([[-500.0, 500.0, 0.0]], np.float32)
    assert np.isfinite(float(WrittenLabelLoss()(written(0), wrong)))


def test_a_saved_loss_comes_back_with_its_options() -> None:
    again = WrittenLabelLoss.from_config(WrittenLabelLoss(flips=0.2).get_config())
    assert (again.flips, again.label_smoothing) == (0.2, 0.0)
