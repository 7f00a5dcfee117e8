/* The agent of figure 1, forward, for one image: what ramnp/agent/ computes.

   One function per network of the paper, in the paper's symbols. A vector is an array,
   a matrix W (in, out) lies row by row in one Float32Array, and the code of y = x W + b
   is linear(x, W, b). tests/browser/ proves this file against the NumPy package. */
"use strict";

/* Glimpse sensor ρ(x, l): k concentric patches, each coarser and wider than the one
   before (3.1 A). See ramnp/agent/glimpse_sensor.py for the pixel convention. */

// Return S, where S[y, x] is the sum of image - background over all pixels above and to
// the left of the corner (x, y). Any rectangle's sum then takes four reads of S.
function summedArea({ pixels, width, height, channels = 1 }, background = 0, channel = 0) {
  const S = new Float64Array((width + 1) * (height + 1));
  for (let y = 0; y < height; y++) {
    let row = 0;
    for (let x = 0; x < width; x++) {
      row += pixels[(y * width + x) * channels + channel] - background;
      S[(y + 1) * (width + 1) + x + 1] = S[y * (width + 1) + x + 1] + row;
    }
  }
  return { S, width, height, background };
}

// Return the summed area of each channel of an image.
function summedAreas(image, background) {
  return Array.from({ length: image.channels ?? 1 }, (_, c) => summedArea(image, background, c));
}

// Return the mean of the image over a rectangle, whose edges may cut pixels in parts
// and may lie beyond the border, where the background is.
function mean(area, left, top, right, bottom) {
  const sum =
    sumUpTo(area, right, bottom) - sumUpTo(area, left, bottom) -
    sumUpTo(area, right, top) + sumUpTo(area, left, top);
  return area.background + sum / ((right - left) * (bottom - top));
}

function sumUpTo({ S, width, height }, x, y) {
  x = Math.min(Math.max(x, 0), width);
  y = Math.min(Math.max(y, 0), height);
  const x0 = Math.floor(x), y0 = Math.floor(y);
  const x1 = Math.min(x0 + 1, width), y1 = Math.min(y0 + 1, height);
  const at = (column, row) => S[row * (width + 1) + column];
  const upper = at(x0, y0) + (x - x0) * (at(x1, y0) - at(x0, y0));
  const lower = at(x0, y1) + (x - x0) * (at(x1, y1) - at(x0, y1));
  return upper + (y - y0) * (lower - upper);
}

// Return the whole pixel at which the finest patch starts along one axis: l spans the
// image from edge to edge, and ties are rounded away from the image's centre. The
// rounding to float32 is NumPy's.
function firstPixel(l, size, patch) {
  const gap = size - patch;
  const half = (Math.abs(gap) % 2) / 2; // an odd gap has no patch in the very middle
  const shift = Math.fround(l * (size / 2));
  const distance = Math.abs(shift) < 2 ** 30 ? Math.abs(shift) : 2 ** 30;
  const rounded = Math.floor(Math.fround(distance + 0.5 - half)) + half;
  return gap / 2 + (shift < 0 ? -rounded : rounded);
}

// Return the edges [left, top, right, bottom] in pixels of what each scale covers.
function windowsAt(l_t, { width, height }, { patch_size, num_scales, scale_factor }) {
  const x = firstPixel(l_t[0], width, patch_size) + patch_size / 2;
  const y = firstPixel(l_t[1], height, patch_size) + patch_size / 2;
  return Array.from({ length: num_scales }, (_, j) => {
    const half = (patch_size * scale_factor ** j) / 2;
    return [x - half, y - half, x + half, y + half];
  });
}

// Return ρ_t: each cell is the mean of the image over the area that it covers, scale by
// scale, row by row, in each channel.
function glimpseSensor(areas, windows, patch) {
  const rho_t = [];
  for (const [left, top, right] of windows) {
    const cell = (right - left) / patch;
    for (let row = 0; row < patch; row++) {
      for (let column = 0; column < patch; column++) {
        const x = left + column * cell, y = top + row * cell;
        for (const area of areas) rho_t.push(mean(area, x, y, x + cell, y + cell));
      }
    }
  }
  return rho_t;
}

/* Glimpse network f_g: what was seen, and where, in one vector (3.1 B).
   h_g = Rect(Linear(ρ)),  h_l = Rect(Linear(l)),  g = Rect(Linear(h_g) + Linear(h_l)) */
function glimpseNetwork(params, rho_t, l_t) {
  const hg_t = rect(linear(rho_t, params.W_hg, params.b_hg));
  const hl_t = rect(linear(l_t, params.W_hl, params.b_hl));
  return rect(linear([...hg_t, ...hl_t], params.W_g, params.b_g));
}

/* Core network f_h: what the agent remembers (3.1 C).
   h_t = Rect(Linear(h_{t-1}) + Linear(g_t)),  h_0 = 0 */
function coreNetwork(params, h_tm1, g_t) {
  const z = linear(g_t, params.W_g, params.b_h);
  return rect(linear(h_tm1, params.W_h, z));
}

const BOUNDS = {
  none: (z) => z,
  tanh: Math.tanh,
  "hard-tanh": (z) => Math.min(1, Math.max(-1, z)),
};

