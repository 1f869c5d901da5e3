//! Composing with the default network: the state is carried, one step of work a token.

use super::batches::indices;
use super::chords::PROTOCOL;
use super::network::{ChordSettings, context_sizes};
use super::{SAMPLING, SPEC, checkpoint};
use cantus_encoding::TokenId;
use cantus_encoding::note_chord::{Cursor, Token, Vocabulary, decode, encode};
use cantus_model::{
    Autoregressive, ComposeError, Composer, ComposerSpec, Composition, Evaluation, Judge, Judgement, Kind, ModelError,
    ModelFile, Progress, Request, Rng, Sampling, accentuate,
};
use cantus_nn::inference::{Dense, Lookup, LstmCell, Scratch};
use cantus_score::{Score, Ticks};

/// The longest piece that is composed at once.
const MOST_BARS: usize = 10_000;
/// Bars without an onset that may follow one another.
const EMPTY_BARS: usize = 1;

/// A trained network, ready to compose.
#[derive(Debug)]
pub(super) struct ChordComposer {
    settings: ChordSettings,
    vocabulary: Vocabulary,
    token: Lookup,
    contexts: Vec<Lookup>,
    cells: Vec<LstmCell>,
    output: Dense,
    parameters: usize,
}

impl ChordComposer {
    pub(super) fn load(file: &ModelFile) -> Result<ChordComposer, ModelError> {
        let metadata = |problem: String| ModelError::Metadata { problem };
        let settings: ChordSettings =
            serde_json::from_value(file.header.settings.clone()).map_err(|e| metadata(e.to_string()))?;
        settings.check().map_err(metadata)?;
        let vocabulary: Vocabulary =
            serde_json::from_value(file.header.encoding["note_chord"].clone()).map_err(|e| metadata(e.to_string()))?;
        let ChordSettings { embedding, hidden, layers, .. } = settings;
        let table = |name: &str, rows: usize| {
            Ok::<_, ModelError>(Lookup::new(embedding, file.tensor(name, &[rows, embedding])?.to_vec()))
        };
        let cell = |layer: usize| {
            let input = if layer == 0 { embedding } else { hidden };
            let tensor = |name: &str, shape: &[usize]| file.tensor(&format!("lstms.{layer}.{name}"), shape);
            let (w_ih, w_hh) = (tensor("w_ih", &[4 * hidden, input])?, tensor("w_hh", &[4 * hidden, hidden])?);
            Ok::<_, ModelError>(LstmCell::new(input, hidden, w_ih, w_hh, tensor("bias", &[4 * hidden])?))
        };
        let size = vocabulary.len();
        let sizes = context_sizes(&vocabulary);
        Ok(ChordComposer {
            token: table("token.table", size)?,
            contexts: (0..sizes.len())
                .map(|k| table(&format!("contexts.{k}.table"), sizes[k]))
                .collect::<Result<_, _>>()?,
            cells: (0..layers).map(cell).collect::<Result<_, _>>()?,
            output: Dense::new(
                hidden,
                size,
                file.tensor("output.weight", &[size, hidden])?,
                file.tensor("output.bias", &[size])?,
            ),
            parameters: checkpoint::parameters(file),
            settings,
            vocabulary,
        })
    }

