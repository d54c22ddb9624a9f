"""A network is a plain tree of numbers: copies, gradients, populations, and the connections alone."""

import copy
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from networks import (
    CLASSES,
    HIDDEN,
    INPUTS,
    INTO,
    SPIKE,
    X,
    assert_same,
    loss,
    network,
    outputs,
    refuses_seven,
)
from surgrad.nn import (
    LIF,
    AvgPool1d,
    Delay,
    Flatten,
    Lambda,
    LastStep,
    LeakyIntegrator,
    Linear,
    MeanOverTime,
    Recurrent,
    Sequential,
)


class TestTrees:
    def test_parameters_are_found_by_jax(self):
        paths = [jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_leaves_with_path(network())]
        assert paths[:2] == [".parts[0].weight", ".parts[0].bias"]
        assert len(paths) == 8  # two weights, two biases, alpha, tau, threshold, tau

    def test_a_network_without_numbers_is_a_tree_too(self):
        net = Sequential(Flatten(2), jnp.tanh, LastStep())
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
        ],
        ids=["pickle", "deepcopy", "copy", "replace", "parts", "connections", "tree"],
    )
    def test_copies_are_equal_and_need_no_new_program(self, copied):
        net = Sequential(
            network(), refuses_seven, Recurrent.from_arrays(LIF(SPIKE), np.eye(CLASSES, dtype=np.float32)), Delay(1)
        )
        twin = copied(net)
        assert twin == net
        assert hash(twin) == hash(net)
        assert jax.tree.structure(twin) == jax.tree.structure(net)

    def test_it_shows_its_parts_in_order(self):
        net = Sequential(
            Linear.from_arrays(INTO, np.zeros(HIDDEN, np.float32)),
            LeakyIntegrator(4.0),
            jnp.tanh,
            Sequential(LastStep(), MeanOverTime()),
        )
        assert repr(net) == (
            "Sequential(Linear(weight=float32[3,4], bias=float32[4]), LeakyIntegrator(tau=4.0), "
            "Lambda(function=tanh), Sequential(LastStep(), MeanOverTime()))"
        )

    def test_a_list_of_parts_is_the_parts(self):
        assert Sequential(list(network().parts)) == Sequential(tuple(network().parts)) == network()

    def test_it_prints_as_a_table_of_its_layers(self):
        recurrent = Recurrent(LIF(SPIKE), HIDDEN, key=jax.random.key(0))
        rows = str(Sequential(network(), Sequential(recurrent), jnp.tanh)).splitlines()
        assert rows[0] == "Sequential"
        assert [row.split()[0] for row in rows[3:-2]] == ["0", "0.0", "0.1", "0.2", "0.3", "0.4", "1", "1.0", "2"]
        assert " ".join(rows[4].split()) == "0.0 Linear weight (3, 4), bias (4,) 16"
        assert rows[-1].split() == ["total", str(3 * 4 + 4 + 4 * 2 + 2 + 4 * 4)]

    def test_it_is_a_sequence_of_its_parts(self):
        net = network()
        assert len(net) == 5
        assert (net[0], net[-1]) == (net.parts[0], net.parts[-1])
        assert tuple(net) == net.parts
        assert net[1:3] == Sequential(*net.parts[1:3])
        assert_same(outputs(net[:2], X), outputs(net, X)[:2])

    def test_one_number_is_the_length_of_the_only_axis(self):
        for net in (
            network(),
            Sequential(Delay((0, 1, 2))),
            Recurrent.from_arrays(LIF(SPIKE), np.eye(3)),
            Sequential(MeanOverTime(), LastStep()),
        ):
            assert_same(net.init(3), net.init((3,)))

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
        assert np.abs(slopes.parts[0].weight).max() > 0  # through the surrogate

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
        make = lambda key: Sequential(Linear(INPUTS, HIDDEN, key=key), LeakyIntegrator())
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
        nested = Sequential(jnp.tanh, Sequential(*net.parts), AvgPool1d(1))
        assert nested.connections() == (Lambda(jnp.tanh), net.connections(), AvgPool1d(1))

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


def test_recurrent_weights_are_connections():
    recurrent = Recurrent.from_arrays(LIF(SPIKE), np.eye(3, dtype=np.float32))
    net = Sequential(LeakyIntegrator(), recurrent)
    np.testing.assert_array_equal(net.connections()[1], np.eye(3))
    doubled = net.with_connections(jax.tree.map(lambda w: 2 * w, net.connections()))
    np.testing.assert_array_equal(doubled.parts[1].weight, 2 * np.eye(3))
    assert doubled.parts[1].cell == recurrent.cell
