"""Event-driven products are matrix products: in value, in all derivatives, inside every transformation."""

import re
import subprocess
import sys
import textwrap
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from marks import parameters
from surgrad.nn import _events as events
from surgrad.nn._events import event_product, lowering, native
from surgrad.nn._events.product import _product

pytestmark = [
    pytest.mark.versions,
    pytest.mark.skipif(not events.available(), reason="event-driven products are compiled by Numba (surgrad[events])"),
]

SHAPES = {  # rows, inputs, outputs; blocks of rows and groups of non-zeros are met in whole and in part
    "one": (1, 1, 1),
    "row": (1, 37, 5),
    "column": (37, 5, 1),
    "group": (4, 4, 4),
    "wide": (3, 9, 130),
    "blocks": (300, 13, 17),
}
EMPTY = {"no rows": (0, 3, 4), "no inputs": (3, 0, 4), "no outputs": (3, 4, 0)}
DENSITIES = [0.0, 0.05, 0.19, 1.0]
DIMENSIONS = {"nn": "bri,bio->bro", "nt": "bro,bio->bri", "tn": "bri,bro->bio"}


def sparse(seed, *shape, density=0.05, dtype=np.float64):
    rng = np.random.default_rng(seed)
    return (rng.standard_normal(shape) * (rng.random(shape) < density)).astype(dtype)


def operands(kind, shape, density, dtype):
    rows, inputs, outputs = shape
    left = (2, rows, outputs if kind == "nt" else inputs)
    right = (2, rows, outputs) if kind == "tn" else (2, inputs, outputs)
    return sparse(1, *left, density=density, dtype=dtype), sparse(2, *right, density=1.0, dtype=dtype)


def assert_equal_to_rounding(actual, left, right, sums):
    """Sums of k terms in any order: |error| <= (k + 1) ε Σ|terms| (Higham, Accuracy and Stability, 2002, §3.1)."""
    exact = np.einsum(sums, left.astype(np.longdouble), right.astype(np.longdouble))
    bound = np.einsum(sums, np.abs(left).astype(np.longdouble), np.abs(right).astype(np.longdouble))
    terms = max(left.shape + right.shape)
    assert actual.shape == exact.shape
    assert actual.dtype == left.dtype
    assert np.all(np.abs(np.asarray(actual) - exact) <= (terms + 1) * np.finfo(left.dtype).eps * bound)


@pytest.fixture
def kernel_at_any_density(monkeypatch):
    monkeypatch.setattr(lowering, "SPARSE", 1.0)
    jax.clear_caches()
    yield
    jax.clear_caches()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", DIMENSIONS)
@pytest.mark.usefixtures("x64", "kernel_at_any_density")
class TestKernels:
    @pytest.mark.parametrize("density", DENSITIES)
    @pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
    def test_a_kernel_gives_the_matrix_product(self, kind, dtype, shape, density):
        left, right = operands(kind, shape, density, dtype)
        assert_equal_to_rounding(_product.bind(left, right, kind=kind, batched=True), left, right, DIMENSIONS[kind])

    @pytest.mark.parametrize("shape", EMPTY.values(), ids=EMPTY)
    def test_an_empty_operand_gives_an_empty_sum(self, kind, dtype, shape):
        left, right = operands(kind, shape, 1.0, dtype)
        actual = _product.bind(jnp.asarray(left), jnp.asarray(right), kind=kind, batched=True)
        np.testing.assert_array_equal(actual, np.einsum(DIMENSIONS[kind], left, right))

    def test_the_sparser_of_two_sides_gives_the_same_weights(self, kind, dtype):
        left, right = sparse(1, 1, 90, 8, density=1.0, dtype=dtype), sparse(2, 1, 90, 6, dtype=dtype)
        assert_equal_to_rounding(_product.bind(left, right, kind="tn", batched=True), left, right, DIMENSIONS["tn"])

    def test_nan_and_infinity_count_as_events(self, kind, dtype):
        left, right = operands(kind, (5, 6, 7), 0.0, dtype)
        left[0, 0, 0], left[1, 1, 1] = np.nan, np.inf
        expected = np.einsum(DIMENSIONS[kind], left, right)
        np.testing.assert_array_equal(_product.bind(left, right, kind=kind, batched=True), expected)

    def test_a_zero_event_skips_an_infinite_weight(self, kind, dtype):
        left, right = operands(kind, (5, 6, 7), 0.0, dtype)
        right[...] = np.inf
        assert not np.any(_product.bind(left, right, kind=kind, batched=True))


def _quadratic(product):
    """A scalar function of events and weights whose derivatives of second order are all non-zero."""
    return lambda x, w: jnp.sum(jnp.sin(product(x, w)) ** 2)


def _scanned(product):
    def run(x, w):
        return jax.lax.scan(
            lambda sum, row: (sum + product(jnp.cos(sum).mean() * row, w), sum), jnp.zeros(w.shape[1]), x
        )

    return run


