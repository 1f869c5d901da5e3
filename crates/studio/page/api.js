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

/** What is asked for beside an address. */
export const query = (/** @type {Record<string, string>} */ asked) => {
  const text = new URLSearchParams(asked).toString();
  return text === "" ? "" : `?${text}`;
};

export const get = (/** @type {string} */ path) => ask(path);
export const post = (/** @type {string} */ path, /** @type {unknown} */ body = {}) => ask(path, { method: "POST", body: JSON.stringify(body) });
export const patch = (/** @type {string} */ path, /** @type {unknown} */ body) => ask(path, { method: "PATCH", body: JSON.stringify(body) });
export const remove = (/** @type {string} */ path) => ask(path, { method: "DELETE" });
export const upload = (/** @type {string} */ path, /** @type {Blob} */ file) => ask(path, { method: "POST", body: file });

/** @type {Map<string, Set<(what: any) => void>>} */
const listeners = new Map();
/** @type {EventSource | undefined} */
let stream;

/** Calls `then` at every event of this kind. `hello` comes with every connection: time to look at everything anew, and the next event waits for it. */
export function on(/** @type {string} */ kind, /** @type {(what: any) => any} */ then) {
  if (!listeners.has(kind)) listeners.set(kind, new Set());
  listeners.get(kind)?.add(then);
}

/** @type {Promise<any>} */
let before = Promise.resolve();

/**
 * Does one thing after the other. What the server answers and what it tells come on two ways: an answer that is asked for here is taken
 * in before any event that happened since, which would otherwise be lost under it.
 * @template T @param {() => Promise<T>} work @returns {Promise<T>}
 */
export function inOrder(work) {
  const done = before.then(work);
  before = done.catch(() => undefined);
  return done;
}

/**
 * Opens the stream of events, as long as the page is seen. A browser keeps only six connections to a server: pages that nobody looks at
 * must not hold them all.
 */
export function listen() {
  const turn = () => {
    if (document.hidden) {
      stream?.close();
      stream = undefined;
    } else if (!stream) connect();
  };
  document.addEventListener("visibilitychange", turn);
  addEventListener("pageshow", turn);
  addEventListener("pagehide", () => {
    stream?.close();
    stream = undefined;
  });
  turn();
}

function connect() {
  stream = new EventSource("/api/events");
  for (const [kind, all] of listeners) {
    stream.addEventListener(kind, (event) => {
      const what = JSON.parse(/** @type {MessageEvent} */ (event).data);
      inOrder(async () => {
        const took = [...all].map((then) => then(what));
        if (kind === "hello") await Promise.all(took);
      });
    });
  }
}
