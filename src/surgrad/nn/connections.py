"""Connections: weighted sums of the inputs, all steps of time at once; no state."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Shaped

from surgrad._fields import check_whole
from surgrad._pytree import static
from surgrad._types import Numbers
from surgrad.nn.checks import real_array
from surgrad.nn.contract import Connection, flag, weight_array
from surgrad.nn.dtypes import like, promoted, wide
from surgrad.nn.loops import automatically_sharded


class Dense(Connection):
    """Weighted sums of all inputs, x W + b, along the last axis.

    Booleans and whole numbers (events, frames of bytes) count as numbers of the type of the weights.

    Parameters:
        weights: W, `(inputs, outputs)`.
        bias: b, `(outputs,)`.
        event_driven: whether products go through the inputs that are not zero, in the gradient of the weights too, and
            the gradient of the inputs through that of the outputs. The results are those of the full products, to
            rounding. It pays on a CPU where few inputs are not zero: spikes. Needs `pip install "surgrad[events]"`.
    """

    takes_time = weighted = True

    weights: Shaped[Array | np.ndarray, "inputs outputs"] = weight_array()
    bias: Shaped[Array | np.ndarray, " outputs"] = weight_array()
    event_driven: bool = flag(default=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        weights, bias = jnp.shape(self.weights), jnp.shape(self.bias)
        if len(weights) != 2 or bias != weights[1:]:
            raise ValueError(
                f"Dense: weights must be (inputs, outputs) and bias (outputs,), got shapes {weights} and {bias}; "
                f"Dense.random(key, inputs, outputs) draws them."
            )

    @classmethod
    def random(cls, key: Array, inputs: int, outputs: int, gain: float = 1.0, **options: Any) -> Dense:
        """Normal weights of standard deviation gain/√inputs, and a bias of zero.

        Raises:
            ValueError: inputs or outputs is not a whole number, >= 1.
        """
        return cls(normal(cls, key, (inputs, outputs), gain), jnp.zeros(outputs), **options)

    def __call__(self, x: Numbers) -> Float[Array, "... outputs"]:
        """Weighted sums.

        Raises:
            TypeError: x is complex.
            ValueError: the last axis of x is not as long as the weights are high.
        """
        x, inputs = real_array(self, x), self.weights.shape[0]
        if x.shape[-1:] != (inputs,):
            raise ValueError(f"Dense: the last axis of the input must be {inputs} long, got shape {x.shape}.")
        return with_bias(product(x, self.weights, self.event_driven), self.bias)

    def with_weights(self, weights: Array) -> Dense:
        """The same layer with other weights, and a bias of zero."""
        return self.replace(weights=weights, bias=jnp.zeros_like(self.bias))


class Conv(Connection):
    """Convolution (cross-correlation, as usual) along one or two axes of space, channels last.

    Parameters:
        weights: kernel, `(width, inputs, outputs)` or `(height, width, inputs, outputs)`.
        bias: `(outputs,)`.
        stride: places from one output to the next, along every axis of space.
        padding: `"SAME"`, zeros around, so that there are ⌈places / stride⌉ outputs, or `"VALID"`, no zeros.
    """

    takes_time = weighted = True
    whole_sequence = True  # XLA runs convolutions ten times slower inside a loop on a CPU.

    weights: Shaped[Array | np.ndarray, "*space inputs outputs"] = weight_array()
    bias: Shaped[Array | np.ndarray, " outputs"] = weight_array()
    stride: int = static(default=1, kw_only=True, whole=1)
    padding: str = static(default="SAME", kw_only=True, choices=("SAME", "VALID"))

    def __post_init__(self) -> None:
        super().__post_init__()
        weights, bias = jnp.shape(self.weights), jnp.shape(self.bias)
        if len(weights) not in (3, 4) or bias != weights[-1:]:
            raise ValueError(
                f"Conv: weights must be (width, inputs, outputs) or (height, width, inputs, outputs) and bias "
                f"(outputs,), got shapes {weights} and {bias}; Conv.random(key, window, inputs, outputs) draws them."
            )

    @classmethod
    def random(
        cls, key: Array, window: tuple[int, ...], inputs: int, outputs: int, gain: float = 1.0, **options: Any
    ) -> Conv:
        """Normal weights of standard deviation gain/√(inputs of an output), and a bias of zero.

        Raises:
            ValueError: the window is not one or two lengths, `(width,)` or `(height, width)`; a length, inputs or
                outputs is not a whole number, >= 1.
        """
        if not isinstance(window, (tuple, list)):
            raise ValueError(f"Conv: window must be (width,) or (height, width), got {window!r}.")
        return cls(normal(cls, key, (*window, inputs, outputs), gain), jnp.zeros(outputs), **options)

    def __call__(self, x: Numbers) -> Float[Array, "... outputs"]:
        """Convolutions, `(..., *space, outputs)`.

        Raises:
            TypeError: x is complex.
            ValueError: x has no axes of space, or fewer places there than a kernel without padding, or another number
                of channels than the kernel.
        """
        x, (*window, _, outputs) = real_array(self, x), self.weights.shape
        self._check_fit(x.shape)
        dtype, letters = promoted(x, self.weights), "HW"[-len(window) :]

        def convolved(x: Array, weights: Array) -> Array:
            leading, image = x.shape[: -len(window) - 1], x.shape[-len(window) - 1 :]
            y = jax.lax.conv_general_dilated(
                x.reshape(math.prod(leading), *image),
                weights,
                (self.stride,) * len(window),
                self.padding,
                dimension_numbers=(f"N{letters}C", f"{letters}IO", f"N{letters}C"),
            )
            return y.reshape(*leading, *y.shape[1:-1], outputs)

        weights = jnp.asarray(self.weights).astype(dtype)
        return with_bias(
            automatically_sharded(convolved, x.astype(dtype), weights, features=len(window) + 1), self.bias
        )

    def with_weights(self, weights: Array) -> Conv:
        """The same layer with other weights, and a bias of zero."""
        return self.replace(weights=weights, bias=jnp.zeros_like(self.bias))

    def _check_fit(self, given: tuple[Any, ...]) -> None:
        *window, inputs, _ = self.weights.shape
        least = window if self.padding == "VALID" else [1] * len(window)
        space = given[-len(window) - 1 : -1]
        if len(space) == len(window) and given[-1] == inputs and all(n >= w for n, w in zip(space, least, strict=True)):
            return
        names = ("height", "width")[-len(window) :]
        expected = ", ".join(f"{name} >= {w}" for name, w in zip(names, least, strict=True))
        raise ValueError(f"Conv: the input must be (..., {expected}, {inputs} channels), got shape {given}.")


class Pool(Connection):
    """The mean, sum or maximum of windows that do not overlap, along the axes of space, channels last.

    Parameters:
        window: lengths of a window, one an axis of space; what does not fill one at the end is left out.
        kind: `"mean"`, `"sum"` or `"max"`, whose derivative equal values share.
    """

    takes_time = True

    window: tuple[int, ...] = static()
    kind: str = static(default="mean", kw_only=True, choices=("mean", "sum", "max"))

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.window, (tuple, list)) or not self.window:
            raise ValueError(f"Pool: window must be a tuple, one length an axis of space, got {self.window!r}.")
        self.window = tuple(self.window)
        for length in self.window:
            check_whole("Pool", "window", length, 1)

    def __call__(self, x: Numbers) -> Shaped[Array, "... channels"]:
        """Pooled windows, `(..., *space, channels)`.

        Raises:
            ValueError: x has no axes of space, or shorter ones than the window.
        """
        x = jnp.asarray(x)
        axes, shape = len(self.window), x.shape
        space = shape[-axes - 1 : -1]
        if len(space) < axes or any(n < w for n, w in zip(space, self.window, strict=True)):
            expected = ", ".join(f">= {w}" for w in self.window)
            raise ValueError(f"Pool: the input must be (..., {expected}, channels), got shape {shape}.")
        counts = [n // w for n, w in zip(space, self.window, strict=True)]
        kept = x[(..., *(slice(c * w) for c, w in zip(counts, self.window, strict=True)), slice(None))]
        split = [n for pair in zip(counts, self.window, strict=True) for n in pair]
        reduce = {"mean": jnp.mean, "sum": jnp.sum, "max": jnp.max}[self.kind]

        def pooled(x: Array) -> Array:
            windows = x.reshape(*x.shape[: -axes - 1], *split, x.shape[-1])
            return reduce(windows, axis=tuple(range(-2 * axes, -1, 2)))

        return automatically_sharded(pooled, kept, features=axes + 1)


class Flatten(Connection):
    """The last axes, of space and channels say, as one.

    Parameters:
        axes: how many axes, >= 1.
    """

    takes_time = True

    axes: int = static(whole=1)

    def __call__(self, x: Numbers) -> Shaped[Array, ...]:
        """The array with its last axes as one.

        Raises:
            ValueError: x has fewer axes.
        """
        if jnp.ndim(x) < self.axes:
            raise ValueError(f"Flatten: the input must have {self.axes} axes or more, got shape {jnp.shape(x)}.")
        x = jnp.asarray(x)
        return x.reshape(*x.shape[: -self.axes], math.prod(x.shape[-self.axes :]))


def normal(kind: type, key: Array, shape: tuple[int, ...], gain: float) -> Array:
    """Normal weights of standard deviation gain/√inputs; the outputs are the last axis, the inputs all others.

    Raises:
        ValueError: a length is not a whole number, >= 1.
    """
    for length in shape:
        check_whole(f"{kind.__name__}.random", "lengths", length, 1)
    return jax.random.normal(key, shape) * (gain / math.prod(shape[:-1]) ** 0.5)


def product(x: Numbers, weights: Numbers, event_driven: bool) -> Float[Array, "... outputs"]:
    """The product x W, through the elements of x that are not zero if told so; events count as floating numbers."""
    x, weights = jnp.asarray(x), jnp.asarray(weights)
    dtype = promoted(x, weights)
    x, weights = x.astype(dtype), weights.astype(dtype)
    if not event_driven:
        return automatically_sharded(jnp.matmul, x, weights)
    from surgrad.nn.events import event_product

    return automatically_sharded(event_product, x, weights)


def with_bias(y: Float[Array, "... outputs"], bias: Numbers) -> Float[Array, "... outputs"]:
    """The sum y + b in the type of y, whose gradient by b is summed in float32 at least."""
    of_sum = wide(y.dtype)
    return (y.astype(of_sum) + like(y.astype(of_sum), jnp.asarray(bias))).astype(y.dtype)
