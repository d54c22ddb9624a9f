"""What users of neighbouring libraries write, and what it is called here: data, which `_answers` turns into messages.

Keys are names without underscores and in lower case, so that `fast_sigmoid`, `FastSigmoid` and `fastsigmoid` are one
key. In texts, `{Linear}` stands for the public name `Linear` of this library with the package that it is in.

Surrogates are in `peers.toml`.

Sources, as read in November 2026: snnTorch 1.0, SpikingJelly 2.0, Norse 1.1, Spyx 1.0, jaxpike 0.1.4, sparx 0.1.1,
Equinox 0.13, Flax 0.12 and Keras 3.
"""

from __future__ import annotations

from typing import Any

_UNSCALED = (
    "the input is added as it is, v <- beta v + I; Norse and SpikingJelly multiply it by dt/tau: scale the weights"
)
_WITHOUT_RESET = "spikes without a reset are {ParallelLIF}(surrogate, tau)"
_TIME_LEADS = "time is the first axis always, (time, *batch, features); xs.swapaxes(0, 1) puts it there"
_STANDARDIZED = (
    "a function is a layer too, and jax.nn.standardize normalizes over the features, without scale and offset"
)
_INTEGRATE = "{LIF}(surrogate, tau=float('inf')), without a leak"
_RECURRENT = "{Recurrent}(cell, features, key=key) around a cell such as {LIF}(surrogate)"
_LIF = "{LIF}(surrogate, beta=beta)"
_ENCODE = "{rate}(intensity, num_steps, key=key)"
_FRESH = "a state is an argument and a result here, and a fresh one is net.init(shape)"

_PYTREES = "jax.grad, jax.jit and jax.vmap themselves: every object here is a pytree"
_CUSTOM = "{from_grad}(slope) or {from_fun}(curve)"

