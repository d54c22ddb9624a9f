"""Candidates that a model of the losses proposes: Optuna's tree-structured Parzen estimator."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from surgrad._numbers import require_whole
from surgrad.meta._search.method import Search, SearchMethod
from surgrad.meta._search.population import Population
from surgrad.meta._search.rungs import MARGIN, Plan, default_rungs, halved, require_options, require_plan
from surgrad.meta._search.space import Candidates, Space, from_cube, unstack


@dataclasses.dataclass(frozen=True)
class Optuna(SearchMethod):
    """Successive halving of candidates that Optuna's tree-structured Parzen estimator proposes from earlier losses.

    The losses are those at the first rung. Needs Optuna: pip install "surgrad[tune]".

    Parameters:
        candidates: number of runs that start, >= 1, initial candidates included.
        batch: candidates that are tried before the model is asked again, >= 1.
        rungs: as those of `Halving`.
        margin: as that of `Halving`.

    Raises:
        ValueError: an option is out of range.
    """

    candidates: int = 8
    batch: int = 4
    rungs: Plan | None = None
    margin: float = MARGIN

    def __post_init__(self) -> None:
        require_options("Optuna", self.candidates, self.rungs, self.margin)
        require_whole("Optuna", batch=self.batch)

    def require(self, steps: int) -> None:
        require_plan("Optuna", self.rungs, steps)
        _imported()

    def search(self, population: Population, space: Space, initial: int, seed: int) -> Search:
        steps = population.training.steps
        plan = default_rungs(steps, self.candidates) if self.rungs is None else list(self.rungs)
        losses = self._proposed(population, space, initial, plan[0][0] if plan else steps, seed)
        return halved(population, initial, self.margin, plan, losses)

    def _proposed(self, population: Population, space: Space, initial: int, steps: int, seed: int) -> np.ndarray:
        """The losses of all runs after some updates, with candidates that the model proposed."""
        optuna = _imported()
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed, n_startup_trials=self.batch))
        for one in unstack(population.candidates)[:initial]:
            study.enqueue_trial(_parameters(space, one))
        losses = np.full(len(population), np.inf)
        for begin in range(0, len(population), self.batch):
            runs = np.arange(begin, min(begin + self.batch, len(population)))
            trials = [study.ask(_distributions(space, optuna)) for _ in runs]
            population.restart(runs, _candidates(space, [trial.params for trial in trials]))
            losses[runs] = population.advance(runs, 0, steps)
            for trial, loss in zip(trials, losses[runs], strict=True):
                failed = not math.isfinite(loss)
                study.tell(trial, None if failed else float(loss), optuna.trial.TrialState.FAIL if failed else None)
        return losses


def _imported() -> Any:
    try:
        import optuna
    except ModuleNotFoundError as missing:
        raise ImportError('meta.Optuna needs Optuna: pip install "surgrad[tune]"') from missing
    return optuna


def _names(space: Space) -> list[tuple[str, int | None]]:
    """For each coordinate a name, and the number of options where it is that of a choice."""
    return [(f"{name}[{i}]", one.levels) for name, one in space.items() for i in range(one.coordinates)]


def _distributions(space: Space, optuna: Any) -> dict[str, Any]:
    """The distribution of each coordinate: options, or the unit interval."""
    interval, options = optuna.distributions.FloatDistribution, optuna.distributions.CategoricalDistribution
    return {
        name: interval(0.0, 1.0) if levels is None else options(list(range(levels))) for name, levels in _names(space)
    }


def _parameters(space: Space, candidate: dict[str, Any]) -> dict[str, Any]:
    """A candidate as Optuna's parameters."""
    cube = np.concatenate([one.to_cube(candidate[name]) for name, one in space.items()])
    return {
        name: float(np.clip(u, 0, 1)) if levels is None else int(u * levels)
        for (name, levels), u in zip(_names(space), cube, strict=True)
    }


def _candidates(space: Space, proposed: list[dict[str, Any]]) -> Candidates:
    """Candidates of Optuna's parameters."""
    cube = [
        [each[name] if levels is None else (each[name] + 0.5) / levels for name, levels in _names(space)]
        for each in proposed
    ]
    return from_cube(space, np.array(cube))
