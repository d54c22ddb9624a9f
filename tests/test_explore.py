"""The explorer's page, without a browser: what is translated, what the file holds, and what is refused."""

import json
import re

import jax
import jax.numpy as jnp
import pytest

import surgrad
from explored import OWN, boxcar
from surgrad import _colours, explore
from surgrad.explore._entries import entries, title
from surgrad.explore._operations import TranslationError
from surgrad.explore._translate import javascript

CATALOGUE = surgrad.catalogue()


def test_a_function_of_numbers_becomes_one_of_javascript():
    assert (
        javascript(lambda x, p: x * jnp.exp(p["k"]), 1.0, {"k": 2.0}) == "(a,[b])=>{const c=Math.exp(b),d=a*c;return d}"
    )


@pytest.mark.parametrize(
    ("function", "body"),
    [
        (lambda x: x + x * 2.0 + x * 2.0, "const b=a*2,c=a+b,d=c+b;return d"),  # the product is computed once
        (lambda x: x * jnp.exp(jnp.float64(0.0)), "return a"),  # numbers are computed while translating
        (lambda x: jnp.where(x < 0, -x, x), "const b=a<0,c=-a,d=b?c:a;return d"),
        (lambda x: jax.jit(jnp.square)(x), "const b=a*a;return b"),
        (lambda x: (x, 1.0), "return [a,1]"),
        (lambda x: jnp.sum(jnp.stack([x, 2 * x])), "const b=2*a,c=a+b;return c"),
        (lambda x: jnp.polyval(jnp.array([3.0, 1.0]), x), "const b=0*a,c=b+3,d=c*a,e=d+1;return e"),
        (lambda x: x / -1.5, "const b=a/(-1.5);return b"),
        (lambda x: x**3 + jnp.sin(jax.lax.stop_gradient(x)) * 0, "const b=a*a*a,c=Math.sin(a),d=c*0,e=b+d;return e"),
    ],
)
@pytest.mark.promotes("functions as users write them")
def test_a_translation_is_short(function, body):
    assert javascript(function, 0.0) == f"(a)=>{{{body}}}"


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda x: jnp.sort(jnp.stack([x, 2 * x]))[0], "'sort'"),
        (lambda x: jnp.stack([x, x]), r"shape \(2,\)"),
        (lambda x: jnp.sum(jnp.exp(x * jnp.arange(9000.0))), "more than 4000 statements"),
    ],
)
def test_what_cannot_be_translated_is_named(function, said):
    with pytest.raises(TranslationError, match=said):
        javascript(function, 0.0)


def test_a_surrogate_that_cannot_be_drawn_is_named_with_the_primitive():
    sorting = surgrad.from_grad(lambda x, k=1.0: jnp.sort(jnp.stack([x, x * k]))[0])
    with pytest.raises(ValueError, match=r"^explore: from_grad\(<lambda>, k=1.0\) cannot be drawn: .*'sort' of JAX"):
        explore.page([sorting])


def test_hyperparameters_that_cannot_be_moved_are_fixed_and_said_to_be():
    (entry,) = entries([OWN["sorted_rates"]])
    assert entry["parameters"] == []
    assert entry["fixed"].startswith("The hyperparameters are fixed in this page: the primitive 'sort'")
    assert entry["call"] == "surgrad.from_grad(sorted_rates, low=2.0, high=1.0)"


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_hyperparameter_of_the_catalogue_has_a_slider_around_its_default(name):
    surrogate = CATALOGUE[name]()
    (entry,) = entries([surrogate])
    assert entry["fixed"] == ""
    assert [q["value"] for q in entry["parameters"]] == [float(leaf) for leaf in jax.tree.leaves(surrogate)]
    for q in entry["parameters"]:
        low, high = q["ends"]
        assert low <= q["value"] < high
        assert low > 0 or not q["log"]


def test_a_slider_begins_where_the_constructor_begins_to_agree():
    (entry,) = entries([surgrad.QPseudoSpike(2.0, normalized=True)])
    low, high = entry["parameters"][0]["ends"]
    assert 1 < low < 1.1 < 2 < high


