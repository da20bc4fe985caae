"""A network of `recipes/adapt` taken on, so that it goes less by how a picture was taken.

`python -m training.train recipes/even --data CHILDREN --data ADULTS --run RUN
--start MODEL/weights.npz`, the model trained on the same fold and seed.

27 minutes on one of two cores. Held-out fifth, seed 0: accuracy 0.807 (95 % interval 0.770 -
0.840), macro AUROC 0.928, specificity 0.985; adults' pneumonia AUROC 0.861 (0.779 - 0.930). Not
shipped: docs/what_helped.md tells why.
"""

from dataclasses import replace

from training.recipe import Phase
from training.recipes import adapt

RECIPE = replace(
    adapt.RECIPE,
    name="even",
    phases=(Phase(size=128, epochs=3), Phase(size=160, epochs=4)),
    even=True,
)
