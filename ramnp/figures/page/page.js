/* What a person sees. Everything shown follows from `state`: whoever changes it calls
   look() where the agent must look anew, or show(). */
"use strict";

const data = JSON.parse(element("data").textContent);
const agent = loadAgent(data);
const { config } = agent;
const testScenes = loadImages(data.scenes);
const otherDigits = loadImages(data.digits);
const { width, height, channels } = testScenes[0];
const digitSize = { width: data.digits.width, height: data.digits.height };
// Agents that know dark ink on bright paper get it: judged by a corner of their scenes.
const brightPaper = testScenes.reduce((sum, scene) => sum + scene.pixels[0], 0) > testScenes.length / 2;
const learned = config.policy === "learned";
const MOST_GLIMPSES = Math.max(config.num_glimpses, Math.min(2 * config.num_glimpses, 24));
const MOST_CLUTTER = Math.min(Math.max(16, 2 * config.num_clutter), 200);
const MOST_ROWS = 12; // of classes

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

// Show an image that somebody drew or photographed, at a random place.
function takeImage(image, inverted = brightPaper) {
  useScene({
    piece: { image: inChannels(image, channels), x: randomUpTo(width - image.width), y: randomUpTo(height - image.height) },
    paper: 0,
    label: null,
    index: null,
    ownClutter: 0,
    inverted,
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
  if (mode === "step") state.progress = Math.max(state.progress, FLIGHT_STARTS);
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

function showScene() {
  const canvas = element("scene");
  const { context, scale } = drawView(canvas, state.picture, state.steps, state.t, {
    progress: calm.matches ? 0 : state.progress,
    std: learned ? state.std : null,
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
    const [canvas, badge, best, share] = button.children;
    const { probabilities } = state.steps[i];
    const c = favourite(probabilities);
    const shown = i < state.t;
    const { fill, ink } = timeColour(i, state.T);
    Object.assign(badge.style, { background: fill, color: ink, opacity: shown ? 1 : 0.45 });
    best.textContent = shown ? data.classes[c] : "…";
    share.textContent = shown ? percent(probabilities[c]) : "";
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
  button.append(canvas, badge, document.createElement("b"), document.createElement("span"));
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
  box.firstChild.classList.toggle("long", data.classes[c].length > 12);
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
    drawView(canvas, state.picture, steps, state.T, { numbers: canvas.clientWidth > 200 });
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
