"""What graphs of NIR and networks get that have no counterpart: an error that names the node or the layer."""

import re
import subprocess
import sys

import h5py
import jax
import jax.numpy as jnp
import nir
import numpy as np
import pytest

import surgrad
from surgrad import nn
from surgrad.adapters.nir import from_nir, to_nir

KEY = jax.random.key(0)


class OwnLIF(nn.LIF):
    """A subclass, which may do something else than its base."""


class TestNetworks:
    @pytest.mark.parametrize(
        ("layer", "shape", "said"),
        [
            (nn.ALIF(), 3, "part 0 (ALIF): NIR has no such neurons; take LIF or CuBaLIF."),
            (nn.LearnableDelay(3, 4, key=KEY), 3, "part 0 (LearnableDelay): round its delays"),
            (nn.BatchNorm(3), 3, "part 0 (BatchNorm): NIR has no normalisation"),
            (nn.AdEx(), 3, "part 0 (AdEx): NIR has no such neurons"),
            (nn.MaxPool2d(2), (4, 4, 1), "part 0 (MaxPool2d): NIR pools along two axes of space, by mean or sum"),
            (nn.AvgPool1d(2), (4, 1), "part 0 (AvgPool1d): NIR pools along two axes"),
            (nn.Conv3d(1, 1, 2, key=KEY), (4, 4, 4, 1), "part 0 (Conv3d): NIR has convolutions along one and two axes"),
            (nn.ConvTranspose2d(1, 1, 2, key=KEY), (4, 4, 1), "part 0 (ConvTranspose2d): NIR has no transposed"),
            (nn.MeanOverTime(), 3, "part 0 (MeanOverTime): NIR has no readout over time: leave it out"),
            (jnp.abs, 3, "part 0 (Lambda): NIR has no node for a function"),
            (OwnLIF(reset="zero"), 3, "part 0 (OwnLIF): NIR has no node for it; there are nodes for AvgPool2d, Conv1d"),
            (nn.Recurrent(nn.ALIF(), 3, key=KEY), 3, "part 0 (Recurrent): NIR has no such neurons"),
            (
                nn.LIF(),
                3,
                "part 0 (LIF): reset='subtract' has no place in NIR, whose neurons are reset to a value; take",
            ),
            (nn.LIF(reset="zero", refractory=2), 3, "part 0 (LIF): refractory=2 has no place in NIR"),
            (nn.LIF(tau=jnp.array([5.0, jnp.inf]), reset="zero"), 2, "tau must be finite for all neurons or for none"),
            (nn.CuBaLIF(tau=np.inf, reset="zero"), 2, "tau must be finite, as NIR's CubaLIF leaks"),
            (nn.Linear(3, 2, key=KEY), (4, 3), "NIR's matrices take one axis of features, got (4, 3); put Flatten"),
            (
                nn.Linear(3, 2, key=KEY),
                4,
                "part 0 (Linear): Linear: the input must be (..., 3 features), got shape (4,)",
            ),
            (nn.Flatten(2), (4, 4, 2), "it must flatten all axes of its input, (4, 4, 2), got axes=2"),
            (
                nn.Conv1d(1, 1, 2, padding=[(1, 0)], key=KEY),
                (4, 1),
                "NIR pads both sides of an axis alike, got padding",
            ),
            (nn.Conv1d(1, 1, 3, stride=2, padding="SAME", key=KEY), (4, 1), "got padding=[(0, 1)]"),
        ],
        ids=lambda value: type(value).__name__ if isinstance(value, nn.Layer) else "",
    )
    def test_a_layer_without_a_node_is_named(self, layer, shape, said):
        with pytest.raises(ValueError, match=re.escape(said)) as error:
            to_nir(nn.Sequential(layer), shape)
        assert str(error.value).startswith("to_nir: part 0 (")

    def test_the_place_of_a_layer_is_told(self):
        inner = nn.Sequential(nn.Delay(1), nn.MaxOverTime())
        with pytest.raises(ValueError, match=r"to_nir: part 1\.1 \(MaxOverTime\)"):
            to_nir(nn.Sequential(nn.Linear(2, 3, key=KEY), inner), 2)
        with pytest.raises(ValueError, match=r"to_nir: LIF: reset"):
            to_nir(nn.LIF(), 2)

    def test_arguments_are_checked(self):
        cell = nn.LeakyIntegrator()
        with pytest.raises(ValueError, match="to_nir: dt, a time step in seconds, must be > 0, got 0"):
            to_nir(cell, 2, dt=0)
        with pytest.raises(ValueError, match="to_nir: scheme must be one of 'exponential', 'euler', got 'exact'"):
            to_nir(cell, 2, scheme="exact")
        with pytest.raises(ValueError, match="to_nir: input_shape must be an integer >= 1, got -1"):
            to_nir(cell, (2, -1))
        with pytest.raises(TypeError, match="to_nir: network must be a connection or a cell, got 3"):
            to_nir(3, 2)
        with pytest.raises(TypeError, match="has no parameter 'timestep'"):
            to_nir(cell, 2, timestep=1e-3)


