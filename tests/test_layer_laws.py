"""`check` of layers: those built in keep all laws, broken ones are caught, reports say what to do."""

import dataclasses
import inspect
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import surgrad
from broken_layers import BROKEN
from surgrad import check, nn
from surgrad.nn import _contract as contract
from surgrad.nn._laws import LAYER_LAWS
from surgrad.nn._laws.promised import PROMISES

TIME, BATCH, NEURONS = 10, 2, 4
KEY = jax.random.split(jax.random.key(0), 8)
SPIKE = surgrad.Arctan(2.0)
RNG = np.random.default_rng(1)


def inputs(size, *shape):
    """Numbers from 0 to a size, over time, for a batch."""
    return np.random.default_rng(0).uniform(0, size, (TIME, BATCH, *(shape or (NEURONS,)))).astype(np.float32)


@jax.tree_util.register_dataclass
@dataclasses.dataclass
class Quadratic:  # as in the README
    spike: surgrad.Surrogate
    tau: float = 10.0

    def init(self, shape, dtype=None):
        return jnp.zeros(shape, dtype)

    def __call__(self, v, current):
        v = v + (v**2 - v + current) / self.tau
        spikes = self.spike(v - 2.0)
        return v - spikes * v, spikes


class PlainSum:
    """A cell that is no pytree."""

    def init(self, shape, dtype=None):
        return jnp.zeros(shape, dtype)

    def __call__(self, total, x):
        return total + x, total + x


