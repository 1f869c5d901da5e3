// The engraver, verovio, beside the page: while it works, the playhead goes on moving.

import createModule from "./verovio/verovio-module.mjs";
import { VerovioToolkit } from "./verovio/verovio.mjs";

/** @type {any} */
let toolkit;

/** What is played again has a name of its own, made of that of what stands on paper. */
const onPaper = (/** @type {string} */ id) => id.replace(/-rend\d+$/, "");

/** Notes with the seconds between which they sound, and bars with those at which they begin: each time through a repeat. */
function marks() {
  const [notes, bars] = [[], []].map((list) => /** @type {any[]} */ (list));
  const sounding = new Map();
  for (const { tstamp, on = [], off = [], measureOn } of toolkit.renderToTimemap({ includeMeasures: true })) {
    for (const id of off) {
      const note = sounding.get(id);
      if (note) note.to = tstamp / 1000;
    }
    for (const id of on) {
      const note = { id: onPaper(id), from: tstamp / 1000, to: Infinity };
      sounding.set(id, note);
      notes.push(note);
    }
    if (measureOn) bars.push({ id: onPaper(measureOn), from: tstamp / 1000 });
  }
  return { notes, bars };
}

addEventListener("message", async ({ data: { number, music, width, scale } }) => {
  try {
    toolkit ??= new VerovioToolkit(await createModule());
    toolkit.setOptions({
      pageWidth: Math.round((100 * width) / scale), pageHeight: 60000, adjustPageHeight: true, scale, breaks: "auto",
      pageMarginTop: 20, header: "none", footer: "none", xmlIdSeed: 1, svgViewBox: true, svgRemoveXlink: true, smuflTextFont: "none",
    });
    if (!toolkit.loadData(music)) throw new Error("the engraver cannot read this score");
    // What its styles say stands in our own: the page forbids those of others.
    const drawing = toolkit.renderToSVG(1).replace(/<style[^]*?<\/style>/g, "");
    postMessage({ number, drawing, ...marks() });
  } catch (error) {
    postMessage({ number, error: String(error) });
  }
});
