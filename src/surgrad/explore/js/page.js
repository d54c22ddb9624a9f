// The page: it keeps one view, draws it, and writes it into the address.

const $ = id => document.getElementById(id);
const SIZES = { reach: 'log', at: '', size: '', steps: '', seed: '', tau: 'log', threshold: 'log', time: '' };
const ENDS = { reach: [0.1, 20], at: [-2, 2], size: [-0.5, 1.5], steps: [2, 200], seed: [0, NOISE.length - 1], tau: [1, 100], threshold: [0.1, 3], time: [0, 59] };
const NAMES = { reach: 'range of x, ±', at: 'cursor x', size: 'size', steps: 'time steps', seed: 'seed of the noise', tau: 'tau (time steps)', threshold: 'threshold', time: 'cursor time step' };
let view = fromFragment(location.hash), sliders = {}, pending = false, told = 0;

function build() {
  $('choices').replaceChildren(...SURROGATES.map(entry => choice(entry, view.shown.some(one => one.id === entry.id), on => {
    view.shown = on ? [...view.shown, { id: entry.id, p: defaults(entry.id) }] : view.shown.filter(one => one.id !== entry.id);
    panels();
    changed();
  })));
  for (const name of Object.keys(SIZES)) {
    const q = { label: NAMES[name], id: name, ends: [...ENDS[name]], log: SIZES[name] === 'log', value: view[name], allowed: v => Number.isFinite(v) && v === within(name, v) };
    sliders[name] = slider(q, value => { view[name] = within(name, value); changed(); });
    sliders[name].q = q;
    $(`slot-${name}`).replaceChildren(sliders[name]);
  }
  for (const name of Object.keys(CHOICES)) {
    $(name).value = view[name];
    $(name).onchange = () => { view[name] = $(name).value; changed(); };
  }
  if (STUDY) studyControls();
  panels();
}

function panels() {
  $('count').textContent = `(${view.shown.length} of ${SURROGATES.length} shown)`;
  $('panels').replaceChildren(...view.shown.map(one => panel(entryOf(one.id), one, changed)));
  $('shown').replaceChildren(...view.shown.map(one => element('li', {}, swatch(entryOf(one.id)), entryOf(one.id).title)));
}

function studyControls() {
  $('study').hidden = false;
  const parameters = [...new Set(STUDY.lines.map(line => line.parameter))];
  $('parameter').replaceChildren(...parameters.map(name => element('option', { value: name }, name)));
  $('parameter').value = view.parameter;
  $('parameter').onchange = () => { view.parameter = $('parameter').value; changed(); };
}

function changed() {
  if (!pending) requestAnimationFrame(() => { pending = false; refresh(); });
  pending = true;
}

function refresh() {
  view.time = Math.min(view.time, view.steps - 1);
  view.at = Math.min(view.reach, Math.max(-view.reach, view.at));
  for (const [name, ends] of [['at', [-view.reach, view.reach]], ['time', [0, view.steps - 1]]]) {
    sliders[name].q.ends.splice(0, 2, ...ends);
    sliders[name].show(view[name]);
  }
  sliders.seed.hidden = view.current !== 'noise';
  curves();
  numbers();
  overTime();
  if (STUDY) study();
  $('code').textContent = code(view);
  try { history.replaceState(null, '', toFragment(view)); } catch { /* some viewers of local files forbid it */ }
  clearTimeout(told);
  told = setTimeout(() => { $('news').textContent = summary(); }, 700);
}

// Points of a function of x, closer where it jumps, so that jumps are drawn upright.
function sampled(f, reach) {
  const points = Array.from({ length: 321 }, (_, k) => { const x = reach * (k - 160) / 160; return [x, f(x)]; });
  const size = Math.max(...points.map(q => Math.abs(q[1])).filter(Number.isFinite), 0), found = [];
  const between = (a, b, depth) => {
    if (depth === 0 || !(Math.abs(b[1] - a[1]) > 0.02 * size)) return;
    const x = (a[0] + b[0]) / 2, middle = [x, f(x)];
    between(a, middle, depth - 1);
    found.push(middle);
    between(middle, b, depth - 1);
  };
  points.forEach((q, k) => { found.push(q); if (k + 1 < points.length) between(q, points[k + 1], 10); });
  return found;
}

