"""`Sequential` is its parts one after the other, a cell itself, and a plain tree of their numbers."""

import copy
import functools
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import surgrad
from surgrad.nn import (
    LI,
    LIF,
    Conv,
    Delay,
    Dense,
    Flatten,
    Function,
    Last,
    Peak,
    Pool,
    Rate,
    Recurrent,
    Sequential,
    unroll,
)

STEPS, BATCH, INPUTS, HIDDEN, CLASSES = 6, 2, 3, 4, 2
RNG = np.random.default_rng(0)
SPIKE = surgrad.Sigmoid(3.0)
X = RNG.normal(size=(STEPS, BATCH, INPUTS)).astype(np.float32)


def weights(*shape):
    return RNG.normal(size=shape).astype(np.float32)


INTO, BACK, OUT = weights(INPUTS, HIDDEN), weights(HIDDEN, HIDDEN), weights(HIDDEN, CLASSES)
FRAMES = (
    Conv(weights(3, 3, 1, 2), weights(2)),
    LIF(SPIKE, 5.0, 0.5),
    Pool((2, 2)),
    Flatten(3),
    Dense(weights(8, 5), weights(5)),
)


def network(scale=1.0):
    into, out = Dense(scale * INTO, np.zeros(HIDDEN, np.float32)), Dense(OUT, np.ones(CLASSES, np.float32))
    return Sequential(into, LIF(SPIKE, 5.0), Delay(1), out, LI(4.0))


class PlainSum:
    """A cell of no base class, which JAX does not see through."""

    def init(self, shape, dtype=None):
        return jnp.zeros(shape, dtype)

    def __call__(self, state, x):
        return state + x, state + x


@jax.tree_util.register_dataclass
class Leak:
    """A cell of no base class that is a tree."""

    def __init__(self, kept):
        self.kept = kept

    init = PlainSum.init

    def __call__(self, state, x):
        return self.kept * state + x, self.kept * state + x


def refuses_seven(x):
    if x.shape[-1] == 7:
        raise ValueError("not seven")
    return x


run = jax.jit(lambda net, x: unroll(net, net.init(x.shape[1:], x.dtype), x))
outputs = jax.jit(lambda net, x: net.outputs(x))
loss = jax.jit(jax.value_and_grad(lambda net, x: jnp.mean(net.outputs(x)[-1] ** 2)))


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


def assert_same(found, expected, rtol=1e-5):
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=1e-6)


class TestEvaluation:
    def test_every_part_has_the_outputs_of_the_one_before_as_its_inputs(self):
        assert_same(outputs(network(), X), tuple(jax.jit(by_hand)(network(), X)))

    def test_running_sums_of_sums_are_those_of_pascals_triangle(self):
        double = Dense(2 * np.eye(2), np.zeros(2))
        first, sums, second, again = outputs(Sequential(double, LI(np.inf), double, LI(np.inf)), np.ones((3, 1, 2)))
        np.testing.assert_array_equal(first[:, 0, 0], [2, 2, 2])
        np.testing.assert_array_equal(sums[:, 0, 0], [2, 4, 6])
        np.testing.assert_array_equal(second[:, 0, 0], [4, 8, 12])
        np.testing.assert_array_equal(again[:, 0, 0], [4, 12, 24])

    def test_a_network_is_a_cell(self):
        net = network()
        state = net.init((BATCH, INPUTS))
        last, y = jax.jit(lambda x: jax.lax.scan(lambda s, now: net(s, now), state, x))(X)
        assert_same(run(net, X), (last, y))
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
        spikes = run(Recurrent(inside, BACK), X @ INTO)[1]
        # A delay of one step inside: what comes back is two steps old.
        cell, state, expected = inside.parts[0], inside.parts[0].init((BATCH, HIDDEN)), [np.zeros((BATCH, HIDDEN))] * 2
        for current in X @ INTO:
            state, fired = cell(state, current + np.float32(expected[-2] @ BACK))
            expected.append(np.asarray(fired))
        assert np.sum(expected) > 3
        np.testing.assert_array_equal(spikes, expected[1:-1])

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
        net = Sequential(jnp.tanh, Dense(INTO, weights(HIDDEN)), surgrad.Sigmoid(2.0), surgrad.sigmoid, Rate())
        assert isinstance(net.parts[0], Function)
        squashed, sums, spikes, same, rates = outputs(net, X)
        np.testing.assert_allclose(squashed, np.tanh(X), rtol=1e-5)
        np.testing.assert_array_equal(spikes, np.asarray(sums) >= 0)
        np.testing.assert_array_equal(same, np.ones_like(same))  # 0 and 1 are both at or above zero
        np.testing.assert_allclose(rates[-1], np.ones_like(rates[-1]))

    @pytest.mark.parametrize(("cell", "leaves"), [(PlainSum(), 2), (Leak(1.0), 3)], ids=["no tree", "a tree"])
    def test_cells_need_no_base_class_and_hide_no_other_parameters(self, cell, leaves):
        net = Sequential(Dense(INTO, np.zeros(HIDDEN, np.float32)), cell)
        assert len(jax.tree.leaves(net)) == leaves
        np.testing.assert_allclose(run(net, X)[1], np.cumsum(X @ INTO, axis=0), rtol=1e-4, atol=1e-5)


