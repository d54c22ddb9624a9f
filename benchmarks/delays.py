"""Delays that learn: what they cost in time, and what they are for.

    python -m benchmarks.delays [--seeds 5] [--calls 5] [--out benchmarks/delays.md]

Two tables. The time of a layer of 700 inputs and 128 outputs with delays up to 25 steps, over 100 steps and 32 samples:
the ways to sum over lags take turns, after their results have been compared. And the accuracy of one network on the
task `coincidences`, with learned delays, with fixed random ones, and without, after equally many updates. The section
on sparx is made from the results of `python -m benchmarks.delays_sparx`, which runs where sparx is installed.
"""

from __future__ import annotations

import argparse
import functools
import platform
import statistics
import sys
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

import surgrad
from benchmarks.delays_beside import PAGE, beside_sparx, spread
from surgrad import meta, nn, tasks
from surgrad.nn._lags import delayed_product
from surgrad.nn._linear import product

TIME, BATCH, INPUTS, OUTPUTS, LONGEST = 100, 32, 700, 128, 25
DENSITIES = (0.03, 0.2)
Ways = dict[str, Callable[[Any, Any], Any]]


def shifted(known: jax.Array, weights: jax.Array, event_driven: bool) -> Any:
    """A product for each lag, of the inputs shifted by it."""
    lags = weights.shape[0]
    time = known.shape[0] - lags + 1
    return sum(product(known[lags - 1 - lag :][:time], weights[lag], event_driven) for lag in range(lags))


def products_first(known: jax.Array, weights: jax.Array, event_driven: bool) -> Any:
    """One product with the weights of all lags side by side; its parts are shifted and added."""
    lags, inputs, outputs = weights.shape
    time = known.shape[0] - lags + 1
    wide = product(known, weights.transpose(1, 0, 2).reshape(inputs, lags * outputs), event_driven)
    parts = wide.reshape(*known.shape[:-1], lags, outputs)
    return sum(parts[lags - 1 - lag :][:time, ..., lag, :] for lag in range(lags))


def convolution(known: jax.Array, weights: jax.Array) -> jax.Array:
    """XLA's convolution in time."""
    y = jax.lax.conv_general_dilated(
        known.swapaxes(0, 1), weights[::-1], (1,), [(0, 0)], dimension_numbers=("NWC", "WIO", "NWC")
    )
    return y.swapaxes(0, 1)


def fourier(known: jax.Array, weights: jax.Array) -> jax.Array:
    """The convolution in time as products of Fourier transforms."""
    size, lags = known.shape[0], weights.shape[0]
    inputs, kernel = jnp.fft.rfft(known, size, axis=0), jnp.fft.rfft(weights, size, axis=0)
    return jnp.fft.irfft(jnp.einsum("fbi,fij->fbj", inputs, kernel), size, axis=0)[lags - 1 :]


WAYS: Ways = {
    "a product for each lag": functools.partial(shifted, event_driven=False),
    "a product for each lag, event-driven": functools.partial(shifted, event_driven=True),
    "all outputs, then shifted": functools.partial(products_first, event_driven=False),
    "all outputs, then shifted, event-driven": functools.partial(products_first, event_driven=True),
    "convolution of XLA": convolution,
    "Fourier transform": fourier,
    "surgrad": functools.partial(delayed_product, event_driven="auto"),
    "no delays": lambda known, weights: product(known[LONGEST:], weights[0], "auto"),
}


class Cost(NamedTuple):
    """Milliseconds of the forward pass, with the gradient by the weights, and with that by the inputs too."""

    forward: float
    by_weights: float
    by_both: float


def costs(density: float, calls: int) -> dict[str, Cost]:
    """Medians over calls in turn, after all results have been found to agree."""
    random = np.random.default_rng(0)
    known = jnp.asarray(random.random((LONGEST + TIME, BATCH, INPUTS)) < density, jnp.float32)
    weights = jnp.asarray(random.normal(size=(LONGEST + 1, INPUTS, OUTPUTS)), jnp.float32)
    pull = jnp.asarray(random.normal(size=(TIME, BATCH, OUTPUTS)), jnp.float32)
    compiled = {}
    for name, way in WAYS.items():

        def forward(known: Any, weights: Any, pull: Any, way: Any = way) -> Any:
            return way(known, weights)

        def loss(known: Any, weights: Any, pull: Any, way: Any = way) -> Any:
            return (way(known, weights) * pull).sum()

        runs = (forward, jax.value_and_grad(loss, 1), jax.value_and_grad(loss, (0, 1)))
        compiled[name] = [jax.jit(run) for run in runs]
    expected = compiled["a product for each lag"][0](known, weights, pull)
    taken: dict[str, list[list[float]]] = {name: [[], [], []] for name in WAYS}
    for call in range(calls + 1):
        for name, runs in compiled.items():
            for run, times in zip(runs, taken[name], strict=True):
                begun = time.perf_counter()
                found = jax.block_until_ready(run(known, weights, pull))
                if call:
                    times.append(1e3 * (time.perf_counter() - begun))
                elif run is runs[0] and name != "no delays":
                    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=5e-3)
    return {name: Cost(*map(statistics.median, times)) for name, times in taken.items()}


