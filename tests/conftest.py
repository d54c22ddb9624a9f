"""Shared fixtures. Tests run in JAX's default precision; `x64` switches to double precision for one test."""

import contextlib
import ctypes
import gc
import importlib.util
import os
import pathlib
import tempfile

# Two devices on one CPU, so that what runs over a mesh is tested; JAX reads this when it starts.
os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=2"
# Most of the time goes to compiling programs that run once, on small arrays. Set to 0 in the environment, the whole
# suite is compiled as users compile.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
# With these, XLA compiles in little more than half the time; from jaxlib 0.11 on it has them no longer.
QUICK_TO_COMPILE = {"xla_cpu_use_fusion_emitters": False, "xla_cpu_parallel_codegen_split_count": 1}
# Workers share what they compile, for the length of one run.
OWN_PROGRAMS = None
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    OWN_PROGRAMS = tempfile.TemporaryDirectory(prefix="surgrad-tests-")
    os.environ["JAX_COMPILATION_CACHE_DIR"] = OWN_PROGRAMS.name
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"

import jax  # noqa: E402
import jax._src.compiler as compiler  # noqa: E402
import jaxlib.version  # noqa: E402
import jaxtyping  # noqa: E402
import pytest  # noqa: E402

compile_options = compiler.get_compile_options


def quick_options(*args, env_options_overrides=None, **rest):
    """XLA's options for a program, which no public setting changes while a process runs."""
    quick = QUICK_TO_COMPILE if jax.config.read("jax_disable_most_optimizations") else {}
    return compile_options(*args, env_options_overrides=quick | (env_options_overrides or {}), **rest)


if jaxlib.version.__version_info__ < (0, 11):
    compiler.get_compile_options = quick_options

# All modules but those of Numba: it keeps the kernels by pickling them, and checked functions cannot be pickled.
SOURCE = pathlib.Path(importlib.util.find_spec("surgrad").origin).parent
MODULES = [".".join(file.relative_to(SOURCE.parent).with_suffix("").parts) for file in SOURCE.rglob("*.py")]
KERNELS = {f"surgrad.nn._events.{name}" for name in ("call_frame", "convolution_kernels", "kernels")}
jaxtyping.install_import_hook([module for module in MODULES if module not in KERNELS], "annotations.checked")

# Files that take longest come first, so that no worker is left alone with one of them in the end.
FIRST = (
    "test_unroll.py",
    "test_check.py",
    "test_golden.py",
    "test_second_derivatives.py",
    "test_networks.py",
    "test_spike_operator.py",
    "test_training_derivatives.py",
    "test_third_document.py",
)


def pytest_unconfigure():
    if OWN_PROGRAMS is not None:  # the workers have it from the process that started them
        OWN_PROGRAMS.cleanup()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: FIRST.index(item.path.name) if item.path.name in FIRST else len(FIRST))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    """Tests run without implicit promotion of types and ranks, and with annotations checked, unless they say why not."""
    jaxtyping.config.update("jaxtyping_disable", item.get_closest_marker("unchecked") is not None)
    with contextlib.ExitStack() as modes:
        if not item.get_closest_marker("promotes"):
            modes.enter_context(jax.numpy_dtype_promotion("strict"))
            modes.enter_context(jax.numpy_rank_promotion("raise"))
        return (yield)


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item, nextitem):
    """Forget the programs of a file after its last test: JAX keeps all, 10 MB a second of tests."""
    if nextitem is None or nextitem.path != item.path:
        jax.clear_caches()
        gc.collect()
        with contextlib.suppress(OSError, AttributeError):  # glibc alone has to be asked to give memory back
            ctypes.CDLL("libc.so.6").malloc_trim(0)


@pytest.fixture(scope="module")
def optimised():
    """Programs of a file that are compiled as users compile: what rounding does to values depends on it."""
    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", False)
    yield
    jax.config.update("jax_disable_most_optimizations", before)


@pytest.fixture
def x64():
    """Double precision for the length of one test."""
    with jax.enable_x64(True):
        yield
