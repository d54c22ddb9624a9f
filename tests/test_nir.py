"""Networks as graphs of NIR and back, beside the equations of NIR in NumPy."""

import itertools

import jax
import jax.numpy as jnp
import nir
import numpy as np
import pytest

import surgrad
from nir_graphs import DT, channels_first, drawn, run, simulated
from surgrad import nn
from surgrad.adapters.nir import Scale, Threshold, from_nir, to_nir

KEY = jax.random.key(0)
STEPS = 12
OPTIONS = [
    {"scheme": scheme, "unit_resistance": unit}
    for scheme, unit in itertools.product(("exponential", "euler"), (False, True))
]


def currents(shape, seed=0):
    return np.random.default_rng(seed).normal(0.5, 2.0, (STEPS, *shape)).astype(np.float32)


def assert_same_dynamics(net, graph, shape, dt=DT, scheme="exponential"):
    """The network puts out what the equations of the graph say: the same spikes, potentials to rounding."""
    xs = currents(shape)
    found, expected = run(net, xs), simulated(graph, channels_first(xs), dt, scheme)
    np.testing.assert_allclose(channels_first(found), expected, rtol=1e-4, atol=1e-4)
    assert np.any(expected)


class TestRoundTrip:
    @pytest.mark.parametrize(
        "seed", [*range(8), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(8, 60))]
    )
    def test_a_network_comes_back_equal(self, seed, tmp_path):
        net, shape = drawn(seed)
        graph = to_nir(net, shape, dt=float(np.random.default_rng(seed).choice([1e-4, 1e-3, 0.3])), **OPTIONS[seed % 4])
        assert from_nir(graph) == net
        nir.write(tmp_path / "net.nir", graph)
        assert from_nir(tmp_path / "net.nir") == net

    @pytest.mark.parametrize("seed", [1, 3, 6, 10])
    def test_a_graph_has_the_dynamics_of_its_network(self, seed):
        net, shape = drawn(seed)
        options = OPTIONS[seed % 4]
        assert_same_dynamics(net, to_nir(net, shape, dt=DT, **options), shape, scheme=options["scheme"])

    def test_the_package_finds_the_types_of_a_graph_right(self):
        net, shape = drawn(2)
        graph = to_nir(net, shape)
        nir.NIRGraph(graph.nodes, graph.edges).check_types()

    @pytest.mark.parametrize(
        "lossy", [{"reset": "subtract"}, {"refractory": 3}, {"reset": "subtract", "refractory": 1}]
    )
    def test_what_nir_has_no_place_for_is_noted(self, lossy):
        net = nn.Sequential(nn.LIF(**{"reset": "zero"} | lossy))
        assert from_nir(to_nir(net, 3, lossy=True)) == net
        graph = to_nir(net, 3, lossy=True)
        graph.nodes["lif_0"].metadata = {}
        assert from_nir(graph) == nn.Sequential(nn.LIF(reset="zero"))

    def test_networks_inside_come_back_as_their_layers(self):
        inner = nn.Sequential(nn.Delay(1), nn.LeakyIntegrator(3.0))
        net = nn.Sequential(nn.Linear(2, 3, key=KEY), inner)
        graph = to_nir(net, 2)
        assert list(graph.nodes) == ["input", "linear_0", "delay_1_0", "leakyintegrator_1_1", "output"]
        assert from_nir(graph) == nn.Sequential(net[0], *inner)

    def test_one_layer_is_a_network(self):
        cell = nn.LeakyIntegrator(3.0)
        assert from_nir(to_nir(cell, 4)) == nn.Sequential(cell)

    def test_scale_and_threshold_come_back(self):
        net = nn.Sequential(Scale(jnp.array([1.0, 2.0])), Threshold(surgrad.Sigmoid(2.0), jnp.array([0.5, -0.5])))
        assert from_nir(to_nir(net, 2)) == net
        assert_same_dynamics(net, to_nir(net, 2), (2,))
        shifted = nn.Sequential(Scale(jnp.array([1.0, 2.0]), bias=jnp.array([0.5, 0.0])))
        assert_same_dynamics(from_nir(to_nir(shifted, 2)), to_nir(shifted, 2), (2,))

    def test_strides_with_same_padding_come_back_where_both_sides_are_padded_alike(self, tmp_path):
        conv = nn.Conv2d(1, 2, 3, stride=2, padding="SAME", key=KEY)
        graph = to_nir(conv, (5, 7, 1))
        assert graph.nodes["conv2d"].padding == (1, 1)
        nir.write(tmp_path / "net.nir", graph)
        assert from_nir(str(tmp_path / "net.nir")) == nn.Sequential(conv)
        assert_same_dynamics(nn.Sequential(conv), graph, (5, 7, 1))

    def test_the_graph_is_left_as_it_is(self):
        graph = to_nir(nn.Linear(2, 3, key=KEY), 2)
        before = graph.to_dict()
        from_nir(graph)
        assert str(graph.to_dict()) == str(before)

    def test_half_precision_is_written_as_float32(self, tmp_path):
        weight = jnp.array([[1.0, 0.1], [0.3, 2.0]], jnp.bfloat16)
        nir.write(tmp_path / "net.nir", to_nir(nn.Linear.from_arrays(weight, weight[0]), 2))
        back = from_nir(tmp_path / "net.nir")[0]
        assert back.weight.dtype == jnp.float32
        np.testing.assert_array_equal(back.weight, weight.astype(jnp.float32))

    def test_double_precision_is_kept(self, x64):
        tau = jnp.array([3.0, 7.1])
        net = nn.Sequential(nn.LeakyIntegrator(tau))
        back = from_nir(to_nir(net, 2))
        np.testing.assert_allclose(back[0].tau, tau, rtol=1e-15)


