"""Base class of objects that are pytrees: numbers are leaves, all other attributes are structure."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self, dataclass_transform

import jax
import numpy as np
from jax.core import Tracer

from surgrad._answers import MissingAttributeError, constructor_that_answers
from surgrad._constructors import construct, constructor_parameters, made_of_fields, unknown_parameter
from surgrad._frameworks import is_box, register
from surgrad._shown import shown

_LEAVES, _LAYOUT, _SEEN = "_pytree_leaves", "_pytree_layout", "_pytree_seen"
_PRIVATE = frozenset((_LEAVES, _LAYOUT, _SEEN))
_PACKAGE = __name__.partition(".")[0]
_NUMBERS = (float, int, complex, np.generic, np.ndarray, jax.Array)


class StaleSurrogateWarning(UserWarning):
    """Warning: an attribute was assigned, but compiled code may still use its old value.

    >>> one = surgrad.Sigmoid(4.0)
    >>> jax.grad(one)(0.0).item()
    1.0
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     one.alpha = 8.0
    >>> caught[0].category.__name__
    'StaleSurrogateWarning'
    """


def static(default: Any = dataclasses.MISSING, *, kw_only: bool = False, **metadata: Any) -> Any:
    """Declare a field that is structure: it is never a leaf, and another value means another compiled program.

    >>> class Rounded(surgrad.Surrogate):
    ...     alpha: float = 4.0
    ...     digits: int = surgrad.static(default=2)
    ...     def surrogate_grad(self, x):
    ...         return jnp.round(jnp.exp(-self.alpha * jnp.abs(x)), self.digits)
    >>> jax.tree.leaves(Rounded())
    [4.0]
    """
    return dataclasses.field(default=default, kw_only=kw_only, metadata={"static": True, **metadata})


class _Unhashable:
    """Wrapper of a structural value that has no hash and is compared by `==`: a list, dictionary or array."""

    def __init__(self, value: Any):
        self.value = value

    def __hash__(self) -> int:
        return hash(type(self.value))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Unhashable) and bool(np.all(self.value == other.value))


class _Layout(NamedTuple):
    """Structure of an object: the names of its leaves, and the names and values of its other attributes."""

    leaves: tuple[str, ...]
    names: tuple[str, ...]
    values: tuple[Any, ...]


def _is_numeric(value: Any) -> bool:
    """Return whether a value is a number, an array, a box of a framework, or a tree of those alone."""
    if isinstance(value, (float, Pytree)):
        return True
    if value is None or isinstance(value, (bool, str, Iterator)):
        return False
    leaves = jax.tree.leaves(value)
    return bool(leaves) and all(map(_is_number, leaves))


def _is_number(leaf: Any) -> bool:
    return is_box(leaf) or (isinstance(leaf, _NUMBERS) and not isinstance(leaf, (bool, np.bool_)))


def _float_of_int(value: Any) -> Any:
    """Return `4` as `4.0`, also inside lists, tuples and dictionaries."""
    if type(value) is int:
        return float(value)
    if type(value) in (list, tuple, dict):
        return jax.tree.map(lambda v: float(v) if type(v) is int else v, value)
    return value


def _identity(leaf: Any) -> Any:
    """Return the key by which leaves are compared: the number, or shape, dtype and bytes, or else the identity."""
    if isinstance(leaf, Tracer):
        return id(leaf)
    if isinstance(leaf, jax.Array) and jax.numpy.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        return str(leaf.dtype), _identity(jax.random.key_data(leaf))
    if isinstance(leaf, (np.ndarray, np.generic, jax.Array)):
        try:
            array = np.asarray(leaf)
        except Exception:  # deleted or not addressable buffers
            return id(leaf)
        return array.shape, array.dtype.str, array.tobytes()
    return leaf if isinstance(leaf, (float, int, complex)) else id(leaf)


def _structural_names(cls: type) -> frozenset[str]:
    """Return names declared as `static()` or annotated as int, bool or str in the class or in its constructor."""
    annotations = dict(inspect.get_annotations(cls))
    if "__init__" in vars(cls):
        annotations |= inspect.get_annotations(vars(cls)["__init__"])
    names = {n for n, kind in annotations.items() if kind in (int, bool, str, "int", "bool", "str")}
    if dataclasses.is_dataclass(cls):
        names |= {f.name for f in dataclasses.fields(cls) if f.metadata.get("static")}
    return frozenset(names)


def _declares_fields(cls: type) -> bool:
    own = inspect.get_annotations(cls).values()
    return any("ClassVar" not in (kind if isinstance(kind, str) else repr(kind)) for kind in own)


@dataclass_transform(eq_default=False, field_specifiers=(static,))
@dataclasses.dataclass(eq=False, repr=False)
class Pytree:
    """Base class of objects that are pytrees of JAX: numbers are leaves, the rest is structure.

    Floats, arrays and trees of those are leaves; `bool`, `str`, `None`, functions and `static()` fields are
    structure; an attribute given as `4` means `4.0`, unless it is declared `static()` or annotated `int`. In an
    object that JAX rebuilt the same attributes are leaves, of any value. The constructor is generated from
    the declared fields, unless the class defines `__init__`.

    Objects are equal by value (class, structure and numbers; arrays by shape, dtype and bytes, so that a float is not
    equal to an array of it). A traced number has no value yet, and is equal to itself alone.
    """

    _structural: ClassVar[frozenset[str]] = frozenset()
    _declared: ClassVar[frozenset[str]] = frozenset()

    if TYPE_CHECKING:  # a checker would find a constructor without annotations, and know no type of any subclass

        def __init__(self) -> None: ...

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if vars(cls).get("__slots__"):
            raise TypeError(f"{cls.__name__}: __slots__ hides attributes from JAX; leave it out.")
        if "__init__" not in vars(cls) and _declares_fields(cls):
            dataclasses.dataclass(eq=False, repr=False)(cls)
        cls._declared = cls._declared.union(inspect.get_annotations(cls))
        cls._structural = cls._structural | _structural_names(cls)
        if "__init__" in vars(cls):
            cls.__init__ = cls._answering(vars(cls)["__init__"])
        jax.tree_util.register_pytree_with_keys(
            cls, _flatten_with_keys, functools.partial(_unflatten, cls), flatten_func=_flatten
        )

    @classmethod
    def _answering(cls, init: Callable[..., None]) -> Callable[..., None]:
        """Return the constructor of a class with errors for unexpected keywords that name the right one."""
        return constructor_that_answers(init)

    if not TYPE_CHECKING:  # a checker would find every attribute

        def __getattr__(self, name: str) -> Any:
            if hasattr(type(self), name):  # a property raised this error; raise its own again
                return object.__getattribute__(self, name)
            raise MissingAttributeError(self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        state = self.__dict__
        if name not in state and _is_computed(type(self), name):
            raise AttributeError(_not_assigned(self, name), name=name, obj=None)
        if name not in self._structural:
            value = _float_of_int(value)
        if name not in state and not self._can_hold(name):
            raise MissingAttributeError(self, name)
        if _SEEN in state and name in state:
            _warn_stale(self, name)
        object.__setattr__(self, name, value)
        if name not in state:  # a property, which stores its value elsewhere
            return
        state.pop(_LAYOUT, None)
        leaves = state.get(_LEAVES, ())
        if name not in self._structural and _is_numeric(value):
            register(type(self))
            state[_LEAVES] = leaves if name in leaves else (*leaves, name)
        elif name in leaves:
            state[_LEAVES] = tuple(n for n in leaves if n != name)

    def _can_hold(self, name: str) -> bool:
        """Return whether an attribute that the object does not have yet may be set.

        In classes of this library it must be declared, so that a misspelt one is an error. Users' classes may have
        constructors that declare nothing, and methods that set further attributes: there any name may be set.
        """
        kind = type(self)
        ours = kind.__module__.partition(".")[0] == _PACKAGE
        return not ours or name in kind._declared or name.startswith("_") or hasattr(kind, name)

    def __delattr__(self, name: str) -> None:
        object.__delattr__(self, name)
        self.__dict__.pop(_LAYOUT, None)
        self.__dict__[_LEAVES] = tuple(n for n in self.__dict__.get(_LEAVES, ()) if n != name)

    def __getstate__(self) -> dict[str, Any]:
        return {n: v for n, v in self.__dict__.items() if n not in (_LAYOUT, _SEEN)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    def _value(self) -> tuple[Any, tuple[Any, ...]]:
        leaves, structure = jax.tree.flatten(self)
        return structure, tuple(map(_identity, leaves))

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        return self is other or self._value() == other._value()  # type: ignore[attr-defined]

    def __hash__(self) -> int:
        mark_seen(self)
        layout = _flatten(self)[1]  # JAX's hash of a structure leaves out what an object of a user keeps in it
        return hash((type(self), layout, self._value()))

    def __repr__(self) -> str:
        return shown(self, self._attributes())

    def _in_attributes(self, changes: dict[str, Any]) -> dict[str, Any]:
        """Return the arguments of `replace` in terms of attributes; `beta` of a cell is one of `tau`."""
        return changes

    def replace(self, **changes: Any) -> Self:
        """Return a copy with other values of some attributes.

        If every argument of the constructor is an attribute of the same name, the constructor runs again, so that
        attributes computed from its arguments are updated. All other attributes are copied.

        Raises:
            TypeError: the object has no such attribute; the message names those that it has.
        """
        changes = self._in_attributes(changes)
        parameters = [p.name for p in constructor_parameters(type(self))]
        fields = [f.name for f in dataclasses.fields(self)]
        names = dict.fromkeys([*parameters, *self._attributes(), *fields])
        known = [name for name in names if hasattr(self, name) and not _is_computed(type(self), name)]
        for name in changes:
            if name not in known:
                raise unknown_parameter(type(self), name, known)
        new, state = object.__new__(type(self)), self.__getstate__()
        again = all(n in state for n in parameters)
        new.__setstate__({n: v for n, v in state.items() if not (again and n in parameters)})
        if again:
            new.__dict__.pop(_LEAVES, None)  # leaves are in the order in which a constructor sets them
            construct(new, {n: changes.get(n, self.__dict__[n]) for n in parameters})
            made = leaf_attributes(new)
            others = [n for n in leaf_attributes(self) if n not in (*made, *parameters) and new.__dict__[n] is state[n]]
            new.__dict__[_LEAVES] = (*made, *others)
            kept = {n: self.__dict__[n] for n in fields if n in self.__dict__ and n not in parameters}
            changes = kept | {n: v for n, v in changes.items() if n not in parameters}
        for name, value in changes.items():
            setattr(new, name, value)
        if not made_of_fields(type(self)):
            new.__post_init__()  # type: ignore[attr-defined]
        return new

    def _attributes(self) -> dict[str, Any]:
        return {n: v for n, v in self.__dict__.items() if n not in _PRIVATE}


Pytree.__init__ = constructor_that_answers(Pytree.__init__)  # that of all subclasses without fields of their own


def leaf_attributes(tree: Pytree) -> tuple[str, ...]:
    """Return the names of the attributes of an object that are leaves, or trees of leaves."""
    return tree.__dict__.get(_LEAVES, ())


def rebuilt(cls: type[Pytree], attributes: dict[str, Any], leaves: tuple[str, ...]) -> Pytree:
    """Return an object of a class from its attributes and the names of its leaves, without running a constructor."""
    tree = object.__new__(cls)
    tree.__setstate__(attributes | {_LEAVES: leaves})
    register(cls)
    return tree


def mark_seen(tree: Any) -> None:
    """Record that compiled code may hold the numbers of an object, and of its parts, as constants."""
    state = tree.__dict__
    if _SEEN not in state:
        state[_SEEN] = True
        for part in jax.tree.leaves(tree._attributes(), is_leaf=lambda v: isinstance(v, Pytree)):
            if isinstance(part, Pytree):
                mark_seen(part)


def _is_computed(cls: type, name: str) -> bool:
    """Return whether an attribute of a class is a property that cannot be assigned."""
    found = getattr(cls, name, None)
    return isinstance(found, property) and found.fset is None


def _not_assigned(tree: Pytree, name: str) -> str:
    kind = type(tree).__name__
    further = getattr(type(tree).__init__, "further_keywords", ())
    instead = f"a copy with another is .replace({name}=...)" if name in further else "change what it is computed from"
    return f"{kind}.{name} is computed from other attributes and cannot be assigned; {instead}."


def _warn_stale(tree: Pytree, name: str) -> None:
    kind = type(tree).__name__
    warnings.warn(
        f"{kind}.{name} was assigned after the object was hashed or called in a traced function: code compiled "
        f"before goes on with the old value. Make a new one with .replace({name}=...) and pass it as an argument.",
        StaleSurrogateWarning,
        stacklevel=4,
    )


def _layout(state: dict[str, Any]) -> _Layout:
    leaves = state.get(_LEAVES, ())
    names = tuple(sorted(n for n in state if n not in leaves and n not in _PRIVATE))
    layout = _Layout(leaves, names, tuple(_hashable(state[n]) for n in names))
    state[_LAYOUT] = layout
    return layout


def _hashable(value: Any) -> Any:
    try:
        hash(value)
    except TypeError:
        return _Unhashable(value)
    return value


def _flatten(tree: Pytree) -> tuple[tuple[Any, ...], _Layout]:
    state = tree.__dict__
    layout = state.get(_LAYOUT) or _layout(state)
    return tuple([state[n] for n in layout.leaves]), layout


def _flatten_with_keys(tree: Pytree) -> tuple[tuple[tuple[Any, Any], ...], _Layout]:
    children, layout = _flatten(tree)
    return tuple((jax.tree_util.GetAttrKey(n), c) for n, c in zip(layout.leaves, children, strict=True)), layout


def _unflatten(cls: type, layout: _Layout, children: Any) -> Pytree:
    tree = object.__new__(cls)
    state = tree.__dict__
    for name, value in zip(layout.names, layout.values, strict=True):
        state[name] = value.value if isinstance(value, _Unhashable) else value
    state.update(zip(layout.leaves, children, strict=True))
    state[_LEAVES], state[_LAYOUT] = layout.leaves, layout
    return tree
