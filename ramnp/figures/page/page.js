/* What a person sees and does. Everything shown follows from `state`: whoever changes it
   calls look() where the agent must look anew, and show(). */
"use strict";

const data = JSON.parse(element("data").textContent);
const agent = loadAgent(data);
const { config } = agent;
const testScenes = loadImages(data.scenes);
const otherDigits = loadImages(data.digits);
const { width, height } = testScenes[0];
const digitSize = data.digits;
const learned = config.policy === "learned";
const MOST_GLIMPSES = Math.max(config.num_glimpses, Math.min(2 * config.num_glimpses, 24));
const MOST_CLUTTER = Math.min(Math.max(16, 2 * config.num_clutter), 200);
const MOST_ROWS = 12; // of classes
// The colours of time in the project's pictures: matplotlib's plasma, from 0.40 to 0.92.
const TIME_COLOURS = ["#b12a90", "#d24f71", "#eb7655", "#fca338", "#fbd724"];

const state = {
  // What there is to see: a piece {image, x, y} on paper of one brightness, and clutter.
  piece: null,
  paper: 0,
  label: null, // the true class, where it is known
  index: null, // of the test scene
  clutter: [], // as many as could be asked for
  ownClutter: 0, // pieces that are part of the test scene itself
  numClutter: 0,
  inverted: false,
  // How the agent looks at it.
  draws: drawNumbers(MOST_GLIMPSES),
  chosen: [], // locations that the person chose, by t
  T: config.num_glimpses,
  std: agent.location_std,
  // What follows from these, see look().
  scene: null,
  steps: [],
  policySteps: [], // the same without the person's choices
  randomSteps: [], // the same with looks at random places
  // Where we are: t glimpses are shown, and `progress` of the way to the next one.
  t: 1,
  progress: 0,
  mode: "paused", // or "play", or "step": as far as the next glimpse
  eyes: false, // show only what was seen
  marker: null, // the location under the keyboard's marker
  tally: { you: 0, policy: 0 },
};

const strokes = []; // of the drawing, as lists of [x, y], in sides of the pad
const calm = matchMedia("(prefers-reduced-motion: reduce)");

function element(id) {
  return document.getElementById(id);
}

/* Scenes. */

function takeTestScene(index) {
  state.index = (index + testScenes.length) % testScenes.length;
  const scene = testScenes[state.index];
  // Ink is what differs from the background: where the scene is dragged away, that is left.
  const ink = { ...scene, pixels: scene.pixels.map((value) => value - config.background) };
  useScene({
    piece: { image: ink, x: 0, y: 0 },
    paper: config.background,
    label: data.scenes.labels[state.index],
    ownClutter: config.num_clutter,
    inverted: false,
  });
}

// Show a digit that somebody drew or photographed, white on black, at a random place.
function takeDigit(image) {
  useScene({
    piece: { image, x: randomUpTo(width - image.width), y: randomUpTo(height - image.height) },
    paper: 0,
    label: null,
    index: null,
    ownClutter: 0,
    inverted: config.background > 0.5,
  });
}

function useScene(changes) {
  Object.assign(state, changes);
  state.numClutter = config.num_clutter;
  state.clutter = config.num_clutter
    ? Array.from({ length: MOST_CLUTTER }, () =>
        drawClutter(otherDigits, state.index ?? otherDigits.length, config.clutter_size, { width, height }))
    : [];
  replay();
}

/* Looking. */

// Start again at the first glimpse, with new random numbers.
function replay() {
  state.draws = drawNumbers(MOST_GLIMPSES);
  state.chosen = [];
  state.t = 1;
  state.progress = 0;
  look();
}

// Compute all that the agent sees and thinks, from the scene and the person's choices.
function look() {
  const { T, std, draws, chosen } = state;
  const added = state.clutter.slice(0, Math.max(state.numClutter - state.ownClutter, 0));
  state.scene = compose([state.piece, ...added], width, height, state.paper, state.inverted);
  state.picture = toCanvas(state.scene.pixels, width, height);
  state.policySteps = rollout(agent, state.scene, { T, std, draws });
  state.randomSteps = learned ? rollout(agent, state.scene, { T, std, draws, policy: "random" }) : [];
  state.steps = chosen.length ? rollout(agent, state.scene, { T, std, draws, chosen }) : state.policySteps;
  state.t = Math.min(state.t, T);
  show();
}

// Let the person's choice replace the next look. After the last one, begin again: same
// scene, same first glimpse.
function takeOver(l) {
  if (state.T === 1) return say("With one glimpse there is nothing to choose: raise the number of glimpses.");
  if (state.t === state.T) {
    state.t = 1;
    state.chosen = [];
  }
  state.chosen.length = Math.min(state.chosen.length, state.t);
  state.chosen[state.t] = l;
  state.progress = 0;
  look();
  move("step");
}

