"""`train.fit`: what a loop by hand does, and evaluation, early stopping, accumulation and loss scaling around it."""

import dataclasses
import doctest
import gc
import importlib
import weakref
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import pytest

pytestmark = pytest.mark.promotes("Optax does")

optax = pytest.importorskip("optax")
train = pytest.importorskip("surgrad.train")

import fit_runs as runs  # noqa: E402
from surgrad import nn, tasks  # noqa: E402
from surgrad.train import _compiled  # noqa: E402
from surgrad.train._update import Method, begin, update  # noqa: E402

KEY = runs.KEY
SGD = optax.sgd(0.1)


@jax.tree_util.register_dataclass
@dataclasses.dataclass
class Line:
    """A network of a user: no layer of ours, called with a batch."""

    slope: jax.Array
    offset: float


class Points:
    """Samples of a user, which are made when they are asked for."""

    def __init__(self, count):
        self.count, self.asked = count, []

    def __len__(self):
        return self.count

    def __getitem__(self, indices):
        self.asked.append(np.asarray(indices))
        x = np.asarray(indices, np.float32) / self.count
        return x, 2 * x + 1


def squares(line, batch):
    x, y = batch
    return ((line.slope * x + line.offset - y) ** 2).mean()


def line():
    return Line(jnp.zeros(()), 1.0)


def fitted(data=None, network=None, **options):
    given = {"optimizer": SGD, "key": KEY, "epochs": 2, "batch_size": 4, "loss": squares} | options
    return train.fit(network or line(), Points(9) if data is None else data, **given)


def halves(line, batch):
    return (line.slope - 0.5) ** 2 + 0 * squares(line, batch)


def test_the_result_is_that_of_a_loop_by_hand():
    batches = [Points(8)[np.arange(i, i + 4)] for i in (0, 4)]
    done = fitted(train.Batches(lambda key: batches), epochs=3, optimizer=runs.ADAM)
    state, step = train.start(line(), runs.ADAM), jax.jit(train.step, static_argnames=("optimizer", "loss"))
    losses = []
    for batch in batches * 3:
        state, loss = step(state, runs.ADAM, batch, loss=squares)
        losses.append(float(loss))
    np.testing.assert_allclose(jax.tree.leaves(done.fit), jax.tree.leaves(state), rtol=1e-6)
    found = [(row["epoch"], row["step"]) for row in done.history]
    assert found == [(1, 2), (2, 4), (3, 6)]
    np.testing.assert_allclose([row["loss"] for row in done.history], np.reshape(losses, (3, 2)).mean(1), rtol=1e-6)
    assert (done.best_epoch, done.stopped) == (None, False)


def test_each_epoch_has_all_samples_that_fill_batches_in_an_order_of_its_own():
    data = Points(9)
    fitted(data)
    first, second = np.ravel(data.asked[:2]), np.ravel(data.asked[2:])
    for order in (first, second):
        assert len(set(order)) == 8
        assert set(order) < set(range(9))
    assert list(first) != list(second)
    again, other = Points(9), Points(9)
    fitted(again)
    fitted(other, key=jax.random.key(8))
    assert np.array_equal(again.asked, data.asked)
    assert not np.array_equal(other.asked, data.asked)


def test_numbers_that_are_not_trained_come_back_as_they_were_given():
    network = runs.network("recurrent")
    done = train.fit(network, runs.data(), optimizer=SGD, key=KEY, epochs=1, batch_size=runs.BATCH)
    assert done.network[1].cell == network[1].cell
    assert not np.array_equal(done.network[0].weight, network[0].weight)
    assert done.network is not done.fit.network or done.network == done.fit.network


