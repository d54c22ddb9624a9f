"""The time loop of elementwise cells as a Pallas kernel, interpreted, beside the scan that it must equal."""

from __future__ import annotations

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import surgrad
from surgrad import nn
from surgrad.nn._fused.build import fused
from surgrad.nn._fused.elementwise import MixedNeuronsError
from surgrad.nn._fused.warning import NoKernelWarning

SHAPE = (13, 3, 37)  # neither time nor neurons are multiples of a segment or of a block


def inputs(dtype=jnp.float32, shape=SHAPE):
    return (jax.random.normal(jax.random.key(0), shape) * 1.5 + 0.2).astype(dtype)


@surgrad.from_grad
def own_slope(x, alpha=1.5):
    return alpha / (1 + jnp.abs(alpha * x)) ** 2


def per_neuron(low, high):
    return jnp.linspace(low, high, SHAPE[-1])


class Own(nn.Cell):
    """A cell of a user's own, with a state that is not ours."""

    spiking = elementwise = True

    gain: jax.Array
    surrogate: object = surgrad.Sigmoid(3.0)

    def init(self, shape, dtype=None):
        return {"u": jnp.zeros(shape), "last": jnp.zeros(shape)}

    def __call__(self, state, x):
        u = 0.8 * state["u"] + self.gain * x - 0.5 * state["last"]
        spikes = self.surrogate(u - 1)
        return {"u": u, "last": spikes}, spikes


CELLS = {
    "LIF": nn.LIF(),
    "LIF, zero, refractory": nn.LIF(reset="zero", refractory=2),
    "LIF, detached": nn.LIF(detach_reset=True, tau=per_neuron(2.0, 30.0), threshold=per_neuron(0.5, 1.5)),
    "CuBaLIF": nn.CuBaLIF(),
    "CuBaLIF, zero": nn.CuBaLIF(reset="zero", refractory=1),
    "ALIF": nn.ALIF(),
    "ALIF, refractory": nn.ALIF(refractory=3, detach_reset=True),
    "LeakyIntegrator": nn.LeakyIntegrator(),
    "AdEx": nn.AdEx(),
    "Izhikevich": nn.Izhikevich(),
    "MeanOverTime": nn.MeanOverTime(),
    "MaxOverTime": nn.MaxOverTime(),
    "LastStep": nn.LastStep(),
    "a user's own": Own(gain=per_neuron(0.5, 2.0)),
}
SURROGATES = {
    **{name: cls() for name, cls in surgrad.catalogue().items()},
    "one alpha a neuron": surgrad.Arctan(per_neuron(0.5, 4.0)),
    "a user's own": own_slope,
    "combinator": 0.5 * surgrad.Sigmoid(2.0) + 0.5 * surgrad.Gaussian(1.0) if hasattr(surgrad, "Gaussian") else own_slope,
    "Temperature": surgrad.Temperature(surgrad.ERF(), 0.5),
    "Normalized": surgrad.Normalized(surgrad.S2NN(), to="peak"),
}


def loss(backend, cell, state, xs, keep="all"):
    """A number that depends on all outputs and on all of the last state, with weights that differ."""
    state, ys = nn.unroll(cell, state, xs, backend=backend, keep=keep)
    parts = [leaf for leaf in jax.tree.leaves((state, ys)) if jnp.issubdtype(leaf.dtype, jnp.floating)]
    return sum(jnp.sum(jnp.sin(jnp.arange(p.size).reshape(p.shape)) * p.astype(jnp.float32)) for p in parts)


def moving(tree):
    """A tree with its whole numbers made static: what can be differentiated."""
    return jax.tree.map(lambda x: x, tree)


@functools.partial(jax.jit, static_argnums=(0, 1))
def outcome(backend, keep, cell, state, xs):
    """Outputs, last state, and gradients by all real numbers."""
    leaves, structure = jax.tree.flatten((cell, state, xs))
    leaves = [jnp.asarray(leaf) for leaf in leaves]
    real = [i for i, leaf in enumerate(leaves) if jnp.issubdtype(leaf.dtype, jnp.floating)]

    def of(moved):
        known = dict(zip(real, moved, strict=True))
        cell, state, xs = structure.unflatten([known.get(i, leaf) for i, leaf in enumerate(leaves)])
        return loss(backend, cell, state, xs, keep)

    gradients = jax.grad(of)([leaves[i] for i in real])
    return nn.unroll(cell, state, xs, backend=backend, keep=keep), gradients


def assert_same(cell, xs, keep="all", tolerance=2e-5):
    state = cell.init(xs.shape[1:], xs.dtype)
    scan, kernel = (outcome(backend, keep, cell, state, xs) for backend in ("scan", "pallas"))
    for expected, found in zip(jax.tree.leaves(scan), jax.tree.leaves(kernel), strict=True):
        assert (expected.shape, expected.dtype) == (found.shape, found.dtype)
        expected, found = np.asarray(expected, np.float64), np.asarray(found, np.float64)
        scale = max(np.abs(expected).max(initial=0), 1e-3)
        np.testing.assert_allclose(found / scale, expected / scale, atol=tolerance)


def current(name, dtype=jnp.float32):
    scale = {"AdEx": 1500.0, "Izhikevich": 20.0}.get(name, 1.0)
    return (inputs() * scale).astype(dtype)


@pytest.mark.parametrize("name", CELLS)
def test_kernels_of_every_elementwise_cell_equal_the_scan(name):
    assert_same(CELLS[name], current(name))


@pytest.mark.parametrize("name", SURROGATES)
def test_kernels_with_every_surrogate_equal_the_scan(name):
    assert_same(nn.LIF(surrogate=SURROGATES[name]), inputs())