/* Location network f_l: where to look next, a Gaussian around the mean μ_t (3.1 A).
   μ_t = Linear(h_t), with a hidden rectified layer and a bound where the agent has them */
function locationNetwork(params, h_t, bound) {
  const hidden = params.W_hidden
    ? rect(linear(h_t, params.W_hidden, params.b_hidden))
    : h_t;
  const mu_t = linear(hidden, params.W_mu, params.b_mu);
  return mu_t.map(BOUNDS[bound]);
}

/* Action network f_a: which class it is, a linear softmax of h_t (3.1 D). */
function actionNetwork(params, h_t) {
  const logits = linear(h_t, params.W_a, params.b_a);
  const largest = Math.max(...logits);
  const exponentials = logits.map((z) => Math.exp(z - largest));
  const total = exponentials.reduce((a, b) => a + b);
  return exponentials.map((e) => e / total);
}

/* The agent at work: T times glimpse, remember, decide, choose where to look next.

   T       number of glimpses
   policy  "learned": l_{t+1} ~ N(μ_t, σ² I); "random": every location is uniform
   std     σ, in half image sides
   draws   the random numbers, {uniform: [u, u], normal: [n, n]} for each t; without
           them nothing is random: each location is the mean μ_t, the first the centre
   chosen  locations that a person chose, by t: these replace the policy's

   Returns for each t: l_t, the windows that the sensor covers, rho_t, the vectors g_t
   and h_t, the class probabilities, and mu_t, the policy's mean for the next look. */
function rollout(agent, image, options = {}) {
  const { params, config } = agent;
  const { T = config.num_glimpses, policy = config.policy, std = agent.location_std } = options;
  const { draws = [], chosen = [] } = options;
  const areas = summedAreas(image, config.background);
  const steps = [];
  let h_t = new Float64Array(params.core.b_h.length);
  let mu_t = null;
  for (let t = 0; t < T; t++) {
    const place = chosen[t] ?? locate(t, mu_t, policy, std, draws[t], config.first_glimpse);
    const l_t = Array.from(place, Math.fround);
    const windows = windowsAt(l_t, image, config);
    const rho_t = glimpseSensor(areas, windows, config.patch_size);
    const g_t = glimpseNetwork(params.glimpse, rho_t, l_t);
    h_t = coreNetwork(params.core, h_t, g_t);
    const probabilities = actionNetwork(params.action, h_t);
    mu_t = locationNetwork(params.location, h_t, config.locator_bound);
    steps.push({ l_t, windows, rho_t, g_t, h_t, probabilities, mu_t });
  }
  return steps;
}

// Return l_t; mu_t is the mean that the policy gave after the glimpse before.
function locate(t, mu_t, policy, std, draw, firstGlimpse) {
  if (t > 0 && policy === "learned") return draw ? sample(mu_t, std, draw.normal) : mu_t;
  if (!draw || (t === 0 && firstGlimpse === "center")) return [0, 0];
  if (t === 0 && firstGlimpse === "near-center") return sample([0, 0], std, draw.normal);
  return draw.uniform.map((u) => 2 * u - 1);
}

// Draw l ~ N(mu, std² I), unclipped, from two standard normal numbers.
function sample(mu, std, normal) {
  return [mu[0] + std * normal[0], mu[1] + std * normal[1]];
}

// Draw the random numbers of T glimpses; normal ones by the method of Box and Muller.
function drawNumbers(T) {
  return Array.from({ length: T }, () => {
    const radius = Math.sqrt(-2 * Math.log(1 - Math.random()));
    const angle = 2 * Math.PI * Math.random();
    return {
      uniform: [Math.random(), Math.random()],
      normal: [radius * Math.cos(angle), radius * Math.sin(angle)],
    };
  });
}

/* The two layers. */

// Return y = x W + b, for x (in), W (in, out), b (out). Many units of x are off (0):
// their rows of W are skipped.
function linear(x, W, b) {
  const y = Float64Array.from(b);
  const out = y.length;
  for (let i = 0; i < x.length; i++) {
    const x_i = x[i];
    if (x_i === 0) continue;
    const row = i * out;
    for (let j = 0; j < out; j++) y[j] += x_i * W[row + j];
  }
  return y;
}

// Return max(x, 0), elementwise.
function rect(x) {
  return x.map((value) => Math.max(value, 0));
}

/* The weights, as ramnp/figures/page.py writes them: one flat vector, base64. */

function loadAgent({ config, location_std, shapes, weights, dtype }) {
  const bytes = decodeBytes(weights);
  const vector = dtype === "float16"
    ? Float32Array.from(new Uint16Array(bytes.buffer), halfToFloat)
    : new Float32Array(bytes.buffer);
  const params = {};
  let start = 0;
  for (const [network, name, size] of shapes) {
    params[network] ??= {};
    params[network][name] = vector.subarray(start, start + size);
    start += size;
  }
  return { params, config, location_std };
}

function decodeBytes(base64) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

// Return the value of a float16, given as its 16 bits: sign, 5 of exponent, 10 of fraction.
function halfToFloat(bits) {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = (bits & 1023) / 1024;
  return exponent ? sign * (1 + fraction) * 2 ** (exponent - 15) : sign * fraction * 2 ** -14;
}
