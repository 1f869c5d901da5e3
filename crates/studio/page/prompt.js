// What a person gives to start from: a beginning to go on with, a voice to be harmonised, a piece of which some bars are written anew, or one
// that gets one more part.

import * as api from "./api.js";
import { $, attempt, element, onDrop, refusal, say } from "./dom.js";

/** Bytes of such a file. */
const MOST = 4 << 20;

/** What was given. @type {{ sha256: string, bars: number, notes: number, pitched: boolean, warnings: string[], name: string } | null} */
let prompt = null;
let changed = () => {};

/** How it is to be used: `continue`, `harmonise`, `rewrite`, `accompany`, or nothing without a file. */
export const use = () => (prompt ? $("prompt-use").value : "");

/** Whether something is given. */
export const isGiven = () => prompt !== null;

/** What a model must be able to work around, by how it is used. @type {Record<string, string>} */
const AROUND = { continue: "beginning", harmonise: "cells", rewrite: "cells", accompany: "parts" };

/** What a model must be able to work around for it; nothing without a file. */
export const around = () => AROUND[use()] ?? "";

/** Whether a model that can work around this can do what is wanted: a part more is a band's, or the chords to a melody. */
export const isWorkedAround = (/** @type {string} */ able) => able === around() || (able === "melody" && around() === "parts");

/** Whether what is given says how long the piece is. */
export const arranges = () => around() === "cells" || around() === "parts";

/** How many pieces are wanted at once. */
export const count = () => (use() === "accompany" ? Number($("prompt-count").value) : 1);

/** Uses it another way, where what is given allows it. */
export function useOnly(/** @type {string} */ way) {
  if (prompt?.pitched) $("prompt-use").value = way;
  show();
}

/** `1-4, 9` as bars, first and last; nothing where it is something else. @returns {number[][] | null} */
function bars(/** @type {string} */ text) {
  const found = [];
  for (const piece of text.split(",")) {
    const [, first, last] = /^\s*(\d+)\s*(?:[-–]\s*(\d+)\s*)?$/.exec(piece) ?? [];
    if (first === undefined) return null;
    found.push([Number(first), Number(last ?? first)]);
  }
  return found;
}

/** Says in the field itself what is wrong with the bars that stay. */
function check() {
  const field = $("prompt-stay");
  const found = use() === "rewrite" ? bars(field.value) : [];
  const most = prompt?.bars ?? 0;
  const fits = found?.every(([first, last]) => first >= 1 && first <= last && last <= most);
  field.setCustomValidity(found === null ? "Name bars such as 1-4, 9-12" : fits ? "" : `The piece has bars 1 to ${most}`);
}

/** What an order says of it. */
export function order() {
  if (!prompt) return {};
  const { sha256 } = prompt;
  if (use() === "harmonise") return { arrangement: { sha256, voices: [Number($("prompt-voice").value)], bars: [] } };
  if (use() === "rewrite") return { arrangement: { sha256, voices: [], bars: bars($("prompt-stay").value) ?? [] } };
  if (use() === "accompany") return { arrangement: { sha256, voices: [], bars: [], joined: true } };
  return { prompt: { sha256, bars: Number($("prompt-bars").value) } };
}

function show() {
  const way = use();
  $("prompt-set").hidden = prompt === null;
  $("prompt-kept").hidden = way !== "continue";
  $("prompt-voices").hidden = way !== "harmonise";
  $("prompt-stays").hidden = way !== "rewrite";
  $("prompt-several").hidden = way !== "accompany";
  $("prompt-count").disabled = way !== "accompany";
  for (const option of $("prompt-use").options) option.disabled = prompt !== null && !prompt.pitched && option.value !== "accompany";
  $("prompt-bars").disabled = way !== "continue";
  $("prompt-stay").disabled = way !== "rewrite";
  $("prompt-label").textContent = prompt
    ? `${way === "continue" ? "From" : "To"} ${prompt.name}: ${prompt.bars} bars, ${prompt.notes} notes`
    : "Start from a piece of yours: drop a MIDI, MusicXML or ABC file here, or";
  const line = (/** @type {string} */ text) => element("li", { textContent: text });
  $("prompt-warnings").replaceChildren(...(prompt?.warnings ?? []).map(line));
  $("prompt-warnings").hidden = !prompt?.warnings.length;
  check();
  changed();
}

async function keep(/** @type {File | undefined} */ file) {
  if (!file) return;
  const why = refusal(file, MOST);
  if (why) return say(why);
  await attempt(async () => {
    const kept = await api.upload(`/api/prompts?name=${encodeURIComponent(file.name)}`, file);
    prompt = { ...kept, name: file.name };
    if (!kept.pitched) $("prompt-use").value = "accompany";
    $("prompt-bars").value = Math.max(1, Math.min(4, kept.bars));
    $("prompt-stay").value = `1-${Math.max(1, Math.floor(kept.bars / 2))}`;
    if (Number($("bars").value) <= Number($("prompt-bars").value)) $("bars").value = 16;
    show();
  });
}

/** Calls `then` whenever something is given, or to be used otherwise. */
export function openPrompt(/** @type {() => void} */ then) {
  changed = then;
  $("prompt-file").onchange = () => keep($("prompt-file").files[0]);
  onDrop($("prompt-drop"), (files) => keep(files[0]));
  $("prompt-clear").onclick = () => {
    prompt = null;
    $("prompt-file").value = "";
    show();
  };
  $("prompt-use").onchange = show;
  $("prompt-stay").oninput = check;
}
