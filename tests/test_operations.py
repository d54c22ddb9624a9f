"""Synaptic operations: by hand, by brute force over every synapse, and the energy of them."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ledger import agrees
from surgrad import nn

KEYS = jax.random.split(jax.random.key(0), 4)
RNG = np.random.default_rng(0)


def spikes(*shape, share=0.3):
    return (RNG.random(shape) < share).astype(np.float32)


def test_operations_are_spikes_times_fan_out():
    xs = np.zeros((5, 2, 3), np.float32)
    xs[[0, 2, 4], [0, 0, 1], [1, 2, 0]] = 1  # three spikes, and seven outputs each
    net = nn.Sequential(nn.Linear(3, 7, key=KEYS[0]), nn.LIF())
    agrees(nn.synaptic_operations(net, xs)["0"], (21, 0, 5 * 2 * 3 * 7), of=nn.synaptic_operations, reference="by hand")


def brute_force(layer, xs):
    """Every input alone: the number of outputs that one non-zero input changes, with weights that cancel nothing."""
    ones = layer.with_weight(jnp.ones_like(layer.weight))
    features = xs.shape[2:]
    alone = np.eye(int(np.prod(features)), dtype=np.float32).reshape(-1, *features)
    reached = np.array([np.count_nonzero(ones(one)) for one in jnp.asarray(alone)]).reshape(features)
    return int((np.count_nonzero(xs, axis=(0, 1)) * reached).sum())


CONVOLUTIONS = {
    "same": nn.Conv2d(2, 3, 3, padding="SAME", key=KEYS[0]),
    "valid, strided": nn.Conv2d(2, 3, 3, stride=2, key=KEYS[0]),
    "groups, dilated": nn.Conv2d(2, 4, 2, dilation=2, groups=2, padding=1, key=KEYS[0]),
    "transposed": nn.ConvTranspose2d(2, 3, 3, stride=2, key=KEYS[0]),
}


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_convolutions_count_fewer_synapses_at_their_borders(name):
    layer, xs = CONVOLUTIONS[name], spikes(2, 2, 4, 5, 2)
    found = nn.synaptic_operations(nn.Sequential(layer, nn.LeakyIntegrator()), xs)["0"]
    agrees(found.accumulates, brute_force(layer, xs), of=nn.synaptic_operations, reference="every synapse one by one")


class Sparse(nn.Connection):
    """A user's own connection: each input reaches as many outputs as it says."""

    def __call__(self, x):
        return 2 * x - x

    def fan_out(self, shape):
        return np.array([1, 10, 100])


def test_recurrent_weights_count_the_spikes_that_come_back_and_users_say_their_fan_out():
    net = nn.Sequential(
        Sparse(), nn.Recurrent(nn.LIF(tau=5.0), 3, key=KEYS[1]), lambda x: 2 * x, nn.Linear(3, 2, key=KEYS[2])
    )
    xs = spikes(20, 2, 3)
    found = nn.synaptic_operations(net, inputs=xs)
    outputs = np.asarray(nn.record(net, xs).outputs[1])
    assert list(found) == ["0", "1", "3"]
    assert found["0"].accumulates == (np.count_nonzero(xs, axis=(0, 1)) * [1, 10, 100]).sum()
    assert found["1"].accumulates == 3 * outputs[:-1].sum()  # those of the last step reach nothing
    # Twice a spike is a number to multiply by.
    assert found["3"] == nn.Operations(0, 2 * int(outputs.sum()), 20 * 2 * 3 * 2)


def test_each_synapse_with_a_delay_is_one_operation_of_each_spike():
    delay = RNG.integers(0, 4, (3, 5))
    xs = spikes(12, 2, 3)
    for delays in (delay, np.minimum(delay + 0.4, 3)):  # a fractional one divides a spike between two time steps
        layer = nn.DelayedLinear.from_arrays(np.ones((3, 5)), delays, max_delay=3)
        net = nn.Sequential(layer, nn.LIF(), nn.Linear(5, 2, key=KEYS[0]))
        found = nn.synaptic_operations(net, xs)
        agrees(found["0"], (xs.sum() * 5, 0, 12 * 2 * 3 * 5), of=nn.synaptic_operations, reference="by hand")
        assert list(found) == ["0", "2"]
    recurrent = nn.DelayedRecurrent(nn.LIF(tau=5.0), 3, max_delay=3, key=KEYS[1])
    outputs = np.asarray(nn.unroll(recurrent, xs).outputs)
    assert outputs.sum() > 5
    found = nn.synaptic_operations(recurrent, xs)[""]
    assert found == nn.Operations(3 * int(outputs[:-1].sum()), 0, 12 * 2 * 3 * 3)


def test_what_lies_behind_the_end_of_a_sample_is_not_counted():
    lengths, xs = np.array([9, 4, 0]), spikes(12, 3, 3)
    linear = nn.Linear(3, 5, key=KEYS[0]).replace(bias=jnp.full(5, 0.4))  # spikes behind the end
    net = nn.Sequential(linear, nn.LIF(), nn.Recurrent(nn.LIF(), 5, key=KEYS[1]), nn.Linear(5, 2, key=KEYS[2]))
    found = nn.synaptic_operations(
        net, np.where(np.arange(12)[:, None, None] < lengths[:, None], xs, 7.5), lengths=lengths
    )
    alone = [nn.synaptic_operations(net, xs[:n, i]) for i, n in enumerate(lengths) if n]
    for place, one in found.items():
        assert one == tuple(np.sum([each[place] for each in alone], axis=0))
    assert found["0"].accumulates > 0 and found["3"].accumulates < nn.synaptic_operations(net, xs)["3"].accumulates


class Weighted(nn.Cell):
    """A user's own cell that has weights."""

    weighted = True
    weight: jax.Array

    def init(self, shape, dtype=None):
        return jnp.zeros(shape)

    def __call__(self, state, x):
        return x, state @ self.weight

    def with_weight(self, weight):
        return self.replace(weight=weight)


class Told(Weighted):
    """The same, which says its fan-out."""

    weighted = True

    def fan_out(self, shape):
        return self.weight.shape[1]


def test_weights_that_cannot_be_counted_are_an_error_that_names_the_layer():
    xs = spikes(6, 2, 3)
    with pytest.raises(ValueError, match=r"synaptic_operations: layer 1, Weighted, promises weights .*fan_out\(self"):
        nn.synaptic_operations(nn.Sequential(nn.Linear(3, 3, key=KEYS[0]), Weighted(jnp.ones((3, 4)))), xs)
    assert nn.synaptic_operations(Told(jnp.ones((3, 4))), xs)[""].accumulates == 4 * xs.sum()


def test_energies_are_those_of_horowitz():
    found = {"0": nn.Operations(1000, 10, 9999), "1": nn.Operations(0, 90, 0)}
    agrees(
        nn.energy_estimate(found),
        1000 * 0.9e-12 + 100 * 4.6e-12,
        of=nn.energy_estimate,
        reference="Horowitz (2014)",
        rtol=1e-12,
    )
    assert nn.energy_estimate(found, accumulate=0.0, multiply_accumulate=2.0) == 200.0
    with pytest.raises(ValueError, match="energy_estimate: accumulate must be >= 0, got -1"):
        nn.energy_estimate(found, accumulate=-1.0)


def test_a_network_without_weights_has_nothing_to_count():
    with pytest.raises(ValueError, match="no layer promises weights"):
        nn.synaptic_operations(nn.Sequential(nn.LIF()), spikes(3, 2, 4))
