"""Surrogates as pytrees: leaves and structure, equality, copies, mutation, configurations."""

import copy
import json
import pickle
import subprocess
import sys
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import surgrad
import user_classes as user
from surgrad import (
    Asymmetric,
    Mixture,
    Normalized,
    Shift,
    Sigmoid,
    Sparse,
    StaleSurrogateWarning,
    Surrogate,
    Temperature,
)

pytestmark = pytest.mark.versions

BUILT_IN = [cls() for cls in surgrad.catalogue().values()]
COMBINED = [
    Asymmetric(below=Sigmoid(2.0), above=surgrad.Arctan(3.0)),
    Mixture([Sigmoid(8.0), Sparse(surgrad.ERF(), 0.5)], weights=[0.6, 0.4]),
    Normalized(Temperature(Shift(surgrad.ReluGrad(), 0.1), 2.0), to="peak"),
    Sigmoid(jnp.array([1.0, 2.0]), parameter_tangent="none", second_order="surrogate"),
    surgrad.QPseudoSpike(3.0, normalized=True),
    surgrad.SquarewaveFourierSeries(n=5, t_period=2.0).smooth(),
]


def by_name(sg):
    return type(sg).__name__


class Everything(Surrogate):
    """Attributes of every kind."""

    def __init__(self, alpha=4, terms: int = 3, label="a", flag=True):
        super().__init__()
        self.alpha, self.terms, self.label, self.flag = alpha, terms, label, flag
        self.table = np.arange(3.0)
        self.nested = {"weights": [1, 2.0], "inner": (jnp.zeros(2),)}
        self.function, self.nothing, self.mixed = jnp.tanh, None, ["a", 1.0]

    def surrogate_grad(self, x):
        return self.alpha * jnp.ones_like(x)


class Doubled(Surrogate):
    """A constructor that does not keep what it is given."""

    def __init__(self, a):
        self.b = 2 * a


class TestLeavesAndStructure:
    def test_numbers_arrays_and_trees_of_those_are_leaves_and_nothing_else_is(self):
        paths = [jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_leaves_with_path(Everything())]
        assert paths == [".alpha", ".table", ".nested['inner'][0]", ".nested['weights'][0]", ".nested['weights'][1]"]

    def test_a_parameter_typed_4_means_4_point_0_unless_it_is_annotated_int(self):
        assert type(Everything().alpha) is float
        assert type(Sigmoid(alpha=4).alpha) is float
        assert type(Everything().terms) is int
        assert type(surgrad.SquarewaveFourierSeries().n) is int
        assert [type(w) for w in Everything().nested["weights"]] == [float, float]

    def test_structure_survives_a_round_trip(self):
        original = Everything(label="b")
        leaves, structure = jax.tree.flatten(original)
        rebuilt = structure.unflatten(leaves)
        assert rebuilt == original
        assert (rebuilt.label, rebuilt.flag, rebuilt.terms, rebuilt.nothing, rebuilt.mixed) == (
            "b",
            True,
            3,
            None,
            ["a", 1.0],
        )
        assert rebuilt.function is jnp.tanh

    def test_trees_of_masks_axes_and_none_keep_their_leaves_in_place(self):
        sg = Mixture([Sigmoid(8.0), Sigmoid(2.0)])
        for fill in (True, None, 0, "axis"):
            mask = jax.tree.map(lambda _, fill=fill: fill, sg)
            marked = jax.tree.map(lambda leaf, m, fill=fill: (m, leaf), sg, mask, is_leaf=lambda v: v is None)
            assert jax.tree.structure(mask, is_leaf=lambda v: v is None) == jax.tree.structure(sg)
            assert marked.parts[0].alpha == (fill, 8.0)

    def test_axes_of_vmap_can_be_written_as_a_surrogate(self):
        sg = Mixture([Sigmoid(jnp.array([1.0, 2.0])), Sigmoid(8.0)])
        axes = jax.tree.map(lambda leaf: 0 if jnp.ndim(leaf) else None, sg)
        slopes = jax.vmap(lambda sg: sg.surrogate_grad(jnp.array(0.0)), in_axes=(axes,))(sg)
        np.testing.assert_allclose(slopes, [1.125, 1.25])

    def test_a_trained_surrogate_is_a_tree_that_optimisers_step_through(self):
        gradient = jax.grad(lambda sg: sg.surrogate_grad(jnp.array(0.0)))(Sigmoid(4.0))
        stepped = jax.tree.map(lambda p, g: p - 0.1 * g, Sigmoid(4.0), gradient)
        np.testing.assert_allclose(stepped.alpha, 4.0 - 0.1 * 0.25)

    def test_scan_carries_a_surrogate(self):
        def halve(sg, _):
            return sg.replace(alpha=sg.alpha / 2), sg.surrogate_grad(jnp.array(0.0))

        final, slopes = jax.lax.scan(halve, Sigmoid(jnp.array(8.0)), length=3)
        np.testing.assert_allclose(slopes, [2.0, 1.0, 0.5])
        assert float(final.alpha) == 1.0


