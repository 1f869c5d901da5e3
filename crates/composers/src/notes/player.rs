//! Composing and judging: a note at a time, the state carried.

use super::layout::{Layout, choice};
use super::network::NoteSettings;
use super::past::Past;
use super::view::View;
use super::{PROTOCOL, SAMPLING, SPEC};
use cantus_encoding::note_events::{
    Clock, Event, Instrument, Vocabulary, decode, encode, join, number_of, split, spread_of,
};
use cantus_model::frames::BarSteps;
use cantus_model::{
    ComposeError, Composer, ComposerSpec, Composition, Evaluation, Habits, Intent, Judge, Judgement, Kind, ModelError,
    ModelFile, Moment, Progress, Prompt, Request, Rng, Sampling, TrainingSet, checkpoint,
};
use cantus_nn::cascade::{CascadeScorer, Deciding, NONE};
use cantus_nn::inference::{LstmCell, Scratch};
use cantus_nn::random::below;
use cantus_score::{Bar, Bars, Meter, STEPS_PER_SECOND, Score, Tempo, Ticks, TicksPerQuarter, performed, quantize};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Bars without an onset that may follow one another.
const EMPTY_BARS: usize = 1;

/// What pieces of the corpus have, and the network does not choose.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Usual {
    meter: String,
    tempo: Option<u32>,
    /// For each instrument its lowest and its highest key, and how many keys it strikes at once at most.
    ranges: Vec<(u8, u8, u8)>,
    /// Which instruments play together, piece by piece.
    ensembles: Vec<Vec<u8>>,
}

/// Ensembles that a model remembers at most.
const MOST_ENSEMBLES: usize = 1000;

impl Usual {
    pub fn of(set: &TrainingSet, vocabulary: &Vocabulary) -> Usual {
        let mut ranges = vec![(127, 0, 0); vocabulary.instruments().len()];
        let mut ensembles = Vec::new();
        for piece in set.all() {
            let (events, _) = encode(piece, vocabulary);
            let playing: BTreeSet<u8> = events.notes.iter().map(|note| note.instrument).collect();
            if !playing.is_empty() && ensembles.len() < MOST_ENSEMBLES {
                ensembles.push(playing.into_iter().collect());
            }
            for chord in events.notes.chunk_by(|a, b| (a.onset, a.instrument) == (b.onset, b.instrument)) {
                let (low, high, most) = &mut ranges[usize::from(chord[0].instrument)];
                *most = (*most).max(chord.len().min(127) as u8);
                for note in chord {
                    (*low, *high) = (note.pitch.min(*low), note.pitch.max(*high));
                }
            }
        }
        let (meter, tempo) = (set.usual_meter().to_string(), set.usual_tempo().map(Tempo::micros_per_quarter));
        Usual { meter, tempo, ranges, ensembles }
    }

    fn check(&self, vocabulary: &Vocabulary) -> Result<(), String> {
        let possible = |(low, high, most): &(u8, u8, u8)| low <= high && *high < 128 && *most > 0;
        if self.ranges.len() != vocabulary.instruments().len() || !self.ranges.iter().all(possible) {
            return Err(format!("the instruments' ranges are damaged: {:?}", self.ranges));
        }
        let plays = |number: &u8| usize::from(*number) < self.ranges.len();
        if self.ensembles.is_empty() || !self.ensembles.iter().all(|all| !all.is_empty() && all.iter().all(plays)) {
            return Err("the ensembles are damaged".to_owned());
        }
        self.meter.parse::<Meter>().map(|_| ()).map_err(|e| e.to_string())
    }
}

/// A trained network, ready to compose.
#[derive(Debug)]
pub(super) struct NoteComposer {
    settings: NoteSettings,
    vocabulary: Vocabulary,
    usual: Usual,
    meter: Meter,
    layout: Layout,
    cells: Vec<LstmCell>,
    head: CascadeScorer,
    habits: Option<Habits>,
    parameters: usize,
}

