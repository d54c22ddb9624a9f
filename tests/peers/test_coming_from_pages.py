"""The pages on coming from another library: their network and ours, their lines, and the surrogates that they name.

A page has arrays in a cell that is executed, then a block of Python with the library's network, then a cell with ours.
Both leave `spikes` and `gradients`, those of the weights as (inputs, outputs). Blocks of Python are not executed where
the site is built, since the libraries are not there: here all of them run, and print what their comments say.
"""

import contextlib
import importlib
import io
import re
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import surgrad
from surgrad import _neighbours

PAGES = Path(__file__).parents[2] / "docs" / "how-to" / "coming-from"
MARK = "# -> "
X = np.linspace(-2.95, 3.05, 61)  # without 0 and the ends of boxes, which some libraries count and some do not


class Page(NamedTuple):
    library: str
    module: str
    """What is imported, without which the page's tests are skipped."""
    slopes: str
    """Where the library has its surrogates."""
    chance: tuple[str, ...] = ()
    """Surrogates whose spikes are drawn, bases, and other things that are none."""


KINDS = {
    "snntorch": Page("snnTorch", "snntorch", "snntorch.surrogate", ("SSO", "custom_surrogate")),
    "spikingjelly": Page(
        "SpikingJelly",
        "spikingjelly",
        "spikingjelly.activation_based.surrogate",
        ("SurrogateFunctionBase", "MultiLevelSpikeCount", "PoissonPass"),
    ),
    "norse": Page("Norse", "norse", "norse.torch.functional.threshold", ("heaviside",)),
    "spyx": Page("Spyx", "spyx", "spyx.axn", ("custom", "heaviside")),
    "jaxpike": Page("jaxpike", "jaxpike", "jaxpike.surrogate", ("Surrogate",)),
}
DEFECTS = {
    ("snntorch", "LSO"): "snnTorch 1.0 applies another class, which wants a variance",
    ("snntorch", "SFS"): "snnTorch 1.0 keeps the slope on the other side, where x > B",
}
"""Surrogates that do something else in the library than it documents; the pages say so."""
pytestmark = pytest.mark.filterwarnings("ignore")  # of the libraries, some of which warn where they are imported


def blocks(name):
    """The kinds and texts of a page's blocks of code."""
    text = (PAGES / f"{name}.md").read_text(encoding="utf-8")
    return re.findall(r"^```(python|\{code-cell\})[^\n]*\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def run(code, names):
    """Run a block, and compare what it prints with its comments."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, "<page>", "exec"), names)
    claimed = [line.partition(MARK)[2].strip() for line in code.splitlines() if MARK in line]
    lines = [line.strip() for line in printed.getvalue().splitlines() if line.strip()]
    assert lines == (claimed or lines)


@pytest.mark.parametrize("name", KINDS)
def test_a_network_has_their_spikes_and_gradients(name):
    pytest.importorskip(KINDS[name].module)
    found = blocks(name)
    first = [kind for kind, _ in found].index("python")
    theirs, ours = {}, {}
    for names, block in ((theirs, first), (ours, first + 1)):
        run(found[first - 1][1], names)
        run(found[block][1], names)
    expected, spikes = (np.asarray(names["spikes"]) for names in (theirs, ours))
    assert 0.02 < spikes.mean() < 0.5
    pairs = list(zip(theirs["gradients"], ours["gradients"], strict=True))
    errors = [float(np.abs(np.asarray(a) - np.asarray(b)).max() / np.abs(np.asarray(a)).max()) for a, b in pairs]
    print(f"{name}: spikes {np.abs(spikes - expected).max():g}, gradients {max(errors):.1e} of the largest")
    np.testing.assert_array_equal(spikes, expected)
    assert len(errors) == 2
    assert max(errors) < 1e-5


@pytest.mark.parametrize("name", KINDS)
def test_their_lines_print_what_the_page_says(name):
    pytest.importorskip(KINDS[name].module)
    names = {}
    found = blocks(name)
    run(found[[kind for kind, _ in found].index("python") - 1][1], names)
    for kind, code in found:
        if kind == "python":
            run(code, names)


def named(name):
    """The library's surrogates, as the page spells them."""
    text = (PAGES / f"{name}.md").read_text(encoding="utf-8")
    return re.search(r"^```\{surrogates\}[^\n]*\n(.*?)^```", text, re.DOTALL | re.MULTILINE)[1].split()


def their_slope(name, surrogate, hyper):
    """The slope of the library's surrogate at X."""
    module = importlib.import_module(KINDS[name].slopes)
    if name in ("spyx", "jaxpike"):
        return jax.vmap(jax.grad(getattr(module, surrogate)(**hyper)))(jnp.asarray(X, jnp.float32))
    torch = pytest.importorskip("torch")
    x = torch.tensor(X, requires_grad=True)
    if name == "norse":
        spikes = module.threshold(x, surrogate, *hyper.values())
    else:
        spikes = getattr(module, surrogate)(**hyper)(x)
    spikes.sum().backward()
    return x.grad.numpy()


def key(name):
    squashed = name.replace("_", "").lower()
    return _neighbours.SAME_SURROGATE.get(squashed, squashed)


def rows():
    """The library, and the name, hyperparameters and counterpart of each surrogate that its page names."""
    for name, page in KINDS.items():
        for surrogate in named(name):
            entries = [row for row in _neighbours.SURROGATES.get(key(surrogate), ()) if page.library in row.whose]
            same = [f"{ours}()" for ours in surgrad.catalogue() if key(ours) == key(surrogate)]
            hyper, here = (entries[0].parameters, entries[0].here) if entries else ({}, same[0])
            why = DEFECTS.get((name, surrogate))
            marks = pytest.mark.xfail(reason=why, strict=True) if why else ()
            yield pytest.param(name, surrogate, hyper, here, id=f"{name}-{surrogate}", marks=marks)


@pytest.mark.parametrize(("name", "surrogate", "hyper", "here"), list(rows()))
def test_the_counterpart_of_a_surrogate_has_the_slope_that_theirs_has(name, surrogate, hyper, here):
    pytest.importorskip(KINDS[name].module)
    ours = eval(here, {**vars(surgrad), "jnp": jnp, **hyper})
    expected = np.asarray(their_slope(name, surrogate, hyper))
    np.testing.assert_allclose(
        ours.surrogate_grad(jnp.asarray(X, jnp.float32)), expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max()
    )


@pytest.mark.parametrize("name", ["snntorch", "spikingjelly", "spyx", "jaxpike"])
def test_a_page_names_every_surrogate_of_the_library(name):
    """Of Norse, where they are strings, the error of an unknown one names all."""
    module = pytest.importorskip(KINDS[name].slopes)
    own = {n for n, found in vars(module).items() if getattr(found, "__module__", "") == module.__name__}
    if name == "snntorch":
        own = {n for n in own if not isinstance(getattr(module, n), type)}
    elif name == "spikingjelly":
        own = {n for n in own if isinstance(getattr(module, n), type) and n[0].isupper()}
    own = {n for n in own if n[0] != "_"} - set(KINDS[name].chance)
    assert own == set(named(name))


def test_the_page_on_norse_names_every_method():
    threshold = pytest.importorskip(KINDS["norse"].slopes).threshold
    with pytest.raises(ValueError, match="currently support") as error:
        threshold(None, "none", 1.0)
    methods = re.sub(r"\band\b", "", str(error.value).partition("support ")[2]).strip(".")
    assert {word.strip() for word in methods.split(",")} - {"heaviside"} == set(named("norse"))
