"""For chest X-rays from elsewhere: far augmentation, doubtful kinds allowed for, adults joined.

`python -m training.train recipes/shift --data CHILDREN --data ADULTS --run RUN --start NPZ`

Three hours on 2 idle cores. A constant rate with averaged weights and a short fall at the end: what
a stopped run leaves in `RUN/best.npz` is of use. Of later bacterial pictures every second looks
viral: hence `flips`. The results of a whole run are not known yet.
"""

import keras

from training.augment import augment_far
from training.recipe import Phase, Recipe, Start

RECIPE = Recipe(
    name="shift",
    phases=(Phase(size=128, epochs=30), Phase(size=224, epochs=50)),
    optimizer=lambda rate: keras.optimizers.AdamW(rate, weight_decay=0.02),
    learning_rate=4e-4,
    batch=32,
    start=Start.FOLDED_RESNET18,
    warmup_epochs=1,
    decay_epochs=8,
    augment=augment_far,
    balance=True,
    flips=0.1,
    ema=0.999,
)
