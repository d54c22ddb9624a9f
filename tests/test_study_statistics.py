"""Comparisons of a study against SciPy, closed forms and Holm's method by hand."""

import dataclasses
import math

import numpy as np
import pytest

study = pytest.importorskip("surgrad.study")
stats = pytest.importorskip("scipy.stats")
pytest.importorskip("statsmodels")


def rows(name, accuracies, value=1.0, seeds=None, **labels):
    numbers = zip(seeds or range(len(accuracies)), accuracies, strict=True)
    return [study.Row(name, "scale", value, seed, a, 1 - a, 0.6, 0.1, 2.0, **labels) for seed, a in numbers]


def random(size, seed):
    return [float(x) for x in np.random.default_rng(seed).normal(0.8, 0.02, size)]


def test_differences_are_those_of_a_paired_t_test_of_scipy():
    a, b = random(7, 0), random(7, 1)
    (found,) = study.compare([*rows("a", a), *rows("b", b)], against="a", confidence=0.9)
    test = stats.ttest_rel(b, a)
    interval = test.confidence_interval(0.9)
    assert (found.surrogate, found.pairs) == ("b", 7)
    assert found.p_value == pytest.approx(test.pvalue, rel=1e-12)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high), rel=1e-12)
    assert (found.mean, found.difference) == pytest.approx((np.mean(b), np.mean(b) - np.mean(a)))
    assert found.p_corrected == found.p_value


def test_two_pairs_have_the_closed_form_of_one_degree_of_freedom():
    # Student's t with one degree of freedom is Cauchy's distribution: p = 1 - 2 atan(t)/π.
    first, second = 0.02, 0.05
    (found,) = study.compare([*rows("a", [0.5, 0.5]), *rows("b", [0.5 + first, 0.5 + second])], against="a")
    mean, error = (first + second) / 2, abs(second - first) / 2
    assert found.p_value == pytest.approx(1 - 2 / math.pi * math.atan(mean / error))
    half = error * math.tan(math.pi * 0.95 / 2)
    assert (found.low, found.high) == pytest.approx((mean - half, mean + half))


def test_seeds_are_paired_whatever_the_order_of_rows():
    a, b = random(5, 2), random(5, 3)
    shuffled = [*rows("b", b)[::-1], *rows("a", a)[2:], *rows("a", a)[:2], *rows("b", [0.1], seeds=[99])]
    (found,) = study.compare(shuffled, against="a")
    (sorted_,) = study.compare([*rows("a", a), *rows("b", b)], against="a")
    assert found == sorted_


def test_many_comparisons_are_corrected_by_the_method_of_holm():
    reference = rows("a", random(6, 10))
    others = [row for k in range(4) for row in rows(f"v{k}", [x + k / 40 for x in random(6, 20 + k)])]
    found = study.compare([*reference, *others], against="a")
    assert [one.surrogate for one in found] == ["v0", "v1", "v2", "v3"]
    p, expected, largest = [one.p_value for one in found], [0.0] * 4, 0.0
    for place, k in enumerate(np.argsort(p)):  # Holm (1979), step by step
        largest = max(largest, min(1.0, (4 - place) * p[k]))
        expected[k] = largest
    assert [one.p_corrected for one in found] == pytest.approx(expected)
    assert [one.significant for one in found] == [one <= 0.05 for one in expected]
    assert any(one.significant for one in found) and not all(one.significant for one in found)


def test_each_task_and_network_has_its_own_reference():
    there, here = {"task": "there", "network": "n"}, {"task": "here", "network": "n"}
    a, b, c, d = (random(4, k) for k in range(4))
    four = [*rows("a", a, **there), *rows("b", b, **there), *rows("a", c, **here), *rows("b", d, **here)]
    found = study.compare(four, against="a")
    assert [(one.task, one.surrogate) for one in found] == [("there", "b"), ("here", "b")]
    assert [one.difference for one in found] == pytest.approx([np.mean(b) - np.mean(a), np.mean(d) - np.mean(c)])


def test_equal_differences_are_judged_by_their_signs():
    # Accuracies are counts: two seeds that differ by the same count are no certainty.
    (found,) = study.compare([*rows("a", [0.5, 0.5, 0.5]), *rows("b", [0.75, 0.75, 0.75])], against="a")
    assert found.p_value == stats.binomtest(3, 3).pvalue == 0.25
    assert math.isnan(found.low) and math.isnan(found.high)
    a, b = ([float(np.float32(x)) for x in accuracies] for accuracies in ((0.1, 0.7), (0.2, 0.8)))
    (rounded,) = study.compare([*rows("a", a), *rows("b", b)], against="a")
    assert rounded.p_value == 0.5
    (same,) = study.compare([*rows("a", [0.5, 0.7]), *rows("b", [0.5, 0.7])], against="a")
    assert same.p_value == same.p_corrected == 1


def test_a_reference_with_several_values_is_named_with_its_value():
    given = [*rows("a", random(3, 0)), *rows("a", random(3, 1), value=9.0), *rows("b", random(3, 2))]
    with pytest.raises(ValueError, match=r"'a' stands for several variants; give one of \('a', 1\), \('a', 9\)"):
        study.compare(given, against="a")
    found = study.compare(given, against=("a", 9.0))
    assert [(one.surrogate, one.value) for one in found] == [("a", 1.0), ("b", 1.0)]


@pytest.mark.parametrize(
    ("given", "options", "said"),
    [
        (rows("a", [0.1, 0.2]), {"against": "c"}, r"no rows of 'c'; there are \('a', 1\)"),
        ([*rows("a", [0.1]), *rows("b", [0.1])], {"against": "a"}, "have 1 seeds in common any task"),
        (rows("a", [0.1, math.nan]), {"against": "a"}, "test_accuracy of a, scale=1, seed 1 is nan"),
        ([*rows("a", [1.0]), *rows("b", [1.0], task="t")], {"against": "a"}, "no rows for t, and b has"),
        (rows("a", [0.1]), {"against": "a", "measure": "seconds"}, "measure must be one of"),
        (rows("a", [0.1]), {"against": "a", "confidence": 95}, "confidence must be above 0 and below 1"),
    ],
)
def test_what_cannot_be_compared_is_said(given, options, said):
    with pytest.raises(ValueError, match=said):
        study.compare(given, **options)


def test_rows_that_halving_has_stopped_are_not_compared_with_others():
    a, b = rows("a", random(3, 0)), [dataclasses.replace(row, epochs=4.0) for row in rows("b", random(3, 1))]
    with pytest.raises(ValueError, match="different numbers of epochs"):
        study.compare([*a, *b], against="a")


def test_the_losses_can_be_compared_too():
    a, b = random(4, 0), random(4, 1)
    (accuracy,) = study.compare([*rows("a", a), *rows("b", b)], against="a")
    (loss,) = study.compare([*rows("a", a), *rows("b", b)], against="a", measure="test_loss")
    assert loss.difference == pytest.approx(-accuracy.difference)
    assert study.compare(rows("a", a), against="a") == []
