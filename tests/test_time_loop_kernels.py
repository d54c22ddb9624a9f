"""The time loop of elementwise cells as a Pallas kernel, interpreted, beside the scan that it must equal."""

from __future__ import annotations

import functools

import jax
import jax.export
import jax.numpy as jnp
import numpy as np
import pytest

import surgrad
from surgrad import nn
from surgrad.nn._fused import build
from surgrad.nn._fused.build import fused
from surgrad.nn._fused.choose import kernel_or_scan
from surgrad.nn._fused.elementwise import MixedNeuronsError
from surgrad.nn._fused.targets import Mosaic, Triton
from surgrad.nn._fused.warning import NoKernelWarning

pytestmark = pytest.mark.versions

SHAPE = (13, 3, 37)  # neither time nor neurons are multiples of a segment or of a block


def inputs(dtype=None, shape=SHAPE):
    """Input currents that make most neurons spike, in JAX's default precision unless a type is given."""
    drawn = np.random.default_rng(0).normal(0.2, 1.5, shape)
    return jnp.asarray(drawn, dtype or jnp.result_type(float))


@surgrad.from_grad
def own_slope(x, alpha=1.5):
    return alpha / (1 + jnp.abs(alpha * x)) ** 2


def per_neuron(low, high):
    return np.linspace(low, high, SHAPE[-1])


class Own(nn.Cell):
    """A cell of a user's own, with a state that is not ours."""

    spiking = elementwise = True

    gain: object
    surrogate: object = surgrad.Sigmoid(3.0)

    def init(self, shape, dtype=None):
        return {"u": jnp.zeros(shape), "last": jnp.zeros(shape)}

    def __call__(self, state, x):
        u = 0.8 * state["u"] + jnp.broadcast_to(self.gain, x.shape) * x - 0.5 * state["last"]
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
    "combinator": surgrad.Mixture([surgrad.Sigmoid(2.0), surgrad.GaussianGrad(1.0)], [0.4, 0.6]),
    "Temperature": surgrad.Temperature(surgrad.ERF(), 0.5),
}


FEW = ("one alpha a neuron", "a user's own", "combinator")
"""Surrogates of the default run; the others take as long to compile, and are slow tests."""


@pytest.fixture
def short_segments(monkeypatch):
    """Segments of two steps, which compile faster than those of eight."""
    monkeypatch.setattr(build, "STEPS_KEPT", 2)


def some(names, fast):
    return [name if name in fast else pytest.param(name, marks=pytest.mark.slow) for name in names]


def loss(backend, cell, state, xs, keep="all"):
    """A number that depends on all outputs and on all of the last state, with weights that differ."""
    state, ys = nn.unroll(cell, state, xs, backend=backend, keep=keep)
    parts = [leaf for leaf in jax.tree.leaves((state, ys)) if jnp.issubdtype(leaf.dtype, jnp.floating)]
    return sum(jnp.sum(jnp.sin(jnp.arange(p.size).reshape(p.shape)) * p.astype(float)) for p in parts)


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


def assert_same(cell, xs, keep="all", tolerance=1e-11):
    state = cell.init(xs.shape[1:], xs.dtype)
    scan, kernel = (outcome(backend, keep, cell, state, xs) for backend in ("scan", "pallas"))
    for expected, found in zip(jax.tree.leaves(scan), jax.tree.leaves(kernel), strict=True):
        assert (expected.shape, expected.dtype) == (found.shape, found.dtype)
        expected, found = np.asarray(expected, np.float64), np.asarray(found, np.float64)
        scale = max(np.abs(expected).max(initial=0), 1e-3)
        np.testing.assert_allclose(found / scale, expected / scale, atol=tolerance)


def current(name):
    return inputs() * {"AdEx": 1500.0, "Izhikevich": 20.0}.get(name, 1.0)