class TestShapes:
    def test_states_have_the_shapes_that_the_parts_before_make(self):
        net = Sequential(*FRAMES[:4], FRAMES[4], LIF(SPIKE), Peak())
        states = jax.eval_shape(lambda: net.init((7, 4, 4, 1)))
        assert [s and s[0].shape for s in states[:-1]] == [None, (7, 4, 4, 2), None, None, None, (7, 5)]
        assert states[-1].shape == (7, 5)

    def test_initial_states_compute_nothing_but_themselves(self):
        def refuses_numbers(x):
            assert isinstance(x, jax.core.Tracer)
            return x

        Sequential(refuses_numbers, LI()).init((3,))

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

    @pytest.mark.parametrize(
        ("given", "made"), [(np.bool_, np.float32), (np.int8, np.float32), (np.float16, np.float16)]
    )
    def test_states_are_of_the_type_of_the_inputs_and_of_the_default_where_those_are_whole(self, given, made):
        voltage = jax.eval_shape(network().outputs, jax.ShapeDtypeStruct(X.shape, given))[-1]
        assert voltage.dtype == made

    def test_a_nan_stays_with_its_sample(self):
        x = X.copy()
        x[2, 0, 1] = np.nan
        clean, made = outputs(network(), X), outputs(network(), x)
        currents, spikes, _, _, voltages = made
        assert np.isnan(currents[2, 0]).all()
        assert not spikes[2:, 0].any()  # NaN is not above the threshold, and stays in the voltage
        assert np.isfinite(voltages).all()
        assert_same(tuple(y[:, 1] for y in made), tuple(y[:, 1] for y in clean))