class TestSurrogates:
    @pytest.mark.parametrize("name", sorted(surgrad.catalogue()))
    def test_every_surrogate_comes_back(self, name, tmp_path):
        net = nn.Sequential(nn.LIF(surgrad.catalogue()[name](), reset="zero"))
        nir.write(tmp_path / "net.nir", to_nir(net, 2))
        assert from_nir(tmp_path / "net.nir") == net

    def test_combinations_and_arrays_come_back(self):
        sum_of_two = surgrad.Mixture([surgrad.Sigmoid(jnp.array([1.0, 2.0])), surgrad.Arctan(3.0)], weights=[0.5, 0.5])
        net = nn.Sequential(nn.LIF(sum_of_two, reset="zero"))
        assert from_nir(to_nir(net, 2)) == net

    def test_a_function_of_ones_own_travels_by_name(self):
        graph = to_nir(nn.LIF(lambda x: x >= 0, reset="zero"), 2)
        assert "test_nir" in graph.nodes["lif"].metadata["surgrad"]
        with pytest.raises(
            ValueError, match=r"from_nir: node 'lif' \(LIF\): its spike function is not known .* surrogate="
        ):
            from_nir(graph)
        assert from_nir(graph, surrogate=surgrad.Sigmoid(2.0)) == nn.Sequential(
            nn.LIF(surgrad.Sigmoid(2.0), reset="zero")
        )


def lif(n=2, kind=nir.LIF, **parameters):
    """Neurons of NIR with r = 1, a threshold of 0.3 and no v_leak and v_reset, unless they are given."""
    given = {"tau": 5 * DT, "r": 1.0, "v_leak": 0.0, "v_threshold": 0.3, "v_reset": 0.0} | parameters
    return kind(**{name: np.broadcast_to(np.asarray(value, float), (n,)).copy() for name, value in given.items()})


def graph_of(*nodes, shape=(2,)):
    return nir.NIRGraph.from_list(
        nir.Input(np.array(shape)), *nodes, nir.Output(np.array(nodes[-1].output_type["output"]))
    )