@pytest.mark.parametrize("name", some(CELLS, ("LIF, zero, refractory", "AdEx", "MeanOverTime", "a user's own")))
def test_kernels_of_every_elementwise_cell_equal_the_scan(x64, short_segments, name):
    assert_same(CELLS[name], current(name))


@pytest.mark.parametrize("name", some(SURROGATES, FEW))
def test_kernels_with_every_surrogate_equal_the_scan(x64, short_segments, name):
    assert_same(nn.LIF(surrogate=SURROGATES[name]), inputs())


@pytest.mark.parametrize("dtype", some(["float32", "bfloat16", "float16"], ["bfloat16"]))
def test_kernels_of_narrow_inputs_equal_the_scan(dtype):
    assert_same(nn.LIF(refractory=1), inputs(dtype), tolerance=3e-6 if dtype == "float32" else 2e-3)


@pytest.mark.parametrize("shape", some([(1, 1), (8, 300), (7, 2, 2, 5), (20, 64), (5,)], [(8, 300), (5,)]))
def test_kernels_take_odd_sizes(x64, shape):
    assert_same(nn.LIF(), inputs(shape=shape))


def test_kernels_keep_the_last_output(x64):
    assert_same(nn.LIF(), inputs(), keep="last")
    assert_same(nn.MeanOverTime(), inputs(), keep="last")


def scan_and_kernel(transform, *arguments):
    """What a transformation of the loss makes with both backends."""
    return [jax.jit(transform(functools.partial(loss, backend)))(*arguments) for backend in ("scan", "pallas")]


def assert_close(pair, tolerance=1e-10):
    for expected, found in zip(*map(jax.tree.leaves, pair), strict=True):
        assert expected.shape == found.shape
        scale = max(np.abs(np.asarray(expected)).max(initial=0), 1e-3)
        np.testing.assert_allclose(np.asarray(found) / scale, np.asarray(expected) / scale, atol=tolerance)


def test_forward_mode_is_that_of_the_scan(x64, short_segments):
    cell, xs = nn.LIF(tau=8.0), inputs()
    state = cell.init(xs.shape[1:], xs.dtype)

    def along(f):
        return lambda tau, xs: jax.jvp(lambda tau, xs: f(cell.replace(tau=tau), state, xs), (tau, xs), (1.0, xs))

    assert_close(scan_and_kernel(along, 8.0, xs))


def test_second_derivatives_are_those_of_the_scan(x64, short_segments):
    """Reverse over reverse, and forward over reverse."""
    cell, xs = nn.LIF(tau=8.0), inputs(shape=(7, 2, 3))
    state = cell.init(xs.shape[1:], xs.dtype)

    def both(f):
        def of(tau, scale):
            return f(cell.replace(tau=tau), state, scale * xs)

        def twice(tau, scale):
            square = lambda tau, scale: sum(g**2 for g in jax.grad(of, (0, 1))(tau, scale))
            return jax.grad(square, (0, 1))(tau, scale), jax.hessian(of, (0, 1))(tau, scale)

        return twice

    assert_close(scan_and_kernel(both, 8.0, 1.1))


def test_vmap_over_inputs_states_and_parameters_stays_a_kernel(x64, short_segments):
    xs = inputs(shape=(7, 4, 2, 3))

    def each(f):
        def of(tau, xs):
            def one(tau, x):
                cell = nn.LIF(tau=tau, surrogate=surrogate)
                return jax.value_and_grad(lambda c, x: f(c, c.init(x.shape[1:], x.dtype), x), (0, 1))(cell, x)

            return (
                jax.vmap(one, (0, 1))(tau, xs),
                jax.vmap(one, (None, 1))(tau[0], xs),
                jax.vmap(one, (0, None))(tau, xs[:, 0]),
            )

        return of

    surrogate = surgrad.Arctan(2.0)
    assert_close(scan_and_kernel(each, jnp.linspace(2.0, 20.0, 4), xs))


