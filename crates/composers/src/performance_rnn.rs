//! `performance_rnn`: writes music as a player makes it, in hundredths of a second: keys go down and up, how hard, and the pedal.
//!
//! Source: I. Simon and S. Oore, Performance RNN: Generating Music with Expressive Timing and Dynamics, Magenta, 2017.
//!
//! Departures: the encoding's ([`cantus_encoding::performance`]): the 88 keys of a piano, the pedal in words of its own, one spelling of a
//! moment, no probability on others. Whole pieces with the state carried, where the source cuts every 30 s at 512 events. The default is
//! small enough for a laptop: two layers of 256; it is told beside each word what a player feels: loudness, pedal, keys held, strokes of the
//! moment, time since the last one. `paper` has the source's sizes and training. Read as `performed`, pedal is made length, as in the
//! source. The source's controls (density, pitch classes) are absent. No composition has a longer note, or keeps the pedal down for longer,
//! than the corpus does.
//!
//! Cost: the default, 1.0 million parameters, takes 6 MFLOP a word in training.

use cantus_encoding::TokenId;
use cantus_encoding::performance::{
    Cursor, GRID, KEYS, Keys, LEVELS, LONGEST_WAIT, Token, Vocabulary, canonicalize, decode, encode,
};
use cantus_model::tokens::{Draft, Grammar, Place, Rows, TokenModel, TokenTrainer};
use cantus_model::{
    Around, ComposeError, Composer, ComposerSpec, Composition, Configuration, Control, CreateError, Intent, Judge,
    ModelError, ModelFile, Progress, Prompt, Request, Rng, Sampling, Sizes, TrainingSet, alone, together,
};
use cantus_score::{
    Meter, PedalSpan, Reading, STEPS_PER_SECOND, Score, Tempo, Ticks, TicksPerQuarter, pedalled, performed,
};
use serde::{Deserialize, Serialize};
use std::ops::Range;

#[cfg(test)]
mod tests;

/// The registry's entry.
pub static SPEC: ComposerSpec = ComposerSpec {
    id: "performance_rnn",
    version: 1,
    writes: "playing that breathes: every stroke, release and pedal change as a player makes it, off any grid",
    suits: "recordings of players: transcribed or captured performances on the piano",
    is_made_for: None,
    title: "an LSTM over strokes, releases, loudness, pedal, and waits of 10 ms to 1 s",
    source: "Simon and Oore 2017 (Performance RNN)",
    departures: "88 keys, pedal in words of its own (as `pedalled`; `performed` makes it length, as in the source), one spelling of a moment; \
                 whole pieces, state carried; what a player feels beside each word; no controls yet",
    reads: &[Reading::Pedalled, Reading::Performed],
    encoding: "performance",
    around: &[Around::Beginning],
    abilities: &[],
    controls: &[Control::Key, Control::Meter, Control::Seconds],
    configurations: &[
        Configuration {
            name: "default",
            summary: "two LSTM layers of 256",
            settings: r#"{"transposition":3,"window":128}"#,
            sizes: Some(Sizes {
                small: r#"{"hidden":128,"embedding":64,"learning_rate":0.003}"#,
                large: r#"{"hidden":512,"embedding":256,"batch":32,"learning_rate":0.0015}"#,
            }),
            tiny: r#"{"hidden":24,"embedding":16,"batch":4,"window":24,"dropout":0.0,"input_dropout":0.0,"transposition":0,
                      "learning_rate":0.01}"#,
        },
        Configuration {
            name: "paper",
            summary: "the source's sizes: three LSTM layers of 512, no dropout (with `--reading performed` its pedal, too)",
            settings: r#"{"embedding":512,"hidden":512,"layers":3,"dropout":0.0,"input_dropout":0.0,"batch":64,"window":512,
                          "transposition":3,"learning_rate":0.001,"weight_decay":0.0,"clip":3.0}"#,
            sizes: None,
            tiny: r#"{"hidden":16,"embedding":16,"layers":2,"batch":4,"window":24,"transposition":0,"learning_rate":0.01}"#,
        },
    ],
    create: Some(|settings, set, seed| Ok(Box::new(TokenTrainer::<Playing>::new(settings, set, seed)?))),
    load: |file| Ok(Box::new(Player::load(file)?)),
};

