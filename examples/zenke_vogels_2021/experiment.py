"""The networks of the reproduction, and the runs of a family of them in one compiled program."""

from __future__ import annotations

import dataclasses
import functools
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

import surgrad
from surgrad import tasks, train
from surgrad.nn import CuBaLIF, LeakyIntegrator, Linear, Recurrent, Sequential
from surgrad.nn._recurrent import RecurrentState

SHAPES: dict[str, Callable[[Any], surgrad.Surrogate]] = {
    "SuperSpike": surgrad.SoftSign,
    "sigmoid'": surgrad.Sigmoid,
    "triangle": surgrad.PiecewiseQuadratic,
}
"""Slopes 1/(1 + β|x|)², 4 s(βx) s(-βx) and max(0, 1 - β|x|) once they are brought to a peak of 1."""


@dataclasses.dataclass(frozen=True)
class Settings:
    """What all runs share.

    Parameters:
        betas: scales β of the surrogates.
        seeds: one run a scale and seed; a seed sets manifolds, initial weights and batches.
        classes: numbers of manifolds, rising; the last one is that of the main curves.
        samples: points on a manifold, a fifth of them to test.
        steps, window: length of a sample, and steps in which the inputs spike.
        hidden: number of hidden neurons.
        tau, tau_syn: time constants of membranes and synapses, in steps.
        gain: of the initial weights of the inputs.
        recurrent_gain: of the initial recurrent weights; at 1 the network fires at its limit before it learns.
        updates, batch: number of updates, and samples an update.
        rate, recurrent_rate: of Adam, for networks without and with recurrent connections.
    """

    betas: tuple[float, ...] = (1.0, 3.0, 10.0, 30.0, 100.0)
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    classes: tuple[int, ...] = (2, 5, 10)
    samples: int = 1000
    steps: int = 50
    window: int = 35
    hidden: int = 64
    tau: float = 10.0
    tau_syn: float = 5.0
    gain: float = 3.0
    recurrent_gain: float = 0.1
    updates: int = 400
    batch: int = 64
    rate: float = 5e-3
    recurrent_rate: float = 2e-3


@dataclasses.dataclass(frozen=True)
class Family:
    """Runs that differ in β and seed alone.

    Parameters:
        shape: a name in `SHAPES`, or `"constant"`, a slope of 1 everywhere.
        peak: `"one"`, or `"β"`, the asymptotic surrogate: β times as high, it goes to twice the derivative of a step.
        reset: whether gradients go `"through"` the reset, or it is `"detached"`.
        recurrence: the same for recurrent connections; `"none"` where there are none.
        classes: number of manifolds.
        rate: factor of the learning rate.
    """

    shape: str
    classes: int
    peak: str = "one"
    reset: str = "detached"
    recurrence: str = "none"
    rate: float = 1.0


SLOWER = 1 / 4
"""Factor of the learning rate where the harm of a gradient might be that of the rate."""


def families(settings: Settings) -> list[Family]:
    """Everything that the figures show, the main curves first."""
    most = settings.classes[-1]
    made = [Family(shape, most, reset=reset) for reset in ("detached", "through") for shape in SHAPES]
    made += [Family("SuperSpike", most, "β", reset=reset) for reset in ("detached", "through")]
    for recurrence in ("detached", "through"):
        made += [Family(shape, most, recurrence=recurrence) for shape in SHAPES]
        made += [Family("SuperSpike", most, "β", recurrence=recurrence)]
    made += [Family(shape, classes) for classes in settings.classes[:-1] for shape in SHAPES]
    made += [Family("SuperSpike", most, "β", rate=SLOWER, **{field: "through"}) for field in ("reset", "recurrence")]
    return [*made, Family("constant", most)]


def betas(family: Family, settings: Settings) -> tuple[float, ...]:
    """The scales of a family; a constant has none, for which 0 stands."""
    return (0.0,) if family.shape == "constant" else settings.betas


def surrogate(family: Family, beta: Any) -> surgrad.Surrogate:
    """The surrogate of a family at a scale."""
    if family.shape == "constant":
        return surgrad.LeakyRelu(1.0, 1.0)
    shape = surgrad.Normalized(SHAPES[family.shape](beta), to="peak")
    return shape if family.peak == "one" else surgrad.Mixture((shape,), weights=jnp.atleast_1d(beta))


