"""Cart-pole, learned by policy gradient: a network that spikes once for each time step of the cart.

Equations: A. G. Barto, R. S. Sutton and C. W. Anderson (1983), Neuronlike adaptive elements that can solve difficult
learning control problems, without friction; constants and limits as in Gymnasium's `CartPole-v0`, whose episodes end
after 200 time steps; its source (`gymnasium/envs/classic_control/cartpole.py`) has these equations.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from benchmarks.which_one.problems import Net, Problem, firing_rate
from surgrad import nn

GRAVITY, CART, POLE, HALF_LENGTH, FORCE, STEP = 9.8, 1.0, 0.1, 0.5, 10.0, 0.02
"""In m/s², kg, kg, m, N and s."""
FARTHEST, STEEPEST = 2.4, 12 * 2 * jnp.pi / 360
"""The cart's largest distance in m, and the pole's largest angle in rad: beyond, an episode ends."""
TYPICAL = jnp.array([1.0, 1.0, 0.1, 1.0])
"""Position, velocity, angle and angular velocity that become a current of 1."""
HORIZON = 200
JUDGED = 64
"""Episodes that a policy is judged by."""


def moved(state: Array, right: Array) -> Array:
    """The states `(episodes, 4)` one time step later, by Euler's method, under a push to the right or to the left."""
    _, speed, angle, turning = state.T
    force = jnp.where(right, FORCE, -FORCE)
    mass, sine, cosine = CART + POLE, jnp.sin(angle), jnp.cos(angle)
    push = (force + POLE * HALF_LENGTH * turning**2 * sine) / mass
    spin = (GRAVITY * sine - cosine * push) / (HALF_LENGTH * (4 / 3 - POLE * cosine**2 / mass))
    pull = push - POLE * HALF_LENGTH * spin * cosine / mass
    return state + STEP * jnp.stack([speed, pull, turning, spin], axis=-1)


def fallen(state: Array) -> Array:
    """Whether an episode has ended."""
    return (jnp.abs(state[:, 0]) > FARTHEST) | (jnp.abs(state[:, 2]) > STEEPEST)


def currents(state: Array) -> Array:
    """What the network gets of a state: each number as two currents, one for each sign."""
    scaled = jnp.clip(state / TYPICAL, -3, 3)
    return jnp.concatenate([jnp.maximum(scaled, 0), jnp.maximum(-scaled, 0)], axis=-1)


def episodes(network: Any, key: Array, count: int, greedy: bool = False) -> dict[str, Array]:
    """Episodes of a policy, `(time, episodes, ...)`: currents, pushes, and whether the pole still stood."""
    begin, drawn = jax.random.split(key)
    state = jax.random.uniform(begin, (count, 4), minval=-0.05, maxval=0.05)

    def step(carry: Any, key: Array) -> tuple[Any, dict[str, Array]]:
        state, inside, alive = carry
        seen = currents(state)
        inside, logits = network(inside, seen)
        right = (logits.argmax(-1) if greedy else jax.random.categorical(key, logits)) == 1
        state = moved(state, right)
        return (state, inside, alive & ~fallen(state)), {"seen": seen, "right": right, "alive": alive}

    start = state, network.init((count, 8), state.dtype), jnp.ones(count, bool)
    return jax.lax.scan(step, start, jax.random.split(drawn, HORIZON))[1]


def advantages(alive: Array) -> Array:
    """Steps still to come, less their mean over the episodes of the same time step, over their standard deviation."""
    stood = alive.astype(float)
    coming = jnp.cumsum(stood[::-1], axis=0)[::-1]
    count = jnp.maximum(stood.sum(axis=1, keepdims=True), 1)
    apart = jnp.where(alive, coming - (coming * stood).sum(axis=1, keepdims=True) / count, 0)
    return apart / (jnp.sqrt((apart**2).sum() / jnp.maximum(stood.sum(), 1)) + 1e-6)


@dataclasses.dataclass(frozen=True)
class CartPole(Problem):
    """Cart-pole: REINFORCE (Williams, 1992), whose baseline is the mean of the episodes at the same time step.

    Parameters:
        entropy: weight of the entropy of the policy.
    """

    updates: int = 50
    batch: int = 16
    learning_rate: float = 5e-3
    tau: float = 4.0
    gain: float = 3.0
    entropy: float = 0.01

    def data(self) -> None:
        """There are no samples."""

    def network(self, spike: Any, key: Array, net: Net, data: None) -> nn.Sequential:
        """A policy at its beginning: the log-odds of both pushes."""
        inside, out = jax.random.split(key)
        hidden = self.layers(spike, inside, net, lambda key: nn.Linear(8, self.hidden, key=key, gain=self.gain))
        return nn.Sequential(*hidden, nn.Linear(self.hidden, 2, key=out, gain=0.5), nn.LeakyIntegrator(2.0))

    def sample(self, network: Any, key: Array, data: None) -> dict[str, Array]:
        """Episodes of the present policy."""
        return jax.lax.stop_gradient(episodes(network, key, self.batch))

    def inputs(self, batch: dict[str, Array]) -> Array:
        """What the network gets, time first."""
        return batch["seen"]

    def loss(self, network: Any, batch: dict[str, Array]) -> Array:
        """Its gradient is that of the policy."""
        logits = nn.unroll(network, batch["seen"])[1]
        logs = jax.nn.log_softmax(logits)
        taken = jnp.where(batch["right"], logs[..., 1], logs[..., 0])
        entropy = -(jnp.exp(logs) * logs).sum(-1)
        alive = batch["alive"]
        gained = taken * advantages(alive) + self.entropy * entropy
        return -jnp.where(alive, gained, 0).sum() / jnp.maximum(alive.sum(), 1).astype(float)

    def reached(self, batch: dict[str, Array]) -> Array:
        """The share of the longest episode for which the pole stands."""
        return batch["alive"].mean()

    def lacking(self, loss: Array, reached: Array) -> Array:
        """What tuning makes small; the loss only has the gradient of the policy."""
        return 1 - reached

    def score(self, network: Any, key: Array, data: None, reached: Array) -> dict[str, Array]:
        """As accuracy the mean share of the longest episode over all of training, so that who learns faster has more.

        In the end nearly all policies hold the pole. The loss is what the likelier of both pushes lacks then.
        """
        found = episodes(network, key, JUDGED, greedy=True)
        return {
            "test_accuracy": reached,
            "test_loss": 1 - found["alive"].mean(),
            "firing_rate": firing_rate(network, network.outputs(found["seen"])),
        }
