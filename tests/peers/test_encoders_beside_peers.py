"""Codes of change beside snnTorch's."""

import jax.numpy as jnp
import numpy as np
import pytest

from ledger import agrees, package
from surgrad import encode

torch = pytest.importorskip("torch")
spikegen = pytest.importorskip("snntorch.spikegen")


@pytest.mark.parametrize("padding", [False, True])
def test_delta_is_that_of_snntorch_in_two_channels(padding):
    x = np.random.default_rng(0).normal(size=(30, 2, 3)).astype(np.float32)
    theirs = spikegen.delta(torch.tensor(x), threshold=0.5, padding=padding, off_spike=True).numpy()
    ours = encode.delta(jnp.asarray(x), 0.5, start=None if padding else 0.0)
    agrees(ours[..., :3] - ours[..., 3:], theirs, of=encode.delta, reference=package("snntorch"))
