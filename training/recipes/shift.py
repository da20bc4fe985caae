"""For chest X-rays from elsewhere: far augmentation, doubtful kinds allowed for, adults joined.

`python -m training.train recipes/shift --data CHILDREN --data ADULTS --run RUN --start NPZ`

The whole way from the ImageNet start in one run, a third of the computing of `recipes/xray` and
`recipes/adapt` after it: 56 minutes on one core with AMX beside other work. Held-out fifth, seed 0:
accuracy 0.812 (95 % interval 0.777 - 0.844), macro AUROC 0.918, specificity 0.985; adults'
pneumonia AUROC 0.857 (0.778 - 0.933). With uneven light, which `augment_far` knows since: accuracy
0.791, adults 0.839. Not shipped: docs/what_helped.md tells why. Of later bacterial pictures every
second looks viral: hence `flips`.
"""

import keras

from training.augment import augment_far
from training.recipe import Phase, Recipe, Start

RECIPE = Recipe(
    name="shift",
    phases=(Phase(size=112, epochs=10), Phase(size=160, epochs=6)),
    optimizer=lambda rate: keras.optimizers.AdamW(rate, weight_decay=0.02),
    learning_rate=6e-4,
    batch=32,
    start=Start.FOLDED_RESNET18,
    warmup_epochs=0.5,
    decay_epochs=15.5,
    augment=augment_far,
    balance=True,
    flips=0.1,
    ema=0.995,
)
