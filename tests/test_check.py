"""`check`: built-in surrogates keep the laws, broken ones are caught, reports say where."""

import math
import re
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import surgrad
from broken_surrogates import BROKEN, DeadSlope, Line, MexicanHat, QuantizedCurve, RampForTriangle, TwoSidedLogistic
from marks import parameters
from surgrad import check
from surgrad._check.report import Report, Verdict
from surgrad._check.runner import SURROGATE_LAWS

pytestmark = pytest.mark.versions

NUMBER = r"(-?\d+\.?\d*(?:e[-+]\d+)?)"
LONG = ("Dspike", "MultiGaussianGrad", "QPseudoSpike", "SquarewaveFourierSeries")


@pytest.mark.parametrize("name", parameters(surgrad.catalogue(), slow=LONG))
def test_a_built_in_surrogate_keeps_all_laws_but_those_it_waives(name):
    cls = surgrad.catalogue()[name]
    report = check(cls())
    report.raise_if_failed()
    assert not report.unneeded, report
    assert not report.advice, report
    assert [v.law for v in report.verdicts] == list(SURROGATE_LAWS)
    assert {v.law for v in report.verdicts if v.outcome == "waived"} == set(cls.waivers)


@pytest.mark.parametrize("cls", BROKEN, ids=lambda cls: cls.__name__)
def test_a_broken_surrogate_fails_the_law_it_was_made_for_and_no_other(cls):
    report = check(cls())
    advised = {name for name in cls.breaks if SURROGATE_LAWS[name].advice}
    assert set(report.failed) == set(cls.breaks) - advised, report
    assert set(report.advice) == advised, report
    assert bool(report) is report.ok is (not report.failed)


def test_only_what_helps_readers_is_advice():
    assert [law.name for law in SURROGATE_LAWS.values() if law.advice] == ["documented"]


def test_a_right_surrogate_without_a_docstring_is_right():
    class Logistic(surgrad.Sigmoid):
        __doc__ = None

    report = check(Logistic(2.0))
    report.raise_if_failed()
    assert report.ok
    assert (report.failed, report.advice) == ((), ("documented",))
    assert report["documented"].detail == "Logistic has no docstring"
    head, *rows = str(report).splitlines()
    assert head == f"Logistic(alpha=2.0): {len(SURROGATE_LAWS) - 1} ok, 1 advice"
    assert [row.split(maxsplit=2) for row in rows if row.startswith("advice")] == [
        ["advice", "documented", "Logistic has no docstring"]
    ]


def test_advice_can_be_waived_like_any_law():
    waived = type("Bare", (Line,), {"waivers": {"documented": "its name says it"}, "__doc__": None})
    assert check(waived(), laws=["documented"])["documented"].outcome == "waived"


def test_every_law_has_a_surrogate_made_to_break_it():
    assert {cls.breaks[0] for cls in BROKEN} == set(SURROGATE_LAWS)


def test_the_most_negative_slope_of_a_mexican_hat_is_found():
    # (1 - x²) exp(-x²/2) is least at x² = 3; the points near it are at most 0.02 apart, where it is flat.
    value, x = numbers(check(MexicanHat(), laws=["non_negative"])["non_negative"].detail)
    assert value == pytest.approx(-2 * math.exp(-1.5), abs=1e-3)
    assert abs(x) == pytest.approx(math.sqrt(3), abs=0.02)


def test_a_ramp_under_a_triangular_slope_is_reported_with_both_derivatives():
    # The ramp rises by alpha/2 where the triangle has its peak, alpha.
    detail = check(RampForTriangle(), laws=["curve_matches_slope"])["curve_matches_slope"].detail
    ramp, x, triangle = numbers(detail)
    assert (ramp, triangle) == (1.0, pytest.approx(2 * (1 - 2 * abs(x)), abs=1e-3))


def test_a_step_of_a_quantized_curve_is_measured():
    # Levels are 1/8 apart and lie where the logistic function passes odd multiples of 1/16.
    left, right, rise, _ = numbers(check(QuantizedCurve(), laws=["curve_matches_slope"])["curve_matches_slope"].detail)
    assert rise == 0.125
    steps = [math.log(p / (1 - p)) / 4 for p in np.arange(1, 16, 2) / 16]
    assert sum(left <= step <= right for step in steps) == 1


