// Everything composed: heard, rated, compared, deleted.

import * as api from "./api.js";
import { $, attempt, element, rename, say } from "./dom.js";
import { describe, originalityOf, placePiece } from "./stand.js";
import * as player from "./player.js";

/** Pieces shown at a time. */
const STEP = 50;

/** @type {Map<string, any>} */
let pieces = new Map();
let shown = STEP;

/** Whether it is what sounds. */
const sounds = (/** @type {string | undefined} */ address) => player.isPlaying() && address === player.current();

function playButton(/** @type {string} */ address, /** @type {string} */ label) {
  const icon = /** @type {Node} */ ($("play").firstElementChild).cloneNode(true);
  // Rows are drawn anew while something sounds.
  const pressed = sounds(address);
  const button = element("button", { type: "button", className: "round small", "aria-label": `Play ${label}`, "aria-pressed": pressed }, icon);
  button.dataset.plays = address;
  button.onclick = () => attempt(async () => (player.current() === address ? player.toggle() : player.load(address, true)));
  return button;
}

/** Buttons of pieces and samples show what sounds. */
function showPlaying() {
  for (const button of document.querySelectorAll("[data-plays]")) {
    button.setAttribute("aria-pressed", String(sounds(/** @type {HTMLElement} */ (button).dataset.plays)));
  }
}

function stars(/** @type {any} */ piece) {
  const star = (/** @type {number} */ rating) => {
    const on = rating <= piece.rating;
    const button = element("button", { type: "button", textContent: on ? "★" : "☆", className: on ? "on" : "", "aria-label": `Rate ${piece.title} ${rating} of 5`, "aria-pressed": rating === piece.rating });
    button.onclick = () => attempt(() => api.patch(`/api/pieces/${piece.id}`, { rating: rating === piece.rating ? 0 : rating }));
    return button;
  };
  return element("span", { className: "stars", role: "group" }, ...[1, 2, 3, 4, 5].map(star));
}

function row(/** @type {any} */ piece) {
  const title = element("b", { textContent: piece.title });
  const what = element("div", { className: "what" }, title, element("span", { textContent: [describe(piece), originalityOf(piece, true)].filter(Boolean).join(" · ") }));
  const stand = element("button", { type: "button", textContent: "Open", "aria-label": `Open ${piece.title}` });
  stand.onclick = () => {
    location.hash = "compose";
    attempt(() => placePiece(piece));
  };
  const away = element("button", { type: "button", className: "link away", textContent: "Delete", "aria-label": `Delete ${piece.title}` });
  away.onclick = () =>
    attempt(async () => {
      await api.remove(`/api/pieces/${piece.id}`);
      say(`${piece.title} is deleted.`, { label: "Undo", act: () => api.post(`/api/pieces/${piece.id}/restore`) });
    });
  const other = element("button", { type: "button", className: "link away", textContent: "Rename", "aria-label": `Rename ${piece.title}` });
  other.onclick = () => rename(title, piece.title, (name) => api.patch(`/api/pieces/${piece.id}`, { title: name }));
  return element("li", {}, playButton(`/api/pieces/${piece.id}`, piece.title), what, stars(piece), stand, other, away);
}

/** All of them, the newest first. @returns {any[]} */
export const listed = () => [...pieces.values()].sort((a, b) => (a.id < b.id ? 1 : -1));

function show() {
  dispatchEvent(new CustomEvent("listed"));
  if ($("library").hidden) return;
  const words = $("find").value.toLowerCase().split(/\s+/);
  const text = (/** @type {any} */ piece) => `${piece.title} ${piece.model} ${piece.origin.seed}`.toLowerCase();
  const found = [...pieces.values()].filter((piece) => words.every((/** @type {string} */ word) => text(piece).includes(word)));
  const newest = (/** @type {any} */ a, /** @type {any} */ b) => (a.id < b.id ? 1 : -1);
  found.sort($("sort").value === "rating" ? (a, b) => b.rating - a.rating || newest(a, b) : newest);
  $("library-detail").textContent = pieces.size === 0 ? "What you compose is kept here." : `${pieces.size} ${pieces.size === 1 ? "piece" : "pieces"}`;
  $("pieces").replaceChildren(...found.slice(0, shown).map(row));
  $("more").hidden = found.length <= shown;
  $("compare").disabled = pieces.size < 2;
  showPlaying();
}

/** Two pieces, whose names are told only once one was preferred. */
function compare() {
  const all = [...pieces.values()];
  const first = all.splice(Math.floor(Math.random() * all.length), 1)[0];
  const second = all[Math.floor(Math.random() * all.length)];
  const told = element("p", { "aria-live": "polite" });
  const side = (/** @type {string} */ name, /** @type {any} */ piece, /** @type {any} */ other) => {
    const better = element("button", { type: "button", textContent: `${name} is better` });
    better.onclick = () =>
      attempt(async () => {
        await api.patch(`/api/pieces/${piece.id}`, { rating: Math.min(5, Math.max(piece.rating, other.rating) + 1) });
        told.textContent = `${name} is ${piece.title} (${describe(piece)}); the other is ${other.title} (${describe(other)}).`;
      });
    return element("div", { className: "pair" }, playButton(`/api/pieces/${piece.id}`, name), better);
  };
  const next = element("button", { type: "button", textContent: "Two others" });
  const close = element("button", { type: "button", className: "link", textContent: "Close" });
  next.onclick = compare;
  close.onclick = () => ($("blind").hidden = true);
  $("blind").replaceChildren(element("h2", { textContent: "A or B?" }), element("div", { className: "sides" }, side("A", first, second), side("B", second, first)), told, element("div", { className: "pair" }, next, close));
  $("blind").hidden = false;
}

export { playButton };

export function openLibrary() {
  $("find").oninput = () => ((shown = STEP), show());
  $("sort").onchange = show;
  $("more").onclick = () => ((shown += STEP), show());
  $("compare").onclick = compare;
  player.watch(showPlaying);
  addEventListener("view", show);
  api.on("hello", () =>
    attempt(async () => {
      const all = await api.get("/api/pieces");
      pieces = new Map(all.map((/** @type {any} */ piece) => [piece.id, piece]));
      show();
    }),
  );
  api.on("piece", (piece) => {
    pieces.set(piece.id, piece);
    show();
  });
  api.on("gone", ({ kind, id }) => {
    if (kind === "piece" && pieces.delete(id)) show();
  });
}
