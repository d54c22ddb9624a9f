"""Sequences of different lengths: each sample gives what it gives alone, at its own length."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import surgrad
from surgrad import nn

TIME, LENGTHS = 11, np.array([11, 4, 0, 7])


def inputs(features=5, dtype=None):
    """Padded with numbers that must not matter."""
    xs = np.random.default_rng(0).normal(0.3, 1.5, (TIME, len(LENGTHS), features))
    behind = np.arange(TIME)[:, None] >= LENGTHS
    return jnp.asarray(np.where(behind[..., None], np.nan, xs), dtype or jnp.result_type(float))


class Own(nn.Cell):
    """A user's own cell, which counts time steps in its state and promises nothing."""

    def init(self, shape, dtype=None):
        return {"v": jnp.zeros(shape), "n": jnp.zeros((), int)}

    def __call__(self, state, x):
        n = state["n"] + 1
        v = state["v"] / n.astype(x.dtype) + x
        return {"v": v, "n": n}, jnp.tanh(v)


class Chain(nn.Cell):
    """A user's own network, whose parts are as they were given."""

    parts: tuple = ()
    in_order = True

    def init(self, shape, dtype=None):
        return nn.Sequential(*self.parts).init(shape, dtype)

    def through(self, run, state, x):
        states, outputs = [], []
        for part, before in zip(self.parts, state, strict=True):
            after, x = run(part, before, x)
            states, outputs = [*states, after], [*outputs, x]
        return tuple(states), tuple(outputs)

    def __call__(self, state, x):
        return nn.Sequential(*self.parts)(state, x)


def networks():
    key = jax.random.key(0)
    return {
        "LIF": nn.LIF(refractory=1),
        "Delay": nn.Delay(2),
        "delays": nn.Delay([0, 1, 2, 3, 1]),
        "learned delays": nn.Sequential(
            nn.DelayedLinear(5, 5, 3, key=key), nn.DelayedRecurrent(nn.ParallelLIF(), 5, 3, key=key)
        ),
        "MeanOverTime": nn.MeanOverTime(),
        "MaxOverTime": nn.MaxOverTime(),
        "FirstSpikeTime": nn.Sequential(nn.LIF(), nn.FirstSpikeTime()),
        "LastStep": nn.Sequential(nn.LIF(), nn.LastStep()),
        "a connection at the end": nn.Sequential(
            nn.LIF(), nn.Linear(5, 2, key=key).replace(bias=jnp.ones(2)), nn.BatchNorm(2, eps=0.5)
        ),
        "a user's own": Own(),
        "a function at the beginning": nn.Sequential(jnp.exp, nn.LIF()),
        "a user's own network": Chain(parts=(jnp.exp, nn.LIF())),
        "a network at the beginning": nn.Sequential(nn.Sequential(nn.Linear(5, 3, key=key), nn.LIF()), Own()),
        "nothing at the beginning": nn.Sequential(nn.Sequential(), Own()),
        "a network": nn.Sequential(
            nn.Linear(5, 6, key=key),
            nn.ALIF(surrogate=surgrad.Sigmoid(2.0)),
            nn.Recurrent(nn.LIF(), 6, key=key),
            nn.Sequential(nn.Linear(6, 3, key=key), Own()),
            nn.MeanOverTime(),
        ),
    }


NETWORKS = list(networks())


def real(tree):
    return [leaf for leaf in jax.tree.leaves(tree) if jnp.issubdtype(leaf.dtype, jnp.floating)]


def weighted(tree):
    return sum(jnp.sum(jnp.cos(jnp.arange(leaf.size).reshape(leaf.shape)) * leaf) for leaf in real(tree))


def alone(net, xs, sample, keep):
    """The sample, cut to its length: its state and its outputs, without a batch."""
    return nn.unroll(net, xs[: LENGTHS[sample], sample], keep=keep)


@pytest.mark.parametrize("name", NETWORKS)
def test_states_and_outputs_are_those_of_each_sample_alone(x64, name):
    net, xs = networks()[name], inputs()
    state, outputs = nn.unroll(net, xs, lengths=LENGTHS)
    last = nn.unroll(net, xs, lengths=LENGTHS, keep="last").outputs
    axes = [0 if leaf.shape[0] == len(LENGTHS) else 1 for leaf in jax.tree.leaves(state)]
    for sample, length in enumerate(LENGTHS):
        expected = alone(net, xs, sample, "all")
        np.testing.assert_allclose(outputs[:length, sample], expected.outputs, atol=1e-12)
        np.testing.assert_array_equal(outputs[length:, sample], 0)
        found = [jnp.take(leaf, sample, axis) for leaf, axis in zip(jax.tree.leaves(state), axes, strict=True)]
        for ours, theirs in zip(found, jax.tree.leaves(expected.state), strict=True):
            np.testing.assert_allclose(ours, theirs, atol=1e-12)
        np.testing.assert_allclose(last[sample], expected.outputs[-1] if length else 0, atol=1e-12)


