//! Composing: to the number of bars asked for, or to a rhythm that is given.

use super::following::{Following, Steps};
use super::spot::{Clock, Spot};
use super::{SPEC, Stream};
use cantus_encoding::TokenId;
use cantus_encoding::note_stream::{Token, encode};
use cantus_encoding::piano_roll::{Frame, Key, Keys, MOST_STEPS, decode};
use cantus_model::frames::{BarSteps, JudgesFrames};
use cantus_model::tokens::{Draft, Grammar as _, Place as _, Rows, TokenModel};
use cantus_model::{
    ComposeError, Composer, ComposerSpec, Composition, Intent, Judge, ModelError, ModelFile, Progress, Request, Rng,
    Sampling, accentuate, alone, together,
};
use cantus_score::{Meter, Rhythm, Score, Ticks, TicksPerQuarter};

/// The sampling that pieces are composed with unless told otherwise.
const SAMPLING: Sampling = Sampling { temperature: 1.0, top_k: 0, top_p: 0.97 };

/// A trained network, ready to judge and to compose.
#[derive(Debug)]
pub(super) struct Player {
    pub model: TokenModel<Stream>,
}

/// Where what is composed begins.
struct Opening<'a> {
    spot: Spot<'a>,
    /// What the network holds of the prompt; without one, nothing.
    rows: Rows,
    /// Frames of the prompt.
    heard: usize,
    /// The metre from there on.
    meter: Meter,
    /// Bars of the prompt.
    bars: usize,
    remarks: Vec<String>,
}

impl Player {
    pub fn load(file: &ModelFile) -> Result<Player, ModelError> {
        let model: TokenModel<Stream> = TokenModel::load(file)?;
        model.grammar.check()?;
        Ok(Player { model })
    }