/// The sampling that pieces are composed with unless told otherwise: the model's own. With a top-p of 0.98 touch and pedal are narrower than
/// players have them.
const SAMPLING: Sampling = Sampling { temperature: 1.0, top_k: 0, top_p: 1.0 };

/// How much slower and faster performances are learnt, too.
const STRETCHES: [f64; 4] = [0.95, 0.975, 1.025, 1.05];
/// Keys held, and strokes of a moment, that are told from one another.
const COUNTED: usize = 9;
/// Octaves of the time since the last stroke, and of the time that the pedal is down, that are told from one another.
const OCTAVES: usize = 10;
/// Milliseconds of a step: compositions are written at so many ticks of it.
const FINE: u32 = 1000 / STEPS_PER_SECOND;

/// It has no settings but those of all composers of tokens.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Own {}

/// The words of performances.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Playing {
    #[serde(flatten)]
    vocabulary: Vocabulary,
    /// Whether the corpus was read as it was played: only then may it be slower and faster, and is counted in seconds.
    #[serde(default)]
    is_played: bool,
}

impl Grammar for Playing {
    type OwnSettings = Own;
    type Place<'g> = Moment<'g>;

    const NAME: &'static str = "performance";
    const PROTOCOL: &'static str =
        "all words after the start of each piece, in its own key and tempo, the end not predicted; mean over words";
    const FORBIDS: bool = true;

    fn spec() -> &'static ComposerSpec {
        &SPEC
    }

    fn of(set: &TrainingSet, _transposition: u8) -> Result<Playing, CreateError> {
        Ok(Playing { vocabulary: Vocabulary::build(set.all(), set.reading)?, is_played: set.reading.is_played() })
    }

    fn size(&self) -> usize {
        self.vocabulary.len()
    }

    /// Loudness, pedal, keys held, strokes of the moment, time since the last stroke.
    fn contexts(&self) -> Vec<usize> {
        vec![usize::from(LEVELS) + 1, OCTAVES + 1, COUNTED, COUNTED, OCTAVES + 1]
    }

    fn encode(&self, piece: &Score) -> (Vec<TokenId>, bool) {
        let (tokens, adjustments) = encode(piece, &self.vocabulary);
        (tokens, !adjustments.is_empty())
    }

    fn is_of_notes(&self, token: TokenId) -> bool {
        matches!(self.vocabulary.token(token), Some(Token::Wait(_) | Token::Strike(_) | Token::Release(_)))
    }

    fn takes(&self) -> usize {
        if self.is_played { 1 + STRETCHES.len() } else { 1 }
    }

    fn take(&self, piece: &Score, take: usize) -> Score {
        let by = STRETCHES[take - 1];
        timed(canonicalize(piece, &self.vocabulary), |ticks| Ticks((ticks.0 as f64 * by).round() as u64))
    }

    fn begin(&self, _tokens: &[TokenId]) -> Moment<'_> {
        Moment { vocabulary: &self.vocabulary, cursor: Cursor::default() }
    }

    fn may_begin(&self, token: TokenId) -> bool {
        matches!(self.vocabulary.token(token), Some(Token::Wait(_)))
    }

    fn shifts(&self, tokens: &[TokenId], transposition: u8) -> Range<i32> {
        let keys = tokens.iter().filter_map(|token| match self.vocabulary.token(*token) {
            Some(Token::Strike(key)) => Some(key),
            _ => None,
        });
        let (low, high) = keys.fold((KEYS - 1, 0), |(low, high), key| (low.min(key), high.max(key)));
        let (down, up) = (transposition.min(low), transposition.min(KEYS - 1 - high));
        -i32::from(down)..i32::from(up) + 1
    }

    /// Keys are numbered in order, so that transposition is addition.
    fn moved(&self, token: TokenId, semitones: i32) -> TokenId {
        match self.vocabulary.token(token) {
            Some(Token::Strike(_) | Token::Release(_)) => TokenId(token.0.saturating_add_signed(semitones)),
            _ => token,
        }
    }
}

