//! A rhythm that is followed: which words keep it, so that pitches alone are chosen.

use super::spot::Spot;
use cantus_encoding::note_stream::Token;
use cantus_encoding::piano_roll::{Key, Keys, MOST_STEPS};
use cantus_score::{Note, Part, Program, Rhythm, Score, Ticks, TicksPerQuarter, Velocity};

/// A note of a rhythm: as it is, and on the network's grid.
#[derive(Clone, Copy, Debug)]
struct Span {
    onset: Ticks,
    end: Ticks,
    from: usize,
    to: usize,
}

/// A rhythm on the steps of a network.
#[derive(Debug)]
pub(super) struct Steps {
    /// In order of their steps; those of one step downwards.
    spans: Vec<Span>,
    /// Steps of all of it.
    count: usize,
}

impl Steps {
    /// A rhythm on a grid. `None` where it is longer than any piece, or more of its notes sound at once than there are keys.
    pub fn of(rhythm: &Rhythm, grid: TicksPerQuarter) -> Option<Steps> {
        let step = |at: Ticks| at.rescale(rhythm.ticks_per_quarter(), grid).0;
        let mut spans = Vec::with_capacity(rhythm.notes());
        for (onset, lengths) in rhythm.moments() {
            for length in lengths {
                let (from, end) = (step(onset), onset + *length);
                let to = step(end).max(from + 1);
                if to > MOST_STEPS {
                    return None;
                }
                spans.push(Span { onset, end, from: from as usize, to: to as usize });
            }
        }
        let count = spans.iter().map(|span| span.to).max().unwrap_or(0);
        // A key whose note ends where another begins is not free for it in every spelling.
        let mut busy = vec![0i32; count + 2];
        for span in &spans {
            busy[span.from] += 1;
            busy[span.to + 1] -= 1;
        }
        let full =
            busy.iter().scan(0, |sum, change| Some(std::mem::replace(sum, *sum + change) + change)).max().unwrap_or(0);
        (full <= Keys::COUNT as i32).then_some(Steps { spans, count })
    }
}

/// How far a rhythm is followed.
#[derive(Clone)]
pub(super) struct Following<'a> {
    steps: &'a Steps,
    /// Keys that the corpus has.
    heard: Keys,
    /// Whether it is known where a key that sounds on is struck again.
    knows_strokes: bool,
    /// The note that sounds last on each key.
    notes: [Option<Span>; Keys::COUNT],
    /// Notes of this step that go on, and that are not said yet.
    going: Keys,
    /// The step, and the next note that begins.
    step: usize,
    next: usize,
    /// The pitches so far.
    keys: Vec<Key>,
    /// Keys from which the notes of this step are taken.
    open: Keys,
}

impl<'a> Following<'a> {
    pub fn new(steps: &'a Steps, heard: Keys, knows_strokes: bool) -> Following<'a> {
        let mut following = Following {
            steps,
            heard,
            knows_strokes,
            notes: [None; Keys::COUNT],
            going: Keys::NONE,
            step: 0,
            next: 0,
            keys: Vec::with_capacity(steps.spans.len()),
            open: Keys::NONE,
        };
        following.begin_step();
        following
    }

    /// How many steps are over, of how many.
    pub fn written(&self) -> (usize, usize) {
        (self.step.min(self.steps.count), self.steps.count)
    }

    /// How many notes begin in this step that have no pitch yet.
    fn missing(&self) -> usize {
        self.steps.spans[self.next..].iter().take_while(|span| span.from == self.step).count()
    }

    fn begin_step(&mut self) {
        let sounding = |is: &dyn Fn(&Span) -> bool| -> Keys {
            let keys = (0..Keys::COUNT).filter(|k| self.notes[*k].as_ref().is_some_and(is));
            keys.filter_map(Key::new).collect()
        };
        self.going = sounding(&|span| span.to > self.step);
        let Some(first) = self.steps.spans.get(self.next).filter(|span| span.from == self.step) else {
            self.open = Keys::NONE;
            return;
        };
        let over = sounding(&|span| span.end > first.onset);
        let free = Keys::ALL - self.going - over;
        let heard = free & self.heard;
        self.open = if heard.len() >= self.missing() { heard } else { free };
    }

    /// Which keys may be struck next, and which must be said to go on, if it may be said now.
    fn choices(&self, below: Keys) -> (Keys, Option<Key>) {
        let missing = self.missing();
        let open = self.open & below;
        let going = (self.going & below).iter().next_back();
        let under = |key: Key| open & Keys::from_bits((1 << key.index()) - 1).unwrap_or_default();
        let over = going.map_or(open, |going| open - under(going));
        let strikes = if missing == 0 {
            Keys::NONE
        } else {
            over.iter().filter(|key| under(*key).len() + 1 >= missing).collect()
        };
        (strikes, going.filter(|going| under(*going).len() >= missing))
    }

    /// Takes away all words that do not keep the rhythm.
    ///
    /// # Shapes
    /// `[V]`
    pub fn mask(&self, spot: &Spot<'_>, logits: &mut [f32]) {
        let below = spot.cursor.below();
        let (strikes, going) = self.choices(below);
        let is_over = self.missing() == 0 && going.is_none();
        for (id, logit) in (0..).zip(logits) {
            let may = match Token::of(cantus_encoding::TokenId(id)) {
                Some(Token::Step) => is_over,
                Some(Token::Strike(key)) => strikes.contains(key),
                // Where strokes are not known, a key that is struck again is said to be held.
                Some(Token::Hold(key)) => going == Some(key) || !self.knows_strokes && strikes.contains(key),
                Some(Token::Start) | None => false,
            };
            if !may {
                *logit = f32::NEG_INFINITY;
            }
        }
    }

    /// Takes the next word, and says whether it was one of pitch.
    pub fn take(&mut self, token: Token) -> bool {
        match token {
            Token::Start => false,
            Token::Step => {
                self.step += 1;
                self.begin_step();
                false
            }
            Token::Strike(key) | Token::Hold(key) if self.going.contains(key) => {
                self.going.remove(key);
                false
            }
            Token::Strike(key) | Token::Hold(key) => {
                if let Some(span) = self.steps.spans.get(self.next) {
                    self.notes[key.index()] = Some(*span);
                    self.keys.push(key);
                    self.open.remove(key);
                    self.next += 1;
                }
                true
            }
        }
    }

    pub fn is_over(&self) -> bool {
        self.step >= self.steps.count
    }

    /// The rhythm with these pitches.
    pub fn score(&self, rhythm: &Rhythm) -> Score {
        let note = |(span, key): (&Span, &Key)| Note {
            onset: span.onset,
            pitch: key.pitch(),
            duration: span.end - span.onset,
            velocity: Velocity::DEFAULT,
        };
        let mut notes: Vec<Note> = self.steps.spans.iter().zip(&self.keys).map(note).collect();
        notes.sort_unstable();
        let mut score = rhythm.open();
        score.parts.push(Part { notes, programs: vec![(Ticks::ZERO, Program::PIANO)], ..Part::default() });
        score
    }
}
