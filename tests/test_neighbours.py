"""Names of other libraries are answered by what they are called here, and the answers are right."""

import copy
import inspect
import pickle
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import surgrad
from surgrad import _answers, _neighbours, _peers
from surgrad._pytree import Pytree

KEY = jax.random.key(0)


def texts():
    yield from [*_neighbours.NAMES.values(), *_neighbours.ABSENT.values()]
    yield from (text for rows in _neighbours.CHOICES.values() for text in rows.values())
    yield from (text for _, text in [*_neighbours.ATTRIBUTES.values(), *_neighbours.KEYWORDS.values()])


def test_every_name_in_a_text_is_a_public_name():
    named = {name for text in texts() for name in re.findall(r"\{(\w+)\}", text)}
    missing = {name for name in named if "." not in _answers.place_of(name)}
    assert not missing, "an answer names what does not exist"


def test_every_dotted_name_in_a_text_can_be_imported():
    for dotted in {name for text in texts() for name in re.findall(r"\bsurgrad(?:\.\w+)+", text)}:
        pkgutil.resolve_name(dotted)


def test_names_are_found_in_the_source_as_python_finds_them():
    places = _answers._places()
    assert {f"surgrad.{name}" for name in surgrad.__all__} <= set(places)
    assert {"surgrad.nn.LIF", "surgrad.nn.unroll"} <= set(places)
    for place in places:
        package, _, name = place.rpartition(".")
        assert hasattr(sys.modules.get(package) or __import__(package, fromlist=[name]), name), place


def classes(base=Pytree):
    return [
        cls for child in base.__subclasses__() for cls in (child, *classes(child)) if cls.__module__[:7] == "surgrad"
    ]


def parameters_of(thing):
    try:
        return set(inspect.signature(thing).parameters)
    except (TypeError, ValueError):
        return set()


def test_every_parameter_and_attribute_that_an_answer_names_exists_somewhere():
    pytest.importorskip("optax")
    packages = (surgrad.nn, surgrad.encode, surgrad.events, surgrad.losses, surgrad.metrics, surgrad.train)
    public = [getattr(package, name, None) for package in packages for name in dir(package)]
    public += [getattr(cls, name) for cls in classes() for name in vars(cls) if not name.startswith("_")]
    parameters = set().union(*map(parameters_of, [*classes(), *filter(callable, public)]))
    fields = {name for cls in classes() for name in inspect.get_annotations(cls)}
    attributes = fields.union(*map(dir, [*classes(), *filter(inspect.isclass, public)]))
    recording = surgrad.events.Events([0.0], [0])
    attributes |= vars(recording).keys() | vars(surgrad.events.EventDataset([recording], num_units=1)).keys()
    for known, rows in ((parameters, _neighbours.KEYWORDS), (attributes, _neighbours.ATTRIBUTES)):
        named = {one for candidates, _ in rows.values() for one in candidates}
        assert named <= known


