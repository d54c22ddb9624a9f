"""The classifier that tasks, studies and examples train."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
from jaxtyping import Array

from surgrad._answers import answers_keywords
from surgrad._keys import takes_key
from surgrad._numbers import require_real, require_whole
from surgrad._types import Parameter
from surgrad.nn import LIF, LeakyIntegrator, Linear, Recurrent, Sequential
from surgrad.tasks import Dataset

SpikeFunction = Callable[..., Any]


@answers_keywords
@takes_key
def classifier(
    surrogate: SpikeFunction | Sequence[SpikeFunction],
    data: Dataset,
    *,
    key: Array,
    hidden: int,
    tau: Parameter,
    gain: float,
    depth: int = 1,
    recurrent: float = 0.0,
) -> Sequential:
    """A network of hidden layers of LIF neurons, with one leaky integrator for each class as its output.

    Its inputs are spikes, `(time, *batch, channels)`, its outputs membrane potentials, `(time, *batch, classes)`. The
    time constant may be traced, so that it can be tuned.

        >>> import jax, surgrad
        >>> from surgrad import tasks, train
        >>> data = tasks.load("temporal_xor").train
        >>> network = train.classifier(surgrad.Sigmoid(), data, key=jax.random.key(0), hidden=32, tau=20.0, gain=3.0)
        >>> [type(part).__name__ for part in network.parts]
        ['Linear', 'LIF', 'Linear', 'LeakyIntegrator']

    Parameters:
        surrogate: the surrogate of all hidden neurons, or a sequence with one surrogate for each hidden layer.
        data: the data set to classify; it sets the numbers of inputs and of classes.
        key: random key of the initial weights.
        hidden: number of neurons of a hidden layer, >= 1.
        tau: time constant of all neurons in time steps, > 0.
        gain: standard deviation of the hidden weights times √inputs, > 0.
        depth: number of hidden layers, >= 1.
        recurrent: standard deviation of the recurrent weights times √hidden, >= 0; 0 means layers without recurrence.

    Raises:
        TypeError: `key` is not a random key, or a number is not one.
        ValueError: a number is out of its range, or the number of surrogates is not that of the hidden layers.
    """
    require_whole("classifier", hidden=hidden, depth=depth)
    for name, value in (("tau", tau), ("gain", gain)):
        require_real("classifier", name, value, above=0)
    require_real("classifier", "recurrent", recurrent, at_least=0)
    surrogates: Any = surrogate if isinstance(surrogate, (list, tuple)) else (surrogate,) * depth
    if len(surrogates) != depth:
        raise ValueError(f"classifier: {depth} layers need as many surrogates, or one for all, got {len(surrogates)}.")
    first, second = jax.random.split(key)
    parts, features = [], data.channels
    for layer, each in enumerate(surrogates):
        into, back = (first, key) if not layer else jax.random.split(jax.random.fold_in(first, layer))
        cell = LIF(each, tau)
        cell = Recurrent(cell, hidden, key=back, gain=recurrent) if recurrent else cell
        parts += [Linear(features, hidden, key=into, gain=gain), cell]
        features = hidden
    return Sequential(*parts, Linear(hidden, data.classes, key=second), LeakyIntegrator(tau))
