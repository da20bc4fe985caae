"""Cross-entropy with the written label of a picture, which may say less than the truth."""

from typing import Any

import keras
import numpy as np
from keras import ops

from training.dataset import MAY_BE
from training.figures import BACTERIAL, VIRAL

NEVER_LOGIT = -30.0
# What label smoothing mixes in: each known label alike.
SMOOTH = np.array([1, 1, 1, 0], np.float32) / 3


@keras.saving.register_keras_serializable("training")
class WrittenLabelLoss(keras.losses.Loss):
    """The negative log-likelihood of the written label, given the network's logits.

    Targets are (n, 4) shares of `dataset.WRITTEN`, logits (n, 3). Pneumonia of unknown cause has
    the probability of bacterial and viral together. Of the pictures with bacterial pneumonia a
    share of `flips` is taken to stand under viral, and the other way round: the network need not
    be sure of a doubtful label (forward correction, Patrini et al. 2017, arXiv 1609.03683).
    """

    def __init__(
        self,
        flips: float = 0.0,
        label_smoothing: float = 0.0,
        name: str = "written_label_loss",
        **rest: Any,
    ) -> None:
        super().__init__(name=name, **rest)
        self.flips = flips
        self.label_smoothing = label_smoothing
        written = MAY_BE.T.astype(np.float32)
        written[[BACTERIAL, VIRAL], [BACTERIAL, VIRAL]] -= flips
        written[[BACTERIAL, VIRAL], [VIRAL, BACTERIAL]] += flips
        self._log_written = np.log(
            written, where=written > 0, out=np.full_like(written, NEVER_LOGIT)
        )

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Give the loss of each picture, (n,)."""
        written, given, smooth = map(ops.convert_to_tensor, (self._log_written, y_true, SMOOTH))
        shares = given * (1 - self.label_smoothing) + smooth * self.label_smoothing
        joint = ops.log_softmax(y_pred)[:, :, None] + written[None]
        return -ops.sum(shares * ops.logsumexp(joint, axis=1), axis=-1)

    def get_config(self) -> dict[str, Any]:
        """Give what the loss is built from again."""
        config: dict[str, Any] = super().get_config()
        return config | {"flips": self.flips, "label_smoothing": self.label_smoothing}
