"""Findings of a diagnosis: the causes, each with its consequences folded into it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from surgrad.meta._inspection.layer import Layer

MOST = 0.5
"""Share of silent or saturated neurons above which a layer is called so."""
STEEP, WIDE = 0.01, 0.6
"""Mean relative slopes: below the first hardly any neuron learns, above the second errors pass at every membrane."""
SPREAD = 10.0
"""Standard deviation of x above which slopes near zero are blamed on the weights, not on the surrogate."""
VANISHING, EXPLODING = 1e-3, 1e3
"""Ratios of errors: of a layer to the next one, and of the first quarter of the time steps to the last."""

CUT = "check that the loss depends on it: stop_gradient, weights or inputs that are zero"
INPUTS, LOSS = "the inputs", "the loss"

_NO_ERRORS = frozenset({"no gradient", "vanishing", "vanishing in time"})
_GROWTH = frozenset({"exploding", "exploding in time"})
_FORWARD = frozenset({"silent", "saturated", "overdriven", "too steep", "too wide"})

FOLLOWS: dict[str, frozenset[str]] = {
    "no input": _NO_ERRORS | {"silent", "too steep", "too wide"},
    "silent": _NO_ERRORS | {"silent", "overdriven", "too steep"},
    "saturated": _NO_ERRORS | _GROWTH | {"silent", "saturated", "overdriven", "too steep", "too wide"},
    "overdriven": _NO_ERRORS | _GROWTH | {"silent", "saturated", "overdriven", "too steep"},
    "too steep": _NO_ERRORS | {"too steep"},
    "too wide": _GROWTH | {"too wide"},
    "no gradient": frozenset({"no gradient"}),
    "exploding in time": _GROWTH,
    "vanishing in time": _NO_ERRORS,
    "exploding": frozenset({"exploding"}),
    "vanishing": _NO_ERRORS,
}
"""What a finding can cause. Spikes and slopes of a layer act on that layer and on those behind it, errors on all."""


class Finding(NamedTuple):
    """Something that is wrong.

    Parameters:
        kind: a word for it, such as `"silent"`.
        where: path in the model.
        what: what was measured.
        advice: what to do.
        consequences: other findings that this one explains; they usually go away with it.
    """

    kind: str
    where: str
    what: str
    advice: str
    consequences: tuple[Finding, ...] = ()

    def __str__(self) -> str:
        """The finding and its advice in one line, and its consequences, by kind, in a second one."""
        line = f"{self.kind}: {self.where}: {self.what}; {self.advice}"
        by_kind: dict[str, list[str]] = {}
        for one in self.consequences:
            by_kind.setdefault(one.kind, []).append(one.where)
        also = "; ".join(f"{kind} at {', '.join(where)}" for kind, where in by_kind.items())
        return f"{line}\n  consequences: {also}" if also else line


def find(
    layers: Sequence[Layer], gradients: dict[str, float], loss: float, active: float, not_finite: Sequence[str]
) -> tuple[Finding, ...]:
    """The causes of what is wrong, in the order in which they act, with their consequences.

    Parameters:
        layers: what was measured of each surrogate, from the input to the output.
        gradients: norms of the gradients of all arrays, by path.
        loss: of the batch.
        active: share of the inputs that are not zero.
        not_finite: inputs and arrays that hold NaN or infinite numbers.
    """
    broken = next(_not_finite(layers, gradients, loss, not_finite), None)
    if broken is not None:
        return (broken,)
    found = [] if active else [Finding("no input", INPUTS, "all are zero", "check the encoder and its scale")]
    found += [finding for layer in layers for finding in _spikes(layer)]
    found += [finding for layer in layers for finding in _slopes(layer)]
    found += [*_through_time(layers), *_through_depth(layers), *_cut(gradients, layers)]
    return _folded(found, [layer.where for layer in layers])


def _folded(found: list[Finding], order: list[str]) -> tuple[Finding, ...]:
    """The findings that no earlier one explains, each with those that it explains."""
    causes: list[Finding] = []
    for one in found:
        for index, cause in enumerate(causes):
            if _explains(cause, one, order):
                causes[index] = cause._replace(consequences=(*cause.consequences, one))
                break
        else:
            causes.append(one)
    return tuple(causes)


def _explains(cause: Finding, effect: Finding, order: list[str]) -> bool:
    if effect.kind not in FOLLOWS[cause.kind]:
        return False
    if effect.kind not in _FORWARD or cause.where == INPUTS:
        return True
    return order.index(effect.where) >= order.index(cause.where)


def _not_finite(
    layers: Sequence[Layer], gradients: dict[str, float], loss: float, not_finite: Sequence[str]
) -> Iterator[Finding]:
    """What is not finite, in the order of the computation: what follows from the first is not finite either."""
    kind, numbers = "not finite", "NaN or infinite numbers"
    for where in not_finite:
        advice = "clean the data" if where == INPUTS else "go back to an earlier state, and lower the learning rate"
        yield Finding(kind, where, numbers, advice)
    for layer in layers:
        if not layer.finite:
            advice = "lower the weights that lead there, or the time constants; check that no τ or threshold is zero"
            yield Finding(kind, layer.where, f"its membrane potentials hold {numbers}", advice)
    if not math.isfinite(loss):
        yield Finding(kind, LOSS, f"it is {loss}", "look for log(0) or 0/0 in the loss")
    for layer in layers:
        if not math.isfinite(layer.slope):
            advice = "run surgrad.check on the surrogate"
            yield Finding(kind, layer.where, f"its slopes hold {numbers}, for finite membrane potentials", advice)
    for layer in reversed(layers):
        if not math.isfinite(layer.error):
            advice = "calibrate the surrogates, lower recurrent weights, or detach the reset"
            yield Finding("exploding", layer.where, f"the norm of its error is {layer.error}", advice)
    for where, norm in gradients.items():
        if not math.isfinite(norm):
            advice = "spikes, loss and errors are finite: look at the connection that it belongs to"
            yield Finding(kind, where, f"the norm of its gradient is {norm}", advice)


def _spikes(layer: Layer) -> Iterator[Finding]:
    if layer.silent > MOST:
        advice = "raise the weights that lead there (nn.fluctuation_driven draws such), or lower the threshold"
        yield Finding("silent", layer.where, f"{layer.silent:.0%} of its neurons never spike", advice)
    if layer.saturated > MOST:
        advice = "lower the weights that lead there, or raise the threshold"
        what = f"{layer.saturated:.0%} of its neurons spike at more than half of the steps"
        yield Finding("saturated", layer.where, what, advice)


def _slopes(layer: Layer) -> Iterator[Finding]:
    flat = f"{layer.flat:.0%} of its slopes are near zero, the mean is {layer.slope:.2g} of the peak"
    if layer.slope < STEEP and layer.spread > SPREAD:
        what = f"its membrane potentials spread over {layer.spread:.2g} thresholds; {flat}"
        advice = "lower the weights that lead there; or widen the slopes, as meta.calibrate does"
        yield Finding("overdriven", layer.where, what, advice)
    elif layer.slope < STEEP:
        yield Finding("too steep", layer.where, flat, "make alpha smaller; meta.calibrate does")
    if layer.slope > WIDE:
        what = f"the mean of its slopes is {layer.slope:.0%} of the peak, wherever the membrane potentials are"
        yield Finding("too wide", layer.where, what, "make alpha larger; meta.calibrate does")


def _through_time(layers: Sequence[Layer]) -> Iterator[Finding]:
    """Errors on their way back through time, from the last layer, where they begin, to the first."""
    for layer in reversed(layers):
        what = f"its error in the first quarter of the steps is {layer.early:.2g} times that in the last"
        if EXPLODING < layer.early < math.inf:  # without an error in the last quarter nothing can be said
            advice = "make alpha larger, lower recurrent weights, or detach the reset"
            yield Finding("exploding in time", layer.where, what, advice)
        if layer.early < VANISHING:
            advice = "longer time constants or adaptation (ALIF) remember longer; make alpha smaller"
            yield Finding("vanishing in time", layer.where, what, advice)


def _through_depth(layers: Sequence[Layer]) -> Iterator[Finding]:
    """Errors on their way back through the layers, from the loss to the first."""
    if layers[-1].error == 0 and layers[-1].flat < 1:
        yield Finding("no gradient", layers[-1].where, "no error arrives from the loss", CUT)
    for after, layer in itertools.pairwise(reversed(layers)):
        ratio = layer.error / after.error if after.error else math.nan
        what = f"its error is {ratio:.2g} times that of {after.where}"
        if ratio == 0 and layer.flat < 1:
            yield Finding("no gradient", layer.where, f"no error arrives, though one does at {after.where}", CUT)
        elif ratio < VANISHING:
            yield Finding("vanishing", layer.where, what, "calibrate the surrogates; normalise slopes to unit peak")
        if ratio > EXPLODING:
            advice = "calibrate the surrogates; normalise slopes to unit area, or lower the weights after it"
            yield Finding("exploding", layer.where, what, advice)


def _cut(gradients: dict[str, float], layers: Sequence[Layer]) -> Iterator[Finding]:
    """Arrays that are not learned, though errors pass every surrogate."""
    for where, norm in gradients.items():
        if norm == 0 and all(layer.error > 0 for layer in layers):
            yield Finding("no gradient", where, "its gradient is zero", CUT)
