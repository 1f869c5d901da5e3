// The page: three views, one player, one stream of events.

import * as api from "./api.js";
import { $, attempt } from "./dom.js";
import * as player from "./player.js";
import { openBlend } from "./blend.js";
import { openCompose } from "./compose.js";
import { openTrain } from "./train.js";
import { openLibrary } from "./library.js";
import { openStand } from "./stand.js";
import { openVary } from "./vary.js";

const views = ["compose", "train", "library"];

function show() {
  const asked = location.hash.slice(1);
  const view = views.includes(asked) ? asked : "compose";
  for (const name of views) $(name).hidden = name !== view;
  for (const link of document.querySelectorAll("nav a")) {
    if (link.getAttribute("href") === `#${view}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = view === "compose" ? "Cantus" : `Cantus: ${view}`;
  dispatchEvent(new CustomEvent("view", { detail: view }));
}

// Space plays and pauses, unless it means something where the focus is.
addEventListener("keydown", (event) => {
  const focus = /** @type {HTMLElement} */ (event.target);
  const typing = focus.closest("input:not([type=range]), select, textarea, button, a, summary");
  if (event.code === "Space" && !typing && player.current()) {
    event.preventDefault();
    attempt(async () => player.toggle());
  }
});

openStand();
openBlend();
openVary();
openCompose();
openTrain();
openLibrary();
addEventListener("hashchange", show);
show();
api.listen();
