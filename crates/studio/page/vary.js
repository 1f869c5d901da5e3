// Variations of the piece on the stand, chosen by ear: of eight the best one has eight more, and so on.

import * as api from "./api.js";
import { $, attempt, element } from "./dom.js";
import { address, place, placed, placePiece } from "./stand.js";

const LETTERS = [..."ABCDEFGH"];

/** The piece that all of them come from. @type {any} */
let origin = null;
/** What the present ones are variations of: the steps that lead there. @type {string[]} */
let parent = [];
/** The present ones, each by its own step. @type {string[]} */
let children = [];

const variation = (/** @type {string[]} */ steps) => `/api/pieces/${origin.id}/variations/${steps.join()}`;

/** What is on the stand, by the steps that lead there; nothing where it is none of them. */
function steps() {
  if (!origin) return null;
  if (placed()?.id === origin.id) return [];
  const ways = [parent, ...children.map((child) => [...parent, child])];
  return ways.find((way) => way.length > 0 && address() === variation(way)) ?? null;
}

/** Puts on the stand what these steps lead to. */
async function hear(/** @type {string[]} */ way, /** @type {string} */ name) {
  if (way.length === 0) return placePiece(origin, true);
  const round = way.length === 1 ? "" : `, generation ${way.length}`;
  const detail = `variation ${name}${round} · steps ${way.join(", ")} · written by the built-in model of tunes`;
  await place(variation(way), `Variation of ${origin.title}`, detail, "", true);
}

/** The buttons: what they are variations of, then each of them. */
function show() {
  const on = steps()?.join();
  const button = (/** @type {string[]} */ way, /** @type {string} */ name, label = name) => {
    const button = element("button", { type: "button", className: "quiet", textContent: name, "aria-label": label, "aria-pressed": way.join() === on });
    button.onclick = () => attempt(() => hear(way, name));
    return button;
  };
  const of = children.map((child, number) => button([...parent, child], LETTERS[number], `Variation ${LETTERS[number]}`));
  const before = button(parent, parent.length === 0 ? "the piece" : "the one before");
  $("variations").replaceChildren(...(children.length > 0 ? [before, ...of] : []));
}

/** Eight variations of what is on the stand; the first of them is heard. */
async function breed() {
  const way = steps();
  if (!way) return;
  const first = Math.floor(Math.random() * 2 ** 32);
  const [before, siblings] = [parent, children];
  [parent, children] = [way, LETTERS.map((_, number) => `${first + number}@${$("vary-amount").value}`)];
  try {
    await hear([...parent, children[0]], LETTERS[0]);
  } catch (error) {
    [parent, children] = [before, siblings];
    throw error;
  }
}

export function openVary() {
  $("vary").addEventListener("submit", (/** @type {Event} */ event) => {
    event.preventDefault();
    attempt(breed);
  });
  // What lies on the stand without being a piece of the library may become one.
  $("keep").onclick = () => attempt(async () => placePiece(await api.post(address())));
  addEventListener("placed", () => {
    const piece = placed();
    if (piece && piece.id !== origin?.id) [origin, parent, children] = [piece, [], []];
    if (steps() === null) [origin, parent, children] = [null, [], []];
    $("vary").hidden = origin === null;
    $("keep").hidden = !/^\/api\/pieces\/[^/]+\/(blends|variations)\//.test(address());
    show();
  });
}
