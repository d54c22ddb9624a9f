"""Every value of every surrogate against rows of exact values.

The rows hold curve, slope, second derivative, and the derivatives of curve and slope by each hyperparameter, at
ordinary points, at kinks and beside them, in the tails and at infinities. `golden_rows` says how large an error may
be, and why.
"""

import jax
import numpy as np
import pytest

import surgrad
from golden_rows import FOLDER, HUGE, INPUTS, ROUNDINGS, errors, evaluated, family, rows
from ledger import record

pytestmark = [pytest.mark.versions, pytest.mark.usefixtures("optimised")]

NAMES = sorted(surgrad.catalogue())
DTYPES = [np.float64, np.float32]
REFERENCE = "mpmath, 60 digits"


def test_every_surrogate_has_golden_rows():
    assert {path.stem for path in FOLDER.glob("*.csv")} == set(map(family, NAMES))


@pytest.mark.parametrize("name", NAMES)
def test_every_line_of_the_golden_files_is_a_row(name):
    lines = (FOLDER / f"{family(name)}.csv").read_text().splitlines()
    assert sum(len(group.x) for group in rows(name)) == len(lines) - 1 >= 100


def test_well_conditioned_values_may_be_100_units_off_at_most():
    assert ROUNDINGS + INPUTS * 23 <= 100


# One test a surrogate: its program is compiled once a process, and tests of one surrogate may run in several.
@pytest.mark.parametrize("name", NAMES)
def test_values_derivatives_and_limits_agree_with_the_golden_rows(name):
    wrong, shares = [], {}
    for dtype in DTYPES:
        share = 0.0
        for (value, mode), groups in errors(name, dtype).items():
            for e in groups:
                assert len(e.x) > 0
                beyond = ~(e.error <= e.bound)  # also where either is NaN
                share = max(share, (e.error / e.bound).max())
                wrong += [(dtype, value, mode, *row) for row in zip(e.x[beyond], e.error[beyond], strict=True)]
        at_infinity_values_are_the_limits(name, dtype)
        shares[np.dtype(dtype).name] = share
    assert not wrong
    for dtype, share in shares.items():
        record(surgrad.catalogue()[name], REFERENCE, share, 1.0, "share of the bound of rounding", dtype=dtype)


def at_infinity_values_are_the_limits(name, dtype):
    for group in rows(name):
        with jax.enable_x64(dtype == np.float64):
            values, _ = jax.device_get(evaluated(group.surrogate, group.x.astype(dtype)))
        at = np.isinf(group.x)
        assert np.count_nonzero(at) > 0
        for value in ("sigma", "grad", "dgrad_d_x"):
            exact = group.columns[value][at]
            np.testing.assert_allclose(values[value][at], exact, rtol=ROUNDINGS * np.finfo(dtype).eps, err_msg=value)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in NAMES if (HUGE / f"{family(name)}.csv").exists()])
def test_values_and_derivatives_are_right_up_to_the_largest_float(name):
    """Periodic surrogates have no rows: a phase has no digits there."""
    wrong = []
    for dtype in DTYPES:
        eps, tiny, largest = (float(getattr(np.finfo(dtype), n)) for n in ("eps", "tiny", "max"))
        for (value, mode), groups in errors(name, dtype, HUGE).items():
            for e in groups:
                # Derivatives by an exponent multiply by a logarithm what was flushed to 0.
                allowed = e.bound + tiny * np.log(largest)
                if name == "QPseudoSpike":  # a power, and so an exponential of a logarithm that has a rounding
                    allowed = allowed + eps * e.size * np.log(np.abs(e.x))
                beyond = ~(e.error <= allowed)
                if (name, value, mode) == ("QPseudoSpike", "dsigma_d_x", "forward"):
                    beyond &= np.abs(e.x) < largest / 8  # where 1/|x|, a factor of it, is not flushed
                wrong += [(dtype, value, mode, *row) for row in zip(e.x[beyond], e.error[beyond], strict=True)]
    assert not wrong
