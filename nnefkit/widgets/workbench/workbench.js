// The workbench: a live view of a graph in a notebook.
//
// Python folds and lays out the graph, and keeps the tensors. This module draws the part in view on a canvas,
// and asks for what it lacks: tiles of the scene, the description of a selection, pictures of tensors.
//
//   Scene      the tiles that have arrived, and what is at a point
//   Camera     which part of the scene is in view
//   Painter    draws the scene, the map in the corner and the strip along the depth
//   Drawing    takes what the painter draws, as an SVG document
//   Inspector  shows what is selected, with its tensor
//   Finder     the search field and its results
//   Bench      connects them: messages, pointer, keyboard
//
// Names of a graph may be anything. They are only ever set as textContent or drawn on a canvas, never parsed.

const KEYS = [
  ["← →", "previous, next operation along the edges"],
  ["↑ ↓", "box above, below"],
  ["Home End", "first, last box"],
  ["Enter", "open or fold the selected block"],
  ["Backspace", "the block around the selection"],
  ["Shift + arrows", "move the picture"],
  ["+ − 0", "zoom in, zoom out, fit"],
  ["c", "center the selection"],
  ["/", "search; Enter and Shift + Enter step through"],
  ["e Shift+E", "next, previous error or change"],
  ["o", "choose what colors the boxes"],
  ["d", "blocks or operations"],
  ["u f", "open all visible blocks, fold all"],
  ["i", "go to the inspector; Esc comes back"],
  ["s", "save the picture that is seen, as an SVG file"],
  ["[ ]", "previous, next page of channels"],
  ["Esc", "close what is open, select nothing"],
  ["?", "this list"],
];
const LEAST_SCALE = 0.01;
const LARGEST_SCALE = 3;
const FIRST_SCALE = 0.5; // A scene that needs less is shown from its upper left corner.
const KEPT_TILES = 96;
const WAIT_FOR_KERNEL = 8000;
const PREPARE_AFTER = 300; // Milliseconds after the first picture; then Python computes what a selection needs.
const MAP_WIDTH = 152, MAP_HEIGHT = 104, MAP_MARGIN = 8;
const CORNERS = [["right", "bottom"], ["left", "bottom"], ["right", "top"], ["left", "top"]];
const FOCUSABLE = new Set(["button", "select", "input"]);
const ERRORS = ["error", "own error", "nan"];

/** Make an element. Text is set as text; attributes are set by name. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "text") element.textContent = value;
    else if (name === "class") element.className = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value === true ? "" : value);
  }
  // Notebooks look for this on the element with the focus first: there, their own keys (b, d d, m) do nothing.
  if ("tabindex" in attributes || FOCUSABLE.has(tag)) element.setAttribute("data-lm-suppress-shortcuts", "true");
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** Whether the page around an element is dark. */
function isDark(element) {
  for (let at = element; at; at = at.parentElement) {
    const parts = (getComputedStyle(at).backgroundColor.match(/[\d.]+/g) || []).map(Number);
    if (parts.length >= 3 && (parts.length < 4 || parts[3] > 0.5)) {
      return 0.299 * parts[0] + 0.587 * parts[1] + 0.114 * parts[2] < 128;
    }
  }
  return matchMedia("(prefers-color-scheme: dark)").matches;
}

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

// -- the scene -----------------------------------------------------------------------------------

/** The tiles of one version of the scene, near by (level 0) and from afar. */
class Scene {
  constructor() {
    this.info = { version: -1, width: 1, height: 1, tile: 1024, picture: 512, far: 0, boxes: 0 };
    this.tiles = new Map();
    this.asked = new Map();
    this.old = new Map(); // Tiles of the version before, drawn until the new ones arrive.
  }

  begin(info, keep) {
    this.old = keep ? this.tiles : new Map();
    this.info = info;
    this.tiles = new Map();
    this.asked = new Map();
  }

  add(tiles) {
    for (const tile of tiles) this.put(`0/${tile.at[0]}/${tile.at[1]}`, tile);
    if (tiles.length) this.old = new Map();
  }

  addPicture([level, column, row, image]) {
    const key = `${level}/${column}/${row}`;
    const picture = new Image();
    picture.onload = () => { this.put(key, { codes: codesOf(picture), painted: null }); this.changed?.(key); };
    picture.src = image;
  }

  put(key, tile) {
    this.tiles.delete(key);
    this.tiles.set(key, tile);
    this.asked.delete(key);
    for (const first of this.tiles.keys()) {
      if (this.tiles.size <= KEPT_TILES) break;
      this.tiles.delete(first);
    }
  }

  /** The level to draw at a scale: 0 has all words, level k has a pixel for 2^k pixels of the scene. */
  level(scale) {
    if (scale >= this.info.far) return 0;
    return Math.max(1, Math.floor(Math.log2(1 / scale)));
  }

  /** Columns and rows of the tiles in an area, with their size. */
  places(level, area) {
    const size = level ? this.info.picture * 2 ** level : this.info.tile;
    const found = [];
    const right = Math.min(area[2], this.info.width), bottom = Math.min(area[3], this.info.height);
    for (let row = Math.max(0, Math.floor(area[1] / size)); row <= Math.floor(bottom / size); row++) {
      for (let column = Math.max(0, Math.floor(area[0] / size)); column <= Math.floor(right / size); column++) {
        found.push([column, row]);
      }
    }
    return { size, found };
  }

  /** Tiles that are missing, and that nobody has asked for. */
  missing(level, area) {
    const now = performance.now();
    const missing = this.places(level, area).found.filter(([column, row]) => {
      const key = `${level}/${column}/${row}`;
      return !this.tiles.has(key) && now - (this.asked.get(key) ?? -1e9) > 3000;
    }).slice(0, 48);
    for (const [column, row] of missing) this.asked.set(`${level}/${column}/${row}`, now);
    return missing;
  }

  /** Boxes and edges with all words in an area, each once; open blocks come before what is inside of them. */
  inside(area) {
    const boxes = new Map(), edges = new Map();
    const source = this.tiles.size || !this.old.size ? this.tiles : this.old;
    for (const [column, row] of this.places(0, area).found) {
      const tile = source.get(`0/${column}/${row}`);
      if (!tile) continue;
      for (const box of tile.boxes) boxes.set(box.key, box);
      for (const edge of tile.edges) edges.set(edge.id, edge);
    }
    return { boxes: [...boxes.values()].sort((a, b) => depth(a) - depth(b)), edges: [...edges.values()] };
  }

  boxAt(x, y) {
    let found = null;
    for (const box of this.inside([x, y, x, y]).boxes) {
      const [left, top, width, height] = box.area;
      if (x >= left && x <= left + width && y >= top && y <= top + height) found = box;
    }
    return found;
  }

  edgeAt(x, y, reach) {
    for (const edge of this.inside([x - reach, y - reach, x + reach, y + reach]).edges) {
      const p = edge.points;
      for (let i = 2; i < p.length; i += 2) {
        const left = Math.min(p[i - 2], p[i]), right = Math.max(p[i - 2], p[i]);
        const top = Math.min(p[i - 1], p[i + 1]), bottom = Math.max(p[i - 1], p[i + 1]);
        if (x < left - reach || x > right + reach || y < top - reach || y > bottom + reach) continue;
        const steep = right > left && bottom > top;
        const share = steep ? (x - p[i - 2]) / (p[i] - p[i - 2]) : 0;
        const on = steep ? p[i - 1] + smooth(share) * (p[i + 1] - p[i - 1]) : y;
        if (!steep || Math.abs(y - on) < 2 * reach) return edge;
      }
    }
    return null;
  }
}

const depth = (box) => box.key.split(".").length;
const smooth = (t) => t * t * (3 - 2 * t);

/** The class codes in a picture from Python, one byte a pixel. */
function codesOf(picture) {
  const canvas = make("canvas");
  canvas.width = picture.naturalWidth;
  canvas.height = picture.naturalHeight;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(picture, 0, 0);
  const data = context.getImageData(0, 0, canvas.width, canvas.height).data;
  const codes = new Uint8Array(canvas.width * canvas.height);
  for (let i = 0; i < codes.length; i++) codes[i] = data[4 * i];
  return { width: canvas.width, height: canvas.height, codes };
}

// -- the camera ----------------------------------------------------------------------------------

/** Which part of the scene is in view: a scale, and the point at the upper left corner. */
class Camera {
  constructor() { this.scale = 1; this.x = 0; this.y = 0; this.width = 1; this.height = 1; }

  get area() { return [this.x, this.y, this.x + this.width / this.scale, this.y + this.height / this.scale]; }

  toScene(px, py) { return [this.x + px / this.scale, this.y + py / this.scale]; }