@pytest.mark.parametrize(
    ("module", "name", "answer"),
    [
        ("surgrad", "LIF", "it is surgrad.nn.LIF"),
        ("surgrad", "sfs", r"sfs\(slope=25, B=1\) of snnTorch .* is SparseFastSigmoid\(slope, window=B\)"),
        ("surgrad", "fastsigmoid", "it is surgrad.FastSigmoid or surgrad.fast_sigmoid"),
        (
            "surgrad",
            "superspike",
            r"of SpikingJelly \(which is alpha/.*\) is Scaled\(.*superspike\(k=25\) of Spyx is SuperSpike\(k\) here",
        ),
        ("surgrad", "superspike", "; it is surgrad.SuperSpike or surgrad.super_spike; superspike.* of Norse"),
        (
            "surgrad",
            "Triangular",
            r"; here it is surgrad.ReluGrad\(alpha, width\), a triangle .*; Triangular.* of Spyx",
        ),
        ("surgrad", "SSO", r"; here it is surgrad.StochasticSpikeOperator\(mean, variance, key=key\)"),
        ("surgrad", "surrogate", r"; here it is surgrad itself: [^;]*\.$"),
        ("surgrad", "Layer", "it is surgrad.nn.Layer"),
        ("surgrad.nn", "remat", "the option checkpoint_every of surgrad.nn.unroll"),
        ("surgrad.nn", "state", r"; surgrad has none: a state is an argument .* net.init\(shape\)\.$"),
        ("surgrad.nn", "LayerNorm", "; surgrad has none: .*jax.nn.standardize"),
        ("surgrad.nn", "BatchNorm2d", r"; here it is surgrad.nn.BatchNorm\(features\), for any number of axes"),
        ("surgrad.nn", "GroupNorm", "; surgrad has none: write it as a surgrad.nn.Connection"),
        ("surgrad", "Dropout", "; it is surgrad.nn.Dropout"),
        ("surgrad.nn", "BNTT", r"; surgrad has none: surgrad.nn.BatchNorm\(features\) has the statistics of all"),
        ("surgrad.nn", "LIFParameters", r"; surgrad has none: .* surgrad.nn.LIF\(surrogate, tau=tau"),
        (
            "surgrad.encode",
            "PopSpikeEncoderDeterministic",
            r"here it is surgrad.encode.population\(x, num_neurons, num",
        ),
        ("surgrad.encode", "constant_current_lif_encode", r"; surgrad has none: surgrad.nn.unroll\(surgrad.nn.LIF"),
        ("surgrad", "ATan", r"ATan\(alpha=2\) of .* is Arctan\(alpha\)"),
        ("surgrad", "spikegen", r"rate\(intensity, num_steps, key=key\)"),
        ("surgrad", "functions", "surgrad.sigmoid"),
        ("surgrad", "surrogate", "surgrad.Sigmoid"),
        ("surgrad.nn", "sigmoid", "it is surgrad.sigmoid"),
        ("surgrad.nn", "lif", "it is surgrad.nn.LIF"),
        ("surgrad.nn", "Leaky", r"surgrad.nn.LIF\(surrogate, beta=beta\)"),
        ("surgrad.nn", "Synaptic", "surgrad.nn.CuBaLIF"),
        ("surgrad.nn", "RLeaky", "surgrad.nn.Recurrent"),
        ("surgrad.nn", "DelayedDense", "surgrad.nn.DelayedLinear"),
        ("surgrad.nn", "SynapticDelay", "surgrad.nn.LearnableDelay"),
        ("surgrad.nn", "LIFNode", r"surgrad.nn.LIF\(surrogate, beta=1 - 1 / tau\)"),
        ("surgrad.nn", "LIFCell", "surgrad.nn.CuBaLIF"),
        ("surgrad.nn", "max_pool", "it is surgrad.nn.MaxPool"),
        ("surgrad.nn", "ConvTranspose", r"surgrad.nn.ConvTranspose2d\(in_channels"),
        ("surgrad.encode", "poisson", r"here it is surgrad.encode.rate\(intensity, num_steps, key=key\)"),
        ("surgrad.nn", "IF", r"surgrad.nn.LIF\(surrogate, tau=float\('inf'\)\)"),
        ("surgrad.nn", "scan", r"surgrad.nn.unroll\(net, xs\)"),
        ("surgrad.nn", "RNN", r"surgrad.nn.unroll\(net, xs\)"),
        ("surgrad.nn", "Lapicque", r"surgrad.nn.LIF\(surrogate, beta=beta\); its input is multiplied"),
        ("surgrad.nn", "Alpha", "; surgrad has none: write it as a surgrad.nn.Cell"),
        ("surgrad.nn", "SLSTM", "; surgrad has none: write it as a surgrad.nn.Cell"),
        ("surgrad.nn", "SpikeCount", r"here it is surgrad.nn.MeanOverTime\(\)\.$"),
        ("surgrad.nn", "Parameter", "here it is an annotated attribute of a class"),
        ("surgrad.nn", "functional", "; here it is surgrad.losses, such as surgrad.losses.ce_count_loss"),
        ("surgrad.nn", "ce_count_loss", "; it is surgrad.losses.ce_count_loss"),
        ("surgrad.losses", "integral_crossentropy", r"; here it is surgrad.losses.ce_count_loss\(membrane, labels\)"),
        ("surgrad.losses", "accuracy_temporal", r"; here it is surgrad.metrics.accuracy\(spikes, labels, by='first_"),
        ("surgrad", "utils", r"; here it is surgrad.nn.unroll\(net, xs\), which starts from rest"),
        ("surgrad", "backprop", r"; here it is surgrad.nn.unroll\(net, xs\)"),
        ("surgrad", "delta", r"here it is surgrad.encode.delta\(x, threshold\), whose ON and OFF channels"),
        ("surgrad.encode", "send_on_delta", r"here it is surgrad.encode.level_crossing\(x, threshold\)"),
        ("surgrad.events", "RandomFlipLR", r"; surgrad has none: a function \(recording, random\) -> recording is"),
        ("surgrad.events", "JitterTime", r"; surgrad has none: a function \(recording, random\) -> recording is"),
        ("surgrad.events", "MergePolarities", r"; surgrad has none: batch.spikes.sum\(-1\)"),
        ("surgrad.events", "SliceByTime", r"; here it is surgrad.events.CropTime\(duration\)"),
        (
            "surgrad.events",
            "write_npz",
            r"; surgrad has none: surgrad.events.write_hdf5\(path, data\) .*read_npz reads",
        ),
        ("surgrad.nn", "MultiStepLIFNode", r"here it is surgrad.nn.LIF\(surrogate, beta=1 - 1 / tau\)"),
        (
            "surgrad.nn",
            "reset_net",
            r"; surgrad has none: a network keeps no state; surgrad.nn.unroll\(net, xs\) starts",
        ),
        (
            "surgrad.encode",
            "GaussianTuning",
            r"here it is surgrad.encode.population\(x, .* surgrad.encode.tuning_curves",
        ),
        ("surgrad.encode", "ttfs", r"here it is surgrad.encode.latency\(intensity, num_steps\) as a code"),
        ("surgrad.metrics", "firing_rates", r"here it is surgrad.metrics.firing_rate\(spikes\)\.$"),
        ("surgrad.nn", "Monitor", r"here it is surgrad.nn.unroll\(net, xs, record='v'\).records"),
        ("surgrad.train", "Trainer", r"here it is surgrad.train.fit\(network, data, optimizer="),
        ("surgrad.nn", "unrol", "the nearest is unroll"),
        ("surgrad", "Sigmod", "the nearest are Sigmoid"),
    ],
)
def test_a_name_that_a_module_does_not_have_is_answered(module, name, answer):
    if module == "surgrad.train":
        pytest.importorskip("optax")
    error = _answers.attribute_error(module, name, dir(__import__(module, fromlist=["x"])))
    assert re.match(f"module '{module}' has no attribute '{name}'; ", str(error))
    assert re.search(answer, str(error))