class TestEquality:
    @pytest.mark.parametrize("sg", BUILT_IN + COMBINED, ids=by_name)
    def test_equal_by_class_structure_and_numbers(self, sg):
        twin = copy.deepcopy(sg)
        assert sg == twin
        assert hash(sg) == hash(twin)
        other = sg.replace(smoothed=not sg.smoothed)
        assert sg != other
        assert hash(sg) != hash(other)
        assert sg != Sigmoid(3.3)
        assert len({sg, twin}) == 1

    def test_arrays_are_compared_by_shape_dtype_and_bytes(self):
        one, other = Sigmoid(jnp.array([1.0, 2.0])), Sigmoid(jnp.array([1.0, 2.0]))
        assert one == other
        assert hash(one) == hash(other)
        assert one != Sigmoid(jnp.array([1.0, 3.0]))
        assert one != Sigmoid(jnp.array([[1.0, 2.0]]))
        assert one != Sigmoid(jnp.array([1.0, 2.0], jnp.bfloat16))

    def test_equal_parts_make_equal_wholes(self):
        assert Mixture([Sigmoid(2.0)]) == Mixture((Sigmoid(2),), [1.0])
        assert Mixture([Sigmoid(2.0)]) != Mixture([Sigmoid(3.0)])

    def test_the_hash_never_raises(self):
        hash(Everything())
        hash(jax.tree.map(lambda _: object(), Everything()))
        hash(Sigmoid(jax.ShapeDtypeStruct((2,), jnp.float32)))
        jax.jit(lambda a: (hash(Sigmoid(a)), a)[1])(1.0)

    def test_a_surrogate_is_not_equal_to_anything_else(self):
        assert Sigmoid() != 4.0
        assert Sigmoid() != user.MySurrogate()
        assert Sigmoid(4.0) != surgrad.ERF(4.0)


class TestCopies:
    @pytest.mark.parametrize("sg", BUILT_IN + COMBINED + [cls() for cls in user.CLASSES], ids=by_name)
    def test_pickle_and_deepcopy_return_an_equal_object_that_works(self, sg):
        for twin in (pickle.loads(pickle.dumps(sg)), copy.deepcopy(sg), copy.copy(sg)):
            assert twin == sg
            assert twin is not sg
            assert repr(twin) == repr(sg)
            np.testing.assert_array_equal(twin(jnp.array([-0.1, 0.1])), sg(jnp.array([-0.1, 0.1])))

    @pytest.mark.parametrize("sg", BUILT_IN + COMBINED, ids=by_name)
    def test_a_configuration_survives_json(self, sg):
        assert Surrogate.from_config(json.loads(json.dumps(sg.to_config()))) == sg

    def test_a_users_class_is_read_when_it_is_named(self):
        config = user.MultiScaleSurrogate(weight_narrow=0.25).to_config()
        assert config == {"class": "MultiScaleSurrogate", "alpha_narrow": 8.0, "alpha_wide": 2.0, "weight_narrow": 0.25}
        with pytest.raises(KeyError, match="'MultiScaleSurrogate', which is not known"):
            Surrogate.from_config(config)
        assert Surrogate.from_config(config, classes=user.CLASSES) == user.MultiScaleSurrogate(weight_narrow=0.25)

    @pytest.mark.unchecked("wrong types on purpose")
    def test_a_configuration_that_cannot_be_written_or_read_says_why(self):
        with pytest.raises(TypeError, match=r"its argument 'parameters' is not kept|which a configuration cannot hold"):
            surgrad.from_grad(user.cosine_grad).to_config()
        with pytest.raises(KeyError, match="'Sigmoidd', which is not known; the nearest: Sigmoid"):
            Surrogate.from_config({"class": "Sigmoidd"})
        with pytest.raises(TypeError, match="a configuration is a dictionary, as to_config makes it, got None"):
            Surrogate.from_config(None)
        with pytest.raises(TypeError, match="Sigmoid has no parameter 'alfa'; it has 'alpha'"):
            Surrogate.from_config({"class": "Sigmoid", "alfa": 1.0})

    def test_replace_changes_a_copy(self):
        sg = surgrad.GaussianGrad()
        assert sg.replace(sigma=1) == surgrad.GaussianGrad(sigma=1.0)
        assert sg == surgrad.GaussianGrad()
        assert sg.replace() == sg
        assert user.MySurrogate(2.0).replace(parameter_tangent="none").replace(alpha=3.0).parameter_tangent == "none"

    def test_replace_refuses_what_the_constructor_refuses(self):
        with pytest.raises(TypeError, match="Sigmoid has no parameter 'beta'; it has 'alpha'"):
            Sigmoid().replace(beta=1.0)
        with pytest.raises(ValueError, match="Sigmoid: alpha must be > 0, got -1"):
            Sigmoid().replace(alpha=-1)
        with pytest.raises(TypeError, match="Doubled has no parameter 'a'; it has 'b' "):
            Doubled(1.0).replace(a=2.0)
        with pytest.raises(ValueError, match="parameter_tangent must be one of 'slope', 'function', 'none', got 'no'"):
            Sigmoid().replace(parameter_tangent="no")

    def test_repr_shows_attributes_where_the_constructor_does_not_keep_its_arguments(self):
        assert repr(Doubled(1.0)) == "Doubled(b=2.0)"

    def test_repr_is_in_the_order_of_the_constructor(self):
        assert repr(surgrad.GaussianGrad(alpha=1, sigma=0.25)) == "GaussianGrad(sigma=0.25, alpha=1.0)"
        assert repr(surgrad.S2NN()) == "S2NN(alpha=4.0, beta=1.0, epsilon=1e-08)"
        assert (
            repr(user.MultiScaleSurrogate())
            == "MultiScaleSurrogate(alpha_narrow=8.0, alpha_wide=2.0, weight_narrow=0.7)"
        )
        assert repr(Sigmoid(jnp.ones(3)).smooth()) == "Sigmoid(alpha=float32[3], smoothed=True)"

    @pytest.mark.parametrize("sg", BUILT_IN, ids=by_name)
    def test_repr_of_a_built_in_rebuilds_it(self, sg):
        assert eval(repr(sg), vars(surgrad)) == sg


