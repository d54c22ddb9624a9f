"""One of each kind of thing is added to a copy of the library: it is one new file, no other changes, and it works.

A name in the public package is one more line, in its `__init__`; `test_adding_a_surrogate.py` has a surrogate.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import surgrad

SOURCE = Path(surgrad.__file__).parent
BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


@pytest.fixture
def copy(tmp_path):
    """A folder with copies of the library and of the benchmarks beside other libraries."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(SOURCE, tmp_path / "surgrad", ignore=ignored)
    (tmp_path / "benchmarks").mkdir()
    for file in BENCHMARKS.glob("*.py"):
        shutil.copy(file, tmp_path / "benchmarks")
    shutil.copytree(BENCHMARKS / "compare", tmp_path / "benchmarks" / "compare", ignore=ignored)
    shutil.copy(BENCHMARKS.parent / "run.py", tmp_path)
    return tmp_path


def touched(folder):
    """The files of the copy that are new or changed."""
    sources = {"surgrad": SOURCE, "benchmarks": BENCHMARKS}
    found = []
    for file in (file for name in sources for file in (folder / name).rglob("*.py")):
        name, *parts = file.relative_to(folder).parts
        before = sources[name].joinpath(*parts)
        if not before.exists() or before.read_bytes() != file.read_bytes():
            found.append(file)
    return found


def add(folder, path, text):
    """Add a file to the copy, and assert that nothing else is touched."""
    file = folder / path
    assert not file.exists()
    file.write_text(text)
    assert touched(folder) == [file]


def run(folder, *arguments):
    """What a program of the copy prints; it must succeed."""
    environment = os.environ | {"PYTHONPATH": str(folder)}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


HYPERGRADIENT = '''"""Central differences: the gradient of the outer loss from two runs for each hyperparameter."""

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

from surgrad._mapping import over_runs
from surgrad._types import Parameter
from surgrad.meta._gradients.explosion import finite
from surgrad.meta._gradients.inner_loop import run
from surgrad.meta._gradients.method import HypergradientMethod
from surgrad.meta._gradients.result import Hypergradient, HypergradientDiagnosis


class Central(HypergradientMethod):
    """Central differences of a width, > 0."""

    width: Parameter = 1e-2

    def differentiate(self, problem):
        flat, unravel = ravel_pytree(problem.hyper)

        def outer(point):
            hyper = unravel(point)
            return problem.outer(run(problem, hyper).weights, hyper)

        aside = self.width * jnp.eye(flat.size)
        values = over_runs(outer, jnp.concatenate([flat + aside, flat - aside]))
        gradient = unravel((values[: flat.size] - values[flat.size :]) / (2 * self.width))
        value = outer(flat)
        return Hypergradient(value, gradient, None, HypergradientDiagnosis(finite(value, gradient), jnp.array(False)))
'''
HYPERGRADIENT_RUNS = """
import jax.numpy as jnp, optax
from surgrad import meta
from surgrad.meta._gradients.central import Central
# One step of gradient descent with rate 1/4 from 0: w = h/4, so the derivative of w² is h/8.
loss, outer = lambda w, h, batch: (w - h) ** 2 / 2, lambda w, h: w**2
found = meta.hypergradient(loss, outer, 0.0, 2.0, jnp.zeros(1), optax.sgd(0.25), method=Central())
print(float(found.value), round(float(found.gradient), 4))
"""


def test_a_method_of_hypergradients_is_one_file(copy):
    pytest.importorskip("optax")
    add(copy, "surgrad/meta/_gradients/central.py", HYPERGRADIENT)
    assert run(copy, "-c", HYPERGRADIENT_RUNS) == "0.25 0.25\n"


SEARCH = '''"""All candidates are trained to the end."""

import dataclasses

import numpy as np

from surgrad.meta._search.method import Rung, Search, SearchMethod


@dataclasses.dataclass(frozen=True)
class ToTheEnd(SearchMethod):
    """Train all candidates to the end."""

    candidates: int = 8

    def search(self, population, space, initial, seed):
        steps, runs = population.training.steps, np.arange(len(population))
        losses = np.asarray(population.advance(runs, 0, steps))
        order = np.argsort(losses)
        rung = Rung(steps, tuple(map(int, order)), tuple(map(float, losses[order])))
        return Search((rung,), steps * len(population))
'''
SEARCH_RUNS = """
import jax.numpy as jnp
from surgrad import meta
from surgrad.meta._search.to_the_end import ToTheEnd
# The loss is |ln(scale/3)|, so that the best of the candidates is the one next to 3.
update = lambda hyper, state, index: (state, jnp.abs(jnp.log(hyper["scale"] / 3)))
training = meta.Training(lambda hyper: jnp.zeros(()), update, steps=10)
found = meta.tune(training, {"scale": meta.LogRange(0.1, 100)}, method=ToTheEnd(5))
distances = jnp.abs(jnp.log(found.candidates["scale"] / 3))
print(found.cost.updates, float(found.hyper["scale"]) == float(found.candidates["scale"][distances.argmin()]))
"""


def test_a_method_of_search_is_one_file(copy):
    pytest.importorskip("optax")
    add(copy, "surgrad/meta/_search/to_the_end.py", SEARCH)
    assert run(copy, "-c", SEARCH_RUNS) == "50 True\n"


