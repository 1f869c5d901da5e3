//! A place in a song, and what the network is told of it: the clock, what the layers below have here and next, and what stood at those
//! earlier places of the same layer that resemble this one most.

mod traits;

pub(super) use traits::traits;

use super::cursor::{Cursor, Event, Expected};
use super::likeness::{CLASSES, Candidate, Likeness};
use super::words::{Layer, Token, Words};
use cantus_encoding::TokenId;
use cantus_encoding::lead_sheet::{Beat, GRID};
use cantus_encoding::note_chord::BarKind;
use cantus_model::tokens;
use cantus_score::{Pitch, Ticks, TicksPerQuarter};

/// Steps of a bar that are told from one another.
const STEPS: usize = 192;
/// Bars left are told exactly up to 16, then in eights.
const LEFT: usize = 20;
/// Bars are counted in groups of so many, groups up to so many.
const PHRASE: usize = 8;
const PHRASES: usize = 6;
/// Beats for which a chord has held.
const HELD: usize = 9;
/// What is expected, by which of the layers below are told.
const EXPECTED: usize = 8 * 4;
/// Pitch classes of the melody that a chord is told: of its own beat and of the next.
const HEARD: [usize; 2] = [4, 2];
/// What the melody does at a sixteenth: it is untold, is silent, goes on, begins.
const DOES: usize = 4;
/// How many of a bar's sets differ from those a while before: unknown, 0, 1, 2, 3-4, more.
const MISSES: usize = 6;
/// Bars ago at which is looked.
const LAGS: [usize; 3] = [1, 2, 4];

/// What kind of thing is told.
#[derive(Clone, Copy)]
enum Told {
    /// One of so many values.
    Value(usize),
    /// A kind of bar.
    Bar,
    /// A token, or none.
    Token,
}

/// The things that are told, in order.
fn told() -> Vec<Told> {
    use Told::{Bar, Token, Value};
    let mut told = vec![Value(EXPECTED), Value(STEPS + 1), Bar, Value(LEFT), Value(PHRASE), Value(PHRASES)];
    // The row, and the rhythm ahead.
    told.extend([Token; 4]);
    told.push(Value(HELD));
    // Classes of the melody, and whether the first begins with the beat.
    told.extend([Value(13); HEARD[0] + HEARD[1]]);
    told.push(Value(3));
    // What the melody does at a sixteenth and at the next, whether the chord changes, how the drums of a bar differ from the one before and
    // from two before.
    told.extend([Value(DOES), Value(DOES), Value(3), Value(MISSES), Value(MISSES)]);
    // Candidates: token, likeness behind, likeness ahead; one at another height; bars ago.
    told.extend([Token, Value(CLASSES), Value(CLASSES)].repeat(2));
    told.extend([Token, Value(CLASSES)]);
    told.extend([Token; LAGS.len()]);
    told
}

/// How many values each of them has.
pub(super) fn sizes(words: &Words) -> Vec<usize> {
    let size = |told: Told| match told {
        Told::Value(size) => size,
        Told::Bar => words.sheet.bars().len(),
        Told::Token => words.len() + 1,
    };
    told().into_iter().map(size).collect()
}

/// What a value of one of them is in other words; `None` where these have none for it.
pub(super) fn value_of(words: &Words, other: &Words, context: usize, value: u32) -> Option<u32> {
    match told().get(context)? {
        Told::Value(_) => Some(value),
        Told::Bar => {
            let kind = words.sheet.bars().get(value as usize)?;
            Some(other.sheet.bars().iter().position(|known| known == kind)? as u32)
        }
        Told::Token if value as usize == words.len() => Some(other.len() as u32),
        Told::Token => words.in_words_of(other, TokenId(value)).map(|token| token.0),
    }
}

/// What stood at earlier places.
struct Past {
    /// Those that resemble the present most, two at most.
    candidates: Vec<Candidate>,
    /// What would go on as the melody once did at another height, with how much alike that was.
    moved: Option<(Token, u32)>,
    /// What stood so many bars ago.
    ago: [Option<Token>; LAGS.len()],
}

