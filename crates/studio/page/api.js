// The server, as functions. Everything that changes something carries the header that the server asks for.

/** @param {string} path @param {RequestInit} [init] */
async function ask(path, init = {}) {
  const answer = await fetch(path, { ...init, headers: { "X-Cantus": "1" } });
  if (!answer.ok) {
    const said = await answer.json().catch(() => ({}));
    throw new Error(said.error ?? `the studio answered ${answer.status}`);
  }
  return answer.status === 204 ? null : answer.json();
}

export const get = (/** @type {string} */ path) => ask(path);
export const post = (/** @type {string} */ path, /** @type {unknown} */ body = {}) => ask(path, { method: "POST", body: JSON.stringify(body) });
export const patch = (/** @type {string} */ path, /** @type {unknown} */ body) => ask(path, { method: "PATCH", body: JSON.stringify(body) });
export const remove = (/** @type {string} */ path) => ask(path, { method: "DELETE" });
export const upload = (/** @type {string} */ path, /** @type {Blob} */ file) => ask(path, { method: "POST", body: file });

/** @type {Map<string, Set<(what: any) => void>>} */
const listeners = new Map();
let stream;

/** Calls `then` at every event of this kind. `hello` comes with every connection: time to look at everything anew. */
export function on(/** @type {string} */ kind, /** @type {(what: any) => void} */ then) {
  if (!listeners.has(kind)) listeners.set(kind, new Set());
  listeners.get(kind)?.add(then);
}

export function listen() {
  stream = new EventSource("/api/events");
  for (const [kind, all] of listeners) {
    stream.addEventListener(kind, (event) => {
      const what = JSON.parse(/** @type {MessageEvent} */ (event).data);
      for (const then of all) then(what);
    });
  }
}