    /// Reads the prompt (or the start of a piece); returns its tokens, the bars of the piece as the cursor counts them, and what
    /// had to be changed.
    fn open(&self, request: &Request) -> (State<'_>, Vec<TokenId>, usize, Vec<String>) {
        let Some(prompt) = &request.prompt else {
            let mut state = self.start(request.bars);
            let start = self.vocabulary.id(Token::Start);
            self.advance(&mut state, start);
            return (state, vec![start], request.bars, Vec::new());
        };
        let score = prompt.on_grid(self.vocabulary.steps_per_quarter());
        let (mut tokens, adjustments) = encode(&score, &self.vocabulary);
        tokens.pop();
        // Silent bars before the first onset are not said; silent ones at the end must be.
        let onset = score.notes().map(|note| note.onset).min().unwrap_or_default();
        let silent = score.bars().take_while(|bar| bar.end() <= onset).count();
        let bar = self.vocabulary.id(Token::Bar);
        let said = tokens.iter().filter(|token| **token == bar).count();
        tokens.extend(std::iter::repeat_n(bar, (prompt.bars() - silent).saturating_sub(said)));
        let kept = tokens.iter().filter(|token| **token == bar).count();
        // The first bar to be composed.
        tokens.push(bar);
        let bars = kept + request.bars - prompt.bars();
        let mut state = self.start(bars);
        tokens.iter().for_each(|token| self.advance(&mut state, *token));
        let remarks = if adjustments.is_empty() {
            Vec::new()
        } else {
            vec![format!(
                "the model does not know all that the prompt holds, and heard it so: {adjustments}; the prompt itself is kept as it is"
            )]
        };
        (state, tokens, bars, remarks)
    }
}

impl ChordComposer {
    /// The network's own logits of the next token, all of them.
    fn predict(&self, state: &mut State<'_>) {
        let last = state.layers.last().map_or(&state.input, |(h, _)| h);
        self.output.forward(last, &mut state.logits);
    }
}

impl Judge for ChordComposer {
    fn kind(&self) -> Kind {
        Kind::Exact
    }

    fn protocol(&self) -> String {
        PROTOCOL.to_owned()
    }

    fn judge(&self, piece: &Score) -> Judgement {
        let (tokens, adjustments) = encode(piece, &self.vocabulary);
        let bar = self.vocabulary.id(Token::Bar);
        let mut state = self.start(tokens.iter().filter(|token| **token == bar).count());
        let quarters = piece.end().quarters(piece.ticks_per_quarter);
        let mut figures = Evaluation { quarters, ..Evaluation::default() };
        for pair in tokens.windows(2) {
            self.advance(&mut state, pair[0]);
            self.predict(&mut state);
            let (logits, target) = (&state.logits, pair[1].0 as usize);
            let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let sum: f64 = logits.iter().map(|z| f64::from(z - highest).exp()).sum();
            figures.nats += sum.ln() - f64::from(logits[target] - highest);
            figures.tokens += 1.0;
            // The first of several likeliest, as in training.
            figures.correct += if logits.iter().position(|z| *z == highest) == Some(target) { 1.0 } else { 0.0 };
        }
        Judgement { figures, is_adjusted: !adjustments.is_empty() }
    }
}

/// Where a composition stands.
pub(super) struct State<'a> {
    cursor: Cursor<'a>,
    last: TokenId,
    /// Outputs and cells of each layer.
    layers: Vec<(Vec<f32>, Vec<f32>)>,
    input: Vec<f32>,
    scratch: Scratch,
    logits: Vec<f32>,
    bars: usize,
    /// Onsets in the open bar, and bars without one before it.
    onsets: usize,
    empty: usize,
}

impl State<'_> {
    /// Whether the last bar is written and `token` would leave it.
    fn completes(&self, token: TokenId, vocabulary: &Vocabulary) -> bool {
        let leaves = matches!(vocabulary.token(token), Some(Token::Bar | Token::Meter(_) | Token::End));
        leaves && self.cursor.bars() >= self.bars
    }
}

impl Autoregressive for ChordComposer {
    type State<'a> = State<'a>;

