"""Writes the rows of this folder: curves, slopes and their derivatives at huge |x|, by mpmath.

    pip install mpmath
    python tests/golden_huge/write.py

The formulas are those of the publications, written out naively: 1,500 digits take care of the rest. Columns are those
of `tests/golden`. The square wave is left out: at huge x its phase is in no digit that a float has.
"""

import csv
import json
import pathlib

from mpmath import exp, log, mp, mpf, pi, sqrt, tanh

mp.dps = 1500
STEP = mpf(10) ** -400  # of the central differences, relative
LARGEST = {"float32": 3.4028234663852886e38, "float64": 1.7976931348623157e308}
X = (1e8, 1e10, 1e12, 1e15, 1e18, 1e20, 1e25, 1e30, 1e32, 1e35, 8.5e37, LARGEST["float32"])
X += (1e60, 1e100, 1e154, 1e200, 1e300, 1e305, LARGEST["float64"])
STEEP = ({"alpha": 1.0}, {"alpha": 4.0}, {"alpha": 100.0}, {"alpha": 1e-3}, {"alpha": 1e4})


def sign(x):
    return 1 if x >= 0 else -1


def logistic(z):
    return 1 / (1 + exp(-z))


def erfc(z):
    """The complementary error function; mpmath's own fails at z = 1e154, where it has been a constant for long."""
    return mp.erfc(z) if abs(z) < 1e6 else mpf(0 if z > 0 else 2)


def normal(x, mean, deviation):
    return exp(-(((x - mean) / deviation) ** 2) / 2) / (deviation * sqrt(2 * pi))


def normal_curve(x, mean, deviation):
    return (1 - erfc((x - mean) / (deviation * sqrt(2)))) / 2


def lobes(f, x, h, s, sigma, scale):
    return scale * ((1 + h) * f(x, 0, sigma) - h * f(x, sigma, s * sigma) - h * f(x, -sigma, s * sigma))


def heavy(x, alpha):
    w = (alpha + 1) / 2
    base = 1 + abs(x) / w
    return 0.5 + sign(x) * w * (log(base) if alpha == 1 else (1 - base ** (1 - alpha)) / (alpha - 1))


def tanh_step(x, b):
    if abs(x) > 0.5:
        return mpf(x > 0)
    return 0.5 + tanh(b * x) / (2 * tanh(b / 2))