// Begin to play, or to step to the next glimpse.
function move(mode) {
  state.mode = mode;
  if (state.t >= state.T) return pause();
  if (mode === "step" || calm.matches) state.progress = Math.max(state.progress, FLIGHT_STARTS);
  startFrames();
  showTransport();
}

function pause() {
  state.mode = "paused";
  showTransport();
}

// A glimpse takes the time that the slider says; in the last part the retina flies on.
const FLIGHT_STARTS = 0.6;
let frameBefore = 0; // when the last frame was drawn, 0 when none is due

function startFrames() {
  if (!frameBefore) {
    frameBefore = performance.now();
    requestAnimationFrame(frame);
  }
}

function frame(now) {
  const seconds = Math.max(now - frameBefore, 0) / 1000;
  frameBefore = 0;
  if (state.mode === "paused") return;
  state.progress += seconds / Number(element("speed").value);
  if (state.progress >= 1 || (calm.matches && state.mode === "step")) arrive();
  else showScene();
  if (state.mode !== "paused") {
    frameBefore = now;
    requestAnimationFrame(frame);
  }
}

function arrive() {
  state.t += 1;
  state.progress = 0;
  const finished = state.t >= state.T;
  const stepped = state.mode === "step";
  if (finished || stepped) state.mode = "paused";
  if (finished && state.chosen.length && winner() in state.tally) state.tally[winner()] += 1;
  show();
  if (finished || stepped) say(sentence());
}

// Return who gave the true class the higher probability, if anybody clearly did.
function winner() {
  if (state.label === null) return null;
  const you = last(state.steps).probabilities[state.label];
  const policy = last(state.policySteps).probabilities[state.label];
  return Math.abs(you - policy) < 0.005 ? "nobody" : you > policy ? "you" : "policy";
}

/* Words. */

function say(text) {
  element("live").textContent = text;
}

function sentence() {
  const { l_t, probabilities } = state.steps[state.t - 1];
  return `Glimpse ${state.t} of ${state.T} at x ${l_t[0].toFixed(2)}, y ${l_t[1].toFixed(2)}. ` +
    `Best guess ${guess(probabilities)}.`;
}

function guess(probabilities) {
  const c = favourite(probabilities);
  return `${data.classes[c]}, ${percent(probabilities[c])}`;
}

function percent(share) {
  return `${Math.round(100 * share)} %`;
}

function favourite(probabilities) {
  return probabilities.indexOf(Math.max(...probabilities));
}

function last(list) {
  return list[list.length - 1];
}

function verdict(steps) {
  const { probabilities } = last(steps);
  if (state.label === null) return guess(probabilities);
  const right = favourite(probabilities) === state.label;
  return `${guess(probabilities)}, ${right ? "right" : `wrong: it is ${data.classes[state.label]}`}`;
}

/* Showing. */

