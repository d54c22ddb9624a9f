"""What is wrong with a network, from what `diagnose` measured, and what to do about it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

MOST = 0.5
"""Of the neurons of a layer; where so many are silent or saturated, the layer is."""
STEEP, WIDE = 0.01, 0.6
"""Mean relative slopes: below the one hardly any neuron learns, above the other errors pass all neurons."""
VANISHING, EXPLODING = 1e-3, 1e3
"""Ratios of errors, of a layer to the next one, and of the first quarter of the steps to the last."""

CUT = "see that the loss depends on it: stop_gradient, weights or inputs that are zero"


class Finding(NamedTuple):
    """Something that is wrong.

    Parameters:
        kind: a word for it, such as `"silent"`.
        where: path in the model.
        what: what was measured.
        advice: what to do.
    """

    kind: str
    where: str
    what: str
    advice: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.where}: {self.what}; {self.advice}"


def find(
    layers: Sequence[Any], gradients: dict[str, float], loss: float, active: float, not_finite: Sequence[str]
) -> tuple[Finding, ...]:
    """The findings, causes before effects.

    Parameters:
        layers: what was measured of each surrogate, from the input to the output.
        gradients: norms, by path.
        loss: of the batch.
        active: share of the inputs that are not zero.
        not_finite: what holds NaN or infinite numbers, of inputs and parameters.
    """
    broken = list(_not_finite(layers, gradients, loss, not_finite))
    if broken:
        return tuple(broken)
    found = [] if active else [Finding("no input", "the inputs", "all are zero", "check the encoder and its scale")]
    for layer in layers:
        found += _spikes(layer)
    for layer in layers:
        found += _slopes(layer)
    return (*found, *_errors(layers), *_gradients(gradients, layers))


def _not_finite(
    layers: Sequence[Any], gradients: dict[str, float], loss: float, not_finite: Sequence[str]
) -> Iterator[Finding]:
    """The first thing that is not finite, since all that follows from it is not either."""
    kind, what = "not finite", "NaN or infinite numbers"
    for where in not_finite:
        yield Finding(kind, where, what, "clean the data" if where == "the inputs" else "go back to an earlier state")
    for layer in () if not_finite else layers:
        if not layer.finite:
            advice = "lower the weights that lead there, or the time constants; see that no τ or threshold is zero"
            yield Finding(kind, layer.where, f"its membranes hold {what}", advice)
            return
    if not_finite:
        return
    if not math.isfinite(loss):
        yield Finding(kind, "the loss", f"it is {loss}", "look for log(0) or 0/0 in the loss")
        return
    for where, norm in gradients.items():
        if not math.isfinite(norm):
            advice = "spikes and loss are finite: run surgrad.check on surrogates of your own"
            yield Finding(kind, where, f"the norm of its gradient is {norm}", advice)
            return


def _spikes(layer: Any) -> Iterator[Finding]:
    if layer.silent > MOST:
        advice = "raise the weights that lead there (nn.fluctuation_driven draws such), or lower the threshold"
        yield Finding("silent", layer.where, f"{layer.silent:.0%} of its neurons never spike", advice)
    if layer.saturated > MOST:
        advice = "lower the weights that lead there, or raise the threshold"
        what = f"{layer.saturated:.0%} of its neurons spike at more than half of the steps"
        yield Finding("saturated", layer.where, what, advice)


def _slopes(layer: Any) -> Iterator[Finding]:
    if layer.slope < STEEP:
        what = f"{layer.flat:.0%} of its slopes are near zero, the mean is {layer.slope:.2g} of the peak"
        yield Finding("too steep", layer.where, what, "make alpha smaller; meta.calibrate does")
    if layer.slope > WIDE:
        what = f"the mean of its slopes is {layer.slope:.0%} of the peak, wherever the membranes are"
        yield Finding("too wide", layer.where, what, "make alpha larger; meta.calibrate does")


def _errors(layers: Sequence[Any]) -> Iterator[Finding]:
    """Errors on their way back: from layer to layer, and through time."""
    for layer, after in itertools.pairwise(layers):
        ratio = layer.error / after.error if after.error else math.nan
        what = f"its error is {ratio:.2g} times that of {after.where}"
        if ratio == 0 and layer.flat < 1:
            yield Finding("no gradient", layer.where, f"no error arrives, though one does at {after.where}", CUT)
        elif ratio < VANISHING:
            yield Finding("vanishing", layer.where, what, "calibrate the surrogates; normalise slopes to unit peak")
        if ratio > EXPLODING:
            advice = "calibrate the surrogates; normalise slopes to unit area, or lower the weights after it"
            yield Finding("exploding", layer.where, what, advice)
    if layers[-1].error == 0 and layers[-1].flat < 1:
        yield Finding("no gradient", layers[-1].where, "no error arrives from the loss", CUT)
    for layer in layers:
        what = f"its error in the first quarter of the steps is {layer.early:.2g} times that in the last"
        if EXPLODING < layer.early < math.inf:  # where the last quarter has no error, nothing can be said
            advice = "make alpha larger, lower recurrent weights, or detach the reset"
            yield Finding("exploding in time", layer.where, what, advice)
        if layer.early < VANISHING:
            advice = "longer time constants or adaptation (ALIF) remember longer; make alpha smaller"
            yield Finding("vanishing in time", layer.where, what, advice)


def _gradients(gradients: dict[str, float], layers: Sequence[Any]) -> Iterator[Finding]:
    """Arrays that are not learned, though every surrogate lets errors pass."""
    for where, norm in gradients.items():
        if norm == 0 and all(layer.error > 0 for layer in layers):
            yield Finding("no gradient", where, "its gradient is zero", CUT)
