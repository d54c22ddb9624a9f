"""Laws of every cell: a tree of numbers, one structure and dtype of state, one meaning under every transformation."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import surgrad
from surgrad.nn._biophysical import AdEx, AdExState, Izhikevich
from surgrad.nn._cells import ALIF, LIF, CuBaLIF, LeakyIntegrator, LIFState

STEPS, BATCH, NEURONS = 30, 2, 3
SPIKE = surgrad.Arctan()
# A cell, and a current that makes it spike.
CELLS = {
    "LeakyIntegrator": (LeakyIntegrator(5.0), 1.0),
    "LIF": (LIF(SPIKE, 5.0), 1.0),
    "LIF, hard reset": (LIF(SPIKE, 5.0, reset="zero", detach_reset=True), 1.0),
    "LIF, refractory": (LIF(SPIKE, 5.0, refractory=2), 1.0),
    "CuBaLIF": (CuBaLIF(SPIKE, 5.0, tau_syn=2.0), 0.5),
    "ALIF": (ALIF(SPIKE, 5.0, adaptation_strength=0.2), 1.0),
    "ALIF, refractory": (ALIF(SPIKE, 5.0, adaptation_strength=0.2, reset="zero", refractory=1), 1.0),
    "AdEx": (AdEx(SPIKE, dt=0.5), 3000.0),
    "Izhikevich": (Izhikevich(SPIKE), 60.0),
}
every_cell = pytest.mark.parametrize("name", CELLS)


def run(cell, inputs):
    return jax.lax.scan(lambda state, now: cell(state, now), cell.init(inputs.shape[1:], inputs.dtype), inputs)


def summed(cell, inputs):
    state, outputs = run(cell, inputs)
    return outputs.sum() + state.v.sum()


# Compiled once for all laws and cells of one structure.
forwards, backwards = jax.jit(run), jax.jit(jax.grad(summed, (0, 1)))
mapped = jax.jit(jax.vmap(run, (0, None)))


def a_neuron_each(name):
    """A cell whose parameters differ between the neurons, and inputs."""
    cell, current = CELLS[name]
    spread = {n: v * np.array([0.9, 1.0, 1.1]) for n, v in vars(cell).items() if isinstance(v, float) and n != "dt"}
    inputs = np.random.default_rng(3).uniform(0, current, (STEPS, BATCH, NEURONS))
    return cell.replace(**spread), inputs


def part(tree, where):
    return jax.tree.map(lambda leaf: np.asarray(leaf)[where], tree)


def assert_close(found, expected):
    jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-6, atol=1e-8), found, expected)


@pytest.mark.usefixtures("x64")
@every_cell
class TestTransformations:
    def test_a_cell_is_rebuilt_from_its_leaves(self, name):
        leaves, structure = jax.tree.flatten(CELLS[name][0])
        assert structure.unflatten(leaves) == CELLS[name][0]

    def test_derivatives_by_parameters_and_inputs_are_finite(self, name):
        gradients = [np.asarray(leaf) for leaf in jax.tree.leaves(backwards(*a_neuron_each(name)))]
        assert all(np.isfinite(leaf).all() for leaf in gradients)
        assert np.count_nonzero(gradients[-1]) > 0  # by the input

    def test_a_map_over_cells_is_a_loop_over_them(self, name):
        cell, inputs = a_neuron_each(name)
        other = jax.tree.map(lambda leaf: 1.1 * leaf, cell)
        both = jax.tree.map(lambda *leaves: np.array(leaves), cell, other)
        for i, one in enumerate((cell, other)):
            assert_close(part(mapped(both, inputs), i), forwards(one, inputs))

    def test_a_population_of_a_batch_is_its_neurons_one_by_one(self, name):
        cell, inputs = a_neuron_each(name)
        state, outputs = forwards(cell, inputs)
        assert outputs.sum() > 3
        for i in range(NEURONS):
            own = cell.replace(**{n: float(v[i]) for n, v in vars(cell).items() if isinstance(v, np.ndarray)})
            assert_close(forwards(own, inputs[:, 1, i]), (part(state, (1, i)), part(outputs, (slice(None), 1, i))))


@every_cell
class TestStates:
    @pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16, jnp.float32])
    def test_the_state_keeps_structure_and_dtype_whatever_the_input_and_the_parameters_are(self, name, dtype):
        cell = jax.tree.map(lambda leaf: np.full(NEURONS, leaf, np.float32), CELLS[name][0])
        state = jax.eval_shape(lambda: cell.init((BATCH, NEURONS), dtype))
        assert state.v.dtype == jnp.float32
        for of_input in (dtype, jnp.float32, bool):
            now = jax.ShapeDtypeStruct((BATCH, NEURONS), of_input)
            after, output = jax.eval_shape(cell, state, now)
            assert after == state
            assert output.dtype == (jnp.float32 if name == "LeakyIntegrator" or of_input is bool else of_input)

    def test_any_number_of_axes_and_no_step_at_all_will_do(self, name):
        for shape in ((), (NEURONS,), (1, NEURONS), (0, NEURONS), (2, 2, NEURONS)):
            last, outputs = jax.eval_shape(run, CELLS[name][0], jax.ShapeDtypeStruct((0, *shape), jnp.float32))
            assert outputs.shape == (0, *shape)
            assert last.v.shape == shape

    def test_nan_in_an_input_silences_its_neuron_alone(self, name):
        cell, current = CELLS[name]
        inputs = np.full((6, 2), 4 * current, np.float32)
        inputs[0, 0] = np.nan
        state, outputs = forwards(cell, inputs)
        assert np.isnan(state.v).tolist() == [True, False]
        assert outputs[:, 1].sum() > 0
        assert np.isnan(outputs[:, 0]).all() if name == "LeakyIntegrator" else not outputs[:, 0].any()

    @pytest.mark.unchecked("wrong types on purpose")
    def test_an_input_of_another_shape_is_refused_in_words(self, name):
        cell = CELLS[name][0]
        kind, state = type(cell).__name__, cell.init((2, 3))
        with pytest.raises(ValueError, match=rf"{kind}: the input of a step has shape \(2, 4\) and the state \(2, 3\)"):
            cell(state, jnp.zeros((2, 4)))
        with pytest.raises(
            ValueError, match="A call takes one time step; a whole sequence, time-major, goes to unroll"
        ):
            cell(state, jnp.zeros((9, 2, 3)))
        with pytest.raises(TypeError, match=f"{kind}: the state must be a {kind}State, as init makes it, got "):
            cell(state.v, jnp.zeros((2, 3)))
        with pytest.raises(TypeError, match=f"{kind}: the voltage must be floating, got int32"):
            cell(jax.tree.map(lambda part: part.astype(int), cell.init((3,))), jnp.zeros(3))

    @pytest.mark.parametrize("dtype", [bool, np.uint8, np.int32])
    def test_a_state_made_by_the_type_of_events_is_of_floating_type(self, name, dtype):
        assert CELLS[name][0].init((3,), dtype).v.dtype == jnp.float32

    def test_one_number_is_the_length_of_the_only_axis(self, name):
        assert_close(CELLS[name][0].init(3), CELLS[name][0].init((3,)))


@pytest.mark.parametrize(
    ("name", "floats", "bits"),
    [
        ("LeakyIntegrator", 0, 0),
        ("LIF", 1, 0),
        ("LIF, refractory", 1, 1),
        ("CuBaLIF", 1, 0),
        ("ALIF", 1, 0),
        ("LIF, hard reset", 2, 0),
    ],
)
def test_reverse_mode_keeps_the_slope_and_no_more_of_a_step_with_a_soft_reset(name, floats, bits):
    inputs = jax.ShapeDtypeStruct((STEPS, BATCH, NEURONS), jnp.float32)
    pull = jax.eval_shape(lambda inputs: jax.vjp(lambda inputs: run(CELLS[name][0], inputs)[1], inputs)[1], inputs)
    kept = sorted(str(leaf.dtype) for leaf in jax.tree.leaves(pull) if leaf.shape == inputs.shape)
    assert kept == ["bool"] * bits + ["float32"] * floats


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (lambda: LIF(SPIKE, tau=0.0), r"LIF: tau must be > 0, got 0\.0"),
        (lambda: LeakyIntegrator(np.array([1.0, np.nan])), r"LeakyIntegrator: tau must be > 0"),
        (lambda: LIF(SPIKE, threshold=-1), r"LIF: threshold must be > 0, got -1\.0"),
        (lambda: CuBaLIF(SPIKE, tau_syn=-1), r"CuBaLIF: tau_syn must be > 0, got -1\.0"),
        (lambda: ALIF(SPIKE, tau_adaptation=0), r"ALIF: tau_adaptation must be > 0, got 0\.0"),
        (lambda: ALIF(SPIKE, reset="soft"), r"ALIF: reset must be one of 'subtract', 'zero', got 'soft'"),
        (lambda: ALIF(SPIKE, adaptation_strength=np.nan), r"ALIF: adaptation_strength must be finite, got nan"),
        (lambda: AdEx(SPIKE, a=np.array([1, np.nan])), r"AdEx: a must be finite, got \[ 1\. nan\]"),
        (lambda: LIF(SPIKE, refractory=1.5), r"LIF: refractory must be an integer >= 0, got 1\.5"),
        (lambda: LIF(SPIKE, refractory=-1), r"LIF: refractory must be .* got -1"),
        (
            lambda: LeakyIntegrator(jnp.ones(4)).init((2, 3)),
            r"tau of shape \(4,\) does not broadcast to the state of shape \(2, 3\)",
        ),
        (lambda: LIF(SPIKE, threshold=jnp.ones((2, 3))).init((3,)), r"threshold of shape \(2, 3\)"),
        (
            lambda: LIF(SPIKE)(LIFState(jnp.zeros(3), jnp.zeros(3, int)), jnp.zeros(3)),
            r"LIF: the state was made for another refractory period; start from this cell's init",
        ),
        (
            lambda: AdEx(SPIKE)(AdExState(jnp.zeros(3), jnp.zeros((2, 3))), jnp.zeros(3)),
            r"AdEx: the voltage has shape \(3,\) and the recovery \(2, 3\)",
        ),
    ],
)
@pytest.mark.unchecked("wrong types on purpose")
def test_what_does_not_fit_is_refused_in_words(mistake, message):
    with pytest.raises(ValueError, match=message):
        mistake()


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (lambda: LIF(surgrad.Arctan), r"LIF: surrogate is the class Arctan; give an object, Arctan\(\.\.\.\)"),
        (lambda: AdEx(None), r"AdEx: surrogate must be a surrogate, or a function of x that spikes, got None"),
        (lambda: Izhikevich("arctan"), r"Izhikevich: surrogate must be .* got 'arctan'"),
        (lambda: LIF(SPIKE, tau=1j), r"LIF: tau must be a real number or array, got 1j"),
        (lambda: LeakyIntegrator("10"), r"LeakyIntegrator: tau must be a real number or array, got '10'"),
        (
            lambda: LeakyIntegrator(np.ones(2, bool)),
            r"LeakyIntegrator: tau must be a real number or array, got an array of bool",
        ),
        (lambda: LIF(SPIKE, tau=[1, 2.0]), r"got \[1\.0, 2\.0\]; convert it with jnp\.asarray"),
        (lambda: LIF(SPIKE, detach_reset="no"), r"LIF: detach_reset must be True or False, got 'no'"),
    ],
)
@pytest.mark.unchecked("wrong types on purpose")
def test_what_is_of_another_type_is_refused_in_words(mistake, message):
    with pytest.raises(TypeError, match=message):
        mistake()


@pytest.mark.parametrize("tau", [1e-30, 1e-3])
def test_the_tiniest_time_constant_leaves_nothing_and_has_a_derivative_of_zero(tau):
    state = LeakyIntegrator().init(())._replace(v=jnp.float32(0.5))
    assert jax.value_and_grad(lambda tau: LeakyIntegrator(tau)(state, 0.1)[1])(tau) == (np.float32(0.1), 0)


@pytest.mark.parametrize(("reset", "left"), [("subtract", np.inf), ("zero", np.nan)])
def test_an_infinite_voltage_spikes_and_is_not_tamed_by_a_reset(reset, left):
    cell = LIF(SPIKE, reset=reset)
    state, spikes = cell(cell.init((2,)), jnp.array([jnp.inf, 2.0]))
    np.testing.assert_array_equal(spikes, [1, 1])
    np.testing.assert_array_equal(state.v, [left, 1.0 if reset == "subtract" else 0.0])


@pytest.mark.parametrize("tau", [255.0, 257.0, 1000.0])
def test_the_derivative_by_a_long_time_constant_does_not_vanish_in_half_precision(tau):
    """One step from v = 1: v e^(-1/τ), whose derivative is e^(-1/τ)/τ²; τ² is beyond float16 from 256 on."""
    state = LeakyIntegrator().init((), jnp.float16)._replace(v=jnp.float16(1))
    slope = jax.grad(lambda tau: LeakyIntegrator(tau)(state, jnp.float16(0))[1])(jnp.float16(tau))
    expected = np.exp(-1 / tau) / tau**2
    # Subnormal numbers of float16 lie 2^-24 apart.
    np.testing.assert_allclose(slope, expected, rtol=2e-3, atol=2.0**-24)
