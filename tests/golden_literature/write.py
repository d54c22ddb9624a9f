"""Writes the golden rows of the surrogates of the literature: curves, slopes and their derivatives, by mpmath.

    pip install mpmath
    python tests/golden_literature/write.py

It writes `tests/golden/NAME.csv`, with usual x, kinks and infinities, and `tests/golden_huge/NAME.csv`; the README there
says what the columns are. A formula of `formulas.py` gives curve and slope of the branch in which x lies, written out
naively, so that 1,500 digits and a central difference with a relative step of 1e-400 are exact to a rounding.
"""

import csv
import json
import math
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from formulas import SURROGATES
from mpmath import inf, mp, mpf

mp.dps = 1500
STEP = mpf(10) ** -400  # of the central differences, relative
HERE = pathlib.Path(__file__).parent
SIDE = (1e-300, 1e-38, 1e-30, 1e-20, 1e-12, 1e-8, 1e-6, 1e-4, 1e-3, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 1 / 3)
SIDE += (0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0, 7.5, 8.0)
SIDE += (10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 100.0, 300.0, 1e3, 1e4, 1e6)
LARGEST = {"float32": 3.4028234663852886e38, "float64": 1.7976931348623157e308}
HUGE = (1e8, 1e10, 1e12, 1e15, 1e18, 1e20, 1e25, 1e30, 1e32, 1e35, 8.5e37, LARGEST["float32"])
HUGE += (1e60, 1e100, 1e154, 1e200, 1e300, 1e305, LARGEST["float64"])


def derivative(f, point):
    """The central difference of f."""
    h = abs(point) * STEP or STEP
    return (f(point + h) - f(point - h)) / (2 * h)


def row(surrogate, x, parameters):
    """The values of the columns at one x; empty where there is no derivative."""
    exact = {n: mpf(v) for n, v in parameters.items() if not isinstance(v, str)}
    options = {n: v for n, v in parameters.items() if isinstance(v, str)}
    point = mpf(x)
    if math.isinf(x):
        sigma, grad = surrogate.limits(point > 0, **exact, **options)
        names = ["dsigma_d_x"] if surrogate.rough else []
        names += [f"d{key}_d_{n}" for n in exact for key in ("grad", "sigma")]
        return {"sigma": shown(sigma), "sigma_half": shown(sigma), "grad": shown(grad), "grad2": "0.0"} | dict.fromkeys(
            names, ""
        )
    curve, slope = surrogate.branch(point, **exact, **options)
    sigma = curve(point, **exact)
    found = {"sigma": sigma, "sigma_half": sigma, "grad": slope(point, **exact)}
    found["grad2"] = derivative(lambda t: mpf(slope(t, **exact)), point)
    if surrogate.rough:
        found["dsigma_d_x"] = derivative(lambda t: mpf(curve(t, **exact)), point)
    for n, value in exact.items():
        for key, f in (("grad", slope), ("sigma", curve)):
            found[f"d{key}_d_{n}"] = derivative(lambda t, f=f, n=n: mpf(f(point, **exact | {n: t})), value)
    return {key: shown(value) for key, value in found.items()}


def shown(value):
    """A number as a float; mpmath itself fails where the exponent is far below that of floats."""
    if value in (inf, -inf):
        return repr(float(value))
    return repr(0.0 if abs(value) < mpf("1e-330") else float(value))


def around(kink):
    """A kink, and points beside it."""
    ulps = [math.nextafter(kink, end) for end in (-math.inf, math.inf)] if kink else []
    return {kink, kink - 1e-9, kink + 1e-9, kink - 1e-3, kink + 1e-3, *ulps}


def usual(surrogate, parameters):
    """The usual x with the kinks, which are marked, then the infinities."""
    kinks = {float(k) for k in surrogate.kinks(**parameters)}
    x = {0.0, *SIDE, *(-s for s in SIDE)}.union(*map(around, kinks))
    return [(v, int(surrogate.is_kink(v, **parameters))) for v in sorted(x)] + [(-math.inf, 0), (math.inf, 0)]


def write(folder, name, surrogate, points):
    lines = [
        {"setting": i, "params": json.dumps(p), "x": repr(x), "kink": kink, **row(surrogate, x, p)}
        for i, p in enumerate(surrogate.settings)
        for x, kink in points(p)
    ]
    with (HERE.parent / folder / f"{name}.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, lines[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)


def main(names):
    for name in names or SURROGATES:
        surrogate = SURROGATES[name]
        write("golden", name, surrogate, lambda p, s=surrogate: usual(s, p))
        if surrogate.huge:
            write("golden_huge", name, surrogate, lambda p: [(s * x, 0) for s in (-1, 1) for x in HUGE])


if __name__ == "__main__":
    main(sys.argv[1:])