class TestTrees:
    def test_parameters_are_found_by_jax(self):
        paths = [jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_leaves_with_path(network())]
        assert paths[:2] == [".parts[0].weights", ".parts[0].bias"]
        assert len(paths) == 8  # two weights, two biases, alpha, tau, threshold, tau

    def test_a_network_without_numbers_is_a_tree_too(self):
        net = Sequential(Flatten(2), jnp.tanh, Last())
        assert jax.tree.leaves(net) == []
        assert jax.tree.map(lambda leaf: leaf, net) == net

    @pytest.mark.parametrize(
        "copied",
        [
            lambda net: pickle.loads(pickle.dumps(net)),
            copy.deepcopy,
            copy.copy,
            lambda net: net.replace(),
            lambda net: net.replace(parts=net.parts),
            lambda net: net.with_connections(net.connections()),
            lambda net: jax.tree.unflatten(*reversed(jax.tree.flatten(net))),
            lambda net: jax.tree.map(lambda leaf: leaf, jax.tree.map(lambda _: None, net)) and net,
        ],
        ids=["pickle", "deepcopy", "copy", "replace", "parts", "connections", "tree", "none"],
    )
    def test_copies_are_equal_and_need_no_new_program(self, copied):
        net = Sequential(network(), jnp.tanh, Recurrent(LIF(SPIKE), np.eye(CLASSES, dtype=np.float32)), Delay(1))
        twin = copied(net)
        assert twin == net
        assert hash(twin) == hash(net)
        assert jax.tree.structure(twin) == jax.tree.structure(net)

    def test_it_shows_its_parts_in_order(self):
        net = Sequential(Dense(INTO, np.zeros(HIDDEN, np.float32)), LI(4.0), jnp.tanh, Sequential(Last(), Rate()))
        assert repr(net) == (
            "Sequential(Dense(weights=float32[3,4], bias=float32[4]), LI(tau=4.0), Function(function=tanh), "
            "Sequential(Last(), Rate()))"
        )

    def test_other_parts_replace_all(self):
        net = network()
        shorter = net.replace(parts=net.parts[:2])
        assert_same(outputs(shorter, X), outputs(net, X)[:2])

    def test_the_gradient_is_a_network_of_gradients(self):
        net = network()
        _, slopes = loss(net, X)
        assert isinstance(slopes, Sequential)
        assert jax.tree.structure(slopes) == jax.tree.structure(net)
        assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(slopes))
        assert np.abs(slopes.parts[0].weights).max() > 0  # through the surrogate

    def test_a_population_is_its_networks_one_by_one(self):
        nets = [network(scale) for scale in (0.5, 1.0, 2.0)]
        population = jax.tree.map(lambda *leaves: np.stack(leaves), *nets)
        values, slopes = jax.jit(jax.vmap(loss, (0, None)))(population, X)
        assert len({float(value) for value in values}) == 3
        for i, net in enumerate(nets):
            value, slope = loss(net, X)
            np.testing.assert_allclose(values[i], value, rtol=1e-5)
            assert_same(jax.tree.map(lambda leaf, i=i: leaf[i], slopes), slope, rtol=1e-4)

    def test_a_population_is_drawn_by_a_map_over_keys(self):
        make = lambda key: Sequential(Dense.random(key, INPUTS, HIDDEN), LI())
        keys = jax.random.split(jax.random.key(0), 3)
        population = jax.vmap(make)(keys)
        made = jax.vmap(lambda net: net.outputs(X)[-1])(population)
        assert_same(made[1], make(keys[1]).outputs(X)[-1])


class TestConnections:
    def test_they_are_the_parts_without_a_state(self):
        net = network()
        assert net.connections() == (net.parts[0], None, None, net.parts[3], None)
        assert len(jax.tree.leaves(net.connections())) == 4

    def test_those_of_a_network_inside_are_among_them(self):
        net = network()
        nested = Sequential(jnp.tanh, Sequential(*net.parts), Pool((1,)))
        assert nested.connections() == (Function(jnp.tanh), net.connections(), Pool((1,)))

    @pytest.mark.parametrize("wrap", [lambda net: net, Sequential], ids=["flat", "nested"])
    def test_others_take_their_places_and_cells_stay(self, wrap):
        net = wrap(network())
        doubled = net.with_connections(jax.tree.map(lambda leaf: 2 * leaf, net.connections()))
        twice = {id(leaf) for leaf in jax.tree.leaves(net.connections())}
        for before, after in zip(jax.tree.leaves(net), jax.tree.leaves(doubled), strict=True):
            np.testing.assert_array_equal(after, before * (2 if id(before) in twice else 1))
        assert jax.tree.structure(doubled) == jax.tree.structure(net)

    def test_a_gradient_by_them_is_theirs_in_the_whole_gradient(self):
        net = network()
        by_connections = jax.jit(jax.grad(lambda c: jnp.mean(net.with_connections(c).outputs(X)[-1] ** 2)))
        assert_same(by_connections(net.connections()), loss(net, X)[1].connections())


LIF_3 = LIF(SPIKE)


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
            lambda: Sequential(LI(), Recurrent(LIF_3, np.eye(2))).init((3,)),
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
            r"Sequential: the state must be a tuple of 5, one a part, as init\(shape\) makes it, got a tuple of 0",
        ),
        (lambda: network()(np.zeros(5), np.ones(3)), r"Sequential: the state must be a tuple of 5, .* got a ndarray"),
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
