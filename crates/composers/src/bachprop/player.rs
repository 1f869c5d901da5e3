//! Composing: to the number of bars asked for, in the metre and tempo that the corpus has.

use super::model::{Model, Rows};
use super::pieces::{Clock, Place, forbid_pitch, forbid_time};
use super::settings::Settings;
use super::{DECISIONS, SAMPLING, SPEC};
use cantus_encoding::note_triple::{GRID, Triple, encode, score_of};
use cantus_model::{
    Chart, ComposeError, Composer, ComposerSpec, Composition, Intent, Judge, Judgement, Kind, ModelError, ModelFile,
    Progress, Prompt, Request, Rng, Sampling, accentuate, alone, together,
};
use cantus_score::{Meter, Note, Pitch, Score, Ticks, Velocity};

/// Bars without an onset that may follow one another.
const EMPTY_BARS: usize = 1;

/// What is judged, in words.
pub(super) fn protocol(settings: &Settings) -> String {
    let given = if settings.clock { "; the bars are given" } else { "" };
    format!(
        "time, length and pitch of every note, and the end, in its own key{given}; mean over notes, the end among them; right: all three"
    )
}

/// A trained network, ready to compose.
#[derive(Debug)]
pub(super) struct Player {
    model: Model,
}

/// The beginning of a piece, read.
struct Opening {
    clock: Clock,
    rows: Rows,
    /// The last note that was read, and when it begins.
    last: Option<Triple>,
    now: u32,
    /// Where what is composed begins, and the metre that it goes on in.
    from: u32,
    meter: Option<Meter>,
    remarks: Vec<String>,
}

/// A piece that is being written.
struct Draft<'a> {
    model: &'a Model,
    clock: Clock,
    meters: Vec<(Ticks, Meter)>,
    from: u32,
    /// Where the last bar begins and ends.
    last_bar: u32,
    end: u32,
    last: Option<Triple>,
    now: u32,
    notes: Vec<Note>,
    done: bool,
}

impl Draft<'_> {
    /// Whether something begins in the last bar.
    fn closes(&self) -> bool {
        self.now >= self.last_bar && !self.notes.is_empty()
    }

    /// Takes away the times that do not fit what is to be written: nothing before it begins, an onset in its last bar, no long silence.
    fn mask(&self, logits: &mut [f32]) {
        forbid_time(self.last, logits);
        let lowest = self.model.vocabulary.pitch_class(self.lowest());
        let furthest = self.clock.bar(self.now.max(self.from)) + EMPTY_BARS + 1;
        let waits = self.model.vocabulary.waits();
        for (class, logit) in logits.iter_mut().enumerate() {
            let may = match waits.get(class) {
                None => self.closes(),
                Some(0) if self.last.is_some_and(|last| last.pitch <= lowest) => false,
                Some(wait) => {
                    let to = self.now.saturating_add(*wait);
                    let in_time = if to >= self.end { self.closes() } else { self.clock.bar(to) <= furthest };
                    to >= self.from && in_time
                }
            };
            if !may {
                *logit = f32::NEG_INFINITY;
            }
        }
    }

    /// Transposition widened the vocabulary beyond what any piece has.
    fn lowest(&self) -> Pitch {
        Pitch::try_from(self.model.vocabulary.heard_range().0).unwrap_or(Pitch::C4)
    }

    /// When the next note begins; `None` where the piece is complete.
    fn time(&mut self, logits: &mut [f32], sampling: &Sampling, rng: &mut Rng) -> Option<u16> {
        self.mask(logits);
        let waits = self.model.vocabulary.waits();
        let (wait, to) = match sampling.draw(logits, rng) {
            Some(class) => {
                let wait = waits.get(class)?;
                (class as u16, self.now.saturating_add(*wait))
            }
            // No time that is known leads there.
            None if self.closes() => return None,
            None => {
                let to = if self.now < self.from { self.from } else { self.last_bar.max(self.now + 1) };
                (self.model.vocabulary.wait_class(to - self.now).max(1.min(waits.len() as u16 - 1)), to)
            }
        };
        self.now = to;
        (to < self.end).then_some(wait)
    }

    /// The next note of a row; where there is none any more, the piece is done.
    fn next(&mut self, row: usize, rows: &Rows, sampling: &Sampling, rng: &mut Rng) -> Result<(), ComposeError> {
        let model = self.model;
        let finite = |logits: Vec<f32>| match logits.iter().any(|logit| logit.is_nan()) {
            true => Err(ComposeError::NoToken),
            false => Ok(logits),
        };
        let before = self.now;
        let mut logits = finite(model.decide(0, &[], &Place::default(), row, rows))?;
        let Some(wait) = self.time(&mut logits, sampling, rng) else {
            self.done = true;
            return Ok(());
        };
        let place = self.clock.place(self.now);
        let decided = u32::from(wait);
        let lengths = model.decide(1, &[decided], &place, row, rows);
        let length = sampling.draw(&lengths, rng).ok_or(ComposeError::NoToken)? as u32;
        let mut logits = finite(model.decide(2, &[decided, length], &place, row, rows))?;
        // A chord is what begins together, whatever class a jump was said by.
        forbid_pitch(self.last, u16::from(self.now != before), &mut logits);
        let (low, high) = model.vocabulary.heard_range();
        for (class, logit) in (0..).zip(logits.iter_mut()) {
            if !(low..=high).contains(&model.vocabulary.pitch(class).get()) {
                *logit = f32::NEG_INFINITY;
            }
        }
        let pitch = sampling.draw(&logits, rng).ok_or(ComposeError::NoToken)? as u16;
        let note = Triple { wait, length: length as u16, pitch };
        self.notes.push(Note {
            onset: Ticks(self.now.into()),
            pitch: model.vocabulary.pitch(pitch),
            duration: Ticks(model.vocabulary.lengths()[length as usize].into()),
            velocity: Velocity::DEFAULT,
        });
        self.last = Some(note);
        Ok(())
    }

    /// The share that is written.
    fn written(&self) -> f64 {
        let span = f64::from((self.end - self.from).max(1));
        if self.done { 1.0 } else { f64::from(self.now.clamp(self.from, self.end) - self.from) / span }
    }
}

