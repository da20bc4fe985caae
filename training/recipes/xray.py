"""Ours for chest X-rays: partial ImageNet start, strong augmentation, small size first.

`python -m training.train recipes/xray --data DATA --run RUN --start NPZ`
35 minutes on 2 busy cores. Held-out fifth, seed 0: accuracy 0.795 (95 % interval 0.757 - 0.828),
macro AUROC 0.919, specificity 0.993.

A first run with mixup 0.2, label smoothing 0.1, weight decay 0.05, stronger augmentation and 14
epochs was right on as many tuning pictures, with a cross-entropy of 0.51 instead of 0.48, and no
better on its training pictures: it was held back, not overfitted. So nothing is mixed here.
"""

import keras

from training.augment import augment
from training.recipe import Phase, Recipe, Start

RECIPE = Recipe(
    name="xray",
    phases=(Phase(size=128, epochs=10), Phase(size=224, epochs=10)),
    optimizer=lambda rate: keras.optimizers.AdamW(rate, weight_decay=0.02),
    learning_rate=6e-4,
    batch=32,
    start=Start.FOLDED_RESNET18,
    warmup_epochs=1,
    decay_epochs=19,
    augment=augment,
    balance=True,
    label_smoothing=0.05,
    ema=0.995,
)
