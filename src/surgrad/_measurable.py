"""Width, height and area of a slope, and the same shape at another of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import jax
import jax.numpy as jnp

from surgrad._area import integral
from surgrad._numbers import require_real
from surgrad._pytree import Pytree
from surgrad._types import Parameter
from surgrad._width import SOMEWHERE, half_maximum

if TYPE_CHECKING:
    from surgrad._surrogate import Surrogate


class Measurable(Pytree):
    """The part of `Surrogate` that measures the slope and scales it; a class of its own for the length of the file."""

    peaks: ClassVar[tuple[float, ...] | None] = None
    """Values of x at which the slope can be largest; None if unknown."""

    if TYPE_CHECKING:

        def surrogate_fun(self, x: Any) -> Any: ...
        def surrogate_grad(self, x: Any) -> Any: ...

    def area(self) -> jax.Array:
        """Return the integral of the slope over all x, from the limits of the curve; infinite if the curve has none.

        Without a curve the slope is integrated numerically, to about 10⁻⁶ of the area: it is NaN if it was not found,
        and its derivative is NaN if the slope jumps.

            >>> import surgrad
            >>> bump = surgrad.from_grad(lambda x, k=2.0: 1 / (1 + k * abs(x)) ** 2)
            >>> round(float(bump.area()), 4)
            1.0

        Shape: that of the hyperparameters.
        """
        with jax.debug_nans(False), jax.debug_infs(False):  # infinities are passed on purpose
            try:
                low, high = (self.surrogate_fun(jnp.asarray(end)) for end in (-jnp.inf, jnp.inf))
            except NotImplementedError:  # the surrogate, or a part of it, has no curve
                return integral(self, self.peaks)
            return high - low

    def peak(self) -> jax.Array:
        """Return the largest slope: at `peaks` of the class, else on a grid of 10⁻⁶ to 10⁶ on both sides of 0.

        A class may override this method, `fwhm` and `area` with closed forms. They hold for that class and for
        subclasses with the same curve and slope.

        Shape: that of the hyperparameters.
        """
        where = SOMEWHERE if self.peaks is None else self.peaks
        return jnp.max(jax.vmap(self.surrogate_grad)(jnp.array(where)), axis=0)

    def fwhm(self) -> jax.Array:
        """Return the full width at half maximum of the slope, in units of x.

        It is the distance between the places nearest to the peak, one on each side, at which the slope has fallen to
        half of the peak; infinite where it never does. It is accurate to about 10⁻⁶ of itself, and differentiable in
        the hyperparameters, except where the slope jumps over half of its peak: there the derivative is NaN.

            >>> round(float(surgrad.ReluGrad(alpha=0.3, width=2.0).fwhm()), 4)
            2.0

        Shape: that of the hyperparameters.
        """
        found = half_maximum(self, self.peaks)
        return found.left + found.right

    def with_width(self: Any, width: Parameter) -> Surrogate:
        """Return the surrogate stretched along x to another full width at half maximum; its area stays.

        As with `with_height` and `with_area`, the result has what was asked for last: a width first, and then a height
        or an area, gives both. All three can be differentiated, by their argument and by the hyperparameters, and take
        one value per neuron. The factor is a hyperparameter of the result: training others changes its width again,
        while `Normalized` keeps it.

            >>> one = surgrad.Sigmoid(7.0).with_width(0.5).with_height(1.0)
            >>> round(float(surgrad.width(one)), 4), round(float(surgrad.height(one)), 4)
            (0.5, 1.0)

        Parameters:
            width: in units of x, > 0.

        Raises:
            TypeError, ValueError: the argument is not a number > 0.
            ValueError: the width now is not a finite number > 0; while it is traced, the result has NaN instead.
        """
        from surgrad._scaled import factor_to

        return self._stretched_by(factor_to(self, "width", width, self.fwhm))

    def with_height(self: Any, height: Parameter) -> Surrogate:
        """Return the surrogate with its slope scaled to another largest slope; see `with_width`.

        The width stays, and the curve stays at its value at the threshold.

        Parameters:
            height: > 0.
        """
        from surgrad._scaled import factor_to

        return self._scaled_by(factor_to(self, "height", height, self.peak))

    def with_area(self: Any, area: Parameter) -> Surrogate:
        """Return the surrogate with its slope scaled to another area, the rise of its curve; see `with_width`.

        The width stays, and the curve stays at its value at the threshold.

        Parameters:
            area: > 0.
        """
        from surgrad._scaled import factor_to

        return self._scaled_by(factor_to(self, "area", area, self.area))

    def _stretched_by(self: Any, factor: Parameter) -> Surrogate:
        """Return σ(x/factor); combinators that pass the factor on to their part override this and the next method."""
        # These imports are against the direction of the layers: methods of the base class make its subclasses.
        from surgrad._combine import Temperature
        from surgrad._surrogate import options_of

        return Temperature(self, factor, **options_of(self))

    def _scaled_by(self: Any, factor: Parameter) -> Surrogate:
        from surgrad._scaled import Scaled
        from surgrad._surrogate import options_of

        return Scaled(self, factor, **options_of(self))

    def steeper(self, factor: Parameter) -> Surrogate:
        """Return a surrogate that is narrower along x by a factor, centred at the threshold, with the same options.

        The area of the slope does not change, as with `Temperature`; a `Normalized` surrogate stays normalized. Factors
        multiply: `s.steeper(2).steeper(3)` is `s.steeper(6)`, to rounding.

        Parameters:
            factor: > 0; below 1 the surrogate becomes wider.

        Raises:
            TypeError: the factor is not a number.
            ValueError: the factor is not > 0 and finite.
        """
        require_real("steeper", "factor", factor, above=0)
        return self._narrowed(factor)

    def _narrowed(self, factor: Parameter) -> Surrogate:
        """Return what `steeper` returns. Combinators that pass the factor on to their part override this method."""
        return self._stretched_by(1 / factor)


def forget_measures(cls: type[Measurable]) -> None:
    """Replace what a class inherits about another slope than its own, such as a closed form of the width."""
    for name in ("peaks", "peak", "fwhm", "area"):
        if name not in vars(cls) and getattr(cls, name) is not vars(Measurable)[name]:
            setattr(cls, name, vars(Measurable)[name])
