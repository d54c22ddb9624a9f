"""`save` and `load`: what goes in comes out, and what does not fit is refused by name."""

import json
import os
import subprocess
import sys
import zipfile
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import surgrad
import user_classes as user
from surgrad._pytree import Pytree, static

pytestmark = pytest.mark.versions

BUILT_IN = [cls() for cls in surgrad.catalogue().values()]
COMBINED = [
    surgrad.Asymmetric(below=surgrad.Sigmoid(2.0), above=surgrad.Arctan(3.0)),
    surgrad.Mixture([surgrad.Sigmoid(8.0), surgrad.Sparse(surgrad.ERF(), 0.5)], weights=[0.6, 0.4]),
    surgrad.Normalized(surgrad.Temperature(surgrad.Shift(surgrad.ReluGrad(), 0.1), 2.0), to="peak"),
    surgrad.Sigmoid(jnp.array([1.0, 2.0]), parameter_tangent="none", second_order="surrogate").smooth(),
    surgrad.from_grad(user.cosine_grad, width=2.0),
]


class Moments(NamedTuple):
    """A state of an optimiser."""

    count: jax.Array
    mean: object


class Weights(Pytree):
    """A connection whose constructor does not keep what it is given."""

    activation: object = static()

    def __init__(self, size):
        self.weight = jnp.arange(float(size * 2)).reshape(size, 2)
        self.scale = np.float32(2.0)
        self.activation = jnp.tanh
        self.sizes = (size, 2)

    def total(self):
        return self.activation(self.weight).sum() * self.scale


def round_trip(tmp_path, tree, **options):
    surgrad.save(tmp_path / "tree", tree)
    return surgrad.load(tmp_path / "tree", **options)


def same(found, wanted):
    """Equal structure, types, dtypes and bytes."""
    assert jax.tree.structure(found) == jax.tree.structure(wanted)
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
        assert type(one) is type(other)
        if isinstance(other, (jax.Array, np.ndarray, np.generic)):
            assert one.dtype == other.dtype
            assert one.shape == other.shape
            assert getattr(one, "weak_type", False) == getattr(other, "weak_type", False) or other.shape
            if jnp.issubdtype(other.dtype, jax.dtypes.prng_key):
                assert jax.random.key_impl(one) == jax.random.key_impl(other)
                one, other = jax.random.key_data(one), jax.random.key_data(other)
            assert np.asarray(one).tobytes() == np.asarray(other).tobytes()
        else:
            assert repr(one) == repr(other)


