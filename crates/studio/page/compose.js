// Composing, and the piece on the stand.

import * as api from "./api.js";
import { $, attempt, clock, element, onDrop, say } from "./dom.js";
import * as player from "./player.js";
import { Roll } from "./roll.js";
import * as score from "./score.js";

/** @type {Roll} */
let roll;
/** What is on the stand: its address, and how long its notes last. */
let stand = { address: "", seconds: 0 };
/** The composition that will be played when it comes. */
let awaited = "";
/** @type {{ sha256: string, bars: number } | null} */
let prompt = null;

/** Puts a piece or a sample on the stand. */
export async function place(/** @type {string} */ address, /** @type {string} */ title, /** @type {string} */ detail, /** @type {string} */ originality, play = false) {
  $("piece-title").textContent = title;
  $("piece-detail").textContent = detail;
  $("originality").textContent = originality;
  for (const form of ["midi", "musicxml", "wav"]) $(`get-${form}`).href = `${address}/${form}`;
  $("downloads").hidden = false;
  const notes = await api.get(`${address}/notes`);
  stand = { address, seconds: notes.seconds };
  roll.show(notes);
  Object.assign($("position"), { max: notes.seconds, value: 0, disabled: false });
  $("play").disabled = false;
  // Whoever pressed Compose presses Space next, to stop or to hear: not to compose again.
  if (play && document.activeElement?.closest(".go")) $("play").focus({ preventScroll: true });
  score.forget();
  const shown = $("show-score").getAttribute("aria-pressed") === "true";
  await Promise.all([player.load(address, play), shown ? score.show(address, notes) : undefined]);
}

export function describe(/** @type {any} */ piece) {
  const { origin } = piece;
  const seed = `seed ${origin.seed}`;
  return `${piece.model} · ${origin.bars} bars · ${clock(piece.seconds)} · ${Math.round(piece.tempo)} to the minute · temperature ${origin.sampling.temperature} · ${seed}`;
}

export function originalityOf(/** @type {any} */ piece) {
  const found = piece.originality;
  if (!found || found.share === null) return "";
  const percent = (/** @type {number} */ share) => `${Math.round(100 * share)}%`;
  const usual = found.usual === null ? "" : ` Of real pieces, half stay under ${percent(found.usual)}, nearly all under ${percent(found.high)}.`;
  const longest = found.longest ? `, at most ${found.longest} notes in a row` : "";
  return `${percent(found.share)} of the melody’s 8-note runs stand in the training music${longest}.${usual}`;
}

export const placePiece = (/** @type {any} */ piece, play = false) =>
  place(`/api/pieces/${piece.id}`, piece.title, describe(piece), [...piece.remarks, originalityOf(piece)].join(" "), play);

function order(fresh = false) {
  const number = (/** @type {string} */ id) => ($(id).value === "" ? null : Number($(id).value));
  const kept = prompt && { sha256: prompt.sha256, bars: Number($("prompt-bars").value) };
  return {
    model: $("model").value,
    bars: Number($("bars").value),
    seed: fresh ? null : number("seed"),
    temperature: number("temperature"),
    tempo: number("tempo"),
    prompt: kept,
  };
}

async function compose(fresh = false) {
  if (!$("order").reportValidity()) return;
  await attempt(async () => {
    const job = await api.post("/api/compositions", order(fresh));
    awaited = job.id;
    if (fresh || $("seed").value !== "") $("seed").value = job.order.seed;
    jobs.set(job.id, job);
    showJobs();
  });
}

/** @type {Map<string, any>} */
const jobs = new Map();

function showJobs() {
  const row = (/** @type {any} */ job) => {
    const failed = job.state === "failed";
    const text = failed ? `Failed: ${job.error}` : job.state === "waiting" ? `Waiting, seed ${job.order.seed}` : `Composing, ${Math.round(100 * job.done)}%`;
    const away = element("button", { type: "button", className: "link", textContent: failed ? "Forget" : "Cancel" });
    away.onclick = () => attempt(() => api.remove(`/api/compositions/${job.id}`));
    return element("li", {}, element("span", { textContent: text }), away);
  };
  $("jobs").replaceChildren(...[...jobs.values()].map(row));
}

