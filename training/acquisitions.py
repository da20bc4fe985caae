"""Which pictures give the kind of pneumonia away by the way they were taken.

Up to patient 1306 the bacterial pictures of the Kaggle set look unlike all others of it, healthy
ones included: `python -m training.look_alone` tells them from the later ones by their greys alone.
What names a kind of them may know no more than which machine took them.
"""

import re

import numpy as np
from numpy.typing import NDArray

FIRST_LIKE_THE_REST = 1307


def gives_away(patients: NDArray[np.str_]) -> NDArray[np.bool_]:
    """Tell which patients (n,), named as by `dataset.patient_of`, have such pictures: (n,)."""
    return np.array([_is_early(patient) for patient in patients.tolist()], bool)


def _is_early(patient: str) -> bool:
    numbered = re.fullmatch(r"bacterial/(\d+)", patient)
    return numbered is not None and int(numbered[1]) < FIRST_LIKE_THE_REST
