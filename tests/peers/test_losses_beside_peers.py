"""Losses and normalisation beside those of peers, in value and gradient; docstrings map the parameters.

snnTorch's `mse_count_loss` rounds target counts down, and in its spike times a neuron without a spike has the last time
step, where here it has the number of time steps; their derivative by every first spike is -1 there, and here the number
of time steps by which the second spike, or the end, is later.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ledger import agrees, package
from surgrad import losses, metrics, nn

TIME, BATCH, CLASSES = 10, 6, 4
RNG = np.random.default_rng(3)
SPIKES = (RNG.uniform(size=(TIME, BATCH, CLASSES)) < 0.3).astype(float)
POTENTIALS = RNG.normal(size=(TIME, BATCH, CLASSES))
LABELS = RNG.integers(0, CLASSES, BATCH)

pytestmark = pytest.mark.usefixtures("x64")


def assert_same(name, peer, ours, theirs, xs):
    """Assert that a loss and its gradient are those of a peer in PyTorch."""
    torch = pytest.importorskip("torch")
    given = torch.tensor(xs, requires_grad=True)
    loss = theirs(given, torch.tensor(LABELS))
    loss.backward()
    found = jax.value_and_grad(lambda xs: ours(xs, LABELS))(jnp.asarray(xs))
    both = [
        np.concatenate([np.ravel(value), np.ravel(gradient)])
        for value, gradient in (found, (loss.detach(), given.grad))
    ]
    agrees(*both, of=getattr(losses, name), reference=package(peer), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", ["ce_count_loss", "ce_rate_loss", "ce_max_membrane_loss"])
def test_cross_entropies_of_snntorch(name):
    """Of the same names."""
    theirs = getattr(pytest.importorskip("snntorch.functional"), name)()
    assert_same(name, "snntorch", getattr(losses, name), theirs, POTENTIALS if "membrane" in name else SPIKES)


def test_mse_count_loss_of_snntorch():
    """Of the same name; the target counts, 8 and 1, are whole numbers."""
    theirs = pytest.importorskip("snntorch.functional").mse_count_loss(correct_rate=0.8, incorrect_rate=0.1)
    ours = lambda xs, labels: losses.mse_count_loss(xs, labels, correct_rate=0.8, incorrect_rate=0.1)
    assert_same("mse_count_loss", "snntorch", ours, theirs, SPIKES)


def test_mse_membrane_loss_of_snntorch():
    """Of the same name."""
    theirs = pytest.importorskip("snntorch.functional").mse_membrane_loss(on_target=1.5, off_target=0.25)
    ours = lambda xs, labels: losses.mse_membrane_loss(xs, labels, on_target=1.5, off_target=0.25)
    assert_same("mse_membrane_loss", "snntorch", ours, theirs, POTENTIALS)


def test_spike_times_of_snntorch_where_every_neuron_spikes():
    """Of the same names, with target times that are given; of the values alone."""
    torch, theirs = pytest.importorskip("torch"), pytest.importorskip("snntorch.functional")
    spikes = SPIKES.copy()
    spikes[-1] = 1
    given = torch.tensor(spikes), torch.tensor(LABELS)
    loss = losses.ce_temporal_loss(spikes, LABELS)
    agrees(
        loss, theirs.ce_temporal_loss()(*given), of=losses.ce_temporal_loss, reference=package("snntorch"), rtol=1e-6
    )
    loss = losses.mse_temporal_loss(spikes, LABELS, on_target=2.0, off_target=8.0)
    exact = theirs.mse_temporal_loss(on_target=2, off_target=8)(*given)
    agrees(loss, exact, of=losses.mse_temporal_loss, reference=package("snntorch"), rtol=1e-6)


def test_accuracies_of_snntorch():
    """`accuracy_rate` is by count, `accuracy_temporal` by first spike."""
    torch, theirs = pytest.importorskip("torch"), pytest.importorskip("snntorch.functional")
    given = torch.tensor(SPIKES), torch.tensor(LABELS)
    for by, peer in (("count", theirs.accuracy_rate), ("first_spike", theirs.accuracy_temporal)):
        share = metrics.accuracy(SPIKES, LABELS, by=by)
        agrees(share, peer(*given), of=metrics.accuracy, reference=package("snntorch"), rtol=1e-6)


def test_temporal_efficient_training_of_spikingjelly():
    """`temporal_efficient_training_cross_entropy` is `ce_rate_loss`."""
    functional = pytest.importorskip("spikingjelly.activation_based.functional")
    theirs = functional.temporal_efficient_training_cross_entropy
    assert_same("ce_rate_loss", "spikingjelly", losses.ce_rate_loss, theirs, POTENTIALS)


def test_threshold_dependent_batch_norm_of_spikingjelly():
    """alpha and v_th are alpha and threshold; two batches in training, one after it, and a gradient."""
    torch = pytest.importorskip("torch")
    peer = pytest.importorskip("spikingjelly.activation_based.layer").ThresholdDependentBatchNorm1d(0.5, 2.0, CLASSES)
    peer, net = peer.double(), nn.Sequential(nn.BatchNorm(CLASSES, threshold=2.0, alpha=0.5))
    for xs in (POTENTIALS, 2 * POTENTIALS + 1):
        given = torch.tensor(xs, requires_grad=True)
        outputs = peer(given)
        (outputs**3).sum().backward()
        loss = lambda xs, net: (nn.unroll_in_training(net, xs).outputs ** 3).sum()
        gradient = jax.grad(loss)(jnp.asarray(xs), net)
        _, found, net = nn.unroll_in_training(net, xs)
        agrees(
            found, outputs.detach().numpy(), of=nn.BatchNorm, reference=package("spikingjelly"), rtol=1e-9, atol=1e-10
        )
        np.testing.assert_allclose(gradient, given.grad.numpy(), rtol=1e-8, atol=1e-8)
    peer.eval()
    exact = peer(torch.tensor(POTENTIALS)).detach().numpy()
    agrees(nn.unroll(net, POTENTIALS).outputs, exact, of=nn.BatchNorm, reference=package("spikingjelly"), rtol=1e-9)