_NAMES: dict[str, str] = {
    # connections
    "dense": "{Linear}(in_features, out_features, key=key)",
    "fullyconnected lineartorch": "{Linear}(in_features, out_features, key=key)",
    "convolution": "{Conv}(in_channels, out_channels, kernel_size, key=key)",
    "convtranspose": "{ConvTranspose2d}(in_channels, out_channels, kernel_size, key=key)",
    "remat checkpoint": "the option checkpoint_every of {unroll}",
    "exporttonir tonir": "surgrad.adapters.nir.to_nir(network, input_shape)",
    "importfromnir fromnir": "surgrad.adapters.nir.from_nir(graph)",
    "pool2d": "{MaxPool2d}(kernel_size)",
    "pool": "{MaxPool}(kernel_size) or {AvgPool}(kernel_size)",
    "sumpool": "{SumPool2d}(kernel_size)",
    "function elementwise": "{Lambda}(function), or the function itself",
    "snnsequential sequentialstate chain": "{Sequential}(*layers)",
    # cells
    "leaky lifboxcell lifbox leakyintegrateandfire spikinglif": _LIF,
    "lifnode multisteplifnode": "{LIF}(surrogate, beta=1 - 1 / tau) on inputs divided by tau",
    "lifcell": "{CuBaLIF}(surrogate, tau=tau, tau_syn=tau_syn), a cell with a synaptic current",
    "if ifnode ifcell integrateandfire": _INTEGRATE,
    "lapicque": f"{_LIF}; its input is multiplied by the time step over the capacitance",
    "plif parametriclifnode": "{LIF}(surrogate), whose time constant {partition}(net, also=['tau']) has trained",
    "synaptic cubalifnode lifrefraccell": "{CuBaLIF}(surrogate, tau=tau, tau_syn=tau_syn)",
    "rleaky rsynaptic rlif lifrecurrentcell recurrentlif recurrentlifcell linearrecurrentcontainer rcubalif "
    "elementwiserecurrentcontainer": _RECURRENT,
    "lsnn lsnncell adlif adaptivelif alifnode lsnnrecurrentcell": "{ALIF}(surrogate)",
    "lifadexcell adexnode adexlif": "{AdEx}(surrogate)",
    "izhikevichnode izhikevichcell": "{Izhikevich}(surrogate)",
    "li licell nonspikinglifnode linearleakyintegrator leakyreadout": "{LeakyIntegrator}(tau=tau)",
    "psn maskedpsn slidingpsn parallelspikingneuron": "{ParallelLIF}(surrogate, tau=tau), whose weights over "
    "time are a decay",
    # delays
    "delayeddense delaylinear delaydense dcls dcls1d": "{DelayedLinear}(in_features, out_features, max_delay, key=key)",
    "synapticdelay synapsedelay axonaldelay delaylayer learneddelay": "{LearnableDelay}(features, max_delay, key=key)",
    # readouts
    "peak maxmembranelogits maxreadout": "{MaxOverTime}()",
    "countlogits spikecount ratereadout meanreadout": "{MeanOverTime}()",
    "last laststate lastoutput": "{LastStep}()",
    "firstspike timetofirstspike": "{FirstSpikeTime}()",
    # runs over time
    "scan rnn multistepforward unrollcheckpointed rollout runnet seqtoanncontainer multistepcontainer lift bptt "
    "foriloop stateupdate": "{unroll}(net, xs)",
    "storevseq returnvoltage monitor attributemonitor outputmonitor": "{unroll}(net, xs, record='v').records",
    "synops syops snnanalyzer acmonitor macmonitor opcounter": "{synaptic_operations}(net, xs)",
    # parameters
    "split ispartition filterparameters trainablevariables parameters params": "{partition}(net)",
    "parameter param": "an annotated attribute of a class, whose numbers and arrays are leaves; "
    "{parameter}(1.0, above=0) gives it a range",
    "merge": "{combine}(trained, rest)",
    "filtergrad filterjit filtervalueandgrad filtervmap": _PYTREES,
    # learning the surrogate
    "training": "{Training}.of_network(build, data, loss, steps=steps)",
    "steeper": "the method surrogate.steeper(factor)",
    "innertrain trainloop unrolledtraining": "{inner_loop}(loss, weights, hyper, batches, optimizer)",
    # losses and metrics
    "functional loss losses crossentropy celoss": "surgrad.losses, such as {ce_count_loss}(spikes, labels)",
    "acc accuracyrate integralaccuracy": "{accuracy}(outputs, labels)",
    "accuracytemporal": "{accuracy}(spikes, labels, by='first_spike')",
    "temporalefficienttrainingcrossentropy perstepcrossentropy": "{ce_rate_loss}(outputs, labels)",
    "integralcrossentropy": "{ce_count_loss}(membrane, labels), of the sum over time",
    "msespikerate ratemse": "{mse_rate_loss}(spikes, labels, correct_rate=rate)",
    "silencereg ratepenalty": "{rate_lower_bound}(spikes, minimum), in spikes per time step",
    "sparsityreg": "{rate_upper_bound}(spikes, maximum), in spikes per time step",
    "l1ratesparsity": "strength * spikes.sum(), or {rate_upper_bound}(spikes, maximum)",
    "vanrossum spikesimilarloss": "{van_rossum_loss}(spikes, targets, tau=tau)",
    "victorpurpura victorpurpuradist": "{victor_purpura_distance}(first, second, cost=cost)",
    # normalisation and dropout
    "batchnorm1d batchnorm2d batchnorm3d tdbn thresholddependentbatchnorm1d thresholddependentbatchnorm2d "
    "thresholddependentbatchnorm3d": "{BatchNorm}(features), for any number of axes",
    "dropout1d dropout2d dropout3d": "{Dropout}(rate), with one mask for a sequence",
    "trainer trainstate trainnet earlystopping modelcheckpoint": "{fit}(network, data, optimizer=..., key=...)",
    "utils backprop": "{unroll}(net, xs), which starts from rest, so that nothing is reset, and jax.grad",
    # data, files, pictures
    "spikegen encoding encoder encoders ratecoding": _ENCODE + " and {latency}",
    "poissonencoder rateencoder poissonencode rateencode poisson": _ENCODE,
    "latencyencoder latencyencode": "{latency}",
    "ttfs": "{latency}(intensity, num_steps) as a code, and {FirstSpikeTime}() as a readout",
    "gaussiantuning": "{population}(x, num_neurons, num_steps), its responses alone {tuning_curves}(x, num_neurons)",
    "firingrates": "{firing_rate}(spikes)",
    "datasets spikedata dataset": "surgrad.tasks.load(name), or a reader of surgrad.events",
    "shd spikingheidelbergdigits shdloader": "{read_shd}(path, split)",
    "ssc spikingspeechcommands": "{read_ssc}(path, split)",
    "nmnist nmnistloader": "{read_nmnist}(path, split)",
    "dvsgesture dvs128gesture": "{read_dvs_gesture}(path, split)",
    "toframe": "{bin_events}(data, bin_width=width), or num_steps=steps",
    "dataloader iteratebatches shuffler padtensors collation": "surgrad.events.batches(data, batch_size, key=key), "
    "which pads, and returns the lengths",
    "dropevent": "{DropEvents}(p)",
    "slicebytime": "{CropTime}(duration), a window from a random start, or from start=",
    "spatialjitter": "{JitterUnits}(sigma)",
    "shiftaugment": "{ShiftUnits}(max_shift)",
    "delta": "{delta}(x, threshold), whose ON and OFF channels stand for +1 and -1",
    "sendondelta stepforward sf deltamodulation thresholdcrossing lc lcadc": "{level_crossing}(x, threshold)",
    "popencoder popspikeencoderdeterministic populationencode populationencoder": "{population}(x, num_neurons, "
    "num_steps)",
    "popspikeencoderrandom": "{rate}({tuning_curves}(x, num_neurons), num_steps, key=key)",
    "spikeplot visualizing viz": "surgrad.plot",
    "traces potential potentials voltage voltages plotvoltage membranes": "surgrad.plot.membrane(v, spikes)",
    "spikes rasterplot plot1dspikes spiketrain spiketrains": "surgrad.plot.raster(spikes)",
    "treeserialiseleaves serialise savemodel savestate savecheckpoint dump": "{save}(path, tree)",
    "treedeserialiseleaves deserialise loadmodel loadstate restore loadcheckpoint": "{load}(path)",
    # modules and bases
    "triangular tent heavitent": "{ReluGrad}(alpha, width), a triangle of height alpha",
    "sso": "{StochasticSpikeOperator}(mean, variance, key=key)",
    "surrogate surrogates axn": "surgrad itself: surgrad.Sigmoid(4.0) is a surrogate, surgrad.sigmoid(x) its function",
    "functions": "functions of surrogates in surgrad itself, such as surgrad.sigmoid, and {unroll}",
    "neuron neurons layer layers": "surgrad.nn",
    "module statefulmodule basenode memorymodule spikingneuron": "{Cell}",
    "custom customsurrogate surrogatefunctionbase multiargssurrogatefunctionbase": _CUSTOM,
}  # fmt: skip

