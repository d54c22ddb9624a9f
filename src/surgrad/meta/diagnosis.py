"""What a network does with a batch: spikes, slopes, gradients, and what is wrong with them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from surgrad._types import PyTree
from surgrad.meta.batch import inputs_and_targets, require_time_first
from surgrad.meta.findings import Finding, find
from surgrad.meta.probe import arrays, record, surrogates, with_arrays
from surgrad.tasks import Dataset

Loss = Callable[[Any, Any], Float[Array, ""]]
FLAT = 0.01
"""A slope below this share of its peak is as good as none."""


class Layer(NamedTuple):
    """What the neurons of one surrogate do over a batch, from rest.

    Parameters:
        where: path of the surrogate in the model.
        rate: spikes a neuron and step.
        silent: share of the neurons that never spike.
        saturated: share of the neurons that spike at more than half of the steps.
        slope: mean of the slope, as a share of its peak.
        flat: share of the entries (step, sample, neuron) whose slope is below a hundredth of its peak.
        error: norm of the loss's derivative by x, over all entries.
        early: that of the first quarter of the steps, in units of that of the last quarter.
        finite: whether all x are.
    """

    where: str
    rate: float
    silent: float
    saturated: float
    slope: float
    flat: float
    error: float
    early: float
    finite: bool


class Diagnosis(NamedTuple):
    """What a network does with a batch.

    Parameters:
        loss: its loss.
        layers: one a surrogate, from the input to the output.
        gradients: norm of the gradient of each array of the model that is no surrogate's, by its path.
        errors: norm of the loss's derivative by x at each step, `(steps,)`, one array a surrogate.
        findings: what is wrong, the causes before their effects; empty where nothing is.
    """

    loss: float
    layers: tuple[Layer, ...]
    gradients: dict[str, float]
    errors: tuple[np.ndarray, ...]
    findings: tuple[Finding, ...]

    def __str__(self) -> str:
        """The findings, one a line."""
        return "\n".join(map(str, self.findings)) or "nothing found: spikes, slopes and gradients reach every layer"


def diagnose(model: PyTree, batch: Dataset | tuple[Any, Any], *, loss: Loss | None = None) -> Diagnosis:
    """Rates, slopes and gradients of every layer on a batch, and what to do where they are wrong.

    Parameters:
        model: a cell, a `Sequential` most often.
        batch: a `Dataset`, or inputs `(time, *batch, ...)` and what the loss compares the outputs with.
        loss: a function of the outputs, `(time, *batch, ...)`, and the targets; None: the cross-entropy of the peak
            of the outputs over time, for labels.

    Raises:
        TypeError: the batch is neither of those.
        ValueError: the model has no surrogates, or the inputs do not fit it, are empty, or time does not lead.
    """
    # What is not finite is looked for here, and reported with its place; debugging aids would stop at the first.
    with jax.debug_nans(False), jax.debug_infs(False):
        forms = "a Dataset or a pair (inputs, targets)"
        inputs, targets = inputs_and_targets("diagnose", batch, forms)
        if targets is None:
            raise TypeError(f"diagnose: batch must be {forms}, got {type(batch).__name__}.")
        require_time_first("diagnose", inputs, targets)
        return _diagnosed(model, inputs, targets, loss or peak_cross_entropy)


def _diagnosed(model: PyTree, inputs: Array, targets: Any, loss: Loss) -> Diagnosis:
    seen = jax.device_get(_measure(model, inputs, targets, loss))
    names = list(surrogates(model))
    layers = tuple(_layer(name, values) for name, values in zip(names, seen["layers"], strict=True))
    not_finite = [name for name, x in {"the inputs": inputs, **arrays(model)}.items() if not jnp.isfinite(x).all()]
    gradients = {name: float(norm) for name, norm in seen["gradients"].items()}
    value, errors = float(seen["loss"]), tuple(each["errors"] for each in seen["layers"])
    found = find(layers, gradients, value, float(seen["active"]), not_finite)
    return Diagnosis(value, layers, gradients, errors, found)


def peak_cross_entropy(outputs: Float[Array, "time batch classes"], labels: Array) -> Float[Array, ""]:
    """The mean cross-entropy of the highest output over time, in nats."""
    chances = jax.nn.log_softmax(outputs.max(axis=0))
    return -jnp.take_along_axis(chances, labels[:, None], axis=-1).mean()


def _layer(name: str, values: dict[str, np.ndarray]) -> Layer:
    """The statistics of a layer as Python's numbers."""
    return Layer(name, *(values[field].item() for field in Layer._fields[1:]))


@functools.partial(jax.jit, static_argnames="loss")
def _measure(model: PyTree, inputs: Array, targets: Any, loss: Loss) -> dict[str, Any]:
    shapes = jax.eval_shape(lambda x: record(model, x).membranes, inputs)
    offsets = tuple(jnp.zeros(s.shape, s.dtype) for s in shapes)

    def by(values: list[Array], offsets: tuple[Array, ...]) -> tuple[Array, Any]:
        seen = record(with_arrays(model, values), inputs, offsets)
        return loss(seen.outputs, targets), seen.membranes

    paths = arrays(model)
    both = jax.value_and_grad(by, argnums=(0, 1), has_aux=True)
    (value, membranes), (slopes, errors) = both(list(paths.values()), offsets)
    parts = zip(surrogates(model).values(), membranes, errors, strict=True)
    return {
        "loss": value,
        "active": jnp.mean(inputs != 0),
        "layers": [_statistics(*part) for part in parts],
        "gradients": {name: jnp.linalg.norm(slope.ravel()) for name, slope in zip(paths, slopes, strict=True)},
    }


def _statistics(surrogate: Any, x: Array, error: Array) -> dict[str, Array]:
    """Of one surrogate, from its membranes and the derivatives by them, `(time, *batch, neurons)`."""
    x = x.reshape(len(x), -1, x.shape[-1])
    spikes, slopes = x >= 0, surrogate.surrogate_grad(x) / surrogate.peak()
    rates = spikes.mean(axis=(0, 1))
    errors = jnp.sqrt(jnp.sum(error.reshape(len(x), -1) ** 2, axis=1))
    quarter = max(1, len(x) // 4)
    early, late = jnp.linalg.norm(errors[:quarter]), jnp.linalg.norm(errors[-quarter:])
    return {
        "rate": rates.mean(),
        "silent": (rates == 0).mean(),
        "saturated": (rates > 0.5).mean(),
        "slope": slopes.mean(),
        "flat": (slopes < FLAT).mean(),
        "error": jnp.linalg.norm(errors),
        "early": early / late,
        "finite": jnp.isfinite(x).all(),
        "errors": errors,
    }