impl Player {
    pub(super) fn load(file: &ModelFile) -> Result<Player, ModelError> {
        Ok(Player { model: Model::load(file)? })
    }

    /// Reads the prompt, or nothing.
    fn open(&self, request: &Request) -> Opening {
        let mut opening = Opening {
            clock: Clock::default(),
            rows: self.model.rows(1),
            last: None,
            now: 0,
            from: 0,
            meter: None,
            remarks: Vec::new(),
        };
        let Some(prompt) = request.prompt() else { return opening };
        let heard = prompt.on_grid(GRID);
        let from = prompt.end_in(&heard);
        for bar in prompt.score().bars() {
            let at = |ticks: Ticks| ticks.rescale(prompt.score().ticks_per_quarter, GRID);
            opening.clock.push(at(bar.start), at(bar.end()) - at(bar.start), bar.meter);
        }
        // What follows keeps the prompt's last metre.
        opening.meter = Some(prompt.score().meters.last().map_or(Meter::COMMON, |(_, meter)| *meter));
        opening.from = u32::try_from(from.0).unwrap_or(u32::MAX);
        let (notes, adjustments) = encode(&heard, &self.model.vocabulary);
        if !adjustments.is_empty() {
            opening.remarks.push(Prompt::HEARD_NEAREST.to_owned());
        }
        // How many bars are left is known from the first note on.
        let mut whole = opening.clock.clone();
        let meter = opening.meter.unwrap_or_default();
        let bars = u64::try_from(request.bars() - prompt.bars()).unwrap_or(u64::MAX);
        (0..bars).for_each(|k| whole.push(from + Ticks(k * meter.bar(GRID).0), meter.bar(GRID), meter));
        for note in notes {
            let place = whole.place(opening.now);
            self.model.step(&[(opening.last, place)], &mut opening.rows);
            opening.now += self.model.vocabulary.waits()[usize::from(note.wait)];
            opening.last = Some(note);
        }
        opening
    }

