"""Spaces of hyperparameters: the values that each may take, and candidates drawn from them."""

from __future__ import annotations

import abc
import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.stats import qmc

from surgrad._chosen import Chosen
from surgrad._numbers import require_real, require_whole
from surgrad._surrogate import Surrogate

Candidates = dict[str, Any]
"""Values by name, each with a leading axis of candidates; the value of a `Choice` is the number of an option."""

_NUMBERS = (int, float, np.generic, np.ndarray, jax.Array)


class Dimension(abc.ABC):
    """Base class of the dimensions of a space: the values that one hyperparameter may take."""

    coordinates: int = 1
    """How many coordinates of the unit cube a value takes."""
    levels: int | None = None
    """The number of values, if they are finitely many and have no order."""

    @abc.abstractmethod
    def from_cube(self, u: np.ndarray) -> np.ndarray:
        """The values at points of the unit cube, `(candidates, coordinates)`, with a leading axis of candidates."""

    @abc.abstractmethod
    def to_cube(self, value: Any) -> np.ndarray:
        """The point of the unit cube, `(coordinates,)`, that one value belongs to."""

    @abc.abstractmethod
    def expected(self, value: Any) -> str | None:
        """None if a value is in the dimension, else what is expected, for an error message."""

    @abc.abstractmethod
    def resolved(self, value: Any) -> Any:
        """What a value stands for; works under `jax.jit`, where it is traced."""


@dataclasses.dataclass(frozen=True)
class Range(Dimension):
    """Real numbers between two ends, evenly spaced.

    Parameters:
        low: lower end.
        high: upper end, above the lower one.
        shape: of a value; `(layers,)` for one number in each layer, say.

    Raises:
        TypeError: an end is not a number.
        ValueError: the range is empty or infinite, or a length in `shape` is no integer >= 1.
    """

    low: float
    high: float
    shape: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        name = type(self).__name__
        for end in ("low", "high"):
            require_real(name, end, getattr(self, end), finite=False)
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise ValueError(f"{name} must have low < high, both finite, got {self.low} and {self.high}.")
        for length in self.shape:
            require_whole(name, **{"each length of shape": length})

    @property
    def coordinates(self) -> int:  # type: ignore[override]
        """One for each number of a value."""
        return math.prod(self.shape)

    def from_cube(self, u: np.ndarray) -> np.ndarray:
        return (self.low + u * (self.high - self.low)).reshape(-1, *self.shape)

    def to_cube(self, value: Any) -> np.ndarray:
        return (np.ravel(value) - self.low) / (self.high - self.low)

    def expected(self, value: Any) -> str | None:
        number = np.asarray(value)
        inside = number.shape == self.shape and np.all((number >= self.low) & (number <= self.high))
        return None if inside else f"lie from {self.low} to {self.high}, in shape {self.shape}"

    def resolved(self, value: Any) -> Any:
        return jnp.asarray(value, float)

    def middle(self) -> float:
        """The number half-way between the ends."""
        return float(self.from_cube(np.full((1, self.coordinates), 0.5)).ravel()[0])