DENSE = nn.Linear(NEURONS, 3, key=KEY[0], gain=2.0)
SPIKES = (inputs(1.0) < 0.3).astype(np.float32)
POOLS = ("Avg", "Max", "Sum")
# One row a class: a layer, and inputs under which it does what it is for.
ROWS = {
    "LeakyIntegrator": (nn.LeakyIntegrator(5.0), inputs(1.0)),
    "LIF": (nn.LIF(SPIKE, 5.0), inputs(1.0)),
    "CuBaLIF": (nn.CuBaLIF(SPIKE, 5.0, tau_syn=2.0), inputs(0.5)),
    "ALIF": (nn.ALIF(SPIKE, 5.0, adaptation_strength=0.2), inputs(1.0)),
    "AdEx": (nn.AdEx(SPIKE, dt=0.5), inputs(5000.0)),
    "Izhikevich": (nn.Izhikevich(SPIKE), inputs(100.0)),
    "FreshDraws": (nn.FreshDraws(nn.LIF(SPIKE, 5.0)), inputs(1.0)),
    "Linear": (DENSE, inputs(1.0)),
    "Conv1d": (nn.Conv1d(2, 3, 3, key=KEY[1], padding="SAME"), inputs(1.0, 5, 2)),
    "Conv2d": (nn.Conv2d(2, 4, 2, (2, 1), 1, (1, 2), 2, key=KEY[1]), inputs(1.0, 3, 3, 2)),
    "Conv3d": (nn.Conv3d(1, 2, 2, key=KEY[1]), inputs(1.0, 2, 2, 3, 1)),
    "ConvTranspose1d": (nn.ConvTranspose1d(2, 3, 3, 2, key=KEY[1]), inputs(1.0, 3, 2)),
    "ConvTranspose2d": (nn.ConvTranspose2d(2, 4, 2, 2, "SAME", groups=2, key=KEY[1]), inputs(1.0, 2, 2, 2)),
    "ConvTranspose3d": (nn.ConvTranspose3d(1, 2, 2, key=KEY[1]), inputs(1.0, 1, 2, 2, 1)),
    **{f"{kind}Pool1d": (getattr(nn, f"{kind}Pool1d")(2), inputs(1.0, 5, 2)) for kind in POOLS},
    **{f"{kind}Pool2d": (getattr(nn, f"{kind}Pool2d")((2, 3), 1), inputs(1.0, 3, 4, 1)) for kind in POOLS},
    **{f"{kind}Pool3d": (getattr(nn, f"{kind}Pool3d")(1, 2), inputs(1.0, 2, 2, 3, 1)) for kind in POOLS},
    "Flatten": (nn.Flatten(2), inputs(1.0, 3, 2)),
    "BatchNorm": (nn.BatchNorm.from_arrays(*RNG.uniform(0.5, 1.5, (4, NEURONS)).astype(np.float32)), inputs(1.0)),
    "Dropout": (nn.Dropout(0.5), inputs(1.0)),
    "Lambda": (nn.Lambda(jnp.tanh), inputs(1.0)),
    "Delay": (nn.Delay((0, 1, 2, 5)), inputs(1.0)),
    "LearnableDelay": (nn.LearnableDelay(NEURONS, 3, key=KEY[1]), inputs(1.0)),
    "DelayedLinear": (nn.DelayedLinear(NEURONS, 3, 4, key=KEY[1], gain=2.0), inputs(1.0)),
    "DelayedRecurrent": (nn.DelayedRecurrent(nn.LIF(SPIKE, 5.0), NEURONS, 3, key=KEY[2]), inputs(1.0)),
    "ParallelLIF": (nn.ParallelLIF(SPIKE, 5.0), inputs(1.0)),
    "Recurrent": (nn.Recurrent(nn.LIF(SPIKE, 5.0), NEURONS, key=KEY[2]), inputs(1.0)),
    "Sequential": (nn.Sequential(DENSE, nn.LIF(SPIKE, 5.0)), inputs(1.0)),
    "MeanOverTime": (nn.MeanOverTime(), SPIKES),
    "MaxOverTime": (nn.MaxOverTime(), inputs(1.0)),
    "MinOverTime": (nn.MinOverTime(), inputs(1.0)),
    "HistogramOverTime": (nn.HistogramOverTime((0.0, 0.5, 1.0)), inputs(1.0)),
    "LastStep": (nn.LastStep(), inputs(1.0)),
    "FirstSpikeTime": (nn.FirstSpikeTime(), SPIKES),
}
# The gradient of a mean over time by a delay is a small difference of large sums.
WAIVED = {nn.LearnableDelay: {"half_precision"}, nn.DelayedLinear: {"half_precision"}}
# What takes most of the time, to compile, is left to slow tests for all layers but some.
LONG = set(ROWS) - {"LeakyIntegrator", "LIF", "Linear", "LastStep"}
SLOW_LAWS = {"forward_mode", "second_derivatives"}
OTHERS = {
    "the README's cell": (Quadratic(SPIKE), inputs(40.0)),
    "a cell that is no pytree": (PlainSum(), inputs(1.0)),
    "a function": (jnp.tanh, inputs(1.0)),
}
VARIANTS = {
    "LIF, hard reset": (nn.LIF(SPIKE, 5.0, reset="zero", detach_reset=True), inputs(1.0)),
    "LIF, refractory": (nn.LIF(SPIKE, 5.0, refractory=2), inputs(1.0)),
    "LIF, one threshold a neuron": (nn.LIF(SPIKE, 5.0, np.linspace(0.5, 1.0, NEURONS)), inputs(1.0)),
    "LIF, beta": (nn.LIF(SPIKE, beta=0.8), inputs(1.0)),
    "LIF, half steps": (nn.LIF(SPIKE, 5.0, dt=0.5), inputs(1.0)),
    "CuBaLIF, half steps": (nn.CuBaLIF(SPIKE, 5.0, tau_syn=2.0, dt=0.5), inputs(0.5)),
    "LIF, smooth": (nn.LIF(SPIKE.smooth(), 5.0), inputs(1.0)),
    "ALIF, all options": (nn.ALIF(SPIKE, 5.0, reset="zero", refractory=1), inputs(1.0)),
    "Linear without a bias": (nn.Linear(NEURONS, 3, key=KEY[3], use_bias=False), inputs(1.0)),
    "events": (nn.Linear(NEURONS, 3, key=KEY[3]), SPIKES.astype(bool)),
    "frames of bytes": (
        nn.Conv2d(1, 2, (3, 3), key=KEY[3], padding="SAME", stride=2),
        (255 * inputs(1.0, 4, 4, 1)).astype(np.uint8),
    ),
    "no batch": (nn.LIF(SPIKE, 5.0), inputs(1.0)[:, 0]),
    "Conv2d, default options": (nn.Conv2d(1, 2, 3, key=KEY[4]), inputs(1.0, 4, 4, 1)),
    "MaxPool2d without overlap": (nn.MaxPool2d(2), inputs(1.0, 4, 4, 1)),
    "Delay of one": (nn.Delay(3), inputs(1.0)),
    "LearnableDelay, Gaussian": (nn.LearnableDelay(NEURONS, 3, key=KEY[1], sigma=1.0), inputs(1.0)),
    "DelayedLinear, Gaussian": (nn.DelayedLinear(NEURONS, 3, 4, key=KEY[1], sigma=1.0), inputs(1.0)),
    "DelayedRecurrent, Gaussian": (nn.DelayedRecurrent(nn.LIF(SPIKE), NEURONS, 3, sigma=1.0, key=KEY[2]), inputs(1.0)),
    "network": (
        nn.Sequential(DENSE, nn.ALIF(SPIKE, 5.0), nn.Delay(2), nn.Linear(3, 2, key=KEY[5]), nn.LeakyIntegrator()),
        inputs(1.0),
    ),
    "network in a network": (nn.Sequential(nn.Sequential(DENSE, nn.LIF(SPIKE)), nn.MeanOverTime()), inputs(1.0)),
    "Recurrent of the README's cell": (nn.Recurrent(Quadratic(SPIKE), NEURONS, key=KEY[6]), inputs(40.0)),
    "event-driven": (nn.Linear(NEURONS, 3, key=KEY[7], event_driven=True), SPIKES),
}


