"""JAX's searches for NaN and infinite numbers stop at nothing in what is right, and change no result."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import surgrad
from surgrad import tasks

optax = pytest.importorskip("optax")
pytest.importorskip("sklearn")
from surgrad import meta, study, train  # noqa: E402

KEY, STEPS = jax.random.key(0), 6
DATA = tasks.load("digits", steps=STEPS).train[jnp.arange(48)]
SHAPES = (surgrad.Sigmoid(), surgrad.Arctan())
DEAD = surgrad.Sparse(surgrad.Sigmoid(), 1e-6)


def network(spike=SHAPES[0], gain=3.0):
    return train.classifier(spike, DATA, key=KEY, hidden=8, tau=5.0, gain=gain)


def build(hyper):
    spike = surgrad.Normalized(surgrad.Temperature(hyper["shape"], 1 / hyper["scale"]), to="peak")
    return network(spike), optax.adam(hyper["rate"])


def tuned(method=meta.Halving, **options):
    training = meta.Training.of_network(build, DATA, lambda net, batch: train.score(net, batch).loss, steps=4, batch=16)
    space = {"shape": meta.Choice(SHAPES), "scale": meta.LogRange(0.1, 10), "rate": meta.LogRange(1e-3, 1e-1)}
    return meta.tune(training, space, method=method(3), **options).rungs


def studied():
    settings = study.Settings(seeds=(0,), epochs=1, steps=STEPS, hidden=8, batch=512)
    ((row,),) = study.run([study.Variant("ours", "scale", 1.0, study.at_unit_peak(SHAPES[0], 1.0))], settings)
    return row.test_loss, row.train_loss


def through_training(**options):
    arguments = (
        lambda w, h, b: jnp.sum((w * b - h) ** 2),
        lambda w, h: jnp.sum(w**2),
        jnp.ones(3),
        0.5,
        jnp.ones((4, 1)),
    )
    return meta.hypergradient(*arguments, optax.sgd(0.05), **options).gradient


def adapted(spacing):
    loss = lambda weights, b: jnp.sum(surgrad.Dspike(b)(weights))
    return meta.adapt_temperature(loss, jnp.linspace(-1, 1, 4), 3.0, spacing=spacing, step=0.1)


RIGHT = {
    "calibrate": lambda: meta.calibrate(network(), DATA).factors,
    "calibrate what is far too steep": lambda: meta.calibrate(network(surgrad.Sigmoid(4e5)), DATA).factors,
    "diagnose": lambda: meta.diagnose(network(), DATA).gradients,
    "diagnose what never spikes": lambda: [one.kind for one in meta.diagnose(network(DEAD, 1e-3), DATA).findings],
    "diagnose NaN in the inputs": lambda: [
        one.where for one in meta.diagnose(network(), (np.full((STEPS, 48, 64), np.nan), DATA.labels)).findings
    ],
    "tune": lambda: tuned(mapping="map"),
    "tune all at once": lambda: tuned(mapping="vmap"),
    "a study": studied,
    "reverse": through_training,
    "persistent": lambda: through_training(method=meta.PersistentEvolution(2, key=KEY)),
    "a temperature": lambda: adapted(0.5),
    "a temperature whose lower neighbour is negative": lambda: adapted(5.0),
    "areas": lambda: [surgrad.Sigmoid().area(), surgrad.InvSquareGrad().area(), surgrad.LeakyRelu().area()],
    "unit area": lambda: surgrad.Normalized(surgrad.Temperature(SHAPES[1], 2.0)).surrogate_grad(0.3),
}


@pytest.mark.parametrize("flag", [jax.debug_nans, jax.debug_infs], ids=["NaN", "infinite numbers"])
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name == "tune all at once")) for name in RIGHT]
)
def test_what_is_right_raises_no_alarm(name, flag):
    plain = RIGHT[name]()
    with flag(True):
        watched = RIGHT[name]()
    jax.tree.map(lambda a, b: a == b if isinstance(a, str) else np.testing.assert_array_equal(a, b), watched, plain)


def test_nan_of_the_user_is_found_as_ever():
    with jax.debug_nans(True), pytest.raises(FloatingPointError, match="nan"):
        meta.inner_loop(lambda w, h, b: jnp.log(w.sum()) * b, -jnp.ones(2), None, jnp.ones(2), optax.sgd(0.1))
