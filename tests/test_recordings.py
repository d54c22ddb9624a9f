"""`unroll(..., record=...)`: values of layers by name, at every k-th step, on every path; and summaries of them."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import surgrad
from ledger import agrees
from surgrad import nn

TIME, BATCH = 13, 3
KEYS = jax.random.split(jax.random.key(0), 3)
SPIKE = surgrad.Sigmoid(2.0)
XS = jnp.asarray(np.random.default_rng(0).normal(0.3, 1.5, (TIME, BATCH, 4)), jnp.float32)
NET = nn.Sequential(
    nn.Linear(4, 5, key=KEYS[0], gain=2.0),
    nn.CuBaLIF(SPIKE, tau_syn=2.0),
    nn.Sequential(nn.Recurrent(nn.ALIF(SPIKE, reset="zero", refractory=1), 5, key=KEYS[1])),
)
ASKED = {"1.v": 1, "1.current": 3, "2.0.cell.adaptation": 2, "*.spikes": 5}


class Own(nn.Cell):
    """A user's own cell that says what can be recorded."""

    def init(self, shape, dtype=None):
        return {"calcium": jnp.zeros(shape)}

    def __call__(self, state, x):
        calcium = 0.5 * state["calcium"] + x
        return {"calcium": calcium}, jnp.tanh(calcium)

    def observables(self, before, x, after, output):
        return {"calcium": after["calcium"], "change": after["calcium"] - before["calcium"]}


def close(found, expected, atol=2e-5):
    for ours, theirs in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=atol)


def by_hand(net, xs):
    """What a loop in Python over the steps of the layers has seen."""
    state, seen = net.init(xs.shape[1:]), []
    step = jax.jit(net)
    for x in xs:
        state, output = step(state, x)
        recurrent = state[2][0]
        seen.append(
            {
                "1.v": state[1].v,
                "1.current": state[1].current,
                "2.0.cell.adaptation": recurrent.cell.adaptation,
                "2.0.spikes": output,
            }
        )
    return {name: np.stack([one[name] for one in seen]) for name in seen[0]}


HAND = by_hand(NET, XS)
PLAIN = nn.unroll(NET, XS)
PATHS = [
    {},
    {"chunk_size": 4},
    {"checkpoint_every": 4},
    {"keep": "last"},
    {"backend": "pallas", "chunk_size": 7},
    {"lengths": np.full(BATCH, TIME)},
]


@pytest.mark.parametrize("options", PATHS, ids=str)
def test_records_are_what_a_loop_by_hand_has_seen_and_change_nothing(options):
    found = nn.unroll(NET, XS, record=ASKED, **options)
    close(found.outputs, PLAIN.outputs[-1] if "keep" in options else PLAIN.outputs)
    close(found.state, PLAIN.state)
    assert list(found.records) == [
        "1.v",
        "1.current",
        "2.0.cell.adaptation",
        "1.spikes",
        "2.0.cell.spikes",
        "2.0.spikes",
    ]
    for name, every in {**ASKED, "2.0.spikes": 5}.items():
        if name in HAND:
            close(found.records[name], HAND[name][::every])
    np.testing.assert_array_equal(found.records["2.0.cell.spikes"], found.records["2.0.spikes"])


@pytest.mark.parametrize("reset", ["subtract", "zero"])
@pytest.mark.parametrize("refractory", [0, 2])
def test_the_membrane_potential_before_the_reset_is_the_leak_and_the_input(x64, reset, refractory):
    cell = nn.LIF(tau=4.0, reset=reset, refractory=refractory)
    xs = np.random.default_rng(1).uniform(0, 0.8, (40, 2))
    records = nn.unroll(cell, xs, record=["v", "v_before_reset", "spikes"]).records
    v, left, beta = np.zeros(2), np.zeros(2), np.exp(-1 / 4.0)
    for t, x in enumerate(xs):
        before = np.where(left == 0, beta * v + x, v)
        spikes = (before >= 1) & (left == 0)
        v = before - spikes * (1.0 if reset == "subtract" else before)
        left = np.where(spikes, refractory, np.maximum(left - 1, 0))
        np.testing.assert_allclose(records["v_before_reset"][t], before, atol=1e-12)
        np.testing.assert_allclose(records["v"][t], v, atol=1e-12)
        np.testing.assert_array_equal(records["spikes"][t], spikes)
    assert records["spikes"].sum() > 5


