/* What the agent looks at: test scenes, drawn digits, pictures, clutter.

   An image is {pixels, width, height, channels}: for each pixel one number from 0 (black)
   to 1 or, in colour, three: red, green, blue. Without `channels` it has one. */
"use strict";

// Return the digit that these strokes draw, as MNIST's were made: the longer side is
// scaled to 20 of 28 pixels, and the centre of mass lies in the middle. Strokes are
// lists of [x, y]; they are drawn again with MNIST's width of pen, so that it does not
// matter how large somebody writes.
function digitFromStrokes(strokes, width, height) {
  const side = Math.min(width, height);
  const pen = (2.6 / 28) * side;
  const points = strokes.flat();
  const [left, right] = extent(points.map((p) => p[0]));
  const [top, bottom] = extent(points.map((p) => p[1]));
  // A dot stays a dot: what is far smaller than the pad is not enlarged to 20 pixels.
  const scale = ((20 / 28) * side - pen) / Math.max(right - left, bottom - top, 0.15);
  const drawAt = (x, y) => {
    const place = ([px, py]) => [(px - x) * scale + width / 2, (py - y) * scale + height / 2];
    return drawLines(strokes.map((stroke) => stroke.map(place)), pen, width, height);
  };
  const x = (left + right) / 2, y = (top + bottom) / 2;
  const [massX, massY] = centreOfMass(drawAt(x, y));
  return drawAt(x + (massX - width / 2) / scale, y + (massY - height / 2) / scale);
}

// Draw lines with a round pen; a pixel is as white as the pen covers it, roughly.
function drawLines(lines, pen, width, height) {
  const pixels = new Float32Array(width * height);
  for (const line of lines) {
    for (let i = 0; i < line.length; i++) {
      const a = line[Math.max(i - 1, 0)], b = line[i];
      const [left, right] = extent([a[0], b[0]]), [top, bottom] = extent([a[1], b[1]]);
      const endY = Math.min(height, Math.ceil(bottom + pen));
      const endX = Math.min(width, Math.ceil(right + pen));
      for (let y = Math.max(0, Math.floor(top - pen)); y < endY; y++) {
        for (let x = Math.max(0, Math.floor(left - pen)); x < endX; x++) {
          const ink = pen / 2 + 0.5 - distance([x + 0.5, y + 0.5], a, b);
          const at = y * width + x;
          pixels[at] = Math.max(pixels[at], Math.min(Math.max(ink, 0), 1));
        }
      }
    }
  }
  return { pixels, width, height };
}

