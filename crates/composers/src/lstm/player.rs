//! Composing with the default network: to the number of bars asked for, in the metre and tempo that the corpus has.

use super::chords::{Chords, Place};
use super::{SAMPLING, SPEC};
use cantus_encoding::TokenId;
use cantus_encoding::note_chord::{BarKind, Token, Vocabulary, decode, encode};
use cantus_model::tokens::{Draft, Place as _, Rows, TokenModel};
use cantus_model::{
    Autoregressive, ComposeError, Composer, ComposerSpec, Composition, Habits, Intent, Judge, ModelError, ModelFile,
    Progress, Request, Rng, Sampling, accentuate, alone, together,
};
use cantus_score::{Score, Tempo, Ticks};

/// Bars without an onset that may follow one another.
const EMPTY_BARS: usize = 1;

/// A trained network, ready to compose.
#[derive(Debug)]
pub(super) struct ChordComposer {
    model: TokenModel<Chords>,
    /// Of each kind of bar, how much rarer each kind follows in the corpus than the most frequent one, as a logarithm.
    follows: Vec<Vec<f32>>,
}

impl ChordComposer {
    pub(super) fn load(file: &ModelFile) -> Result<ChordComposer, ModelError> {
        let model = TokenModel::<Chords>::load(file)?;
        Ok(ChordComposer { follows: following(model.habits.as_ref(), &model.grammar.0), model })
    }

    fn vocabulary(&self) -> &Vocabulary {
        &self.model.grammar.0
    }

