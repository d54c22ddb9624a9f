"""Which values `unroll` records, and which there are."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from surgrad._answers import nearest_names
from surgrad._kinds import described, require_callable
from surgrad._neighbours import RECORDED
from surgrad._numbers import require_whole
from surgrad._pytree import Pytree, static
from surgrad._types import PyTree
from surgrad.nn._contract import is_cell
from surgrad.nn._observables import Observed, each_layer, full_name, observed_step

Names = str | Callable[[str], bool]


class Record(Pytree):
    """What `unroll(net, xs, record=...)` records, how often, and whether as a series over time or as a summary.

    A name is the place of a layer in the network and one of its values: `"1.v"`, `"2.cell.v"` of the cell of a
    `Recurrent`, `"0.1.v"` in a network inside a network, and `"v"` of a cell that is no network. Every layer has
    `inputs` and `outputs`; cells have `state`; spiking layers have `spikes`; and a cell has what it lists in its method
    `observables`: `v`, the membrane potential after the reset, `v_before_reset`, `current`, `adaptation`, `recovery`.

    Parameters:
        names: a pattern with the wildcards of file names, `"*.v"`, or what a value is called in any layer, `"v"`; or a
            function that says of a full name whether it is recorded.
        every: time steps from one recorded step to the next, >= 1; the first step is recorded.
        summary: a cell such as `MeanOverTime()` that takes the recorded values step by step, in place of keeping them;
            or several by names of your own, `{"mean": MeanOverTime(), "max": MaxOverTime()}`. Its last output is
            returned, so that memory does not grow with time.

    Raises:
        TypeError: `names` is neither a pattern nor a function, or a summary is not a cell.
        ValueError: `every` is not an integer >= 1.

    Example:
        >>> import jax.numpy as jnp
        >>> from surgrad import nn
        >>> rates = nn.Record("spikes", summary=nn.MeanOverTime())
        >>> nn.unroll(nn.LIF(), jnp.ones((100, 8, 3)), record=rates).records["spikes"].shape
        (8, 3)
    """

    names: Any = static()
    every: int = static(default=1)
    summary: Any = None

    def __post_init__(self) -> None:
        if not isinstance(self.names, str):
            require_callable("Record: names", self.names, "a pattern such as '*.v', or a function of a name")
        require_whole("Record", every=self.every)
        for cell in self.summaries().values():
            if not is_cell(cell):
                raise TypeError(f"Record: summary must be a cell, such as MeanOverTime(), got {described(cell)}.")

    def summaries(self) -> dict[str, Any]:
        """The summaries by their names; one that has no name has an empty one."""
        if isinstance(self.summary, Mapping):
            return dict(self.summary)
        return {} if self.summary is None else {"": self.summary}

    def matches(self, name: str) -> bool:
        """Whether it records what has this full name."""
        if not isinstance(self.names, str):
            return bool(self.names(name))
        return any(fnmatch.fnmatchcase(one, self.names) for one in (name, name.rpartition(".")[2]))


Recorded = Names | Record | Sequence[Any] | Mapping[str, Any]


class Entry(NamedTuple):
    """One value that is recorded.

    Parameters:
        place: of the layer.
        value: what it is called within the layer.
        every: time steps from one recorded step to the next.
        summarised: whether a summary takes it.
    """

    place: str
    value: str
    every: int
    summarised: bool

    @property
    def name(self) -> str:
        """Its full name."""
        return full_name(self.place, self.value)


def visible(cell: Any, state: PyTree, inputs: Any) -> dict[tuple[str, str], Any]:
    """Shapes and types of all that can be recorded, by the place of the layer and the name of the value."""
    places: list[tuple[str, str]] = []

    def noted(place: str, name: str) -> bool:
        places.append((place, name))
        return True

    def once(state: PyTree, xs: Any) -> Observed:
        return each_layer(observed_step(noted), cell, "", state, xs)[2]

    first = jax.tree.map(lambda x: jax.ShapeDtypeStruct(jnp.shape(x)[1:], jnp.result_type(x)), inputs)
    shapes = jax.eval_shape(once, state, first)
    return {(place, name): shapes[full_name(place, name)] for place, name in places}


def planned(record: Recorded, known: Mapping[tuple[str, str], Any]) -> tuple[tuple[Entry, ...], dict[str, Any]]:
    """What is recorded, and the summaries of it by full names: `{"1.v": {"": cell}}`.

    Parameters:
        record: as that of `unroll`.
        known: what can be recorded, as from `visible`.

    Raises:
        TypeError: record is of another kind.
        ValueError: nothing has such a name, a value is recorded twice, or a summary cannot take it.
    """
    entries: dict[str, Entry] = {}
    summaries: dict[str, Any] = {}
    for one in _each(record):
        found = [place for place in known if one.matches(full_name(*place))]
        if not found:
            raise ValueError(_unknown(one.names, [full_name(*place) for place in known]))
        for place in found:
            name, some = full_name(*place), one.summaries()
            if name in entries:
                several = "summary={'mean': MeanOverTime(), ...} gives several summaries of one value"
                raise ValueError(f"unroll: record has {name!r} twice; {several}.")
            if some and not hasattr(known[place], "shape"):
                raise ValueError(f"unroll: a summary takes an array, and {name!r} is a tree; name a part of it.")
            entries[name] = Entry(*place, one.every, bool(some))
            summaries |= {name: some} if some else {}
    return tuple(entries.values()), summaries


def _each(record: Any) -> Iterator[Record]:
    if isinstance(record, Mapping):
        for names, value in record.items():
            yield Record(names, summary=value) if is_cell(value) else Record(names, every=value)
    elif isinstance(record, (list, tuple)):
        for one in record:
            yield from _each(one)
    elif isinstance(record, Record):
        yield record
    elif isinstance(record, str) or callable(record):
        yield Record(record)
    else:
        demand = "a name such as '1.v', a Record, a list of them, or names with distances in time steps, {'1.v': 10}"
        raise TypeError(f"unroll: record must be {demand}, got {described(record)}.")


def _unknown(names: Any, known: list[str]) -> str:
    if not isinstance(names, str):
        return f"unroll: the function given as record chose no name; there are {', '.join(known)}."
    place, _, value = names.rpartition(".")
    meant = RECORDED.get(value.replace("_", "").lower(), value)
    there = [one for one in known if one.startswith(f"{place}.")] if place else known
    near = [one for one in there if one.rpartition(".")[2] == meant] or nearest_names(names, known)
    advice = f" {' or '.join(map(repr, near[:3]))} may be meant;" if near else ""
    return f"unroll: nothing to record is called {names!r};{advice} there are {', '.join(there or known)}."
