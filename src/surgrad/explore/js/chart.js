// Charts in SVG, with axes, a line at the cursor, a text for screen readers, and their data as a table.

const SVG = 'http://www.w3.org/2000/svg';

function element(kind, attributes = {}, ...children) {
  const made = kind.startsWith('svg:') ? document.createElementNS(SVG, kind.slice(4)) : document.createElement(kind);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

// A number with few digits, for people.
function brief(value, digits = 4) {
  if (value === null || Number.isNaN(value)) return '–';
  if (!Number.isFinite(value)) return value > 0 ? '∞' : '−∞';
  const [mantissa, exponent] = String(Number(value.toPrecision(digits))).split('e');
  const raised = exponent ? ` × 10${[...exponent.replace('+', '')].map(c => '⁻⁰¹²³⁴⁵⁶⁷⁸⁹'['-0123456789'.indexOf(c)]).join('')}` : '';
  return mantissa.replace('-', '−') + raised;
}

// Round numbers from low to high, about as many as wanted.
function ticks(low, high, wanted) {
  const raw = (high - low) / wanted, unit = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map(m => m * unit).find(s => s >= raw * 0.999);
  const found = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k++) found.push(k * step);
  return found;
}

// The plotted range of y: that of the data, with a margin; a flat line is put in the middle.
function extent(series, include) {
  const values = series.flatMap(s => s.points.flatMap(([, y, spread]) => spread ? [y - spread, y + spread] : [y])).filter(Number.isFinite).concat(include);
  let low = Math.min(...values), high = Math.max(...values);
  if (!(high > low)) [low, high] = [low - 1, high + 1];
  const margin = 0.06 * (high - low);
  return [low - margin, high + margin];
}

