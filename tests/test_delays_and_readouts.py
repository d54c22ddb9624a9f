"""Delays shift, readouts sum up: the same step by step as at once, in NumPy's words, and so their derivatives."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import surgrad
from ledger import agrees
from surgrad.nn import Delay, FirstSpikeTime, LastStep, MaxOverTime, MeanOverTime, Sequential, unroll

STEPS, BATCH, NEURONS = 9, 2, 3
RNG = np.random.default_rng(0)
VALUES = RNG.normal(size=(STEPS, BATCH, NEURONS))
# Repeated values, so that a peak is reached more than once.
VALUES = np.round(VALUES * 2) / 2
SPIKES = (RNG.random((STEPS, BATCH, NEURONS)) < 0.25).astype(float)
SPIKES[:, 0, 0] = 0  # never
SPIKES[:, 0, 1] = 1  # from the first step on
DELAYS = {"none": 0, "one for all": 2, "one a neuron": (0, 3, 1), "longer than the sequence": (12, 0, 20)}
COUNT = np.arange(1, STEPS + 1)[:, None, None]


def first_spike(spikes):
    """The steps before the first spike of all those up to a step."""
    return np.array([np.where(s.any(0), s.argmax(0), len(s)) for s in (spikes[:n] for n in range(1, STEPS + 1))])


READOUTS = {
    "MeanOverTime": (MeanOverTime(), VALUES, lambda x: np.cumsum(x, axis=0) / COUNT),
    "MaxOverTime": (MaxOverTime(), VALUES, lambda x: np.maximum.accumulate(x, axis=0)),
    "LastStep": (LastStep(), VALUES, lambda x: x),
    "FirstSpikeTime": (FirstSpikeTime(), SPIKES, first_spike),
}
every_readout = pytest.mark.parametrize("name", READOUTS)
every_delay = pytest.mark.parametrize("steps", DELAYS.values(), ids=DELAYS)


def rest(cell, x):
    return cell.init(x.shape[1:], x.dtype)


@functools.partial(jax.jit, static_argnames="options")
def run(cell, state, x, options=()):
    return unroll(cell, state, x, **dict(options))


@jax.jit
def pulled_back(cell, x, weights):
    """The derivative of a weighted sum of all outputs by the inputs."""
    return jax.grad(lambda x: jnp.sum(weights * unroll(cell, rest(cell, x), x)[1]))(x)


@jax.jit
def of_the_last(cell, x):
    """The last output, and its derivative by the inputs."""
    return jax.value_and_grad(lambda x: unroll(cell, rest(cell, x), x, keep="last")[1].sum())(x)


def shifted(x, steps):
    """Every neuron's sequence some steps later, zeros before."""
    y = np.zeros_like(x)
    for neuron, d in enumerate(np.broadcast_to(steps, x.shape[-1])):
        y[d:, ..., neuron] = x[: max(len(x) - d, 0), ..., neuron]
    return y


@pytest.mark.usefixtures("x64")
class TestDelays:
    @every_delay
    @pytest.mark.parametrize("chunk", [1, 4, STEPS])
    def test_outputs_are_the_inputs_of_some_steps_before(self, steps, chunk):
        cell = Delay(steps)
        _, outputs = run(cell, rest(cell, VALUES), VALUES, (("chunk_size", chunk),))
        agrees(outputs, shifted(VALUES, steps), of=cell, reference="NumPy")

    @every_delay
    @pytest.mark.parametrize("first", [0, 1, 5, STEPS])
    def test_a_sequence_may_be_cut_anywhere(self, steps, first):
        cell = Delay(steps)
        state, before = cell.over_time(rest(cell, VALUES), VALUES[:first])
        last, after = cell.over_time(state, VALUES[first:])
        whole, outputs = run(cell, rest(cell, VALUES), VALUES)
        np.testing.assert_array_equal(np.concatenate([before, after]), outputs)
        np.testing.assert_array_equal(last, whole)

    @every_delay
    def test_the_state_is_the_latest_inputs_the_oldest_first(self, steps):
        longest = int(np.max(steps))
        last, _ = run(Delay(steps), rest(Delay(steps), VALUES), VALUES)
        padded = np.concatenate([np.zeros((longest, BATCH, NEURONS)), VALUES])
        np.testing.assert_array_equal(last, padded[STEPS:])

    @every_delay
    def test_the_derivative_goes_back_by_as_many_steps(self, steps):
        found = pulled_back(Delay(steps), VALUES, VALUES)
        np.testing.assert_array_equal(found, shifted(VALUES[::-1], steps)[::-1])

    def test_a_derivative_passes_from_one_piece_to_the_next(self):
        cell = Delay((1, 2, 0))

        def later(first):
            return cell.over_time(cell.over_time(rest(cell, VALUES), first)[0], VALUES[2:])[1]

        outputs, pull = jax.vjp(later, VALUES[:2])
        weights = np.ones_like(outputs)
        np.testing.assert_array_equal(
            pull(weights)[0], np.broadcast_to([[[0, 1, 0]], [[1, 1, 0]]], (2, BATCH, NEURONS))
        )

    def test_delays_are_structure(self):
        assert jax.tree.leaves(Delay((1, 2))) == []
        assert Delay(np.array([1, 2])) == Delay([1, 2]) == Delay((1, 2)) != Delay(2)


