"""The second half of `xray`: from its weights, at full size and a lower rate."""

import keras

from training.recipe import Phase, Recipe, Start

RECIPE = Recipe(
    name="xray_longer",
    phases=(Phase(size=224, epochs=5),),
    optimizer=lambda rate: keras.optimizers.AdamW(rate, weight_decay=0.02),
    learning_rate=2e-4,
    batch=32,
    start=Start.WEIGHTS,
    warmup_epochs=0.5,
    cosine=True,
    augment=True,
    balance=True,
    label_smoothing=0.05,
    ema=0.99,
)
