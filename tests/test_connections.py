"""Connections are the sums that their names say, at every step and sample alike, and so are their derivatives."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from ledger import agrees
from surgrad.nn import (
    AvgPool1d,
    Conv1d,
    Conv2d,
    ConvTranspose1d,
    Flatten,
    LeakyIntegrator,
    Linear,
    MaxPool1d,
    Recurrent,
    partition,
)
from surgrad.nn._events import available

RNG = np.random.default_rng(0)
apply = jax.jit(lambda connection, x: connection(x))


def dense(inputs=3, outputs=4, **options):
    return Linear.from_arrays(RNG.normal(size=(inputs, outputs)), RNG.normal(size=outputs), **options)


CONV = Conv1d.from_arrays(RNG.normal(size=(3, 3, 4)), RNG.normal(size=4), padding=1)
LAYERS = {
    "Linear": dense(),
    "Linear without a bias": dense().replace(bias=None),
    "Conv1d": CONV,
    "ConvTranspose1d": ConvTranspose1d.from_arrays(RNG.normal(size=(3, 3, 4)), stride=2),
    "AvgPool1d": AvgPool1d(2),
    "MaxPool1d, overlap": MaxPool1d(3, 1),
    "Flatten": Flatten(1),
}


@pytest.mark.parametrize(
    "layer",
    [
        Linear.from_arrays(np.array([[1, 0], [2, 3]]), np.array([1, 2])),
        Linear.from_arrays(jnp.ones((2, 2), bool)),
        Conv1d.from_arrays(np.ones((3, 2, 4), int), padding=1),
        Recurrent.from_arrays(LeakyIntegrator(), jnp.eye(2, dtype=int)),
    ],
    ids=["Linear", "Linear of booleans", "Conv1d", "Recurrent"],
)
def test_weights_that_are_given_as_whole_numbers_are_trained(layer):
    trained, _ = partition(layer)
    assert jnp.issubdtype(trained.weight.dtype, jnp.floating)
    assert layer.weight.dtype == trained.weight.dtype


@pytest.mark.usefixtures("x64")
class TestSums:
    @pytest.mark.parametrize("leading", [(), (5,), (5, 1), (5, 2, 2), (0, 2)])
    def test_dense_sums_along_the_last_axis(self, leading):
        layer, x = dense(), RNG.normal(size=(*leading, 3))
        expected = np.einsum("...i,ij->...j", x, layer.weight) + layer.bias
        agrees(apply(layer, x), expected, of=layer, reference="NumPy", rtol=1e-12)

    @pytest.mark.parametrize("axes", [1, 2, 3])
    @pytest.mark.parametrize("time", [3, 0])
    def test_flattening_keeps_the_order_of_the_last_axes(self, axes, time):
        x = RNG.normal(size=(time, 2, 4, 5))
        expected = x.reshape(*x.shape[:-axes], math.prod(x.shape[-axes:]))
        agrees(apply(Flatten(axes), x), expected, of=Flatten, reference="NumPy")


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("layer", [dense(2, 3), dense(2, 3).replace(bias=None)], ids=["bias", "no bias"])
def test_derivatives_of_a_linear_layer_are_those_of_finite_differences(layer):
    x = RNG.normal(size=(2, 5, 2))
    loss = jax.jit(lambda layer, x: jnp.sum(jnp.sin(layer(x))))
    check_grads(loss, (layer, x), order=2, modes=["fwd", "rev"], rtol=1e-5)


@pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS)
class TestInputs:
    def test_steps_and_samples_do_not_meet(self, layer):
        x = RNG.normal(size=(4, 2, 6, 3)).astype(np.float32)
        whole = apply(layer, x)
        for t, b in np.ndindex(4, 2):
            np.testing.assert_allclose(whole[t, b], apply(layer, x[t, b]), rtol=1e-5, atol=1e-6)

    def test_nan_stays_with_its_step_and_sample(self, layer):
        x = RNG.normal(size=(4, 2, 6, 3)).astype(np.float32)
        x[1, 0] = np.nan
        nan = np.isnan(apply(layer, x))
        assert nan[1, 0].all()
        assert nan.sum() == nan[1, 0].size

    @pytest.mark.parametrize("dtype", [bool, np.int8, jnp.bfloat16, np.float16])
    def test_spikes_may_be_of_any_type(self, layer, dtype):
        layer = jax.tree.map(np.float32, layer)
        spikes = RNG.random((4, 6, 3)) < 0.5
        expected = apply(layer, spikes.astype(np.float32))
        # Sums of at most nine products in float32; of half precision only zeros, ones and halves are made.
        np.testing.assert_allclose(
            apply(layer, spikes.astype(dtype)).astype(np.float32), expected, rtol=1e-5, atol=1e-6
        )


@pytest.mark.skipif(not available(), reason="event-driven products are compiled by Numba (surgrad[events])")
def test_an_event_driven_sum_is_the_full_one():
    spikes = (RNG.random((6, 2, 30)) < 0.1).astype(np.float32)
    full = jax.tree.map(np.float32, dense(30, 5))
    loss = jax.jit(lambda layer, x: jnp.sum(jnp.sin(layer(x))))
    for found, expected in zip(
        jax.tree.leaves(jax.grad(loss)(full.replace(event_driven=True), spikes)),
        jax.tree.leaves(jax.grad(loss)(full, spikes)),
        strict=True,
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_random_weights_have_the_deviation_that_was_asked_for():
    layer = Linear(64, 512, key=jax.random.key(1), gain=3.0)
    weights, deviation = np.asarray(layer.weight), 3.0 / math.sqrt(64)
    assert abs(weights.std() / deviation - 1) < 5 / math.sqrt(2 * weights.size)  # five standard errors
    assert abs(weights.mean()) < 5 * deviation / math.sqrt(weights.size)
    assert not layer.bias.any()
    assert Linear(64, 512, key=jax.random.key(1), use_bias=False).bias is None


INITIALISED = {  # a layer with an initializer of JAX, and its numbers of inputs and outputs
    "Linear": (lambda **options: Linear(96, 128, **options), 96, 128),
    "Conv2d": (lambda **options: Conv2d(16, 64, 3, **options), 9 * 16, 9 * 64),
    "ConvTranspose1d": (lambda **options: ConvTranspose1d(32, 64, 4, stride=2, **options), 4 * 32, 4 * 64),
    "Recurrent": (lambda **options: Recurrent(LeakyIntegrator(), 128, **options), 128, 128),
}


@pytest.mark.parametrize(("layer", "inputs", "outputs"), INITIALISED.values(), ids=INITIALISED)
class TestInitializersOfJax:
    """Deviations as their papers have them; 4 standard errors, which 1/√n bounds for all three distributions."""

    @pytest.mark.parametrize(
        ("initializer", "variance"),
        [
            (jax.nn.initializers.he_normal(), lambda inputs, outputs: 2 / inputs),
            (jax.nn.initializers.lecun_normal(), lambda inputs, outputs: 1 / inputs),
            (jax.nn.initializers.glorot_uniform(), lambda inputs, outputs: 2 / (inputs + outputs)),
        ],
        ids=["he_normal", "lecun_normal", "glorot_uniform"],
    )
    def test_have_the_variance_of_their_papers(self, layer, inputs, outputs, initializer, variance):
        made = layer(key=jax.random.key(2), weight_init=initializer)
        plain = layer(key=jax.random.key(2))
        assert made.weight.shape == plain.weight.shape
        deviation = math.sqrt(variance(inputs, outputs))
        assert abs(np.std(made.weight) / deviation - 1) < 4 / math.sqrt(made.weight.size)

    def test_gain_multiplies_them(self, layer, inputs, outputs):
        options = {"key": jax.random.key(2), "weight_init": jax.nn.initializers.he_normal()}
        np.testing.assert_allclose(layer(gain=3.0, **options).weight, 3 * layer(**options).weight, rtol=1e-6)

    def test_orthogonal_ones_are_orthogonal(self, layer, inputs, outputs):
        weight = np.asarray(layer(key=jax.random.key(2), weight_init=jax.nn.initializers.orthogonal()).weight)
        matrix = weight.reshape(-1, weight.shape[-1])
        matrix = matrix if matrix.shape[0] >= matrix.shape[1] else matrix.T
        np.testing.assert_allclose(matrix.T @ matrix, np.eye(matrix.shape[1]), atol=1e-5)


def test_numbers_are_leaves_and_the_rest_is_structure():
    assert [leaf.shape for leaf in jax.tree.leaves(dense())] == [(3, 4), (4,)]
    assert [leaf.shape for leaf in jax.tree.leaves(dense().replace(bias=None))] == [(3, 4)]
    assert [leaf.shape for leaf in jax.tree.leaves(CONV)] == [(3, 3, 4), (4,)]
    assert jax.tree.leaves((AvgPool1d(2), Flatten(2))) == []


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (
            lambda: Linear.from_arrays(64, 32),
            r"Linear: weight must be \(in_features, out_features\) and bias .* got shapes \(\) and \(\)",
        ),
        (lambda: Linear.from_arrays(np.ones((2, 3)), np.ones(2)), r"got shapes \(2, 3\) and \(2,\)"),
        (lambda: dense(2)(np.ones((5, 3))), r"Linear: the input must be \(\.\.\., 2 features\), got shape \(5, 3\)"),
        (lambda: dense(2)(1.0), r"2 features\), got shape \(\)"),
        (lambda: Flatten(0), r"Flatten: axes must be an integer >= 1, got 0"),
        (lambda: Flatten(True), r"Flatten: axes must be an integer >= 1, got True"),
        (lambda: Flatten(3)(np.ones((4, 2))), r"Flatten: the input must have 3 axes or more, got shape \(4, 2\)"),
    ],
)
@pytest.mark.unchecked("wrong types on purpose")
def test_what_does_not_fit_is_refused_in_words(mistake, message):
    with pytest.raises(ValueError, match=message):
        mistake()


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (
            lambda: Linear.from_arrays([[1.0, 2.0]], [0.0, 0.0]),
            r"Linear: weight must be a real .* got \[\[1\.0, .*; convert it with jnp\.",
        ),
        (lambda: Linear.from_arrays(None), r"Linear: weight must be a real number or array, got None"),
        (
            lambda: Conv2d.from_arrays(np.ones((2, 2, 2, 2), complex)),
            r"Conv2d: weight must be .* got an array of complex128",
        ),
        (lambda: dense(event_driven="no"), r"Linear: event_driven must be True, False or 'auto', got 'no'"),
        (lambda: Linear(2, 3, key=jax.random.key(0), weight_init="he_normal"), r"Linear: weight_init must be .*'he_n"),
    ],
)
@pytest.mark.unchecked("wrong types on purpose")
def test_what_is_of_another_type_is_refused_in_words(mistake, message):
    with pytest.raises(TypeError, match=message):
        mistake()


@pytest.mark.parametrize("size", [0, -1, 1.5, True])
@pytest.mark.parametrize(
    ("draw", "name"),
    [
        (lambda size: Linear(size, 4, key=jax.random.key(0)), "Linear: in_features"),
        (lambda size: Linear(4, size, key=jax.random.key(0)), "Linear: out_features"),
        (lambda size: Conv2d(1, 2, (3, size), key=jax.random.key(0)), "Conv2d: kernel_size"),
        (lambda size: Recurrent(LeakyIntegrator(), size, key=jax.random.key(0)), "Recurrent: features"),
    ],
)
@pytest.mark.unchecked("wrong types on purpose")
def test_sizes_are_whole_numbers_from_one_on(draw, name, size):
    with pytest.raises(ValueError, match=rf"{name} must be an integer >= 1, got {size}"):
        draw(size)
