"""The order of features: channels last in this library, first in NIR, also after they are flattened."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np


@dataclasses.dataclass(frozen=True)
class Layout:
    """Where the features of a layer's input are in NIR.

    Attributes:
        index: an array of the shape of the features here, of places in the flat array of NIR.
        there: the shape of the features in NIR.
    """

    index: np.ndarray
    there: tuple[int, ...]

    @classmethod
    def of(cls, shape: tuple[int, ...]) -> Layout:
        """The layout of features of a shape `(*space, channels)`, which is `(channels, *space)` in NIR."""
        there = (*shape[-1:], *shape[:-1])
        return cls(np.moveaxis(np.arange(math.prod(there)).reshape(there), 0, -1), there)

    @classmethod
    def of_nir(cls, shape: Any) -> Layout:
        """The layout of features of a shape `(channels, *space)` of NIR."""
        channels, *space = map(int, np.ravel(shape))
        return cls.of((*space, channels))

    @property
    def here(self) -> tuple[int, ...]:
        """The shape of the features in this library."""
        return self.index.shape

    def flattened(self) -> Layout:
        """The layout after all axes were merged, here and there."""
        return Layout(self.index.reshape(-1), (self.index.size,))

    def to_nir(self, values: Any) -> np.ndarray:
        """An array that broadcasts to the features here, in NIR's shape and order."""
        given = np.broadcast_to(np.asarray(values), self.here)
        flat = np.empty(given.size, given.dtype)
        flat[self.index.reshape(-1)] = given.reshape(-1)
        return flat.reshape(self.there)

    def to_here(self, values: Any) -> np.ndarray:
        """An array of NIR, or one number for all features, in the shape and order of this library.

        Raises:
            ValueError: it has another shape.
        """
        given = np.asarray(values)
        if given.size == 1:
            return np.broadcast_to(given.reshape(()), self.here)
        if given.size != self.index.size or (given.ndim > 1 and given.shape != self.there):
            raise ValueError(f"its parameters must have the shape {self.there} of its input, got {given.shape}")
        return given.reshape(-1)[self.index]
