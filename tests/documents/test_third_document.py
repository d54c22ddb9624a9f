"""The meta-learning tutorial (the third document), block by block: 13 blocks.

It says that the loss changes with alpha, and its own numbers deny that: a loss on spikes does not depend on alpha, only
its gradient does, by convention (`parameter_tangent`). Its tables are those of single precision on a CPU.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import third_document_runs as runs

import surgrad as surrogate

EPS = float(np.finfo(np.float32).eps)


def assert_printed(values, table):
    """Numbers as a row of the document shows them: to half of the last digit, and one rounding for each of 60 steps."""
    shown = table.split()
    assert len(values) == len(shown)
    for value, text in zip(values, shown, strict=True):
        shown_to = 0.5 * 10.0 ** -len(text.partition(".")[2])
        assert abs(value - float(text)) <= shown_to + 60 * EPS / 2 * abs(value), (values, table)


@pytest.fixture(scope="module")
def leaky_relu_rows(compiled):
    return runs.learned_leaky_relu(compiled)


@pytest.fixture(scope="module")
def layer_rows(compiled):
    return runs.learned_layers(compiled)


@pytest.fixture(scope="module")
def s2nn_rows(compiled):
    return runs.learned_s2nn(surrogate.s2nn, compiled)


def test_block_01_surrogate_stands_for_surgrad():
    assert surrogate.sigmoid(0.0, alpha=4.0) == surrogate.Sigmoid(alpha=4.0)(0.0) == 1.0


def test_block_02_loss_and_gradient_by_alpha_are_zero_where_the_target_is_met():
    def loss_fn(alpha, x, target):
        return jnp.mean((surrogate.Sigmoid(alpha=alpha)(x) - target) ** 2)

    loss, gradient = jax.value_and_grad(loss_fn)(4.0, jnp.array([0.5, 1.0, 1.5]), jnp.array([1.0, 1.0, 1.0]))
    assert (f"{loss:.6f}", f"{gradient:.6f}") == ("0.000000", "0.000000")


def test_block_03_a_sum_of_spikes_does_not_change_with_alpha():
    def loss_fn(alpha, x):
        return jnp.sum(surrogate.sigmoid(x, alpha=alpha))

    alphas, x = jnp.linspace(0.5, 8.0, 50), jnp.array([0.0, 0.5, 1.0])
    np.testing.assert_array_equal(jax.vmap(lambda a: loss_fn(a, x))(alphas), jnp.full(50, 3.0))
    gradients = jax.vmap(lambda a: jax.grad(loss_fn, argnums=0)(a, x))(alphas)
    a, x = np.asarray(alphas, np.float64)[:, None], np.asarray(x, np.float64)
    s = 1 / (1 + np.exp(-a * x))
    terms = s * (1 - s) * (1 + a * x * (1 - 2 * s))
    # The exponent, at most 8, is rounded, and the terms cancel in their sum.
    np.testing.assert_allclose(gradients, terms.sum(1), atol=12 * EPS * np.abs(terms).max())


@pytest.mark.parametrize("alpha", [1.0, 2.0, 4.0, 8.0])
def test_block_04_the_slope_at_the_threshold_grows_by_a_quarter_of_alpha(alpha):
    slope = surrogate.Sigmoid(alpha=alpha).surrogate_grad(jnp.linspace(-2, 2, 1000))
    # The points of the grid that are nearest to 0 are 2 / 999 away, where the slope is lower by (alpha · x / 2)².
    assert slope.max() == pytest.approx(alpha / 4 * (1 - (alpha / 999) ** 2), rel=(alpha / 999) ** 4 + 8 * EPS)
    by_alpha = jax.grad(lambda a, x: surrogate.Sigmoid(alpha=a).surrogate_grad(x), argnums=0)(alpha, 0.0)
    assert by_alpha == 0.25


def test_block_05_alpha_moves_as_printed_and_the_loss_does_not():
    rows = runs.learned_alpha()
    assert_printed(rows[0], "33.388409 0.500000 0.277916")
    assert_printed(rows[10], "33.388409 9.684774 0.348439")
    assert_printed(rows[20], "33.388409 9.190311 0.358104")
    assert_printed(rows[30], "33.388409 8.329274 0.375764")
    assert_printed(rows[40], "33.388409 4.970298 0.454572")
    assert_printed([rows[-1][1], rows[-1][0], rows[0][0]], "8.0207 33.388409 33.388409")


def test_block_05_the_printed_loss_is_that_of_a_neuron_that_never_spikes():
    _, targets, _ = runs.data()
    silent = np.mean(np.asarray(targets, np.float64) ** 2)
    losses = [loss for loss, _, _ in runs.learned_alpha()]
    # A sum of 20 squares, rounded at each step.
    np.testing.assert_allclose(losses, silent, rtol=20 * EPS)


def test_block_06_the_history_can_be_drawn(axes):
    losses, alphas, _ = columns = np.transpose(runs.learned_alpha())
    for values in columns:
        axes.plot(np.arange(50), values)
    axes.set_yscale("log")
    assert (losses > 0).all()
    assert f"{alphas[-1]:.3f}" == "8.021"


@pytest.mark.parametrize(
    ("alpha", "final"),
    [
        (2.0, "23.981188"),
        *(
            pytest.param(*row, marks=pytest.mark.slow)
            for row in [(1.0, "24.676043"), (4.0, "24.676043"), (8.0, "33.388409")]
        ),
    ],
)
def test_block_07_losses_of_fixed_alphas_are_as_printed(alpha, final, compiled):
    losses = runs.losses_with_fixed_alpha(alpha, compiled)
    assert len(losses) == 50
    assert_printed(losses[-1:], final)


def test_block_08_both_parameters_of_leaky_relu_move_as_printed(leaky_relu_rows):
    rows = leaky_relu_rows
    assert_printed(rows[0], "33.388409 0.500000 1.000000")
    assert_printed(rows[10], "33.388409 0.500000 1.000000")
    assert_printed(rows[20], "26.434727 0.500000 0.889663")
    assert_printed(rows[30], "24.676041 0.500000 0.100000")
    assert_printed(rows[40], "23.983728 0.500000 0.100000")
    assert_printed(rows[-1][1:], "0.5000 0.1000")


def test_block_09_the_path_of_both_parameters_can_be_drawn(leaky_relu_rows, axes):
    losses, alphas, betas = np.transpose(leaky_relu_rows)
    points = axes.scatter(alphas, betas, c=np.arange(50), cmap="viridis")
    np.testing.assert_array_equal(points.get_offsets(), np.stack([alphas, betas], axis=1))
    axes.plot(losses)
    axes.set_yscale("log")


def test_block_10_alphas_of_three_layers_move_as_printed(layer_rows):
    assert_printed(layer_rows[0], "0.575000 2.0000 3.0000 3.9971")
    assert_printed(layer_rows[20], "0.575000 2.0000 3.0003 3.9381")
    assert_printed(layer_rows[40], "0.575000 2.0000 3.0006 3.8770")
    assert_printed(layer_rows[60], "0.575000 2.0000 3.0009 3.8138")
    assert_printed(layer_rows[80], "0.575000 2.0000 3.0012 3.7484")
    assert_printed(layer_rows[-1][1:], "2.0000 3.0015 3.6841")


def test_block_11_the_last_layer_has_lost_eight_per_cent_of_its_alpha(layer_rows, axes):
    first, *_, last = rows = np.array(layer_rows)[:, 1:]
    axes.plot(np.arange(100), rows)
    changes = 100 * (last - first) / first
    assert [f"{a:.3f} {b:.3f} {c:+.1f}" for a, b, c in zip(first, last, changes, strict=True)] == [
        "2.000 2.000 +0.0",
        "3.000 3.001 +0.0",
        "3.997 3.684 -7.8",
    ]


def test_block_12_three_parameters_of_s2nn_stay_finite_to_the_end(s2nn_rows):
    rows = s2nn_rows
    assert np.isfinite(rows).all()
    assert_printed(rows[0][:3], "33.388409 2.7373 1.0000")
    assert_printed(rows[15][:3], "33.388409 2.4906 1.0000")
    # The document shows nan in these two rows; the numbers are those of the corrected formula.
    assert_printed(rows[30][:3], "24.676041 2.6275 0.9540")
    assert_printed(rows[45][:3], "24.676041 2.8256 0.1000")
    assert_printed(rows[-1][1:3], "3.2303 0.1000")
    assert {f"{epsilon:.2e}" for *_, epsilon in rows} == {"1.00e-08"}


@pytest.mark.slow
def test_block_12_shows_nan_because_an_old_formula_divided_by_zero_in_its_dead_branch(compiled):
    rows = runs.learned_s2nn(lambda x, **parameters: runs.UnguardedS2NN(**parameters)(x), compiled)
    assert_printed(rows[0][:3], "33.388409 2.7373 1.0000")
    assert_printed(rows[15][:3], "33.388409 2.4906 1.0000")
    assert np.isnan(rows[30][1:3]).all()
    assert np.isnan(rows[45][1:3]).all()


@pytest.mark.parametrize(("cls", "by_beta"), [(runs.UnguardedS2NN, "nan"), (surrogate.S2NN, "0.0")])
def test_block_12_divided_by_zero_after_a_reset_without_input_where_x_is_minus_one(cls, by_beta):
    gradient = jax.grad(lambda beta: cls(4.0, beta, 1e-8).surrogate_grad(-1.0))
    assert str(gradient(1.0)) == by_beta


def test_block_13_the_history_can_be_drawn_on_logarithmic_axes(s2nn_rows, axes):
    for values in np.transpose(s2nn_rows):
        axes.plot(np.arange(60), values)
    axes.set_yscale("log")
    assert (np.array(s2nn_rows) > 0).all()
