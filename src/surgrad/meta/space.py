"""Spaces of hyperparameters: what each may be, candidates in it, and what a candidate stands for."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.stats import qmc

from surgrad._numbers import require_real, require_whole
from surgrad._surrogate import Surrogate
from surgrad.meta.chosen import Chosen

Candidates = dict[str, Any]
"""Values by name, each with a leading axis of candidates; of a `Choice` its number."""


@dataclasses.dataclass(frozen=True)
class Range:
    """Real numbers between two ends, `log` evenly in their logarithm.

    Parameters:
        low: lower end, > 0 where `log`.
        high: upper end, above the lower one.
        log: whether factors count, not differences.
        shape: of the value; `(layers,)`, say, for one number a layer.

    Raises:
        TypeError: an end is no number.
        ValueError: the range is empty or infinite, or not positive though logarithmic; a length is no integer >= 1.
    """

    low: float
    high: float
    log: bool = True
    shape: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for name, end in (("low", self.low), ("high", self.high)):
            require_real("Range", name, end, finite=False)
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise ValueError(f"Range must have low < high, both finite, got {self.low} and {self.high}.")
        if self.log and self.low <= 0:
            raise ValueError(f"Range is logarithmic, so low must be > 0, got {self.low}; or log=False.")
        for length in self.shape:
            require_whole("Range", **{"each length of shape": length})


@dataclasses.dataclass(frozen=True)
class Choice:
    """One of several surrogates, or of several numbers.

    Parameters:
        options: what there is to choose from.

    Raises:
        TypeError: the options are neither surrogates alone nor numbers alone.
        ValueError: there are none.
    """

    options: tuple[Any, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "options", tuple(self.options))
        if not self.options:
            raise ValueError("Choice has no options; give surrogates, or numbers.")
        if not any(all(isinstance(one, kind) for one in self.options) for kind in (Surrogate, _NUMBERS)):
            raise TypeError(f"Choice: options must be surrogates, or numbers, and not both, got {self.options!r}.")


_NUMBERS = (int, float, np.generic, np.ndarray, jax.Array)
Space = Mapping[str, Range | Choice]


def require_space(space: Space) -> None:
    """Check a space.

    Raises:
        TypeError: a dimension is neither a `Range` nor a `Choice`.
        ValueError: there is none.
    """
    if not space:
        raise ValueError("tune: the space is empty; give a Range or a Choice by name.")
    for name, one in space.items():
        if not isinstance(one, Range | Choice):
            raise TypeError(f"tune: {name} must be a Range or a Choice, got {one!r}.")


def require_candidate(space: Space, candidate: Mapping[str, Any]) -> None:
    """Check what stands for each dimension of a space.

    Raises:
        ValueError: a name is missing or too much, or a value is none of its dimension.
    """
    if set(candidate) != set(space):
        raise ValueError(f"tune: a candidate of first must name {sorted(space)}, got {sorted(candidate)}.")
    for name, value in candidate.items():
        one = space[name]
        if isinstance(one, Choice):
            _require_option(name, one, value)
        else:
            _require_inside(name, one, value)


def _require_option(name: str, one: Choice, value: Any) -> None:
    integer = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not integer or not 0 <= value < len(one.options):
        numbers = f"the number of an option, 0 to {len(one.options) - 1}"
        raise ValueError(f"tune: {name} of a candidate of first must be {numbers}, got {value!r}.")


def _require_inside(name: str, one: Range, value: Any) -> None:
    number = np.asarray(value)
    if number.shape != one.shape or not np.all((number >= one.low) & (number <= one.high)):
        where = f"{one.low} to {one.high}, in shape {one.shape}"
        raise ValueError(f"tune: {name} of a candidate of first must lie from {where}, got {value!r}.")


def sizes(space: Space) -> dict[str, int]:
    """How many coordinates of the unit cube each dimension takes."""
    return {name: math.prod(one.shape) if isinstance(one, Range) else 1 for name, one in space.items()}


def sample(space: Space, count: int, seed: int) -> Candidates:
    """Candidates that fill the space evenly, by a scrambled Halton sequence."""
    cube = qmc.Halton(sum(sizes(space).values()), rng=np.random.default_rng(seed)).random(count)
    return from_cube(space, cube)


def from_cube(space: Space, cube: np.ndarray) -> Candidates:
    """Candidates at points of the unit cube, `(candidates, coordinates)`."""
    found, begin = {}, 0
    for name, one in space.items():
        end = begin + sizes(space)[name]
        found[name] = _values(one, cube[:, begin:end])
        begin = end
    return found


def _values(one: Range | Choice, u: np.ndarray) -> np.ndarray:
    if isinstance(one, Choice):
        return np.minimum((u[:, 0] * len(one.options)).astype(np.int32), len(one.options) - 1)
    low, high = (math.log(one.low), math.log(one.high)) if one.log else (one.low, one.high)
    value = low + u * (high - low)
    return (np.exp(value) if one.log else value).reshape(-1, *one.shape)


def resolve(space: Space, candidate: Mapping[str, Any]) -> dict[str, Any]:
    """What a candidate stands for: numbers, and the options of its choices, under `jit` too."""
    return {name: _resolved(space[name], value) for name, value in candidate.items()}


def _resolved(one: Range | Choice, value: Any) -> Any:
    if isinstance(one, Range):
        return jnp.asarray(value, float)
    if not all(isinstance(option, Surrogate) for option in one.options):
        return jnp.asarray(one.options)[jnp.asarray(value)]
    if isinstance(value, (int, np.integer)):
        return one.options[int(value)]
    return Chosen(one.options, value)


def pick(candidates: Candidates, index: int) -> dict[str, Any]:
    """One of the candidates."""
    return jax.tree.map(lambda values: np.asarray(values)[index], candidates)


def stack(candidates: Sequence[Mapping[str, Any]]) -> Candidates:
    """Candidates along a leading axis."""
    return {name: np.stack([np.asarray(one[name]) for one in candidates]) for name in candidates[0]}


def unstack(candidates: Candidates) -> list[dict[str, Any]]:
    """Candidates one by one."""
    return [pick(candidates, i) for i in range(len(next(iter(candidates.values()))))]
