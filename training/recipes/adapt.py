"""A network of `recipes/xray` taken on to X-rays from elsewhere: far augmentation, adults joined.

`python -m training.train recipes/adapt --data CHILDREN --data ADULTS --run RUN
--start MODEL/weights.npz`, the model trained on the same fold and seed.

106 minutes on two slow cores beside much other work. Held-out fifth, seed 0: accuracy 0.808 (95 %
interval 0.772 - 0.841), macro AUROC 0.924, specificity 0.989; adults' pneumonia AUROC 0.882 (0.806
- 0.946). A constant rate with averaged weights and a fall at the end: what a stopped run leaves in
`RUN/best.npz` is of use. Of later bacterial pictures every second looks viral: hence `flips`.
"""

import keras

from training.augment import augment_far
from training.recipe import Phase, Recipe, Start

RECIPE = Recipe(
    name="adapt",
    phases=(Phase(size=160, epochs=3), Phase(size=128, epochs=4), Phase(size=160, epochs=3)),
    optimizer=lambda rate: keras.optimizers.AdamW(rate, weight_decay=0.02),
    learning_rate=2e-4,
    batch=32,
    start=Start.MODEL,
    warmup_epochs=0.5,
    decay_epochs=5,
    augment=augment_far,
    balance=True,
    flips=0.1,
    ema=0.998,
)
