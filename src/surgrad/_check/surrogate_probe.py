"""The values that laws test: spikes, curve and slope of a surrogate on a grid of x, and their derivatives.

Compiled functions take the surrogate as an argument, so that a second check of the same class compiles nothing.
"""

from __future__ import annotations

import contextlib
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from surgrad._check.law import NotApplicableError
from surgrad._surrogate import Surrogate
from surgrad._trees import named_leaves, with_leaves
from surgrad.forward._exact import mode_of

CURVE, SLOPE, SPIKE = "surrogate_fun", "surrogate_grad", "__call__"
FORWARD_SLOPE = "slope of the forward mode"


def _grid() -> tuple[np.ndarray, np.ndarray]:
    """Return sorted points with |x| <= 10⁴, and which of them are round numbers.

    Kinks of slopes and initial membrane potentials are round numbers. The other points avoid kinks; they lie evenly
    around the threshold, and at every scale.
    """
    decades = 10.0 ** np.arange(-6, 5)
    side = np.concatenate([decades, np.arange(1, 129) / 16])
    even = np.arange(1, 450) * (np.sqrt(2) / 80)
    scales = np.geomspace(1e-6, 1e4, 400) * (1 - np.pi / 1e3)
    rounds = np.concatenate([-side, [0.0], side])
    x = np.unique(np.concatenate([rounds, -even, even, -scales, scales]))
    return x, np.isin(x, rounds)


GRID, ROUND = _grid()
THRESHOLD = int(np.searchsorted(GRID, 0.0))


