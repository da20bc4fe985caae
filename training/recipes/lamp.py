"""A network of `recipes/adapt` taken on to pictures in uneven light.

`python -m training.train recipes/lamp --data CHILDREN --data ADULTS --run RUN
--start MODEL/weights.npz`, the model trained on the same fold and seed.
"""

from dataclasses import replace

from training.recipe import Phase
from training.recipes import adapt

RECIPE = replace(
    adapt.RECIPE,
    name="lamp",
    phases=(Phase(size=160, epochs=5),),
    learning_rate=1.5e-4,
    warmup_epochs=0.25,
    decay_epochs=4,
)
