// Training: music is given, looked at, learnt from.

import * as api from "./api.js";
import { $, attempt, clock, element, onDrop, refusal, rename, say } from "./dom.js";
import { curves } from "./curves.js";
import { playButton } from "./library.js";
import { files, starting, verdict } from "./preflight.js";
import { place } from "./stand.js";

/** Bytes of a file. */
const MOST = 16 << 20;

/** @type {Map<string, any>} */
const trainings = new Map();
/** The one that is looked at: its id, its last view, its preflight report, and how its music is read for that. */
let open = { id: "", view: /** @type {any} */ (null), report: /** @type {any} */ (null), reads: /** @type {any} */ ({}) };
/** @type {any[]} */
let composers = [];
/** @type {any[]} */
let models = [];

async function give(/** @type {File[]} */ given) {
  const music = given.filter((file) => refusal(file, MOST) === "");
  const others = given.length - music.length;
  if (music.length === 0) return say(given.length === 1 ? refusal(given[0], MOST) : "none of these is a MIDI, MusicXML or ABC file that can be taken");
  if (others > 0) say(`${others} ${others === 1 ? "file is" : "files are"} left out: ${refusal(/** @type {File} */ (given.find((file) => !music.includes(file))), MOST)}`);
  await attempt(async () => {
    const folder = music[0].webkitRelativePath.split("/")[0];
    const name = folder || (music.length === 1 ? music[0].name.replace(/\.[^.]*$/, "") : `${music[0].name.replace(/\.[^.]*$/, "")} and ${music.length - 1} more`);
    const training = await api.post("/api/trainings", { name });
    const bar = $("upload");
    Object.assign(bar, { hidden: false, max: music.length, value: 0 });
    try {
      for (const file of music) {
        await api.upload(`/api/trainings/${training.id}/files?name=${encodeURIComponent(file.name)}`, file).catch((error) => say(`${file.name}: ${error.message}`));
        bar.value += 1;
      }
    } finally {
      bar.hidden = true;
    }
    await look(training.id);
  });
}

async function look(/** @type {string} */ id) {
  await api.inOrder(async () => {
    open = { id, view: await api.get(`/api/trainings/${id}`), report: null, reads: {} };
    trainings.set(id, open.view);
    showList();
    show();
  });
  if (open.view.stage === "collecting") {
    await preflight(id, {});
  }
}

/** Looks at the music, read so. */
async function preflight(/** @type {string} */ id, /** @type {any} */ reads) {
  open.reads = reads;
  const report = await api.get(`/api/trainings/${id}/preflight?${new URLSearchParams(reads)}`);
  if (open.id === id && open.reads === reads) open.report = report;
  show();
}

const STAGES = /** @type {Record<string, string>} */ ({ collecting: "not begun", waiting: "waits for its turn", running: "running", stopped: "stopped", finished: "finished", failed: "failed" });

/** How far one is, in a few words. */
function standing(/** @type {any} */ { stage, progress }) {
  if (!progress) return STAGES[stage];
  const share = `${Math.round(100 * progress.done)}%`;
  return progress.doing === "finishing" ? `finishing, ${share}` : `${share}, ${clock(progress.seconds_left)} left at most`;
}

function showList() {
  const row = (/** @type {any} */ training) => {
    const { id, name, files } = training;
    const button = element("button", { type: "button", textContent: "Show", "aria-label": `Show ${name}` });
    button.onclick = () => attempt(() => look(id));
    const state = `${files} ${files === 1 ? "file" : "files"} · ${standing(training)}`;
    return element("li", {}, element("div", { className: "what" }, element("b", { textContent: name }), element("span", { textContent: state })), button);
  };
  const all = [...trainings.values()].sort((a, b) => (a.id < b.id ? 1 : -1));
  $("trainings").replaceChildren(...(all.length ? all.map(row) : [element("li", { textContent: "None yet." })]));
}

/** The part that changes with every step, without touching what a person may be at. */
function showProgress() {
  const place = document.getElementById("progress");
  const { progress } = open.view;
  if (!place) return;
  const fact = (/** @type {string} */ name, /** @type {string} */ value) => element("span", {}, `${name} `, element("b", { textContent: value }));
  const bar = progress && element("progress", { max: 1, value: progress.done, "aria-label": progress.doing === "finishing" ? "Finishing" : "Training" });
  const facts = () => {
    if (progress.doing === "finishing") {
      const left = progress.seconds_left === null ? [] : [fact("about", `${clock(progress.seconds_left)} left`)];
      return [element("span", { textContent: `The network has learnt. Now ${progress.what}.` }), ...left];
    }
    const { epoch, step, of, nats_per_token, seconds_left, done } = progress;
    const left = done >= 1 ? element("span", { textContent: "the time is over; the last figures are made" }) : fact("left at most", clock(seconds_left));
    return [fact("epoch", String(epoch)), fact("step", `${step} of ${of}`), fact("training loss", nats_per_token.toFixed(3)), left];
  };
  place.replaceChildren(...(progress ? [bar, ...facts()] : [element("span", { textContent: "Looking at the music ..." })]));
}

