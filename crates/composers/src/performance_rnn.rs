//! `performance_rnn`: writes music as a player makes it, in hundredths of a second: keys go down and up, how hard, and the pedal.
//!
//! Source: I. Simon and S. Oore, Performance RNN: Generating Music with Expressive Timing and Dynamics, Magenta, 2017.
//!
//! Departures: the encoding's ([`cantus_encoding::performance`]): the 88 keys of a piano, the pedal in words of its own, one spelling of a
//! moment, no probability on others. Whole pieces with the state carried, where the source cuts every 30 s at 512 events. The default is
//! small enough for a laptop: two layers of 256; it is told beside each word what a player feels: loudness, pedal, keys held, strokes of the
//! moment, time since the last one. Half of the pieces are learnt with how many strokes the next three seconds have (the source's control,
//! `--density`, in eighths of the corpus); the shares of pitch classes, its other one, are absent: `--key` moves what is written. Words
//! that may follow are told apart by traits, too: how long a key has been down, how far it lies from others, how a wait compares with the
//! one before. `paper` has the source's sizes and training. Read as `performed`, pedal is made length, as in the source. No composition
//! has a longer note, or keeps the pedal down for longer, than the corpus does.
//!
//! Cost: the default, 1.0 million parameters, takes 6 MFLOP a word in training.

use cantus_encoding::TokenId;
use cantus_encoding::performance::{Token, Vocabulary, decode, encode};
use cantus_model::tokens::{Grammar, Place, Rows, TokenModel, TokenTrainer};
use cantus_model::{
    Around, ComposeError, Composer, ComposerSpec, Composition, Configuration, Control, Intent, Judge, ModelError,
    ModelFile, Progress, Prompt, Request, Rng, Sampling, Sizes, alone, together,
};
use cantus_score::{Meter, Reading, STEPS_PER_SECOND, Score, Tempo, Ticks, TicksPerQuarter, pedalled, performed};
use grammar::{Moment, Playing, timed};
use piece::{Piece, Span};

mod grammar;
mod piece;
#[cfg(test)]
mod tests;

/// The registry's entry.
pub static SPEC: ComposerSpec = ComposerSpec {
    id: "performance_rnn",
    version: 2,
    writes: "playing that breathes: every stroke, release and pedal change as a player makes it, off any grid",
    suits: "recordings of players: transcribed or captured performances on the piano",
    is_made_for: None,
    title: "an LSTM over strokes, releases, loudness, pedal, and waits of 10 ms to 1 s",
    source: "Simon and Oore 2017 (Performance RNN)",
    departures: "88 keys, pedal in words of its own (as `pedalled`; `performed` makes it length, as in the source), one spelling of a moment; \
                 whole pieces, state carried; what a player feels beside each word, and how busy it is going to be; no shares of pitch classes",
    reads: &[Reading::Pedalled, Reading::Performed],
    encoding: "performance",
    around: &[Around::Beginning],
    abilities: &[],
    controls: &[Control::Key, Control::Meter, Control::Density, Control::Seconds],
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

/// Milliseconds of a step: compositions are written at so many ticks of it.
const FINE: u32 = 1000 / STEPS_PER_SECOND;

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
            place: match request.controls.density {
                Some(density) => self.model.grammar.begin_as_busy(density),
                None => self.model.grammar.begin(&[]),
            },
            rows: self.model.rows(),
            tokens: vec![Vocabulary::id(if request.controls.density.is_some() { Token::Told } else { Token::Start })],
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
