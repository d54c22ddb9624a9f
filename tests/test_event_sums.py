"""Sums of pieces in registers, beside NumPy in double precision."""

import numpy as np
import pytest

from surgrad.nn._events import available

pytestmark = [
    pytest.mark.versions,
    pytest.mark.skipif(not available(), reason="event-driven products are compiled by Numba (surgrad[events])"),
]


@pytest.fixture(scope="module")
def summed():
    """The sum, as a function that Python can call."""
    from surgrad.nn._events.call_frame import compiled
    from surgrad.nn._events.sums import add_pieces

    @compiled
    def run(out, x, where, count, pieces, start, step):
        add_pieces(out, out.size, x, where, count, pieces, start, step)

    return run


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_sum_of_pieces_is_that_of_numpy_whatever_its_length(summed, dtype):
    random = np.random.default_rng(0)
    values, pieces = random.standard_normal((9, 3)).astype(dtype), random.standard_normal(3000).astype(dtype)
    x, where = values[:, 1], np.array([0, 2, 3, 7, 8, 5])
    for size in (1, 3, 4, 15, 16, 33, 100, 127, 128, 129, 256, 299):
        for count in (0, 1, 6):
            guarded = random.standard_normal(size + 2).astype(dtype)
            expected = guarded.astype(np.float64)
            expected[1:-1] += sum(float(x[j]) * pieces[7 + 300 * j :][:size].astype(float) for j in where[:count])
            out = guarded.copy()
            summed(out[1:-1], x, where, count, pieces, 7, 300)
            np.testing.assert_allclose(out, expected, rtol=0, atol=20 * np.finfo(dtype).eps)
            assert (out[0], out[-1]) == (guarded[0], guarded[-1])


def test_terms_are_added_one_by_one_in_their_order(summed):
    """2^24 + 1 is no float32: ones that are added to it are lost, and ones that come before it are not."""
    pieces, where = np.array([2.0**24, 1.0, 1.0], np.float32), np.arange(3)
    last = np.zeros(1, np.float32)
    summed(last, np.ones(3, np.float32), where, 3, pieces, 0, 1)
    first = np.zeros(1, np.float32)
    summed(first, np.ones(3, np.float32), where[::-1].copy(), 3, pieces, 0, 1)
    assert (last[0], first[0]) == (2.0**24, 2.0**24 + 2)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("first", "last"), [(0, 200), (3, 131), (5, 69), (7, 20), (9, 9)])
def test_the_search_lists_all_that_is_not_zero_in_order(dtype, first, last):
    from surgrad.nn._events.kernels import list_events

    random = np.random.default_rng(4)
    row = np.where(random.random(200) < 0.3, random.standard_normal(200), -0.0).astype(dtype)
    row[[8, 60, 190]] = np.nan, np.inf, 1e-40
    where = np.zeros(200, np.int64)
    count = list_events(row, first, last, where)
    assert where[:count].tolist() == (first + np.flatnonzero(row[first:last])).tolist()
