//! Composing: bars, chords and melody in that order, or chords to a melody that is given.

use super::place::Spot;
use super::{SPEC, Sheets};
use cantus_encoding::TokenId;
use cantus_encoding::lead_sheet::{
    Beat, Expected, GRID, LeadSheet, Order, Token, Vocabulary, bar, beats, melody, plays_chords,
};
use cantus_encoding::note_chord::BarKind;
use cantus_model::band::join;
use cantus_model::tokens::{Draft, Place as _, Rows, TokenModel};
use cantus_model::{
    ComposeError, Composer, ComposerSpec, Composition, Control, Intent, Judge, ModelError, ModelFile, Progress, Prompt,
    Request, Rng, Sampling, accentuate, alone, home, over_home, together,
};
use cantus_score::{Chord, Meter, Part, Progression, Score, Ticks, Unpitched, find_key};

/// The sampling that pieces are composed with unless told otherwise.
const SAMPLING: Sampling = Sampling { temperature: 1.0, top_k: 0, top_p: 0.95 };

/// A trained network, ready to compose.
#[derive(Debug)]
pub(super) struct Player {
    model: TokenModel<Sheets>,
}

/// What is known of a piece before it is written.
#[derive(Clone, Debug, Default)]
struct Plan {
    /// What is given: its bars are all that the piece has; of the rest as much as there is.
    sheet: LeadSheet,
    /// Beats whose chord is given.
    chords: usize,
    /// Up to where the melody is given, in steps.
    melody: u32,
    /// By how many semitones the piece is to lie over the sheet.
    over: i32,
    /// What was changed, for whoever listens.
    remarks: Vec<String>,
}

impl Player {
    pub(super) fn load(file: &ModelFile) -> Result<Player, ModelError> {
        Ok(Player { model: TokenModel::load(file)? })
    }

    fn vocabulary(&self) -> &Vocabulary {
        &self.model.grammar.vocabulary
    }

    /// The piece that is asked for, as far as it is known. `rows` are those of its prompt, where it has one.
    fn plan(&self, request: &Request, intent: &Intent<'_>) -> Plan {
        let mut plan = Plan::default();
        let (mut meter, mut bars) = (intent.meter().unwrap_or(self.vocabulary().usual_meter()), request.bars());
        if let Some(prompt) = request.prompt() {
            plan = self.heard(prompt);
            // What follows keeps the prompt's last metre.
            meter = prompt.score().meters.last().map_or(Meter::COMMON, |(_, meter)| *meter);
            bars -= prompt.bars();
        } else {
            // In steps of the grid, whatever the grid it was counted on.
            let on_grid = |pickup: BarKind| BarKind { steps: bar(pickup.meter).steps.max(1), ..pickup };
            plan.sheet.bars.extend(intent.opening.and_then(|opening| opening.pickup).map(on_grid));
        }
        let upbeat = plan.sheet.bars.len();
        plan.sheet.bars.extend(std::iter::repeat_n(bar(meter), bars));
        let all = beats(&plan.sheet.bars);
        if let Some(progression) = &request.controls.chords {
            let after = plan.sheet.chords.len();
            let chords = all[after..].iter().map(|beat| asked(progression, beat, upbeat, &all)).collect();
            if request.prompt().is_none() {
                let named = LeadSheet { bars: plan.sheet.bars.clone(), chords, ..LeadSheet::default() };
                let sounding = named.accompaniment(self.vocabulary().register());
                let heard = || find_key(sounding.iter().flat_map(|part| &part.notes));
                plan.over = request.controls.key.or_else(heard).map_or(0, over_home);
                plan.sheet.chords.extend(named.moved(-plan.over).chords);
            } else {
                let named = LeadSheet { chords, ..LeadSheet::default() };
                plan.sheet.chords.extend(named.moved(-plan.over).chords);
            }
            plan.chords = all.len();
        }
        plan
    }

    /// A prompt as the network hears it.
    fn heard(&self, prompt: &Prompt) -> Plan {
        let kept = prompt.score();
        let end = prompt.end_in(kept);
        let (at_home, over) = home(kept);
        let mut sheet = LeadSheet::cut(&at_home, end);
        let melody = sheet.end();
        let strange_bars = !self.vocabulary().knows_bars(&sheet.bars);
        let mut remarks = Vec::new();
        if self.vocabulary().say(&mut sheet) || strange_bars {
            remarks.push(Prompt::HEARD_NEAREST.to_owned());
        }
        Plan { chords: sheet.chords.len(), melody, sheet, over, remarks }
    }

    /// A piece for each generator.
    fn write(
        &self,
        request: &Request,
        rngs: &mut [Rng],
        progress: Progress<'_>,
    ) -> Result<Vec<Composition>, ComposeError> {
        let habits = self.model.habits.as_ref();
        let rows = self.model.rows();
        let mut intents = Vec::with_capacity(rngs.len());
        let mut drafts = Vec::with_capacity(rngs.len());
        for rng in rngs.iter_mut() {
            let intent = Intent::of(habits, request, rng)?;
            let plan = self.plan(request, &intent);
            drafts.push((self.draft(plan, Order::ChordsFirst), &rows));
            intents.push(intent);
        }
        let pieces = self.finished(drafts, &request.sampling, rngs, progress)?;
        Ok(pieces.iter().zip(intents).map(|(piece, intent)| self.composition(piece, intent, request)).collect())
    }