/// A composer out of a model file.
pub(super) fn load(file: &ModelFile) -> Result<Box<dyn Composer>, ModelError> {
    Ok(Box::new(NoteComposer::load(file)?))
}

impl NoteComposer {
    pub fn load(file: &ModelFile) -> Result<NoteComposer, ModelError> {
        let metadata = |problem: String| ModelError::Metadata { problem };
        let encoding = &file.header.encoding;
        let settings: NoteSettings =
            serde_json::from_value(file.header.settings.clone()).map_err(|e| metadata(e.to_string()))?;
        settings.check().map_err(metadata)?;
        let vocabulary: Vocabulary =
            serde_json::from_value(encoding["note_events"].clone()).map_err(|e| metadata(e.to_string()))?;
        let usual: Usual = serde_json::from_value(encoding["usual"].clone()).map_err(|e| metadata(e.to_string()))?;
        usual.check(&vocabulary).map_err(metadata)?;
        let layout = Layout::new(&vocabulary);
        let hidden = settings.hidden;
        let cell = |layer: usize| {
            let input = if layer == 0 { layout.inputs() } else { hidden };
            let tensor = |name: &str, shape: &[usize]| file.tensor(&format!("lstms.{layer}.{name}"), shape);
            let (w_ih, w_hh) = (tensor("w_ih", &[4 * hidden, input])?, tensor("w_hh", &[4 * hidden, hidden])?);
            Ok::<_, ModelError>(LstmCell::new(input, hidden, w_ih, w_hh, tensor("bias", &[4 * hidden])?))
        };
        let lookup = |name: &str, shape: &[usize]| file.tensor(&format!("head.{name}"), shape);
        Ok(NoteComposer {
            cells: (0..settings.layers).map(cell).collect::<Result<_, _>>()?,
            head: CascadeScorer::new(settings.shape(&layout), lookup)?,
            meter: usual.meter.parse().unwrap_or(Meter::COMMON),
            habits: file.header.habits.clone(),
            parameters: checkpoint::parameters(file),
            settings,
            vocabulary,
            usual,
            layout,
        })
    }

    /// The lowest and the highest MIDI pitch that the corpus has.
    fn pitches(&self) -> (u8, u8) {
        let ranges = self.usual.ranges.iter().zip(0u8..).filter(|(_, instrument)| !self.is_drums(*instrument));
        ranges.fold((127, 0), |(low, high), ((l, h, _), _)| (low.min(*l), high.max(*h)))
    }

    fn is_drums(&self, instrument: u8) -> bool {
        self.vocabulary.is_drums(instrument)
    }

    /// Whether it writes for several instruments, or for drums.
    fn is_band(&self) -> bool {
        self.vocabulary.instruments().len() > 1 || self.is_drums(0)
    }

