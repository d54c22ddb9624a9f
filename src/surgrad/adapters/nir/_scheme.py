"""Decays and time constants: what a leaky filter of NIR does in a time step.

NIR's τ dv/dt = v_leak - v + R I becomes v ← β v + (1 - β)(v_leak + R I), with the decay β = e^(-dt/τ) if the equation
is solved for an input that is constant over the time step, `"exponential"`, and β = 1 - dt/τ by Euler's forward method,
`"euler"`. Both are exact for networks of this library, v ← e^(-1/n) v + I with n = τ/dt time steps:

| | exponential | euler |
|-|-|-|
| τ of NIR | n dt | dt / (1 - e^(-1/n)) |
| R of NIR | 1 / (1 - e^(-1/n)) | the same |
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from surgrad._kinds import require_choice
from surgrad._numbers import require_real

SCHEMES = ("exponential", "euler")


@dataclasses.dataclass(frozen=True)
class Scheme:
    """A time step in seconds, and how the differential equations are integrated over it."""

    dt: float
    name: str

    @classmethod
    def checked(cls, where: str, dt: Any, name: Any) -> Scheme:
        """A scheme of checked arguments.

        Raises:
            TypeError, ValueError: the time step is not a number > 0, or there is no scheme of this name.
        """
        require_real(where, "dt, a time step in seconds,", dt, above=0)
        require_choice(where, "scheme", name, SCHEMES)
        return cls(float(dt), name)

    def tau(self, steps: np.ndarray) -> np.ndarray:
        """NIR's time constants in seconds, of time constants in time steps."""
        return steps * self.dt if self.name == "exponential" else self.dt / fresh(steps)

    def steps(self, tau: np.ndarray) -> np.ndarray:
        """Time constants in time steps, of NIR's in seconds.

        Raises:
            ValueError: Euler's method has no decay above 0 for one.
        """
        if self.name == "exponential":
            return tau / self.dt
        if not np.all(tau > self.dt):
            raise ValueError(
                f"Euler's decay 1 - dt/tau must be above 0, got tau={np.min(tau):g} s for dt={self.dt:g} s; "
                f"give a smaller dt, or scheme='exponential'"
            )
        return -1 / np.log1p(-self.dt / tau)

    def fresh(self, tau: np.ndarray) -> np.ndarray:
        """The share 1 - β of v_leak + R I that enters in a time step, of NIR's time constants."""
        return -np.expm1(-self.dt / tau) if self.name == "exponential" else self.dt / tau


def fresh(steps: np.ndarray) -> np.ndarray:
    """The share 1 - e^(-1/n) that a time constant of n time steps loses in each."""
    return -np.expm1(-1 / steps)
