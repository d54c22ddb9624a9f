"""`width`, `height` and `area` of surrogates, as functions."""

from __future__ import annotations

import jax

from surgrad._surrogate import Surrogate


def width(surrogate: Surrogate) -> jax.Array:
    """Return the full width at half maximum of a surrogate's slope, in units of x; see `Surrogate.fwhm`.

        >>> import surgrad
        >>> round(float(surgrad.width(surgrad.Sigmoid(4.0))), 4)
        0.8814

    Shape: that of the hyperparameters.

    Raises:
        TypeError: the argument is not a surrogate object.
    """
    return _checked("width", surrogate).fwhm()


def height(surrogate: Surrogate) -> jax.Array:
    """Return the largest slope of a surrogate; see `Surrogate.peak`.

        >>> import surgrad
        >>> float(surgrad.height(surgrad.Sigmoid(4.0)))
        1.0

    Shape: that of the hyperparameters.

    Raises:
        TypeError: the argument is not a surrogate object.
    """
    return _checked("height", surrogate).peak()


def area(surrogate: Surrogate) -> jax.Array:
    """Return the integral of a surrogate's slope over all x; see `Surrogate.area`.

        >>> import surgrad
        >>> round(float(surgrad.area(surgrad.FastSigmoid(25.0))), 4)
        0.08

    Shape: that of the hyperparameters.

    Raises:
        TypeError: the argument is not a surrogate object.
    """
    return _checked("area", surrogate).area()


def _checked(name: str, surrogate: Surrogate) -> Surrogate:
    if not isinstance(surrogate, Surrogate):
        raise TypeError(f"{name}: expected a Surrogate object, got {surrogate!r}.")
    return surrogate
