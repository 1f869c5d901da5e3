// The score: engraved by verovio, which is loaded when a score is first asked for.

import { $, say } from "./dom.js";
import * as player from "./player.js";

/** @type {any} */
let toolkit;
/** Which piece is engraved. */
let engraved = "";
/** Onsets of the engraved notes, with their elements, in order of time. */
let marks = /** @type {{ from: number, to: number, of: Element }[]} */ ([]);
let sounding = /** @type {Element[]} */ ([]);

async function verovio() {
  if (toolkit) return toolkit;
  const [{ default: createModule }, { VerovioToolkit }] = await Promise.all([import("/verovio/verovio-module.mjs"), import("/verovio/verovio.mjs")]);
  toolkit = new VerovioToolkit(await createModule());
  return toolkit;
}

export async function show(/** @type {string} */ address, /** @type {any} */ _notes) {
  const place = $("score");
  place.hidden = false;
  $("print").hidden = false;
  if (engraved === address) return;
  place.textContent = "Engraving ...";
  const [engraver, answer] = await Promise.all([verovio(), fetch(`${address}/musicxml`)]);
  if (!answer.ok) {
    hide();
    return say("this piece cannot be written as a score");
  }
  const width = Math.max(700, Math.min(2400, place.clientWidth * 2.2));
  engraver.setOptions({ pageWidth: width, pageHeight: 60000, adjustPageHeight: true, breaks: "auto", scale: 45, header: "none", footer: "none", xmlIdSeed: 1, svgViewBox: true, svgRemoveXlink: true });
  engraver.loadData(await answer.text());
  const drawing = new DOMParser().parseFromString(engraver.renderToSVG(1), "image/svg+xml").documentElement;
  // The page forbids styles of others; what they would say stands in our own.
  drawing.querySelectorAll("style").forEach((style) => style.remove());
  place.replaceChildren(drawing);
  engraved = address;
  marks = engraver.renderToTimemap({ includeRests: false }).flatMap((/** @type {any} */ moment) =>
    (moment.on ?? []).map((/** @type {string} */ id) => ({ from: moment.tstamp / 1000, to: engraver.getTimesForElement(id).tstampOff?.[0] / 1000, of: document.getElementById(id) })),
  );
  marks = marks.filter((mark) => mark.of);
  for (const mark of marks) mark.of.addEventListener("click", () => player.jump(mark.from));
}

/** Another piece is on the stand. */
export function forget() {
  engraved = "";
  marks = [];
  sounding = [];
  $("score").replaceChildren();
}

export function hide() {
  $("score").hidden = true;
  $("print").hidden = true;
}

/** Marks what sounds. */
export function follow(/** @type {number} */ at) {
  if (marks.length === 0) return;
  for (const of of sounding) of.classList.remove("sounding");
  sounding = marks.filter((mark) => mark.from <= at && at < (mark.to || mark.from + 0.25)).map((mark) => mark.of);
  if (!player.isPlaying()) sounding = [];
  for (const of of sounding) of.classList.add("sounding");
}
