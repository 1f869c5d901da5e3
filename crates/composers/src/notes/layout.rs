//! What the network reads of a note, and where each number of it stands.

use super::lines;
use super::past::{Past, WAYS};
use super::texture::{self, LOOK};
use cantus_encoding::note_events::{NUMBERS, Vocabulary, number_of};
use cantus_nn::cascade::{CascadeShape, ChoiceShape, KeyShape, MARKS};

/// The choices that make a note, in their order.
pub(super) mod choice {
    pub const QUARTERS: usize = 0;
    pub const PLACE: usize = 1;
    pub const INSTRUMENT: usize = 2;
    pub const PITCH: usize = 3;
    pub const LENGTH: usize = 4;
    pub const END: usize = 5;
    pub const LEVEL: usize = 6;
    pub const COUNT: usize = 7;
}

/// Keys of an instrument.
pub(super) const KEYS: usize = 128;
/// Numbers that are told from one another where they are only known; larger ones are as one.
const NUMBER: usize = 72;
/// Quarters of a bar that are told from one another.
const QUARTER: usize = 16;
/// Notes of a moment that are told from one another.
const OF_MOMENT: usize = 9;
/// Intervals from the note before: two octaves up and down, and further.
const INTERVALS: usize = 51;
/// Classes of how many bars are left.
const LEFT: usize = 10;
/// Classes of a length in steps.
const STEPS: usize = 40;
/// Parts of an input.
const PARTS: usize = 21;
/// Sources of what the shared part hears.
pub(super) const SOURCES: usize = 11;

/// What may be known while a note is chosen. Each choice sees some of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// The place in the quarter of the note before.
    PlaceBefore,
    /// Which quarter of its bar.
    Quarter,
    /// Quarters of the bar.
    Bar,
    /// Bars that are left.
    Left,
    /// How many notes this moment has so far.
    Moment,
    /// Quarters entered since the note before.
    Advance,
    Place,
    /// The instrument of the note before at this moment.
    InstrumentBefore,
    Instrument,
    /// The lowest pitch of this moment so far, in the instrument.
    Upper,
    /// The instrument's pitch before this moment.
    PitchBefore,
    Pitch,
    /// How many keys of the instrument are held.
    Held,
    /// Quarters entered until the note's end.
    Length,
    /// The same of the note before in the chord, and the place of its end.
    LengthOfChord,
    EndOfChord,
    /// Length of the instrument's note before, in steps.
    LengthBefore,
    /// Loudness of the instrument's note before.
    LevelBefore,
    /// How busy the music is to be: moments to the beat, notes to the moment.
    Pace,
    Chords,
}

use Known::{
    Advance, Bar, Chords, EndOfChord, Held, Instrument, InstrumentBefore, Left, Length, LengthBefore, LengthOfChord,
    LevelBefore, Moment, Pace, Pitch, PitchBefore, Place, PlaceBefore, Quarter, Upper,
};

/// What each choice sees.
const SEES: [&[Known]; choice::COUNT] = [
    &[PlaceBefore, Quarter, Bar, Left, Moment, Pace, Chords],
    &[Advance, PlaceBefore, Quarter, Bar, Moment, Pace, Chords],
    &[Advance, Place, Quarter, Moment, InstrumentBefore, Pace, Chords],
    &[Instrument, Advance, Place, Quarter, Moment, Upper, PitchBefore, Held],
    &[Instrument, Pitch, Place, Quarter, Moment, LengthOfChord, LengthBefore, Left],
    &[Instrument, Length, Place, LengthOfChord, EndOfChord, LengthBefore],
    &[Instrument, Pitch, Place, Quarter, Moment, Length, LevelBefore],
];

/// What the numbers of some classes stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Axis {
    /// The same in every vocabulary.
    Same,
    /// Those of a vocabulary; one more says that there is none.
    Places,
    Instruments,
    Levels,
    Styles,
}

/// Where everything stands for one vocabulary.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    places: usize,
    /// Steps to a beat.
    beat: u32,
    instruments: usize,
    levels: usize,
    /// Styles that are told apart.
    styles: usize,
    /// For each choice, where each thing that it sees begins.
    begins: [Vec<(Known, usize)>; choice::COUNT],
    known: [usize; choice::COUNT],
}

