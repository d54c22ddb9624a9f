"""Shapes against patterns, and the kinds of arguments: what fits, and what the messages say of what does not."""

import jax
import numpy as np
import pytest

from surgrad._kinds import require_callable
from surgrad._numbers import require_multiples, require_whole, whole_each
from surgrad._shapes import require_broadcast, require_shapes


@pytest.mark.parametrize(
    ("shape", "pattern"),
    [
        ((), "..."),
        ((3,), "..., 3 features"),
        ((5, 4, 3), "..., 3 features"),
        ((3, 3), "features, features"),
        ((2, 4, 5, 7), "..., height >= 4, width >= 5, channels"),
        ((2, 3), "time, *batch, features"),
        ((2, 3, 4), "2 steps, ..."),
        (None, "features"),
    ],
)
def test_a_shape_that_fits_passes(shape, pattern):
    require_shapes("f", {"x": (shape, pattern)})


@pytest.mark.parametrize(
    ("shape", "pattern"),
    [
        ((), "features"),
        ((2,), "..., 3 features"),
        ((2, 3), "features, features"),
        ((3, 5), "..., height >= 4, width >= 5"),
        ((2,), "time, *batch, features"),
        ((4, 0, 2), "time, *batch >= 1, features"),
        ((3, 2), "2 steps, ..."),
    ],
)
def test_a_shape_that_does_not_fit_is_shown_beside_its_pattern(shape, pattern):
    with pytest.raises(ValueError) as caught:
        require_shapes("f", {"x": (shape, pattern)}, "; do something else")
    shown = pattern if ", " in pattern else f"{pattern},"
    assert str(caught.value) == f"f: x must be ({shown}), got shape {shape}; do something else."


def test_axes_of_one_name_are_equally_long_in_all_arrays():
    given = {"weight": ((2, 3), "inputs, outputs"), "bias": ((2,), "outputs")}
    said = r"weight must be \(inputs, outputs\) and bias \(outputs,\), got shapes \(2, 3\) and \(2,\)\."
    with pytest.raises(ValueError, match=said):
        require_shapes("f", given)
    require_shapes("f", given | {"bias": ((3,), "outputs")})


@pytest.mark.parametrize(("shape", "onto"), [((3,), (2,)), ((1, 3), (3,)), ((0,), (1,))])
def test_what_does_not_broadcast_is_refused(shape, onto):
    with pytest.raises(ValueError, match="does not broadcast to the state of shape"):
        require_broadcast("f", "tau", shape, onto, "the state")


def test_what_takes_other_arguments_is_refused():
    require_callable("f: the cell", lambda state, x: x, "a function", ("a state", "an input"))
    require_callable("f: the cell", max, "a function", ("a state", "an input"))  # has no signature
    with pytest.raises(TypeError, match=r"the cell must take a state and an input, which <lambda> does not \(.*\)\."):
        require_callable("f: the cell", lambda x: x, "a function", ("a state", "an input"))


def test_integers_for_each_axis_are_counted():
    assert whole_each("f", "stride", 2, 1, "3 axes", 3) == (2, 2, 2)
    assert whole_each("f", "stride", np.array([1, 2]), 1, "the axes") == (1, 2)
    with pytest.raises(ValueError, match=r"stride must be an integer, or one for each of 3 axes, got \(1, 2\)"):
        whole_each("f", "stride", (1, 2), 1, "3 axes", 3)
    with pytest.raises(ValueError, match="groups must divide inputs and outputs, got 4, 8, 6"):
        require_multiples("f", "groups", 4, inputs=8, outputs=6)


def test_an_integer_that_is_traced_is_told_to_be_known():
    with pytest.raises(ValueError, match="n must be an integer >= 1 that is known while the program is traced"):
        jax.jit(lambda n: require_whole("f", n=n))(2)
