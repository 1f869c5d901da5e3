//! From a score to what stands on paper: note values, voices, staves and spelled pitches.
//!
//! A score knows when a note begins and ends. On paper that becomes a chain of tied note values in a voice of a staff, within
//! bars, with tuplets where the beat is not divided by two. [`Sheet`] is this form; the writers of MusicXML and ABC only spell
//! it out.
//!
//! Written music is kept as it is; what was played is moved to places that can be written, beat by beat, as a notation program does
//! with a recording. Which of the two it is, the music itself tells ([`played`]).

mod beside;
mod folding;
mod grid;
mod played;
mod rhythm;
mod signs;
mod spelling;
mod staves;
mod voices;

pub(crate) use beside::{Beside, PartBeside, changes_under_notes, heard_programs, slur_spans, slurs_and_fermatas};
pub(crate) use folding::{Folding, IsOpen};
pub(crate) use rhythm::{Tuplet, Value};
pub(crate) use signs::{MOST_SLURS, Sign, Signs, Spot};
pub(crate) use spelling::{Spelling, Step};

use crate::midi::{clamp, last_wins};
use cantus_score::{
    Bar, Bars, Key, Meter, Mode, Note, Part, Pitch, Score, Tempo, Ticks, TicksPerQuarter, Velocity, find_key,
    named_meters, upbeat,
};

/// Ticks per quarter inside this module: 2^5 for notes down to 128ths, and tuplets of 3, 5, 7 and 9.
pub(crate) const RESOLUTION: u32 = 10_080;
/// The same as a span of time.
pub(crate) const QUARTER: u64 = RESOLUTION as u64;
/// More bars than this are a mistake: no piece has them, and an empty bar costs memory as well.
pub(crate) const MAX_BARS: usize = 200_000;

/// A score as it can be written down. All times are in [`QUARTER`]ths.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sheet {
    /// The bars, which every voice has in common, in the order of playing: cut where repeats on paper begin and end.
    pub bars: Vec<SheetBar>,
    /// Which of them stand on paper.
    pub folding: Folding,
    /// Where some do not, the numbers of bars as they are printed.
    pub numbers: Vec<usize>,
    /// The changes of metre.
    pub meters: Vec<(Ticks, Meter)>,
    /// Tempo changes, in order of time.
    pub tempos: Vec<(u64, Tempo)>,
    /// Key changes, in order of time, within bars, too: the first at the beginning, and none that changes nothing.
    pub keys: Vec<(u64, Key)>,
    /// Parts with notes.
    pub parts: Vec<SheetPart>,
    /// The notes as they are written, part by part: the score that a reader gets back.
    pub notes: Vec<Vec<Note>>,
    /// The largest number that divides every time in this sheet and a quarter.
    pub unit: u64,
}

/// A bar.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct SheetBar {
    pub start: u64,
    pub length: u64,
    pub meter: Meter,
    /// Whether the metre is to be written here.
    pub meter_changes: bool,
}

impl SheetBar {
    pub fn end(&self) -> u64 {
        self.start + self.length
    }

    /// Whether it is shorter than its metre says: an upbeat, or the bar before a change.
    pub fn is_short(&self) -> bool {
        self.length < nominal(self.meter)
    }
}

/// The length of a whole bar.
fn nominal(meter: Meter) -> u64 {
    4 * QUARTER * u64::from(meter.numerator()) / u64::from(meter.denominator())
}

/// The length of a beat as one counts it, which a beam may join.
pub(crate) fn beat(meter: Meter) -> u64 {
    meter.beat(const { TicksPerQuarter::new(RESOLUTION).unwrap() }).0
}

/// A part and its staves, the upper one first.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SheetPart {
    /// Which part of the score it is.
    pub index: usize,
    pub staves: Vec<Staff>,
}

/// A staff.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Staff {
    pub clef: Clef,
    /// Each voice bar by bar. The first fills every bar; the others have nothing in a bar without notes of theirs.
    pub voices: Vec<Vec<Vec<Event>>>,
}

