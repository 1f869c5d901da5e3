//! Composing: a tune in a key and a metre, to a number of bars as they are played.

use super::draft::{Piece, Plan};
use super::place::Spot;
use super::{SPEC, Tunes};
use cantus_encoding::TokenId;
use cantus_encoding::abc_tune::{Cursor, GRID, Tune, Vocabulary, encode_beginning, home};
use cantus_encoding::note_chord::BarKind;
use cantus_model::tokens::{Place as _, Rows, TokenModel};
use cantus_model::{
    ComposeError, Composer, ComposerSpec, Composition, Intent, Judge, ModelError, ModelFile, Progress, Prompt, Request,
    Rng, Sampling, accentuate, alone, together,
};
use cantus_score::{Meter, Score, Ticks};

/// The sampling that pieces are composed with unless told otherwise.
const SAMPLING: Sampling = Sampling { temperature: 1.0, top_k: 0, top_p: 0.95 };

/// A trained network, ready to compose.
#[derive(Debug)]
pub(super) struct Player {
    model: TokenModel<Tunes>,
}

/// What comes before what is written.
struct Opening<'a> {
    spot: Spot<'a>,
    rows: Rows,
    /// Where it ends, in steps; the metre of what follows.
    end: u32,
    meter: Option<Meter>,
    remarks: Vec<String>,
}

impl Player {
    pub(super) fn load(file: &ModelFile) -> Result<Player, ModelError> {
        Ok(Player { model: TokenModel::load(file)? })
    }

    fn vocabulary(&self) -> &Vocabulary {
        &self.model.grammar.vocabulary
    }

    /// The metre of most of the corpus's tunes is not known: 4/4 where it is among them, else the longest.
    fn usual_meter(&self) -> Meter {
        let meters = self.vocabulary().meters();
        let is_common = |meter: &&Meter| **meter == Meter::COMMON;
        let longest = || meters.iter().max_by_key(|meter| meter.bar(GRID));
        meters.iter().find(is_common).or_else(longest).copied().unwrap_or(Meter::COMMON)
    }

    /// Nothing, or a prompt as the network hears it; the whole is to be so many bars.
    fn open(&self, request: &Request) -> Opening<'_> {
        let vocabulary = self.vocabulary();
        let rows = self.model.rows();
        let spot = Spot::new(vocabulary, Cursor::new(vocabulary), 0);
        let nothing = Opening { spot, rows, end: 0, meter: None, remarks: Vec::new() };
        let Some(prompt) = request.prompt() else { return nothing };
        let kept = prompt.score();
        let tune = Tune::until(kept, prompt.end_in(kept));
        let (tokens, heard, is_adjusted) = encode_beginning(&tune, vocabulary);
        let (meter, end) = match heard.bars.last() {
            Some(bar) if heard.has_notes() => (bar.meter, place_end(vocabulary, &heard, &tokens)),
            _ => return nothing,
        };
        let more = request.bars() - prompt.bars();
        let total = end.saturating_add(length(meter, more));
        let mut opening = Opening {
            spot: Spot::new(vocabulary, Cursor::hearing(vocabulary, &heard), total),
            end,
            meter: Some(meter),
            ..nothing
        };
        for token in tokens {
            opening.spot.read(token);
            self.model.read(token, &opening.spot, &mut opening.rows);
        }
        if is_adjusted {
            opening.remarks.push(Prompt::HEARD_NEAREST.to_owned());
        }
        opening
    }

    fn plan(&self, opening: &Opening<'_>, intent: &Intent<'_>, bars: usize) -> Plan {
        let vocabulary = self.vocabulary();
        let meter = opening.meter.unwrap_or_else(|| {
            let wanted = intent.meter().unwrap_or_else(|| self.usual_meter());
            vocabulary.nearest_meter(wanted)
        });
        let whole = length(meter, 1);
        let pickup = intent.opening.and_then(|opening| opening.pickup).map_or(0, |bar| length(bar.meter, 1));
        // An upbeat comes where the corpus has bars that complete it.
        let is_known = |steps: u32| vocabulary.partials().binary_search(&steps).is_ok();
        let is_upbeat = opening.meter.is_none() && pickup < whole && is_known(pickup) && is_known(whole - pickup);
        let end = opening.end.saturating_add(length(meter, bars));
        let key = intent.key.map(|key| vocabulary.nearest_key(key));
        Plan { bars, meter, key, upbeat: if is_upbeat { pickup } else { 0 }, from: opening.end, end }
    }

    /// A piece for each generator.
    fn write(
        &self,
        opening: &Opening<'_>,
        request: &Request,
        rngs: &mut [Rng],
        progress: Progress<'_>,
    ) -> Result<Vec<Composition>, ComposeError> {
        let habits = self.model.habits.as_ref();
        let bars = request.bars() - request.prompt().map_or(0, Prompt::bars);
        let (mut intents, mut started) = (Vec::with_capacity(rngs.len()), Vec::with_capacity(rngs.len()));
        for rng in rngs.iter_mut() {
            let intent = Intent::of(habits, request, rng)?;
            let plan = self.plan(opening, &intent, bars);
            let mut rows = opening.rows.clone();
            let spot = opening.spot.clone().lasting(plan.end);
            let mut piece = Piece::new(self.vocabulary(), spot, plan);
            if request.prompt().is_none() || opening.meter.is_none() {
                // The start stands before all that is drawn.
                let start = self.vocabulary().id(cantus_encoding::abc_tune::Token::Start);
                cantus_model::tokens::Draft::take(&mut piece, start);
                self.model.read(start, &piece.spot, &mut rows);
            }
            intents.push(intent);
            started.push((piece, rows));
        }
        let (pieces, rows): (Vec<Piece<'_>>, Vec<Rows>) = started.into_iter().unzip();
        let pieces = self.model.write(pieces.into_iter().zip(&rows).collect(), &request.sampling, rngs, progress)?;
        Ok(pieces.iter().zip(&intents).map(|(piece, intent)| self.finish(piece, intent, opening, request)).collect())
    }

    fn finish(&self, piece: &Piece<'_>, intent: &Intent<'_>, opening: &Opening<'_>, request: &Request) -> Composition {
        let mut composed = piece.spot.cursor.tune().score();
        if let Some((_, meter)) = composed.meters.first_mut().filter(|_| piece.plan.upbeat > 0) {
            // As sequencers write an upbeat: in a metre of its own.
            let length = Ticks(piece.plan.upbeat.into());
            *meter = BarKind::of(&cantus_score::Bar { start: Ticks::ZERO, length, meter: *meter }, GRID).meter;
        }
        composed.tempos.extend(intent.tempo.map(|tempo| (Ticks::ZERO, tempo)));
        let remarks = opening.remarks.clone();
        let Some(prompt) = request.prompt() else {
            match (intent.key, piece.plan.key) {
                (Some(key), Some(known)) => {
                    composed = composed.transposed(home(key) - home(known)).unwrap_or(composed);
                    composed.keys = vec![(Ticks::ZERO, key)];
                }
                _ => composed.keys.clear(),
            }
            accent(&mut composed, Ticks::ZERO);
            return Composition::new(composed, remarks);
        };
        let from = Ticks(opening.end.into());
        accent(&mut composed, from);
        Composition::new(prompt.join(&composed, from), remarks)
    }
}

