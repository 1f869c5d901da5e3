// Sound: one piece at a time, with Web Audio.

/** @type {AudioContext | undefined} */
let context;
/** @type {AudioBuffer | undefined} */
let buffer;
/** @type {AudioBufferSourceNode | undefined} */
let source;
/** What sounds: an address without its form, as in /api/pieces/1. */
let address = "";
let startedAt = 0;
let position = 0;
const watchers = new Set();

/** Calls `then` whenever it starts, stops or jumps. */
export const watch = (/** @type {() => void} */ then) => watchers.add(then);
const tell = () => watchers.forEach((then) => then());

export const isPlaying = () => source !== undefined;
export const now = () => (source && context ? Math.min(context.currentTime - startedAt, buffer?.duration ?? 0) : position);
export const current = () => address;

function silence() {
  if (!source) return;
  position = now();
  source.onended = null;
  source.stop();
  source = undefined;
}

/** Another piece is on: it is fetched when it is to sound, or at once where asked to. */
export async function load(/** @type {string} */ of, play = false) {
  silence();
  address = of;
  buffer = undefined;
  position = 0;
  tell();
  if (play) await start();
}

async function fetchSound() {
  const of = address;
  context ??= new AudioContext();
  const answer = await fetch(`${of}/wav`);
  if (!answer.ok) throw new Error((await answer.json().catch(() => ({}))).error ?? "there is no sound");
  const decoded = await context.decodeAudioData(await answer.arrayBuffer());
  // Another piece may have been asked for in the meantime.
  if (address === of) buffer = decoded;
}

export async function start(from = position) {
  const of = address;
  if (!buffer) await fetchSound();
  if (!buffer || !context || address !== of) return;
  await context.resume();
  silence();
  source = context.createBufferSource();
  source.buffer = buffer;
  source.connect(context.destination);
  source.onended = () => {
    source = undefined;
    position = 0;
    tell();
  };
  const at = from >= buffer.duration - 0.05 ? 0 : Math.max(0, from);
  startedAt = context.currentTime - at;
  source.start(0, at);
  tell();
}

/** What is to be heard, decoded; for whoever wants to look at it. */
export const sound = () => buffer;

export function pause() {
  silence();
  tell();
}

export const toggle = () => (isPlaying() ? pause() : start());

export function jump(/** @type {number} */ to) {
  if (isPlaying()) start(to);
  else {
    position = to;
    tell();
  }
}
