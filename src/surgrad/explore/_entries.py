"""What the page knows of each surrogate: its formulas, hyperparameters with their ranges, look, and code."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from surgrad._catalogue import snake_case
from surgrad._colours import on_dark, styles
from surgrad._frameworks import unboxed
from surgrad._from_function import FromFun, FromGrad
from surgrad._peers import rows
from surgrad._pytree import Pytree
from surgrad._surrogate import Surrogate
from surgrad._trees import path_name, with_leaves
from surgrad.explore._operations import TranslationError
from surgrad.explore._translate import javascript

_SPAN = 32
"""The slider of a positive hyperparameter goes from its value divided by this to its value times this."""


class _Hole:
    """What stands for a hyperparameter in a `repr`."""

    def __init__(self, index: int):
        self.index = index

    def __repr__(self) -> str:
        return f"⟦{self.index}⟧"


def entries(surrogates: Sequence[Surrogate]) -> list[dict[str, Any]]:
    """Return one entry for each surrogate; the texts under `curve`, `slope` and `bend` are JavaScript.

    Raises:
        TypeError: one is not a surrogate object.
        ValueError: the slope of one has no translation, or is not one number for one x.
    """
    found: list[dict[str, Any]] = []
    for one in surrogates:
        if not isinstance(one, Surrogate):
            raise TypeError(f"explore: expected surrogate objects, such as surgrad.Sigmoid(), got {one!r}.")
    plain = [unboxed(one) for one in surrogates]
    for one, (colour, dashes) in zip(plain, styles(plain), strict=True):
        name, taken = title(one), [entry["title"] for entry in found]
        number = next(n for n in range(1, len(plain) + 1) if (name if n == 1 else f"{name} {n}") not in taken)
        name = name if number == 1 else f"{name} {number}"
        look = {"colour": colour, "dark": on_dark(colour), "dash": dash(dashes)}
        described = one.function if isinstance(one, (FromGrad, FromFun)) else type(one)
        about = (inspect.getdoc(described) or "").partition("\n")[0]
        texts = {"id": _identifier(name), "title": name, "about": about, "elsewhere": elsewhere(one)}
        found.append(texts | look | _described(one))
    return found


def title(surrogate: Surrogate) -> str:
    """Return a short name: the class, with the names of the parts or of the function that it is made from.

    >>> import surgrad
    >>> title(surgrad.Temperature(surgrad.Sigmoid(), 2.0))
    'Temperature of Sigmoid'
    """
    if isinstance(surrogate, (FromGrad, FromFun)):
        return getattr(surrogate.function, "__name__", "function").replace("<lambda>", "lambda")
    values = [part for value in vars(surrogate).values() for part in (value if isinstance(value, tuple) else (value,))]
    parts = [title(part) for part in values if isinstance(part, Surrogate)]
    return type(surrogate).__name__ + (f" of {' and '.join(parts)}" if parts else "")


def elsewhere(surrogate: Surrogate) -> str:
    """Return what other libraries call a surrogate, with its hyperparameters as those are there.

    >>> import surgrad
    >>> elsewhere(surgrad.SlayerGrad())
    'In other libraries: braintools SlayerGrad(alpha=1) = SlayerGrad(alpha)'
    """
    name = type(surrogate).__name__
    found = [f"{row.library.name} {row.call} = {row.here}" for row in rows() if row.here.startswith(f"{name}(")]
    return f"In other libraries: {'; '.join(found)}" if found else ""


def _identifier(name: str) -> str:
    return "_".join(snake_case(word) for word in re.findall(r"\w+", name))


def dash(dashes: Any) -> str:
    """Return Matplotlib's line style as `stroke-dasharray` in units of a line two pixels wide."""
    return "" if dashes == "solid" else " ".join(f"{2 * length:g}" for length in dashes[1])


def _described(surrogate: Surrogate) -> dict[str, Any]:
    """Return formulas, hyperparameters and code. Hyperparameters with which no formula can be written stay fixed."""
    places = [i for i, leaf in enumerate(jax.tree.leaves(surrogate)) if _is_number(leaf)]
    fixed = ""
    try:
        formulas = _formulas(surrogate, places)
    except TranslationError as error:
        fixed = f"The hyperparameters are fixed in this page: {error}."
        try:
            formulas = _formulas(surrogate, places := [])
        except TranslationError as again:
            raise ValueError(f"explore: {surrogate!r} cannot be drawn: {again}.") from error
    names = [path_name(path) for path, _ in jax.tree_util.tree_leaves_with_path(surrogate)]
    parameters = [{"name": names[i], **_range(surrogate, i)} for i in places]
    peaks = None if surrogate.peaks is None else sorted(surrogate.peaks, key=abs)
    return {"parameters": parameters, "fixed": fixed, "peaks": peaks} | _code(surrogate, places) | formulas


