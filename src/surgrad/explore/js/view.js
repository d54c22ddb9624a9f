// What is on the screen: its default, and its form as the fragment of the page's address.

const LIMITS = {
  reach: [0.01, 100], at: [-100, 100], size: [-10, 10], steps: [2, NOISE[0].length], seed: [0, NOISE.length - 1],
  tau: [0.1, 1000], threshold: [0.01, 10], time: [0, NOISE[0].length - 1],
};
const CHOICES = {
  current: Object.keys(CURRENTS), reset: ['subtract', 'zero'], detach: ['false', 'true'], of: ['spikes', 'potential'],
};
const WHOLE = ['steps', 'seed', 'time'];

function firstView() {
  return {
    shown: FIRST.map(id => ({ id, p: defaults(id) })),
    reach: 2, at: 0.25,
    current: 'constant', size: 0.2, steps: 60, seed: 0, tau: 10, threshold: 1, reset: 'subtract', detach: 'false',
    of: 'spikes', time: 20, parameter: STUDY ? STUDY.lines[0].parameter : '',
  };
}

const entryOf = id => SURROGATES.find(entry => entry.id === id);
const defaults = id => entryOf(id).parameters.map(q => q.value);

// Whether a number is one that the constructor takes.
function allowed(parameter, value) {
  const low = parameter.least === null || (parameter.open ? value > parameter.least : value >= parameter.least);
  return Number.isFinite(value) && low && (parameter.most === null || value <= parameter.most);
}

const within = (name, value) => Math.min(LIMITS[name][1], Math.max(LIMITS[name][0], WHOLE.includes(name) ? Math.round(value) : value));

function toFragment(view) {
  const shown = view.shown.map(one => `${one.id}(${one.p.join(',')})`).join('~');
  const rest = [...Object.keys(LIMITS), ...Object.keys(CHOICES)].map(name => `${name}=${view[name]}`);
  const study = STUDY ? [`parameter=${encodeURIComponent(view.parameter)}`] : [];
  return `#${[`show=${shown}`, ...rest, ...study].join('&')}`;
}

// The view of a fragment; what it lacks, or what does not exist, stays as it is at first.
function fromFragment(fragment) {
  const view = firstView(), given = new URLSearchParams(fragment.replace(/^#/, ''));
  if (given.has('show')) {
    const named = [...given.get('show').matchAll(/([\w]+)\(([^()]*)\)/g)].filter(([, id]) => entryOf(id));
    view.shown = named.map(([, id, numbers]) => {
      const p = numbers === '' ? [] : numbers.split(',').map(Number), own = entryOf(id).parameters;
      return { id, p: own.map((q, i) => i < p.length && allowed(q, p[i]) ? p[i] : q.value) };
    });
  }
  for (const name of Object.keys(LIMITS)) {
    const value = given.has(name) ? Number(given.get(name)) : NaN;
    if (Number.isFinite(value)) view[name] = within(name, value);
  }
  for (const [name, choices] of Object.entries(CHOICES)) if (choices.includes(given.get(name))) view[name] = given.get(name);
  if (STUDY && STUDY.lines.some(line => line.parameter === given.get('parameter'))) view.parameter = given.get('parameter');
  view.time = Math.min(view.time, view.steps - 1);
  return view;
}