function show() {
  const { view, report } = open;
  const card = $("training");
  card.hidden = !view;
  if (!view) return;
  const state = element("p", { className: "state", textContent: view.outcome ? `${STAGES[view.stage]}: ${view.outcome}` : STAGES[view.stage] });
  const title = element("h2", { textContent: view.name });
  const other = element("button", { type: "button", className: "link", textContent: "Rename" });
  other.onclick = () => rename(title, view.name, (name) => api.patch(`/api/trainings/${view.id}`, { name }).then(() => look(view.id)));
  const head = element("div", { className: "head" }, element("div", { className: "what" }, element("div", { className: "name-line" }, title, other), state));
  const parts = /** @type {Element[]} */ ([head]);
  if (view.stage === "collecting") parts.push(...verdict(report));
  if (["collecting", "stopped", "failed"].includes(view.stage)) parts.push(starting(view, report, composers, models, open.reads, (reads) => attempt(() => preflight(view.id, reads))));
  if (view.stage === "collecting" && report) parts.push(files(report));
  if (["running", "waiting"].includes(view.stage)) {
    const stop = element("button", { type: "button", textContent: "Stop, and keep the best" });
    stop.onclick = () => attempt(() => api.post(`/api/trainings/${view.id}/stop`));
    head.append(stop);
    if (view.stage === "running") parts.push(element("div", { id: "progress", className: "figures" }));
  }
  if (view.metrics.length > 0) {
    parts.push(curves(view, card.clientWidth));
    const remarks = view.metrics.flatMap((/** @type {any} */ line) => (line.remarks ?? []).map((/** @type {any} */ remark) => ({ epoch: line.epoch, ...remark })));
    if (remarks.length > 0) {
      const line = (/** @type {any} */ remark) => element("li", {}, `epoch ${remark.epoch}: `, ...(remark.illness ? [element("b", { textContent: `${remark.illness} ` })] : []), remark.text);
      parts.push(element("div", {}, element("h2", { textContent: "The doctor" }), element("ul", { className: "remarks" }, ...remarks.map(line))));
    }
  }
  if (view.samples.length > 0) {
    const sample = (/** @type {string} */ name) => {
      const [, epoch, step] = /epoch-0*(\d+)-step-0*(\d+)/.exec(name) ?? [];
      const label = epoch === undefined ? name : `after epoch ${epoch}, step ${step}`;
      const address = `/api/trainings/${view.id}/samples/${name}`;
      const stand = element("button", { type: "button", textContent: "Open", "aria-label": `Open the composition ${label}` });
      stand.onclick = () => {
        location.hash = "compose";
        attempt(() => place(address, `${view.name}, ${label}`, "Composed on the way by the model in training", ""));
      };
      return element("li", {}, playButton(address, label), element("div", { className: "what", textContent: label }), stand);
    };
    parts.push(element("div", {}, element("h2", { textContent: "What it composes" }), element("ul", { className: "rows" }, ...view.samples.slice(0, 8).map(sample))));
  }
  if (view.samples.length > 0 && view.metrics.length > 0) {
    const compose = element("a", { className: "button", href: "#compose", textContent: "Compose with it" });
    compose.onclick = () => ($("model").value = `training:${view.id}`);
    head.append(compose);
  }
  if (!["running", "waiting"].includes(view.stage)) {
    const away = element("button", { type: "button", className: "link away", textContent: "Delete this training" });
    away.onclick = () => confirm(`Delete ${view.name}, with its music and its model?`) && attempt(() => api.remove(`/api/trainings/${view.id}`));
    parts.push(element("div", {}, away));
  }
  card.replaceChildren(...parts);
  showProgress();
}

export function openTrain() {
  $("music-files").onchange = () => give([...$("music-files").files]);
  $("music-folder").onchange = () => give([...$("music-folder").files]);
  onDrop($("music-drop"), give);
  api.on("hello", () =>
    attempt(async () => {
      const [all, known, able] = await Promise.all([api.get("/api/trainings"), api.get("/api/composers"), api.get("/api/models")]);
      composers = known;
      models = able;
      trainings.clear();
      for (const training of all) trainings.set(training.id, training);
      showList();
      const running = all.find((/** @type {any} */ training) => training.stage === "running");
      const id = trainings.has(open.id) ? open.id : running?.id;
      if (id) attempt(() => look(id));
    }),
  );
  api.on("training", (training) => {
    const before = trainings.get(training.id);
    trainings.set(training.id, training);
    showList();
    if (training.id !== open.id) return;
    Object.assign(open.view, training);
    // The whole view anew only where more than the progress has changed.
    if (before?.stage !== training.stage) attempt(() => look(training.id));
    else showProgress();
  });
  for (const kind of ["metrics", "sample"]) {
    api.on(kind, ({ id }) => {
      if (id === open.id) attempt(() => refresh(id));
    });
  }
  api.on("gone", ({ kind, id }) => {
    if (kind !== "training") return;
    trainings.delete(id);
    if (open.id === id) open = { id: "", view: null, report: null, reads: {} };
    showList();
    show();
  });
}

let refreshing = false;

/** The figures anew, at most twice a second. */
async function refresh(/** @type {string} */ id) {
  if (refreshing) return;
  refreshing = true;
  await new Promise((done) => setTimeout(done, 500));
  refreshing = false;
  await api.inOrder(async () => {
    if (open.id !== id) return;
    open.view = await api.get(`/api/trainings/${id}`);
    show();
  });
}
