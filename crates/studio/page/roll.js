// The piano roll: notes on a canvas, which moves along under the playhead.

const LEAST_PER_SECOND = 44;

/** @typedef {{ seconds: number, bars: number[], prompt_end: number, notes: number[][], parts: import("./parts.js").Part[] }} Notes */

/** Colours of parts; those beyond begin again. */
const COLOURS = [0, 1, 2, 3, 4, 5, 6, 7].map((number) => `--part-${number}`);

export class Roll {
  /** @param {HTMLCanvasElement} canvas @param {(seconds: number) => void} jump */
  constructor(canvas, jump) {
    this.canvas = canvas;
    /** @type {Notes | null} */
    this.notes = null;
    this.at = 0;
    this.left = 0;
    /** How many times as wide as usual. */
    this.size = 1;
    /** The parts that are not heard. @type {Set<number>} */
    this.silent = new Set();
    /** The notes that also stand in the training music. */
    this.known = new Set();
    new ResizeObserver(() => this.draw()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
    canvas.addEventListener("click", (event) => {
      if (!this.notes) return;
      const box = canvas.getBoundingClientRect();
      const [x, y] = [event.clientX - box.left, event.clientY - box.top];
      jump(this.place(x, y));
    });
  }

  /** @param {Notes} notes @param {[number, number] | null} passage when the first and the last note begin of what also stands in the training music */
  show(notes, passage) {
    this.notes = notes;
    // It is one of the melody: of notes that begin together, the highest.
    const melody = new Map();
    const [first, last] = passage ?? [1, 0];
    for (const note of notes.notes) {
      if (note[0] < first - 0.01 || note[0] > last + 0.01) continue;
      if (!(melody.get(note[0])?.[2] > note[2])) melody.set(note[0], note);
    }
    this.known = new Set(melody.values());
    this.at = 0;
    this.left = 0;
    this.silent = new Set();
    const [low, high] = this.range();
    const spoken = `Piano roll: ${notes.notes.length} notes in ${notes.bars.length - 1} bars, pitches ${low} to ${high}`;
    this.canvas.setAttribute("aria-label", spoken);
    this.draw();
  }

  /** Notes are so many times as wide as usual. */
  resize(/** @type {number} */ size) {
    this.size = size;
    this.move(this.at);
  }

  /** These parts are not heard. */
  hush(/** @type {Set<number>} */ parts) {
    this.silent = parts;
    this.draw();
  }

  range() {
    const pitches = (this.notes?.notes ?? []).map((note) => note[2]);
    if (pitches.length === 0) return [48, 72];
    return [pitches.reduce((a, b) => Math.min(a, b)), pitches.reduce((a, b) => Math.max(a, b))];
  }

  scale() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    const perSecond = this.size * Math.max(LEAST_PER_SECOND, width / Math.max(1, this.notes?.seconds ?? 1));
    const [low, high] = this.range();
    const row = Math.min(14, (height - 24) / (high - low + 2));
    const top = (height - 14 - row * (high - low + 1)) / 2;
    return { width, height, perSecond, low, high, row, top };
  }

  /** Where a click leads: to the note under it, otherwise to its bar. */
  place(/** @type {number} */ x, /** @type {number} */ y) {
    const { perSecond, high, row, top } = this.scale();
    const seconds = (x + this.left) / perSecond;
    const pitch = high - Math.floor((y - top) / row);
    const notes = /** @type {Notes} */ (this.notes);
    const hit = notes.notes.find(([onset, duration, of]) => of === pitch && onset <= seconds && seconds <= onset + duration);
    if (hit) return hit[0];
    return notes.bars.findLast((bar) => bar <= seconds) ?? 0;
  }

  /** Moves the playhead. */
  move(/** @type {number} */ seconds) {
    this.at = seconds;
    const { width, perSecond } = this.scale();
    const x = seconds * perSecond;
    const most = Math.max(0, (this.notes?.seconds ?? 0) * perSecond - width);
    this.left = Math.min(most, Math.max(0, x - width * 0.35));
    this.draw();
  }

  draw() {
    const { canvas, notes } = this;
    const ratio = devicePixelRatio || 1;
    const { width, height, perSecond, low, high, row, top } = this.scale();
    if (width === 0) return;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
    }
    const colour = (/** @type {string} */ name) => resolve(name);
    const on = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    on.setTransform(ratio, 0, 0, ratio, 0, 0);
    on.clearRect(0, 0, width, height);
    on.fillStyle = colour("--faint");
    for (let pitch = low - 40; pitch <= high + 40; pitch++) {
      if ([1, 3, 6, 8, 10].includes(((pitch % 12) + 12) % 12)) on.fillRect(0, top + (high - pitch) * row, width, row);
    }
    if (!notes) return;
    const x = (/** @type {number} */ seconds) => seconds * perSecond - this.left;
    on.fillStyle = colour("--line");
    on.font = "11px system-ui, sans-serif";
    const ink = colour("--quiet");
    let labelled = -100;
    notes.bars.forEach((bar, number) => {
      const at = x(bar);
      if (at < -40 || at > width) return;
      on.fillStyle = colour("--line");
      on.fillRect(Math.round(at), 0, 1, height);
      if (number < notes.bars.length - 1 && at - labelled > 42) {
        labelled = at;
        on.fillStyle = ink;
        on.fillText(String(number + 1), at + 4, height - 6);
      }
    });
    const gap = Math.min(2, row / 5);
    const [sounding, kept, known] = ["--accent", "--kept", "--known"].map(colour);
    const parts = COLOURS.map(colour);
    for (const note of notes.notes) {
      const [onset, duration, pitch, velocity, part] = note;
      const from = x(onset);
      const long = Math.max(3, duration * perSecond - 1);
      if (from > width || from + long < 0) continue;
      const silent = this.silent.has(part);
      const sounds = !silent && onset <= this.at && this.at < onset + duration;
      on.globalAlpha = silent ? 0.15 : sounds ? 1 : 0.45 + (0.5 * velocity) / 127;
      on.fillStyle = sounds ? sounding : onset < notes.prompt_end - 1e-3 ? kept : this.known.has(note) ? known : parts[part % parts.length];
      on.beginPath();
      on.roundRect(from, top + (high - pitch) * row + gap / 2, long, Math.max(2, row - gap), Math.min(3, row / 3));
      on.fill();
    }
    on.globalAlpha = 1;
    on.fillStyle = sounding;
    on.fillRect(x(this.at) - 1, 0, 2, height);
  }
}

/** A custom colour as the browser sees it: `light-dark()` is resolved through a property that takes colours. */
const probe = document.createElement("i");
probe.hidden = true;
document.documentElement.append(probe);
const known = new Map();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => known.clear());

function resolve(/** @type {string} */ name) {
  if (!known.has(name)) {
    probe.style.color = `var(${name})`;
    known.set(name, getComputedStyle(probe).color);
  }
  return known.get(name);
}