FORMULAS = {
    "Arctan": (
        lambda x, alpha: mp.atan(pi / 2 * alpha * x) / pi + 0.5,
        lambda x, alpha: alpha / 2 / (1 + (pi / 2 * alpha * x) ** 2),
    ),
    "Dspike": (tanh_step, lambda x, b: mpf(0)),
    "ERF": (lambda x, alpha: erfc(-alpha * x) / 2, lambda x, alpha: alpha / sqrt(pi) * exp(-((alpha * x) ** 2))),
    "GaussianGrad": (
        lambda x, sigma, alpha: 0.5 + alpha * normal_curve(x, 0, sigma),
        lambda x, sigma, alpha: alpha * normal(x, 0, sigma),
    ),
    "InvSquareGrad": (lambda x, alpha: 0.5 + x / (1 + alpha * abs(x)), lambda x, alpha: 1 / (1 + alpha * abs(x)) ** 2),
    "LeakyRelu": (
        lambda x, alpha, beta: (beta if x >= 0 else alpha) * x,
        lambda x, alpha, beta: beta if x >= 0 else alpha,
    ),
    "LogTailedRelu": (
        lambda x, alpha: alpha * x if x <= 0 else 1 + log(x),
        lambda x, alpha: alpha if x <= 0 else 1 / x,
    ),
    "MultiGaussianGrad": (lambda x, **p: 0.5 + lobes(normal_curve, x, **p), lambda x, **p: lobes(normal, x, **p)),
    "NonzeroSignLog": (
        lambda x, alpha: sign(x) * log(1 + alpha * abs(x)),
        lambda x, alpha: alpha / (1 + alpha * abs(x)),
    ),
    "PiecewiseExp": (
        lambda x, alpha: exp(alpha * x) / 2 if x < 0 else 1 - exp(-alpha * x) / 2,
        lambda x, alpha: alpha / 2 * exp(-alpha * abs(x)),
    ),
    "PiecewiseLeakyRelu": (
        lambda x, c, w: c * (x + w) if x < 0 else c * (x - w) + 1,
        lambda x, c, w: c,
    ),
    "PiecewiseQuadratic": (lambda x, alpha: mpf(x > 0), lambda x, alpha: mpf(0)),
    "QPseudoSpike": (heavy, lambda x, alpha: (1 + 2 * abs(x) / (alpha + 1)) ** -alpha),
    "ReluGrad": (lambda x, alpha, width: 0.5 + sign(x) * alpha * width**2 / 2, lambda x, alpha, width: mpf(0)),
    "S2NN": (
        lambda x, alpha, beta, epsilon: logistic(alpha * x) if x < 0 else beta * log(x + 1 + epsilon) + 0.5,
        lambda x, alpha, beta, epsilon: alpha * logistic(alpha * x) * logistic(-alpha * x) if x < 0 else beta / (x + 1),
    ),
    "Sigmoid": (
        lambda x, alpha: logistic(alpha * x),
        lambda x, alpha: alpha * logistic(alpha * x) * logistic(-alpha * x),
    ),
    "SlayerGrad": (
        lambda x, alpha: 0.5 + sign(x) * (1 - exp(-alpha * abs(x))) / alpha,
        lambda x, alpha: exp(-alpha * abs(x)),
    ),
    "SoftSign": (
        lambda x, alpha: (1 + alpha * x / (1 + alpha * abs(x))) / 2,
        lambda x, alpha: alpha / 2 / (1 + alpha * abs(x)) ** 2,
    ),
}
SETTINGS = {
    "Dspike": ({"b": 3.0}, {"b": 0.25}),
    "GaussianGrad": ({"sigma": 0.5, "alpha": 0.5}, {"sigma": 10.0, "alpha": 2.0}),
    "LeakyRelu": ({"alpha": 0.1, "beta": 1.0}, {"alpha": 0.0, "beta": 0.5}),
    "LogTailedRelu": ({"alpha": 0.0}, {"alpha": 0.1}),
    "MultiGaussianGrad": ({"h": 0.15, "s": 6.0, "sigma": 0.5, "scale": 0.5},),
    "PiecewiseLeakyRelu": ({"c": 0.01, "w": 1.0}, {"c": 0.0, "w": 0.5}, {"c": 0.1, "w": 3.0}),
    "QPseudoSpike": tuple({"alpha": a} for a in (0.125, 0.5, 1.0, 1.0009765625, 2.0, 4.0, 20.0)),
    "ReluGrad": ({"alpha": 0.3, "width": 1.0}, {"alpha": 2.0, "width": 0.25}),
    "S2NN": ({"alpha": 4.0, "beta": 1.0, "epsilon": 1e-8}, {"alpha": 1e-3, "beta": 1e-3, "epsilon": 1e-5}),
}


def derivative(f, point, **others):
    """The central difference of f in its first argument."""
    h = abs(point) * STEP or STEP
    return (f(point + h, **others) - f(point - h, **others)) / (2 * h)


def row(name, x, parameters):
    """The values of the columns at one x, exact to a rounding."""
    curve, slope = FORMULAS[name]
    x, exact = mpf(x), {n: mpf(v) for n, v in parameters.items()}
    sigma = curve(x, **exact)
    found = {"sigma": sigma, "sigma_half": sigma, "grad": slope(x, **exact), "grad2": derivative(slope, x, **exact)}
    for n, value in exact.items():
        for key, f in (("grad", slope), ("sigma", curve)):
            held = {m: v for m, v in exact.items() if m != n}
            found[f"d{key}_d_{n}"] = derivative(lambda v, f=f, held=held, n=n: mpf(f(x, **held, **{n: v})), value)
    return {key: repr(rounded(value)) for key, value in found.items()}


def rounded(value):
    """A number as a float; mpmath itself fails where the exponent is far below that of floats."""
    return 0.0 if abs(value) < mpf("1e-330") else float(value)


def main():
    for name in FORMULAS:
        lines = [
            {
                "setting": i,
                "params": json.dumps(parameters),
                "x": repr(s * x),
                "kink": 0,
                **row(name, s * x, parameters),
            }
            for i, parameters in enumerate(SETTINGS.get(name, STEEP))
            for s in (-1, 1)
            for x in X
        ]
        with (pathlib.Path(__file__).parent / f"{name}.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, lines[0], lineterminator="\n")
            writer.writeheader()
            writer.writerows(lines)


if __name__ == "__main__":
    main()