/// A place in a song.
#[derive(Clone)]
pub(super) struct Spot<'v> {
    words: &'v Words,
    pub cursor: Cursor<'v>,
    likeness: Likeness,
    /// The bar's number, where it begins, and the beat's number, of what comes next.
    bar: usize,
    bar_start: u32,
    beat: usize,
}

impl<'v> Spot<'v> {
    /// Before the first token; in a piece of these bars, where they are known.
    pub(super) fn new(words: &'v Words, bars: Option<Vec<BarKind>>) -> Spot<'v> {
        Spot { words, cursor: Cursor::new(words, bars), likeness: Likeness::default(), bar: 0, bar_start: 0, beat: 0 }
    }

    /// When what comes next begins.
    fn now(&self) -> u32 {
        let cursor = &self.cursor;
        match cursor.expected() {
            Expected::Rhythm => cursor.now(),
            Expected::Pitch => cursor.note().map_or(0, |event| event.onset),
            Expected::Chord => cursor.beats[cursor.chords.len()].at,
            Expected::Strokes => cursor.steps[cursor.drums.len()].at,
            _ => 0,
        }
    }

    /// Moves bar and beat on to what comes next, in another layer from the beginning.
    fn follow(&mut self) {
        let now = self.now();
        let Cursor { bars, beats, .. } = &self.cursor;
        let is_past =
            self.beat.checked_sub(1).and_then(|last| beats.get(last)).is_some_and(|last| last.at + last.length > now);
        if now < self.bar_start || is_past {
            (self.bar, self.bar_start, self.beat) = (0, 0, 0);
        }
        while let Some(kind) = bars.get(self.bar).filter(|kind| self.bar_start + u32::from(kind.steps) <= now) {
            self.bar_start += u32::from(kind.steps);
            self.bar += 1;
        }
        while beats.get(self.beat).is_some_and(|beat| beat.at + beat.length <= now) {
            self.beat += 1;
        }
    }

    /// The step in the bar of what comes next.
    fn place(&self) -> u32 {
        self.now().saturating_sub(self.bar_start)
    }

    fn id(&self, token: Option<Token>) -> u32 {
        token.map_or(self.words.len() as u32, |token| self.words.id(token).0)
    }

    fn tell_clock(&self, known: &mut Vec<u32>) {
        let cursor = &self.cursor;
        let told = [Layer::Melody, Layer::Chords].map(|below| usize::from(cursor.hears(below)));
        let laid = !cursor.beats.is_empty();
        let here = if laid { cursor.bars.get(self.bar) } else { cursor.bars.last() };
        let left = if laid { cursor.bars.len().saturating_sub(self.bar + 1) } else { LEFT * PHRASE };
        let left = if left < 16 { left } else { (14 + left / 8).min(LEFT - 1) };
        let count = if laid { self.bar } else { cursor.bars.len() };
        // An upbeat is no bar of a phrase.
        let has_upbeat = matches!(&cursor.bars[..], [first, second, ..] if first.steps < second.steps);
        let number = (count + PHRASE - usize::from(has_upbeat)) % (PHRASE * 64);
        let within = if laid { self.place() as usize + 1 } else { 0 };
        known.extend(
            [
                4 * cursor.expected() as usize + told[0] + 2 * told[1],
                within.min(STEPS),
                here.map_or(0, |kind| self.words.sheet.bar_index(*kind)),
                left,
                number % PHRASE,
                (number / PHRASE).min(PHRASES - 1),
            ]
            .map(|value| value as u32),
        );
    }

    /// What came before the last token, what the rhythm has here and next, and for how long the last chord has held.
    fn tell_row(&self, known: &mut Vec<u32>) {
        let cursor = &self.cursor;
        let event = |k: Option<usize>| k.and_then(|k| cursor.events.get(k)).map(|event| event.token());
        let back = |k: usize| cursor.events.len().checked_sub(k);
        let mut held = 0;
        let row = match cursor.expected() {
            Expected::Rhythm => [event(back(2)), event(back(3)), event(back(4)), None],
            Expected::Pitch => {
                let here = cursor.notes.get(cursor.pitches.len()).copied();
                let before = here.and_then(|here| here.checked_sub(1));
                let last = cursor.pitches.len().checked_sub(2).map(|k| Token::Pitch(cursor.pitches[k]));
                [event(here), event(here.map(|here| here + 1)), event(before), last]
            }
            Expected::Chord => {
                let chords = &cursor.chords;
                held = chords.iter().rev().take_while(|chord| Some(*chord) == chords.last()).count();
                [chords.len().checked_sub(held + 1).map(|k| Token::Chord(chords[k])), None, None, None]
            }
            Expected::Strokes => {
                let (drums, beat) = (&cursor.drums, self.cursor.steps.len().min(4));
                let back = |k: usize| drums.len().checked_sub(k).filter(|_| k > 0).map(|k| Token::Strokes(drums[k]));
                let chord = cursor.chords.get(self.beat).filter(|_| cursor.hears(Layer::Chords));
                [back(2), back(beat), back(2 * beat), chord.map(|chord| Token::Chord(*chord))]
            }
            _ => [None; 4],
        };
        known.extend(row.map(|token| self.id(token)));
        known.push(held.min(HELD - 1) as u32);
    }

    /// What the melody has in a chord's beat and in the next one: pitch classes in order of time.
    fn tell_melody(&self, known: &mut Vec<u32>) {
        let cursor = &self.cursor;
        let is_told = cursor.expected() == Expected::Chord && cursor.hears(Layer::Melody);
        let mut begins = 0;
        for (ahead, most) in HEARD.into_iter().enumerate() {
            let mut classes: Vec<u32> = Vec::with_capacity(most);
            if let Some(beat) = cursor.beats.get(self.beat + ahead).filter(|_| is_told) {
                for (event, pitch) in sounding(cursor, beat) {
                    if ahead == 0 && classes.is_empty() {
                        begins = 1 + u32::from(event.onset == beat.at);
                    }
                    let class = u32::from(pitch.class());
                    if classes.len() < most && !classes.contains(&class) {
                        classes.push(class);
                    }
                }
            }
            classes.resize(most, 12);
            known.extend(classes);
        }
        known.push(begins);
    }

    /// What the layers below do at a sixteenth, and how the drums have repeated themselves.
    fn tell_drums(&self, known: &mut Vec<u32>) {
        let cursor = &self.cursor;
        let here = cursor.drums.len();
        if cursor.expected() != Expected::Strokes {
            known.extend([0; 5]);
            return;
        }
        let does = |step: usize| {
            let Some(step) = cursor.steps.get(step).filter(|_| cursor.hears(Layer::Melody)) else { return 0 };
            let next = cursor.steps.partition_point(|other| other.at <= step.at);
            let until = cursor.steps.get(next).map_or(cursor.end, |next| next.at);
            let last = cursor.events.partition_point(|event| event.onset < until).checked_sub(1);
            match last.map(|last| cursor.events[last]).filter(|event| event.sounds) {
                Some(event) if event.onset >= step.at => 3,
                Some(_) => 2,
                None => 1,
            }
        };
        let at = cursor.steps[here].at;
        let change = cursor.hears(Layer::Chords).then(|| {
            let is_new = self.beat == 0 || cursor.chords.get(self.beat) != cursor.chords.get(self.beat - 1);
            u32::from(is_new && cursor.beats.get(self.beat).is_some_and(|beat| beat.at == at))
        });
        known.extend([does(here), does(here + 1), change.map_or(0, |change| 1 + change)]);
        // The last sixteen sets beside those one and two bars before them.
        let bar = cursor.bars.get(self.bar).map_or(0, |kind| usize::from(kind.steps).div_ceil(3));
        known.extend([1, 2].map(|bars| {
            let Some(there) = here.checked_sub(bars * bar).filter(|there| *there > 0) else { return 0 };
            let pairs = cursor.drums[..here].iter().rev().zip(cursor.drums[..there].iter().rev()).take(bar);
            match pairs.filter(|(a, b)| a != b).count() {
                differing @ 0..=2 => 1 + differing as u32,
                3 | 4 => MISSES as u32 - 2,
                _ => MISSES as u32 - 1,
            }
        }));
    }

    fn past(&self) -> Past {
        Past {
            candidates: self.likeness.candidates(&self.cursor, self.beat, self.place()),
            moved: Likeness::moved(&self.cursor),
            ago: LAGS.map(|lag| self.likeness.ago(&self.cursor, lag, self.bar, self.place())),
        }
    }

    /// What stood at earlier places that resemble this one, and so many bars ago.
    fn tell_past(&self, known: &mut Vec<u32>) {
        let Past { candidates, moved, ago } = self.past();
        for k in 0..2 {
            let found = candidates.get(k);
            known.extend([
                self.id(found.map(|found| found.token)),
                found.map_or(0, |found| found.behind),
                found.map_or(0, |found| found.ahead),
            ]);
        }
        known.extend([self.id(moved.map(|(token, _)| token)), moved.map_or(0, |(_, behind)| behind)]);
        known.extend(ago.map(|token| self.id(token)));
    }
}

/// The notes of a melody that sound during a beat, in order of time.
fn sounding<'c>(cursor: &'c Cursor<'_>, beat: &'c Beat) -> impl Iterator<Item = (&'c Event, Pitch)> {
    let event = |note: &usize| &cursor.events[*note];
    let first = cursor.notes.partition_point(move |note| event(note).onset + event(note).length <= beat.at);
    let notes = cursor.notes[first..].iter().map(event).take_while(|event| event.onset < beat.at + beat.length);
    notes.zip(cursor.pitches.get(first..).unwrap_or_default().iter().copied())
}

