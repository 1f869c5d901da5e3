// The piece on the stand: heard, seen, taken away.

import * as api from "./api.js";
import { $, attempt, clock, element, rename } from "./dom.js";
import * as parts from "./parts.js";
import * as player from "./player.js";
import { Roll } from "./roll.js";
import * as score from "./score.js";
import * as transport from "./transport.js";

/** @typedef {import("./roll.js").Notes} Notes */

/** @type {Notes} */
const NOTHING = { seconds: 0, bars: [0], prompt_end: 0, notes: [], parts: [] };

/** @type {Roll} */
let roll;
/** What is on the stand: its address, its notes as they are written and as they are heard, when the passage that is known begins and ends, and the piece where it is one of the library. */
let stand = { address: "", written: NOTHING, heard: NOTHING, passage: /** @type {[number, number] | null} */ (null), piece: /** @type {any} */ (null) };

/** How often something was to be put on it. */
let turns = 0;

/** Puts a piece or a sample on the stand. */
export async function place(/** @type {string} */ address, /** @type {string} */ title, /** @type {string} */ detail, /** @type {string} */ originality, play = false, piece = /** @type {any} */ (null)) {
  const passage = piece?.originality?.passage?.seconds ?? null;
  const turn = ++turns;
  const notes = await api.get(`${address}/notes`);
  // Another has been asked for since.
  if (turn !== turns) return;
  // What is said of it and what it is change at once: a click between the two would be about the piece before.
  $("piece-title").textContent = title;
  $("piece-detail").textContent = detail;
  $("originality").textContent = originality;
  $("sound").value = notes.choir ? "choir" : "built-in";
  $("playing").value = "";
  $("downloads").hidden = false;
  stand = { address, written: notes, heard: notes, passage, piece };
  link();
  $("rename").hidden = piece === null;
  dispatchEvent(new CustomEvent("placed", { detail: notes }));
  parts.show(notes.parts);
  hear(notes);
  transport.show();
  Object.assign($("position"), { value: 0, disabled: false });
  $("play").disabled = false;
  // Whoever pressed Compose presses Space next, to stop or to hear: not to compose again.
  if (play && document.activeElement?.closest(".go")) $("play").focus({ preventScroll: true });
  score.forget();
  score.setPassage(passage);
  // Sound first: the score may come while it plays.
  await player.load(address, false, asked());
  await transport.loopAgain();
  if (play) await player.start();
  if (scoreIsShown() && stand.address === address) await score.show(address, notes.bars.length - 1);
}

export async function placePiece(/** @type {any} */ piece, play = false) {
  const address = `/api/pieces/${piece.id}`;
  const told = [...piece.remarks, originalityOf(piece)].filter(Boolean).join(" ");
  await place(address, piece.title, describe(piece), told, play, piece);
  const source = await api.get(`${address}/source`);
  if (source && stand.address === address) $("originality").textContent = `${told} The longest such passage: ${source.text}.`;
}

/** The piece of the library that is on the stand. */
export const placed = () => stand.piece;
/** Where what is on the stand lies. */
export const address = () => stand.address;
export const isEmpty = () => stand.address === "";

export function describe(/** @type {any} */ piece) {
  const { origin } = piece;
  const seed = `seed ${origin.seed}`;
  const asked = Object.entries({ ...(origin.form ? { form: origin.form } : {}), ...origin.controls });
  const form = asked.map(([name, text]) => ` · ${name} ${text}`).join("");
  return `${piece.model} · ${origin.bars} bars${form} · ${clock(piece.seconds)} · ♩ = ${Math.round(piece.tempo)} · temperature ${origin.sampling.temperature} · ${seed}`;
}

/** How much of a piece stands in the training music; in a few words, or in a sentence that says where it is marked. */
export function originalityOf(/** @type {any} */ piece, short = false) {
  const found = piece.originality;
  if (!found) return "";
  if (short || !found.text) return found.share === null ? "" : `${Math.round(100 * found.share)}% of its melody known`;
  return found.passage ? `${found.text} That passage is blue in score and roll.` : found.text;
}

/** Whether what sounds, or would, is the piece on the stand: the other views play pieces, too. */
const onStand = () => player.current() === stand.address;

function jump(/** @type {number} */ to) {
  if (onStand()) player.jump(to);
}

export const scoreIsShown = () => $("show-score").getAttribute("aria-pressed") === "true";

function showScore(/** @type {boolean} */ shown) {
  $("show-score").setAttribute("aria-pressed", String(shown));
  for (const id of ["get-svg", "print"]) $(id).hidden = !shown;
  localStorage.setItem("score", String(shown));
}

/** How a player is to play it: nothing where it is heard as it is written. */
const playing = () => /** @type {Record<string, string>} */ ($("playing").value === "" ? {} : { played: $("playing").value });

