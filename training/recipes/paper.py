"""Table 1 of the paper, as it stands: from scratch, no augmentation."""

import keras

from training.recipe import Phase, Recipe

RECIPE = Recipe(
    name="paper",
    phases=(Phase(size=224, epochs=1000),),
    optimizer=lambda rate: keras.optimizers.Adagrad(rate),
    learning_rate=0.01,
    batch=64,
    patience=4,
)
