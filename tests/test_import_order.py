"""What a program has imported before changes nothing: names, configurations and packages mean the same."""

import importlib
import pkgutil
import subprocess
import sys

import pytest

import surgrad

NEEDS = {"surgrad.plot", "surgrad.study", "surgrad.meta", "surgrad.train", "surgrad.adapters", "surgrad.cli"}
"""What needs packages beside JAX and NumPy; without them their modules are left out below."""


def everything():
    """All modules of the library that can be imported here."""
    for found in pkgutil.walk_packages(surgrad.__path__, "surgrad.", onerror=lambda name: None):
        if found.name.endswith("__main__"):
            continue
        try:
            importlib.import_module(found.name)
        except ImportError:
            assert any(found.name.startswith(name) for name in NEEDS), found.name


def ours():
    """All surrogates of the library by name, but for those that are private or out of a function."""
    everything()
    unseen, found = [surgrad.Surrogate], {}
    while unseen:
        kinds = unseen.pop().__subclasses__()
        unseen += kinds
        found |= {kind.__name__: kind for kind in kinds if kind.__module__.startswith("surgrad.")}
    return {name: kind for name, kind in found.items() if not name.startswith("_")}


def fresh(code):
    """What a fresh process prints that has imported nothing but surgrad."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_fresh_process_knows_every_surrogate_by_name():
    pytest.importorskip("optax")
    names = sorted(ours())
    assert {"Chosen", "HybridSpike", "Sigmoid", "Normalized"} <= set(names)
    code = f"""
import surgrad
for name in {names}:
    try:
        surgrad.Surrogate.from_config({{"class": name, "none of its parameters": 1}})
    except TypeError:  # of the class, which therefore is known
        print(name)
"""
    assert fresh(code).split() == names, "`import surgrad` must define every surrogate of the library"


def test_a_configuration_is_read_by_a_process_that_never_saw_its_class():
    chosen = surgrad.Chosen((surgrad.Sigmoid(2.0), surgrad.Normalized(surgrad.Arctan())), 1)
    nested = surgrad.Temperature(chosen, 0.5)
    code = f"import surgrad; print(surgrad.Surrogate.from_config({nested.to_config()}))"
    assert fresh(code).strip() == repr(nested)


def test_a_class_of_the_user_goes_before_one_of_the_library():
    class Chosen(surgrad.Sigmoid):
        """A class of the user that has the name of one of ours."""

    config = {"class": "Chosen", "alpha": 2.0}
    assert type(surgrad.Surrogate.from_config(config, [Chosen])) is Chosen


def test_a_name_that_is_unknown_imports_nothing_and_gets_the_nearest():
    code = """
import sys, surgrad
try:
    surgrad.Surrogate.from_config({"class": "Chosn"})
except KeyError as error:
    print(error, "surgrad.meta" in sys.modules)
"""
    assert "the nearest: Chosen" in fresh(code)
    assert fresh(code).strip().endswith("False")


@pytest.mark.parametrize("name", surgrad._PACKAGES)
def test_packages_are_there_without_an_import_of_their_own(name):
    pytest.importorskip("optax")
    pytest.importorskip("matplotlib")
    assert fresh(f"import surgrad; print(surgrad.{name}.__name__)").strip() == f"surgrad.{name}"


def test_every_package_is_listed():
    public = {m.name for m in pkgutil.iter_modules(surgrad.__path__) if not m.name.startswith("_")}
    assert public - {"cli", "check"} == set(surgrad._PACKAGES)


def test_an_import_of_surgrad_imports_no_package_beside_it():
    assert fresh("import sys, surgrad; print({'optax', 'scipy', 'surgrad.nn', 'surgrad.meta'} & set(sys.modules))") == (
        "set()\n"
    )


def test_another_attribute_is_none():
    with pytest.raises(AttributeError, match="module 'surgrad' has no attribute 'nm'"):
        surgrad.nm
