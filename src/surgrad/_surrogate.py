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

from surgrad._config import decode, encode
from surgrad._constructors import unknown_parameter
from surgrad._convention import in_force
from surgrad._elementwise import elementwise, membrane
from surgrad._fields import check_assigned, check_field, parameter
from surgrad._frameworks import unboxed
from surgrad._measurable import Measurable, forget_measures
from surgrad._pytree import mark_seen, static
from surgrad._spike import spike
from surgrad._types import Curve, Input, Membrane, Slope, Spikes
from surgrad.forward import Hard, Mode, Smooth


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
class Surrogate(Measurable):
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
        forward_mode: what the forward pass returns in place of the step, a `surgrad.forward.Mode`; see `with_forward`.
    """

    parameter_tangent: str = static(default="slope", choices=("slope", "function", "none"), kw_only=True)
    second_order: str = static(default="exact", choices=("exact", "surrogate"), kw_only=True)
    smoothed: bool = static(default=False, choices=(False, True), kw_only=True)
    # An option, but no structure: the numbers and the key of a mode are leaves.
    forward_mode: Mode | None = static(default=None, kw_only=True, static=False, option=True)

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
    elementwise: ClassVar[bool] = True
    """Promise: where the forward mode is elementwise, an entry of x decides alone what a call returns for it."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name in ("surrogate_fun", "surrogate_grad"):
            if name in vars(cls):
                setattr(cls, name, elementwise(vars(cls)[name]))
                forget_measures(cls)

    @classmethod
    def _answering(cls, init: Callable[..., None]) -> Callable[..., None]:
        declared = "__dataclass_fields__" in vars(cls)
        return _checked_keywords(cls, init) if declared else super()._answering(init)

    def __setattr__(self, name: str, value: Any) -> None:
        check_assigned(self, name, value)
        if name == "forward_mode":
            value = self._admitted_mode(value)
        elif name == "smoothed" and value and self.forward_mode is not None:
            raise ValueError(_two_modes(self, self.forward_mode))
        super().__setattr__(name, value)

    def _admitted_mode(self, mode: Any) -> Mode | None:
        """Return a forward mode as it is stored: `Hard` and `Smooth` are None, and `smoothed` tells them apart."""
        if not isinstance(mode, Mode | None):
            raise TypeError(
                f"{type(self).__name__}: forward_mode must be an object of surgrad.forward, such as Ternary(), got "
                f"{mode!r}."
            )
        if self.smoothed and type(mode) not in (type(None), Smooth):
            raise ValueError(_two_modes(self, mode))
        if type(mode) is Smooth:
            super().__setattr__("smoothed", True)
        return None if type(mode) in (Hard, Smooth) else mode

    @_of_x_alone
    def __call__(self, x: Input) -> Spikes:
        """Return the spikes, 0 or 1, or what `forward_mode` says, in the shape and dtype of x; integers become floats.

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
        return self.with_forward(Smooth())

    def hard(self) -> Self:
        """Return a copy whose forward pass is the step, 0 or 1; the inverse of `smooth`."""
        return self.with_forward(Hard())

    def with_forward(self, mode: Mode) -> Self:
        """Return a copy with another forward mode: what a call returns, with the slope unchanged.

            >>> import jax.numpy as jnp, surgrad
            >>> spike = surgrad.Sigmoid(4.0).with_forward(surgrad.forward.Ternary())
            >>> spike(jnp.array([-2.5, -1.0, 0.5])).tolist()
            [-1.0, 0.0, 1.0]

        Parameters:
            mode: an object of `surgrad.forward`, or of a class of your own that is derived from `surgrad.forward.Mode`.

        Raises:
            TypeError: the mode is not one.
        """
        return self.replace(smoothed=False, forward_mode=mode)

    def to_config(self) -> dict[str, Any]:
        """Return a dictionary that JSON can represent: the class, and the arguments of its constructor.

        Raises:
            TypeError: an argument of the constructor is not an attribute of its own name, or JSON cannot represent it.
        """
        return encode(self)

    @staticmethod
    def from_config(config: Mapping[str, Any], classes: Iterable[type[Surrogate | Mode]] = ()) -> Any:
        """Return the surrogate that a dictionary of `to_config` describes.

        Parameters:
            config: what `to_config` returned.
            classes: the user's own classes that occur in it, of surrogates and of forward modes.

        Raises:
            KeyError: a class is not known.
            TypeError: a class has no such parameter.
        """
        kinds = (*_descendants(Surrogate), *_descendants(Mode))
        ours = [cls for cls in kinds if cls.__module__.startswith(f"{__package__}.")]
        own = {cls.__name__: cls for cls in ours if not cls.__name__.startswith("_")}
        return decode(config, own | {cls.__name__: cls for cls in classes})


def options_of(surrogate: Surrogate) -> dict[str, Any]:
    """Return the options of a surrogate, which all classes have, by name."""
    return {field.name: getattr(surrogate, field.name) for field in dataclasses.fields(Surrogate)}


def _two_modes(surrogate: Surrogate, mode: Mode | None) -> str:
    return (
        f"{type(surrogate).__name__}: smoothed=True is the forward mode Smooth(), so there can be no other one beside "
        f"it, got {mode!r}; with_forward(mode) returns a copy with another."
    )


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