_ABSENT: dict[str, str] = {
    "resetnet resetstates utilsreset detachnet": "a network keeps no state; {unroll}(net, xs) starts from a fresh one, "
    "net.init(shape), and returns the last",
    "alphadropout dropconnect dropconnectlinear": "{Dropout}(rate) drops outputs, with one mask for a sequence",
    "bntt batchnormtt1d batchnormtt2d batchnormthroughtime1d batchnormthroughtime2d temporaleffectivebatchnorm1d "
    "temporaleffectivebatchnorm2d tebn": "{BatchNorm}(features) has the statistics of all time steps together",
    "layernorm rmsnorm": _STANDARDIZED,
    "groupnorm instancenorm": "write it as a {Connection} of your own, or as a function, which is a layer too",
    "lifparameters liparameters lifboxparameters lifrefracparameters": "they are arguments of the cell: "
    "{LIF}(surrogate, tau=tau, threshold=threshold)",
    "state": _FRESH,
    "alpha slstm sconvlstm sconv2dlstm": "write it as a {Cell} of your own, init(shape, dtype) and (state, input) -> "
    "(state, output)",
    "compose": "augment=[one, another] of surgrad.events.batches",
    "timejitter jittertime uniformnoise denoise timeskew randomtimereversal randomfliplr randomflipud "
    "randomflippolarity": "a function (recording, random) -> recording is an augmentation of surgrad.events.batches",
    "mergepolarities": "batch.spikes.sum(-1) of a batch with counts=True, or .max(-1), is that of both polarities",
    "writecsv writenpz": "{write_hdf5}(path, data) writes a data set, and numpy.savez the arrays that {read_npz} reads",
    "constantcurrentlifencode": "{unroll}({LIF}(surrogate), jnp.broadcast_to(x, (num_steps, *x.shape)))",
}

