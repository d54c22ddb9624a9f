"""The explorer in a real Chromium: its numbers are the library's, and it can be used with keyboard, phone and eyes.

Pictures go to the folder SURGRAD_PICTURES if that is set, to be looked at.
"""

import json
import math
import os
import pathlib
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.scipy import special

pytest.importorskip("selenium")
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

import browser
import surgrad
from explored import OWN, Laplace, boxcar
from marks import parameters
from surgrad import explore, nn
from surgrad._catalogue import snake_case
from surgrad._trees import with_leaves
from surgrad.explore._translate import javascript

if browser.MISSING:
    pytest.skip(browser.MISSING, allow_module_level=True)

CATALOGUE = {snake_case(name): kind() for name, kind in surgrad.catalogue().items()}
ALL = CATALOGUE | OWN
X = np.concatenate(
    [[0.0], np.linspace(-3, 3, 120), *(s * np.geomspace(1e-8, 1e8, 40) for s in (-1, 1)), [-np.inf, np.inf]]
)
FACTORS = (1.0, 0.3, 2.7)
STUDY = {
    "settings": {"data": "digits"},
    "summary": [
        {"surrogate": name, "kind": kind, "parameter": "scale", "value": scale, "runs": 3,
         "test_accuracy": accuracy - 0.01 * np.log10(scale) ** 2, "test_accuracy_sd": 0.008}
        for name, kind, accuracy in (("sigmoid", "Sigmoid", 0.93), ("arctan", "Arctan", 0.91))
        for scale in (0.1, 1.0, 10.0)
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The address of a page with the catalogue, users' own surrogates, and a study."""
    folder = tmp_path_factory.mktemp("page")
    (folder / "results.json").write_text(json.dumps(STUDY))
    return explore.write(folder / "explorer.html", ALL.values(), study=folder).as_uri()


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    with browser.chromium(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


@pytest.fixture
def opened(driver, page):
    """The page with two surrogates, as a person opens it."""
    return reopened(driver, page, "#show=sigmoid(4)~arctan(1)")


def reopened(driver, page, fragment):
    driver.get("about:blank")
    driver.get(page + fragment)
    settle(driver)
    return driver


def settle(driver):
    """Wait until the page has drawn what it was told."""
    driver.execute_async_script("const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(done))")


def numbers(value):
    """Numbers of JavaScript, which come as text, so that infinities and NaN arrive."""
    return np.vectorize(float)(np.asarray(value)) if np.size(value) else np.zeros(np.shape(value))


CALL = "const text = v => Array.isArray(v) ? v.map(text) : String(v); const {SURROGATES: S, ...E} = explorer;"


def asked(driver, body, *arguments):
    """What JavaScript returns, in numbers."""
    return numbers(driver.execute_script(f"{CALL} return text((() => {{{body}}})())", *arguments))


def varied(surrogate):
    """A surrogate with other hyperparameters, those that its constructor takes."""
    leaves = [float(leaf) for leaf in jax.tree.leaves(surrogate)]
    for factor in FACTORS:
        if all(leaf * factor == 0 or factor == 1 or leaf > 0 for leaf in leaves):
            yield [leaf * factor for leaf in leaves]


def parameters_of(driver, name):
    return driver.execute_script("return explorer.SURROGATES.find(e => e.id === arguments[0]).parameters.length", name)


def texts(values):
    return [str(value).replace("inf", "Infinity") for value in values]


@pytest.mark.parametrize("which", ["curve", "slope", "bend"])
def test_every_function_is_the_library_s(driver, page, which, x64):
    reopened(driver, page, "")
    worst = {}
    for name, surrogate in ALL.items():
        moved = varied(surrogate) if parameters_of(driver, name) else [[]]
        if which == "curve" and isinstance(surrogate, surgrad._from_function.FromGrad):
            continue
        for p in moved:
            one = with_leaves(surrogate, dict(enumerate(p)))
            method = one.surrogate_fun if which == "curve" else one.surrogate_grad
            x = jnp.asarray(X)
            expected = jax.jvp(method, (x,), (jnp.ones_like(x),))[1] if which == "bend" else method(x)
            found = asked(
                driver,
                f"const e = S.find(e => e.id === arguments[0]); return arguments[1].map(x => e.{which}(Number(x), arguments[2]))",
                name, texts(X), p,
            )  # fmt: skip
            expected = np.asarray(expected)
            assert np.array_equal(np.isnan(found), np.isnan(expected)), (name, p)
            np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-13, err_msg=f"{name}{p}")
            finite = np.isfinite(expected)
            off = np.abs(found[finite] - expected[finite]) / np.maximum(1, np.abs(expected[finite]))
            worst[name] = max(worst.get(name, 0), off.max())
    print(which, "largest error", max(worst.values()), max(worst, key=worst.get))


OPERATIONS = {
    name: getattr(jnp, name)
    for name in (
        "abs", "arctan", "arctanh", "cbrt", "ceil", "cos", "cosh", "exp", "exp2", "expm1", "floor", "isfinite", "log", "log1p",
        "negative", "reciprocal", "round", "sign", "sin", "sinh", "sqrt", "square", "tan", "tanh", "trunc",
    )
} | {
    "erf": special.erf, "erfc": special.erfc, "erfinv": special.erfinv, "logistic": jax.nn.sigmoid, "rsqrt": jax.lax.rsqrt,
    "softplus": jax.nn.softplus, "rem": lambda x: jax.lax.rem(x, jnp.full_like(x, 0.7)), "power": lambda x: jnp.abs(x) ** 1.7,
    "cube": lambda x: x**3, "fifth": lambda x: x**5, "inverse": lambda x: x**-2, "clip": lambda x: jnp.clip(x, -0.5, 0.3),
    "logic": lambda x: jnp.where((x > 0) & ~(x > 0.5) | (x < -1) ^ (x < -2), x, -x), "atan2": lambda x: jnp.arctan2(x, x + 1),
    "float32": lambda x: x.astype(jnp.float32).astype(jnp.float64), "largest": lambda x: jnp.max(jnp.stack([x, -x, x**2])),
    "loop": lambda x: jax.lax.fori_loop(0, 5, lambda _, y: y * x + 1.0, x), "branch": lambda x: jnp.select([x < 0, x < 1], [x, 2 * x], 3 * x),
    "argmin": lambda x: jnp.argmin(jnp.stack([x, x**2, 1 - x])) * 1.0,
    "gradient": jax.grad(lambda x: jnp.sin(x) * jax.nn.softplus(x)),
}  # fmt: skip


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.promotes("functions as users write them")
def test_an_operation_of_javascript_is_that_of_jax(driver, page, name, x64):
    if not driver.current_url.startswith(page):
        reopened(driver, page, "")
    x = np.concatenate(
        [np.linspace(-3, 3, 61), np.linspace(-0.99, 0.99, 21), [1e-9, 5.5, -5.5, 12.25, np.inf, -np.inf, np.nan]]
    )
    expected = np.asarray(jax.vmap(OPERATIONS[name])(jnp.asarray(x)), np.float64)
    text = javascript(OPERATIONS[name], 0.0)
    found = asked(
        driver, "const f = eval(arguments[0]); return arguments[1].map(x => Number(f(Number(x))))", text, texts(x)
    )
    np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-15)


def quadrature(surrogate):
    """The integral of a slope by Gauss and Legendre's rule, on intervals that end where the slopes here jump."""
    ends = np.unique([0, 0.5, 1, *np.geomspace(1e-3, 100, 300)])
    ends = np.concatenate([-ends[:0:-1], ends])
    nodes, weights = np.polynomial.legendre.leggauss(20)
    half = np.diff(ends)[:, None] / 2
    x = ends[:-1, None] + half * (1 + nodes)
    return float(np.sum(half * weights * np.asarray(surrogate.surrogate_grad(x))))


# The library compiles a search for each class, which takes a second.
FEW = ("sigmoid", "relu_grad", "leaky_relu", "s2nn", "boxcar", "bump")


@pytest.mark.parametrize("name", parameters(ALL, slow=set(ALL) - set(FEW)))
def test_width_height_and_area_are_the_library_s(driver, page, name, x64):
    reopened(driver, page, "")
    surrogate = ALL[name]
    p = [float(leaf) for leaf in jax.tree.leaves(surrogate)] if parameters_of(driver, name) else []
    width, height, area = asked(
        driver, "const e = S.find(e => e.id === arguments[0]), m = E.measures(e, arguments[1]); return [m.width, m.height, m.area]", name, p
    )  # fmt: skip
    try:
        expected = float(surrogate.area())
    except NotImplementedError:
        expected = quadrature(surrogate)
    assert width == pytest.approx(float(surgrad.width(surrogate)), rel=1e-9)
    assert height == pytest.approx(float(surrogate.peak()), rel=1e-9)
    assert area == pytest.approx(expected, rel=1e-6, nan_ok=True)


@pytest.mark.parametrize("name", ["gaussian_grad", "piecewise_quadratic", "slayer_grad", "dspike", "laplace", "bump"])
def test_the_area_is_that_of_quadrature(driver, page, name, x64):
    reopened(driver, page, "")
    p = [float(leaf) for leaf in jax.tree.leaves(ALL[name])]
    area = asked(
        driver, "const e = S.find(e => e.id === arguments[0]); return E.measures(e, arguments[1]).area", name, p
    )
    assert area == pytest.approx(quadrature(ALL[name]), rel=1e-6)


@pytest.mark.parametrize("current", ["constant", "ramp", "pulses", "noise"])
def test_the_gradient_through_time_is_that_of_unroll(driver, page, current, x64):
    reopened(driver, page, "")
    worst = 0.0
    for reset, detach, of in (
        ("subtract", False, "spikes"),
        ("zero", False, "spikes"),
        ("zero", True, "potential"),
        ("subtract", True, "spikes"),
    ):
        n = {
            "current": current,
            "size": 0.3,
            "steps": 50,
            "seed": 3,
            "tau": 8.0,
            "threshold": 1.2,
            "reset": reset,
            "detach": str(detach).lower(),
            "of": of,
        }
        values, spikes, gradient = asked(
            driver,
            "const n = arguments[0], e = S.find(e => e.id === 'sigmoid'), c = E.currentOf(n), s = E.forwards(n, c);"
            "return [c, s.map(one => one.spike), E.gradient(n, c, s, x => e.slope(x, [5]))]",
            n,
        )
        cell = nn.LIF(surgrad.Sigmoid(5.0), tau=8.0, threshold=1.2, reset=reset, detach_reset=detach)

        def goal(current, cell=cell, of=of):
            state, outputs = nn.unroll(cell, current)
            return (outputs if of == "spikes" else state.v).sum(), outputs

        expected, outputs = jax.grad(goal, has_aux=True)(jnp.asarray(values)[:, None])
        assert 0 < outputs.sum() < 50
        np.testing.assert_array_equal(spikes, np.asarray(outputs)[:, 0])
        np.testing.assert_allclose(gradient, np.asarray(expected)[:, 0], rtol=1e-9, atol=1e-12)
        worst = max(worst, np.abs(gradient - np.asarray(expected)[:, 0]).max())
    print(current, "largest error", worst)


@pytest.mark.promotes("the code, as readers run it")
@pytest.mark.parametrize("current", ["constant", "ramp", "pulses", "noise"])
def test_the_code_of_each_current_makes_the_same_current(driver, page, current):
    fragment = f"#show=sigmoid(4)&current={current}&size=0.25&steps=40&seed=2"
    code = reopened(driver, page, fragment).find_element(By.ID, "code").text
    values = asked(driver, "return E.currentOf(E.view())")
    names = {}
    exec(code.partition("for name")[0], names)
    np.testing.assert_allclose(np.asarray(names["current"])[:, 0], values, atol=1e-6)


def path_of(driver, chart):
    return [line.get_attribute("d") for line in driver.find_elements(By.CSS_SELECTOR, f"#{chart} path.line.own")]


def cells(driver, row):
    found = driver.find_elements(By.CSS_SELECTOR, "#numbers tr")[row]
    return [cell.text.replace("−", "-") for cell in found.find_elements(By.CSS_SELECTOR, "th, td")]


def test_a_slider_moves_with_the_keyboard_and_changes_what_is_drawn(opened):
    slider = opened.find_element(By.ID, "sigmoid-0")
    before, others = path_of(opened, "slope"), cells(opened, 1)
    slider.send_keys(*[Keys.ARROW_RIGHT] * 40)
    settle(opened)
    alpha = opened.execute_script("return explorer.view().shown[0].p[0]")
    assert alpha > 4
    after = path_of(opened, "slope")
    assert after[0] != before[0]
    assert cells(opened, 1) == others
    name, width, height, *_ = cells(opened, 0)
    assert name == "Sigmoid"
    assert float(width) == pytest.approx(float(surgrad.width(surgrad.Sigmoid(alpha))), rel=1e-3)
    assert float(height) == pytest.approx(alpha / 4, rel=1e-3)
    assert f"show=sigmoid({alpha:g})" in opened.current_url
    assert slider.get_attribute("aria-valuetext") == f"{alpha:g}"
    assert opened.switch_to.active_element == slider


def test_an_exact_value_is_typed_and_a_wrong_one_is_refused(opened):
    field = opened.find_element(By.CSS_SELECTOR, "#panel-sigmoid input[type=number]")
    field.clear()
    field.send_keys("7.25")
    settle(opened)
    assert opened.execute_script("return explorer.view().shown[0].p[0]") == 7.25
    field.clear()
    field.send_keys("-1")
    settle(opened)
    assert field.get_attribute("aria-invalid") == "true"
    assert opened.execute_script("return explorer.view().shown[0].p[0]") == 7.25


def test_a_surrogate_is_switched_with_the_keyboard(opened):
    opened.find_element(By.ID, "choose-sigmoid").send_keys(Keys.SPACE)
    opened.find_element(By.ID, "choose-gaussian_grad").send_keys(Keys.SPACE)
    settle(opened)
    assert [cells(opened, row)[0] for row in (0, 1)] == ["Arctan", "GaussianGrad"]
    assert not opened.find_elements(By.ID, "panel-sigmoid")
    assert opened.find_element(By.ID, "panel-gaussian_grad").is_displayed()


def test_a_cursor_reads_every_line(opened):
    opened.find_element(By.ID, "at").send_keys(Keys.HOME)
    settle(opened)
    assert opened.find_element(By.ID, "at-x").text == "−2"
    assert float(cells(opened, 0)[5]) == pytest.approx(float(surgrad.Sigmoid(4.0).surrogate_grad(-2.0)), rel=1e-3)


@pytest.mark.promotes("the code, as readers run it")
def test_the_code_is_copied_runs_and_prints_the_numbers_of_the_page(driver, page, capsys):
    shown = "#show=sigmoid(6)~boxcar(1)~laplace(0.5)&at=0.1&size=0.25&steps=30"
    reopened(driver, page, shown)
    driver.execute_cdp_cmd(
        "Browser.grantPermissions", {"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]}
    )
    driver.find_element(By.ID, "copy-code").click()
    copied = driver.execute_async_script("navigator.clipboard.readText().then(arguments[0])")
    assert copied == driver.execute_script("return explorer.code()")
    assert "# Names of your own: boxcar, Laplace" in copied
    exec(copied, {"Laplace": Laplace, "boxcar": boxcar})
    lines = capsys.readouterr().out.splitlines()
    gradients = asked(
        driver,
        "const v = E.view(), c = E.currentOf(v), s = E.forwards(v, c);"
        "return v.shown.map(one => E.gradient(v, c, s, x => S.find(e => e.id === one.id).slope(x, one.p)))",
    )
    assert len(lines) == 2 * len(gradients) == 6
    for row, (first, second) in enumerate(zip(lines[::2], lines[1::2], strict=True)):
        name, width, height, _, _, slope, _ = cells(driver, row)
        assert first.startswith(name)
        assert [float(text) for text in first.removeprefix(name).split()] == pytest.approx(
            [float(n) for n in (slope, width, height)], rel=1e-3
        )
        np.testing.assert_allclose(json.loads(second.partition(": ")[2]), gradients[row], atol=1e-5)


def test_a_link_brings_the_same_view_back(driver, page):
    reopened(
        driver,
        page,
        "#show=arctan(3)~s2nn(4,1,1e-8)&reach=3&current=noise&seed=5&reset=zero&detach=true&of=potential&steps=80&tau=20",
    )
    driver.find_element(By.ID, "arctan-0").send_keys(Keys.ARROW_LEFT)
    settle(driver)
    before = {name: path_of(driver, name) for name in ("curve", "slope", "bend", "gradient")}
    link, view = driver.current_url, driver.execute_script("return explorer.view()")
    reopened(driver, link, "")
    assert driver.execute_script("return explorer.view()") == view
    assert {name: path_of(driver, name) for name in before} == before


def test_a_broken_link_shows_what_it_can(driver, page):
    reopened(driver, page, "#show=nothing(1)~sigmoid(-3)~arctan(x)&reach=inf&reset=never&steps=1e9")
    view = driver.execute_script("return explorer.view()")
    assert view["shown"] == [{"id": "sigmoid", "p": [4]}, {"id": "arctan", "p": [1]}]
    assert (view["reach"], view["reset"], view["steps"]) == (2, "subtract", 200)


def test_the_study_marks_where_a_surrogate_stands(driver, page):
    reopened(driver, page, "#show=sigmoid(8)")
    # Twice as steep as the default is scale 2, between the runs at 1 and at 10.
    said = driver.find_element(By.ID, "here").text
    accuracy = 93 - 1.0 * math.log10(2)
    assert re.fullmatch(r"On the screen, between the runs: sigmoid at 2: ([\d.]+) %\.", said), said
    assert float(re.search(r": ([\d.]+) %", said)[1]) == pytest.approx(accuracy, abs=0.06)
    assert len(driver.find_elements(By.CSS_SELECTOR, "#accuracy .ring")) == 1


def test_controls_and_charts_have_names_for_screen_readers(opened):
    unnamed = opened.execute_script("""
        return [...document.querySelectorAll('input, select, button, [role=img], [role=region]')].filter(one => {
          const label = one.getAttribute('aria-label') || (one.labels && [...one.labels].map(l => l.textContent).join('')) || one.textContent;
          return !label.trim();
        }).map(one => one.outerHTML)
    """)
    assert unnamed == []
    label = opened.find_element(By.CSS_SELECTOR, "#slope svg").get_attribute("aria-label")
    assert label.startswith("Slope: slope σ′(x) against x")
    assert "Sigmoid: from 0.00134 to 0.00134, at most 1 at 0" in label
    opened.find_element(By.CSS_SELECTOR, "#slope summary").click()
    rows = opened.find_elements(By.CSS_SELECTOR, "#slope .data tbody tr")
    assert len(rows) == 25
    assert rows[12].text.split() == ["0", "1", "0.5"]


def test_changes_are_said_to_screen_readers(opened):
    opened.find_element(By.ID, "sigmoid-0").send_keys(Keys.HOME)
    opened.execute_async_script("setTimeout(arguments[0], 900)")
    said = opened.find_element(By.ID, "news").get_attribute("textContent")
    assert said.startswith("Sigmoid(alpha=0.125): width 28.2, height 0.0313, area 1")


def test_nothing_is_loaded_and_nothing_goes_wrong(opened):
    opened.get_log("browser")
    for box in opened.find_elements(By.CSS_SELECTOR, "#choices input"):
        box.send_keys(Keys.SPACE)
    settle(opened)
    assert opened.execute_script("return performance.getEntriesByType('resource').map(e => e.name)") == []
    assert opened.get_log("browser") == []


LOOKS = {
    "light": (1280, 1000, False),
    "dark": (1280, 1000, True),
    "phone": (390, 844, False),
    "phone-dark": (390, 844, True),
}


@pytest.mark.parametrize("look", LOOKS)
def test_the_page_fits_and_has_its_colours(driver, page, look, tmp_path):
    width, height, dark = LOOKS[look]
    browser.window(driver, width, height, dark)
    try:
        reopened(driver, page, "#show=sigmoid(4)~arctan(1)~piecewise_quadratic(1)&at=0.25")
        settle(driver)
        wide = driver.execute_script(
            "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
        )
        assert wide[0] == wide[1]
        background = driver.execute_script("return getComputedStyle(document.body).backgroundColor")
        assert background == ("rgb(18, 22, 28)" if dark else "rgb(255, 255, 255)")
        strokes = {
            line.value_of_css_property("stroke") for line in driver.find_elements(By.CSS_SELECTOR, "#slope path.own")
        }
        assert len(strokes) == 3
        tall = driver.execute_script("return document.documentElement.scrollHeight")
        browser.window(driver, width, tall, dark)
        settle(driver)
        folder = pathlib.Path(os.environ.get("SURGRAD_PICTURES", tmp_path))
        assert driver.save_screenshot(str(folder / f"{look}.png"))
    finally:
        browser.window(driver, 1280, 1000)


@pytest.mark.slow
def test_the_switch_overrules_the_system(opened):
    switch = Select(opened.find_element(By.ID, "theme"))
    switch.select_by_value("dark")
    assert opened.execute_script("return getComputedStyle(document.body).backgroundColor") == "rgb(18, 22, 28)"
    switch.select_by_value("light")
    assert opened.execute_script("return getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