/** How it is to be heard. */
const asked = () => ({ sound: $("sound").value, ...playing() });

/** What is taken away is what is heard; the score stays as it is written. */
function link() {
  for (const form of ["wav", "flac"]) $(`get-${form}`).href = `${stand.address}/${form}${api.query(asked())}`;
  $("get-midi").href = `${stand.address}/midi${api.query(playing())}`;
  for (const form of ["musicxml", "abc"]) $(`get-${form}`).href = `${stand.address}/${form}`;
}

/** The moment that a moment is between the same bars, where these begin at other ones. */
function along(/** @type {number} */ at, /** @type {number[]} */ from, /** @type {number[]} */ to) {
  if (from === to) return at;
  const bar = Math.min(from.length - 2, Math.max(0, from.findLastIndex((start) => start <= at)));
  const share = (at - from[bar]) / (from[bar + 1] - from[bar] || 1);
  return to[bar] + share * (to[bar + 1] - to[bar]);
}

const asHeard = (/** @type {number} */ written) => along(written, stand.written.bars, stand.heard.bars);
const asWritten = (/** @type {number} */ heard) => along(heard, stand.heard.bars, stand.written.bars);

/** These notes are heard now: roll, position and bars follow them. */
function hear(/** @type {Notes} */ notes) {
  stand.heard = notes;
  roll.show(notes, stand.passage && [asHeard(stand.passage[0]), asHeard(stand.passage[1])]);
  transport.set(notes.bars);
  $("position").max = notes.seconds;
}

/** The notes of what is on the stand as a player plays them; where nobody can, it is heard as it is written again. */
async function played(/** @type {string} */ address) {
  try {
    return await api.get(`${address}/notes${api.query(playing())}`);
  } catch (error) {
    $("playing").value = "";
    link();
    throw error;
  }
}

/** The piece is heard in another way, from the same place on. */
async function hearAnew() {
  if (!stand.address) return;
  link();
  const { address } = stand;
  const wish = $("playing").value;
  const notes = wish === "" ? stand.written : await played(address);
  // Another has been asked for since.
  if (stand.address !== address || wish !== $("playing").value) return;
  const before = stand.heard.bars;
  if (notes !== stand.heard) hear(notes);
  roll.hush(parts.silent());
  if (!onStand()) return;
  await player.playAs(asked(), (at) => along(at, before, notes.bars));
  await transport.loopAgain();
}

/** Gives the person a file that was made in the page. */
function save(/** @type {Blob | null} */ file, /** @type {string} */ name) {
  if (!file) return;
  const address = URL.createObjectURL(file);
  element("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60000);
}

/** Score and roll, position and clock follow what sounds. */
function follow() {
  let drawing = false;
  const frame = () => {
    const at = onStand() ? player.now() : 0;
    roll.move(at);
    score.follow(asWritten(at));
    $("position").value = at;
    $("position").setAttribute("aria-valuetext", transport.spoken(at));
    $("clock").textContent = `${clock(at)} / ${clock(stand.heard.seconds)}`;
    drawing = player.isPlaying() && onStand();
    if (drawing) requestAnimationFrame(frame);
  };
  player.watch(() => {
    const playing = player.isOn() && onStand();
    $("play").setAttribute("aria-pressed", String(playing));
    $("play").setAttribute("aria-label", playing ? "Pause" : "Play");
    if (!drawing) frame();
  });
}

export function openStand() {
  roll = new Roll($("roll"), jump);
  $("play").onclick = () => attempt(async () => (onStand() ? player.toggle() : player.load(stand.address, true, asked())));
  for (const id of ["sound", "playing"]) $(id).onchange = () => attempt(hearAnew);
  $("position").oninput = () => jump(Number($("position").value));
  parts.openParts((silent) => roll.hush(silent));
  score.openScore((written) => jump(asHeard(written)));
  showScore(localStorage.getItem("score") !== "false");
  $("score").hidden = !scoreIsShown();
  $("show-score").onclick = () =>
    attempt(async () => {
      showScore(!scoreIsShown());
      if (!scoreIsShown()) score.hide();
      else if (stand.address) await score.show(stand.address, stand.written.bars.length - 1);
      else $("score").hidden = false;
    });
  transport.openTransport({
    jump,
    at: () => (onStand() ? player.now() : 0),
    resize: (size) => {
      roll.resize(size);
      score.resize(size);
    },
  });
  $("get-svg").onclick = () => save(score.file(), `${$("piece-title").textContent}.svg`);
  $("print").onclick = () => print();
  $("rename").onclick = () =>
    rename($("piece-title"), stand.piece.title, (title) => api.patch(`/api/pieces/${stand.piece.id}`, { title }));
  api.on("piece", (piece) => {
    if (piece.id !== stand.piece?.id) return;
    stand.piece = piece;
    $("piece-title").textContent = piece.title;
  });
  follow();
}
