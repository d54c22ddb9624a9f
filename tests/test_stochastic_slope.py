"""The noise of `StochasticSpikeOperator`: its distribution, and what it depends on."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from surgrad import StochasticSpikeOperator, check

X = -jax.random.uniform(jax.random.key(3), (20_000,), minval=1e-3, maxval=3.0)
NOISY = StochasticSpikeOperator(key=jax.random.key(7))
BELOW = 1e-3  # p of a fixed draw: the tests pass or fail for good


def noise(key, x=X, **others):
    return np.asarray(StochasticSpikeOperator(key=key, **others).surrogate_grad(x), float)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_slope_below_the_threshold_is_uniform_noise_as_published(seed):
    found = noise(jax.random.key(seed), mean=0.5, variance=0.4)
    assert stats.kstest(found, stats.uniform(0.0, 0.4).cdf).pvalue > BELOW
    assert stats.kstest(noise(jax.random.key(seed)), stats.uniform(-0.1, 0.2).cdf).pvalue > BELOW


def test_neighbouring_floats_and_other_keys_have_independent_noise():
    bits = np.arange(20_000, dtype=np.int32) + np.float32(0.7).view(np.int32)
    beside = noise(jax.random.key(0), -jnp.asarray(bits.view(np.float32)))
    assert stats.kstest(beside, stats.uniform(-0.1, 0.2).cdf).pvalue > BELOW
    for one, other in ((beside[1:], beside[:-1]), (noise(jax.random.key(0)), noise(jax.random.key(1)))):
        assert stats.pearsonr(one, other).pvalue > BELOW
    halves = np.histogram2d(beside[1:], beside[:-1], 4)[0]
    assert stats.chisquare(halves.ravel()).pvalue > BELOW


def test_it_depends_on_the_key_and_on_each_x_alone():
    slope = NOISY.surrogate_grad(X)
    assert len(np.unique(slope)) > 0.99 * len(X)
    np.testing.assert_array_equal(slope, NOISY.surrogate_grad(X[::-1])[::-1])
    np.testing.assert_array_equal(slope, jax.jit(jax.vmap(NOISY.surrogate_grad))(X.reshape(100, 200)).ravel())
    np.testing.assert_array_equal(slope[:50], jax.lax.map(NOISY.surrogate_grad, X[:50]))
    np.testing.assert_array_equal(slope, jax.grad(lambda x: NOISY(x).sum())(X))
    assert not np.any(slope == noise(jax.random.key(8)))


def test_half_precision_has_the_noise_of_the_same_numbers():
    x = X.astype(jnp.bfloat16)
    np.testing.assert_array_equal(
        NOISY.surrogate_grad(x), NOISY.surrogate_grad(x.astype(jnp.float32)).astype(jnp.bfloat16)
    )


def test_without_a_key_the_noise_is_that_of_key_0():
    np.testing.assert_array_equal(StochasticSpikeOperator().surrogate_grad(X), noise(jax.random.key(0)).astype("f4"))
    raw = StochasticSpikeOperator(key=jax.random.PRNGKey(7))
    np.testing.assert_array_equal(raw.surrogate_grad(X), NOISY.surrogate_grad(X))


def test_each_neuron_may_have_its_own_key():
    keys = jax.random.split(jax.random.key(0), 3)
    each = StochasticSpikeOperator(key=keys).surrogate_grad(jnp.full((2, 3), -1.0))
    np.testing.assert_array_equal(each[0], each[1])
    np.testing.assert_array_equal(each[0], [noise(key, -1.0) for key in keys])
    assert len(np.unique(each)) == 3
    population = jax.vmap(lambda key: StochasticSpikeOperator(key=key).surrogate_grad(-1.0))(keys)
    np.testing.assert_array_equal(population, each[0])


def test_a_key_is_an_argument_of_a_compiled_function():
    slope = jax.jit(lambda surrogate: surrogate.surrogate_grad(X))
    np.testing.assert_array_equal(slope(NOISY), NOISY.surrogate_grad(X))
    np.testing.assert_array_equal(slope(NOISY.replace(key=jax.random.key(8))), noise(jax.random.key(8)).astype("f4"))
    assert slope._cache_size() == 1


@pytest.mark.parametrize("mean", [-1.0, 0.0, 0.5])
def test_the_curve_is_the_integral_of_the_mean_slope(mean):
    one = StochasticSpikeOperator(mean, 0.2)
    assert one.surrogate_fun(0.0) == 0.5
    np.testing.assert_allclose(one.surrogate_fun(-3.0), 0.5 - 3 * noise(jax.random.key(0), mean=mean).mean(), atol=3e-3)
    assert one.surrogate_fun(-np.inf) == (0.5 if mean == 0 else -np.inf * mean)


def test_it_keeps_all_laws_but_those_it_waives_with_a_key_too():
    report = check(NOISY)
    report.raise_if_failed()
    assert {v.law for v in report.verdicts if v.outcome == "waived"} == set(StochasticSpikeOperator.waivers)


@pytest.mark.unchecked("a wrong type on purpose")
def test_what_is_no_key_is_refused():
    with pytest.raises(TypeError, match=r"key must be a key, such as jax.random.key\(0\), got an array of float32"):
        StochasticSpikeOperator(key=jnp.zeros(2))
    with pytest.raises(TypeError, match=r"key must be a key, such as jax.random.key\(0\), got 0"):
        StochasticSpikeOperator(key=0)
