"""Surrogates with the mistakes that people make; `breaks` has the law each was made for, then those that follow."""

import jax
import jax.numpy as jnp

from surgrad import Surrogate


class _Logistic(Surrogate):
    """A right surrogate to make mistakes in."""

    def __init__(self, alpha=4.0):
        super().__init__()
        self.alpha = alpha

    def surrogate_fun(self, x):
        return jax.nn.sigmoid(self.alpha * x)

    def surrogate_grad(self, x):
        return self.alpha * jax.nn.sigmoid(self.alpha * x) * jax.nn.sigmoid(-self.alpha * x)


class SoftForward(_Logistic):
    """Logistic step of steepness alpha that forgets to spike."""

    breaks = ("hard_forward",)

    def __call__(self, x):
        return self.surrogate_fun(x)


class SilentAtThreshold(_Logistic):
    """Logistic step of steepness alpha with x > 0 where x >= 0 belongs."""

    breaks = ("hard_forward",)

    def __call__(self, x):
        soft = self.surrogate_fun(x)
        return (x > 0).astype(x.dtype) + (soft - jax.lax.stop_gradient(soft))


class ClippedInput(_Logistic):
    """Logistic step of steepness alpha that clips its input, and with it the gradient."""

    breaks = ("slope_is_gradient",)

    def __call__(self, x):
        return super().__call__(jnp.clip(x, -1.0, 1.0))


class HardTanhBackward(_Logistic):
    """Logistic step of steepness alpha whose spikes have another gradient, 1 in a window."""

    breaks = ("slope_is_gradient",)

    def __call__(self, x):
        passed = jnp.clip(x, -1.0, 1.0)
        return (x >= 0).astype(x.dtype) + (passed - jax.lax.stop_gradient(passed))


@jax.custom_vjp
def _reverse_spike(x):
    return (x >= 0).astype(x.dtype)


_reverse_spike.defvjp(lambda x: (_reverse_spike(x), x), lambda x, g: (g / (1 + x**2),))


class ReverseModeOnly(Surrogate):
    """A Lorentzian slope whose spikes are a `custom_vjp`."""

    breaks = ("slope_is_gradient",)

    def surrogate_grad(self, x):
        return 1 / (1 + x**2)

    def __call__(self, x):
        return _reverse_spike(x)


class RampForTriangle(Surrogate):
    """A triangular slope of steepness alpha, with the ramp of a rectangular one."""

    breaks = ("curve_matches_slope",)

    def __init__(self, alpha=2.0):
        super().__init__()
        self.alpha = alpha

    def surrogate_fun(self, x):
        return jnp.clip((1 + self.alpha * x) / 2, 0.0, 1.0)

    def surrogate_grad(self, x):
        return self.alpha * jnp.maximum(1.0 - self.alpha * jnp.abs(x), 0.0)


class ForgottenFactor(_Logistic):
    """Logistic step of steepness alpha, which is missing in front of the slope."""

    breaks = ("curve_matches_slope",)

    def surrogate_grad(self, x):
        return jax.nn.sigmoid(self.alpha * x) * jax.nn.sigmoid(-self.alpha * x)


class JumpingCurve(Surrogate):
    """A ramp of slope alpha that does not reach the levels beside it."""

    breaks = ("curve_matches_slope",)

    def __init__(self, alpha=0.3):
        super().__init__()
        self.alpha = alpha

    def surrogate_fun(self, x):
        return jnp.where(jnp.abs(x) <= 1, 0.5 + self.alpha * jnp.where(jnp.abs(x) <= 1, x, 0), (x > 0).astype(x.dtype))

    def surrogate_grad(self, x):
        return jnp.where(jnp.abs(x) <= 1, self.alpha, 0.0)


class QuantizedCurve(_Logistic):
    """Logistic step of steepness alpha in nine levels, whose derivative pretends that there are none."""

    breaks = ("curve_matches_slope",)

    def surrogate_fun(self, x):
        smooth = jax.nn.sigmoid(self.alpha * x)
        return smooth + jax.lax.stop_gradient(jnp.round(8 * smooth) / 8 - smooth)


class OverflowingSlope(Surrogate):
    """Logistic slope with an exponential that overflows, also in its square."""

    breaks = ("finite",)

    def surrogate_grad(self, x):
        return jnp.exp(x) / (1 + jnp.exp(x)) ** 2


class UnsafeBranch(Surrogate):
    """A half circle as the slope; outside it the root of a negative number waits in the branch not taken."""

    breaks = ("finite",)

    def surrogate_grad(self, x):
        return jnp.where(jnp.abs(x) < 1, jnp.sqrt(1 - x**2), 0.0)