class Setting(NamedTuple):
    """The network for the task, and how it is trained."""

    hidden: int = 12
    longest: int = 34
    tau: float = 1.5
    gain: float = 2.0
    batch: int = 50
    updates: int = 1000
    rate: float = 5e-3
    delays_faster: float = 20.0
    """Learning rate of the delays over that of the weights; 100 in Hammouamri et al. (2024)."""
    widest: float = 5.0
    """Width of the Gaussian at the start in time steps. Hammouamri et al. begin with half of the longest delay, and
    normalise between the layers, without which so wide a Gaussian leaves the neurons silent."""
    narrowing: float = 0.5
    """The share of the updates during which the Gaussian narrows, to 0.5."""


SETTING = Setting()
LEARNED = "learned, Gaussian that narrows, then rounded"
VARIANTS = ("none", "fixed, random", "learned, linear interpolation", LEARNED)


def network(setting: Setting, variant: str, key: jax.Array, data: tasks.Dataset) -> nn.Sequential:
    """Connection, neurons with a short memory, connection, and the mean over time."""
    into, out = jax.random.split(key)
    sizes = data.channels, setting.hidden
    sigma = setting.widest if variant == LEARNED else None
    first: Any = nn.Linear(*sizes, key=into, gain=setting.gain)
    if variant != "none":
        first = nn.DelayedLinear(*sizes, setting.longest, key=into, gain=setting.gain, sigma=sigma)
    cell = nn.LIF(surgrad.Arctan(2.0), setting.tau)
    return nn.Sequential(first, cell, nn.Linear(setting.hidden, data.classes, key=out), nn.MeanOverTime())


def logits(net: nn.Sequential, batch: tasks.Dataset) -> jax.Array:
    """Spike counts, weighted."""
    return batch.steps * nn.unroll(net, batch.spikes(), keep="last").outputs


def trained(
    setting: Setting,
    start: Any,
    loss: Callable[..., Any],
    data: tasks.Dataset,
    order: jax.Array,
    factor: Any,
    memory: Any = None,
    kept: Callable[[Any], Any] = lambda parameters: parameters,
) -> tuple[Any, Any]:
    """The parameters and the memory after all updates.

    Parameters:
        start: the parameters at first; those with `delay` in their path are delays.
        loss: `loss(parameters, memory, update, batch)` returns a number and the memory afterwards.
        data: what batches are drawn of.
        order: key of the batches.
        factor: learning rate of the delays over that of the rest.
        memory: what is kept between updates beside the parameters, such as running means.
        kept: what is done to the parameters after each update.
    """
    optimizer = optax.adam(optax.cosine_decay_schedule(setting.rate, setting.updates))
    # Adam does not see the size of a gradient, so that a factor of its updates is one of the learning rate.
    paths = [path for path, _ in jax.tree_util.tree_leaves_with_path(start)]
    factors = [factor if "delay" in jax.tree_util.keystr(path[-1:]) else 1.0 for path in paths]

    def step(carry: Any, update: jax.Array) -> Any:
        parameters, memory, state = carry
        chosen = jax.random.randint(jax.random.fold_in(order, update), (setting.batch,), 0, len(data))
        (value, memory), gradient = jax.value_and_grad(loss, has_aux=True)(parameters, memory, update, data[chosen])
        change, state = optimizer.update(gradient, state, parameters)
        leaves, structure = jax.tree.flatten(change)
        change = structure.unflatten([f * leaf for f, leaf in zip(factors, leaves, strict=True)])
        return (kept(optax.apply_updates(parameters, change)), memory, state), value

    begin = start, memory, optimizer.init(start)
    (parameters, memory, _), _ = jax.lax.scan(step, begin, jnp.arange(setting.updates))
    return parameters, memory


def cross_entropy(outputs: jax.Array, batch: tasks.Dataset) -> jax.Array:
    """The mean over samples."""
    return optax.softmax_cross_entropy_with_integer_labels(outputs, batch.labels).mean()


