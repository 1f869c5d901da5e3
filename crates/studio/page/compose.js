// Composing: what is ordered, and what is on its way.

import * as again from "./again.js";
import * as api from "./api.js";
import { $, attempt, element, say } from "./dom.js";
import * as prompt from "./prompt.js";
import * as score from "./score.js";
import { isEmpty, placePiece, placed, scoreIsShown } from "./stand.js";

/** The composition that will be played when it comes, and the piece that it is written in the place of. */
let awaited = "";
let instead = /** @type {any} */ (null);
/** @type {any[]} */
let models = [];

function order() {
  const number = (/** @type {string} */ id) => ($(id).value === "" ? null : Number($(id).value));
  const asked = wishes().map(({ name }) => [name, $(`control-${name}`).value.trim()]);
  return {
    model: $("model").value,
    bars: Number($("bars").value),
    seed: number("seed"),
    best_of: Number($("best-of").value),
    temperature: number("temperature"),
    tempo: number("tempo"),
    controls: Object.fromEntries(asked.filter(([, text]) => text !== "")),
    ...prompt.order(),
  };
}

/** The chosen model. */
const chosen = () => models.find((model) => model.id === $("model").value);
/** Whether a model can do with what is given what is wanted. */
const suits = (/** @type {any} */ model) => !prompt.around() || (model?.around.some(prompt.isWorkedAround) ?? false);

/** What the chosen model can be asked for, with this start: what is given has its own key, metre and texture, and all of its form where it is arranged. */
function wishes() {
  const all = /** @type {any[]} */ (chosen()?.controls ?? []);
  if (prompt.around() === "parts") return all.filter(({ name }) => ["key", "program", "write"].includes(name));
  if (prompt.arranges()) return [];
  const open = ["form", "seconds", "chords", "register", "velocity", "surprise"];
  return prompt.isGiven() ? all.filter(({ name }) => open.includes(name)) : all;
}

/** A field for each of the model's controls; what was written stays. */
function showControls() {
  const written = new Map([...$("controls").querySelectorAll("input")].map((input) => [input.id, input.value]));
  const field = (/** @type {any} */ { name, label, help }) => {
    const id = `control-${name}`;
    // A rhythm is a whole piece's.
    const maxLength = name === "rhythm" ? 100000 : 200;
    const input = element("input", { id, maxLength, placeholder: "as it comes", title: help, value: written.get(id) ?? "" });
    return element("label", { title: help }, label, input);
  };
  $("controls").replaceChildren(...wishes().map(field));
}

/** Shows the settings that mean something for this model and this start. */
function suit() {
  showControls();
  $("bars-set").hidden = prompt.arranges();
}

/** A seed is kept by whoever says so, and only then. */
function showSeed() {
  const kept = $("seed").value !== "";
  $("pin").textContent = kept ? "A new seed each time" : "Keep this piece’s seed";
  $("pin").hidden = !kept && placed() === null;
}

async function compose() {
  if (!$("order").reportValidity()) return;
  await attempt(async () => {
    if (scoreIsShown()) score.prepare();
    await api.inOrder(async () => {
      const count = prompt.count();
      for (let k = 0; k < count; k++) {
        const { seed, ...rest } = order();
        const job = await api.post("/api/compositions", { ...rest, seed: seed === null ? null : seed + k });
        if (k === 0) [awaited, instead] = [job.id, null];
        jobs.set(job.id, job);
      }
      showJobs();
    });
  });
}

/** Writes cells of a piece anew, by the model that wrote it where that can. */
async function writeAgain(/** @type {any} */ cells, /** @type {any} */ piece) {
  const able = (/** @type {any} */ model) => model?.around.includes("cells");
  const model = [models.find(({ id }) => id === piece.model_id), chosen(), ...models].find(able);
  if (!model) return say("No model can write bars of a piece anew.");
  if (model.id !== piece.model_id) say(`${model.title} writes them: the piece’s own model only goes on.`);
  if (scoreIsShown()) score.prepare();
  const arrangement = { sha256: await again.given(piece), voices: [], bars: [], again: cells };
  await api.inOrder(async () => {
    const job = await api.post("/api/compositions", { model: model.id, arrangement });
    [awaited, instead] = [job.id, piece];
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

async function showModels() {
  models = await api.get("/api/models");
  const chosen = $("model").value;
  $("model").replaceChildren(...models.map((/** @type {any} */ model) => element("option", { value: model.id, textContent: `${model.title} (${model.detail})` })));
  if (models.some((/** @type {any} */ model) => model.id === chosen)) $("model").value = chosen;
  suit();
}

/** Whether a model is the one for it: a choir harmonises. */
const isMade = (/** @type {any} */ model) => suits(model) && (prompt.use() !== "harmonise" || model.choir);

/** Working around what is given takes a model that can: where the chosen one cannot, another is chosen. */
function startChanged() {
  const able = models.find(isMade) ?? models.find(suits);
  if (!isMade(chosen()) && able && able !== chosen()) {
    say(`${able.title} can do that, and is chosen for it.`);
    $("model").value = able.id;
  }
  suit();
}

function modelChanged() {
  if (!suits(chosen())) {
    prompt.useOnly("continue");
    say("This model goes on from a beginning; it cannot compose around what is given.");
    startChanged();
  }
  suit();
}

export function openCompose() {
  $("order").addEventListener("submit", (/** @type {Event} */ event) => {
    event.preventDefault();
    compose();
  });
  $("pin").onclick = () => {
    $("seed").value = $("seed").value === "" ? placed().origin.seed : "";
    showSeed();
  };
  $("seed").oninput = showSeed;
  addEventListener("placed", showSeed);
  again.openAgain(writeAgain);
  prompt.openPrompt(startChanged);
  $("model").onchange = modelChanged;

  api.on("hello", () =>
    attempt(async () => {
      const [waiting, pieces] = await Promise.all([api.get("/api/compositions"), api.get("/api/pieces"), showModels()]);
      jobs.clear();
      for (const job of waiting) jobs.set(job.id, job);
      showJobs();
      const come = pieces.find((/** @type {any} */ piece) => piece.id === awaited);
      if (come) attempt(() => arrived(come));
      else if (isEmpty() && !awaited && pieces.length > 0) attempt(() => placePiece(pieces[0]));
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
  if (instead) again.instead(piece, instead);
  instead = null;
  return placePiece(piece, true);
}
