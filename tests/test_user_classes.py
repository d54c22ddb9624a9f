"""Classes and functions that users write themselves."""

import copy
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import surgrad
import user_classes as user

pytestmark = [pytest.mark.versions, pytest.mark.usefixtures("optimised")]

X = jnp.linspace(-2.0, 2.0, 81)


@pytest.mark.parametrize("cls", user.CLASSES)
def test_a_users_class_spikes_and_its_gradient_is_its_slope(cls):
    sg = cls()
    np.testing.assert_array_equal(sg(X), np.asarray(X) >= 0)
    gradient = jax.jit(jax.vmap(jax.grad(sg)))(X)
    np.testing.assert_allclose(gradient, sg.surrogate_grad(X), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("cls", user.CLASSES)
def test_numbers_of_a_users_class_are_leaves_that_a_compiled_function_sees_change(cls):
    sg = cls()
    assert jax.tree.leaves(sg) == [v for v in vars(sg).values() if isinstance(v, float)]
    slope = jax.jit(lambda sg, x: jax.grad(sg)(x))
    steeper = jax.tree.map(lambda leaf: leaf + 1.0, sg)
    assert type(steeper) is cls
    assert slope(steeper, 0.1) != slope(sg, 0.1)


def test_the_triangular_example_has_gradients_two_zero_zero():
    gradient = jax.grad(lambda x: jnp.sum(user.TriangularSurrogate(alpha=2.0)(x)))(jnp.array([0.0, 0.5, 1.0]))
    np.testing.assert_array_equal(gradient, [2.0, 0.0, 0.0])


def test_the_event_camera_example_detects_94_events():
    t = jnp.linspace(0, 10, 200)
    signal = jnp.sin(t) + 0.3 * jnp.sin(3 * t)
    camera = user.EventCameraSurrogate(alpha=10.0, on_threshold=0.1)
    events = jax.vmap(camera)(jnp.diff(signal, prepend=signal[0]))
    assert int(jnp.sum(events > 0.5)) == 94


def test_the_custom_vjp_factory_works_beside_and_equals_from_grad():
    by_hand = user.create_custom_surrogate(user.cosine_grad)
    twin = surgrad.from_grad(user.cosine_grad)
    np.testing.assert_array_equal(jax.vmap(by_hand)(X), twin(X))
    np.testing.assert_array_equal(jax.vmap(jax.grad(by_hand))(X), jax.vmap(jax.grad(twin))(X))


def test_a_changed_temperature_is_seen_outside_of_compiled_code():
    sg = user.TemperatureScaledSurrogate(alpha=4.0)
    before = sg.surrogate_grad(jnp.array(0.0))
    sg.set_temperature(0.5)
    assert sg.surrogate_grad(jnp.array(0.0)) == 2 * before == 2.0


def test_an_attribute_computed_in_the_constructor_follows_replace():
    sg = user.MultiScaleSurrogate().replace(weight_narrow=0.25)
    assert sg.weight_wide == 0.75


def test_a_class_with_a_slope_alone_trains_and_has_no_curve():
    class Box(surgrad.Surrogate):
        def __init__(self, width=1.0):
            self.width = width

        def surrogate_grad(self, x):
            return jnp.where(jnp.abs(x) < self.width, 1.0, 0.0)

    assert jax.grad(Box(2.0))(1.5) == 1.0
    with pytest.raises(
        NotImplementedError, match=r"Box defines no curve, surrogate_fun\(self, x\), which smooth\(\), parameter"
    ):
        Box().surrogate_fun(X)
    with pytest.raises(NotImplementedError, match="Box"):
        jax.grad(lambda w: Box(w).replace(parameter_tangent="function")(0.3))(1.0)


def test_a_class_with_a_curve_alone_has_its_derivative_for_a_slope():
    class Ramp(surgrad.Surrogate):
        def surrogate_fun(self, x):
            return x**3

    np.testing.assert_allclose(Ramp().surrogate_grad(X), 3 * X**2, rtol=1e-6)
    np.testing.assert_allclose(jax.vmap(jax.grad(Ramp()))(X), 3 * X**2, rtol=1e-6)


def test_the_base_class_has_neither():
    base = surgrad.Surrogate()
    for use in (base, base.surrogate_fun, base.surrogate_grad):
        with pytest.raises(NotImplementedError, match=r"Surrogate defines neither surrogate_grad.*, its slope, nor"):
            use(X)


def test_declared_fields_write_the_constructor():
    class Plateau(surgrad.Surrogate):
        height: float
        levels: int = 2
        width: float = surgrad.parameter(1.0, above=0)

        def surrogate_grad(self, x):
            return jnp.where(jnp.abs(x) < self.width, self.height, 0.0) / self.levels

    sg = Plateau(3, width=2)
    assert repr(sg) == "Plateau(height=3.0, levels=2, width=2.0)"
    assert jax.tree.leaves(sg) == [3.0, 2.0]
    with pytest.raises(ValueError, match=r"Plateau: width must be > 0, got -1"):
        Plateau(1.0, width=-1)


def test_functional_makes_a_function_of_a_users_class():
    class WideStep(surgrad.Surrogate):
        """A wide step."""

        alpha: float = 1.0

        def surrogate_grad(self, x):
            return self.alpha * jnp.exp(-jnp.abs(x))

    from surgrad import _catalogue

    wide_step = surgrad.functional(WideStep)
    try:
        assert wide_step.__name__ == "wide_step"
        assert jax.grad(wide_step)(0.0, alpha=3.0) == 3.0
        assert surgrad.catalogue()["WideStep"] is WideStep
    finally:
        del _catalogue._CATALOGUE["WideStep"]


def test_slots_are_refused_where_the_class_is_defined():
    with pytest.raises(TypeError, match="Slotted: __slots__ hides attributes from JAX"):
        type("Slotted", (surgrad.Surrogate,), {"__slots__": ("alpha",)})


@surgrad.from_grad
def decorated_box(x, width=1.0):
    """A box."""
    return jnp.where(jnp.abs(x) < width, 1.0, 0.0)


class TestFromFunctions:
    def test_pickles_by_the_name_of_the_function(self):
        sg = surgrad.from_grad(user.cosine_grad)
        twin = pickle.loads(pickle.dumps(sg))
        assert twin == copy.deepcopy(sg) == sg
        assert twin(0.5) == 1.0
        assert jax.grad(twin)(0.25) == jax.grad(sg)(0.25)

    def test_replace_names_the_parameters_of_the_function(self):
        with pytest.raises(TypeError, match="decorated_box has no parameter 'widht'; it has 'width'"):
            decorated_box.replace(widht=2.0)
        assert decorated_box.replace(parameter_tangent="none").parameter_tangent == "none"

    def test_keywords_of_the_function_become_hyperparameters(self):
        sg = surgrad.from_grad(user.cosine_grad, width=2)
        assert repr(sg) == "from_grad(cosine_grad, width=2.0)"
        assert jax.tree.leaves(sg) == [2.0]
        assert sg.replace(width=4.0).width == 4.0
        np.testing.assert_allclose(jax.grad(sg)(1.0), 0.5, rtol=1e-6)

    def test_the_derivative_of_a_curve_is_the_slope(self):
        sg = surgrad.from_fun(lambda x, k=1.0: jnp.tanh(k * x) / 2 + 0.5, k=3.0)
        np.testing.assert_allclose(sg.surrogate_grad(X), 1.5 / jnp.cosh(3.0 * X) ** 2, atol=1e-6)

    @pytest.mark.parametrize(
        ("make", "error", "message"),
        [
            (lambda: surgrad.from_grad(user.cosine_grad, widht=1), TypeError, "cosine_grad has no parameter 'widht'"),
            (lambda: surgrad.from_grad(lambda x, k: x), TypeError, "'k' has no default"),
            (lambda: surgrad.from_grad(3), TypeError, "expected a function of x, got 3"),
            (lambda: surgrad.from_fun(surgrad.Sigmoid()), TypeError, "a surrogate already"),
            (lambda: surgrad.from_grad(lambda x, replace=1.0: x), ValueError, "cannot be called 'replace'"),
        ],
    )
    @pytest.mark.unchecked("wrong types on purpose")
    def test_wrong_use_says_what_was_expected(self, make, error, message):
        with pytest.raises(error, match=message):
            make()


def test_a_parameter_without_its_annotation_is_told_what_to_write():
    class Mine(surgrad.Surrogate):
        alpha = 2.0

        def surrogate_grad(self, x):
            return jnp.exp(-self.alpha * jnp.abs(x))

    for mistake in (lambda: Mine(alpha=3.0), lambda: Mine().replace(alpha=3.0)):
        with pytest.raises(TypeError, match=r"^Mine has no parameter 'alpha'; .*annotation, alpha: float = 2\.0\.$"):
            mistake()

    class Neuron(surgrad.nn.Cell):
        tau = 10

    with pytest.raises(TypeError, match=r"^Neuron has no parameter 'tau'; .*annotation, tau: int = 10\.$"):
        Neuron(tau=3)


def test_what_needs_a_curve_says_so():
    class Box(surgrad.Surrogate):
        width: float = 1.0

        def surrogate_grad(self, x):
            return jnp.where(jnp.abs(x) < self.width, 1.0, 0.0)

    uses = (
        lambda: Box().smooth()(0.0),
        lambda: jax.grad(lambda width: Box(width, parameter_tangent="function")(0.5))(1.0),
        lambda: jax.grad(jax.grad(Box(second_order="surrogate")))(0.5),
    )
    for use in uses:
        with pytest.raises(NotImplementedError, match=r"Box defines no curve, .* smooth\(\), parameter_tangent"):
            use()


def test_a_call_with_hyperparameters_is_told_of_replace():
    with pytest.raises(TypeError, match=r"Sigmoid: a call takes x alone, got 2 arguments; .* surrogate\.replace"):
        surgrad.Sigmoid()(0.0, 2.0)
    with pytest.raises(TypeError, match="a call takes x alone, got 0"):
        surgrad.Sigmoid()()
    assert surgrad.Sigmoid()(x=0.0) == 1.0


def test_a_users_class_never_takes_the_place_of_another_in_the_catalogue(monkeypatch):
    monkeypatch.setattr("surgrad._catalogue._CATALOGUE", dict(surgrad.catalogue()))

    def defined(height):
        class Arctan(surgrad.Surrogate):
            def surrogate_grad(self, x):
                return height + 0 * x

        return Arctan

    before, full = surgrad.catalogue()["Arctan"], f"{__name__}.{defined(1).__qualname__}"
    for height in (1.0, 2.0):  # a cell of a notebook that runs twice
        spikes = surgrad.functional(defined(height))
        assert jax.grad(spikes)(0.0) == height
        assert surgrad.catalogue()["Arctan"] is before is surgrad.Arctan
        assert surgrad.catalogue()[full]().surrogate_grad(0.0) == height
    assert len([name for name in surgrad.catalogue() if name.endswith("Arctan")]) == 2