class DetachedRecurrent(Recurrent):
    """A recurrent cell whose gradients do not go back through the spikes that come back; W is learned all the same."""

    def __call__(self, state: RecurrentState, current: Array) -> tuple[RecurrentState, Array]:
        """One step, as that of `Recurrent`."""
        return super().__call__(RecurrentState(state.cell, jax.lax.stop_gradient(state.outputs)), current)


def network(key: Array, family: Family, beta: Any, units: int, settings: Settings) -> Sequential:
    """One hidden layer and a leaky integrator a class, with initial weights."""
    into, out, back = jax.random.split(key, 3)
    cell: Any = CuBaLIF(
        surrogate(family, beta),
        settings.tau,
        tau_syn=settings.tau_syn,
        reset="zero",
        detach_reset=family.reset == "detached",
    )
    if family.recurrence != "none":
        kind = Recurrent if family.recurrence == "through" else DetachedRecurrent
        cell = kind(cell, settings.hidden, key=back, gain=settings.recurrent_gain)
    first = Linear(units, settings.hidden, key=into, gain=settings.gain)
    return Sequential(first, cell, Linear(settings.hidden, family.classes, key=out), LeakyIntegrator(settings.tau))


@functools.lru_cache(maxsize=1)
def manifolds(classes: int, settings: Settings) -> tasks.Split:
    """The manifolds of all seeds, along a leading axis."""
    size = {"samples": settings.samples, "steps": settings.steps, "window": settings.window}
    splits = [tasks.manifolds(classes=classes, seed=seed, **size) for seed in settings.seeds]
    return jax.tree.map(lambda *each: jnp.stack(each), *splits)


def trained(
    beta: Any, seed: Any, data: tasks.Split, family: Family, settings: Settings
) -> tuple[Float[Array, ""], train.Score]:
    """The mean loss of the last tenth of a run's updates, and the score on the samples to test."""
    initial, drawn = jax.random.split(jax.random.key(seed))
    optimizer = optax.adam(family.rate * (settings.rate if family.recurrence == "none" else settings.recurrent_rate))
    fit = train.start(network(initial, family, beta, data.train.channels, settings), optimizer)
    order = jax.random.randint(drawn, (settings.updates, settings.batch), 0, len(data.train))
    fit, losses = jax.lax.scan(lambda fit, batch: train.step(fit, optimizer, data.train[batch]), fit, order)
    return losses[-max(1, settings.updates // 10) :].mean(), train.score(fit.network, data.test)


@functools.partial(jax.jit, static_argnums=(2, 3))
def _all(runs: tuple[Array, Array, Array], data: tasks.Split, family: Family, settings: Settings) -> Any:
    """All runs of a family, one after the other, so that what a run touches stays in the cache."""

    def one(run: tuple[Array, Array, Array]) -> Any:
        beta, seed, place = run
        return trained(beta, seed, jax.tree.map(lambda x: x[place], data), family, settings)

    return jax.lax.map(one, runs)


def run(family: Family, settings: Settings) -> list[dict[str, Any]]:
    """One row a run: what it was, what came out, and its share of the family's time, compilation included."""
    data = manifolds(family.classes, settings)
    begin = time.perf_counter(), time.process_time()
    runs = [(beta, seed, i) for beta in betas(family, settings) for i, seed in enumerate(settings.seeds)]
    columns = tuple(map(jnp.asarray, zip(*runs, strict=True)))
    losses, score = jax.device_get(_all(columns, data, family, settings))
    wall, cpu = (end - start for end, start in zip((time.perf_counter(), time.process_time()), begin, strict=True))
    share = {"wall_seconds": wall / len(runs), "cpu_seconds": cpu / len(runs)}
    made = {"train_loss": losses, **{f"test_{name}": v for name, v in score._asdict().items()}}
    return [
        {**dataclasses.asdict(family), "beta": beta, "seed": seed, **{n: float(v[i]) for n, v in made.items()}, **share}
        for i, (beta, seed, _) in enumerate(runs)
    ]
