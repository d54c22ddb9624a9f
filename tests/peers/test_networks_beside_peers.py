"""A small network of each library, trained beside its counterpart here from the same weights on the same data.

Each library has its usual neuron, with its own reset and surrogate, and its usual loss; ours is made of `surrogate.convert`
and what `peers.toml` says of decay and reset. After twenty steps of gradient descent the weights are equal to rounding.
Where a cell of this library differs, the difference is a cell of a few lines here.
"""

import importlib
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import surgrad
from surgrad import losses, nn

STEPS, TIME, BATCH, INPUTS, HIDDEN, CLASSES = 20, 20, 4, 12, 10, 3
TAU = 10.0
RNG = np.random.default_rng(3)
XS = (RNG.random((TIME, BATCH, INPUTS)) < 0.4).astype(np.float32)
LABELS = np.arange(BATCH) % CLASSES
FIRST = RNG.normal(0.1, 0.4, (INPUTS, HIDDEN)).astype(np.float32)
SECOND = RNG.normal(0.05, 0.4, (HIDDEN, CLASSES)).astype(np.float32)
ONE_HOT = np.eye(CLASSES, dtype=np.float32)[LABELS]
pytestmark = pytest.mark.filterwarnings("ignore")  # of the libraries, some of which warn where they are imported


class DelayedReset(nn.Cell):
    """snnTorch's `Leaky`: the threshold is subtracted one time step after the spike, after the leak."""

    surrogate: surgrad.Surrogate
    beta: float = 0.9
    spiking = elementwise = True

    def init(self, shape, dtype=None):
        return jnp.zeros(shape, dtype)

    def __call__(self, v, current):
        v = self.beta * v + current - jax.lax.stop_gradient(self.surrogate(v - 1))
        return v, self.surrogate(v - 1)


class EarlierSpikes(nn.Cell):
    """Spyx's `LIF`: spikes are those of the membrane potential before the input."""

    surrogate: surgrad.Surrogate
    beta: float = 0.9
    spiking = elementwise = True

    def init(self, shape, dtype=None):
        return jnp.zeros(shape, dtype)

    def __call__(self, v, current):
        spikes = self.surrogate(v - 1)
        return self.beta * v + current - spikes, spikes


def scaled(factor):
    return lambda current: current * factor


def cross_entropy(logits):
    return -jnp.mean(jnp.sum(ONE_HOT * jax.nn.log_softmax(logits), axis=-1))


def squared_rates(spikes):
    return jnp.mean((spikes.mean(0) - ONE_HOT) ** 2)


def by_torch(forward):
    """Their loss and gradients as a function of the two weights, by torch."""
    torch = pytest.importorskip("torch")

    def value_and_gradients(*weights):
        tensors = [torch.tensor(one, requires_grad=True) for one in weights]
        loss = forward(torch.tensor(XS), *tensors)
        loss.backward()
        return loss.item(), [one.grad.numpy() for one in tensors]

    return value_and_gradients


def snntorch(module):
    functional = importlib.import_module("snntorch.functional")
    torch, surrogate = pytest.importorskip("torch"), importlib.import_module("snntorch.surrogate")

    def forward(xs, first, second):
        lif = module.Leaky(beta=0.9, spike_grad=surrogate.fast_sigmoid(slope=25))
        integrator = module.Leaky(beta=0.9, reset_mechanism="none")
        mem, out, outputs = lif.init_leaky(), integrator.init_leaky(), []
        for x in xs:
            spikes, mem = lif(x @ first, mem)
            _, out = integrator(spikes @ second, out)
            outputs.append(out)
        return functional.ce_rate_loss()(torch.stack(outputs), torch.tensor(LABELS))

    ours = (DelayedReset(surgrad.convert("snntorch.fast_sigmoid", slope=25)), nn.LeakyIntegrator(beta=0.9))
    return forward, ours, lambda outputs: losses.ce_rate_loss(outputs, jnp.asarray(LABELS))