  fit(scene, whole) {
    const room = 14;
    const across = (this.width - 2 * room) / scene.width, down = (this.height - 2 * room - 12) / scene.height;
    let scale = Math.min(across, down, 1);
    if (!whole && scale < FIRST_SCALE) scale = clamp(across, FIRST_SCALE, 1);
    this.scale = clamp(scale, LEAST_SCALE, 1);
    const wide = this.width / this.scale, high = this.height / this.scale;
    this.x = scene.width < wide ? (scene.width - wide) / 2 : -room / this.scale;
    this.y = scene.height < high ? Math.max((scene.height - high) / 2, -44 / this.scale) : -room / this.scale - 8;
  }

  zoom(factor, px = this.width / 2, py = this.height / 2) {
    const [x, y] = this.toScene(px, py);
    this.scale = clamp(this.scale * factor, LEAST_SCALE, LARGEST_SCALE);
    this.x = x - px / this.scale;
    this.y = y - py / this.scale;
  }

  pan(dx, dy) { this.x += dx / this.scale; this.y += dy / this.scale; }

  /** Keep some of the scene in view. */
  confine(scene) {
    const wide = this.width / this.scale, high = this.height / this.scale;
    this.x = clamp(this.x, -0.8 * wide, Math.max(scene.width - 0.2 * wide, -0.5 * wide));
    this.y = clamp(this.y, -0.8 * high, Math.max(scene.height - 0.2 * high, -0.5 * high));
  }

  /** Bring an area into view, at a scale at which it can be read. */
  show([left, top, width, height]) {
    if (this.scale < 0.55) this.zoom(0.8 / this.scale);
    const [x0, y0, x1, y1] = this.area;
    const edge = 40 / this.scale;
    const inside = left > x0 + edge && top > y0 + edge && left + width < x1 - edge && top + height < y1 - edge;
    if (inside) return;
    const near = left < x1 && left + width > x0 && top < y1 && top + height > y0;
    this.x = shifted(this.x, x1 - x0, left, width, edge, near);
    this.y = shifted(this.y, y1 - y0, top, height, edge, near);
  }
}

/** Whether a box (left, top, width, height) and an area (left, top, right, bottom) have something in common. */
const overlaps = ([left, top, width, height], [x0, y0, x1, y1]) => left < x1 && left + width > x0 && top < y1 && top + height > y0;

/** Where a view begins that shows a stretch: moved no further than needed, or with it in the middle. */
function shifted(start, room, at, length, edge, near) {
  if (length > room - 2 * edge) return at - edge;
  if (!near) return at + length / 2 - room / 2;
  return clamp(start, at + length + edge - room, at - edge);
}

// -- drawing -------------------------------------------------------------------------------------

/** Colors, read from the style sheet for the theme at hand. */
function readColors(root) {
  const style = getComputedStyle(root);
  const get = (name) => style.getPropertyValue(`--nk-${name}`).trim();
  const list = (name, count, first = 0) => Array.from({ length: count }, (_, i) => get(`${name}-${i + first}`));
  return {
    paper: get("paper"), raised: get("raised"), ink: get("ink"), muted: get("muted"), line: get("line"), rule: get("rule"),
    select: get("select"), path: get("path"), open: get("open"), wrong: get("wrong"), curve: get("curve"),
    families: list("family", 7),
    ramps: { error: list("error", 5, 1), amount: list("amount", 5, 1), changes: list("change", 3, 1) },
    font: style.fontFamily || "sans-serif",
  };
}

const rampOf = (overlay) => (overlay === "changes" ? "changes" : ERRORS.includes(overlay) ? "error" : "amount");

function sizedCanvas(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  const wide = Math.max(1, Math.round(width * ratio)), high = Math.max(1, Math.round(height * ratio));
  if (canvas.width !== wide || canvas.height !== high) { canvas.width = wide; canvas.height = high; }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return context;
}

class Painter {
  constructor(bench) { this.bench = bench; this.colors = null; }

  draw(canvas) {
    const { camera } = this.bench;
    this.drawOn(sizedCanvas(canvas, camera.width, camera.height));
  }

  /** The picture that is seen, as an SVG document. */
  svg(title) {
    const { camera } = this.bench;
    const drawing = new Drawing(camera.width, camera.height, title);
    this.drawOn(drawing);
    return drawing.text();
  }

  drawOn(context) {
    const { camera, scene } = this.bench;
    const { colors } = this;
    context.fillStyle = colors.paper;
    context.fillRect(0, 0, camera.width, camera.height);
    context.save();
    context.scale(camera.scale, camera.scale);
    context.translate(-camera.x, -camera.y);
    const level = scene.level(camera.scale);
    if (level) this.drawPictures(context, level);
    else this.drawWords(context);
    this.drawCursor(context);
    context.restore();
  }

  drawPictures(context, level) {
    const { camera, scene } = this.bench;
    const { size, found } = scene.places(level, camera.area);
    context.imageSmoothingEnabled = true;
    for (const [column, row] of found) {
      const tile = scene.tiles.get(`${level}/${column}/${row}`);
      if (!tile) { this.drawCoarser(context, level, column, row, size); continue; }
      context.drawImage(this.painted(tile), column * size, row * size, size, size);
    }
  }

  /** While a picture is on its way, show a part of one from farther away, if there is one. */
  drawCoarser(context, level, column, row, size) {
    for (let up = 1; up < 5; up++) {
      const tile = this.bench.scene.tiles.get(`${level + up}/${column >> up}/${row >> up}`);
      if (!tile) continue;
      const part = this.bench.scene.info.picture / 2 ** up, mask = 2 ** up - 1;
      context.drawImage(this.painted(tile), (column & mask) * part, (row & mask) * part, part, part, column * size, row * size, size, size);
      return;
    }
  }

  painted(tile) {
    if (!tile.painted) tile.painted = this.paintCodes(tile.codes);
    return tile.painted;
  }

  /** Color a picture of class codes for the theme at hand. */
  paintCodes({ width, height, codes }) {
    const canvas = make("canvas");
    canvas.width = width;
    canvas.height = height;
    const context = canvas.getContext("2d");
    const pixels = context.createImageData(width, height);
    const table = this.codeColors();
    const view = new Uint32Array(pixels.data.buffer);
    for (let i = 0; i < codes.length; i++) view[i] = table[codes[i]];
    context.putImageData(pixels, 0, 0);
    return canvas;
  }

  codeColors() {
    const { colors } = this;
    const table = new Uint32Array(256);
    const set = (code, color) => { table[code] = packed(color); };
    set(1, colors.rule);
    set(2, colors.open);
    colors.families.forEach((color, i) => set(16 + i, color));
    const ramp = colors.ramps[rampOf(this.bench.overlay)];
    set(32, colors.line);
    ramp.forEach((color, i) => set(33 + i, color));
    return table;
  }

  drawWords(context) {
    const { camera, scene } = this.bench;
    const { boxes, edges } = scene.inside(camera.area);
    const readable = camera.scale >= 0.3;
    for (const box of boxes) if (box.kind === "open") this.drawOpen(context, box, readable);
    this.drawEdges(context, edges, readable);
    for (const box of boxes) {
      if (box.kind === "open") continue;
      context.globalAlpha = this.isAside(box) ? 0.5 : 1;
      this.drawBox(context, box, readable);
    }
    context.globalAlpha = 1;
  }

  /** Whether a box is on no path to or from the selection; all others light up. */
  isAside(box) {
    const { path, cursor } = this.bench;
    return Boolean(path) && box.key !== cursor?.key && !path.boxes.has(box.key) && !box.key.startsWith(`${cursor?.key}.`);
  }

  drawEdges(context, edges, readable) {
    const { colors, bench } = this;
    const path = bench.path;
    const plain = edges.filter((edge) => !path?.edges.has(edge.id) && edge !== bench.hovered);
    const marked = edges.filter((edge) => path?.edges.has(edge.id) || edge === bench.hovered);
    for (const [list, color, wide] of [[plain, colors.line, 1], [marked, colors.path, 2]]) {
      context.strokeStyle = context.fillStyle = color;
      context.lineWidth = Math.max(wide, 0.6 / bench.camera.scale);
      for (const skips of [false, true]) {
        context.setLineDash(skips ? [5, 3] : []);
        context.beginPath();
        for (const edge of list) if (Boolean(edge.skips) === skips) trace(context, edge.points);
        context.stroke();
      }
      context.setLineDash([]);
      context.beginPath();
      for (const edge of list) if (edge.head) arrow(context, edge.points);
      context.fill();
    }
    if (!readable) return;
    context.fillStyle = colors.muted;
    context.font = `10px ${colors.font}`;
    for (const edge of edges) if (edge.label) context.fillText(edge.label, edge.points[0] + 6, edge.points[1] - 4);
  }