    /// The start of a piece of so many bars.
    fn begin(&self, bars: usize) -> Opening<'_> {
        let mut state = self.start(bars);
        let start = self.vocabulary().id(Token::Start);
        self.advance(&mut state, start);
        Opening { state, tokens: vec![start], from: Ticks::ZERO, remarks: Vec::new() }
    }

    /// Reads the prompt, or the start of a piece.
    fn open(&self, request: &Request) -> Opening<'_> {
        let Some(prompt) = request.prompt() else { return self.begin(request.bars()) };
        let score = prompt.on_grid(self.vocabulary().steps_per_quarter());
        let (mut tokens, adjustments) = encode(&score, self.vocabulary());
        tokens.pop();
        // Silent bars before the first onset are not said; silent ones at the end must be.
        let onset = score.notes().map(|note| note.onset).min().unwrap_or_default();
        let silent = score.bars().take_while(|bar| bar.end() <= onset).count();
        let bar = self.vocabulary().id(Token::Bar);
        let said = tokens.iter().filter(|token| **token == bar).count();
        let bars = prompt.bars() + usize::from(prompt.has_upbeat());
        tokens.extend(std::iter::repeat_n(bar, bars.saturating_sub(silent + said)));
        let kept = tokens.iter().filter(|token| **token == bar).count();
        // The first bar to be composed.
        tokens.push(bar);
        let bars = kept + request.bars() - prompt.bars();
        let mut state = self.start(bars);
        tokens.iter().for_each(|token| self.advance(&mut state, *token));
        let remarks = if adjustments.is_empty() {
            Vec::new()
        } else {
            vec![format!(
                "the model does not know all that the prompt holds, and heard it so: {adjustments}; the prompt itself is kept as it is"
            )]
        };
        let from = state.place.cursor.bar_start();
        Opening { state, tokens, from, remarks }
    }

    /// Takes away what may not follow: grammar first; then the length: no end before the last bar, an onset in the last bar, no long
    /// silence.
    fn mask(&self, place: &Place<'_>, logits: &mut [f32]) {
        let (first_bar, in_last) = (place.cursor.bars() == 0, place.cursor.bars() >= place.bars);
        let (lowest, highest) = self.vocabulary().heard_range();
        let silent = place.onsets == 0 && !first_bar;
        // Where a bar may be left: for what may follow it. Once a metre is said, its bar does.
        let may_leave = place.cursor.permits(Token::End);
        let follows = place.cursor.kind().filter(|_| may_leave);
        let follows = follows.map(|kind| &self.follows[self.vocabulary().bar_index(kind)]);
        let rarity = |kind: BarKind| follows.map_or(0.0, |rarity| rarity[self.vocabulary().bar_index(kind)]);
        let after_pickup = place.after_pickup.filter(|_| may_leave && place.cursor.bars() == 1);
        let must_sound = silent && (in_last || place.empty >= EMPTY_BARS);
        for (k, logit) in logits.iter_mut().enumerate() {
            let token = self.vocabulary().token(TokenId(k as u32));
            let may = token.is_some_and(|token| {
                let leaves = match token {
                    Token::End => !in_last || must_sound,
                    Token::Bar => must_sound || after_pickup.is_some(),
                    Token::Meter(kind) => must_sound || after_pickup.is_some_and(|after| kind != after),
                    // Transposition widened the vocabulary beyond what any piece has; a duration announces one more note below.
                    Token::Duration(_) => place.cursor.lowest().is_some_and(|pitch| pitch <= lowest),
                    Token::Pitch(pitch) => pitch < lowest || pitch > highest,
                    _ => false,
                };
                !leaves && place.cursor.permits(token)
            });
            *logit = match token {
                _ if !may => f32::NEG_INFINITY,
                // What a network says seldom it learns last: how often the corpus does stands beside it.
                Some(Token::Bar) if may_leave => *logit + place.cursor.kind().map_or(0.0, rarity),
                Some(Token::Meter(kind)) if may_leave && after_pickup.is_none() => *logit + rarity(kind),
                _ => *logit,
            };
        }
    }

    /// A piece for each generator. `progress` is told the share of the bars that is written.
    fn write(
        &self,
        opening: &Opening<'_>,
        request: &Request,
        rngs: &mut [Rng],
        progress: Progress<'_>,
    ) -> Result<Vec<Composition>, ComposeError> {
        let habits = self.model.habits.as_ref();
        let intents: Vec<Intent<'_>> =
            rngs.iter_mut().map(|rng| Intent::of(habits, request, rng)).collect::<Result<_, _>>()?;
        // A pick-up is a bar more.
        let mut with_pickup: Option<Opening<'_>> = None;
        if intents.iter().any(|intent| intent.opening.is_some_and(|opening| opening.pickup.is_some())) {
            with_pickup = Some(self.begin(request.bars() + 1));
        }
        let pieces = intents.into_iter().map(|intent| {
            let pickup = intent.opening.and_then(|opening| opening.pickup);
            let opening = with_pickup.as_ref().filter(|_| pickup.is_some()).unwrap_or(opening);
            let after_pickup = pickup.and_then(|pickup| {
                self.whole_bar(&intent).filter(|whole| *whole != self.vocabulary().nearest_bar(pickup))
            });
            let mut place = opening.state.place.clone();
            place.after_pickup = after_pickup;
            (Piece { composer: self, intent, place, tokens: opening.tokens.clone() }, &opening.state.rows)
        });
        let pieces = self.model.write(pieces.collect(), &request.sampling, rngs, progress)?;
        Ok(pieces.iter().map(|piece| self.finish(piece, opening, request)).collect())
    }

    /// A whole bar of the metre that a piece is to have.
    fn whole_bar(&self, intent: &Intent<'_>) -> Option<BarKind> {
        let meter = intent.meter()?;
        let steps = u16::try_from(meter.bar(self.vocabulary().steps_per_quarter()).0).unwrap_or(u16::MAX);
        Some(self.vocabulary().nearest_bar(BarKind { steps, meter }))
    }

    fn finish(&self, piece: &Piece<'_>, opening: &Opening<'_>, request: &Request) -> Composition {
        let mut composed: Score = decode(&piece.tokens, self.vocabulary()).before(piece.place.cursor.bar_end());
        if piece.intent.is_known() {
            // The tempo's class is not the tempo.
            composed.tempos.clear();
        }
        let (low, high) = self.vocabulary().heard_range();
        piece.intent.finish(&mut composed, (low.get(), high.get()));
        accentuate(&mut composed, opening.from);
        let score = match request.prompt() {
            Some(prompt) => prompt.join(&composed, opening.from),
            None => composed,
        };
        Composition::new(score, opening.remarks.clone())
    }
}

