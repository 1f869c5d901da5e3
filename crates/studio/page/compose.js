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
/** What was given to start from. @type {{ sha256: string, bars: number, notes: number, name: string } | null} */
let prompt = null;
/** @type {any[]} */
let models = [];

/** Puts a piece or a sample on the stand. */
export async function place(/** @type {string} */ address, /** @type {string} */ title, /** @type {string} */ detail, /** @type {string} */ originality, play = false, passage = /** @type {any} */ (null)) {
  $("piece-title").textContent = title;
  $("piece-detail").textContent = detail;
  $("originality").textContent = originality;
  for (const form of ["midi", "musicxml", "wav"]) $(`get-${form}`).href = `${address}/${form}`;
  $("downloads").hidden = false;
  const notes = await api.get(`${address}/notes`);
  stand = { address, seconds: notes.seconds };
  roll.show(notes, passage?.seconds ?? null);
  Object.assign($("position"), { max: notes.seconds, value: 0, disabled: false });
  $("play").disabled = false;
  // Whoever pressed Compose presses Space next, to stop or to hear: not to compose again.
  if (play && document.activeElement?.closest(".go")) $("play").focus({ preventScroll: true });
  score.forget();
  score.setPassage(passage?.seconds ?? null);
  // Sound first: the score may come while it plays.
  await player.load(address, play);
  if (scoreIsShown() && stand.address === address) await score.show(address);
}

/** Whether what sounds, or would, is the piece on the stand: the other views play pieces, too. */
const onStand = () => player.current() === stand.address;

function jump(/** @type {number} */ to) {
  if (onStand()) player.jump(to);
}

const scoreIsShown = () => $("show-score").getAttribute("aria-pressed") === "true";

function showScore(/** @type {boolean} */ shown) {
  $("show-score").setAttribute("aria-pressed", String(shown));
  for (const id of ["get-svg", "print"]) $(id).hidden = !shown;
  localStorage.setItem("score", String(shown));
}

