"""Batch normalisation over time: statistics of a whole batch in training, an affine connection elsewhere."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import surgrad
from ledger import CLOSED_FORM, agrees
from surgrad import nn

TIME, BATCH, FEATURES, LENGTHS = 7, 4, 3, np.array([7, 2, 0, 5])
RNG = np.random.default_rng(0)
XS = RNG.normal(1.0, 2.0, (TIME, BATCH, FEATURES))
SCALE, BIAS, MEAN, VARIANCE = RNG.uniform(0.5, 1.5, (4, FEATURES))
BEHIND = (np.arange(TIME)[:, None] >= LENGTHS)[..., None]


def layer():
    return nn.BatchNorm.from_arrays(SCALE, BIAS, MEAN, VARIANCE)


def normal(xs, mean, variance):
    return (xs - mean) / np.sqrt(variance + 1e-5) * SCALE + BIAS


def padded(xs):
    return np.where(BEHIND.reshape(TIME, BATCH, *(1,) * (xs.ndim - 2)), np.nan, xs)


def test_outside_training_it_is_affine_with_the_running_statistics(x64):
    exact = normal(XS, MEAN, VARIANCE)
    agrees(layer()(XS), exact, of=nn.BatchNorm, reference=CLOSED_FORM, rtol=1e-12)
    np.testing.assert_allclose(nn.unroll(nn.Sequential(layer()), XS, chunk_size=3).outputs, exact, rtol=1e-12)


@pytest.mark.parametrize("space", [(), (2, 5)], ids=["features", "space"])
@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["one length", "lengths"])
def test_in_training_the_statistics_are_those_of_all_time_steps_and_samples(lengths, space, x64):
    xs = RNG.normal(1.0, 2.0, (TIME, BATCH, *space, FEATURES))
    there = np.ones((TIME, BATCH), bool) if lengths is None else ~BEHIND[..., 0]
    values = xs[there].reshape(-1, FEATURES)
    mean, variance, n = values.mean(0), values.var(0), len(values)
    given = xs if lengths is None else padded(xs)
    _, outputs, new = nn.unroll_in_training(nn.Sequential(layer()), given, lengths=lengths, momentum=0.3)
    agrees(outputs[there], normal(xs, mean, variance)[there], of=nn.BatchNorm, reference=CLOSED_FORM, rtol=1e-10)
    np.testing.assert_array_equal(outputs[~there], 0)
    np.testing.assert_allclose(new[0].mean, 0.7 * MEAN + 0.3 * mean, rtol=1e-10)
    np.testing.assert_allclose(new[0].variance, 0.7 * VARIANCE + 0.3 * variance * n / (n - 1), rtol=1e-10)
    np.testing.assert_array_equal(new[0].scale, SCALE)


def deep():
    """A network with a network inside, whose neurons are smooth, so that difference quotients exist."""
    keys = jax.random.split(jax.random.key(0), 2)
    inner = nn.Sequential(nn.BatchNorm(4, threshold=0.5), nn.LIF(surgrad.Sigmoid(3.0).smooth(), 5.0, 0.5))
    return nn.Sequential(
        nn.Linear(FEATURES, 4, key=keys[0], gain=2.0),
        inner,
        nn.Dropout(0.5),
        nn.Linear(4, 2, key=keys[1]),
        nn.BatchNorm(2),
    )


def test_the_gradient_includes_that_of_the_statistics(x64):
    trained, rest = nn.partition(deep())
    leaves, structure = jax.tree.flatten(trained)
    along = [RNG.normal(size=leaf.shape) for leaf in leaves]

    @jax.jit
    def loss(h):
        moved = structure.unflatten([leaf + h * d for leaf, d in zip(leaves, along, strict=True)])
        run = nn.unroll_in_training(nn.combine(moved, rest), padded(XS), lengths=LENGTHS, key=jax.random.key(3))
        return (run.outputs**3).sum(), run.network

    gradient, _ = jax.grad(loss, has_aux=True)(0.0)
    quotient = (loss(1e-6)[0] - loss(-1e-6)[0]) / 2e-6
    np.testing.assert_allclose(gradient, quotient, rtol=1e-6)
    running = jax.jacobian(lambda h: loss(h)[1][4].mean)(0.0)
    np.testing.assert_array_equal(running, 0)


def test_a_network_with_the_statistics_of_its_batch_gives_the_same_in_every_chunk(x64):
    net = deep()
    _, outputs, new = nn.unroll_in_training(net, XS, momentum=1.0, dropout=False)
    biased = (TIME * BATCH - 1) / (TIME * BATCH)
    is_norm = lambda part: isinstance(part, nn.BatchNorm)
    fixed = jax.tree.map(lambda p: p.replace(variance=biased * p.variance) if is_norm(p) else p, new, is_leaf=is_norm)
    for options in ({}, {"chunk_size": 2}, {"checkpoint_every": 3}):
        np.testing.assert_allclose(nn.unroll(fixed, XS, **options).outputs, outputs, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("options", [{}, {"lengths": LENGTHS, "checkpoint_every": 3}], ids=["plain", "lengths"])
def test_records_are_those_of_a_network_with_the_statistics_of_its_batch(options, x64):
    net = deep()
    summaries = {"mean": nn.MeanOverTime(), "most": nn.MaxOverTime()}
    asked = [
        {"1.1.v": 2, "1.0.outputs": 3, "4.inputs": 1, "0.outputs": 2, "2.state": 4},
        nn.Record("1.1.spikes", summary=nn.MeanOverTime()),
        nn.Record("1.0.inputs", summary=summaries, every=2),
    ]
    key = jax.random.key(3)
    given = padded(XS) if options else XS
    run = nn.unroll_in_training(net, given, key=key, momentum=1.0, record=asked, **options)
    plain = nn.unroll_in_training(net, given, key=key, momentum=1.0, **options)
    np.testing.assert_allclose(run.outputs, plain.outputs, rtol=1e-12)
    assert run.network == plain.network
    n = LENGTHS.sum() if options else TIME * BATCH
    is_norm = lambda part: isinstance(part, nn.BatchNorm)
    of_batch = lambda p: p.replace(variance=(n - 1) / n * p.variance) if is_norm(p) else p
    fixed = nn.with_dropout(jax.tree.map(of_batch, run.network, is_leaf=is_norm), key=key)
    expected = nn.unroll(nn.Sequential(*fixed.parts, nn.LeakyIntegrator()), given, record=asked, **options).records
    assert list(run.records) == list(expected)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12), run.records, expected)


def test_firing_rates_in_training_can_be_a_part_of_a_loss(x64):
    trained, rest = nn.partition(deep())
    leaves, structure = jax.tree.flatten(trained)
    along = [RNG.normal(size=leaf.shape) for leaf in leaves]

    @jax.jit
    def rate(h):
        moved = structure.unflatten([leaf + h * d for leaf, d in zip(leaves, along, strict=True)])
        net, rates = nn.combine(moved, rest), nn.Record("1.1.spikes", summary=nn.MeanOverTime())
        found = nn.unroll_in_training(net, XS, key=jax.random.key(3), record=rates)
        return found.records["1.1.spikes"].sum()

    gradient = jax.grad(rate)(0.0)
    assert abs(gradient) > 1e-3
    np.testing.assert_allclose(gradient, (rate(1e-6) - rate(-1e-6)) / 2e-6, rtol=1e-6)
    with pytest.raises(ValueError, match=r"nothing to record is called '7\.v'"):
        nn.unroll_in_training(deep(), XS, key=jax.random.key(3), record="7.v")


def test_a_network_without_normalisation_runs_as_in_unroll(x64):
    net = nn.Sequential(nn.Linear(FEATURES, 4, key=jax.random.key(0)), nn.LIF(), nn.MeanOverTime())
    for options in ({}, {"lengths": LENGTHS}, {"checkpoint_every": 2}):
        found, expected = nn.unroll_in_training(net, XS, **options), nn.unroll(net, XS, **options)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12), found[:2], tuple(expected))
        assert found.network == net
    cell = nn.LeakyIntegrator(3.0)
    np.testing.assert_allclose(nn.unroll_in_training(cell, XS).outputs, nn.unroll(cell, XS).outputs, rtol=1e-12)


def test_dropout_is_drawn_by_the_key_and_leaves_no_key_in_the_network():
    net, xs = nn.Sequential(nn.Dropout(0.5), nn.LeakyIntegrator(3.0)), XS.astype(np.float32)
    state, outputs, new = nn.unroll_in_training(net, xs, key=jax.random.key(0))
    expected = nn.unroll(nn.with_dropout(net, key=jax.random.key(0)), xs)
    np.testing.assert_allclose(outputs, expected.outputs, rtol=1e-6)
    assert new == net and state[0].dtype == bool


@pytest.mark.unchecked("wrong types on purpose")
def test_dropout_without_a_key_is_an_error_unless_it_is_off_on_purpose():
    xs = XS.astype(np.float32)
    dropping = nn.Sequential(nn.Sequential(nn.Dropout(0.5)), nn.LeakyIntegrator(3.0))
    none = nn.Sequential(nn.Sequential(nn.Dropout(0.0)), nn.LeakyIntegrator(3.0))
    plain = nn.unroll(dropping, xs).outputs
    np.testing.assert_array_equal(nn.unroll_in_training(dropping, xs, dropout=False).outputs, plain)
    np.testing.assert_array_equal(nn.unroll_in_training(none, xs).outputs, plain)
    keyed = nn.with_dropout(dropping, key=jax.random.key(0))
    assert (nn.unroll_in_training(keyed, xs).outputs != plain).any()
    found = nn.unroll_in_training(keyed, xs, dropout=False, key=jax.random.key(0))
    np.testing.assert_array_equal(found.outputs, plain)
    assert found.network == keyed
    message = r"unroll_in_training: Dropout\(.* has no key .*; give key=key, a new one for each batch, or dropout=False"
    with pytest.raises(ValueError, match=message):
        nn.unroll_in_training(dropping, xs)
    with pytest.raises(ValueError, match=message):  # a rate that is traced may be above 0
        jax.eval_shape(lambda net: nn.unroll_in_training(net, xs).outputs, none)
    with pytest.raises(TypeError, match=r"unroll_in_training: dropout must be True or False, got 0\.5"):
        nn.unroll_in_training(dropping, xs, dropout=0.5)


def test_scale_and_bias_are_trained_and_statistics_are_not():
    net = nn.Sequential(nn.BatchNorm(3, threshold=2.0, alpha=0.5), nn.LIF())
    trained, rest = nn.partition(net)
    assert [leaf.shape for leaf in jax.tree.leaves(trained)] == [(3,), (3,)]
    np.testing.assert_array_equal(trained[0].scale, 1.0)
    assert trained[0].mean is None and rest[0].scale is None and rest[0].variance.shape == (3,)
    scale, bias = net.connections()[0]
    moved = net.with_connections(((scale + 1, bias), None))
    np.testing.assert_array_equal(moved[0].scale, 2.0)
    np.testing.assert_array_equal(moved[0].mean, net[0].mean)


def test_sums_over_time_are_single_precision_for_half_precision_inputs():
    xs = jnp.asarray(np.tile([[[0.0]], [[2.0]]], (1500, 1, 1)), jnp.bfloat16)
    _, outputs, new = nn.unroll_in_training(nn.Sequential(nn.BatchNorm(1)), xs, momentum=1.0)
    assert outputs.dtype == jnp.bfloat16
    np.testing.assert_allclose([new[0].mean[0], new[0].variance[0]], [1.0, 3000 / 2999], rtol=1e-5)


def test_a_step_of_training_does_not_move_the_statistics_by_their_gradient():
    optax, train = pytest.importorskip("optax"), pytest.importorskip("surgrad.train")
    net = nn.Sequential(nn.BatchNorm(2), nn.LeakyIntegrator(3.0))
    fit = train.start(net, optax.adam(0.1))
    assert [leaf.shape for leaf in jax.tree.leaves(fit.network.connections())] == [(2,), (2,)]


@pytest.mark.unchecked("wrong arguments on purpose")
@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: nn.BatchNorm(0), ValueError, "BatchNorm: features must be an integer >= 1, got 0"),
        (lambda: nn.BatchNorm(3, threshold=0.0), ValueError, "BatchNorm: threshold must be > 0"),
        (lambda: nn.BatchNorm(3, momentum=0.1), TypeError, "has no parameter 'momentum'.*unroll_in_training"),
        (lambda: nn.BatchNorm(num_features=3), TypeError, "'num_features' is 'features' here"),
        (lambda: nn.BatchNorm(3)(np.ones((2, 4))), ValueError, r"must be \(\.\.\., 3 features\), got shape \(2, 4\)"),
        (lambda: nn.BatchNorm(3).train(), AttributeError, "there is no mode to set: surgrad.nn.unroll_in_training"),
        (
            lambda: nn.unroll_in_training(nn.BatchNorm(3), XS),
            TypeError,
            r"must be a cell, such as Sequential\(\.\.\.\)",
        ),
        (
            lambda: nn.unroll_in_training(nn.Sequential(nn.BatchNorm(3)), XS, momentum=2.0),
            ValueError,
            "unroll_in_training: momentum must be 0 to 1",
        ),
        (
            lambda: nn.unroll_in_training(nn.Sequential(Own(nn.BatchNorm(3))), XS),
            ValueError,
            r"part 0 of Sequential, unroll_in_training: BatchNorm.* stands inside a Own, where the statistics",
        ),
        (
            lambda: nn.unroll_in_training(nn.Sequential(nn.BatchNorm(3)), XS, lengths=[9, 1, 1, 1]),
            ValueError,
            "got 9 for sample 0",
        ),
    ],
)
def test_what_does_not_fit_is_refused_in_words(call, error, message):
    with pytest.raises(error, match=message):
        call()


class Own(nn.Connection):
    """A connection of a user around a layer."""

    norm: nn.BatchNorm

    def __call__(self, x):
        return self.norm(x)