/// A place in a performance.
#[derive(Clone)]
struct Moment<'g> {
    vocabulary: &'g Vocabulary,
    cursor: Cursor,
}

impl Place for Moment<'_> {
    fn read(&mut self, token: TokenId) {
        if let Some(token) = self.vocabulary.token(token) {
            self.cursor.advance(token);
        }
    }

    fn at(&self, _last: TokenId) -> (Ticks, TicksPerQuarter) {
        (Ticks(self.cursor.now().into()), GRID)
    }

    fn contexts(&self, known: &mut Vec<u32>) {
        let ago = |at: u32| ((self.cursor.now() - at + 1).ilog2() as usize).min(OCTAVES - 1) as u32;
        let counted = |count: usize| count.min(COUNTED - 1) as u32;
        known.extend([
            self.cursor.level().map_or(u32::from(LEVELS), u32::from),
            self.cursor.pedal_since().map_or(OCTAVES as u32, ago),
            counted(self.cursor.sounding().count()),
            counted(self.cursor.strokes()),
            self.cursor.last_stroke().map_or(OCTAVES as u32, ago),
        ]);
    }

    fn forbid(&self, logits: &mut [f32]) {
        for (logit, may) in logits.iter_mut().zip(self.cursor.permitted(self.vocabulary)) {
            if !may {
                *logit = f32::NEG_INFINITY;
            }
        }
    }
}

/// A trained network, ready to compose.
#[derive(Debug)]
struct Player {
    model: TokenModel<Playing>,
}

/// The beginning of a piece, read.
struct Opening<'a> {
    place: Moment<'a>,
    rows: Rows,
    tokens: Vec<TokenId>,
    /// The step at which what is composed begins.
    from: u32,
    /// Ticks to the quarter of what follows, and its metre.
    fine: TicksPerQuarter,
    meter: Meter,
    remarks: Vec<String>,
}

impl Player {
    fn load(file: &ModelFile) -> Result<Player, ModelError> {
        Ok(Player { model: TokenModel::load(file)? })
    }

    fn vocabulary(&self) -> &Vocabulary {
        &self.model.grammar.vocabulary
    }

