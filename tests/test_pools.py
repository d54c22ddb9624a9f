"""Pools reduce their windows as NumPy does, one by one, overlapping or not, and so are the derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from ledger import agrees
from surgrad import nn

RNG = np.random.default_rng(0)
POOLS = {
    np.mean: (nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d),
    np.sum: (nn.SumPool1d, nn.SumPool2d, nn.SumPool3d),
    np.max: (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d),
}
SPACE = (8, 7, 5)
WINDOWS = {
    "one number": (2, None),
    "one for each axis": ((3, 2, 1), None),
    "overlap": (3, 1),
    "overlap along one axis": ((2, 3, 2), (2, 1, 2)),
    "gaps": ((1, 2, 1), (3, 4, 2)),
    "whole axes": (SPACE, None),
}
apply = jax.jit(lambda pool, x: pool(x))


def cut(given, axes):
    return given[:axes] if isinstance(given, tuple) else given


def pooled(x, reduce, kernel, stride, axes):
    """What a function of NumPy makes of each window."""
    kernel = np.broadcast_to(cut(kernel, axes), axes)
    stride = kernel if stride is None else np.broadcast_to(cut(stride, axes), axes)
    counts = [(n - k) // s + 1 for n, k, s in zip(x.shape[-axes - 1 : -1], kernel, stride, strict=True)]
    result = np.empty((*x.shape[: -axes - 1], *counts, x.shape[-1]))
    for place in np.ndindex(*counts):
        window = tuple(slice(p * s, p * s + k) for p, s, k in zip(place, stride, kernel, strict=True))
        result[(..., *place, slice(None))] = reduce(x[(..., *window, slice(None))], tuple(range(-axes - 1, -1)))
    return result


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("reduce", POOLS, ids=lambda function: function.__name__)
class TestPools:
    @pytest.mark.parametrize("name", WINDOWS)
    @pytest.mark.parametrize("axes", [1, 2, 3])
    def test_are_those_of_numpy_window_by_window(self, reduce, axes, name):
        kernel, stride = WINDOWS[name]
        x = RNG.normal(size=(4, 2, *SPACE[:axes], 3))
        pool = POOLS[reduce][axes - 1](cut(kernel, axes), cut(stride, axes))
        exact = pooled(x, reduce, kernel, stride, axes)
        agrees(apply(pool, x), exact, of=pool, reference="NumPy, window by window", rtol=1e-12, atol=1e-14)

    @pytest.mark.parametrize("stride", [None, 1, (3, 2)], ids=str)
    def test_have_the_derivatives_of_finite_differences(self, reduce, stride):
        pool = POOLS[reduce][1]((2, 3), stride)
        loss = jax.jit(lambda x: jnp.sum(jnp.sin(pool(x))))
        check_grads(loss, (RNG.normal(size=(2, 5, 6, 2)),), order=2, modes=["fwd", "rev"], rtol=1e-5)

    @pytest.mark.parametrize("leading", [(), (0,), (2, 1, 3)])
    def test_take_any_leading_axes(self, reduce, leading):
        for pool, space in ((POOLS[reduce][1](2), (2, 3)), (POOLS[reduce][1](2, 1), (3, 5))):
            assert apply(pool, np.ones((*leading, 4, 6, 3))).shape == (*leading, *space, 3)


@pytest.mark.parametrize(
    ("pool", "shares"),
    [(nn.MaxPool1d(4), [0.5, 0, 0.5, 0, 0, 0]), (nn.MaxPool1d(3, 1), [0.5, 0, 2, 0, 1.5, 0])],
    ids=["without overlap", "with overlap"],
)
def test_equal_values_share_the_derivative_of_their_maximum(pool, shares):
    x = jnp.array([1.0, 0.0, 1.0, 0.0, 1.0, 0.0])[:, None]
    np.testing.assert_array_equal(jax.grad(lambda x: pool(x).sum())(x)[:, 0], shares)


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (lambda: nn.AvgPool2d((2, 1.5)), r"AvgPool2d: kernel_size must be an integer >= 1, got 1\.5"),
        (
            lambda: nn.MaxPool2d((2, 2, 2)),
            r"MaxPool2d: kernel_size must be an integer, or one for each of 2 axes of space, got \(2, 2, 2\)",
        ),
        (lambda: nn.SumPool1d(2, 0), r"SumPool1d: stride must be an integer >= 1, got 0"),
        (
            lambda: nn.AvgPool2d((2, 3))(np.ones((9, 4, 2, 1))),
            r"AvgPool2d: the input must be \(\.\.\., height >= 2, width >= 3, channels\), got shape \(9, 4, 2, 1\)",
        ),
        (lambda: nn.AvgPool2d((2, 3))(np.ones((4, 4))), r"channels\), got shape \(4, 4\)"),
    ],
)
@pytest.mark.unchecked("wrong types on purpose")
def test_what_does_not_fit_is_refused_in_words(mistake, message):
    with pytest.raises(ValueError, match=message):
        mistake()