_ATTRIBUTES: dict[str, tuple[tuple[str, ...], str]] = {
    "initstate initializecarry initialcarry initleaky initrleaky initsynaptic initrsynaptic initalpha initlapicque "
    "initialstate zerostate getinitialstate resetmem reset resetstate resethidden initmem": (("init",), _FRESH),
    "kernel weights recurrentweight recurrentweights recurrentkernel w weightmatrix": (("weight",), ""),
    "recurrent recurrentlayer recurrentlinear": (("weight",), "the recurrent weights, an array"),
    "t ts timestamps": (("times",), "in whole microseconds"),
    "x addrs channels": (("units", "num_units", "spikes"), ""),
    "units": (("num_units",), ""),
    "inputs frames data": (("spikes",), ""),
    "targets target y": (("labels", "label"), ""),
    "nclasses numclasses": (("classes",), ""),
    "sensorsize": (("unit_shape",), ""),
    "spikes spk spiketrain spiketrains": (("outputs",), "the outputs of a layer of spiking neurons are its spikes"),
    "biases b": (("bias",), ""),
    "mem membrane membranepotential hidden syn": ((), "the membrane potential stands in the state, state.v"),
    "v voltage": ((), "the membrane potential stands in the state, state.v"),
    "parameters params trainableparameters namedparameters trainablevariables trainableweights variables": (
        (),
        "{partition}(net) has what is trained, and jax.tree.leaves(net) all numbers",
    ),
    "statedict savestate savecheckpoint saveweights": ((), "{save}(path, net)"),
    "loadstatedict loadweights": ((), "{load}(path)"),
    "train eval": ((), "there is no mode to set: {unroll_in_training}(net, xs, key=key) runs it as in training"),
    "to cuda cpu": ((), "jax.device_put(net, device)"),
    "zerograd backward": ((), "gradients are jax.grad of a function of the object"),
    "forward apply singlestepforward step update": ((), "the object itself is called"),
    "multistepforward scan unroll run": ((), "{unroll}(net, xs)"),
    "spikegrad surrogatefunction spkfun spikefn spike spikefunction": (("surrogate",), ""),
    "vthreshold vth thr thresh": (("threshold",), ""),
    "taumeminv": (("tau",), "1 / tau_mem_inv"),
    "tausyninv": (("tau_syn",), "1 / tau_syn_inv"),
    "vreset resetmechanism resetmethod": (("reset",), ""),
    "resetdetached": (("detach_reset",), ""),
    "layers modules children": (("parts",), ""),
    "infeatures outfeatures inchannels outchannels": (("weight",), "see the shape of the weight"),
    "decay decayrate": (("beta", "tau"), ""),
    "spiking setspikingmode": (("smoothed",), ""),
    "grad gradient dspike slope": (("surrogate_grad",), ""),
    "primitive primitivefunction relaxation fun curve": (("surrogate_fun",), ""),
    "exact": (("hard",), ""),
    "getconfig config todict asdict": (("to_config",), ""),
    "steepness sharpness k": (("alpha",), ""),
}

_LEARNED = "what is learned is chosen when it is trained: {partition}(net, also=['tau'])"
_LEARNED_THRESHOLD = _LEARNED.replace("tau", "threshold")
_LEARNED_SYNAPSE = _LEARNED.replace("tau", "tau_syn")
_OUTPUTS = "{unroll}(net, xs) returns all outputs, and the last with keep='last'"
_IN_TIME = "{unroll}(net, xs) returns the last state before the outputs, and {record} the states of all time steps"