def test_names_of_the_module_functional_of_others_are_answered():
    with pytest.raises(
        AttributeError, match=r"'surgrad.functional' has no attribute 'ce_count_loss'; it is surgrad.losses"
    ):
        surgrad.functional.ce_count_loss
    assert inspect.isroutine(surgrad.functional) and inspect.getdoc(surgrad.functional).startswith(
        "Return the functional"
    )
    assert pickle.loads(pickle.dumps(surgrad.functional)) is surgrad.functional


def test_what_is_said_to_be_absent_is_absent():
    assert not set(_neighbours.ABSENT) & {_peers.squashed(place.rpartition(".")[2]) for place in _answers._places()}
    surrogates = {_peers.squashed(row.name) for row in _peers.rows()} | set(_peers.other_names())
    assert not set(_neighbours.ABSENT) & (set(_neighbours.NAMES) | surrogates)


@pytest.mark.parametrize("name", ["SparseConv", "LinearBlock", "LIFPopulation", "sequence_state"])
def test_a_name_that_is_a_word_of_another_is_not_its_nearest(name):
    assert "nearest" not in str(_answers.attribute_error("surgrad.nn", name, [*surgrad.nn.__all__, "Sparse"]))


def test_what_is_to_be_done_instead_works():
    xs = 3 * jax.random.uniform(jax.random.key(0), (20, 4, 3))
    linear, cell = surgrad.nn.Linear(3, 5, key=jax.random.key(1)), surgrad.nn.LIF(tau=5.0)
    _, normalised = surgrad.nn.Sequential(linear, jax.nn.standardize).over_time((None, None), xs)
    np.testing.assert_allclose(np.mean(normalised, -1), 0, atol=1e-5)
    np.testing.assert_allclose(np.std(normalised, -1), 1, atol=1e-2)
    batch_first = xs.swapaxes(0, 1)
    np.testing.assert_array_equal(
        surgrad.nn.unroll(cell, batch_first.swapaxes(0, 1)).outputs, surgrad.nn.unroll(cell, xs).outputs
    )
    constant = surgrad.nn.unroll(cell, jnp.broadcast_to(xs[0], (20, *xs[0].shape))).outputs
    assert constant.shape == xs.shape
    surrogate, threshold = surgrad.Arctan(), 2.0
    leaky = surgrad.nn.LeakyIntegrator(5.0)
    free = surgrad.nn.Sequential(leaky, lambda v: surrogate((v - threshold) / threshold))
    spikes = surgrad.nn.unroll(free, xs).outputs
    np.testing.assert_array_equal(spikes, surgrad.nn.unroll(leaky, xs).outputs >= threshold)


