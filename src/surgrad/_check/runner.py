"""`check`: the laws of surrogates and of layers, tested on one object."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import jax.numpy as jnp

from surgrad._check.formula_laws import FORMULA_LAWS
from surgrad._check.law import Table
from surgrad._check.program_laws import PROGRAM_LAWS
from surgrad._check.report import Report, require, verdicts
from surgrad._check.surrogate_probe import Probe
from surgrad._surrogate import Surrogate

SURROGATE_LAWS = Table(FORMULA_LAWS | PROGRAM_LAWS)
_HOW = "give inputs over time, (time, *batch, features), as in check(layer, jnp.ones((20, 2, 8)))"


def check(subject: Any, inputs: Any = None, *, laws: Iterable[str] | None = None) -> Report:
    """Return a report on whether a surrogate or a layer obeys the laws that apply to it.

    A surrogate is tested on points of |x| <= 10⁴, dense around the threshold. A layer, a cell or a connection, of this
    library or not (`surgrad.nn.Layer` has the contract), is run over the inputs, and over others like them: in chunks,
    with checkpointing, under transformations of JAX, over devices and in half precision. The promises of its class
    are tested too.

    A class lists the laws that it breaks on purpose in `waivers`, a class attribute, `{law: reason}`; such a law is
    reported as `"waived"`, and as `"unneeded"` if it holds. Two laws only advise: that a docstring names all
    hyperparameters of a surrogate, and that a layer does not rely on inherited promises, which do not count.

        >>> import jax.numpy as jnp, surgrad
        >>> surgrad.check(surgrad.Sigmoid(4.0)).ok
        True
        >>> surgrad.check(surgrad.nn.LIF(surgrad.Sigmoid()), jnp.ones((20, 2, 8)), laws=["elementwise"]).ok
        True

    Parameters:
        subject: the object, of a class of this library or of your own.
        inputs: inputs of a layer, `(time, batch, ...)` or `(time, features)`, with at least 4 time steps, of a size at
            which its neurons spike. Other inputs of that size are drawn from them.
        laws: names of the laws to test; by default all but those of promises that the class does not make.

    Raises:
        TypeError: the object is neither a surrogate nor a layer; a layer has no inputs, or a surrogate has some.
        ValueError: a name in `laws` or in the waivers of the class is not a law; the inputs are too short, or zero.
    """
    if isinstance(subject, Surrogate):
        if inputs is not None:
            raise TypeError("check: a surrogate is tested on points of its own; inputs are for layers.")
        return _report(repr(subject), subject, SURROGATE_LAWS, laws, Probe(subject), list(SURROGATE_LAWS))
    if isinstance(subject, type) or not callable(subject):
        raise TypeError(_neither(subject))
    if inputs is None:
        raise TypeError(_without_inputs(subject))
    # Networks are imported where they are needed, since `import surgrad` should cost what surrogates cost.
    from surgrad.nn._laws import LAYER_LAWS, LayerProbe, concerning

    title = f"{getattr(subject, '__name__', type(subject).__name__)} on inputs of shape {jnp.shape(inputs)}"
    return _report(title, subject, LAYER_LAWS, laws, LayerProbe(subject, inputs), concerning(subject))


def _report(
    title: str, subject: Any, table: Table, laws: Iterable[str] | None, probe: Any, default: Iterable[str]
) -> Report:
    """Return the report on the laws of a table that are asked for."""
    waivers: Mapping[str, str] = getattr(type(subject), "waivers", {})
    require(waivers, table, f"{type(subject).__name__}.waivers")
    names = list(default if laws is None else laws)
    require(names, table, "check")
    return Report(title, verdicts(table, names, probe, waivers))


def _neither(given: object) -> str:
    if isinstance(given, type):
        kind = "surrogate" if issubclass(given, Surrogate) else "surrogate or a layer, an"
        return f"check takes a {kind} object, got the class {given.__name__}; make one: {given.__name__}(...)."
    return f"check takes a Surrogate object, or a layer and inputs for it, got {type(given).__name__}."


def _without_inputs(given: object) -> str:
    if callable(getattr(type(given), "init", None)) or not hasattr(given, "__name__"):
        return f"check: {type(given).__name__} is a layer; {_HOW}."
    hint = f"from_grad and from_fun make one out of a function; to check it as a connection {_HOW}"
    return f"check takes a Surrogate object, got {type(given).__name__}; {hint}."