def test_an_overflow_in_a_parameter_derivative_is_found_where_it_begins():
    # The square of exp(rate |x|) passes the largest float32; neighbouring points are at most 6% apart.
    detail = check(TwoSidedLogistic(), laws=["finite_parameters"])["finite_parameters"].detail
    begin = math.log(float(np.finfo(np.float32).max)) / 2
    assert begin / 2 * 0.99 < abs(numbers(detail)[-1]) < begin * 1.06
    assert "is nan at x = " in detail


def numbers(detail):
    return [float(n) for n in re.findall(rf"(?<![\w]){NUMBER}", detail)]


class Waived(Line):
    """The straight-through estimator of slope alpha, with a reason and without."""

    waivers = {"bounded": "a line has no limits", "monotone": "it was feared to fall"}


def test_a_waived_failure_shows_the_reason_and_the_number():
    report = check(Waived())
    assert report.ok
    assert report["bounded"].outcome == "waived"
    assert report["bounded"].detail == "a line has no limits (the curve is -1e+04 at x = -10000)"


def test_a_waiver_that_is_not_needed_is_listed_and_shown():
    report = check(Waived())
    assert report.unneeded == ("monotone",)
    assert report["monotone"].detail.endswith("though the class waives it: it was feared to fall")
    assert "unneeded  monotone" in str(report)


def test_a_waiver_of_no_law_is_an_error():
    class Misspelt(Line):
        """The straight-through estimator of slope alpha."""

        waivers = {"bouned": "a line has no limits"}

    with pytest.raises(ValueError, match=r"Misspelt\.waivers: there is no law 'bouned'; the nearest are bounded"):
        check(Misspelt())


def test_laws_can_be_chosen_and_come_in_the_order_of_the_table():
    report = check(DeadSlope(), laws=["documented", "non_negative"])
    assert [v.law for v in report.verdicts] == ["non_negative", "documented"]
    assert report.ok


def test_an_unknown_law_is_an_error_that_names_the_nearest():
    with pytest.raises(ValueError, match=r"no law 'monotonic'; the nearest are monotone"):
        check(DeadSlope(), laws=["monotonic"])


@pytest.mark.unchecked("wrong types on purpose")
@pytest.mark.parametrize(
    ("given", "message"),
    [
        (surgrad.Sigmoid, r"got the class Sigmoid; make one: Sigmoid\(\.\.\.\)"),
        (surgrad.sigmoid, r"got function; from_grad and from_fun make one"),
        (4.0, r"got float\."),
    ],
)
def test_what_is_no_surrogate_is_refused(given, message):
    with pytest.raises(TypeError, match=message):
        check(given)


class PythonBranch(surgrad.Surrogate):
    """A slope that asks for the value of x in Python."""

    def surrogate_grad(self, x):
        return jnp.ones_like(x) if x.max() > 1 else jnp.zeros_like(x)


def test_an_exception_is_a_failure_with_its_text():
    report = check(PythonBranch())
    assert {v.outcome for v in report.verdicts if v.law.startswith("curve")} == {"skipped"}
    assert {"slope_is_gradient", "finite", "shapes", "transforms"} <= set(report.failed)
    assert "TracerBoolConversionError" in report["shapes"].detail


class Neither(surgrad.Surrogate):
    """A surrogate without curve and slope."""


def test_a_class_without_curve_and_slope_fails_by_name():
    assert "Neither defines neither surrogate_grad" in check(Neither())["finite"].detail


@pytest.fixture(scope="module")
def printed():
    long = {"peak_at_threshold": "its true derivative, which is what this one is about " * 3}
    return str(check(type("Dead", (DeadSlope,), {"waivers": long, "__doc__": "A slope of zero."})()))


def test_a_report_is_at_most_100_columns_wide(printed):
    assert max(map(len, printed.splitlines())) <= 100


def test_the_columns_of_a_report_are_aligned(printed):
    head, *rows = printed.splitlines()
    assert head == "Dead(): 7 ok, 1 waived, 5 skipped"
    starts = [row for row in rows if not row.startswith(" ")]
    assert [row.split()[1] for row in starts] == list(SURROGATE_LAWS)
    assert {row.index(row.split()[1]) for row in starts} == {10}
    assert {len(row) - len(row.lstrip()) for row in rows if row.startswith(" ")} == {31}


def test_failures_stand_out_and_raise():
    report = Report("Line()", [Verdict("finite", "ok", "is finite"), Verdict("bounded", "failed", "is 2 at x = 3")])
    assert str(report) == "Line(): 1 ok, 1 failed\nok        finite   is finite\nFAILED    bounded  is 2 at x = 3"
    with pytest.raises(AssertionError, match=r"FAILED    bounded  is 2 at x = 3"):
        report.raise_if_failed()
    with pytest.raises(KeyError, match="no verdict on 'shapes'; there are finite, bounded"):
        report["shapes"]