def test_no_neighbour_s_surrogate_is_answered_by_the_nearest_name():
    ours = {_peers.squashed(name) for name in surgrad.catalogue()}
    theirs = {_peers.squashed(row.name) for row in _peers.rows()} - ours
    for name in [*theirs, *_peers.other_names(), "straight_through", "SigmoidGrad"]:
        assert "nearest" not in str(_answers.attribute_error("surgrad", name, surgrad.__all__))
        assert "nearest" not in _answers.surrogate_answer(name)


def test_python_adds_no_guess_of_its_own():
    for code in ("import surgrad; surgrad.lso", "import surgrad; surgrad.Sigmoid().surrogate_gard"):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert "AttributeError" in done.stderr
        assert "Did you mean" not in done.stderr


def test_the_answer_imports_no_package():
    code = "import sys, surgrad\ntry: surgrad.LIF\nexcept AttributeError as e: print(e, 'surgrad.nn' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("it is surgrad.nn.LIF. False\n")


class Layer(Pytree):
    """An object with names that neighbours have others for."""

    weight: float = 1.0
    surrogate: surgrad.Surrogate = surgrad.Sigmoid()
    use_bias: bool = True

    @property
    def broken(self):
        return self.missing_part

    def init(self, shape):
        return None


class TestAttributes:
    @pytest.mark.parametrize(
        ("name", "answer"),
        [
            ("kernel", "'kernel' is 'weight' here"),
            ("weights", "'weights' is 'weight' here"),
            ("recurrent_weight", "'recurrent_weight' is 'weight' here"),
            ("recurrent", "'recurrent' is 'weight' here: the recurrent weights, an array"),
            ("init_state", "'init_state' is 'init' here: a state is an argument"),
            ("initialize_carry", "'initialize_carry' is 'init' here"),
            ("reset_mem", r"net.init\(shape\)"),
            ("init_leaky", r"net.init\(shape\)"),
            ("mem", "state.v"),
            ("parameters", "jax.tree.leaves"),
            ("spike_grad", "'spike_grad' is 'surrogate' here"),
            ("wieght", "the nearest is weight"),
        ],
    )
    def test_a_missing_attribute_is_answered(self, name, answer):
        with pytest.raises(AttributeError, match=f"'Layer' object has no attribute '{name}'; .*{answer}"):
            getattr(Layer(), name)

    @pytest.mark.parametrize(
        ("make", "name", "answer"),
        [
            (surgrad.nn.LIF, "treshold", "'LIF' object has no attribute 'treshold'; the nearest is threshold"),
            (surgrad.nn.LIF, "v_th", "'v_th' is 'threshold' here"),
            (surgrad.nn.Sequential, "layers", "'layers' is 'parts' here"),
            (lambda: surgrad.nn.Sequential(surgrad.nn.LIF())[0], "tua", "the nearest is tau"),
            (surgrad.Sigmoid, "alhpa", "the nearest is alpha"),
            (lambda: surgrad.from_grad(lambda x, width=1.0: x), "widht", "the nearest is width"),
        ],
    )
    def test_an_attribute_that_is_not_declared_cannot_be_set(self, make, name, answer):
        one = make()
        with pytest.raises(AttributeError, match=answer):
            setattr(one, name, 3.0)
        assert name not in vars(one)
        one._own = 3.0
        assert one._own == 3.0

    def test_a_user_s_class_may_set_any_attribute(self):
        class Mine(surgrad.nn.LIF):
            """It declares nothing further."""

        cell = Mine(tau=5.0)
        cell.treshold = 3.0
        assert cell.treshold == 3.0

    def test_a_property_that_fails_says_why_itself(self):
        with pytest.raises(AttributeError, match=r"no attribute 'missing_part'"):
            Layer().broken

    def test_objects_are_asked_and_copied_as_before(self):
        layer = Layer()
        assert not hasattr(layer, "kernel")
        assert not hasattr(layer, "__jax_array__")
        assert getattr(layer, "kernel", 3) == 3
        assert copy.deepcopy(layer) == copy.copy(layer) == layer
        assert pickle.loads(pickle.dumps(surgrad.Sigmoid())) == surgrad.Sigmoid()
        assert jax.tree.map(lambda leaf: leaf, layer) == layer
        with pytest.raises(AttributeError, match=r"no attribute '_hidden'$"):
            layer._hidden


