"""`fit`: a network is trained from its first weights to its last, in epochs."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from surgrad._answers import answers_keywords
from surgrad._former import answers
from surgrad._keys import takes_key
from surgrad._optimizers import require_optimizer
from surgrad.train._arguments import named_metrics, require_functions, require_numbers, several
from surgrad.train._checkpoints import Checkpoints, Store
from surgrad.train._epochs import AfterEpoch, Run
from surgrad.train._feed import Feed
from surgrad.train._fit import cross_entropy
from surgrad.train._given import Objective
from surgrad.train._progress import bar
from surgrad.train._result import FitResult, result
from surgrad.train._spread import Spread
from surgrad.train._state import Saved, State, likeness
from surgrad.train._trackers import Tracker
from surgrad.train._update import Method, begin
from surgrad.train._validation import Metric


@answers(
    seed="write key=jax.random.key(0)",
    resume="a run goes on from the newest of its checkpoints by itself: write checkpoints=folder",
    early_stopping="write patience=3, with validation=samples",
    shuffle="samples are in another order in each epoch; train.Batches(function) gives an order of your own",
    verbose="write progress=True",
    **dict.fromkeys(("lr", "learning_rate"), "it is the optimizer's: write optimizer=optax.adam(1e-3)"),
)
@answers_keywords
@takes_key
def fit(
    network: Any,
    data: Any,
    *,
    optimizer: Any,
    key: Array,
    epochs: int,
    batch_size: int = 64,
    loss: Callable[..., Any] | Objective = cross_entropy,
    validation: Any = None,
    metrics: Mapping[str, Metric] | None = None,
    patience: int | None = None,
    accumulate: int = 1,
    loss_scale: Any = None,
    checkpoints: str | os.PathLike[str] | Checkpoints | None = None,
    track: Tracker | Sequence[Tracker] = (),
    callbacks: Sequence[Callable[[AfterEpoch], Any]] = (),
    progress: bool | None = None,
    check_numbers: bool = False,
    mesh: Any = None,
    batch_axes: Any = 0,
    also: str | Sequence[str] = (),
) -> FitResult:
    """The network after training, and the numbers of each epoch.

    Weights are trained, and numbers of cells and surrogates only if `also` names them. Learning-rate schedules and
    clipping are the optimiser's, as in `optax.chain(optax.clip_by_global_norm(1.0), optax.adam(schedule))`. The same
    arguments give the same result; all chance comes from the key, by epoch and by batch.

        >>> import jax, optax, surgrad
        >>> from surgrad import tasks, train
        >>> key, data = jax.random.key(0), tasks.temporal_xor(samples=80)
        >>> network = train.classifier(surgrad.Arctan(), data.train, key=key, hidden=8, tau=20.0, gain=3.0)
        >>> done = train.fit(
        ...     network, data.train, optimizer=optax.adam(1e-2), key=key, epochs=2, batch_size=32, validation=data.test
        ... )
        >>> [(row["epoch"], row["step"]) for row in done.history], sorted(done.history[0])
        ([(1, 4), (2, 8)], ['epoch', 'loss', 'step', 'validation_loss'])

    Parameters:
        network: a network, or any tree of layers, with its first weights.
        data: samples, which `len(data)` counts and of which `data[indices]` gives those of an array of indices, such as
            a `tasks.Dataset` or `Samples((x, y))` of arrays; or `Batches(function)`. Samples that do not fill the last
            batch of an epoch are left out. A compiled program makes many updates in one call if their class is a
            pytree and promises `traced_indices = True`: `data[indices]` works under `jax.jit` then.
        optimizer: an optimiser of Optax.
        key: random key of the order of the samples, and of the loss if it takes one.
        epochs: passes through the data, >= 1.
        batch_size: samples of an update; of `Batches` the function decides.
        loss: what to minimise, a function of the network and a batch that returns one number, or an `Objective`; the
            cross-entropy of `score`, in nats, if it is left out.
        validation: samples, or `Batches`, of which loss and metrics are told after each epoch.
        metrics: functions of a network and a batch that return one number, by name: means over the validation samples.
        patience: epochs without a smaller validation loss after which the run ends, >= 1; None: it does not.
        accumulate: batches whose gradients are averaged for one change of the weights, >= 1, by `optax.MultiSteps`.
        loss_scale: the loss scaling of float16, an object such as `flax.training.dynamic_scale.DynamicScale()`: its
            `value_and_grad` scales. An update that overflows is left out.
        checkpoints: a folder, or `Checkpoints`: the run can be killed at any time, and the same call goes on from the
            newest checkpoint, to the same weights and numbers, bit by bit. More `epochs` may be given then. A function,
            and the values of the data, are not compared: they must be the same.
        track: where the numbers of each epoch are written: `CSV`, `TensorBoard`, `WandB`, `MLflow`, any `Tracker`, or
            several.
        callbacks: functions that are called with an `AfterEpoch` after each epoch, in each process;
            one that returns True ends the run.
        progress: whether a bar on standard error shows epoch and time left; None: on a terminal, if rich is installed.
        check_numbers: whether the run stops at the first NaN or Inf of loss, gradient or weights, with layer, quantity
            and time step. It waits for each update then.
        mesh: a mesh of devices, each with a part of the samples of a batch, along the first axis: of this process, or
            `Mesh(np.array(jax.devices()), ("data",))`, of all processes of `jax.distributed`. Each of these calls `fit`
            with the same arguments, has all data, and gets the same result, in arrays of its own. All numbers are of
            the whole batch. The first process writes checkpoints and what is tracked; all must see its folder. A
            checkpoint can be resumed with another number of devices or processes.
        batch_axes: with a mesh, the axis of the samples in the arrays of a batch, one for all or a tree of them,
            `(1, 0, 0)`. It is not needed where the class of the data or of the batches promises it, as `Dataset` and
            `Samples` do: by `batch_axes`, an attribute of that very class or a property.
        also: names of numbers that are trained besides the weights, in all layers, such as `"tau"` or `"alpha"`, as of
            `nn.partition`: they stay in their range. Weight decay leaves those with a range alone.

    Raises:
        TypeError: an argument is of another kind.
        ValueError: a number is out of range; a checkpoint is of another run, or damaged; a mesh does not divide a
            batch; data have no batches; `patience` or `metrics` are given without validation.
        OSError: a checkpoint cannot be written. Earlier ones stay as they were.
        NotFiniteError: `check_numbers` is True, and a number is NaN or Inf. Checkpoints of before stay.
    """
    objective = loss if isinstance(loss, Objective) else Objective(loss)
    spread, metrics, trackers = Spread(mesh, batch_axes), named_metrics(metrics), several(track)
    optimizer = require_optimizer("fit", optimizer, function=False)
    names = (also,) if isinstance(also, str) else tuple(also)
    method = Method(optimizer, objective, accumulate, check_numbers, spread.whole, names)
    require_numbers(epochs=epochs, batch_size=batch_size, accumulate=accumulate, patience=patience)
    require_functions(validation, patience, metrics, callbacks)
    feed = Feed("data", data, batch_size, spread)
    judges = None if validation is None else Feed("validation", validation, None, spread, most=batch_size)
    wanted = checkpoints if isinstance(checkpoints, Checkpoints) or checkpoints is None else Checkpoints(checkpoints)
    with ExitStack() as things:
        state, saved = State(begin(network, method, loss_scale)), None
        settings = {"key": _numbers_of(key), "accumulate": accumulate, "patience": patience, **feed.settings()}
        settings["also"] = list(names) or None
        same = likeness(state.carry, settings) if wanted is not None or spread.several else {}
        if spread.several:
            often = None if wanted is None else (wanted.every, wanted.every_steps)
            spread.require_same(_named(same) | {"the number of epochs": epochs, "the interval of checkpoints": often})
        if wanted is not None:
            saved = Saved(_opened(wanted, spread, things), state.carry, same)
            state = _resumed(saved, state, epochs)
            spread.require_same({"the newest checkpoint": state.step})
        trackers, progress = (trackers, progress) if spread.leads else ((), False)
        for tracker in trackers:
            things.callback(tracker.close)
            tracker.start(int(state.history[-1]["step"]) if state.history else 0)
        state.carry, state.best = spread.everywhere((state.carry, state.best))
        advance = things.enter_context(bar(progress, feed.updates and epochs * feed.updates, state.step))
        run = Run(method, feed, judges, metrics, key, epochs, patience, wanted, saved, trackers, callbacks)
        while state.epoch < epochs and not state.stopped:
            run.epoch(state, advance)
    state.carry, state.best = spread.here((state.carry, state.best))
    return result(network, state, method, best=patience is not None)


def _named(same: Mapping[str, Any]) -> dict[str, Any]:
    """What all processes must have in common, by what messages call it."""
    network = same["network"], same["begin"]
    return {**same["settings"], "the network": network, "the optimizer": [same["optimizer"], same["loss_scale"]]}


def _opened(wanted: Checkpoints, spread: Spread, things: ExitStack) -> Store:
    """The folder of checkpoints, which the first process cleans before others look into it."""
    found: list[Store] = []

    def open_it() -> None:
        found.append(things.enter_context(closing(Store(wanted, spread.leads))))

    spread.once(open_it, "open the folder of checkpoints")
    if not found:
        open_it()
    return found[0]


def _numbers_of(key: Array) -> list[int]:
    typed = jnp.issubdtype(key.dtype, jax.dtypes.prng_key)
    return np.asarray(jax.random.key_data(key) if typed else key).tolist()


def _resumed(saved: Saved, state: State, epochs: int) -> State:
    """The state of the newest checkpoint, or the given one if there is none.

    Raises:
        ValueError: the checkpoint is of another run, or of a longer one.
    """
    newest = saved.newest()
    if newest is None:
        return state
    if (reached := newest.epoch + bool(newest.batch)) > epochs:
        raise ValueError(
            f"fit: the newest checkpoint in {saved.store.path} is of epoch {reached}, and epochs is {epochs}; give at "
            f"least {reached}, or another folder."
        )
    return newest