    /// The notes of the prompt, and where the bars of the whole piece begin.
    fn open(&self, request: &Request) -> Opening {
        let clock = self.vocabulary.clock();
        let grid = clock.ticks_per_quarter();
        let mut opening =
            Opening { notes: Vec::new(), starts: Vec::new(), heard: 0, grid, meter: self.meter, remarks: Vec::new() };
        if let Some(prompt) = request.prompt() {
            let (kept, from) = (prompt.score(), prompt.score().ticks_per_quarter);
            let (end, tempo) = (prompt.end_in(kept), kept.tempo_map());
            let seconds = |ticks: Ticks| (tempo.seconds(ticks) * f64::from(STEPS_PER_SECOND)).round() as u64;
            let steps =
                |ticks: Ticks| if clock == Clock::Seconds { seconds(ticks) } else { ticks.rescale(from, grid).0 };
            let read = match clock {
                Clock::Seconds => performed(kept),
                Clock::Beats(_) if self.is_band() => quantize(kept, grid, 0.5).0,
                Clock::Beats(_) => prompt.on_grid(grid),
            };
            let (events, adjustments) = encode(&read, &self.vocabulary);
            if clock == Clock::Seconds {
                // What follows keeps the prompt's last tempo: so long is its quarter.
                let last = kept.tempos.last().map_or(Tempo::DEFAULT, |(_, tempo)| *tempo);
                let quarter = 60.0 * f64::from(STEPS_PER_SECOND) / last.quarters_per_minute();
                opening.grid = TicksPerQuarter::new(quarter.round().clamp(1.0, 6000.0) as u32).unwrap_or(grid);
            }
            opening.heard = steps(end).min(u64::from(u32::MAX / 4)) as u32;
            // Silent bars at its end are its own, too.
            let bars = Bars::new(&kept.meters, from, end).take(prompt.bars() + usize::from(prompt.has_upbeat()));
            opening.starts = bars.map(|bar| (steps(bar.start), bar.meter)).collect();
            opening.meter = opening.starts.last().map_or(opening.meter, |(_, meter)| *meter);
            opening.notes = events.notes.into_iter().filter(|note| note.onset < opening.heard).collect();
            let range = |note: &Event| self.usual.ranges[usize::from(note.instrument)];
            let strange = opening.notes.iter().filter(|note| {
                let (low, high, _) = range(note);
                note.pitch < low || note.pitch > high
            });
            let strange = strange.count();
            let mut said = Vec::new();
            if !adjustments.is_empty() {
                said.push(format!("it heard {adjustments}"));
            }
            if strange > 0 {
                said.push(format!("it has never heard the pitches of {strange} notes"));
            }
            if !said.is_empty() {
                let said = said.join(", and ");
                opening.remarks.push(format!(
                    "the model does not know all that the prompt holds: {said}; the prompt itself is kept as it is"
                ));
            }
        }
        opening
    }

    /// Reads the note before note `j`, and what is around it.
    fn advance(&self, past: &Past, j: usize, memory: &mut Memory) {
        let Memory { input, layers, scratch } = memory;
        self.layout.read(past, j, 0, |number| self.is_drums(number), input);
        for (k, cell) in self.cells.iter().enumerate() {
            let (below, here) = layers.split_at_mut(k);
            let x = below.last().map_or(&*input, |(h, _)| h);
            let (h, c) = &mut here[0];
            cell.step(x, h, c, scratch);
        }
    }

    fn memory(&self) -> Memory {
        let zeros = |cell: &LstmCell| (vec![0.0; cell.hidden()], vec![0.0; cell.hidden()]);
        Memory {
            input: vec![0.0; self.layout.inputs()],
            layers: self.cells.iter().map(zeros).collect(),
            scratch: Scratch::new(),
        }
    }