  drawOpen(context, box, readable) {
    const { colors, bench } = this;
    const [x, y, width, height] = box.area;
    context.fillStyle = colors.raised;
    rounded(context, x, y, width, height, 6);
    context.fill();
    context.strokeStyle = colors.open;
    context.lineWidth = 1;
    context.setLineDash([5, 3]);
    context.stroke();
    context.setLineDash([]);
    if (!readable) return;
    context.font = `bold 11.5px ${colors.font}`;
    context.fillStyle = colors.open;
    const title = `▾ ${box.title}${box.badge ? ` ${box.badge}` : ""}`;
    context.fillText(title, x + 12, y + 18);
    const used = context.measureText(title).width + 20;
    context.font = `11px ${colors.font}`;
    context.fillStyle = colors.muted;
    const words = [...(box.lines || []), box.value].filter(Boolean).join(" · ");
    if (used + context.measureText(words).width < width - 16) context.fillText(words, x + 12 + used - 10, y + 18);
  }

  drawBox(context, box, readable) {
    const { colors, bench } = this;
    const [x, y, width, height] = box.area;
    const end = box.kind === "input" || box.kind === "output";
    const ramp = colors.ramps[rampOf(bench.overlay)];
    if (box.badge) { // A second outline marks repeats.
      context.strokeStyle = colors.line;
      context.lineWidth = 1;
      rounded(context, x + 3, y + 3, width, height, 4);
      context.stroke();
    }
    context.fillStyle = colors.paper;
    rounded(context, x, y, width, height, end ? 14 : 4);
    context.fill();
    if (box.level) { context.fillStyle = ramp[box.level - 1]; context.fill(); }
    context.strokeStyle = end ? colors.muted : colors.rule;
    context.lineWidth = 1;
    if (end) context.setLineDash([3, 2]);
    context.stroke();
    context.setLineDash([]);
    if (!end) {
      context.fillStyle = colors.families[box.family];
      context.fillRect(x, y + 1, 4, height - 2);
    }
    if (box.level && bench.overlay !== "changes") { // A bar whose length says the same as the color.
      context.fillStyle = colors.muted;
      context.fillRect(x + 8, y + height - 4, ((width - 14) * box.level) / 5, 2);
    }
    if (readable) this.drawText(context, box, end);
  }

  /** A round sign that something is wrong, with the number of operations if there are several. */
  drawMark(context, box, [x, y]) {
    const { colors } = this;
    context.font = `bold 10.5px ${colors.font}`;
    const half = Math.max(7, context.measureText(box.mark).width / 2 + 4);
    context.fillStyle = colors.wrong;
    rounded(context, x - half, y - 7, 2 * half, 14, 7);
    context.fill();
    context.fillStyle = colors.paper;
    context.textAlign = "center";
    context.fillText(box.mark, x, y + 4);
    context.textAlign = "left";
  }

  drawText(context, box, end) {
    const { colors, bench } = this;
    const [x, y, width, height] = box.area;
    context.fillStyle = colors.ink;
    context.font = `bold 12.5px ${colors.font}`;
    context.textAlign = end ? "center" : "left";
    const at = end ? x + width / 2 : x + 12;
    context.fillText(box.title, at, y + 18, width - 16);
    if (box.badge) {
      context.textAlign = "right";
      context.font = `bold 10.5px ${colors.font}`;
      context.fillText(box.badge, x + width - 8, y + 17.5);
    }
    context.textAlign = end ? "center" : "left";
    context.font = `10.5px ${colors.font}`;
    context.fillStyle = box.level ? colors.ink : colors.muted;
    (box.lines || []).forEach((line, i) => context.fillText(line, at, y + 32 + 14 * i, width - 14));
    context.textAlign = "right";
    const base = y + height - 8;
    let room = 0;
    if (box.value) {
      context.fillStyle = colors.ink;
      context.font = `bold 10.5px ${colors.font}`;
      context.fillText(box.value, x + width - 8, base);
      room = context.measureText(box.value).width + 6;
    }
    context.textAlign = "left";
    if (box.mark) this.drawMark(context, box, bench.overlay === "none" ? [x + width - 8, y] : [x + width - 14 - room, base - 4]);
  }

  outline(context, box, color, wide) {
    const [x, y, width, height] = box.area;
    context.strokeStyle = color;
    context.lineWidth = wide;
    rounded(context, x - 2, y - 2, width + 4, height + 4, 6);
    context.stroke();
  }

  drawCursor(context) {
    const { bench, colors } = this;
    if (!bench.cursor) return;
    const wide = Math.max(bench.focused ? 3 : 2, 1.5 / bench.camera.scale);
    this.outline(context, bench.cursor, colors.select, wide);
  }

  /** The map in the corner: the whole scene, and the part in view. */
  drawMap(canvas, picture) {
    const { bench, colors } = this;
    const { info } = bench.scene;
    const scale = Math.min(MAP_WIDTH / info.width, MAP_HEIGHT / info.height);
    const width = Math.max(24, info.width * scale), height = Math.max(16, info.height * scale);
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
    const context = sizedCanvas(canvas, width, height);
    context.fillStyle = colors.raised;
    context.fillRect(0, 0, width, height);
    if (picture) {
      picture.painted ||= this.paintCodes(picture.codes);
      context.drawImage(picture.painted, 0, 0, info.width * scale, info.height * scale);
    }
    const [x0, y0, x1, y1] = bench.camera.area;
    context.strokeStyle = colors.select;
    context.lineWidth = 1.5;
    const left = clamp(x0 * scale, 1, width - 4), top = clamp(y0 * scale, 1, height - 4);
    const right = clamp(x1 * scale, 4, width - 1), bottom = clamp(y1 * scale, 4, height - 1);
    context.strokeRect(left, top, Math.max(right - left, 2), Math.max(bottom - top, 2));
    return scale;
  }

  /** The strip: the values of the overlay along the depth, with the place of the selection. */
  drawStrip(canvas, strip, number) {
    const { colors } = this;
    const width = canvas.clientWidth, height = canvas.clientHeight;
    const context = sizedCanvas(canvas, width, height);
    context.fillStyle = colors.paper;
    context.fillRect(0, 0, width, height);
    const area = stripArea(width, height);
    const [low, high] = strip.range;
    const place = (i) => area.left + ((i + 0.5) * area.width) / strip.values.length;
    const level = (value) => area.top + area.height * (1 - (value - low) / (high - low));
    context.strokeStyle = colors.rule;
    context.lineWidth = 1;
    context.beginPath();
    for (const value of [low, high]) { context.moveTo(area.left, level(value)); context.lineTo(area.left + area.width, level(value)); }
    context.stroke();
    context.strokeStyle = context.fillStyle = colors.curve;
    context.lineWidth = 1.5;
    context.beginPath();
    let down = false;
    const bar = Math.max(1, area.width / strip.values.length - 1);
    strip.values.forEach((value, i) => {
      if (value === null) { down = false; return; }
      if (!strip.line) { context.fillRect(place(i) - bar / 2, Math.min(level(value), level(0)), bar, Math.abs(level(value) - level(0)) || 0.5); return; }
      if (down) context.lineTo(place(i), level(value));
      else context.moveTo(place(i), level(value));
      if (strip.values[i - 1] == null && strip.values[i + 1] == null) context.fillRect(place(i) - 1, level(value) - 1, 2, 2);
      down = true;
    });
    context.stroke();
    context.fillStyle = colors.muted;
    context.font = `10px ${colors.font}`;
    context.textAlign = "right";
    context.fillText(`${strip.title} ${strip.ends[0]}`, width - 6, 11);
    context.fillText(strip.ends[1], width - 6, height - 4);
    context.textAlign = "left";
    this.drawStripPlace(context, strip, number, { place, level, height });
  }

  drawStripPlace(context, strip, number, { place, level, height }) {
    const at = columnOf(strip, number);
    if (at < 0) return;
    const { colors } = this;
    context.strokeStyle = context.fillStyle = colors.select;
    context.setLineDash([2, 3]);
    context.beginPath();
    context.moveTo(place(at), 2);
    context.lineTo(place(at), height - 2);
    context.stroke();
    context.setLineDash([]);
    const value = strip.values[at];
    context.beginPath();
    context.arc(place(at), value === null ? height - 8 : level(value), 4, 0, 7);
    context.fill();
  }
}

const stripArea = (width, height) => ({ left: 8, top: 6, width: Math.max(width - 120, 40), height: height - 14 });

/** The column of the strip that an operation is in. */
function columnOf(strip, number) {
  if (number === null || number === undefined || !strip.numbers.length) return -1;
  let found = -1;
  for (let i = 0; i < strip.numbers.length; i++) if (strip.numbers[i] <= number) found = i;
  return found < 0 ? 0 : found;
}

