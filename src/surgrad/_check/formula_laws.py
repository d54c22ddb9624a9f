"""Laws of the formulas of a surrogate: how spike, curve and slope are related, and their shapes."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from surgrad._check.comparison import ABSOLUTE, RELATIVE, excess, largest, nearest, worst
from surgrad._check.law import NotApplicableError, Table, brief
from surgrad._check.surrogate_probe import CURVE, FORWARD_SLOPE, GRID, ROUND, SLOPE, SPIKE, THRESHOLD, Probe
from surgrad.forward._exact import Hard, mode_of
from surgrad.forward._mode import keeps

FORMULA_LAWS = Table()
_TINY = float(np.finfo(np.float32).tiny)
_EDGES = (-np.inf, -_TINY, -0.0, _TINY, np.inf)
_SUSPECTS, _PANELS, _FINE_PANELS = 8, 4, 4096


@FORMULA_LAWS.law("spikes are 0 or 1, and 1 exactly where x >= 0")
def hard_forward(probe: Probe) -> str | None:
    mode = mode_of(probe.surrogate)
    if not keeps(mode, "spiking"):
        raise NotApplicableError(_other_mode(probe))
    # As many points as the grid has, so that its compiled programs are used again.
    x = probe.spread(np.concatenate([_EDGES, GRID[len(_EDGES) :]]).astype(np.float32))
    spikes = probe.at(x, SPIKE, "float32")
    if type(mode) is not Hard:
        at = nearest((spikes != 0) & (spikes != 1), x)
        kind = type(mode).__name__
        return None if at is None else f"{kind} promises 0 or 1; the value is {spikes[at]:.9g} at x = {x[at]:.6g}"
    at = nearest(spikes != (x >= 0), x)
    return None if at is None else f"the spike is {spikes[at]:.9g} at x = {x[at]:.6g}, not {int(x[at] >= 0)}"


def _other_mode(probe: Probe) -> str:
    if probe.surrogate.smoothed:
        return "smoothed: the forward pass is the curve"
    return f"the forward mode {type(mode_of(probe.surrogate)).__name__} returns other values than 0 and 1"


@FORMULA_LAWS.law("the spike's derivative is the slope, in both modes")
def slope_is_gradient(probe: Probe) -> str | None:
    if mode_of(probe.surrogate).differentiable:
        raise NotApplicableError(_other_mode(probe))
    slope = probe.value(SLOPE if probe.surrogate.forward_mode is None else FORWARD_SLOPE, "float32")
    weights = np.where(np.arange(slope.size) % 2, 2.0, -0.5).reshape(slope.shape)
    gradients = {
        "reverse": lambda: probe.pullback(weights) / weights,
        "forward": lambda: probe.derivative(SPIKE, "float32"),
    }
    for mode, gradient in gradients.items():
        try:
            found = gradient()
        except Exception as error:
            return f"{mode} mode: {brief(error)}"
        if (at := worst(excess(found, slope))) is not None:
            return f"{mode} mode gives {found[at]:.4g} at x = {probe.x[at]:.6g}, where the slope is {slope[at]:.4g}"
    return None


@FORMULA_LAWS.law("the slope is the curve's derivative, the curve the slope's integral")
def curve_matches_slope(probe: Probe) -> str | None:
    probe.require_curve()
    found, slope = probe.derivative(CURVE), probe.value(SLOPE)
    # Kinks lie at round numbers; the law `finite` reports what is not finite.
    away = ~probe.spread(ROUND) & np.isfinite(found) & np.isfinite(slope)
    if (at := worst(np.where(away, excess(found, slope), -1.0))) is not None:
        return f"d curve/dx is {found[at]:.4g} at x = {probe.x[at]:.6g}, where the slope is {slope[at]:.4g}"
    suspects = np.arange(len(GRID) - 1)
    beyond = _beyond_integral(probe, suspects, _PANELS)[0]
    if worst(beyond) is None:
        return None
    # A narrow bump between two points looks like a jump of the curve: look closer where it is largest.
    by_interval = np.nan_to_num(beyond, nan=-1.0).reshape(len(suspects), -1).max(1)
    suspects = np.sort(np.argsort(-by_interval, kind="stable")[:_SUSPECTS])
    beyond, rise, integral = _beyond_integral(probe, suspects, _FINE_PANELS)
    if (at := worst(beyond)) is None:
        return None
    ends = f"x = {GRID[suspects[at[0]]]:.6g} to {GRID[suspects[at[0]] + 1]:.6g}"
    return f"from {ends} the curve rises by {rise[at]:.4g}, the slope's integral is {integral[at]:.4g}"


def _beyond_integral(probe: Probe, intervals: np.ndarray, panels: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return by how much the curve's rise differs from the slope's integral beyond the errors of both, and the two."""
    low, high = probe.value(CURVE)[intervals], probe.value(CURVE)[intervals + 1]
    integral, error = probe.integrals(GRID[intervals], GRID[intervals + 1], panels)
    with np.errstate(invalid="ignore"):
        rise = high - low
        # The terms of a curve from 0 to 1 are of size 1, however small their sum is in a tail.
        rounding = ABSOLUTE * (1 + np.abs(low) + np.abs(high)) + RELATIVE * np.abs(integral)
        return np.abs(rise - integral) - error - rounding, rise, integral


