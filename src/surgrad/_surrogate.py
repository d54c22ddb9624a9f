"""`Surrogate`, the base class of all surrogates."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, Self, dataclass_transform

import jax
import jax.numpy as jnp
from jax.core import Tracer

from surgrad._area import integral
from surgrad._config import decode, encode
from surgrad._constructors import unknown_parameter
from surgrad._convention import in_force
from surgrad._elementwise import elementwise, membrane
from surgrad._fields import check_assigned, check_field, parameter
from surgrad._frameworks import unboxed
from surgrad._numbers import require_real
from surgrad._pytree import Pytree, mark_seen, static
from surgrad._spike import spike
from surgrad._types import Curve, Input, Membrane, Parameter, Slope, Spikes
from surgrad._width import SOMEWHERE, half_maximum


def _checked_keywords(cls: type[Surrogate], init: Callable[..., None]) -> Callable[..., None]:
    """Return the constructor with support for aliases, and an error that lists the parameters."""
    signature = inspect.signature(init)
    names = [n for n in signature.parameters if n != "self"]

    @functools.wraps(init)
    def wrapped(self: Surrogate, *args: Any, **kwargs: Any) -> None:
        for name in kwargs.keys() - set(names):
            if name not in cls.aliases:
                raise unknown_parameter(type(self), name, [*names, *cls.aliases])
            meant, convert = cls.aliases[name]
            if meant in kwargs or meant in names[: len(args)]:
                raise TypeError(f"{cls.__name__}: {name!r} is another name for {meant!r}; give only one of the two.")
            check_field(cls.__name__, name, kwargs[name], cls.__dataclass_fields__[meant].metadata)  # type: ignore[attr-defined]
            kwargs[meant] = convert(kwargs.pop(name))
        init(self, *args, **kwargs)

    return wrapped


def _of_x_alone(call: Callable[..., Any]) -> Callable[..., Any]:
    """A call that says where hyperparameters are set if it gets more than x, as functions of other libraries do."""

    @functools.wraps(call)
    def checked(self: Any, *arguments: Any, **named: Any) -> Any:
        if len(arguments) + len(named) != 1:
            raise TypeError(
                f"{type(self).__name__}: a call takes x alone, got {len(arguments) + len(named)} arguments; a copy "
                f"with other hyperparameters is surrogate.replace(name=value)."
            )
        return call(self, *arguments, **named)

    return checked


@dataclass_transform(eq_default=False, field_specifiers=(static, parameter))
class Surrogate(Pytree):
    """A curve and its slope; calling it spikes.

    Here x is the dimensionless membrane potential, (voltage - threshold) / scale. The spike is exactly 1 where x >= 0
    and 0 elsewhere, and its derivative by x is `surrogate_grad`, in reverse and in forward mode, to all orders.
    Subclasses define `surrogate_grad`, or `surrogate_fun` (the slope is then its
    derivative), or both, elementwise in x. Their other attributes are hyperparameters: numbers and arrays are leaves
    of a pytree, so a surrogate is an argument like any other of `jax.jit`, `jax.vmap` and `jax.grad`.

        >>> class Box(surgrad.Surrogate):
        ...     width: float = 1.0
        ...     def surrogate_grad(self, x):
        ...         return jnp.where(jnp.abs(x) < self.width / 2, 1 / self.width, 0.0)
        >>> box = Box(width=0.5)
        >>> float(box(0.1)), float(jax.grad(box)(0.1))
        (1.0, 2.0)

    Parameters:
        parameter_tangent: the derivative of a spike by a hyperparameter. `"slope"`: the derivative of
            `surrogate_grad`; `"function"`: that of `surrogate_fun`; `"none"`: zero, the true derivative.
        second_order: the derivative of a gradient. `"exact"`: spikes are constant and slopes are differentiated, which
            agrees with finite differences of the gradient; `"surrogate"`: the spike is replaced by its curve, which
            gives a symmetric Hessian.
        smoothed: whether the forward pass returns the curve; see `smooth`.
    """

    parameter_tangent: str = static(default="slope", choices=("slope", "function", "none"), kw_only=True)
    second_order: str = static(default="exact", choices=("exact", "surrogate"), kw_only=True)
    smoothed: bool = static(default=False, choices=(False, True), kw_only=True)

    references: ClassVar[tuple[str, ...]] = ()
    """Keys of the publications that the surrogate comes from."""
    aliases: ClassVar[dict[str, tuple[str, Callable[[Any], Any]]]] = {}
    """Other names of constructor keywords: `{alias: (name, value of the alias -> value of the name)}`."""
    waivers: ClassVar[dict[str, str]] = {}
    """Laws of `check` that the surrogate breaks on purpose: `{law: reason}`."""
    tags: ClassVar[frozenset[str]] = frozenset()
    """What the slope at the defaults is like, in words of `TAGS`; `catalogue` filters by them."""
    verified: ClassVar[str] = ""
    """What the formula was compared with besides the publications: code of authors or of another library."""
    peaks: ClassVar[tuple[float, ...] | None] = None
    """Values of x at which the slope can be largest; None if unknown."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name in ("surrogate_fun", "surrogate_grad"):
            if name in vars(cls):
                setattr(cls, name, elementwise(vars(cls)[name]))
                _forget_measures(cls)

    @classmethod
    def _answering(cls, init: Callable[..., None]) -> Callable[..., None]:
        declared = "__dataclass_fields__" in vars(cls)
        return _checked_keywords(cls, init) if declared else super()._answering(init)

    def __setattr__(self, name: str, value: Any) -> None:
        check_assigned(self, name, value)
        super().__setattr__(name, value)

    @_of_x_alone
    def __call__(self, x: Input) -> Spikes:
        """Return the spikes, 0 or 1, in the shape and dtype of x; integers are promoted to floats.

        Raises:
            TypeError: x is complex, a list, or has a physical unit.
            ValueError: a hyperparameter does not broadcast to the shape of x.
        """
        if isinstance(x, Tracer):
            mark_seen(self)
        surrogate = in_force(self)
        try:
            return spike(surrogate, x)
        except TypeError:  # a box, such as a ParamState of brainstate, is no argument of a compiled function
            plain = unboxed(surrogate)
            if plain is surrogate:
                membrane(x, type(self).__name__)  # raises our own message if x is the cause
                raise
        return spike(plain, x)

    def surrogate_fun(self, x: Membrane) -> Curve:
        """Return the curve: a soft step whose derivative is `surrogate_grad`, in the shape and dtype of x.

        Raises:
            NotImplementedError: the class defines no curve.
        """
        raise NotImplementedError(_without_curve(type(self)))

    def surrogate_grad(self, x: Membrane) -> Slope:
        """Return the slope: the surrogate of the derivative of the spike, in the shape and dtype of x."""
        return jax.jvp(self.surrogate_fun, (x,), (jnp.ones_like(x),))[1]

    def derivative(self, x: Membrane) -> Slope:
        """Return the slope. The layers of `sparx` call it by this name; `jaxpike` calls the surrogate itself."""
        return self.surrogate_grad(x)

    def smooth(self) -> Self:
        """Return a copy whose forward pass is the curve, with its derivatives by x and all hyperparameters.

        A surrogate without a curve raises a `NotImplementedError` when the copy is called.

        >>> import surgrad
        >>> float(surgrad.Sigmoid(4.0).smooth()(0.0))
        0.5
        """
        return self.replace(smoothed=True)

    def hard(self) -> Self:
        """Return a copy whose forward pass is the step, 0 or 1; the inverse of `smooth`."""
        return self.replace(smoothed=False)

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

    def to_config(self) -> dict[str, Any]:
        """Return a dictionary that JSON can represent: the class, and the arguments of its constructor.

        Raises:
            TypeError: an argument of the constructor is not an attribute of its own name, or JSON cannot represent it.
        """
        return encode(self)

    @staticmethod
    def from_config(config: Mapping[str, Any], classes: Iterable[type[Surrogate]] = ()) -> Any:
        """Return the surrogate that a dictionary of `to_config` describes.

        Parameters:
            config: what `to_config` returned.
            classes: the user's own classes that occur in it.

        Raises:
            KeyError: a class is not known.
            TypeError: a class has no such parameter.
        """
        ours = [cls for cls in _descendants(Surrogate) if cls.__module__.startswith(f"{__package__}.")]
        own = {cls.__name__: cls for cls in ours if not cls.__name__.startswith("_")}
        return decode(config, own | {cls.__name__: cls for cls in classes})

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

    def with_width(self, width: Parameter) -> Surrogate:
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

    def with_height(self, height: Parameter) -> Surrogate:
        """Return the surrogate with its slope scaled to another largest slope; see `with_width`.

        The width stays, and the curve stays at its value at the threshold.

        Parameters:
            height: > 0.
        """
        from surgrad._scaled import factor_to

        return self._scaled_by(factor_to(self, "height", height, self.peak))

    def with_area(self, area: Parameter) -> Surrogate:
        """Return the surrogate with its slope scaled to another area, the rise of its curve; see `with_width`.

        The width stays, and the curve stays at its value at the threshold.

        Parameters:
            area: > 0.
        """
        from surgrad._scaled import factor_to

        return self._scaled_by(factor_to(self, "area", area, self.area))

    def _stretched_by(self, factor: Parameter) -> Surrogate:
        """Return σ(x/factor); combinators that pass the factor on to their part override this and the next method."""
        # These imports are against the direction of the layers: methods of the base class make its subclasses.
        from surgrad._combine import Temperature

        return Temperature(self, factor, **_options(self))

    def _scaled_by(self, factor: Parameter) -> Surrogate:
        from surgrad._scaled import Scaled

        return Scaled(self, factor, **_options(self))


