"""Forward modes that are functions of x and the surrogate alone: the step, and the curve."""

from __future__ import annotations

from typing import Any, ClassVar

from surgrad._types import Curve, Membrane, Spikes
from surgrad.forward._mode import Mode


class Hard(Mode):
    """The step: exactly 1 where x >= 0 and 0 elsewhere, also where x is NaN. It is the default of all surrogates.

    >>> import surgrad
    >>> surgrad.Sigmoid().with_forward(surgrad.forward.Hard()) == surgrad.Sigmoid()
    True
    """

    spiking = elementwise = True

    def value(self, x: Membrane, surrogate: Any) -> Spikes:
        return (x >= 0).astype(x.dtype)


class Smooth(Mode):
    """The curve of the surrogate, with its own derivatives by x and by all hyperparameters.

    A network that is trained so and then run with hard spikes loses accuracy: 30 points on N-MNIST, to 65.7 %
    (Nicholson 2026, Sharpness aware surrogate training for spiking neural networks, arXiv 2603.18039; abstract and
    author's account read). Some epochs with hard spikes at the end give much of it back; the how-to page on forward
    modes measures both.

    >>> import surgrad
    >>> surgrad.Sigmoid().with_forward(surgrad.forward.Smooth()) == surgrad.Sigmoid().smooth()
    True
    """

    references: ClassVar[tuple[str, ...]] = ("nicholson2026sharpness",)
    elementwise = differentiable = True

    def value(self, x: Membrane, surrogate: Any) -> Curve:
        return surrogate.surrogate_fun(x)


_HARD, _SMOOTH = Hard(), Smooth()


def mode_of(surrogate: Any) -> Mode:
    """Return the forward mode in force of a surrogate: its `forward_mode`, or `Smooth()` or `Hard()`."""
    return surrogate.forward_mode or (_SMOOTH if surrogate.smoothed else _HARD)