    /// Drafts from their starts to their ends.
    fn finished<'a>(
        &'a self,
        drafts: Vec<(Piece<'a>, &Rows)>,
        sampling: &Sampling,
        rngs: &mut [Rng],
        progress: Progress<'_>,
    ) -> Result<Vec<Piece<'a>>, ComposeError> {
        // The start stands before all that is drawn.
        let mut started = Vec::with_capacity(drafts.len());
        for (mut piece, rows) in drafts {
            let mut rows = rows.clone();
            let start = self.vocabulary().id(Token::Start(piece.order));
            piece.take(start);
            self.model.read(start, piece.place(), &mut rows);
            started.push((piece, rows));
        }
        let (pieces, rows): (Vec<Piece<'a>>, Vec<Rows>) = started.into_iter().unzip();
        self.model.write(pieces.into_iter().zip(&rows).collect(), sampling, rngs, progress)
    }

    fn draft(&self, plan: Plan, order: Order) -> Piece<'_> {
        let vocabulary = self.vocabulary();
        let spot = Spot::within(vocabulary, plan.sheet.bars.clone());
        let end = plan.sheet.end();
        let bar = plan.sheet.bars.last().map_or(1, |kind| u32::from(kind.steps));
        let melody = melody(&plan.sheet.melody, plan.melody, vocabulary);
        Piece { vocabulary, spot, plan, order, melody, end, last: end.saturating_sub(bar), bar, said: 0 }
    }

    /// A written piece as music.
    fn composition(&self, piece: &Piece<'_>, mut intent: Intent<'_>, request: &Request) -> Composition {
        let mut sheet = piece.spot.cursor.sheet();
        // Chords that were asked for are written as they were, whatever the network took them for.
        sheet.chords[..piece.plan.chords].copy_from_slice(&piece.plan.sheet.chords[..piece.plan.chords]);
        let mut sheet = sheet.moved(piece.plan.over);
        let register = self.vocabulary().register();
        let mut composed = sheet.score(register);
        let asked_key = intent.key;
        if request.controls.chords.is_some() {
            intent.key = None;
        }
        let (low, high) = self.model.grammar.range;
        let lowest = composed.pitch_range().map_or(low, |(lowest, _)| lowest.get().min(low));
        intent.finish(&mut composed, (lowest, high));
        if let (Some(key), true) = (request.controls.key.and(asked_key), composed.keys.is_empty()) {
            composed.keys.push((Ticks::ZERO, key));
        }
        sheet.follow(&composed);
        let key = composed.keys.first().map(|(_, key)| *key).or_else(|| find_key(composed.pitched_notes()));
        let flats = key.is_some_and(|key| key.fifths() < 0);
        let from = piece.plan.melody;
        composed.chords = sheet.symbols(from, flats);
        composed.parts.truncate(1);
        accentuate(&mut composed, Ticks(from.into()));
        composed.parts.extend(sheet.accompaniment(register));
        let score = match request.prompt() {
            Some(prompt) => {
                // Chords sound where the prompt has a part that plays such; else their symbols stand over the melody.
                let second = prompt.score().parts.iter().filter(|part| !part.drums).nth(1);
                composed.parts.truncate(if second.is_some_and(plays_chords) { 2 } else { 1 });
                let mut joined = prompt.join(&composed, Ticks(from.into()));
                if prompt.score().chords.is_empty() {
                    joined.chords = sheet.symbols_in(joined.ticks_per_quarter, flats);
                }
                joined
            }
            None => {
                composed.parts[0].name = Some("Melody".to_owned());
                composed
            }
        };
        Composition::new(score, piece.plan.remarks.clone())
    }

    /// Chords to a melody that is given with all else there is.
    fn joined(
        &self,
        score: &Score,
        request: &Request,
        rngs: &mut [Rng],
        progress: Progress<'_>,
    ) -> Result<Vec<Composition>, ComposeError> {
        if let Some(found) = Unpitched::of(score) {
            return Err(ComposeError::NoPart { wanted: "pitches", written: "chords", found: found.to_string() });
        }
        let mut remarks = Vec::new();
        if !score.chords.is_empty() {
            remarks.push("there are chord symbols already: the new ones stand in their place".to_owned());
        }
        let (at_home, over) = home(score);
        let mut sheet = LeadSheet::of(&at_home);
        sheet.chords.clear();
        if self.vocabulary().say(&mut sheet) {
            remarks
                .push("the model does not know all that the melody holds, and heard what is nearest to it".to_owned());
        }
        let plan = Plan { chords: 0, melody: sheet.end(), sheet, over, remarks };
        let rows = self.model.rows();
        let drafts = rngs.iter().map(|_| (self.draft(plan.clone(), Order::MelodyFirst), &rows)).collect();
        let pieces = self.finished(drafts, &request.sampling, rngs, progress)?;
        let key = request.controls.key;
        let named = key.or(score.keys.first().map(|(_, key)| *key)).or_else(|| find_key(score.pitched_notes()));
        let flats = named.is_some_and(|key| key.fifths() < 0);
        let compose = |piece: &Piece<'_>| {
            let sheet = piece.spot.cursor.sheet().moved(over);
            let mut remarks = piece.plan.remarks.clone();
            let mut joined = score.clone();
            match sheet.accompaniment(self.vocabulary().register()) {
                Some(part) => {
                    let (with, remark) = join(score, Part { channel: 0, ..part }, GRID, key);
                    joined = with;
                    remarks.extend(remark);
                }
                None => remarks.push("the model found no chord: try another seed".to_owned()),
            }
            joined.chords = sheet.symbols_in(joined.ticks_per_quarter, flats);
            Composition::new(joined, remarks)
        };
        Ok(pieces.iter().map(compose).collect())
    }
}

