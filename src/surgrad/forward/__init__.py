"""Forward modes: what a surrogate returns when it is called, independently of the slope in its derivatives."""

from surgrad.forward._exact import Hard, Smooth
from surgrad.forward._levels import MultiSpike, Ternary
from surgrad.forward._mode import Mode
from surgrad.forward._stochastic import Bernoulli, EscapeNoise, Poisson

__all__ = [
    "Bernoulli",
    "EscapeNoise",
    "Hard",
    "Mode",
    "MultiSpike",
    "Poisson",
    "Smooth",
    "Ternary",
]
