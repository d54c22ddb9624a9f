"""Three spiking layers learn in half precision, with master weights in float32, what they learn in float32.

The fast test has a tenth of the steps, with time constants and cues a tenth as long, so that inputs are the same sums.
The slow ones have the 1,000 steps of benchmarks/half_precision.md.
"""

import functools
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks import half_precision  # noqa: E402

from surgrad import nn  # noqa: E402

pytestmark = [pytest.mark.usefixtures("optimised"), pytest.mark.promotes("Optax's Adam and Flax's loss scaling")]

MEMORY = half_precision.SETTINGS["delayed memory"]
SHORT = MEMORY._replace(
    options={**MEMORY.options, "cue": 70, "noise": 5e-3, "samples": 150}, steps=100, tau=50.0, hidden=16
)


@functools.cache
def in_float32(task):
    return half_precision.runs(half_precision.SETTINGS[task], "float32", seeds=6)


def assert_within_a_point(run, of):
    """At most a point from float32, or as far as two standard errors of the difference reach beyond it."""
    far = half_precision.difference(run, of)
    assert of.accuracy.mean() > 0.9
    assert abs(far.points) <= half_precision.POINT + 2 * far.error, far
    assert far.error <= 2 * half_precision.POINT  # or the seeds would say nothing


@pytest.mark.slow
def test_a_tenth_of_the_steps_is_learnt_in_bfloat16():
    assert_within_a_point(*(half_precision.runs(SHORT, dtype, seeds=3) for dtype in ("bfloat16", "float32")))


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_the_network_computes_in_half_precision(dtype):
    split = SHORT.load(steps=SHORT.steps, **SHORT.options)
    network = half_precision.network(SHORT, jax.random.key(0), split.train)
    trained, rest = nn.partition(network)
    batch = split.train[jnp.arange(4)]
    narrow = nn.combine(half_precision.rounded(trained, dtype), rest)
    assert len([part for part in network if isinstance(part, nn.LIF)]) == 3
    *hidden, voltage, last = jax.eval_shape(narrow.outputs, batch.spikes().astype(dtype))
    assert {output.dtype for output in hidden} == {jnp.dtype(dtype)}
    assert voltage.dtype == last.dtype == jnp.float32
    loss = lambda trained: half_precision.logits(trained, rest, batch, dtype).sum()
    gradient = jax.eval_shape(jax.grad(loss), trained)
    assert {leaf.dtype for leaf in jax.tree.leaves(gradient)} == {jnp.dtype("float32")}


@pytest.mark.slow
@pytest.mark.parametrize("way", half_precision.CLAIMED)
@pytest.mark.parametrize("task", half_precision.SETTINGS)
def test_a_thousand_steps_are_learnt_within_a_point(task, way):
    dtype, scaling = half_precision.WAYS[way]
    if scaling:
        pytest.importorskip("flax", reason="loss scaling is Flax's")
    run = half_precision.runs(half_precision.SETTINGS[task], dtype, scaling=scaling, seeds=6)
    assert np.all(np.isfinite(run.losses))
    assert_within_a_point(run, in_float32(task))


@pytest.mark.parametrize("size", [1.0, 1e6])
def test_loss_scaling_gives_the_gradient_and_leaves_out_what_overflows(size):
    pytest.importorskip("flax", reason="loss scaling is Flax's")
    scale = half_precision.loss_scale(True)
    loss = lambda x: (x.astype(jnp.float16) * jnp.float16(8)).astype(jnp.float32).sum() * size
    found = half_precision.scaled_gradient(loss, jnp.ones(2), scale)
    if size == 1.0:
        assert bool(found.finite)
        np.testing.assert_array_equal(found.gradient, 8.0)
    else:
        assert not bool(found.finite)
        assert float(found.scale.scale) < float(scale.scale)
