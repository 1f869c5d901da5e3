// What was found in the music that was given, and how it is to be learnt from.

import * as api from "./api.js";
import { attempt, element } from "./dom.js";

/** What the preflight found, in a few lines. */
export function verdict(/** @type {any} */ report) {
  if (!report) return [element("p", { textContent: "Looking at the music ..." })];
  const { files, used } = report;
  const odd = files.filter((/** @type {any} */ file) => file.warnings.length > 0).length;
  const lines = [
    `${report.notes} notes in ${report.bars} bars: ${report.train} pieces to learn from, ${report.valid} to be tested with.`,
    ...(report.lack ? [`A training cannot learn from this: ${report.lack}.`] : []),
    ...(report.found ? [`${report.found}.`] : []),
    ...report.remarks,
    ...(odd > 0 ? [`${odd} of the used files ${odd === 1 ? "has" : "have"} something odd about ${odd === 1 ? "it" : "them"}: see below.`] : []),
  ];
  return [element("p", { className: "verdict", textContent: `${used} of ${files.length} files can be used.` }), element("ul", { className: "remarks" }, ...lines.map((text) => element("li", { textContent: text })))];
}

/** Each file: why it is not used, or what was odd about it. */
export function files(/** @type {any} */ report) {
  const { files } = report;
  // The server puts a number before each name.
  const name = (/** @type {any} */ file) => file.name.replace(/^\d{4} /, "");
  const line = (/** @type {any} */ file) => {
    const fate = element("span", { className: file.refused ? "refused" : "", textContent: file.refused ?? `${file.bars} bars, ${file.notes} notes` });
    const odd = file.warnings.map((/** @type {string} */ text) => element("small", { textContent: text }));
    return element("li", {}, element("span", { textContent: name(file) }), fate, ...odd);
  };
  const rank = (/** @type {any} */ file) => (file.refused ? 0 : file.warnings.length > 0 ? 1 : 2);
  const sorted = [...files].sort((a, b) => rank(a) - rank(b));
  const refused = files.filter((/** @type {any} */ file) => file.refused).length;
  const summary = refused ? `${refused} of ${files.length} not used: which, and why` : "All files";
  const open = files.some((/** @type {any} */ file) => rank(file) < 2);
  return element("details", { open }, element("summary", { textContent: summary }), element("ul", { className: "files", tabIndex: 0, "aria-label": "Files" }, ...sorted.map(line)));
}

/** How long it will take, in sentences, as far as that is known. */
function duration(/** @type {number} */ minutes, /** @type {any} */ estimate) {
  if (!(minutes > 0)) return [];
  const until = `It ends after ${minutes} ${minutes === 1 ? "minute" : "minutes"} at the latest, and sooner where the pieces that it is tested with show no progress any more.`;
  if (!estimate) return [until];
  if (estimate.error) return [`It cannot learn from this: ${estimate.error}.`];
  const { seconds_an_epoch: epoch, afterwards } = estimate;
  const long = epoch < 1 ? "less than a second" : epoch < 90 ? `about ${Math.round(epoch)} s` : `about ${Math.round(epoch / 60)} minutes`;
  const fit = (60 * minutes) / Math.max(0.01, epoch);
  const times = fit < 1 ? "not even once" : fit < 1.5 ? "once" : `about ${Number(fit.toPrecision(2))} times`;
  const after = afterwards ? [`Then ${afterwards}.`] : [];
  return [`To learn from all of it once takes ${long} on this machine, so ${times} in that time.`, until, ...after];
}

/** How the music is read, as the options of `cantus train`: what is empty is chosen as suits the music. */
function options(/** @type {any} */ reads, /** @type {(reads: any) => void} */ look) {
  const reading = element("select");
  const ways = { "": "as suits the music", merged: "as one keyboard", parts: "part by part, drums too", performed: "as it was played, off any grid", pedalled: "as it was played, keys and pedal apart" };
  reading.append(...Object.entries(ways).map(([value, textContent]) => element("option", { value, textContent })));
  reading.value = reads.reading ?? "";
  const number = (/** @type {string} */ name, /** @type {number} */ min, /** @type {number} */ max) => element("input", { type: "number", min, max, step: 1, placeholder: "as suits it", value: reads[name] ?? "" });
  const grid = number("grid", 1, 96);
  const bars = number("min_bars", 0, 1000);
  const notes = number("min_notes", 0, 100000);
  const inputs = [grid, bars, notes];
  const changed = () => {
    if (!inputs.every((input) => input.reportValidity())) return;
    const given = { reading: reading.value, grid: grid.valueAsNumber, min_bars: bars.valueAsNumber, min_notes: notes.valueAsNumber };
    look(Object.fromEntries(Object.entries(given).filter(([, value]) => value !== "" && !Number.isNaN(value))));
  };
  reading.onchange = changed;
  inputs.forEach((input) => (input.onchange = changed));
  const label = (/** @type {string} */ text, /** @type {Element} */ of) => element("label", {}, text, of);
  const all = element("div", { className: "start" }, label("Read", reading), label("Steps of the grid to a quarter note", grid), label("Fewest bars of a piece", bars), label("Fewest notes of a piece", notes));
  return element("details", { className: "about", open: Object.keys(reads).length > 0 }, element("summary", { textContent: "How the music is read" }), all);
}