def test_maps_of_maps(x64, short_segments):
    xs = inputs(shape=(5, 2, 3, 4))

    def twice(f):
        def one(tau, x):
            return jax.grad(lambda tau, x: f(nn.LIF(tau=tau), nn.LIF().init(x.shape[1:], x.dtype), x), (0, 1))(tau, x)

        return jax.vmap(jax.vmap(one, (None, 1)), (0, 1))

    assert_close(scan_and_kernel(twice, jnp.array([3.0, 9.0]), xs))


def test_checkpoints_and_chunks_agree(x64, short_segments):
    xs = inputs()
    cell = nn.LIF()
    state = cell.init(xs.shape[1:], xs.dtype)

    def checkpointed(f):
        return jax.grad(jax.checkpoint(lambda xs: f(cell, state, xs)))

    assert_close(scan_and_kernel(checkpointed, xs))
    split = nn.unroll(cell, state, xs, checkpoint_every=4, backend="pallas").outputs
    np.testing.assert_array_equal(split, nn.unroll(cell, state, xs, backend="scan").outputs)


def test_networks_run_their_elementwise_cells_as_kernels(x64):
    net = nn.Sequential(
        nn.Linear(5, 7, key=jax.random.key(0)),
        nn.LIF(),
        nn.Recurrent(nn.LIF(), 7, key=jax.random.key(1)),
        nn.Linear(7, 2, key=jax.random.key(2)),
        nn.MeanOverTime(),
    )
    xs = inputs(shape=(9, 3, 5))
    state = net.init((3, 5), xs.dtype)

    def by_weights(f):
        return lambda xs: jax.grad(lambda parts: f(net.with_connections(parts), state, xs))(net.connections())

    assert_close(scan_and_kernel(by_weights, xs))
    jaxpr = str(jax.make_jaxpr(lambda xs: nn.unroll(net, state, xs, backend="pallas").outputs)(xs))
    assert jaxpr.count("time_loop_forward") == 2
    assert "time_loop" not in str(jax.make_jaxpr(lambda xs: nn.unroll(net, state, xs).outputs)(xs))


class Mixing(nn.Cell):
    """A cell that says it is elementwise, and inhibits its neurons by their mean."""

    elementwise = True

    def init(self, shape, dtype=None):
        return jnp.zeros(shape)

    def __call__(self, state, x):
        state = 0.9 * state + x - state.mean(-1, keepdims=True)
        return state, state


def test_a_cell_that_mixes_neurons_is_refused_and_the_operation_named():
    with pytest.raises(MixedNeuronsError, match=r"Mixing promises to be elementwise, .* operation reduce_sum on"):
        nn.unroll(Mixing(), inputs(), backend="pallas")
    with pytest.raises(MixedNeuronsError, match="Mixing promises to be elementwise"):
        nn.unroll(Mixing(), inputs(), backend="pallas", lengths=np.full(SHAPE[1], 3))
    assert nn.unroll(Mixing(), inputs()).outputs.shape == SHAPE


class Growing(nn.Cell):
    """An elementwise cell whose outputs are not one number a neuron."""

    elementwise = True

    def init(self, shape, dtype=None):
        return jnp.zeros(shape)

    def __call__(self, state, x):
        state = 0.9 * state + x
        return state, jnp.stack([state, x], -1)


class Stacking(nn.Cell):
    """An elementwise cell that is written with operations of which a kernel cannot know it."""

    elementwise = True

    def init(self, shape, dtype=None):
        return jnp.zeros(shape)

    def __call__(self, state, x):
        state = jnp.stack([0.5 * state, x]).sum(0)
        return state, jax.lax.fori_loop(0, 2, lambda _, y: 0.5 * y, state)


@pytest.mark.parametrize(
    "operation", [lambda v: jnp.cumsum(v, -1), lambda v: v[..., ::-1], lambda v: jnp.roll(v, 1, -1)]
)
def test_more_operations_that_mix_neurons(operation):
    class Mixer(Mixing):
        elementwise = True

        def __call__(self, state, x):
            state = 0.5 * operation(state) + x
            return state, state

    with pytest.raises(MixedNeuronsError, match="Mixer promises to be elementwise"):
        nn.unroll(Mixer(), inputs(), backend="pallas")


