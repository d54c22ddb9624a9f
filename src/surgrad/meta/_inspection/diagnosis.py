"""Diagnosis of a network on a batch: spikes, slopes, gradients, and the cause of what is wrong."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from surgrad._types import PyTree
from surgrad.meta._inspection.batch import inputs_and_targets, labels_of, require_time_first
from surgrad.meta._inspection.findings import INPUTS, Finding, find
from surgrad.meta._inspection.layer import Layer, layer_of, statistics
from surgrad.meta._inspection.recording import arrays, record, surrogates, with_arrays
from surgrad.meta._inspection.table import aligned
from surgrad.tasks import Dataset

Loss = Callable[[Any, Any], Float[Array, ""]]
"""A loss of the outputs of a model, `(time, *batch, ...)`, and of targets."""
HEALTHY = "nothing found: spikes, slopes and gradients reach every layer"


class Diagnosis(NamedTuple):
    """What a network does with a batch; printed as a table of layers, and findings.

    Parameters:
        loss: its loss.
        layers: one for each surrogate, from the input to the output.
        gradients: norm of the gradient of each array of the model that is no surrogate's, by its path.
        errors: norm of the gradient of the loss by x at each step, `(time,)`, one array for each surrogate.
        findings: the causes of what is wrong, in the order in which they act, each with its consequences; empty if
            nothing is wrong. Begin with the first.
    """

    loss: float
    layers: tuple[Layer, ...]
    gradients: dict[str, float]
    errors: tuple[np.ndarray, ...]
    findings: tuple[Finding, ...]

    def __str__(self) -> str:
        """A table with a row for each layer, the loss, and the findings."""
        rows = [["layer", "firing rate", "silent", "saturated", "slope / peak", "error", "early / late"]]
        for layer in self.layers:
            shares = [f"{share:.0%}" for share in (layer.silent, layer.saturated)]
            numbers = [f"{number:.2g}" for number in (layer.slope, layer.error, layer.early)]
            rows.append([layer.where, f"{layer.firing_rate:.3f}", *shares, *numbers])
        return "\n".join([*aligned(rows), f"loss: {self.loss:.4g}", self.summary()])

    def summary(self) -> str:
        """The findings as text, one after the other; one line if there are none."""
        return "\n".join(map(str, self.findings)) or HEALTHY


def diagnose(model: PyTree, batch: Dataset | tuple[Any, Any], *, loss: Loss | None = None) -> Diagnosis:
    """Firing rates, slopes and gradients of every layer on a batch, and the cause of what is wrong with them.

    Give the loss that you train with, as a function of outputs and targets. A dead input layer makes everything behind
    it silent and everything without gradient; the finding is the dead layer, and the rest are its consequences:

        >>> import jax, surgrad
        >>> from surgrad.nn import LIF, Sequential
        >>> model = Sequential(LIF(surgrad.Sigmoid(), threshold=100.0), lambda x: 3 * x, LIF(surgrad.Sigmoid()))
        >>> spikes = jax.random.bernoulli(jax.random.key(0), 0.3, (10, 2, 4)).astype(float)
        >>> found = diagnose(model, (spikes, 0.3), loss=lambda outputs, target: (outputs.mean() - target) ** 2)
        >>> [(one.kind, one.where, len(one.consequences)) for one in found.findings]
        [('silent', 'parts[0].surrogate', 1)]

    Parameters:
        model: a cell, usually a `Sequential`.
        batch: a `Dataset`, or a pair: inputs `(time, *batch, ...)`, and targets, what the loss compares outputs with.
        loss: `loss(outputs, targets)`, one number, with outputs `(time, *batch, ...)`: for a readout at the last step
            `lambda outputs, labels: optax.softmax_cross_entropy_with_integer_labels(outputs[-1], labels).mean()`. None:
            that of `train.score`, the cross-entropy of the largest output over time, for labels.

    Raises:
        TypeError: the batch is neither of those, the loss returns no number, or labels are no whole numbers.
        ValueError: the model has no surrogates, or the inputs do not fit it, are empty, or time does not lead; there is
            not one label for each sample.
    """
    # This function looks for what is not finite, and says where; JAX's debugging aids would stop at the first.
    with jax.debug_nans(False), jax.debug_infs(False):
        forms = "a Dataset or a pair (inputs, targets)"
        inputs, targets = inputs_and_targets("diagnose", batch, forms)
        if targets is None:
            raise TypeError(f"diagnose: batch must be {forms}, got {type(batch).__name__}.")
        require_time_first("diagnose", inputs, targets)
        if loss is None:
            targets = labels_of("diagnose", inputs, targets)
        return _diagnosed(model, inputs, targets, loss or peak_cross_entropy)


def peak_cross_entropy(outputs: Float[Array, "time batch classes"], labels: Array) -> Float[Array, ""]:
    """The mean cross-entropy of the largest output over time, in nats."""
    log_probabilities = jax.nn.log_softmax(outputs.max(axis=0))
    return -jnp.take_along_axis(log_probabilities, labels[:, None], axis=-1).mean()


def _loss_of(outputs: PyTree, targets: Any, loss: Loss) -> Float[Array, ""]:
    """The loss, while it is traced.

    Raises:
        TypeError: it is no number. Errors of the loss itself get a note of what it is called with.
    """
    shapes = f"outputs, (time, *batch, ...), of shape {jax.tree.map(jnp.shape, outputs)} and the targets"
    how = "(outputs, targets), one number: lambda outputs, labels: loss_of_samples(outputs[-1], labels).mean()"
    try:
        value = loss(outputs, targets)
    except Exception as error:
        error.add_note(f"diagnose calls loss with {shapes}; give a function of {how}.")
        raise
    if jnp.shape(value) != ():
        raise TypeError(
            f"diagnose: loss must return one number, got shape {jnp.shape(value)} for {shapes}; give a function of "
            f"{how}."
        )
    return value


def _diagnosed(model: PyTree, inputs: Array, targets: Any, loss: Loss) -> Diagnosis:
    seen = jax.device_get(_measure(model, inputs, targets, loss))
    layers = tuple(layer_of(name, values) for name, values in zip(surrogates(model), seen["layers"], strict=True))
    not_finite = [name for name, x in {INPUTS: inputs, **arrays(model)}.items() if not jnp.isfinite(x).all()]
    gradients = {name: float(norm) for name, norm in seen["gradients"].items()}
    value, errors = float(seen["loss"]), tuple(each["errors"] for each in seen["layers"])
    found = find(layers, gradients, value, float(seen["active"]), not_finite)
    return Diagnosis(value, layers, gradients, errors, found)


@functools.partial(jax.jit, static_argnames="loss")
def _measure(model: PyTree, inputs: Array, targets: Any, loss: Loss) -> dict[str, Any]:
    shapes = jax.eval_shape(lambda x: record(model, x).membranes, inputs)
    offsets = tuple(jnp.zeros(s.shape, s.dtype) for s in shapes)

    def by(values: list[Array], offsets: tuple[Array, ...]) -> tuple[Array, Any]:
        seen = record(with_arrays(model, values), inputs, offsets)
        return _loss_of(seen.outputs, targets, loss), seen.membranes

    paths = arrays(model)
    both = jax.value_and_grad(by, argnums=(0, 1), has_aux=True)
    (value, membranes), (gradients, errors) = both(list(paths.values()), offsets)
    parts = zip(surrogates(model).values(), membranes, errors, strict=True)
    return {
        "loss": value,
        "active": jnp.mean(inputs != 0),
        "layers": [statistics(*part) for part in parts],
        "gradients": {name: jnp.linalg.norm(g.ravel()) for name, g in zip(paths, gradients, strict=True)},
    }
