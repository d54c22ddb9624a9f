// The controls: choice of surrogates, sliders of hyperparameters, and options of the neuron.

function swatch(entry) {
  const line = styled('svg:line', { look: entry }, { x1: 1, x2: 27, y1: 6, y2: 6, class: 'line' });
  return element('svg:svg', { class: 'swatch', viewBox: '0 0 28 12', 'aria-hidden': 'true' }, line);
}

function choice(entry, checked, onChange) {
  const box = element('input', { type: 'checkbox', id: `choose-${entry.id}` });
  box.checked = checked;
  box.addEventListener('change', () => onChange(box.checked));
  return element('label', { class: 'chip', title: entry.about }, box, swatch(entry), element('span', {}, entry.title));
}

// Positions of a slider are whole numbers from 0 to 1000.
const toPosition = (q, value) => {
  const [low, high] = q.log ? q.ends.map(Math.log) : q.ends, at = q.log ? Math.log(value) : value;
  return Math.round(1000 * Math.min(1, Math.max(0, (at - low) / (high - low))));
};
const fromPosition = (q, position) => {
  const share = position / 1000, [low, high] = q.ends;
  const value = q.log ? low * (high / low) ** share : low + (high - low) * share;
  return Number(position === 0 ? low : position === 1000 ? high : value.toPrecision(3));
};

// A slider and a field for the same number: {label, id, ends, log, value, allowed}; `onValue` gets each new value.
function slider(q, onValue) {
  const range = element('input', { type: 'range', id: q.id, min: 0, max: 1000, step: 1 });
  const field = element('input', { type: 'number', step: 'any', 'aria-label': `${q.label}, exact value` });
  const show = value => {
    range.value = toPosition(q, value);
    range.setAttribute('aria-valuetext', brief(value));
    if (document.activeElement !== field) field.value = value;
    field.removeAttribute('aria-invalid');
  };
  range.addEventListener('input', () => { const value = fromPosition(q, Number(range.value)); show(value); onValue(value); });
  field.addEventListener('input', () => {
    const value = field.value === '' ? NaN : Number(field.value);
    if (q.allowed(value)) { show(value); onValue(value); } else field.setAttribute('aria-invalid', 'true');
  });
  show(q.value);
  const made = element('div', { class: 'slider' }, element('label', { for: q.id }, q.label), field, range);
  made.show = show;
  return made;
}

function panel(entry, one, onChange, onRemove) {
  const rows = entry.parameters.map((q, i) => slider(
    { ...q, label: q.name, id: `${entry.id}-${i}`, value: one.p[i], allowed: value => allowed(q, value) },
    value => { one.p[i] = value; onChange(); },
  ));
  const reset = element('button', { type: 'button', 'aria-label': `Defaults of ${entry.title}` }, 'Defaults');
  reset.addEventListener('click', () => {
    one.p = entry.parameters.map(q => q.value);
    rows.forEach((row, i) => row.show(one.p[i]));
    onChange();
  });
  const about = element('p', { class: 'about' }, entry.about);
  const elsewhere = entry.elsewhere ? [element('p', { class: 'note' }, entry.elsewhere)] : [];
  const note = entry.fixed ? [element('p', { class: 'note' }, entry.fixed)] : [];
  return element('fieldset', { class: 'panel', id: `panel-${entry.id}` }, element('legend', {}, swatch(entry), entry.title), about, ...elsewhere, ...note, ...rows, ...(rows.length ? [reset] : []));
}
