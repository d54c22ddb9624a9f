"""Graphs of NIR from and for other libraries: their spikes and ours, with a table of both for the site.

A row says who writes, what, with which options it is converted, and what becomes of the spikes; its check asserts that.
"""

import re
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from surgrad import nn

pytest.importorskip("nir")
from surgrad.adapters.nir import from_nir, to_nir

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "nir.md"
STEPS, BATCH, DT = 30, 3, 1e-3
KEY = jax.random.key(0)
pytestmark = pytest.mark.filterwarnings("ignore")


class Row(NamedTuple):
    peer: str
    what: str
    how: str
    spikes: str
    checks: tuple  # of functions without arguments


def currents(*shape):
    return np.random.default_rng(0).normal(1.0, 3.0, (STEPS, BATCH, *shape)).astype(np.float32)


def ours(net, xs):
    return np.asarray(nn.unroll(net, jnp.asarray(xs)).outputs)


def channels_last(xs):
    return np.moveaxis(xs, 2, -1) if xs.ndim > 3 else xs


def first_spikes(spikes):
    """Time step of the first spike of each neuron; the number of time steps where there is none."""
    return np.where((spikes > 0).any(0), (spikes > 0).argmax(0), len(spikes))


def same(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    assert np.any(found != 0)


def later(found, expected):
    """Theirs are found ours, one time step later."""
    same(found[:-1], expected[1:])


def until_the_first(found, expected, lag=0):
    """The first spikes are the same, and not all that follow."""
    n = len(found) - lag
    np.testing.assert_array_equal(first_spikes(found[:n]), first_spikes(expected[lag:]))
    assert np.any(found[:n] != expected[lag:])


def later_until_the_first(found, expected):
    until_the_first(found, expected, lag=1)


def reads(make, xs=None, judge=same, fix=lambda node: None, **options):
    """A check that a graph of theirs has, as a network of ours, outputs as theirs."""

    def check():
        inputs = currents(4) if xs is None else xs
        graph, expected = make(inputs)
        for node in graph.nodes.values():
            fix(node)
        judge(ours(from_nir(graph, **options), channels_last(inputs)), expected)

    return check


def writes(net, run, shape=(4,), judge=same, **options):
    """A check that a network of ours has, in their hands, outputs as in ours."""

    def check():
        xs = currents(*shape)
        theirs = run(to_nir(net(), shape, **options), np.moveaxis(xs, -1, 2) if len(shape) > 1 else xs)
        judge(ours(net(), xs), theirs)

    return check


def refused(action, error, said):
    def check():
        with pytest.raises(error, match=said):
            action()

    return check


def torch_linear(inputs=4, outputs=5):
    import torch

    torch.manual_seed(1)
    return torch.nn.Linear(inputs, outputs)


def torch_run(module, xs, stateful=False):
    """Outputs of a module of PyTorch that keeps its state, or takes and returns it."""
    import torch

    outputs, state = [], None
    with torch.no_grad():
        for x in xs:
            x = torch.as_tensor(np.ascontiguousarray(x))
            y = module(x, state) if stateful else module(x)
            state = y[1] if isinstance(y, tuple) else None
            outputs.append((y[0] if isinstance(y, tuple) else y).numpy())
    return np.stack(outputs)


# What other libraries write.


def snntorch(kind, conv=False, **options):
    def make(xs):
        import snntorch
        import torch
        from snntorch.export_nir import export_to_nir

        def cell(*shape):
            decays = {"beta": torch.full(shape, 0.9)} | (
                {"alpha": torch.full(shape, 0.8)} if kind == "Synaptic" else {}
            )
            decays |= {"linear_features": 5} if kind == "RLeaky" else {"threshold": torch.ones(shape)}
            given = {"reset_mechanism": "zero", "reset_delay": False, "init_hidden": True} | options
            return getattr(snntorch, kind)(**decays, **given, output=shape == (5,))

        torch.manual_seed(2)
        front = [torch.nn.Conv2d(1, 2, 3), cell(2, 4, 4), torch.nn.AvgPool2d(2), torch.nn.Flatten()] if conv else []
        net = torch.nn.Sequential(*front, torch_linear(8 if conv else 4), cell(5))
        graph = export_to_nir(net, torch.as_tensor(xs[0]), ignore_dims=[0])
        for module in net.modules():
            if module is not net and hasattr(module, "reset_mem"):
                module.reset_mem()
        return graph, torch_run(net, xs)

    return make


def norse(kind, **parameters):
    def make(xs):
        import norse.torch
        import torch

        full = {name: torch.full((5,), value) for name, value in parameters.items()}
        cell = getattr(norse.torch, f"{kind}Cell")(getattr(norse.torch, f"{kind}Parameters")(**full), dt=DT)
        net = norse.torch.SequentialState(torch_linear(), cell)
        return norse.torch.to_nir(net, torch.as_tensor(xs[0, 0]), dt=1), torch_run(net, xs, stateful=True)

    return make


def spikingjelly(kind, conv=False, **options):
    def make(xs):
        import torch
        from spikingjelly.activation_based import functional, layer, neuron
        from spikingjelly.activation_based.nir_exchange import export_to_nir

        cell = lambda: getattr(neuron, kind)(**options)
        torch.manual_seed(3)
        front = [layer.Conv2d(1, 2, 3), cell(), layer.AvgPool2d(2), layer.Flatten()] if conv else []
        net = torch.nn.Sequential(*front, torch_linear(8 if conv else 4), cell())
        graph = export_to_nir(net, torch.as_tensor(xs[0]), dt=DT)
        functional.reset_net(net)
        return graph, torch_run(net, xs)

    return make


def spyx(kind, **options):
    def make(xs):
        import spyx.nir
        from flax import nnx

        rngs = nnx.Rngs(0)
        random = {} if kind == "IF" else {"rngs": rngs}
        net = spyx.nn.Sequential(nnx.Linear(4, 5, rngs=rngs), getattr(spyx.nn, kind)((5,), **options, **random))
        graph = spyx.nir.to_nir(net, {"input": np.array([4])}, {"output": np.array([5])}, dt=DT)
        return graph, np.asarray(spyx.nn.run(net, jnp.asarray(xs))[0])

    return make


def jaxpike(*cells, conv=False):
    def make(xs):
        import jaxpike
        import jaxpike.nir

        made = [getattr(jaxpike, kind)(5.0, **options) for kind, options in cells]
        front = [jaxpike.Conv2d(1, 2, (3, 3), key=KEY, padding="VALID"), made[0]] if conv else []
        front += [jaxpike.Pool2d((2, 2), mode="avg"), jaxpike.Flatten()] if conv else []
        net = jaxpike.Sequential(*front, jaxpike.Dense(8 if conv else 4, 5, key=KEY), made[-1])
        inputs = jnp.asarray(channels_last(xs))
        state, outputs = net.init_state(inputs.shape[1:]), []
        for x in inputs:
            state, y = net(state, x)
            outputs.append(np.asarray(y))
        return jaxpike.nir.to_nir(net, inputs.shape[1:]), np.stack(outputs)

    return make


def sinabs(kind, tau=True, **options):
    def make(xs):
        import sinabs.activation
        import sinabs.layers
        import sinabs.nir
        import torch

        spiking = kind != "ExpLeakSqueeze"
        given = {"spike_threshold": torch.full((5,), 0.5), "spike_fn": sinabs.activation.SingleSpike} if spiking else {}
        given |= {"tau_mem": torch.full((5,), 8.0)} if tau else {}
        reset = {"reset_fn": sinabs.activation.MembraneReset()} if options.pop("zero", spiking) else {}
        cell = getattr(sinabs.layers, kind)(batch_size=BATCH, **given, **reset, **options)
        net = torch.nn.Sequential(torch_linear(), cell)
        flat = torch.as_tensor(np.ascontiguousarray(xs.swapaxes(0, 1)).reshape(BATCH * STEPS, -1))
        with torch.no_grad():
            outputs = net(flat).numpy().reshape(BATCH, STEPS, 5).swapaxes(0, 1)
        return sinabs.nir.to_nir(net, flat), outputs

    return make


def full_input(dt, exponential=False):
    """Set resistances to what adds the input as it is."""

    def fix(node):
        for name, tau in (("r", "tau"), ("r", "tau_mem"), ("w_in", "tau_syn")):
            if hasattr(node, tau):
                value = np.asarray(getattr(node, tau))
                setattr(node, name, 1 / -np.expm1(-dt / value) if exponential else value / dt)
        if type(node).__name__ == "IF":
            node.r = np.ones_like(node.r) / dt

    return fix


def full_synapse(node):
    if hasattr(node, "tau_syn"):
        node.w_in = np.asarray(node.tau_syn) / DT


def refused_spyx():
    from_nir(spyx("RLIF", beta=0.8)(currents(4))[0])


IMAGE = np.random.default_rng(0).normal(1.0, 3.0, (STEPS, BATCH, 1, 6, 6)).astype(np.float32)
EULER = {"dt": DT, "scheme": "euler"}
FAST = {**EULER, "dt": 1e-4}
THETA = {"v_threshold": 0.5}

READ = [
    Row(
        "snnTorch 1.0",
        "`Leaky` with `reset_mechanism='zero'`; `Synaptic`, `RLeaky` and networks of convolutions, with `reset_delay=False`",
        "`dt=1e-4, scheme='euler'`",
        "the same",
        (
            reads(snntorch("Leaky"), **FAST),
            reads(snntorch("Leaky", reset_delay=True), **FAST),
            reads(snntorch("Synaptic"), **FAST),
            reads(snntorch("RLeaky"), **FAST),
            reads(snntorch("Leaky", conv=True), IMAGE, **FAST),
        ),
    ),
    Row(
        "snnTorch 1.0",
        "`Leaky` with `reset_delay=False`",
        "the same with `reset='subtract'`",
        "the same as long as no membrane potential reaches twice its threshold",
        (reads(snntorch("Leaky", reset_mechanism="subtract"), 0.3 * currents(4), reset="subtract", **FAST),),
    ),
    Row(
        "snnTorch 1.0",
        "`Leaky()`, which resets by subtraction and a step later, after the leak",
        "the same with `reset='subtract'`",
        "the same up to the first of each neuron",
        (
            reads(
                snntorch("Leaky", reset_mechanism="subtract", reset_delay=True),
                judge=until_the_first,
                reset="subtract",
                **FAST,
            ),
        ),
    ),
    Row(
        "Norse 1.1",
        "`LIFBoxCell` and `LIBoxCell`, written by `to_nir(..., dt=1)`, of a sample without a batch",
        "`dt=1e-3, scheme='euler'`",
        "the same",
        (
            reads(norse("LIFBox", tau_mem_inv=100.0, v_th=0.3, v_leak=0.0), **EULER),
            reads(norse("LIBox", tau_mem_inv=100.0, v_leak=0.0), **EULER),
        ),
    ),
    Row("Norse 1.1", "`IAFCell`", "`dt=1`", "the same", (reads(norse("IAF", v_th=0.3), dt=1.0),)),
    Row(
        "Norse 1.1",
        "`LIFCell`, whose synaptic current takes up an input as it is",
        "`dt=1e-3, scheme='euler'`, after `node.w_in = node.tau_syn / dt`",
        "the same",
        (
            reads(
                norse("LIF", tau_mem_inv=100.0, tau_syn_inv=200.0, v_th=0.3, v_leak=0.0),
                fix=full_synapse,
                **EULER,
            ),
        ),
    ),
    Row(
        "SpikingJelly 2.0",
        "`IFNode`, `LIFNode`, `ParametricLIFNode`, `CUBALIFNode`, networks of convolutions",
        "`scheme='euler'`, and `dt` as written, 1e-4 by default there",
        "the same",
        (
            reads(spikingjelly("IFNode"), **EULER),
            reads(spikingjelly("LIFNode", tau=5.0, **THETA), **EULER),
            reads(spikingjelly("LIFNode", tau=5.0, decay_input=False, v_reset=-0.2), **EULER),
            reads(spikingjelly("ParametricLIFNode", init_tau=5.0, **THETA), **EULER),
            reads(spikingjelly("CUBALIFNode", c_decay=0.8, v_decay=0.9, v_reset=0.0), **EULER),
            reads(spikingjelly("LIFNode", conv=True, tau=5.0, v_threshold=0.2), IMAGE, **EULER),
        ),
    ),
    Row(
        "Spyx 1.0",
        "`IF` and `CuBaLIF`, which put out spikes a step later",
        "`dt=1e-3, scheme='euler', reset='subtract'`, after `node.r = node.tau_mem / dt` and "
        "`node.w_in = node.tau_syn / dt`, of `IF` `node.r = node.r / dt`",
        "the same, a step later",
        tuple(
            reads(spyx(kind, **decays), judge=later, fix=full_input(DT), reset="subtract", **EULER)
            for kind, decays in (("IF", {}), ("CuBaLIF", {"alpha": 0.6, "beta": 0.8}))
        ),
    ),
    Row(
        "Spyx 1.0",
        "`PSU_LIF`",
        "`dt=1e-3, scheme='euler'`, after `node.r = node.tau / dt`",
        "the same",
        (reads(spyx("PSU_LIF", beta=0.8), fix=full_input(DT), **EULER),),
    ),
    Row(
        "Spyx 1.0",
        "`LIF`, which subtracts the threshold after the leak",
        "`dt=1e-3, scheme='euler', reset='subtract'`, after `node.r = node.tau / dt`",
        "the same, a step later, up to the first of each neuron",
        (reads(spyx("LIF", beta=0.8), judge=later_until_the_first, fix=full_input(DT), reset="subtract", **EULER),),
    ),
    Row(
        "Spyx 1.0",
        "`RLIF`, whose input is written as one of the recurrent weights",
        "",
        "refused, with the names of the nodes",
        (refused(refused_spyx, ValueError, r"cycle 'layer_1\.layer_1\."),),
    ),
    Row(
        "jaxpike 0.1",
        "`LIF` with `reset='zero'`, `LinearLIF`, `LeakyIntegrator`, networks of convolutions",
        "`dt=1e-3`",
        "the same",
        (
            reads(jaxpike(("LIF", {"threshold": 0.3, "reset": "zero"})), dt=DT),
            reads(jaxpike(("LinearLIF", {"threshold": 0.3})), dt=DT),
            reads(jaxpike(("LeakyIntegrator", {})), dt=DT),
            reads(jaxpike(("LIF", {"threshold": 0.1, "reset": "zero"}), conv=True), IMAGE, dt=DT),
        ),
    ),
    Row(
        "sinabs 3.1",
        "`LIF`, `IAF` with `spike_fn=SingleSpike`, `ExpLeak`",
        "`dt=1`, and `reset='subtract'` where theirs is; after `node.r = 1 / (1 - exp(-1 / tau))` of `norm_input=False`",
        "the same",
        (
            reads(sinabs("LIFSqueeze"), dt=1.0),
            reads(sinabs("LIFSqueeze", zero=False), dt=1.0, reset="subtract"),
            reads(sinabs("LIFSqueeze", norm_input=False), dt=1.0, fix=full_input(1.0, exponential=True)),
            reads(sinabs("ExpLeakSqueeze", norm_input=True), dt=1.0),
            reads(sinabs("IAFSqueeze", tau=False), dt=1.0),
        ),
    ),
]

# What they read.


def chain(*cells, outputs=5):
    return lambda: nn.Sequential(nn.Linear(4, outputs, key=KEY, gain=2.0), *(cell() for cell in cells))


def convolutional(pool):
    linear = lambda: nn.Linear(8, 5, key=KEY, gain=2.0)
    conv = lambda: nn.Conv2d(1, 2, 3, key=KEY, gain=2.0)
    return lambda: nn.Sequential(conv(), cell(), pool(2), nn.Flatten(3), linear(), cell())


def cell():
    return nn.LIF(beta=0.9, reset="zero")


def endless():
    return nn.LIF(tau=np.inf, reset="zero")


def current_based():
    return nn.CuBaLIF(tau=9.0, reset="zero")


def recurrent():
    return nn.Recurrent(cell(), 5, key=KEY)


def in_snntorch(graph, xs):
    from snntorch.import_nir import import_from_nir

    return torch_run(import_from_nir(graph), xs, stateful=True)


def in_norse(graph, xs):
    import norse.torch

    return torch_run(norse.torch.from_nir(graph, dt=DT), xs, stateful=True)


def one_by_one(run):
    """A reader whose Flatten takes the axis of the batch too, so that it gets one sample after the other."""
    return lambda graph, xs: np.stack([run(graph, xs[:, sample]) for sample in range(BATCH)], 1)


def in_spikingjelly(graph, xs):
    from spikingjelly.activation_based.nir_exchange import import_from_nir

    return torch_run(import_from_nir(graph, dt=DT), xs, stateful=True)


def in_spyx(graph, xs):
    import spyx.nir

    return np.asarray(spyx.nir.from_nir(graph, jnp.asarray(channels_last(xs)), dt=DT)[1])


def in_jaxpike(graph, xs):
    import jaxpike.nir

    net, outputs = jaxpike.nir.from_nir(graph), []
    xs = channels_last(xs)
    state = net.init_state(xs.shape[1:])
    for x in xs:
        state, y = net(state, jnp.asarray(x))
        outputs.append(np.asarray(y))
    return np.stack(outputs)


def in_sinabs(graph, xs):
    import sinabs.nir
    import torch

    flat = torch.as_tensor(np.ascontiguousarray(xs.swapaxes(0, 1)).reshape(BATCH * STEPS, -1))
    with torch.no_grad():
        y = sinabs.nir.from_nir(graph, batch_size=BATCH)(flat)
    return (y[0] if isinstance(y, tuple) else y).numpy().reshape(BATCH, STEPS, -1).swapaxes(0, 1)


def unread(run, error, said, *cells, **options):
    """A check that they refuse a node."""
    return refused(lambda: run(to_nir(chain(*cells)(), 4, **options), currents(4)), error, said)


UNIT = {"unit_resistance": True}
CONVOLUTIONAL = convolutional(nn.AvgPool2d)

WRITE = [
    Row(
        "snnTorch 1.0",
        "`LIF`, `CuBaLIF`, `Recurrent`, networks of convolutions (without a batch)",
        "`dt=1e-4, scheme='euler'`",
        "the same",
        (
            *(writes(chain(one), in_snntorch, **FAST) for one in (cell, current_based, recurrent)),
            writes(CONVOLUTIONAL, one_by_one(in_snntorch), (6, 6, 1), **FAST),
        ),
    ),
    Row(
        "snnTorch 1.0",
        "`LeakyIntegrator`, `Delay`",
        "",
        "refused there",
        tuple(
            unread(in_snntorch, ValueError, "Unknown node type", one, **FAST)
            for one in (nn.LeakyIntegrator, lambda: nn.Delay(1))
        ),
    ),
    Row(
        "Norse 1.1",
        "`LIF`, `Recurrent`",
        "`scheme='euler', unit_resistance=True`, as it ignores resistances of LIF",
        "the same",
        tuple(writes(chain(one), in_norse, **EULER, **UNIT) for one in (cell, recurrent)),
    ),
    Row(
        "Norse 1.1",
        "`LIF(tau=inf)`, `CuBaLIF`",
        "`scheme='euler'`",
        "the same",
        tuple(writes(chain(one), in_norse, **EULER) for one in (endless, current_based)),
    ),
    Row(
        "SpikingJelly 2.0",
        "`LIF`, `CuBaLIF`, `Recurrent`, networks of convolutions",
        "`scheme='euler'`, and the same `dt` there",
        "the same",
        (
            *(writes(chain(one), in_spikingjelly, **EULER) for one in (cell, endless, current_based, recurrent)),
            writes(CONVOLUTIONAL, in_spikingjelly, (6, 6, 1), **EULER),
        ),
    ),
    Row(
        "SpikingJelly 2.0",
        "`LeakyIntegrator`, `Delay`",
        "",
        "refused there",
        tuple(
            unread(in_spikingjelly, ValueError, "Unknown node type", one, **EULER)
            for one in (nn.LeakyIntegrator, lambda: nn.Delay(1))
        ),
    ),
    Row(
        "Spyx 1.0",
        "`LIF`, `CuBaLIF`, `Recurrent`",
        "`scheme='euler'`, and the same `dt` there; it resets by subtraction",
        "the same, a step later, up to the first of each neuron",
        tuple(
            writes(chain(one), in_spyx, judge=later_until_the_first, **EULER) for one in (cell, endless, current_based)
        ),
    ),
    Row(
        "jaxpike 0.1",
        "`LIF`, networks of convolutions with mean pools",
        "`unit_resistance=True`",
        "the same",
        (
            writes(chain(cell), in_jaxpike, **UNIT),
            writes(CONVOLUTIONAL, in_jaxpike, (6, 6, 1), **UNIT),
        ),
    ),
    Row(
        "jaxpike 0.1",
        "`LIF(tau=inf)`, `CuBaLIF`, `Recurrent`, `Delay`, `LeakyIntegrator`",
        "",
        "refused there",
        tuple(
            unread(in_jaxpike, Exception, "no jaxpike equivalent|resistance r != 1", one, **UNIT)
            for one in (endless, current_based, recurrent, lambda: nn.Delay(1), nn.LeakyIntegrator)
        ),
    ),
    Row(
        "sinabs 3.1",
        "`LIF`",
        "`dt=1`; it resets by subtraction, and puts out several spikes at once",
        "the same up to the first of each neuron",
        (writes(chain(cell), in_sinabs, judge=until_the_first, dt=1.0),),
    ),
]
PACKAGES = {"snnTorch": "snntorch", "Norse": "norse", "SpikingJelly": "spikingjelly", "Spyx": "spyx"}


def checks():
    for direction, rows in (("read", READ), ("write", WRITE)):
        for place, row in enumerate(rows):
            for i, check in enumerate(row.checks):
                yield pytest.param(row.peer.split()[0], check, id=f"{direction}-{row.peer.split()[0]}-{place}-{i}")


@pytest.mark.parametrize(("peer", "check"), list(checks()))
def test_spikes_are_as_the_table_says(peer, check):
    pytest.importorskip(PACKAGES.get(peer, peer))
    check()


def table(head, rows):
    lines = [f"| {head} | layers | options | spikes |", "|-|-|-|-|"]
    return "\n".join([*lines, *(f"| {row.peer} | {row.what} | {row.how} | {row.spikes} |" for row in rows)])


@pytest.mark.parametrize(("head", "rows"), [("written by", READ), ("read by", WRITE)])
def test_the_page_has_the_table(head, rows):
    tables = re.findall(rf"^\| {head} \|.*(?:\n\|.*)+", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert tables == [table(head, rows)]
