"""The bibliography is sound, and `cite` finds what a tree uses, wherever it stands."""

import doctest
import re
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import pytest

import surgrad
from surgrad import HybridSpike
from surgrad._cite import bibliography
from surgrad._pytree import Pytree, static

CATALOGUE = surgrad.catalogue()
USED = {key for kind in (*CATALOGUE.values(), HybridSpike) for key in kind.references}
REQUIRED = {
    "article": {"title", "author", "journal", "volume", "pages", "year"},
    "inproceedings": {"title", "author", "booktitle", "year"},
    "software": {"title", "author", "year", "doi"},
    "misc": {"title", "author", "year", "eprint", "archiveprefix"},
}


def keys_of(text):
    return re.findall(r"^@\w+\{([^,]+),$", text, flags=re.MULTILINE)


def fields_of(entry):
    """Field and value of an entry, by counting braces: nothing may stand outside a field."""
    head, body = re.fullmatch(r"(@\w+\{[^,\s]+,)(.*)\}", entry, flags=re.DOTALL).groups()
    fields = {}
    while body := body.strip():
        name, rest = re.fullmatch(r"(\w+)\s*=\s*(\{.*)", body, flags=re.DOTALL).groups()
        depths, depth = [], 0
        for letter in rest:
            depth += {"{": 1, "}": -1}.get(letter, 0)
            depths.append(depth)
        end = depths.index(0)
        assert name not in fields, f"{head} gives {name} twice"
        fields[name] = rest[1:end]
        body = rest[end + 1 :].strip().removeprefix(",")
    return fields


class Cell(Pytree):
    spike: Any
    fixed: Any = static(None)
    weights: Any = 1.0


class Uncited(surgrad.Surrogate):
    def surrogate_grad(self, x):
        return jnp.exp(-(x**2))


@dataclass
class PlainObject:
    neuron: Any


def test_every_key_in_use_has_one_entry_and_every_entry_is_in_use():
    keys = keys_of("\n".join(bibliography().values()))
    assert sorted(keys) == sorted(USED)
    assert keys == sorted(keys), "the bibliography is kept in alphabetical order"


@pytest.mark.parametrize("kind", CATALOGUE.values(), ids=CATALOGUE.keys())
def test_every_surrogate_of_the_catalogue_has_a_source(kind):
    assert kind.references
    assert keys_of(surgrad.cite(kind)) == list(kind.references) == keys_of(surgrad.cite(kind()))


@pytest.mark.parametrize("key", sorted(USED))
def test_an_entry_has_the_fields_that_its_kind_needs(key):
    entry = bibliography()[key]
    kind = re.match(r"@(\w+)", entry)[1]
    fields = fields_of(entry)
    assert REQUIRED[kind] <= fields.keys()
    assert all(fields.values())
    assert re.fullmatch(r"(19|20)\d\d", fields["year"])
    assert all(re.fullmatch(r"[^,]+, [^,]+", name) for name in re.split(r"\s+and\s+", fields["author"]))
    assert re.fullmatch(r"10\.\d{4,}/\S+", fields.get("doi", "10.0000/none"))
    assert re.fullmatch(r"\w+|\d+--\d+", fields.get("pages", "1"))


@pytest.mark.parametrize("key", sorted(USED))
def test_a_key_is_first_author_year_and_a_word_of_the_title(key):
    fields = fields_of(bibliography()[key])
    author, year, word = re.fullmatch(r"([a-z]+)(\d{4})(\w+)", key).groups()
    assert fields["author"].lower().startswith(author)
    assert fields["year"] == year
    assert word in re.sub(r"[^a-z0-9]", "", fields["title"].lower())


def test_a_combinator_is_cited_as_the_union_of_its_parts_without_repetition():
    parts = surgrad.Arctan(), surgrad.SoftSign(), surgrad.PiecewiseExp(), surgrad.Arctan(3.0)
    nested = surgrad.Asymmetric(surgrad.Shift(parts[0], 0.5), surgrad.Mixture(parts[1:]))
    expected = dict.fromkeys(key for part in parts for key in part.references)
    assert keys_of(surgrad.cite(nested)) == list(expected)


@pytest.mark.parametrize(
    "tree",
    [
        [1.0, {"deep": (surgrad.S2NN(),)}],
        Cell(surgrad.S2NN()),
        Cell(None, fixed=surgrad.S2NN()),
        Cell([None, "name", surgrad.S2NN]),
        PlainObject(Cell(surgrad.S2NN())),
        jax.tree.map(lambda leaf: leaf, Cell(surgrad.S2NN())),
        jax.tree_util.Partial(jnp.sin, surgrad.S2NN()),
    ],
    ids=["containers", "leaf", "static field", "class", "plain object", "rebuilt by JAX", "partial"],
)
def test_a_surrogate_is_found_wherever_it_stands(tree):
    assert surgrad.cite(tree) == surgrad.cite(surgrad.S2NN)


def test_an_object_that_holds_itself_is_no_endless_loop():
    ring = PlainObject(surgrad.S2NN())
    ring.neuron = [ring, ring.neuron]
    assert surgrad.cite(ring) == surgrad.cite(surgrad.S2NN)


@pytest.mark.parametrize(
    "tree",
    [Uncited(), Uncited, None, [], {}, 1.0, jnp.ones(3), Cell(None), [object()]],
    ids=lambda tree: type(tree).__name__,
)
def test_nothing_used_gives_the_empty_string(tree):
    assert surgrad.cite(tree) == ""


@pytest.mark.parametrize(
    "tree", ["Sigmoid", surgrad.sigmoid, int, object()], ids=["name", "function", "class", "object"]
)
def test_what_is_no_pytree_and_holds_no_surrogate_is_refused(tree):
    with pytest.raises(TypeError, match="expected a surrogate, its class, or a pytree of those, got"):
        surgrad.cite(tree)


def test_a_class_of_the_user_names_keys_or_gives_whole_entries():
    own = "@misc{me2025mine,\n  title = {Mine},\n}"

    class Mine(Uncited):
        references = ("zenke2018superspike", own)

    assert surgrad.cite(Mine()) == surgrad.cite(surgrad.InvSquareGrad()) + "\n\n" + own


def test_an_unknown_key_is_named_with_the_class_that_gives_it():
    class Typo(Uncited):
        references = ("zenke2018superspyke",)

    with pytest.raises(KeyError, match=r"Typo\.references names 'zenke2018superspyke'"):
        surgrad.cite(Typo)


def test_the_example_of_the_documentation_is_true():
    from surgrad import _cite

    assert doctest.testmod(_cite) == (0, 2)