TASK = '''"""Early or late: two classes that differ in the time of their spikes."""

import numpy as np

from surgrad.tasks._dataset import Split, dataset, require_split, split
from surgrad.tasks._registry import register


@register
def early_or_late(*, samples: int = 200, steps: int = 20, seed: int = 0, test_share: float = 0.25) -> Split:
    """Eight channels that spike once, all in the first half of the time or all in the second."""
    require_split("early_or_late", seed, test_share)
    random, half = np.random.default_rng(seed), steps // 2
    labels = np.arange(samples) % 2
    latencies = random.integers(0, half, (samples, 8)) + half * labels[:, None]
    return split(dataset(latencies, labels, steps, 2), random, test_share)
'''
TASK_RUNS = """
from surgrad import tasks
data = tasks.load("early_or_late", samples=100)
print("early_or_late" in tasks.names(), len(data.train), data.test.spikes().shape)
"""


@pytest.mark.slow
def test_a_task_is_one_file(copy):
    for package in ("optax", "rich", "matplotlib"):
        pytest.importorskip(package)
    add(copy, "surgrad/tasks/_early_or_late.py", TASK)
    assert run(copy, "-c", TASK_RUNS) == "True 75 (20, 25, 8)\n"
    small = ["--surrogates", "sigmoid", "--scales", "1", "--seeds", "1", "--epochs", "2"]
    table = run(copy, "-m", "surgrad", "compare", "--data", "early_or_late", *small, "--out", "results")
    assert table.splitlines()[1].split()[:2] == ["sigmoid", "1"]
    assert json.loads((copy / "results" / "results.json").read_text())["settings"]["data"] == "early_or_late"


COMPETITOR = '''"""A scan whose weighted sums are one product for all time steps."""

import jax
import jax.numpy as jnp

from benchmarks.compare.peers import on_jax
from benchmarks.compare.peers.plain_scan import spike
from benchmarks.compare.problems import DECAY

ENTRIES = {"one_product": {"label": "one product", "role": "baseline", "packages": ("jax",)}}


def feedforward(problem):
    fire = spike(problem)

    def network(p, xs):
        def step(v, current):
            v = DECAY * v + current
            spikes = fire(v - 1)
            return v - spikes, spikes

        spikes = jax.lax.scan(step, jnp.zeros((xs.shape[1], p["bias"].size), xs.dtype), xs @ p["weights"] + p["bias"])[1]
        return spikes, [spikes]

    return on_jax.program(problem, network)
'''


@pytest.mark.slow
def test_a_competitor_of_the_benchmarks_is_one_file(copy):
    pytest.importorskip("matplotlib")
    add(copy, "benchmarks/compare/peers/one_product.py", COMPETITOR)
    harness = "-m", "benchmarks.compare"
    assert "one_product" in run(copy, *harness, "--help")
    quick = ["--workload", "a", "--input", "dense", "--quick", "--rounds", "2", "--out", "results"]
    run(copy, *harness, *quick, "--competitors", "plain_scan,one_product")
    found = json.loads((copy / "results" / "results.json").read_text())["runs"][0]["competitors"]["one_product"]
    assert found["status"] == "timed"
    assert found["parity"]["passes"]
    assert "one product" in (copy / "results" / "README.md").read_text()
    assert (copy / "results" / "a-dense.png").exists()
    assert touched(copy) == [copy / "benchmarks/compare/peers/one_product.py"]


CELL = '''"""Rectified neurons: the membrane potential has a floor."""

from typing import NamedTuple

import jax.numpy as jnp

from surgrad._dtypes import like
from surgrad._fields import parameter
from surgrad._types import Parameter
from surgrad.nn._checks import returned
from surgrad.nn._contract import Cell, spike_function
from surgrad.nn._membrane import Voltage, admitted, at_rest, decayed, fire


class RectifiedState(NamedTuple):
    """The membrane potential."""

    v: Voltage


class Rectified(Cell):
    """Neurons with v ← max(e^(-1/τ) v + I, floor), which spike where v >= 1 and lose 1 then.

    Parameters:
        surrogate: the spike function.
        tau: time constant in time steps, > 0.
        floor: the least membrane potential.
    """

    spiking = elementwise = True

    surrogate: object = spike_function()
    tau: Parameter = parameter(default=10.0, above=0)
    floor: Parameter = parameter(default=0.0)

    def init(self, shape, dtype=None):
        return RectifiedState(at_rest(self, shape, dtype))

    def __call__(self, state, current):
        x, current = current, admitted(self, state, RectifiedState, current)
        v = jnp.maximum(decayed(state.v, self.tau, 1.0) + current, like(state.v, self.floor))
        spikes = fire(self.surrogate, v - 1)
        return RectifiedState(v - spikes), returned(spikes, x)
'''
CELL_RUNS = """
import jax, jax.numpy as jnp, numpy as np, surgrad
from surgrad import nn
from surgrad.nn._rectified import Rectified
cell = Rectified(surgrad.Arctan(), tau=5.0, floor=-0.5)
report = surgrad.check(cell, jnp.ones((20, 2, 3)))
assert report.ok, report
inputs = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
v, expected = np.zeros(3), []
for current in inputs:  # by hand
    v = np.maximum(np.exp(-1 / 5) * v + current, -0.5)
    expected.append(v >= 1)
    v = v - expected[-1]
assert 0 < np.sum(expected) < 150
network = nn.Sequential(nn.Linear.from_arrays(jnp.eye(3)), cell)
assert np.array_equal(nn.unroll(network, inputs).outputs, expected)
trained, rest = nn.partition(network, also=["tau"])
assert len(jax.tree.leaves(trained)) == 2
print(nn.combine(trained, rest)[1].tau.round(3))
"""


def test_a_cell_is_one_file(copy):
    add(copy, "surgrad/nn/_rectified.py", CELL)
    assert run(copy, "-c", CELL_RUNS) == "5.0\n"
