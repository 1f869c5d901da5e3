//! Composing with the default network: the state is carried, one step of work a token.

use super::batches::indices;
use super::chords::PROTOCOL;
use super::network::{ChordSettings, context_sizes};
use super::{SAMPLING, SPEC};
use cantus_encoding::TokenId;
use cantus_encoding::note_chord::{BarKind, Cursor, Token, Vocabulary, decode, encode};
use cantus_model::{
    Autoregressive, ComposeError, Composer, ComposerSpec, Composition, Evaluation, Habits, Intent, Judge, Judgement,
    Kind, ModelError, ModelFile, Moment, Progress, Request, Rng, Sampling, accentuate, checkpoint, together,
};
use cantus_nn::inference::{Dense, Lookup, LstmCell, Scratch};
use cantus_score::{Score, Tempo, Ticks};

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
    habits: Option<Habits>,
    /// Of each kind of bar, how much rarer each kind follows in the corpus than the most frequent one, as a logarithm.
    follows: Vec<Vec<f32>>,
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
            follows: following(file.header.habits.as_ref(), &vocabulary),
            habits: file.header.habits.clone(),
            parameters: checkpoint::parameters(file),
            settings,
            vocabulary,
        })
    }

    /// The start of a piece of so many bars.
    fn begin(&self, bars: usize) -> Opening<'_> {
        let mut state = self.start(bars);
        let start = self.vocabulary.id(Token::Start);
        self.advance(&mut state, start);
        Opening { state, tokens: vec![start], from: Ticks::ZERO, remarks: Vec::new() }
    }

    /// Reads the prompt, or the start of a piece.
    fn open(&self, request: &Request) -> Opening<'_> {
        let Some(prompt) = request.prompt() else { return self.begin(request.bars()) };
        let score = prompt.on_grid(self.vocabulary.steps_per_quarter());
        let (mut tokens, adjustments) = encode(&score, &self.vocabulary);
        tokens.pop();
        // Silent bars before the first onset are not said; silent ones at the end must be.
        let onset = score.notes().map(|note| note.onset).min().unwrap_or_default();
        let silent = score.bars().take_while(|bar| bar.end() <= onset).count();
        let bar = self.vocabulary.id(Token::Bar);
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

    /// A row's input for the token that was read last.
    fn embed(&self, place: &Place<'_>, input: &mut [f32]) {
        input.copy_from_slice(self.token.row(place.last.0));
        for (table, index) in self.contexts.iter().zip(indices(place.cursor.context())) {
            input.iter_mut().zip(table.row(index)).for_each(|(sum, x)| *sum += x);
        }
    }

    /// Advances the network by a token, all rows at once.
    fn step(&self, rows: &mut Rows) {
        for (k, cell) in self.cells.iter().enumerate() {
            let (below, here) = rows.layers.split_at_mut(k);
            let x = below.last().map_or(&rows.input, |(h, _)| h);
            let (h, c) = &mut here[0];
            cell.step(x, h, c, &mut rows.scratch);
        }
    }

    /// The network's own logits of the next tokens, all of them.
    fn predict(&self, rows: &mut Rows) {
        let last = rows.layers.last().map_or(&rows.input, |(h, _)| h);
        self.output.forward(last, &mut rows.logits);
    }

    /// Takes away what may not follow: grammar first; then the length: no end before the last bar, an onset in the last bar, no long
    /// silence.
    fn mask(&self, place: &Place<'_>, logits: &mut [f32]) {
        let (first_bar, in_last) = (place.cursor.bars() == 0, place.cursor.bars() >= place.bars);
        let (lowest, highest) = self.vocabulary.heard_range();
        let silent = place.onsets == 0 && !first_bar;
        // Where a bar may be left: for what may follow it. Once a metre is said, its bar does.
        let may_leave = place.cursor.permits(Token::End);
        let follows = place.cursor.kind().filter(|_| may_leave);
        let follows = follows.map(|kind| &self.follows[self.vocabulary.bar_index(kind)]);
        let rarity = |kind: BarKind| follows.map_or(0.0, |rarity| rarity[self.vocabulary.bar_index(kind)]);
        let after_pickup = place.after_pickup.filter(|_| may_leave && place.cursor.bars() == 1);
        let must_sound = silent && (in_last || place.empty >= EMPTY_BARS);
        for (k, logit) in logits.iter_mut().enumerate() {
            let token = self.vocabulary.token(TokenId(k as u32));
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

    /// A piece for each generator, all going forward a token at a time: the weights are read once for all of them. Each piece is what
    /// it would be alone. `progress` is told the share of the bars that is written.
    fn write(
        &self,
        opening: &Opening<'_>,
        request: &Request,
        rngs: &mut [Rng],
        progress: Progress<'_>,
    ) -> Result<Vec<Composition>, ComposeError> {
        // A pick-up is a bar more.
        let mut with_pickup: Option<Opening<'_>> = None;
        let (mut pieces, mut states): (Vec<Piece<'_>>, Vec<&Rows>) = (Vec::new(), Vec::new());
        let intents: Vec<Intent<'_>> =
            rngs.iter_mut().map(|rng| Intent::of(self.habits.as_ref(), request, rng)).collect::<Result<_, _>>()?;
        if intents.iter().any(|intent| intent.opening.is_some_and(|opening| opening.pickup.is_some())) {
            with_pickup = Some(self.begin(request.bars() + 1));
        }
        for (number, intent) in intents.into_iter().enumerate() {
            let pickup = intent.opening.and_then(|opening| opening.pickup);
            let opening = with_pickup.as_ref().filter(|_| pickup.is_some()).unwrap_or(opening);
            let after_pickup = pickup.and_then(|pickup| {
                self.whole_bar(&intent).filter(|whole| *whole != self.vocabulary.nearest_bar(pickup))
            });
            let place = Place { after_pickup, ..opening.state.place.clone() };
            pieces.push(Piece { number, intent, place, tokens: opening.tokens.clone() });
            states.push(&opening.state.rows);
        }
        let mut rows = Rows::stacked(&states);
        let mut done: Vec<Option<Composition>> = vec![None; pieces.len()];
        let all = pieces.iter().map(|piece| piece.place.bars).sum::<usize>() as f64;
        let mut finished = 0;
        let (size, width) = (self.vocabulary.len(), self.token.width());
        let mut reported = 0;
        while !pieces.is_empty() {
            self.predict(&mut rows);
            // From the last to the first: a piece that is finished leaves, and the last one takes its row.
            for k in (0..pieces.len()).rev() {
                let piece = &mut pieces[k];
                let next = match self.intended(piece) {
                    Some(token) => self.vocabulary.id(token),
                    None => {
                        let logits = &mut rows.logits[k * size..(k + 1) * size];
                        self.mask(&piece.place, logits);
                        let next = request.sampling.draw(logits, &mut rngs[piece.number]);
                        TokenId(next.ok_or(ComposeError::NoToken)? as u32)
                    }
                };
                if piece.place.completes(next, &self.vocabulary) {
                    let piece = pieces.swap_remove(k);
                    rows.swap_remove(k);
                    finished += piece.place.bars;
                    done[piece.number] = Some(self.finish(&piece, opening, request));
                } else {
                    piece.place.read(next, &self.vocabulary);
                    piece.tokens.push(next);
                    self.embed(&piece.place, &mut rows.input[k * width..(k + 1) * width]);
                }
            }
            self.step(&mut rows);
            let written = finished + pieces.iter().map(|piece| piece.place.cursor.bars()).sum::<usize>();
            if written > reported {
                reported = written;
                if progress(written as f64 / all).is_break() {
                    return Err(ComposeError::Stopped);
                }
            }
        }
        Ok(done.into_iter().flatten().collect())
    }

    /// What comes next where it is not for the network to say: the tempo and the first metre of a piece of its own.
    fn intended(&self, piece: &Piece<'_>) -> Option<Token> {
        let cursor = &piece.place.cursor;
        if cursor.permits(Token::Tempo(0)) {
            let tempo = piece.intent.tempo.or(piece.intent.is_known().then_some(Tempo::DEFAULT))?;
            return Some(Token::Tempo(self.vocabulary.nearest_class(tempo)));
        }
        let opening = piece.intent.opening.filter(|_| cursor.kind().is_none())?;
        let kind = opening.pickup.map(|pickup| self.vocabulary.nearest_bar(pickup)).or(self.whole_bar(&piece.intent))?;
        cursor.permits(Token::Meter(kind)).then_some(Token::Meter(kind))
    }

    /// A whole bar of the metre that a piece is to have.
    fn whole_bar(&self, intent: &Intent<'_>) -> Option<BarKind> {
        let meter = intent.meter()?;
        let steps = u16::try_from(meter.bar(self.vocabulary.steps_per_quarter()).0).unwrap_or(u16::MAX);
        Some(self.vocabulary.nearest_bar(BarKind { steps, meter }))
    }

    fn finish(&self, piece: &Piece<'_>, opening: &Opening<'_>, request: &Request) -> Composition {
        let mut composed: Score = decode(&piece.tokens, &self.vocabulary).before(piece.place.cursor.bar_end());
        if piece.intent.is_known() {
            // The tempo's class is not the tempo.
            composed.tempos.clear();
        }
        let (low, high) = self.vocabulary.heard_range();
        piece.intent.finish(&mut composed, (low.get(), high.get()));
        accentuate(&mut composed, opening.from);
        let score = match request.prompt() {
            Some(prompt) => prompt.join(&composed, opening.from),
            None => composed,
        };
        Composition { score, remarks: opening.remarks.clone() }
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
    number: usize,
    intent: Intent<'a>,
    place: Place<'a>,
    tokens: Vec<TokenId>,
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
        let mut moments = Vec::new();
        let mut place = Cursor::new(&self.vocabulary);
        tokens.iter().take(1).for_each(|token| place.advance(*token));
        for pair in tokens.windows(2) {
            self.advance(&mut state, pair[0]);
            self.predict(&mut state.rows);
            let (logits, target) = (&state.rows.logits, pair[1].0 as usize);
            let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let sum: f64 = logits.iter().map(|z| f64::from(z - highest).exp()).sum();
            let nats = sum.ln() - f64::from(logits[target] - highest);
            figures.nats += nats;
            place.advance(pair[1]);
            let at = match self.vocabulary.token(pair[1]) {
                // What follows the open bar.
                Some(Token::Meter(_) | Token::End) => place.bar_end(),
                Some(Token::Bar) => place.bar_start(),
                _ => place.onset(),
            };
            moments.push(Moment { at: at.rescale(self.vocabulary.steps_per_quarter(), piece.ticks_per_quarter), nats });
            figures.tokens += 1.0;
            // The first of several likeliest, as in training.
            figures.correct += if logits.iter().position(|z| *z == highest) == Some(target) { 1.0 } else { 0.0 };
        }
        Judgement { figures, moments, is_adjusted: !adjustments.is_empty() }
    }
}

/// Where a composition stands.
pub(super) struct State<'a> {
    place: Place<'a>,
    rows: Rows,
}

/// Where a piece stands.
#[derive(Clone)]
struct Place<'a> {
    cursor: Cursor<'a>,
    last: TokenId,
    /// Bars of the piece, as the cursor counts them.
    bars: usize,
    /// The kind of bar after the first, where that is a pick-up.
    after_pickup: Option<BarKind>,
    /// Onsets in the open bar, and bars without one before it.
    onsets: usize,
    empty: usize,
}