/// Where a staff lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Clef {
    Treble,
    Bass,
    Percussion,
}

/// What follows one another in a voice: a chord or a rest of one note value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Event {
    /// From the beginning of the bar.
    pub onset: u64,
    pub duration: u64,
    /// Empty for a rest.
    pub heads: Vec<Head>,
    /// `None` for a rest of a whole bar, which has no value of its own.
    pub value: Option<Value>,
    /// The tuplet that it belongs to.
    pub tuplet: Option<Tuplet>,
}

/// A note of a chord.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub pitch: Pitch,
    pub velocity: Velocity,
    /// It was begun before, and goes on.
    pub tied_from: bool,
    /// It goes on in the next one.
    pub tied_to: bool,
}

/// The piece has too many bars to be written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooManyBars;

impl Sheet {
    /// `score` written down. `staves` says whether a part that needs it may have two; else every part has one, and no loudness. `folds` says
    /// whether repeats are written as such, where what is played is the same.
    pub fn of(score: &Score, staves: bool, folds: bool) -> Result<Sheet, TooManyBars> {
        let mut meters = grid::snap_meters(score);
        let quarters = score.end().0.div_ceil(u64::from(score.ticks_per_quarter.get()));
        if quarters > 16 * MAX_BARS as u64 {
            return Err(TooManyBars);
        }
        let notes = grid::snap_notes(score);
        let end = notes.iter().flatten().map(Note::end).max().unwrap_or_default().max(Ticks(1));
        // The last bar is a whole one, whatever would have come after it.
        meters.retain(|(at, _)| *at < end);
        let per_quarter = const { TicksPerQuarter::new(RESOLUTION).unwrap() };
        let meters = named_meters(&meters, per_quarter, end);
        let bars: Vec<Bar> = Bars::new(&meters, per_quarter, end).take(MAX_BARS + 1).collect();
        if bars.len() > MAX_BARS {
            return Err(TooManyBars);
        }
        let uncut = sheet_bars(&bars);
        let fine = |at: Ticks| Ticks(grid::fine(at, score.ticks_per_quarter));
        let texts = score.chords.iter().chain(&score.markers).map(|(at, _)| fine(*at).0 + 1);
        let last = texts.chain([end.0]).max().unwrap_or(0);
        let repeats = score.repeats.iter().filter(|_| folds).map(|repeat| repeat.map(fine)).collect();
        let (mut bars, folding) =
            Folding::of(repeats, &uncut, (&notes, last), staves).unwrap_or_else(|| (uncut.clone(), Folding::default()));
        say_meters(&mut bars, &folding);
        let keys = keys(score, &notes, end.0);
        let mut tempos: Vec<(Ticks, Tempo)> = Vec::new();
        for &(at, tempo) in &score.tempos {
            // A 32nd note is finer than anybody hears in a change of tempo; beyond the last note nobody hears any.
            let at = grid::nearest(at, score.ticks_per_quarter, 8);
            if at < end.0 {
                tempos.push((Ticks(at), clamp(tempo)));
            }
        }
        last_wins(&mut tempos);
        let tempos: Vec<(u64, Tempo)> = tempos.into_iter().map(|(at, tempo)| (at.0, tempo)).collect();
        let mut unit = QUARTER;
        let mut divide = |time: u64| unit = gcd(unit, time);
        bars.iter().for_each(|bar| divide(bar.start));
        bars.iter().for_each(|bar| divide(4 * QUARTER / u64::from(bar.meter.denominator())));
        tempos.iter().for_each(|(at, _)| divide(*at));
        keys.iter().for_each(|(at, _)| divide(*at));
        bars.iter().for_each(|bar| divide(bar.end()));
        let mut parts = Vec::new();
        let mut written = Vec::new();
        for (index, (part, notes)) in score.parts.iter().zip(notes).enumerate() {
            if notes.is_empty() {
                continue;
            }
            parts.push(SheetPart { index, staves: staves_of(part, &notes, &bars, staves) });
            written.push(notes);
        }
        let events = parts.iter().flat_map(|part| &part.staves).flat_map(|staff| &staff.voices).flatten().flatten();
        events.for_each(|event| divide(event.onset));
        let events = parts.iter().flat_map(|part| &part.staves).flat_map(|staff| &staff.voices).flatten().flatten();
        events.for_each(|event| divide(event.duration));
        let spans = uncut.iter().map(|bar| (Ticks(bar.start), Ticks(bar.length), bar.meter));
        let meters = meters_of(spans, per_quarter);
        Ok(Sheet { bars, folding, numbers: Vec::new(), meters, tempos, keys, parts, notes: written, unit })
    }