class TestSmoothAndHard:
    @pytest.mark.parametrize("sg", BUILT_IN, ids=by_name)
    def test_smooth_runs_the_curve_forwards_and_hard_the_step(self, sg):
        x = jnp.linspace(-1.5, 1.5, 16)
        np.testing.assert_allclose(sg.smooth()(x), sg.surrogate_fun(x), rtol=1e-6, atol=1e-7)
        np.testing.assert_array_equal(sg.smooth().hard()(x), np.asarray(x) >= 0)
        assert sg.smooth().hard() == sg

    def test_a_smooth_forward_pass_has_true_derivatives_by_its_parameters(self, x64):
        h, x = 1e-5, 0.3
        derivative = jax.grad(lambda a: Sigmoid(a).smooth()(x))(4.0)
        ahead, behind = (1 / (1 + np.exp(-(4.0 + d) * x)) for d in (h, -h))
        np.testing.assert_allclose(derivative, (ahead - behind) / (2 * h), rtol=1e-9)


class TestMutation:
    def test_assigning_before_any_use_is_silent(self):
        sg = user.TemperatureScaledSurrogate()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            sg(jnp.array(0.1))
            sg.set_temperature(0.5)
        assert jax.tree.leaves(sg) == [4.0, 0.5]

    @pytest.mark.parametrize(
        "use",
        [
            hash,
            lambda sg: jax.jit(lambda x: sg(x))(1.0),
            lambda sg: jax.grad(sg)(1.0),
            lambda sg: jax.jit(lambda x, sg: sg(x), static_argnums=1)(1.0, sg),
        ],
        ids=["hashed", "closed over by jit", "differentiated", "static argument"],
    )
    def test_assigning_after_a_use_that_may_have_frozen_the_value_warns_and_names_replace(self, use):
        sg = user.TemperatureScaledSurrogate()
        use(sg)
        with pytest.warns(StaleSurrogateWarning, match=r"temperature was assigned.*\.replace\(temperature=\.\.\.\)"):
            sg.set_temperature(0.5)
        assert sg.temperature == 0.5

    def test_the_warning_points_at_the_line_that_assigns(self, tmp_path):
        # In a process of its own: what checks annotations here puts calls in between.
        code = "import surgrad\nsurrogate = surgrad.Sigmoid()\nhash(surrogate)\nsurrogate.alpha = 2.0\n"
        (tmp_path / "assigns.py").write_text(code)
        done = subprocess.run([sys.executable, "assigns.py"], cwd=tmp_path, capture_output=True, text=True, check=True)
        assert "assigns.py:4: StaleSurrogateWarning" in done.stderr

    def test_a_part_of_a_used_whole_warns_too(self):
        sg = Mixture([Sigmoid(8.0), Sigmoid(2.0)])
        jax.grad(sg)(0.1)
        with pytest.warns(StaleSurrogateWarning):
            sg.parts[0].alpha = 4.0

    def test_a_pytree_argument_is_always_fresh_so_nothing_warns(self):
        sg = user.TemperatureScaledSurrogate()
        slope = jax.jit(lambda sg, x: sg.surrogate_grad(x))
        before = slope(sg, jnp.array(0.0))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            sg.set_temperature(0.5)
        assert slope(sg, jnp.array(0.0)) == 2 * before

    def test_a_copy_of_a_used_object_may_be_assigned_to(self):
        sg = Sigmoid()
        hash(sg)
        twin = copy.copy(sg)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            twin.alpha = 2.0
        assert (sg.alpha, twin.alpha) == (4.0, 2.0)
