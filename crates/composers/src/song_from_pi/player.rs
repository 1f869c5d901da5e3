//! Composing: layer after layer, of which any beginning may be given.

mod writing;

use super::song::Song;
use super::words::{Layer, Words};
use super::{SPEC, Stack};
use cantus_encoding::lead_sheet::{GRID, LeadSheet, bar, plays_chords};
use cantus_encoding::note_chord::BarKind;
use cantus_model::band::join;
use cantus_model::tokens::TokenModel;
use cantus_model::{
    ComposeError, Composer, ComposerSpec, Composition, Control, Intent, Judge, ModelError, ModelFile, Progress, Prompt,
    Request, Rng, Sampling, Writes, Written, accentuate, alone, home, together,
};
use cantus_score::{Meter, Part, Score, Ticks, Unpitched, counted, find_key};
use writing::Piece;

/// The sampling that pieces are composed with unless told otherwise.
const SAMPLING: Sampling = Sampling { temperature: 1.0, top_k: 0, top_p: 0.95 };

/// A trained network, ready to compose.
#[derive(Debug)]
pub(super) struct Player {
    model: TokenModel<Stack>,
}

/// What is known of a piece before it is written.
#[derive(Clone, Debug, Default)]
struct Plan {
    /// What is given: its bars are all that the piece has; of the rest as much as there is.
    song: Song,
    /// The layers that the piece has.
    layers: Vec<Layer>,
    /// Up to where the melody is given, in steps of the grid; beats whose chord is given; sixteenths whose drums are.
    melody: u32,
    chords: usize,
    drums: usize,
    /// By how many semitones the piece is to lie over the song.
    over: i32,
    /// What was changed, for whoever listens.
    remarks: Vec<String>,
}

impl Player {
    pub(super) fn load(file: &ModelFile) -> Result<Player, ModelError> {
        Ok(Player { model: TokenModel::load(file)? })
    }

    fn words(&self) -> &Words {
        &self.model.grammar.words
    }

    /// The layers over the melody that are asked for; `None` where that is left open.
    ///
    /// # Errors
    /// [`ComposeError::Instrument`], where the model does not write one of them.
    fn asked(&self, writes: Option<&Writes>) -> Result<Option<Vec<Layer>>, ComposeError> {
        let over = [Layer::Chords, Layer::Drums].into_iter().filter(|layer| self.words().has(*layer));
        let known: Vec<&str> = over.clone().map(Layer::name).collect();
        let layer = |part: Written| {
            let unknown = || ComposeError::Instrument { asked: part.name().to_owned(), known: known.join(", ") };
            over.clone().find(|layer| layer.name() == part.name()).ok_or_else(unknown)
        };
        writes.map(|writes| writes.parts().map(layer).collect()).transpose()
    }

    /// The piece that is asked for, as far as it is known.
    fn plan(&self, request: &Request, intent: &Intent<'_>) -> Result<Plan, ComposeError> {
        let asked = self.asked(request.controls.write.as_ref())?;
        let is_asked =
            |layer: &Layer| asked.as_ref().is_none_or(|asked| *layer == Layer::Melody || asked.contains(layer));
        let layers = || Layer::ALL.into_iter().filter(|layer| self.words().has(*layer));
        let mut plan = Plan::default();
        let (mut meter, mut bars) = (intent.meter().unwrap_or(self.words().sheet.usual_meter()), request.bars());
        if let Some(prompt) = request.prompt() {
            plan = self.heard(prompt);
            // Drums go on where there are some.
            plan.layers = layers().filter(|layer| *layer != Layer::Drums || plan.song.has(Layer::Drums)).collect();
            // What follows keeps the prompt's last metre.
            meter = prompt.score().meters.last().map_or(Meter::COMMON, |(_, meter)| *meter);
            bars -= prompt.bars();
        } else {
            plan.layers = layers().filter(is_asked).collect();
            let pickup = intent.opening.and_then(|opening| opening.pickup);
            let on_grid = |pickup: BarKind| BarKind { steps: bar(pickup.meter).steps.max(1), ..pickup };
            plan.song.sheet.bars.extend(pickup.map(on_grid));
        }
        plan.song.sheet.bars.extend(std::iter::repeat_n(bar(meter), bars));
        Ok(plan)
    }

    /// A prompt as the network hears it.
    fn heard(&self, prompt: &Prompt) -> Plan {
        let kept = prompt.score();
        let end = prompt.end_in(kept);
        let (at_home, over) = home(kept);
        let mut sheet = LeadSheet::cut(&at_home, end);
        let melody = sheet.end();
        let strange_bars = !self.words().sheet.knows_bars(&sheet.bars);
        let mut remarks = Vec::new();
        if self.words().sheet.say(&mut sheet) || strange_bars {
            remarks.push(Prompt::HEARD_NEAREST.to_owned());
        }
        let mut song = Song { sheet, ..Song::default() };
        song.hear_drums(&at_home);
        let (chords, drums) = (song.sheet.chords.len(), song.drums.len());
        Plan { song, melody, chords, drums, over, remarks, ..Plan::default() }
    }