def _forget_measures(cls: type[Surrogate]) -> None:
    """Replace what a class inherits about another slope than its own, such as a closed form of the width."""
    for name in ("peaks", "peak", "fwhm", "area"):
        if name not in vars(cls) and getattr(cls, name) is not vars(Surrogate)[name]:
            setattr(cls, name, vars(Surrogate)[name])


def _options(surrogate: Surrogate) -> dict[str, Any]:
    """Return the options that every surrogate has, for one that is made around it."""
    return {field.name: getattr(surrogate, field.name) for field in dataclasses.fields(Surrogate)}


def _without_curve(cls: type[Surrogate]) -> str:
    """Return the message for a class that defines no curve, where that is needed."""
    if cls.surrogate_grad is Surrogate.surrogate_grad:
        return (
            f"{cls.__name__} defines neither surrogate_grad(self, x), its slope, nor surrogate_fun(self, x), its "
            f"curve; define one of the two."
        )
    return (
        f"{cls.__name__} defines no curve, surrogate_fun(self, x), which smooth(), "
        f"parameter_tangent='function' and second_order='surrogate' need; define it, or do without those."
    )


def _descendants(cls: type) -> list[type]:
    return [c for child in cls.__subclasses__() for c in (child, *_descendants(child))]


for _name in ("surrogate_fun", "surrogate_grad"):  # as for the methods of all subclasses
    setattr(Surrogate, _name, elementwise(vars(Surrogate)[_name]))