function packed(color) {
  const context = packed.context ||= make("canvas").getContext("2d", { willReadFrequently: true });
  context.clearRect(0, 0, 1, 1);
  context.fillStyle = color;
  context.fillRect(0, 0, 1, 1);
  const [r, g, b, a] = context.getImageData(0, 0, 1, 1).data;
  return ((a << 24) | (b << 16) | (g << 8) | r) >>> 0;
}

function rounded(context, x, y, width, height, radius) {
  context.beginPath();
  context.roundRect(x, y, width, height, Math.min(radius, width / 2, height / 2));
}

/** Add a route to the path: straight parts with round corners, curves where it bends. */
function trace(context, p) {
  if (p.length < 4) return;
  context.moveTo(p[0], p[1]);
  for (let i = 2; i < p.length; i += 2) {
    const [ax, ay, bx, by] = [p[i - 2], p[i - 1], p[i], p[i + 1]];
    if (ax !== bx && ay !== by) {
      const middle = (ax + bx) / 2;
      context.bezierCurveTo(middle, ay, middle, by, bx, by);
    } else if (i + 3 < p.length && corner(ax, ay, bx, by, p[i + 2], p[i + 3])) {
      const radius = Math.min(6, (Math.abs(bx - ax) + Math.abs(by - ay)) / 2, (Math.abs(p[i + 2] - bx) + Math.abs(p[i + 3] - by)) / 2);
      context.arcTo(bx, by, p[i + 2], p[i + 3], radius);
    } else {
      context.lineTo(bx, by);
    }
  }
}

const corner = (ax, ay, bx, by, cx, cy) => (ax === bx && by === cy && bx !== cx) || (ay === by && bx === cx && by !== cy);

function arrow(context, p) {
  const x = p[p.length - 2], y = p[p.length - 1];
  context.moveTo(x, y);
  context.lineTo(x - 6, y - 3);
  context.lineTo(x - 6, y + 3);
  context.closePath();
}

const SVG = "http://www.w3.org/2000/svg";

/** An SVG document with the part of a canvas's interface that the painter uses. Text is set as text, never parsed. */
class Drawing {
  constructor(width, height, title) {
    this.root = document.createElementNS(SVG, "svg");
    for (const [name, value] of Object.entries({ width, height, viewBox: `0 0 ${width} ${height}`, role: "img" })) this.root.setAttribute(name, value);
    this.at = this.root;
    this.add("title", {}).textContent = title;
    this.clip();
    this.dash = [];
    this.stack = [];
    this.path = "";
    Object.assign(this, { fillStyle: "#000", strokeStyle: "#000", lineWidth: 1, globalAlpha: 1, font: "10px sans-serif", textAlign: "left" });
    this.ruler = make("canvas").getContext("2d");
  }

  /** What is outside of the picture is not drawn. */
  clip() { this.root.setAttribute("overflow", "hidden"); }

  text() { return new XMLSerializer().serializeToString(this.root); }

  add(tag, attributes) {
    const element = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) if (value !== null) element.setAttribute(name, typeof value === "number" ? short(value) : value);
    if (this.globalAlpha < 1) element.setAttribute("opacity", short(this.globalAlpha));
    this.at.append(element);
    return element;
  }

  save() { this.stack.push(this.at); }

  restore() { this.at = this.stack.pop(); }

  scale(x, y) { this.at = this.add("g", { transform: `scale(${x} ${y})` }); }

  translate(x, y) { this.at = this.add("g", { transform: `translate(${short(x)} ${short(y)})` }); }

  setLineDash(dash) { this.dash = dash; }

  beginPath() { this.path = ""; }

  moveTo(x, y) { this.path += `M${short(x)} ${short(y)}`; this.last = [x, y]; }

  lineTo(x, y) { this.path += `L${short(x)} ${short(y)}`; this.last = [x, y]; }

  closePath() { this.path += "Z"; }

  bezierCurveTo(...points) { this.path += `C${points.map(short).join(" ")}`; this.last = points.slice(4); }

  /** A round corner at a point, on the way to another one. */
  arcTo(x, y, toX, toY, radius) {
    const before = Math.hypot(this.last[0] - x, this.last[1] - y) || 1, after = Math.hypot(toX - x, toY - y) || 1;
    this.lineTo(x + (radius * (this.last[0] - x)) / before, y + (radius * (this.last[1] - y)) / before);
    this.last = [x + (radius * (toX - x)) / after, y + (radius * (toY - y)) / after];
    this.path += `Q${[x, y, ...this.last].map(short).join(" ")}`;
  }

  roundRect(x, y, width, height, r) {
    const [right, bottom] = [x + width, y + height];
    const arc = (toX, toY) => `A${[r, r, 0, 0, 1, toX, toY].map(short).join(" ")}`;
    this.path += `M${short(x + r)} ${short(y)}H${short(right - r)}${arc(right, y + r)}V${short(bottom - r)}${arc(right - r, bottom)}H${short(x + r)}${arc(x, bottom - r)}V${short(y + r)}${arc(x + r, y)}Z`;
  }

  fill() { if (this.path) this.add("path", { d: this.path, fill: this.fillStyle }); }

  stroke() {
    if (!this.path) return;
    this.add("path", { d: this.path, fill: "none", stroke: this.strokeStyle, "stroke-width": this.lineWidth, "stroke-dasharray": this.dash.length ? this.dash.join(" ") : null });
  }

  fillRect(x, y, width, height) { this.add("rect", { x, y, width, height, fill: this.fillStyle }); }

  measureText(text) { this.ruler.font = this.font; return this.ruler.measureText(text); }

  fillText(text, x, y, most) {
    const [, bold, size, family] = this.font.match(/^(bold )?([\d.]+)px (.*)$/) || [null, "", "10", "sans-serif"];
    const squeezed = most && this.measureText(text).width > most;
    this.add("text", {
      x, y, fill: this.fillStyle, "font-size": size, "font-family": family, "font-weight": bold ? "bold" : null,
      "text-anchor": { center: "middle", right: "end" }[this.textAlign] || null, textLength: squeezed ? most : null, lengthAdjust: squeezed ? "spacingAndGlyphs" : null,
    }).textContent = text;
  }

  /** A picture, or a part of one. */
  drawImage(image, ...areas) {
    let shown = image;
    if (areas.length > 4) {
      shown = make("canvas");
      [shown.width, shown.height] = [areas[2], areas[3]];
      shown.getContext("2d").drawImage(image, ...areas.slice(0, 4), 0, 0, areas[2], areas[3]);
    }
    const [x, y, width, height] = areas.slice(-4);
    this.add("image", { x, y, width, height, href: shown.toDataURL("image/png") });
  }
}

const short = (value) => String(Math.round(value * 100) / 100);

// -- the inspector -------------------------------------------------------------------------------

class Inspector {
  constructor(bench, element) {
    this.bench = bench;
    this.element = element;
    this.tab = ""; // The tab that was chosen last, for the next tensor too.
    this.request = {};
    this.content = null;
  }

  show(content) {
    const focused = this.element.contains(document.activeElement);
    const same = content && this.content && content.tensor === this.content.tensor;
    if (!same) this.request = {};
    this.content = content;
    this.panel = null;
    this.element.replaceChildren(...(content ? this.parts(content) : [this.nothing()]));
    if (focused) this.element.focus();
    if (content?.tabs?.length) this.ask();
    this.element.scrollTop = 0;
  }

  nothing() {
    return make("p", { class: "nk-muted", text: "Select a box to see its source, its attributes and its tensor." });
  }

  parts(content) {
    return [
      this.crumbs(content.crumbs),
      make("h2", {}, make("span", { class: "nk-name", text: content.name }), " ", make("span", { class: "nk-muted", text: content.where })),
      content.statement ? make("pre", { class: "nk-code", tabindex: 0, "aria-label": "source statement", text: content.statement }) : null,
      ...(content.other?.length ? [make("div", { class: "nk-muted", text: `in ${content.other[0]}:` }), make("pre", { class: "nk-code", tabindex: 0, "aria-label": "statement in the other graph", text: content.other[1] })] : []),
      ...(content.lines || []).map((line) => make("p", { class: "nk-muted", text: line })),
      this.verdict(content.verdict),
      this.facts(content),
      this.tensor(content),
      this.attributes(content.attributes),
      this.operations(content),
      this.access(content),
    ].filter(Boolean);
  }

  crumbs(crumbs) {
    if (!crumbs?.length) return null;
    const nav = make("nav", { class: "nk-crumbs", "aria-label": "scope" });
    for (const [key, title] of crumbs) {
      nav.append(make("button", { type: "button", text: title, onclick: () => this.bench.send({ ask: "select", key }) }), " › ");
    }
    return nav;
  }

  verdict(verdict) {
    if (!verdict) return null;
    return make("div", { class: `nk-verdict nk-${verdict.tone}` },
      make("strong", { text: verdict.title }),
      ...verdict.lines.map((line) => make("div", { text: line })));
  }

