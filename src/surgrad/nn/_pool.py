"""Pooling along one, two or three axes of space, channels last."""

from __future__ import annotations

import itertools
from typing import Any, ClassVar

import jax.numpy as jnp
from jaxtyping import Array, Shaped

from surgrad._pytree import static
from surgrad._types import Numbers
from surgrad.nn._contract import Connection
from surgrad.nn._loops import automatically_sharded
from surgrad.nn._windows import per_axis


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

    kernel_size: Any = static()
    stride: Any = static(default=None)

    def __post_init__(self) -> None:
        super().__post_init__()
        kind = type(self).__name__
        self.kernel_size = per_axis(kind, "kernel_size", self.kernel_size, self.spatial)
        self.stride = self.kernel_size if self.stride is None else per_axis(kind, "stride", self.stride, self.spatial)

    @staticmethod
    def reduce(windows: Array, axis: int) -> Array:
        """The windows' elements along an axis as one."""
        raise NotImplementedError

    def __call__(self, x: Numbers) -> Shaped[Array, "... channels"]:
        """Pooled windows, `(..., *space, channels)`.

        Raises:
            ValueError: x has too few axes, or is smaller than a window.
        """
        x = jnp.asarray(x)
        space = x.shape[-self.spatial - 1 : -1]
        if len(space) < self.spatial or any(n < k for n, k in zip(space, self.kernel_size, strict=True)):
            expected = ", ".join(f">= {k}" for k in self.kernel_size)
            raise ValueError(
                f"{type(self).__name__}: the input must be (..., {expected}, channels), got shape {x.shape}."
            )
        return automatically_sharded(self._pooled, x, features=self.spatial + 1)

    def _pooled(self, x: Array) -> Array:
        """Elements of the windows, each taken from all windows at once, reduced."""
        space, elements = x.shape[-self.spatial - 1 : -1], []
        spans = [((n - k) // s) * s + 1 for n, k, s in zip(space, self.kernel_size, self.stride, strict=True)]
        for first in itertools.product(*map(range, self.kernel_size)):
            along = [slice(a, a + span, s) for a, span, s in zip(first, spans, self.stride, strict=True)]
            elements.append(x[(..., *along, slice(None))])
        return self.reduce(jnp.stack(elements), 0)


class AveragePool(Pool):
    """Base of the pools that take means."""

    @staticmethod
    def reduce(windows: Array, axis: int) -> Array:
        return jnp.mean(windows, axis)


class SumPool(Pool):
    """Base of the pools that take sums."""

    @staticmethod
    def reduce(windows: Array, axis: int) -> Array:
        return jnp.sum(windows, axis)


class MaximumPool(Pool):
    """Base of the pools that take the largest element, whose derivative equal elements share."""

    @staticmethod
    def reduce(windows: Array, axis: int) -> Array:
        return jnp.max(windows, axis)


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
    """The largest elements of windows along one axis of space, `(..., width, channels)`."""

    spatial = 1
    takes_time = True


class MaxPool2d(MaximumPool):
    """The largest elements of windows along two axes of space, `(..., height, width, channels)`."""

    spatial = 2
    takes_time = True


class MaxPool3d(MaximumPool):
    """The largest elements of windows along three axes of space, `(..., depth, height, width, channels)`."""

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