@_answers.answers_keywords
def run(cell, xs, *, keep="all", checkpoint_every=None):
    return keep


class TestKeywords:
    @pytest.mark.parametrize(
        ("call", "answer"),
        [
            (lambda: Layer(kernel=1.0), "Layer has no parameter 'kernel'; it has .*; 'kernel' is 'weight' here"),
            (lambda: Layer(spike_grad=None), "'spike_grad' is 'surrogate' here"),
            (lambda: Layer(surrogate_function=None), "'surrogate_function' is 'surrogate' here"),
            (lambda: Layer(spike=None), "'spike' is 'surrogate' here"),
            (lambda: Layer(1.0).replace(bias=False), "'bias' is 'use_bias' here"),
            (lambda: Layer(init_hidden=True), "a state is an argument"),
            (lambda: Layer(wieght=1.0), "the nearest is weight"),
            (lambda: Layer(1.0).replace(kernel=2.0), "'kernel' is 'weight' here"),
            (lambda: run(1, 2, return_sequences=True), "run has no parameter 'return_sequences'; .*'keep' here"),
            (lambda: run(1, 2, segment=50), "'segment' is 'checkpoint_every' here"),
            (lambda: run(1, 2, checkpoint=50), "'checkpoint' is 'checkpoint_every' here"),
            (lambda: run(1, 2, remat=True), "'remat' is 'checkpoint_every' here: the number of time steps between"),
            (lambda: run(1, 2, v_th=1.0), "run has no parameter 'v_th'"),
            (lambda: run(1, 2, return_state=True), "returns the last state before the outputs"),
            (lambda: run(1, 2, keeep="last"), "the nearest is keep"),
            (
                lambda: surgrad.Sigmoid(slope=25.0),
                r"has 'alpha'.*; Sigmoid\(slope=25\) of snnTorch \(which .*\) is Sigmoid\(slope\)",
            ),
            (
                lambda: surgrad.nn.LIF(v_reset=0.0),
                "'v_reset' is 'reset' here: reset='zero' is v_reset=0, and there is no other",
            ),
            (lambda: surgrad.nn.LIF(v_leak=0.0), "the membrane potential at rest is 0"),
            (
                lambda: surgrad.nn.LIF(decay_input=True),
                r"v <- beta v \+ I; .* multiply it by dt/tau: scale the weights",
            ),
            (lambda: surgrad.nn.LIF(learn_beta=True), r"partition\(net, also=\['tau'\]\)"),
            (lambda: surgrad.nn.LIF(learn_threshold=True), r"partition\(net, also=\['threshold'\]\)"),
            (lambda: surgrad.nn.CuBaLIF(learn_alpha=True), r"partition\(net, also=\['tau_syn'\]\)"),
            (lambda: surgrad.nn.LIF(reset_delay=False), "in the time step of the spike"),
            (lambda: surgrad.nn.LIF(inhibition=True), "write the inhibition as a surgrad.nn.Cell"),
            (lambda: surgrad.nn.CuBaLIF(alpha=0.8), r"'alpha' is 'tau_syn' here: .*tau_syn = -dt / log\(alpha\)"),
            (lambda: surgrad.Arctan(beta=2.0), r"has 'alpha' \(options: [a-z_, ]*\)\.$"),  # no decay is meant
            (lambda: surgrad.nn.LIF(input_scale=0.1), "the input is added as it is"),
            (lambda: surgrad.nn.LIF(tau_mem_inv=0.1), "'tau' here: tau = 1 / tau_mem_inv, .* added as it is"),
            (
                lambda: surgrad.nn.LIF(method="super"),
                r"'surrogate' here: method='super' is .*surgrad.SuperSpike\(alpha\)",
            ),
            (lambda: surgrad.nn.Linear(2, 3, key=KEY, kernel_init=None), "'kernel_init' is 'weight_init' here"),
            (lambda: surgrad.nn.Conv(2, 3, (3,), key=KEY, kernel_init=None), "'kernel_init' is 'weight_init' here"),
            (
                lambda: surgrad.nn.Linear(2, 3, key=KEY, bias_init=None),
                r"begin at zero, .* weight_init is for the weights",
            ),
            (lambda: run(1, 2, initial_carry=0), "run has no parameter 'initial_carry'"),
            (lambda: surgrad.nn.unroll(1, 2, initial_carry=0), "'initial_carry' is 'state' here"),
            (lambda: surgrad.nn.unroll(1, 2, initial_state=0), "'initial_state' is 'state' here"),
            (lambda: surgrad.nn.unroll(1, 2, init_state=0), "'init_state' is 'state' here"),
            (lambda: surgrad.nn.unroll(1, 2, time_major=True), "time is the first axis always"),
            (lambda: surgrad.nn.unroll(1, 2, batch_first=True), r"xs\.swapaxes\(0, 1\) puts it there"),
            (lambda: surgrad.nn.unroll(1, 2, time_axis=1), "time is the first axis always"),
            (lambda: surgrad.encode.latency(1.0, 5, tau=5.0), r"latency has no .*round\(\(1 - p\) \(num_steps - 1\)\)"),
            (lambda: surgrad.encode.latency(1.0, 5, threshold=0.1), r"jnp\.where\(p < threshold, 0, p\)\.$"),
            (lambda: surgrad.encode.latency(1.0, 5, linear=True), "linear in p and over all time steps"),
            (lambda: surgrad.encode.latency_steps(1.0, 5, linear=True), r"it has 'intensity', 'num_steps'\.$"),
            (lambda: surgrad.encode.delta([[1.0]], off_spike=True), "OFF always is a channel of its own"),
            (lambda: surgrad.fast_sigmoid(slope=25), r"needs x, .* write surgrad\.FastSigmoid\(alpha=25\.0\)\.$"),
            (lambda: surgrad.fast_sigmoid(alpha=9), r"needs x, .* write surgrad\.FastSigmoid\(alpha=9\.0\)\.$"),
            (
                lambda: surgrad.arctan(k=2.0),
                r"write surgrad\.Arctan\(\.\.\.\); .*Arctan\(k=2\) of Spyx \(which has peak .*\) is Scaled",
            ),
            (lambda: surgrad.sigmoid(alpha=-1.0), r"write surgrad\.Sigmoid\(\.\.\.\); Sigmoid: alpha must be > 0"),
            (lambda: surgrad.InvSquareGrad(slope=25.0), "'slope' is 'alpha' here"),
            (lambda: surgrad.FastSigmoid(slope=25.0), r"of snnTorch, jaxpike and sparx is FastSigmoid\(slope\) here"),
            (lambda: surgrad.SuperSpike(k=25.0), r"SuperSpike\(k=25\) of Spyx is SuperSpike\(k\)"),
            (lambda: surgrad.Arctan(k=2.0), r"Arctan\(k=2\) of Spyx \(which has peak .*\) is Scaled"),
            (lambda: surgrad.sigmoid(0.0, slope=25.0), "snnTorch"),
            (lambda: surgrad.Sigmoid(spiking=False), "'spiking' is 'smoothed' here: smoothed=True"),
            (lambda: surgrad.Temperature(surgrad.Sigmoid(), temprature=2.0), "the nearest is temperature"),
            (lambda: surgrad.from_grad(lambda x, width=1.0: x, widht=1.0), "the nearest is width"),
            (lambda: surgrad.Surrogate.from_config({"class": "Sigmoid", "slope": 25.0}), "snnTorch"),
        ],
    )
    def test_an_unexpected_keyword_is_answered(self, call, answer):
        with pytest.raises(TypeError, match=answer):
            call()

    @pytest.mark.parametrize(
        ("reset", "answer"),
        [
            ("hard", "reset='zero' is meant"),
            (0.0, "reset='zero' is meant"),
            ("soft", "reset='subtract' is meant"),
            ("none", r"spikes without a reset are surgrad\.nn\.ParallelLIF\(surrogate, tau\)"),
            ("other", "'other'"),
        ],
    )
    @pytest.mark.unchecked("a wrong type on purpose")
    def test_a_choice_of_other_libraries_is_answered(self, reset, answer):
        with pytest.raises(ValueError, match=rf"LIF: reset must be one of 'subtract', 'zero', got .*{answer}.*\.$"):
            surgrad.nn.LIF(reset=reset)

    def test_expected_ones_are_passed_on(self):
        assert run(1, 2, keep="last") == "last"
        assert inspect.signature(run).parameters.keys() == {"cell", "xs", "keep", "checkpoint_every"}

    def test_a_constructor_that_takes_all_keywords_is_left_alone(self):
        class Free(Pytree):
            def __init__(self, **anything):
                self.given = anything

        assert Free(kernel=1.0).given == {"kernel": 1.0}

    def test_a_constructor_by_hand_names_the_class_that_was_called(self):
        class Hand(Pytree):
            def __init__(self, threshold=1.0):
                self.threshold = threshold

        class Inherits(Hand):
            """Its constructor is the other's."""

        with pytest.raises(TypeError, match=r"Inherits has no parameter 'thresh'; .*'thresh' is 'threshold' here"):
            Inherits(thresh=1.0)