  facts(content) {
    const rows = content.facts.map(([key, value]) => [key, [make("span", { class: "nk-mono", text: value })]]);
    if (content.reads?.length) rows.push(["reads", content.reads.map((one) => this.jump(one))]);
    if (content.results?.length) rows.push(["results", content.results.map((one) => this.jump(one))]);
    if (content.feeds?.length) rows.push(["feeds", content.feeds.map((one) => this.jump(one))]);
    return make("dl", { class: "nk-facts" },
      ...rows.flatMap(([key, values]) => [make("dt", { text: key }), make("dd", {}, ...values)]));
  }

  /** A tensor that a click leads to, or a plain value. */
  jump(one) {
    const words = [one.parameter ? `${one.parameter}: ` : "", one.words];
    if (!one.tensor) return make("div", { class: "nk-mono", text: words.join("") });
    return make("div", {},
      one.parameter ? make("span", { class: "nk-muted", text: words[0] }) : null,
      make("button", { type: "button", class: "nk-jump", text: one.tensor, onclick: () => this.bench.send({ ask: "select", tensor: one.tensor }) }),
      make("span", { class: "nk-muted", text: ` ${one.words}` }));
  }

  attributes(attributes) {
    if (!attributes?.length) return null;
    const rows = attributes.map(([name, value, isDefault]) => [
      make("dt", { text: name }),
      make("dd", { class: isDefault ? "nk-mono nk-default" : "nk-mono", text: isDefault ? `${value} (default)` : value }),
    ]);
    return make("section", {}, make("h3", { text: "Attributes" }), make("dl", { class: "nk-facts" }, ...rows.flat()));
  }

  operations(content) {
    if (!content.operations?.length) return null;
    const list = content.operations.map((one) => this.jump(one));
    if (content.rest > 0) list.push(make("div", { class: "nk-muted", text: `${content.rest} more` }));
    return make("section", {}, make("h3", { text: "Operations" }), ...list);
  }

  access(content) {
    if (!content.tensor) return null;
    return make("p", { class: "nk-muted nk-access" }, "in Python: ", make("code", { text: "view.tensor" }), ", ", make("code", { text: "view.operation" }));
  }

  // The tensor itself: tabs, pages, slices.

  tensor(content) {
    if (!content.tabs?.length) return content.note ? make("p", { class: "nk-muted", text: content.note }) : null;
    if (!content.tabs.includes(this.tab)) this.shown = content.tabs[0];
    else this.shown = this.tab;
    const tabs = content.tabs.map((name) => make("button", {
      type: "button", role: "tab", id: `${this.bench.id}-tab-${name.replace(" ", "-")}`, "aria-controls": `${this.bench.id}-panel`,
      "aria-selected": String(name === this.shown), tabindex: name === this.shown ? 0 : -1, text: name,
      onclick: () => this.choose(name), onkeydown: (event) => this.step(event, name),
    }));
    this.tablist = make("div", { role: "tablist", class: "nk-tabs", "aria-label": "views of the tensor" }, ...tabs);
    this.panel = make("div", { role: "tabpanel", class: "nk-panel", id: `${this.bench.id}-panel`, "aria-busy": "true", tabindex: 0, "aria-label": "tensor" });
    return make("section", { class: "nk-tensor" }, this.tablist, this.panel);
  }

  choose(name) {
    this.tab = this.shown = name;
    this.request = { index: this.request.index };
    for (const tab of this.tablist.children) {
      const chosen = tab.textContent === name;
      tab.setAttribute("aria-selected", String(chosen));
      tab.tabIndex = chosen ? 0 : -1;
    }
    this.ask();
  }

  step(event, name) {
    const way = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!way) return;
    event.preventDefault();
    const { tabs } = this.content;
    const next = tabs[(tabs.indexOf(name) + way + tabs.length) % tabs.length];
    this.choose(next);
    [...this.tablist.children].find((tab) => tab.textContent === next)?.focus();
  }

  ask(more = {}) {
    Object.assign(this.request, more);
    this.panel?.setAttribute("aria-busy", "true");
    this.bench.send({ ask: "picture", tensor: this.content.tensor, tab: this.shown, ...this.request });
  }

  /** Turn the page of channels, or of values. */
  page(way) {
    if (!this.view || !this.panel) return;
    if (this.view.pages) this.ask({ page: clamp(this.view.page + way, 0, this.view.pages - 1) });
    else if (this.view.shape) this.ask({ row: Math.max(0, this.view.row + 12 * way) });
  }

  picture(view) {
    if (!this.panel || view.tensor !== this.content?.tensor || view.tab !== this.shown) return;
    this.view = view;
    const focused = this.panel.contains(document.activeElement) ? document.activeElement.dataset.name : null;
    this.panel.replaceChildren(...view.parts.map((part) => (part.rows ? this.table(part, view) : this.image(part))), this.controls(view));
    this.panel.setAttribute("aria-busy", "false");
    if (focused) this.panel.querySelector(`[data-name="${focused}"]`)?.focus();
  }

  image(part) {
    return make("figure", {},
      part.label ? make("div", { class: "nk-label", text: part.label }) : null,
      part.line ? make("div", { class: "nk-mono nk-muted", text: part.line }) : null,
      make("img", { src: part.image, alt: part.alt, width: part.width, height: part.height }),
      part.caption ? make("figcaption", { class: "nk-muted", text: part.caption }) : null);
  }

  table(part, view) {
    const head = make("tr", {}, make("th", { scope: "col", text: "row" }), ...part.rows[0].map((_, i) => make("th", { scope: "col", text: String(view.column + i) })));
    const rows = part.rows.map((cells, i) => make("tr", {}, make("th", { scope: "row", text: String(view.row + i) }), ...cells.map((cell) => make("td", { text: cell }))));
    return make("div", { class: "nk-values", tabindex: 0, role: "region", "aria-label": `values ${part.label}` },
      part.label ? make("div", { class: "nk-label", text: part.label }) : null,
      part.line ? make("div", { class: "nk-mono nk-muted", text: part.line }) : null,
      make("table", {}, make("thead", {}, head), make("tbody", {}, ...rows)));
  }

  controls(view) {
    const controls = make("div", { class: "nk-controls" });
    const button = (text, label, change, name, disabled) => controls.append(make("button", {
      type: "button", text, "aria-label": label, "data-name": name, disabled, onclick: () => this.ask(change),
    }));
    if (view.pages > 1) button("◂", "previous page", { page: view.page - 1 }, "previous", view.page === 0);
    if (view.shape && view.shape[0] > 12) button("▴", "rows before", { row: view.row - 12 }, "rows-before", view.row === 0);
    if (view.shape && view.shape[1] > 6) button("◂", "columns before", { column: view.column - 6 }, "columns-before", view.column === 0);
    controls.append(make("span", { class: "nk-muted", text: view.where || "" }));
    if (view.pages > 1) button("▸", "next page", { page: view.page + 1 }, "next", view.page === view.pages - 1);
    if (view.shape && view.shape[1] > 6) button("▸", "columns after", { column: view.column + 6 }, "columns-after", view.column + 6 >= view.shape[1]);
    if (view.shape && view.shape[0] > 12) button("▾", "rows after", { row: view.row + 12 }, "rows-after", view.row + 12 >= view.shape[0]);
    if (view.items > 1) controls.append(this.position("item", view.item, view.items, (value) => this.ask({ item: value })));
    (view.extents || []).forEach((extent, axis) => {
      if (extent < 2) return;
      const change = (value) => this.ask({ index: view.index.map((old, i) => (i === axis ? value : old)), row: 0, column: 0 });
      controls.append(this.position(`axis ${axis}`, view.index[axis], extent, change));
    });
    if (view.note) controls.append(make("div", { class: "nk-muted", text: view.note }));
    return controls;
  }

  /** A field for a position along an axis. */
  position(name, value, extent, change) {
    return make("label", { class: "nk-muted" }, `${name} `,
      make("input", { type: "number", min: 0, max: extent - 1, value, "data-name": name, onchange: (event) => change(clamp(Number(event.target.value) || 0, 0, extent - 1)) }),
      ` of ${extent}`);
  }
}

// -- search --------------------------------------------------------------------------------------

class Finder {
  constructor(bench) {
    this.bench = bench;
    this.matches = [];
    this.at = -1;
    const list = `${bench.id}-found`;
    this.input = make("input", {
      type: "search", class: "nk-search", placeholder: "search  /", title: "by name, operation, shape, attribute, label or line", "aria-label": "search the graph",
      role: "combobox", "aria-expanded": "false", "aria-controls": list, "aria-autocomplete": "list", autocomplete: "off", spellcheck: "false",
      oninput: () => this.typed(), onkeydown: (event) => this.key(event), onfocus: () => { if (this.matches.length) this.open(true); },
    });
    this.list = make("div", { class: "nk-found", role: "listbox", id: list, "aria-label": "search results", hidden: true });
    this.count = make("span", { class: "nk-muted nk-count", role: "status" });
    this.element = make("div", { class: "nk-finder" }, this.input, this.count, this.list);
    this.element.addEventListener("focusout", (event) => { if (!this.element.contains(event.relatedTarget)) this.open(false); });
  }

