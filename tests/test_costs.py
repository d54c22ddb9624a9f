"""What a network costs, counted and not timed: operations that JAX traces, compilations, XLA's own count, memory.

Ceilings are what was counted when they were written, and a little more. A change that passes one is a slow-down that
somebody should have wanted.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import pytest

import surgrad
from surgrad import nn
from surgrad.nn._budget import chunk_length, size_of


def operations(jaxpr):
    """The number of operations of a traced function, those of inner functions included."""
    inner = (getattr(value, "jaxpr", value) for eqn in jaxpr.eqns for value in eqn.params.values())
    functions = [value for value in inner if hasattr(value, "eqns")]
    calls = sum(any(hasattr(getattr(v, "jaxpr", v), "eqns") for v in eqn.params.values()) for eqn in jaxpr.eqns)
    return len(jaxpr.eqns) - calls + sum(map(operations, functions))


def total(tree):
    return sum(leaf.sum() for leaf in jax.tree.leaves(tree) if jnp.issubdtype(leaf.dtype, jnp.floating))


@pytest.mark.parametrize(
    ("cell", "step", "gradient"),
    [
        (nn.LIF(), 14, 57),
        (nn.LIF(refractory=2), 25, 76),
        (nn.CuBaLIF(), 20, 68),
        (nn.ALIF(), 22, 73),
        (nn.LeakyIntegrator(), 6, 14),
        (nn.AdEx(), 39, 107),
        (nn.Izhikevich(), 26, 90),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Cell) else "",
)
def test_operations_of_a_step_and_of_its_gradient(cell, step, gradient):
    state, x = cell.init((3, 5)), jnp.ones((3, 5))
    assert operations(jax.make_jaxpr(cell)(state, x).jaxpr) <= step
    by_all = jax.grad(lambda state, x: total(cell(state, x)), (0, 1), allow_int=True)
    assert operations(jax.make_jaxpr(by_all)(state, x).jaxpr) <= gradient


def test_the_slope_is_traced_once_a_spike():
    traces = []

    class Counted(surgrad.Arctan):
        def surrogate_grad(self, x):
            traces.append(x)
            return super().surrogate_grad(x)

    net = nn.Sequential(nn.Linear(8, 8, key=jax.random.key(0)), nn.LIF(surrogate=Counted()))
    xs = jnp.ones((20, 2, 8))
    weights = net.connections()
    jax.make_jaxpr(jax.grad(lambda weights: nn.unroll(net.with_connections(weights), xs).outputs.sum()))(weights)
    assert len(traces) == 1


def test_equal_structures_compile_once():
    compiled = []
    jax.monitoring.register_event_duration_secs_listener(
        lambda name, *_, **__: compiled.append(name) if name.endswith("backend_compile_duration") else None
    )
    xs, nets = (
        jnp.ones((20, 2, 8)),
        [nn.Sequential(nn.Linear(8, 9, key=jax.random.key(seed)), nn.LIF(tau=7.0 + seed)) for seed in (0, 1)],
    )
    jax.block_until_ready(nn.unroll(nets[0], xs))
    before = len(compiled)
    assert before
    jax.block_until_ready(nn.unroll(nets[1], xs))
    assert len(compiled) == before


TIME, BATCH, WIDTH = 100, 16, 256


@pytest.fixture(scope="module")
def network():
    return nn.Sequential(nn.Linear(WIDTH, WIDTH, key=jax.random.key(0), event_driven=False), nn.LIF())


def counted(function, *arguments):
    """XLA's own count; it counts the body of a loop once."""
    return jax.jit(function).lower(*arguments).compile().cost_analysis()


def test_floating_point_operations_and_bytes_that_xla_counts(network):
    xs = jnp.ones((TIME, BATCH, WIDTH))
    weights = network.connections()

    def value(weights):
        return nn.unroll(network.with_connections(weights), xs, chunk_size=25).outputs.sum()

    product = 2 * 25 * BATCH * WIDTH**2  # of a chunk
    block = 25 * BATCH * WIDTH * 4  # bytes of the currents of a chunk
    forward, gradient = counted(value, weights), counted(jax.grad(value), weights)
    assert forward["flops"] <= 1.02 * product
    assert gradient["flops"] <= 2.02 * product  # one forwards, one for the weights; none for the inputs
    assert forward["bytes accessed"] <= 17.1 * block
    assert gradient["bytes accessed"] <= 27 * block