impl Place<'_> {
    fn read(&mut self, token: TokenId, vocabulary: &Vocabulary) {
        self.cursor.advance(token);
        self.last = token;
        match vocabulary.token(token) {
            Some(Token::Bar) => {
                self.empty = if self.onsets == 0 { self.empty + 1 } else { 0 };
                self.onsets = 0;
            }
            Some(Token::Position(_)) => self.onsets += 1,
            _ => {}
        }
    }

    /// Whether the last bar is written and `token` would leave it.
    fn completes(&self, token: TokenId, vocabulary: &Vocabulary) -> bool {
        let leaves = matches!(vocabulary.token(token), Some(Token::Bar | Token::Meter(_) | Token::End));
        leaves && self.cursor.bars() >= self.bars
    }
}

/// What the network holds of pieces that go forward together, a row for each.
#[derive(Clone)]
struct Rows {
    /// `[n, E]`
    input: Vec<f32>,
    /// Outputs and cells of each layer, `[n, H]`.
    layers: Vec<(Vec<f32>, Vec<f32>)>,
    /// `[n, V]`
    logits: Vec<f32>,
    scratch: Scratch,
    n: usize,
}

impl Rows {
    /// Copies of single rows, one after another.
    fn stacked(rows: &[&Rows]) -> Rows {
        let all = |values: &dyn Fn(&Rows) -> &[f32]| -> Vec<f32> {
            rows.iter().flat_map(|row| values(row).iter().copied()).collect()
        };
        let layers = rows.first().map_or(0, |row| row.layers.len());
        Rows {
            input: all(&|row| &row.input),
            layers: (0..layers).map(|k| (all(&|row| &row.layers[k].0), all(&|row| &row.layers[k].1))).collect(),
            logits: all(&|row| &row.logits),
            scratch: Scratch::new(),
            n: rows.len(),
        }
    }