def lif(n=3, **changed):
    arrays = {
        name: np.full(n, value) for name, value in {"tau": 5e-3, "r": 1.0, "v_leak": 0.0, "v_threshold": 1.0}.items()
    }
    return nir.LIF(**arrays | {name: np.asarray(value) for name, value in changed.items()})


def linear(outputs=3, inputs=3):
    return nir.Linear(np.ones((outputs, inputs)))


def graph(edges, *, shape=(3,), **nodes):
    """A graph of named nodes with an input `in` and an output `out`; an edge is written "a b"."""
    ends = {"in": nir.Input(np.array(shape)), "out": nir.Output(np.array([3]))}
    return nir.NIRGraph(ends | nodes, [tuple(edge.split()) for edge in edges.split(", ")], type_check=False)


class Unknown(nir.ir.NIRNode):
    """A node that no other library has."""

    def __init__(self):
        self.input_type, self.output_type, self.metadata = {"input": None}, {"output": None}, {}


class TestStructure:
    @pytest.mark.parametrize(
        ("given", "said"),
        [
            (graph("in a, a b, b a, b out", a=lif(), b=lif()), "the graph has the cycle 'a' -> 'b' -> 'a'"),
            (graph("in a, a a, a out", a=lif()), "the graph has the cycle 'a' -> 'a'"),
            (graph("in a, a w, w d, d a, a out", a=lif(), w=linear(), d=lif()), "the cycle"),
            (graph("in a, a w, w a, in w, a out", a=lif(), w=linear()), "the graph has the cycle"),
            (graph("in d, d w, w d, d out", d=nir.Delay(np.ones(3)), w=linear()), "the graph has the cycle"),
            (
                graph("in a, in b, a out, b out", a=linear(), b=linear()),
                "node 'in' leads to 'a', 'b'; surgrad reads chains",
            ),
            (graph("in a, b a, a out", a=lif(), b=linear()), "node 'a' adds up the outputs of 'in', 'b'"),
            (
                graph("in a, a out, b c", a=lif(), b=lif(), c=lif()),
                "nodes are not on the way from 'in' to 'out': 'b', 'c'",
            ),
            (graph("in a", a=lif()), "node 'a' leads nowhere"),
            (graph("in a, a b, a out", a=lif()), "the edge 'a' -> 'b' names 'b', which is no node"),
            (
                graph("in a, a out", a=lif(), other=nir.Input(np.array([3]))),
                "must have one Input node, got 'in', 'other'",
            ),
            (nir.NIRGraph({"a": lif()}, [], type_check=False), "must have one Input node, got none"),
            (
                graph("in a, a v, v a, a w, w a, a out", a=lif(), v=linear(), w=linear()),
                "node 'a' leads back to itself through 'v', 'w'",
            ),
        ],
    )
    def test_what_is_not_a_chain_is_refused_by_its_nodes(self, given, said):
        with pytest.raises(ValueError, match=re.escape(said)) as error:
            from_nir(given)
        assert str(error.value).startswith("from_nir: ")

    def test_nodes_of_graphs_inside_are_named_with_them(self):
        inside = graph("in a, a b, b a, b out", a=lif(), b=lif())
        with pytest.raises(ValueError, match=r"cycle 'rnn\.a' -> 'rnn\.b' -> 'rnn\.a'"):
            from_nir(graph("in rnn, rnn out", rnn=inside))


