"""The reference of the site: it finds all public names, and notices those that are not documented."""

import dataclasses
import inspect
import sys
import types
from pathlib import Path
from typing import NamedTuple

import pytest

import surgrad
from surgrad import nn

sys.path.insert(0, str(Path(__file__).parent.parent / "docs" / "_ext"))
import docstrings
import public


def test_every_public_name_member_and_field_is_documented():
    found = list(public.targets(public.everything(optional=True)))
    assert len(found) > 500
    assert not [target.path for target in found if not target.documented]


def test_the_packages_are_those_of_the_library():
    assert {f"surgrad.{name}" for name in surgrad._PACKAGES} <= set(public.packages(optional=True))
    assert [name.name for name in public.names("surgrad.nn")] == nn.__all__


def module(name, **values):
    """A module of this library that defines some values, as a package does."""
    made = types.ModuleType(f"surgrad.{name}")
    for key, value in values.items():
        value.__module__ = made.__name__
        setattr(made, key, value)
    return made


@pytest.fixture
def undocumented(monkeypatch):
    class Thing:
        """A thing."""

        def told(self):
            """What is told."""

        def untold(self):
            pass

        def __call__(self):
            pass

        @property
        def unseen(self):
            return 0

    @dataclasses.dataclass
    class Data:
        """Some data.

        Parameters:
            one, two: numbers.
        """

        one: int
        two: int
        three: int

    class Pair(NamedTuple):
        """A pair."""

        left: int

    def silent():
        pass

    made = module("made_up", Thing=Thing, Data=Data, Pair=Pair, silent=silent)
    monkeypatch.setitem(sys.modules, made.__name__, made)
    return public.names(made.__name__)


def test_a_name_a_member_and_a_field_without_documentation_are_found(undocumented):
    missing = {
        target.path.removeprefix("surgrad.made_up.") for target in public.targets(undocumented) if not target.documented
    }
    assert missing == {"silent", "Thing.untold", "Thing.__call__", "Thing.unseen", "Data.three", "Pair.left"}


def test_what_a_public_class_documents_is_not_repeated_below_it():
    classes = public.public_classes(public.everything(optional=True))
    assert not public.members(surgrad.Sigmoid, classes)
    assert {"fwhm", "smooth", "surrogate_grad", "__call__", "replace"} <= {
        member.name for member in public.members(surgrad.Surrogate, classes)
    }
    own = {member.name: member.kind for member in public.members(nn.LIF, classes)}
    assert own["spiking"] == "promise"
    assert own["beta"] == "property"


def test_a_name_that_several_packages_have_is_documented_in_the_first():
    home = public.homes(public.everything(optional=True))
    assert home.get("surgrad.meta.Chosen", "surgrad.Chosen") == "surgrad.Chosen"
    assert home["surgrad.nn.LIF"] == "surgrad.nn.LIF"


def test_text_of_docstrings_is_no_markup():
    text = "Slope 1/(1+α|x|)², of |x| and *x; a `(time, *batch)`, a `Known` and an x_ in it.\n\n    >>> 1 | 2\n    3"
    known = {"Known": "surgrad.Known"}.get
    assert docstrings.prepared(text.splitlines(), known) == [
        r"Slope 1/(1+α\|x\|)², of \|x\| and \*x; a ``(time, *batch)``, a :py:obj:`Known <surgrad.Known>` and an x\_ in it.",
        "",
        ">>> 1 | 2",
        "3",
        "",
    ]


def test_examples_of_a_section_stay_in_it():
    text = inspect.cleandoc(nn.LIF.__doc__)
    assert "    >>> lif = nn.LIF(beta=0.9)" in docstrings.prepared(text.splitlines())


def test_the_menu_of_versions_lists_the_releases_of_the_changelog():
    pytest.importorskip("sphinx")
    import versions

    listed = versions.entries("## [Unreleased]\n## [0.10.0] - x\n## [0.9.0]\n", "0.10.0", "https://here")
    assert [entry["version"] for entry in listed] == ["0.10.0", "0.9.0"]
    assert listed[0] == {"version": "0.10.0", "url": "https://here/0.10.0/", "preferred": True}
    assert "preferred" not in listed[1]


def test_links_of_committed_pages_stay_in_the_site_where_they_can(tmp_path):
    pytest.importorskip("sphinx")
    import measurements

    pages = {file: page for page, file in measurements.sources().items()}
    source = measurements.ROOT / "benchmarks" / "README.md"
    text = "[a](half_precision.md) [b](eager_call.py) [c](https://x.y) [d](../docs/reference/glossary.md) [e](no.md)"
    assert measurements.rewritten(text, source, "measurements/benchmarks", pages, tmp_path).split() == [
        "[a](../measurements/half_precision.markdown)",
        f"[b]({measurements.REPOSITORY}/benchmarks/eager_call.py)",
        "[c](https://x.y)",
        "[d](../../reference/glossary.md)",
        "e",
    ]