class TestRoundTrips:
    @pytest.mark.parametrize("surrogate", BUILT_IN + COMBINED, ids=lambda one: type(one).__name__)
    def test_surrogates(self, surrogate, tmp_path):
        found = round_trip(tmp_path, surrogate)
        assert found == surrogate
        assert repr(found) == repr(surrogate)
        x = jnp.linspace(-1, 1, 10).reshape(5, 2)
        slopes = [jax.grad(lambda x, one=one: one(x).sum())(x) for one in (found, surrogate)]
        np.testing.assert_array_equal(*slopes)

    @pytest.mark.parametrize(
        "dtype",
        ["bool", "int8", "uint32", "int32", "float16", "bfloat16", "float32", "complex64", "float8_e4m3fn", "int4"],
    )
    def test_arrays_of_all_dtypes(self, dtype, tmp_path):
        array = jnp.asarray(np.array([[0, 1, 3], [1, 0, 2]]), dtype)
        tree = {"jax": array, "scalar": array[0, 1], "empty": array[:0], "numpy": np.asarray(array)}
        same(round_trip(tmp_path, tree), tree)

    def test_numbers_of_all_kinds(self, tmp_path):
        tree = [0.1, 1e-300, float("inf"), float("-inf"), float("nan"), -0.0, 3, 10**40, True, None, "text", 1 + 2j]
        tree += [np.float32(0.1), np.float64(0.1), np.int16(3), np.bool_(True), jnp.asarray(1.5), jnp.float32(1.5)]
        same(round_trip(tmp_path, tree), tree)

    @pytest.mark.parametrize("impl", ["threefry2x32", "rbg"])
    def test_keys_draw_the_same_numbers(self, impl, tmp_path):
        key = jax.random.key(3, impl=impl)
        tree = {"key": key, "many": jax.random.split(key, 4)}
        found = round_trip(tmp_path, tree)
        same(found, tree)
        np.testing.assert_array_equal(jax.random.normal(found["key"], 3), jax.random.normal(key, 3))

    def test_containers(self, tmp_path):
        state = Moments(jnp.zeros((), jnp.int32), {"a": [1.0, (2.0,)], "b": {3: surgrad.Sigmoid()}})
        tree = (state, [], (), {}, None, [state])
        same(round_trip(tmp_path, tree), tree)
        assert type(round_trip(tmp_path, tree)[0]) is Moments

    def test_classes_of_ones_own_are_given_or_like_a_tree_that_has_them(self, tmp_path):
        layer = Weights(3)
        layer.weight = layer.weight + 1
        for options in ({"classes": [Weights]}, {"like": Weights(3)}):
            found = round_trip(tmp_path, [layer], **({"like": [Weights(3)]} if "like" in options else options))[0]
            assert found == layer
            assert found.total() == layer.total()
            assert found.sizes == (3, 2)
        with pytest.raises(KeyError, match=r"the class Weights of test_files; give it as classes=\[Weights\]"):
            surgrad.load(tmp_path / "tree")

    def test_an_array_that_stands_in_two_places_is_stored_once_and_stays_one(self, tmp_path):
        shared = jnp.ones(3)
        found = round_trip(tmp_path, [shared, {"again": shared}, jnp.ones(3)])
        assert found[0] is found[1]["again"]
        assert found[0] is not found[2]

    def test_what_jit_compiled_for_the_original_serves_the_copy(self, tmp_path):
        traces = []
        slope = jax.jit(lambda sg, x: (traces.append(1), sg.surrogate_grad(x))[1])
        sg = surgrad.Mixture([surgrad.Sigmoid(jnp.array(2.0)), surgrad.ERF()])
        for one in (sg, round_trip(tmp_path, sg)):
            slope(one, jnp.ones(2))
        assert len(traces) == 1

    def test_networks_and_states_of_optimisers(self, tmp_path):
        optax = pytest.importorskip("optax")
        network = networks()
        state = optax.adam(1e-3).init(jax.tree.map(jnp.asarray, network))
        found, found_state = round_trip(tmp_path, (network, state))
        assert found == network
        same(found_state, state)

    def test_another_process_reads_it(self, tmp_path):
        surgrad.save(tmp_path / "net", networks())
        code = f"import surgrad; print(repr(surgrad.load({os.fspath(tmp_path / 'net')!r})))"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == repr(networks())


def networks():
    """A network with cells, with any names of its connections."""
    return surgrad.nn.Sequential(surgrad.nn.LIF(surgrad.Sigmoid(jnp.array(2.0))), surgrad.nn.ALIF(surgrad.Arctan()))