    /// The key in force at `time`.
    pub fn key_at(&self, time: u64) -> Key {
        let place = self.keys.partition_point(|(at, _)| *at <= time).saturating_sub(1);
        self.keys.get(place).map_or(const { Key::new(0, Mode::Major).unwrap() }, |(_, key)| *key)
    }

    /// Whether what is folded is read again as it is played: what holds for all parts, and the bars as they are counted.
    pub fn folds_well(&self, is_open: IsOpen) -> bool {
        let (folding, tempos) = (&self.folding, &self.tempos);
        folding.is_plain()
            || folding.agrees_in_changes(tempos, Tempo::DEFAULT)
                && folding.agrees_in_changes(&self.keys, self.key_at(0))
                && folding.agrees_in_meters(&self.bars, &self.meters, is_open)
    }

    /// How many units make a quarter.
    pub fn divisions(&self) -> TicksPerQuarter {
        TicksPerQuarter::new((QUARTER / self.unit) as u32).unwrap_or(TicksPerQuarter::DEFAULT)
    }

    /// The score that a reader gets back, with what `part` makes of each written part.
    pub fn to_score(&self, part: impl Fn(usize, Vec<Note>) -> Part) -> Score {
        let mut score = Score::new(self.divisions());
        let at = |time: u64| Ticks(time / self.unit);
        score.tempos = self.tempos.iter().map(|&(time, tempo)| (at(time), tempo)).collect();
        score.keys = self.keys.iter().map(|&(time, key)| (at(time), key)).collect();
        score.meters = self.meters.iter().map(|(time, meter)| (at(time.0), *meter)).collect();
        for (written, notes) in self.parts.iter().zip(&self.notes) {
            let moved =
                notes.iter().map(|note| Note { onset: at(note.onset.0), duration: at(note.duration.0), ..*note });
            let mut notes: Vec<Note> = moved.collect();
            notes.sort_unstable();
            score.parts.push(part(written.index, notes));
        }
        score
    }
}

/// The changes of metre that give just these bars (start, length, metre); a bar shorter than its metre ends where the metre is named
/// once more.
pub(crate) fn meters_of(
    bars: impl Iterator<Item = (Ticks, Ticks, Meter)>,
    per_quarter: TicksPerQuarter,
) -> Vec<(Ticks, Meter)> {
    let mut changes: Vec<(Ticks, Meter)> = Vec::new();
    for (start, _, meter) in bars.filter(|(_, length, _)| *length > Ticks::ZERO) {
        let goes_on = match changes.last() {
            Some(&(change, current)) => {
                current == meter && (start - change).0.is_multiple_of(current.bar(per_quarter).0)
            }
            None => false,
        };
        if !goes_on {
            changes.push((start, meter));
        }
    }
    changes
}

