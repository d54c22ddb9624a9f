"""Combinators: surrogates that are made of other surrogates.

The hyperparameters of the parts are leaves of the whole. Options, such as `parameter_tangent`, are those of the whole;
of the parts only the curves and slopes are used.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from surgrad._frameworks import unboxed
from surgrad._pytree import static
from surgrad._surrogate import Surrogate, parameter
from surgrad._types import Curve, Membrane, Parameter, Slope


def _part(owner: Surrogate, name: str, value: Any) -> None:
    if not isinstance(value, Surrogate):
        raise TypeError(f"{type(owner).__name__}: {name} must be a Surrogate object, got {value!r}.")


class Asymmetric(Surrogate):
    """One surrogate below the threshold and another from it on.

    The curve of the part above is moved so that the two meet at the threshold.

        >>> one = surgrad.Asymmetric(below=surgrad.LeakyRelu(0.1, 1.0), above=surgrad.Sigmoid(8.0))
        >>> [round(float(one.surrogate_grad(x)), 3) for x in (-1.0, 0.0)]
        [0.1, 2.0]

    Parameters:
        below: surrogate for x < 0.
        above: surrogate for x >= 0.
    """

    below: Surrogate
    above: Surrogate

    def __post_init__(self) -> None:
        _part(self, "below", self.below)
        _part(self, "above", self.above)

    def _either(self, x: Membrane, below: Any, above: Any) -> Membrane:
        # Each part is evaluated on its own half, so that the other half can neither overflow nor produce a NaN.
        return jnp.where(x >= 0, above(jnp.where(x >= 0, x, 0)), below(jnp.where(x >= 0, 0, x)))

    def surrogate_fun(self, x: Membrane) -> Curve:
        at_zero = jnp.zeros_like(x)
        gap = self.below.surrogate_fun(at_zero) - self.above.surrogate_fun(at_zero)
        return self._either(x, self.below.surrogate_fun, lambda v: self.above.surrogate_fun(v) + gap)

    def surrogate_grad(self, x: Membrane) -> Slope:
        return self._either(x, self.below.surrogate_grad, self.above.surrogate_grad)


class Mixture(Surrogate):
    """A weighted sum of surrogates.

        >>> one = surgrad.Mixture([surgrad.Sigmoid(4.0), surgrad.Sigmoid(8.0)], weights=[0.5, 0.5])
        >>> float(one.peak())
        1.5

    Parameters:
        parts: the surrogates.
        weights: one weight per part, >= 0; by default equal, with sum 1. With sum 1, curves stay between 0 and 1.
    """

    parts: Sequence[Surrogate]
    weights: Any = None

    def __post_init__(self) -> None:
        if not isinstance(self.parts, (list, tuple)) or not self.parts:
            raise TypeError(f"Mixture: parts must be a sequence of at least one surrogate, got {self.parts!r}.")
        self.parts = tuple(self.parts)
        for index, value in enumerate(self.parts):
            _part(self, f"parts[{index}]", value)
        if self.weights is None:
            self.weights = (1 / len(self.parts),) * len(self.parts)
        if isinstance(self.weights, list):
            self.weights = tuple(self.weights)
        count = len(self.weights) if isinstance(self.weights, tuple) else np.shape(unboxed(self.weights))[:1]
        if count not in (len(self.parts), (len(self.parts),)):
            raise ValueError(f"Mixture: {len(self.parts)} parts need as many weights, got {self.weights!r}.")
        numbers = [w for w in jax.tree.leaves(self.weights) if isinstance(w, (float, np.ndarray, np.generic))]
        if numbers and not all(np.all(np.isfinite(w) & (np.asarray(w) >= 0)) for w in numbers):
            raise ValueError(f"Mixture: weights must be >= 0 and finite, got {self.weights!r}.")

    def surrogate_fun(self, x: Membrane) -> Curve:
        return sum(
            (w * part.surrogate_fun(x) for w, part in zip(self.weights, self.parts, strict=True)), jnp.zeros_like(x)
        )

    def surrogate_grad(self, x: Membrane) -> Slope:
        return sum(
            (w * part.surrogate_grad(x) for w, part in zip(self.weights, self.parts, strict=True)), jnp.zeros_like(x)
        )


class Shift(Surrogate):
    """A surrogate shifted along x, σ(x - offset). The spike itself still occurs at x = 0.

        >>> float(surgrad.Shift(surgrad.Sigmoid(4.0), 0.5).surrogate_grad(0.5))
        1.0

    Parameters:
        surrogate: the surrogate to shift.
        offset: its new centre, in units of x; positive is above the threshold.
    """

    surrogate: Surrogate
    offset: Parameter = parameter(default=0.0, at_least=-float("inf"))

    def __post_init__(self) -> None:
        _part(self, "surrogate", self.surrogate)

    def surrogate_fun(self, x: Membrane) -> Curve:
        return self.surrogate.surrogate_fun(x - self.offset)

    def surrogate_grad(self, x: Membrane) -> Slope:
        return self.surrogate.surrogate_grad(x - self.offset)

    def peak(self) -> jax.Array:
        return self.surrogate.peak()

    def fwhm(self) -> jax.Array:
        return self.surrogate.fwhm()


class Temperature(Surrogate):
    """A surrogate stretched along x, σ(x/T), with slope σ'(x/T)/T. The area of the slope does not change.

        >>> float(surgrad.Temperature(surgrad.Sigmoid(4.0), 2.0).peak())
        0.5

    Parameters:
        surrogate: the surrogate to stretch.
        temperature: factor T, > 0; above 1 the slope becomes wider and lower.
    """

    surrogate: Surrogate
    temperature: Parameter = parameter(default=1.0, above=0)

    def __post_init__(self) -> None:
        _part(self, "surrogate", self.surrogate)

    def _stretched(self, x: Membrane) -> Membrane:
        # The derivative by the temperature multiplies by x, and is NaN for an infinite x.
        far = jnp.isinf(x)
        return jnp.where(far, x, jnp.where(far, 0, x) / self.temperature)

    def surrogate_fun(self, x: Membrane) -> Curve:
        return self.surrogate.surrogate_fun(self._stretched(x))

    def surrogate_grad(self, x: Membrane) -> Slope:
        return self.surrogate.surrogate_grad(self._stretched(x)) / self.temperature

    def peak(self) -> jax.Array:
        return self.surrogate.peak() / unboxed(self.temperature)

    def fwhm(self) -> jax.Array:
        return self.surrogate.fwhm() * unboxed(self.temperature)

    def area(self) -> jax.Array:
        return self.surrogate.area()

    def _stretched_by(self, factor: Parameter) -> Self:
        return self.replace(temperature=self.temperature * factor)


class Normalized(Surrogate):
    """A surrogate scaled to a given area, peak or width of its slope.

    For area and peak the slope is scaled, and the curve stays at its value at the threshold. For the width the
    surrogate is stretched along x, as by `Temperature`, which does not change its area.

        >>> import surgrad
        >>> float(surgrad.Normalized(surgrad.Sigmoid(7.0), to="width", width=0.5).fwhm())
        0.5

    Parameters:
        surrogate: the surrogate to normalize.
        to: `"area"`, the rise of the curve is 1; `"peak"`, the largest slope is 1; or `"width"`, the full width at half
            maximum of the slope is `width`.
        width: full width at half maximum, in units of x, > 0; 1 if left out, and only for `to="width"`.

    Raises:
        ValueError: the area, peak or width is not finite (the curve has no limits) or not positive; or a width is given
            without `to="width"`.
    """

    surrogate: Surrogate
    to: str = static(default="area", choices=("area", "peak", "width"))
    width: Parameter | None = parameter(default=None, above=0, kw_only=True)

    def __post_init__(self) -> None:
        _part(self, "surrogate", self.surrogate)
        if self.to == "width" and self.width is None:
            self.width = 1.0
        if self.to != "width" and self.width is not None:
            raise ValueError(f"Normalized: width is for to='width', got to={self.to!r} and width={self.width!r}.")
        if any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(unboxed(self.surrogate))):
            return
        with jax.ensure_compile_time_eval():
            size = np.asarray(self._size())
        if not np.all(np.isfinite(size) & (size > 0)):
            hint = "; normalize to='peak' instead" if self.to != "peak" else ""
            raise ValueError(f"Normalized: {self.surrogate!r} has {self.to} {size}, not a positive number{hint}.")

    def _size(self) -> jax.Array:
        return {"area": self.surrogate.area, "peak": self.surrogate.peak, "width": self.surrogate.fwhm}[self.to]()

    def _stretched(self) -> Temperature:
        return Temperature(self.surrogate, unboxed(self.width) / self._size())

    def surrogate_fun(self, x: Membrane) -> Curve:
        if self.to == "width":
            return self._stretched().surrogate_fun(x)
        middle = self.surrogate.surrogate_fun(jnp.zeros_like(x))
        return middle + (self.surrogate.surrogate_fun(x) - middle) / self._size()

    def surrogate_grad(self, x: Membrane) -> Slope:
        if self.to == "width":
            return self._stretched().surrogate_grad(x)
        return self.surrogate.surrogate_grad(x) / self._size()

    def peak(self) -> jax.Array:
        return self._stretched().peak() if self.to == "width" else self.surrogate.peak() / self._size()

    def fwhm(self) -> jax.Array:
        return self._stretched().fwhm() if self.to == "width" else self.surrogate.fwhm()

    def _narrowed(self, factor: Parameter) -> Self:
        return self.replace(surrogate=self.surrogate.steeper(factor))


class Sparse(Surrogate):
    """A surrogate whose slope is zero outside a window, so that most gradients are exactly zero.

        >>> one = surgrad.Sparse(surgrad.InvSquareGrad(25.0), window=0.5)
        >>> [float(one.surrogate_grad(x)) for x in (0.0, 0.6)]
        [1.0, 0.0]

    Parameters:
        surrogate: the surrogate to cut.
        window: half-width of the window, in units of x, > 0; the slope is kept for |x| <= window.
    """

    surrogate: Surrogate
    window: Parameter = parameter(default=1.0, above=0)

    def __post_init__(self) -> None:
        _part(self, "surrogate", self.surrogate)

    def surrogate_fun(self, x: Membrane) -> Curve:
        return self.surrogate.surrogate_fun(jnp.clip(x, -self.window, self.window))

    def surrogate_grad(self, x: Membrane) -> Slope:
        inside = jnp.where(jnp.abs(x) > self.window, 0, x)
        return jnp.where(jnp.abs(x) > self.window, 0, self.surrogate.surrogate_grad(inside))