@every_readout
@pytest.mark.usefixtures("x64")
class TestReadouts:
    def test_every_output_sums_up_what_came_in_so_far(self, name):
        cell, x, expected = READOUTS[name]
        agrees(run(cell, rest(cell, x), x)[1], expected(x), of=cell, reference="NumPy", rtol=1e-15)

    def test_step_by_step_is_as_at_once(self, name):
        cell, x, expected = READOUTS[name]
        state = rest(cell, x)
        step = jax.jit(cell)
        for now, output in zip(x, expected(x), strict=True):
            state, found = step(state, now)
            np.testing.assert_allclose(found, output, rtol=1e-15)

    def test_the_last_output_is_kept_alone(self, name):
        cell, x, expected = READOUTS[name]
        np.testing.assert_allclose(of_the_last(cell, x)[0], expected(x)[-1].sum(), rtol=1e-14)

    def test_a_nan_stays_with_its_neuron_from_its_step_on(self, name):
        cell, x, expected = READOUTS[name]
        x = x.copy()
        x[3, 0, 0] = np.nan
        outputs = np.asarray(run(cell, rest(cell, x), x)[1])
        until = 4 if name == "LastStep" else STEPS
        assert np.isnan(outputs[3:until, 0, 0]).all()
        assert np.isnan(outputs).sum() == until - 3


@pytest.mark.usefixtures("x64")
class TestDerivativesOfReadouts:
    def test_every_step_has_the_same_share_in_a_rate(self):
        np.testing.assert_allclose(of_the_last(MeanOverTime(), VALUES)[1], np.full_like(VALUES, 1 / STEPS), rtol=1e-15)

    def test_a_peak_moves_with_the_earliest_of_the_largest_alone(self):
        ties = np.sum(VALUES.max(axis=0) == VALUES, axis=0)
        assert ties.max() > 1
        np.testing.assert_array_equal(
            of_the_last(MaxOverTime(), VALUES)[1], np.arange(STEPS)[:, None, None] == VALUES.argmax(0)
        )

    def test_the_last_step_alone_moves_the_last_output(self):
        np.testing.assert_array_equal(of_the_last(LastStep(), VALUES)[1], np.broadcast_to(COUNT == STEPS, VALUES.shape))

    def test_a_spike_moves_the_first_by_the_wait_for_the_second(self):
        gradient = of_the_last(FirstSpikeTime(), np.array([0, 0, 1, 0, 0, 0, 1, 0, 1.0]))[1]
        # Without the spike of step 2 the first would be that of step 6. One at step 0 or 1 would come before it.
        np.testing.assert_array_equal(gradient, [-2, -1, -4, 0, 0, 0, 0, 0, 0])

    def test_probabilities_of_spikes_move_the_expected_wait(self):
        # The expected number of steps before the first spike, where each comes with a probability of its own.
        p = RNG.uniform(0.1, 0.9, STEPS)
        wait = lambda p: np.cumprod(1 - p).sum()
        value, gradient = of_the_last(FirstSpikeTime(), p)
        h = 1e-6  # the expectation is linear in every single probability, so that only rounding, 1e-16/h, is left
        differences = [(wait(p + h * e) - wait(p - h * e)) / (2 * h) for e in np.eye(STEPS)]
        np.testing.assert_allclose(value, wait(p), rtol=1e-14)
        np.testing.assert_allclose(gradient, differences, rtol=1e-8, atol=1e-9)

    def test_surrogates_reach_readouts_through_spikes(self):
        network = Sequential(surgrad.Sigmoid(), FirstSpikeTime())
        gradient = of_the_last(network, np.full(STEPS, -0.5))[1]
        # No spike at all: one at step t would take off all steps from t on.
        slope = float(surgrad.Sigmoid().surrogate_grad(-0.5))
        np.testing.assert_allclose(gradient, -slope * np.arange(STEPS, 0, -1), rtol=1e-12)