def test_numbers_that_also_names_are_trained_as_by_hand_and_stay_in_their_range():
    network, data = runs.network("recurrent"), runs.data()
    whole = train.Batches(lambda key: [data] * 3)
    options = {"optimizer": runs.ADAM, "key": KEY, "epochs": 2}
    done = train.fit(network, whole, also="beta", **options)
    trained, rest = nn.partition(network, also=["beta"])
    state = runs.ADAM.init(trained)
    gradient = jax.jit(jax.grad(lambda trained: train.score(nn.combine(trained, rest), data).loss))
    for _ in range(6):
        changes, state = runs.ADAM.update(gradient(trained), state)
        trained = optax.apply_updates(trained, changes)
    expected = nn.combine(trained, rest)
    for found, wanted in zip(jax.tree.leaves(done.network), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-6)
    taus = [net[3].tau for net in (network, done.network)]
    assert abs(taus[1] / taus[0] - 1) > 0.02  # six updates of Adam of 0.02 each
    assert done.network[1].cell.surrogate == network[1].cell.surrogate
    leap = optax.chain(optax.clip_by_global_norm(1.0), optax.sgd(3.0))
    far = train.fit(network, whole, also=("tau", "alpha"), **options | {"optimizer": leap}).network
    assert all(number > 0 for number in (far[1].cell.tau, far[3].tau, far[1].cell.surrogate.alpha))


def test_numbers_that_also_names_and_that_leave_their_range_are_returned():
    lost = train.fit(
        runs.network("recurrent"),
        runs.data(),
        also="tau",
        optimizer=optax.sgd(jnp.nan),
        key=KEY,
        epochs=1,
        batch_size=8,
    )
    assert not lost.network[3].tau > 0


def test_a_run_that_trains_other_numbers_is_not_resumed(tmp_path):
    runs.run("recurrent", tmp_path, epochs=1, optimizer=SGD)
    with pytest.raises(ValueError, match=r"also was None, and is \['tau'\] here"):
        runs.run("recurrent", tmp_path, epochs=2, optimizer=SGD, also=["tau"])
    for folder, epochs in (("whole", 2), ("parts", 1), ("parts", 2)):
        (tmp_path / folder).mkdir(exist_ok=True)
        done = runs.run("recurrent", tmp_path / folder, epochs=epochs, also=["tau"])
        if folder == "whole":
            whole = done
    for one, other in zip(runs.numbers(done), runs.numbers(whole), strict=True):
        assert one.tobytes() == other.tobytes()


class Noted(tasks.Dataset):
    """A data set of a user that promises nothing, and notes of which kind its indices are."""

    asked: ClassVar[list] = []

    def __getitem__(self, samples):
        type(self).asked.append(isinstance(samples, jax.core.Tracer))
        return super().__getitem__(samples)


class Promising(Noted):
    """One that promises that its indices may be traced."""

    asked: ClassVar[list] = []
    traced_indices: ClassVar[bool] = True


