"""The spike operator under every way to ask for a derivative, and what a program that differentiates it contains."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import checkify

import logistic
import surgrad
from golden_rows import rows
from marks import parameters
from surgrad import _rules
from transformations import MODES, TRANSFORMATIONS

pytestmark = pytest.mark.versions

X = np.array([-1.3, -0.2, 0.0, 0.3, 1.1])
ALPHA = 2.5
ROUNDINGS = 100 * float(np.finfo(float).eps)
"""A value takes about 100 operations on terms not larger than 1, or than alpha², or than the largest of its kind."""
POLICIES = {
    "nothing": jax.checkpoint_policies.nothing_saveable,
    "everything": jax.checkpoint_policies.everything_saveable,
    "no_names": jax.checkpoint_policies.save_only_these_names(),
    "any_names_but_none": jax.checkpoint_policies.save_any_names_but_these(),
    "none": None,
}


def slope_and_its_slope():
    _, first, second, *_ = logistic.derivatives(ALPHA * X)
    return ALPHA * first, ALPHA**2 * second


def squared(x):
    return surgrad.Sigmoid(ALPHA)(x) ** 2


GRADIENTS = {
    "jvp": lambda x: jax.jvp(squared, (x,), (jnp.ones_like(x),))[1],
    "linearize": lambda x: jax.linearize(squared, x)[1](jnp.ones_like(x)),
    "vjp": lambda x: jax.vjp(squared, x)[1](jnp.ones_like(x))[0],
    "jacfwd": lambda x: jnp.diag(jax.jacfwd(squared)(x)),
    "jacrev": lambda x: jnp.diag(jax.jacrev(squared)(x)),
    "vmap of grad": jax.vmap(jax.grad(squared)),
    "grad of vmap": jax.grad(lambda x: jax.vmap(squared)(x).sum()),
    "jvp of vmap": lambda x: jax.jvp(jax.vmap(squared), (x,), (jnp.ones_like(x),))[1],
}
HESSIANS = {
    "hessian": lambda x: jax.hessian(lambda x: squared(x).sum())(x),
    "jacfwd of jacfwd": lambda x: jax.jacfwd(lambda x: jax.jacfwd(squared)(x).sum(0))(x),
    "jacrev of jacrev": lambda x: jax.jacrev(lambda x: jax.jacrev(squared)(x).sum(0))(x),
    "jacrev of jacfwd": lambda x: jax.jacrev(lambda x: jax.jacfwd(squared)(x).sum(0))(x),
    "vmap of hessian": lambda x: jnp.diag(jax.vmap(jax.hessian(squared))(x)),
}


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradient_of_a_squared_spike(x64, name):
    truth = 2 * logistic.step(X) * slope_and_its_slope()[0]
    for derivative in (GRADIENTS[name], jax.jit(GRADIENTS[name])):
        np.testing.assert_allclose(derivative(jnp.asarray(X)), truth, rtol=0, atol=ROUNDINGS)


@pytest.mark.parametrize("name", HESSIANS)
def test_hessian_of_a_squared_spike(x64, name):
    truth = np.diag(2 * logistic.step(X) * slope_and_its_slope()[1])
    np.testing.assert_allclose(jax.jit(HESSIANS[name])(X), truth, rtol=0, atol=ROUNDINGS * ALPHA**2)


def test_the_value_beside_a_gradient_has_constant_spikes(x64):
    """An outer loss must be computed outside an inner gradient: beside one, its true derivative is 0."""
    beside = jax.vmap(jax.grad(lambda x: jax.value_and_grad(squared)(x)[0]))(X)
    np.testing.assert_array_equal(beside, 0)


@pytest.mark.parametrize("policy", POLICIES)
def test_a_checkpoint_policy_changes_no_derivative(x64, policy):
    def total(x):
        def body(x, _):
            return x, squared(x)

        return jax.lax.scan(jax.checkpoint(body, policy=POLICIES[policy]), x, None, length=2)[1].sum() / 2

    slope, its_slope = slope_and_its_slope()
    gradient, curvature = jax.jit(lambda x: jax.jvp(jax.grad(total), (x,), (jnp.ones_like(x),)))(X)
    np.testing.assert_allclose(gradient, 2 * logistic.step(X) * slope, rtol=0, atol=ROUNDINGS)
    np.testing.assert_allclose(curvature, 2 * logistic.step(X) * its_slope, rtol=0, atol=ROUNDINGS * ALPHA**2)


@pytest.mark.parametrize("convention", ["slope", "function", "none"])
@pytest.mark.parametrize("inside", ["jit", "scan"])
def test_a_population_of_alphas_has_the_sum_of_their_gradients_by_x(x64, inside, convention):
    """JAX gives the tangent of a rule inside `jit` or a loop a second batch axis if the spike ignores alpha."""
    alphas = np.array([1.0, 2.0, 4.0])

    def spikes(alpha, x):
        surrogate = surgrad.Sigmoid(alpha, parameter_tangent=convention)
        if inside == "jit":
            return jax.jit(surrogate.__call__)(x)
        return jax.lax.map(surrogate, x)

    population = jax.vmap(spikes, (0, None))
    slopes = [a * logistic.derivatives(a * X)[1] for a in alphas]
    tangent = jax.jvp(lambda x: population(alphas, x), (X,), (np.ones_like(X),))[1]
    np.testing.assert_allclose(tangent, slopes, rtol=0, atol=ROUNDINGS)
    gradient = jax.grad(lambda x: population(alphas, x).sum())(X)
    np.testing.assert_allclose(gradient, np.sum(slopes, 0), rtol=0, atol=3 * ROUNDINGS)


def test_a_population_may_differ_in_a_parameter_that_the_slope_ignores(x64):
    epsilons = np.array([1e-8, 1e-3])
    population = jax.jit(jax.vmap(lambda epsilon, x: surgrad.S2NN(epsilon=epsilon)(x), (0, None)))
    gradient = jax.grad(lambda x: population(epsilons, x).sum())(X)
    slope = np.where(X < 0, 4 * logistic.derivatives(4 * X)[1], 1 / (1 + np.abs(X)))
    np.testing.assert_allclose(gradient, 2 * slope, rtol=0, atol=2 * ROUNDINGS)


def raised(surrogate, x):
    return (surrogate(x) + 0.5) ** 2


@jax.jit
def second_by_x(surrogate, x):
    along = jax.tree.map(jnp.zeros_like, surrogate), jnp.ones_like(x)
    return {
        (transformation, mode): MODES[mode](TRANSFORMATIONS[transformation](raised), (surrogate, x), along, along)[1]
        for transformation in ("plain", "scan")
        for mode in ("reverse-reverse", "forward-reverse")
    }


LONG = ("Dspike", "MultiGaussianGrad", "S2NN", "SquarewaveFourierSeries")


@pytest.mark.parametrize("name", parameters(surgrad.catalogue(), slow=LONG))
def test_second_derivative_by_x_is_golden(x64, name):
    """(2H + 1) σ'' for the loss (S + 1/2)², which weighs both sides of the threshold."""
    for group in rows(name):
        setting = group.columns["setting"]
        # A kink has no σ''; nearer to it than 10⁻¹², the reference does not tell the two apart.
        kept = (group.columns["kink"] == 0) & np.isfinite(group.x) & ((np.abs(group.x) > 1e-12) | (group.x == 0))
        truth = np.where(kept, (2 * logistic.step(group.x) + 1) * group.columns["grad2"], 0)
        largest = np.array([np.max(np.abs(truth[setting == s])) for s in setting])
        for value in second_by_x(group.surrogate, group.x).values():
            assert np.all(np.abs(value - truth)[kept] <= ROUNDINGS * largest[kept])


class Marked(surgrad.Surrogate):
    """A surrogate whose operations tell where they come from: curve, slope and their derivatives share none."""

    alpha: float = 2.0

    def surrogate_fun(self, x):
        return jnp.sin(self.alpha * x)

    def surrogate_grad(self, x):
        return jnp.log1p(self.alpha * x**2)


CURVE, SLOPE = "sin", "log1p"
BY_ALPHA = {"slope": {"div"}, "function": {"cos"}, "none": set()}
MARKS = {CURVE, SLOPE, "div", "cos"}
ARITHMETIC = {"mul", "div", "integer_pow", "exp", "tanh", "logistic", "log1p", "sin", "cos", "erf", "atan2"}
COMPILED = {"multiply", "divide", "power", "exponential", "tanh", "log-plus-one", "sine", "cosine", "erf", "atan2"}


def traced(function, *args):
    """The operations of a function as JAX traced it, those of inner functions included."""
    return set(re.findall(r" = (\w+)", str(jax.make_jaxpr(function)(*args))))


def compiled(function, *args):
    """The operations that the compiler left of a function."""
    return set(re.findall(r" ([a-z-]+)\(", jax.jit(function).lower(*args).compile().as_text()))


def total(surrogate, x):
    return surrogate(x).sum()


def total_of_scan(surrogate, x):
    return jax.lax.scan(lambda carry, x: (carry, surrogate(x)), 0.0, x)[1].sum()


@pytest.mark.parametrize("name", surgrad.catalogue())
def test_a_forward_pass_computes_neither_curve_nor_slope(name):
    surrogate = surgrad.catalogue()[name]()
    hard = traced(lambda s, x: s(x), surrogate, X)
    assert not hard & ARITHMETIC
    assert not compiled(lambda s, x: s(x), surrogate, X) & COMPILED
    assert traced(lambda s, x: s.smooth()(x), surrogate, X) - hard


@pytest.mark.parametrize("of", [total, total_of_scan])
@pytest.mark.parametrize("convention", BY_ALPHA)
class TestSymbolicZeros:
    def test_a_derivative_by_x_computes_the_slope_alone(self, convention, of):
        assert traced(jax.grad(of, 1), Marked(parameter_tangent=convention), X) & MARKS == {SLOPE}

    def test_a_derivative_by_the_parameters_computes_the_named_tangent_alone(self, convention, of):
        assert traced(jax.grad(of), Marked(parameter_tangent=convention), X) & MARKS == BY_ALPHA[convention]

    def test_a_derivative_by_both_computes_both(self, convention, of):
        found = traced(jax.grad(of, (0, 1)), Marked(parameter_tangent=convention), X)
        assert found & MARKS == {SLOPE} | BY_ALPHA[convention]


def equations(function, *args):
    """The operations of a function as JAX traced it, in order, those of inner functions included."""
    return re.findall(r" = (\w+)", str(jax.make_jaxpr(function)(*args)))


@pytest.mark.parametrize("name", surgrad.catalogue())
def test_a_spike_is_a_comparison_and_two_operations_a_leaf_that_the_compiler_removes(name):
    surrogate = surgrad.catalogue()[name]()
    x = jnp.asarray(X, jnp.float32)
    found = [name for name in equations(lambda s, x: s(x), surrogate, x) if name != "jit"]  # newer ones name it
    leaves = len(jax.tree.leaves(surrogate))
    step = ["ge", "convert_element_type"]
    ruled = "custom_jvp_call" if _rules.KEPT_BY_JAX else _rules.NAME
    assert sorted(found) == sorted([ruled, *step, *["eq", "select_n"] * leaves])


@pytest.mark.parametrize("inside", ["eager", "jit", "scan", "vmap"])
@pytest.mark.parametrize("x", [0.3, np.float32(0.3), jnp.float32(0.3)], ids=["Python", "NumPy", "JAX"])
def test_a_gradient_and_its_forward_pass_trace_the_slope_once(x, inside):
    traces = []

    class Counted(surgrad.Surrogate):
        alpha: float = 2.0

        def surrogate_grad(self, x):
            traces.append(x)
            return jnp.exp(-self.alpha * jnp.abs(x))

    transformed = {
        "eager": lambda f: f,
        "jit": jax.jit,
        "scan": lambda f: lambda x: jax.lax.scan(lambda c, x: (c, f(x)), 0.0, jnp.reshape(x, 1))[1].sum(),
        "vmap": lambda f: lambda x: jax.vmap(f)(jnp.reshape(x, 1)).sum(),
    }
    jax.value_and_grad(transformed[inside](Counted()))(x)
    assert len(traces) == 1


@pytest.mark.parametrize("inside", ["plain", "jit", "checkpoint", "scan"])
@pytest.mark.parametrize(("into", "out"), [(0, 0), (1, 0), (0, 1), (1, 1), (-1, 0)])
def test_gradients_through_vmap_are_those_of_the_axes_that_it_maps(inside, into, out):
    x, scale = jnp.linspace(-0.7, 0.9, 9).reshape(3, 3), jnp.arange(1.0, 10.0).reshape(3, 3)
    spike = surrogate_of_a_user()
    within = {
        "plain": lambda f: f, "jit": jax.jit, "checkpoint": jax.checkpoint,
        "scan": lambda f: lambda x: jax.lax.scan(lambda c, now: (c, f(now)), 0.0, x[None])[1][0],
    }[inside]  # fmt: skip
    moved = jnp.moveaxis(scale, into, out)

    def loss(x):
        return (within(jax.vmap(spike, in_axes=into, out_axes=out))(x) * moved).sum()

    np.testing.assert_allclose(jax.grad(loss)(x), spike.surrogate_grad(x) * scale, rtol=1e-6)
    tangent = jnp.cos(x)
    along = (spike.surrogate_grad(x) * scale * tangent).sum()
    np.testing.assert_allclose(jax.jvp(loss, (x,), (tangent,))[1], along, rtol=1e-5)


def surrogate_of_a_user():
    return logistic.Logistic(4.0)


def test_a_spike_can_be_checked_by_checkify():
    found, spikes = checkify.checkify(jax.jit(surrogate_of_a_user()))(jnp.asarray([-1.0, 1.0]))
    found.throw()
    np.testing.assert_array_equal(spikes, [0, 1])


def test_a_gradient_by_a_number_of_python_outside_jit():
    """As `brainstate` asks for it: the parameter is traced, and x is what JAX makes of a number."""
    by_alpha = jax.grad(lambda alpha: surgrad.Sigmoid(alpha)(0.1))
    traced = jax.make_jaxpr(lambda alpha: surgrad.Sigmoid(alpha)(jnp.asarray(0.1)))(4.0)
    evaluated = jax.grad(lambda alpha: jax.core.eval_jaxpr(traced.jaxpr, traced.consts, alpha)[0])
    assert evaluated(4.0) == by_alpha(4.0) != 0
