"""Pooling along one, two or three axes of space, channels last."""

from __future__ import annotations

import functools
import itertools
from typing import Any, ClassVar

import jax.numpy as jnp
from jaxtyping import Array, Shaped

from surgrad._pytree import static
from surgrad._shapes import require_shapes
from surgrad._types import Numbers
from surgrad.nn._contract import Connection
from surgrad.nn._loops import automatically_sharded
from surgrad.nn._windows import per_axis, space_axes


class Pool(Connection):
    """Base of the pools, which reduce windows along `spatial` axes of space, `(..., *space, channels)`.

    Parameters:
        kernel_size: length of a window: an integer, or one for each axis.
        stride: distance between neighbouring windows, likewise; None for that of windows that do not overlap.

    Elements at the end of an axis that do not fill a window are left out.

    Raises:
        ValueError: a number is not an integer >= 1, or there is not one for each axis.
    """

    spatial: ClassVar[int]
    """Number of axes of space."""

    kernel_size: Any = static()
    stride: Any = static(default=None)

    def __post_init__(self) -> None:
        super().__post_init__()
        kind = type(self).__name__
        self.kernel_size = per_axis(kind, "kernel_size", self.kernel_size, self.spatial)
        self.stride = self.kernel_size if self.stride is None else per_axis(kind, "stride", self.stride, self.spatial)

    @staticmethod
    def reduce(windows: Array, axes: tuple[int, ...]) -> Array:
        """The elements of windows, which lie along some axes, as one."""
        raise NotImplementedError

    def __call__(self, x: Numbers) -> Shaped[Array, "... channels"]:
        """Pooled windows, `(..., *space, channels)`.

        Raises:
            ValueError: x has too few axes, or is smaller than a window.
        """
        x = jnp.asarray(x)
        pattern = ", ".join(["...", *space_axes(self.spatial, self.kernel_size), "channels"])
        require_shapes(type(self).__name__, {"the input": (x.shape, pattern)})
        space = x.shape[-self.spatial - 1 : -1]
        disjoint = self.stride == self.kernel_size
        counts = [(n - k) // s + 1 for n, k, s in zip(space, self.kernel_size, self.stride, strict=True)]
        pooled = self._pooled_disjoint if disjoint else self._pooled_anywhere
        return automatically_sharded(functools.partial(pooled, counts), x, features=self.spatial + 1)

    def _pooled_disjoint(self, counts: list[int], x: Array) -> Array:
        """Windows that neither overlap nor leave gaps: a reshape, three times as fast as strided slices on a CPU."""
        kept = [slice(count * k) for count, k in zip(counts, self.kernel_size, strict=True)]
        split = [n for pair in zip(counts, self.kernel_size, strict=True) for n in pair]
        windows = x[(..., *kept, slice(None))].reshape(*x.shape[: -self.spatial - 1], *split, x.shape[-1])
        return self.reduce(windows, tuple(range(-2 * self.spatial, -1, 2)))

    def _pooled_anywhere(self, counts: list[int], x: Array) -> Array:
        """Elements of the windows, each taken from all windows at once, reduced."""
        elements = []
        for first in itertools.product(*map(range, self.kernel_size)):
            ends = [a + (count - 1) * s + 1 for a, count, s in zip(first, counts, self.stride, strict=True)]
            along = [slice(a, end, s) for a, end, s in zip(first, ends, self.stride, strict=True)]
            elements.append(x[(..., *along, slice(None))])
        return self.reduce(jnp.stack(elements), (0,))


class AveragePool(Pool):
    """Base of the pools that take means."""

    @staticmethod
    def reduce(windows: Array, axes: tuple[int, ...]) -> Array:
        return jnp.mean(windows, axes)


class SumPool(Pool):
    """Base of the pools that take sums."""

    @staticmethod
    def reduce(windows: Array, axes: tuple[int, ...]) -> Array:
        return jnp.sum(windows, axes)


class MaximumPool(Pool):
    """Base of the pools that take the largest element, whose derivative equal elements share."""

    @staticmethod
    def reduce(windows: Array, axes: tuple[int, ...]) -> Array:
        return jnp.max(windows, axes)


class AvgPool1d(AveragePool):
    """The means of windows along one axis of space, `(..., width, channels)`."""

    spatial = 1
    takes_time = True


class AvgPool2d(AveragePool):
    """The means of windows along two axes of space, `(..., height, width, channels)`."""

    spatial = 2
    takes_time = True


class AvgPool3d(AveragePool):
    """The means of windows along three axes of space, `(..., depth, height, width, channels)`."""

    spatial = 3
    takes_time = True


class MaxPool1d(MaximumPool):
    """The largest elements of windows along one axis of space, `(..., width, channels)`.

    Equal elements share the derivative. In windows of spikes several are equal as a rule; PyTorch gives all of it to
    the first of them.
    """

    spatial = 1
    takes_time = True


class MaxPool2d(MaximumPool):
    """The largest elements of windows along two axes of space, `(..., height, width, channels)`.

    Equal elements share the derivative. In windows of spikes several are equal as a rule; PyTorch gives all of it to
    the first of them.
    """

    spatial = 2
    takes_time = True


class MaxPool3d(MaximumPool):
    """The largest elements of windows along three axes of space, `(..., depth, height, width, channels)`.

    Equal elements share the derivative. In windows of spikes several are equal as a rule; PyTorch gives all of it to
    the first of them.
    """

    spatial = 3
    takes_time = True


class SumPool1d(SumPool):
    """The sums of windows along one axis of space, `(..., width, channels)`."""

    spatial = 1
    takes_time = True


class SumPool2d(SumPool):
    """The sums of windows along two axes of space, `(..., height, width, channels)`."""

    spatial = 2
    takes_time = True


class SumPool3d(SumPool):
    """The sums of windows along three axes of space, `(..., depth, height, width, channels)`."""

    spatial = 3
    takes_time = True