function lines(which) {
  return view.shown.filter(one => entryOf(one.id)[which]).map(one => {
    const entry = entryOf(one.id), f = x => entry[which](x, one.p);
    return { name: entry.title, look: entry, points: sampled(f, view.reach), at: f };
  });
}

function curves() {
  const step = { look: null, kind: 'plain', points: [[-view.reach, 0], [0, 0], [0, 1], [view.reach, 1]] };
  const common = { x: 'x = (v − θ)/θ', range: [-view.reach, view.reach], cursor: view.at, onCursor: at => { view.at = Number(at.toPrecision(3)); changed(); } };
  draw($('curve'), { ...common, title: 'Curve', y: 'curve σ(x)', series: [step, ...lines('curve')] });
  draw($('slope'), { ...common, title: 'Slope', y: 'slope σ′(x)', series: lines('slope'), include: [0] });
  draw($('bend'), { ...common, title: 'Second derivative', y: 'σ″(x)', series: lines('bend'), include: [0] });
}

function numbers() {
  const head = ['surrogate', 'width', 'height', 'area', 'σ', 'σ′', 'σ″'];
  $('at-x').textContent = brief(view.at);
  $('numbers').replaceChildren(...view.shown.map(one => {
    const entry = entryOf(one.id), m = measures(entry, one.p);
    const cells = [m.width, m.height, m.area, entry.curve ? entry.curve(view.at, one.p) : null, entry.slope(view.at, one.p), entry.bend(view.at, one.p)];
    return element('tr', {}, element('th', { scope: 'row' }, swatch(entry), entry.title), ...cells.map(value => element('td', {}, brief(value))));
  }));
}

function overTime() {
  const current = currentOf(view), steps = forwards(view, current), times = current.map((_, t) => t);
  const at = values => t => values[Math.round(t)];
  const common = { x: 'time step', range: [0, Math.max(1, view.steps - 1)], cursor: view.time, onCursor: t => { view.time = Math.round(t); changed(); } };
  const potentials = steps.map(step => step.v);
  draw($('input'), { ...common, title: 'Current', height: 150, y: 'current', series: [{ name: 'current', kind: 'plain', points: times.map(t => [t, current[t]]), at: at(current) }], include: [0] });
  const spikes = times.filter(t => steps[t].spike).map(t => ({ kind: 'spike', points: [[t, view.threshold], [t, 1.25 * view.threshold]] }));
  const threshold = { kind: 'threshold', points: [[0, view.threshold], [common.range[1], view.threshold]] };
  draw($('potential'), { ...common, title: 'Membrane potential', height: 190, y: 'v after the reset', series: [threshold, ...spikes, { name: 'membrane potential', kind: 'plain', points: times.map(t => [t, potentials[t]]), at: at(potentials) }], include: [0, 1.3 * view.threshold] });
  const of = view.of === 'spikes' ? 'number of spikes' : 'last membrane potential';
  const gradients = view.shown.map(one => ({ one, values: gradient(view, current, steps, x => entryOf(one.id).slope(x, one.p)) }));
  $('of-what').textContent = `Gradient of the ${of} by the current at each time step`;
  draw($('gradient'), { ...common, title: `Gradient of the ${of} by the current`, y: 'gradient', series: gradients.map(({ one, values }) => ({ name: entryOf(one.id).title, look: entryOf(one.id), points: times.map(t => [t, values[t]]), at: at(values) })), include: [0] });
  $('at-time').textContent = view.time;
  const step = steps[view.time], fields = [['current', current[view.time]], ['membrane potential', step.v], ['x', step.x], ['spike', step.spike], ...gradients.map(({ one, values }) => [`gradient, ${entryOf(one.id).title}`, values[view.time]])];
  $('moment').replaceChildren(...fields.map(([name, value]) => element('div', {}, element('dt', {}, name), element('dd', {}, brief(value)))));
  $('spikes').textContent = steps.filter(one => one.spike).length;
}