    /// Draws the next note; `None` where the piece is over.
    fn draw(
        &self,
        view: &mut View<'_>,
        deciding: &mut Deciding<'_>,
        limits: &Limits,
        sampling: &Sampling,
        rng: &mut Rng,
    ) -> Result<Option<Event>, ComposeError> {
        let places = self.vocabulary.clock().places();
        let now = view.now();
        // Quarters: those that begin before the limit; where the piece may end, later ones end it.
        let last = split(now, limits.latest.max(now + 1) - 1, places).0;
        let mut allowed = view.sight.allowed[choice::QUARTERS];
        if !limits.may_end {
            allowed &= all(usize::from(number_of(last)) + 1);
        }
        // Where no further note may come at this moment, or none before a prompt's end.
        let earliest = split(now, limits.from.max(now), places).0;
        allowed &= !all(usize::from(number_of(earliest)));
        view.sight.allowed[choice::QUARTERS] = allowed;
        let class = pick(deciding, choice::QUARTERS, view, sampling, rng)?;
        let (first, width) = spread_of(class);
        let mut quarters = (first + if width > 1 { below(rng, width as usize) as u32 } else { 0 }).max(earliest);
        if join(now, quarters, 0, places) >= limits.latest {
            if limits.may_end {
                return Ok(None);
            }
            quarters = last;
        }
        view.quarters(class);
        let onset = if self.layout.is_made(choice::PLACE) {
            let begins = join(now, quarters, 0, places);
            let mut allowed = view.sight.allowed[choice::PLACE];
            let before = |end: u32| all(end.saturating_sub(begins).min(places) as usize);
            if !limits.may_end {
                allowed &= before(limits.latest);
            }
            allowed &= !before(limits.from);
            view.sight.allowed[choice::PLACE] = allowed;
            begins + u32::from(pick(deciding, choice::PLACE, view, sampling, rng)?)
        } else {
            now + quarters
        };
        if onset >= limits.latest && limits.may_end {
            return Ok(None);
        }
        view.onset(onset);
        let instrument = if self.layout.is_made(choice::INSTRUMENT) {
            pick(deciding, choice::INSTRUMENT, view, sampling, rng)?
        } else {
            0
        };
        view.instrument(instrument);
        let (low, high, _) = self.usual.ranges[usize::from(instrument)];
        let heard = all(usize::from(high) + 1) & !all(usize::from(low));
        let within = view.sight.allowed[choice::PITCH] & heard;
        if within != 0 {
            view.sight.allowed[choice::PITCH] = within;
        }
        let key = pick(deciding, choice::PITCH, view, sampling, rng)?;
        view.pitch(key);
        if !self.is_drums(instrument) {
            let class = pick(deciding, choice::LENGTH, view, sampling, rng)?;
            view.end_quarters(class);
            let (first, width) = spread_of(class);
            let quarters = first + if width > 1 { below(rng, width as usize) as u32 } else { 0 };
            let place = if self.layout.is_made(choice::END) {
                u32::from(pick(deciding, choice::END, view, sampling, rng)?)
            } else {
                0
            };
            let end = join(onset, quarters, place, places).clamp(onset + 1, limits.end.max(onset + 1));
            view.length(end - onset);
        }
        let level =
            if self.layout.is_made(choice::LEVEL) { pick(deciding, choice::LEVEL, view, sampling, rng)? } else { 0 };
        Ok(Some(view.level(level)))
    }
}

/// Draws a choice and goes on.
fn pick(
    deciding: &mut Deciding<'_>,
    v: usize,
    view: &View<'_>,
    sampling: &Sampling,
    rng: &mut Rng,
) -> Result<u8, ComposeError> {
    let logits: Vec<f32> = deciding.probabilities(v, &view.sight, None).iter().map(|p| p.ln()).collect();
    if logits.iter().any(|z| z.is_nan()) {
        return Err(ComposeError::NoToken);
    }
    let class = sampling.draw(&logits, rng).ok_or(ComposeError::NoToken)? as u8;
    deciding.choose(v, &view.sight, class);
    Ok(class)
}

/// The first `n` classes.
fn all(n: usize) -> u128 {
    if n >= 128 { u128::MAX } else { (1 << n) - 1 }
}

/// The beginning of a piece, read.
struct Opening {
    notes: Vec<Event>,
    /// Where the prompt's bars begin, its upbeat among them, and their metres.
    starts: Vec<(u64, Meter)>,
    /// Steps of the prompt.
    heard: u32,
    /// Steps to the quarter of what follows.
    grid: TicksPerQuarter,
    /// The metre of what follows.
    meter: Meter,
    remarks: Vec<String>,
}

/// What the network holds of a piece.
struct Memory {
    input: Vec<f32>,
    layers: Vec<(Vec<f32>, Vec<f32>)>,
    scratch: Scratch,
}

impl Memory {
    fn features(&self) -> &[f32] {
        self.layers.last().map_or(&self.input, |(h, _)| h)
    }
}

/// When the next note may begin.
struct Limits {
    /// Not before.
    from: u32,
    /// Before.
    latest: u32,
    /// Whether the piece may end instead.
    may_end: bool,
    /// The piece's end.
    end: u32,
}