def spikingjelly(module):
    torch, neuron = pytest.importorskip("torch"), importlib.import_module("spikingjelly.activation_based.neuron")

    def forward(xs, first, second):
        hidden, last = neuron.LIFNode(tau=TAU, step_mode="m"), neuron.LIFNode(tau=TAU, step_mode="m")
        spikes = last(hidden(xs @ first) @ second)
        return torch.nn.functional.mse_loss(spikes.mean(0), torch.tensor(ONE_HOT))

    def lif():
        return nn.LIF(surgrad.convert("spikingjelly.Sigmoid"), beta=1 - 1 / TAU, reset="zero")

    return forward, ((scaled(1 / TAU), lif()), (scaled(1 / TAU), lif())), squared_rates


def norse(module):
    torch, norse = pytest.importorskip("torch"), importlib.import_module("norse.torch")

    def forward(xs, first, second):
        lif, integrator, states, outputs = norse.LIFCell(), norse.LICell(), (None, None), []
        for x in xs:
            spikes, hidden = lif(x @ first, states[0])
            output, last = integrator(spikes @ second, states[1])
            states = hidden, last
            outputs.append(output)
        return torch.nn.functional.cross_entropy(torch.stack(outputs).max(0)[0], torch.tensor(LABELS))

    synapse = -1 / np.log(0.8)
    surrogate = surgrad.convert("norse.super")
    hidden = (scaled(0.1), nn.CuBaLIF(surrogate, beta=0.9, tau_syn=synapse, reset="zero"))
    last = (scaled(0.1), nn.LeakyIntegrator(beta=0.8), nn.LeakyIntegrator(beta=0.9))
    return forward, (hidden, last), lambda outputs: cross_entropy(outputs.max(0))


def sinabs(module):
    torch, layers = pytest.importorskip("torch"), importlib.import_module("sinabs.layers")
    single = importlib.import_module("sinabs.activation").SingleSpike

    def forward(xs, first, second):
        hidden, last = layers.LIF(tau_mem=TAU, spike_fn=single), layers.LIF(tau_mem=TAU, spike_fn=single)
        batch_first = xs.swapaxes(0, 1)
        spikes = last(hidden(batch_first @ first) @ second)
        return torch.nn.functional.cross_entropy(spikes.sum(1), torch.tensor(LABELS))

    def lif():
        share = float(-np.expm1(-1 / TAU))
        return scaled(share), nn.LIF(surgrad.convert("sinabs.SingleExponential"), tau=TAU)

    return forward, (lif(), lif()), lambda spikes: cross_entropy(spikes.sum(0))


def rockpool(module):
    torch, lif_torch = pytest.importorskip("torch"), importlib.import_module("rockpool.nn.modules.torch.lif_torch")

    def forward(xs, first, second):
        options = {"tau_mem": 0.02, "tau_syn": 0.01, "bias": torch.tensor(0.0), "dt": 1e-3}
        options["max_spikes_per_dt"] = torch.tensor(1.0)
        hidden = lif_torch.LIFTorch((HIDDEN,), **options)
        last = lif_torch.LIFTorch((CLASSES,), **options)
        spikes, _, _ = hidden(xs.swapaxes(0, 1) @ first)
        spikes, _, _ = last(spikes @ second)
        return torch.nn.functional.mse_loss(spikes.mean(1), torch.tensor(ONE_HOT))

    def lif():
        surrogate = surgrad.convert("rockpool.StepPWL")
        return scaled(float(np.exp(-0.1))), nn.CuBaLIF(surrogate, tau=20.0, tau_syn=10.0)

    return forward, (lif(), lif()), squared_rates


def btorch(module):
    torch, neurons = pytest.importorskip("torch"), importlib.import_module("btorch.models.neurons.lif")
    environ, functional = (importlib.import_module(f"btorch.models.{name}") for name in ("environ", "functional"))
    triangle = importlib.import_module("btorch.models.surrogate").Triangle(alpha=1.0)

    def forward(xs, first, second):
        def lif(count):
            one = neurons.LIF(count, v_threshold=1.0, v_reset=0.0, c_m=TAU, tau=TAU, surrogate_function=triangle)
            functional.init_net_state(one, batch_size=BATCH)
            functional.reset_net(one, batch_size=BATCH)
            return one

        hidden, last, outputs = lif(HIDDEN), lif(CLASSES), []
        with environ.context(dt=1.0):
            for x in xs:
                outputs.append(last(hidden(x @ first).float() @ second).float())
        return torch.nn.functional.mse_loss(torch.stack(outputs).mean(0), torch.tensor(ONE_HOT))

    def lif():
        return scaled(1 / TAU), nn.LIF(surgrad.convert("btorch.Triangle", alpha=1.0), beta=1 - 1 / TAU)

    return forward, (lif(), lif()), squared_rates


