"""`Mode`, the base class of all forward modes."""

from __future__ import annotations

from typing import Any, ClassVar, dataclass_transform

from surgrad._elementwise import elementwise
from surgrad._fields import check_assigned, check_fields, parameter
from surgrad._pytree import Pytree, static
from surgrad._types import Curve, Membrane, Slope, Spikes


@dataclass_transform(eq_default=False, field_specifiers=(static, parameter))
class Mode(Pytree):
    """A forward mode: the values that a surrogate returns when it is called.

    `surrogate.with_forward(mode)` is a surrogate with another forward mode. Derivatives of all orders hold the value
    constant and use `slope`, which is by default the slope of the surrogate. A subclass defines `value`, elementwise
    in x unless it promises less; other attributes are numbers, which are leaves, and structure, as in surrogates.

        >>> class Graded(surgrad.forward.Mode):
        ...     elementwise = True
        ...     gain: float = 1.0
        ...     def value(self, x, surrogate):
        ...         return jnp.where(x >= 0, 1 + self.gain * x, 0)
        >>> spike = surgrad.Sigmoid(4.0).with_forward(Graded(gain=0.5))
        >>> float(spike(1.0)), float(jax.grad(spike)(0.0))
        (1.5, 1.0)

    Promises are class attributes that a class sets itself; one that is inherited does not count, since a subclass may
    do something else.
    """

    references: ClassVar[tuple[str, ...]] = ()
    """Keys of the publications that the mode comes from."""
    spiking: ClassVar[bool] = False
    """Promise: values are 0 or 1."""
    elementwise: ClassVar[bool] = False
    """Promise: a value depends on its own x alone, so that cells may be fused into one kernel."""
    counts: ClassVar[bool] = False
    """Promise: values are whole numbers of spikes; any number but 0 resets a cell with a reset to zero."""
    differentiable: ClassVar[bool] = False
    """Derivatives are those of the value itself, by x and all hyperparameters, and no slope is used."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name in ("value", "slope", "curve"):
            if name in vars(cls):
                setattr(cls, name, elementwise(vars(cls)[name]))

    def __post_init__(self) -> None:
        check_fields(self)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self.__dict__:
            check_assigned(self, name, value)
        super().__setattr__(name, value)

    def value(self, x: Membrane, surrogate: Any) -> Spikes:
        """Return what the surrogate returns for x, in the shape of x."""
        raise NotImplementedError(f"{type(self).__name__} defines no value(self, x, surrogate), its forward value.")

    def slope(self, x: Membrane, surrogate: Any) -> Slope:
        """Return the derivative of the value by x, as gradients see it: by default the slope of the surrogate."""
        return surrogate.surrogate_grad(x)

    def curve(self, x: Membrane, surrogate: Any) -> Curve:
        """Return a function whose derivative by x is `slope`: by default the curve of the surrogate.

        It is used by `parameter_tangent="function"` and `second_order="surrogate"`. A mode with a slope of its own
        defines both.
        """
        return surrogate.surrogate_fun(x)

    def at_step(self, step: Any) -> Mode:
        """Return the mode for a numbered time step, which `surgrad.nn.FreshDraws` asks for: with a key of its own.

        By default it is the mode itself. A mode that draws at random returns a copy with another key.
        """
        return self


def keeps(mode: Mode, promise: str) -> bool:
    """Return whether the very class of a mode makes a promise."""
    return bool(vars(type(mode)).get(promise, False))