    /// Takes row `k` away and puts the last one in its place.
    fn swap_remove(&mut self, k: usize) {
        let last = self.n - 1;
        let states = self.layers.iter_mut().flat_map(|(h, c)| [h, c]);
        for values in states.chain([&mut self.input, &mut self.logits]) {
            let width = values.len() / (last + 1);
            values.copy_within(last * width.., k * width);
            values.truncate(last * width);
        }
        self.n = last;
    }
}

impl Autoregressive for ChordComposer {
    type State<'a> = State<'a>;

    fn start(&self, bars: usize) -> State<'_> {
        let zeros = |cell: &LstmCell| (vec![0.0; cell.hidden()], vec![0.0; cell.hidden()]);
        let cursor = Cursor::with_length(&self.vocabulary, bars);
        State {
            place: Place {
                cursor,
                last: self.vocabulary.id(Token::Start),
                bars,
                after_pickup: None,
                onsets: 0,
                empty: 0,
            },
            rows: Rows {
                input: vec![0.0; self.token.width()],
                layers: self.cells.iter().map(zeros).collect(),
                logits: vec![0.0; self.vocabulary.len()],
                scratch: Scratch::new(),
                n: 1,
            },
        }
    }

    fn advance(&self, state: &mut State<'_>, token: TokenId) {
        state.place.read(token, &self.vocabulary);
        self.embed(&state.place, &mut state.rows.input);
        self.step(&mut state.rows);
    }

    fn logits<'s>(&self, state: &'s mut State<'_>) -> &'s mut [f32] {
        self.predict(&mut state.rows);
        self.mask(&state.place, &mut state.rows.logits);
        &mut state.rows.logits
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
        let mut composed = self.compose_all(request, std::slice::from_mut(rng), progress)?;
        composed.pop().ok_or(ComposeError::NoToken)
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

#[cfg(test)]
mod tests;
