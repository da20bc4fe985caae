"""Ours for chest X-rays: partial ImageNet start, strong augmentation, small size first."""

import keras

from training.recipe import Phase, Recipe, Start

RECIPE = Recipe(
    name="xray",
    phases=(Phase(size=128, epochs=10), Phase(size=224, epochs=10)),
    optimizer=lambda rate: keras.optimizers.AdamW(rate, weight_decay=0.02),
    learning_rate=6e-4,
    batch=32,
    start=Start.FOLDED_RESNET18,
    warmup_epochs=1,
    cosine=True,
    augment=True,
    balance=True,
    mixup=0.0,
    label_smoothing=0.05,
    ema=0.995,
)