impl Judge for NoteComposer {
    fn kind(&self) -> Kind {
        Kind::Exact
    }

    fn protocol(&self) -> String {
        PROTOCOL.to_owned()
    }

    fn judge(&self, piece: &Score) -> Judgement {
        let (events, adjustments) = encode(piece, &self.vocabulary);
        let past = Past::of(&events.notes, events.bars, self.vocabulary.clock(), |k| self.is_drums(k));
        let quarters = piece.end().quarters(piece.ticks_per_quarter);
        let mut figures = Evaluation { quarters, ..Evaluation::default() };
        let mut moments = Vec::with_capacity(events.notes.len());
        let (mut memory, mut deciding) = (self.memory(), self.head.deciding());
        let mut view = View::new(&self.vocabulary, &self.layout, &past, 0);
        for j in 0..events.notes.len() {
            self.advance(&past, j, &mut memory);
            let (sight, open) = view.of_note(j);
            let before = figures.nats;
            figures.nats += open;
            deciding.open(memory.features(), sight.candidates.len());
            let mut hit = true;
            for v in (0..choice::COUNT).filter(|v| sight.targets[*v] != NONE) {
                let target = sight.targets[v];
                let probabilities = deciding.probabilities(v, &sight, None);
                let own = probabilities[usize::from(target)];
                hit &= probabilities.iter().all(|p| *p <= own);
                figures.nats -= f64::from(own.max(f32::MIN_POSITIVE)).ln();
                deciding.choose(v, &sight, target);
            }
            figures.tokens += 1.0;
            figures.correct += if hit { 1.0 } else { 0.0 };
            let at = Ticks(events.notes[j].onset.into());
            let at = at.rescale(self.vocabulary.clock().ticks_per_quarter(), piece.ticks_per_quarter);
            moments.push(Moment { at, nats: figures.nats - before });
        }
        Judgement { figures, moments, is_adjusted: !adjustments.is_empty() }
    }
}

