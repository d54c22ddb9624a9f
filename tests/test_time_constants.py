"""Time constants in units of dt, and decays of a time step in their place."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import surgrad
from networks import assert_same
from surgrad import nn

XS = np.random.default_rng(0).uniform(0, 1, (30, 2, 3)).astype(np.float32)
CELLS = (nn.LeakyIntegrator, nn.LIF, nn.CuBaLIF)
every_cell = pytest.mark.parametrize("kind", CELLS)
run = jax.jit(nn.unroll)


@every_cell
class TestDecay:
    @pytest.mark.parametrize("beta", [0.9, 1, np.array([0.5, 0.9, 1.0]), jnp.array([0.2, 0.9, 0.99])], ids=str)
    def test_is_the_decay_of_a_time_step(self, kind, beta):
        cell = kind(beta=beta)
        np.testing.assert_allclose(cell.beta, beta, rtol=1e-6)
        with np.errstate(divide="ignore"):
            tau = np.asarray(-1 / np.log(np.asarray(beta, float)))
        assert_same(run(cell, XS), run(kind(tau=np.abs(tau).astype(np.float32)), XS))

    def test_of_one_is_no_leak(self, kind):
        assert kind(beta=1.0).tau == np.inf

    def test_is_differentiated(self, kind):
        after = lambda beta: kind(beta=beta).beta
        np.testing.assert_allclose(jax.jvp(jax.jit(after), (0.9,), (1.0,)), (0.9, 1.0), rtol=1e-5)

    def test_survives_a_copy(self, kind):
        cell = kind(beta=0.5).replace(tau=3.0)
        assert cell == kind(tau=3.0)

    @pytest.mark.parametrize("beta", [0.0, -0.1, 1.1, np.nan, np.array([0.5, 2.0])], ids=str)
    def test_outside_of_its_range_is_refused(self, kind, beta):
        with pytest.raises(ValueError, match=f"{kind.__name__}: beta, the decay of a time step, must be > 0 and <= 1"):
            kind(beta=beta)

    def test_beside_a_time_constant_or_a_time_step_is_refused(self, kind):
        arguments = () if kind is nn.LeakyIntegrator else (surgrad.Arctan(),)
        for call in (
            lambda: kind(beta=0.9, tau=10.0),
            lambda: kind(beta=0.9, dt=0.5),
            lambda: kind(*arguments, 10.0, beta=0.9),
        ):
            with pytest.raises(TypeError, match=rf"{kind.__name__}: beta = e\^\(-dt/tau\) .* give either beta, or tau"):
                call()

    def test_is_that_of_a_subclass_too(self, kind):
        own = type("Own", (kind,), {})
        assert own(beta=0.5).tau == kind(beta=0.5).tau
        with pytest.raises(ValueError, match=r"^Own: beta"):
            own(beta=2.0)


@pytest.mark.parametrize(
    ("cell", "same"),
    [
        (nn.LeakyIntegrator(20.0, dt=0.5), nn.LeakyIntegrator(40.0)),
        (nn.LIF(tau=20.0, dt=0.5), nn.LIF(tau=40.0)),
        (nn.CuBaLIF(tau=20.0, tau_syn=3.0, dt=0.5), nn.CuBaLIF(tau=40.0, tau_syn=6.0)),
        (nn.ALIF(tau=20.0, tau_adaptation=30.0, dt=0.5), nn.ALIF(tau=40.0, tau_adaptation=60.0)),
    ],
    ids=lambda cell: type(cell).__name__,
)
def test_half_a_time_step_is_twice_the_time_constants(cell, same):
    assert_same(run(cell, XS), run(same, XS))


@pytest.mark.parametrize("kind", [*CELLS, nn.ALIF, nn.AdEx, nn.Izhikevich])
@pytest.mark.unchecked("wrong types on purpose")
def test_a_time_step_is_part_of_the_program(kind):
    assert jax.tree.structure(kind(dt=0.25)) != jax.tree.structure(kind(dt=0.5))
    with pytest.raises(TypeError, match=f"{kind.__name__}: dt is part of the program, so it must be known while"):
        jax.jit(lambda dt: kind(dt=dt).dt)(0.5)
    with pytest.raises(ValueError, match=f"{kind.__name__}: dt must be > 0, got 0"):
        kind(dt=0.0)


def test_beta_of_alif_is_the_decay_and_not_the_adaptation():
    with pytest.raises(TypeError, match="beta"):
        nn.ALIF(beta=0.2)
    np.testing.assert_allclose(nn.ALIF(tau=10.0).beta, np.exp(-0.1), rtol=1e-6)


@every_cell
class TestAssignment:
    def test_of_a_time_constant_is_checked_as_in_the_constructor(self, kind):
        cell = kind()
        with pytest.raises(ValueError, match=f"{kind.__name__}: tau must be > 0, got -5"):
            cell.tau = -5.0
        cell.tau = 5.0
        assert cell == kind(tau=5.0)

    def test_of_a_decay_is_refused_and_a_copy_has_it(self, kind):
        cell = kind(tau=7.0, dt=2.0)
        with pytest.raises(AttributeError, match=r"beta is computed .* a copy with another is \.replace\(beta="):
            cell.beta = 0.5
        np.testing.assert_allclose(cell.replace(beta=0.5).beta, 0.5, rtol=1e-6)
        assert cell.replace(beta=0.5).dt == 2.0
        with pytest.raises(TypeError, match="give either beta, or tau and dt"):
            cell.replace(beta=0.5, tau=3.0)
        with pytest.raises(ValueError, match="beta, the decay of a time step, must be"):
            cell.replace(beta=1.5)


@pytest.mark.unchecked("wrong types on purpose")
def test_a_number_in_the_place_of_the_surrogate_is_told_where_it_belongs():
    with pytest.raises(
        TypeError, match=r"the first argument is the surrogate, got 0\.9; write beta=0\.9 for the decay"
    ):
        nn.LIF(0.9)
    with pytest.raises(TypeError, match="got 20; write tau=20 for the time constant"):
        nn.CuBaLIF(20)
