"""The training runs of the third document: a neuron in a Python loop over time, plain gradient descent."""

import functools
import itertools

import jax
import jax.numpy as jnp

import surgrad as surrogate

N_INPUTS, N_STEPS = 10, 50


def quickly(function):
    """The function, compiled once.

    The document's loops over time are unrolled, and what is compiled of them takes XLA a minute each, unless it is
    told to leave out fusion.
    """
    return jax.jit(function, compiler_options={"xla_disable_hlo_passes": "fusion", "xla_backend_optimization_level": 0})


def split_key(seed):
    return jax.random.split(jax.random.PRNGKey(seed))


def initial_weights(key, shape=(N_INPUTS,)):
    return jax.random.normal(key, shape) * 0.1


@functools.cache
def data():
    """Input spikes, wanted spike counts, and the key that is left."""
    key, subkey = split_key(0)
    inputs = jax.random.bernoulli(subkey, 0.3, (20, N_STEPS, N_INPUTS)).astype(float)
    return inputs, jax.random.uniform(key, (20,)) * 10, key


def count_spikes(spike_function, weights, inputs, tau=10.0, dt=0.1):
    """Spikes of a leaky neuron that is reset to 0."""
    v, count = 0.0, 0.0
    for t in range(N_STEPS):
        v = v + (-v + jnp.dot(weights, inputs[t])) / tau * dt
        spike = spike_function(v - 1.0)
        count = count + spike
        v = v * (1.0 - spike)
    return count


def mean_squared_miss(spike_function, weights, inputs, targets):
    counts = jax.vmap(lambda sample: count_spikes(spike_function, weights, sample))(inputs)
    return jnp.mean((counts - targets) ** 2)


def sigmoid_loss(weights, alpha, inputs, targets):
    return mean_squared_miss(surrogate.Sigmoid(alpha=alpha), weights, inputs, targets)


@functools.cache
def learned_alpha():
    """Loss, alpha and norm of the weights at each of 50 steps, and the weights at the start (block 5)."""
    inputs, targets, key = data()
    weights, alpha, rows = initial_weights(jax.random.split(key)[1]), 2.0, []
    gradients = quickly(jax.value_and_grad(sigmoid_loss, argnums=(0, 1)))
    for _ in range(50):
        loss, (by_weights, by_alpha) = gradients(weights, alpha, inputs, targets)
        weights = weights - 0.01 * by_weights
        alpha = jnp.clip(alpha - 0.1 * by_alpha, 0.5, 10.0)
        rows.append([float(loss), float(alpha), float(jnp.linalg.norm(weights))])
    return rows


def losses_with_fixed_alpha(alpha, compiled, n_steps=50):
    """The losses of a run that learns the weights alone (block 7)."""
    inputs, targets, _ = data()

    @compiled
    def step(weights):
        loss, by_weights = jax.value_and_grad(sigmoid_loss)(weights, alpha, inputs, targets)
        return weights - 0.01 * by_weights, loss

    step, weights, losses = quickly(step), initial_weights(split_key(42)[1]), []
    for _ in range(n_steps):
        weights, loss = step(weights)
        losses.append(float(loss))
    return losses


def learn(loss_fn, weights, parameters, rates, bounds, n_steps):
    """Loss and clipped hyperparameters at each step of a run that learns them with the weights."""
    inputs, targets, _ = data()
    gradients = quickly(jax.value_and_grad(loss_fn, argnums=tuple(range(1 + len(parameters)))))
    rows = []
    for _ in range(n_steps):
        loss, (by_weights, *by_parameters) = gradients(weights, *parameters, inputs, targets)
        weights = weights - 0.01 * by_weights
        moved = [p - rate * g for p, rate, g in zip(parameters, rates, by_parameters, strict=True)]
        parameters = [jnp.clip(p, *bound) for p, bound in zip(moved, bounds, strict=True)]
        rows.append([float(loss), *map(float, parameters)])
    return rows


def learned_leaky_relu(compiled):
    """Loss, alpha and beta at each of 50 steps (block 8)."""

    @compiled
    def loss_fn(weights, alpha, beta, inputs, targets):
        spike = functools.partial(surrogate.leaky_relu, alpha=alpha, beta=beta)
        return mean_squared_miss(spike, weights, inputs, targets)

    weights = initial_weights(split_key(123)[1])
    return learn(loss_fn, weights, [0.1, 1.0], [0.005, 0.01], [(0.01, 0.5), (0.1, 5.0)], 50)


def learned_s2nn(spike_function, compiled):
    """Loss, alpha, beta and epsilon at each of 60 steps (block 12)."""

    @compiled
    def loss_fn(weights, alpha, beta, epsilon, inputs, targets):
        spike = functools.partial(spike_function, alpha=alpha, beta=beta, epsilon=epsilon)
        return mean_squared_miss(spike, weights, inputs, targets)

    weights = initial_weights(split_key(789)[1])
    bounds = [(1.0, 10.0), (0.1, 5.0), (1e-10, 1e-6)]
    return learn(loss_fn, weights, [4.0, 1.0, 1e-8], [0.05, 0.01, 1e-10], bounds, 60)


class UnguardedS2NN(surrogate.Surrogate):
    """S2NN as it was when the document was printed: the branch above the threshold divides by zero at x = -1."""

    def __init__(self, alpha, beta, epsilon):
        super().__init__()
        self.alpha, self.beta, self.epsilon = alpha, beta, epsilon

    def surrogate_grad(self, x):
        s = jax.nn.sigmoid(self.alpha * x)
        return jnp.where(x < 0, self.alpha * s * (1 - s), self.beta / (x + 1))


def learned_layers(compiled):
    """Loss and the alphas of three layers at each of 100 steps (block 10)."""

    def network(weights, alphas, spikes):
        for w, alpha in zip(weights, alphas, strict=True):
            spikes = surrogate.sigmoid(jnp.dot(w, spikes) - 1.0, alpha=alpha)
        return spikes

    @compiled
    def loss_fn(weights, alphas, inputs, targets):
        missed = jax.vmap(lambda i, t: jnp.mean((network(weights, alphas, i) - t) ** 2))(inputs, targets)
        return jnp.mean(missed)

    key, sizes, weights = jax.random.PRNGKey(456), [10, 8, 6, 4], []
    for n_in, n_out in itertools.pairwise(sizes):
        key, subkey = jax.random.split(key)
        weights.append(initial_weights(subkey, (n_out, n_in)))
    key, subkey = jax.random.split(key)
    inputs = jax.random.bernoulli(subkey, 0.3, (30, 10)).astype(float)
    targets = jax.random.bernoulli(key, 0.5, (30, 4)).astype(float)
    alphas, rows = jnp.array([2.0, 3.0, 4.0]), []
    gradients = quickly(jax.value_and_grad(loss_fn, argnums=(0, 1)))
    for _ in range(100):
        loss, (by_weights, by_alphas) = gradients(weights, alphas, inputs, targets)
        weights = [w - 0.01 * g for w, g in zip(weights, by_weights, strict=True)]
        alphas = jnp.clip(alphas - 0.05 * by_alphas, 0.5, 10.0)
        rows.append([float(loss), *alphas.tolist()])
    return rows