function show() {
  showScene();
  showFilm();
  showRetina();
  showMemory();
  showBeliefs();
  showGrowth();
  showNextLook();
  showDuel();
  showComparison();
  showControls();
  showTransport();
}

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`);
}

// Return the colour of glimpse t of T, and of text on it.
function timeColour(t) {
  const place = state.T > 1 ? (t / (state.T - 1)) * (TIME_COLOURS.length - 1) : 0;
  const i = Math.min(Math.floor(place), TIME_COLOURS.length - 2);
  const channel = (hex, k) => parseInt(hex.slice(1 + 2 * k, 3 + 2 * k), 16);
  const [r, g, b] = [0, 1, 2].map((k) => {
    const from = channel(TIME_COLOURS[i], k), to = channel(TIME_COLOURS[i + 1], k);
    return Math.round(from + (place - i) * (to - from));
  });
  return { fill: `rgb(${r}, ${g}, ${b})`, ink: g > 100 ? "#000" : "#fff" };
}

// Return a canvas with one pixel for each number from 0 (black) to 1 (white).
function toCanvas(values, columns, rows) {
  const canvas = document.createElement("canvas");
  canvas.width = columns;
  canvas.height = rows;
  const context = canvas.getContext("2d");
  const image = context.createImageData(columns, rows);
  for (let i = 0; i < columns * rows; i++) {
    image.data.fill(255 * values[i], 4 * i, 4 * i + 3);
    image.data[4 * i + 3] = 255;
  }
  context.putImageData(image, 0, 0);
  return canvas;
}

// Return what the retina saw in a step, as one small canvas for each scale.
function patchesOf(step) {
  const size = config.patch_size;
  step.patches ??= step.windows.map((_, j) =>
    toCanvas(step.rho_t.slice(j * size * size, (j + 1) * size * size), size, size));
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

// Draw the scene with the first t glimpses; `progress` of the way to the next one.
function drawView(canvas, steps, t, { progress = 0, gaussian = false, eyes = false, numbers = true }) {
  const context = contextOf(canvas);
  const scale = canvas.clientWidth / (width + 2 * margin);
  const seen = steps.slice(0, t);
  const grey = Math.round(255 * config.background);
  context.fillStyle = eyes ? colour("unseen") : `rgb(${grey}, ${grey}, ${grey})`;
  context.fillRect(0, 0, canvas.clientWidth, canvas.clientHeight);
  context.translate(margin * scale, margin * scale);
  const place = ([left, top, right, bottom]) =>
    [left * scale, top * scale, (right - left) * scale, (bottom - top) * scale];
  if (eyes) drawSeen(context, seen, place);
  else context.drawImage(state.picture, 0, 0, width * scale, height * scale);
  context.strokeStyle = "#808898";
  context.lineWidth = 1;
  context.strokeRect(0, 0, width * scale, height * scale);

  if (gaussian && t < steps.length) drawGaussian(context, steps[t - 1].mu_t, scale, progress);
  const centres = seen.map(({ windows: [[left, top, right, bottom]] }) =>
    [((left + right) / 2) * scale, ((top + bottom) / 2) * scale]);
  seen.forEach((step, i) => {
    context.strokeStyle = timeColour(i).fill;
    if (i) drawLine(context, centres[i - 1], centres[i], 1.5);
    context.lineWidth = i === t - 1 ? 3 : 1.5;
    context.strokeRect(...place(step.windows[0]));
  });
  // The coarse scales of this glimpse alone: of all they would hide the scene.
  const flight = Math.max(progress - FLIGHT_STARTS, 0) / (1 - FLIGHT_STARTS);
  const eased = flight * flight * (3 - 2 * flight);
  const from = steps[t - 1].windows, to = (steps[t] ?? steps[t - 1]).windows;
  const now = from.map((edges, j) => edges.map((edge, k) => edge + eased * (to[j][k] - edge)));
  context.strokeStyle = timeColour(flight > 0 ? Math.min(t, steps.length - 1) : t - 1).fill;
  context.setLineDash([5, 4]);
  context.lineWidth = 1.5;
  now.slice(1).forEach((edges) => context.strokeRect(...place(edges)));
  context.setLineDash([]);
  if (flight > 0) {
    context.lineWidth = 3;
    context.strokeRect(...place(now[0]));
  }
  if (numbers) drawNumbersOf(context, seen, place);
  return { context, scale };
}

// Draw what the retina saw, coarse scales first and the finer on top of them.
function drawSeen(context, seen, place) {
  for (let j = config.num_scales - 1; j >= 0; j--) {
    for (const step of seen) context.drawImage(patchesOf(step)[j], ...place(step.windows[j]));
  }
}

// Draw the policy's Gaussian: its mean as a cross, and rings at 1 and 2 σ.
function drawGaussian(context, mu, scale, progress) {
  const radiusX = (state.std * width * scale) / 2, radiusY = (state.std * height * scale) / 2;
  const x = ((1 + mu[0]) / 2) * width * scale, y = ((1 + mu[1]) / 2) * height * scale;
  context.save();
  context.translate(x, y);
  context.globalAlpha = state.mode === "play" ? Math.min(progress * 5, 1) : 1;
  context.strokeStyle = context.fillStyle = "#D55E00"; // as --policy, on any scene
  if (state.std > 0) {
    context.save();
    context.scale(radiusX, radiusY);
    const glow = context.createRadialGradient(0, 0, 0, 0, 0, 3);
    for (let r = 0; r <= 3; r += 0.25) {
      const alpha = Math.round(170 * Math.exp((-r * r) / 2)).toString(16).padStart(2, "0");
      glow.addColorStop(r / 3, `#D55E00${r < 3 ? alpha : "00"}`);
    }
    context.fillStyle = glow;
    context.fillRect(-3, -3, 6, 6);
    context.restore();
    for (const ring of [1, 2]) {
      context.beginPath();
      context.ellipse(0, 0, ring * radiusX, ring * radiusY, 0, 0, 2 * Math.PI);
      context.lineWidth = 3 - ring;
      context.stroke();
    }
  }
  context.strokeStyle = "#fff";
  drawLine(context, [-6, 0], [6, 0], 2);
  drawLine(context, [0, -6], [0, 6], 2);
  context.restore();
}