def test_operations_that_may_not_mix_neurons_are_no_error():
    with pytest.warns(NoKernelWarning, match="Stacking: the time loop runs as a scan, .* none of single neurons"):
        found = nn.unroll(Stacking(), inputs(), backend="pallas").outputs
    np.testing.assert_array_equal(found, nn.unroll(Stacking(), inputs()).outputs)


def test_what_a_kernel_cannot_compute_runs_as_a_scan_with_one_warning():
    with pytest.warns(NoKernelWarning, match="Growing: the time loop runs as a scan, since a kernel cannot be built"):
        found = nn.unroll(Growing(), inputs(), backend="pallas").outputs
    np.testing.assert_array_equal(found, nn.unroll(Growing(), inputs()).outputs)


def test_a_backend_that_compiles_no_kernels_gets_a_scan_with_one_warning():
    """As the CPU backend, for which Pallas compiles nothing."""
    cell, xs = nn.LIF(), inputs()
    with pytest.warns(NoKernelWarning, match="LIF: the time loop runs as a scan, .*: Only interpret mode is supported"):
        found = kernel_or_scan(cell, cell.init(xs.shape[1:]), xs, interpret=False)[1]
    np.testing.assert_array_equal(found, nn.unroll(cell, xs).outputs)


def test_symbolic_sizes_get_a_scan():
    time, batch = jax.export.symbolic_shape("t, b")
    run = jax.jit(lambda xs: nn.unroll(nn.LIF(), xs, backend="pallas").outputs)
    with pytest.warns(NoKernelWarning, match="sizes are symbolic"):
        made = jax.export.export(run)(jax.ShapeDtypeStruct((time, batch, 5), jnp.float32))
    xs = inputs("float32", (7, 2, 5))
    np.testing.assert_array_equal(made.call(xs), nn.unroll(nn.LIF(), xs).outputs)


@pytest.mark.unchecked("a wrong value on purpose")
def test_an_unknown_backend_is_refused():
    with pytest.raises(ValueError, match="unroll: backend must be one of"):
        nn.unroll(nn.LIF(), inputs(), backend="triton")


def mesh():
    return jax.make_mesh((2,), ("data",), devices=jax.devices()[:2], axis_types=(jax.sharding.AxisType.Auto,))


def gradients_on_two_devices(f, **options):
    """The loss and its gradients, with the batch on two devices."""
    whole, halves = jax.sharding.PartitionSpec(), jax.sharding.PartitionSpec(None, "data")

    def of(cell, xs):
        # Without `check_vma`, JAX sums no gradients over devices.
        return f(cell, cell.init(xs.shape[1:], xs.dtype), xs)

    def gradients(cell, xs):
        value, (by_cell, by_inputs) = jax.value_and_grad(of, (0, 1))(cell, xs)
        return jax.lax.psum((value, by_cell), "data"), by_inputs

    return jax.shard_map(gradients, mesh=mesh(), in_specs=(whole, halves), out_specs=(whole, halves), **options)


def test_shard_map_runs_kernels_with_the_same_gradients(x64):
    pair = scan_and_kernel(lambda f: gradients_on_two_devices(f, check_vma=False), nn.LIF(), inputs(shape=(7, 4, 3)))
    assert_close(pair)


def test_shard_map_that_checks_runs_a_scan_where_pallas_interprets(x64):
    with pytest.warns(NoKernelWarning, match="inside shard_map"):
        found = jax.shard_map(
            lambda xs: nn.unroll(nn.LIF(), xs, backend="pallas").outputs,
            mesh=mesh(),
            in_specs=jax.sharding.PartitionSpec(None, "data"),
            out_specs=jax.sharding.PartitionSpec(None, "data"),
        )(inputs(shape=(7, 4, 3)))
    np.testing.assert_array_equal(found, nn.unroll(nn.LIF(), inputs(shape=(7, 4, 3))).outputs)


