"""Compilations, counted by JAX's own events: objects of equal structure share one program."""

import copy
import pickle

import jax
import numpy as np
import pytest

import surgrad
from surgrad._catalogue import snake_case

pytestmark = pytest.mark.versions

X = np.linspace(-1.0, 1.0, 7, dtype=np.float32)
COMPILED = "/jax/core/compile/backend_compile_duration"
TRACED = "/jax/core/compile/jaxpr_trace_duration"
EVENTS = []
jax.monitoring.register_event_duration_secs_listener(lambda event, duration, **_: EVENTS.append(event))


class Compilations:
    """The number of programs traced and compiled inside a `with` block."""

    def __enter__(self):
        self.first = len(EVENTS)
        return self

    def __exit__(self, *exception):
        self.compiled, self.traced = (EVENTS[self.first :].count(event) for event in (COMPILED, TRACED))


def applied(surrogate, x):
    return surrogate(x).sum()


@jax.jit
def by_argument(surrogate, x):
    return surrogate(x)


@jax.jit
def gradient_by_argument(surrogate, x):
    return jax.grad(applied, (0, 1))(surrogate, x)


@jax.jit
def scanned(surrogate, x):
    return jax.lax.scan(lambda total, x: (total + surrogate(x), None), 0.0, x)[0]


USES = {
    "an eager call": lambda s: s(X),
    "an eager call of the slope": lambda s: s.surrogate_grad(X),
    "an argument of jit": lambda s: by_argument(s, X),
    "an argument of a jitted gradient": lambda s: gradient_by_argument(s, X),
    "an argument of a jitted scan": lambda s: scanned(s, X),
    "an eager gradient by x": lambda s: jax.grad(lambda x: s(x).sum())(X),
    "an eager gradient by x and alpha": lambda s: jax.grad(applied, (0, 1))(s, X),
    "an eager second derivative": lambda s: jax.jvp(jax.grad(lambda x: (s(x) ** 2).sum()), (X,), (X,)),
    "an eager vmap": lambda s: jax.vmap(s)(X),
}


EQUALS = {
    "built again": lambda s: surgrad.Sigmoid(alpha=3.0),
    "another alpha": lambda s: s.replace(alpha=7.0),
    "rebuilt by JAX": lambda s: jax.tree.map(lambda leaf: leaf, s),
    "copied": copy.deepcopy,
    "pickled": lambda s: pickle.loads(pickle.dumps(s)),
    "back from smooth": lambda s: s.smooth().hard(),
}


@pytest.mark.parametrize("use", USES)
def test_an_object_of_equal_structure_traces_and_compiles_nothing(use):
    surrogate = surgrad.Sigmoid(alpha=3.0)
    USES[use](surrogate)
    for equal in EQUALS.values():
        with Compilations() as again:
            USES[use](equal(surrogate))
        assert (again.compiled, again.traced) == (0, 0)


@pytest.mark.parametrize("name", surgrad.catalogue())
def test_a_second_call_of_a_functional_form_compiles_nothing(name):
    function = getattr(surgrad, snake_case(name))
    function(X)
    with Compilations() as again:
        function(X)
    assert (again.compiled, again.traced) == (0, 0)


def test_an_equal_object_as_a_static_argument_compiles_nothing():
    static = jax.jit(lambda surrogate, x: surrogate(x) + jax.grad(applied, 1)(surrogate, x), static_argnums=0)
    with Compilations() as first:
        static(surgrad.Sigmoid(alpha=3.0), X)
    with Compilations() as equal:
        static(surgrad.Sigmoid(alpha=3.0), X)
    with Compilations() as other_alpha:
        static(surgrad.Sigmoid(alpha=7.0), X)
    assert (first.compiled, equal.compiled, other_alpha.compiled) == (1, 0, 1)
    assert equal.traced == 0


def test_each_structure_compiles_once():
    by_argument = jax.jit(lambda surrogate, x: surrogate(x))
    structures = [
        surgrad.Sigmoid(),
        surgrad.Sigmoid(parameter_tangent="none"),
        surgrad.Arctan(),
        surgrad.Sigmoid().smooth(),
    ]
    for expected in (1, 0):
        for surrogate in structures:
            with Compilations() as call:
                by_argument(surrogate, X)
            assert call.compiled == expected