@pytest.mark.parametrize("dtype", [bool, np.int8, np.float16, jnp.bfloat16])
@pytest.mark.parametrize("cell", [MeanOverTime(), FirstSpikeTime()], ids=repr)
def test_counts_are_exact_whatever_the_type_of_the_spikes(cell, dtype):
    spikes = np.zeros((600, 1), bool)
    spikes[500:] = True
    _, last = unroll(cell, cell.init((1,), jnp.bfloat16), spikes.astype(dtype), keep="last")
    assert float(last[0]) == {"MeanOverTime": np.float32(100 / 600), "FirstSpikeTime": 500}[type(cell).__name__]


@pytest.mark.parametrize("dtype", [bool, np.float32, np.float16])
def test_a_delay_keeps_the_type_of_its_state_and_puts_out_that_of_its_input(dtype):
    cell = Delay(2)
    new, output = jax.eval_shape(cell, cell.init((3,), jnp.float16), jax.ShapeDtypeStruct((3,), dtype))
    assert (new.dtype, output.dtype) == (jnp.float16, jnp.float32 if dtype is bool else dtype)


@pytest.mark.parametrize("dtype", [bool, np.float32, np.float16])
@pytest.mark.parametrize("cell", [cell for cell, _, _ in READOUTS.values() if not isinstance(cell, LastStep)], ids=repr)
def test_readouts_are_of_single_precision_at_least(cell, dtype):
    state = cell.init((3,), dtype)
    new, output = jax.eval_shape(cell, state, jax.ShapeDtypeStruct((3,), dtype))
    assert output.dtype == jnp.float32
    assert jax.tree.map(jnp.result_type, new) == jax.tree.map(jnp.result_type, state)


@pytest.mark.parametrize("cell", [Delay(2), Delay((1, 0, 2)), *(cell for cell, _, _ in READOUTS.values())], ids=repr)
@pytest.mark.parametrize("batch", [(), (1,), (0,), (2, 2)])
def test_any_batch_and_no_steps_at_all_will_do(cell, batch):
    for time in (0, 2):
        x = jax.ShapeDtypeStruct((time, *batch, NEURONS), jnp.float32)
        last, outputs = jax.eval_shape(lambda cell, x: unroll(cell, rest(cell, x), x), cell, x)
        assert outputs.shape == x.shape
        assert last == jax.eval_shape(rest, cell, x)


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        *[
            (lambda steps=steps: Delay(steps), r"Delay: steps \(one number, or one a neuron\) must .*, got ")
            for steps in (-1, 1.0, True, (1, -2), (1.5, 2), (), [[1], [2, 3]], np.ones((2, 2), int), None, "2")
        ],
        (
            lambda: Delay((1, 2)).init((4, 3)),
            r"Delay: the input must be \(\*batch, 2 neurons\), got shape \(4, 3\); each neuron",
        ),
        (lambda: Delay((1, 2)).init(()), r"Delay: the input must be \(\*batch, 2 neurons\), got shape \(\)"),
        *[
            (
                lambda cell=cell: cell(cell.init((2, 3)), np.ones((2, 4))),
                rf"{type(cell).__name__}: the input of a step has shape \(2, 4\) and the state \(2, 3\); "
                rf"they must be equal, start from init\(\(2, 4\)\)",
            )
            for cell in (Delay(1), Delay((1, 2, 0)), MeanOverTime(), MaxOverTime(), FirstSpikeTime())
        ],
        (
            lambda: MeanOverTime()(MeanOverTime().init((3,)), np.ones((9, 3))),
            r"A call takes one time step; a whole sequence, time-major, goes to unroll",
        ),
        (lambda: Delay(1).over_time(Delay(1).init((3,)), np.ones((9, 4))), r"has shape \(4,\) and the state \(3,\)"),
    ],
)
@pytest.mark.unchecked("wrong types on purpose")
def test_what_does_not_fit_is_refused_in_words(mistake, message):
    with pytest.raises(ValueError, match=message):
        mistake()
