"""What a competitor hands over for a problem."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np


class Program(NamedTuple):
    """The work of a problem, ready to run.

    Parameters:
        step: the loss and its gradient by all parameters; returns when they are there, and holds on to nothing.
        spikes: `(time, batch, ...)` of each layer, as nonzero where a neuron spikes, of the forward pass of the step.
            Empty for a limit, which has no neurons.
        gradients: what the step finds, in the shapes of the problem's parameters.
        planned: bytes that the compiled step takes beyond its inputs and weights; None where nothing is planned.
        implementation: which of its implementations a library has chosen, where it has several.
    """

    step: Callable[[], Any]
    spikes: Callable[[], Sequence[np.ndarray]]
    gradients: Callable[[], dict[str, np.ndarray]]
    planned: Callable[[], int | None] = lambda: None
    implementation: Callable[[], str | None] = lambda: None
