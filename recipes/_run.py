"""The command of a recipe: train with several seeds, write what came out, and the table of all recipes."""

from __future__ import annotations

import argparse
import datetime
import functools
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from benchmarks.compare import machine
from jaxtyping import Array

from recipes import _page
from recipes._recipe import Recipe
from surgrad import nn, train

HERE = Path(__file__).parent
VERSIONS = "surgrad", "jax", "jaxlib", "numpy", "optax"


def main(name: str, recipe: Recipe, arguments: Sequence[str] | None = None) -> int:
    """Run a recipe as its command line says, and return the exit status: 2 if its data are missing."""
    parser = argparse.ArgumentParser(prog=f"python -m recipes.{name}", description=recipe.title)
    parser.add_argument("--seeds", type=int, default=recipe.seeds, help=f"number of runs ({recipe.seeds})")
    parser.add_argument("--epochs", type=int, default=recipe.epochs, help=f"length of a run ({recipe.epochs})")
    parser.add_argument("--out", type=Path, default=HERE, help="folder of the results and their table")
    parser.add_argument(
        "--validate",
        action="store_true",
        help="judge by a fifth of the samples to train on, which are then not trained on, and write nothing",
    )
    given = parser.parse_args(arguments)
    rows: list[dict[str, Any]] = []
    for seed in range(given.seeds):
        try:
            data = recipe.load(seed)
        except FileNotFoundError as missing:
            print(f"not run here: needs the data. {missing}", file=sys.stderr)
            return 2
        rows.append(trained(recipe, seed, given.epochs, held_out(data[0], seed) if given.validate else data))
        print(_page.line(rows[-1]), flush=True)
        if not given.validate:
            _page.write(given.out, name, results(recipe, given.epochs, rows))
    print(f"mean ± sd of {len(rows)} seeds: {_page.spread([row['accuracy'] for row in rows])} %")
    return 0


def trained(recipe: Recipe, seed: int, epochs: int, data: tuple[Any, ...]) -> dict[str, Any]:
    """One run: the accuracy on the samples to test by after the last epoch, and what it cost, compilation included."""
    begin = time.perf_counter(), time.process_time()
    learn, test = data
    key, weights = jax.random.split(jax.random.key(seed))
    updates = epochs * (len(learn) // recipe.batch)
    fit = train.start(recipe.network(weights, learn), recipe.optimizer(updates))
    losses = [jnp.nan]
    for index in range(epochs):
        shuffled, noise = jax.random.split(jax.random.fold_in(key, index))
        order = np.asarray(train.batches(len(learn), recipe.batch, key=shuffled))
        losses = []
        for indices, drawn in zip(order, jax.random.split(noise, len(order)), strict=True):
            fit, loss = _update(fit, recipe.draw(learn, indices), drawn, recipe, updates)
            losses.append(loss)
        mean = np.mean(jax.device_get(losses))
        print(f"seed {seed}, epoch {index + 1} of {epochs}: loss {mean:.3f}", file=sys.stderr, flush=True)
    accuracy = accuracy_of(fit.network, test, recipe)
    wall, cpu = time.perf_counter() - begin[0], time.process_time() - begin[1]
    count = sum(leaf.size for leaf in jax.tree.leaves(nn.partition(fit.network)[0]))
    return {
        "seed": seed,
        "accuracy": accuracy,
        "train_loss": float(np.mean(jax.device_get(losses))),
        "weights": count,
        "wall_seconds": wall,
        "cpu_seconds": cpu,
    }


@functools.partial(jax.jit, static_argnums=(3, 4))
def _update(fit: train.Fit, batch: Any, key: Array, recipe: Recipe, updates: int) -> tuple[train.Fit, Array]:
    """The fit after one update, and the cross-entropy on the batch before it."""

    def loss(network: nn.Sequential, batch: Any) -> Array:
        logits = recipe.logits(network, batch, key)
        return optax.softmax_cross_entropy_with_integer_labels(logits, batch.labels).mean()

    return train.step(fit, recipe.optimizer(updates), batch, loss=loss)


@functools.partial(jax.jit, static_argnums=2)
def _right(network: nn.Sequential, batch: Any, recipe: Recipe) -> Array:
    """Whether the largest logit of each sample is that of its class."""
    return recipe.logits(network, batch, None).argmax(-1) == batch.labels


def accuracy_of(network: nn.Sequential, data: Any, recipe: Recipe) -> float:
    """Share of samples that are classified correctly, in blocks of a batch each."""
    count = len(data)
    # The last block is filled with samples that are not counted, so that one shape is compiled.
    blocks = np.arange(-(-count // recipe.batch) * recipe.batch).reshape(-1, recipe.batch) % count
    right = [_right(network, recipe.draw(data, indices), recipe) for indices in blocks]
    return float(np.mean(np.concatenate(jax.device_get(right))[:count]))


def held_out(learn: Any, seed: int) -> tuple[Any, Any]:
    """Samples to train on without a fifth of them, and that fifth."""
    order = np.random.default_rng(seed).permutation(len(learn))
    fifth = len(order) // 5
    return learn[order[fifth:]], learn[order[:fifth]]


def results(recipe: Recipe, epochs: int, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """What a file of results holds."""
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "epochs": epochs,
        "batch": recipe.batch,
        "runs": rows,
        "peak_bytes": peak_bytes(),
        "machine": machine.machine(),
        "load": machine.load(),
        "versions": {name: machine.version(name) for name in VERSIONS},
        "commit": machine.commit(),
    }


def peak_bytes() -> int | None:
    """The largest resident set of this process so far, with Python, JAX and the data; None where none tells."""
    try:
        import resource
    except ModuleNotFoundError:
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
