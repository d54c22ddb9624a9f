"""The neurons of brainpy.state that take a `spk_fun`, and what each of them does with it.

`python tests/adapters/neurons.py` prints the list.
"""

import functools
import inspect
import warnings
from typing import NamedTuple

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    brainstate = pytest.importorskip("brainstate")
    u = pytest.importorskip("brainunit")
    upstream = pytest.importorskip("braintools.surrogate")
    state = pytest.importorskip("brainpy.state")


SIZE, LONGEST = 8, 1000
"""Neurons in a population; lines of the longest program that is compiled: beyond, the compiler takes minutes."""


def _takes_a_surrogate(cls):
    return inspect.isclass(cls) and "spk_fun" in inspect.signature(cls.__init__).parameters


NEURONS = {name: cls for name, cls in sorted(vars(state).items()) if _takes_a_surrogate(cls)}


class Use(NamedTuple):
    """What a neuron does with its `spk_fun`: whether a step calls it, whether `get_spike` does, why not, and on what."""

    steps: bool
    thresholds: bool
    reason: str
    inputs: frozenset = frozenset()


def build(name, spk_fun):
    """A population of a kind, in its initial state."""
    sized = "in_size" in inspect.signature(NEURONS[name].__init__).parameters
    brainstate.random.seed(0)  # some initial states are random
    with at(0):
        neuron = NEURONS[name](*([SIZE] if sized else []), spk_fun=spk_fun)
        neuron.init_state()
    return neuron


def at(step):
    """The surroundings of a step: the time and its resolution."""
    dt = 0.1 * u.ms
    return brainstate.environ.context(i=step, t=step * dt, dt=dt)


def unit_of_input(neuron):
    """The unit of the currents that a neuron takes, from the default of its step."""
    return u.get_unit(inspect.signature(neuron.update).parameters["x"].default)


def _first_line(error):
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}".rstrip(": ")


@functools.cache
def use(name):
    """What the neurons of a kind do with a surrogate: a step is traced, not run."""
    inputs = set()

    def spy(x):
        inputs.add("quantity" if hasattr(x, "mantissa") else "array")
        return upstream.ReluGrad()(x)

    with warnings.catch_warnings(), at(0):
        warnings.simplefilter("ignore")
        try:
            build(name, spy).get_spike()
        except Exception as error:
            return Use(False, False, _first_line(error))
        thresholds, kinds = bool(inputs), frozenset(inputs)
        inputs.clear()
        neuron = build(name, spy)
        try:
            program, _ = brainstate.transform.make_jaxpr(lambda: neuron.update(0 * unit_of_input(neuron)))()
        except Exception as error:
            return Use(False, thresholds, f"a step cannot be traced: {_first_line(error)}", kinds)
        length = str(program).count("\n")
    if not inputs:
        return Use(False, thresholds, "a step spikes without calling spk_fun", kinds)
    if length > LONGEST:
        return Use(False, thresholds, f"a step is a program of {length} lines", kinds | inputs)
    return Use(True, thresholds, "", kinds | inputs)


def survey():
    """A line for each neuron."""
    uses = {name: use(name) for name in NEURONS}
    does = {n: "steps" if v.steps else "threshold" if v.thresholds else "left out" for n, v in uses.items()}
    return [f"{name:30} {does[name]:10} {uses[name].reason}".rstrip() for name in NEURONS]


if __name__ == "__main__":
    print(*survey(), sep="\n")
