"""What sets the width of a surrogate: nothing, calibration before training, or a rule that adapts it while training."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.flatten_util
from jaxtyping import Array

from surgrad import meta

PHASES = 8
"""How often `Temperature` and `Hybrid` change something in a run."""
SPACING, STEP, SAMPLED = 0.2, 0.05, 128
"""Of `Temperature`: δ, ε, and the number of weights of the first connection by which it takes finite differences."""


@dataclasses.dataclass(frozen=True)
class Rule:
    """The width stays as it is given."""

    calibrated = False
    """Whether training begins at the calibrated widths."""
    scales_shape = True
    """Whether it is run with every shape; else with one."""
    searches = False
    """Whether it is `meta.tune`, which runs by itself."""
    size = "height"
    """Where it is run with one: what is 1 of its slope."""

    def begin(self, problem: Any, network: Any, batch: Any) -> Any:
        """The network whose training begins."""
        return meta.calibrate(network, problem.inputs(batch)).model if self.calibrated else network

    def during(self, problem: Any, network: Any, batch: Any, step: Array, key: Array, memory: Array) -> Any:
        """The network whose gradient is taken at an update, and a number that is kept, at first 1."""
        return network, memory


class Calibrate(Rule):
    """`meta.calibrate`, by the first batch; after that the width stays."""

    calibrated = True


class Anneal(Rule):
    """Calibrated, then from twice as wide to half as wide, exponentially (the rule of `meta.schedule`'s example)."""

    calibrated, scales_shape = True, False

    def during(self, problem: Any, network: Any, batch: Any, step: Array, key: Array, memory: Array) -> Any:
        factor = 0.5 * 4.0 ** (step / problem.updates)
        return meta.with_surrogates(network, lambda _, surrogate: surrogate.steeper(factor)), memory


class Hybrid(Rule):
    """Calibrated; `meta.hybrid` (Wang et al. 2023): curves at a share of the neurons, from 0.8 to 0 in equal phases.

    The area of the slope is 1, so that curves go from 0 to 1.
    """

    calibrated, scales_shape, size = True, False, "area"

    def during(self, problem: Any, network: Any, batch: Any, step: Array, key: Array, memory: Array) -> Any:
        share = 0.8 * (1 - (step * PHASES // problem.updates) / (PHASES - 1))
        return meta.hybrid(network, share, key), memory


class Temperature(Rule):
    """Calibrated; `meta.adapt_temperature` (Li et al. 2021) at the beginning of each phase, by some of the weights."""

    calibrated, scales_shape = True, False

    def during(self, problem: Any, network: Any, batch: Any, step: Array, key: Array, memory: Array) -> Any:
        weights, restore = jax.flatten_util.ravel_pytree(network.connections()[0])
        chosen = jax.random.choice(key, len(weights), (min(SAMPLED, len(weights)),), replace=False)

        def softer(temperature: Array) -> Any:
            return meta.with_surrogates(network, lambda _, surrogate: surrogate.steeper(1 / temperature))

        def loss(some: Array, temperature: Array) -> Array:
            first = restore(weights.at[chosen].set(some))
            return problem.loss(softer(temperature).with_connections((first, *network.connections()[1:])), batch)

        def adapted(temperature: Array) -> Array:
            return meta.adapt_temperature(loss, weights[chosen], temperature, spacing=SPACING, step=STEP)

        begins = step % (problem.updates // PHASES) == 0
        memory = jax.lax.cond(begins, adapted, lambda temperature: temperature, memory)
        return softer(memory), memory


class Tune(Rule):
    """Calibrated, then `meta.tune`: four widths begin, the calibrated one among them, and the worse ones end early."""

    calibrated, scales_shape, searches = True, False, True


class Follow(Rule):
    """`meta.follow_membranes` (MPD-AGL, Jiang et al. 2025): a rectangle as wide as the membranes of each batch."""

    scales_shape = False

    def during(self, problem: Any, network: Any, batch: Any, step: Array, key: Array, memory: Array) -> Any:
        return meta.follow_membranes(network, meta.record(network, problem.inputs(batch)).membranes), memory


RULES: dict[str, Rule] = {
    "fixed": Rule(),
    "calibrate": Calibrate(),
    "schedule": Anneal(),
    "hybrid": Hybrid(),
    "temperature": Temperature(),
    "follow": Follow(),
    "tune": Tune(),
}
