"""The exact convention is followed wherever a surrogate stands, no matter what its options say and was compiled before.

The readout of a frozen spiking layer is trained. Its weights depend on the spikes, which alpha does not change, so that
their true derivative by alpha is zero; all other conventions give something else.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import surgrad
from surgrad.meta import exact, hypergradient, inner_loop
from surgrad.nn import LIF, Recurrent, Sequential, unroll

pytestmark = pytest.mark.versions

CURRENTS = np.random.default_rng(2).uniform(-0.5, 1.5, size=(5, 4)).astype(np.float32)
TARGETS = np.arange(5.0, dtype=np.float32)
OPTIONS = {
    "the default": {},
    "the furthest from it": {"parameter_tangent": "function", "second_order": "surrogate"},
}
TEMPLATE = surgrad.Sigmoid(3.0)
READOUT = np.ones(4, np.float32)


def frozen(options, alpha, x):
    """A surrogate that only this function knows."""
    return TEMPLATE.replace(alpha=alpha, **options)(x)


def in_jit(options):
    compiled = jax.jit(lambda alpha, x: frozen(options, alpha, x))
    jax.grad(lambda alpha: compiled(alpha, CURRENTS).sum())(3.0)  # traced and differentiated before
    return compiled


def in_a_model(options):
    def spikes(alpha, x):
        model = Sequential(LIF(TEMPLATE.replace(alpha=alpha, **options), 5.0))
        return unroll(model, model.init(x.shape[1:], x.dtype), x)[1]

    jax.grad(lambda alpha: spikes(alpha, CURRENTS).sum())(3.0)
    return spikes


def in_a_recurrent_cell(options):
    def spikes(alpha, x):
        cell = Recurrent.from_arrays(LIF(TEMPLATE.replace(alpha=alpha, **options), 5.0), jnp.eye(4))
        return jax.lax.scan(cell, cell.init(x.shape[1:], x.dtype), x)[1]

    return spikes


def in_a_combinator(options):
    return lambda alpha, x: surgrad.Normalized(TEMPLATE.replace(alpha=alpha), **options)(x)


PLACES = {
    "a closure": lambda options: lambda alpha, x: frozen(options, alpha, x),
    "a function compiled before": in_jit,
    "a model unrolled before": in_a_model,
    "a recurrent cell": in_a_recurrent_cell,
    "a combinator": in_a_combinator,
}


def loss_with(spikes):
    return lambda readout, alpha, batch: jnp.mean((spikes(alpha, CURRENTS) @ readout - batch) ** 2)


def outer(readout, alpha):
    return jnp.sum(readout)


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("place", PLACES)
def test_no_surrogate_escapes_the_convention(place, options):
    loss, batches = loss_with(PLACES[place](options)), TARGETS[None]
    assert hypergradient(loss, outer, READOUT, 3.0, batches, optax.sgd(0.1)).gradient == 0
    assert (
        jax.jvp(lambda a: inner_loop(loss, READOUT, a, batches, optax.sgd(0.1)).weights.sum(), (3.0,), (1.0,))[1] == 0
    )


def test_outside_the_convention_the_same_derivatives_are_not_zero():
    loss = loss_with(PLACES["a closure"]({}))

    @jax.jit
    @jax.grad
    def by_alpha(alpha):
        return jnp.sum(READOUT - 0.1 * jax.grad(loss)(READOUT, alpha, TARGETS))

    assert by_alpha(3.0) != 0
    assert exact()(by_alpha)(3.0) == 0


def test_the_convention_ends_with_the_function_also_where_it_raises():
    def by_alpha():
        return jax.grad(lambda alpha: surgrad.Sigmoid(alpha)(0.3))(3.0)

    before = by_alpha()
    assert exact()(by_alpha)() == 0 != before
    with exact():
        assert by_alpha() == 0
    assert by_alpha() == before
    with pytest.raises(ZeroDivisionError), exact():
        1 / 0
    assert by_alpha() == before


def test_second_derivatives_are_exact_whatever_the_option_says():
    def loss(x, order):
        return surgrad.Sigmoid(3.0, second_order=order)(x) ** 2

    def second(order):
        return jax.jit(jax.grad(jax.grad(lambda x: loss(x, order))))(0.2)

    assert second("surrogate") != second("exact")
    assert exact()(second)("surrogate") == second("exact")


def test_a_users_own_surrogate_keeps_its_attributes():
    class Stretched(surgrad.Surrogate):
        def __init__(self, width=2.0):
            super().__init__()
            self.inverse = 1 / width

        def surrogate_grad(self, x):
            return self.inverse * jnp.exp(-((x * self.inverse) ** 2))

    own = Stretched()
    by_x = jax.grad(own)
    np.testing.assert_array_equal(exact()(by_x)(0.3), by_x(0.3))
    assert exact()(jax.grad(lambda own: own(0.3)))(own).inverse == 0
    assert own.parameter_tangent == "slope"


def test_a_smoothed_surrogate_stays_smooth():
    smooth = surgrad.Sigmoid(3.0).smooth()
    assert exact()(smooth)(0.1) == smooth(0.1) != 1