# Their inputs are no floats, or their kernels compile only without annotations that are checked.
UNCHECKED = ("events", "frames of bytes", "event-driven")


def parameters(rows, slow=()):
    marks = {name: [pytest.mark.slow] * (name in slow) for name in rows}
    unchecked = pytest.mark.unchecked("events as booleans and bytes")
    return [
        pytest.param(*row, id=name, marks=[*marks[name], *[unchecked] * (name in UNCHECKED)])
        for name, row in rows.items()
    ]


@pytest.mark.parametrize(
    ("layer", "given"), parameters(ROWS, LONG) + parameters(OTHERS) + parameters(VARIANTS, VARIANTS)
)
def test_a_built_in_layer_keeps_all_laws_without_a_waiver(layer, given):
    report = check(layer, given)
    report.raise_if_failed()
    assert set(getattr(type(layer), "waivers", {})) == WAIVED.get(type(layer), set())
    skipped = {v.law for v in report.verdicts if v.outcome == "skipped"}
    allowed = {"half_precision", "linear_response"} if given.dtype != np.float32 else set()
    allowed |= {"samples", "shard_map"} if given.ndim == 2 else set()
    assert skipped <= allowed | ({"spiking", "linear_response"} if "smoothed=True" in repr(layer) else set()), report


# One class each of those that share their code; the others are slow tests.
ALIKE = {name for name in LONG if name.endswith(("1d", "3d"))} | {
    "SumPool2d",
    "AvgPool2d",
    "ConvTranspose2d",
    "AdEx",
    "CuBaLIF",
    "DelayedLinear",
    "LearnableDelay",
    "ParallelLIF",
    "Izhikevich",
}


@pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.slow] * (n in ALIKE)) for n in sorted(LONG)])
def test_every_other_layer_keeps_the_laws_that_compile_quickly(name):
    check(*ROWS[name], laws=set(LAYER_LAWS) - SLOW_LAWS).raise_if_failed()


def test_every_public_layer_has_a_row():
    layers = {name for name, kind in vars(nn).items() if inspect.isclass(kind) and issubclass(kind, nn.Layer)}
    assert layers - {"Layer", "Cell", "Connection"} == set(ROWS)


def test_the_promises_are_those_that_the_contract_lists():
    assert re.findall(r"^- `(\w+)`", contract.__doc__, re.MULTILINE) == [*PROMISES]


def made(cls):
    return cls(SPIKE) if issubclass(cls, nn.LIF) else cls()


# Those that are slow to compile are tested of all broken layers in a slow test.
QUICK = {"init_fits", "keeps_state", "pure", "samples", "strict", "own_promises", *PROMISES} & set(LAYER_LAWS)


@pytest.mark.parametrize("cls", BROKEN, ids=lambda cls: cls.__name__)
def test_a_broken_layer_fails_the_laws_that_it_was_made_for(cls):
    laws = QUICK | set(cls.breaks)
    assert set(check(made(cls), jnp.ones((TIME, BATCH, 8)), laws=laws).failed) == set(cls.breaks)