def spyx(module):
    nnx, spyx = pytest.importorskip("flax.nnx"), importlib.import_module("spyx")

    def loss(first, second):
        rngs = nnx.Rngs(0)
        network = spyx.nn.Sequential(
            nnx.Linear(INPUTS, HIDDEN, use_bias=False, rngs=rngs),
            spyx.nn.LIF((HIDDEN,), beta=0.9, rngs=rngs),
            nnx.Linear(HIDDEN, CLASSES, use_bias=False, rngs=rngs),
            spyx.nn.LI((CLASSES,), beta=0.9, rngs=rngs),
        )
        network.layers[0].kernel, network.layers[2].kernel = nnx.Param(first), nnx.Param(second)
        outputs = spyx.nn.run(network, jnp.asarray(XS))[0]
        return spyx.fn.integral_crossentropy(smoothing=0.0, time_axis=0)(outputs, jnp.asarray(LABELS))

    ours = (EarlierSpikes(surgrad.convert("spyx.superspike", k=25.0)), nn.LeakyIntegrator(beta=0.9))
    return loss, ours, lambda outputs: cross_entropy(outputs.sum(0))


def jaxpike(module):
    eqx = pytest.importorskip("equinox")
    layers = [
        module.Dense(INPUTS, HIDDEN, use_bias=False, key=jax.random.key(0)),
        module.LIF(tau=TAU, surrogate=module.ATan()),
        module.Dense(HIDDEN, CLASSES, use_bias=False, key=jax.random.key(0)),
        module.LeakyIntegrator(tau=TAU),
    ]
    network = module.Sequential(*layers)

    def loss(first, second):
        given = eqx.tree_at(lambda net: (net.layers[0].weight, net.layers[2].weight), network, (first.T, second.T))
        outputs, _ = module.unroll(given, jnp.asarray(XS))
        return cross_entropy(outputs.max(0))

    share = float(-np.expm1(-1 / TAU))
    ours = (
        (scaled(share), nn.LIF(surgrad.convert("jaxpike.ATan"), tau=TAU)),
        (
            scaled(share),
            nn.LeakyIntegrator(tau=TAU),
        ),
    )
    return loss, ours, lambda outputs: cross_entropy(outputs.max(0))


def jaxsnn(module):
    lif = importlib.import_module("jaxsnn.discrete.functional.lif")
    superspike = importlib.import_module("jaxsnn.discrete.functional.threshold").superspike
    options = {"v_leak": 0.0, "v_th": 1.0, "v_reset": 0.0, "tau_mem": TAU, "tau_syn": 5.0, "dt": 1.0}

    def layer(currents):
        state = lif.LIFState(V=jnp.zeros(currents.shape[1:]), I=jnp.zeros(currents.shape[1:]))
        step = lambda state, current: lif.lif_step({"input": current}, state, None, superspike, **options)
        return jax.lax.scan(step, state, currents)[1]

    def loss(first, second):
        return cross_entropy((layer(jnp.asarray(XS) @ first) @ second).mean(0))

    surrogate = surgrad.convert("jaxsnn.superspike")
    neuron = nn.CuBaLIF(surrogate, beta=1 - 1 / TAU, tau_syn=-1 / np.log(1 - 1 / 5.0), reset="zero")
    ours = ((scaled(1 / TAU), OneStepLater(), neuron), lambda current: current)
    return loss, ours, lambda outputs: cross_entropy(outputs.mean(0))


class OneStepLater(nn.Cell):
    """jaxsnn adds the synaptic current of the step before to the membrane potential."""

    elementwise = True

    def init(self, shape, dtype=None):
        return jnp.zeros(shape, dtype)

    def __call__(self, former, current):
        return current, former


def sparx(module):
    linen, layers = pytest.importorskip("flax.linen"), importlib.import_module("sparx.nn")
    hidden = layers.LIF(TAU, surrogate=importlib.import_module("sparx.surrogate").FastSigmoid())
    network = linen.Sequential([linen.Dense(HIDDEN, use_bias=False), hidden, linen.Dense(CLASSES, use_bias=False)])
    names = network.init(jax.random.key(0), jnp.asarray(XS))

    def loss(first, second):
        kernels = {f"layers_{i}": {"kernel": one} for i, one in ((0, first), (2, second))}
        params = {"params": names["params"] | kernels}
        return cross_entropy(network.apply(params, jnp.asarray(XS)).mean(0))

    ours = (nn.LIF(surgrad.convert("sparx.FastSigmoid"), tau=TAU), lambda current: current)
    return loss, ours, lambda outputs: cross_entropy(outputs.mean(0))


