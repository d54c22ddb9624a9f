// The Python program for what is on the screen.

const python = value => {
  const text = String(value);
  return /^-?\d+$/.test(text) ? `${text}.0` : text;
};

function call(one) {
  return entryOf(one.id).call.replace(/⟦(\d+)⟧/g, (_, i) => python(one.p[i]));
}

const CURRENT_CODE = {
  constant: v => `jnp.full(${v.steps}, ${python(v.size)})`,
  ramp: v => `jnp.linspace(0.0, ${python(v.size)}, ${v.steps})`,
  pulses: v => `${python(v.size)} * (jnp.arange(${v.steps}) % 20 < 10)`,
  noise: v => `jnp.asarray(${python(v.size)} * (1 + np.random.default_rng(${v.seed}).standard_normal(${v.steps})))`,
};

function code(view) {
  const own = [...new Set(view.shown.flatMap(one => entryOf(one.id).own))];
  const imports = ['import jax', 'import jax.numpy as jnp', ...(view.current === 'noise' ? ['import numpy as np'] : []), 'import surgrad', 'from surgrad import nn'];
  const of = view.of === 'spikes' ? 'nn.unroll(cell, current).outputs.sum()' : 'nn.unroll(cell, current).state.v.sum()';
  const detached = view.detach === 'true' ? ', detach_reset=True' : '';
  const cell = `nn.LIF(surrogate, tau=${python(view.tau)}, threshold=${python(view.threshold)}, reset="${view.reset}"${detached})`;
  return [
    ...imports,
    ...(own.length ? [`# Names of your own: ${own.join(', ')}`] : []),
    '',
    'surrogates = {',
    ...view.shown.map(one => `    ${JSON.stringify(entryOf(one.id).title)}: ${call(one)},`),
    '}',
    `x = jnp.linspace(${python(-view.reach)}, ${python(view.reach)}, 401)`,
    `current = ${CURRENT_CODE[view.current](view)}[:, None]`,
    '',
    'for name, surrogate in surrogates.items():',
    '    slope = surrogate.surrogate_grad(x)',
    '    second = jax.jvp(surrogate.surrogate_grad, (x,), (jnp.ones_like(x),))[1]',
    `    cell = ${cell}`,
    `    gradient = jax.grad(lambda current: ${of})(current)[:, 0]`,
    `    numbers = surrogate.surrogate_grad(${python(view.at)}), surrogate.fwhm(), surrogate.peak()`,
    '    print(name, *map(float, numbers))',
    '    print("gradient by the current:", gradient.tolist())',
    '',
  ].join('\n');
}
