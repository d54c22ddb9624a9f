"""What does not fit a network is refused in words: the part, its name, what it expects and what it was given."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from networks import BATCH, FRAMES, INPUTS, INTO, SPIKE, STEPS, PlainSum, network, refuses_seven
from surgrad.nn import (
    LIF,
    Conv1d,
    Delay,
    FirstSpikeTime,
    Lambda,
    LeakyIntegrator,
    Linear,
    MaxOverTime,
    MeanOverTime,
    Recurrent,
    Sequential,
    partition,
    unroll,
)

pytestmark = pytest.mark.unchecked("wrong types on purpose")

DENSE = Linear.from_arrays(INTO, np.zeros(4))


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (
            lambda: network().init((5,)),
            r"part 0 of Sequential, Linear: the input must be \(\.\.\., 3 features\), got shape \(5,\)",
        ),
        (
            lambda: Sequential(network(), Sequential(LeakyIntegrator(), network())).init((3,)),
            r"^part 1 of Sequential, part 1 of Sequential, part 0 of Sequential, Linear: .* 3 features\), got shape \(2,\)",
        ),
        (lambda: network()(network().init((3,)), np.ones(4)), r"part 0 of Sequential, Linear: .* got shape \(4,\)"),
        (
            lambda: Sequential(*FRAMES).init((6, 6, 1)),
            r"part 4 of Sequential, Linear: the input must be \(\.\.\., 8 features\), got shape \(18,\)",
        ),
        (lambda: Sequential(*FRAMES).init((4, 4)), r"part 0 of Sequential, Conv2d: .*1 channels\), got shape \(4, 4\)"),
        (
            lambda: Sequential(LeakyIntegrator(), Delay((1, 2))).init((3,)),
            r"part 1 of Sequential, Delay: the input must be \(\*batch, 2 neurons\), got shape \(3,\); each neuron",
        ),
        (
            lambda: Sequential(LeakyIntegrator(), Recurrent.from_arrays(LIF(SPIKE), np.eye(2))).init((3,)),
            r"part 1 of Sequential, Recurrent: the input must be \(\.\.\., 2 features\), got shape \(3,\)",
        ),
        (
            lambda: Sequential(LeakyIntegrator(np.ones(4))).init((3,)),
            r"part 0 of Sequential, LeakyIntegrator: tau of shape \(4,\) does not",
        ),
        (
            lambda: Sequential(LeakyIntegrator(), lambda x: x + np.ones(7)).init((3,)),
            r"part 1 of Sequential, Lambda <lambda>: it failed on an input of shape \(3,\): .*\(3,\), \(7,\)",
        ),
        (lambda: Sequential(refuses_seven).init((7,)), r"Lambda refuses_seven: .* of shape \(7,\): not seven"),
        (
            lambda: network()((), np.ones(3)),
            r"Sequential: the state must be a tuple of 5, one a part, as init\(shape\) makes it, got a tuple of 0",
        ),
        (
            lambda: network()(np.zeros(5), np.ones(3)),
            r"Sequential: the state must be a tuple of 5, .* got an array of shape \(5,\)",
        ),
        (
            lambda: network()(network().init((2, 3)), np.ones(3)),
            r"part 1 of Sequential, LIF: the input of a step has shape \(4,\) and the state \(2, 4\)",
        ),
        (
            lambda: network().with_connections((None,)),
            r"Sequential: the connections must be a tuple of 5, one a part, as connections\(\) makes it, got a tuple of 1",
        ),
        (
            lambda: Sequential(LeakyIntegrator(), network()).with_connections((None, None)),
            r"part 1 of Sequential, Sequential: the connections must be a tuple of 5, one a part, .* got NoneType",
        ),
        (
            lambda: Sequential(network()).with_connections(
                ((Linear.from_arrays(np.eye(3), np.zeros(3)), *network().connections()[1:]),)
            ),
            r"part 0 of Sequential, part 0 of Sequential, Linear: connections must have the shapes \[\(3, 4\), \(4,\)\], as "
            r"connections\(\) gives them, got the shapes \[\(3, 3\), \(3,\)\]",
        ),
        (
            lambda: Sequential(Recurrent.from_arrays(LeakyIntegrator(), np.eye(3))).with_connections((np.eye(4),)),
            r"part 0 of Sequential, Recurrent: connections must have the shapes \[\(3, 3\)\], .* got the shapes \[\(4, 4\)\]",
        ),
        (
            lambda: Sequential(LeakyIntegrator()).with_connections((np.eye(4),)),
            r"part 0 of Sequential, LeakyIntegrator: connections must be None, as connections\(\) gives them, got the shapes \[\(4, 4\)\]",
        ),
        (
            lambda: unroll(
                net := Recurrent.from_arrays(Sequential(DENSE, LeakyIntegrator()), np.eye(3)),
                net.init(3),
                np.ones((5, 3)),
            ),
            r"Recurrent: the cell must put out outputs of the shape \(3,\) that it takes in, .* got \(4,\)",
        ),
        (
            lambda: Delay(2)(jnp.zeros((1, 3)), jnp.ones(3)),
            r"Delay: the state must be \(2 steps, \.\.\.\), got shape \(1, 3\); start from init\(shape\)",
        ),
    ],
)
def test_what_does_not_fit_is_refused_in_words(mistake, message):
    with pytest.raises(ValueError, match=message):
        mistake()


@pytest.mark.parametrize(
    "state", [None, 0.0, (), "state", LeakyIntegrator().init(3)], ids=lambda state: type(state).__name__
)
@pytest.mark.parametrize(
    ("cell", "kind"),
    [
        (Recurrent.from_arrays(LeakyIntegrator(), np.eye(3)), "a RecurrentState"),
        (MeanOverTime(), "a MeanState"),
        (MaxOverTime(), "a MaxState"),
        (FirstSpikeTime(), "a FirstSpikeState"),
        (Delay(1), "an array"),
        (LIF(SPIKE), "a LIFState"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_state_that_is_not_of_the_cell_is_refused_in_words(cell, kind, state):
    with pytest.raises(TypeError, match=rf"{type(cell).__name__}: the state must be {kind}, as init makes it, got "):
        cell(state, jnp.ones(3))


@pytest.mark.parametrize(
    "part",
    [
        DENSE,
        Conv1d.from_arrays(np.ones((1, 3, 2)), np.ones(2)),
        Delay(1),
        MeanOverTime(),
        MaxOverTime(),
        LIF(SPIKE),
        Recurrent.from_arrays(LeakyIntegrator(), np.eye(3)),
    ],
    ids=lambda part: type(part).__name__,
)
def test_complex_inputs_and_states_are_refused_in_words(part):
    x = jnp.ones((2, 3), complex)
    arguments = (part.init((2, 3)), x) if hasattr(part, "init") else (x,)
    with pytest.raises(TypeError, match="the input must be real, got complex64; give its real part or its magnitude"):
        part(*arguments)
    with pytest.raises(TypeError, match="the type of a state must be floating, got complex64"):
        Sequential(part).init((2, 3), complex)


@pytest.mark.parametrize(
    ("shape", "read"),
    [
        ((BATCH, INPUTS, STEPS), rf"{BATCH} steps of shape \({INPUTS}, {STEPS}\)"),
        ((INPUTS,), rf"{INPUTS} steps of shape \(\)"),
        ((), "one number"),
    ],
    ids=["last", "forgotten", "a number"],
)
def test_an_axis_of_time_that_is_not_the_first_is_pointed_out(shape, read):
    with pytest.raises(
        ValueError, match=rf"\(outputs read the inputs as {read}: time leads, \(time, \*batch, neurons\)\.\)"
    ):
        network().outputs(np.ones(shape))


@pytest.mark.parametrize(
    ("inputs", "shapes"),
    [(1.0, r"\(\)"), ({"a": np.zeros(2), "b": np.zeros(3)}, r"\(2,\), \(3,\)"), (None, "nothing")],
    ids=["no axis", "two lengths", "nothing"],
)
def test_without_a_common_axis_of_time_nothing_is_unrolled(inputs, shapes):
    with pytest.raises(ValueError, match=rf"unroll: inputs must share a leading axis of time, got {shapes}\."):
        unroll(LeakyIntegrator(), LeakyIntegrator().init(()), inputs)


@pytest.mark.parametrize(
    "shape", [(BATCH, INPUTS), (BATCH, STEPS, INPUTS), (BATCH, INPUTS, STEPS)], ids=["forgotten", "second", "last"]
)
def test_unrolled_over_another_axis_than_time_it_says_that_time_leads(shape):
    net = network()
    with pytest.raises(ValueError, match=r"^part \d of Sequential, .* time leads, \(time, \*batch, neurons\)"):
        unroll(net, net.init((BATCH, INPUTS)), np.ones(shape, np.float32))


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (
            lambda: Recurrent.from_arrays(LIF, np.eye(3)),
            r"Recurrent: cell is the class LIF; give an object, LIF\(\.\.\.\)",
        ),
        (lambda: Recurrent.from_arrays(None, np.eye(3)), r"Recurrent: cell must be a cell, .* got None"),
        (
            lambda: Recurrent.from_arrays(DENSE, np.eye(3)),
            r"Recurrent: cell must have a method init\(shape, dtype\), .* got Linear",
        ),
        (
            lambda: Recurrent.from_arrays(LeakyIntegrator(), np.eye(3), event_driven=1),
            r"Recurrent: event_driven must be True, False or 'auto', got 1",
        ),
        (
            lambda: unroll(DENSE, None, np.ones((5, 3))),
            r"unroll: Linear is a connection, which has no state: .* layer\(xs\), .*unroll\(Sequential\(layer, cell\), xs\)",
        ),
        (lambda: unroll(Lambda(jnp.tanh), np.ones((5, 3))), r"Lambda is a connection, .* jax\.vmap\(layer\)\(xs\)"),
        (lambda: unroll(partition(network())[0], np.ones((5, 3))), r"is None, .* merge them first with combine"),
        (
            lambda: Recurrent(32, LIF(), key=jax.random.key(0)),
            r"the cell comes before the number of features: Recurrent\(cell, features, key=key\)",
        ),
        (lambda: unroll(jnp.tanh, None, np.ones((5, 3))), r"which tanh does not"),
        (lambda: unroll(LIF, None, np.ones((5, 3))), r"unroll: the cell is the class LIF; give an object"),
        (lambda: unroll(None, None, np.ones((5, 3))), r"unroll: the cell must be a function, .* got None"),
        (lambda: unroll(lambda s, x: x, 0.0, np.ones((5, 3))), r"must give back a pair, \(state, output\), got "),
        (lambda: Sequential(LeakyIntegrator(), None), r"part 1 must be a connection or a cell, got None"),
        (lambda: Sequential(LeakyIntegrator(), LIF), r"part 1 is the class LIF; give an object, LIF\(\.\.\.\)"),
        (
            lambda: Sequential(Linear.from_arrays(INTO, np.zeros(4)), jax.tree_util.Partial(jnp.add, "1")),
            r"the leaves of its parts must be numbers, so that JAX sees them, got ndarray, str",
        ),
    ],
)
def test_what_is_no_part_is_refused_in_words(mistake, message):
    with pytest.raises(TypeError, match=message):
        mistake()


def test_a_part_that_fails_in_another_way_is_named_in_a_note():
    class Odd(PlainSum):
        def init(self, shape):
            return jnp.zeros(shape)

    with pytest.raises(TypeError, match="positional arguments") as caught:
        Sequential(LeakyIntegrator(), Odd()).init((3,))
    assert "It was part 1 of Sequential, ForeignCell(cell=" in caught.value.__notes__[0]


NET = Sequential(Linear.from_arrays(jnp.eye(3), jnp.zeros(3)), LIF(SPIKE, 10.0), MaxOverTime())


@pytest.mark.parametrize(
    ("error", "call", "message"),
    [
        (ValueError, lambda n, s, x: unroll(n, s, x[0]), "read the inputs as 2 steps of shape .*time leads"),
        (ValueError, lambda n, s, x: unroll(n, s, jnp.moveaxis(x, 0, -1)), r"time leads, \(time, \*batch"),
        (
            ValueError,
            lambda n, s, x: unroll(n, s, x[..., :2]),
            r"Linear: the input must be \(\.\.\., 3 features\), got shape",
        ),
        (ValueError, lambda n, s, x: unroll(n, s, x, keep="first"), "keep must be one of 'all', 'last', got 'first'"),
        (ValueError, lambda n, s, x: unroll(n, s, x[:0], keep="last"), "no last output of 0 steps"),
        (ValueError, lambda n, s, x: unroll(n, s, x, checkpoint_every=2, memory_bytes=1e6), "give one of the two"),
        (
            ValueError,
            lambda n, s, x: unroll(n, s, x, checkpoint_every=0),
            "checkpoint_every must be an integer >= 1, got 0",
        ),
        (
            ValueError,
            lambda n, s, x: unroll(n, s, x, chunk_size=-1),
            "chunk_size must be an integer >= 1, got -1",
        ),
        (
            ValueError,
            lambda n, s, x: unroll(n, s, x, checkpoint_every=2.5),
            "checkpoint_every must be an integer >= 1, got 2.5",
        ),
        (
            ValueError,
            lambda n, s, x: unroll(n, s, x, chunk_size="auto"),
            "chunk_size must be an integer >= 1, got 'auto'",
        ),
        (
            ValueError,
            lambda n, s, x: unroll(n, s, x, memory_bytes=10),
            "memory_bytes=10 is not enough for 9 time steps",
        ),
        (ValueError, lambda n, s, x: unroll(n, s, x, memory_bytes=-1), "memory_bytes must be > 0, got -1"),
        (ValueError, lambda n, s, x: unroll(n, s, x, memory_bytes=np.nan), "memory_bytes must be > 0, got nan"),
        (
            TypeError,
            lambda n, s, x: unroll(n, s, x, memory_bytes="1GB"),
            "memory_bytes must be a number, got '1GB'",
        ),
        (TypeError, lambda n, s, x: unroll(n, s, x, memory_bytes=True), "memory_bytes must be a number, got True"),
    ],
)
def test_unroll_refuses_in_words(error, call, message):
    with pytest.raises(error, match=message):
        call(NET, NET.init((2, 3)), jnp.zeros((9, 2, 3)))


def test_unroll_does_not_send_to_unroll():
    with pytest.raises(ValueError, match=r"start from init\(\(2, 3\)\)\. \(unroll read") as caught:
        unroll(LeakyIntegrator(), LeakyIntegrator().init(3), jnp.zeros((9, 2, 3)))
    assert "goes to unroll" not in str(caught.value)


def test_a_state_and_an_input_that_are_swapped_are_told_so():
    cell, x = LIF(SPIKE), jnp.zeros((2, 3))
    with pytest.raises(TypeError, match=r"LIF: the state must be a LIFState, .*; state and input are swapped\.$"):
        cell(x, cell.init(x.shape))
    with pytest.raises(TypeError, match=r"Sequential: a step takes \(state, input\), got \(an array .*are swapped"):
        NET(x, NET.init(x.shape))


def test_a_part_is_not_assigned():
    with pytest.raises(TypeError, match=r"with another one is Sequential\(\*net\[:1\], part, \*net\[2:\]\)"):
        NET[1] = LIF(SPIKE)


def test_a_missing_key_names_the_layer_that_was_called():
    for kind, sizes in ((Linear, (2, 3)), (Conv1d, (2, 3, 3))):
        with pytest.raises(TypeError, match=f"^{kind.__name__}: give a key"):
            kind(*sizes)