_KEYWORDS: dict[str, tuple[tuple[str, ...], str]] = {
    "spikegrad surrogatefunction spkfun spikefunction spikefn spike surrogategradient activation": (("surrogate",), ""),
    "resetdetached detach": (("detach_reset",), ""),
    "resetmechanism resetmethod hardreset softreset": (("reset",), ""),
    "vreset": (
        ("reset",),
        "reset='zero' is v_reset=0, and there is no other v_reset; reset='subtract' is v_reset=None",
    ),
    "learnbeta learntau learnable": ((), _LEARNED),
    "learndelay": ((), "delays are trained with the weights: {partition}(net)"),
    "maxdelay": ((), "delays that are trained are {LearnableDelay}(features, max_delay, key=key)"),
    "maxdelays dilatedkernelsize dlim": (("max_delay",), ""),
    "delays delay initdelay initdelays": (
        ("delay", "delay_init"),
        "such as jax.nn.initializers.constant(1.0); from_arrays takes an array",
    ),
    "learnthreshold": ((), _LEARNED_THRESHOLD),
    "learnalpha": ((), _LEARNED_SYNAPSE),
    "resetdelay": ((), "the reset comes in the time step of the spike, as with reset_delay=False of snnTorch"),
    "inhibition": ((), f"write the inhibition as a {{Cell}} around {_LIF}"),
    "alpha": (("tau_syn",), "alpha = exp(-dt / tau_syn), so tau_syn = -dt / log(alpha)"),
    "numepochs nepochs maxepochs": (("epochs",), ""),
    "validationdata valdata evaldata": (("validation",), ""),
    "lossfn lossfunction criterion": (("loss",), ""),
    "initialcarry initialstate initstate carry initcarry": (("state",), "from rest if it is left out"),
    "timemajor batchfirst timeaxis timedim batchmajor": ((), _TIME_LEADS),
    "inithidden stateful hidden hx": ((), _FRESH),
    "returnsequences": (("keep",), _OUTPUTS),
    "returnstate returnstates returncarry returnvoltage returnmembrane storevseq output recordv": ((), _IN_TIME),
    "segment checkpoint remat checkpointing checkpointlength usecheckpoint": (
        ("checkpoint_every",),
        "the number of time steps between checkpoints, or 'auto'",
    ),
    "memory maxmemory memorylimit": (("memory_bytes",), ""),
    "chunk chunklength": (("chunk_size",), ""),
    "kernel weights w recurrentweight": (("weight",), ""),
    "kernelinit kernelinitializer weightinitializer winit": (("weight_init",), "an initializer of jax.nn.initializers"),
    "biasinit biasinitializer": (
        (),
        "biases begin at zero, and layer.replace(bias=bias) is a layer with others; weight_init is for the weights",
    ),
    "window windowshape poolsize kernelshape ksize": (("kernel_size",), ""),
    "features units hiddensize numhiddens outputsize outsize outdim dout linearfeatures nout": (
        ("features", "out_features", "out_channels"),
        "",
    ),
    "insize inputsize indim din inputs nin": (("in_features", "in_channels"), ""),
    "inchannels": (("in_channels", "in_features"), ""),
    "outchannels filters numfilters": (("out_channels", "out_features"), ""),
    "infeatures": (("in_features", "in_channels"), ""),
    "outfeatures": (("out_features", "out_channels", "features"), ""),
    "rngs rng prngkey seed generator rngkey randomkey": (("key",), ""),
    "thresh theta": (("threshold",), ""),
    "taumeminv": (("tau",), f"tau = 1 / tau_mem_inv, in the unit of dt; {_UNSCALED}"),
    "decayinput inputscale": ((), _UNSCALED),
    "vleak vrest": ((), "the membrane potential at rest is 0, and the threshold is counted from there"),
    "method": (
        ("surrogate",),
        "method='super' is surrogate={SuperSpike}(alpha), with alpha=1.0 for the slope of Norse 1.1",
    ),
    "tausyninv": (("tau_syn",), "tau_syn = 1 / tau_syn_inv, in the unit of dt"),
    "taumem taum taumembrane tauv": (("tau",), ""),
    "tausynapse tausyn taus": (("tau_syn",), ""),
    "taua tauadapt taub": (("tau_adaptation",), ""),
    "decay decayrate": (("beta", "tau"), ""),
    "beta": (("tau",), "beta = exp(-dt / tau)"),
    "slope k steepness sharpness scale": (("alpha",), ""),
    "spiking": (("smoothed",), "smoothed=True is what spiking=False means there"),
    "std stddev": (("sigma",), ""),
    "tperiod period": (("t_period",), ""),
    "timesteps steps nsteps t numsteps": (("num_steps", "steps"), ""),
    "dt timewindow binsize windowsize": (("bin_width",), "in seconds"),
    "ntimebins nbins numbins framesnumber": (("num_steps",), ""),
    "sensorsize numchannels nunits": (("num_units",), ""),
    "prob probability": (("p",), ""),
    "root saveto datadir": (("path",), ""),
    "train": (("split",), "split='train' or split='test'"),
    "collatefn collate": ((), "batches are padded to their longest recording, and carry the lengths of all"),
    "numworkers workers": (("prefetch",), "the number of batches that a thread makes ahead"),
    "shuffle": (("key",), "batches with a key are shuffled, and without one in order"),
    "transform transforms": (("augment",), ""),
    "maxrate fmax gain": ((), "multiply the intensities by it: {rate}(0.5 * intensity, num_steps, key=key)"),
    "populationcode numclasses": (
        (),
        "spikes.reshape(*spikes.shape[:-1], classes, -1).sum(-1) sums the neurons of each class",
    ),
    "latency.tau latency.threshold latency.linear latency.normalize latency.clip": (
        (),
        "spikes come at round((1 - p) (num_steps - 1)), linear in p and over all time steps, and p = 0 does not spike: "
        "jnp.where(p < threshold, 0, p)",
    ),
    "offspike": (
        (),
        "OFF always is a channel of its own: delta returns the ON channels of all features, then the OFF ones",
    ),
    "inverse": ((), "first spike times are negated, -t / tau"),
    "targetistime": ((), "target times stand in place of the labels, (*batch, classes)"),
    "smoothing": ((), "(1 - s) * jax.nn.one_hot(labels, classes) + s / classes are labels too"),
    "correct sparsity": (("correct_rate",), ""),
    "incorrect": (("incorrect_rate",), ""),
    "minspikes": (("minimum",), "in spikes per time step"),
    "maxspikes": (("maximum",), "in spikes per time step"),
    "numfeatures": (("features",), ""),
    "epsilon": (("eps",), ""),
    "p": (("rate",), ""),
    "trackrunningstats inference deterministic training": ((), "see {unroll_in_training}(net, xs, key=key)"),
    "momentum": ((), "an argument of {unroll_in_training}, the share of the new statistics"),
    "stepmode": ((), "layers see one time step, and {unroll}(net, xs) runs over time"),
    "backend": ((), "paths are chosen by {unroll}; see its options"),
}


