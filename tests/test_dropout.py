"""Dropout: one mask for a sequence, drawn by an explicit key; without a key an identity."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ledger import CLOSED_FORM, agrees, record
from surgrad import check, nn

TIME, BATCH, NEURONS = 9, 4, 4
KEY = jax.random.key(0)
XS = np.random.default_rng(0).normal(size=(TIME, BATCH, NEURONS)).astype(np.float32)


def test_what_stays_is_scaled_and_the_mask_is_the_same_at_all_time_steps():
    mask, outputs = nn.unroll(nn.Dropout(0.25, key=KEY), XS)
    assert mask.shape == (BATCH, NEURONS) and 0 < mask.mean() < 1
    agrees(outputs, np.where(mask, XS / 0.75, 0), of=nn.Dropout, reference=CLOSED_FORM, rtol=1e-6)


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_the_share_that_is_dropped_is_the_rate_and_the_mean_stays(rate):
    ones = jnp.ones((1, 100, 100))
    mask, outputs = nn.unroll(nn.Dropout(rate, key=KEY), ones)
    deviation = max(np.sqrt(rate * (1 - rate) / ones.size), 1e-9)
    record(nn.Dropout, "binomial distribution", abs(1 - float(mask.mean()) - rate) / deviation, 4.0, "deviations")
    np.testing.assert_allclose(outputs.mean(), 1.0 if rate < 1 else 0.0, rtol=0.1)


@pytest.mark.parametrize("options", [{"chunk_size": 2}, {"checkpoint_every": 4}, {"chunk_size": 1}], ids=str)
def test_no_option_changes_the_mask(options):
    net = nn.Sequential(nn.Dropout(0.5, key=KEY), nn.LeakyIntegrator(3.0))
    np.testing.assert_allclose(nn.unroll(net, XS, **options).outputs, nn.unroll(net, XS).outputs, rtol=1e-6)


def test_without_a_key_it_is_an_identity():
    state, outputs = nn.unroll(nn.Dropout(0.5), XS)
    assert state is None
    np.testing.assert_array_equal(outputs, XS)


def test_half_precision_and_events_keep_their_type():
    assert nn.unroll(nn.Dropout(0.5, key=KEY), jnp.asarray(XS, jnp.bfloat16)).outputs.dtype == jnp.bfloat16
    assert nn.unroll(nn.Dropout(0.5, key=KEY), XS > 0).outputs.dtype == jnp.float32


def test_each_layer_of_a_network_gets_a_key_of_its_own():
    net = nn.Sequential(nn.Dropout(0.5), nn.Sequential(nn.LIF(), nn.Dropout(0.2)))
    first, second, other = (nn.with_dropout(net, key=jax.random.key(seed)) for seed in (0, 0, 1))
    assert net[0].key is None and float(first[1][1].rate) == 0.2
    keys = [jax.random.key_data(one) for n in (first, second, other) for one in (n[0].key, n[1][1].key)]
    assert (keys[0] == keys[2]).all() and (keys[1] == keys[3]).all()
    assert (keys[0] != keys[1]).any() and (keys[0] != keys[4]).any()
    assert nn.with_dropout(nn.LIF(), key=KEY) == nn.LIF()


def test_the_gradient_goes_through_what_stays(x64):
    layer = nn.Dropout(0.5, key=KEY)
    mask, _ = nn.unroll(layer, XS)
    gradient = jax.grad(lambda xs: nn.unroll(layer, xs).outputs.sum())(XS.astype(float))
    np.testing.assert_array_equal(gradient, np.broadcast_to(2.0 * mask.astype(float), XS.shape))


def test_lengths_leave_the_mask_of_each_sample():
    layer, lengths = nn.Dropout(0.5, key=KEY), np.array([9, 0, 4, 1])
    mask, outputs = nn.unroll(layer, XS, lengths=lengths)
    expected = nn.unroll(layer, XS).outputs
    for sample, length in enumerate(lengths):
        np.testing.assert_array_equal(outputs[:length, sample], expected[:length, sample])
        np.testing.assert_array_equal(outputs[length:, sample], 0)
    np.testing.assert_array_equal(mask, nn.unroll(layer, XS)[0])


def test_a_key_may_be_traced_so_that_no_batch_compiles_again():
    net = nn.Sequential(nn.Dropout(0.5), nn.LeakyIntegrator(3.0))
    run = jax.jit(lambda key, xs: nn.unroll(nn.with_dropout(net, key=key), xs).outputs)
    first, second = run(KEY, XS), run(jax.random.key(5), XS)
    assert (first != second).any() and run._cache_size() == 1


def test_all_laws_but_those_that_split_a_batch_hold_with_a_key():
    laws = {"init_fits", "keeps_state", "pure", "unroll_is_scan", "samples", "strict", "causal", "transforms"}
    report = check(nn.Dropout(0.5, key=KEY), XS, laws=laws)
    assert report.failed == ("transforms",), report


@pytest.mark.slow
def test_all_other_laws_hold_too():
    assert set(check(nn.Dropout(0.5, key=KEY), XS).failed) == {"transforms", "shard_map"}


@pytest.mark.unchecked("wrong arguments on purpose")
@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: nn.Dropout(1.5), ValueError, "Dropout: rate must be 0 to 1, got 1.5"),
        (lambda: nn.Dropout(0.5, key=3), TypeError, "Dropout: key must be one key"),
        (lambda: nn.Dropout(p=0.5), TypeError, "Dropout has no parameter 'p'; .*'p' is 'rate' here"),
        (lambda: nn.with_dropout(nn.LIF()), TypeError, "with_dropout: give a key"),
        (
            lambda: nn.Dropout(0.5, key=KEY)(jnp.ones((3, 4), bool), jnp.ones((2, 4))),
            ValueError,
            r"Dropout: the input of a step has shape \(2, 4\) and the state \(3, 4\)",
        ),
    ],
)
def test_what_does_not_fit_is_refused_in_words(call, error, message):
    with pytest.raises(error, match=message):
        call()