  typed() {
    clearTimeout(this.timer);
    this.matches = []; // Those of the text before: Enter waits for the new ones.
    this.pending = 0;
    this.at = -1;
    this.timer = setTimeout(() => this.bench.send({ ask: "search", text: this.input.value }), 120);
  }

  found(message) {
    if (message.text !== this.input.value) return;
    this.matches = message.matches;
    this.total = message.total;
    this.list.replaceChildren(...this.matches.slice(0, 60).map(([name, words], i) => make("div", {
      role: "option", id: `${this.list.id}-${i}`, "aria-selected": "false", onmousedown: (event) => { event.preventDefault(); this.go(i); },
    }, make("strong", { text: name }), make("span", { class: "nk-muted", text: ` ${words}` }))));
    if (!this.matches.length && message.text.trim()) this.list.append(make("div", { class: "nk-muted", role: "option", "aria-selected": "false", text: "nothing found" }));
    this.open(Boolean(message.text.trim()));
    this.tell();
    if (this.pending) { const way = this.pending; this.pending = 0; this.step(way); }
  }

  tell() {
    const total = this.total || 0;
    this.count.textContent = this.input.value.trim() ? (this.at >= 0 ? `${this.at + 1} of ${total}` : `${total} found`) : "";
  }

  open(shown) {
    this.list.hidden = !shown || !this.list.children.length;
    this.input.setAttribute("aria-expanded", String(!this.list.hidden));
  }

  key(event) {
    const way = { Enter: event.shiftKey ? -1 : 1, ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (way) {
      event.preventDefault();
      this.step(way);
    } else if (event.key === "Escape") {
      event.preventDefault();
      if (!this.list.hidden) this.open(false);
      else this.bench.stage.focus();
    }
  }

  step(way) {
    if (!this.matches.length) { this.pending = way; return; }
    const count = this.matches.length;
    this.go(this.at < 0 && way < 0 ? count - 1 : (this.at + way + count) % count);
  }

  go(i) {
    this.at = i;
    this.tell();
    [...this.list.children].forEach((option, k) => option.setAttribute("aria-selected", String(k === i)));
    const option = this.list.children[i];
    if (option) { this.input.setAttribute("aria-activedescendant", option.id); option.scrollIntoView?.({ block: "nearest" }); }
    this.bench.send({ ask: "select", tensor: this.matches[i][0] });
  }
}

// -- everything together ---------------------------------------------------------------------------

class Bench {
  constructor(model, host) {
    this.model = model;
    this.id = `nk${Math.random().toString(36).slice(2, 9)}`;
    this.scene = new Scene();
    this.camera = new Camera();
    this.painter = new Painter(this);
    this.overlay = "none";
    this.cursor = null;
    this.path = null;
    this.hovered = null;
    this.number = null;
    this.focused = false;
    this.touched = false; // Whether the user has moved the picture.
    this.cleanups = [];
    this.build(host);
    this.scene.changed = (key) => { this.painter.painted(this.scene.tiles.get(key)); this.dirty(); };
    this.listen();
    const first = model.get("_first");
    if (first?.scene) { this.receive(first.scene); this.receive(first.tiles); }
    this.receive({ kind: "inspect", content: null, cursor: null });
    this.send({ ask: "hello", version: this.scene.info.version });
    this.preparing = setTimeout(() => this.model.send({ ask: "prepare" }), PREPARE_AFTER);
  }

  // Elements.

  build(host) {
    const button = (text, label, act) => make("button", { type: "button", text, title: label, "aria-label": label, onclick: act });
    this.title = make("strong", { class: "nk-title" });
    this.facts = make("span", { class: "nk-muted nk-counts" });
    this.finder = new Finder(this);
    this.overlays = make("select", { "aria-label": "color of the boxes", onchange: () => this.send({ ask: "overlay", key: this.overlays.value }) });
    this.details = make("select", { "aria-label": "detail", onchange: () => this.send({ ask: "detail", detail: this.details.value }) },
      make("option", { value: "blocks", text: "blocks" }), make("option", { value: "operations", text: "operations" }));
    this.zoomed = make("span", { class: "nk-zoom" });
    const bar = make("div", { class: "nk-bar", role: "toolbar", "aria-label": "workbench" },
      make("span", { class: "nk-heading" }, this.title, " ", this.facts), this.finder.element,
      make("label", {}, make("span", { class: "nk-muted", text: "color " }), this.overlays),
      make("label", {}, make("span", { class: "nk-muted", text: "detail " }), this.details),
      make("span", { class: "nk-group" }, button("⊞", "open all visible blocks", () => this.send({ ask: "all", open: true })), button("⊟", "fold all blocks", () => this.send({ ask: "all", open: false }))),
      make("span", { class: "nk-group" }, button("−", "zoom out", () => this.zoom(1 / 1.25)), this.zoomed, button("+", "zoom in", () => this.zoom(1.25)), button("fit", "fit the whole graph", () => this.fit()), button("⤓", "save this picture as an SVG file", () => this.save()), button("?", "keys", () => this.help(true))));
    this.canvas = make("canvas", { class: "nk-canvas", "aria-hidden": "true" });
    this.stage = make("div", {
      class: "nk-stage", tabindex: 0, role: "application", "aria-roledescription": "graph", "aria-label": "graph", "aria-describedby": `${this.id}-keys`,
    }, this.canvas);
    this.tip = make("div", { class: "nk-tip", hidden: true });
    this.legend = make("div", { class: "nk-legend" });
    this.map = make("canvas", { class: "nk-map", "aria-hidden": "true" });
    this.trail = make("nav", { class: "nk-trail", "aria-label": "scope of the selection" });
    const area = make("div", { class: "nk-area" }, this.stage, this.map, this.tip);
    this.strip = make("canvas", { class: "nk-strip", role: "img", "aria-label": "values along the depth of the graph" });
    this.side = make("aside", { class: "nk-side", tabindex: -1, "aria-label": "inspector" });
    this.inspector = new Inspector(this, this.side);
    this.dialog = make("div", { class: "nk-help", role: "dialog", "aria-modal": "true", "aria-label": "keys", tabindex: -1, hidden: true },
      make("h2", { text: "Keys" }), make("dl", {}, ...KEYS.flatMap(([key, does]) => [make("dt", {}, make("kbd", { text: key })), make("dd", { text: does })])),
      make("p", { class: "nk-muted", text: "Drag to move the picture; with the focus in it, the wheel zooms. A double click opens a block." }),
      button("close", "close", () => this.help(false)));
    this.status = make("span", { role: "status", "aria-live": "polite", class: "nk-status" });
    const keys = make("span", { class: "nk-muted nk-hint", id: `${this.id}-keys`, text: "← → operations · Enter opens a block · / search · + − 0 zoom · e next error · ? all keys" });
    this.spoken = make("div", { class: "nk-unseen", "aria-live": "polite", role: "status" });
    this.root = make("div", { class: "nk-workbench", "data-lm-suppress-shortcuts": "true" },
      bar, make("div", { class: "nk-main" }, make("div", { class: "nk-left" }, area, make("div", { class: "nk-below" }, this.trail, this.legend), this.strip), this.side),
      make("div", { class: "nk-foot" }, keys, this.status), this.spoken, this.dialog);
    this.resize();
    host.append(this.root);
    // The static cards after it are for pages without a kernel.
    for (const card of document.getElementsByClassName(`nk-stored-${this.model.get("_stored")}`)) card.style.display = "none";
  }

  resize() {
    this.root.style.setProperty("--nk-height", `${this.model.get("height") || 560}px`);
  }

  on(target, name, act, options) {
    target.addEventListener(name, act, options);
    this.cleanups.push(() => target.removeEventListener(name, act, options));
  }

