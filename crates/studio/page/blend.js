// What lies between the piece on the stand and another one of the library.

import { $, attempt, element } from "./dom.js";
import { listed } from "./library.js";
import * as player from "./player.js";
import { address, place, placed, placePiece } from "./stand.js";

/** So many pieces are offered at most. */
const MOST = 200;

/** Where the way begins. @type {any} */
let from = null;

/** Where what lies between lies, but for how far. */
const between = (/** @type {any} */ other) => `/api/pieces/${from.id}/blends/${other.id}`;

const other = () => listed().find(({ id }) => id === $("blend-with").value);

/** Offers the other pieces of the library. */
function offer() {
  const others = listed().filter(({ id }) => id !== from?.id).slice(0, MOST);
  const chosen = $("blend-with").value;
  const option = (/** @type {string} */ value, /** @type {string} */ textContent) => element("option", { value, textContent });
  const named = others.map(({ id, title, origin }) => option(id, `${title}, seed ${origin.seed}`));
  $("blend-with").replaceChildren(option("", "another piece ..."), ...named);
  $("blend-with").value = others.some(({ id }) => id === chosen) ? chosen : "";
  $("blend").hidden = from === null || others.length === 0;
  $("blend-at").disabled = !other();
}

/** Goes as far as the slider says, and plays on there if something played. */
async function go() {
  const [to, at] = [other(), $("blend-at").value];
  if (!from || !to) return;
  const plays = player.isPlaying();
  if (Number(at) === 0) return placePiece(from, plays);
  const detail = `${Math.round(100 * Number(at))}% of the way to ${to.title}; written by the built-in model of tunes`;
  await place(`${between(to)}/${at}`, `Between ${from.title} and ${to.title}`, detail, "", plays);
}

export function openBlend() {
  $("blend-with").onchange = () => {
    $("blend-at").disabled = !other();
    $("blend-at").value = other() ? "0.5" : "0";
    attempt(() => (other() ? go() : placePiece(from)));
  };
  $("blend-at").onchange = () => attempt(go);
  $("blend").addEventListener("submit", (/** @type {Event} */ event) => event.preventDefault());
  addEventListener("placed", () => {
    const to = other();
    if (placed()) {
      if (from?.id !== placed().id) $("blend-with").value = "";
      from = placed();
      $("blend-at").value = "0";
    } else if (!from || !to || !address().startsWith(between(to))) from = null;
    offer();
  });
  addEventListener("listed", offer);
}