def braintools(module):
    """braintools has surrogates and no neurons: a plain loop around its default."""
    surrogate = importlib.import_module("braintools.surrogate").ReluGrad()

    def layer(currents):
        def step(v, current):
            v = 0.9 * v + current
            spikes = surrogate(v - 1)
            return v - spikes, spikes

        return jax.lax.scan(step, jnp.zeros(currents.shape[1:]), currents)[1]

    def loss(first, second):
        return squared_rates(layer(layer(jnp.asarray(XS) @ first) @ second))

    lif = nn.LIF(surgrad.convert("braintools.ReluGrad"), beta=0.9)
    return loss, (lif, lif), squared_rates


class Case(NamedTuple):
    make: object
    module: str
    torch: bool
    scale: float = 1.0
    """Of the initial weights, so that neurons spike where inputs are divided by a time constant."""
    rate: float = 0.5


CASES = {
    "snntorch": Case(snntorch, "snntorch", True, 1.0, 0.02),
    "spikingjelly": Case(spikingjelly, "spikingjelly", True, 6.0),
    "norse": Case(norse, "norse.torch", True, 4.0, 0.1),
    "sinabs": Case(sinabs, "sinabs", True, 6.0),
    "rockpool": Case(rockpool, "rockpool.nn.modules.torch.lif_torch", True, 0.3, 0.05),
    "btorch": Case(btorch, "btorch", True, 6.0),
    "spyx": Case(spyx, "spyx", False, 1.0, 0.0005),
    "jaxpike": Case(jaxpike, "jaxpike", False, 6.0),
    "jaxsnn": Case(jaxsnn, "jaxsnn", False, 8.0, 0.1),
    "sparx": Case(sparx, "sparx", False, 1.0, 0.1),
    "braintools": Case(braintools, "braintools", False),
}


def network_of(layers):
    first, second = (one if isinstance(one, tuple) else (one,) for one in layers)
    return lambda weights: nn.Sequential(
        nn.Linear.from_arrays(weights[0]), *first, nn.Linear.from_arrays(weights[1]), *second
    )


def trained(value_and_gradients, weights, rate):
    values = []
    for _ in range(STEPS):
        value, gradients = value_and_gradients(*weights)
        weights = [
            one - np.float32(rate) * np.asarray(gradient) for one, gradient in zip(weights, gradients, strict=True)
        ]
        values.append(float(value))
    return weights, values


@pytest.mark.parametrize("name", CASES)
def test_weights_after_twenty_steps_are_equal_to_rounding(name):
    case = CASES[name]
    module = pytest.importorskip(case.module)
    theirs, layers, loss = case.make(module)
    weights = [case.scale * FIRST, case.scale * SECOND]
    network = network_of(layers)
    ours = jax.jit(jax.value_and_grad(lambda *w: loss(nn.unroll(network(w), jnp.asarray(XS)).outputs), argnums=(0, 1)))
    by_them = by_torch(theirs) if case.torch else jax.jit(jax.value_and_grad(theirs, argnums=(0, 1)))
    expected, their_values = trained(by_them, weights, case.rate)
    found, values = trained(ours, weights, case.rate)
    moved = [float(np.abs(np.asarray(e) - w).max()) for e, w in zip(expected, weights, strict=True)]
    errors = [float(np.abs(np.asarray(e) - np.asarray(f)).max()) for e, f in zip(expected, found, strict=True)]
    print(f"{name}: loss {values[0]:.4f} to {values[-1]:.4f}, weights moved {moved}, differ {errors}")
    np.testing.assert_allclose(values, their_values, rtol=1e-4)
    assert values[-1] < values[0]
    for difference, way, initial in zip(errors, moved, weights, strict=True):
        rounding = float(np.finfo(np.float32).eps * np.abs(initial).max())
        assert way > 300 * rounding
        assert difference < max(1e-4 * way, 4 * rounding)
