// Some bars of the piece on the stand, or a part of them, written anew; the rest stays note for note.

import * as api from "./api.js";
import { $, attempt, element } from "./dom.js";
import { placePiece, placed } from "./stand.js";

/** Which piece each of these was before something of it was written anew. @type {Map<string, any>} */
const before = new Map();

/** Another piece is on the stand, with these parts and so many bars. */
function show(/** @type {{ name: string }[]} */ parts, /** @type {number} */ bars, /** @type {number} */ first) {
  const last = first + bars - 1;
  const middle = Math.min(last, Math.max(first, Math.ceil(last / 2)));
  Object.assign($("again-from"), { min: first, max: last, value: Math.max(first, middle - 3) });
  Object.assign($("again-to"), { min: first, max: last, value: middle });
  const option = (/** @type {string} */ value, /** @type {string} */ textContent) => element("option", { value, textContent });
  $("again-part").replaceChildren(option("", "all parts"), ...parts.map(({ name }, number) => option(String(number), name)));
  $("again-who").hidden = parts.length < 2;
}

/** What of the piece is to be written anew. */
function cells() {
  const [from, to] = ["again-from", "again-to"].map((id) => Number($(id).value));
  const bars = from <= to ? [from, to] : [to, from];
  const part = $("again-part").value;
  return [part === "" ? { bars } : { voice: Number(part), bars }];
}

/** A piece has come in the place of another one. */
export function instead(/** @type {any} */ piece, /** @type {any} */ of) {
  before.set(piece.id, of);
}

/** Calls `then` with what is to be written anew, and the piece. */
export function openAgain(/** @type {(cells: any, piece: any) => Promise<void>} */ then) {
  $("again").addEventListener("submit", (/** @type {Event} */ event) => {
    event.preventDefault();
    if ($("again").reportValidity()) attempt(() => then(cells(), placed()));
  });
  $("again-undo").onclick = () => attempt(() => placePiece(before.get(placed().id), true));
  addEventListener("placed", (/** @type {any} */ { detail }) => {
    show(detail.parts, detail.bars.length - 1, detail.first_bar);
    $("again").hidden = placed() === null;
    $("again-undo").hidden = !before.has(placed()?.id);
  });
}

/** The music of a piece as an upload that can be worked around: its hash. */
export async function given(/** @type {any} */ piece) {
  const file = await (await fetch(`/api/pieces/${piece.id}/midi`)).blob();
  return (await api.upload(`/api/prompts?name=${encodeURIComponent("piece.mid")}`, file)).sha256;
}
