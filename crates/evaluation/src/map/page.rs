//! The map as a page that stands alone: cells to look at, pieces to hear.

use super::Map;
use crate::picture::escaped;
use cantus_score::Score;
use serde_json::{Value, json};

/// So much of a piece is heard, in seconds, and so many notes of it at most.
const HEARD: (f64, usize) = (12.0, 120);

/// What the page knows of a piece.
#[derive(Clone, Debug)]
pub struct Track<'a> {
    /// Its name.
    pub name: String,
    /// The folder that it belongs to; `None` for those that are laid beside.
    pub folder: Option<&'a str>,
}

/// The page. `scores` are the pieces as they sound.
pub fn page(map: &Map, tracks: &[Track<'_>], scores: &[Score], title: &str) -> String {
    let mut folders: Vec<&str> = tracks.iter().filter_map(|track| track.folder).collect();
    folders.sort_unstable();
    folders.dedup();
    let piece = |((track, score), cell): ((&Track<'_>, &Score), &(usize, usize))| {
        let folder = track.folder.and_then(|folder| folders.binary_search(&folder).ok());
        json!({"name": track.name, "folder": folder, "cell": cell, "notes": beginning(score)})
    };
    let pieces: Vec<Value> = tracks.iter().zip(scores).zip(&map.cells).map(piece).collect();
    let data = json!({"width": map.width, "height": map.height, "folders": folders, "pieces": pieces});
    // In a script nothing may look like its end.
    let data = data.to_string().replace('<', "\\u003c");
    let percent = |share: f64| format!("{:.0}%", 100.0 * share);
    let said = format!(
        "{} pieces of {} folders. Pieces that are alike lie near one another. Most of a piece's five nearest neighbours are of its own folder \
         for {} of the pieces (in all dimensions {}, on two principal components {}; a piece drawn at random {}). {} of the pieces have \
         a second place that lies elsewhere.",
        map.cells.len(),
        folders.len(),
        percent(map.neighbours.of_map),
        percent(map.neighbours.of_all),
        percent(map.neighbours.of_plane),
        percent(map.neighbours.by_chance),
        percent(map.torn),
    );
    let title = escaped(title);
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{title}</title><style>{STYLE}</style></head><body>\n<h1>{title}</h1>\n<p>{}</p>\n\
         <div id=\"grid\"></div><div id=\"list\" aria-live=\"polite\"><p>Choose a cell: its pieces are listed here, and can be heard.</p></div>\n\
         <ul id=\"legend\"></ul>\n<script type=\"application/json\" id=\"data\">{data}</script>\n<script>{SCRIPT}</script></body></html>\n",
        escaped(&said)
    )
}

/// The beginning of a piece: when (hundredths of a second), how long, which pitch; drums have none, and are heard as a tick.
fn beginning(score: &Score) -> Vec<[u64; 3]> {
    let tempo = score.tempo_map();
    let hundredths = |seconds: f64| (100.0 * seconds).round().max(0.0) as u64;
    let mut notes: Vec<[u64; 3]> = Vec::new();
    for part in &score.parts {
        for note in &part.notes {
            let (begin, end) = (tempo.seconds(note.onset), tempo.seconds(note.end()));
            if begin > HEARD.0 {
                break;
            }
            let pitch = if part.drums { 0 } else { note.pitch.get().into() };
            notes.push([hundredths(begin), hundredths(end - begin), pitch]);
        }
    }
    notes.sort_unstable();
    notes.truncate(HEARD.1);
    notes
}

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;color:#28292f;background:#fff;max-width:1060px;margin:2em auto;padding:0 1em}\
h1{font-size:1.6em}#grid{display:grid;gap:2px}#grid button{border:0;border-radius:3px;aspect-ratio:1;font:inherit;font-size:.7em;\
min-width:0;padding:0;color:#1b1c20;background:#f1f2f5;cursor:pointer}#grid button.mine{outline:3px solid #28292f;outline-offset:-3px}\
#grid button:focus-visible,#grid button[aria-pressed=true]{outline:3px solid #2663aa}#list{min-height:9em;margin:1em 0}\
#list button{font:inherit;margin:.1em .4em .1em 0;cursor:pointer}#legend{list-style:none;padding:0;columns:3}\
#legend span{display:inline-block;width:1em;height:1em;border-radius:3px;margin-right:.5em;vertical-align:-.1em}";

const SCRIPT: &str = r#"
const data = JSON.parse(document.getElementById("data").textContent);
const hue = k => `hsl(${(k * 137.5) % 360} ${55 + 25 * (k % 2)}% ${72 + 9 * (k % 3)}%)`;
const grid = document.getElementById("grid"), list = document.getElementById("list"), legend = document.getElementById("legend");
grid.style.gridTemplateColumns = `repeat(${data.width}, 1fr)`;
let sound = null;
function hear(piece) {
  if (sound) sound.close();
  sound = new AudioContext();
  const loud = sound.createGain();
  loud.gain.value = 0.12;
  loud.connect(sound.destination);
  for (const [at, lasts, pitch] of piece.notes) {
    const from = sound.currentTime + 0.1 + at / 100, to = from + Math.max(0.05, Math.min(lasts / 100, 4));
    const voice = sound.createOscillator(), gain = sound.createGain();
    voice.type = pitch ? "triangle" : "square";
    voice.frequency.value = pitch ? 440 * 2 ** ((pitch - 69) / 12) : 180;
    gain.gain.setValueAtTime(0, from);
    gain.gain.linearRampToValueAtTime(pitch ? 1 : 0.3, from + 0.01);
    gain.gain.exponentialRampToValueAtTime(0.001, pitch ? to + 0.15 : from + 0.05);
    voice.connect(gain).connect(loud);
    voice.start(from);
    voice.stop(to + 0.2);
  }
}
function show(cell, pieces) {
  for (const other of grid.children) other.setAttribute("aria-pressed", other === cell);
  list.replaceChildren();
  for (const piece of pieces) {
    const button = document.createElement("button");
    button.textContent = "▶ " + piece.name;
    button.onclick = () => hear(piece);
    const line = document.createElement("div");
    line.append(button, piece.folder === null ? "yours" : data.folders[piece.folder]);
    list.append(line);
  }
}
for (let y = 0; y < data.height; y++) for (let x = 0; x < data.width; x++) {
  const pieces = data.pieces.filter(piece => piece.cell[0] === x && piece.cell[1] === y);
  const count = new Map();
  for (const {folder} of pieces) if (folder !== null) count.set(folder, (count.get(folder) || 0) + 1);
  const most = [...count].sort((a, b) => b[1] - a[1])[0];
  const cell = document.createElement("button");
  cell.textContent = pieces.length || "";
  const names = [...count].map(([folder, n]) => `${data.folders[folder]} ${n}`).join(", ");
  cell.title = names;
  cell.setAttribute("aria-label", `column ${x + 1}, row ${y + 1}: ${names || "empty"}`);
  if (most) cell.style.background = hue(most[0]);
  if (pieces.some(piece => piece.folder === null)) cell.classList.add("mine");
  cell.onclick = () => show(cell, pieces);
  grid.append(cell);
}
data.folders.forEach((folder, k) => {
  const item = document.createElement("li"), colour = document.createElement("span");
  colour.style.background = hue(k);
  item.append(colour, folder);
  legend.append(item);
});
"#;