class Probe:
    """A surrogate and its values, each computed at most once."""

    def __init__(self, surrogate: Surrogate) -> None:
        # A copy, since tracing marks an object as one whose numbers compiled code may hold.
        self.surrogate: Surrogate = jax.tree.map(lambda leaf: leaf, surrogate)
        self._values: dict[tuple[str, str], np.ndarray] = {}
        self._derivatives: dict[tuple[str, str], np.ndarray] = {}

    @functools.cached_property
    def parameter_shape(self) -> tuple[int, ...]:
        """The shape of x that the hyperparameters demand: `(neurons,)` if there is one value per neuron."""
        try:
            return jax.eval_shape(self.surrogate.surrogate_grad, jax.ShapeDtypeStruct((), jnp.float32)).shape
        except Exception:  # a defect, which the laws about the slope report
            return ()

    @functools.cached_property
    def x(self) -> np.ndarray:
        """The grid, repeated for every neuron."""
        return self.spread(GRID)

    def spread(self, points: np.ndarray) -> np.ndarray:
        """Return points along the first axis, repeated over the shape of the hyperparameters."""
        shape = self.parameter_shape
        return np.broadcast_to(points.reshape(-1, *(1 for _ in shape)), (len(points), *shape))

    @functools.cached_property
    def methods(self) -> dict[str, str]:
        """The methods that the surrogate defines, by name."""
        return {"slope": SLOPE, "curve": CURVE} if self._has_curve else {"slope": SLOPE}

    @functools.cached_property
    def _has_curve(self) -> bool:
        try:
            jax.eval_shape(self.surrogate.surrogate_fun, jax.ShapeDtypeStruct((), jnp.float32))
        except NotImplementedError:
            return False
        except Exception:  # a defect, which the laws about the curve report
            return True
        return True

    def require_curve(self) -> None:
        """Skip a law about the curve where there is none."""
        if not self._has_curve:
            raise NotApplicableError("no curve is defined")

    def value(self, method: str, dtype: str = "float64") -> np.ndarray:
        """Return a method on the grid, computed in a dtype."""
        if (method, dtype) not in self._values:
            self._values[method, dtype] = self.at(self.x, method, dtype)
        return self._values[method, dtype]

    def derivative(self, method: str, dtype: str = "float64") -> np.ndarray:
        """Return the derivative by x of a method on the grid, in forward mode."""
        key = method, dtype
        if key not in self._derivatives:
            # The value comes with it, and saves a compilation if it is read later.
            value, self._derivatives[key] = self._run(_with_derivative, self.x, method, dtype)
            self._values.setdefault(key, value)
        return self._derivatives[key]

    def in_all_dtypes(self, method: str) -> dict[str, np.ndarray]:
        """Return a method on the grid in float32, float16 and bfloat16, and its reverse-mode `"derivative"` in float32.

        In forward mode a `where` hides what is not finite in the branch not taken, in reverse mode it does not.
        """
        return self._run(_in_all_dtypes, self.x, method, "float32")

    def at(self, x: np.ndarray, method: str, dtype: str) -> np.ndarray:
        """Return a method at given points."""
        return self._run(_value, x, method, dtype)

    def _run(self, compiled: Any, x: np.ndarray, method: str, dtype: str) -> Any:
        wide = dtype == "float64"
        with jax.enable_x64(True) if wide else contextlib.nullcontext():
            surrogate = _widened(self.surrogate) if wide else self.surrogate
            return jax.tree.map(_readable, compiled(surrogate, jnp.asarray(x, dtype), method))

    def integrals(self, left: np.ndarray, right: np.ndarray, panels: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the slope's integrals over intervals by the midpoint rule, and bounds of their errors.

        The rule's error is at most a panel's width times the variation of the slope, also at its kinks.
        """
        places = np.concatenate([[0.0], (np.arange(panels) + 0.5) / panels, [1.0]])
        nodes = left[:, None] + (right - left)[:, None] * places
        slope = self.at(self.spread(nodes.ravel()), SLOPE, "float64").reshape(*nodes.shape, *self.parameter_shape)
        width = self.spread(right - left) / panels
        with np.errstate(invalid="ignore"):
            return slope[:, 1:-1].sum(1) * width, np.abs(np.diff(slope, axis=1)).sum(1) * width

    def pullback(self, cotangents: np.ndarray) -> np.ndarray:
        """Return the reverse-mode derivative of the spikes on the grid, in float32."""
        x = jnp.asarray(self.x, jnp.float32)
        return _readable(_pullback(self.surrogate, x, jnp.asarray(cotangents, jnp.float32)))

    def parameter_derivatives(self) -> dict[str, np.ndarray]:
        """Return the derivatives of all methods by hyperparameters on the grid, in float32, by their names.

        Reverse mode: by each real leaf. Forward mode: along all leaves at once, which is not finite if one of the
        derivatives is not.
        """
        names = [name for name, leaf in named_leaves(self.surrogate) if _is_real(leaf)]
        if not names:
            raise NotApplicableError("there are no hyperparameters")
        methods = {**self.methods, "spike": SPIKE}
        found = _parameter_derivatives(self.surrogate, jnp.asarray(self.x, jnp.float32), tuple(methods.values()))
        derivatives = {}
        for method, (by_leaf, along_all) in zip(methods, found, strict=True):
            for name, values in zip(names, by_leaf, strict=True):
                derivatives[f"d {method}/d {name}"] = _readable(values)
            derivatives[f"in forward mode, d {method}/d ({', '.join(names)})"] = _readable(along_all)
        return derivatives


def _readable(array: Any) -> np.ndarray:
    """Return a result as an array that NumPy can compute with, which bfloat16 is not."""
    array = np.asarray(array)
    return array if array.dtype in (np.float32, np.float64) else array.astype(np.float32)


def _widened(surrogate: Surrogate) -> Surrogate:
    """Return the surrogate with arrays in float64, since strict dtype promotion refuses to mix dtypes."""
    return jax.tree.map(
        lambda v: jnp.asarray(v, jnp.float64) if _is_real(v) and not isinstance(v, float) else v, surrogate
    )


def _is_real(leaf: Any) -> bool:
    """Return whether one can differentiate by a leaf."""
    return isinstance(leaf, float) or (hasattr(leaf, "dtype") and jnp.issubdtype(leaf.dtype, jnp.floating))


@functools.partial(jax.jit, static_argnums=2)
def _value(surrogate: Surrogate, x: jax.Array, method: str) -> jax.Array:
    if method == FORWARD_SLOPE:
        return mode_of(surrogate).slope(x, surrogate)
    return getattr(surrogate, method)(x)


@functools.partial(jax.jit, static_argnums=2)
def _with_derivative(surrogate: Surrogate, x: jax.Array, method: str) -> tuple[jax.Array, jax.Array]:
    return jax.jvp(getattr(surrogate, method), (x,), (jnp.ones_like(x),))


@functools.partial(jax.jit, static_argnums=2)
def _in_all_dtypes(surrogate: Surrogate, x: jax.Array, method: str) -> dict[str, jax.Array]:
    function = getattr(surrogate, method)
    value, pullback = jax.vjp(function, x)
    narrow = {dtype: function(x.astype(dtype)) for dtype in ("float16", "bfloat16")}
    return {"float32": value, "derivative": pullback(jnp.ones_like(value))[0], **narrow}


@jax.jit
def _pullback(surrogate: Surrogate, x: jax.Array, cotangents: jax.Array) -> jax.Array:
    return jax.vjp(lambda v: surrogate(v), x)[1](cotangents)[0]


@functools.partial(jax.jit, static_argnums=2)
def _parameter_derivatives(surrogate: Surrogate, x: jax.Array, methods: tuple[str, ...]) -> list[tuple[Any, jax.Array]]:
    """Return for each method its derivatives by each real leaf, and along all of them, from one program."""
    leaves = jax.tree.leaves(surrogate)
    moving = [i for i, leaf in enumerate(leaves) if _is_real(leaf)]
    values = [jnp.asarray(leaves[i]) for i in moving]

    def evaluate(method: str, values: list[jax.Array], x: jax.Array) -> jax.Array:
        return getattr(with_leaves(surrogate, dict(zip(moving, values, strict=True))), method)(x)

    def by_leaf(method: str, row: jax.Array) -> list[jax.Array]:
        return jax.grad(lambda v: evaluate(method, v, row).sum())(values)

    def along_all(method: str) -> jax.Array:
        ones = [jnp.ones_like(v) for v in values]
        return jax.jvp(lambda v: evaluate(method, v, x), (values,), (ones,))[1]

    return [(jax.vmap(functools.partial(by_leaf, method))(x), along_all(method)) for method in methods]