/// Kinds of candidates, in the order of a candidate's list.
pub(super) mod kind {
    use super::{WAYS, lines};
    /// How it was found: as an earlier place, as the end of something that sounds, as the next end.
    pub const ENDS: usize = 6;
    pub const NEXT: usize = 2;
    pub const WAY: usize = 0;
    pub const WHOLE: usize = WAY + WAYS + ENDS + NEXT;
    pub const MATCHES: usize = 9;
    pub const INTERVAL: usize = WHOLE + MATCHES;
    pub const LAG: usize = INTERVAL + MATCHES;
    pub const LAGS: usize = 14;
    /// Whether it stands at the same place of a bar.
    pub const BAR: usize = LAG + LAGS;
    pub const RANK: usize = BAR + 2;
    pub const RANKS: usize = 8;
    /// Of what has no kind of its own.
    pub const NEUTRAL: usize = RANK + RANKS;
    /// Of an instrument's own line: how it was found, and how far it matches.
    pub const OWN: usize = NEUTRAL + 1;
    pub const OWN_WHOLE: usize = OWN + lines::WAYS;
    pub const OWN_INTERVAL: usize = OWN_WHOLE + MATCHES;
    pub const COUNT: usize = OWN_INTERVAL + MATCHES;
}

/// A length of match as a class.
pub(super) fn class_of_match(length: usize) -> usize {
    match length {
        0..=2 => length,
        3..=4 => 3,
        5..=8 => 4,
        9..=16 => 5,
        17..=32 => 6,
        33..=63 => 7,
        _ => 8,
    }
}

impl Layout {
    pub fn new(vocabulary: &Vocabulary, styles: usize) -> Layout {
        let mut layout = Layout {
            places: vocabulary.clock().places() as usize,
            beat: vocabulary.clock().beat(),
            instruments: vocabulary.instruments().len(),
            levels: vocabulary.velocities().len(),
            styles,
            begins: Default::default(),
            known: [0; choice::COUNT],
        };
        for (v, sees) in SEES.iter().enumerate() {
            let mut at = 0;
            for known in *sees {
                layout.begins[v].push((*known, at));
                at += layout.size(*known);
            }
            layout.known[v] = at;
        }
        layout
    }

    fn size(&self, known: Known) -> usize {
        match known {
            PlaceBefore | Place => self.places,
            Quarter | Bar => QUARTER,
            Left => LEFT,
            Moment | Held => OF_MOMENT,
            Advance | Length => NUMBER,
            InstrumentBefore => self.instruments + 1,
            Instrument => self.instruments,
            Upper | PitchBefore => KEYS + 1,
            Pitch => KEYS,
            LengthOfChord => NUMBER + 1,
            EndOfChord => self.places + 1,
            LengthBefore => STEPS + 1,
            LevelBefore => self.levels + 1,
            Pace | Chords => texture::CLASSES + 1,
        }
    }

    /// The index of something known, cut to its range; `None` where the choice does not see it.
    pub fn known(&self, v: usize, known: Known, value: usize) -> Option<u16> {
        let (_, at) = self.begins[v].iter().find(|(seen, _)| *seen == known)?;
        Some((at + value.min(self.size(known) - 1)) as u16)
    }

    /// Styles that are told apart.
    pub fn styles(&self) -> usize {
        self.styles
    }

    /// What the classes that a choice sees stand for, and how many there are.
    pub fn known_axes(&self, v: usize) -> Vec<(Axis, usize)> {
        let axis = |known: Known| match known {
            PlaceBefore | Place | EndOfChord => Axis::Places,
            Instrument | InstrumentBefore => Axis::Instruments,
            LevelBefore => Axis::Levels,
            _ => Axis::Same,
        };
        SEES[v].iter().map(|known| (axis(*known), self.size(*known))).collect()
    }

    /// The same of what a choice chooses from.
    pub fn choice_axis(&self, v: usize) -> (Axis, usize) {
        let axis = match v {
            choice::PLACE | choice::END => Axis::Places,
            choice::INSTRUMENT => Axis::Instruments,
            choice::LEVEL => Axis::Levels,
            _ => Axis::Same,
        };
        (axis, self.classes(v))
    }