    /// Reads the prompt, or the start of a piece.
    fn open(&self, request: &Request) -> Opening<'_> {
        let mut opening = Opening {
            place: self.model.grammar.begin(&[]),
            rows: self.model.rows(),
            tokens: vec![Vocabulary::id(Token::Start)],
            from: 0,
            fine: ticks_at(Tempo::DEFAULT),
            meter: Meter::COMMON,
            remarks: Vec::new(),
        };
        let mut end = 0;
        if let Some(prompt) = request.prompt() {
            let kept = prompt.score();
            let read = if self.vocabulary().has_pedal() { pedalled(kept) } else { performed(kept) };
            let (tokens, adjustments) = encode(&read, self.vocabulary());
            opening.tokens = tokens;
            let seconds = kept.tempo_map().seconds(prompt.end_in(kept));
            end = (seconds * f64::from(STEPS_PER_SECOND)).round() as u32;
            // What follows keeps the prompt's last tempo and metre.
            opening.fine = ticks_at(kept.tempos.last().map_or(Tempo::DEFAULT, |(_, tempo)| *tempo));
            opening.meter = kept.meters.last().map_or(opening.meter, |(_, meter)| *meter);
            if !adjustments.is_empty() {
                opening.remarks.push(format!(
                    "the model does not know all that the prompt holds, and heard it with {adjustments}; the prompt itself is kept as it is"
                ));
            }
        }
        for token in &opening.tokens {
            opening.place.read(*token);
            self.model.read(*token, &opening.place, &mut opening.rows);
        }
        // A last note that was cut to less than a step is a step long.
        opening.from = opening.place.cursor.now().max(end);
        opening
    }

    /// A piece for each generator. `progress` is told the share of the steps that is written.
    fn write(
        &self,
        opening: &Opening<'_>,
        request: &Request,
        rngs: &mut [Rng],
        progress: Progress<'_>,
    ) -> Result<Vec<Composition>, ComposeError> {
        let habits = self.model.habits.as_ref();
        let bars = request.bars() - request.prompt().map_or(0, Prompt::bars);
        let mut intents = Vec::with_capacity(rngs.len());
        let mut pieces = Vec::with_capacity(rngs.len());
        for rng in rngs.iter_mut() {
            let intent = Intent::of(habits, request, rng)?;
            let span = Span::of(opening, intent.meter().unwrap_or(opening.meter), bars);
            let piece = Piece { place: opening.place.clone(), span, tokens: opening.tokens.clone() };
            intents.push(intent);
            pieces.push((piece, &opening.rows));
        }
        let pieces = self.model.write(pieces, &request.sampling, rngs, progress)?;
        Ok(pieces.iter().zip(&intents).map(|(piece, intent)| self.finish(piece, intent, opening, request)).collect())
    }

    fn finish(&self, piece: &Piece<'_>, intent: &Intent<'_>, opening: &Opening<'_>, request: &Request) -> Composition {
        let Span { from, meter, fine, ticks, .. } = piece.span;
        let composed = decode(&piece.tokens, self.vocabulary()).after(Ticks(from.into()));
        let mut composed = Score { ticks_per_quarter: fine, ..timed(composed, |at| Ticks(at.0 * u64::from(FINE))) };
        composed.meters.push((Ticks::ZERO, meter));
        let mut composed = composed.before(ticks);
        let (low, high) = self.vocabulary().heard_range();
        intent.finish(&mut composed, (Vocabulary::pitch(low).get(), Vocabulary::pitch(high).get()));
        let score = match request.prompt() {
            Some(prompt) => prompt.join(&composed, Ticks::ZERO),
            None => composed,
        };
        Composition::new(score, opening.remarks.clone())
    }
}

/// Ticks of a millisecond to a quarter.
fn ticks_at(tempo: Tempo) -> TicksPerQuarter {
    TicksPerQuarter::new((tempo.micros_per_quarter() / 1000).clamp(1, 60_000)).unwrap_or(TicksPerQuarter::DEFAULT)
}

/// The notes and the pedal of a score at other times.
fn timed(mut score: Score, at: impl Fn(Ticks) -> Ticks) -> Score {
    for part in &mut score.parts {
        for note in &mut part.notes {
            let end = at(note.end());
            note.onset = at(note.onset);
            note.duration = end - note.onset;
        }
        part.pedal.iter_mut().for_each(|span| *span = PedalSpan { down: at(span.down), up: at(span.up) });
    }
    score
}

/// What is to be written.
#[derive(Clone, Copy)]
struct Span {
    meter: Meter,
    /// Ticks to the quarter, and of all.
    fine: TicksPerQuarter,
    ticks: Ticks,
    /// Steps: where it begins, where its last bar does, where it ends.
    from: u32,
    last_bar: u32,
    end: u32,
}

impl Span {
    fn of(opening: &Opening<'_>, meter: Meter, bars: usize) -> Span {
        // A beat is a whole number of ticks, and a bar has a step at the least, however fast it is.
        let unit = u32::from(meter.denominator() / 4).max(1);
        let fine = ((opening.fine.get() + unit / 2) / unit * unit).max(unit);
        let finer = (1..=FINE * 64).filter_map(|times| TicksPerQuarter::new(fine.saturating_mul(times)));
        let fine = finer.into_iter().find(|fine| meter.bar(*fine).0 >= FINE.into()).unwrap_or(opening.fine);
        let ticks = |bars: usize| Ticks(meter.bar(fine).0.saturating_mul(bars as u64));
        let step = |ticks: Ticks| {
            opening.from.saturating_add(u32::try_from(ticks.0.div_ceil(FINE.into())).unwrap_or(u32::MAX))
        };
        let (last_bar, end) = (step(ticks(bars - 1)), step(ticks(bars)));
        Span { meter, fine, ticks: ticks(bars), from: opening.from, last_bar, end }
    }
}

