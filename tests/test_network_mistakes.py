"""What does not fit a network is refused in words: the part, its name, what it expects and what it was given."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from networks import BATCH, FRAMES, INPUTS, INTO, SPIKE, STEPS, PlainSum, network, refuses_seven
from surgrad.nn import LI, LIF, Delay, Dense, Recurrent, Sequential, unroll


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (lambda: network().init((5,)), r"part 0 of Sequential, Dense: .* must be 3 long, got shape \(5,\)"),
        (
            lambda: Sequential(network(), Sequential(LI(), network())).init((3,)),
            r"^part 1 of Sequential, part 1 of Sequential, part 0 of Sequential, Dense: .* 3 long, got shape \(2,\)",
        ),
        (lambda: network()(network().init((3,)), np.ones(4)), r"part 0 of Sequential, Dense: .* got shape \(4,\)"),
        (
            lambda: Sequential(*FRAMES).init((6, 6, 1)),
            r"part 4 of Sequential, Dense: the last axis of the input must be 8 long, got shape \(18,\)",
        ),
        (lambda: Sequential(*FRAMES).init((4, 4)), r"part 0 of Sequential, Conv: .*1 channels\), got shape \(4, 4\)"),
        (lambda: Sequential(LI(), Delay((1, 2))).init((3,)), r"part 1 of Sequential, Delay: 2 delays do not fit"),
        (
            lambda: Sequential(LI(), Recurrent(LIF(SPIKE), np.eye(2))).init((3,)),
            r"part 1 of Sequential, Recurrent: the last axis of the input must be 2 long, got shape \(3,\)",
        ),
        (lambda: Sequential(LI(np.ones(4))).init((3,)), r"part 0 of Sequential, LI: tau of shape \(4,\) does not"),
        (
            lambda: Sequential(LI(), lambda x: x + np.ones(7)).init((3,)),
            r"part 1 of Sequential, Function <lambda>: it failed on an input of shape \(3,\): .*\(3,\), \(7,\)",
        ),
        (lambda: Sequential(refuses_seven).init((7,)), r"Function refuses_seven: .* of shape \(7,\): not seven"),
        (
            lambda: network()((), np.ones(3)),
            r"Sequential: the state must be a tuple of 5, one a part, as init\(shape\) makes it, got \(\)",
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
            r"Sequential: 5 parts need as many connections, as connections\(\) gives them, got 1",
        ),
    ],
)
def test_what_does_not_fit_is_refused_in_words(mistake, message):
    with pytest.raises(ValueError, match=message):
        mistake()


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
    with pytest.raises(ValueError, match=rf"\(outputs read {read}: time leads, \(time, \*batch, neurons\)\.\)"):
        network().outputs(np.ones(shape))


@pytest.mark.parametrize(
    ("inputs", "shapes"),
    [(1.0, r"\(\)"), ({"a": np.zeros(2), "b": np.zeros(3)}, r"\(2,\), \(3,\)"), (None, "nothing")],
    ids=["no axis", "two lengths", "nothing"],
)
def test_without_a_common_axis_of_time_nothing_is_unrolled(inputs, shapes):
    with pytest.raises(ValueError, match=rf"unroll: inputs must share a leading axis of time, got {shapes}\."):
        unroll(LI(), LI().init(()), inputs)


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
        (lambda: Sequential([LI(), LI()]), r"part 0 must be a connection or a cell, got \[LI"),
        (lambda: Sequential(LI(), None), r"part 1 must be a connection or a cell, got None"),
        (lambda: Sequential(LI(), LIF), r"part 1 is the class LIF; give an object, LIF\(\.\.\.\)"),
        (
            lambda: Sequential(Dense(INTO, np.zeros(4)), jax.tree_util.Partial(jnp.add, "1")),
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
        Sequential(LI(), Odd()).init((3,))
    assert "It was part 1 of Sequential, PlainCell(cell=" in caught.value.__notes__[0]