def fitted(setting: Setting, variant: str, split: tasks.Split, key: jax.Array) -> jax.Array:
    """The share of right answers on the samples held out, after the last update."""
    first, order = jax.random.split(key)
    start, rest = nn.partition(network(setting, variant, first, split.train))
    count = int(setting.updates * setting.narrowing)
    narrower = optax.exponential_decay(setting.widest, count, 0.5 / setting.widest, end_value=0.5)

    def loss(parameters: Any, memory: None, update: Any, batch: tasks.Dataset) -> Any:
        schedules = {"sigma": narrower} if variant == LEARNED else {}
        net = nn.combine(parameters, meta.schedule(rest, schedules, update) if schedules else rest)
        return cross_entropy(logits(net, batch), batch), memory

    factor = 0.0 if variant == "fixed, random" else setting.delays_faster
    net = nn.combine(trained(setting, start, loss, split.train, order, factor)[0], rest)
    if variant == LEARNED:
        net = nn.Sequential(net[0].replace(sigma=0.0), *net.parts[1:])
    return (logits(net, split.test).argmax(-1) == split.test.labels).mean()


def samples(seeds: int, validation: bool = False) -> tasks.Split:
    """The data of all seeds side by side; for validation, a fifth of those to train by is held out instead."""
    splits = [tasks.coincidences(seed=seed) for seed in range(seeds)]
    if validation:
        count = len(splits[0].train)
        held_out, rest = np.split(np.arange(count), [count // 5])
        splits = [tasks.Split(split.train[rest], split.train[held_out]) for split in splits]
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *splits)


def accuracies(setting: Setting, variant: str, seeds: int, validation: bool = False) -> np.ndarray:
    """That of each seed, in percent; the seed draws orders, samples, weights and delays."""
    run = jax.jit(jax.vmap(functools.partial(fitted, setting, variant)))
    return 100 * np.asarray(run(samples(seeds, validation), keys(seeds)))


def keys(seeds: int) -> jax.Array:
    """That of each seed."""
    return jax.random.split(jax.random.key(0), seeds)


def page(measured: dict[float, dict[str, Cost]], found: dict[str, np.ndarray], command: str) -> str:
    """The results in Markdown."""
    names = ("surgrad", "jax", "jaxlib", "optax", "numpy")
    versions = ", ".join(f"{n} {surgrad.__version__ if n == 'surgrad' else metadata.version(n)}" for n in names)
    lines = [
        "# Delays that learn",
        "",
        f"`{command}`: {versions}; Python {platform.python_version()}, {jax.default_backend().upper()}.",
        "",
        "## What they cost",
        "",
        f"`DelayedLinear({INPUTS}, {OUTPUTS}, {LONGEST})` over {TIME} time steps and {BATCH} samples: the sum over",
        "lags of inputs and weights, in milliseconds, medians of calls in turn: forwards / with the gradient by the",
        "weights / with that by the inputs too. The kernel of the delays costs the same for all, and is left out.",
        "",
        "| way |" + "".join(f" {100 * d:g} % of the inputs are spikes |" for d in measured),
        "|-|" + "-|" * len(measured),
    ]
    for name in WAYS:
        cells = (" / ".join(f"{ms:.0f}" for ms in table[name]) for table in measured.values())
        lines.append(f"| {name} | {' | '.join(cells)} |")
    chance = 100 / tasks.coincidences(samples=1).train.classes
    lines += [
        "",
        "## What they are for",
        "",
        f"Accuracy on `tasks.coincidences()`, in percent, after {SETTING.updates} updates: one hidden layer of"
        f" {SETTING.hidden} LIF neurons",
        f"with τ = {SETTING.tau:g} steps, where spikes come 8 steps apart; chance is {chance:.0f} %. Each seed",
        f"has orders, samples, weights and delays of its own. Delays are from 0 to {SETTING.longest} steps.",
        "",
        "| delays | mean | standard deviation | seed by seed |",
        "|-|-|-|-|",
    ]
    lines += [f"| {variant} | {spread(values)} |" for variant, values in found.items()]
    return "\n".join([*lines, ""])


def main() -> None:
    """Measure, train, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5, help="at least 2")
    parser.add_argument("--calls", type=int, default=5, help="of each way")
    parser.add_argument("--out", type=Path, default=PAGE)
    options = parser.parse_args()
    found = {}
    for variant in VARIANTS:
        begun = time.process_time()
        found[variant] = accuracies(SETTING, variant, options.seeds)
        print(f"{variant}: {found[variant]}, {time.process_time() - begun:.0f} CPU s", file=sys.stderr, flush=True)
    measured = {density: costs(density, options.calls) for density in DENSITIES}
    command = f"python -m benchmarks.delays --seeds {options.seeds} --calls {options.calls}"
    text = beside_sparx(page(measured, found, command))
    options.out.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
