"""Arrays of samples, in memory, as data of `fit`."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from surgrad._pytree import Pytree, static
from surgrad._trees import path_name


class Samples(Pytree):
    """Samples in arrays: `len(samples)` is their number, and `samples[indices]` the arrays of some of them.

        >>> import numpy as np
        >>> from surgrad import train
        >>> spikes, labels = np.zeros((20, 100, 8)), np.arange(100)  # time leads, and 100 samples
        >>> samples = train.Samples((spikes, labels), axes=(1, 0))
        >>> some = samples[np.array([3, 5])]
        >>> len(samples), some[0].shape, some[1].tolist()
        (100, (20, 2, 8), [3, 5])

    Parameters:
        arrays: one array, or a tree of arrays, such as `(inputs, labels)`; batches have the same structure.
        axes: the axis of the samples in the arrays, one for all or a tuple with one for each.

    Raises:
        TypeError: something is no array.
        ValueError: there is no array, an axis is not there, or the arrays have different numbers of samples.
    """

    arrays: Any
    axes: int | tuple[int, ...] = static(default=0)

    def __post_init__(self) -> None:
        counts: dict[str, int] = {}
        leaves = jax.tree_util.tree_leaves_with_path(self.arrays)
        if isinstance(self.axes, tuple) and len(self.axes) != len(leaves):
            raise ValueError(f"Samples: there are {len(leaves)} arrays, and {len(self.axes)} axes; give one for each.")
        for (path, leaf), axis in zip(leaves, self._axes(len(leaves)), strict=True):
            name = path_name(path) or "arrays"
            if not isinstance(leaf, (jax.Array, np.ndarray)):
                raise TypeError(
                    f"Samples: {name} must be an array, got {type(leaf).__name__}; write np.asarray(values)."
                )
            if not 0 <= axis < leaf.ndim:
                raise ValueError(f"Samples: {name} has no axis {axis}, got shape {leaf.shape}.")
            counts[name] = leaf.shape[axis]
        if len(set(counts.values())) != 1:
            found = ", ".join(f"{name} has {count}" for name, count in counts.items()) or "there is none"
            raise ValueError(f"Samples: all arrays must have the same number of samples, {found}; axes= says where.")

    def _axes(self, count: int) -> tuple[int, ...]:
        return self.axes if isinstance(self.axes, tuple) else (self.axes,) * count

    @property
    def traced_indices(self) -> bool:
        """Whether `data[indices]` takes traced indices, so that `train.fit` makes many updates in one program: True."""
        return True

    @property
    def batch_axes(self) -> Any:
        """The axis of the samples in each array, for the devices of `train.fit`: `axes`, as a tree like the arrays."""
        structure = jax.tree.structure(self.arrays)
        return structure.unflatten(self._axes(structure.num_leaves))

    def __len__(self) -> int:
        first = jax.tree.leaves(self.arrays)[0]
        return first.shape[self._axes(1)[0]]

    def __getitem__(self, indices: Any) -> Any:
        """The arrays of some samples, in the order of the indices."""
        leaves, structure = jax.tree.flatten(self.arrays)
        axes = self._axes(len(leaves))
        some = [leaf[(slice(None),) * axis + (indices,)] for leaf, axis in zip(leaves, axes, strict=True)]
        return structure.unflatten(some)