    fn start(&self, bars: usize) -> State<'_> {
        State {
            cursor: Cursor::with_length(&self.vocabulary, bars),
            last: self.vocabulary.id(Token::Start),
            layers: self.cells.iter().map(|cell| (vec![0.0; cell.hidden()], vec![0.0; cell.hidden()])).collect(),
            input: vec![0.0; self.token.width()],
            scratch: Scratch::new(),
            logits: vec![0.0; self.vocabulary.len()],
            bars,
            onsets: 0,
            empty: 0,
        }
    }

    fn advance(&self, state: &mut State<'_>, token: TokenId) {
        state.cursor.advance(token);
        state.last = token;
        match self.vocabulary.token(token) {
            Some(Token::Bar) => {
                state.empty = if state.onsets == 0 { state.empty + 1 } else { 0 };
                state.onsets = 0;
            }
            Some(Token::Position(_)) => state.onsets += 1,
            _ => {}
        }
        state.input.copy_from_slice(self.token.row(token.0));
        for (table, index) in self.contexts.iter().zip(indices(state.cursor.context())) {
            state.input.iter_mut().zip(table.row(index)).for_each(|(sum, x)| *sum += x);
        }
        for (k, cell) in self.cells.iter().enumerate() {
            let (below, here) = state.layers.split_at_mut(k);
            let x = below.last().map_or(&state.input, |(h, _)| h);
            let (h, c) = &mut here[0];
            cell.step(x, h, c, &mut state.scratch);
        }
    }

    fn logits<'s>(&self, state: &'s mut State<'_>) -> &'s mut [f32] {
        self.predict(state);
        // Grammar first; then the length: no end before the last bar, an onset in the last bar, no long silence.
        let (first_bar, in_last) = (state.cursor.bars() == 0, state.cursor.bars() >= state.bars);
        let (lowest, highest) = self.vocabulary.heard_range();
        let silent = state.onsets == 0 && !first_bar;
        let must_sound = silent && (in_last || state.empty >= EMPTY_BARS);
        for (k, logit) in state.logits.iter_mut().enumerate() {
            let id = TokenId(k as u32);
            let leaves = match self.vocabulary.token(id) {
                Some(Token::End) => !in_last || must_sound,
                Some(Token::Bar | Token::Meter(_)) => must_sound,
                // Transposition widened the vocabulary beyond what any piece has; a duration announces one more note below.
                Some(Token::Duration(_)) => state.cursor.lowest().is_some_and(|pitch| pitch <= lowest),
                Some(Token::Pitch(pitch)) => pitch < lowest || pitch > highest,
                _ => false,
            };
            if leaves || !state.cursor.allows(id) {
                *logit = f32::NEG_INFINITY;
            }
        }
        &mut state.logits
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
        let (low, high) = self.vocabulary.pitch_range();
        let meters: std::collections::BTreeSet<String> =
            self.vocabulary.bars().iter().map(|kind| kind.meter.to_string()).collect();
        let ChordSettings { embedding, hidden, layers, .. } = self.settings;
        [
            (
                "network",
                format!("embedding {embedding}, {layers} LSTM layers of {hidden}, {} parameters", self.parameters),
            ),
            ("vocabulary", format!("{} tokens, pitches {low} to {high}", self.vocabulary.len())),
            ("grid", format!("{} steps a quarter", self.vocabulary.steps_per_quarter().get())),
            ("metres", meters.into_iter().collect::<Vec<String>>().join(" ")),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }

    fn compose(&self, request: &Request, rng: &mut Rng, progress: Progress<'_>) -> Result<Composition, ComposeError> {
        request.check(MOST_BARS)?;
        let (mut state, mut tokens, bars, remarks) = self.open(request);
        let from = request.prompt.as_ref().map_or(Ticks::ZERO, |_| state.cursor.bar_start());
        let mut reported = 0;
        loop {
            let next = request.sampling.draw(self.logits(&mut state), rng).ok_or(ComposeError::NoToken)?;
            let next = TokenId(next as u32);
            if state.completes(next, &self.vocabulary) {
                break;
            }
            self.advance(&mut state, next);
            tokens.push(next);
            if state.cursor.bars() > reported {
                reported = state.cursor.bars();
                if progress(reported as f64 / bars as f64).is_break() {
                    return Err(ComposeError::Stopped);
                }
            }
        }
        let end = state.cursor.bar_end();
        let mut composed: Score = decode(&tokens, &self.vocabulary).before(end);
        accentuate(&mut composed, from);
        let score = match &request.prompt {
            Some(prompt) => prompt.join(&composed, from),
            None => composed,
        };
        Ok(Composition { score, remarks })
    }

    fn judge(&self) -> Option<&dyn Judge> {
        Some(self)
    }
}

#[cfg(test)]
mod tests;