class TestNodes:
    @pytest.mark.parametrize(
        ("node", "said"),
        [
            (Unknown(), "(Unknown): surgrad has no layer for it; it has layers for Affine, AvgPool2d"),
            (linear(3, 4), "(Linear): its input is (4,), and what comes to it (3,)"),
            (nir.Linear(np.ones((2, 3, 3))), "(Linear): its "),
            (linear(5, 3), "node 'out' (Output): its output is (3,), and what comes to it (5,)"),
            (lif(4), "(LIF): its input is (4,), and what comes to it (3,)"),
            (lif(tau=[1e-3, 0.0, 1e-3]), "(LIF): tau must be > 0 s, got 0"),
            (lif(tau=[1e-3, np.nan, 1e-3]), "(LIF): tau must be finite, got nan"),
            (lif(r=[1.0, -1.0, 1.0]), "(LIF): r must be > 0, got r=-1; put the sign into the weights"),
            (lif(v_threshold=[1.0, 0.0, 1.0]), "(LIF): v_threshold must be above v_reset, got 0 and 0 for neuron 1."),
            (
                nir.CubaLIF(*np.full((2, 3), 2e-3), *np.ones((2, 3)), *np.zeros((2, 3)), w_in=np.zeros(3)),
                "(CubaLIF): w_in and r must be > 0, got w_in=0, r=1",
            ),
            (nir.Linear(np.full((3, 3), np.nan)), "(Linear): weight must be finite, got nan"),
            (nir.Affine(np.ones((3, 3)), np.array([0, np.inf, 0])), "(Affine): bias must be finite, got inf"),
            (nir.Scale(np.array([1, np.nan, 1])), "(Scale): scale must be finite, got nan"),
            (nir.Conv1d(3, np.full((1, 3, 2), np.nan), 1, 0, 1, 1, np.zeros(1)), "(Conv1d): weight must be finite"),
            (
                nir.Delay(np.array([0.0, 1e-3, 1.5e-3])),
                "(Delay): its delays must be whole time steps of dt=0.001 s, >= 0",
            ),
            (
                nir.Delay(np.array([0.0, -1e-3, 0.0])),
                "(Delay): its delays must be whole time steps of dt=0.001 s, >= 0",
            ),
            (nir.Conv1d(3, np.ones((1, 1, 2)), 1, 0, 1, 1, np.zeros(1)), "(Conv1d): Conv1d: the input must be"),
            (nir.CubaLIF(*np.full((4, 3), 2e-3), np.ones(3)), "(CubaLIF): v_leak must be v_reset"),
        ],
    )
    def test_a_node_without_a_layer_is_named(self, node, said):
        with pytest.raises(ValueError, match=re.escape(said)) as error:
            from_nir(graph("in a, a out", a=node))
        assert str(error.value).startswith("from_nir: node '")

    def test_pools_and_flatten_of_images(self):
        zeros, two = np.zeros(2, int), np.array([2, 2])
        image = {"shape": (1, 4, 4)}
        with pytest.raises(
            ValueError, match=r"node 'a' \(AvgPool2d\): surgrad pools without padding, got padding=\[2, 2\]"
        ):
            from_nir(graph("in a, a out", a=nir.AvgPool2d(two, two, two), **image))
        with pytest.raises(ValueError, match=r"node 'a' \(SumPool2d\): .*height >= 9"):
            from_nir(graph("in a, a out", a=nir.SumPool2d(two * 9 // 2, two, zeros), **image))
        with pytest.raises(
            ValueError, match=r"node 'a' \(Flatten\): it must flatten all 3 axes .* start_dim=1 and end_dim=-1"
        ):
            from_nir(graph("in a, a out", a=nir.Flatten({"input": np.array([1, 4, 4])}), **image))
        same = nir.Conv2d((4, 4), np.ones((1, 1, 2, 2)), 2, "same", 1, 1, np.zeros(1))
        with pytest.raises(ValueError, match=r"node 'a' \(Conv2d\): padding 'same' has no meaning with a stride"):
            from_nir(graph("in a, a out", a=same, **image))
        uneven = nir.Delay(np.arange(16.0).reshape(1, 4, 4) * 1e-3)
        with pytest.raises(ValueError, match="its delays must be equal at all places of a channel"):
            from_nir(graph("in a, a out", a=uneven, **image))

    def test_weights_of_a_recurrence_are_finite(self):
        with pytest.raises(ValueError, match=r"node 'a' \(LIF\): weight must be finite, got nan"):
            from_nir(graph("in a, a w, w a, a out", a=lif(), w=nir.Linear(np.full((3, 3), np.nan))))

    def test_a_graph_without_a_time_step_is_read_with_a_warning(self):
        given = graph("in a, a out", a=lif())
        said = r"from_nir: the graph does not say .*; dt=0\.001 s and scheme='exponential' are taken, so give dt="
        with pytest.warns(UserWarning, match=said):
            net = from_nir(given)
        assert net == from_nir(given, dt=1e-3)  # which does not warn, nor do graphs without time
        assert from_nir(graph("in a, a out", a=linear()))[0].weight.shape == (3, 3)
        ours = to_nir(nn.LIF(reset="zero"), 3, dt=2e-3)
        assert from_nir(ours) == nn.Sequential(nn.LIF(reset="zero"))

    def test_euler_needs_time_steps_shorter_than_time_constants(self):
        with pytest.raises(
            ValueError, match=r"node 'a' \(LIF\): Euler's decay 1 - dt/tau must be above 0, got tau=0.005 s"
        ):
            from_nir(graph("in a, a out", a=lif()), dt=5e-3, scheme="euler")

    def test_resets_by_subtraction_start_from_zero(self):
        given = graph("in a, a out", a=lif(v_reset=np.full(3, 0.5)))
        with pytest.raises(ValueError, match="v_reset must be 0 where the reset subtracts"):
            from_nir(given, reset="subtract")

    def test_recurrence_must_fit_its_neurons(self):
        edges = "in a, a w, w a, a out"
        with pytest.raises(
            ValueError, match=r"node 'a' \(LIF\): the weight from it back to it must be \(3, 3\), got \(3, 2\)"
        ):
            from_nir(graph(edges, a=lif(), w=linear(3, 2)))
        integrator = nir.LI(np.full(3, 5e-3), np.ones(3), np.zeros(3))
        with pytest.raises(ValueError, match=r"node 'a' \(LI\): surgrad has no recurrence of integrators with a gain"):
            from_nir(graph(edges, a=integrator, w=linear()))

    def test_notes_that_are_none(self):
        for text in ("{", "[1]"):
            node = lif()
            node.metadata = {"surgrad": text}
            with pytest.raises(ValueError, match=r"node 'a' \(LIF\): its metadata 'surgrad' .*; remove it"):
                from_nir(graph("in a, a out", a=node))

    def test_an_input_without_a_shape(self):
        given = graph("in a, a out", a=linear())
        given.nodes["in"].input_type = {"input": None}
        assert from_nir(given)[0].weight.shape == (3, 3)
        given.nodes["a"] = nir.Flatten(None)
        with pytest.raises(ValueError, match=r"from_nir: node 'in' has no shape; give it one, nir.Input"):
            from_nir(given)


class TestArguments:
    @pytest.mark.unchecked("arguments of a wrong type")
    def test_arguments_are_checked(self):
        given = graph("in a, a out", a=lif())
        with pytest.raises(TypeError, match=r"from_nir: graph must be a nir\.NIRGraph or a path, got LIF"):
            from_nir(nn.LIF())
        with pytest.raises(ValueError, match="from_nir: dt, a time step in seconds, must be > 0, got -1"):
            from_nir(given, dt=-1)
        with pytest.raises(ValueError, match="from_nir: scheme must be one of"):
            from_nir(given, scheme="heun")
        with pytest.raises(ValueError, match="from_nir: reset must be one of 'zero', 'subtract', got 'none'"):
            from_nir(given, reset="none")
        with pytest.raises(TypeError, match="from_nir: surrogate is the class Sigmoid; give an object"):
            from_nir(given, surrogate=surgrad.Sigmoid)

    def test_files_that_are_none(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"from_nir: there is no file .*none\.nir"):
            from_nir(tmp_path / "none.nir")
        (tmp_path / "text.nir").write_text("text")
        with pytest.raises(ValueError, match=r"text\.nir cannot be read as a graph of NIR: OSError"):
            from_nir(tmp_path / "text.nir")
        with h5py.File(tmp_path / "other.nir", "w") as file:
            file["data"] = 1
        with pytest.raises(ValueError, match=r"other\.nir cannot be read as a graph of NIR: KeyError"):
            from_nir(tmp_path / "other.nir")

    def test_nodes_of_a_file_that_nobody_knows_are_named(self, tmp_path):
        path = tmp_path / "net.nir"
        nir.write(path, to_nir(nn.Sequential(nn.Recurrent(nn.LIF(reset="zero"), 2, key=KEY)), 2))
        with h5py.File(path, "a") as file:
            node = file["node/nodes/recurrent_0/nodes/lif"]
            del node["type"]
            node["type"] = "Izhikevich"
        said = r"net\.nir has nodes that nir .* does not know: recurrent_0\.lif \(Izhikevich\)"
        with pytest.raises(ValueError, match=said):
            from_nir(path)

    def test_a_truncated_file_is_refused(self, tmp_path):
        path = tmp_path / "net.nir"
        nir.write(path, to_nir(nn.Linear(2, 3, key=KEY), 2))
        path.write_bytes(path.read_bytes()[:-100])
        with pytest.raises(ValueError, match=r"net\.nir cannot be read as a graph of NIR"):
            from_nir(path)

    def test_without_the_package_it_is_named(self):
        code = "import sys; sys.modules['nir'] = None; import surgrad.adapters.nir"
        error = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120).stderr
        assert 'surgrad.adapters.nir needs NIR (the package nir): pip install "surgrad[nir]"' in error