    pub fn begin(&self) -> Spot<'_> {
        Spot::new(&self.model.grammar)
    }

    pub fn grid(&self) -> TicksPerQuarter {
        self.model.grammar.roll.grid()
    }

    /// The first word of a piece in the usual metre.
    pub fn start_of_usual(&self) -> TokenId {
        self.model.grammar.start(self.model.grammar.usual_clock())
    }

    /// The words of a piece.
    pub fn tokens(&self, piece: &Score) -> (Vec<TokenId>, bool) {
        self.model.grammar.encode(piece)
    }

    /// Reads the prompt.
    fn open(&self, request: &Request) -> Opening<'_> {
        let meter = self.model.grammar.roll.meter.parse().unwrap_or(Meter::COMMON);
        let (spot, rows) = (self.begin(), self.model.rows());
        let mut opening = Opening { spot, rows, heard: 0, meter, bars: 0, remarks: Vec::new() };
        let Some(prompt) = request.prompt() else { return opening };
        let score = prompt.on_grid(self.grid());
        opening.bars = prompt.bars();
        opening.meter = prompt.score().bars().last().map_or(opening.meter, |bar| bar.meter);
        let mut frames = self.model.grammar.sounds.frames(&score);
        opening.heard = prompt.end_in(&Score::new(self.grid())).0.min(MOST_STEPS) as usize;
        frames.resize(opening.heard, Frame::default());
        let allowed = self.model.grammar.roll.allowed();
        let knows = |pitch| Key::try_from(pitch).is_ok_and(|key| allowed.contains(key));
        let strange = score.notes().filter(|note| !knows(note.pitch)).count();
        if strange > 0 {
            opening.remarks.push(format!(
                "the model has never heard the pitches of {strange} notes of the prompt; the prompt itself is kept as it is"
            ));
        }
        let mut tokens = encode(&frames);
        tokens[0] = self.model.grammar.start(Clock::of(&score));
        for (k, token) in tokens.iter().enumerate() {
            opening.spot.read(*token);
            if k + 1 == tokens.len() {
                // A prompt's notes end with it, and what follows begins with a bar.
                opening.spot.cursor.release();
                opening.spot.clock = self.bars_of(opening.meter).beginning_at(opening.heard);
            }
            self.model.read(*token, &opening.spot, &mut opening.rows);
        }
        opening
    }

    /// Bars of a metre.
    fn bars_of(&self, meter: Meter) -> Clock {
        Clock::of(&Score { meters: vec![(Ticks::ZERO, meter)], ..Score::new(self.grid()) })
    }

    /// A piece that begins with nothing, in such bars.
    fn start(&self, clock: Clock) -> (Spot<'_>, Rows) {
        let (mut spot, mut rows) = (self.begin(), self.model.rows());
        let start = self.model.grammar.start(clock);
        spot.read(start);
        spot.clock = clock;
        self.model.read(start, &spot, &mut rows);
        (spot, rows)
    }

    /// A piece for each generator. `progress` is told the share of the steps that is written.
    fn write(
        &self,
        opening: &Opening<'_>,
        request: &Request,
        rngs: &mut [Rng],
        progress: Progress<'_>,
    ) -> Result<Vec<Composition>, ComposeError> {
        let (habits, allowed) = (self.model.habits.as_ref(), self.model.grammar.roll.allowed());
        let intents: Vec<Intent<'_>> =
            rngs.iter_mut().map(|rng| Intent::of(habits, request, rng)).collect::<Result<_, _>>()?;
        let rhythm = request.controls.rhythm.as_ref().map(|rhythm| self.steps_of(rhythm)).transpose()?;
        let rhythm = request.controls.rhythm.as_ref().zip(rhythm.as_ref());
        let knows_strokes = self.model.grammar.knows_strokes();
        let (mut pieces, mut states) = (Vec::new(), Vec::new());
        for intent in &intents {
            let meter = intent.meter().unwrap_or(opening.meter);
            let (spot, rows) = match (request.prompt(), rhythm) {
                (Some(_), _) => (opening.spot.clone(), opening.rows.clone()),
                (None, Some((rhythm, _))) => self.start(self.clock_of(rhythm)),
                (None, None) => self.start(self.bars_of(meter)),
            };
            let plan = match rhythm {
                Some((_, steps)) => Plan::Rhythm(Box::new(Following::new(steps, allowed, knows_strokes))),
                None => {
                    let (steps, bars) = (BarSteps::new(self.grid(), meter), request.bars() - opening.bars);
                    Plan::Bars {
                        end: steps.first_step(bars),
                        last_bar: steps.first_step(bars - 1),
                        allowed,
                        is_closed: false,
                    }
                }
            };
            let mut piece = Piece { spot, plan, frames: Vec::new() };
            piece.close();
            pieces.push(piece);
            states.push(rows);
        }
        let pieces = self.model.write(pieces.into_iter().zip(&states).collect(), &request.sampling, rngs, progress)?;
        Ok(pieces.iter().zip(&intents).map(|(piece, intent)| self.finish(piece, intent, opening, request)).collect())
    }

    /// The bars of a rhythm.
    fn clock_of(&self, rhythm: &Rhythm) -> Clock {
        let mut piece = rhythm.open();
        // Without a note a piece has no bars, and so no upbeat.
        piece.parts.push(cantus_score::Part {
            notes: vec![cantus_score::Note {
                onset: Ticks::ZERO,
                pitch: cantus_score::Pitch::PIANO.0,
                duration: rhythm.end(),
                velocity: cantus_score::Velocity::DEFAULT,
            }],
            ..cantus_score::Part::default()
        });
        Clock::of(&piece.rescaled(self.grid()))
    }

    fn steps_of(&self, rhythm: &Rhythm) -> Result<Steps, ComposeError> {
        Steps::of(rhythm, self.grid()).ok_or_else(|| {
            let problem = format!(
                "the rhythm cannot be followed: it is longer than {MOST_STEPS} steps, or more than {} of its notes sound at once; give one for a piano",
                Keys::COUNT
            );
            ComposeError::Unreadable { problem }
        })
    }

    fn finish(&self, piece: &Piece<'_>, intent: &Intent<'_>, opening: &Opening<'_>, request: &Request) -> Composition {
        let roll = &self.model.grammar.roll;
        if let (Plan::Rhythm(following), Some(rhythm)) = (&piece.plan, &request.controls.rhythm) {
            let mut composed = following.score(rhythm);
            let tempos = composed.tempos.clone();
            let written = composed.clone();
            intent.finish(&mut composed, roll.pitches());
            // No note of the rhythm is lost or cut: where one would have to leave the keyboard, the piece stays in its own key.
            let times = |score: &Score| {
                let mut times: Vec<(Ticks, Ticks)> = score.notes().map(|note| (note.onset, note.end())).collect();
                times.sort_unstable();
                times
            };
            if times(&composed) != times(&written) {
                composed = written;
            }
            if !tempos.is_empty() {
                composed.tempos = tempos;
            }
            accentuate(&mut composed, Ticks::ZERO);
            return Composition::new(composed, opening.remarks.clone());
        }
        let meter = intent.meter().unwrap_or(opening.meter);
        let (steps, bars) = (BarSteps::new(self.grid(), meter), request.bars() - opening.bars);
        let mut composed = roll.open();
        composed.parts = decode(&piece.frames, self.grid()).parts;
        composed = composed.rescaled(steps.fine).before(Ticks(bars as u64 * steps.ticks));
        composed.meters = vec![(Ticks::ZERO, meter)];
        intent.finish(&mut composed, roll.pitches());
        accentuate(&mut composed, Ticks::ZERO);
        let score = match request.prompt() {
            Some(prompt) => prompt.join(&composed, Ticks::ZERO),
            None => composed,
        };
        Composition::new(score, opening.remarks.clone())
    }
}

