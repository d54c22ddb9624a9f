"""`unroll` and `record` take a state or none, by position or by name, and return what `lax.scan` does, with names."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import surgrad
from networks import Leak, assert_same
from surgrad.nn import LIF, Delay, LeakyIntegrator, Linear, Sequential, record, unroll

XS = jax.random.uniform(jax.random.key(0), (9, 2, 3)) * 3
NET = Sequential(Linear(3, 4, key=jax.random.key(1), gain=2.0), LIF(surgrad.Arctan(2.0), 5.0, refractory=1), Delay(2))
REST = NET.init((2, 3))


def test_the_result_has_names_and_is_a_pair():
    result = unroll(NET, XS)
    state, outputs = result
    assert_same((result.state, result.outputs), (state, outputs))
    assert outputs.shape == (9, 2, 4)
    assert state[1].v.shape == (2, 4)


@pytest.mark.parametrize(
    "call",
    [
        lambda run: run(NET, REST, XS),
        lambda run: run(NET, XS, state=REST),
        lambda run: run(NET, inputs=XS),
        lambda run: run(NET, inputs=XS, state=REST),
        lambda run: run(NET, REST, inputs=XS),
    ],
    ids=["by position", "state by name", "inputs by name", "both by name", "one of each"],
)
def test_arguments_are_given_by_position_or_by_name(call):
    assert_same(call(unroll), unroll(NET, XS))
    assert_same(call(record), record(NET, XS))


def test_a_state_that_is_given_is_where_it_starts():
    middle, first = unroll(NET, XS[:4])
    last, second = unroll(NET, middle, XS[4:])
    assert_same((last, jnp.concatenate([first, second])), tuple(unroll(NET, XS)))


def test_a_function_and_a_tree_of_inputs_need_a_state():
    both = {"now": XS, "then": 2 * XS}
    step = lambda total, x: (total + x["now"], total - x["then"])
    expected = jax.lax.scan(step, jnp.zeros((2, 3)), both)
    assert_same(tuple(unroll(step, jnp.zeros((2, 3)), both)), expected)
    assert_same(record(step, jnp.zeros((2, 3)), both).outputs, expected[1])


def nothing(state, x):
    return state, x


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda run: run(NET),
            TypeError,
            r"\(cell, inputs\) or \w+\(cell, state, inputs\), in this order, got \(Sequential\)",
        ),
        (
            lambda run: run(NET, REST, XS, XS),
            TypeError,
            r"got \(Sequential, a tuple of 3, an array of shape \(9, 2, 3\)",
        ),
        (
            lambda run: run(NET, XS, inputs=XS, state=REST),
            TypeError,
            r"shape \(9, 2, 3\), state=a tuple of 3, inputs=an array of shape \(9, 2, 3\)\)",
        ),
        (lambda run: run(NET, state=REST), TypeError, r"got \(Sequential, state=a tuple of 3\)"),
        (
            lambda run: run(nothing, XS),
            ValueError,
            r"nothing has no method init, so give a state: \w+\(cell, state, in",
        ),
        (lambda run: run(NET, {"x": XS}), ValueError, "without a state, the inputs must be one array, .* got dict"),
        (lambda run: run(NET, jnp.float32(1)), ValueError, r"must be one array, .* got an array of shape \(\)"),
        (lambda run: run(XS, NET), TypeError, r"in this order, got \(an array of shape \(9, 2, 3\), Sequential\)"),
        (lambda run: run(LIF, XS), TypeError, r"the cell is the class LIF; give an object, LIF\(\.\.\.\)"),
        (
            lambda run: run(NET[0], XS),
            TypeError,
            r"Linear is a connection, which has no state: call it on all time steps, layer\(xs\), or put it into a Seq",
        ),
        (
            lambda run: run(NET, XS, REST),
            TypeError,
            r"\w+\(cell, state, inputs\), in this order, .* tuple of 3\); state .* are swapped",
        ),
    ],
)
@pytest.mark.parametrize("run", [unroll, record])
@pytest.mark.unchecked("wrong types on purpose")
def test_other_arguments_are_refused_in_words(run, call, error, message):
    with pytest.raises(error, match=f"{run.__name__}: .*{message}"):
        call(run)


class TestRecord:
    def test_holds_the_states_of_a_scan_and_the_outputs_of_all_layers(self):
        recording = record(NET, XS)
        states = jax.lax.scan(lambda state, x: (NET(state, x)[0],) * 2, REST, XS)[1]
        assert_same(recording.states, states)
        assert_same(recording.outputs, NET.outputs(XS))
        assert recording.states[0] is None
        assert recording.states[1].v.shape == (9, 2, 4)

    @pytest.mark.parametrize("cell", [LeakyIntegrator(3.0), Leak(0.5)], ids=["a cell", "a cell of a user"])
    def test_of_one_cell_is_a_scan(self, cell):
        def step(state, x):
            state, output = cell(state, x)
            return state, (state, output)

        expected = jax.lax.scan(step, cell.init((2, 3)), XS)[1]
        assert_same(tuple(record(cell, XS)), expected)

    def test_networks_inside_have_tuples_of_their_own(self):
        recording = record(Sequential(NET, LeakyIntegrator()), XS)
        assert_same(recording.states[0], record(NET, XS).states)

    def test_is_differentiated(self):
        gradient = jax.jit(jax.grad(lambda net: (record(net, XS).states[1].v ** 2).sum()))(NET)
        scanned = lambda net: jax.lax.scan(lambda state, x: (new := net(state, x)[0], new[1].v), REST, XS)[1]
        expected = jax.grad(lambda net: (scanned(net) ** 2).sum())(NET)
        np.testing.assert_allclose(gradient[0].weight, expected[0].weight, rtol=1e-5)