impl tokens::Place for Spot<'_> {
    fn read(&mut self, token: TokenId) {
        let Some(token) = self.words.token(token) else { return };
        if matches!(token, Token::Sound(_) | Token::Rest(_)) {
            self.likeness.note(self.place());
        }
        self.cursor.advance(token);
        if matches!(token, Token::Layer(_)) {
            self.likeness.begin(&self.cursor);
        }
        self.follow();
    }

    fn at(&self, last: TokenId) -> (Ticks, TicksPerQuarter) {
        let cursor = &self.cursor;
        let at = match self.words.token(last) {
            Some(Token::Bar(kind)) => {
                let end: u32 = cursor.bars.iter().map(|kind| u32::from(kind.steps)).sum();
                end.saturating_sub(kind.steps.into())
            }
            Some(Token::Sound(_) | Token::Rest(_)) => cursor.events.last().map_or(0, |event| event.onset),
            Some(Token::Pitch(_)) => {
                let note = cursor.pitches.len().checked_sub(1).and_then(|k| cursor.notes.get(k));
                note.map_or(0, |event| cursor.events[*event].onset)
            }
            Some(Token::Chord(_)) => {
                cursor.chords.len().checked_sub(1).and_then(|k| cursor.beats.get(k)).map_or(0, |beat| beat.at)
            }
            Some(Token::Strokes(_)) => {
                cursor.drums.len().checked_sub(1).and_then(|k| cursor.steps.get(k)).map_or(0, |step| step.at)
            }
            Some(Token::End) => cursor.end,
            _ => 0,
        };
        (Ticks(at.into()), GRID)
    }

    fn contexts(&self, known: &mut Vec<u32>) {
        self.tell_clock(known);
        self.tell_row(known);
        self.tell_melody(known);
        self.tell_drums(known);
        self.tell_past(known);
    }

    fn classes(&self, classes: &mut [u32]) {
        self.classify(classes);
    }

    fn forbid(&self, logits: &mut [f32]) {
        let mut may = vec![false; logits.len()];
        self.words.all().for_each(|(number, token)| may[number] = self.cursor.permits(token));
        logits.iter_mut().zip(may).filter(|(_, may)| !may).for_each(|(logit, _)| *logit = f32::NEG_INFINITY);
    }
}
