// A LIF neuron through time: the step and its derivative are the library's, this file walks over the time steps.

const CURRENTS = {
  constant: (size, t) => size,
  ramp: (size, t, steps) => size * t / Math.max(1, steps - 1),
  pulses: (size, t) => t % 20 < 10 ? size : 0,
  noise: (size, t, steps, seed) => size * (1 + NOISE[seed][t]),
};

function currentOf(n) {
  return Array.from({ length: n.steps }, (_, t) => CURRENTS[n.current](n.size, t, n.steps, n.seed));
}

// Membrane potentials after the reset, spikes, and x, at all time steps.
function forwards(n, current) {
  const { forward } = NEURON[`${n.reset},${n.detach}`], p = [n.tau, n.threshold];
  let v = 0;
  return current.map(input => {
    const before = v, [after, spike, x] = forward(v, input, p);
    v = after;
    return { before, v, spike, x };
  });
}

// The gradient by the current at each time step, of the number of spikes or of the last membrane potential.
function gradient(n, current, steps, slope) {
  const { backward } = NEURON[`${n.reset},${n.detach}`], p = [n.tau, n.threshold];
  const ofSpike = n.of === 'spikes' ? 1 : 0, found = new Array(steps.length);
  let ofV = n.of === 'spikes' ? 0 : 1;
  for (let t = steps.length - 1; t >= 0; t--) {
    const step = steps[t];
    [ofV, found[t]] = backward(step.before, current[t], p, slope(step.x), ofV, ofSpike);
  }
  return found;
}