class TestGraphsOfOthers:
    """Nodes with parameters that no network of ours writes."""

    @pytest.mark.parametrize("scheme", ["exponential", "euler"])
    @pytest.mark.parametrize(
        "node",
        [
            lif(),
            lif(r=[2.0, 7.0]),
            lif(v_leak=-0.2, v_reset=-0.2),
            lif(v_leak=[0.2, 0.1]),
            lif(v_leak=0.1, v_reset=[-0.5, 0.1], r=3.0),
            nir.IF(np.array([300.0, 500.0]), np.array([0.5, 0.3]), np.array([0.0, -0.1])),
            nir.LI(np.array([3e-3, 9e-3]), np.array([2.0, 1.0]), np.array([0.1, 0.0])),
            nir.I(np.array([300.0, 500.0])),
            nir.CubaLI(*np.array([[3e-3, 4e-3], [9e-3, 5e-3], [2.0, 1.0], [0.1, 0.0]]), w_in=2.0),
            nir.CubaLIF(*np.array([[3e-3, 4e-3], [9e-3, 5e-3], [2.0, 1.0], [0.0, 0.0], [0.1, 0.2]]), w_in=2.0),
        ],
        ids=lambda node: type(node).__name__,
    )
    def test_neurons_have_the_dynamics_of_their_equations(self, node, scheme):
        graph = graph_of(node)
        assert_same_dynamics(from_nir(graph, dt=DT, scheme=scheme), graph, (2,), scheme=scheme)

    def test_exponential_integration_is_the_solution_of_the_equation(self):
        """Against thousand steps of Euler's method in each."""
        graph, xs = graph_of(nir.LI(np.full(2, 3e-3), np.full(2, 2.0), np.zeros(2))), currents((2,))
        fine = simulated(graph, np.repeat(xs, 1000, 0), DT / 1000, "euler")[999::1000]
        np.testing.assert_allclose(run(from_nir(graph, dt=DT), xs), fine, rtol=2e-3, atol=2e-3)

    def test_flattened_features_keep_their_order(self):
        """Parameters of each neuron, delays and matrices after images were flattened are of NIR's order."""
        rng, places = np.random.default_rng(0), 12
        delays = np.tile(rng.integers(0, 3, (2, 1, 1)), (1, 3, 2)) * DT
        graph = graph_of(
            nir.Delay(delays),
            nir.Flatten({"input": np.array([2, 3, 2])}, 0, -1),
            lif(places, r=rng.uniform(1, 9, places)),
            nir.Delay(rng.integers(0, 3, places) * DT),
            nir.Linear(rng.normal(size=(4, places))),
            shape=(2, 3, 2),
        )
        assert_same_dynamics(from_nir(graph, dt=DT), graph, (3, 2, 2))

    def test_recurrence_after_flattening_with_a_bias(self):
        rng, size = np.random.default_rng(0), 4
        inner = nir.NIRGraph(
            {
                "input": nir.Input(np.array([size])),
                "lif": lif(size, r=5.0, v_leak=0.1),
                "w_rec": nir.Affine(rng.normal(size=(size, size)), rng.normal(size=size)),
                "output": nir.Output(np.array([size])),
            },
            [("input", "lif"), ("lif", "w_rec"), ("w_rec", "lif"), ("lif", "output")],
        )
        flatten = nir.Flatten({"input": np.array([2, 2])}, 0, -1)
        nested = nir.NIRGraph(
            {
                "input": nir.Input(np.array([2, 2])),
                "flat": flatten,
                "rnn": inner,
                "output": nir.Output(np.array([size])),
            },
            [("input", "flat"), ("flat", "rnn"), ("rnn", "output")],
            type_check=False,
        )
        net = from_nir(nested, dt=DT)
        xs = currents((2, 2))
        expected = simulated(nested, np.moveaxis(xs, -1, 1))
        found = np.moveaxis(np.reshape(run(net, xs), (STEPS, 2, 2)), -1, 1).reshape(STEPS, size)
        np.testing.assert_array_equal(found, expected)
        assert 0 < expected.mean() < 1

        edges = [("flat", "rnn.lif"), ("rnn.lif", "w"), ("w", "rnn.lif"), ("rnn.lif", "output"), ("input", "flat")]
        nodes = {"rnn.lif": inner.nodes["lif"], "w": inner.nodes["w_rec"], "flat": flatten}
        ends = {"input": nested.nodes["input"], "output": nested.nodes["output"]}
        assert from_nir(nir.NIRGraph(ends | nodes, edges, type_check=False), dt=DT) == net

    def test_parameters_of_one_number_are_for_all_neurons(self):
        """As snnTorch and Norse write them."""
        node = nir.LIF(*map(np.array, (5e-3, 1.0, 0.0, 0.3)))
        graph = nir.NIRGraph(
            {"input": nir.Input(np.array([3])), "lif": node, "output": nir.Output(np.array([3]))},
            [("input", "lif"), ("lif", "output"), ("input", "lif")],
            type_check=False,
        )
        assert from_nir(graph, dt=1e-3)[0].replace(threshold=1.0) == nn.LIF(tau=5.0, reset="zero")

    def test_a_node_that_was_changed_rules_over_its_note(self):
        graph = to_nir(nn.LIF(tau=5.0, threshold=0.5, reset="zero"), 2)
        graph.nodes["lif"].tau = np.array([7e-3, 9e-3])
        graph.nodes["lif"].r = 1 / (1 - np.exp(-1e-3 / graph.nodes["lif"].tau))
        np.testing.assert_allclose(from_nir(graph)[0].tau, [7.0, 9.0], rtol=1e-6)
        assert from_nir(graph)[0].threshold == 0.5

    def test_options_of_the_reader_rule_over_notes(self):
        graph = to_nir(nn.LIF(tau=5.0, reset="zero"), 2, dt=1e-3)
        assert from_nir(graph, reset="subtract")[0].reset == "subtract"
        np.testing.assert_allclose(from_nir(graph, dt=5e-4)[0].tau, 10.0)
        np.testing.assert_allclose(from_nir(graph, scheme="euler")[0].beta, 1 - 1 / 5, rtol=1e-6)

    def test_euler_and_exponential_agree_for_short_time_steps(self):
        graph = graph_of(nir.LI(np.full(2, 1.0), np.ones(2), np.zeros(2)))
        one, other = (from_nir(graph, dt=1e-4, scheme=scheme) for scheme in ("euler", "exponential"))
        np.testing.assert_allclose(one[1].tau, other[1].tau, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("layer", [Scale(jnp.array([1.0, -2.0]), bias=0.5), Scale(2.0), Threshold(threshold=0.3)])
def test_layers_of_the_adapter_keep_the_contract(layer):
    assert surgrad.check(layer, currents((3, 2))).ok