/// Accents from a time on; what is repeated has those of its second time, when an upbeat follows something.
fn accent(score: &mut Score, from: Ticks) {
    accentuate(score, from);
    let Some(part) = score.parts.first_mut() else { return };
    for repeat in score.repeats.iter().filter(|repeat| repeat.start() >= from) {
        let [first, second] = repeat.passes[..] else { continue };
        let place = |at: Ticks| part.notes.partition_point(|note| note.onset < at);
        let (one, body, other) = (place(first.start), place(first.ending), place(second.start));
        for k in one..body.min(other) {
            if let Some(velocity) = part.notes.get(other + k - one).map(|note| note.velocity) {
                part.notes[k].velocity = velocity;
            }
        }
    }
}

/// So many bars in steps.
fn length(meter: Meter, bars: usize) -> u32 {
    let steps = meter.bar(GRID).0.saturating_mul(bars as u64);
    u32::try_from(steps).unwrap_or(u32::MAX / 4).min(u32::MAX / 4)
}

/// How long a beginning is as it is heard.
fn place_end(vocabulary: &Vocabulary, heard: &Tune, tokens: &[TokenId]) -> u32 {
    let mut cursor = Cursor::hearing(vocabulary, heard);
    tokens.iter().filter_map(|id| vocabulary.token(*id)).for_each(|token| cursor.advance(token));
    cursor.end()
}

impl Composer for Player {
    fn spec(&self) -> &'static ComposerSpec {
        &SPEC
    }

    fn default_sampling(&self) -> Sampling {
        SAMPLING
    }

    fn describe(&self) -> Vec<(String, String)> {
        let vocabulary = self.vocabulary();
        let (low, high) = vocabulary.heard_range();
        let meters: Vec<String> = vocabulary.meters().iter().map(Meter::to_string).collect();
        let keys: Vec<String> = vocabulary.keys().iter().map(ToString::to_string).collect();
        let chords: Vec<String> =
            vocabulary.qualities().iter().map(|quality| format!("C{}", quality.suffix())).collect();
        let mut told = vec![
            ("network", self.model.describe()),
            ("vocabulary", format!("{} tokens", vocabulary.len())),
            ("pitches", format!("{low} to {high}")),
            ("metres", meters.join(" ")),
            ("keys", keys.join(", ")),
        ];
        if !chords.is_empty() {
            told.push(("chords", chords.join(" ")));
        }
        told.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
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
        Some(&self.model)
    }
}
