"""`recipes/shift`, going less by how a picture was taken.

`python -m training.train recipes/even --data CHILDREN --data ADULTS --run RUN --start NPZ`

46 minutes on one core with AMX. Held-out fifth, seed 0: EVENFIGURES Not shipped:
docs/what_helped.md tells why.
"""

from dataclasses import replace

from training.recipes import shift

RECIPE = replace(shift.RECIPE, name="even", even=True)
