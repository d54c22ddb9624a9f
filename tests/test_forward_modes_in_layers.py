"""Cells whose surrogates have forward modes: what unroll gives is what a scan of the layer gives, in every path."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import surgrad
from forward_modes import KEY, MODES, Graded
from ledger import CLOSED_FORM, agrees
from surgrad import forward, nn
from surgrad.nn._contract import promises
from surgrad.nn._events import available

pytestmark = pytest.mark.versions

TIME, BATCH, INPUTS, NEURONS = 12, 3, 4, 5
RNG = np.random.default_rng(0)
X = jnp.asarray(RNG.random((TIME, BATCH, INPUTS)) < 0.4, jnp.float32)
# Sums of such weights are exact in float32, in any order: draws, which depend on all bits, are the same in all paths.
WEIGHT = jnp.asarray(RNG.integers(-8, 24, (INPUTS, NEURONS)) / 16, jnp.float32)
RECURRENT = jnp.asarray(RNG.integers(-4, 5, (NEURONS, NEURONS)) / 16, jnp.float32)
FORWARD = {**MODES, "Smooth": forward.Smooth()}
INEXACT = ("Smooth", "a user's own")
"""Modes whose values are no whole numbers, so that sums are rounded; they draw nothing."""
CELLS = {
    "LIF": lambda spike: nn.LIF(spike, tau=np.inf),
    "LIF, zero": lambda spike: nn.LIF(spike, tau=np.inf, reset="zero", refractory=2),
    "ParallelLIF": lambda spike: nn.ParallelLIF(spike, tau=np.inf),
    "FreshDraws": lambda spike: nn.FreshDraws(nn.LIF(spike, tau=np.inf)),
}


def network(mode, cell, event_driven=False):
    cell = CELLS[cell](surgrad.Sigmoid(2.0).with_forward(FORWARD[mode]))
    first = nn.Linear.from_arrays(WEIGHT, event_driven=event_driven)
    return nn.Sequential(first, nn.Recurrent.from_arrays(cell, RECURRENT, event_driven=event_driven), nn.LIF())


def scanned(net, x):
    return jax.lax.scan(net, net.init(x.shape[1:], x.dtype), x)


def path(**options):
    return lambda net, x: nn.unroll(net, net.init(x.shape[1:], x.dtype), x, **options)


PATHS = {"in chunks": path(chunk_size=5), "checkpointed": path(checkpoint_every=3)}


def with_gradients(run):
    def loss(net, x):
        state, outputs = run(net, x)
        return jnp.sum(outputs**2) + 0.5 * jnp.sum(outputs), (state, outputs)

    def by_weights(net, x):
        weights, others = nn.partition(net)
        return jax.value_and_grad(lambda w, x: loss(nn.combine(w, others), x), (0, 1), has_aux=True)(weights, x)

    return jax.jit(by_weights)


SLOW = {(mode, cell) for mode in FORWARD for cell in CELLS} - {
    ("Ternary", "LIF, zero"),
    ("MultiSpike", "LIF"),
    ("Bernoulli", "LIF"),
    ("Poisson", "FreshDraws"),
    ("EscapeNoise", "ParallelLIF"),
    ("Smooth", "LIF"),
    ("a user's own", "LIF, zero"),
}


@pytest.mark.parametrize(
    ("mode", "cell"),
    [pytest.param(m, c, marks=[pytest.mark.slow] * ((m, c) in SLOW)) for m in FORWARD for c in CELLS],
)
def test_every_path_gives_what_a_scan_gives(mode, cell):
    wanted = with_gradients(scanned)(network(mode, cell), X)
    assert np.any(np.asarray(wanted[0][1][1]))
    paths = {**PATHS, **({"by events": path()} if available() else {})}
    for name, run in paths.items():
        found = with_gradients(run)(network(mode, cell, event_driven=name == "by events"), X)
        for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
            np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-5, err_msg=name)


@pytest.mark.parametrize("mode", FORWARD)
def test_elementwise_is_promised_by_the_mode(mode):
    spike = surgrad.Sigmoid().with_forward(FORWARD[mode])
    kept = mode not in ("Bernoulli", "EscapeNoise", "Poisson", "a user's subclass")
    for cell in (nn.LIF, nn.CuBaLIF, nn.ALIF, nn.ParallelLIF, nn.AdEx, nn.Izhikevich):
        assert promises(cell(spike), "elementwise") == kept
    assert not promises(nn.LIF(surgrad.HybridSpike(surgrad.Sigmoid(), 0.5, KEY)), "elementwise")


@pytest.mark.parametrize("mode", ["Ternary", "MultiSpike", "Smooth", "a user's own"])
def test_rows_of_a_kernel_are_cells_of_elementwise_modes(mode):
    """The interpreted kernel runs: no warning tells of a scan in its place."""
    net = nn.LIF(surgrad.Sigmoid(2.0).with_forward(FORWARD[mode]))
    drawn = jnp.asarray(RNG.normal(0.3, 1.0, (6, 2, 5)), jnp.float32)
    kernel, scan = (path(backend=backend)(net, drawn)[1] for backend in ("pallas", "scan"))
    np.testing.assert_allclose(kernel, scan, rtol=1e-5, atol=1e-6)


def test_resets_count_spikes():
    """A membrane of 2.5 thresholds: two spikes take two thresholds, or reset to zero; -1.5 spikes once below."""
    multi, ternary = (surgrad.Sigmoid().with_forward(mode) for mode in (forward.MultiSpike(), forward.Ternary()))
    current = jnp.array([2.5, 0.5, -1.5])
    for spike, spikes, left in ((multi, [2, 0, 0], [0.5, 0.5, -1.5]), (ternary, [1, 0, -1], [1.5, 0.5, -0.5])):
        for reset, after in (("subtract", left), ("zero", [0 if s else v for s, v in zip(spikes, left, strict=True)])):
            cell = nn.LIF(spike, tau=np.inf, reset=reset)
            state, found = cell(cell.init((3,)), current)
            np.testing.assert_allclose(found, spikes)
            np.testing.assert_allclose(state.v, after)


def test_a_reset_to_zero_has_the_derivative_of_one_spike(x64):
    """v (1 - e) for a spike of -1 or of 2: e = 1 and de = -ds or ds/2."""
    for mode, v, share in ((forward.Ternary(), -1.5, -1.0), (forward.MultiSpike(), 2.5, 0.5)):
        spike = surgrad.Sigmoid(2.0).with_forward(mode)
        cell = nn.LIF(spike, tau=np.inf, reset="zero")
        found = jax.grad(lambda v, cell=cell: cell(cell.init((), float), v)[0].v)(v)
        assert found == pytest.approx(-v * share * float(jax.grad(spike)(v - 1)), rel=1e-12)


def test_a_negative_spike_starts_a_refractory_period():
    cell = nn.LIF(surgrad.Sigmoid().with_forward(forward.Ternary()), tau=np.inf, refractory=2)
    spikes = nn.unroll(cell, jnp.full((4, 1), -1.5))[1]
    np.testing.assert_array_equal(spikes[:, 0], [-1, 0, 0, -1])


@pytest.mark.parametrize("mode", ["Bernoulli", "EscapeNoise", "Poisson"])
def test_fresh_draws_differ_where_membranes_do_not(mode):
    """A current holds 50 membranes at a constant: spikes of all steps and neurons are independent of each other."""
    spike = surgrad.Sigmoid(2.5).with_forward(MODES[mode])
    cell = nn.ParallelLIF(spike, tau=1e-3)  # v is the current
    constant = jnp.full((200, 50), 0.8)
    stuck, fresh = (np.asarray(nn.unroll(c, constant)[1]) for c in (cell, nn.FreshDraws(cell)))
    assert (stuck == stuck[0]).all()
    rate, mean = fresh.mean(), float(MODES[mode].curve(jnp.float32(-0.2), spike))
    agrees(rate, mean, of=nn.FreshDraws, reference=CLOSED_FORM, atol=4 * fresh.std() / np.sqrt(fresh.size))
    normed = (fresh - rate) / fresh.std()
    assert abs((normed[1:] * normed[:-1]).mean()) < 4 / np.sqrt(fresh.size)
    assert abs((normed[:, 1:] * normed[:, :-1]).mean()) < 4 / np.sqrt(fresh.size)


def test_fresh_draws_of_a_users_own_mode():
    class Coin(forward.Mode):
        spiking = True
        key: object = None

        def value(self, x, surrogate):
            return jax.random.bernoulli(self.key, 0.5, x.shape).astype(x.dtype)

        def at_step(self, step):
            return self.replace(key=jax.random.fold_in(self.key, step))

    cell = nn.FreshDraws(nn.LIF(surgrad.Sigmoid().with_forward(Coin(KEY))))
    spikes = nn.unroll(cell, jnp.zeros((100, 3)))[1]
    assert 0.4 < float(spikes.mean()) < 0.6


@pytest.mark.unchecked  # an argument of another type than the annotated one
def test_fresh_draws_needs_a_cell():
    with pytest.raises(TypeError, match="expected a cell"):
        nn.FreshDraws(jnp.tanh)


def test_laws_of_layers_know_modes():
    for mode, outcome in (("Ternary", "skipped"), ("Bernoulli", "ok"), ("Smooth", "skipped")):
        cell = nn.LIF(surgrad.Sigmoid(2.0).with_forward(FORWARD[mode]), 5.0)
        assert surgrad.check(cell, X, laws=["spiking"])["spiking"].outcome == outcome, mode
    assert surgrad.check(nn.LIF(surgrad.Sigmoid().with_forward(Graded())), X, laws=["elementwise"]).ok
