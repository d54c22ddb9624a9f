"""Networks and graphs of NIR, and what the equations of NIR say that a graph does, in NumPy and float64."""

import jax
import jax.numpy as jnp
import nir
import numpy as np

import surgrad
from surgrad import nn

DT = 1e-3


def filtered(v, rest, tau, drive, dt, scheme):
    """τ dv/dt = rest - v + drive after a time step, for a drive that is constant, or by Euler's method."""
    if scheme == "euler":
        return v + dt / tau * (rest - v + drive)
    return rest + drive + (v - rest - drive) * np.exp(-dt / tau)


def correlated(node, x):
    """The convolution of NIR (and PyTorch), channels first, as sums over the elements of the kernel."""
    weight, space = np.asarray(node.weight, float), x.shape[1:]
    stride, dilation = (np.ravel(n).tolist() * (len(space) // np.size(n)) for n in (node.stride, node.dilation))
    reach = [(k - 1) * d for k, d in zip(weight.shape[2:], dilation, strict=True)]
    if isinstance(node.padding, str):
        pads = [(r // 2, r - r // 2) if node.padding == "same" else (0, 0) for r in reach]
    else:
        pads = [(p, p) for p in np.ravel(node.padding).tolist() * (len(space) // np.size(node.padding))]
    padded = np.pad(x, [(0, 0), *pads])
    out = [(n - r - 1) // s + 1 for n, r, s in zip(padded.shape[1:], reach, stride, strict=True)]
    outputs, inputs = len(weight) // node.groups, weight.shape[1]
    y = np.zeros((len(weight), *out))
    for place in np.ndindex(*weight.shape[2:]):
        at = [slice(p * d, p * d + (o - 1) * s + 1, s) for p, d, o, s in zip(place, dilation, out, stride, strict=True)]
        for group in range(node.groups):
            rows = slice(group * outputs, (group + 1) * outputs)
            part = padded[(slice(group * inputs, (group + 1) * inputs), *at)]
            y[rows] += np.tensordot(weight[(rows, slice(None), *place)], part, 1)
    return y + np.asarray(node.bias).reshape(-1, *(1,) * len(space))


def pooled(node, x, reduce):
    (high, wide), (down, right) = node.kernel_size, node.stride
    rows, columns = range(0, x.shape[1] - high + 1, down), range(0, x.shape[2] - wide + 1, right)
    windows = [[x[:, i : i + high, j : j + wide] for j in columns] for i in rows]
    return np.moveaxis(np.array([[reduce(window, (1, 2)) for window in row] for row in windows]), -1, 0)


def spiking(node, v, rest):
    spikes = (v > node.v_threshold).astype(float)
    return np.where(spikes > 0, rest, v), spikes


class Reference:
    """One node, stepwise; membranes start at the reset, integrators at rest, and cycles take one time step."""

    def __init__(self, node, dt=DT, scheme="exponential"):
        self.node, self.dt, self.scheme = node, dt, scheme
        self.v = np.array(getattr(node, "v_reset", getattr(node, "v_leak", 0.0)), float)
        self.current, self.lines = 0.0, None
        if isinstance(node, nir.NIRGraph):
            (self.neurons,) = (n for n in node.nodes.values() if type(n) in (nir.LIF, nir.IF, nir.CubaLIF, nir.LI))
            self.inner, self.outputs = Reference(self.neurons, dt, scheme), np.zeros(len(self.neurons.r))

    def __call__(self, x):
        return getattr(self, f"on_{type(self.node).__name__.lower()}")(self.node, x)

    def on_nirgraph(self, node, x):
        matrix = node.nodes["w_rec"]
        fed_back = np.asarray(matrix.weight, float) @ self.outputs + np.asarray(getattr(matrix, "bias", 0.0))
        self.outputs = self.inner(x + fed_back)
        return self.outputs

    def on_linear(self, node, x):
        return np.asarray(node.weight, float) @ x

    def on_affine(self, node, x):
        return np.asarray(node.weight, float) @ x + np.asarray(node.bias)

    def on_conv1d(self, node, x):
        return correlated(node, x)

    on_conv2d = on_conv1d

    def on_sumpool2d(self, node, x):
        return pooled(node, x, np.sum)

    def on_avgpool2d(self, node, x):
        return pooled(node, x, np.mean)

    def on_flatten(self, node, x):
        return x.reshape(-1)

    def on_scale(self, node, x):
        return node.scale * x

    def on_threshold(self, node, x):
        return (x > node.threshold).astype(float)

    def on_delay(self, node, x):
        steps = np.rint(node.delay / self.dt).astype(int)
        self.lines = [x] if self.lines is None else [*self.lines, x]
        lines = np.stack([np.zeros_like(x)] * steps.max(initial=0) + self.lines)
        return np.take_along_axis(lines, len(lines) - 1 - steps[None], 0)[0]

    def on_li(self, node, x):
        self.v = filtered(self.v, node.v_leak, node.tau, node.r * x, self.dt, self.scheme)
        return self.v

    def on_i(self, node, x):
        self.v = self.v + self.dt * node.r * x
        return self.v

    def on_lif(self, node, x):
        v = filtered(self.v, node.v_leak, node.tau, node.r * x, self.dt, self.scheme)
        self.v, spikes = spiking(node, v, node.v_reset)
        return spikes

    def on_if(self, node, x):
        self.v, spikes = spiking(node, self.v + self.dt * node.r * x, node.v_reset)
        return spikes

    def on_cubali(self, node, x):
        self.current = filtered(self.current, 0, node.tau_syn, node.w_in * x, self.dt, self.scheme)
        self.v = filtered(self.v, node.v_leak, node.tau_mem, node.r * self.current, self.dt, self.scheme)
        return self.v

    def on_cubalif(self, node, x):
        self.current = filtered(self.current, 0, node.tau_syn, node.w_in * x, self.dt, self.scheme)
        v = filtered(self.v, node.v_leak, node.tau_mem, node.r * self.current, self.dt, self.scheme)
        self.v, spikes = spiking(node, v, node.v_reset)
        return spikes


def simulated(graph, xs, dt=DT, scheme="exponential"):
    """The outputs of a chain over time, `(time, *shape)`, of inputs with channels first."""
    chain, after = [], dict(graph.edges)
    name = "input"
    while (name := after[name]) != "output":
        chain.append(Reference(graph.nodes[name], dt, scheme))
    outputs = []
    for x in np.asarray(xs, float):
        for node in chain:
            x = node(x)
        outputs.append(x)
    return np.stack(outputs)


def channels_first(xs):
    """Sequences without a batch, channels first."""
    return np.moveaxis(np.asarray(xs), -1, 1) if np.ndim(xs) > 2 else np.asarray(xs)


run = jax.jit(lambda net, xs: nn.unroll(net, xs).outputs)


def drawn(seed):
    """A random network, and the shape of its input."""
    rng = np.random.default_rng(seed)
    key = iter(jax.random.split(jax.random.key(seed), 9))
    parts, shape, size = [], (int(rng.integers(2, 5)),), int(rng.integers(2, 6))
    if rng.random() < 0.5:
        shape = (7, 6, int(rng.integers(1, 3))) if rng.random() < 0.6 else (7, int(rng.integers(1, 3)))
        parts += _front(rng, shape, key)
        parts.append(nn.Flatten(len(shape)))
        flat = jax.eval_shape(nn.Sequential(*parts), *_inputs(parts, shape))[1].shape[0]
    else:
        flat = shape[0]
    if rng.random() < 0.3:
        parts.append(_cell(rng, flat))
    bias = bool(rng.random() < 0.7)
    parts.append(nn.Linear(flat, size, key=next(key), use_bias=bias, gain=3.0))
    cell = _cell(rng, size)
    parts.append(nn.Recurrent(cell, size, key=next(key)) if rng.random() < 0.4 else cell)
    if rng.random() < 0.5:
        parts.append(nn.Delay(2 if rng.random() < 0.5 else tuple(range(size))))
    parts += [nn.Linear(size, 2, key=next(key), gain=3.0), nn.LeakyIntegrator(_number(rng, (2,), 3.0, 20.0))]
    return nn.Sequential(*parts[: -2 if rng.random() < 0.3 else None]), shape


def _inputs(parts, shape):
    net = nn.Sequential(*parts)
    return net.init(shape), jnp.zeros(shape)


def _number(rng, shape, low, high):
    """One number, or one for each feature of the last axis, or of all axes."""
    kind = rng.integers(3)
    if kind == 0:
        return float(rng.uniform(low, high))
    return jnp.asarray(rng.uniform(low, high, shape if kind == 1 else shape[-1:]), jnp.float32)


def _cell(rng, *shape):
    spike = (surgrad.Sigmoid(float(rng.uniform(1, 5))), surgrad.Arctan(jnp.float32(2.0)))[rng.integers(2)]
    options = {"reset": "zero", "detach_reset": bool(rng.random() < 0.3), "dt": float(rng.choice([1.0, 0.5]))}
    tau, threshold = _number(rng, shape, 2.0, 20.0), _number(rng, shape, 0.4, 1.0)
    if rng.random() < 0.3:
        return nn.CuBaLIF(spike, tau, threshold, tau_syn=_number(rng, shape, 2.0, 6.0), **options)
    return nn.LIF(spike, np.inf if rng.random() < 0.2 else tau, threshold, **options)


def _front(rng, shape, key):
    """A convolution, cells, and a pool where there are two axes of space."""
    spatial, channels = len(shape) - 1, int(rng.integers(1, 3)) * 2
    groups = shape[-1] if rng.random() < 0.3 else 1
    padding = ("SAME", "VALID", 1)[rng.integers(3)]
    options = {"padding": padding, "groups": groups, "use_bias": bool(rng.random() < 0.5), "gain": 3.0}
    if padding != "SAME":
        options |= {"stride": int(rng.integers(1, 3)), "dilation": int(rng.integers(1, 3))}
    conv = nn.Conv2d if spatial == 2 else nn.Conv1d
    kernel = (3, 2) if spatial == 2 and padding != "SAME" else 3
    parts = [conv(shape[-1], channels, kernel, key=next(key), **options)]
    here = parts[0](jnp.zeros(shape)).shape
    parts.append(_cell(rng, *here))
    if min(here) > 1 and spatial == 2:
        parts.append((nn.AvgPool2d, nn.SumPool2d)[rng.integers(2)](2, stride=1))
    return parts