/// Of each kind of bar of a vocabulary, how much rarer each kind follows in the corpus than the most frequent one, as a logarithm: minus
/// infinity of those that never do; after a kind of which nothing is known, all are alike.
fn following(habits: Option<&Habits>, vocabulary: &Vocabulary) -> Vec<Vec<f32>> {
    let kinds = vocabulary.bars().len();
    let mut counts = vec![vec![0u64; kinds]; kinds];
    let place = |kind: BarKind| vocabulary.bar_index(vocabulary.nearest_bar(kind));
    for (bar, next, count) in habits.into_iter().flat_map(Habits::follows) {
        counts[place(bar)][place(next)] += u64::from(count);
    }
    let rarity = |counts: &Vec<u64>| match counts.iter().max() {
        Some(most @ 1..) => counts.iter().map(|count| (*count as f32 / *most as f32).ln()).collect(),
        _ => vec![0.0; kinds],
    };
    counts.iter().map(rarity).collect()
}

/// The beginning of a piece, read.
struct Opening<'a> {
    state: State<'a>,
    tokens: Vec<TokenId>,
    /// Where the prompt ends.
    from: Ticks,
    /// What had to be changed of the prompt.
    remarks: Vec<String>,
}

/// A piece that is being written.
struct Piece<'a> {
    composer: &'a ChordComposer,
    intent: Intent<'a>,
    place: Place<'a>,
    tokens: Vec<TokenId>,
}

impl<'a> Draft for Piece<'a> {
    type Place = Place<'a>;

    fn place(&self) -> &Place<'a> {
        &self.place
    }

    /// The tempo and the first metre of a piece of its own.
    fn intended(&self) -> Option<TokenId> {
        let (cursor, vocabulary) = (&self.place.cursor, self.composer.vocabulary());
        if cursor.permits(Token::Tempo(0)) {
            let tempo = self.intent.tempo.or(self.intent.is_known().then_some(Tempo::DEFAULT))?;
            return Some(vocabulary.id(Token::Tempo(vocabulary.nearest_class(tempo))));
        }
        let opening = self.intent.opening.filter(|_| cursor.kind().is_none())?;
        let pickup = opening.pickup.map(|pickup| vocabulary.nearest_bar(pickup));
        let kind = pickup.or(self.composer.whole_bar(&self.intent))?;
        cursor.permits(Token::Meter(kind)).then(|| vocabulary.id(Token::Meter(kind)))
    }

    fn mask(&self, logits: &mut [f32]) {
        self.composer.mask(&self.place, logits);
    }

    fn take(&mut self, token: TokenId) -> bool {
        let goes_on = !self.place.completes(token);
        if goes_on {
            self.place.read(token);
            self.tokens.push(token);
        }
        goes_on
    }

    fn written(&self) -> (usize, usize) {
        (self.place.cursor.bars(), self.place.bars)
    }
}

/// Where a composition stands.
pub(super) struct State<'a> {
    place: Place<'a>,
    rows: Rows,
}

impl Autoregressive for ChordComposer {
    type State<'a> = State<'a>;

    fn start(&self, bars: usize) -> State<'_> {
        State { place: self.model.grammar.begin_bars(bars), rows: self.model.rows() }
    }

    fn advance(&self, state: &mut State<'_>, token: TokenId) {
        state.place.read(token);
        self.model.read(token, &state.place, &mut state.rows);
    }

    fn logits<'s>(&self, state: &'s mut State<'_>) -> &'s mut [f32] {
        let logits = self.model.predict(&state.place, &mut state.rows);
        self.mask(&state.place, logits);
        logits
    }
}

impl Composer for ChordComposer {
    fn spec(&self) -> &'static ComposerSpec {
        &SPEC
    }

    fn default_sampling(&self) -> Sampling {
        SAMPLING
    }

    fn describe(&self) -> Vec<(String, String)> {
        let (low, high) = self.vocabulary().pitch_range();
        let meters: std::collections::BTreeSet<String> =
            self.vocabulary().bars().iter().map(|kind| kind.meter.to_string()).collect();
        [
            ("network", self.model.describe()),
            ("vocabulary", format!("{} tokens, pitches {low} to {high}", self.vocabulary().len())),
            ("grid", format!("{} steps a quarter", self.vocabulary().steps_per_quarter().get())),
            ("metres", meters.into_iter().collect::<Vec<String>>().join(" ")),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
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

#[cfg(test)]
mod tests;
