// Small things about the document.

/** @returns {any} */
export const $ = (/** @type {string} */ id) => document.getElementById(id);

/** An element with properties and children; text is never markup. @returns {any} */
export function element(/** @type {string} */ name, /** @type {Record<string, any>} */ properties = {}, /** @type {(Node | string)[]} */ ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key.startsWith("aria-")) made.setAttribute(key, String(value));
    else /** @type {any} */ (made)[key] = value;
  }
  made.append(...children);
  return made;
}

let clearing = 0;

/** Tells the person something; with it, perhaps, what can be done about it. */
export function say(/** @type {string} */ text, /** @type {{ label: string, act: () => Promise<any> } | null} */ action = null) {
  const over = () => $("message").replaceChildren();
  const button = action && element("button", { type: "button", className: "link", textContent: action.label });
  if (button) {
    button.onclick = () => {
      over();
      attempt(action.act);
    };
  }
  $("message").replaceChildren(text, ...(button ? [" ", button] : []));
  clearTimeout(clearing);
  clearing = window.setTimeout(over, 12000);
}

/** A line of text becomes a field, until it is called something else, or not. */
export function rename(/** @type {HTMLElement} */ line, /** @type {string} */ name, /** @type {(name: string) => Promise<any>} */ keep) {
  const field = element("input", { value: name, maxLength: 80, className: "rename", "aria-label": "Name" });
  let over = false;
  const end = (/** @type {boolean} */ kept) => {
    if (over) return;
    over = true;
    const given = field.value.trim();
    field.remove();
    line.hidden = false;
    if (kept && given !== "" && given !== name) attempt(() => keep(given));
  };
  field.onkeydown = (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Enter") end(true);
    if (event.key === "Escape") end(false);
  };
  field.onblur = () => end(true);
  line.hidden = true;
  line.after(field);
  field.select();
}

/** What can be read. */
export const READ = /\.(midi?|kar|rmi|musicxml|xml|mxl|abc)$/i;
const SOUND = /\.(wav|mp3|flac|ogg|m4a|aac|aiff?|opus)$/i;

/** Why a file is not taken, before anything of it is sent; nothing where it is. `most` is in bytes. */
export function refusal(/** @type {File} */ file, /** @type {number} */ most) {
  if (SOUND.test(file.name)) return `${file.name} is sound. What is needed are notes: a MIDI, MusicXML or ABC file.`;
  if (!READ.test(file.name)) return `${file.name} is no MIDI, MusicXML or ABC file.`;
  if (file.size > most) return `${file.name} is larger than ${most >> 20} MiB, the most that is taken.`;
  return "";
}

/** Runs something that may fail, and says so. */
export async function attempt(/** @type {() => Promise<any>} */ work) {
  try {
    return await work();
  } catch (error) {
    say(error instanceof Error ? error.message : String(error));
    return undefined;
  }
}

/** Calls `then` with the files dropped on an element, folders opened. */
export function onDrop(/** @type {HTMLElement} */ place, /** @type {(files: File[]) => void} */ then) {
  place.addEventListener("dragover", (event) => {
    event.preventDefault();
    place.classList.add("over");
  });
  place.addEventListener("dragleave", () => place.classList.remove("over"));
  place.addEventListener("drop", async (event) => {
    event.preventDefault();
    place.classList.remove("over");
    const entries = [...(event.dataTransfer?.items ?? [])].map((item) => item.webkitGetAsEntry());
    const files = await Promise.all(entries.map((entry) => (entry ? within(entry) : [])));
    then(files.flat());
  });
}

/** @returns {Promise<File[]>} */
async function within(/** @type {any} */ entry) {
  if (entry.isFile) return [await new Promise((done, failed) => entry.file(done, failed))];
  const reader = entry.createReader();
  const files = [];
  for (;;) {
    const some = await new Promise((done, failed) => reader.readEntries(done, failed));
    if (some.length === 0) return files;
    for (const inner of some) files.push(...(await within(inner)));
  }
}

export const clock = (/** @type {number} */ seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
