"""Convolutions are the correlations that SciPy computes, transposed ones their adjoints, and so are the derivatives."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
from scipy.signal import correlate

from ledger import agrees, package
from surgrad import nn

RNG = np.random.default_rng(0)
KINDS = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
TRANSPOSED = {1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
SPACE = (8, 7, 5)
OPTIONS = {
    "defaults": {},
    "stride": {"stride": 3},
    "stride by axis": {"stride": (3, 1, 2)},
    "padding": {"padding": 2},
    "padding by axis": {"padding": (2, 0, 1)},
    "pairs": {"padding": ((1, 0), (0, 2), (2, 1))},
    "SAME": {"padding": "SAME"},
    "SAME, stride": {"padding": "SAME", "stride": 2},
    "same, in small letters": {"padding": "same", "stride": (1, 3, 2)},
    "SAME, dilation": {"padding": "SAME", "dilation": 2},
    "VALID": {"padding": "VALID"},
    "dilation": {"dilation": (2, 1, 2)},
    "groups": {"groups": 2},
    "all": {"stride": (1, 2, 2), "padding": ((1, 2), (2, 0), (1, 1)), "dilation": (2, 1, 1), "groups": 2},
}
apply = jax.jit(lambda layer, x: layer(x))


def options_of(name, axes):
    """Options for a number of axes of space: the first of those that are given for each axis."""
    return {key: given[:axes] if isinstance(given, tuple) else given for key, given in OPTIONS[name].items()}


def layer_of(kind, inputs=4, outputs=6, kernel=(3, 2, 2), bias=True, **options):
    weight = RNG.normal(size=(*kernel[: kind.spatial], inputs // options.get("groups", 1), outputs))
    return kind.from_arrays(weight, RNG.normal(size=outputs) if bias else None, **options)


def images(axes, channels=4, leading=(3, 2)):
    return RNG.normal(size=(*leading, *SPACE[:axes], channels))


def same(length, reach, stride):
    """Zeros that make ⌈length/stride⌉ windows fit, the odd one at the end."""
    total = max((-(-length // stride) - 1) * stride + reach + 1 - length, 0)
    return total // 2, total - total // 2


def dilated(kernel, dilation):
    """A kernel with zeros between its elements."""
    spread = np.zeros([(k - 1) * d + 1 for k, d in zip(kernel.shape, dilation, strict=True)])
    spread[tuple(slice(None, None, d) for d in dilation)] = kernel
    return spread


def kernels(layer):
    """Input channel, output channel and dilated kernel of each pair of channels that meet."""
    (inputs, outputs), groups = layer.weight.shape[-2:], layer.groups
    for o, i in itertools.product(range(outputs), range(inputs)):
        yield o // (outputs // groups) * inputs + i, o, dilated(layer.weight[..., i, o], layer.dilation)


def correlated(x, layer):
    """The convolution of one sample, `(*space, channels)`, by SciPy, channel by channel."""
    pads = layer.padding
    if pads == "SAME":
        reach = [(k - 1) * d for k, d in zip(layer.weight.shape, layer.dilation, strict=False)]
        pads = [same(n, r, s) for n, r, s in zip(x.shape, reach, layer.stride, strict=False)]
    x, total = np.pad(x, [*pads, (0, 0)]), {}
    for i, o, kernel in kernels(layer):
        total[o] = total.get(o, 0) + correlate(x[..., i], kernel, "valid", "direct")
    kept = tuple(slice(None, None, s) for s in layer.stride)
    return np.stack([total[o][kept] for o in sorted(total)], axis=-1) + (0 if layer.bias is None else layer.bias)


def scattered(x, layer):
    """The transposed convolution of one sample: each input adds its multiple of the flipped kernel to the output."""
    space, reach = x.shape[:-1], [(k - 1) * d for k, d in zip(layer.weight.shape, layer.dilation, strict=False)]
    outputs = layer.weight.shape[-1]
    y = np.zeros([*((n - 1) * s + r + 1 for n, s, r in zip(space, layer.stride, reach, strict=True)), outputs])
    for place in np.ndindex(*space):
        window = tuple(slice(p * s, p * s + r + 1) for p, s, r in zip(place, layer.stride, reach, strict=True))
        for i, o, kernel in kernels(layer):
            y[(*window, o)] += x[(*place, i)] * np.flip(kernel)
    cut = tuple(slice(low, n - high) for n, (low, high) in zip(y.shape, layer.padding, strict=False))
    return y[cut] + (0 if layer.bias is None else layer.bias)


def over_samples(reference, x, layer):
    leading, sample = x.shape[:2], x.shape[2:]
    y = np.stack([reference(one, layer) for one in x.reshape(-1, *sample)])
    return y.reshape(*leading, *y.shape[1:])


@pytest.mark.usefixtures("x64")
class TestValues:
    @pytest.mark.parametrize("name", OPTIONS)
    @pytest.mark.parametrize("axes", KINDS)
    def test_of_a_convolution_are_those_of_scipy(self, axes, name):
        layer, x = layer_of(KINDS[axes], **options_of(name, axes)), images(axes)
        exact = over_samples(correlated, x, layer)
        agrees(apply(layer, x), exact, of=layer, reference=package("scipy"), rtol=1e-12, atol=1e-13)

    @pytest.mark.parametrize("name", [name for name in OPTIONS if "same" not in name.lower()])
    @pytest.mark.parametrize("axes", KINDS)
    def test_of_a_transposed_convolution_are_scattered_kernels(self, axes, name):
        layer, x = layer_of(TRANSPOSED[axes], **options_of(name, axes)), images(axes)[..., :4, :]
        exact = over_samples(scattered, x, layer)
        agrees(apply(layer, x), exact, of=layer, reference="kernels added up in NumPy", rtol=1e-12, atol=1e-13)

    @pytest.mark.parametrize("dilation", [1, 2])
    @pytest.mark.parametrize("stride", [1, 2, 5])
    @pytest.mark.parametrize("kernel", [(1,), (2,), (3,)])
    def test_same_of_a_transposed_convolution_is_that_of_jax(self, kernel, stride, dilation):
        layer = layer_of(nn.ConvTranspose1d, kernel=kernel, stride=stride, dilation=dilation, padding="SAME")
        x = images(1, leading=(2,))
        expected = jax.lax.conv_transpose(
            x, layer.weight, (stride,), "SAME", (dilation,), dimension_numbers=("NWC", "WIO", "NWC")
        )
        assert expected.shape == (2, 8 * stride, 6)
        np.testing.assert_allclose(apply(layer, x), np.asarray(expected) + layer.bias, rtol=1e-12, atol=1e-13)

    @pytest.mark.parametrize("axes", KINDS)
    def test_are_less_by_the_bias_without_one(self, axes):
        for kind in (KINDS[axes], TRANSPOSED[axes]):
            layer, x = layer_of(kind), images(axes)
            expected = np.asarray(apply(layer, x)) - layer.bias
            np.testing.assert_allclose(apply(layer.replace(bias=None), x), expected, atol=1e-12)

    @pytest.mark.parametrize("leading", [(), (1,), (0,), (0, 2), (2, 1, 3)])
    def test_take_any_leading_axes(self, leading):
        for kind, length in ((nn.Conv2d, 5), (nn.ConvTranspose2d, 9)):
            layer = layer_of(kind, kernel=(3, 3), padding=1, stride=1 if kind is nn.Conv2d else 2)
            assert apply(layer, RNG.normal(size=(*leading, 5, 5, 4))).shape == (*leading, length, length, 6)


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("name", ["stride by axis", "pairs", "dilation", "groups", "all"])
@pytest.mark.parametrize("axes", KINDS)
def test_a_transposed_convolution_with_the_flipped_kernel_is_the_adjoint(axes, name):
    options = options_of(name, axes)
    convolution = layer_of(KINDS[axes], bias=False, **options)
    groups, kernel = convolution.groups, np.flip(convolution.weight, range(axes))
    # Inputs and outputs change places within each group.
    back = np.concatenate([np.swapaxes(group, -1, -2) for group in np.split(kernel, groups, axis=-1)], axis=-1)
    y = RNG.normal(size=apply(convolution, x := images(axes)).shape)
    adjoint = apply(TRANSPOSED[axes].from_arrays(back, **options), y)
    # What the strides leave out at the end of an axis is no output of the adjoint.
    inside = (..., *(slice(n) for n in adjoint.shape[-axes - 1 : -1]), slice(None))
    x = np.pad(x[inside], [(0, n - m) for n, m in zip(x.shape, adjoint.shape, strict=True)])
    np.testing.assert_allclose(np.sum(apply(convolution, x) * y), np.sum(x[inside] * adjoint), rtol=1e-12)


SMALL = {
    "one axis": layer_of(nn.Conv1d, 2, 2, stride=2, padding=1),
    "two axes": layer_of(nn.Conv2d, 2, 4, stride=(2, 1), padding=((1, 0), (0, 1)), dilation=(1, 2), groups=2),
    "three axes": layer_of(nn.Conv3d, 2, 2, padding="SAME"),
    "transposed, one axis": layer_of(nn.ConvTranspose1d, 2, 2, stride=2, padding="SAME"),
    "transposed, two axes": layer_of(nn.ConvTranspose2d, 2, 4, stride=(2, 1), padding=1, dilation=2, groups=2),
    "transposed, three axes": layer_of(nn.ConvTranspose3d, 2, 2, stride=2, bias=False),
}


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("layer", SMALL.values(), ids=SMALL)
def test_derivatives_to_the_second_order_are_those_of_finite_differences(layer):
    x = RNG.normal(size=(2, *(4, 3, 3)[: layer.spatial], 2))
    loss = jax.jit(lambda layer, x: jnp.sum(jnp.sin(layer(x))))
    check_grads(loss, (layer, x), order=2, modes=["fwd", "rev"], rtol=1e-5)


@pytest.mark.parametrize(
    ("kind", "kernel", "fan_in"),
    [(nn.Conv1d, 4, 64), (nn.Conv2d, (3, 3), 144), (nn.Conv3d, 2, 128), (nn.ConvTranspose2d, 3, 144)],
)
def test_random_weights_have_the_deviation_that_was_asked_for(kind, kernel, fan_in):
    layer = kind(16, 256, kernel, key=jax.random.key(1), gain=3.0)
    weight, deviation = np.asarray(layer.weight), 3.0 / np.sqrt(fan_in)
    assert abs(weight.std() / deviation - 1) < 5 / np.sqrt(2 * weight.size)  # five standard errors
    assert abs(weight.mean()) < 5 * deviation / np.sqrt(weight.size)
    assert not layer.bias.any()
    assert kind(2, 4, kernel, key=jax.random.key(1), use_bias=False).bias is None


def test_an_integer_stands_for_all_axes():
    key = jax.random.key(0)
    one = nn.Conv2d(1, 2, 3, stride=2, padding=1, dilation=2, key=key)
    assert one == nn.Conv2d(1, 2, (3, 3), (2, 2), ((1, 1), (1, 1)), (2, 2), key=key)
    assert nn.Conv2d(4, 6, 3, groups=2, key=key).weight.shape == (3, 3, 2, 6)


def conv(kernel=(3, 3), inputs=2, **options):
    return nn.Conv2d.from_arrays(np.ones((*kernel, inputs, 3)), np.ones(3), **options)


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (
            lambda: nn.Conv2d.from_arrays(np.ones((3, 3)), np.ones(3)),
            r"Conv2d: weight must be \(kernel height, kernel width, in_channels / groups, out_channels\), got shape \(3, 3\)",
        ),
        (lambda: nn.Conv1d.from_arrays(np.ones((3, 2, 4)), np.ones(3)), r"got shapes \(3, 2, 4\) and \(3,\)"),
        (
            lambda: nn.Conv1d.from_arrays(np.ones((3, 2, 5)), groups=2),
            r"Conv1d: groups must divide out_channels, got 2, 5",
        ),
        (lambda: conv(stride=0), r"Conv2d: stride must be an integer >= 1, got 0"),
        (lambda: conv(stride=1.5), r"Conv2d: stride must be an integer >= 1, got 1\.5"),
        (
            lambda: conv(stride=(2, 2, 2)),
            r"Conv2d: stride must be an integer, or one for each of 2 axes of space, got \(2, 2, 2\)",
        ),
        (lambda: conv(dilation=0), r"Conv2d: dilation must be an integer >= 1, got 0"),
        (lambda: conv(padding="FULL"), r"Conv2d: padding must be integers, 'SAME' or 'VALID', got 'FULL'"),
        (lambda: conv(padding=-1), r"Conv2d: padding must be an integer >= 0, got -1"),
        (lambda: conv(padding=((1, 2),)), r"padding must have a pair for each of 2 axes of space, got \(\(1, 2\),\)"),
        (lambda: conv(padding=(1, (1, 2))), r"padding must have a pair for each of 2 axes of space, got \(1, \(1, 2\)"),
        (lambda: conv(padding=((1, 2), (1,))), r"padding must have a pair for each of 2 axes of space, got \(\(1, 2\)"),
        (lambda: nn.Conv2d(1, 2, 0, key=jax.random.key(0)), r"Conv2d: kernel_size must be an integer >= 1, got 0"),
        (
            lambda: nn.Conv2d(1, 2, (3,), key=jax.random.key(0)),
            r"kernel_size must be an integer, or one for each of 2 axes",
        ),
        (lambda: nn.Conv2d(0, 2, 3, key=jax.random.key(0)), r"Conv2d: in_channels must be an integer >= 1, got 0"),
        (
            lambda: nn.Conv2d(1, 2.0, 3, key=jax.random.key(0)),
            r"Conv2d: out_channels must be an integer >= 1, got 2\.0",
        ),
        (
            lambda: nn.Conv2d(4, 6, 3, groups=4, key=jax.random.key(0)),
            r"Conv2d: groups must divide in_channels and out_channels, got 4, 4, 6",
        ),
        (
            lambda: conv()(np.ones((5, 8, 8, 1))),
            r"Conv2d: the input must be \(\.\.\., height >= 3, width >= 3, 2 channels\), got shape \(5, 8, 8, 1\)\.$",
        ),
        (lambda: conv()(np.ones((8, 2))), r"2 channels\), got shape \(8, 2\)"),
        (lambda: conv()(1.0), r"width >= 3, 2 channels\), got shape \(\)"),
        (lambda: conv()(np.ones((5, 2, 8, 8))), r"\(5, 2, 8, 8\); channels come last here: jnp\.moveaxis\(x, -3, -1\)"),
        (lambda: conv((3, 5), padding=1)(np.ones((9, 4, 2, 2))), r"height >= 1, width >= 3, 2 channels\)"),
        (lambda: conv(padding="SAME")(np.ones((9, 0, 4, 2))), r"height >= 1, width >= 1"),
        (
            lambda: nn.ConvTranspose1d.from_arrays(np.ones((3, 1, 1)), stride=2, padding=3)(np.ones((2, 1))),
            r"ConvTranspose1d: the input must be \(\.\.\., width >= 3, 1 channels\), got shape \(2, 1\)",
        ),
    ],
)
@pytest.mark.unchecked("wrong types on purpose")
def test_what_does_not_fit_is_refused_in_words(mistake, message):
    with pytest.raises(ValueError, match=message):
        mistake()


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_the_length_of_the_kernel_chooses_the_axes_of_space(axes):
    key, lengths = jax.random.key(0), (3, 2, 2)[:axes]
    conv = nn.Conv(1, 2, lengths, padding="SAME", key=key)
    assert conv == getattr(nn, f"Conv{axes}d")(1, 2, lengths, padding="SAME", key=key)
    for kind in ("MaxPool", "AvgPool"):
        assert getattr(nn, kind)(lengths, 1) == getattr(nn, f"{kind}{axes}d")(lengths, 1)


@pytest.mark.unchecked("wrong types on purpose")
@pytest.mark.parametrize("lengths", [3, (), (1, 1, 1, 1)])
def test_a_kernel_that_does_not_tell_the_axes_of_space_is_refused(lengths):
    message = r"kernel_size must have a length for each of 1 to 3 axes of space, such as \(3, 3\) .*; \w+2d takes one"
    for make in (lambda: nn.Conv(1, 2, lengths, key=jax.random.key(0)), lambda: nn.MaxPool(lengths)):
        with pytest.raises(ValueError, match=message):
            make()