    /// The same of an input's parts.
    pub fn input_axes(&self) -> Vec<(Axis, usize)> {
        let axis = |part: usize| match part {
            1 => Axis::Instruments,
            5 | 8 => Axis::Places,
            9 => Axis::Levels,
            20 => Axis::Styles,
            _ => Axis::Same,
        };
        self.of_input().into_iter().enumerate().map(|(part, size)| (axis(part), size)).collect()
    }

    /// Whether a choice has anything to choose from.
    pub fn is_made(&self, v: usize) -> bool {
        self.classes(v) > 1
    }

    fn classes(&self, v: usize) -> usize {
        match v {
            choice::QUARTERS | choice::LENGTH => NUMBERS,
            choice::PLACE | choice::END => self.places,
            choice::INSTRUMENT => self.instruments,
            choice::PITCH => KEYS,
            _ => self.levels,
        }
    }

    /// The head's shape.
    pub fn shape(&self, features: usize, hidden: usize, channels: usize, reach: usize, copying: bool) -> CascadeShape {
        let choices =
            (0..choice::COUNT).map(|v| ChoiceShape { classes: self.classes(v), known: self.known[v] }).collect();
        let keys = (channels > 0).then_some(KeyShape { choice: choice::PITCH, channels, reach, sources: SOURCES });
        let (kinds, marks) = if copying { (kind::COUNT, MARKS * kind::MATCHES) } else { (0, 0) };
        CascadeShape { features, hidden, choices, keys, kinds, marks }
    }

    /// What candidates of each kind begin with: long matches count for more.
    pub fn first_scores(&self) -> Vec<f32> {
        let mut scores = vec![0.0; kind::COUNT];
        for class in 0..kind::MATCHES {
            scores[kind::WHOLE + class] = 0.6 * class as f32;
            scores[kind::INTERVAL + class] = 0.3 * class as f32;
            scores[kind::OWN_WHOLE + class] = 0.6 * class as f32;
            scores[kind::OWN_INTERVAL + class] = 0.3 * class as f32;
        }
        scores
    }

    /// Features of an input.
    pub fn inputs(&self) -> usize {
        self.of_input().iter().sum()
    }

    /// Sizes of an input's parts: beginning, instrument, pitch, interval, advance, place, quarter, length, end, loudness, what sounds, what
    /// sounded lately, pitch classes, bar, bars left, notes of the moment, keys held, time to the next end, pace and chords, style, the last
    /// one of each of these three for what is not told.
    fn of_input(&self) -> [usize; PARTS] {
        [
            1,
            self.instruments,
            KEYS,
            INTERVALS,
            NUMBER,
            self.places,
            QUARTER,
            NUMBER,
            self.places,
            self.levels,
            KEYS,
            KEYS,
            12,
            QUARTER,
            LEFT,
            OF_MOMENT,
            OF_MOMENT,
            NUMBER,
            texture::CLASSES + 1,
            texture::CLASSES + 1,
            if self.styles == 0 { 0 } else { self.styles + 1 },
        ]
    }

