// What a player has under his hands beside playing: volume, loop, size, and keys for the sheet.

import { $, attempt, clock } from "./dom.js";
import * as player from "./player.js";

/** @typedef {{ jump: (seconds: number) => void, resize: (size: number) => void, at: () => number }} Stand */

/** Sizes of score and roll: what is drawn is so many times as large as usual. */
const SIZES = [0.6, 0.8, 1, 1.25, 1.6, 2];
let size = SIZES.indexOf(1);
/** Where the bars of the piece begin, and where the last one ends. @type {number[]} */
let bars = [0];
let stand = /** @type {Stand} */ ({ jump: () => {}, resize: () => {}, at: () => 0 });

/** What comes again and again: the bars that are named, or nothing. */
function between() {
  if ($("loop").getAttribute("aria-pressed") !== "true") return null;
  const last = bars.length - 1;
  const from = Math.min(last, Math.max(1, Number($("loop-from").value) || 1));
  const to = Math.min(last, Math.max(from, Number($("loop-to").value) || last));
  return { from: bars[from - 1], to: bars[to] };
}

function loop(on = $("loop").getAttribute("aria-pressed") !== "true") {
  $("loop").setAttribute("aria-pressed", String(on));
  $("loop-bars").hidden = !on;
  attempt(() => player.setLoop(between()));
}

/** The bars of what is heard begin there. */
export const set = (/** @type {number[]} */ starts) => (bars = starts);

/** Another piece is on the stand: its bars are offered. */
export function show() {
  const last = String(bars.length - 1);
  Object.assign($("loop-from"), { max: last, value: "1" });
  Object.assign($("loop-to"), { max: last, value: last });
}

/** After another piece was loaded: it is looped, too, where loop is on. */
export const loopAgain = () => player.setLoop(between());

function resize(/** @type {number} */ by) {
  size = Math.min(SIZES.length - 1, Math.max(0, size + by));
  $("smaller").disabled = size === 0;
  $("larger").disabled = size === SIZES.length - 1;
  localStorage.setItem("size", String(size));
  stand.resize(SIZES[size]);
}

/** To the bar that is so many further on: back from within a bar is to where it begins. */
function step(/** @type {number} */ by) {
  const at = stand.at();
  const here = Math.max(0, bars.findLastIndex((bar) => bar <= at + 0.02));
  const within = at - bars[here] > 0.3;
  const to = by < 0 && within ? here : here + by;
  stand.jump(bars[Math.min(bars.length - 2, Math.max(0, to))] ?? 0);
}

/** Keys of score and roll, where one of them has the focus. @type {Record<string, () => void>} */
const KEYS = {
  ArrowLeft: () => step(-1),
  ArrowRight: () => step(1),
  Home: () => stand.jump(0),
  End: () => stand.jump(bars[Math.max(0, bars.length - 2)]),
  "+": () => resize(1),
  "=": () => resize(1),
  "-": () => resize(-1),
  l: () => loop(),
};

export function openTransport(/** @type {Stand} */ of) {
  stand = of;
  $("loop").onclick = () => loop();
  for (const id of ["loop-from", "loop-to"]) $(id).onchange = () => attempt(() => player.setLoop(between()));
  $("volume").oninput = () => {
    player.setVolume(Number($("volume").value));
    localStorage.setItem("volume", $("volume").value);
  };
  $("volume").value = localStorage.getItem("volume") ?? "1";
  player.setVolume(Number($("volume").value));
  $("smaller").onclick = () => resize(-1);
  $("larger").onclick = () => resize(1);
  size = Number(localStorage.getItem("size") ?? size);
  resize(0);
  $("sheet").addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    const key = KEYS[event.key];
    if (!key || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    key();
  });
}

/** What the position says to whoever hears it. */
export const spoken = (/** @type {number} */ at) => `${clock(at)}, bar ${Math.max(1, bars.findLastIndex((bar) => bar <= at + 0.02) + 1)}`;
