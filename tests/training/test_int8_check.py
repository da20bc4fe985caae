import numpy as np

from classifier.engines import Output
from classifier.labels import FloatArray, Label
from classifier.saliency import Head
from training.calibrate import Limits
from training.int8_check import Asked

LIMITS = Limits(temperature=1.0, sure_from=dict.fromkeys(Label, 0.9))


class Saying:
    """An engine that says the same of every picture, with features of its logits."""

    def __init__(self, *logits: float) -> None:
        self.logits = np.array(logits, np.float32)

    def run(self, inputs: FloatArray) -> Output:
        logits = np.tile(self.logits, (len(inputs), 1))
        return Output(logits, logits[:, np.newaxis, np.newaxis])


def test_labels_and_sure_labels_are_counted_apart() -> None:
    asked = Asked("train", np.zeros((4, 8, 8, 1), np.float32), LIMITS)
    theirs = asked.probabilities(Saying(9, 0, 0))
    sure, unsure, other = (
        asked.compare(engine, theirs)
        for engine in (Saying(8, 0, 0), Saying(1, 0, 0), Saying(0, 9, 0))
    )
    assert [each["same_label"] for each in (sure, unsure, other)] == ["1.0000", "1.0000", "0.0000"]
    assert [each["same_sure_label"] for each in (sure, unsure, other)] == [
        "1.0000",
        "0.0000",
        "0.0000",
    ]
    assert [each["two_labels"] for each in (sure, unsure, other)] == [0, 0, 4]
    assert sure["count"] == 4


def test_a_head_of_its_own_answers_instead_of_the_network() -> None:
    turned = Head(np.eye(3, dtype=np.float32)[::-1], np.zeros(3, np.float32))
    asked = Asked("ct slices", np.zeros((2, 8, 8, 1), np.float32), LIMITS, turned)
    assert asked.probabilities(Saying(9, 0, 0)).argmax(1).tolist() == [2, 2]