/// The chord that is asked for at a beat; none during an upbeat. The first `before` bars are not counted.
fn asked(progression: &Progression, beat: &Beat, before: usize, all: &[Beat]) -> Option<Chord> {
    let bar = beat.bar.checked_sub(before)?;
    let first = all.partition_point(|other| other.bar < beat.bar);
    let count = all[first..].iter().take_while(|other| other.bar == beat.bar).count();
    progression.at(bar, beat.number, count)
}

/// A piece that is being written.
struct Piece<'a> {
    vocabulary: &'a Vocabulary,
    spot: Spot<'a>,
    plan: Plan,
    order: Order,
    /// The melody that is given, in tokens, and how many of them are said.
    melody: Vec<TokenId>,
    said: usize,
    /// Where the piece ends, and where its last bar begins, in steps; how long that is.
    end: u32,
    last: u32,
    bar: u32,
}

impl Piece<'_> {
    /// Whether what the grammar permits fits what is to be written: pitches as the corpus has them, no long silence, an onset in the last
    /// bar.
    fn fits(&self, token: Token) -> bool {
        let cursor = &self.spot.cursor;
        let (low, high) = self.vocabulary.heard_range();
        let now = cursor.now();
        match (token, cursor.expected()) {
            (Token::Pitch(pitch), _) => (low..=high).contains(&pitch),
            (Token::Rest, _) => now != self.last && !matches!(cursor.events().last(), Some((_, None, _))),
            (Token::Length(steps), Expected::Length(pitch)) => {
                let to = now + u32::from(steps);
                let enters = now < self.last && to > self.last;
                !enters && (pitch.is_some() || u32::from(steps) <= self.bar)
            }
            _ => true,
        }
    }
}

impl<'a> Draft for Piece<'a> {
    type Place = Spot<'a>;

    fn place(&self) -> &Spot<'a> {
        &self.spot
    }

    fn intended(&self) -> Option<TokenId> {
        let cursor = &self.spot.cursor;
        let (bars, said) = (&self.plan.sheet.bars, cursor.bars().len());
        if let Some(kind) = bars.get(said) {
            return Some(self.vocabulary.id(Token::Bar(*kind)));
        }
        let chord =
            || (cursor.chords().len() < self.plan.chords).then(|| self.plan.sheet.chords[cursor.chords().len()]);
        match (cursor.expected(), self.order) {
            (Expected::Chord, _) | (Expected::Bar, Order::ChordsFirst) => {
                chord().map(|chord| self.vocabulary.id(Token::Chord(chord)))
            }
            _ => self.melody.get(self.said).copied(),
        }
    }

    fn mask(&self, logits: &mut [f32]) {
        // All bars are there.
        let fits = |token: Token| !matches!(token, Token::Bar(_)) && self.fits(token);
        for (number, logit) in (0..).zip(logits) {
            if !self.vocabulary.token(TokenId(number)).is_some_and(fits) {
                *logit = f32::NEG_INFINITY;
            }
        }
    }

    fn take(&mut self, token: TokenId) -> bool {
        if matches!(self.vocabulary.token(token), Some(Token::Rest | Token::Pitch(_) | Token::Length(_))) {
            self.said += 1;
        }
        self.spot.read(token);
        self.spot.cursor.expected() != Expected::Nothing
    }

    fn written(&self) -> (usize, usize) {
        let cursor = &self.spot.cursor;
        let chords: u32 = cursor.beats().iter().take(cursor.chords().len()).map(|beat| beat.length).sum();
        ((chords + cursor.now()) as usize, 2 * self.end as usize)
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
        let vocabulary = self.vocabulary();
        let network = [("network", self.model.describe()), ("vocabulary", format!("{} tokens", vocabulary.len()))];
        network.into_iter().chain(vocabulary.describe()).map(|(name, value)| (name.to_owned(), value)).collect()
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
        control == Control::Chords && self.vocabulary().qualities().is_empty()
    }

    fn judge(&self) -> Option<&dyn Judge> {
        Some(&self.model)
    }
}
