"""`convert` and `lookup`: surrogates of other libraries as objects of this one, and tables of them."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Iterator
from types import CodeType
from typing import Any, NamedTuple, NoReturn

import jax.numpy as jnp
import numpy as np

from surgrad._answers import nearest_names, unexpected_keyword
from surgrad._catalogue import built_in
from surgrad._combine import Asymmetric, Mixture, Normalized, Shift, Sparse, Temperature
from surgrad._from_function import from_grad
from surgrad._peers import Row, canonical, libraries, rows, rows_named, squashed
from surgrad._scaled import Scaled
from surgrad._surrogate import Surrogate

_COMBINATORS = (Asymmetric, Mixture, Normalized, Scaled, Shift, Sparse, Temperature)
_FROM_GRAD = "from_grad("
_FEW = 20
"""So many names are listed in a message if none is near."""


def convert(name: str, /, **parameters: Any) -> Surrogate:
    """Return the surrogate that has exactly the slope of one of another library, in x = v - threshold.

        >>> surgrad.convert("snntorch.fast_sigmoid", slope=25)
        FastSigmoid(alpha=25.0)
        >>> surgrad.convert("spyx.arctan", k=2.0)
        Scaled(surrogate=Arctan(alpha=4.0), factor=0.15915494309189535)

    `lookup` lists the names, and what else differs: the spike at the threshold, the reset, the decay. A surrogate of
    jaxsnn or snnTorch, say, is 1 at x = 0 here. Thresholds other than 1 are divided out first, as `surgrad.nn` does.

    Parameters:
        name: library and name, `"snntorch.atan"`, in any case, with underscores or without; the name alone if all
            libraries that have it mean the same.
        parameters: hyperparameters under the library's names, which may be traced; its defaults for those left out.

    Raises:
        KeyError: there is no such library or surrogate, or several; the message lists the nearest.
        TypeError: the surrogate has no such parameter there.

    Warns:
        UserWarning: a parameter is given that changes nothing in that library.
    """
    row = find(name)
    for parameter in parameters.keys() - row.parameters.keys():
        more = f"; {row.name} {row.note}" if row.note else ""
        listed = f"it has {', '.join(map(repr, row.parameters)) or 'none'}{more}"
        raise unexpected_keyword(row.full_name, parameter, row.parameters, listed)
    if idle := sorted(row.unused & parameters.keys()):
        warnings.warn(f"{row.full_name} {row.note}, so {', '.join(idle)} has no effect here either.", stacklevel=2)
    return _made(row, parameters)


class Counterpart(NamedTuple):
    """A surrogate of another library with its defaults, in the table of `lookup`.

        >>> surgrad.lookup("spyx.arctan")[0].here
        'Scaled(Arctan(2 * k), 1 / (jnp.pi * k))'

    Parameters:
        library: the name of the library's package.
        call: the call there.
        here: the expression here, in terms of the call's parameters.
        surrogate: its value at the defaults.
        width: full width at half maximum of the slope, in units of x.
        height: the largest slope.
        area: the integral of the slope.
        note: what a user should know; empty if nothing.
    """

    library: str
    call: str
    here: str
    surrogate: Surrogate
    width: float
    height: float
    area: float
    note: str


class Lookup:
    """A table of surrogates of other libraries, whose entries are `Counterpart`; printed, it is aligned in columns.

    >>> [one.library for one in surgrad.lookup("fast_sigmoid")]
    ['snntorch', 'jaxpike', 'sparx']
    """

    def __init__(self, found: list[Row]) -> None:
        self._entries = [_measured(row) for row in found]

    def __iter__(self) -> Iterator[Counterpart]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __getitem__(self, index: int) -> Counterpart:
        return self._entries[index]

    def __repr__(self) -> str:
        head = "library", "there", "width", "height", "area", "here"
        cells = [(e.library, e.call, f"{e.width:.4g}", f"{e.height:.4g}", f"{e.area:.4g}", e.here) for e in self]
        widths = [max(map(len, column)) for column in zip(head, *cells, strict=True)]
        lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in (head, *cells)]
        return "\n".join([*lines, *(f"{e.library}: {e.call.partition('(')[0]} {e.note}" for e in self if e.note)])


def lookup(name: str) -> Lookup:
    """Return the table of all surrogates of a name in other libraries, or of all those of one library.

        >>> surgrad.lookup("soft_sign")
        library       there              width   height  area  here
        spikingjelly  SoftSign(alpha=2)  0.4142  1       1     SoftSign(alpha)
        braintools    SoftSign(alpha=1)  0.8284  0.5     1     SoftSign(alpha)

    Width, height and area are those at the library's defaults, in the common view of `surgrad.width`, `surgrad.height`
    and `surgrad.area`.

    Parameters:
        name: name of a surrogate, `"fast_sigmoid"` or `"snntorch.fast_sigmoid"`, or of a library, `"snntorch"`; in any
            case, with underscores or without.

    Raises:
        KeyError: there is no such name; the message lists the nearest.
    """
    found = rows_of_library(name) or rows_named(name)
    return Lookup(found or [find(name)])


def rows_of_library(name: str) -> list[Row]:
    """Return the surrogates of a library; none if there is no library of that name."""
    return [row for row in rows() if squashed(row.library.key) == squashed(name)]


def find(name: str) -> Row:
    """Return the one surrogate that `convert` means by a name.

    Raises:
        KeyError: there is none, or there are several.
    """
    library, *_, last = name.split(".") if "." in name else ("", name)
    if library and not rows_of_library(library):
        _refuse(f"no library {library!r}", library, libraries())
    among = rows_of_library(library) or list(rows())
    exact = [row for row in among if squashed(row.name) == squashed(last)]
    found = exact or [row for row in among if canonical(row.name) == canonical(last)]
    if not found:
        _refuse(f"no surrogate {name!r}", last, dict.fromkeys(row.name for row in among), library)
    if any((row.parameters, row.here) != (found[0].parameters, found[0].here) for row in found):
        raise KeyError(f"{name!r} is several: {', '.join(row.full_name for row in found)}; write one of these.")
    return found[0]


def _refuse(what: str, name: str, known: dict[str, Any], library: str = "") -> NoReturn:
    near = nearest_names(name, known) or [one for one in known if len(known) <= _FEW]
    listed = f"the nearest {'is' if len(near) == 1 else 'are'} " if len(near) < len(known) else "there are "
    shown = ", ".join(f"{library}.{one}" if library else one for one in near)
    raise KeyError(f"{what}; {listed + shown if near else 'the command `surgrad convert` lists all'}.")


def _made(row: Row, parameters: dict[str, Any]) -> Surrogate:
    if row.here.startswith(_FROM_GRAD):  # one function for all calls, so that equal programs are compiled once
        return _default(row.full_name).replace(**parameters)
    return _evaluated(row, row.parameters | parameters)


@functools.cache
def _default(full_name: str) -> Surrogate:
    row = next(row for row in rows() if row.full_name == full_name)
    return _evaluated(row, row.parameters)


def _evaluated(row: Row, parameters: dict[str, Any]) -> Surrogate:
    """Return the value of a row's expression, which comes from our own file."""
    names = {kind.__name__: kind for kind in (*built_in(), *_COMBINATORS)} | {"from_grad": from_grad, "jnp": jnp}
    return eval(_compiled(row.here), names | parameters)


@functools.cache
def _compiled(expression: str) -> CodeType:
    return compile(expression, "peers.toml", "eval")


def _measured(row: Row) -> Counterpart:
    one = _default(row.full_name)
    width, height, area = (float(np.asarray(size)) for size in (one.fwhm(), one.peak(), one.area()))
    return Counterpart(row.library.key, row.call, row.here, one, width, height, area, row.note)
