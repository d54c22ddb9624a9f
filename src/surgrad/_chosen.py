"""`Chosen`: one of several surrogates, selected by an index, which may be traced."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from surgrad._surrogate import Surrogate
from surgrad._types import Curve, Membrane, Slope


class Chosen(Surrogate):
    """The surrogate `parts[index]`; an index out of range selects the first or the last.

    One program holds all parts and runs the selected one; under `jax.vmap` over the index it runs all of them.

        >>> import surgrad
        >>> float(surgrad.Chosen((surgrad.Sigmoid(4.0), surgrad.ReluGrad(0.5)), 1).surrogate_grad(0.0))
        0.5

    Parameters:
        parts: the surrogates.
        index: number of the selected one, from 0; may be traced.

    Raises:
        TypeError: a part is not a surrogate, or, when called, the index is an array of several numbers.
    """

    parts: Sequence[Surrogate]
    index: Any = 0

    def __post_init__(self) -> None:
        self.parts = tuple(self.parts)
        if not self.parts or not all(isinstance(part, Surrogate) for part in self.parts):
            raise TypeError(f"Chosen: parts must be a sequence of at least one surrogate, got {self.parts!r}.")

    def _switch(self, branches: list[Callable[[Any], Any]], x: Any) -> Any:
        index = jnp.asarray(self.index)
        if index.ndim:
            raise TypeError(f"Chosen: index must be one number, got shape {index.shape}.")
        return jax.lax.switch(index.astype(int), branches, x)

    def surrogate_fun(self, x: Membrane) -> Curve:
        return self._switch([part.surrogate_fun for part in self.parts], x)

    def surrogate_grad(self, x: Membrane) -> Slope:
        return self._switch([part.surrogate_grad for part in self.parts], x)

    def peak(self) -> jax.Array:
        return self._switch([lambda _, part=part: jnp.asarray(part.peak(), float) for part in self.parts], 0)
