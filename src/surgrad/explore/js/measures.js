// Peak, width and area of a slope, found as the library finds them: `surgrad.width` says what they mean.

const SIDE = Array.from({ length: 1201 }, (_, k) => 10 ** (-6 + k / 100));
const SOMEWHERE = [0, ...SIDE.flatMap(x => [x, -x])];
const DISTANCES = Array.from({ length: 2401 }, (_, k) => 10 ** (-12 + k / 100));

// The search takes a millisecond or two; what has not changed is not searched again.
const KNOWN = new Map();

function measures(entry, p) {
  const key = p.join(), known = KNOWN.get(entry);
  if (!known || known.key !== key) KNOWN.set(entry, { key, found: searched(entry, p) });
  return KNOWN.get(entry).found;
}

function searched(entry, p) {
  const slope = x => entry.slope(x, p);
  const at = peak(slope, entry.peaks), height = slope(at);
  const width = distance(slope, at, -1) + distance(slope, at, 1);
  const area = entry.curve ? entry.curve(Infinity, p) - entry.curve(-Infinity, p) : integral(slope, at, width);
  return { at, height, width, area };
}

function peak(slope, peaks) {
  let best = NaN;
  for (const x of peaks || SOMEWHERE) if (!(slope(x) <= slope(best))) best = x;
  if (peaks || Number.isNaN(best)) return best;
  const factor = 10 ** 0.01;
  let [low, high] = best === 0 ? [-1e-6, 1e-6] : [best / factor, best * factor].sort((a, b) => a - b);
  for (let k = 0; k < 80; k++) {
    const inner = low + (high - low) / 3, outer = high - (high - low) / 3;
    [low, high] = slope(inner) < slope(outer) ? [inner, high] : [low, outer];
  }
  const found = (low + high) / 2;
  return slope(found) > slope(best) ? found : best;
}

// The distance from the peak at which the slope has first fallen to half of it, on one side.
function distance(slope, at, side) {
  const half = slope(at) / 2, fallen = d => slope(at + side * d) <= half;
  const first = DISTANCES.findIndex(fallen);
  if (first < 0) return Infinity;
  let near = first > 0 ? DISTANCES[first - 1] : 0, far = DISTANCES[first];
  for (let k = 0; k < 50; k++) {
    const middle = near + (far - near) / 2;
    if (fallen(middle)) far = middle; else near = middle;
  }
  return far;
}

// The integral of a slope without a curve, over x = at + width sinh(t), by Simpson's rule, halved where it must be.
function integral(slope, at, width) {
  const scale = Number.isFinite(width) && width > 0 ? width : 1;
  const f = t => slope(at + scale * Math.sinh(t)) * scale * Math.cosh(t);
  const end = f(60) > 1e-9 || f(-60) > 1e-9;
  if (end) return Infinity;
  function refine(a, fa, b, fb, m, fm, whole, depth) {
    const l = (a + m) / 2, r = (m + b) / 2, fl = f(l), fr = f(r);
    const left = (m - a) / 6 * (fa + 4 * fl + fm), right = (b - m) / 6 * (fm + 4 * fr + fb);
    const off = left + right - whole;
    if (depth === 0 || Math.abs(off) < 1e-11 * scale) return left + right + off / 15;
    return refine(a, fa, m, fm, l, fl, left, depth - 1) + refine(m, fm, b, fb, r, fr, right, depth - 1);
  }
  let sum = 0;
  for (let k = -240; k < 240; k++) {
    const a = k / 4, b = (k + 1) / 4, m = (a + b) / 2, fa = f(a), fb = f(b), fm = f(m);
    sum += refine(a, fa, b, fb, m, fm, (b - a) / 6 * (fa + 4 * fm + fb), 40);
  }
  return sum;
}
