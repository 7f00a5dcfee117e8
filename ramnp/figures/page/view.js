/* Drawing on canvases: the scene with the glimpses on it, what was seen, lines over time. */
"use strict";

// The colours of time in the project's pictures: matplotlib's plasma, from 0.40 to 0.92.
const TIME_COLOURS = ["#b12a90", "#d24f71", "#eb7655", "#fca338", "#fbd724"];

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`);
}

// Return the colour of glimpse t of T, and of text on it.
function timeColour(t, T) {
  const place = T > 1 ? (t / (T - 1)) * (TIME_COLOURS.length - 1) : 0;
  const i = Math.min(Math.floor(place), TIME_COLOURS.length - 2);
  const channel = (hex, k) => parseInt(hex.slice(1 + 2 * k, 3 + 2 * k), 16);
  const [r, g, b] = [0, 1, 2].map((k) => {
    const from = channel(TIME_COLOURS[i], k), to = channel(TIME_COLOURS[i + 1], k);
    return Math.round(from + (place - i) * (to - from));
  });
  return { fill: `rgb(${r}, ${g}, ${b})`, ink: g > 100 ? "#000" : "#fff" };
}

// Return a canvas of pixels, each one number from 0 (black) to 1 (white) or three.
function toCanvas(values, columns, rows) {
  const canvas = document.createElement("canvas");
  canvas.width = columns;
  canvas.height = rows;
  const context = canvas.getContext("2d");
  const image = context.createImageData(columns, rows);
  const channels = values.length / (columns * rows);
  for (let i = 0; i < columns * rows; i++) {
    for (let c = 0; c < 3; c++) image.data[4 * i + c] = 255 * values[i * channels + (c % channels)];
    image.data[4 * i + 3] = 255;
  }
  context.putImageData(image, 0, 0);
  return canvas;
}

// Return what the retina saw in a step, as one small canvas for each scale.
function patchesOf(step) {
  const size = config.patch_size, length = step.rho_t.length / config.num_scales;
  step.patches ??= step.windows.map((_, j) =>
    toCanvas(step.rho_t.slice(j * length, (j + 1) * length), size, size));
  return step.patches;
}

// Fit a canvas to its place on the page; return its context, cleared, in CSS pixels.
function contextOf(canvas) {
  const ratio = Math.min(devicePixelRatio || 1, 3);
  const { clientWidth, clientHeight } = canvas;
  const columns = Math.max(Math.round(clientWidth * ratio), 1);
  const rows = Math.max(Math.round(clientHeight * ratio), 1);
  if (canvas.width !== columns || canvas.height !== rows) {
    canvas.width = columns;
    canvas.height = rows;
  }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, clientWidth, clientHeight);
  context.imageSmoothingEnabled = false;
  return context;
}

// The view shows the image and a margin, in which glimpses reach beyond the border.
const margin = 0.1 * Math.max(width, height);

// Draw the scene and the first t glimpses at it; `progress` of the way to the next one.
// With std, also the Gaussian from which the next location is drawn; if eyes, only what
// the retina has seen of the scene. Returns the context and the size of a pixel in it.
function drawView(canvas, picture, steps, t, { progress = 0, std = null, eyes = false, numbers = true }) {
  const context = contextOf(canvas);
  const T = steps.length;
  const scale = canvas.clientWidth / (width + 2 * margin);
  const seen = steps.slice(0, t);
  const grey = Math.round(255 * config.background);
  context.fillStyle = eyes ? colour("unseen") : `rgb(${grey}, ${grey}, ${grey})`;
  context.fillRect(0, 0, canvas.clientWidth, canvas.clientHeight);
  context.translate(margin * scale, margin * scale);
  const place = ([left, top, right, bottom]) =>
    [left * scale, top * scale, (right - left) * scale, (bottom - top) * scale];
  context.imageSmoothingEnabled = scale < 1; // large images are shown smaller than they are
  if (eyes) drawSeen(context, seen, place);
  else context.drawImage(picture, 0, 0, width * scale, height * scale);
  context.strokeStyle = "#808898";
  context.lineWidth = 1;
  context.strokeRect(0, 0, width * scale, height * scale);
  if (std !== null && t < T) drawGaussian(context, steps[t - 1].mu_t, std, scale);

  const centres = seen.map(({ windows: [[left, top, right, bottom]] }) =>
    [((left + right) / 2) * scale, ((top + bottom) / 2) * scale]);
  seen.forEach((step, i) => {
    context.strokeStyle = timeColour(i, T).fill;
    if (i) drawLine(context, centres[i - 1], centres[i], 1.5);
    context.lineWidth = i === t - 1 ? 3 : 1.5;
    context.strokeRect(...place(step.windows[0]));
  });

  // In flight, the windows are between those of two glimpses.
  const flight = Math.max(progress - FLIGHT_STARTS, 0) / (1 - FLIGHT_STARTS);
  const eased = flight * flight * (3 - 2 * flight);
  const from = steps[t - 1].windows, to = (steps[t] ?? steps[t - 1]).windows;
  const now = from.map((edges, j) => edges.map((edge, k) => edge + eased * (to[j][k] - edge)));
  context.strokeStyle = timeColour(flight > 0 ? Math.min(t, T - 1) : t - 1, T).fill;
  context.lineWidth = 3;
  if (flight > 0) context.strokeRect(...place(now[0]));
  // The coarse scales of this glimpse alone: those of all would hide the scene.
  context.lineWidth = 1.5;
  context.setLineDash([5, 4]);
  now.slice(1).forEach((edges) => context.strokeRect(...place(edges)));
  context.setLineDash([]);
  if (numbers) drawNumbersOf(context, seen, T, place);
  return { context, scale };
}

// Draw what the retina saw, coarse scales first and the finer on top of them.
function drawSeen(context, seen, place) {
  for (let j = config.num_scales - 1; j >= 0; j--) {
    for (const step of seen) context.drawImage(patchesOf(step)[j], ...place(step.windows[j]));
  }
}

// Draw the policy's Gaussian: a glow, its mean as a cross, and rings at 1 and 2 σ.
function drawGaussian(context, mu, std, scale) {
  const [x, y] = [(1 + mu[0]) / 2 * width * scale, (1 + mu[1]) / 2 * height * scale];
  const radius = [std * width * scale / 2, std * height * scale / 2];
  const orange = "#D55E00"; // as --policy, on any scene
  context.save();
  context.translate(x, y);
  if (std > 0) {
    context.save();
    context.scale(...radius);
    const glow = context.createRadialGradient(0, 0, 0, 0, 0, 3);
    for (let r = 0; r <= 3; r += 0.25) {
      const alpha = Math.round(170 * Math.exp(-r * r / 2)).toString(16).padStart(2, "0");
      glow.addColorStop(r / 3, orange + alpha);
    }
    context.fillStyle = glow;
    context.fillRect(-3, -3, 6, 6);
    context.restore();
    context.strokeStyle = orange;
    for (const ring of [1, 2]) {
      context.lineWidth = 3 - ring;
      context.beginPath();
      context.ellipse(0, 0, ring * radius[0], ring * radius[1], 0, 0, 2 * Math.PI);
      context.stroke();
    }
  }
  context.strokeStyle = "#fff";
  drawLine(context, [-6, 0], [6, 0], 2);
  drawLine(context, [0, -6], [0, 6], 2);
  context.restore();
}

// Number the finest windows, each at the corner that is farthest from other numbers.
function drawNumbersOf(context, seen, T, place) {
  const taken = [];
  seen.forEach(({ windows: [finest] }, i) => {
    const [x, y, w, h] = place(finest);
    const corners = [[x, y], [x + w, y], [x, y + h], [x + w, y + h]];
    const room = corners.map(([cx, cy]) =>
      taken.reduce((least, [tx, ty]) => Math.min(least, Math.hypot(cx - tx, cy - ty)), 1e9));
    taken.push(corners[room.indexOf(Math.max(...room))]);
    const { fill, ink } = timeColour(i, T);
    context.beginPath();
    context.arc(...last(taken), 9, 0, 2 * Math.PI);
    context.fillStyle = fill;
    context.fill();
    context.fillStyle = ink;
    context.font = "bold 11px system-ui, sans-serif";
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.fillText(i + 1, ...last(taken));
  });
}

function drawLine(context, from, to, lineWidth) {
  context.lineWidth = lineWidth;
  context.beginPath();
  context.moveTo(...from);
  context.lineTo(...to);
  context.stroke();
}

// Draw lines of values from 0 to 1 over `count` places.
function drawChart(canvas, { count, lines, title, ticks }) {
  const context = contextOf(canvas);
  const left = 38, right = canvas.clientWidth - 8, top = 20, bottom = canvas.clientHeight - (ticks ? 18 : 8);
  const x = (i) => left + (count > 1 ? (i / (count - 1)) * (right - left) : 0);
  const y = (value) => bottom - value * (bottom - top);
  context.font = "11px system-ui, sans-serif";
  context.fillStyle = colour("quiet");
  context.strokeStyle = colour("line");
  context.textBaseline = "middle";
  context.textAlign = "left";
  context.fillText(title, left, 8);
  context.textAlign = "right";
  for (const value of [0, 0.5, 1]) {
    drawLine(context, [left, y(value)], [right, y(value)], 1);
    context.fillText(percent(value), left - 5, y(value));
  }
  context.textAlign = "center";
  const every = Math.ceil(count / 12);
  for (let i = 0; ticks && i < count; i += every) context.fillText(i + 1, x(i), bottom + 10);
  const inOrder = [...lines].sort((a, b) => (b.colour === "muted") - (a.colour === "muted"));
  for (const { values, colour: name, label, labelAt } of inOrder) {
    context.strokeStyle = context.fillStyle = colour(name);
    context.lineWidth = name === "muted" ? 1 : 2.5;
    context.lineJoin = "round";
    context.beginPath();
    values.forEach((value, i) => context.lineTo(x(i), y(value)));
    context.stroke();
    if (name !== "muted" && values.length) {
      context.beginPath();
      context.arc(x(values.length - 1), y(last(values)), 3.5, 0, 2 * Math.PI);
      context.fill();
      context.fillStyle = colour("ink");
      context.textAlign = "right";
      if (label) context.fillText(label, x(values.length - 1), y(last(values)) + labelAt);
    }
  }
}
