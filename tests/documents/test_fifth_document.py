"""The how-to for brainpy.state (the fifth document), block by block: 4 blocks."""

import functools

import numpy as np
import pytest

import surgrad as surrogate

UNTRAINED = "0.69315"
FINAL = {"ReluGrad": "0.58323", "Sigmoid": "0.61769", "Arctan": "0.62931"}


@pytest.fixture(scope="module")
def libraries(brainstate, braintools, brainpy, brainunit):
    return brainstate, braintools, brainpy, brainunit


@functools.cache
def network(brainstate, braintools, brainpy, u):
    """The class of the document's network (block 2)."""
    constant, kaiming = braintools.init.Constant, braintools.init.KaimingNormal

    class SNN(brainstate.nn.Module):
        def __init__(self, n_in, n_rec, n_out, spk_fun):
            super().__init__()
            self.i2r = brainstate.nn.Sequential(
                brainstate.nn.Linear(
                    n_in, n_rec, w_init=kaiming(unit=u.mA), b_init=braintools.init.ZeroInit(unit=u.mA)
                ),
                brainpy.state.Expon(n_rec, tau=5.0 * u.ms, g_initializer=constant(0.0 * u.mA)),
            )
            voltages = {"V_rest": 0.0 * u.mV, "V_reset": 0.0 * u.mV, "V_th": 1.0 * u.mV}
            self.r = brainpy.state.LIF(n_rec, tau=20.0 * u.ms, **voltages, spk_fun=spk_fun)
            self.r2o = brainstate.nn.Linear(n_rec, n_out, w_init=kaiming())
            self.o = brainpy.state.Expon(n_out, tau=10.0 * u.ms, g_initializer=constant(0.0))

        def update(self, spike):
            return self.o(self.r2o(self.r(self.i2r(spike))))

    return SNN


def train(libraries, spk_fun, n_epoch=150):
    """The losses of a network with a surrogate (block 3)."""
    brainstate, braintools, _, u = libraries
    with brainstate.environ.context(dt=1.0 * u.ms):
        n_in, n_rec, n_out, n_step, n_sample = 100, 4, 2, 200, 256
        net = network(*libraries)(n_in, n_rec, n_out, spk_fun)
        rate = 5.0 * u.Hz * brainstate.environ.get_dt()
        x = (brainstate.random.rand(n_step, n_sample, n_in) < rate).astype(float)
        y = u.math.asarray(brainstate.random.rand(n_sample) < 0.5, dtype=int)
        weights = net.states(brainstate.ParamState)
        optimizer = braintools.optim.Adam(lr=3e-3)
        optimizer.register_trainable_weights(weights)

        def loss_fn():
            outputs = u.math.mean(brainstate.transform.for_loop(net.update, x), axis=0)
            return braintools.metric.softmax_cross_entropy_with_integer_labels(outputs, y).mean()

        @brainstate.transform.jit
        def train_step():
            brainstate.nn.init_all_states(net, batch_size=n_sample)
            gradients, loss = brainstate.transform.grad(loss_fn, weights, return_value=True)()
            optimizer.update(gradients)
            return loss

        return [float(train_step()) for _ in range(n_epoch)]


@functools.cache
def curves(libraries, module):
    """The losses of three networks, trained one after the other from one seed."""
    libraries[0].random.seed(0)
    return {name: train(libraries, getattr(module, name)()) for name in FINAL}


@pytest.mark.parametrize("name", FINAL)
def test_block_01_the_surrogates_have_the_defaults_of_those_that_are_imported_there(name, libraries):
    assert repr(getattr(surrogate, name)()) == repr(getattr(libraries[1].surrogate, name)())


@pytest.mark.parametrize("name", FINAL)
def test_block_02_a_network_takes_a_surrogate_as_its_spike_function(name, libraries):
    brainstate, _, _, u = libraries
    spk_fun = getattr(surrogate, name)()
    with brainstate.environ.context(dt=1.0 * u.ms):
        net = network(*libraries)(5, 4, 2, spk_fun)
        brainstate.nn.init_all_states(net, batch_size=3)
        assert net.update(np.ones((3, 5), np.float32)).shape == (3, 2)
    assert net.r.spk_fun is spk_fun


def test_block_03_the_first_losses_are_upstreams_with_the_same_seed(libraries):
    losses = []
    for module in (surrogate, libraries[1].surrogate):
        libraries[0].random.seed(0)
        losses.append([f"{loss:.5f}" for loss in train(libraries, module.ReluGrad(), n_epoch=8)])
    ours, theirs = losses
    assert ours == theirs
    assert ours[0] == UNTRAINED
    assert len(set(ours)) > 1


@pytest.mark.slow
def test_block_03_the_last_losses_are_upstreams_with_the_same_seed(libraries):
    ours, theirs = curves(libraries, surrogate), curves(libraries, libraries[1].surrogate)
    for name, final in FINAL.items():
        assert f"{ours[name][0]:.5f}" == f"{theirs[name][0]:.5f}" == UNTRAINED
        assert f"{ours[name][-1]:.5f}" == f"{theirs[name][-1]:.5f}" == final


@pytest.mark.slow
def test_block_04_the_loss_curves_can_be_drawn(libraries, axes):
    for name, losses in curves(libraries, surrogate).items():
        (line,) = axes.plot(np.asarray(losses), label=name)
        assert len(line.get_ydata()) == 150
    axes.legend()