class TestFiles:
    def test_the_file_is_a_zip_of_json_and_arrays_of_numpy(self, tmp_path):
        surgrad.save(tmp_path / "tree", surgrad.Sigmoid(jnp.array([1.0, 2.0])))
        with zipfile.ZipFile(tmp_path / "tree") as archive:
            assert archive.namelist() == ["structure.json", "arrays/0.npy"]
            head = json.loads(archive.read("structure.json"))
            np.testing.assert_array_equal(np.load(archive.open("arrays/0.npy"), allow_pickle=False), [1, 2])
        assert head["surgrad"] == surgrad.__version__
        assert head["jax"] == jax.__version__

    def test_an_interrupted_save_leaves_the_old_file_and_nothing_else(self, tmp_path, monkeypatch):
        path = tmp_path / "tree"
        surgrad.save(path, {"a": jnp.ones(2)})

        def broken(*args, **kwargs):
            raise OSError("no space left")

        monkeypatch.setattr(np.lib.format, "write_array", broken)
        with pytest.raises(OSError, match="no space left"):
            surgrad.save(path, {"a": jnp.zeros(2)})
        assert [file.name for file in tmp_path.iterdir()] == ["tree"]
        np.testing.assert_array_equal(surgrad.load(path)["a"], [1, 1])

    def test_what_cannot_be_saved_leaves_the_old_file(self, tmp_path):
        surgrad.save(tmp_path / "tree", 1.0)
        with pytest.raises(TypeError):
            surgrad.save(tmp_path / "tree", lambda x: x)
        assert surgrad.load(tmp_path / "tree") == 1.0

    def test_a_file_that_is_none_of_ours_is_refused(self, tmp_path):
        path = tmp_path / "tree"
        with pytest.raises(FileNotFoundError):
            surgrad.load(path)
        path.write_text("text")
        with pytest.raises(ValueError, match=r"tree is damaged, or was not written by surgrad\.save"):
            surgrad.load(path)
        np.savez(tmp_path / "other.npz", a=np.ones(2))
        with pytest.raises(ValueError, match=r"other\.npz was not written by surgrad\.save: it has no structure\.json"):
            surgrad.load(tmp_path / "other.npz")

    @pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
    def test_half_a_file_is_refused(self, share, tmp_path):
        path = tmp_path / "tree"
        surgrad.save(path, [jnp.arange(100.0)] * 3)
        path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
        with pytest.raises(ValueError, match="is damaged"):
            surgrad.load(path)

    def test_flipped_bits_are_noticed(self, tmp_path):
        path = tmp_path / "tree"
        surgrad.save(path, jnp.arange(1000.0))
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
        with pytest.raises(ValueError, match="is damaged"):
            surgrad.load(path)

    @pytest.mark.parametrize(
        ("change", "error", "message"),
        [
            ({"format": 99}, ValueError, "is of format 99.*install a newer one"),
            ({"tree": {"magic": 1}}, ValueError, "which this version cannot read"),
            ({"tree": {"named": "os:system_of_old"}}, KeyError, "system_of_old of the module os, which is not there"),
            ({"tree": {"named": "nowhere:f"}}, KeyError, "import that module first"),
            (
                {"tree": {"class": "surgrad.nn:Gone", "leaves": [], "attributes": {}}},
                KeyError,
                "Gone of surgrad, which this version does not have",
            ),
            (
                {"tree": {"class": "builtins:dict", "leaves": [], "attributes": {}}},
                KeyError,
                r"give it as classes=\[dict\]",
            ),
            ({"tree": {"namedtuple": "builtins:open", "fields": {}}}, KeyError, "open of the module builtins"),
        ],
    )
    def test_a_structure_that_does_not_fit_is_refused(self, change, error, message, tmp_path):
        surgrad.save(tmp_path / "tree", 1.0)
        with zipfile.ZipFile(tmp_path / "tree") as archive:
            head = json.loads(archive.read("structure.json"))
        with zipfile.ZipFile(tmp_path / "tree", "w") as archive:
            archive.writestr("structure.json", json.dumps(head | change))
        with pytest.raises(error, match=message):
            surgrad.load(tmp_path / "tree")

    def test_double_precision_is_not_narrowed_silently(self, tmp_path):
        with jax.enable_x64(True):
            surgrad.save(tmp_path / "tree", jnp.arange(3.0))
            assert surgrad.load(tmp_path / "tree").dtype == "float64"
        with pytest.raises(ValueError, match=r"an array of float64; set jax.config.update\('jax_enable_x64', True\)"):
            surgrad.load(tmp_path / "tree")


def local_layer(**changes):
    layer = Weights(4)
    for name, value in changes.items():
        setattr(layer, name, value)
    return layer


