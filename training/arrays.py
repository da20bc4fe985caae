"""Arrays side by side: in each an entry for every picture, slice or patient."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Self

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Arrays:
    """A table whose fields are arrays of one length (n, …)."""

    def of(self, rows: NDArray[np.bool_] | NDArray[np.int64]) -> Self:
        """Take the chosen rows alone: whether, (n,), or which."""
        return type(self)(*(getattr(self, each.name)[rows] for each in fields(self)))

    @classmethod
    def joined(cls, tables: Sequence[Self]) -> Self:
        """Put the rows of several tables one after the other."""
        return cls(
            *(
                np.concatenate([getattr(each, field.name) for each in tables])
                for field in fields(cls)
            )
        )
