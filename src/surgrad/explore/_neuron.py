"""One time step of a LIF neuron and its derivative, from the library's cell, in JavaScript."""

from __future__ import annotations

from itertools import product
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from surgrad._surrogate import Surrogate, parameter
from surgrad._types import Membrane, Parameter, Slope
from surgrad.explore._translate import javascript
from surgrad.nn._cells import LIF, LIFState

SEEDS, STEPS = 8, 200
"""How many noise currents the page has, and how many time steps at most."""


class _Given(Surrogate):
    """A surrogate with one slope for every x, a number: the page fills in that of the chosen surrogate."""

    value: Parameter = parameter(default=1.0, at_least=-float("inf"))

    def surrogate_grad(self, x: Membrane) -> Slope:
        return self.value * jnp.ones_like(x)


def neuron() -> dict[str, dict[str, str]]:
    """Return the steps of a LIF neuron, in JavaScript, by reset and by whether it is detached: `"subtract,false"`.

    `forward(v, current, [tau, threshold])` gives the membrane potential after the reset, the spike, and x.
    `backward(v, current, [tau, threshold], slope, of v, of spike)` gives the derivatives by the membrane potential
    before the step and by the current, from those by the results of the step.
    """
    found = {}
    for reset, detach in product(("subtract", "zero"), (False, True)):

        def step(v: Any, current: Any, p: Any, slope: Any, reset: str = reset, detach: bool = detach) -> Any:
            seen: list[Any] = []

            def spike(x: Membrane) -> Any:
                seen.append(x)
                return _Given(slope)(x)

            cell = LIF(spike, p[0], p[1], reset=reset, detach_reset=detach)
            state, spikes = cell(LIFState(v[None]), current[None])
            return state.v[0], spikes[0], seen[0][0]

        def forward(v: Any, current: Any, p: Any, step: Any = step) -> Any:
            return step(v, current, p, jnp.ones_like(v))

        def backward(v: Any, current: Any, p: Any, slope: Any, of_v: Any, of_spike: Any, step: Any = step) -> Any:
            _, pull = jax.vjp(lambda v, current: step(v, current, p, slope)[:2], v, current)
            return pull((of_v, of_spike))

        numbers = [10.0, 1.0]
        found[f"{reset},{str(detach).lower()}"] = {
            "forward": javascript(forward, 0.0, 0.0, numbers),
            "backward": javascript(backward, 0.0, 0.0, numbers, 1.0, 0.0, 0.0),
        }
    return found


def noise() -> list[list[float]]:
    """Return standard normal numbers for each seed, as NumPy draws them."""
    return [[round(z, 9) for z in np.random.default_rng(seed).standard_normal(STEPS).tolist()] for seed in range(SEEDS)]