async function keepPrompt(/** @type {File | undefined} */ file) {
  if (!file) return;
  await attempt(async () => {
    const kept = await api.upload("/api/prompts", file);
    prompt = kept;
    $("prompt-bars").value = Math.max(1, Math.min(4, kept.bars));
    $("prompt-label").textContent = `Continues ${file.name}: ${kept.bars} bars, ${kept.notes} notes`;
    $("prompt-set").hidden = false;
    if (Number($("bars").value) <= Number($("prompt-bars").value)) $("bars").value = 16;
  });
}

async function showModels() {
  const models = await api.get("/api/models");
  const chosen = $("model").value;
  $("model").replaceChildren(...models.map((/** @type {any} */ model) => element("option", { value: model.id, textContent: `${model.title} (${model.detail})` })));
  if (models.some((/** @type {any} */ model) => model.id === chosen)) $("model").value = chosen;
}

export function openCompose() {
  roll = new Roll($("roll"), player.jump);
  $("order").addEventListener("submit", (/** @type {Event} */ event) => {
    event.preventDefault();
    compose();
  });
  $("another").onclick = () => compose(true);
  $("play").onclick = player.toggle;
  $("position").oninput = () => player.jump(Number($("position").value));
  $("prompt-file").onchange = () => keepPrompt($("prompt-file").files[0]);
  onDrop($("prompt-drop"), (files) => keepPrompt(files[0]));
  $("prompt-clear").onclick = () => {
    prompt = null;
    $("prompt-set").hidden = true;
    $("prompt-file").value = "";
    $("prompt-label").textContent = "Continue a piece of yours: drop a MIDI file, or choose one";
  };
  $("show-score").onclick = () =>
    attempt(async () => {
      const shown = $("show-score").getAttribute("aria-pressed") !== "true";
      $("show-score").setAttribute("aria-pressed", String(shown));
      if (shown) await score.show(stand.address, roll.notes);
      else score.hide();
    });
  $("print").onclick = () => print();

  let drawing = false;
  const frame = () => {
    const at = player.now();
    roll.move(at);
    score.follow(at);
    $("position").value = at;
    $("clock").textContent = `${clock(at)} / ${clock(stand.seconds)}`;
    drawing = player.isPlaying();
    if (drawing) requestAnimationFrame(frame);
  };
  player.watch(() => {
    const playing = player.isPlaying();
    $("play").setAttribute("aria-pressed", String(playing));
    $("play").setAttribute("aria-label", playing ? "Pause" : "Play");
    if (!drawing) frame();
  });

  api.on("hello", () =>
    attempt(async () => {
      const [waiting, pieces] = await Promise.all([api.get("/api/compositions"), api.get("/api/pieces"), showModels()]);
      jobs.clear();
      for (const job of waiting) jobs.set(job.id, job);
      showJobs();
      const come = pieces.find((/** @type {any} */ piece) => piece.id === awaited);
      if (come) await arrived(come);
      else if (!stand.address && pieces.length > 0) await placePiece(pieces[0]);
    }),
  );
  api.on("job", (job) => {
    // An answer may come later than the events that follow it.
    jobs.set(job.id, job);
    if (job.state === "failed" && job.id === awaited) say(job.error);
    showJobs();
  });
  api.on("gone", ({ kind, id }) => {
    if (kind === "job" && jobs.delete(id)) showJobs();
    if (kind === "training") attempt(showModels);
  });
  api.on("piece", (piece) => {
    jobs.delete(piece.id);
    showJobs();
    if (piece.id === awaited) attempt(() => arrived(piece));
  });
  api.on("training", (training) => {
    if (!training.progress) attempt(showModels);
  });
  api.on("sample", () => attempt(showModels));
}

function arrived(/** @type {any} */ piece) {
  awaited = "";
  return placePiece(piece, true);
}