@pytest.mark.slow
@pytest.mark.parametrize("cls", BROKEN, ids=lambda cls: cls.__name__)
def test_and_no_other(cls):
    assert set(check(made(cls), jnp.ones((TIME, BATCH, 8))).failed) == set(cls.breaks)


def test_every_law_has_a_layer_made_to_break_it():
    assert {cls.breaks[0] for cls in BROKEN} == {law.name for law in LAYER_LAWS.values() if not law.advice}


class MyLIF(nn.LIF):
    """Neurons of a user's own, which promise nothing themselves."""


class Waiving(PlainSum):
    waivers = {"strict": "it was feared", "keeps_state": "it counts in float16"}

    def __call__(self, total, x):
        return (total + x).astype(jnp.float16), total + x


def test_inherited_promises_are_named_and_their_laws_left_out():
    report = check(MyLIF(SPIKE), inputs(1.0), laws=["own_promises", "spiking"])
    assert report.advice == ("own_promises",)
    assert report["own_promises"].detail.startswith(
        "promises are not inherited, since MyLIF may do something else: spiking, elementwise, linear_response of LIF."
    )
    assert report["spiking"] == ("spiking", "skipped", "MyLIF does not promise spiking")


def test_a_class_of_ones_own_waives_laws_with_a_reason():
    report = check(Waiving(), inputs(1.0), laws=["strict", "keeps_state", "pure"])
    assert report["keeps_state"].outcome == "waived"
    assert report["keeps_state"].detail.startswith("it counts in float16 (the state is float32[2,4] before a step")
    Waiving.waivers = {"strct": "misspelt"}
    with pytest.raises(ValueError, match=r"Waiving\.waivers: there is no law 'strct'; the nearest are strict"):
        check(Waiving(), inputs(1.0))


def test_a_waiver_that_is_not_needed_is_listed():
    Waived = type("Waived", (PlainSum,), {"waivers": {"samples": "it was feared to mix them"}})
    assert check(Waived(), inputs(1.0), laws=["samples"]).unneeded == ("samples",)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (
            (nn.LIF(SPIKE),),
            TypeError,
            r"LIF is a layer; give inputs over time, .* check\(layer, jnp\.ones\(\(20, 2, 8\)\)\)",
        ),
        ((nn.LIF, np.ones((9, 2, 3))), TypeError, r"got the class LIF; make one: LIF\(\.\.\.\)"),
        (
            (3.0, np.ones((9, 2, 3))),
            TypeError,
            r"check takes a Surrogate object, or a layer and inputs for it, got float",
        ),
        ((SPIKE, np.ones((9, 2, 3))), TypeError, "a surrogate is tested on points of its own; inputs are for layers"),
        (
            (nn.LeakyIntegrator(), np.ones(9)),
            ValueError,
            r"inputs must be \(time >= 4, \*batch >= 1, features >= 1\), got shape \(9,\); for example",
        ),
        ((nn.LeakyIntegrator(), np.ones((3, 2, 3))), ValueError, r"\(time >= 4, .* got shape \(3, 2, 3\)"),
        (
            (nn.LeakyIntegrator(), np.zeros((9, 2, 3))),
            ValueError,
            "inputs are all zero, so that no neuron spikes",
        ),
        (
            (nn.LeakyIntegrator(), np.ones((9, 2), complex)),
            TypeError,
            "inputs must be an array of real numbers over time, got ndarray of complex128",
        ),
        ((nn.LeakyIntegrator(), "spikes"), TypeError, "inputs must be an array of real numbers over time, got str"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(given, error, message):
    with pytest.raises(error, match=message):
        check(*given)


def test_weak_inputs_are_said_to_be_weak():
    report = check(nn.LIF(SPIKE), 1e-3 * inputs(1.0), laws=["spiking"])
    assert report["spiking"].detail == "no neuron spikes on these inputs; give stronger ones"


def test_check_leaves_configuration_and_object_alone():
    layer, before = nn.LIF(SPIKE), dict(jax.config.values)
    check(layer, inputs(1.0), laws=["unroll_is_scan", "strict", "finite"])
    assert dict(jax.config.values) == before
    layer.tau = 3.0  # warns if compiled code may have taken the number


def test_the_verdicts_are_those_of_double_precision_too(x64):
    check(
        nn.LIF(SPIKE), inputs(1.0).astype(float), laws=["keeps_state", "unroll_is_scan", "elementwise"]
    ).raise_if_failed()
