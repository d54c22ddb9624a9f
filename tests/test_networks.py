"""`Sequential` is its parts one after the other, and a cell itself, for any batch and any number of steps."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import surgrad
from ledger import CLOSED_FORM, agrees
from marks import parameters
from networks import (
    BACK,
    BATCH,
    CLASSES,
    FRAMES,
    HIDDEN,
    INPUTS,
    INTO,
    RNG,
    SPIKE,
    STEPS,
    Leak,
    PlainSum,
    X,
    assert_same,
    network,
    outputs,
    run,
    weights,
)
from surgrad.nn import (
    ALIF,
    LIF,
    AdEx,
    AvgPool2d,
    CuBaLIF,
    Delay,
    FirstSpikeTime,
    Flatten,
    Izhikevich,
    Lambda,
    LeakyIntegrator,
    Linear,
    MaxOverTime,
    MeanOverTime,
    Recurrent,
    Sequential,
    unroll,
)

pytestmark = pytest.mark.versions


def by_hand(net, x):
    """The parts one after the other, each over all steps, a scan each cell."""
    made = []
    for part in net.parts:
        if hasattr(part, "init"):
            state = part.init(x.shape[1:], x.dtype)
            x = jax.lax.scan(lambda s, now, part=part: part(s, now), state, x)[1]
        else:
            x = jnp.stack([part(now) for now in x])
        made.append(x)
    return made


class TestEvaluation:
    def test_every_part_has_the_outputs_of_the_one_before_as_its_inputs(self):
        assert_same(outputs(network(), X), tuple(jax.jit(by_hand)(network(), X)))

    def test_running_sums_of_sums_are_those_of_pascals_triangle(self):
        double = Linear.from_arrays(2 * np.eye(2), np.zeros(2))
        first, sums, second, again = outputs(
            Sequential(double, LeakyIntegrator(np.inf), double, LeakyIntegrator(np.inf)), np.ones((3, 1, 2))
        )
        np.testing.assert_array_equal(first[:, 0, 0], [2, 2, 2])
        np.testing.assert_array_equal(sums[:, 0, 0], [2, 4, 6])
        np.testing.assert_array_equal(second[:, 0, 0], [4, 8, 12])
        agrees(again[:, 0, 0], [4, 12, 24], of=Sequential, reference=CLOSED_FORM)

    def test_a_network_is_a_cell(self):
        net = network()
        state = net.init((BATCH, INPUTS))
        last, y = jax.jit(lambda x: jax.lax.scan(lambda s, now: net(s, now), state, x))(X)
        assert_same(tuple(run(net, X)), (last, y))
        assert_same(outputs(net, X)[-1], y)

    def test_a_network_in_a_network_is_its_parts(self):
        net = network()
        nested = Sequential(net.parts[0], Sequential(*net.parts[1:3]), Sequential(), Sequential(*net.parts[3:]))
        state, y = run(nested, X)
        flat, expected = run(net, X)
        assert_same(y, expected)
        assert_same(jax.tree.leaves(state), jax.tree.leaves(flat))

    def test_a_network_can_be_the_cell_of_recurrent_connections(self):
        inside = Sequential(LIF(SPIKE, 5.0, 0.2), Delay(1))
        spikes = run(Recurrent.from_arrays(inside, BACK), X @ INTO)[1]
        # A delay of one step inside: what comes back is two steps old.
        cell, state, expected = inside.parts[0], inside.parts[0].init((BATCH, HIDDEN)), [np.zeros((BATCH, HIDDEN))] * 2
        for current in X @ INTO:
            state, fired = cell(state, current + np.float32(expected[-2] @ BACK))
            expected.append(np.asarray(fired))
        assert np.sum(expected) > 3
        agrees(spikes, expected[1:-1], of=Recurrent, reference="products in NumPy, step by step")

    def test_no_parts_pass_everything_on(self):
        state, y = run(Sequential(), X)
        assert state == ()
        np.testing.assert_array_equal(y, X)

    def test_outputs_start_from_the_state_that_is_given(self):
        net = network()
        middle, _ = run(net, X[:4])
        whole = outputs(net, X)
        rest = net.outputs(X[4:], middle)
        assert_same(rest, tuple(y[4:] for y in whole))

    def test_functions_and_surrogates_are_connections(self):
        net = Sequential(
            jnp.tanh, Linear.from_arrays(INTO, weights(HIDDEN)), surgrad.Sigmoid(2.0), surgrad.sigmoid, MeanOverTime()
        )
        assert isinstance(net.parts[0], Lambda)
        squashed, sums, spikes, same, rates = outputs(net, X)
        agrees(squashed, np.tanh(X), of=Lambda, reference="NumPy", rtol=1e-5)
        np.testing.assert_array_equal(spikes, np.asarray(sums) >= 0)
        np.testing.assert_array_equal(same, np.ones_like(same))  # 0 and 1 are both at or above zero
        np.testing.assert_allclose(rates[-1], np.ones_like(rates[-1]))

    @pytest.mark.parametrize(("cell", "leaves"), [(PlainSum(), 2), (Leak(1.0), 3)], ids=["no tree", "a tree"])
    def test_cells_need_no_base_class_and_hide_no_other_parameters(self, cell, leaves):
        net = Sequential(Linear.from_arrays(INTO, np.zeros(HIDDEN, np.float32)), cell)
        assert len(jax.tree.leaves(net)) == leaves
        np.testing.assert_allclose(run(net, X)[1], np.cumsum(X @ INTO, axis=0), rtol=1e-4, atol=1e-5)

    def test_any_function_with_a_state_can_be_unrolled(self):
        x = np.arange(6.0).reshape(3, 2)
        last, sums = unroll(lambda s, now: (s + now["a"], s + now["a"]), jnp.zeros(2), {"a": x})
        np.testing.assert_array_equal(sums, np.cumsum(x, axis=0))
        np.testing.assert_array_equal(last, sums[-1])


class TestShapes:
    def test_states_have_the_shapes_that_the_parts_before_make(self):
        net = Sequential(*FRAMES[:4], FRAMES[4], LIF(SPIKE), MaxOverTime())
        states = jax.eval_shape(lambda: net.init((7, 4, 4, 1)))
        assert [s and s[0].shape for s in states] == [None, (7, 4, 4, 2), None, None, None, (7, 5), (7, 5)]

    def test_initial_states_compute_nothing_but_themselves(self):
        def refuses_numbers(x):
            assert isinstance(x, jax.core.Tracer)
            return x

        Sequential(refuses_numbers, LeakyIntegrator()).init((3,))

    def test_frames_go_through_convolution_pool_and_product(self):
        frames = RNG.random((STEPS, BATCH, 4, 4, 1)).astype(np.float32)
        made = outputs(Sequential(*FRAMES), frames)
        assert [y.shape[2:] for y in made] == [(4, 4, 2), (4, 4, 2), (2, 2, 2), (8,), (5,)]
        assert made[1].sum() > 10
        assert_same(made, tuple(jax.jit(by_hand)(Sequential(*FRAMES), frames)))

    @pytest.mark.parametrize("batch", [(), (1,), (0,), (2, 2)])
    @pytest.mark.parametrize("time", [0, 1, STEPS])
    def test_any_batch_and_any_length_will_do(self, batch, time):
        made = jax.eval_shape(network().outputs, jax.ShapeDtypeStruct((time, *batch, INPUTS), np.float32))
        assert [y.shape for y in made] == [(time, *batch, n) for n in [HIDDEN] * 3 + [CLASSES] * 2]

    def test_no_batch_is_a_batch_of_one(self):
        alone, one = run(network(), X[:, 0]), run(network(), X[:, :1])
        assert_same(alone[1], one[1][:, 0])

    def test_no_steps_leave_the_state_at_rest_and_a_gradient_of_zero(self):
        net = network()
        last, y = run(net, X[:0])
        assert y.shape == (0, BATCH, CLASSES)
        assert_same(last, net.init((BATCH, INPUTS)))
        summed = jax.jit(jax.grad(lambda net, x: net.outputs(x)[-1].sum()))
        assert not any(np.any(leaf) for leaf in jax.tree.leaves(summed(net, X[:0])))

    def test_frames_of_no_steps_give_no_outputs(self):
        made = outputs(Sequential(*FRAMES), np.zeros((0, BATCH, 4, 4, 1), np.float32))
        assert [y.shape[:2] for y in made] == [(0, BATCH)] * 5

    @pytest.mark.parametrize(("time", "batch"), [(0, 2), (0, 0), (STEPS, 0)])
    @pytest.mark.parametrize(
        "options",
        parameters(
            [
                {},
                {"chunk_size": 1},
                {"chunk_size": 4},
                {"checkpoint_every": 2},
                {"checkpoint_every": "auto"},
                {"memory_bytes": 1e6},
            ],
            slow=("{'chunk_size': 1}", "{'chunk_size': 4}"),
        ),
    )
    def test_no_steps_and_no_samples_go_through_every_part(self, time, batch, options):
        cells = [
            Delay(1),
            Recurrent.from_arrays(LIF(SPIKE, reset="zero", refractory=1), np.eye(5, dtype=np.float32)),
            CuBaLIF(SPIKE),
        ]
        net = Sequential(
            *FRAMES,
            *cells,
            ALIF(SPIKE),
            AdEx(SPIKE),
            Izhikevich(SPIKE),
            LeakyIntegrator(),
            MaxOverTime(),
            FirstSpikeTime(),
            MeanOverTime(),
        )
        x = jax.ShapeDtypeStruct((time, batch, 4, 4, 1), np.float32)
        for keep in ("all", "last")[: 1 + (time > 0)]:
            summed = lambda net, x, keep=keep: unroll(net, net.init(x.shape[1:]), x, keep=keep, **options)[1].sum()
            value, slopes = jax.jit(jax.value_and_grad(summed)).lower(net, x).compile()(net, np.zeros(x.shape, x.dtype))
            assert value == 0
            assert not any(np.any(leaf) for leaf in jax.tree.leaves(slopes))

    @pytest.mark.parametrize("dtype", [bool, np.uint8, pytest.param(np.int32, marks=pytest.mark.slow)])
    @pytest.mark.parametrize(
        ("net", "shape"),
        [
            (network(), (INPUTS,)),
            (Sequential(*FRAMES), (4, 4, 1)),
            (Sequential(AvgPool2d((2, 2)), Flatten(3), LeakyIntegrator()), (4, 4, 1)),
            (Sequential(Delay(2), Recurrent.from_arrays(LIF(SPIKE, 5.0, 0.5), BACK), FirstSpikeTime()), (HIDDEN,)),
            (Recurrent.from_arrays(LIF(SPIKE, 5.0, 0.5), BACK), (HIDDEN,)),
        ],
        ids=["products", "convolutions", "pool", "delay", "recurrent"],
    )
    def test_events_and_frames_of_bytes_count_as_floats(self, net, shape, dtype):
        frames = RNG.integers(0, 2 if dtype is bool else 200, (STEPS, BATCH, *shape)).astype(dtype)
        summed = jax.jit(jax.value_and_grad(lambda net, x: unroll(net, net.init(x.shape[1:], x.dtype), x)[1].sum()))
        assert_same(summed(net, frames), summed(net, frames.astype(np.float32)))

    @pytest.mark.parametrize("inputs", [np.bool_, np.int8, np.float16, np.float32])
    @pytest.mark.parametrize("weights", [np.float16, np.float32])
    def test_spikes_are_as_narrow_as_products_and_what_is_summed_is_not(self, inputs, weights):
        net = jax.tree.map(weights, network())
        made = jax.eval_shape(net.outputs, jax.ShapeDtypeStruct(X.shape, inputs))
        narrow = np.float16 if np.float32 not in (inputs, weights) else np.float32
        assert [y.dtype for y in made] == [narrow] * 4 + [np.float32]  # a readout is a sum over time

    def test_a_nan_stays_with_its_sample(self):
        x = X.copy()
        x[2, 0, 1] = np.nan
        clean, made = outputs(network(), X), outputs(network(), x)
        currents, spikes, _, _, voltages = made
        assert np.isnan(currents[2, 0]).all()
        assert not spikes[2:, 0].any()  # NaN is not above the threshold, and stays in the voltage
        assert np.isfinite(voltages).all()
        assert_same(tuple(y[:, 1] for y in made), tuple(y[:, 1] for y in clean))
