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

/** Tells the person something. */
export function say(/** @type {string} */ text) {
  $("message").textContent = text;
  clearTimeout(clearing);
  clearing = window.setTimeout(() => ($("message").textContent = ""), 12000);
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