@_answers.answers_keywords
def layer_of(threshold=None, stride=None, use_bias=None, dilation=None, groups=None):
    return {name: value for name, value in locals().items() if value is not None}


class TestSynonyms:
    def test_the_page_for_users_of_other_libraries_lists_them(self):
        page = (Path(__file__).parent.parent / "docs/how-to/coming-from/names.md").read_text()
        _, _, section = page.partition("## Synonyms that are accepted\n")
        rows = [
            re.findall(r"`(\w+)`", row) for row in re.findall(r"^\| `.*", section.partition("\n## ")[0], re.MULTILINE)
        ]
        assert {_peers.squashed(name): here for here, *names in rows for name in names} == _neighbours.SYNONYMS

    @pytest.mark.parametrize(("name", "meant"), _neighbours.SYNONYMS.items())
    def test_a_synonym_is_the_keyword_that_it_stands_for(self, name, meant):
        assert layer_of(**{name: 7}) == {meant: 7}

    def test_cells_connections_and_pools_take_them(self):
        key = jax.random.key(0)
        assert surgrad.nn.LIF(beta=0.9, v_th=2.0) == surgrad.nn.LIF(beta=0.9, threshold=2.0)
        assert surgrad.nn.CuBaLIF(v_threshold=2.0) == surgrad.nn.CuBaLIF(threshold=2.0)
        assert surgrad.nn.Linear(2, 3, key=key, bias=False) == surgrad.nn.Linear(2, 3, key=key, use_bias=False)
        assert surgrad.nn.MaxPool((2, 2), strides=(1, 1)) == surgrad.nn.MaxPool2d(2, stride=1)
        conv = surgrad.nn.Conv(2, 4, (3,), key=key, strides=2, kernel_dilation=2, feature_group_count=2)
        assert conv == surgrad.nn.Conv1d(2, 4, 3, key=key, stride=2, dilation=2, groups=2)

    def test_a_synonym_names_what_is_trained(self):
        lif = surgrad.nn.LIF(threshold=1.0)
        assert surgrad.nn.partition(lif, also=["v_th"]) == surgrad.nn.partition(lif, also=["threshold"])
        with pytest.raises(ValueError, match=r"called 'decay'; there are \[.*\]; 'decay' is 'tau' here\.$"):
            surgrad.nn.partition(lif, also=["decay"])
        with pytest.raises(ValueError, match=r"called 'xyz'; there are \[.*\]\.$"):
            surgrad.nn.partition(lif, also=["xyz"])

    @pytest.mark.parametrize("given", [{"v_th": 1.0, "threshold": 2.0}, {"v_th": 1.0, "v_threshold": 2.0}])
    def test_two_names_of_one_parameter_are_refused(self, given):
        with pytest.raises(TypeError, match=r"LIF: 'v_th\w*' is another name for 'threshold'; give only one"):
            surgrad.nn.LIF(**given)

    def test_a_parameter_given_by_position_too_is_refused(self):
        with pytest.raises(TypeError, match="multiple values for argument 'threshold'"):
            surgrad.nn.LIF(surgrad.Arctan(), 10.0, 1.0, v_th=2.0)

    @pytest.mark.unchecked("a wrong type on purpose")
    def test_an_array_is_no_answer_to_whether_there_is_a_bias(self):
        with pytest.raises(TypeError, match="Linear: use_bias must be True or False"):
            surgrad.nn.Linear(2, 3, key=jax.random.key(0), bias=jnp.zeros(3))


