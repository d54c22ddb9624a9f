"""Surrogates of other libraries: `convert`, `lookup`, and the table that both are made from."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import surgrad
from surgrad import _answers, _peers
from surgrad.cli import main

X = np.concatenate([np.linspace(-3, 3, 61) + 1e-3, [0.0]])
U = np.abs(X)


def ramped(x):
    """The phase of a periodic slope above the threshold, -1/2 to 1/2."""
    return np.mod(x + 0.5, 1) - 0.5


def with_peak(slope, alpha, factor):
    """A slope of peak 1 in z = alpha x, scaled."""
    return factor * slope(alpha * X)


def fast(beta):
    return 1 / (beta * U + 1) ** 2


def triangle(width):
    return np.maximum(0, 1 - U / width)


def gauss(sigma, mu=0.0):
    return np.exp(-0.5 * ((X - mu) / sigma) ** 2) / (sigma * np.sqrt(2 * np.pi))


def logistic(z):
    s = 1 / (1 + np.exp(-np.clip(z, -700, 700)))
    return s * (1 - s)


def atan(alpha):
    return alpha / 2 / (1 + (np.pi / 2 * alpha * X) ** 2)


def box(width):
    return (width / 2 >= U) / width


FORMULAS = {
    "snntorch.straight_through_estimator": lambda: np.ones_like(X),
    "snntorch.triangular": lambda threshold: np.where(X >= 0, -threshold, threshold),
    "snntorch.fast_sigmoid": lambda slope: fast(slope),
    "snntorch.atan": atan,
    "snntorch.heaviside": lambda: 1.0 * (X >= 0),
    "snntorch.sigmoid": lambda slope: slope * logistic(slope * X),
    "snntorch.spike_rate_escape": lambda beta, slope: slope * np.exp(-beta * np.abs(X - 1)),
    "snntorch.LSO": lambda slope: np.where(X >= 0, 1, slope),
    "snntorch.SFS": lambda slope, B: (U <= B) * fast(slope),
    "spikingjelly.PiecewiseQuadratic": lambda alpha: np.maximum(0, alpha - alpha**2 * U),
    "spikingjelly.PiecewiseExp": lambda alpha: alpha / 2 * np.exp(-alpha * U),
    "spikingjelly.Sigmoid": lambda alpha: alpha * logistic(alpha * X),
    "spikingjelly.SoftSign": lambda alpha: 1 / (2 * alpha * (1 / alpha + U) ** 2),
    "spikingjelly.SuperSpike": lambda alpha: alpha * fast(1),
    "spikingjelly.ATan": atan,
    "spikingjelly.NonzeroSignLogAbs": lambda alpha: 1 / (1 / alpha + U),
    "spikingjelly.Erf": lambda alpha: alpha / np.sqrt(np.pi) * np.exp(-(alpha**2) * X**2),
    "spikingjelly.PiecewiseLeakyReLU": lambda w, c: np.where(w > U, 1 / (2 * w), c),
    "spikingjelly.SquarewaveFourierSeries": lambda n, T_period: (
        sum(np.cos(2 * np.pi * (2 * i - 1) * X / T_period) for i in range(1, int(n))) * 4 / T_period
    ),
    "spikingjelly.S2NN": lambda alpha, beta: np.where(
        X < 0, alpha * logistic(alpha * X), beta / (np.maximum(X, 0) + 1)
    ),
    "spikingjelly.QPseudoSpike": lambda alpha: (1 + 2 / (alpha - 1) * U) ** -alpha,
    "spikingjelly.LeakyKReLU": lambda leak, k: np.where(X >= 0, k, leak),
    "spikingjelly.FakeNumericalGradient": lambda alpha: np.minimum(1 / np.maximum(U, 1e-9), alpha),
    "spikingjelly.LogTailedReLU": lambda alpha: np.where(X > 0, 1 / np.maximum(X, 1), alpha),
    "spikingjelly.DeterministicPass": lambda: np.ones_like(X),
    "spikingjelly.Rect": lambda alpha: box(1 / alpha),
    "norse.super": lambda alpha: fast(1),
    "norse.triangle": lambda alpha: alpha * triangle(1),
    "norse.tanh": lambda alpha: 1 - np.tanh(alpha * X) ** 2,
    "norse.circ": lambda alpha: (
        2 * alpha * (1 / (2 * np.sqrt(alpha**2 + X**2)) - X**2 / (2 * (alpha**2 + X**2) ** 1.5))
    ),
    "norse.heavi_erfc": lambda alpha: 2 * np.exp(-(alpha**2) * X**2) / np.sqrt(np.pi),
    "spyx.tanh": lambda k: 4 / (np.exp(-k * X) + np.exp(k * X)) ** 2,
    "spyx.boxcar": lambda width, height: height * (width / 2 >= U),
    "spyx.triangular": lambda k: triangle(1 / k),
    "spyx.arctan": lambda k: 1 / (np.pi * (1 + (k * np.pi * X) ** 2)),
    "spyx.superspike": lambda k: fast(k),
    "sinabs.Heaviside": lambda window: 1.0 * (1 - window <= X + 1),
    "sinabs.Gaussian": lambda mu, sigma, grad_scale: grad_scale * gauss(sigma, mu),
    "sinabs.MultiGaussian": lambda sigma, h, s, grad_scale: (
        grad_scale * ((1 + h) * gauss(sigma) - h * gauss(s * sigma, sigma) - h * gauss(s * sigma, -sigma))
    ),
    "sinabs.SingleExponential": lambda grad_width, grad_scale: grad_scale / grad_width * np.exp(-U / grad_width),
    "sinabs.PeriodicExponential": lambda grad_width, grad_scale: (
        grad_scale * np.exp(-np.abs(np.where(X < 0, X, 2 * (np.mod(X + 0.5, 1)) - 1)) / grad_width)
    ),
    "rockpool.StepPWL": lambda window: 1.0 * (1 - window <= X + 1),
    "rockpool.step_pwl": lambda window: 1.0 * (1 - window <= X + 1),
    "rockpool.PeriodicExponential": lambda window: np.exp(-np.abs(np.where(X < 0, X, ramped(X))) / window),
    "lava_dl.Spike": lambda tau_rho, scale_rho: scale_rho / 2 / tau_rho * np.exp(-U / tau_rho),
    "lava_dl.graded_Spike": lambda tau_rho, scale_rho: scale_rho * np.exp(np.minimum(X, 0) / tau_rho),
    "jaxsnn.superspike": lambda alpha: fast(alpha),
    "snnax.superspike_surrogate": lambda beta: 1 / (beta * U + 1),
    "snnax.sigmoid_surrogate": lambda: logistic(X),
    "snnax.piecewise_surrogate": lambda beta: 1.0 * ((-beta < X) & (beta > X)),
    "stork.SuperSpike": fast,
    "stork.SuperSpike_MemClamp": lambda beta: 1 / (beta * np.maximum(-X, 0) + 1) ** 2,
    "stork.SuperSpike_rescaled": lambda beta: fast(beta) * (beta + 1) ** 2,
    "stork.SuperSpike_asymptote": lambda beta: beta * fast(beta),
    "stork.MultiSpike": lambda beta: 1 / (beta * np.abs(X - np.maximum(np.round(X), 0)) + 1) ** 2,
    "stork.TanhSpike": lambda beta: 1 + (1 - np.tanh(X * beta) ** 2),
    "stork.SigmoidSpike": lambda beta: logistic(beta * X),
    "stork.EsserSpike": lambda beta: np.maximum(0, 1 - np.abs(beta * X)),
    "stork.HardTanhSpike": lambda beta: 1 + np.clip(beta * X, -1, 1),
    "btorch.ATan": lambda alpha, damping_factor: with_peak(lambda z: 1 / (1 + z**2), alpha, damping_factor),
    "btorch.ATanApprox": lambda alpha, damping_factor: with_peak(
        lambda z: (1 - 0.28 * z**2) / (1 + 0.28 * z**2) ** 2, alpha, damping_factor
    ),
    "btorch.Erf": lambda alpha, damping_factor: with_peak(lambda z: np.exp(-np.log(2) * z**2), alpha, damping_factor),
    "btorch.Sigmoid": lambda alpha, damping_factor: with_peak(
        lambda z: 4 * logistic(2 * np.log(np.sqrt(2) + 1) * z), alpha, damping_factor
    ),
    "btorch.SuperSpike": lambda alpha, damping_factor: with_peak(
        lambda z: 1 / (1 + (np.sqrt(2) - 1) * np.abs(z)) ** 2, alpha, damping_factor
    ),
    "btorch.Triangle": lambda alpha, damping_factor: with_peak(
        lambda z: np.maximum(0, 1 - np.abs(z / 2)), alpha, damping_factor
    ),
    "jaxpike.FastSigmoid": lambda slope: fast(slope),
    "jaxpike.ATan": atan,
    "jaxpike.Triangular": lambda width: triangle(width) / width,
    "jaxpike.Boxcar": box,
    "sparx.ATan": atan,
    "sparx.Sigmoid": lambda alpha: alpha * logistic(alpha * X),
    "sparx.FastSigmoid": lambda slope: fast(slope),
    "sparx.Triangle": lambda width, scale: scale * triangle(width),
    "sparx.Rectangle": box,
    "sparx.Gaussian": gauss,
    "sparx.StraightThrough": lambda: np.ones_like(X),
    "braintools.PiecewiseLinear": lambda: triangle(1),
}
"""The slopes as the source of each library has them, which `peers.toml` names; at the ends of boxes as here."""

ROWS = [row for row in _peers.rows() if row.full_name in FORMULAS]
SAME = [row for row in _peers.rows() if row.full_name not in FORMULAS]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.full_name)
@pytest.mark.parametrize("factor", [1, 1.5], ids=["defaults", "others"])
@pytest.mark.filterwarnings("ignore:norse.super has the same slope")
def test_the_surrogate_has_the_slope_of_the_library(row, factor, x64):
    hyper = {p: v + 1 if p == "n" else v * factor for p, v in row.parameters.items()}
    if factor == 1:
        hyper = dict(row.parameters)
    ours = surgrad.convert(row.full_name, **hyper)
    expected = FORMULAS[row.full_name](**hyper)
    scale = np.max(np.abs(expected))
    np.testing.assert_allclose(ours.surrogate_grad(jnp.asarray(X)), expected, rtol=1e-9, atol=1e-12 * scale)
    assert len(jax.tree.leaves(ours)) >= len(row.parameters.keys() - row.unused - {"n"}), "its numbers are leaves"


def test_every_formula_belongs_to_a_row_and_the_others_are_those_of_braintools():
    assert set(FORMULAS) == {row.full_name for row in ROWS}
    for row in SAME:
        assert row.library.key == "braintools"
        assert surgrad.convert(row.full_name) == surgrad.catalogue()[row.name](**row.parameters)


def test_every_library_says_what_else_differs():
    assert {row.library.key for row in _peers.rows()} == set(_peers.libraries())
    for library in _peers.libraries().values():
        assert library.at_threshold in (0, 0.5, 1)
        assert all((library.read, library.reset, library.decay, library.here))
    for key, table in _peers._tables().items():
        names = {row.name for row in _peers.rows() if row.library.key == key}
        assert table.get("notes", {}).keys() <= names
        assert table.get("unused", {}).keys() <= names


def test_names_are_read_in_any_case_and_by_other_names():
    for name in ("snnTorch.FastSigmoid", "snntorch.surrogate.fast_sigmoid", "snntorch.fastsigmoid"):
        assert surgrad.convert(name, slope=9) == surgrad.FastSigmoid(9.0)
    assert surgrad.convert("snntorch.ste") == surgrad.convert("snntorch.straight_through_estimator")
    assert surgrad.convert("lava-dl.Spike") == surgrad.convert("lava_dl.spike")
    assert surgrad.convert("fast_sigmoid", slope=9) == surgrad.FastSigmoid(9.0)


def test_other_names_lead_to_rows():
    keys = {_peers.squashed(row.name) for row in _peers.rows()}
    for other, name in _peers.other_names().items():
        assert name in keys, other
        assert other == _peers.squashed(other)


@pytest.mark.parametrize("name", ["snntorch.atan", "spyx.arctan", "btorch.Sigmoid", "btorch.ATanApprox"])
def test_parameters_are_traced_mapped_and_differentiated(name, x64):
    first = next(iter(next(row for row in _peers.rows() if row.full_name == name).parameters))
    slope = lambda value: surgrad.convert(name, **{first: value}).surrogate_grad(0.3)
    values = jnp.array([0.5, 2.0])
    mapped = jax.jit(jax.vmap(slope))(values)
    np.testing.assert_allclose(mapped, [slope(0.5), slope(2.0)], rtol=1e-12)
    expected = (slope(2.0 + 1e-6) - slope(2.0 - 1e-6)) / 2e-6
    np.testing.assert_allclose(jax.jit(jax.grad(slope))(2.0), expected, rtol=1e-6)


def test_equal_conversions_are_one_program():
    count = 0

    @jax.jit
    def slope(surrogate):
        nonlocal count
        count += 1
        return surrogate.surrogate_grad(0.3)

    for alpha in (1.0, 2.0):
        slope(surgrad.convert("stork.HardTanhSpike", beta=alpha))
    assert count == 1


def test_a_parameter_that_changes_nothing_there_is_reported():
    with pytest.warns(
        UserWarning, match=r"norse.super has the same slope there for every alpha, so alpha has no effect"
    ):
        surgrad.convert("norse.super", alpha=3.0)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: surgrad.convert("snntorc.atan"), KeyError, "no library 'snntorc'; the nearest is snntorch"),
        (
            lambda: surgrad.convert("keras.atan"),
            KeyError,
            "no library 'keras'; there are snntorch, spikingjelly, norse",
        ),
        (lambda: surgrad.convert("snntorch.fast_sigmod"), KeyError, "nearest is snntorch.fast_sigmoid"),
        (lambda: surgrad.convert("spyx.xyz"), KeyError, "no surrogate 'spyx.xyz'; there are spyx.tanh, spyx.boxcar"),
        (lambda: surgrad.convert("xyzxyz"), KeyError, "no surrogate 'xyzxyz'; the command `surgrad convert` lists all"),
        (lambda: surgrad.convert("superspike"), KeyError, "'superspike' is several: .*spyx.superspike.*write one"),
        (
            lambda: surgrad.convert("spyx.arctan", kk=2),
            TypeError,
            r"spyx.arctan has no parameter 'kk'; it has 'k'; arctan has peak 1/π",
        ),
        (lambda: surgrad.convert("snntorch.sigmoid", slop=2), TypeError, "the nearest is slope"),
        (lambda: surgrad.convert("snntorch.sigmoid", slope=-2), ValueError, "Sigmoid: alpha must be > 0, got -2"),
        (lambda: surgrad.lookup("xyzxyz"), KeyError, "no surrogate 'xyzxyz'"),
        (lambda: surgrad.lookup("fast_sigmod"), KeyError, "the nearest is fast_sigmoid"),
    ],
)
def test_wrong_names_are_answered_by_the_nearest(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_a_table_has_all_rows_of_a_name_in_the_common_view():
    found = surgrad.lookup("FastSigmoid")
    assert [one.library for one in found] == ["snntorch", "jaxpike", "sparx"]
    np.testing.assert_allclose([(one.height, one.area) for one in found], [(1, 0.08)] * 3, rtol=1e-6)
    assert found[0].surrogate == surgrad.FastSigmoid(25.0)
    assert repr(found).splitlines()[1].split() == [
        *("snntorch", "fast_sigmoid(slope=25)", "0.03314", "1", "0.08", "FastSigmoid(slope)")
    ]
    library = surgrad.lookup("norse")
    assert len(library) == 5
    assert "norse: super has the same slope there for every alpha" in repr(library)


def test_the_command_prints_one_a_library_or_all(capsys):
    assert main(["convert", "snntorch.fast_sigmoid", "slope=25"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("FastSigmoid(alpha=25.0)  # width 0.03314, height 1, area 0.08\n")
    assert "H(0) = 0, and 1 here" in said
    assert main(["convert", "spyx.arctan", "k=3"]) == 0
    assert "arctan has peak 1/π there at every k" in capsys.readouterr().out
    assert main(["convert"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(_peers.rows())
    assert main(["convert", "Norse"]) == 0
    assert re.search(r"norse.super\(alpha=100\) +SuperSpike\(1.0\)", capsys.readouterr().out)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["snntorch.fast_sigmod"], "the nearest is snntorch.fast_sigmoid"),
        (["snntorch.atan", "alpha"], "cannot read 'alpha' as a hyperparameter; write PARAMETER=VALUE"),
        (["snntorch.atan", "alpha=x"], "alpha must be a number, got 'x'"),
        (["snntorch.atan", "slope=2"], "snntorch.atan has no parameter 'slope'"),
        (["snntorch.atan", "alpha=-2"], "Arctan: alpha must be > 0"),
    ],
)
def test_mistakes_in_a_command_are_reported_in_one_line(arguments, message, capsys):
    assert main(["convert", *arguments]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1


def test_messages_come_from_the_table():
    assert _answers.surrogate_answer("ATan") == (
        "ATan(alpha=2) of snnTorch, SpikingJelly, jaxpike and sparx is Arctan(alpha) here; "
        "ATan(alpha=2, damping_factor=1) of btorch is Arctan(1.0).with_width(2 / alpha).with_height(damping_factor) here"
    )