  listen() {
    const receive = (message) => this.receive(message);
    this.model.on("msg:custom", receive);
    const resized = () => this.resize();
    this.model.on("change:height", resized);
    this.cleanups.push(() => { this.model.off("msg:custom", receive); this.model.off("change:height", resized); });
    const sizes = new ResizeObserver(() => this.measure());
    sizes.observe(this.root);
    sizes.observe(this.stage);
    this.cleanups.push(() => sizes.disconnect());
    const themes = new MutationObserver(() => this.restyle());
    for (const at of [document.documentElement, document.body]) themes.observe(at, { attributes: true, attributeFilter: ["class", "style", "theme", "data-theme", "data-jp-theme-name", "data-jp-theme-light", "data-vscode-theme-kind"] });
    this.cleanups.push(() => themes.disconnect());
    this.on(matchMedia("(prefers-color-scheme: dark)"), "change", () => this.restyle());
    this.on(this.stage, "pointerdown", (event) => this.press(event));
    this.on(this.stage, "pointermove", (event) => this.move(event));
    this.on(this.stage, "pointerup", (event) => this.release(event));
    this.on(this.stage, "pointercancel", () => { this.drag = null; });
    this.on(this.stage, "pointerleave", () => this.hover(null, null));
    this.on(this.stage, "dblclick", (event) => this.open(event));
    this.on(this.stage, "wheel", (event) => this.wheel(event), { passive: false });
    this.on(this.stage, "focus", () => { this.focused = true; this.dirty(); });
    this.on(this.stage, "blur", () => { this.focused = false; this.dirty(); });
    this.on(this.root, "keydown", (event) => this.key(event));
    this.on(this.map, "pointerdown", (event) => this.jumpMap(event));
    this.on(this.map, "pointermove", (event) => { if (event.buttons) this.jumpMap(event); });
    this.on(this.strip, "click", (event) => this.pickStrip(event));
    this.measure();
  }

  remove() {
    for (const clean of this.cleanups) clean();
    cancelAnimationFrame(this.frame);
    clearTimeout(this.waiting);
    clearTimeout(this.preparing);
    clearTimeout(this.finder.timer);
    this.root.remove();
  }

  // Messages.

  send(message) {
    this.model.send(message);
    if (["toggle", "all", "detail", "overlay"].includes(message.ask)) this.tell("…");
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => {
      this.tell("No answer from Python: without a kernel the picture stays as it was stored.", "wrong");
      this.silent = true;
    }, WAIT_FOR_KERNEL);
  }

  receive(message) {
    clearTimeout(this.waiting);
    if (this.silent || this.status.textContent === "…") this.tell("");
    const handlers = {
      scene: this.newScene, tiles: this.newTiles, pictures: this.newPictures, inspect: this.inspect, path: this.newPath,
      found: (m) => this.finder.found(m), picture: (m) => this.inspector.picture(m), status: (m) => this.tell(m.text, m.tone),
    };
    handlers[message?.kind]?.call(this, message);
  }

  newScene(info) {
    const before = this.cursor;
    const anchor = info.anchor && before && info.anchor[0] === before.key ? before.area : null;
    const same = info.width === this.scene.info.width && info.height === this.scene.info.height;
    const detailed = info.detail !== this.scene.info.detail;
    this.scene.begin(info, same);
    if (anchor) { this.camera.x += info.anchor[1] - anchor[0]; this.camera.y += info.anchor[2] - anchor[1]; }
    this.path = null;
    this.setCursor(info.cursor);
    this.overlay = info.overlay.key;
    this.stripData = info.overlay.strip;
    this.title.textContent = info.title;
    this.title.title = info.name;
    this.facts.textContent = info.facts;
    this.stage.setAttribute("aria-label", `graph ${info.name}, ${info.facts}`);
    this.details.value = info.detail;
    this.choices(info);
    this.drawLegend(info);
    this.mapPicture = null;
    const picture = new Image();
    picture.onload = () => { if (this.scene.info === info) { this.mapPicture = { codes: codesOf(picture) }; this.dirty(); } };
    picture.src = info.overview;
    if (!this.touched || detailed) this.fitFirst();
    this.dirty();
  }

  newTiles(message) {
    if (message.version !== this.scene.info.version) return;
    this.scene.add(message.tiles);
    this.askPath();
    this.dirty();
  }

  newPictures(message) {
    if (message.version !== this.scene.info.version) return;
    for (const picture of message.pictures) this.scene.addPicture(picture);
  }

  inspect(message) {
    this.setCursor(message.cursor);
    this.number = message.number ?? null;
    this.inspector.show(message.content);
    this.drawTrail(message.content);
    if (message.center && this.cursor) { this.camera.show(this.cursor.area); }
    if (message.spoken) this.spoken.textContent = message.spoken;
    this.path = null;
    this.askPath();
    this.dirty();
  }

  newPath(message) {
    if (message.key !== this.cursor?.key) return;
    this.path ||= { boxes: new Set(), edges: new Set() };
    for (const key of message.boxes) this.path.boxes.add(key);
    for (const id of message.edges) this.path.edges.add(id);
    this.dirty();
  }

  askPath() {
    if (!this.cursor || this.scene.level(this.camera.scale)) return;
    const places = this.scene.places(0, this.camera.area).found.filter(([i, j]) => this.scene.tiles.has(`0/${i}/${j}`));
    if (places.length) this.send({ ask: "path", version: this.scene.info.version, key: this.cursor.key, places });
  }

  setCursor(cursor) { this.cursor = cursor || null; }

  tell(text, tone = "") {
    this.silent = false;
    this.status.textContent = text;
    this.status.className = `nk-status ${tone ? `nk-${tone}` : ""}`;
  }

  // Around the picture.

  choices(info) {
    const entries = [["none", "none"], ...info.overlays];
    if (!entries.some(([key]) => key === info.overlay.key)) entries.push([info.overlay.key, info.overlay.title]);
    this.overlays.replaceChildren(...entries.map(([value, text]) => make("option", { value, text })));
    this.overlays.value = info.overlay.key;
  }

  drawLegend(info) {
    const { legend } = info.overlay;
    const swatch = (variable) => {
      const element = make("i", { class: "nk-swatch" });
      element.style.background = `var(--nk-${variable})`; // Not as an attribute, which strict pages refuse.
      return element;
    };
    let parts;
    if (legend?.kinds) {
      parts = legend.kinds.flatMap(([kind, name]) => [swatch(`change-${kind}`), make("span", { text: name })]);
      if (!parts.length) parts = [make("span", { text: "no operation differs" })];
    } else if (legend) {
      const ramp = rampOf(info.overlay.key);
      const steps = ERRORS[2] === info.overlay.key ? [5] : [1, 2, 3, 4, 5];
      parts = [make("span", { text: `${info.overlay.title}: ${legend.ends[0]} ` }), ...steps.map((i) => swatch(`${ramp}-${i}`)), make("span", { text: ` ${legend.ends[1]}${legend.note ? ` · ${legend.note}` : ""}` })];
    } else {
      parts = info.families.flatMap(([i, name]) => [swatch(`family-${i}`), make("span", { text: name })]);
    }
    this.legend.replaceChildren(...parts);
  }

  drawTrail(content) {
    const crumbs = content?.crumbs || [];
    this.trail.replaceChildren(...crumbs.map(([key, title]) => make("button", { type: "button", text: `${title} ›`, title: "select this block", onclick: () => this.send({ ask: "select", key }) })));
    this.trail.hidden = !crumbs.length;
  }

  help(shown) {
    this.dialog.hidden = !shown;
    (shown ? this.dialog : this.stage).focus();
  }

  // The picture.

  measure() {
    const { clientWidth: width, clientHeight: height } = this.stage;
    if (!width || !height) return;
    this.root.toggleAttribute("data-narrow", this.root.clientWidth < 900);
    if (!this.painter.colors) this.restyle();
    this.camera.width = width;
    this.camera.height = height;
    if (!this.touched) this.fitFirst();
    this.dirty();
  }

  restyle() {
    this.root.dataset.theme = isDark(this.root.parentElement || document.body) ? "dark" : "light";
    this.painter.colors = readColors(this.root);
    for (const tile of this.scene.tiles.values()) tile.painted = null;
    if (this.mapPicture) this.mapPicture.painted = null;
    this.dirty();
  }

  fitFirst() {
    if (this.scene.info.version < 0 || this.camera.width < 2) return;
    this.camera.fit(this.scene.info, false);
    if (this.cursor) this.camera.show(this.cursor.area);
  }

  fit() { this.camera.fit(this.scene.info, true); this.touched = false; this.dirty(); }

  /** Save the picture that is seen, as a file of the browser. */
  save() {
    if (!this.painter.colors || this.scene.info.version < 0) return;
    const { name } = this.scene.info;
    const url = URL.createObjectURL(new Blob([this.painter.svg(`graph ${name}`)], { type: "image/svg+xml" }));
    make("a", { href: url, download: `${name.replace(/[^\p{L}\p{N}._-]+/gu, "_").slice(0, 60) || "graph"}.svg` }).click();
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
    this.tell("The picture was saved by the browser.");
  }