@FORMULA_LAWS.law("curve, slope and their x-derivatives are finite for |x| <= 1e4")
def finite(probe: Probe) -> str | None:
    for name, method in probe.methods.items():
        results = probe.in_all_dtypes(method)
        value = results["float32"]
        found = {f"the {name}": value, f"d {name}/dx": results["derivative"]}
        for dtype in ("float16", "bfloat16"):
            representable = np.abs(value) <= float(jnp.finfo(dtype).max)
            found[f"the {name} in {dtype}"] = np.where(representable, results[dtype], 0)
        for what, values in found.items():
            if (at := nearest(~np.isfinite(values), probe.x)) is not None:
                return f"{what} is {values[at]:g} at x = {probe.x[at]:.6g}"
    return None


@FORMULA_LAWS.law("derivatives by hyperparameters are finite for |x| <= 1e4")
def finite_parameters(probe: Probe) -> str | None:
    for what, values in probe.parameter_derivatives().items():
        values = values.reshape(len(GRID), -1)
        if (at := nearest(~np.isfinite(values), np.broadcast_to(GRID[:, None], values.shape))) is not None:
            return f"{what} is {values[at]:g} at x = {GRID[at[0]]:.6g}"
    return None


@FORMULA_LAWS.law("the curve never falls")
def monotone(probe: Probe) -> str | None:
    probe.require_curve()
    curve = probe.value(CURVE)
    highest = np.fmax.accumulate(curve, axis=0)
    with np.errstate(invalid="ignore"):
        at = worst(highest - curve - RELATIVE * np.abs(highest) - ABSOLUTE)
    if at is None:
        return None
    top = GRID[np.nanargmax(curve[(slice(at[0] + 1), *at[1:])])]
    return f"the curve falls from {highest[at]:.4g} at x = {top:.6g} to {curve[at]:.4g} at x = {probe.x[at]:.6g}"


@FORMULA_LAWS.law("the slope is never negative")
def non_negative(probe: Probe) -> str | None:
    slope = probe.value(SLOPE)
    at = worst(-slope - ABSOLUTE * largest(slope))
    return None if at is None else f"the slope is {slope[at]:.4g} at x = {probe.x[at]:.6g}"


@FORMULA_LAWS.law("the slope is largest, and positive, at the threshold")
def peak_at_threshold(probe: Probe) -> str | None:
    slope = probe.value(SLOPE)
    centre = slope[THRESHOLD]
    at = worst(np.where(centre > 0, slope - (1 + RELATIVE) * centre, np.fmax(slope, ABSOLUTE)))
    if at is None:
        return None
    if not slope[at] > centre[at[1:]]:
        return f"the slope is {centre[at[1:]]:.4g} at x = 0, and nowhere larger"
    return f"the slope is {slope[at]:.4g} at x = {probe.x[at]:.6g}, and {centre[at[1:]]:.4g} at x = 0"


@FORMULA_LAWS.law("the curve is 1/2 at the threshold")
def centred(probe: Probe) -> str | None:
    probe.require_curve()
    curve = probe.value(CURVE)[THRESHOLD]
    at = worst(np.abs(curve - 0.5) - ABSOLUTE)
    return None if at is None else f"the curve is {curve[at]:.6g} at x = 0"


@FORMULA_LAWS.law("the curve stays between 0 and 1")
def bounded(probe: Probe) -> str | None:
    probe.require_curve()
    curve = probe.value(CURVE)
    at = worst(np.maximum(-curve, curve - 1) - ABSOLUTE)
    return None if at is None else f"the curve is {curve[at]:.4g} at x = {probe.x[at]:.6g}"