    /// A piece for each generator.
    fn write(
        &self,
        request: &Request,
        rngs: &mut [Rng],
        progress: Progress<'_>,
    ) -> Result<Vec<Composition>, ComposeError> {
        let habits = self.model.habits.as_ref();
        let (mut intents, mut plans) = (Vec::with_capacity(rngs.len()), Vec::with_capacity(rngs.len()));
        for rng in rngs.iter_mut() {
            let intent = Intent::of(habits, request, rng)?;
            plans.push(self.plan(request, &intent)?);
            intents.push(intent);
        }
        let pieces = self.finished(plans, &request.sampling, rngs, progress)?;
        Ok(pieces.iter().zip(intents).map(|(piece, intent)| self.composition(piece, intent, request)).collect())
    }

    /// A written piece as music.
    fn composition(&self, piece: &Piece<'_>, intent: Intent<'_>, request: &Request) -> Composition {
        let mut song = piece.song();
        song.sheet = song.sheet.moved(piece.plan.over);
        let register = self.words().sheet.register();
        let mut composed = song.sheet.score(register);
        let (low, high) = self.model.grammar.range;
        let lowest = composed.pitch_range().map_or(low, |(lowest, _)| lowest.get().min(low));
        intent.finish(&mut composed, (lowest, high));
        if let (Some(key), true) = (intent.key.and(request.controls.key), composed.keys.is_empty()) {
            composed.keys.push((Ticks::ZERO, key));
        }
        song.sheet.follow(&composed);
        let key = composed.keys.first().map(|(_, key)| *key).or_else(|| find_key(composed.pitched_notes()));
        let flats = key.is_some_and(|key| key.fifths() < 0);
        let from = piece.plan.melody;
        let has_chords = song.has(Layer::Chords);
        composed.chords = if has_chords { song.sheet.symbols(from, flats) } else { Vec::new() };
        composed.parts.truncate(1);
        accentuate(&mut composed, Ticks(from.into()));
        composed.parts.extend(song.sheet.accompaniment(register));
        let mut score = match request.prompt() {
            Some(prompt) => {
                // Chords sound where the prompt has a part that plays such; else their symbols stand over the melody.
                let second = prompt.score().parts.iter().filter(|part| !part.drums).nth(1);
                composed.parts.truncate(if second.is_some_and(plays_chords) { 2 } else { 1 });
                let mut joined = prompt.join(&composed, Ticks(from.into()));
                if prompt.score().chords.is_empty() && has_chords {
                    joined.chords = song.sheet.symbols_in(joined.ticks_per_quarter, flats);
                }
                joined
            }
            None => {
                composed.parts[0].name = Some("Melody".to_owned());
                composed.parts.retain(|part| !part.notes.is_empty());
                composed
            }
        };
        if piece.plan.layers.contains(&Layer::Drums) {
            add_drums(&mut score, &song, request.prompt(), from);
        }
        Composition::new(score, piece.plan.remarks.clone())
    }