def on_paper(*axes):
    """A mesh of GPUs on paper, which JAX from 0.12 on asks for in order to lower without a GPU."""
    automatic = (jax.sharding.AxisType.Auto,) * len(axes)
    mesh = functools.partial(jax.sharding.AbstractMesh, (2,) * len(axes), axes, axis_types=automatic)
    if jax.__version_info__ < (0, 12):
        return mesh()
    device = jax.sharding.AbstractDevice(device_kind="NVIDIA H200", num_cores=132, platform="gpu")
    return mesh(abstract_device=device)


def lowered(platform, target, cell, xs):
    """The module for a platform of the gradient by cell and inputs; no device is needed to lower it."""
    state = cell.init(xs.shape[1:])

    def of(cell, xs):
        after, ys = fused(cell, state, xs, target=target)
        return sum(jnp.sum(x) for x in jax.tree.leaves((after, ys)) if jnp.issubdtype(x.dtype, jnp.floating))

    with jax.sharding.use_abstract_mesh(on_paper()):
        return jax.jit(jax.grad(of, (0, 1))).trace(cell, xs).lower(lowering_platforms=(platform,)).as_text()


@pytest.mark.parametrize("name", some(SURROGATES, (*FEW, "Sigmoid", "QPseudoSpike", "SquarewaveFourierSeries", "ERF")))
def test_kernels_with_every_surrogate_lower_for_cuda(name):
    assert lowered("cuda", Triton(), nn.LIF(surrogate=SURROGATES[name]), inputs()).count("surgrad_time_loop") >= 2


@pytest.mark.parametrize("name", CELLS)
def test_kernels_of_every_elementwise_cell_lower_for_cuda(name):
    assert lowered("cuda", Triton(), CELLS[name], current(name)).count("surgrad_time_loop") >= 2


@pytest.mark.parametrize("name", ["LIF, zero, refractory", "CuBaLIF", "ALIF, refractory", "AdEx", "MeanOverTime"])
def test_kernels_lower_for_tpus(name):
    assert lowered("tpu", Mosaic(), CELLS[name], current(name)).count("tpu_custom_call") >= 2


@pytest.mark.parametrize("dtype", some(["float32", "bfloat16"], ["bfloat16"]))
def test_kernels_for_tpus_equal_the_scan(dtype):
    """Also where time is longer than a kernel takes at once."""
    xs = inputs(dtype)
    kernel = functools.partial(fused, target=Mosaic(longest=6), interpret=True)
    scan = jax.lax.scan

    def of(run, cell, xs):
        state, ys = run(cell, cell.init(xs.shape[1:]), xs)
        return jnp.sum(ys.astype(float) * jnp.sin(jnp.arange(ys.size).reshape(ys.shape))) + jnp.sum(state.v)

    pair = [
        jax.jit(jax.value_and_grad(functools.partial(of, run), (0, 1)))(nn.LIF(refractory=1), xs)
        for run in (scan, kernel)
    ]
    assert_close(jax.tree.map(lambda leaf: leaf.astype(float), pair), tolerance=2e-6 if dtype == "float32" else 5e-3)


def test_kernels_inside_of_shard_map_lower_for_cuda():
    halves = jax.sharding.PartitionSpec(None, "data")

    def of(xs):
        return jax.grad(lambda xs: fused(nn.LIF(), nn.LIF().init(xs.shape[1:]), xs)[1].sum())(xs)

    mapped = jax.jit(jax.shard_map(of, mesh=on_paper("data"), in_specs=halves, out_specs=halves))
    xs = jax.ShapeDtypeStruct((7, 4, 3), jnp.float32)
    text = mapped.trace(xs).lower(lowering_platforms=("cuda",)).as_text()
    assert text.count("surgrad_time_loop") >= 2