/// What is to be written.
enum Plan<'a> {
    /// So many steps, in the last bar of which a note begins.
    Bars {
        end: usize,
        last_bar: usize,
        /// Keys that were heard.
        allowed: Keys,
        /// Whether a note has begun in the last bar.
        is_closed: bool,
    },
    /// Pitches to a rhythm.
    Rhythm(Box<Following<'a>>),
}

/// A piece that is being written.
struct Piece<'a> {
    spot: Spot<'a>,
    plan: Plan<'a>,
    frames: Vec<Frame>,
}

impl Piece<'_> {
    /// Whether this is the last step, and no note has begun in the last bar yet: then one has to.
    fn must_strike(&self) -> bool {
        match &self.plan {
            Plan::Bars { end, is_closed, .. } => !is_closed && self.frames.len() + 1 == *end,
            Plan::Rhythm(_) => false,
        }
    }

    /// Where a note has to begin, any key may.
    fn close(&mut self) {
        if self.must_strike() {
            self.spot.cursor.release();
        }
    }
}

impl<'a> Draft for Piece<'a> {
    type Place = Spot<'a>;

    fn place(&self) -> &Spot<'a> {
        &self.spot
    }

    fn intended(&self) -> Option<TokenId> {
        None
    }

    fn mask(&self, logits: &mut [f32]) {
        let allowed = match &self.plan {
            Plan::Bars { allowed, .. } => *allowed,
            Plan::Rhythm(following) => return following.mask(&self.spot, logits),
        };
        let must_strike = self.must_strike() && self.spot.cursor.frame().struck.is_empty();
        for (id, logit) in (0..).zip(logits) {
            let may = match Token::of(TokenId(id)) {
                Some(Token::Step) => !must_strike,
                Some(Token::Strike(key) | Token::Hold(key)) => allowed.contains(key),
                Some(Token::Start) | None => false,
            };
            if !may {
                *logit = f32::NEG_INFINITY;
            }
        }
    }

    fn take(&mut self, id: TokenId) -> bool {
        let token = Token::of(id).unwrap_or(Token::Step);
        let frame = self.spot.cursor.frame();
        self.spot.read(id);
        if let Plan::Rhythm(following) = &mut self.plan {
            following.take(token);
            return !following.is_over();
        }
        if token == Token::Step {
            self.frames.push(frame);
            if let Plan::Bars { last_bar, is_closed, .. } = &mut self.plan {
                *is_closed |= self.frames.len() > *last_bar && !frame.struck.is_empty();
            }
            self.close();
        }
        match &self.plan {
            Plan::Bars { end, .. } => self.frames.len() < *end,
            Plan::Rhythm(_) => true,
        }
    }

    fn written(&self) -> (usize, usize) {
        match &self.plan {
            Plan::Bars { end, .. } => (self.frames.len(), *end),
            Plan::Rhythm(following) => following.written(),
        }
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
        let Stream { roll, sounds, .. } = &self.model.grammar;
        let name = |key: usize| Key::new(key).map_or_else(String::new, |key| key.pitch().to_string());
        [
            ("network", self.model.describe()),
            ("frames", sounds.to_string()),
            ("keys", format!("{} to {}", name(roll.range.0), name(roll.range.1))),
            ("grid", format!("{} steps a quarter", roll.steps_per_quarter)),
            ("metre", roll.meter.clone()),
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

    fn frames(&self) -> Option<&dyn JudgesFrames> {
        Some(self)
    }

    fn judge(&self) -> Option<&dyn Judge> {
        Some(self)
    }
}
