/* What a person does: buttons, sliders, the pad, the scene, the keys. The last lines
   start the page. */
"use strict";

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
    takeImage({ ...digitSize, pixels: new Float32Array(digitSize.width * digitSize.height) });
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
    const onPaper = element("ink").checked;
    const photo = await readPhoto(file, onPaper ? 1 : channels);
    const image = onPaper
      ? digitFromPhoto(photo, digitSize.width, digitSize.height)
      : fitPicture(photo, digitSize.width, digitSize.height, config.background);
    if (!image) return (note.textContent = "There is no ink on this picture: take one with more contrast.");
    note.textContent = "";
    // A whole picture is treated as the training images were, ink as a drawing is.
    takeImage(image, onPaper ? brightPaper : config.invert);
    move("play");
  } catch {
    note.textContent = "This file can't be read as a picture: choose a PNG or JPEG.";
  }
}

// Read a picture as brightness or, with 3 channels, in colour, at most 300 pixels a side.
async function readPhoto(file, channels) {
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
  const pixels = Float32Array.from({ length: canvas.width * canvas.height * channels }, (_, i) =>
    channels === 3
      ? rgba[4 * Math.floor(i / 3) + (i % 3)] / 255
      : (0.299 * rgba[4 * i] + 0.587 * rgba[4 * i + 1] + 0.114 * rgba[4 * i + 2]) / 255);
  return { pixels, width: canvas.width, height: canvas.height, channels };
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
      state.piece.image = inChannels(image, channels); // the place and the clutter stay
      replay();
    } else takeImage(image);
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
    `The trained agent “${data.name}” reads a ${height} × ${width} image ${channels === 3 ? "in colour " : ""}through ${num_glimpses} ` +
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
  const longest = Math.max(...data.classes.map((name) => name.length));
  element("beliefs").style.setProperty("--name", `${Math.min(longest, 14) + 0.5}ch`);
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
