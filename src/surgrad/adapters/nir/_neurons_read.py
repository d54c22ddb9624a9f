"""Cells of this library for neurons of NIR.

Their membrane potential is counted from the reset, and in units in which an input counts as it is. So a resistance,
input weights and a v_reset become a part of the threshold.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import nir
import numpy as np

from surgrad.adapters.nir._layers import Scale
from surgrad.adapters.nir._layout import Layout
from surgrad.adapters.nir._notes import note, number_read, surrogate_read
from surgrad.adapters.nir._scheme import Scheme
from surgrad.nn._cells import LIF, CuBaLIF, LeakyIntegrator
from surgrad.nn._recurrent import Recurrent

CLOSE = 1e-6
"""Gains that differ from 1 by no more than this, relatively, are 1, which float32 cannot tell from it."""


@dataclasses.dataclass(frozen=True)
class Reading:
    """What layers depend on besides their node: the scheme, and the options of `from_nir`."""

    scheme: Scheme
    reset: str | None
    surrogate: Any


Layers = list[Any]


def finite(node: Any, name: str) -> np.ndarray:
    """The numbers of a node.

    Raises:
        ValueError: one is NaN or infinite.
    """
    values = np.asarray(getattr(node, name))
    if not np.all(np.isfinite(values)):
        raise ValueError(f"{name} must be finite, got {values[~np.isfinite(values)][0]}")
    return values


def surrogate_of(told: Mapping[str, Any], reading: Reading) -> Any:
    """The spike function: that which was asked for, that of the note, or the default of cells."""
    if reading.surrogate is not None:
        return reading.surrogate
    return surrogate_read(told["surrogate"]) if "surrogate" in told else LIF.surrogate


class _Neurons:
    """The parameters of neurons in the order of this library, in float64."""

    def __init__(self, node: Any, layout: Layout, reading: Reading) -> None:
        self.node, self.layout, self.scheme = node, layout, reading.scheme
        self.told = note(node)
        self.dt = self.told.get("dt", 1.0)

    def array(self, name: str) -> np.ndarray:
        """The values of one parameter in all neurons.

        Raises:
            ValueError: one is not finite, or there is another number of them.
        """
        return self.layout.to_here(finite(self.node, name).astype(float))

    def filter(self, name: str, called: str) -> tuple[Any, np.ndarray]:
        """The time constant here, in units of `dt`, and the share of the input that enters in a time step.

        Raises:
            ValueError: one is not above 0.
        """
        tau = self.array(name)
        if not np.all(tau > 0):
            raise ValueError(f"{name} must be > 0 s, got {np.min(tau):g}")
        return self.number(self.scheme.steps(tau) * self.dt, called), self.scheme.fresh(tau)

    def number(self, values: np.ndarray, called: str) -> Any:
        """A parameter of the cell, as one number where it was one."""
        return number_read(values, self.told.get("numbers", {}).get(called))

    def without_leak(self) -> tuple[Any, np.ndarray]:
        """An infinite time constant, and the share of the input that enters, which is dt."""
        infinite = np.full(self.layout.here, np.inf)
        return self.number(infinite, "tau"), np.full(self.layout.here, self.scheme.dt)


def integrator(node: Any, layout: Layout, reading: Reading) -> Layers:
    neurons = _Neurons(node, layout, reading)
    leaky = type(node) is nir.LI
    tau, enters = neurons.filter("tau", "tau") if leaky else neurons.without_leak()
    rest = neurons.array("v_leak") if leaky else np.zeros(())
    return [*_gain(enters * neurons.array("r")), LeakyIntegrator(tau, dt=neurons.dt), *_shift(rest)]


def cuba_integrator(node: Any, layout: Layout, reading: Reading) -> Layers:
    neurons = _Neurons(node, layout, reading)
    (tau_syn, enters), (tau, on) = neurons.filter("tau_syn", "tau_syn"), neurons.filter("tau_mem", "tau")
    gain = enters * neurons.array("w_in") * on * neurons.array("r")
    return [*_gain(gain), LeakyIntegrator(tau_syn), LeakyIntegrator(tau), *_shift(neurons.array("v_leak"))]


def _gain(gain: np.ndarray) -> Layers:
    return [] if np.allclose(gain, 1, rtol=CLOSE, atol=0) else [Scale(_parameter(gain))]


def _shift(rest: np.ndarray) -> Layers:
    return [] if not np.any(rest) else [Scale(1.0, bias=_parameter(rest))]


def _parameter(values: np.ndarray) -> Any:
    return number_read(values, None)


def _spiking_options(neurons: _Neurons, reading: Reading) -> dict[str, Any]:
    told = neurons.told
    return {
        "reset": reading.reset or told.get("reset", "zero"),
        "refractory": told.get("refractory", 0),
        "detach_reset": told.get("detach_reset", False),
        "dt": neurons.dt,
    }


def _threshold_of(neurons: _Neurons, enters: np.ndarray, factors: tuple[str, ...], options: Mapping[str, Any]) -> Any:
    """The threshold above the reset, in units in which the input has the gain 1.

    Parameters:
        neurons: the neurons.
        enters: the share of the input that enters in a time step.
        factors: names of the parameters that it is multiplied by.
        options: those of the cell.

    Raises:
        ValueError: it is not above the reset, or a factor not above 0.
    """
    gain = enters * math.prod(neurons.array(name) for name in factors)
    reset, threshold = neurons.array("v_reset"), neurons.array("v_threshold")
    if not all(np.all(neurons.array(name) > 0) for name in factors):
        least = ", ".join(f"{name}={np.min(neurons.array(name)):g}" for name in factors)
        raise ValueError(f"{' and '.join(factors)} must be > 0, got {least}; put the sign into the weights before it")
    if not np.all(threshold > reset):
        threshold, reset = np.broadcast_arrays(threshold, reset)
        first = np.argmax(np.ravel(threshold <= reset))
        raise ValueError(
            f"v_threshold must be above v_reset, got {np.ravel(threshold)[first]:g} and {np.ravel(reset)[first]:g} for "
            f"neuron {first}"
        )
    if options["reset"] == "subtract" and np.any(reset):
        raise ValueError("v_reset must be 0 where the reset subtracts the threshold")
    exact = np.where(np.isclose(gain, 1, rtol=CLOSE, atol=0), 1.0, gain)
    return neurons.number((threshold - reset) / exact, "threshold")


def lif(node: Any, layout: Layout, reading: Reading) -> Layers:
    neurons = _Neurons(node, layout, reading)
    leaky, options = type(node) is nir.LIF, _spiking_options(neurons, reading)
    tau, enters = neurons.filter("tau", "tau") if leaky else neurons.without_leak()
    r = neurons.array("r")
    threshold = _threshold_of(neurons, enters, ("r",), options)
    # The membrane potential is counted from the reset, towards which it does not leak if v_leak is another one.
    drive = (neurons.array("v_leak") - neurons.array("v_reset")) / r if leaky else np.zeros(())
    return [*_shift(drive), LIF(surrogate_of(neurons.told, reading), tau, threshold, **options)]


def cuba_lif(node: Any, layout: Layout, reading: Reading) -> Layers:
    neurons = _Neurons(node, layout, reading)
    options = _spiking_options(neurons, reading)
    (tau_syn, enters), (tau, on) = neurons.filter("tau_syn", "tau_syn"), neurons.filter("tau_mem", "tau")
    threshold = _threshold_of(neurons, enters * on, ("w_in", "r"), options)
    if np.any(neurons.array("v_leak") != neurons.array("v_reset")):
        raise ValueError("v_leak must be v_reset, since surgrad's neurons are reset to rest")
    spike = surrogate_of(neurons.told, reading)
    return [CuBaLIF(spike, tau, threshold, tau_syn=tau_syn, **options)]


def recurrent(layers: Layers, back: Any, layout: Layout) -> Layers:
    """Cells whose outputs come back through a matrix: their last layer, with what goes before it on the way in."""
    *before, cell = layers
    weight, size = finite(back, "weight"), layout.index.size
    if weight.shape != (size, size) or len(layout.here) != 1:
        raise ValueError(f"the weight from it back to it must be ({size}, {size}), got {weight.shape}")
    ours = jnp.asarray(weight.T[np.ix_(layout.index, layout.index)])
    if type(back) is nir.Affine and np.any(bias := layout.to_here(finite(back, "bias"))):
        before.append(Scale(1.0, bias=jnp.asarray(bias)))
    return [*before, Recurrent.from_arrays(cell, ours, event_driven=note(back).get("event_driven", "auto"))]