def _by_name(rows: dict[str, Any]) -> dict[str, Any]:
    return {name: row for names, row in rows.items() for name in names.split()}


SYNONYMS = _by_name(
    {
        "vth vthreshold thr": "threshold",
        "strides": "stride",
        "bias withbias": "use_bias",
        "kerneldilation": "dilation",
        "featuregroupcount": "groups",
    }
)
"""Keywords that are accepted for one here: of the same meaning, unit and scale in all libraries that have them."""
NAMES = _by_name(_NAMES)
"""Of modules: what stands there under a name, in words of this library."""
ABSENT = _by_name(_ABSENT)
"""Of modules: names of what this library does not have, and what to do instead."""
CHOICES = {
    "reset": _by_name(
        {
            "hard 0.0 0": "reset='zero' is meant",
            "soft subtraction resetbysubtraction": "reset='subtract' is meant",
            "none false": f"{_WITHOUT_RESET}; {{LeakyIntegrator}} alone does not spike",
        }
    )
}
"""Of options: what is meant by the choices of other libraries."""
ATTRIBUTES = _by_name(_ATTRIBUTES)
"""Of objects: names here that the object may have, and what else to know of them; without names, what to do."""
RECORDED = _by_name(
    {
        "mem membrane membranepotential membranepotentials voltage voltages u vmem potential states": "v",
        "spk spike s z": "spikes",
        "syn isyn i psc synapticcurrent": "current",
        "output out y": "outputs",
        "input x": "inputs",
        "a b w adapt": "adaptation",
        "h vpre vbefore membranebeforereset": "v_before_reset",
    }
)
"""Of what `unroll` records: the name here of a value."""
COMPLETE = frozenset({_FRESH, _OUTPUTS})
"""Texts that say what to do also where the object or function has none of the names beside them."""
KEYWORDS = _by_name(_KEYWORDS) | {name: ((meant,), "") for name, meant in SYNONYMS.items()}
"""Of functions and constructors: names here that may be among the parameters, and further as `ATTRIBUTES`.

The row `"latency.tau"` is of the parameter of one function.
"""