def _is_number(leaf: Any) -> bool:
    return np.ndim(leaf) == 0 and jnp.issubdtype(jnp.result_type(leaf), np.number)


def _formulas(surrogate: Surrogate, places: Sequence[int]) -> dict[str, str]:
    """Return curve, slope and second derivative in JavaScript, as functions of x and the leaves at `places`."""
    leaves = jax.tree.leaves(surrogate)
    values = [float(leaves[i]) for i in places]

    def method(name: str) -> Any:
        return lambda x, p: getattr(with_leaves(surrogate, dict(zip(places, p, strict=True))), name)(x)

    def bend(x: Any, p: Any) -> Any:
        return jax.jvp(lambda x: method("surrogate_grad")(x, p), (x,), (jnp.ones_like(x),))[1]

    formulas = {"slope": javascript(method("surrogate_grad"), 0.0, values), "bend": javascript(bend, 0.0, values)}
    try:
        return formulas | {"curve": javascript(method("surrogate_fun"), 0.0, values)}
    except NotImplementedError:
        return formulas | {"curve": "null"}


def _range(surrogate: Surrogate, place: int) -> dict[str, Any]:
    """Return value, allowed range, and range and kind of the slider of a hyperparameter."""
    path, leaf = jax.tree_util.tree_leaves_with_path(surrogate)[place]
    owner: Any = surrogate
    for key in path[:-1]:
        owner = getattr(owner, key.name) if isinstance(key, jax.tree_util.GetAttrKey) else owner[key.idx]
    name = getattr(path[-1], "name", None)
    fields = type(owner).__dataclass_fields__ if isinstance(owner, Pytree) else {}  # type: ignore[attr-defined]
    rules = fields[name].metadata if name in fields else {}
    limits = [rules.get(key) for key in ("above", "at_least", "at_most")]
    above, least, most = (None if end is None or math.isinf(end) else end for end in limits)
    value, low = float(leaf), least if above is None else above
    if value > 0 and (above == 0 or (low is None and most is None)):
        ends, log = (_accepted(owner, name, value, value / _SPAN), value * _SPAN), True
    elif low is not None:
        ends, log = (low, 4 * max(value, 0.25) if most is None else most), False
    else:
        ends, log = (value - 2, value + 2), False
    ends = (ends[0], ends[1] if most is None else min(ends[1], most))
    return {"value": value, "least": low, "open": above is not None, "most": most, "ends": ends, "log": log}


def _accepted(owner: Any, name: str | None, value: float, low: float) -> float:
    """Return the smallest number from `low` to `value` that the constructor of an object takes, in few steps."""
    if name is None or not isinstance(owner, Surrogate):
        return low
    for end in np.geomspace(low, value, 41):
        try:
            owner.replace(**{name: float(end)})
        except ValueError:
            continue
        return float(end)
    return value


def _code(surrogate: Surrogate, places: Sequence[int]) -> dict[str, Any]:
    """Return the call that makes a surrogate, with ⟦i⟧ for hyperparameter i, and the names that it needs besides."""
    holes: dict[int, Any] = {place: _Hole(i) for i, place in enumerate(places)}
    call = repr(with_leaves(surrogate, holes))
    kinds = {cls.__name__: cls for cls in _classes(Surrogate)}
    ours = {name for name, cls in kinds.items() if cls.__module__.startswith("surgrad.")} | {"from_grad", "from_fun"}
    own = [name for name in re.findall(r"(\w+)\(", call) if name not in ours]
    own += [title(part) for part in _parts(surrogate) if isinstance(part, (FromGrad, FromFun))]
    call = re.sub(r"(?<![\w.])(\w+)\(", lambda m: f"surgrad.{m[0]}" if m[1] in ours else m[0], call)
    return {"call": call, "own": list(dict.fromkeys(own))}


def _classes(cls: type) -> list[type]:
    return [found for child in cls.__subclasses__() for found in (child, *_classes(child))]


def _parts(surrogate: Surrogate) -> list[Any]:
    """Return a surrogate and all surrogates inside it."""
    inside = jax.tree.leaves(vars(surrogate), is_leaf=lambda part: isinstance(part, Surrogate))
    return [surrogate, *(deep for part in inside if isinstance(part, Surrogate) for deep in _parts(part))]