  /** Put the map into a corner where it covers no box; while the picture is moved, only off the selected one. */
  placeMap() {
    const { camera, scene, map } = this;
    const width = map.offsetWidth + 2 * MAP_MARGIN, height = map.offsetHeight + 2 * MAP_MARGIN;
    const areaOf = ([across, down]) => {
      const x = across === "left" ? 0 : camera.width - width, y = down === "top" ? 0 : camera.height - height;
      return [...camera.toScene(x, y), ...camera.toScene(x + width, y + height)];
    };
    const hides = (area) => Boolean(this.cursor && !this.cursor.isOpen && overlaps(this.cursor.area, area));
    const present = CORNERS.find((corner) => map.dataset.corner === corner.join(" ")) || CORNERS[0];
    if (this.touched && !hides(areaOf(present))) return;
    const near = !scene.level(camera.scale);
    const covered = (corner) => {
      const area = areaOf(corner);
      const boxes = near ? scene.inside(area).boxes.filter((box) => box.kind !== "open" && overlaps(box.area, area)) : [];
      return boxes.length + (hides(area) ? 1000 : 0);
    };
    const [, best] = CORNERS.map((corner) => [covered(corner), corner]).sort(([a], [b]) => a - b)[0];
    map.dataset.corner = best.join(" ");
  }

  zoom(factor, x, y) { this.camera.zoom(factor, x, y); this.touched = true; this.dirty(); }

  pan(dx, dy) { this.camera.pan(dx, dy); this.touched = true; this.dirty(); }

  dirty() { this.frame ||= requestAnimationFrame(() => { this.frame = 0; this.paint(); }); }

  paint() {
    const { camera, scene, painter } = this;
    if (!painter.colors || scene.info.version < 0) return;
    camera.confine(scene.info);
    painter.draw(this.canvas);
    this.mapScale = painter.drawMap(this.map, this.mapPicture);
    const [x0, y0, x1, y1] = camera.area;
    this.map.hidden = x0 <= 0 && y0 <= 0 && x1 >= scene.info.width && y1 >= scene.info.height;
    if (!this.map.hidden) this.placeMap();
    if (this.stripData) painter.drawStrip(this.strip, this.stripData, this.number);
    this.zoomed.textContent = `${Math.max(1, Math.round(100 * camera.scale))} %`;
    const level = scene.level(camera.scale);
    const margin = level ? 0 : 200;
    const missing = scene.missing(level, [x0 - margin, y0 - margin, x1 + margin, y1 + margin]);
    if (missing.length) this.send({ ask: "tiles", version: scene.info.version, level, places: missing });
  }

  // Pointer.

  point(event) {
    const box = this.stage.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  press(event) {
    if (event.button > 0) return;
    const [x, y] = this.point(event);
    this.drag = { x, y, moved: false };
    this.stage.setPointerCapture(event.pointerId);
    this.stage.focus({ preventScroll: true });
  }

  move(event) {
    const [x, y] = this.point(event);
    if (!this.drag) { this.hover(x, y); return; }
    const dx = x - this.drag.x, dy = y - this.drag.y;
    if (!this.drag.moved && Math.hypot(dx, dy) < 4) return;
    this.drag = { x, y, moved: true };
    this.stage.classList.add("nk-dragged");
    this.hover(null, null);
    this.pan(-dx, -dy);
  }

  release(event) {
    const drag = this.drag;
    this.drag = null;
    this.stage.classList.remove("nk-dragged");
    if (!drag || drag.moved) return;
    const [x, y] = this.camera.toScene(...this.point(event));
    const box = this.scene.level(this.camera.scale) ? null : this.scene.boxAt(x, y);
    if (box && box.kind === "open" && y < box.area[1] + 26) this.send({ ask: "select", key: box.key });
    else if (box) this.send({ ask: "select", key: box.key });
    else this.send({ ask: "select", x, y });
  }

  open(event) {
    const [x, y] = this.camera.toScene(...this.point(event));
    const box = this.scene.boxAt(x, y);
    if (box && (box.kind === "block" || box.kind === "open")) this.toggle(box);
  }

  toggle(box) {
    this.setCursor({ key: box.key, area: box.area, opens: true });
    this.send({ ask: "toggle", key: box.key });
  }

  wheel(event) {
    if (!this.focused && !event.ctrlKey && !event.metaKey) return; // The page scrolls.
    event.preventDefault();
    this.zoom(Math.exp(-clamp(event.deltaY, -120, 120) * (event.ctrlKey ? 0.008 : 0.0025)), ...this.point(event));
  }

  hover(x, y) {
    let edge = null, text = "";
    if (x !== null && !this.scene.level(this.camera.scale)) {
      const [sx, sy] = this.camera.toScene(x, y);
      const box = this.scene.boxAt(sx, sy);
      if (box && box.kind !== "open") text = [box.title, ...(box.lines || []), box.value].filter(Boolean).join(" · ");
      else edge = this.scene.edgeAt(sx, sy, 4 / this.camera.scale);
      if (edge) text = `${edge.names.join(", ")}${edge.more ? ` and ${edge.more} more` : ""} · ${edge.shape}`;
    }
    if (edge !== this.hovered) { this.hovered = edge; this.dirty(); }
    this.tip.hidden = !text;
    if (!text) return;
    this.tip.textContent = text;
    this.tip.style.left = `${clamp(x + 12, 4, Math.max(4, this.camera.width - this.tip.offsetWidth - 4))}px`;
    this.tip.style.top = `${y + 18 + this.tip.offsetHeight > this.camera.height ? y - this.tip.offsetHeight - 8 : y + 18}px`;
  }

  jumpMap(event) {
    const box = this.map.getBoundingClientRect();
    const x = (event.clientX - box.left) / this.mapScale, y = (event.clientY - box.top) / this.mapScale;
    this.camera.x = x - this.camera.width / this.camera.scale / 2;
    this.camera.y = y - this.camera.height / this.camera.scale / 2;
    this.touched = true;
    this.dirty();
  }

  pickStrip(event) {
    const strip = this.stripData;
    if (!strip?.numbers.length) return;
    const box = this.strip.getBoundingClientRect();
    const area = stripArea(box.width, box.height);
    const at = Math.floor(((event.clientX - box.left - area.left) / area.width) * strip.numbers.length);
    this.send({ ask: "select", number: strip.numbers[clamp(at, 0, strip.numbers.length - 1)] });
  }

  // Keyboard.

  key(event) {
    event.stopPropagation();
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") { this.escape(event); return; }
    const typing = event.target.closest("input, select, textarea, button, [role=tab]");
    if (typing || event.target !== this.stage) { this.keyElsewhere(event, typing); return; }
    const act = this.actions()[event.shiftKey && event.key.startsWith("Arrow") ? `Shift+${event.key}` : event.key];
    if (!act) return;
    event.preventDefault();
    act();
  }

  keyElsewhere(event, typing) {
    if (typing) return;
    const shared = { "/": () => this.finder.input.focus(), "?": () => this.help(true), "[": () => this.inspector.page(-1), "]": () => this.inspector.page(1) };
    if (shared[event.key]) { event.preventDefault(); shared[event.key](); }
  }

  actions() {
    const move = (to) => () => this.send({ ask: "move", to });
    const pan = (dx, dy) => () => this.pan(dx, dy);
    const step = 80;
    return {
      ArrowRight: move("next"), ArrowLeft: move("previous"), ArrowUp: move("up"), ArrowDown: move("down"), Home: move("first"), End: move("last"), Backspace: move("out"),
      "Shift+ArrowRight": pan(step, 0), "Shift+ArrowLeft": pan(-step, 0), "Shift+ArrowUp": pan(0, -step), "Shift+ArrowDown": pan(0, step),
      Enter: () => { if (this.cursor) this.toggle(this.cursor); }, " ": () => { if (this.cursor) this.toggle(this.cursor); },
      "+": () => this.zoom(1.25), "=": () => this.zoom(1.25), "-": () => this.zoom(0.8), "−": () => this.zoom(0.8), 0: () => this.fit(),
      c: () => { if (this.cursor) { this.camera.show(this.cursor.area); this.dirty(); } },
      "/": () => { this.finder.input.focus(); this.finder.input.select(); }, e: () => this.send({ ask: "next" }), E: () => this.send({ ask: "next", back: true }),
      o: () => this.overlays.focus(), d: () => this.send({ ask: "detail", detail: this.scene.info.detail === "blocks" ? "operations" : "blocks" }),
      u: () => this.send({ ask: "all", open: true }), f: () => this.send({ ask: "all", open: false }),
      i: () => this.side.focus(), s: () => this.save(), "[": () => this.inspector.page(-1), "]": () => this.inspector.page(1), "?": () => this.help(true),
    };
  }

  escape(event) {
    if (event.defaultPrevented) return;
    event.preventDefault();
    if (!this.dialog.hidden) this.help(false);
    else if (document.activeElement !== this.stage && this.root.contains(document.activeElement)) this.stage.focus();
    else { this.setCursor(null); this.model.set("selection", ""); this.model.save_changes(); }
  }
}

export default {
  render({ model, el }) {
    const bench = new Bench(model, el);
    return () => bench.remove();
  },
};