// Return the distance of a point from the line between a and b.
function distance([x, y], [ax, ay], [bx, by]) {
  const dx = bx - ax, dy = by - ay;
  const along = ((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy || 1);
  const t = Math.min(Math.max(along, 0), 1);
  return Math.hypot(x - ax - t * dx, y - ay - t * dy);
}

function extent(values) {
  return [values.reduce((a, b) => Math.min(a, b)), values.reduce((a, b) => Math.max(a, b))];
}

function centreOfMass({ pixels, width, height }) {
  let mass = 0, massX = 0, massY = 0;
  pixels.forEach((ink, i) => {
    mass += ink;
    massX += ink * ((i % width) + 0.5);
    massY += ink * (Math.floor(i / width) + 0.5);
  });
  return mass ? [massX / mass, massY / mass] : [width / 2, height / 2];
}

// Return the digit on a photo of ink on paper (or chalk on a board): white ink on black,
// scaled and centred as MNIST's. Null if there is no ink.
function digitFromPhoto(photo, width, height) {
  const ink = inkOf(photo);
  const columns = [], rows = [];
  ink.pixels.forEach((value, i) => {
    if (value > 0.5) {
      columns.push(i % ink.width);
      rows.push(Math.floor(i / ink.width));
    }
  });
  if (!columns.length) return null;
  const [left, right] = extent(columns), [top, bottom] = extent(rows);
  const scale = ((20 / 28) * Math.min(width, height)) / Math.max(right - left + 1, bottom - top + 1);
  return resample(ink, ...centreOfMass(ink), scale, width, height);
}

// Return how far each pixel differs from its surroundings, the paper, 0 to 1: shadows
// on the paper are slow changes and vanish.
function inkOf(photo) {
  const { width, height } = photo;
  const area = summedArea(photo);
  const reach = Math.max(width, height) / 4;
  const difference = photo.pixels.map((value, i) => {
    const x = i % width, y = Math.floor(i / width);
    const left = Math.max(x - reach, 0), right = Math.min(x + reach, width);
    const top = Math.max(y - reach, 0), bottom = Math.min(y + reach, height);
    return mean(area, left, top, right, bottom) - value;
  });
  const [lowest, highest] = extent(difference);
  const sign = highest >= -lowest ? 1 : -1; // dark ink, or bright chalk
  const strongest = Math.max(highest, -lowest);
  if (strongest < 0.05) return { pixels: difference.fill(0), width, height };
  // Below a third of the strongest it is the grain of the paper.
  const pixels = difference.map((value) =>
    Math.min(Math.max((sign * value) / strongest - 0.33, 0) / 0.33, 1));
  return { pixels, width, height };
}

// Return a whole picture, its sides in proportion, in the middle of width × height.
function fitPicture(picture, width, height, background) {
  const scale = Math.min(width / picture.width, height / picture.height);
  return resample(picture, picture.width / 2, picture.height / 2, scale, width, height, background);
}

// Return the picture enlarged by `scale`, its point (x, y) in the middle of the result:
// each pixel is the mean over the area that it covers, as in the sensor.
function resample(picture, x, y, scale, width, height, background = 0) {
  const areas = summedAreas(picture, background);
  const channels = areas.length;
  const pixels = Float32Array.from({ length: width * height * channels }, (_, i) => {
    const pixel = Math.floor(i / channels);
    const left = x + ((pixel % width) - width / 2) / scale;
    const top = y + (Math.floor(pixel / width) - height / 2) / scale;
    return mean(areas[i % channels], left, top, left + 1 / scale, top + 1 / scale);
  });
  return { pixels, width, height, channels };
}

// Return a grey image with this many channels, all the same; others as they are.
function inChannels(image, channels) {
  if ((image.channels ?? 1) === channels) return image;
  const pixels = Float32Array.from({ length: image.pixels.length * channels }, (_, i) =>
    image.pixels[Math.floor(i / channels)]);
  return { ...image, pixels, channels };
}

// Cut a random square of `size` pixels from another digit, for a random place in the
// scene: a piece of clutter as ramnp/datasets/scenes.py makes it.
function drawClutter(digits, except, size, scene) {
  let index = Math.floor(Math.random() * (digits.length - 1));
  if (index >= except) index += 1;
  const digit = digits[index];
  const { channels = 1 } = digit;
  const x = randomUpTo(digit.width - size), y = randomUpTo(digit.height - size);
  const pixels = new Float32Array(size * size * channels);
  for (let row = 0; row < size; row++) {
    const start = ((y + row) * digit.width + x) * channels;
    pixels.set(digit.pixels.subarray(start, start + size * channels), row * size * channels);
  }
  return {
    image: { pixels, width: size, height: size, channels },
    x: randomUpTo(scene.width - size),
    y: randomUpTo(scene.height - size),
  };
}

// Return a random whole number from 0 to `largest`, both included.
function randomUpTo(largest) {
  return Math.floor(Math.random() * (Math.max(largest, 0) + 1));
}

// Return a scene: on empty paper, pieces {image, x, y} are added and the sum is clipped
// at white; then it is inverted, if asked for.
function compose(pieces, width, height, paper = 0, inverted = false) {
  const { channels = 1 } = pieces[0].image;
  const pixels = new Float32Array(width * height * channels).fill(paper);
  for (const { image, x, y } of pieces) {
    const right = Math.min(image.width, width - x), bottom = Math.min(image.height, height - y);
    for (let row = Math.max(0, -y); row < bottom; row++) {
      const from = row * image.width * channels, to = ((y + row) * width + x) * channels;
      for (let i = Math.max(0, -x) * channels; i < right * channels; i++) {
        pixels[to + i] += image.pixels[from + i];
      }
    }
  }
  const clipped = pixels.map((value) => Math.min(Math.max(value, 0), 1));
  return { pixels: inverted ? clipped.map((value) => 1 - value) : clipped, width, height, channels };
}

// Return the images that ramnp/figures/page.py wrote: bytes as base64.
function loadImages({ bytes, width, height, channels = 1 }) {
  const all = Float32Array.from(decodeBytes(bytes), (byte) => byte / 255);
  const size = width * height * channels;
  return Array.from({ length: all.length / size }, (_, i) => {
    return { pixels: all.subarray(i * size, (i + 1) * size), width, height, channels };
  });
}