@dataclasses.dataclass(frozen=True)
class LogRange(Range):
    """Positive numbers between two ends, evenly spaced in their logarithm: for scales and learning rates.

    Parameters:
        low: lower end, > 0.
        high: upper end, above the lower one.
        shape: of a value; `(layers,)` for one number in each layer, say.

    Raises:
        TypeError: an end is not a number.
        ValueError: the range is empty, infinite or not positive, or a length in `shape` is no integer >= 1.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.low <= 0:
            raise ValueError(
                f"LogRange is logarithmic, so low must be > 0, got {self.low}; Range(low, high) is linear."
            )

    def from_cube(self, u: np.ndarray) -> np.ndarray:
        return np.exp(self._log.from_cube(u))

    def to_cube(self, value: Any) -> np.ndarray:
        return self._log.to_cube(np.log(value))

    @property
    def _log(self) -> Range:
        """The logarithms, which are evenly spaced."""
        return Range(math.log(self.low), math.log(self.high), self.shape)


@dataclasses.dataclass(frozen=True)
class Choice(Dimension):
    """One of several surrogates, or of several numbers.

    Parameters:
        options: what there is to choose from.

    Raises:
        TypeError: the options are neither all surrogates nor all numbers.
        ValueError: there are none.
    """

    options: tuple[Any, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "options", tuple(self.options))
        if not self.options:
            raise ValueError("Choice has no options; give surrogates, or numbers.")
        if not self._surrogates and not all(isinstance(one, _NUMBERS) for one in self.options):
            raise TypeError(f"Choice: options must be surrogates, or numbers, and not both, got {self.options!r}.")

    @property
    def _surrogates(self) -> bool:
        return all(isinstance(one, Surrogate) for one in self.options)

    @property
    def levels(self) -> int:  # type: ignore[override]
        """The number of options."""
        return len(self.options)

    def from_cube(self, u: np.ndarray) -> np.ndarray:
        return np.minimum((u[:, 0] * self.levels).astype(np.int32), self.levels - 1)

    def to_cube(self, value: Any) -> np.ndarray:
        return np.array([(int(value) + 0.5) / self.levels])

    def expected(self, value: Any) -> str | None:
        integer = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
        if integer and 0 <= value < self.levels:
            return None
        return f"be the number of an option, 0 to {self.levels - 1}"

    def resolved(self, value: Any) -> Any:
        if not self._surrogates:
            return jnp.asarray(self.options)[jnp.asarray(value)]
        if isinstance(value, (int, np.integer)):
            return self.options[int(value)]
        return Chosen(self.options, value)


Space = Mapping[str, Dimension]


def require_space(space: Space) -> None:
    """Check a space.

    Raises:
        TypeError: a dimension is no `Range`, `LogRange` or `Choice`.
        ValueError: there is none.
    """
    if not space:
        raise ValueError("tune: the space is empty; give a Range, a LogRange or a Choice by name.")
    for name, one in space.items():
        if not isinstance(one, Dimension):
            raise TypeError(f"tune: {name} must be a Range, a LogRange or a Choice, got {one!r}.")


def require_candidate(space: Space, candidate: Mapping[str, Any]) -> None:
    """Check a candidate that the user gives.

    Raises:
        ValueError: a name is missing or not in the space, or a value is not in its dimension.
    """
    if set(candidate) != set(space):
        raise ValueError(f"tune: each of initial_candidates must name {sorted(space)}, got {sorted(candidate)}.")
    for name, value in candidate.items():
        expected = space[name].expected(value)
        if expected is not None:
            raise ValueError(f"tune: {name} of each of initial_candidates must {expected}, got {value!r}.")


def sample(space: Space, count: int, seed: int) -> Candidates:
    """Candidates that fill the space evenly, by a scrambled Halton sequence."""
    size = sum(one.coordinates for one in space.values())
    return from_cube(space, qmc.Halton(size, rng=np.random.default_rng(seed)).random(count))


def from_cube(space: Space, cube: np.ndarray) -> Candidates:
    """Candidates at points of the unit cube, `(candidates, coordinates)`."""
    ends = np.cumsum([one.coordinates for one in space.values()])
    return {
        name: one.from_cube(u) for (name, one), u in zip(space.items(), np.split(cube, ends[:-1], axis=1), strict=True)
    }


def resolve(space: Space, candidate: Mapping[str, Any]) -> dict[str, Any]:
    """The hyperparameters that a candidate stands for: numbers, and the options of choices; works under `jax.jit`."""
    return {name: space[name].resolved(value) for name, value in candidate.items()}


def pick(candidates: Candidates, index: int) -> dict[str, Any]:
    """One of several candidates."""
    return jax.tree.map(lambda values: np.asarray(values)[index], candidates)


def stack(candidates: Sequence[Mapping[str, Any]]) -> Candidates:
    """Candidates along a leading axis."""
    return {name: np.stack([np.asarray(one[name]) for one in candidates]) for name in candidates[0]}


def unstack(candidates: Candidates) -> list[dict[str, Any]]:
    """A list of candidates from those along a leading axis."""
    return [pick(candidates, i) for i in range(len(next(iter(candidates.values()))))]