/** Gives the person a file that was made in the page. */
function save(/** @type {Blob | null} */ file, /** @type {string} */ name) {
  if (!file) return;
  const address = URL.createObjectURL(file);
  element("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60000);
}

export function describe(/** @type {any} */ piece) {
  const { origin } = piece;
  const seed = `seed ${origin.seed}`;
  const form = origin.form ? ` · form ${origin.form}` : "";
  return `${piece.model} · ${origin.bars} bars${form} · ${clock(piece.seconds)} · ♩ = ${Math.round(piece.tempo)} · temperature ${origin.sampling.temperature} · ${seed}`;
}

export function originalityOf(/** @type {any} */ piece, short = false) {
  const found = piece.originality;
  if (!found || found.share === null) return "";
  const percent = (/** @type {number} */ share) => `${Math.round(100 * share)}%`;
  const usual = found.usual === null ? "" : ` Of real pieces, half stay under ${percent(found.usual)}, nearly all under ${percent(found.high)}.`;
  if (short) return `${percent(found.share)} known turns`;
  const [first, last] = found.passage?.bars ?? [];
  const where = first === undefined ? "" : first === last ? ` (bar ${first}, blue in the score)` : ` (bars ${first} to ${last}, blue in the score)`;
  const longest = found.longest ? `, at most ${found.longest} notes in a row${where}` : "";
  return `${percent(found.share)} of the melody’s 8-note runs stand in the training music${longest}.${usual}`;
}

export async function placePiece(/** @type {any} */ piece, play = false) {
  const address = `/api/pieces/${piece.id}`;
  const told = [...piece.remarks, originalityOf(piece)].join(" ");
  await place(address, piece.title, describe(piece), told, play, piece.originality?.passage);
  const source = await api.get(`${address}/source`);
  if (source && stand.address === address) $("originality").textContent = `${told} The longest passage that also stands elsewhere: ${source.text}.`;
}

function order(fresh = false) {
  const number = (/** @type {string} */ id) => ($(id).value === "" ? null : Number($(id).value));
  const order = {
    model: $("model").value,
    bars: Number($("bars").value),
    seed: fresh ? null : number("seed"),
    temperature: number("temperature"),
    tempo: number("tempo"),
  };
  if (prompt && harmonises()) return { ...order, arrangement: { sha256: prompt.sha256, voices: [0], bars: [] } };
  const form = can("form") && $("form").value.trim() !== "" ? $("form").value : null;
  return { ...order, form, prompt: prompt && { sha256: prompt.sha256, bars: Number($("prompt-bars").value) } };
}

/** Whether the chosen model can do more than write new pieces. */
const can = (/** @type {string} */ ability, id = $("model").value) => models.some((model) => model.id === id && model.abilities.includes(ability));

/** Whether voices are composed to what was given. */
const harmonises = () => prompt !== null && $("prompt-use").value === "harmonise";

/** Shows the settings that mean something for this model and this start. */
function suit() {
  const voices = harmonises();
  $("form-set").hidden = voices || !can("form");
  $("bars-set").hidden = voices;
  $("prompt-kept").hidden = voices;
  $("prompt-set").hidden = prompt === null;
  $("prompt-label").textContent = prompt
    ? `${voices ? "To" : "From"} ${prompt.name}: ${prompt.bars} bars, ${prompt.notes} notes`
    : "Start from a piece of yours: drop a MIDI, MusicXML or ABC file here, or";
}

async function compose(fresh = false) {
  if (!$("order").reportValidity()) return;
  await attempt(async () => {
    if (scoreIsShown()) score.prepare();
    await api.inOrder(async () => {
      const job = await api.post("/api/compositions", order(fresh));
      awaited = job.id;
      if (fresh || $("seed").value !== "") $("seed").value = job.order.seed;
      jobs.set(job.id, job);
      showJobs();
    });
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
    const kept = await api.upload(`/api/prompts?name=${encodeURIComponent(file.name)}`, file);
    prompt = { ...kept, name: file.name };
    $("prompt-bars").value = Math.max(1, Math.min(4, kept.bars));
    if (Number($("bars").value) <= Number($("prompt-bars").value)) $("bars").value = 16;
    suit();
  });
}

async function showModels() {
  models = await api.get("/api/models");
  const chosen = $("model").value;
  $("model").replaceChildren(...models.map((/** @type {any} */ model) => element("option", { value: model.id, textContent: `${model.title} (${model.detail})` })));
  if (models.some((/** @type {any} */ model) => model.id === chosen)) $("model").value = chosen;
  suit();
}

/** Composing voices takes a model that can: where the chosen one cannot, another is chosen. */
function useChanged() {
  const able = models.find((model) => model.abilities.includes("arrange"));
  if (harmonises() && !can("arrange") && able) {
    say(`${able.title} can do that, and is chosen for it.`);
    $("model").value = able.id;
  }
  suit();
}

function modelChanged() {
  if (harmonises() && !can("arrange")) {
    $("prompt-use").value = "continue";
    say("This model goes on from a beginning; it cannot compose to a melody.");
  }
  suit();
}

export function openCompose() {
  roll = new Roll($("roll"), jump);
  $("order").addEventListener("submit", (/** @type {Event} */ event) => {
    event.preventDefault();
    compose();
  });
  $("another").onclick = () => compose(true);
  $("play").onclick = () => attempt(async () => (onStand() ? player.toggle() : player.load(stand.address, true)));
  $("position").oninput = () => jump(Number($("position").value));
  $("prompt-file").onchange = () => keepPrompt($("prompt-file").files[0]);
  onDrop($("prompt-drop"), (files) => keepPrompt(files[0]));
  $("prompt-clear").onclick = () => {
    prompt = null;
    $("prompt-file").value = "";
    suit();
  };
  $("prompt-use").onchange = useChanged;
  $("model").onchange = modelChanged;
  score.openScore(jump);
  showScore(localStorage.getItem("score") !== "false");
  $("score").hidden = !scoreIsShown();
  $("show-score").onclick = () =>
    attempt(async () => {
      showScore(!scoreIsShown());
      if (!scoreIsShown()) score.hide();
      else if (stand.address) await score.show(stand.address);
      else $("score").hidden = false;
    });
  $("get-svg").onclick = () => save(score.file(), `${$("piece-title").textContent}.svg`);
  $("print").onclick = () => print();

  let drawing = false;
  const frame = () => {
    const at = onStand() ? player.now() : 0;
    roll.move(at);
    score.follow(at);
    $("position").value = at;
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

  api.on("hello", () =>
    attempt(async () => {
      const [waiting, pieces] = await Promise.all([api.get("/api/compositions"), api.get("/api/pieces"), showModels()]);
      jobs.clear();
      for (const job of waiting) jobs.set(job.id, job);
      showJobs();
      const come = pieces.find((/** @type {any} */ piece) => piece.id === awaited);
      if (come) attempt(() => arrived(come));
      else if (!stand.address && !awaited && pieces.length > 0) attempt(() => placePiece(pieces[0]));
    }),
  );
  api.on("job", (job) => {
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