// Accuracies of a study; a ring is where a surrogate of the page stands, between the runs of its kind.
function study() {
  const lines = STUDY.lines.filter(line => line.parameter === view.parameter), names = [...new Set(lines.map(line => line.surrogate))];
  const log = lines.every(line => line.value > 0);
  const series = names.map(name => {
    const look = STUDY.looks[name], own = lines.filter(line => line.surrogate === name).sort((a, b) => a.value - b.value);
    const points = own.map(line => [line.value, 100 * line.test_accuracy, 100 * (line.test_accuracy_sd || 0)]);
    const here = view.shown.filter(one => one.id === look.kind).map(one => place(entryOf(one.id), one.p)).filter(Number.isFinite);
    return { name, look, points, dots: true, rings: here.map(x => [x, interpolated(points, x, log)]).filter(q => Number.isFinite(q[1])) };
  });
  const values = lines.map(line => line.value), low = Math.min(...values), high = Math.max(...values);
  const range = low < high ? (log ? [low / 1.3, high * 1.3] : [low - 0.05 * (high - low), high + 0.05 * (high - low)]) : [low / 2, high * 2];
  draw($('accuracy'), { title: `Study of ${STUDY.task}`, x: view.parameter === 'scale' ? 'scale (steepness relative to the default)' : view.parameter, y: 'test accuracy, %', log, range, ticks: [...new Set(values)], series, height: 260 });
  $('legend').replaceChildren(...names.map(name => element('li', {}, swatch(STUDY.looks[name]), name)));
  const rings = series.flatMap(one => one.rings.map(([x, y]) => `${one.name} at ${brief(x, 3)}: ${brief(y, 3)} %`));
  $('here').textContent = rings.length ? `On the screen, between the runs: ${rings.join('; ')}.` : 'No surrogate on the screen lies within the runs of its kind.';
}

// The value of the study's parameter at which a surrogate of the page stands.
function place(entry, p) {
  if (view.parameter === 'scale') return searched(entry, entry.parameters.map(q => q.value)).width / measures(entry, p).width;
  const index = entry.parameters.findIndex(q => q.name === view.parameter);
  return index < 0 ? NaN : p[index];
}

function interpolated(points, x, log) {
  const of = log ? Math.log : v => v;
  for (let k = 0; k + 1 < points.length; k++) {
    const [[a, fa], [b, fb]] = [points[k], points[k + 1]];
    if (a <= x && x <= b) return fa + (fb - fa) * (of(x) - of(a)) / (of(b) - of(a));
  }
  return points.length === 1 && points[0][0] === x ? points[0][1] : NaN;
}

function summary() {
  const texts = view.shown.map(one => { const m = measures(entryOf(one.id), one.p); return `${call(one).replace('surgrad.', '')}: width ${brief(m.width, 3)}, height ${brief(m.height, 3)}, area ${brief(m.area, 3)}`; });
  return texts.join('. ') || 'No surrogate is shown.';
}

async function copy(text, what) {
  try { await navigator.clipboard.writeText(text); } catch {
    const area = element('textarea', { class: 'away' });
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand('copy');
    area.remove();
  }
  $('copied').textContent = `${what} copied.`;
  setTimeout(() => { $('copied').textContent = ''; }, 3000);
}

function theme(name) {
  if (name === 'auto') delete document.documentElement.dataset.theme; else document.documentElement.dataset.theme = name;
  $('theme').value = name;
}

$('theme').onchange = () => theme($('theme').value);
$('copy-code').onclick = () => copy(code(view), 'Code');
$('copy-link').onclick = () => copy(location.href.split('#')[0] + toFragment(view), 'Link');
for (const figure of document.querySelectorAll('figure')) {
  figure.querySelector('details').addEventListener('toggle', () => { if (figure.plotted) fillTable(figure, figure.plotted); });
}
addEventListener('hashchange', () => { view = fromFragment(location.hash); build(); refresh(); });
addEventListener('resize', changed);
// A page that embeds this one says which theme it has.
addEventListener('message', event => { if (event.data && ['auto', 'light', 'dark'].includes(event.data.theme)) theme(event.data.theme); });

// On a phone the list is folded, and hyperparameters stand below the charts, which stay in sight while a slider moves.
const narrow = matchMedia('(max-width: 52rem)');
const arrange = () => {
  if (narrow.matches) $('charts').after($('panels')); else $('side').append($('panels'));
  $('choose').open = !narrow.matches;
};
narrow.addEventListener('change', arrange);

arrange();
build();
refresh();
globalThis.explorer = { SURROGATES, measures, currentOf, forwards, gradient, toFragment, code: () => code(view), view: () => view };