    /// Writes what the network reads before note `j`, with everything moved by `shift`; `told` says what it is told of the piece.
    pub fn read(
        &self,
        past: &Past,
        j: usize,
        (shift, told): (i32, Told),
        is_drums: impl Fn(u8) -> bool,
        row: &mut [f32],
    ) {
        row.fill(0.0);
        let sizes = self.of_input();
        let mut begins = [0usize; PARTS];
        for k in 1..begins.len() {
            begins[k] = begins[k - 1] + sizes[k - 1];
        }
        let mut mark = |part: usize, value: usize, x: f32| row[begins[part] + value.min(sizes[part] - 1)] += x;
        let notes = &past.notes()[..j];
        let now = notes.last().map_or(0, |note| note.onset);
        let place = InBar::of(past, now, self.beat);
        let [pace, chords] = texture::known(past.texture(now).filter(|_| told.texture));
        mark(18, pace, 1.0);
        mark(19, chords, 1.0);
        if self.styles > 0 {
            match past.styles().shares() {
                shares if told.style && !shares.is_empty() => {
                    shares.iter().for_each(|(style, share)| mark(20, *style, *share));
                }
                _ => mark(20, self.styles, 1.0),
            }
        }
        mark(6, place.quarter, 1.0);
        mark(13, place.bar_quarters, 1.0);
        mark(14, class_of_left(past.left(place.bar)), 1.0);
        let Some(last) = notes.last() else { return mark(0, 0, 1.0) };
        let moved = |note: &cantus_encoding::note_events::Event| {
            key_of(note.pitch, if is_drums(note.instrument) { 0 } else { shift })
        };
        let places = self.places as u32;
        mark(1, last.instrument.into(), 1.0);
        mark(2, moved(last), 1.0);
        let own = notes[..j - 1].iter().rev().take(LOOK).find(|note| note.instrument == last.instrument);
        let interval = own.map_or(0, |own| i32::from(last.pitch) - i32::from(own.pitch)).clamp(-25, 25) + 25;
        mark(3, interval as usize, 1.0);
        let advance = j.checked_sub(2).map_or(0, |before| last.onset / places - notes[before].onset / places);
        mark(4, usize::from(number_of(advance)), 1.0);
        mark(5, (last.onset % places) as usize, 1.0);
        if last.length > 0 {
            mark(7, usize::from(number_of(last.end() / places - last.onset / places)), 1.0);
            mark(8, (last.end() % places) as usize, 1.0);
        }
        mark(9, last.level.into(), 1.0);
        let (mut of_moment, mut held, mut next_end) = (0, 0, u32::MAX);
        for note in notes.iter().rev().take(LOOK) {
            of_moment += usize::from(note.onset == last.onset);
            if note.end() > last.onset {
                held += 1;
                next_end = next_end.min(note.end() - last.onset);
                mark(10, moved(note), 1.0);
            }
            if !is_drums(note.instrument) {
                let ago = (last.onset - note.onset) as f32 / self.beat as f32;
                if ago < 8.0 {
                    mark(11, moved(note), 0.5 * (-0.5 * ago).exp());
                }
            }
        }
        for (class, share) in past.classes(j).into_iter().enumerate() {
            mark(12, (class as i32 + shift).rem_euclid(12) as usize, 3.0 * share);
        }
        mark(15, of_moment, 1.0);
        mark(16, held, 1.0);
        if next_end < u32::MAX {
            mark(17, usize::from(number_of(next_end)), 1.0);
        }
    }
}

/// What a network is told of a piece, where somebody says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Told {
    /// How busy it is.
    pub texture: bool,
    /// Its style.
    pub style: bool,
}

impl Told {
    pub const ALL: Told = Told { texture: true, style: true };
}

/// A key moved by some semitones, held within the keyboard.
pub(super) fn key_of(pitch: u8, shift: i32) -> usize {
    (i32::from(pitch) + shift).clamp(0, KEYS as i32 - 1) as usize
}

/// How many bars are left, as a class.
pub(super) fn class_of_left(bars: usize) -> usize {
    match bars {
        0..=3 => bars,
        4..=5 => 4,
        6..=8 => 5,
        9..=16 => 6,
        17..=32 => 7,
        33..=64 => 8,
        _ => 9,
    }
}

/// Where a time lies in its bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct InBar {
    /// The bar's number.
    pub bar: usize,
    /// Which quarter of it.
    pub quarter: usize,
    pub bar_quarters: usize,
    /// Steps from the bar's beginning.
    pub within: u64,
}

impl InBar {
    pub fn of(past: &Past, time: u32, beat: u32) -> InBar {
        let bar = past.bar_at(time);
        let Some(found) = past.bars().get(bar) else {
            return InBar { bar, quarter: 0, bar_quarters: 0, within: 0 };
        };
        let within = u64::from(time).saturating_sub(found.start.0);
        let quarters = |steps: u64| usize::try_from(steps / u64::from(beat)).unwrap_or(usize::MAX);
        InBar { bar, quarter: quarters(within), bar_quarters: quarters(found.length.0), within }
    }
}
