"""Connections are the sums that their names say, at every step and sample alike, and so are their derivatives."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
from scipy.signal import correlate

from surgrad.nn import AvgPool2d, Conv2d, Flatten, LeakyIntegrator, Linear, Recurrent
from surgrad.nn._events import available

RNG = np.random.default_rng(0)
WINDOWS = {"1-D": (3,), "1-D, even": (4,), "2-D": (3, 2), "1 x 1": (1, 1)}
POOLED = {"mean": np.mean, "sum": np.sum, "max": np.max}
apply = jax.jit(lambda connection, x: connection(x))


def dense(inputs=3, outputs=4, **options):
    return Linear.from_arrays(RNG.normal(size=(inputs, outputs)), RNG.normal(size=outputs), **options)


def conv(window, inputs=2, outputs=3, **options):
    return Conv2d.from_arrays(RNG.normal(size=(*window, inputs, outputs)), RNG.normal(size=outputs), **options)


def zeros_around(length, window, stride):
    """What makes ⌈length/stride⌉ windows fit, the odd one at the end."""
    total = max((math.ceil(length / stride) - 1) * stride + window - length, 0)
    return total // 2, total - total // 2


def correlated(x, layer):
    """One sample, `(*space, inputs)`, channel by channel."""
    *window, inputs, outputs = layer.weight.shape
    if layer.padding == "SAME":
        around = [zeros_around(n, w, layer.stride) for n, w in zip(x.shape, window, strict=False)]
        x = np.pad(x, [*around, (0, 0)])
    kept = (slice(None, None, layer.stride),) * len(window)
    sums = [
        sum(correlate(x[..., i], layer.weight[..., i, o], "valid", "direct") for i in range(inputs))[kept]
        for o in range(outputs)
    ]
    return np.stack(sums, axis=-1) + layer.bias


def samples(array, axes):
    """All samples of an array one after the other, and the shape of time and batch."""
    return array.reshape(-1, *array.shape[-axes:]), array.shape[:-axes]


@pytest.mark.usefixtures("x64")
class TestSums:
    @pytest.mark.parametrize("leading", [(), (5,), (5, 1), (5, 2, 2), (0, 2)])
    def test_dense_sums_along_the_last_axis(self, leading):
        layer, x = dense(), RNG.normal(size=(*leading, 3))
        expected = np.einsum("...i,ij->...j", x, layer.weight) + layer.bias
        np.testing.assert_allclose(apply(layer, x), expected, rtol=1e-12)

    @pytest.mark.parametrize("padding", ["SAME", "VALID"])
    @pytest.mark.parametrize("stride", [1, 3])
    @pytest.mark.parametrize("window", WINDOWS.values(), ids=WINDOWS)
    def test_convolutions_are_correlations_channel_by_channel(self, window, stride, padding):
        layer = conv(window, stride=stride, padding=padding)
        x = RNG.normal(size=(4, 2, *(8, 7)[: len(window)], 2))
        expected = np.stack([correlated(sample, layer) for sample in samples(x, len(window) + 1)[0]])
        found = apply(layer, x)
        np.testing.assert_allclose(found, expected.reshape(4, 2, *expected.shape[1:]), rtol=1e-12, atol=1e-14)

    @pytest.mark.parametrize("leading", [(), (1,), (0,), (0, 2)])
    def test_convolutions_take_any_leading_axes(self, leading):
        layer, x = conv((3, 3)), RNG.normal(size=(*leading, 4, 4, 2))
        assert apply(layer, x).shape == (*leading, 4, 4, 3)

    @pytest.mark.parametrize("kind", POOLED)
    @pytest.mark.parametrize("window", [(2,), (3, 2), (1, 7)])
    def test_pools_are_those_of_windows_and_leave_out_what_does_not_fill_one(self, window, kind):
        x = RNG.normal(size=(4, 2, *(8, 7)[-len(window) :], 3))
        counts = [n // w for n, w in zip(x.shape[-len(window) - 1 :], window, strict=False)]
        expected = np.empty((4, 2, *counts, 3))
        for place in np.ndindex(*counts):
            inside = tuple(slice(p * w, (p + 1) * w) for p, w in zip(place, window, strict=True))
            over = tuple(range(-len(window) - 1, -1))
            expected[(..., *place, slice(None))] = POOLED[kind](x[(..., *inside, slice(None))], axis=over)
        np.testing.assert_allclose(apply(AvgPool2d(window), x), expected, rtol=1e-13)

    @pytest.mark.parametrize("axes", [1, 2, 3])
    @pytest.mark.parametrize("time", [3, 0])
    def test_flattening_keeps_the_order_of_the_last_axes(self, axes, time):
        x = RNG.normal(size=(time, 2, 4, 5))
        expected = x.reshape(*x.shape[:-axes], math.prod(x.shape[-axes:]))
        np.testing.assert_array_equal(apply(Flatten(axes), x), expected)


@pytest.mark.usefixtures("x64")
class TestDerivatives:
    @pytest.mark.parametrize(
        "layer",
        [dense(2, 3), conv((3,), stride=2), conv((2, 2), padding="VALID")],
        ids=lambda layer: f"{type(layer).__name__}-{layer.weight.ndim}",
    )
    def test_by_weights_bias_and_inputs_are_those_of_finite_differences(self, layer):
        x = RNG.normal(size=(2, 5, 4, 2))
        loss = jax.jit(lambda layer, x: jnp.sum(jnp.sin(layer(x))))
        check_grads(loss, (layer, x), order=1, modes=["fwd", "rev"], rtol=1e-6)

    @pytest.mark.parametrize("kind", POOLED)
    def test_through_a_pool_are_those_of_finite_differences(self, kind):
        loss = jax.jit(lambda x: jnp.sum(jnp.sin(AvgPool2d((2, 3))(x))))
        check_grads(loss, (RNG.normal(size=(2, 5, 6, 2)),), order=1, modes=["fwd", "rev"], rtol=1e-6)

    def test_equal_values_share_that_of_their_maximum(self):
        gradient = jax.grad(lambda x: MaxPool1d((4,))(x).sum())(jnp.array([[1.0], [0.0], [1.0], [0.0]]))
        np.testing.assert_array_equal(gradient[:, 0], [0.5, 0, 0.5, 0])


@pytest.mark.parametrize("layer", [dense(), conv((3,), 3), AvgPool1d((2,)), MaxPool1d((2,)), Flatten(1)], ids=repr)
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


@pytest.mark.parametrize(
    ("layer", "fan_in"),
    [
        (lambda key: Linear(64, 512, key=key, gain=3.0), 64),
        (lambda key: Conv1d(16, 512, (4,), key=key, padding="SAME", gain=3.0), 64),
        (lambda key: Conv2d(16, 128, (3, 3), key=key, padding="SAME", gain=3.0), 144),
    ],
    ids=["Dense", "Conv, 1-D", "Conv, 2-D"],
)
def test_random_weights_have_the_deviation_that_was_asked_for(layer, fan_in):
    layer = layer(jax.random.key(1))
    weights, deviation = np.asarray(layer.weight), 3.0 / math.sqrt(fan_in)
    assert abs(weights.std() / deviation - 1) < 5 / math.sqrt(2 * weights.size)  # five standard errors
    assert abs(weights.mean()) < 5 * deviation / math.sqrt(weights.size)
    assert not layer.bias.any()


def test_numbers_are_leaves_and_the_rest_is_structure():
    assert [leaf.shape for leaf in jax.tree.leaves(dense())] == [(3, 4), (4,)]
    assert [leaf.shape for leaf in jax.tree.leaves(conv((3,), stride=2))] == [(3, 2, 3), (3,)]
    assert jax.tree.leaves((AvgPool1d((2,)), Flatten(2))) == []


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (
            lambda: Linear.from_arrays(64, 32),
            r"Dense: weights must be .* got shapes \(\) and \(\); Dense\.random\(key, inputs",
        ),
        (lambda: Linear.from_arrays(np.ones((2, 3)), np.ones(2)), r"got shapes \(2, 3\) and \(2,\)"),
        (lambda: dense(2)(np.ones((5, 3))), r"Dense: the last axis of the input must be 2 long, got shape \(5, 3\)"),
        (lambda: dense(2)(1.0), r"must be 2 long, got shape \(\)"),
        (
            lambda: Conv2d.from_arrays(np.ones((3, 3)), np.ones(3)),
            r"Conv: weights must be .*got shapes \(3, 3\) and \(3,\)",
        ),
        (lambda: conv((3,), stride=0), r"Conv: stride must be an integer >= 1, got 0"),
        (lambda: conv((3,), stride=(2, 2)), r"Conv: stride must be an integer >= 1, got \(2, 2\)"),
        (lambda: conv((3,), padding="same"), r"Conv: padding must be one of 'SAME', 'VALID', got 'same'"),
        (
            lambda: Conv2d(1, 2, 3, key=None, padding="SAME"),
            r"Conv: window must be \(width,\) or \(height, width\), got 3",
        ),
        (
            lambda: conv((3, 3))(np.ones((5, 8, 8, 1))),
            r"Conv: the input must be \(\.\.\., height >= 1, width >= 1, 2 channels\), got shape \(5, 8, 8, 1\)",
        ),
        (lambda: conv((3, 3))(np.ones((8, 2))), r"2 channels\), got shape \(8, 2\)"),
        (lambda: conv((3,))(1.0), r"width >= 1, 2 channels\), got shape \(\)"),
        (
            lambda: conv((3, 5), padding="VALID")(np.ones((9, 4, 4, 2))),
            r"height >= 3, width >= 5, 2 channels\), got shape \(9, 4, 4, 2\)",
        ),
        (lambda: AvgPool2d(2), r"Pool: window must be a tuple, one length an axis of space, got 2"),
        (lambda: AvgPool2d((2, 1.5)), r"Pool: window must be an integer >= 1, got 1\.5"),
        (lambda: AvgPool1d((2,)), r"Pool: kind must be one of 'mean', 'sum', 'max', got 'median'"),
        (
            lambda: AvgPool2d((2, 3))(np.ones((9, 4, 2, 1))),
            r"\(\.\.\., >= 2, >= 3, channels\), got shape \(9, 4, 2, 1\)",
        ),
        (lambda: AvgPool2d((2, 3))(np.ones((4, 4))), r"channels\), got shape \(4, 4\)"),
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
            r"Dense: weights must be a real .* got \[\[1\.0, .*; convert it with jnp\.",
        ),
        (lambda: Linear.from_arrays(np.ones((2, 2)), None), r"Dense: bias must be a real number or array, got None"),
        (
            lambda: Conv2d.from_arrays(np.ones((2, 2, 2), complex), np.ones(2)),
            r"Conv: weights must be .* got an array of complex128",
        ),
        (lambda: dense(event_driven="no"), r"Dense: event_driven must be True or False, got 'no'"),
    ],
)
@pytest.mark.unchecked("wrong types on purpose")
def test_what_is_of_another_type_is_refused_in_words(mistake, message):
    with pytest.raises(TypeError, match=message):
        mistake()


@pytest.mark.parametrize("size", [0, -1, 1.5, True])
@pytest.mark.parametrize(
    "draw",
    [
        lambda size: Linear(size, 4, key=None),
        lambda size: Linear(4, size, key=None),
        lambda size: Conv2d(1, 2, (3, size), key=None, padding="SAME"),
        lambda size: Recurrent(LeakyIntegrator(), size, key=None),
    ],
)
@pytest.mark.unchecked("wrong types on purpose")
def test_sizes_are_whole_numbers_from_one_on(draw, size):
    with pytest.raises(ValueError, match=rf"\.random: lengths must be an integer >= 1, got {size}"):
        draw(size)
