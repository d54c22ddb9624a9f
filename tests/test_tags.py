"""Tags of surrogates are what a program finds of the slopes, and the catalogue filters by them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import surgrad
from surgrad import HybridSpike
from surgrad._catalogue import TAGS

CATALOGUE = surgrad.catalogue()
SIDE = np.concatenate([np.geomspace(1e-3, 1e6, 4001), np.linspace(1e6, 1e6 + 8, 65)])
DECLARED = {"stochastic", "several spikes"}
"""What no slope at one place can show."""


@jax.jit
def measured(surrogate, x):
    return surrogate.surrogate_grad(x), surrogate.area()


def found(surrogate):
    """The tags that the slope shows, in double precision."""
    with jax.enable_x64(True):
        slope, area = jax.device_get(measured(surrogate, jnp.concatenate([-SIDE[::-1], SIDE])))
    left, right = np.abs(slope[: len(SIDE)][::-1]), np.abs(slope[len(SIDE) :])
    far = SIDE >= 1e6
    tags = {
        "finite support": ends(left) and ends(right),
        "heavy tail": max(left[far].max(), right[far].max()) > 0,
        "asymmetric": not np.allclose(left, right, rtol=1e-9, atol=0),
        "not a density": slope.min() < 0 or not np.isclose(area, 1, rtol=1e-9),
    }
    return {tag for tag, holds in tags.items() if holds}


def ends(slope):
    """Whether a slope is 0 from some place on, and far from the smallest floats before: no exponential that is lost."""
    there = np.flatnonzero(slope)
    return not len(there) or (there[-1] < len(slope) - 1 and slope[there[-1]] > 1e-30)


@pytest.mark.parametrize("name", CATALOGUE)
def test_tags_are_those_that_the_slope_shows(name):
    cls = CATALOGUE[name]
    assert set(TAGS) >= cls.tags
    assert found(cls()) == cls.tags - DECLARED


@pytest.mark.parametrize("kind", [surgrad.StochasticSpikeOperator, HybridSpike])
def test_what_takes_a_key_is_stochastic(kind):
    assert "stochastic" in kind.tags
    assert "key" in kind.__dataclass_fields__


def test_a_slope_of_several_spikes_does_not_fall_above_the_threshold():
    several = surgrad.catalogue("several spikes")
    assert set(several) == {"PeriodicExponential", "StepPiecewiseLinear"}
    for cls in several.values():
        np.testing.assert_allclose(cls().surrogate_grad(jnp.arange(5.0)), cls().surrogate_grad(0.0), rtol=1e-6)


@pytest.mark.parametrize("tag", TAGS)
def test_the_catalogue_is_filtered_by_each_tag(tag):
    with_it, without = surgrad.catalogue(tag), surgrad.catalogue(without=tag)
    assert with_it
    assert not with_it.keys() & without.keys()
    assert sorted([*with_it, *without]) == list(CATALOGUE)
    assert all(tag in cls.tags for cls in with_it.values())


def test_several_tags_must_all_hold():
    both = surgrad.catalogue("heavy tail", "asymmetric", without=["stochastic", "several spikes"])
    assert "S2NN" in both
    assert "Arctan" not in both
    assert "StochasticSpikeOperator" not in both


def test_an_unknown_tag_is_refused_with_those_that_there_are():
    with pytest.raises(ValueError, match=r"catalogue: tag must be one of 'finite support', .*, got 'compact'"):
        surgrad.catalogue("compact")
    with pytest.raises(ValueError, match="got 'compact'"):
        surgrad.catalogue(without="compact")


def test_a_users_class_has_the_tags_that_it_declares(monkeypatch):
    monkeypatch.setattr("surgrad._catalogue._CATALOGUE", dict(CATALOGUE))

    class Ramp(surgrad.Surrogate):
        tags = frozenset({"asymmetric"})

        def surrogate_grad(self, x):
            return jnp.where(x < 0, jnp.exp(x), 0.0)

    class Untagged(surgrad.Surrogate):
        def surrogate_grad(self, x):
            return jnp.exp(-(x**2))

    for kind in (Ramp, Untagged):
        surgrad.functional(kind)
    assert {"Ramp"} == surgrad.catalogue("asymmetric").keys() - CATALOGUE.keys()
    assert {"Untagged"} == surgrad.catalogue(without=list(TAGS)).keys() - CATALOGUE.keys()
