"""Successive halving of candidates that fill the space evenly."""

from __future__ import annotations

import dataclasses

from surgrad.meta._search.method import Search, SearchMethod
from surgrad.meta._search.population import Population
from surgrad.meta._search.rungs import MARGIN, Plan, default_rungs, halved, require_options, require_plan
from surgrad.meta._search.space import Space


@dataclasses.dataclass(frozen=True)
class Halving(SearchMethod):
    """Successive halving (Jamieson and Talwalkar 2016): all runs start, and at each rung the worse ones end.

    Candidates fill the space evenly. A run that diverges ends first.

    Parameters:
        candidates: number of runs that start, >= 1, initial candidates included.
        rungs: `(updates, runs)`, with rising updates and falling runs: after so many updates so many runs go on. None:
            a quarter of the runs at each rung, for the cost of 1.4 whole runs.
        margin: lead, as a share of the loss, >= 0, by which a run must beat those of initial candidates: a few updates
            say less about the end than a good guess.

    Raises:
        ValueError: an option is out of range.
    """

    candidates: int = 8
    rungs: Plan | None = None
    margin: float = MARGIN

    def __post_init__(self) -> None:
        require_options("Halving", self.candidates, self.rungs, self.margin)

    def require(self, steps: int) -> None:
        require_plan("Halving", self.rungs, steps)

    def search(self, population: Population, space: Space, initial: int, seed: int) -> Search:
        plan = default_rungs(population.training.steps, self.candidates) if self.rungs is None else self.rungs
        return halved(population, initial, self.margin, plan)