/// Bars (start, length, metre, and whether it was a sign of repetition that ended it) as metres count them: two short ones that such a
/// sign parts, and that together make a whole bar, are one.
pub(crate) fn join_split_bars(
    bars: &[(Ticks, Ticks, Meter, bool)],
    per_quarter: TicksPerQuarter,
) -> Vec<(Ticks, Ticks, Meter)> {
    let mut joined = Vec::with_capacity(bars.len());
    let mut at = 0;
    while let Some(&(start, length, meter, is_open)) = bars.get(at) {
        at += 1;
        match bars.get(at) {
            Some(&(_, rest, other, _)) if is_open && other == meter && length + rest == meter.bar(per_quarter) => {
                joined.push((start, length + rest, meter));
                at += 1;
            }
            _ => joined.push((start, length, meter)),
        }
    }
    joined
}

/// The numbers of bars (see [`join_split_bars`]) as they are printed: from 1, an upbeat being 0. Two that a sign of repetition parts have
/// one number.
pub(crate) fn printed_numbers(bars: &[(Ticks, Ticks, Meter, bool)], per_quarter: TicksPerQuarter) -> Vec<usize> {
    let joined = join_split_bars(bars, per_quarter);
    let end = joined.last().map_or(Ticks::ZERO, |(start, length, _)| *start + *length);
    let meters = meters_of(joined.iter().copied(), per_quarter);
    let first = usize::from(upbeat(&meters, per_quarter, end).is_none());
    let number = |(start, ..): &(Ticks, Ticks, Meter, bool)| joined.partition_point(|(bar, ..)| bar <= start);
    bars.iter().map(|bar| number(bar).saturating_sub(1) + first).collect()
}

fn sheet_bars(bars: &[Bar]) -> Vec<SheetBar> {
    let bar = |bar: &Bar| SheetBar { start: bar.start.0, length: bar.length.0, meter: bar.meter, meter_changes: false };
    bars.iter().map(bar).collect()
}

/// A metre is written where the bar before on paper has another.
fn say_meters(bars: &mut [SheetBar], folding: &Folding) {
    let mut before = None;
    for (_, bar) in bars.iter_mut().enumerate().filter(|(k, _)| folding.is_written(*k)) {
        bar.meter_changes = before.replace(bar.meter) != Some(bar.meter);
    }
}

/// The changes of key before `end`: on 32nd notes, as those of tempo. Before the first one its own key holds; where there is none, it is
/// the one that fits the notes.
fn keys(score: &Score, notes: &[Vec<Note>], end: u64) -> Vec<(u64, Key)> {
    let pitched = || score.parts.iter().zip(notes).filter(|(part, _)| !part.drums).flat_map(|(_, notes)| notes);
    let found = || find_key(pitched()).unwrap_or(const { Key::new(0, Mode::Major).unwrap() });
    let first = score.keys.first().map_or_else(found, |(_, key)| *key);
    let mut keys = vec![(Ticks::ZERO, first)];
    let near = |at: Ticks| Ticks(grid::nearest(at, score.ticks_per_quarter, 8));
    keys.extend(score.keys.iter().map(|(at, key)| (near(*at), *key)).filter(|(at, _)| at.0 < end));
    last_wins(&mut keys);
    keys.dedup_by_key(|(_, key)| *key);
    keys.into_iter().map(|(at, key)| (at.0, key)).collect()
}

fn staves_of(part: &Part, notes: &[Note], bars: &[SheetBar], may_split: bool) -> Vec<Staff> {
    let staff = |clef, notes: &[Note]| {
        let voices = voices::separate(notes);
        let voices = voices.iter().enumerate().map(|(k, voice)| rhythm::write_down(voice, bars, k == 0)).collect();
        Staff { clef, voices }
    };
    if part.drums {
        return vec![staff(Clef::Percussion, notes)];
    }
    if may_split && let Some((upper, lower)) = staves::hands(part.program(), notes) {
        return vec![staff(Clef::Treble, &upper), staff(Clef::Bass, &lower)];
    }
    let sum: u64 = notes.iter().map(|note| u64::from(note.pitch.get())).sum();
    let is_low = sum < u64::from(Pitch::C4.get()) * notes.len() as u64;
    vec![staff(if is_low { Clef::Bass } else { Clef::Treble }, notes)]
}

pub(crate) fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}
