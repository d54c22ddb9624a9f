"""Runs of a layer over time, by `lax.scan` and by `unroll`, and their derivatives, which the laws compare.

Layers run in float64 if they can, so that no spike depends on rounding. Compiled functions are kept, and serve several
laws and inputs.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import keystr

from surgrad._check.law import NotApplicableError
from surgrad._shapes import require_shapes
from surgrad._trees import with_leaves
from surgrad._types import PyTree
from surgrad.nn._contract import is_cell, start, step
from surgrad.nn._laws.table import LAYER_LAWS
from surgrad.nn._sequential import Sequential
from surgrad.nn._unroll import unroll

Run = Callable[[Any, PyTree, Any], tuple[PyTree, PyTree]]
"""A run of a layer over time: `(layer, state, inputs) -> (state, outputs)`."""
SCAN = "lax.scan"
_LEAST = 4
_QUICK = {"xla_backend_optimization_level": 0}
"""Each program runs once or twice only: without optimising the laws take a quarter less time on a CPU."""


def scan(layer: Any, state: PyTree, inputs: Any) -> tuple[PyTree, PyTree]:
    """The layer by `lax.scan` of its time steps, with which all other runs are compared."""
    return jax.lax.scan(lambda state, x: step(layer, state, x), state, inputs)


def unrolled(layer: Any, state: PyTree, inputs: Any, **options: Any) -> tuple[PyTree, PyTree]:
    """The layer by `unroll`; a connection is run as a part of a network."""
    if is_cell(layer):
        return unroll(layer, state, inputs, **options)
    (state,), outputs = unroll(Sequential(layer), (None,), inputs, **options)
    return state, outputs


def in_network(layer: Any, state: PyTree, inputs: Any, **options: Any) -> tuple[PyTree, PyTree]:
    """The layer by `unroll`, as a part of a network."""
    (state,), outputs = unroll(Sequential(layer), (state,), inputs, **options)
    return state, outputs


def at_rest(layer: Any, inputs: Any) -> PyTree:
    """The state before the first time step, as a constant: it may be made of numbers that are differentiated by."""
    return jax.lax.stop_gradient(start(layer, inputs.shape[1:], inputs.dtype))


def split(tree: PyTree) -> tuple[list[jax.Array], Callable[[list[Any]], PyTree]]:
    """The floating numbers of a tree, and a function that puts other numbers in their places."""
    leaves = jax.tree.leaves(tree)
    moving = [i for i, leaf in enumerate(leaves) if is_floating(leaf)]

    def merged(values: list[Any]) -> PyTree:
        return with_leaves(tree, dict(zip(moving, values, strict=True)))

    return [jnp.asarray(leaves[i]) for i in moving], merged


def is_floating(leaf: Any) -> bool:
    """Whether a leaf is a floating number, by which one can differentiate."""
    return isinstance(leaf, float) or (hasattr(leaf, "dtype") and jnp.issubdtype(leaf.dtype, jnp.floating))


def cast(tree: PyTree, dtype: Any) -> PyTree:
    """The tree with its floating arrays in a dtype; numbers of Python have none, and stay."""
    return jax.tree.map(
        lambda leaf: jnp.asarray(leaf, dtype) if is_floating(leaf) and not isinstance(leaf, float) else leaf, tree
    )


class LayerProbe:
    """A layer with inputs over time, and everything that was computed of them, at most once."""

    def __init__(self, layer: Any, inputs: Any) -> None:
        # A copy, because tracing leaves a mark on an object, so that changes of it warn.
        self.layer = jax.tree.map(lambda leaf: leaf, layer)
        self.inputs = _admitted(inputs)
        self._programs: dict[str, Any] = {}
        self._results: dict[tuple[str, str], Any] = {}

    @property
    def name(self) -> str:
        """The name of the layer's class, or of the function."""
        return getattr(self.layer, "__name__", type(self.layer).__name__)

    def by_name(self, values: list[Any]) -> dict[str, Any]:
        """Values for the layer's floating numbers by their names, such as `"surrogate.alpha"`."""
        leaves = jax.tree_util.tree_leaves_with_path(self.layer)
        names = [keystr(path, simple=True, separator=".") or "it" for path, leaf in leaves if is_floating(leaf)]
        return dict(zip(names, values, strict=True))

    @functools.cached_property
    def drawn(self) -> np.ndarray:
        """Inputs of the size of those given, but different in each place and at each time step."""
        random = np.random.default_rng(0)
        mixed = random.permutation(self.inputs.ravel()).reshape(self.inputs.shape)
        if not jnp.issubdtype(mixed.dtype, jnp.floating):
            return mixed
        return (mixed.astype(float) * random.uniform(0.4, 1.6, mixed.shape)).astype(mixed.dtype)

    @functools.cached_property
    def lengths(self) -> tuple[int, int, int]:
        """Two lengths of chunks and one of segments; only the first divides the number of time steps."""
        time = len(self.inputs)
        divisor = next((n for n in range(3, time) if time % n == 0), time)
        ragged = [n for n in range(3, time) if time % n]
        return divisor, ragged[0], next(iter(ragged[1:]), ragged[0])

    @property
    def paths(self) -> dict[str, Run]:
        """All ways to run the layer over time, by name; the first is the reference."""
        divisor, ragged, segment = self.lengths
        return {
            SCAN: scan,
            self.whole_chunks: functools.partial(unrolled, chunk_size=divisor),
            self.chunks: functools.partial(unrolled, chunk_size=ragged),
            self.segments: functools.partial(unrolled, chunk_size=ragged, checkpoint_every=segment),
            self.whole_segments: functools.partial(unrolled, chunk_size=divisor, checkpoint_every=divisor),
            f"unroll(Sequential(layer), chunk_size={ragged})": functools.partial(in_network, chunk_size=ragged),
        }

    @property
    def whole_chunks(self) -> str:
        """The name of the run in chunks that divide the number of time steps."""
        return f"unroll(chunk_size={self.lengths[0]})"

    @property
    def chunks(self) -> str:
        """The name of the run in chunks that do not divide the number of time steps."""
        return f"unroll(chunk_size={self.lengths[1]})"

    @property
    def segments(self) -> str:
        """The name of the run with checkpoints, in segments that do not divide the number of time steps."""
        return f"unroll(chunk_size={self.lengths[1]}, checkpoint_every={self.lengths[2]})"

    @property
    def whole_segments(self) -> str:
        """The name of the run with checkpoints, in segments that divide the number of time steps."""
        return f"unroll(chunk_size={self.lengths[0]}, checkpoint_every={self.lengths[0]})"

    @functools.cached_property
    def wide(self) -> Any:
        """The dtype of the runs: float64 if the layer can run in it, else float32."""
        with jax.enable_x64(True):
            return np.dtype("float64") if self._runs("float64") else np.dtype("float32")

    def _runs(self, dtype: Any) -> bool:
        try:
            layer, inputs = cast(self.layer, dtype), self._typed(self.inputs, dtype)
            jax.eval_shape(lambda x: scan(layer, start(layer, x.shape[1:], x.dtype), x), inputs)
        except Exception:  # the laws of states report this defect
            return False
        return True

    def require_runs(self) -> None:
        """Skip a law if `lax.scan` cannot run the layer at all, which other laws report."""
        if self.wide == "float32" and not self._runs("float32"):
            because = ("init_fits", "keeps_state")
            raise NotApplicableError("lax.scan cannot run it: see init_fits and keeps_state", because)

    def require(self, name: str) -> None:
        """Skip a law if the law `name`, from which its failure would follow, fails and is not waived."""
        if name not in getattr(type(self.layer), "waivers", {}) and self.cached((name, ""), lambda: self._broken(name)):
            raise NotApplicableError(f"it would follow from {name}, which fails", (name,))

    def _broken(self, name: str) -> bool:
        try:
            return LAYER_LAWS[name].broken(self) is not None
        except NotApplicableError:
            return False
        except Exception:
            return True

    def require_cell(self) -> None:
        """Skip a law of states if the layer is a connection."""
        if not is_cell(self.layer):
            raise NotApplicableError("a connection has no state")

    def precision(self) -> contextlib.AbstractContextManager[Any]:
        """The context in which laws compute: float64 where the layer can run in it."""
        self.require_runs()
        return jax.enable_x64(True) if self.wide == "float64" else contextlib.nullcontext()

    def widened(self) -> Any:
        """The layer in the dtype in which laws compute."""
        return cast(self.layer, self.wide)

    def at_rest(self, inputs: np.ndarray | None = None) -> tuple[PyTree, jax.Array]:
        """The state before the first time step, and inputs in the dtype of the laws; None means those drawn."""
        x = self._typed(self.drawn if inputs is None else inputs, self.wide)
        return start(self.widened(), x.shape[1:], x.dtype), x

    @staticmethod
    def _typed(inputs: np.ndarray, dtype: Any) -> jax.Array:
        """Floating inputs in a dtype; booleans and integers stay as they are."""
        return jnp.asarray(inputs, dtype if jnp.issubdtype(inputs.dtype, jnp.floating) else None)

    def compiled(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The compiled function; one that was compiled under that name before is used again."""
        quick = _QUICK if jax.default_backend() == "cpu" else None
        return self._programs.setdefault(name, jax.jit(function, compiler_options=quick))

    def values(self, path: str, inputs: np.ndarray | None = None, state: PyTree = None) -> dict[str, PyTree]:
        """The outputs and the last state of a run, from rest or from a given state."""
        with self.precision():
            rest, x = self.at_rest(inputs)
            numbers, merged = split(self.widened())
            run = self.compiled(path, lambda numbers, state, x: self.paths[path](merged(numbers), state, x))
            last, outputs = run(numbers, rest if state is None else state, x)
            return jax.tree.map(np.asarray, {"outputs": outputs, "state": last})

    def cached(self, key: tuple[str, str], make: Callable[[], Any]) -> Any:
        """The result of `make`, which is called once for each key."""
        if key not in self._results:
            self._results[key] = make()
        return self._results[key]


def _admitted(inputs: Any) -> np.ndarray:
    """Inputs as an array.

    Raises:
        TypeError: they are not an array of real numbers.
        ValueError: they have no time axis, no feature axis or too few time steps, or are all zero.
    """
    array = np.asarray(inputs)
    if not any(jnp.issubdtype(array.dtype, kind) for kind in (jnp.floating, jnp.integer, bool)):
        given = f"{type(inputs).__name__} of {array.dtype}"
        raise TypeError(f"check: inputs must be an array of real numbers over time, got {given}.")
    pattern = f"time >= {_LEAST}, *batch >= 1, features >= 1"
    require_shapes("check", {"inputs": (array.shape, pattern)}, "; for example jnp.ones((20, 2, 8))")
    if not array.any():
        raise ValueError("check: inputs are all zero, so that no neuron spikes; give inputs that drive the layer.")
    return array
