"""The contract of a method that searches for hyperparameters, and its records."""

from __future__ import annotations

import abc
from typing import NamedTuple

from surgrad.meta._search.population import Population
from surgrad.meta._search.space import Space


class Rung(NamedTuple):
    """One comparison of runs.

    Parameters:
        steps: updates that each run has made.
        runs: numbers of the runs, the best first; initial candidates are ahead within the margin.
        losses: their mean losses over the updates since the rung before.
    """

    steps: int
    runs: tuple[int, ...]
    losses: tuple[float, ...]


class Search(NamedTuple):
    """What a method did.

    Parameters:
        rungs: the comparisons in order; the first run of the last one is the best, and has been trained to the end.
        updates: of all runs together.
    """

    rungs: tuple[Rung, ...]
    updates: int


class SearchMethod(abc.ABC):
    """Base class of the methods of `tune`: a method is its options, and one function of a `Population`.

    A subclass is best a frozen dataclass that checks its options in `__post_init__`.
    """

    candidates: int
    """The number of runs that start, the initial candidates included."""

    def require(self, steps: int) -> None:
        """Check the options against the number of updates of a whole run; by default every number will do.

        Raises:
            ValueError: they do not fit.
        """
        del steps

    @abc.abstractmethod
    def search(self, population: Population, space: Space, initial: int, seed: int) -> Search:
        """Train the runs of a population, the best of them to the end.

        Parameters:
            population: of `candidates` runs that have not made an update.
            space: of the candidates.
            initial: how many of the first runs have candidates that the user gave.
            seed: of random choices.
        """
