// The piece on the stand: heard, seen, taken away.

import * as api from "./api.js";
import { $, attempt, clock, element, rename } from "./dom.js";
import * as parts from "./parts.js";
import * as player from "./player.js";
import { Roll } from "./roll.js";
import * as score from "./score.js";
import * as transport from "./transport.js";

/** @type {Roll} */
let roll;
/** What is on the stand: its address, how long its notes last, how many bars it has, and the piece where it is one of the library. */
let stand = { address: "", seconds: 0, bars: 0, piece: /** @type {any} */ (null) };

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
  for (const form of ["midi", "musicxml", "abc"]) $(`get-${form}`).href = `${address}/${form}`;
  $("sound").value = notes.choir ? "choir" : "built-in";
  linkSound(address);
  $("downloads").hidden = false;
  stand = { address, seconds: notes.seconds, bars: notes.bars.length - 1, piece };
  $("rename").hidden = piece === null;
  dispatchEvent(new CustomEvent("placed", { detail: notes }));
  roll.show(notes, passage);
  parts.show(notes.parts);
  transport.show(notes.bars);
  Object.assign($("position"), { max: notes.seconds, value: 0, disabled: false });
  $("play").disabled = false;
  // Whoever pressed Compose presses Space next, to stop or to hear: not to compose again.
  if (play && document.activeElement?.closest(".go")) $("play").focus({ preventScroll: true });
  score.forget();
  score.setPassage(passage);
  // Sound first: the score may come while it plays.
  await player.load(address, false, $("sound").value);
  await transport.loopAgain();
  if (play) await player.start();
  if (scoreIsShown() && stand.address === address) await score.show(address, stand.bars);
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

/** What is taken away sounds as what is heard. */
function linkSound(/** @type {string} */ address) {
  for (const form of ["wav", "flac"]) $(`get-${form}`).href = `${address}/${form}?sound=${$("sound").value}`;
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
    score.follow(at);
    $("position").value = at;
    $("position").setAttribute("aria-valuetext", transport.spoken(at));
    $("clock").textContent = `${clock(at)} / ${clock(stand.seconds)}`;
    drawing = player.isPlaying() && onStand();
    if (drawing) requestAnimationFrame(frame);
  };
  player.watch(() => {
    const playing = player.isPlaying() && onStand();
    $("play").setAttribute("aria-pressed", String(playing));
    $("play").setAttribute("aria-label", playing ? "Pause" : "Play");
    if (!drawing) frame();
  });
}

export function openStand() {
  roll = new Roll($("roll"), jump);
  $("play").onclick = () => attempt(async () => (onStand() ? player.toggle() : player.load(stand.address, true, $("sound").value)));
  $("sound").onchange = () =>
    attempt(async () => {
      if (stand.address) linkSound(stand.address);
      if (onStand()) await player.playBy($("sound").value);
    });
  $("position").oninput = () => jump(Number($("position").value));
  parts.openParts((silent) => roll.hush(silent));
  score.openScore(jump);
  showScore(localStorage.getItem("score") !== "false");
  $("score").hidden = !scoreIsShown();
  $("show-score").onclick = () =>
    attempt(async () => {
      showScore(!scoreIsShown());
      if (!scoreIsShown()) score.hide();
      else if (stand.address) await score.show(stand.address, stand.bars);
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
