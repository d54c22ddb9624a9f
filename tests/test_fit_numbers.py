"""NaN and Inf in `train.fit`: the step, the layer, the quantity and the time at which they arise."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

pytestmark = pytest.mark.promotes("Optax does")

optax = pytest.importorskip("optax")
train = pytest.importorskip("surgrad.train")

import fit_runs as runs  # noqa: E402
from surgrad import nn  # noqa: E402

TIME, SAMPLES, INPUTS = 6, 4, 3
KEYS = jax.random.split(jax.random.key(0), 3)


class BadAt:
    """A cell of a user that passes inputs on, and makes them something else at a time step."""

    def __init__(self, time, change):
        self.time, self.change = time, change

    def init(self, shape, dtype=None):
        return jnp.zeros((), int)

    def __call__(self, time, x):
        return time + 1, jnp.where(time == self.time, self.change(x), x)


def network(*middle):
    first, last = nn.Linear(INPUTS, 4, key=KEYS[0], gain=3.0), nn.Linear(4, 2, key=KEYS[1])
    return nn.Sequential(first, nn.LIF(), *middle, last, nn.LeakyIntegrator(4.0))


def squares(network, batch):
    return (network.outputs(batch)[-1] ** 2).mean()


def batches(count=3, bad=None):
    """Batches of inputs, `(time, samples, inputs)`; of the bad one a time step is not finite."""
    drawn = [jax.random.bernoulli(key, 0.6, (TIME, SAMPLES, INPUTS)) * 1.0 for key in jax.random.split(KEYS[2], count)]
    if bad is not None:
        index, time, value = bad
        drawn[index] = drawn[index].at[time, 1, 2].set(value)
    return train.Batches(lambda key: drawn)


def caught(network, data, loss=squares, **options):
    given = {"optimizer": optax.sgd(0.01), "key": KEYS[0], "epochs": 2, "loss": loss, "check_numbers": True} | options
    with pytest.raises(train.NotFiniteError) as found:
        train.fit(network, data, **given)
    return found.value


def where(error):
    return error.epoch, error.step, error.layer, error.quantity, error.time


def test_a_nan_in_the_data_is_found_in_its_batch_and_time_step():
    error = caught(network(), batches(bad=(1, 3, jnp.nan)))
    assert where(error) == (1, 2, "0", "inputs", 3)
    assert str(error).startswith("fit: in epoch 1, update 2, inputs of layer 0 is NaN or Inf at time step 3. The batch")
    assert all(jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(error.network))


def test_a_layer_is_found_by_its_place_also_inside_a_network():
    inner = nn.Sequential(nn.Lambda(lambda x: x), BadAt(4, lambda x: x / 0.0 + 1.0))
    error = caught(network(inner), batches())
    assert where(error) == (1, 1, "2.1", "outputs", 4)
    assert "No weight has changed yet" in str(error)
    later = caught(network(), batches(), optimizer=optax.sgd(1e30), loss=lambda net, xs: squares(net, xs) * 1e3)
    assert where(later) == (1, 2, None, "loss", None)
    assert "a lower learning rate" in str(later)


def test_a_membrane_potential_is_found_before_what_follows_from_it():
    huge = nn.Sequential(nn.Lambda(lambda x: jnp.full_like(x, 2e38)), nn.LIF(tau=1e9), nn.LeakyIntegrator())
    error = caught(huge, batches(), loss=lambda net, xs: squares(net, xs) + 0 * net.outputs(xs)[0].sum(), epochs=1)
    assert (error.layer, error.time) == ("1", 1)  # 4e38 is no number of float32
    assert error.quantity in ("v_before_reset", "v", "current")


def test_a_gradient_is_found_though_all_values_are_finite():
    @jax.custom_vjp
    def one(x):
        return x

    one.defvjp(lambda x: (x, None), lambda _, g: (jnp.where(g == 0, 0.0, g / 0.0),))
    error = caught(network(BadAt(2, one)), batches())
    assert (error.layer, error.time) == ("1", 2)
    assert error.quantity == "gradient by the outputs"
    assert "All values are finite" in str(error)


def test_a_loss_is_found_though_all_layers_are_finite():
    error = caught(network(), batches(), loss=lambda net, xs: jnp.log(0 * squares(net, xs)))
    assert where(error) == (1, 1, None, "loss", None)


def test_an_update_is_found_though_its_gradient_is_finite():
    error = caught(network(), batches(), optimizer=optax.sgd(jnp.inf))
    assert (error.step, error.layer) == (1, None)
    assert error.quantity.startswith("parts[")
    assert "look at the optimizer" in str(error)


def test_a_loss_that_looks_into_layers_is_told_without_a_layer():
    def loss(net, xs):
        return squares(net, xs) + net[0].weight.sum() / 0.0

    assert where(caught(network(), batches(), loss=loss)) == (1, 1, None, "loss", None)


def test_a_network_of_a_user_is_one_layer():
    class Own:
        def init(self, shape, dtype=None):
            return jnp.zeros((), int)

    @jax.tree_util.register_pytree_node_class
    class Scale(Own):
        def __init__(self, by):
            self.by = by

        def tree_flatten(self):
            return (self.by,), None

        @classmethod
        def tree_unflatten(cls, aux, leaves):
            return cls(*leaves)

        def __call__(self, time, x):
            return time + 1, self.by * x / (time - 3.0)

    def loss(net, xs):
        return nn.unroll(net, xs).outputs.mean()

    error = caught(Scale(jnp.ones(())), batches(), loss=loss)
    assert (error.quantity, error.time) == ("outputs", 3)


def with_norm(*middle):
    first, last = nn.Linear(INPUTS, 4, key=KEYS[0], gain=3.0), nn.Linear(4, 2, key=KEYS[1])
    return nn.Sequential(first, nn.BatchNorm(4), nn.LIF(), *middle, last, nn.LeakyIntegrator(4.0))


def in_training(network, batch):
    done = nn.unroll_in_training(network, batch)
    return (done.outputs**2).mean(), done.network


NORMED = train.Objective(in_training, returns_network=True, evaluate=squares)


def test_a_network_with_batch_norm_is_watched_too():
    assert where(caught(with_norm(), batches(bad=(1, 3, jnp.nan)), loss=NORMED)) == (1, 2, "0", "inputs", 3)
    late = caught(with_norm(BadAt(4, lambda x: x / 0.0 + 1.0)), batches(), loss=NORMED)
    assert where(late) == (1, 1, "3", "outputs", 4)
    assert all(jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(late.network))
    # Statistics over time and batch overflow: the first layer that gets numbers of them is named.
    huge = nn.Sequential(
        nn.Lambda(lambda x: 1e30 * x), nn.BatchNorm(INPUTS), *with_norm()[2:3], nn.LeakyIntegrator(4.0)
    )
    lost = caught(huge, batches(), loss=NORMED)
    assert lost.step == 1
    assert lost.layer in (None, "1", "2")


def test_a_network_with_batch_norm_is_validated_with_its_running_statistics():
    given = {"optimizer": optax.sgd(0.01), "key": KEYS[0], "epochs": 2, "loss": NORMED, "validation": batches(2)}
    plain, checked = (train.fit(with_norm(), batches(), **given, check_numbers=check) for check in (False, True))
    losses = [squares(plain.network, batch) for batch in batches(2).draw(KEYS[0])]
    np.testing.assert_allclose(plain.history[-1]["validation_loss"], np.mean(losses), rtol=1e-5)
    assert jnp.abs(plain.network[1].mean).sum() > 0
    for one, other in zip(jax.tree.leaves(plain.network), jax.tree.leaves(checked.network), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5)


def test_the_last_good_checkpoint_is_kept_and_serves(tmp_path):
    pytest.importorskip("orbax.checkpoint")
    options = {"checkpoints": train.Checkpoints(tmp_path, every_steps=1)}
    error = caught(network(), batches(bad=(2, 0, jnp.inf)), **options)
    assert f"The checkpoint of step 2 in {tmp_path} is kept" in str(error)
    given = {"optimizer": optax.sgd(0.01), "key": KEYS[0], "epochs": 2, "loss": squares}
    done = train.fit(network(), batches(), **given, **options)
    whole = train.fit(network(), batches(), **given)
    assert np.array_equal(done.network[0].weight, whole.network[0].weight)


def test_nothing_is_said_where_all_is_finite():
    done = train.fit(network(), batches(), optimizer=optax.sgd(0.01), key=KEYS[0], epochs=1, loss=squares)
    checked = train.fit(
        network(), batches(), optimizer=optax.sgd(0.01), key=KEYS[0], epochs=1, loss=squares, check_numbers=True
    )
    np.testing.assert_allclose(checked.history[0]["loss"], done.history[0]["loss"], rtol=1e-6)


def test_the_task_of_a_data_set_is_watched_too():
    weights = runs.network("recurrent").parts
    bad = nn.Sequential(*weights[:2], nn.Lambda(lambda x: x / (x.sum() * 0)), *weights[2:])
    with pytest.raises(train.NotFiniteError, match="update 1, outputs of layer 2 is NaN or Inf at time step 0"):
        runs.run("recurrent", network=bad, loss=train._fit.cross_entropy, check_numbers=True)
