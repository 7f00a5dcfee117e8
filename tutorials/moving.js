// What moves in a notebook: the package's sensor, REINFORCE on darts, a recorded agent.
// Plain JavaScript, drawn on a canvas; the tests hold it to the package's own numbers.
const ramnp = (() => {
  const COLOURS = /*COLOURS*/ {};

  // First pixel of the finest patch along one axis; ties are rounded outwards.
  function firstPixel(l, side, patch) {
    const gap = side - patch, shift = Math.abs(l * side / 2);
    const steps = gap % 2 ? Math.floor(shift) + 0.5 : Math.floor(shift + 0.5);
    return gap / 2 + (l < 0 ? -steps : steps);
  }

  // [left, top, right, bottom] in pixels of each scale's window, patch even.
  function windows(l, side, patch, scales) {
    const x = firstPixel(l[0], side, patch) + patch / 2;
    const y = firstPixel(l[1], side, patch) + patch / 2;
    return Array.from({length: scales}, (_, j) => {
      const half = patch * 2 ** j / 2;
      return [x - half, y - half, x + half, y + half];
    });
  }

  // rho(x, l): scale by scale, row by row, each cell the mean of its pixels.
  function glimpse(image, side, l, patch, scales) {
    const rho = [];
    windows(l, side, patch, scales).forEach(([left, top], j) => {
      const cell = 2 ** j;
      for (let r = 0; r < patch; r++) for (let c = 0; c < patch; c++) {
        let total = 0;
        for (let a = 0; a < cell; a++) for (let b = 0; b < cell; b++) {
          const y = top + cell * r + a, x = left + cell * c + b;
          if (x >= 0 && x < side && y >= 0 && y < side) total += image[y * side + x];
        }
        rho.push(total / cell ** 2);
      }
    });
    return rho;
  }

  // The mean over darts of (r + offset - b) times the score (l - mu) / std².
  function pull(darts, rewards, mu, std, b, offset) {
    const sum = [0, 0];
    darts.forEach((l, n) => [0, 1].forEach((i) => {
      sum[i] += (rewards[n] + offset - b) * (l[i] - mu[i]) / std ** 2;
    }));
    return sum.map((s) => s / darts.length);
  }

  const bump = (l, m, w) =>
    Math.exp(-((l[0] - m[0]) ** 2 + (l[1] - m[1]) ** 2) / (2 * w * w));

  // The gradient of a bump's mean under N(mu, std² I).
  function gradient(mu, std, m, w) {
    const wide = w * w + std * std, J = w * w / wide * bump(mu, m, Math.sqrt(wide));
    return [0, 1].map((i) => J * (m[i] - mu[i]) / wide);
  }

  // Normal numbers from a seed (mulberry32, Box and Muller).
  function normals(seed) {
    const uniform = () => {
      seed = (seed + 0x6D2B79F5) | 0;
      let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
      t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
      return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    };
    return () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
  }

  const decode = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));

  function slider(box, name, low, high, step, value, changed, shown = (v) => v) {
    const label = document.createElement("label");
    label.style.cssText = "display:flex;gap:.6em;align-items:center;margin:.15em 0";
    const text = document.createElement("span");
    text.style.cssText = "min-width:8em";
    const input = document.createElement("input");
    Object.assign(input, {type: "range", min: low, max: high, step, value});
    input.style.cssText = "flex:1;min-width:0";
    input.name = name;
    const say = () => { text.textContent = `${name}: ${shown(+input.value)}`; };
    input.addEventListener("input", () => { say(); changed(); });
    say();
    label.append(text, input);
    box.append(label);
    return {get: () => +input.value, set: (v) => { input.value = v; say(); }};
  }

  function canvas(box, width, height, label) {
    const node = document.createElement("canvas");
    const scale = 2; // sharp on dense screens
    node.width = width * scale;
    node.height = height * scale;
    node.style.cssText =
      `width:${width}px;max-width:100%;height:auto;aspect-ratio:${width}/${height};display:block`;
    node.setAttribute("role", "img");
    node.setAttribute("aria-label", label);
    box.prepend(node);
    const ctx = node.getContext("2d");
    ctx.scale(scale, scale);
    return {node, ctx, width, height};
  }

  function pixels(ctx, image, rows, left, top, size) {
    const cell = size / rows;
    for (let r = 0; r < rows; r++) for (let c = 0; c < rows; c++) {
      const v = Math.round(255 * image[r * rows + c]);
      ctx.fillStyle = `rgb(${v},${v},${v})`;
      ctx.fillRect(left + c * cell, top + r * cell, cell + 0.5, cell + 0.5);
    }
  }

  function frame(ctx, [left, top, right, bottom], x, y, zoom, colour, lw) {
    ctx.strokeStyle = colour;
    ctx.lineWidth = lw;
    ctx.strokeRect(x + left * zoom, y + top * zoom, (right - left) * zoom, (bottom - top) * zoom);
  }

  // All patches over each other, the finest on top, in the scene's place.
  function known(ctx, rho, edges, patch, x, y, zoom) {
    for (let j = edges.length - 1; j >= 0; j--) {
      const size = (edges[j][2] - edges[j][0]) * zoom;
      const part = rho.slice(j * patch ** 2, (j + 1) * patch ** 2);
      pixels(ctx, part, patch, x + edges[j][0] * zoom, y + edges[j][1] * zoom, size);
    }
  }

  function clipped(ctx, x, y, size, draw) {
    ctx.save();
    ctx.beginPath();
    ctx.rect(x, y, size, size);
    ctx.clip();
    draw();
    ctx.restore();
  }

  // Letters of 12 pixels on a wide screen; a narrow one shrinks the canvas, not them.
  function write(ctx, text, x, y, align = "left") {
    const width = ctx.canvas.width / 2, shown = ctx.canvas.clientWidth || width;
    ctx.fillStyle = COLOURS.ink;
    ctx.font = `${Math.min(17, 12 * width / shown)}px sans-serif`;
    ctx.textAlign = align;
    ctx.fillText(text, x, y);
  }

  function retina(box, data) {
    const {side, patch, scales} = data;
    const scenes = data.images.map((text) => Array.from(decode(text), (v) => v / 255));
    const zoom = 240 / side, margin = 30;
    const c = canvas(box, 600, 330, "A scene with the retina's frames, and what it sees");
    const draw = () => {
      const l = [x.get(), y.get()], image = scenes[scene.get() - 1];
      const edges = windows(l, side, patch, scales);
      const rho = glimpse(image, side, l, patch, scales);
      c.ctx.fillStyle = COLOURS.unseen;
      c.ctx.fillRect(0, 0, c.width, c.height);
      pixels(c.ctx, image, side, margin, margin + 20, 240);
      edges.forEach((e, j) =>
        frame(c.ctx, e, margin, margin + 20, zoom, COLOURS.what, 3 - 0.8 * j));
      c.ctx.fillStyle = "black";
      c.ctx.fillRect(330, margin + 20, 240, 240);
      clipped(c.ctx, 330, margin + 20, 240, () =>
        known(c.ctx, rho, edges, patch, 330, margin + 20, zoom));
      write(c.ctx, "drag the retina", margin, 30);
      write(c.ctx, `it sees ${rho.length} of ${side * side} numbers`, 330, 30);
    };
    const scene = slider(box, "scene", 1, scenes.length, 1, 1, () => draw());
    const two = (v) => v.toFixed(2);
    const x = slider(box, "l_x", -1.2, 1.2, 0.01, 0, () => draw(), two);
    const y = slider(box, "l_y", -1.2, 1.2, 0.01, 0, () => draw(), two);
    const point = (event) => {
      const r = c.node.getBoundingClientRect(), k = c.width / r.width;
      x.set(((event.clientX - r.left) * k - margin) / 120 - 1);
      y.set(((event.clientY - r.top) * k - margin - 20) / 120 - 1);
      draw();
    };
    c.node.style.touchAction = "none";
    c.node.addEventListener("pointerdown", (e) => { c.node.setPointerCapture(e.pointerId); point(e); });
    c.node.addEventListener("pointermove", (e) => { if (e.buttons) point(e); });
    draw();
  }

  function darts(box, {peak, width, mu, std}) {
    const c = canvas(box, 440, 440, "A hill, darts thrown at it, the mean of their pulls and the gradient");
    let seed = 1;
    const at = (l) => [220 + 200 * l[0], 220 + 200 * l[1]];
    const arrow = (from, to, colour, lw) => {
      const [x, y] = at(from), [u, v] = at(to), a = Math.atan2(v - y, u - x);
      Object.assign(c.ctx, {strokeStyle: colour, fillStyle: colour, lineWidth: lw});
      c.ctx.beginPath(); c.ctx.moveTo(x, y); c.ctx.lineTo(u, v); c.ctx.stroke();
      c.ctx.beginPath(); c.ctx.moveTo(u, v);
      [a + 2.6, a - 2.6].forEach((b) =>
        c.ctx.lineTo(u + (7 + lw) * Math.cos(b), v + (7 + lw) * Math.sin(b)));
      c.ctx.fill();
    };
    const dot = (l, r, colour) => {
      c.ctx.fillStyle = colour;
      c.ctx.beginPath(); c.ctx.arc(...at(l), r, 0, 7); c.ctx.fill();
    };
    const draw = () => {
      const s = sigma.get(), next = normals(seed);
      const thrown = Array.from({length: 20}, () => [mu[0] + s * next(), mu[1] + s * next()]);
      const rewards = thrown.map((l) => bump(l, peak, width));
      const found = pull(thrown, rewards, mu, s, b.get(), offset.get());
      const exact = gradient(mu, s, peak, width);
      c.ctx.fillStyle = "white";
      c.ctx.fillRect(0, 0, c.width, c.height);
      for (let i = 0; i < 40; i++) for (let j = 0; j < 40; j++) {
        const v = 255 - 130 * bump([i / 20 - 0.975, j / 20 - 0.975], peak, width);
        c.ctx.fillStyle = `rgb(${v},${v},${v})`;
        c.ctx.fillRect(20 + 10 * i, 20 + 10 * j, 10.5, 10.5);
      }
      thrown.forEach((l) => dot(l, 4, COLOURS.where));
      clipped(c.ctx, 0, 0, 440, () => {
        arrow(mu, [mu[0] + found[0] / 3, mu[1] + found[1] / 3], COLOURS.policy, 5);
        arrow(mu, [mu[0] + exact[0] / 3, mu[1] + exact[1] / 3], COLOURS.ink, 2);
      });
      dot(mu, 6, COLOURS.policy);
      write(c.ctx, "orange: darts · red: mean pull · black: gradient", 22, 15);
    };
    const two = (v) => v.toFixed(2);
    const sigma = slider(box, "σ", 0.05, 0.6, 0.01, std, () => draw(), two);
    const b = slider(box, "baseline b", 0, 2, 0.05, 0, () => draw(), two);
    const offset = slider(box, "offset", 0, 2, 0.05, 0, () => draw(), two);
    const button = document.createElement("button");
    button.textContent = "throw 20 others";
    button.addEventListener("click", () => { seed += 1; draw(); });
    box.append(button);
    draw();
  }

  function agent(box, data) {
    const {side, patch, scales, locations, probabilities, labels} = data;
    const scenes = data.images.map((text) => Array.from(decode(text), (v) => v / 255));
    const c = canvas(box, 600, 420, "A scene with a trained agent's glimpses, what it saw, and its classes");
    const zoom = 260 / side;
    const draw = () => {
      const n = scene.get() - 1, t = glimpses.get();
      c.ctx.fillStyle = "white";
      c.ctx.fillRect(0, 0, c.width, c.height);
      pixels(c.ctx, scenes[n], side, 20, 30, 260);
      c.ctx.fillStyle = COLOURS.unseen;
      c.ctx.fillRect(310, 30, 260, 260);
      const seen = locations[n].slice(0, t).map((l) => ({
        edges: windows(l, side, patch, scales), rho: glimpse(scenes[n], side, l, patch, scales)}));
      clipped(c.ctx, 310, 30, 260, () => {
        for (let j = scales - 1; j >= 0; j--) seen.forEach(({edges, rho}) =>
          known(c.ctx, rho.slice(j * patch ** 2, (j + 1) * patch ** 2), [edges[j]], patch, 310, 30, zoom));
      });
      c.ctx.strokeStyle = COLOURS.policy;
      c.ctx.lineWidth = 2;
      c.ctx.beginPath();
      seen.forEach(({edges: [[l, u, r, d]]}) => c.ctx.lineTo(20 + zoom * (l + r) / 2, 30 + zoom * (u + d) / 2));
      c.ctx.stroke();
      seen.forEach(({edges}, i) => frame(c.ctx, edges[0], 20, 30, zoom, COLOURS.where, i === t - 1 ? 3 : 1));
      write(c.ctx, `a ${labels[n]}, glimpse ${t} of ${locations[n].length}`, 20, 20);
      write(c.ctx, "what it has seen", 310, 20);
      const p = probabilities[n][t - 1];
      p.forEach((value, k) => {
        c.ctx.fillStyle = k === labels[n] ? COLOURS.action : COLOURS.muted;
        c.ctx.fillRect(30 + 55 * k, 395 - 80 * value, 34, 80 * value);
        write(c.ctx, k, 47 + 55 * k, 412, "center");
      });
    };
    const scene = slider(box, "scene", 1, scenes.length, 1, 1, () => draw());
    const glimpses = slider(box, "glimpse", 1, locations[0].length, 1, 1, () => draw());
    draw();
  }

  return {windows, glimpse, pull, gradient, bump, normals, decode, retina, darts, agent};
})();