    fn draft(&self, opening: &Opening, intent: &Intent<'_>, request: &Request) -> Draft<'_> {
        let mut clock = opening.clock.clone();
        let mut meters = Vec::new();
        let mut at = Ticks(opening.from.into());
        let mut begins = |meters: &mut Vec<(Ticks, Meter)>, at: Ticks, length: Ticks, meter: Meter| {
            if meters.last().is_none_or(|(_, last)| *last != meter) {
                meters.push((at, meter));
            }
            clock.push(at, length, meter);
            at + length
        };
        if let Some(pickup) = intent.opening.and_then(|opening| opening.pickup).filter(|_| opening.meter.is_none()) {
            at = begins(&mut meters, at, pickup.meter.bar(GRID), pickup.meter);
        }
        let meter = opening.meter.or(intent.meter()).unwrap_or_default();
        let bars = request.bars() - request.prompt().map_or(0, Prompt::bars);
        let mut last_bar = at;
        for _ in 0..bars {
            last_bar = at;
            at = begins(&mut meters, at, meter.bar(GRID), meter);
        }
        let step = |ticks: Ticks| u32::try_from(ticks.0).unwrap_or(u32::MAX);
        Draft {
            model: &self.model,
            clock,
            meters,
            from: opening.from,
            last_bar: step(last_bar),
            end: step(at),
            last: opening.last,
            now: opening.now,
            notes: Vec::new(),
            done: false,
        }
    }

    fn write(
        &self,
        opening: &Opening,
        request: &Request,
        rngs: &mut [Rng],
        progress: Progress<'_>,
    ) -> Result<Vec<Composition>, ComposeError> {
        let (mut intents, mut drafts) = (Vec::with_capacity(rngs.len()), Vec::with_capacity(rngs.len()));
        for rng in rngs.iter_mut() {
            let intent = Intent::of(self.model.habits.as_ref(), request, rng)?;
            drafts.push(self.draft(opening, &intent, request));
            intents.push(intent);
        }
        let mut rows = opening.rows.copies(drafts.len());
        // Which draft each row is.
        let mut active: Vec<usize> = (0..drafts.len()).collect();
        while !active.is_empty() {
            let last: Vec<(Option<Triple>, Place)> =
                active.iter().map(|k| (drafts[*k].last, drafts[*k].clock.place(drafts[*k].now))).collect();
            self.model.step(&last, &mut rows);
            for (row, k) in active.iter().enumerate() {
                drafts[*k].next(row, &rows, &request.sampling, &mut rngs[*k])?;
            }
            for row in (0..active.len()).rev().filter(|row| drafts[active[*row]].done).collect::<Vec<usize>>() {
                active.swap_remove(row);
                rows.swap_remove(row);
            }
            let written = drafts.iter().map(Draft::written).sum::<f64>() / drafts.len() as f64;
            if progress(written).is_break() {
                return Err(ComposeError::Stopped);
            }
        }
        Ok(drafts
            .into_iter()
            .zip(intents)
            .map(|(draft, intent)| self.finish(draft, &intent, opening, request))
            .collect())
    }

    fn finish(&self, draft: Draft<'_>, intent: &Intent<'_>, opening: &Opening, request: &Request) -> Composition {
        let mut composed: Score = score_of(draft.notes).before(Ticks(draft.end.into()));
        composed.meters = draft.meters;
        let from = Ticks(draft.from.into());
        intent.finish(&mut composed, self.model.vocabulary.heard_range());
        accentuate(&mut composed, from);
        let score = match request.prompt() {
            Some(prompt) => prompt.join(&composed, from),
            None => composed,
        };
        Composition::new(score, opening.remarks.clone())
    }
}

impl Judge for Player {
    fn kind(&self) -> Kind {
        Kind::Exact
    }

    fn protocol(&self) -> String {
        protocol(&self.model.settings)
    }

    fn judge(&self, piece: &Score) -> Judgement {
        self.model.judgement(piece)
    }
}

impl Composer for Player {
    fn spec(&self) -> &'static ComposerSpec {
        &SPEC
    }

    fn default_sampling(&self) -> Sampling {
        SAMPLING
    }

    fn describe(&self) -> Vec<(String, String)> {
        let Settings { layers, hidden, embedding, .. } = self.model.settings;
        let vocabulary = &self.model.vocabulary;
        let pitch = |key: u8| Pitch::try_from(key).map_or_else(|_| String::new(), |key| key.to_string());
        let (low, high) = vocabulary.heard_range();
        let parameters = self.model.parameters;
        let told = [
            ("network", format!("embedding {embedding}, {layers} LSTM layers of {hidden}, {parameters} parameters")),
            (
                "vocabulary",
                format!(
                    "{} times, {} lengths, pitches {} to {}",
                    vocabulary.waits().len(),
                    vocabulary.lengths().len(),
                    pitch(low),
                    pitch(high)
                ),
            ),
            ("grid", format!("{} steps a quarter", GRID.get())),
        ];
        let nats = self.model.nats.as_ref().map(|nats| {
            let of: Vec<String> = DECISIONS.iter().zip(nats).map(|(what, nats)| format!("{what} {nats:.3}")).collect();
            ("nats a note", format!("{}, together {:.3} (validation)", of.join(", "), nats.iter().sum::<f32>()))
        });
        told.into_iter().chain(nats).map(|(name, value)| (name.to_owned(), value)).collect()
    }

    fn charts(&self) -> Vec<Chart> {
        let bars = |nats: &Vec<f32>| {
            DECISIONS.iter().zip(nats).map(|(what, nats)| ((*what).to_owned(), f64::from(*nats))).collect()
        };
        let chart = |nats: &Vec<f32>| Chart {
            name: "nats",
            title: "Nats of a note's time, length and pitch, of the validation pieces".to_owned(),
            axis: "decisions".to_owned(),
            bars: bars(nats),
        };
        self.model.nats.iter().map(chart).collect()
    }

    fn compose(&self, request: &Request, rng: &mut Rng, progress: Progress<'_>) -> Result<Composition, ComposeError> {
        alone(self, request, rng, progress)
    }

    fn compose_all(
        &self,
        request: &Request,
        rngs: &mut [Rng],
        progress: Progress<'_>,
    ) -> Result<Vec<Composition>, ComposeError> {
        let opening = &self.open(request);
        together(rngs, progress, |rngs, progress| self.write(opening, request, rngs, progress))
    }

    fn judge(&self) -> Option<&dyn Judge> {
        Some(self)
    }
}