class RootOfLeak(_Logistic):
    """Logistic step of steepness alpha with a root of a leak that starts at 0, where a root has no derivative."""

    breaks = ("finite_parameters",)

    def __init__(self, alpha=4.0, leak=0.0):
        super().__init__(alpha)
        self.leak = leak

    def surrogate_fun(self, x):
        return super().surrogate_fun(x) + jnp.sqrt(self.leak) * x

    def surrogate_grad(self, x):
        return super().surrogate_grad(x) + jnp.sqrt(self.leak)


class TwoSidedLogistic(Surrogate):
    """Logistic step, of steepness rising above the threshold and falling below it, whose exponential overflows."""

    breaks = ("finite_parameters", "finite")

    def __init__(self, rising=4.0, falling=2.0):
        super().__init__()
        self.rising = rising
        self.falling = falling

    def surrogate_fun(self, x):
        return 1 / (1 + jnp.exp(-x * jnp.where(x < 0, self.falling, self.rising)))

    def surrogate_grad(self, x):
        rate, value = jnp.where(x < 0, self.falling, self.rising), self.surrogate_fun(x)
        return rate * value * (1 - value)


class FallingTails(Surrogate):
    """A bump instead of a step: it rises at the threshold and falls again."""

    breaks = ("monotone", "non_negative")

    def surrogate_fun(self, x):
        return 0.5 + x * jnp.exp(-(x**2))


class MexicanHat(Surrogate):
    """The second derivative of a Gaussian as the slope."""

    breaks = ("non_negative",)

    def surrogate_grad(self, x):
        return (1 - x**2) * jnp.exp(-(x**2) / 2)


class SignError(_Logistic):
    """Logistic step of steepness alpha, with the sign of x in the slope."""

    breaks = ("non_negative", "curve_matches_slope", "peak_at_threshold")

    def surrogate_grad(self, x):
        return jnp.sign(x) * super().surrogate_grad(x)


class ShiftedPeak(Surrogate):
    """A Gaussian slope around offset."""

    breaks = ("peak_at_threshold",)

    def __init__(self, offset=0.25):
        super().__init__()
        self.offset = offset

    def surrogate_grad(self, x):
        return jnp.exp(-((x - self.offset) ** 2))


class DeadSlope(Surrogate):
    """The true derivative of a step."""

    breaks = ("peak_at_threshold",)

    def surrogate_grad(self, x):
        return jnp.zeros_like(x)


class RampFromThreshold(Surrogate):
    """A ramp of slope alpha that starts where it should be half-way."""

    breaks = ("centred",)

    def __init__(self, alpha=2.0):
        super().__init__()
        self.alpha = alpha

    def surrogate_fun(self, x):
        return jnp.clip(self.alpha * x, 0.0, 1.0)

    def surrogate_grad(self, x):
        return jnp.where((x >= 0) & (self.alpha * x <= 1), self.alpha, 0.0)


class SignForStep(Surrogate):
    """A hyperbolic tangent of steepness alpha, from -1 to 1."""

    breaks = ("centred", "bounded")

    def __init__(self, alpha=1.0):
        super().__init__()
        self.alpha = alpha

    def surrogate_fun(self, x):
        return jnp.tanh(self.alpha * x)


class Line(Surrogate):
    """The straight-through estimator, of slope alpha."""

    breaks = ("bounded",)

    def __init__(self, alpha=1.0):
        super().__init__()
        self.alpha = alpha

    def surrogate_fun(self, x):
        return 0.5 + self.alpha * x


class SinglePrecision(_Logistic):
    """Logistic step of steepness alpha that returns float32 for all dtypes."""

    breaks = ("shapes",)

    def __call__(self, x):
        return super().__call__(x.astype(jnp.float32))


class PeakOfTheBatch(Surrogate):
    """A slope of steepness alpha, divided by the largest in the batch."""

    breaks = ("shapes", "transforms")

    def __init__(self, alpha=1.0):
        super().__init__()
        self.alpha = alpha

    def surrogate_grad(self, x):
        slope = 1 / (1 + self.alpha * jnp.abs(x))
        return slope / jnp.max(slope, initial=0.0)


class MeanOfTheBatch(Surrogate):
    """A slope of steepness alpha, divided by the size of the batch."""

    breaks = ("transforms",)

    def __init__(self, alpha=1.0):
        super().__init__()
        self.alpha = alpha

    def surrogate_grad(self, x):
        return 1 / (1 + self.alpha * jnp.abs(x)) / max(x.size, 1)


class UnnamedParameter(_Logistic):
    """Logistic step."""

    breaks = ("documented",)


class NoDocstring(_Logistic):
    breaks = ("documented",)


BROKEN = [cls for cls in vars().copy().values() if isinstance(cls, type) and hasattr(cls, "breaks")]