@pytest.mark.parametrize(
    ("cell", "ceiling"),
    [(nn.LIF(), 4), (nn.LIF(reset="zero", refractory=2), 13), (nn.CuBaLIF(), 4), (nn.ALIF(), 4), (nn.AdEx(), 17)],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Cell) else "",
)
def test_bytes_a_neuron_and_step_that_the_backward_pass_keeps(cell, ceiling):
    def kept(time):
        xs = jax.ShapeDtypeStruct((time, 4, 8), jnp.float32)
        pull = jax.eval_shape(lambda xs: jax.vjp(lambda xs: nn.unroll(cell, xs).outputs, xs)[1], xs)
        return size_of(pull)

    assert (kept(30) - kept(20)) / (10 * 4 * 8) <= ceiling


def kept_in_chunks(*parts):
    """Bytes of memory a neuron and time step of the gradient by the weights, of layers of 32 neurons, as XLA plans it."""
    net = nn.Sequential(*parts)
    shape = (4, 32)

    def memory(time):
        xs = jax.ShapeDtypeStruct((time, *shape), jnp.float32)
        loss = lambda weights, xs: jnp.square(nn.unroll(net.with_connections(weights), xs, chunk_size=5).outputs).mean()
        program = jax.jit(jax.grad(loss)).lower(net.connections(), xs).compile()
        return program.memory_analysis().temp_size_in_bytes

    return (memory(300) - memory(200)) / (100 * 4 * 32)


def test_bytes_that_a_recurrent_network_keeps_in_chunks():
    """Outputs and their gradient, slopes, whether there was a spike, twice, and spikes before each chunk."""
    keys = jax.random.split(jax.random.key(0), 3)
    first, last = (nn.Linear(32, 32, key=key, event_driven=False) for key in keys[:2])
    recurrent = nn.Recurrent(nn.LIF(), 32, key=keys[2], event_driven=False)
    assert kept_in_chunks(first, recurrent, last) <= 1.01 * (3 * 4 + 2 + 4 / 5)


def test_bytes_that_layers_keep_in_chunks():
    """Outputs and their gradient, slopes of two layers, and whether there were spikes between them."""
    keys = jax.random.split(jax.random.key(0))
    first, second = (nn.Linear(32, 32, key=key, event_driven=False) for key in keys)
    assert kept_in_chunks(first, nn.LIF(), second, nn.LIF()) <= 1.01 * (4 * 4 + 1)


def test_bytes_that_a_kernel_keeps():
    """The inputs, and one state a segment of eight steps."""

    def kept(time):
        xs = jax.ShapeDtypeStruct((time, 4, 8), jnp.float32)
        run = lambda xs: nn.unroll(nn.LIF(), xs, backend="pallas").outputs
        return size_of(jax.eval_shape(lambda xs: jax.vjp(run, xs)[1], xs))

    assert (kept(32) - kept(16)) / (16 * 4 * 8) <= 4 + 4 / 8


@pytest.mark.parametrize(("stride", "chunk"), [(1, 1), (2, 30)])
def test_networks_of_convolutions_go_step_by_step_unless_those_are_slow_in_loops(stride, chunk):
    net = nn.Sequential(nn.Conv2d(1, 4, 3, stride=stride, key=jax.random.key(0)), nn.LIF())
    assert chunk_length(net, jnp.ones((30, 16, 12, 12, 1)), 30) == chunk


def test_memory_of_a_training_step_of_convolutions_is_the_slopes_and_little_else():
    net = nn.Sequential(nn.Conv2d(1, 8, 3, key=jax.random.key(0), event_driven=False), nn.LIF())
    xs, weights = jnp.ones((50, 4, 12, 12, 1)), net.connections()
    step = jax.jit(jax.grad(lambda weights: nn.unroll(net.with_connections(weights), xs, keep="last").outputs.sum()))
    slopes = 50 * 4 * 10 * 10 * 8 * 4
    assert step.lower(weights).compile().memory_analysis().temp_size_in_bytes <= 1.25 * slopes