/// A piece that is being written.
struct Piece<'a> {
    place: Moment<'a>,
    span: Span,
    tokens: Vec<TokenId>,
}

impl Piece<'_> {
    /// Whether a word, which the grammar permits, fits what is to be written: nothing before it begins, a stroke in its last bar; pitches,
    /// lengths of notes and of the pedal as the corpus has them.
    fn fits(&self, token: Token) -> bool {
        let Piece { place: Moment { vocabulary, cursor }, span, .. } = self;
        let (now, heard) = (cursor.now(), vocabulary.heard_range());
        let keys = Keys::between(heard.0, heard.1);
        let over = |since: u32, longest: u32| since.saturating_add(longest);
        let sounds = cursor.last_stroke().is_some_and(|at| at >= span.last_bar);
        // The last step in which the last bar may begin to sound; where nothing can be struck, a key has to come up.
        let is_last = !sounds && now + 1 >= span.end;
        let is_stuck = is_last && !cursor.can_strike(keys);
        let ends = |key: &u8| over(cursor.struck(*key), vocabulary.longest_note());
        let late_key = cursor.sounding().iter().find(|key| ends(key) <= now);
        let pedal_end = cursor.pedal_since().map(|down| over(down, vocabulary.longest_pedal()));
        match token {
            Token::Wait(steps) => {
                let to = now + u32::from(steps);
                if now < span.from {
                    return steps == LONGEST_WAIT || to >= span.from;
                }
                let due = cursor.sounding().iter().map(|key| ends(&key)).chain(pedal_end).min();
                !is_last && (to < span.end || sounds) && due.is_none_or(|due| to.min(span.end) <= due)
            }
            _ if now < span.from => false,
            Token::Release(key) => late_key.is_none_or(|late| key <= late),
            _ if late_key.is_some() || is_stuck => false,
            Token::Pedal(_) => true,
            _ if pedal_end.is_some_and(|end| end <= now) => false,
            Token::Level(_) => cursor.can_strike(keys),
            Token::Strike(key) => keys.has(key),
            Token::Start => false,
        }
    }
}

impl<'a> Draft for Piece<'a> {
    type Place = Moment<'a>;

    fn place(&self) -> &Moment<'a> {
        &self.place
    }

    fn intended(&self) -> Option<TokenId> {
        None
    }

    fn mask(&self, logits: &mut [f32]) {
        for (number, logit) in (0..).zip(logits) {
            if !self.place.vocabulary.token(TokenId(number)).is_some_and(|token| self.fits(token)) {
                *logit = f32::NEG_INFINITY;
            }
        }
    }

    fn take(&mut self, token: TokenId) -> bool {
        self.tokens.push(token);
        self.place.read(token);
        self.place.cursor.now() < self.span.end
    }

    fn written(&self) -> (usize, usize) {
        let Span { from, end, .. } = self.span;
        ((self.place.cursor.now().clamp(from, end) - from) as usize, (end - from) as usize)
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
        let (low, high) = vocabulary.heard_range();
        let pedal = if vocabulary.has_pedal() { "in words of its own" } else { "made length" };
        let longest = f64::from(vocabulary.longest_note()) / f64::from(STEPS_PER_SECOND);
        [
            ("network", self.model.describe()),
            ("vocabulary", format!("{} words", vocabulary.len())),
            ("keys", format!("{} to {}", Vocabulary::pitch(low), Vocabulary::pitch(high))),
            ("pedal", pedal.to_owned()),
            ("longest note", format!("{longest:.2} s")),
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

    fn lacks(&self, control: Control) -> bool {
        control == Control::Seconds && !self.model.grammar.is_played
    }

    fn judge(&self) -> Option<&dyn Judge> {
        Some(&self.model)
    }
}