def test_the_parameters_of_a_cell_are_listed_with_its_decay():
    for kind in (surgrad.nn.LIF, surgrad.nn.CuBaLIF, surgrad.nn.LeakyIntegrator):
        with pytest.raises(TypeError, match=f"{kind.__name__} has no parameter 'decay'; .*, 'beta'; 'decay' is 'beta'"):
            kind(decay=0.9)
    with pytest.raises(TypeError, match=r"'tau_mem_inv' is 'tau' here: tau = 1 / tau_mem_inv"):
        surgrad.nn.LIF(tau_mem_inv=100.0)


def test_a_layer_of_outputs_alone_is_told_that_it_needs_inputs():
    with (
        pytest.warns(DeprecationWarning, match="Linear"),
        pytest.raises(TypeError, match="needs the number of inputs too"),
    ):
        surgrad.nn.Dense(32)
    with (
        pytest.warns(DeprecationWarning, match="Linear"),
        pytest.raises(TypeError, match=r"got \(features\)\. It needs the number"),
    ):
        surgrad.nn.Dense(features=32)


def test_names_of_surrogates_are_answered_wherever_they_are_looked_up(capsys):
    from surgrad._catalogue import lookup
    from surgrad.cli import main

    with pytest.raises(KeyError, match=r"no surrogate 'lso'; .* is LeakySpikeOperator\(slope\) here"):
        lookup("lso")
    with pytest.raises(KeyError, match=r"Arctan\(alpha\)"):
        surgrad.Surrogate.from_config({"class": "ATan", "alpha": 2.0})
    with pytest.raises(SystemExit):
        main(["check", "atan:alpha=2"])
    assert "Arctan(alpha) here" in capsys.readouterr().err


def test_nearest_names_ignore_the_case():
    assert _answers.nearest_names("SIGMOID", ["Sigmoid", "ERF"]) == ["Sigmoid"]
    assert _answers.nearest_names("erff", ["Sigmoid", "ERF"]) == ["ERF"]
    assert _answers.nearest_names("zzz", ["Sigmoid", "ERF"]) == []


@pytest.mark.unchecked("wrong types on purpose")
@pytest.mark.parametrize(
    ("call", "answer"),
    [
        (lambda: run(1, 2, 3), r"run takes \(cell, xs\) by position, got 3 arguments; by name keep=\.\.\., check"),
        (lambda: surgrad.nn.Flatten(1, 2), r"Flatten takes \(axes\) by position, got 2 arguments\.$"),
        (
            lambda: surgrad.nn.Linear(2, 3, True, key=KEY),
            r"Linear takes \(in_features, out_features\) by position, got 3",
        ),
    ],
)
def test_too_many_arguments_are_told_which_are_given_by_name(call, answer):
    with pytest.raises(TypeError, match=answer):
        call()


def test_a_key_in_front_is_not_one_too_many():
    assert surgrad.nn.Linear(KEY, 2, 3).weight.shape == (2, 3)