// Number the finest windows, each at the corner that is farthest from other numbers.
function drawNumbersOf(context, seen, place) {
  const taken = [];
  seen.forEach(({ windows: [finest] }, i) => {
    const [x, y, w, h] = place(finest);
    const corners = [[x, y], [x + w, y], [x, y + h], [x + w, y + h]];
    const room = corners.map(([cx, cy]) =>
      taken.reduce((least, [tx, ty]) => Math.min(least, Math.hypot(cx - tx, cy - ty)), 1e9));
    taken.push(corners[room.indexOf(Math.max(...room))]);
    const { fill, ink } = timeColour(i);
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

function showScene() {
  const canvas = element("scene");
  const { context, scale } = drawView(canvas, state.steps, state.t, {
    progress: state.progress,
    gaussian: learned,
    eyes: state.eyes,
  });
  if (state.marker && document.activeElement === canvas) {
    const x = ((1 + state.marker[0]) / 2) * width * scale, y = ((1 + state.marker[1]) / 2) * height * scale;
    context.strokeStyle = "#fff";
    context.beginPath();
    context.arc(x, y, 8, 0, 2 * Math.PI);
    drawLine(context, [x - 14, y], [x + 14, y], 2);
    drawLine(context, [x, y - 14], [x, y + 14], 2);
  }
}

// One small picture for each glimpse, with the guess after it; a click goes there.
function showFilm() {
  const film = element("film");
  while (film.children.length > state.T) film.lastChild.remove();
  while (film.children.length < state.T) film.append(filmTile(film.children.length));
  [...film.children].forEach((item, i) => {
    const button = item.firstChild;
    const [canvas, badge, text] = button.children;
    const { probabilities } = state.steps[i];
    const shown = i < state.t;
    const { fill, ink } = timeColour(i);
    Object.assign(badge.style, { background: fill, color: ink, opacity: shown ? 1 : 0.45 });
    text.textContent = shown ? guess(probabilities) : "…";
    const name = shown ? `best guess ${guess(probabilities)}` : "not yet looked";
    const whose = state.chosen[i] ? ", your look" : "";
    button.setAttribute("aria-label", `Glimpse ${i + 1}${whose}: ${name}`);
    if (i === state.t - 1) button.setAttribute("aria-current", "step");
    else button.removeAttribute("aria-current");
    const context = contextOf(canvas);
    if (!shown) return;
    // All scales in one square as wide as the widest.
    const step = state.steps[i];
    const [left, top, right] = last(step.windows);
    const scale = canvas.clientWidth / (right - left);
    drawSeen(context, [step], ([l, t, r, b]) =>
      [(l - left) * scale, (t - top) * scale, (r - l) * scale, (b - t) * scale]);
  });
}

function filmTile(i) {
  const item = document.createElement("li");
  const button = document.createElement("button");
  button.type = "button";
  const canvas = document.createElement("canvas");
  canvas.style.aspectRatio = "1";
  canvas.setAttribute("aria-hidden", "true"); // the button's name says what it is
  const badge = document.createElement("span");
  badge.className = "badge";
  badge.textContent = i + 1;
  button.append(canvas, badge, document.createElement("span"));
  button.addEventListener("click", () => {
    pause();
    state.t = i + 1;
    state.progress = 0;
    show();
    say(sentence());
  });
  item.append(button);
  return item;
}

function showRetina() {
  const step = state.steps[state.t - 1];
  element("retina-title").textContent = `at glimpse ${state.t}`;
  [...element("retina").children].forEach((item, j) => {
    const canvas = item.firstChild;
    const context = contextOf(canvas);
    context.drawImage(patchesOf(step)[j], 0, 0, canvas.clientWidth, canvas.clientHeight);
  });
}

// A cell for each unit of h_t, the fuller the more active.
function showMemory() {
  const canvas = element("memory");
  const { h_t } = state.steps[state.t - 1];
  const largest = state.steps.reduce((most, step) => step.h_t.reduce((a, b) => Math.max(a, b), most), 1e-9);
  const columns = Math.ceil(Math.sqrt(6 * h_t.length));
  const context = contextOf(canvas);
  const side = canvas.clientWidth / columns;
  context.fillStyle = colour("core");
  h_t.forEach((value, i) => {
    context.globalAlpha = value / largest;
    context.fillRect((i % columns) * side, Math.floor(i / columns) * side, side - 0.5, side - 0.5);
  });
  const active = h_t.filter((value) => value > 0).length;
  canvas.setAttribute("aria-label", `The core network's ${h_t.length} units, ${active} of them active.`);
}

function showBeliefs() {
  const { probabilities } = state.steps[state.t - 1];
  const c = favourite(probabilities);
  const right = state.label === null || state.label === c;
  const words = [
    state.label === null ? "" : right ? "right" : `wrong: it is ${data.classes[state.label]}`,
    state.t < state.T ? `after ${state.t} of ${state.T} glimpses` : "its final answer",
  ];
  const box = element("verdict");
  box.replaceChildren(document.createElement("b"), document.createElement("span"));
  box.firstChild.textContent = data.classes[c];
  box.firstChild.style.color = right ? "" : colour("wrong");
  box.lastChild.textContent = [percent(probabilities[c]), ...words].filter(Boolean).join(", ");
  // All classes in their order or, where there are too many, the most probable ones.
  const rows = probabilities.map((_, i) => i);
  if (rows.length > MOST_ROWS) rows.sort((a, b) => probabilities[b] - probabilities[a]);
  [...element("beliefs").children].forEach((item, row) => {
    const i = rows[row];
    item.firstChild.textContent = item.firstChild.title = data.classes[i];
    item.className = i === state.label ? "true" : i === c ? (right ? "favourite" : "mistaken") : "";
    item.querySelector("i").style.transform = `scaleX(${probabilities[i]})`;
    item.lastChild.textContent = percent(probabilities[i]);
  });
}

// A line per class over the glimpses, as far as they are shown.
function showGrowth() {
  const canvas = element("growth");
  const shown = state.steps.slice(0, state.t).map((step) => step.probabilities);
  const c = favourite(last(shown));
  drawChart(canvas, {
    count: state.T,
    lines: data.classes.map((_, i) => ({
      values: shown.map((probabilities) => probabilities[i]),
      colour: i === state.label || (state.label === null && i === c) ? "action" : i === c ? "wrong" : "muted",
    })),
    title: "probability of each class after each glimpse",
    ticks: true,
  });
  canvas.setAttribute("aria-label", `Probability of each class after each glimpse. Best guesses: ${
    shown.map((p, i) => `${i + 1}: ${guess(p)}`).join("; ")}`);
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

function showNextLook() {
  let text;
  if (!learned) text = "This agent's looks are random: it has not learned where to look.";
  else if (state.t === state.T) text = "Nowhere: this was the last glimpse.";
  else {
    const [x, y] = state.steps[state.t - 1].mu_t;
    text = `Near μ = (${x.toFixed(2)}, ${y.toFixed(2)}), where (0, 0) is the middle of the image and (−1, −1) its ` +
      `top left corner, with σ = ${Number(state.std.toFixed(3))}.`;
  }
  element("next-look").textContent = text;
}

function showDuel() {
  let text = "";
  if (state.chosen.length && state.t === state.T) {
    text = `With your looks: ${verdict(state.steps)}. With its own: ${verdict(state.policySteps)}.`;
    const points = { you: "A point for you.", policy: "A point for the policy.", nobody: "A draw." };
    text += ` ${points[winner()] ?? ""}`;
  } else if (state.chosen.length) {
    text = `Your look, glimpse ${state.chosen.length}. Choose the next one, or press Play to let the policy go on.`;
  }
  element("duel").textContent = text;
  element("tally-you").textContent = state.tally.you;
  element("tally-policy").textContent = state.tally.policy;
}

function showComparison() {
  if (!learned) return;
  for (const [id, steps] of [["learned", state.policySteps], ["random", state.randomSteps]]) {
    const canvas = element(id);
    drawView(canvas, steps, state.T, { numbers: canvas.clientWidth > 200 });
    const text = verdict(steps);
    element(`${id}-verdict`).textContent = text;
    canvas.setAttribute("aria-label", `The scene with ${state.T} ${id} looks: ${text}`);
  }
}

function showControls() {
  const isTest = state.index !== null;
  element("scene-name").textContent = isTest ? `${state.index + 1} of ${testScenes.length}` : "yours";
  element("invert").setAttribute("aria-pressed", state.inverted);
  element("eyes").setAttribute("aria-pressed", state.eyes);
  element("clutter").min = state.ownClutter;
  element("clutter").value = Math.max(state.numClutter, state.ownClutter);
  const pieces = Math.max(state.numClutter, state.ownClutter);
  element("clutter-value").textContent = `${pieces} ${pieces === 1 ? "piece" : "pieces"}`;
  element("glimpses").value = state.T;
  element("glimpses-value").textContent =
    state.T === config.num_glimpses ? `${state.T}, as trained` : `${state.T} (trained: ${config.num_glimpses})`;
  const own = Number(agent.location_std.toFixed(3));
  element("std-value").textContent =
    state.std === agent.location_std ? `${own}, as trained` : `${Number(state.std.toFixed(3))} (trained: ${own})`;
  element("speed-value").textContent = Number(element("speed").value).toFixed(1);
  element("scene").setAttribute("aria-label",
    `${isTest ? `Test scene ${state.index + 1}, class ${data.classes[state.label]}` : "Your scene"}. ${sentence()}`);
}

function showTransport() {
  element("play").textContent = state.mode === "play" ? "Pause" : "Play";
}

/* Comparing over the test scenes: one scene per frame, so that the page stays alive. */

const race = { running: false, learned: [], random: [] };

function startRace() {
  race.running = !race.running;
  if (!race.running) return showRace();
  Object.assign(race, { learned: [], random: [] });
  requestAnimationFrame(raceOn);
}

function raceOn() {
  const i = race.learned.length;
  if (!race.running) return;
  const draws = drawNumbers(state.T);
  for (const [name, policy] of [["learned", "learned"], ["random", "random"]]) {
    const steps = rollout(agent, testScenes[i], { T: state.T, std: state.std, draws, policy });
    race[name].push(favourite(last(steps).probabilities) === data.scenes.labels[i] ? 1 : 0);
  }
  race.running = i + 1 < testScenes.length;
  showRace();
  if (race.running) requestAnimationFrame(raceOn);
}

function showRace() {
  const total = testScenes.length;
  const running = (outcomes) => {
    let right = 0;
    return outcomes.map((outcome, i) => (right += outcome) / (i + 1));
  };
  element("race").textContent = race.running ? "Stop" : `Run both over ${total} test scenes`;
  const accuracy = { learned: running(race.learned), random: running(race.random) };
  const canvas = element("accuracy");
  canvas.hidden = !race.learned.length;
  if (!race.learned.length) return;
  drawChart(canvas, {
    count: total,
    lines: [
      { values: accuracy.random, colour: "where", label: "random", labelAt: 12 },
      { values: accuracy.learned, colour: "policy", label: "learned", labelAt: -10 },
    ],
    title: "share of right answers so far",
  });
  const count = race.learned.length;
  const right = (outcomes) => outcomes.reduce((a, b) => a + b, 0);
  const text = `Right on ${count} scenes: learned looks ${right(race.learned)} (${percent(last(accuracy.learned))}), ` +
    `random looks ${right(race.random)} (${percent(last(accuracy.random))}).`;
  canvas.setAttribute("aria-label", text);
  // The last word alone is for a screen reader; the way there is to be seen.
  element("race-result").setAttribute("aria-live", race.running ? "off" : "polite");
  element("race-result").textContent = text;
}

/* Doing. */

// Call `act` on a click; whatever plays is paused before.
function onClick(id, act) {
  element(id).addEventListener("click", () => {
    if (id !== "play") pause();
    act();
  });
}

function onSlide(id, act) {
  element(id).addEventListener("input", () => {
    act(Number(element(id).value));
    state.progress = 0;
    look();
  });
}

function watchControls() {
  onClick("play", () => {
    if (state.mode === "play") return pause();
    if (state.t >= state.T) replay();
    move("play");
  });
  onClick("step", () => {
    if (state.t >= state.T) replay();
    else move("step");
  });
  onClick("again", () => {
    replay();
    move("play");
  });
  onClick("eyes", () => {
    state.eyes = !state.eyes;
    show();
  });
  onClick("clear", () => {
    strokes.length = 0;
    drawPad();
    takeDigit({ ...digitSize, pixels: new Float32Array(digitSize.width * digitSize.height) });
  });
  onClick("invert", () => {
    state.inverted = !state.inverted;
    replay();
  });
  onClick("previous", () => takeTestScene((state.index ?? 0) - 1));
  onClick("next", () => takeTestScene((state.index ?? -1) + 1));
  onClick("shuffle", () => takeTestScene(randomUpTo(testScenes.length - 1)));
  onClick("race", startRace);
  onSlide("clutter", (value) => (state.numClutter = value));
  onSlide("glimpses", (value) => (state.T = value));
  onSlide("std", (value) => (state.std = value));
  element("speed").addEventListener("input", showControls);
  element("upload").addEventListener("change", takeUpload);
  element("theme").addEventListener("click", () => setTheme(!isDark()));
}

function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

function setTheme(dark) {
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  showTheme();
}

function showTheme() {
  element("theme").setAttribute("aria-pressed", isDark());
  show();
  showRace();
}

async function takeUpload() {
  const note = element("upload-note");
  const [file] = element("upload").files;
  element("upload").value = ""; // so that the same file can be chosen again
  if (!file) return;
  pause();
  try {
    const photo = await readPhoto(file);
    const onPaper = element("ink").checked;
    const image = onPaper
      ? digitFromPhoto(photo, digitSize.width, digitSize.height)
      : fitPicture(photo, digitSize.width, digitSize.height, config.background);
    if (!image) return (note.textContent = "There is no ink on this picture: take one with more contrast.");
    note.textContent = "";
    takeDigit(image);
    if (!onPaper && state.inverted) {
      state.inverted = false;
      replay();
    }
    move("play");
  } catch {
    note.textContent = "This file can't be read as a picture: choose a PNG or JPEG.";
  }
}

// Read a picture as brightness, at most 300 pixels a side.
async function readPhoto(file) {
  const bitmap = await createImageBitmap(file);
  const scale = Math.min(1, 300 / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillStyle = "#fff"; // what is transparent is paper
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  const rgba = context.getImageData(0, 0, canvas.width, canvas.height).data;
  const pixels = Float32Array.from({ length: canvas.width * canvas.height }, (_, i) =>
    (0.299 * rgba[4 * i] + 0.587 * rgba[4 * i + 1] + 0.114 * rgba[4 * i + 2]) / 255);
  return { pixels, width: canvas.width, height: canvas.height };
}

// Draw on the pad with mouse, pen or finger; the agent looks when the pen rests.
function watchPad() {
  const pad = element("pad");
  let resting = 0;
  const point = (event) => {
    const box = pad.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  };
  const redraw = () => {
    drawPad();
    const image = digitFromStrokes(strokes, digitSize.width, digitSize.height);
    if (state.index === null && strokes.length > 1) {
      state.piece.image = image; // the place and the clutter stay
      replay();
    } else takeDigit(image);
  };
  pad.addEventListener("pointerdown", (event) => {
    pad.setPointerCapture(event.pointerId);
    clearTimeout(resting);
    pause();
    if (state.index !== null) strokes.length = 0; // a test scene was taken since
    strokes.push([point(event)]);
    redraw();
  });
  pad.addEventListener("pointermove", (event) => {
    if (!pad.hasPointerCapture(event.pointerId)) return;
    last(strokes).push(...(event.getCoalescedEvents?.() ?? [event]).map(point));
    drawPad();
  });
  for (const ending of ["pointerup", "pointercancel"]) {
    pad.addEventListener(ending, () => {
      redraw();
      // On a phone the scene is below: whoever draws on gets more time before it comes.
      const below = element("scene").getBoundingClientRect().bottom > innerHeight;
      resting = setTimeout(() => {
        if (below) element("scene").scrollIntoView({ block: "center", behavior: calm.matches ? "auto" : "smooth" });
        move("play");
      }, below ? 1200 : 600);
    });
  }
}

function drawPad() {
  const pad = element("pad");
  const context = contextOf(pad);
  const side = pad.clientWidth;
  context.strokeStyle = "#fff";
  context.lineWidth = side / 14;
  context.lineCap = context.lineJoin = "round";
  for (const stroke of strokes) {
    context.beginPath();
    context.moveTo(stroke[0][0] * side, stroke[0][1] * side);
    for (const [x, y] of stroke) context.lineTo(x * side, y * side);
    context.stroke();
  }
  element("pad-hint").hidden = strokes.length > 0;
}

// On the scene, a click chooses the next look and a drag moves what is to be seen.
function watchScene() {
  const canvas = element("scene");
  let start = null;
  const pixel = (event) => {
    const box = canvas.getBoundingClientRect();
    const scale = box.width / (width + 2 * margin);
    return [(event.clientX - box.left) / scale - margin, (event.clientY - box.top) / scale - margin];
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    start = { x: event.clientX, y: event.clientY, at: pixel(event), piece: { ...state.piece }, dragged: false };
    pause();
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!start) return;
    if (Math.hypot(event.clientX - start.x, event.clientY - start.y) > 5) start.dragged = true;
    if (!start.dragged) return;
    const [x, y] = pixel(event);
    movePiece(start.piece.x + x - start.at[0], start.piece.y + y - start.at[1]);
  });
  canvas.addEventListener("pointerup", () => {
    if (start && !start.dragged) takeOver([(2 * start.at[0]) / width - 1, (2 * start.at[1]) / height - 1]);
    else if (start) move("play");
    start = null;
  });
  canvas.addEventListener("pointercancel", () => (start = null));
  canvas.addEventListener("blur", showScene);
  canvas.addEventListener("keydown", (event) => {
    const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const arrow = arrows[event.key];
    if (arrow && event.shiftKey) {
      pause();
      movePiece(state.piece.x + arrow[0], state.piece.y + arrow[1]);
    } else if (arrow) {
      state.marker ??= [...state.steps[state.t - 1].l_t];
      state.marker = state.marker.map((l, i) => Math.min(Math.max(l + 0.05 * arrow[i], -1), 1));
      showScene();
      say(`Marker at x ${state.marker[0].toFixed(2)}, y ${state.marker[1].toFixed(2)}.`);
    } else if (event.key === "Enter" && state.marker) {
      takeOver([...state.marker]);
    } else return;
    event.preventDefault();
  });
}

// Move what is to be seen, its middle within the image.
function movePiece(x, y) {
  const { image } = state.piece;
  const within = (value, size, whole) =>
    Math.round(Math.min(Math.max(value, -size / 2), whole - size / 2));
  state.piece = { image, x: within(x, image.width, width), y: within(y, image.height, height) };
  state.chosen = [];
  state.t = 1;
  state.progress = 0;
  look();
}

/* The beginning: what depends on the agent alone. */

function setUp() {
  const { patch_size, num_scales, scale_factor, num_glimpses } = config;
  const likeMnist = digitSize.width === 28 && digitSize.height === 28;
  element("ink").checked = likeMnist;
  const scales = num_scales > 1 ? ` at ${num_scales} scales` : "";
  const widest = patch_size * scale_factor ** (num_scales - 1);
  document.title = `${data.name}: watch it look`;
  element("summary").textContent =
    `The trained agent “${data.name}” reads a ${height} × ${width} image through ${num_glimpses} ` +
    `${num_glimpses === 1 ? "glimpse" : "glimpses"} of ${patch_size} × ${patch_size} cells${scales}. ` +
    "Draw something, and see how it finds out what it is.";
  element("sensor-text").textContent =
    `Here ${patch_size} × ${patch_size} cells${scales}` +
    (num_scales > 1 ? `: the widest patch covers ${widest} × ${widest} pixels, and each of its cells is a mean of ${(widest / patch_size) ** 2}.` : ".");
  element("weights").textContent = data.num_weights.toLocaleString("en");
  element("pad-help").textContent =
    "At once made like MNIST's digits: scaled so that the longer side fills 20 of 28 pixels, and centred by mass" +
    (likeMnist ? "." : `; here in ${digitSize.height} × ${digitSize.width} pixels.`);
  element("scene-help").textContent =
    "Click: choose the next look. Drag: move what is to be seen. Keys: arrows move a marker, Enter looks there, Shift and arrows move the digit.";
  element("clutter-field").hidden = !config.num_clutter;
  element("clutter").max = MOST_CLUTTER;
  element("glimpses").max = MOST_GLIMPSES;
  element("std").max = Math.max(0.5, 2 * agent.location_std);
  element("std").value = agent.location_std;
  for (const id of ["scene", "learned", "random"]) {
    const aspect = (width + 2 * margin) / (height + 2 * margin);
    element(id).style.aspectRatio = aspect;
    // So low that the buttons below it are on the screen as well.
    element(id).style.maxWidth = `max(${260 * Math.min(aspect, 1)}px, min(${620 * Math.min(aspect, 1)}px, ${62 * aspect}vh))`;
  }
  document.querySelector(".compare").hidden = !learned;
  for (const selector of [".where-next", "#policy-legend"]) document.querySelector(selector).hidden = !learned;
  element("coarse-legend").hidden = num_scales === 1;
  for (let j = 0; j < num_scales; j++) {
    const covers = patch_size * scale_factor ** j;
    const item = document.createElement("li");
    const canvas = document.createElement("canvas");
    canvas.style.aspectRatio = "1";
    canvas.setAttribute("aria-hidden", "true"); // the text beside it says what it is
    item.append(canvas, `${covers} × ${covers} pixels`);
    element("retina").append(item);
  }
  for (let row = 0; row < Math.min(data.classes.length, MOST_ROWS); row++) {
    const item = document.createElement("li");
    for (const part of ["name", "bar", "share"]) {
      const span = document.createElement("span");
      span.className = part;
      item.append(span);
    }
    item.children[1].append(document.createElement("i"));
    element("beliefs").append(item);
  }
}

setUp();
watchControls();
watchPad();
watchScene();
takeTestScene(0);
drawPad();
showTheme();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", showTheme);
let widthBefore = 0;
new ResizeObserver(([{ contentRect }]) => {
  if (contentRect.width === widthBefore) return;
  widthBefore = contentRect.width;
  drawPad();
  showTheme();
}).observe(document.querySelector("main"));
performance.mark("first picture");
if (!calm.matches) move("play");