impl Composer for NoteComposer {
    fn spec(&self) -> &'static ComposerSpec {
        &SPEC
    }

    fn default_sampling(&self) -> Sampling {
        SAMPLING
    }

    fn describe(&self) -> Vec<(String, String)> {
        let NoteSettings { hidden, layers, channels, copying, .. } = self.settings;
        let shared = if channels > 0 { format!(", {channels} channels shared over pitches") } else { String::new() };
        let copying = if copying { ", a memory of the piece" } else { "" };
        let instruments: Vec<String> = self
            .vocabulary
            .instruments()
            .iter()
            .map(|instrument| match instrument {
                Instrument::Program(number) => format!("program {}", number + 1),
                Instrument::Drums => "drums".to_owned(),
            })
            .collect();
        [
            ("network", format!("{layers} LSTM layers of {hidden}{shared}{copying}, {} parameters", self.parameters)),
            ("instruments", instruments.join(", ")),
            (
                "time",
                match self.vocabulary.clock() {
                    Clock::Beats(steps) => format!("{steps} steps a quarter"),
                    Clock::Seconds => "as played, in hundredths of a second".to_owned(),
                },
            ),
            ("loudness", format!("{} levels", self.vocabulary.velocities().len())),
            ("metre", self.usual.meter.clone()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }

    fn judge(&self) -> Option<&dyn Judge> {
        Some(self)
    }

    fn compose(&self, request: &Request, rng: &mut Rng, progress: Progress<'_>) -> Result<Composition, ComposeError> {
        let Opening { notes, starts, heard, grid, meter, remarks } = self.open(request);
        let intent = Intent::of(self.habits.as_ref(), request, rng)?;
        let meter = intent.meter().unwrap_or(meter);
        let kept = starts.len();
        let bars = request.bars() - request.prompt().map_or(0, Prompt::bars);
        let steps = BarSteps::new(grid, meter);
        let mut all_starts = starts;
        all_starts.extend((0..=bars).map(|bar| (u64::from(heard) + steps.first_step(bar) as u64, meter)));
        let bars_of_piece: Vec<Bar> = all_starts
            .windows(2)
            .map(|pair| Bar { start: Ticks(pair[0].0), length: Ticks(pair[1].0 - pair[0].0), meter: pair[0].1 })
            .collect();
        let end = u32::try_from(all_starts[all_starts.len() - 1].0).unwrap_or(u32::MAX / 2);
        let begins = |bar: usize| all_starts.get(bar).map_or(end, |start| start.0 as u32);
        let mut past = Past::of(&notes, bars_of_piece, self.vocabulary.clock(), |k| self.is_drums(k));
        let (mut memory, mut deciding) = (self.memory(), self.head.deciding());
        for j in 0..notes.len() {
            self.advance(&past, j, &mut memory);
        }
        // The prompt's instruments go on; a new piece has those of one of the corpus.
        let playing: Vec<u8> = if notes.is_empty() {
            self.usual.ensembles[below(rng, self.usual.ensembles.len())].clone()
        } else {
            notes.iter().map(|note| note.instrument).collect()
        };
        let playing = playing.into_iter().fold(0u128, |playing, instrument| playing | 1 << instrument);
        let (first, last_bar) = (kept, begins(kept + bars - 1));
        let mut written: Vec<Event> = Vec::new();
        let (mut reported, mut of_moment) = (first, 0u8);
        loop {
            let j = past.notes().len();
            self.advance(&past, j, &mut memory);
            let now = past.notes().last().map_or(0, |note| note.onset);
            let here = past.bar_at(now.max(heard));
            // A moment has no more notes than any of the corpus.
            let most: u32 = self.usual.ranges.iter().map(|(_, _, most)| u32::from(*most)).sum();
            let is_full = u32::from(of_moment) >= most;
            let from = if written.is_empty() { heard } else { now + u32::from(is_full) };
            let sounded = written.last().is_some_and(|note| note.onset >= last_bar);
            let latest =
                if written.is_empty() { begins(first + 1 + EMPTY_BARS) } else { begins(here + 2 + EMPTY_BARS) };
            let limits = Limits { from, latest: latest.min(end), may_end: sounded, end };
            let note = {
                let mut view = View::new(&self.vocabulary, &self.layout, &past, 0);
                view.playing = playing;
                view.open(j);
                deciding.open(memory.features(), view.sight.candidates.len());
                self.draw(&mut view, &mut deciding, &limits, &request.sampling, rng)?
            };
            let Some(note) = note else { break };
            of_moment = if written.last().is_some_and(|last| last.onset == note.onset) { of_moment + 1 } else { 1 };
            past.push(note, self.is_drums(note.instrument));
            written.push(note);
            let bar = past.bar_at(note.onset);
            while reported < bar {
                reported += 1;
                if progress((reported - first) as f64 / bars as f64).is_break() {
                    return Err(ComposeError::Stopped);
                }
            }
        }
        if progress(1.0).is_break() {
            return Err(ComposeError::Stopped);
        }
        written.iter_mut().for_each(|note| note.onset -= heard);
        let mut composed = decode(&written, &self.vocabulary);
        composed.ticks_per_quarter = grid;
        let mut composed = composed.rescaled(steps.fine);
        composed.meters.push((Ticks::ZERO, meter));
        let tempo = self.usual.tempo.and_then(Tempo::from_micros_per_quarter);
        composed.tempos.extend(tempo.map(|tempo| (Ticks::ZERO, tempo)));
        let mut composed = composed.before(Ticks(bars as u64 * steps.ticks));
        intent.finish(&mut composed, self.pitches());
        let score = match request.prompt() {
            Some(prompt) => prompt.join(&composed, Ticks::ZERO),
            None => composed,
        };
        Ok(Composition { score, remarks })
    }
}
