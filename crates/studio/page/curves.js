// The curves of a training: loss over epochs, training and validation, and what is to be beaten.

const SVG = "http://www.w3.org/2000/svg";
const [HEIGHT, LEFT, RIGHT, TOP, BOTTOM] = [288, 52, 122, 28, 34];

function node(/** @type {string} */ name, /** @type {Record<string, string | number>} */ attributes, text = "") {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  made.textContent = text;
  return made;
}

/** @param {any} view a training with its figures @param {number} place the width for it, in pixels */
export function curves(view, place) {
  const WIDTH = Math.max(320, place || 720);
  const lines = view.metrics;
  const train = lines.map((/** @type {any} */ line) => [line.epoch, line.train.nats_per_token]);
  const valid = lines.map((/** @type {any} */ line) => [line.epoch, line.valid.nats_per_token]);
  const known = (/** @type {number[][]} */ points) => points.filter(([, loss]) => Number.isFinite(loss) && loss !== null);
  const best = lines.findLast((/** @type {any} */ line) => line.best);
  // The weakest of the baselines would press the curves into a corner.
  const beat = view.baselines.reduce((/** @type {any} */ a, /** @type {any} */ b) => (a && a[1] < b[1] ? a : b), null);
  const all = [...known(train), ...known(valid)].map(([, loss]) => loss).concat(beat ? [beat[1]] : []);
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const [first, last] = [lines[0].epoch, lines[lines.length - 1].epoch];
  const x = (/** @type {number} */ epoch) => LEFT + ((WIDTH - LEFT - RIGHT) * (epoch - first)) / Math.max(1, last - first);
  const y = (/** @type {number} */ loss) => TOP + ((HEIGHT - TOP - BOTTOM) * (high - loss)) / Math.max(1e-6, high - low);
  const spoken = `Loss after epoch ${last}: training ${lines[lines.length - 1].train.nats_per_token?.toFixed(3)}, validation ${lines[lines.length - 1].valid.nats_per_token?.toFixed(3)}`;
  const picture = node("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "curves", role: "img", "aria-label": spoken });
  const label = (/** @type {number} */ at, /** @type {number} */ up, /** @type {string} */ text, anchor = "start", colour = "var(--quiet)") =>
    picture.append(node("text", { x: at, y: up, "text-anchor": anchor, fill: colour, "font-size": 12 }, text));
  label(LEFT, 18, view.loss ?? "loss");
  for (const part of [0, 0.5, 1]) {
    const loss = low + part * (high - low);
    picture.append(node("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: y(loss), y2: y(loss), stroke: "var(--line)" }));
    label(LEFT - 8, y(loss) + 4, loss.toFixed(2), "end");
  }
  for (const epoch of new Set([first, Math.round((first + last) / 2), last])) label(x(epoch), HEIGHT - 12, String(epoch), "middle");
  label(WIDTH - RIGHT + 20, HEIGHT - 12, "epochs");
  if (beat) {
    picture.append(node("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: y(beat[1]), y2: y(beat[1]), stroke: "var(--quiet)", "stroke-dasharray": "3 5" }));
  }
  const curve = (/** @type {number[][]} */ points, /** @type {string} */ colour, /** @type {string} */ dash) => {
    const path = known(points).map(([epoch, loss], k) => `${k ? "L" : "M"}${x(epoch).toFixed(1)} ${y(loss).toFixed(1)}`);
    picture.append(node("path", { d: path.join(""), fill: "none", stroke: colour, "stroke-width": 2.2, "stroke-linejoin": "round", "stroke-dasharray": dash }));
  };
  curve(train, "var(--quiet)", "");
  curve(valid, "var(--accent)", "");
  if (best) picture.append(node("circle", { cx: x(best.epoch), cy: y(best.valid.nats_per_token), r: 4.5, fill: "var(--accent)" }));
  // Names beside the ends of their curves, moved apart where they would meet.
  const ends = /** @type {{ up: number, text: string, colour: string }[]} */ ([]);
  const [endOfTrain, endOfValid] = [known(train).at(-1), known(valid).at(-1)];
  if (endOfValid) ends.push({ up: y(endOfValid[1]), text: `validation ${endOfValid[1].toFixed(3)}`, colour: "var(--accent)" });
  if (endOfTrain) ends.push({ up: y(endOfTrain[1]), text: `training ${endOfTrain[1].toFixed(3)}`, colour: "var(--quiet)" });
  if (beat) ends.push({ up: y(beat[1]), text: `to beat ${beat[1].toFixed(3)}`, colour: "var(--quiet)" });
  ends.sort((a, b) => a.up - b.up);
  ends.forEach((end, k) => {
    if (k > 0) end.up = Math.max(end.up, ends[k - 1].up + 15);
    label(WIDTH - RIGHT + 8, end.up + 4, end.text, "start", end.colour);
  });
  return picture;
}
