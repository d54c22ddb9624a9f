"""Candidates that a model of the losses proposes: Optuna's tree-structured Parzen estimator, a batch at a time."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from surgrad._extras import missing
from surgrad.meta.population import Population
from surgrad.meta.space import Choice, Range, Space, stack, unstack

BATCH = 4
"""Candidates that are tried before the model is asked again."""


def search(population: Population, space: Space, first: int, steps: int, seed: int) -> np.ndarray:
    """The losses of all runs after some updates; all but the first few were given other candidates before.

    Parameters:
        population: of candidates, the first few of which are tried as they are.
        space: what the candidates are from.
        first: how many those are.
        steps: updates that each is judged by.
        seed: of the proposals.

    Raises:
        ImportError: Optuna is not installed.
    """
    try:
        import optuna
    except ModuleNotFoundError as error:
        raise ImportError(missing('method="optuna"', "optuna")) from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed, n_startup_trials=BATCH))
    tried = unstack(population.candidates)
    for one in tried[:first]:
        study.enqueue_trial(_flat(space, one))
    losses = np.full(len(tried), np.inf)
    for begin in range(0, len(tried), BATCH):
        runs = np.arange(begin, min(begin + BATCH, len(tried)))
        trials = [study.ask(_distributions(space, optuna)) for _ in runs]
        population.put(runs, stack([_unflat(space, trial.params) for trial in trials]))
        losses[runs] = population.advance(runs, 0, steps)
        for trial, loss in zip(trials, losses[runs], strict=True):
            failed = not math.isfinite(loss)
            study.tell(trial, None if failed else float(loss), optuna.trial.TrialState.FAIL if failed else None)
    return losses


def _distributions(space: Space, optuna: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, one in space.items():
        if isinstance(one, Choice):
            found[name] = optuna.distributions.CategoricalDistribution(list(range(len(one.options))))
            continue
        for key in _keys(name, one):
            found[key] = optuna.distributions.FloatDistribution(one.low, one.high, log=one.log)
    return found


def _keys(name: str, one: Range) -> list[str]:
    """A name for each number of a range."""
    return [f"{name}{list(index) if index else ''}" for index in np.ndindex(*one.shape)]


def _flat(space: Space, candidate: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, one in space.items():
        value = np.asarray(candidate[name])
        if isinstance(one, Choice):
            found[name] = int(value)
        else:
            found |= dict(zip(_keys(name, one), map(float, value.ravel()), strict=True))
    return found


def _unflat(space: Space, parameters: dict[str, Any]) -> dict[str, Any]:
    return {
        name: np.int32(parameters[name])
        if isinstance(one, Choice)
        else np.reshape([parameters[key] for key in _keys(name, one)], one.shape)
        for name, one in space.items()
    }