FUNCTIONS = {
    "gradient": lambda p: jax.grad(_quadratic(p), (0, 1)),
    "jvp": lambda p: lambda x, w: jax.jvp(p, (x, w), (jnp.cos(x) * (x != 0), jnp.sin(w))),
    "vjp": lambda p: lambda x, w: jax.vjp(p, x, w)[1](jnp.sin(x @ w)),
    "gradient of a gradient": lambda p: jax.grad(
        lambda x, w: sum(jnp.sum(jnp.sin(g)) for g in jax.grad(_quadratic(p), (0, 1))(x, w)), (0, 1)
    ),
    "Hessian by a vector": lambda p: (
        lambda x, w: jax.jvp(jax.grad(_quadratic(p), (0, 1)), (x, w), (jnp.sin(x), jnp.sin(w)))[1]
    ),
    "third order": lambda p: (
        lambda x, w: jax.jvp(jax.grad(lambda w: jnp.sum(jax.grad(_quadratic(p), 1)(x, w) ** 2)), (w,), (jnp.sin(w),))[1]
    ),
    "jacfwd": lambda p: jax.jacfwd(p, 1),
    "jacrev": lambda p: jax.jacrev(p, (0, 1)),
    "vmap over events": lambda p: lambda x, w: jax.vmap(p, (0, None))(x.reshape(3, 2, -1), w),
    "vmap over weights": lambda p: lambda x, w: jax.vmap(p, (None, 2), 1)(x, jnp.stack([w, 2 * w, w * w], 2)),
    "vmap over both": lambda p: lambda x, w: jax.vmap(p, (1, 0))(x.reshape(2, 3, -1), jnp.stack([w, 2 * w, w * w])),
    "vmap of vmap": lambda p: (
        lambda x, w: jax.vmap(
            lambda x: jax.vmap(lambda w: jax.grad(_quadratic(p), (0, 1))(x, w))(jnp.stack([w, 2 * w]))
        )(jnp.stack([x, x * x]))
    ),
    "scan": lambda p: _scanned(p),
    "gradient of a scan": lambda p: jax.grad(lambda x, w: jnp.sum(_scanned(p)(x, w)[0] ** 2), (0, 1)),
    "gradient of a checkpoint": lambda p: jax.grad(jax.checkpoint(_quadratic(p)), (0, 1)),
    "gradient of a branch": lambda p: jax.grad(
        lambda x, w: jax.lax.cond(w[0, 0] > 9, lambda x, w: 0.0 * w.sum(), _quadratic(p), x, w), (0, 1)
    ),
    "linearize": lambda p: lambda x, w: jax.linearize(p, x, w)[1](x, w),
}


@pytest.mark.usefixtures("x64", "kernel_at_any_density")
@pytest.mark.parametrize("name", parameters(FUNCTIONS, slow=("third order", "jacrev", "vmap of vmap")))
@pytest.mark.promotes("the product and its reference are compared, not their types")
def test_transformations_see_the_matrix_product(name):
    function = FUNCTIONS[name]
    x, w = sparse(3, 6, 11, density=0.3), sparse(4, 11, 7, density=1.0)
    expected = jax.jit(function(jnp.matmul))(x, w)
    for actual in (function(event_product)(x, w), jax.jit(function(event_product))(x, w)):
        # Two computations of at most some 1e3 roundings each, of numbers of order one.
        jax.tree.map(lambda a, e: np.testing.assert_allclose(a, e, rtol=1e-12, atol=1e-12), actual, expected)


@pytest.mark.usefixtures("x64")
def test_the_product_goes_on_when_events_become_dense():
    product = jax.jit(event_product)
    w = sparse(4, 11, 7, density=1.0)
    for density in (0.05, 1.0, 0.05):
        x = sparse(5, 40, 11, density=density)
        np.testing.assert_allclose(product(x, w), x @ w, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16, jnp.int32, jnp.complex64])
def test_other_types_take_the_dense_product(dtype):
    x, w = jnp.eye(3, dtype=dtype), jnp.arange(6).reshape(3, 2).astype(dtype)
    assert "custom_call" not in jax.jit(event_product).lower(x, w).as_text()
    np.testing.assert_array_equal(event_product(x, w), w)
    assert event_product(x, w).dtype == dtype


@pytest.mark.parametrize("platform", ["cuda", "rocm", "tpu"])
def test_other_devices_take_the_dense_product(platform):
    text = jax.jit(event_product).trace(jnp.eye(3), jnp.eye(3)).lower(lowering_platforms=(platform,)).as_text()
    assert "dot_general" in text
    assert "custom_call" not in text


def test_boolean_spikes_take_the_type_of_the_weights():
    w = jnp.arange(6.0).reshape(3, 2)
    actual = event_product(jnp.array([[True, False, True]]), w)
    assert actual.dtype == w.dtype
    np.testing.assert_array_equal(actual, w[:1] + w[2:])