@pytest.mark.parametrize(("cell", "drive", "peak"), [(nn.AdEx(), 900.0, "v_reset"), (nn.Izhikevich(), 20.0, "c")])
def test_biophysical_cells_spike_where_the_voltage_before_the_reset_is_at_the_peak(cell, drive, peak):
    records = nn.unroll(cell, jnp.full((1500, 1), drive), record="*").records
    spikes = records["spikes"] == 1
    assert spikes.sum() > 2
    np.testing.assert_array_equal(spikes, records["v_before_reset"] >= cell.v_peak)
    np.testing.assert_allclose(records["v"][spikes], getattr(cell, peak), rtol=1e-6)
    np.testing.assert_allclose(records["v"][~spikes], records["v_before_reset"][~spikes], rtol=1e-6)
    assert {"recovery", "state", "inputs", "outputs"} < set(records)


class Silent(nn.LIF):
    """LIF with the promises repeated, but for what can be recorded."""

    spiking = elementwise = linear_response = True


def test_without_a_record_the_program_is_that_of_a_network_of_which_nothing_can_be_recorded():
    def program(cell, **options):
        net = nn.Sequential(nn.Linear(4, 5, key=KEYS[0]), cell)
        return str(jax.make_jaxpr(lambda xs: tuple(nn.unroll(net, xs, **options)))(XS))

    plain = program(nn.LIF())
    assert plain == program(Silent()) == program(nn.LIF(), record=None)
    at_once = program(nn.LIF(), chunk_size=TIME)
    assert at_once.count("scan[") == program(nn.LIF(), chunk_size=TIME, record="spikes").count("scan[") == 1


