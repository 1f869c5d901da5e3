// Sound: one piece at a time, with Web Audio.

import { query } from "./api.js";

/** @type {AudioContext | undefined} */
let context;
/** @type {GainNode | undefined} */
let gain;
/** @type {AudioBuffer | undefined} */
let buffer;
/** Of which sound the buffer is: its address, with the parts that are heard. */
let buffered = "";
/** @type {AudioBufferSourceNode | undefined} */
let source;
/** What sounds: an address without its form, as in /api/pieces/1. */
let address = "";
let startedAt = 0;
let position = 0;
/** From where it is to sound as soon as its sound is there; nothing where it is not to. @type {number | null} */
let due = null;
let volume = 1;
/** The parts that are heard, by their numbers; all where it is null. @type {number[] | null} */
let heard = null;
/** How it is heard: which sound plays it, how far a player goes from what is written; what is usual where nothing is said. @type {Record<string, string>} */
let asked = {};
/** What comes again and again, in seconds. @type {{ from: number, to: number } | null} */
let loop = null;
const watchers = new Set();

/** Calls `then` whenever it starts, stops or jumps. */
export const watch = (/** @type {() => void} */ then) => watchers.add(then);
const tell = () => watchers.forEach((then) => then());

export const isPlaying = () => source !== undefined;
/** Whether it sounds, or will as soon as it can. */
export const isOn = () => isPlaying() || due !== null;
export const current = () => address;

export function now() {
  if (!source || !context) return position;
  const passed = context.currentTime - startedAt;
  if (!loop || passed < loop.to) return Math.min(passed, buffer?.duration ?? 0);
  return loop.from + ((passed - loop.from) % (loop.to - loop.from));
}

function silence() {
  if (!source) return;
  position = now();
  source.onended = null;
  source.stop();
  source = undefined;
}

/** Another piece is on, heard as it is asked for: it is fetched when it is to sound, or at once where asked to. */
export async function load(/** @type {string} */ of, play = false, how = /** @type {Record<string, string>} */ ({})) {
  silence();
  address = of;
  [buffer, heard, loop, asked] = [undefined, null, null, how];
  [position, due] = [0, null];
  setVolume(volume);
  tell();
  if (play) await start();
}

function wanted() {
  /** @type {Record<string, string>} */
  const parts = heard === null || heard.length === 0 ? {} : { parts: heard.join() };
  return `${address}/wav${query({ ...parts, ...asked })}`;
}

async function fetchSound() {
  const of = wanted();
  if (!context) {
    context = new AudioContext();
    gain = context.createGain();
    gain.connect(context.destination);
    setVolume(volume);
  }
  const answer = await fetch(of);
  if (!answer.ok) throw new Error((await answer.json().catch(() => ({}))).error ?? "there is no sound");
  const decoded = await context.decodeAudioData(await answer.arrayBuffer());
  // Another piece, or other parts, may have been asked for in the meantime.
  if (wanted() === of) [buffer, buffered] = [decoded, of];
}

export async function start(from = position) {
  const of = address;
  due = from;
  tell();
  try {
    // What is asked for may change while it is fetched.
    while (!buffer || buffered !== wanted()) {
      await fetchSound();
      if (due === null || address !== of) return;
    }
    await context?.resume();
  } catch (error) {
    if (address === of) due = null;
    tell();
    throw error;
  }
  if (!buffer || !context || !gain || due === null || address !== of) return;
  from = due;
  due = null;
  silence();
  source = context.createBufferSource();
  source.buffer = buffer;
  source.connect(gain);
  source.onended = () => {
    source = undefined;
    position = 0;
    tell();
  };
  let at = from >= buffer.duration - 0.05 ? 0 : Math.max(0, from);
  if (loop) {
    Object.assign(source, { loop: true, loopStart: loop.from, loopEnd: Math.min(loop.to, buffer.duration) });
    if (at < loop.from || at >= loop.to) at = loop.from;
  }
  startedAt = context.currentTime - at;
  source.start(0, at);
  tell();
}

/** What is to be heard, decoded; for whoever wants to look at it. */
export const sound = () => buffer;

export function pause() {
  due = null;
  silence();
  tell();
}

export const toggle = () => (isOn() ? pause() : start());

export function jump(/** @type {number} */ to) {
  if (isPlaying()) start(to);
  else {
    position = to;
    if (due !== null) due = to;
    tell();
  }
}

/** How loud it is, 0-1. */
export function setVolume(/** @type {number} */ to) {
  volume = to;
  // Ears hear loudness by its logarithm, more or less.
  if (gain) gain.gain.value = heard?.length === 0 ? 0 : volume * volume;
}

/** How loud what sounds is made, 0-1. */
export const loudness = () => gain?.gain.value ?? 0;

/** Only these parts are heard, by their numbers; all where it is null. What sounds goes on, with the others gone, as soon as it can. */
export async function hear(/** @type {number[] | null} */ parts) {
  heard = parts;
  setVolume(volume);
  await anew();
}

/** What sounds is heard in another way, from where `place` leads from the moment that was reached. */
export async function playAs(/** @type {Record<string, string>} */ how, place = (/** @type {number} */ at) => at) {
  asked = how;
  if (!isPlaying()) {
    position = place(position);
    if (due !== null) due = place(due);
    tell();
  }
  await anew(place);
}

/** What was heard until now is replaced, where it is not what is wanted any more. */
async function anew(place = (/** @type {number} */ at) => at) {
  if (!buffer || heard?.length === 0 || buffered === wanted()) return;
  const of = wanted();
  await fetchSound();
  if (wanted() === of && isPlaying()) await start(place(now()));
}

/** What comes again and again, in seconds; nothing where it is null. */
export async function setLoop(/** @type {{ from: number, to: number } | null} */ between) {
  if (loop === null && between === null) return;
  const at = now();
  loop = between;
  if (isPlaying()) await start(at);
}
