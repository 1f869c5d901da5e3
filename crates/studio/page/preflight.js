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

/** How it is to be trained. */
export function starting(/** @type {any} */ view, /** @type {any} */ report, /** @type {any[]} */ composers) {
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
  if (view.order?.composer) choice.value = view.order.composer;
  let estimate = /** @type {any} */ (null);
  const tell = () => {
    const chosen = known.find(({ id }) => id === (begun ? view.order?.composer : choice.value));
    const who = chosen ? [`It writes ${chosen.writes}. It suits ${chosen.suits}.`, ...(chosen.id === recommended ? ["Recommended for this music."] : [])] : [];
    about.textContent = [...who, ...duration(Number(minutes.value), estimate)].join(" ");
  };
  const measure = async () => {
    estimate = null;
    tell();
    if (begun || !report?.train || !report.valid) return;
    const asked = choice.value;
    const found = await api.get(`/api/trainings/${view.id}/estimate?composer=${encodeURIComponent(asked)}`).catch((error) => ({ error: error.message }));
    if (choice.value !== asked) return;
    estimate = found;
    tell();
  };
  choice.onchange = measure;
  minutes.oninput = tell;
  measure();
  const go = element("button", { className: "primary", textContent: begun ? "Go on" : "Train", disabled: !begun && !(report && report.train > 0 && report.valid > 0) });
  const form = element("form", { className: "start" }, go, element("label", {}, "Minutes", minutes), ...(begun ? [] : [element("label", {}, "What it is to write", choice)]), about);
  form.addEventListener("submit", (/** @type {Event} */ event) => {
    event.preventDefault();
    const order = { minutes: Number(minutes.value), composer: begun ? view.order?.composer : choice.value, seed: view.order?.seed ?? 1 };
    attempt(() => api.post(`/api/trainings/${view.id}/start`, order));
  });
  return form;
}