def test_only_what_is_recorded_takes_memory():
    cell, xs = nn.LIF(), jax.ShapeDtypeStruct((4000, 8, 16), jnp.float32)

    def memory(**options):
        compiled = jax.jit(lambda xs: nn.unroll(cell, xs, keep="last", **options)).lower(xs).compile()
        sizes = compiled.memory_analysis()
        return sizes.temp_size_in_bytes + sizes.output_size_in_bytes

    step, plain = 8 * 16 * 4, memory()
    assert memory(record={"v": 100}) - plain < 4 * (4000 // 100) * step
    assert memory(record=nn.Record("v", summary=nn.MeanOverTime())) - plain < 40 * step


@pytest.mark.parametrize("options", [{"chunk_size": 4}, {"checkpoint_every": 2}], ids=str)
def test_gradients_through_records_are_those_of_a_scan(x64, options):
    net, xs = nn.Sequential(*NET.parts[:2]), XS.astype(float)[:7]

    def through_records(weights):
        records = nn.unroll(net.with_connections(weights), xs, record={"v": 3, "current": 1}, **options).records
        return (records["1.v"] ** 2).sum() + records["1.current"].sum()

    def by_scan(weights):
        cell = net.with_connections(weights)
        _, states = jax.lax.scan(lambda state, x: (cell(state, x)[0],) * 2, cell.init(xs.shape[1:]), xs)
        return (states[1].v[::3] ** 2).sum() + states[1].current.sum()

    weights = jax.tree.map(lambda leaf: leaf.astype(float), net.connections())
    close(*(jax.jit(jax.value_and_grad(f))(weights) for f in (through_records, by_scan)), atol=1e-10)


def test_a_sample_that_is_over_records_zeros_and_adds_nothing_to_summaries():
    lengths, net = np.array([13, 6, 0]), nn.Sequential(*NET.parts[:2])
    several = {"mean": nn.MeanOverTime(), "least": nn.MinOverTime()}
    record = [
        {"1.v": 2},
        nn.Record("1.current", summary=several),
        nn.Record("spikes", summary=nn.MeanOverTime(), every=3),
    ]
    found = nn.unroll(net, XS, lengths=lengths, keep="last", record=record).records
    for sample, length in enumerate(lengths[:2]):
        alone = nn.record(net, XS[:length, sample])
        v, current, spikes = alone.states[1].v[::2], alone.states[1].current, alone.outputs[1]
        close(found["1.v"][: len(v), sample], v)
        np.testing.assert_array_equal(found["1.v"][len(v) :, sample], 0)
        close(found["1.current"]["mean"][sample], current.mean(0))
        close(found["1.current"]["least"][sample], current.min(0))
        close(found["1.spikes"][sample], spikes[::3].mean(0))
    np.testing.assert_array_equal(found["1.spikes"][2], 0)


def test_summaries_are_those_of_the_whole_series():
    edges = (-1.0, -0.5, 0.0, 0.5, 1.0)
    summary = {"mean": nn.MeanOverTime(), "histogram": nn.HistogramOverTime(edges), "least": nn.MinOverTime()}
    found = nn.unroll(NET, XS, record=nn.Record("1.v", summary=summary, every=2), chunk_size=3).records["1.v"]
    v = HAND["1.v"][::2]
    close(found["mean"], v.mean(0))
    agrees(found["least"], v.min(0), of=nn.MinOverTime, reference="NumPy", atol=2e-5)
    expected = [[np.histogram(v[:, i, j], edges)[0] for j in range(v.shape[2])] for i in range(v.shape[1])]
    agrees(found["histogram"], expected, of=nn.HistogramOverTime, reference="numpy.histogram")


def test_a_histogram_has_the_edges_of_numpy_and_neither_nan_nor_what_lies_outside():
    values = np.array([-1.0, 0.0, 0.5, 1.0, 1.5, np.nan, 0.25], np.float32)
    counts = nn.unroll(nn.HistogramOverTime([0.0, 0.5, 1.0]), values[:, None], keep="last").outputs
    np.testing.assert_array_equal(counts[0], np.histogram(values[np.isfinite(values)], [0.0, 0.5, 1.0])[0])
    with pytest.raises(ValueError, match="edges must be two numbers or more, each above the last"):
        nn.HistogramOverTime((1.0, 0.0))


def test_records_can_be_jitted_and_vmapped_and_continue_from_a_state():
    cell = nn.LIF()
    run = jax.jit(jax.vmap(lambda xs: tuple(nn.unroll(cell, xs, record={"v": 4})), in_axes=1, out_axes=(0, 1, 1)))
    state, outputs, records = run(XS)
    plain = nn.unroll(cell, XS, record={"v": 4})
    close((outputs, records), (plain.outputs, plain.records))
    later = nn.unroll(cell, plain.state, XS, record="v").records["v"]
    close(later, nn.unroll(cell, jnp.concatenate([XS, XS]), record="v").records["v"][TIME:])


@pytest.mark.parametrize("options", [{}, {"lengths": np.array([13, 6, 1])}], ids=str)
def test_the_cell_of_a_recurrent_layer_with_delays_is_recorded(options):
    weight, delay = np.random.default_rng(2).normal(size=(4, 4)), np.ones((4, 4))
    names = ["cell.v", "cell.inputs", "fed_back", "spikes"]
    cell = nn.ALIF(SPIKE)
    delayed = nn.DelayedRecurrent.from_arrays(cell, weight, delay, max_delay=2)
    found = nn.unroll(delayed, XS, record=names, **options).records
    # With all delays 1 it is a recurrent layer.
    expected = nn.unroll(nn.Recurrent.from_arrays(cell, weight), XS, record=names, **options).records
    assert list(found) == list(expected) == [*names[:3], "cell.spikes", "spikes"]
    close(found, expected)
    assert found["spikes"].sum() > 0


def test_neurons_without_a_reset_have_their_membrane_potentials_recorded():
    found = nn.unroll(nn.ParallelLIF(SPIKE, beta=0.5), XS, record=["v", "spikes"]).records
    v, expected = np.zeros(XS.shape[1:]), []
    for x in XS:
        v = 0.5 * v + x
        expected.append(v)
    close(found["v"], np.stack(expected))
    np.testing.assert_array_equal(found["spikes"], np.stack(expected) >= 1)


def running(total, x):
    return total + x, total


def test_a_recording_of_all_has_zeros_where_a_sample_is_over():
    lengths = np.array([13, 6, 0])
    net = nn.Sequential(*NET.parts, nn.Delay(2), nn.MeanOverTime())
    active = np.arange(TIME)[:, None] < lengths
    given = jnp.where(active[..., None], XS, jnp.nan)
    found, plain = nn.record(net, given, lengths=lengths), nn.record(net, XS)
    for ours, theirs in zip(found.outputs, plain.outputs, strict=True):
        close(ours, np.where(active[..., None], theirs, 0))
    close(found.states[1].v, np.where(active[..., None], plain.states[1].v, 0))
    close(found.states[3], np.where(active[:, None, :, None], plain.states[3], 0))  # (time, delay, batch, neurons)
    gradient = jax.grad(lambda xs: sum(y.sum() for y in nn.record(net, xs, lengths=lengths).outputs))(given)
    assert np.isfinite(gradient).all() and not gradient[~active].any()
    with pytest.raises(ValueError, match=r"record: lengths must be whole numbers from 0 to 13, .* got 14 for sample 1"):
        nn.record(net, XS, lengths=[1, 14, 2])
    with pytest.raises(ValueError, match=r"record: with lengths, inputs must be \(time, batch, \.\.\.\)"):
        nn.record(nn.LIF(), XS[:, 0, 0], lengths=[1])
    with pytest.raises(TypeError, match=r"record: with lengths, the cell must have a method init, got running\."):
        nn.record(running, jnp.zeros((BATCH, 4)), XS, lengths=lengths)


def test_cells_of_users_declare_what_can_be_recorded_and_others_have_states_and_outputs():
    found = nn.unroll(Own(), XS, record="*").records
    assert list(found) == ["calcium", "change", "state", "inputs", "outputs"]
    close(jnp.cumsum(found["change"], 0), found["calcium"])
    # A promise that is inherited does not count.
    assert "0.v" not in nn.unroll(nn.Sequential(Silent()), XS, record="*").records
    total = nn.unroll(lambda total, x: (total + x, None), jnp.zeros((BATCH, 4)), XS, record={"state": 6}).records
    close(total["state"], jnp.cumsum(XS, 0)[::6])


def test_half_precision_inputs_have_records_of_single_precision():
    found = nn.unroll(nn.LIF(), XS.astype(jnp.bfloat16), record=["v", "spikes"]).records
    assert (found["v"].dtype, found["spikes"].dtype) == (jnp.float32, jnp.bfloat16)


def test_no_time_has_empty_records():
    found = nn.unroll(nn.LIF(), XS[:0], record=["v", "spikes"]).records
    assert found["v"].shape == found["spikes"].shape == (0, BATCH, 4)


def test_patterns_functions_and_names_without_a_place_choose_layers():
    net = nn.Sequential(nn.LIF(), nn.LIF())
    for names in ("v", "*.v", lambda name: name.endswith(".v"), nn.Record("[01].v")):
        assert list(nn.unroll(net, XS, record=names).records) == ["0.v", "1.v"]


WRONG = [
    ("1.mem", ValueError, r"nothing to record is called '1\.mem'; '1\.v' may be meant; there are 1\.v, 1\.v_before"),
    ("syn", ValueError, r"'syn'; '1\.current' may be meant; there are 0\.inputs, 0\.outputs, 1\.v"),
    ("7.w", ValueError, r"nothing to record is called '7\.w'; there are 0\.inputs"),
    (lambda name: False, ValueError, "the function given as record chose no name; there are 0.inputs"),
    (["1.v", "v"], ValueError, r"record has '1\.v' twice; summary="),
    ({"1.v": 0}, ValueError, "every must be an integer >= 1, got 0"),
    ({"1.v": 2.5}, ValueError, "every must be an integer >= 1, got 2.5"),
    (3, TypeError, r"record must be a name such as '1\.v', a Record, a list of them, or .*, got int"),
    (
        nn.Record("1.state", summary=nn.MeanOverTime()),
        ValueError,
        r"a summary takes an array, and '1\.state' is a tree",
    ),
]


@pytest.mark.parametrize(("record", "kind", "message"), WRONG, ids=[str(i) for i in range(len(WRONG))])
@pytest.mark.unchecked("wrong types on purpose")
def test_what_cannot_be_recorded_is_told(record, kind, message):
    with pytest.raises(kind, match=message):
        nn.unroll(NET, XS, record=record)


@pytest.mark.unchecked("wrong types on purpose")
def test_wrong_records_and_observables_are_told():
    with pytest.raises(TypeError, match="Record: summary must be a cell, such as MeanOverTime"):
        nn.Record("v", summary=jnp.tanh)
    with pytest.raises(TypeError, match="Record: names must be a pattern such as"):
        nn.Record(3)

    class Wrong(Own):
        def observables(self, before, x, after, output):
            return [after]

    with pytest.raises(TypeError, match=r"Wrong: what observables returns must be a dict, \{name: values\}, got list"):
        nn.unroll(Wrong(), XS, record="state")