def test_names_tell_what_a_surrogate_is_made_of():
    assert [entry["id"] for entry in entries(list(OWN.values()))] == list(OWN)
    assert title(OWN["mixture_of_sigmoid_and_arctan"]) == "Mixture of Sigmoid and Arctan"
    twice = entries([surgrad.Sigmoid(1.0), surgrad.Sigmoid(2.0), surgrad.Sigmoid(3.0)])
    assert [entry["id"] for entry in twice] == ["sigmoid", "sigmoid_2", "sigmoid_3"]
    assert len({(entry["colour"], entry["dash"]) for entry in twice}) == 3


def test_code_names_what_is_not_of_the_library():
    found = {entry["id"]: entry for entry in entries(list(OWN.values()))}
    assert found["boxcar"]["call"] == "surgrad.from_grad(boxcar, width=⟦0⟧)"
    assert found["boxcar"]["own"] == [boxcar.__name__]
    assert found["asymmetric_of_laplace_and_sigmoid"]["own"] == ["Laplace"]
    assert found["temperature_of_sigmoid"]["own"] == []


def test_colours_are_those_of_plots_and_stand_out_from_a_dark_page():
    for entry in entries([kind() for kind in CATALOGUE.values()]):
        assert entry["colour"] == _colours.colour_of(CATALOGUE[entry["title"]])
        channels = [int(entry["dark"][i : i + 2], 16) / 255 for i in (1, 3, 5)]
        page = [0x12 / 255, 0x16 / 255, 0x1C / 255]
        light, dark = (_colours._luminance(one, 0.0) for one in (channels, page))
        assert (light + 0.05) / (dark + 0.05) > 4.9  # WCAG asks for 3 to 1 of what is not text


def test_the_page_loads_nothing_and_holds_everything():
    text = explore.page([surgrad.Sigmoid(), surgrad.Arctan()])
    assert not re.findall(r"""(?:src|href)=["']?(?!data:|#)[^"'> ]""", text)
    assert not re.search(r"@import|url\((?!#)|fetch\(|XMLHttpRequest|import\(", text)
    assert set(re.findall(r"https?://[^'\" ]+", text)) == {"http://www.w3.org/2000/svg"}  # a name, never asked for
    assert "/*scripts*/" not in text
    assert "/*styles*/" not in text


def test_text_of_a_user_cannot_end_the_script():
    class Odd(surgrad.Surrogate):
        """Ends with </script><b>."""

        def surrogate_grad(self, x):
            return jnp.exp(-(x**2))

    text = explore.page([Odd()])
    assert text.count("</script>") == 1


@pytest.mark.parametrize("wrong", [["sigmoid"], [surgrad.Sigmoid], [lambda x: x]], ids=["name", "class", "function"])
@pytest.mark.unchecked("wrong types on purpose")
def test_what_is_no_surrogate_is_refused(wrong):
    with pytest.raises(TypeError, match="expected surrogate objects"):
        explore.page(wrong)


def test_an_empty_page_is_refused():
    with pytest.raises(ValueError, match="one surrogate at least"):
        explore.page([])


def test_a_file_that_is_no_study_is_refused(tmp_path):
    (tmp_path / "results.json").write_text(json.dumps({"rows": []}))
    with pytest.raises(ValueError, match=r"is not what `surgrad compare` writes"):
        explore.page([surgrad.Sigmoid()], study=tmp_path)
    with pytest.raises(FileNotFoundError, match="there is no study"):
        explore.page([surgrad.Sigmoid()], study=tmp_path / "none.json")


def test_tracing_leaves_the_precision_of_jax_alone(tmp_path):
    before = dict(jax.config.values)
    explore.write(tmp_path / "new" / "page.html", [surgrad.Sigmoid()])
    assert dict(jax.config.values) == before


def test_the_command_writes_the_page(tmp_path, capsys):
    from surgrad.cli import main

    path = tmp_path / "deep" / "it.html"
    assert main(["explore", "--surrogates", "sigmoid:alpha=2,8", "-o", str(path)]) == 0
    assert capsys.readouterr().err == f"written to {path}\n"
    assert 'id":"sigmoid_2"' in path.read_text(encoding="utf-8")


def test_a_panel_says_what_other_libraries_call_the_surrogate():
    texts = {entry["title"]: entry["elsewhere"] for entry in entries([surgrad.FastSigmoid(), surgrad.Dspike()])}
    assert "snnTorch fast_sigmoid(slope=25) = FastSigmoid(slope)" in texts["FastSigmoid"]
    assert texts["Dspike"] == ""