/** What stands before the id of a model that a training is to go on from. */
const FROM = "from ";

/** How it is to be trained; `reads` is how its music is read, and `look` looks at it once more, read otherwise. */
export function starting(/** @type {any} */ view, /** @type {any} */ report, /** @type {any[]} */ composers, /** @type {any[]} */ models, /** @type {any} */ reads, /** @type {(reads: any) => void} */ look) {
  const begun = view.stage !== "collecting";
  const minutes = element("input", { type: "number", min: 0.1, max: 1440, step: "any", value: view.order?.minutes ?? 10, required: true });
  const choice = element("select");
  const about = element("p", { className: "about" });
  const known = composers.flatMap(({ id, writes, suits, configurations }) =>
    configurations.map((/** @type {any} */ one, /** @type {number} */ k) => ({ id: `${id}:${one.name}`, writes, suits, summary: one.summary, usual: k === 0 })),
  );
  const recommended = report?.recommended ?? "";
  known.sort((a, b) => Number(b.id === recommended) - Number(a.id === recommended));
  const option = (/** @type {string} */ id, /** @type {string} */ text) => element("option", { value: id, textContent: text });
  const usual = known.filter((one) => one.usual);
  const others = element("optgroup", { label: "Other settings, for whoever compares" });
  others.append(...known.filter((one) => !one.usual).map(({ id, summary }) => option(id, `${id}: ${summary}`)));
  choice.append(...usual.map(({ id, writes }) => option(id, `${id === recommended ? "Recommended: " : ""}${writes} (${id.split(":")[0]})`)), others);
  const bases = element("optgroup", { label: "Go on from a model, where there are few files" });
  bases.append(...models.filter(({ id }) => id.split(":").length < 3).map(({ id, title }) => option(FROM + id, `From ${title}`)));
  choice.append(bases);
  if (view.order?.composer) choice.value = view.order.composer;
  const base = () => (!begun && choice.value.startsWith(FROM) ? choice.value.slice(FROM.length) : null);
  let estimate = /** @type {any} */ (null);
  const tell = () => {
    const chosen = known.find(({ id }) => id === (begun ? view.order?.composer : choice.value));
    const who = chosen ? [`It writes ${chosen.writes}. It suits ${chosen.suits}.`, ...(chosen.id === recommended ? ["Recommended for this music."] : [])] : [];
    if (base() !== null) who.push("It goes on from what the model knows: a few files and minutes are enough. Its composer stays, and the music is read as the model's was.");
    about.textContent = [...who, ...duration(Number(minutes.value), estimate)].join(" ");
  };
  const measure = async () => {
    estimate = null;
    tell();
    if (begun || base() !== null || !report?.train || !report.valid) return;
    const asked = choice.value;
    const found = await api.get(`/api/trainings/${view.id}/estimate?${new URLSearchParams({ composer: asked, ...reads })}`).catch((error) => ({ error: error.message }));
    if (choice.value !== asked) return;
    estimate = found;
    tell();
  };
  choice.onchange = measure;
  minutes.oninput = tell;
  measure();
  const go = element("button", { className: "primary", textContent: begun ? "Go on" : "Train", disabled: !begun && !(report && report.train > 0 && report.valid > 0) });
  const form = element("form", { className: "start" }, go, element("label", {}, "Minutes", minutes), ...(begun ? [] : [element("label", {}, "What it is to write", choice)]), about, ...(begun ? [] : [options(reads, look)]));
  form.addEventListener("submit", (/** @type {Event} */ event) => {
    event.preventDefault();
    const order = { minutes: Number(minutes.value), composer: begun ? view.order?.composer : base() === null ? choice.value : null, from: begun ? view.order?.from : base(), seed: view.order?.seed ?? 1, options: begun ? (view.order?.options ?? {}) : reads };
    attempt(() => api.post(`/api/trainings/${view.id}/start`, order));
  });
  return form;
}