@pytest.mark.parametrize("name", ["LIF", "MeanOverTime", "a network"])
def test_gradients_are_the_sums_of_those_of_each_sample_alone(x64, name):
    net, xs = networks()[name], inputs()
    leaves, structure = jax.tree.flatten(net)
    leaves = [jnp.asarray(leaf) for leaf in leaves]

    def together(leaves, xs):
        return (nn.unroll(structure.unflatten(leaves), xs, lengths=LENGTHS, keep="last").outputs ** 2).sum()

    def one_by_one(leaves, xs):
        kept = [alone(structure.unflatten(leaves), xs, i, "last").outputs for i in range(len(LENGTHS)) if LENGTHS[i]]
        return sum((y**2).sum() for y in kept)

    found, expected = (jax.jit(jax.grad(f, (0, 1)))(leaves, xs) for f in (together, one_by_one))
    for ours, theirs in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-11)


@pytest.mark.parametrize(
    "options", [{"chunk_size": 4}, {"checkpoint_every": 3}, {"backend": "pallas"}, {"chunk_size": 1}], ids=str
)
def test_chunks_checkpoints_and_kernels_change_nothing(x64, options):
    net, xs = networks()["a network"], inputs()
    for keep in ("all", "last"):
        plain = nn.unroll(net, xs, lengths=LENGTHS, keep=keep)
        found = nn.unroll(net, xs, lengths=LENGTHS, keep=keep, **options)
        for ours, theirs in zip(jax.tree.leaves(found), jax.tree.leaves(plain), strict=True):
            np.testing.assert_allclose(ours, theirs, atol=1e-12)


def test_a_sequence_goes_on_where_its_samples_stopped(x64):
    net, xs = networks()["a network"], inputs()
    first = np.minimum(LENGTHS, 5)
    state, _ = nn.unroll(net, xs[:5], lengths=first)
    found = nn.unroll(net, state, xs[5:], lengths=LENGTHS - first, keep="last").outputs
    expected = nn.unroll(net, xs, lengths=LENGTHS, keep="last").outputs
    for sample in np.flatnonzero(LENGTHS > 5):
        np.testing.assert_allclose(found[sample], expected[sample], atol=1e-12)


def test_lengths_may_be_traced(x64):
    net, xs = nn.LIF(), inputs()
    found = jax.jit(lambda lengths: nn.unroll(net, xs, lengths=lengths).outputs)(jnp.asarray(LENGTHS))
    np.testing.assert_array_equal(found, nn.unroll(net, xs, lengths=LENGTHS).outputs)


@pytest.mark.parametrize(
    ("lengths", "error", "message"),
    [
        ([1, 2, 3], ValueError, r"one for each of the 4 samples, got .*3"),
        ([1, 2, 3, 12], ValueError, r"from 0 to 11, one for each of the 4 samples, got 12 for sample 3"),
        ([1, -2, 3, 4], ValueError, r"got -2 for sample 1"),
        ([1.0, 2.0, 3.0, 4.0], TypeError, r"lengths must be whole numbers"),
    ],
)
def test_lengths_that_do_not_fit_are_refused(lengths, error, message):
    with pytest.raises(error, match=message):
        nn.unroll(nn.LIF(), inputs(), lengths=lengths)


def test_inputs_without_samples_have_no_lengths():
    with pytest.raises(
        ValueError, match=r"with lengths, inputs must be \(time, batch, \.\.\.\), got the shape \(11,\)"
    ):
        nn.unroll(nn.LIF(), jnp.ones(11), lengths=[11])


def test_a_function_without_init_has_no_lengths():
    def cell(state, x):
        return state + x, x

    with pytest.raises(TypeError, match="with lengths, the cell must have a method init"):
        nn.unroll(cell, jnp.zeros((4, 5)), inputs(), lengths=LENGTHS)


def products_in_loops(jaxpr, inside=False):
    """The number of matrix products in the bodies of loops over time."""
    count = 0
    for equation in jaxpr.eqns:
        loop = inside or equation.primitive.name == "scan"
        count += inside and equation.primitive.name == "dot_general"
        for part in jax.tree.leaves(tuple(equation.params.values()), is_leaf=lambda p: hasattr(p, "eqns")):
            part = getattr(part, "jaxpr", part)
            if hasattr(part, "eqns"):
                count += products_in_loops(part, loop)
    return count


def test_the_gradient_of_recurrent_weights_is_one_product_outside_of_the_loop():
    layer = nn.Recurrent(nn.LIF(), 5, key=jax.random.key(0), event_driven=False)

    def gradient(lengths):
        loss = lambda layer, xs: nn.unroll(layer, xs, lengths=lengths, chunk_size=TIME).outputs.sum()
        return jax.make_jaxpr(jax.grad(loss, (0, 1)))(layer, jnp.zeros((TIME, len(LENGTHS), 5))).jaxpr

    # One product in a time step forwards, and one backwards.
    assert products_in_loops(gradient(None)) == products_in_loops(gradient(LENGTHS)) == 2


def test_the_backward_pass_keeps_no_copy_of_the_inputs():
    net, xs = nn.Sequential(nn.Linear(64, 2, key=jax.random.key(0)), nn.LIF(), nn.MeanOverTime()), inputs(64)

    def outputs(weights):
        return nn.unroll(net.with_connections(weights), xs, lengths=LENGTHS, chunk_size=4).outputs

    kept = [leaf for leaf in jax.tree.leaves(jax.vjp(outputs, net.connections())[1]) if leaf.size > xs.size / 4]
    assert kept
    assert all(jnp.isnan(leaf).any() for leaf in kept)  # the inputs themselves, as they were given
