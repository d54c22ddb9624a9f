"""One training step of one network in each framework: two layers, spikes between them, gradient descent.

Each framework has a model with the same weights, a surrogate that is trained or constant, and a compiled step.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import surgrad
import surgrad.adapters.equinox as arrays

RATE = 0.5
RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(8, 3)).astype(np.float32), RNG.normal(size=(8, 2)).astype(np.float32)
FIRST, SECOND = RNG.normal(size=(3, 5)).astype(np.float32), RNG.normal(size=(5, 2)).astype(np.float32)
WEIGHTS = {"first": FIRST, "second": SECOND}


def network(spike, first, second, x):
    """What each framework's model computes."""
    return spike(x @ first - 0.5) @ second


def loss(prediction):
    return jnp.mean((prediction - Y) ** 2)


def descend(tree, gradients):
    return jax.tree.map(lambda value, gradient: value - RATE * gradient, tree, gradients)


class Plain:
    """JAX alone: the trained surrogate is one of the parameters, the constant one an argument beside them."""

    def __init__(self):
        self.traces = 0
        self._step = jax.jit(self._traced)

    def start(self, spike, trained):
        return (WEIGHTS | {"spike": arrays.trainable(spike)}, None) if trained else (WEIGHTS, spike)

    def predict(self, params, spike, x):
        return network(params.get("spike", spike), params["first"], params["second"], x)

    def _traced(self, params, spike, x):
        self.traces += 1
        gradients = jax.grad(lambda params: loss(self.predict(params, spike, x)))(params)
        return descend(params, gradients), gradients

    def step(self, model):
        params, gradients = self._step(*model, X)
        return (params, model[1]), gradients["spike"].alpha if "spike" in params else None

    def alpha(self, model):
        return model[0].get("spike", model[1]).alpha


class Linen(Plain):
    """Flax Linen: a parameter that is a surrogate; a constant is a field of the module."""

    def __init__(self):
        linen = pytest.importorskip("flax.linen")

        class Network(linen.Module):
            spike: object = None

            @linen.compact
            def __call__(self, x):
                trained = lambda key: arrays.trainable(surgrad.Sigmoid())
                spike = self.param("spike", trained) if self.spike is None else self.spike
                first = self.param("first", lambda key: FIRST)
                return network(spike, first, self.param("second", lambda key: SECOND), x)

        self.traces, self.module = 0, Network
        self._step = jax.jit(self._traced, static_argnums=1)

    def predict(self, params, spike, x):
        return self.module(spike).apply({"params": params}, x)


class Haiku(Plain):
    """Haiku: a transformed function that takes the surrogate as an argument."""

    def __init__(self):
        haiku = pytest.importorskip("haiku")
        super().__init__()

        def forward(spike, x):
            first = haiku.get_parameter("first", FIRST.shape, init=lambda *_: FIRST)
            second = haiku.get_parameter("second", SECOND.shape, init=lambda *_: SECOND)
            return network(spike, first, second, x)

        self.forward = haiku.without_apply_rng(haiku.transform(forward))

    def predict(self, params, spike, x):
        weights = {name: params[name] for name in WEIGHTS}
        return self.forward.apply({"~": weights}, params.get("spike", spike), x)


class Equinox:
    """equinox: a field of a module; arrays are trained, floats are not."""

    def __init__(self):
        eqx = pytest.importorskip("equinox")

        class Network(eqx.Module):
            first: jax.Array
            second: jax.Array
            spike: object

        def step(model, x):
            self.traces += 1
            gradients = eqx.filter_grad(lambda m: loss(network(m.spike, m.first, m.second, x)))(model)
            return eqx.apply_updates(model, jax.tree.map(lambda g: -RATE * g, gradients)), gradients

        self.traces, self.module, self._step = 0, Network, eqx.filter_jit(step)

    def start(self, spike, trained):
        return self.module(jnp.array(FIRST), jnp.array(SECOND), arrays.trainable(spike) if trained else spike)

    def step(self, model):
        model, gradients = self._step(model, X)
        return model, gradients.spike.alpha

    def alpha(self, model):
        return model.spike.alpha


class Nnx:
    """flax.nnx: an attribute of a module; `nnx.Param` is trained, and nothing else."""

    def __init__(self):
        nnx = pytest.importorskip("flax.nnx")
        import surgrad.adapters.flax as adapter

        class Network(nnx.Module):
            def __init__(self, spike):
                self.first, self.second, self.spike = nnx.Param(jnp.array(FIRST)), nnx.Param(jnp.array(SECOND)), spike

        def step(model, optimizer, x):
            self.traces += 1
            gradients = nnx.grad(lambda m: loss(network(m.spike, m.first[...], m.second[...], x)))(model)
            optimizer.update(model, gradients)
            return gradients

        self.traces, self.nnx, self.adapter, self.module = 0, nnx, adapter, Network
        self._step, self.descent = nnx.jit(step), optax.sgd(RATE)

    def start(self, spike, trained):
        model = self.module(self.adapter.trainable(spike) if trained else spike)
        return model, self.nnx.Optimizer(model, self.descent, wrt=self.nnx.Param)

    def step(self, model):
        gradients = self._step(*model, X)
        return model, gradients["spike"]["alpha"][...] if "spike" in gradients else None

    def alpha(self, model):
        alpha = model[0].spike.alpha
        return alpha[...] if isinstance(alpha, self.nnx.Param) else alpha


class Brainstate:
    """brainstate: an attribute of a module; a `ParamState` is trained. A compiled step belongs to one model."""

    def __init__(self):
        self.brainstate = pytest.importorskip("brainstate")
        self.braintools = pytest.importorskip("braintools")
        import surgrad.adapters.brainstate as adapter

        self.traces, self.adapter = 0, adapter

    def start(self, spike, trained):
        bst = self.brainstate

        class Network(bst.nn.Module):
            def __init__(self, spike):
                super().__init__()
                self.first, self.second, self.spike = bst.ParamState(FIRST), bst.ParamState(SECOND), spike

        model = Network(self.adapter.trainable(spike) if trained else spike)
        weights = model.states(bst.ParamState)
        optimizer = self.braintools.optim.SGD(lr=RATE)
        optimizer.register_trainable_weights(weights)

        def step(x):
            self.traces += 1
            value = lambda: loss(network(model.spike, model.first.value, model.second.value, x))
            gradients = bst.transform.grad(value, weights)()
            optimizer.update(gradients)
            return gradients

        return model, bst.transform.jit(step)

    def step(self, model):
        return model, model[1](X).get(("spike", "alpha"))

    def alpha(self, model):
        return getattr(model[0].spike.alpha, "value", model[0].spike.alpha)


FRAMEWORKS = {
    "plain JAX": Plain,
    "brainstate": Brainstate,
    "flax.nnx": Nnx,
    "flax.linen": Linen,
    "haiku": Haiku,
    "equinox": Equinox,
}