    /// What is missing of the stack, or asked for, to a melody that is given with all else there is.
    fn joined(
        &self,
        score: &Score,
        request: &Request,
        rngs: &mut [Rng],
        progress: Progress<'_>,
    ) -> Result<Vec<Composition>, ComposeError> {
        let plan = self.to_given(score, request)?;
        let pieces = self.finished(vec![plan; rngs.len()], &request.sampling, rngs, progress)?;
        let key = request.controls.key;
        let named = key.or(score.keys.first().map(|(_, key)| *key)).or_else(|| find_key(score.pitched_notes()));
        let flats = named.is_some_and(|key| key.fifths() < 0);
        let compose = |piece: &Piece<'_>| {
            let Plan { over, chords, drums, .. } = piece.plan;
            let mut song = piece.song();
            song.sheet = song.sheet.moved(over);
            let (mut joined, mut remarks) = (score.clone(), piece.plan.remarks.clone());
            let writes = |layer: Layer, given: usize| given == 0 && piece.plan.layers.contains(&layer);
            let mut parts = Vec::new();
            if writes(Layer::Chords, chords) {
                let part = song.sheet.accompaniment(self.words().sheet.register());
                parts.push((Layer::Chords, part.map(|part| Part { channel: 0, ..part })));
            }
            if writes(Layer::Drums, drums) {
                parts.push((Layer::Drums, Some(song.strokes(0)).filter(|part| !part.notes.is_empty())));
            }
            for (layer, part) in parts {
                let Some(part) = part else {
                    remarks.push(format!("the model wrote no {}: try another seed", layer.name()));
                    continue;
                };
                let (with, remark) = join(&joined, part, GRID, key);
                joined = with;
                remarks.extend(remark);
                if layer == Layer::Chords {
                    joined.chords = song.sheet.symbols_in(joined.ticks_per_quarter, flats);
                }
            }
            Composition::new(joined, remarks)
        };
        Ok(pieces.iter().map(compose).collect())
    }

    /// What is given of a song, and what is to be written to it.
    ///
    /// # Errors
    /// [`ComposeError`]: nothing with a pitch, nothing that is missing, a part that the model does not write.
    fn to_given(&self, score: &Score, request: &Request) -> Result<Plan, ComposeError> {
        if let Some(found) = Unpitched::of(score) {
            return Err(ComposeError::NoPart { wanted: "pitches", written: "a part", found: found.to_string() });
        }
        let (at_home, over) = home(score);
        let mut song = Song::of(&at_home);
        let asked = self.asked(request.controls.write.as_ref())?;
        let is_written = |layer: &Layer| match &asked {
            Some(asked) => asked.contains(layer),
            None => self.words().has(*layer) && !song.has(*layer),
        };
        let written: Vec<Layer> = [Layer::Chords, Layer::Drums].into_iter().filter(is_written).collect();
        if written.is_empty() {
            return Err(ComposeError::EverythingGiven);
        }
        let mut remarks = Vec::new();
        if !self.words().has(Layer::Melody) && !self.words().has(Layer::Chords) {
            remarks.push("the model learnt drums alone: it does not hear what is given".to_owned());
        }
        for layer in written.iter().filter(|layer| song.has(**layer)) {
            let becomes =
                if *layer == Layer::Chords && !score.chords.is_empty() { "in their place" } else { "beside them" };
            remarks.push(format!("there are {} already: the new ones stand {becomes}", layer.name()));
        }
        let layers = Layer::ALL.into_iter().filter(|layer| self.words().has(*layer));
        let layers: Vec<Layer> = layers.filter(|layer| song.has(*layer) || written.contains(layer)).collect();
        if written.contains(&Layer::Chords) {
            song.sheet.chords.clear();
        }
        if written.contains(&Layer::Drums) {
            song.drums.clear();
        }
        if self.words().sheet.say(&mut song.sheet) {
            remarks.push("the model does not know all that is given, and heard what is nearest to it".to_owned());
        }
        let (melody, chords, drums) = (song.sheet.end(), song.sheet.chords.len(), song.drums.len());
        Ok(Plan { song, layers, melody, chords, drums, over, remarks })
    }
}

/// Drums that were written from a time on: they go on in those of the prompt, or are a part of their own.
fn add_drums(score: &mut Score, song: &Song, prompt: Option<&Prompt>, from: u32) {
    let fine = score.ticks_per_quarter;
    let start = prompt.map_or(Ticks::ZERO, |prompt| prompt.end_in(score));
    let moved = |at: Ticks| start + (at - Ticks(from.into())).rescale(GRID, fine);
    let end = moved(Ticks(song.sheet.end().into()));
    let mut drums = song.strokes(from);
    for note in &mut drums.notes {
        (note.onset, note.duration) = (moved(note.onset), note.duration.rescale(GRID, fine));
        note.duration = note.duration.min(end - note.onset).max(Ticks(1));
    }
    // Loudness follows the metre.
    let mut alone = Score { parts: vec![drums], ..score.clone() };
    accentuate(&mut alone, Ticks::ZERO);
    let drums = alone.parts.remove(0);
    match score.parts.iter_mut().find(|part| part.drums) {
        Some(part) => {
            part.notes.extend(drums.notes);
            part.notes.sort_unstable();
        }
        None => score.parts.push(drums),
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
        let sheet = &self.words().sheet;
        let layers = Layer::ALL.into_iter().filter(|layer| self.words().has(*layer)).map(Layer::name);
        let network = [
            ("network", self.model.describe()),
            ("vocabulary", counted(self.words().len(), "token")),
            ("layers", layers.collect::<Vec<_>>().join(", ")),
        ];
        network.into_iter().chain(sheet.describe()).map(|(name, value)| (name.to_owned(), value)).collect()
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
        let given = request.given.as_ref().filter(|given| given.is_to_be_joined());
        together(rngs, progress, |rngs, progress| match given {
            Some(given) => self.joined(given.score(), request, rngs, progress),
            None => self.write(request, rngs, progress),
        })
    }

    fn lacks(&self, control: Control) -> bool {
        let is_over = |layer: Layer| self.words().has(layer);
        control == Control::Write && !is_over(Layer::Chords) && !is_over(Layer::Drums)
    }

    fn judge(&self) -> Option<&dyn Judge> {
        Some(&self.model)
    }
}