def test_a_report_without_failures_does_not_raise():
    Report("Line()", [Verdict("finite", "ok", "is finite")]).raise_if_failed()


MIXTURE = surgrad.Mixture([surgrad.Sigmoid(), surgrad.PiecewiseQuadratic(jnp.array([1.0, 3.0]))])


@pytest.mark.parametrize(
    "surrogate",
    [
        pytest.param(surgrad.Asymmetric(surgrad.Sigmoid(2.0), surgrad.SoftSign(1.0)), marks=pytest.mark.slow),
        pytest.param(MIXTURE, marks=pytest.mark.slow),
        surgrad.Sigmoid().smooth(),
        surgrad.Sigmoid(parameter_tangent="function", second_order="surrogate"),
    ],
    ids=repr,
)
def test_arrays_combinators_and_options_keep_the_laws(surrogate):
    check(surrogate).raise_if_failed()


def test_a_narrow_bump_between_the_points_is_no_jump_of_the_curve():
    # 10⁻⁴ wide, at a place that the grid of step 0.0177 does not have.
    far = surgrad.Shift(surgrad.Sigmoid(1e4), 0.7777)
    check(far, laws=["curve_matches_slope"]).raise_if_failed()


class TextbookTail(surgrad.Surrogate):
    """A Gaussian slope whose curve loses its left tail to rounding."""

    def surrogate_fun(self, x):
        return 0.5 * (1 + jax.lax.erf(x))

    def surrogate_grad(self, x):
        return jnp.exp(-(x**2)) / math.sqrt(math.pi)


def test_rounding_in_a_tail_is_no_jump_of_the_curve():
    check(TextbookTail(), laws=["curve_matches_slope"]).raise_if_failed()


def test_a_smoothed_surrogate_has_no_hard_forward_pass_to_test():
    assert check(surgrad.Sigmoid().smooth(), laws=["hard_forward"])["hard_forward"].outcome == "skipped"


def hat(x, width=1.0):
    """A Gaussian of some width."""
    return jnp.exp(-((x / width) ** 2))


def test_surrogates_out_of_functions_are_documented_by_the_function():
    assert check(surgrad.from_grad(hat), laws=["documented"]).ok is True
    unnamed = surgrad.from_fun(lambda x: jax.nn.sigmoid(x))
    assert check(unnamed, laws=["documented"])["documented"].outcome == "skipped"
    hidden = surgrad.from_grad(lambda_with_name)
    assert check(hidden, laws=["documented"])["documented"][1:] == ("advice", "lambda_with_name has no docstring")


def lambda_with_name(x, width=1.0):
    return hat(x, width)


def test_a_surrogate_out_of_a_slope_skips_the_laws_of_the_curve():
    report = check(surgrad.from_grad(hat))
    assert report.ok
    skipped = {v.law for v in report.verdicts if v.outcome == "skipped"}
    assert skipped == {"curve_matches_slope", "monotone", "centred", "bounded"}
    assert report["bounded"].detail == "no curve is defined"


def test_check_leaves_configuration_and_object_alone():
    surrogate = surgrad.Sigmoid(2.0)
    before = dict(jax.config.values)
    check(surrogate)
    assert dict(jax.config.values) == before
    with warnings.catch_warnings(action="error"):
        surrogate.alpha = 3.0  # warns if compiled code may have taken the number


def test_the_verdicts_are_those_of_double_precision_too(x64):
    check(surgrad.Sigmoid(), laws=["finite", "shapes", "transforms", "curve_matches_slope"]).raise_if_failed()
    assert check(RampForTriangle(), laws=["curve_matches_slope", "monotone"]).failed == ("curve_matches_slope",)


def test_nan_debugging_does_not_stop_a_check():
    with jax.debug_nans(True):
        report = check(TwoSidedLogistic(), laws=["finite", "finite_parameters"])
    assert report.failed == ("finite", "finite_parameters")


def test_strict_dtype_promotion_does_not_stop_a_check():
    with jax.numpy_dtype_promotion("strict"):
        report = check(surgrad.Sigmoid(jnp.array([1.0, 200.0])), laws=["curve_matches_slope", "finite", "bounded"])
    report.raise_if_failed()
