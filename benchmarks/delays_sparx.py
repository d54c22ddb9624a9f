"""The learned delays of sparx (PyPI: sparxml) beside those of surgrad, on the task `coincidences`.

    python -m benchmarks.delays_sparx [--seeds 5]

It runs where sparx is installed (the extra `sparx`, which needs Python 3.12 or later), and writes
benchmarks/delays_sparx.json and the section of benchmarks/delays.md. Data, batches, number of neurons, time constant,
surrogate, optimiser, updates and the size of the initial weights are those of benchmarks/delays.py. How the Gaussian
narrows and how fast the delays of sparx learn is chosen by the accuracy on a fifth of the samples to train by.
"""

from __future__ import annotations

import argparse
import functools
import json
import platform
import sys
import time
from importlib import metadata
from typing import Any, NamedTuple

import flax.linen as linen
import jax
import jax.numpy as jnp
import numpy as np
import optax
import sparx.nn
from sparx.surrogate import ATan

from benchmarks import delays
from benchmarks.delays import LEARNED, SETTING, tasks
from benchmarks.delays_beside import RESULTS, write

PACKAGES = ("sparxml", "surgrad", "jax", "jaxlib", "flax", "optax", "numpy")
NONE, FIXED = delays.VARIANTS[:2]


class Choice(NamedTuple):
    """What is chosen for the learned delays of sparx."""

    widest: float
    """Width of the Gaussian at the start in time steps; half of the longest delay in sparx' documentation."""
    faster: float
    """Learning rate of the delays over that of the weights."""
    linearly: bool
    """Whether the width falls on a line over all updates, as in sparx' documentation, or as surgrad's in `delays`."""
    normalised: bool
    """Whether there is batch norm between the connection and the neurons, an option of `sparx.models.SpikingMLP`."""


HALF = SETTING.longest / 2
CHOICES = [
    *(Choice(HALF, faster, True, False) for faster in (1.0, 20.0, 100.0)),
    *(Choice(HALF, faster, True, True) for faster in (20.0, 100.0)),
    *(Choice(SETTING.widest, faster, False, False) for faster in (20.0, 100.0)),
]


class Network(linen.Module):
    """Connection, neurons with a short memory, connection, and the sum over time."""

    classes: int
    delayed: bool
    normalised: bool

    @linen.compact
    def __call__(self, spikes: jax.Array, sigma: Any = 0, training: bool = False) -> jax.Array:
        weights = linen.initializers.variance_scaling(SETTING.gain**2, "fan_in", "truncated_normal")
        if self.delayed:
            x = sparx.nn.DelayedDense(SETTING.hidden, SETTING.longest, kernel_init=weights)(spikes, sigma)
        else:
            x = linen.Dense(SETTING.hidden, kernel_init=weights)(spikes)
        if self.normalised:
            x = linen.BatchNorm(use_running_average=not training, momentum=0.9)(x)
        x = sparx.nn.LIF(tau=SETTING.tau, surrogate=ATan(2.0))(x)
        return linen.Dense(self.classes)(x).sum(axis=0)


def width(choice: Choice, update: jax.Array) -> jax.Array:
    """That of the Gaussian at an update; it ends at 0.5 time steps."""
    line = optax.linear_schedule(choice.widest, 0.5, SETTING.updates)(update)
    done = jnp.minimum(update / (SETTING.updates * SETTING.narrowing), 1)
    return jnp.where(choice.linearly, line, choice.widest * (0.5 / choice.widest) ** done)


def fitted(variant: str, normalised: bool, choice: Choice, split: tasks.Split, key: jax.Array) -> jax.Array:
    """The share of right answers on the samples held out, with delays rounded to whole steps."""
    first, order = jax.random.split(key)
    net = Network(split.train.classes, variant != NONE, normalised)
    memory = dict(net.init(first, jnp.zeros((1, 1, split.train.channels))))
    start = memory.pop("params")

    def loss(params: Any, memory: Any, update: Any, batch: tasks.Dataset) -> Any:
        sigma = width(choice, update) if variant == LEARNED else 0
        given = {"params": params, **memory}
        outputs, memory = net.apply(given, batch.spikes(), sigma, training=True, mutable=["batch_stats"])
        return delays.cross_entropy(outputs, batch), dict(memory)

    factor = choice.faster if variant == LEARNED else 0.0
    params, memory = delays.trained(SETTING, start, loss, split.train, order, factor, memory, clamped)
    outputs = net.apply({"params": params, **memory}, split.test.spikes())
    return (outputs.argmax(-1) == split.test.labels).mean()


@functools.partial(jax.jit, static_argnums=(0, 1))
def shares(variant: str, normalised: bool, choice: Choice, splits: tasks.Split, keys: jax.Array) -> jax.Array:
    """Those of all seeds; the numbers of a choice are traced, so that candidates share a program."""
    run = functools.partial(fitted, variant, normalised)
    return jax.vmap(run, in_axes=(None, 0, 0))(choice, splits, keys)


def clamped(params: Any) -> Any:
    """Parameters whose delays are moved to the nearest end if they left the range, which sparx leaves to its users."""
    return jax.tree_util.tree_map_with_path(
        lambda path, leaf: jnp.clip(leaf, 0, SETTING.longest) if path[-1].key == "delay" else leaf, params
    )


def accuracies(variant: str, choice: Choice, seeds: int, validation: bool = False) -> np.ndarray:
    """Those of sparx, seed by seed, in percent."""
    splits, keys = delays.samples(seeds, validation), delays.keys(seeds)
    return 100 * np.asarray(shares(variant, choice.normalised, choice, splits, keys))


def timed(name: str, run: Any, *given: Any) -> list[float]:
    """What it returns, rounded, and printed with the CPU time it took."""
    begun = time.process_time()
    found = [round(float(value), 2) for value in run(*given)]
    print(f"{name}: {found}, {time.process_time() - begun:.0f} CPU s", file=sys.stderr, flush=True)
    return found


def measured(seeds: int) -> dict[str, Any]:
    """The candidates with their accuracies on the validation part, the one that is best, and the accuracies with it."""
    tried = [timed(f"sparx, {choice}", accuracies, LEARNED, choice, seeds, True) for choice in CHOICES]
    best = CHOICES[int(np.argmax(np.mean(tried, axis=1)))]
    variants = (NONE, FIXED, LEARNED)
    return {
        "tried": [{**choice._asdict(), "validation": values} for choice, values in zip(CHOICES, tried, strict=True)],
        "chosen": best._asdict(),
        "sparx": {variant: timed(f"sparx, {variant}", accuracies, variant, best, seeds) for variant in variants},
        "surgrad": ours(best, seeds),
    }


def ours(best: Choice, seeds: int) -> dict[str, list[float]]:
    """Accuracies of surgrad as in `delays`, and with what was chosen for sparx, where `delays` has that."""
    runs = {variant: (SETTING, variant) for variant in delays.VARIANTS}
    if not best.linearly and not best.normalised:
        alike = SETTING._replace(widest=best.widest, delays_faster=best.faster)
        runs[f"{LEARNED}; width and rate as of sparx"] = alike, LEARNED
    return {name: timed(f"surgrad, {name}", delays.accuracies, *run, seeds) for name, run in runs.items()}


def main() -> None:
    """Train, write the results, and put them on the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5, help="at least 2")
    options = parser.parse_args()
    results = {
        "command": f"python -m benchmarks.delays_sparx --seeds {options.seeds}",
        "versions": {name: metadata.version(name) for name in PACKAGES} | {"Python": platform.python_version()},
        **measured(options.seeds),
    }
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    write()


if __name__ == "__main__":
    main()
