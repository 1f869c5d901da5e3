// The score, as the engraver draws it: follows what sounds, and leads to what is clicked.

import { $, element, say } from "./dom.js";
import * as player from "./player.js";

/** @type {Worker | undefined} */
let engraver;
/** The newest request to the engraver; answers to older ones come too late. */
let number = 0;
let settle = /** @type {() => void} */ (() => {});
/** Which piece is engraved, and for which width. */
let [engraved, music, width] = ["", "", 0];
/** How many times as large as usual, and how many bars there are to engrave. */
let [size, count] = [1, 0];
/** @typedef {{ from: number, to: number, of: Element }} Mark */
let notes = /** @type {Mark[]} */ ([]);
let bars = /** @type {Mark[]} */ ([]);
let sounding = /** @type {Element[]} */ ([]);
/** @type {[number, number] | null} */
let passage = null;
/** What of the piece was reached. */
let reached = 0;

/** Starts the engraver, so that it is ready when the first score comes. */
export function prepare() {
  if (engraver) return engraver;
  engraver = new Worker("/engraver.js", { type: "module" });
  engraver.addEventListener("message", ({ data }) => draw(data));
  engraver.addEventListener("error", () => draw({ number, error: "the engraver does not start" }));
  new ResizeObserver(() => {
    const now = $("score").clientWidth;
    if (music && now && Math.abs(now - width) > 24) ask();
  }).observe($("score"));
  return engraver;
}

/** Asks for a drawing as wide as the place for it; where that is not in sight, it is asked for once it is. */
function ask() {
  width = $("score").clientWidth;
  if (width === 0) return undefined;
  number += 1;
  wait();
  prepare().postMessage({ number, music, width: width - 16, scale: Math.round(size * (width < 500 ? 36 : 44)) });
  return new Promise((done) => (settle = /** @type {() => void} */ (done)));
}

/** A sign that the score is to come: a long one takes its time. */
function wait() {
  const long = count > 100 ? `, all ${count} bars of it: this takes a while` : "";
  const sign = element("p", { className: "sign", textContent: `Engraving the score${long} ...` });
  $("score").setAttribute("aria-busy", "true");
  // An older drawing stays in sight until the new one is there.
  $("score").querySelector(".sign")?.remove();
  $("score").prepend(sign);
}

function draw(/** @type {any} */ answer) {
  if (answer.number !== number) return;
  const place = $("score");
  place.removeAttribute("aria-busy");
  settle();
  if (answer.error) {
    forget();
    say(`There is no score: ${answer.error}`);
    return;
  }
  const drawing = new DOMParser().parseFromString(answer.drawing, "image/svg+xml").documentElement;
  place.replaceChildren(drawing);
  const marks = (/** @type {any[]} */ list) => list.map(({ id, ...times }) => ({ ...times, of: document.getElementById(id) })).filter((mark) => mark.of);
  notes = marks(answer.notes);
  bars = marks(answer.bars);
  drawing.setAttribute("role", "img");
  const printed = (/** @type {Mark[]} */ marks) => new Set(marks.map(({ of }) => of)).size;
  drawing.setAttribute("aria-label", `Score: ${printed(bars)} bars, ${printed(notes)} notes`);
  sounding = [];
  markPassage();
  place.scrollTop = 0;
}

/** Engraves a piece, unless it is engraved. */
export async function show(/** @type {string} */ address, /** @type {number} */ bars) {
  $("score").hidden = false;
  if (engraved === address) return;
  forget();
  [engraved, count] = [address, bars];
  wait();
  const answer = await fetch(`${address}/musicxml`);
  const xml = await answer.text();
  // Another piece may be on the stand by now.
  if (engraved !== address) return;
  if (!answer.ok) {
    forget();
    throw new Error("this piece cannot be written as a score");
  }
  music = xml;
  prepare();
  await ask();
}

/** Everything is so many times as large as usual. */
export function resize(/** @type {number} */ to) {
  if (size === to) return;
  size = to;
  if (music) ask();
}

export function hide() {
  forget();
  $("score").hidden = true;
}

/** Another piece is on the stand. */
export function forget() {
  number += 1;
  [engraved, music] = ["", ""];
  [notes, bars, sounding] = [[], [], []];
  $("score").removeAttribute("aria-busy");
  $("score").replaceChildren();
}

/** The seconds at which the first and the last note begin of what also stands in the training music. */
export function setPassage(/** @type {[number, number] | null} */ seconds) {
  passage = seconds;
}

function markPassage() {
  if (!passage) return;
  const [first, last] = passage;
  // It is one of the melody: of notes that begin together, the highest.
  const melody = new Map();
  const height = (/** @type {Element} */ of) => (of.querySelector(".notehead") ?? of).getBoundingClientRect().top;
  for (const { from, of } of notes) {
    if (from < first - 0.01 || from > last + 0.01) continue;
    const before = melody.get(from);
    if (!before || height(of) < height(before)) melody.set(from, of);
  }
  for (const of of melody.values()) of.classList.add("known");
}

/** Marks what sounds, and keeps it in sight. */
export function follow(/** @type {number} */ at) {
  reached = at;
  for (const of of sounding) of.classList.remove("sounding");
  sounding = player.isPlaying() ? notes.filter((mark) => mark.from <= at && at < mark.to).map((mark) => mark.of) : [];
  for (const of of sounding) of.classList.add("sounding");
  const bar = bars.findLast((mark) => mark.from <= at + 0.01);
  if (!bar || !player.isPlaying()) return;
  const place = $("score");
  const [frame, box] = [place.getBoundingClientRect(), (bar.of.closest(".system") ?? bar.of).getBoundingClientRect()];
  if (box.top < frame.top - 2 || box.bottom > frame.bottom + 2) place.scrollTop += box.top - frame.top - 8;
}

/** A click leads to the note, or to the bar, where it falls; where that is played several times, to the nearest. */
export function openScore(/** @type {(seconds: number) => void} */ jump) {
  $("score").addEventListener("click", (/** @type {MouseEvent} */ event) => {
    const at = /** @type {Element} */ (event.target).closest(".note");
    const within = (/** @type {Mark} */ { of }) => {
      const box = of.getBoundingClientRect();
      return box.left <= event.clientX && event.clientX <= box.right && box.top <= event.clientY && event.clientY <= box.bottom;
    };
    const found = notes.filter((mark) => mark.of === at);
    const [nearest] = (found.length > 0 ? found : bars.filter(within)).toSorted((a, b) => Math.abs(a.from - reached) - Math.abs(b.from - reached));
    if (nearest) jump(nearest.from);
  });
}

/** The drawing as a file of its own. */
export function file() {
  const drawing = /** @type {Element} */ ($("score").querySelector(":scope > svg")?.cloneNode(true));
  if (!drawing) return null;
  for (const of of drawing.querySelectorAll(".sounding, .known")) of.classList.remove("sounding", "known");
  const style = document.createElementNS("http://www.w3.org/2000/svg", "style");
  style.textContent = "ellipse, path, polygon, polyline, rect { stroke: currentColor } .mNum { font-style: italic } .tempo { display: none }";
  return new Blob([new XMLSerializer().serializeToString(drawing).replace("</desc>", `</desc>${new XMLSerializer().serializeToString(style)}`)], { type: "image/svg+xml" });
}