@pytest.mark.parametrize("rows", [(), (4,), (2, 3), (2, 0, 3)])
def test_rows_have_any_number_of_axes(rows):
    x, w = sparse(6, *rows, 5, density=0.5, dtype=np.float32), jnp.eye(5)[:, :2]
    np.testing.assert_array_equal(event_product(x, w), x[..., :2])


@pytest.mark.parametrize(("x", "w"), [((2, 3), (2, 3)), ((), (2, 3)), ((3,), (3,)), ((3,), (2, 3, 4))])
def test_shapes_that_do_not_fit_are_named(x, w):
    with pytest.raises(ValueError, match=rf"got shapes {re.escape(str(x))} and {re.escape(str(w))}"):
        event_product(jnp.ones(x), jnp.ones(w))


def test_concurrent_calls_share_nothing():
    # XLA runs independent kernels of a program on several threads.
    x, w = sparse(7, 8, 4000, 64, dtype=np.float32), sparse(8, 8, 64, 48, density=1.0, dtype=np.float32)
    parts = jax.jit(lambda x, w: [event_product(a, b) for a, b in zip(x, w, strict=True)])
    for _ in range(5):
        for actual, a, b in zip(parts(x, w), x, w, strict=True):
            assert_equal_to_rounding(actual[None], a[None], b[None], DIMENSIONS["nn"])


def test_without_numba_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(native.importlib.util, "find_spec", lambda name: None)
    assert not events.available()
    with pytest.raises(ImportError, match=re.escape('pip install "surgrad[events]"')):
        event_product(jnp.eye(2), jnp.eye(2))


def test_a_kernel_that_cannot_be_had_is_replaced_with_a_warning(monkeypatch):
    monkeypatch.setattr(native, "_handlers", {})
    monkeypatch.setitem(sys.modules, "surgrad.nn._events.kernels", None)
    x = jnp.eye(19)  # a shape of its own, that no test before has compiled
    with pytest.warns(UserWarning, match="the native kernel .* cannot be compiled, and the dense product is used"):
        np.testing.assert_array_equal(jax.jit(event_product)(x, x), x)


def test_a_product_and_its_derivative_are_right_where_jit_is_switched_off():
    x, w = jnp.eye(3).at[0, 1].set(2.0), jnp.arange(6.0).reshape(3, 2)
    with jax.disable_jit():
        value, slope = jax.value_and_grad(lambda w: (event_product(x, w) ** 2).sum())(w)
    np.testing.assert_allclose(value, ((x @ w) ** 2).sum())
    np.testing.assert_allclose(slope, 2 * x.T @ (x @ w))


def test_numba_is_imported_when_a_product_is_first_computed_and_not_before():
    program = """
        import sys, jax.numpy as jnp
        import surgrad.nn._events as events
        assert events.available() and "numba" not in sys.modules
        events.event_product(jnp.eye(2), jnp.eye(2))
        assert "numba" in sys.modules
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(program)], check=True)


@pytest.mark.parametrize(
    ("struct", "fields"),
    [
        ("CallFrame", "struct_size extension_start api ctx stage args rets attrs future"),
        ("Args", "struct_size extension_start size types args"),
        ("Rets", "struct_size extension_start size types rets"),
        ("Buffer", "struct_size extension_start dtype data rank dims"),
        ("Metadata", "struct_size api_version traits state_type_id"),
        ("Metadata_Extension", "extension_base metadata"),
        ("Api_Version", "struct_size extension_start major_version minor_version"),
        ("ThreadPool_Schedule_Args", "struct_size extension_start ctx task data"),
        ("ThreadPool_NumThreads_Args", "struct_size extension_start ctx num_threads"),
        ("Error_Destroy_Args", "struct_size extension_start error"),
    ],
)
def test_the_call_frame_of_this_jaxlib_is_the_one_that_the_kernels_read(struct, fields):
    header = (Path(jax.ffi.include_dir()) / "xla/ffi/api/c_api.h").read_text()
    body = re.search(rf"struct XLA_FFI_{struct} {{(.*?)\n}}", header, re.DOTALL)[1]
    assert re.findall(r"\b(\w+);", re.sub(r"//[^\n]*", "", body)) == fields.split()


@pytest.mark.parametrize(
    ("service", "name"), [(8, "Error_Destroy"), (17, "ThreadPool_Schedule"), (18, "ThreadPool_NumThreads")]
)
def test_the_services_of_this_jaxlib_are_where_the_kernels_find_them(service, name):
    header = (Path(jax.ffi.include_dir()) / "xla/ffi/api/c_api.h").read_text()
    body = re.search(r"struct XLA_FFI_Api {(.*?)\n}", header, re.DOTALL)[1]
    services = re.findall(r"STRUCT_FIELD\(XLA_FFI_(\w+)\)", body)
    # The version of the interface is a structure of three words.
    words = ["struct_size", "extension_start", *["api_version"] * 3, "internal_api", *services]
    assert words[service] == name