class TestWhatCannotBeSaved:
    @pytest.mark.parametrize(
        ("tree", "message"),
        [
            ([1.0, {"f": lambda x: x}], r"\[1\]\['f'\] is <function .*, which cannot be found by its name"),
            ({"a": object()}, r"\['a'\] is <object .*>, which a file cannot hold"),
            (b"bytes", "the tree is b'bytes', which a file cannot hold"),
            ({1, 2}, "the tree is {1, 2}"),
            (np.array(["text"]), r"the tree is array.*, an array of <U4"),
            (np.array([None]), r"the tree is array.*, an array of object"),
            ({(1, 2): 3.0}, r"the tree is .* with the key \(1, 2\)"),
            (local_layer(activation=lambda x: x), r"activation is <function"),
            (surgrad.from_grad(lambda x, k=1.0: x), r"function is <function"),
        ],
        ids=range(9),
    )
    def test_is_named_with_its_place(self, tree, message, tmp_path):
        with pytest.raises(TypeError, match=f"save: {message}"):
            surgrad.save(tmp_path / "tree", tree)

    def test_traced_numbers(self, tmp_path):
        def saves(x):
            surgrad.save(tmp_path / "tree", {"x": [x]})
            return x

        with pytest.raises(TypeError, match=r"\['x'\]\[0\] is .* which is traced; save outside jit"):
            jax.jit(saves)(1.0)


class TestLike:
    @pytest.mark.parametrize(
        ("there", "here", "message"),
        [
            (
                [{"w": jnp.ones((4, 3))}],
                [{"w": jnp.ones((4, 5))}],
                r"\[0\]\['w'\]: shape \(4, 3\) in the file, \(4, 5\)",
            ),
            (jnp.ones(3), jnp.ones(3, jnp.bfloat16), "the tree: dtype float32 in the file, bfloat16 here"),
            (local_layer(), Weights(5), r"weight: shape \(4, 2\) in the file, \(5, 2\) here"),
            (local_layer(activation=jnp.cos), Weights(4), r"activation: .*cos in the file, .*tanh here"),
            (surgrad.Sigmoid(), surgrad.ERF(), "the tree: Sigmoid in the file, ERF here"),
            (surgrad.Sigmoid(), surgrad.Sigmoid(smoothed=True), "smoothed: False in the file, True here"),
            (surgrad.Sigmoid(), surgrad.Sigmoid(jnp.ones(2)), r"alpha: 4.0 in the file, an array of shape \(2,\) here"),
            (
                surgrad.Mixture([surgrad.Sigmoid(), surgrad.ERF()]),
                surgrad.Mixture([surgrad.Sigmoid(), surgrad.Arctan()]),
                r"parts\[1\]: ERF in the file, Arctan here",
            ),
            ([1.0], [1.0, 2.0], r"\[1\]: nothing in the file, 2.0 here"),
            ({"a": 1.0, "b": 2.0}, {"a": 1.0}, r"\['b'\]: 2.0 in the file, nothing here"),
            ([1.0], (1.0,), "the tree: a list in the file, a tuple here"),
            ("one", "two", "the tree: 'one' in the file, 'two' here"),
            (
                jax.random.key(0, impl="rbg"),
                jax.random.key(0),
                "the tree: impl rbg in the file, impl threefry2x32 here",
            ),
        ],
        ids=range(13),
    )
    def test_what_differs_is_named(self, there, here, message, tmp_path):
        surgrad.save(tmp_path / "tree", there)
        with pytest.raises(ValueError, match=f"differs from `like`; {message}"):
            surgrad.load(tmp_path / "tree", like=here)

    @pytest.mark.parametrize("tree", [*BUILT_IN[:3], [1.0, jnp.ones(2)], {"n": 3}, local_layer()], ids=range(6))
    def test_values_may_differ(self, tree, tmp_path):
        like = jax.tree.map(lambda leaf: leaf + 1, tree)
        surgrad.save(tmp_path / "tree", tree)
        same(surgrad.load(tmp_path / "tree", like=like), tree)


def test_a_box_of_a_framework_is_refused_with_what_to_do(tmp_path):
    class Box:
        """Looks like a box of a framework: its number can be read and set."""

        @property
        def value(self):
            return 1.0

        @value.setter
        def value(self, new):
            """Ignore it."""

    with pytest.raises(TypeError, match="take the number out of its box first"):
        surgrad.save(tmp_path / "tree", {"alpha": Box()})
