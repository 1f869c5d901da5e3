// The parts of the piece on the stand: which is which, and who is heard.

import { $, attempt, element } from "./dom.js";
import * as player from "./player.js";

/** @typedef {{ name: string, drums: boolean }} Part */

/** Of each part, whether it is silent, and whether it is heard alone. @type {{ mute: boolean, solo: boolean }[]} */
let states = [];
let changed = /** @type {(silent: Set<number>) => void} */ (() => {});

/** The parts that are not heard: those that are muted, and where some are heard alone, all others. */
export function silent() {
  const alone = states.some(({ solo }) => solo);
  const quiet = states.map(({ mute, solo }, number) => (mute || (alone && !solo) ? number : -1));
  return new Set(quiet.filter((number) => number >= 0));
}

/** A switch of a part. */
function flip(/** @type {Part} */ part, /** @type {number} */ number, /** @type {"mute" | "solo"} */ what) {
  const word = what === "mute" ? "Mute" : "Solo";
  const button = element("button", { type: "button", className: "quiet", textContent: word, "aria-label": `${word} ${part.name}`, "aria-pressed": false });
  button.onclick = () =>
    attempt(async () => {
      states[number][what] = !states[number][what];
      button.setAttribute("aria-pressed", String(states[number][what]));
      const quiet = silent();
      changed(quiet);
      const heard = states.map((_, number) => number).filter((number) => !quiet.has(number));
      await player.hear(quiet.size === 0 ? null : heard);
    });
  return button;
}

/** Shows the parts of another piece; of one there is nothing to choose. */
export function show(/** @type {Part[]} */ parts) {
  states = parts.map(() => ({ mute: false, solo: false }));
  const row = (/** @type {Part} */ part, /** @type {number} */ number) => {
    const swatch = element("i", { className: `swatch part-${number % 8}`, "aria-hidden": true });
    return element("li", {}, swatch, element("span", { textContent: part.name }), flip(part, number, "mute"), flip(part, number, "solo"));
  };
  $("parts").replaceChildren(...(parts.length > 1 ? parts.map(row) : []));
  $("parts").hidden = parts.length < 2;
}

/** Calls `then` with the silent parts whenever they change. */
export function openParts(/** @type {(silent: Set<number>) => void} */ then) {
  changed = then;
}