// Draw into a <figure>: {title, x, y, log, ticks, range, series, include, cursor, onCursor}. A series:
// {name, look, kind, points, at, dots, rings}; a point is [x, y], or [x, y, half the length of its bar].
function draw(figure, plot) {
  const holder = figure.querySelector('.plot'), width = Math.max(240, holder.clientWidth), height = plot.height || 230;
  const box = { left: 54, right: 10, top: 10, bottom: 40 };
  const xs = plot.series.flatMap(s => s.points.map(q => q[0]));
  const [x0, x1] = plot.range || [Math.min(...xs), Math.max(...xs)], [y0, y1] = plot.yRange || extent(plot.series, plot.include || []);
  const of = plot.log ? Math.log10 : v => v;
  const across = v => box.left + (of(v) - of(x0)) / (of(x1) - of(x0)) * (width - box.left - box.right);
  const up = v => height - box.bottom - (v - y0) / (y1 - y0) * (height - box.top - box.bottom);
  const svg = element('svg:svg', { viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': described(plot), class: 'chart' });
  const area = element('svg:g'), clip = `clip-${figure.id}`;
  svg.append(element('svg:clipPath', { id: clip }, element('svg:rect', { x: box.left, y: box.top - 4, width: width - box.left - box.right, height: height - box.top - box.bottom + 8 })));
  for (const v of ticks(y0, y1, height > 180 ? 5 : 3)) {
    svg.append(element('svg:line', { class: 'grid', x1: box.left, x2: width - box.right, y1: up(v), y2: up(v) }));
    svg.append(element('svg:text', { class: 'tick', x: box.left - 6, y: up(v) + 4, 'text-anchor': 'end' }, brief(v, 3)));
  }
  for (const v of plot.ticks || ticks(x0, x1, width > 420 ? 8 : 4)) {
    svg.append(element('svg:line', { class: 'grid', x1: across(v), x2: across(v), y1: box.top, y2: height - box.bottom }));
    svg.append(element('svg:text', { class: 'tick', x: across(v), y: height - box.bottom + 16, 'text-anchor': 'middle' }, brief(v, 3)));
  }
  svg.append(element('svg:text', { class: 'label', x: (box.left + width - box.right) / 2, y: height - 6, 'text-anchor': 'middle' }, plot.x));
  const middle = (box.top + height - box.bottom) / 2;
  svg.append(element('svg:text', { class: 'label', x: 12, y: middle, 'text-anchor': 'middle', transform: `rotate(-90 12 ${middle})` }, plot.y));
  area.setAttribute('clip-path', `url(#${clip})`);
  for (const one of plot.series) drawSeries(area, one, across, up, [y0, y1]);
  if (plot.cursor !== undefined) drawCursor(area, plot, across, up, box, height);
  svg.append(area);
  if (plot.onCursor) {
    const move = event => {
      const at = svg.getBoundingClientRect(), share = ((event.clientX - at.left) / at.width * width - box.left) / (width - box.left - box.right);
      plot.onCursor(x0 + Math.min(1, Math.max(0, share)) * (x1 - x0));
    };
    svg.addEventListener('pointerdown', move);
    svg.addEventListener('pointermove', event => { if (event.pointerType === 'mouse' || event.buttons) move(event); });
  }
  holder.replaceChildren(svg);
  if (figure.querySelector('details').open) fillTable(figure, plot);
  figure.plotted = plot;
}

function drawSeries(area, one, across, up, [y0, y1]) {
  let path = '', pen = false;
  const clipped = v => Math.min(y1 + (y1 - y0), Math.max(y0 - (y1 - y0), v));
  for (const [x, y, spread] of one.points) {
    if (!Number.isNaN(y)) path += `${pen ? 'L' : 'M'}${across(x).toFixed(2)} ${up(clipped(y)).toFixed(2)}`;
    pen = !Number.isNaN(y);
    if (spread) area.append(styled('svg:line', one, { x1: across(x), x2: across(x), y1: up(y - spread), y2: up(y + spread), class: 'bar' }));
  }
  area.append(styled('svg:path', one, { d: path, class: `line ${one.kind || ''}` }));
  if (one.dots) for (const [x, y] of one.points) area.append(styled('svg:circle', one, { cx: across(x), cy: up(y), r: 3.5, class: 'dot' }));
  for (const [x, y] of one.rings || []) area.append(styled('svg:circle', one, { cx: across(x), cy: up(y), r: 8, class: 'ring' }));
}

function styled(kind, one, attributes) {
  const made = element(kind, attributes), look = one.look || {};
  if (look.colour) {
    made.style.setProperty('--light', look.colour);
    made.style.setProperty('--dark', look.dark);
    made.classList.add('own');
  }
  if (look.dash && attributes.class.startsWith('line')) made.setAttribute('stroke-dasharray', look.dash);
  return made;
}

function drawCursor(area, plot, across, up, box, height) {
  area.append(element('svg:line', { class: 'cursor', x1: across(plot.cursor), x2: across(plot.cursor), y1: box.top, y2: height - box.bottom }));
  for (const one of plot.series) {
    const value = one.at ? one.at(plot.cursor) : NaN;
    if (Number.isFinite(value)) area.append(styled('svg:circle', one, { cx: across(plot.cursor), cy: up(value), r: 4, class: 'dot' }));
  }
}

// The chart in words: what is drawn against what, and for each line where it begins, is highest and ends.
function described(plot) {
  const lines = plot.series.filter(one => one.name).map(one => {
    const known = one.points.filter(q => !Number.isNaN(q[1]));
    if (!known.length) return `${one.name}: no values`;
    const top = known.reduce((a, b) => b[1] > a[1] ? b : a), low = known.reduce((a, b) => b[1] < a[1] ? b : a);
    return `${one.name}: from ${brief(known[0][1], 3)} to ${brief(known.at(-1)[1], 3)}, at most ${brief(top[1], 3)} at ${brief(top[0], 3)}, at least ${brief(low[1], 3)}`;
  });
  return `${plot.title}: ${plot.y} against ${plot.x}. ${lines.join('. ')}.`;
}

// Up to 25 rows: x, and the value of each line there.
function fillTable(figure, plot) {
  const named = plot.series.filter(one => one.name), xs = [...new Set(named.flatMap(one => one.points.map(q => q[0])))].sort((a, b) => a - b);
  const kept = xs.length <= 25 ? xs : Array.from({ length: 25 }, (_, k) => xs[Math.round(k * (xs.length - 1) / 24)]);
  const head = element('tr', {}, ...[plot.x, ...named.map(one => one.name)].map(text => element('th', { scope: 'col' }, text)));
  const rows = kept.map(x => element('tr', {}, element('th', { scope: 'row' }, brief(x)), ...named.map(one => {
    const found = one.points.find(q => q[0] === x);
    return element('td', {}, found ? brief(found[1]) : one.at ? brief(one.at(x)) : '');
  })));
  figure.querySelector('.data').replaceChildren(element('table', {}, element('caption', {}, `${plot.title}: ${plot.y}`), element('thead', {}, head), element('tbody', {}, ...rows)));
}
