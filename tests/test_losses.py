"""Losses and regularisers: those of NumPy loops over single samples, with true gradients, also in padded batches."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ledger import CLOSED_FORM, agrees
from surgrad import losses, nn

TIME, CLASSES, LENGTHS = 7, 3, np.array([7, 4, 0, 2])
LABELS = np.array([1, 0, 2, 1])
RNG = np.random.default_rng(0)
XS = RNG.uniform(0.1, 0.9, (TIME, len(LENGTHS), CLASSES))
OTHERS = RNG.uniform(0.0, 1.0, (TIME, len(LENGTHS), CLASSES))
BEHIND = (np.arange(TIME)[:, None] >= LENGTHS)[..., None]


def entropy(logits, label):
    return np.log(np.exp(logits - logits.max()).sum()) + logits.max() - logits[label]


def onehot(label, on=1.0, off=0.0):
    return np.where(np.arange(CLASSES) == label, on, off)


def first_times(xs):
    return sum((np.prod(1 - xs[: t + 1], axis=0) for t in range(len(xs))), np.zeros(CLASSES))


def van_rossum(xs, ys, tau):
    d, t = xs - ys, np.arange(len(xs))
    return np.einsum("tc,uc,tu->c", d, d, np.exp(-np.abs(t[:, None] - t) / tau)) / 2


def temporal(xs, label, tolerance=0.0, on=1.0, off=None):
    away = first_times(xs) - onehot(label, on, len(xs) if off is None else off)
    return np.mean((np.where(np.abs(away) > tolerance, away, 0) / max(len(xs), 1)) ** 2)


def average(xs):
    return xs.mean(0) if len(xs) else np.zeros(CLASSES)


def of_steps(each, xs):
    return np.mean([each(x) for x in xs]) if len(xs) else 0.0


def outside(x):
    return np.mean(np.maximum(x - 0.7, 0) ** 2 + np.maximum(0.4 - x, 0) ** 2)


# The loss of a batch, `(xs, lengths=)`, and that of one sample `(xs, label, others)` in NumPy.
ROWS = {
    "ce_count_loss": ({}, lambda xs, label, _: entropy(xs.sum(0), label)),
    "ce_max_membrane_loss": ({}, lambda xs, label, _: entropy(xs.max(0) if len(xs) else average(xs), label)),
    "ce_mean_membrane_loss": ({}, lambda xs, label, _: entropy(average(xs), label)),
    "ce_last_membrane_loss": ({}, lambda xs, label, _: entropy(xs[-1] if len(xs) else average(xs), label)),
    "ce_rate_loss": ({}, lambda xs, label, _: of_steps(lambda x: entropy(x, label), xs)),
    "ce_temporal_loss": ({"tau": 0.5}, lambda xs, label, _: entropy(-first_times(xs) / 0.5, label)),
    "mse_temporal_loss": ({"on_target": 1.0, "tolerance": 1.5}, lambda xs, label, _: temporal(xs, label, 1.5)),
    "mse_count_loss": (
        {"correct_rate": 0.8, "incorrect_rate": 0.1},
        lambda xs, label, _: np.mean((xs.sum(0) - len(xs) * onehot(label, 0.8, 0.1)) ** 2) / max(len(xs), 1),
    ),
    "mse_rate_loss": (
        {"correct_rate": 0.8},
        lambda xs, label, _: np.mean((average(xs) - onehot(label, 0.8)) ** 2) * bool(len(xs)),
    ),
    "mse_membrane_loss": (
        {"on_target": 1.5, "off_target": -0.5},
        lambda xs, label, _: of_steps(lambda x: np.mean((x - onehot(label, 1.5, -0.5)) ** 2), xs),
    ),
    "van_rossum_loss": ({"tau": 3.0}, lambda xs, _, others: van_rossum(xs, others, 3.0).mean()),
    "rate_lower_bound": (
        {"minimum": 0.5},
        lambda xs, *_: np.mean(np.maximum(0.5 - average(xs), 0) ** 2) * bool(len(xs)),
    ),
    "rate_upper_bound": ({"maximum": 0.4}, lambda xs, *_: max(average(xs).mean() - 0.4, 0) ** 2),
    "membrane_bounds": ({"lower": 0.4, "upper": 0.7}, lambda xs, *_: of_steps(outside, xs)),
}
WITHOUT_TARGETS = {"rate_lower_bound", "rate_upper_bound", "membrane_bounds"}
each_loss = pytest.mark.parametrize("name", ROWS)


def of_batch(name, xs, others, **given):
    """The loss of a batch with the options of its row."""
    targets = {"van_rossum_loss": (others,)}.get(name, () if name in WITHOUT_TARGETS else (LABELS,))
    return getattr(losses, name)(xs, *targets, **ROWS[name][0], **given)


def test_every_loss_has_a_row():
    assert set(ROWS) == set(losses.__all__)


@functools.cache
def measured(name):
    """Of padded sequences in float64: losses, their gradient, and the difference quotient in one direction."""
    along = RNG.normal(size=XS.shape)

    @jax.jit
    def run(xs, others):
        padded = lambda h: jnp.where(BEHIND, jnp.nan, xs + h * along)
        whole = lambda xs: of_batch(name, xs, others, lengths=LENGTHS, reduction="sum")
        quotient = (whole(padded(1e-6)) - whole(padded(-1e-6))) / 2e-6
        each = of_batch(name, padded(0.0), others, lengths=LENGTHS, reduction="none")
        return each, jax.grad(whole)(padded(0.0)), quotient

    with jax.enable_x64(True):
        return *jax.tree.map(np.asarray, run(XS, np.where(BEHIND, np.nan, OTHERS))), along


@each_loss
def test_the_loss_of_a_padded_sample_is_that_of_the_sample_alone(name):
    alone = ROWS[name][1]
    exact = [alone(XS[:n, i], LABELS[i], OTHERS[:n, i]) for i, n in enumerate(LENGTHS)]
    agrees(measured(name)[0], exact, of=getattr(losses, name), reference=CLOSED_FORM, rtol=1e-12, atol=1e-14)


@each_loss
def test_the_gradient_is_that_of_finite_differences_and_none_behind_the_end(name):
    _, gradient, quotient, along = measured(name)
    np.testing.assert_allclose((gradient * along).sum(), quotient, rtol=1e-7, atol=1e-9)
    np.testing.assert_array_equal(gradient[np.broadcast_to(BEHIND, gradient.shape)], 0)
    assert np.abs(gradient).max() > 1e-4


@each_loss
def test_without_lengths_it_is_the_mean_of_the_samples(name, x64):
    exact = [ROWS[name][1](XS[:, i], LABELS[i], OTHERS[:, i]) for i in range(len(LENGTHS))]
    np.testing.assert_allclose(of_batch(name, XS, OTHERS), np.mean(exact), rtol=1e-12)


@pytest.mark.parametrize("name", sorted(set(ROWS) - WITHOUT_TARGETS - {"van_rossum_loss"}))
def test_labels_are_arrays_of_what_they_stand_for(name, x64):
    values = {
        "mse_count_loss": (0.8, 0.1),
        "mse_rate_loss": (0.8, 0.0),
        "mse_membrane_loss": (1.5, -0.5),
        "mse_temporal_loss": (1.0, float(TIME)),
    }.get(name, (1.0, 0.0))
    array = np.stack([onehot(label, *values) for label in LABELS])
    loss = functools.partial(getattr(losses, name), XS, **ROWS[name][0])
    np.testing.assert_allclose(loss(array), loss(LABELS), rtol=1e-12)


def test_smoothed_labels_are_probabilities(x64):
    smooth = 0.9 * np.eye(CLASSES)[LABELS] + 0.1 / CLASSES
    logits = XS.sum(0)
    exact = -(smooth * (logits - np.log(np.exp(logits).sum(-1, keepdims=True)))).sum(-1)
    np.testing.assert_allclose(losses.ce_count_loss(XS, smooth, reduction="none"), exact, rtol=1e-12)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16, int])
def test_probabilities_may_be_rounded(dtype):
    p = np.full((len(LENGTHS), CLASSES), 1 / 3) if dtype is not int else np.eye(CLASSES)[LABELS]
    assert jnp.isfinite(losses.ce_count_loss(XS, jnp.asarray(p, dtype)))


@pytest.mark.parametrize("name", ["ce_count_loss", "ce_rate_loss", "ce_temporal_loss"])
def test_probabilities_that_are_none_are_refused_unless_they_are_traced(name):
    loss, p = getattr(losses, name), np.full((len(LENGTHS), CLASSES), 1 / 3)
    for wrong, said in (
        ([1.5, -0.5, 0.0], "numbers from -0.5 with the sum 1"),
        ([1.0, 1.0, 0.0], "numbers from 0 with the sum 2"),
        ([np.nan, 0.5, 0.5], "numbers from nan"),
    ):
        p[2] = wrong
        message = f"{name}: probabilities of the classes must be >= 0 and sum to 1, got {said} .*for sample 2"
        with pytest.raises(ValueError, match=message):
            loss(XS, p)
        jax.eval_shape(loss, XS, p)


def test_target_potentials_may_change_over_time(x64):
    exact = np.mean((XS - OTHERS) ** 2)
    np.testing.assert_allclose(losses.mse_membrane_loss(XS, OTHERS), exact, rtol=1e-12)


def test_a_batch_has_any_number_of_axes(x64):
    spikes, labels = XS.reshape(TIME, 2, 2, CLASSES), LABELS.reshape(2, 2)
    np.testing.assert_allclose(losses.ce_count_loss(spikes, labels), losses.ce_count_loss(XS, LABELS), rtol=1e-12)
    one = losses.ce_count_loss(XS[:, 0], np.array(1))
    np.testing.assert_allclose(one, entropy(XS[:, 0].sum(0), 1), rtol=1e-12)


def test_sums_over_time_are_single_precision_for_half_precision_inputs():
    spikes = np.ones((2000, 1, 2))
    for dtype in (jnp.bfloat16, jnp.float16, bool, jnp.uint8):
        given = jnp.asarray(spikes, dtype)
        loss = losses.mse_count_loss(given, np.array([0]), incorrect_rate=1.0)
        assert (loss.dtype, float(loss)) == (jnp.float32, 0.0)
        assert float(losses.rate_upper_bound(given, 0.5)) == 0.25


def test_first_spike_times_are_those_of_the_readout_with_its_derivative():
    spikes = jnp.asarray(RNG.uniform(size=(TIME, 5, CLASSES)) < 0.2, float)
    labels = np.arange(5) % CLASSES

    def by_readout(spikes):
        times = nn.unroll(nn.FirstSpikeTime(), spikes, keep="last").outputs
        return -jnp.take_along_axis(jax.nn.log_softmax(-times), labels[:, None], 1).mean()

    found = jax.value_and_grad(losses.ce_temporal_loss)(spikes, labels)
    exact = jax.value_and_grad(by_readout)(spikes)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), found, exact)


class TestVanRossum:
    """Published values: 1/2 for a spike too many, and 1 - exp(-δ/τ) for one that is moved."""

    def trains(self, *times, steps=60):
        return jnp.zeros((steps, 1)).at[jnp.array(times, int)].set(1.0)

    @pytest.mark.parametrize("tau", [0.5, 4.0, 50.0])
    def test_single_spikes(self, tau, x64):
        for shift in (1, 3, 20):
            loss = losses.van_rossum_loss(self.trains(10), self.trains(10 + shift), tau=tau)
            agrees(loss, 1 - np.exp(-shift / tau), of=losses.van_rossum_loss, reference="van Rossum 2001", rtol=1e-12)
        loss = losses.van_rossum_loss(self.trains(10, 30), self.trains(10), tau=tau)
        agrees(loss, 0.5, of=losses.van_rossum_loss, reference="van Rossum 2001", rtol=1e-12)

    def test_short_time_constants_count_coincidences_and_long_ones_spikes(self, x64):
        first, second = self.trains(3, 10, 20, 40), self.trains(3, 11, 20)
        np.testing.assert_allclose(losses.van_rossum_loss(first, second, tau=1e-3), (4 + 3 - 2 * 2) / 2)
        np.testing.assert_allclose(losses.van_rossum_loss(first, second, tau=np.inf), (4 - 3) ** 2 / 2)

    def test_silence_after_the_last_spike_changes_nothing(self, x64):
        short, long = (
            losses.van_rossum_loss(self.trains(3, 8, steps=n), self.trains(5, steps=n), tau=20.0) for n in (9, 90)
        )
        np.testing.assert_allclose(short, long, rtol=1e-12)

    def test_each_neuron_may_have_a_time_constant_of_its_own(self, x64):
        taus = np.array([1.0, 5.0, 20.0])
        each = [losses.van_rossum_loss(XS[..., [c]], OTHERS[..., [c]], tau=taus[c]) for c in range(CLASSES)]
        np.testing.assert_allclose(losses.van_rossum_loss(XS, OTHERS, tau=taus), np.mean(each), rtol=1e-12)


def test_a_silent_neuron_is_driven_towards_spiking():
    silent = jnp.zeros((TIME, 1, CLASSES))
    for gradient in (
        jax.grad(losses.rate_lower_bound)(silent, 0.1),
        jax.grad(losses.ce_temporal_loss)(silent, np.array([0]))[..., :1],
    ):
        assert float(gradient.max()) < 0


def test_a_traced_label_that_is_no_class_makes_the_loss_nan():
    loss = jax.jit(losses.ce_count_loss)
    for label in (CLASSES, -1):
        assert np.isnan(loss(jnp.asarray(XS, jnp.float32), LABELS.copy() * 0 + label))


SPIKES = np.zeros((TIME, len(LENGTHS), CLASSES), np.float32)


@pytest.mark.unchecked("wrong arguments on purpose")
@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: losses.ce_count_loss(SPIKES, np.zeros(TIME, int)),
            ValueError,
            r"ce_count_loss: labels must be labels, whole numbers of shape \(4,\), or probabilities .* of shape \(4, 3\), got an array of "
            r"shape \(7,\); outputs are \(time, \*batch, classes\), time first",
        ),
        (
            lambda: losses.ce_count_loss(SPIKES, np.array([0, 1, 3, 0])),
            ValueError,
            r"labels must be 0 to 2, got 3 for sample 2",
        ),
        (lambda: losses.ce_count_loss(SPIKES, np.zeros(4)), TypeError, "labels, .* must be whole numbers, got float64"),
        (
            lambda: losses.mse_count_loss(SPIKES, np.zeros((4, 2))),
            ValueError,
            r"targets must be labels, whole numbers of shape \(4,\), or target rates of shape \(4, 3\)",
        ),
        (
            lambda: losses.mse_membrane_loss(SPIKES, np.zeros((6, 4, 3))),
            ValueError,
            r"or target potentials of shape \(4, 3\) or \(7, 4, 3\), got an array of shape \(6, 4, 3\)",
        ),
        (
            lambda: losses.ce_count_loss(SPIKES[0, 0], np.array(1)),
            ValueError,
            r"spikes must be \(time >= 1, \*batch, classes\), got shape \(3,\); time leads",
        ),
        (lambda: losses.ce_count_loss(SPIKES[:0], LABELS), ValueError, r"\(time >= 1, \*batch, classes\)"),
        (lambda: losses.ce_count_loss(SPIKES + 1j, LABELS), TypeError, "spikes must be real, got complex64"),
        (lambda: losses.ce_count_loss(SPIKES, LABELS, lengths=[1, 2]), ValueError, "one for each of the 4 samples"),
        (
            lambda: losses.ce_rate_loss(SPIKES, LABELS, lengths=[1, 2, 8, 1]),
            ValueError,
            "ce_rate_loss: lengths must be whole numbers from 0 to 7, one .*, got 8 for sample 2",
        ),
        (lambda: losses.ce_count_loss(SPIKES, LABELS, lengths=[1.0] * 4), TypeError, "lengths must be whole numbers"),
        (
            lambda: losses.ce_count_loss(SPIKES[:, 0], np.array(1), lengths=[3]),
            ValueError,
            r"with lengths, spikes must be \(time, batch, \.\.\.\), got the shape \(7, 3\)",
        ),
        (
            lambda: losses.ce_count_loss(SPIKES, LABELS, reduction="avg"),
            ValueError,
            "reduction must be one of 'mean', 'sum', 'none', got 'avg'",
        ),
        (lambda: losses.mse_count_loss(SPIKES, LABELS, correct_rate=1.5), ValueError, "correct_rate must be 0 to 1"),
        (lambda: losses.ce_temporal_loss(SPIKES, LABELS, tau=0.0), ValueError, "ce_temporal_loss: tau must be > 0"),
        (lambda: losses.mse_temporal_loss(SPIKES, LABELS, tolerance=-1), ValueError, "tolerance must be >= 0, got -1"),
        (lambda: losses.van_rossum_loss(SPIKES, SPIKES, tau=-1.0), ValueError, "van_rossum_loss: tau must be > 0"),
        (
            lambda: losses.van_rossum_loss(SPIKES, SPIKES[1:]),
            ValueError,
            r"spikes and targets must have one shape, got \(7, 4, 3\) and \(6, 4, 3\)",
        ),
        (lambda: losses.rate_lower_bound(SPIKES, 2.0), ValueError, "minimum must be 0 to 1, got 2.0"),
        (lambda: losses.membrane_bounds(SPIKES, upper=np.inf), ValueError, "upper must be finite, got inf"),
        (
            lambda: losses.ce_count_loss(SPIKES, LABELS, population_code=True),
            TypeError,
            "ce_count_loss has no parameter 'population_code'.*reshape",
        ),
    ],
)
def test_what_does_not_fit_is_refused_in_words(call, error, message):
    with pytest.raises(error, match=message):
        call()