def test_many_updates_are_one_program_where_the_class_of_the_data_promises_it():
    plain, found = runs.data(), {}
    for kind in tasks.Dataset, Noted, Promising:
        data = kind(plain.events, plain.labels, plain.steps, plain.classes)
        found[kind] = runs.run("feed-forward", data=data, epochs=2, validation=plain)
    assert not any(Noted.asked)
    assert all(Promising.asked)
    for kind in Noted, Promising:
        for one, other in zip(runs.numbers(found[kind]), runs.numbers(found[tasks.Dataset]), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


def test_programs_of_losses_that_are_gone_are_forgotten():
    traced, made = [], []

    @_compiled.compiled(last=1)
    def scaled(x, by):
        traced.append(by)
        return by.number * x

    class Number:
        def __init__(self, number):
            self.number = number
            made.append(weakref.ref(self))

    first = Number(0.0)
    for number in range(1, _compiled.KEPT + 5):
        assert scaled(2.0, Number(float(number))) == 2 * number
    assert scaled(2.0, first) == scaled(3.0, first) == 0
    assert traced.count(first) == 1  # and not once more for another number
    traced.clear()
    gc.collect()
    assert sum(one() is not None for one in made) <= _compiled.KEPT + 1


def test_arrays_are_samples():
    x = np.arange(24.0, dtype=np.float32).reshape(3, 8)
    samples = train.Samples({"x": x, "y": 2 * x[0] + 1}, axes=(1, 0))
    some = samples[np.array([5, 2])]
    np.testing.assert_array_equal(some["x"], x[:, [5, 2]])
    np.testing.assert_array_equal(some["y"], [11, 5])
    assert len(samples) == 8

    def loss(line, batch):
        assert batch["x"].shape == (3, 4)
        return squares(line, (batch["x"][0] / 8, batch["y"]))

    done = fitted(samples, loss=loss)
    one_by_one = fitted(train.Samples((x[0] / 8, 2 * x[0] + 1)), mesh=jax.make_mesh((1,), ("data",)))
    np.testing.assert_allclose(done.network.slope, one_by_one.network.slope, rtol=1e-6)


@pytest.mark.unchecked("wrong types on purpose")
@pytest.mark.parametrize(
    ("match", "arrays", "axes"),
    [
        (r"the same number of samples, \[0\] has 3, \[1\] has 4; axes= says where", (np.ones(3), np.ones(4)), 0),
        (r"\[1\] has no axis 1, got shape \(3,\)", (np.ones((3, 3)), np.ones(3)), 1),
        ("there are 1 arrays, and 2 axes; give one for each", (np.ones(3),), (0, 0)),
        ("must be an array, got float", (np.ones(3), 2.0), 0),
        ("there is none", (), 0),
    ],
)
def test_samples_are_checked(match, arrays, axes):
    with pytest.raises((TypeError, ValueError), match=f"Samples: .*{match}"):
        train.Samples(arrays, axes=axes)


def test_accumulated_gradients_are_those_of_one_batch():
    batches = [Points(8)[np.arange(i, i + 4)] for i in (0, 4)]
    both = train.Batches(lambda key: [Points(8)[np.arange(8)]])
    small = fitted(train.Batches(lambda key: batches), accumulate=2, epochs=3)
    np.testing.assert_allclose(small.network.slope, fitted(both, epochs=3).network.slope, rtol=1e-5)


def test_validation_is_a_mean_over_all_samples():
    def first(line, batch):
        return batch[0].mean()

    done = fitted(epochs=1, validation=Points(9), metrics={"first": first})
    (row,) = done.history
    np.testing.assert_allclose(row["first"], np.arange(9).mean() / 9, rtol=1e-6)
    np.testing.assert_allclose(row["validation_loss"], squares(done.network, Points(9)[np.arange(9)]), rtol=1e-5)


def test_validation_takes_batches_too():
    some = train.Batches(lambda key: [Points(8)[np.arange(4)], Points(8)[np.arange(4, 8)]])
    done = fitted(epochs=1, validation=some)
    np.testing.assert_allclose(done.history[0]["validation_loss"], squares(done.network, Points(8)[np.arange(8)]))


def test_without_patience_all_epochs_run_and_with_it_the_best_network_is_returned():
    # The slope goes to 0.5, through the 0.25 that validates best.
    objective = train.Objective(halves, evaluate=lambda line, batch: (line.slope - 0.25) ** 2)
    options = {"loss": objective, "validation": Points(4), "epochs": 12, "optimizer": optax.sgd(0.05)}
    whole = fitted(**options)
    assert len(whole.history) == 12
    assert not whole.stopped
    assert whole.network.slope == whole.fit.network.slope
    early = fitted(**options, patience=2)
    losses = [row["validation_loss"] for row in early.history]
    assert early.stopped
    assert early.best_epoch == 1 + int(np.argmin(losses)) == len(losses) - 2 < 10
    np.testing.assert_allclose((early.network.slope - 0.25) ** 2, min(losses), rtol=1e-5)
    assert early.fit.network.slope > early.network.slope


def test_a_callback_sees_each_epoch_and_may_end_the_run():
    seen = []

    def callback(event):
        seen.append(event)
        return event.epoch == 2

    done = fitted(epochs=5, callbacks=[callback])
    assert [(event.epoch, event.step) for event in seen] == [(1, 2), (2, 4)]
    assert [event.values for event in seen] == done.history
    assert seen[-1].fit.network.slope == done.network.slope
    assert done.stopped


def test_a_loss_that_takes_a_key_has_another_one_for_each_update():
    def noise(line, batch, key):
        return line.slope + jax.random.uniform(key)

    keyed = train.Objective(noise, takes_key=True)
    values = [fitted(loss=keyed, epochs=n, optimizer=optax.sgd(0.0), key=k) for n, k in ((3, KEY), (3, KEY), (1, KEY))]
    losses = [[row["loss"] for row in done.history] for done in values]
    assert len(set(losses[0])) == 3
    assert losses[0] == losses[1]
    assert losses[2] == losses[0][:1]


def test_a_loss_that_returns_the_network_moves_what_is_not_trained():
    network = nn.Sequential(nn.Linear(2, 3, key=KEY), nn.BatchNorm(3), nn.LIF())

    def loss(network, inputs):
        _, outputs, after = nn.unroll_in_training(network, inputs)
        return outputs.mean(), after

    data = train.Batches(lambda key: [jax.random.normal(key, (4, 5, 2))])
    done = train.fit(network, data, optimizer=SGD, key=KEY, epochs=1, loss=train.Objective(loss, returns_network=True))
    first = jax.random.normal(jax.random.split(jax.random.fold_in(KEY, 0))[0], (4, 5, 2))
    expected = nn.unroll_in_training(network, first).network[1].mean
    np.testing.assert_allclose(done.network[1].mean, expected, rtol=1e-5)
    assert np.abs(expected).max() > 0


def equations(jaxpr):
    inner = [value for equation in jaxpr.eqns for value in equation.params.values() if hasattr(value, "jaxpr")]
    return len(jaxpr.eqns) + sum(equations(getattr(value.jaxpr, "jaxpr", value.jaxpr)) for value in inner)


def test_checked_numbers_cost_nothing_where_nobody_asks():
    network, batch = runs.network("recurrent"), runs.data()[np.arange(4)]
    counts = {}
    for check in (False, True):
        method = Method(runs.ADAM, train.Objective(train._fit.cross_entropy), check=check)
        carry = begin(network, method, None)
        counts[check] = equations(jax.make_jaxpr(lambda *given, m=method: update(*given, m))(carry, batch, KEY).jaxpr)
    by_hand = jax.make_jaxpr(lambda fit, batch: train.step(fit, runs.ADAM, batch))(carry.fit, batch).jaxpr
    assert counts[False] == equations(by_hand) + 1  # the compiled function itself
    assert counts[False] < counts[True] < counts[False] + 100


@jax.tree_util.register_dataclass
@dataclasses.dataclass
class Halved:
    """A loss scale of a user, which is halved after each gradient that is not finite."""

    scale: jax.Array

    def value_and_grad(self, loss, has_aux=False):
        def scaled(weights):
            value, aux = loss(weights)
            return value * self.scale, (value, aux)

        def of(weights):
            gradient, found = jax.grad(scaled, has_aux=True)(weights)
            gradient = jax.tree.map(lambda leaf: leaf / self.scale, gradient)
            finite = jnp.stack([jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(gradient)]).all()
            return Halved(jnp.where(finite, self.scale, self.scale / 2)), finite, found, gradient

        return of


def test_updates_that_overflow_are_left_out_until_the_loss_scale_fits():
    def loss(line, batch):
        return (line.slope - 1.0) ** 2 + 0 * squares(line, batch)

    def after(epochs, scale):
        one = train.Batches(lambda key: [Points(8)[np.arange(4)]])
        given = {} if scale is None else {"loss_scale": Halved(jnp.float32(scale)), "check_numbers": True}
        return fitted(one, loss=loss, optimizer=runs.ADAM, epochs=epochs, **given).network.slope

    # The gradient at the start is -2: times 2^126 it is a number of float32, and times 1.5 · 2^127 it is none.
    assert after(1, 2.0**127 * 1.5) == 0
    np.testing.assert_allclose(after(1, 2.0**126), after(1, None), rtol=1e-5)
    np.testing.assert_allclose(after(2, 2.0**127 * 1.5), after(1, None), rtol=1e-5)


def test_loss_scaling_leaves_out_what_overflows_and_learns_the_rest():
    scaling = pytest.importorskip("flax.training.dynamic_scale", reason="loss scaling is Flax's")

    def loss(line, batch):
        low = line.slope.astype(jnp.float16) - jnp.float16(0.5)
        return (low * low).astype(jnp.float32) + 0 * squares(line, batch)

    plain = fitted(loss=loss, epochs=3)
    scale = scaling.DynamicScale(growth_interval=1, scale=jnp.float32(2.0**18), fin_steps=jnp.int32(0))
    scaled = fitted(loss=loss, epochs=6, loss_scale=scale)
    first = fitted(loss=loss, epochs=1, loss_scale=scale)
    assert first.network.slope == 0  # 2^18 is no number of float16
    assert 0 < scaled.network.slope <= plain.network.slope + 0.2
    assert np.isfinite(scaled.network.slope)


def test_the_bar_names_the_epoch(capsys):
    pytest.importorskip("rich")
    fitted(progress=True)
    assert "epoch 2 of 2" in capsys.readouterr().err
    fitted()
    assert not capsys.readouterr().err


def bad(**options):
    return pytest.param(options.pop("match"), options, id=next(iter(options)))


@pytest.mark.unchecked("wrong types on purpose")
@pytest.mark.parametrize(
    ("match", "options"),
    [
        bad(optimizer=0.1, match="optimizer must be an optimiser of Optax"),
        bad(epochs=0, match="epochs must be an integer >= 1, got 0"),
        bad(batch_size=10, match="batch_size must be 1 to 9, the number of samples, got 10"),
        bad(accumulate=0, match="accumulate must be an integer >= 1"),
        bad(patience=0, validation=Points(4), match="patience must be an integer >= 1"),
        bad(patience=2, match="patience needs validation data; give validation=samples"),
        bad(metrics={"one": squares}, match="metrics needs validation data"),
        bad(metrics={"loss": squares}, validation=Points(4), match="metrics must have other names than loss"),
        bad(metrics={"one": 1}, validation=Points(4), match=r"metrics\['one'\] must be a function"),
        bad(track=print, match="track must be a Tracker, with the methods start, log and close"),
        bad(callbacks=print, match="callbacks must be a list of functions of an AfterEpoch, got builtin"),
        bad(metrics=["accuracy"], validation=Points(4), match="metrics must be functions by name"),
        bad(data=(np.ones(3), np.ones(3)), match=r"data is a tuple; write train.Samples\(\(inputs, labels\)\)"),
        bad(lr=0.1, match="fit has no keyword 'lr'; it is the optimizer's: write optimizer=optax.adam"),
        bad(resume=True, match="by itself: write checkpoints=folder"),
        bad(callbacks=[3], match="each of callbacks must be a function"),
        bad(data=iter([]), match=r"data must have len\(data\) and data\[indices\], as a Dataset has, or be Batches"),
        bad(data=Points(0), match="there are no samples in data"),
        bad(validation=Points(0), match="there are no samples in validation"),
        bad(data=train.Batches(lambda key: []), match="data have no batches"),
        bad(loss=lambda line, batch: line.slope * batch[0], match="loss must return one number, got an array of shape"),
        bad(mesh=2, match="mesh must be a mesh"),
        bad(checkpoints=3, match="folder must be a path, got 3"),
        bad(also=["tua"], match="partition: no field of Line is called 'tua'"),
        bad(epoch=3, match="fit has no parameter 'epoch'.*epochs"),
    ],
)
def test_bad_arguments_are_refused(match, options):
    with pytest.raises((TypeError, ValueError), match=match):
        fitted(**options)


@pytest.mark.unchecked("wrong types on purpose")
def test_objectives_and_batches_are_checked():
    with pytest.raises(TypeError, match="Objective: loss must take the network and the batch and a key"):
        train.Objective(squares, takes_key=True)
    with pytest.raises(TypeError, match="Objective: takes_key must be True or False"):
        train.Objective(squares, takes_key=1)
    with pytest.raises(TypeError, match="Batches: draw must be a function of a random key"):
        train.Batches(3)


@pytest.mark.promotes("examples, as their readers run them")
@pytest.mark.parametrize("module", ["_given", "_samples", "_train"])
def test_examples_print_what_they_say(module):
    found = doctest.testmod(importlib.import_module(f"surgrad.train.{module}"))
    assert found.attempted
    assert not found.failed
