// Functions that the formulas call and JavaScript lacks, in double precision.

function power(base, exponent) {
  return base === 1 ? 1 : Math.pow(base, exponent);
}

// The nearest integer; of two equally near ones, the even one.
function even(x) {
  const low = Math.floor(x), rest = x - low;
  return rest < 0.5 || (rest === 0.5 && low % 2 === 0) ? low : low + 1;
}

// x with so many bits after the leading one (Veltkamp's splitting).
function rounded(x, bits) {
  const scaled = x * (2 ** (52 - bits) + 1);
  return Number.isFinite(scaled) ? scaled - (scaled - x) : x;
}

// The bits of x in single precision, as a whole number.
function bits(x) {
  return new Uint32Array(new Float32Array([x]).buffer)[0];
}

// The error function: its Taylor series around 0, and 1 minus the continued fraction of erfc beyond.
function erf(x) {
  if (Math.abs(x) > 2.5) return x < 0 ? erfc(-x) - 1 : 1 - erfc(x);
  let term = x, sum = x;
  for (let k = 1; Math.abs(term) > 1e-17 * Math.abs(sum); k++) {
    term *= 2 * x * x / (2 * k + 1);
    sum += term;
  }
  return 2 / Math.sqrt(Math.PI) * Math.exp(-x * x) * sum;
}

function erfc(x) {
  if (!(x > 2.5)) return 1 - erf(x);
  if (x > 27) return 0;
  let fraction = 0;
  for (let k = 120; k > 0; k--) fraction = k / 2 / (x + fraction);
  return Math.exp(-x * x) / Math.sqrt(Math.PI) / (x + fraction);
}

// Newton's method from Winitzki's approximation.
function erfInverse(y) {
  if (!(Math.abs(y) < 1)) return Math.abs(y) === 1 ? y * Infinity : NaN;
  const log = Math.log1p(-y * y), half = 2 / (Math.PI * 0.147) + log / 2;
  let x = Math.sign(y) * Math.sqrt(Math.sqrt(half * half - log / 0.147) - half);
  for (let k = 0; k < 4; k++) {
    const off = y < 0 ? erfc(-x) - 1 - y : 1 - y - erfc(x);
    x -= off / (2 / Math.sqrt(Math.PI) * Math.exp(-x * x));
  }
  return x;
}
