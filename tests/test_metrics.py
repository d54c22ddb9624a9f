"""Metrics of classification and of activity, and the axioms and limits of distances between spike trains."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ledger import CLOSED_FORM, agrees
from surgrad import losses, metrics

TIME, CLASSES, LENGTHS = 9, 3, np.array([9, 5, 0, 3])
RNG = np.random.default_rng(0)
SPIKES = (RNG.uniform(size=(TIME, len(LENGTHS), CLASSES)) < 0.4).astype(np.float32)
POTENTIALS = RNG.normal(size=(TIME, len(LENGTHS), CLASSES)).astype(np.float32)
BEHIND = (np.arange(TIME)[:, None] >= LENGTHS)[..., None]


def first(spikes):
    return [next((t for t, s in enumerate(spikes[:, c]) if s), len(spikes)) for c in range(CLASSES)]


READOUTS = {
    "count": (SPIKES, lambda xs: xs.sum(0)),
    "mean": (POTENTIALS, lambda xs: xs.mean(0)),
    "max": (POTENTIALS, lambda xs: xs.max(0)),
    "last": (POTENTIALS, lambda xs: xs[-1]),
    "first_spike": (SPIKES, lambda xs: -np.array(first(xs))),
}


@pytest.mark.parametrize("by", READOUTS)
def test_the_predicted_class_of_a_padded_sample_is_that_of_the_sample_alone(by):
    xs, readout = READOUTS[by]
    exact = [np.argmax(readout(xs[:n, i])) for i, n in enumerate(LENGTHS) if n]
    padded = np.where(BEHIND, np.nan, xs)
    found = np.asarray(metrics.predictions(padded, by=by, lengths=LENGTHS))
    agrees(found[LENGTHS > 0], exact, of=metrics.predictions, reference=CLOSED_FORM)
    labels = found.copy()
    labels[0] = (labels[0] + 1) % CLASSES
    # Sample 0 is wrong, and sample 2 has no time step.
    share = metrics.accuracy(padded, labels, by=by, lengths=LENGTHS)
    agrees(share, 0.5, of=metrics.accuracy, reference=CLOSED_FORM)


@pytest.mark.parametrize("by", READOUTS)
def test_a_sample_whose_outputs_are_nan_counts_as_wrong(by):
    xs = np.where(np.arange(len(LENGTHS))[:, None] == 1, np.nan, READOUTS[by][0])
    labels = metrics.predictions(xs, by=by)
    assert metrics.accuracy(xs, labels, by=by) == 3 / 4
    assert metrics.accuracy(np.full_like(xs, np.nan), np.zeros(4, int), by=by) == 0


def test_rates_are_means_and_silent_is_who_never_spikes():
    padded = np.where(BEHIND, np.nan, SPIKES)
    padded[..., 1] = np.where(BEHIND[..., 0], np.nan, 0)
    exact = [padded[:n, i].mean(0) if n else np.zeros(CLASSES) for i, n in enumerate(LENGTHS)]
    found = metrics.firing_rate(padded, lengths=LENGTHS)
    agrees(found, exact, of=metrics.firing_rate, reference=CLOSED_FORM, rtol=1e-6)
    share = metrics.silent_fraction(padded, lengths=LENGTHS)
    agrees(share, 1 / 3, of=metrics.silent_fraction, reference=CLOSED_FORM, rtol=1e-6)


def test_metrics_work_under_jit_with_traced_lengths():
    run = jax.jit(lambda xs, n: (metrics.predictions(xs, lengths=n), metrics.silent_fraction(xs, lengths=n)))
    found = run(SPIKES, jnp.asarray(LENGTHS))
    exact = metrics.predictions(SPIKES, lengths=LENGTHS), metrics.silent_fraction(SPIKES, lengths=LENGTHS)
    jax.tree.map(np.testing.assert_array_equal, found, exact)


def test_the_distance_of_van_rossum_is_the_root_of_the_loss(x64):
    others, exact = np.roll(SPIKES, 2, axis=0), np.zeros((len(LENGTHS), CLASSES))
    for i, (n, c) in enumerate(itertools.product(LENGTHS, range(CLASSES))):
        pairs = [(t, s - o) for t, (s, o) in enumerate(zip(SPIKES[:n, i // 3, c], others[:n, i // 3, c], strict=True))]
        exact[i // 3, c] = sum(a * b * np.exp(-abs(t - u) / 4.0) for t, a in pairs for u, b in pairs) / 2
    padded = [np.where(BEHIND, np.nan, xs.astype(float)) for xs in (SPIKES, others)]
    found = metrics.van_rossum_distance(*padded, tau=4.0, lengths=LENGTHS)
    agrees(found, exact**0.5, of=metrics.van_rossum_distance, reference=CLOSED_FORM, rtol=1e-12)
    squared = losses.van_rossum_loss(*padded, tau=4.0, lengths=LENGTHS, reduction="none")
    np.testing.assert_allclose((found**2).mean(-1), squared, rtol=1e-12)


def recursive(first, second, cost):
    """The distance of Victor and Purpura by its definition: the last spikes are removed, added or moved."""

    @functools.cache
    def least(i, j):
        if i == 0 or j == 0:
            return float(i + j)
        moved = cost * abs(first[i - 1] - second[j - 1])
        return min(least(i - 1, j) + 1, least(i, j - 1) + 1, least(i - 1, j - 1) + moved)

    return least(len(first), len(second))


def matched(first, second, cost):
    """The same by brute force over all ways to match some spikes in any order."""
    best = len(first) + len(second)
    for n in range(1, min(len(first), len(second)) + 1):
        for some in itertools.combinations(first, n):
            for others in itertools.permutations(second, n):
                moved = cost * sum(abs(a - b) for a, b in zip(some, others, strict=True))
                best = min(best, len(first) + len(second) - 2 * n + moved)
    return best


class TestVictorPurpura:
    """Values of the definition, axioms of a metric, and published limits."""

    def trains(self, count, most, seed=0):
        random = np.random.default_rng(seed)
        return [np.sort(random.uniform(0, 20, random.integers(0, most + 1))) for _ in range(count)]

    @pytest.mark.parametrize("cost", [0.0, 0.1, 0.7, 3.0])
    def test_it_is_the_least_cost_of_making_one_from_the_other(self, cost):
        distance = metrics.victor_purpura_distance
        for first, second in itertools.pairwise(self.trains(8, 4)):
            agrees(
                distance(first, second, cost=cost),
                matched(first, second, cost),
                of=distance,
                reference="brute force",
                atol=1e-12,
            )
        for first, second in itertools.pairwise(self.trains(6, 40, seed=1)):
            exact = recursive(tuple(first), tuple(second), cost)
            agrees(distance(first, second, cost=cost), exact, of=distance, reference=CLOSED_FORM, atol=1e-11)

    @pytest.mark.parametrize("cost", [0.05, 0.5, 5.0, np.inf])
    def test_it_is_a_metric(self, cost):
        trains = self.trains(7, 8, seed=2)
        table = np.array([[metrics.victor_purpura_distance(a, b, cost=cost) for a in trains] for b in trains])
        np.testing.assert_array_equal(np.diag(table), 0)
        np.testing.assert_allclose(table, table.T, atol=1e-12)
        assert (table + 3 * np.eye(len(trains)) > 0).all()
        assert (table[:, :, None] <= table[:, None, :] + table[None].swapaxes(1, 2) + 1e-9).all()

    def test_the_limits_count_spikes_and_coincidences(self):
        first, second = [1.0, 4.0, 9.0, 12.5], [4.0, 9.5, 12.5, 13.0, 20.0]
        for cost, limit in ((0.0, abs(4 - 5)), (1e-9, abs(4 - 5)), (1e6, 4 + 5 - 2 * 2), (np.inf, 4 + 5 - 2 * 2)):
            distance = metrics.victor_purpura_distance(first, second, cost=cost)
            agrees(distance, limit, of=metrics.victor_purpura_distance, reference="Victor and Purpura 1996", atol=1e-7)

    def test_a_spike_is_moved_by_up_to_two_over_q(self):
        for shift, distance in ((1.0, 0.5), (4.0, 2.0), (9.0, 2.0)):
            assert metrics.victor_purpura_distance([3.0], [3.0 + shift], cost=0.5) == distance

    def test_spike_times_have_no_order_and_may_be_whole_numbers(self):
        found = metrics.victor_purpura_distance(np.array([9, 2]), [2, 9], cost=1.0)
        assert (found, metrics.victor_purpura_distance([], [1, 2], cost=1.0)) == (0.0, 2.0)


@pytest.mark.unchecked("wrong arguments on purpose")
@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: metrics.accuracy(SPIKES, np.zeros(9, int)),
            ValueError,
            r"shape of the batch, \(4,\), got \(9,\); .* time first",
        ),
        (
            lambda: metrics.accuracy(SPIKES, np.zeros(4)),
            TypeError,
            "accuracy: labels must be whole numbers, got float64",
        ),
        (
            lambda: metrics.accuracy(SPIKES, [0, 1, 3, 2]),
            ValueError,
            "accuracy: labels must be 0 to 2, got 3 for sample 2",
        ),
        (lambda: metrics.accuracy(SPIKES, jnp.array([0, -1, 1, 2])), ValueError, "must be 0 to 2, got -1 for sample 1"),
        (
            lambda: metrics.accuracy(SPIKES, np.zeros(4, int), by="rate"),
            ValueError,
            "by must be one of 'count', .* got 'rate'",
        ),
        (lambda: metrics.firing_rate(SPIKES[:, 0, 0]), ValueError, r"spikes must be \(time >= 1, \*batch, features\)"),
        (lambda: metrics.firing_rate(SPIKES, lengths=[1, 2, 3, 10]), ValueError, "got 10 for sample 3"),
        (
            lambda: metrics.van_rossum_distance(SPIKES, SPIKES[:, 1:]),
            ValueError,
            "first and second must have one shape",
        ),
        (lambda: metrics.victor_purpura_distance([1.0], [2.0], cost=-1.0), ValueError, "cost must be >= 0, got -1.0"),
        (
            lambda: metrics.victor_purpura_distance(SPIKES[:, 0], [2.0], cost=1.0),
            ValueError,
            r"first must be a list of finite spike times, got an array of shape \(9, 3\) of float32; .*np.flatnonzero",
        ),
        (
            lambda: metrics.victor_purpura_distance([1.0], [np.nan], cost=1.0),
            ValueError,
            "second must be a list of finite",
        ),
    ],
)
def test_what_does_not_fit_is_refused_in_words(call, error, message):
    with pytest.raises(error, match=message):
        call()
