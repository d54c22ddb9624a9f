"""Each row of the table of other libraries' surrogates, beside the slope that the library itself computes.

Libraries that are not installed are skipped: `tests/test_peers.py` has the formulas in their sources. Sinabs and btorch
need other versions of what is installed here; `pip install --no-deps sinabs pbr btorch` suffices for their surrogates.
"""

import importlib
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import surgrad
from surgrad import _peers

X = np.linspace(-2.95, 3.05, 61) + 0.0123  # without 0 and the ends of boxes, which some libraries count and some do not
MODULES = {
    "snntorch": "snntorch.surrogate",
    "spikingjelly": "spikingjelly.activation_based.surrogate",
    "norse": "norse.torch.functional.threshold",
    "spyx": "spyx.axn",
    "sinabs": "sinabs.activation.surrogate_gradient_fn",
    "rockpool": "rockpool.nn.modules.torch.lif_torch",
    "jaxsnn": "jaxsnn.discrete.functional.threshold",
    "btorch": "btorch.models.surrogate",
    "jaxpike": "jaxpike.surrogate",
    "sparx": "sparx.surrogate",
    "braintools": "braintools.surrogate",
}
"""Where a library has its surrogates. lava-dl, snnax and stork are in no package index."""
DEFECTS = {
    "snntorch.LSO": "snnTorch 1.0 applies another class, which wants a variance",
    "snntorch.SFS": "snnTorch 1.0 keeps the slope on the other side, where x > B",
    "braintools.PiecewiseLinear": "it is in the documentation alone",
}
"""Surrogates that do something else in the library than it documents; the notes of the table say so."""
pytestmark = pytest.mark.filterwarnings("ignore")  # of the libraries, some of which warn where they are imported


def by_torch(spikes):
    """The slope of a function of a tensor."""
    torch = pytest.importorskip("torch")
    x = torch.tensor(X, dtype=torch.float64, requires_grad=True)
    spikes(x).sum().backward()
    return x.grad.numpy()


def by_jax(spikes):
    return jax.vmap(jax.grad(spikes))(jnp.asarray(X, jnp.float32))


def rockpool_slope(module, name, hyper):
    torch = pytest.importorskip("torch")
    if name == "step_pwl":
        step = importlib.import_module("rockpool.nn.modules.jax.lif_jax").step_pwl
        numbers = (1.0, hyper["window"], 2.0**16)
        return jax.vmap(lambda x: jax.jvp(lambda v: step(v, *numbers), (x,), (1.0,))[1])(
            jnp.asarray(X + 1, jnp.float32)
        )
    threshold, window = torch.tensor(1.0), torch.tensor(hyper["window"])
    return by_torch(lambda x: getattr(module, name).apply(x + 1, threshold, window))


SLOPES = {
    "snntorch": lambda module, name, hyper: by_torch(getattr(module, name)(**hyper)),
    "spikingjelly": lambda module, name, hyper: by_torch(getattr(module, name)(**hyper)),
    "norse": lambda module, name, hyper: by_torch(lambda x: module.threshold(x, name, hyper["alpha"])),
    "spyx": lambda module, name, hyper: by_jax(getattr(module, name)(**hyper)),
    "sinabs": lambda module, name, hyper: getattr(module, name)(**hyper)(
        pytest.importorskip("torch").tensor(X + 1), 1.0
    ).numpy(),
    "rockpool": rockpool_slope,
    "jaxsnn": lambda module, name, hyper: by_jax(lambda x: getattr(module, name)(x, hyper["alpha"])),
    "btorch": lambda module, name, hyper: by_torch(getattr(module, name)(**hyper)),
    "jaxpike": lambda module, name, hyper: by_jax(getattr(module, name)(**hyper)),
    "sparx": lambda module, name, hyper: getattr(module, name)(**hyper).derivative(jnp.asarray(X, jnp.float32)),
    "braintools": lambda module, name, hyper: getattr(module, name)(**hyper).surrogate_grad(
        jnp.asarray(X, jnp.float32)
    ),
}


def rows():
    for row in _peers.rows():
        why = DEFECTS.get(row.full_name)
        marks = pytest.mark.xfail(reason=why, strict=True) if why else ()
        if row.library.key in MODULES:
            yield pytest.param(row, id=row.full_name, marks=marks)


@pytest.mark.parametrize("factor", [1, 1.5], ids=["defaults", "others"])
@pytest.mark.parametrize("row", list(rows()))
def test_a_conversion_has_the_slope_of_the_library(row, factor):
    module = pytest.importorskip(MODULES[row.library.key])
    hyper = {name: value * factor if isinstance(value, float) else value for name, value in row.parameters.items()}
    expected = np.asarray(SLOPES[row.library.key](module, row.name, hyper))
    found = surgrad.convert(row.full_name, **hyper).surrogate_grad(jnp.asarray(X, jnp.float32))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("library", ["snntorch", "spikingjelly", "norse", "spyx", "jaxsnn", "btorch", "jaxpike"])
def test_the_spike_at_the_threshold_is_what_the_table_says(library):
    module = pytest.importorskip(MODULES[library])
    row = next(row for row in _peers.rows() if row.library.key == library)
    if library in ("snntorch", "spikingjelly", "norse", "btorch"):
        zero = pytest.importorskip("torch").zeros(1)
        call = getattr(module, row.name, None)
        spike = module.threshold(zero, row.name, 1.0) if library == "norse" else call(**row.parameters)(zero)
    else:
        call = getattr(module, row.name)
        spike = call(jnp.zeros(1)) if library == "jaxsnn" else call(**row.parameters)(jnp.zeros(1))
    assert float(spike[0]) == row.library.at_threshold


@pytest.mark.parametrize(
    "library", ["snntorch", "spikingjelly", "norse", "spyx", "jaxpike", "sparx", "sinabs", "btorch"]
)
def test_the_table_has_every_surrogate_of_the_library(library):
    """But for bases, functions of `custom` slopes, and those whose spikes or slopes are drawn."""
    others = {"SSO", "custom_surrogate", "SurrogateFunctionBase", "MultiLevelSpikeCount", "PoissonPass", "custom"}
    others |= {"heaviside", "Surrogate", "PoissonRandomSpike"} - ({"heaviside"} if library == "snntorch" else set())
    module = pytest.importorskip(MODULES[library])
    if library == "norse":  # where they are strings, the error of an unknown one names all
        with pytest.raises(ValueError, match="currently support") as error:
            module.threshold(None, "none", 1.0)
        own = {word.strip() for word in re.sub(r"\band\b", "", str(error.value).partition("support ")[2]).split(",")}
        own = {word.strip(".") for word in own}
    else:
        own = {n for n, found in vars(module).items() if getattr(found, "__module__", "").startswith(module.__name__)}
    if library == "snntorch":
        own = {n for n in own if not isinstance(getattr(module, n), type)}
    elif library in ("spikingjelly", "sinabs", "sparx", "btorch"):
        own = {n for n in own if isinstance(getattr(module, n), type) and n[0].isupper()}
    own = {n for n in own if n[0] != "_"} - others
    assert own == {row.name for row in _peers.rows() if row.library.key == library}
