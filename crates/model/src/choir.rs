//! What composers for four voices share: what they keep of their corpus, how they read a piece of which some is given, and how they finish
//! it around that.

mod arranging;

use crate::frames::check_time;
use crate::{Prompt, TrainingSet, accentuate};
use cantus_encoding::voices::{self, Chord, ITEMS, SPAN, VOICES};
use cantus_score::{Meter, Pitch, Score, Tempo, Ticks, TicksPerQuarter, quantize};
use serde::{Deserialize, Serialize};

pub use arranging::Arrangement;

/// All voices, see [`Given`].
pub const ALL: u8 = (1 << VOICES) - 1;
/// The tempo where the corpus names none, in microseconds a quarter: 84 quarters a minute, as a congregation sings.
const PACE: u32 = 714_286;

/// What is given of a step: which voices (a bit each, the soprano the lowest), and what those sing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Given {
    /// The voices.
    pub voices: u8,
    /// What all sing; that of others means nothing.
    pub chord: Chord,
}

impl Given {
    /// Whether a voice is given.
    pub fn knows(self, voice: usize) -> bool {
        self.voices >> voice & 1 == 1
    }

    /// The items of the voices that are given.
    pub fn bits(self) -> u128 {
        let block = (1u128 << SPAN) - 1;
        let known = (0..VOICES).filter(|voice| self.knows(*voice));
        self.chord.bits() & known.fold(0, |all, voice| all | block << (SPAN * (VOICES - 1 - voice)))
    }
}

/// What a model keeps of its corpus.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Choir {
    /// Steps to a quarter note.
    pub steps_per_quarter: u32,
    /// The lowest and the highest item of each voice; none of one that never sings.
    pub ranges: Vec<Option<(usize, usize)>>,
    /// The most frequent metre.
    pub meter: String,
    /// The middle one of the pieces' first tempos, microseconds a quarter note.
    pub tempo: Option<u32>,
}

impl Choir {
    /// What the pieces of a corpus have in common, of which these items are sung; `None` where nothing is.
    pub fn of(set: &TrainingSet, sung: u128) -> Option<Choir> {
        if sung == 0 {
            return None;
        }
        let ranges = (0..VOICES).map(|voice| {
            let items = || (0..ITEMS).filter(|item| sung >> item & 1 == 1 && voices::voice_of(*item) == voice);
            Some((items().min()?, items().max()?))
        });
        Some(Choir {
            steps_per_quarter: set.all().next()?.ticks_per_quarter.get(),
            ranges: ranges.collect(),
            meter: set.usual_meter().to_string(),
            tempo: set.usual_tempo().map(Tempo::micros_per_quarter),
        })
    }

    /// Whether a file's can be used.
    ///
    /// # Errors
    /// What is wrong.
    pub fn check(&self) -> Result<(), String> {
        if self.ranges.iter().flatten().any(|(low, high)| low > high || *high >= ITEMS) {
            return Err("ranges of voices are damaged".to_owned());
        }
        check_time(self.steps_per_quarter, &self.meter, self.tempo)
    }

    /// The items that were sung, and those between them.
    pub fn allowed(&self) -> u128 {
        self.ranges.iter().flatten().flat_map(|(low, high)| *low..=*high).fold(0, |all, item| all | 1 << item)
    }

    /// The lowest and the highest MIDI pitch that was sung.
    pub fn pitches(&self) -> (u8, u8) {
        let pitches = |end: fn(&(usize, usize)) -> usize| {
            let items = self.ranges.iter().flatten().map(end);
            items.map(|item| voices::pitch_of(item).get()).collect::<Vec<u8>>()
        };
        let (low, high) = (pitches(|range| range.0), pitches(|range| range.1));
        (low.into_iter().min().unwrap_or(0), high.into_iter().max().unwrap_or(127))
    }

    /// The voices' ranges, in words.
    pub fn describe(&self) -> String {
        let ranges = self.ranges.iter().zip(voices::NAMES).filter_map(|(range, name)| {
            let (low, high) = (*range)?;
            Some(format!("{name} {} to {}", voices::pitch_of(low), voices::pitch_of(high)))
        });
        ranges.collect::<Vec<_>>().join(", ")
    }

    /// The grid of its steps.
    pub fn grid(&self) -> TicksPerQuarter {
        TicksPerQuarter::new(self.steps_per_quarter).unwrap_or(TicksPerQuarter::DEFAULT)
    }

    /// The most frequent metre.
    pub fn meter(&self) -> Meter {
        self.meter.parse().unwrap_or(Meter::COMMON)
    }

    /// An empty score in the corpus's metre and tempo.
    pub fn open(&self) -> Score {
        let mut score = Score::new(self.grid());
        score.meters.extend(self.meter.parse::<Meter>().ok().map(|meter| (Ticks::ZERO, meter)));
        let tempo = Tempo::from_micros_per_quarter(self.tempo.unwrap_or(PACE));
        score.tempos.extend(tempo.map(|tempo| (Ticks::ZERO, tempo)));
        score
    }

    /// What was sung last; where nothing was, the middle of each voice.
    pub fn closing(&self, chords: &[Chord]) -> Chord {
        let sung = chords.iter().rev().find(|chord| !chord.is_rest()).copied();
        sung.unwrap_or_else(|| {
            let middle = |range: &Option<(usize, usize)>| range.map(|(low, high)| 1u128 << usize::midpoint(low, high));
            Chord::from_bits(self.ranges.iter().filter_map(middle).fold(0, |all, bit| all | bit))
        })
    }

    /// What the model knows of pitches, in a remark where it has never heard some of them.
    pub fn strange(&self, score: &Score, what: &str) -> Option<String> {
        let allowed = self.allowed();
        let knows = |pitch: Pitch| {
            (0..VOICES).any(|voice| voices::item(voice, pitch).is_some_and(|item| allowed >> item & 1 == 1))
        };
        let strange = score.parts.iter().filter(|part| !part.drums);
        let strange = strange.flat_map(|part| &part.notes).filter(|note| !knows(note.pitch)).count();
        (strange > 0).then(|| {
            format!(
                "the model has never heard the pitches of {} of the {what}; the {what} itself is kept as it is",
                cantus_score::counted(strange, "note")
            )
        })
    }

    /// The music of a prompt on the grid, and how many steps of it there are.
    pub fn heard(&self, prompt: &Prompt) -> (Score, usize) {
        let score = quantize(prompt.score(), self.grid(), 0.5).0;
        let steps = prompt.end_in(&Score::new(self.grid())).0.min(voices::MOST_STEPS) as usize;
        (score, steps)
    }
}

/// Whether chords hold just the pitches of a quantised score.
pub fn is_same(score: &Score, chords: &[Chord]) -> bool {
    let mut sounding = vec![0u128; chords.len()];
    for note in score.pitched_notes() {
        let (from, to) = (note.onset.0 as usize, note.end().0.max(note.onset.0 + 1) as usize);
        let Some(steps) = sounding.get_mut(from..to) else { return false };
        steps.iter_mut().for_each(|keys| *keys |= 1 << note.pitch.get());
    }
    let keys = |chord: &Chord| {
        (0..VOICES).filter_map(|voice| chord.pitch(voice)).fold(0u128, |keys, pitch| keys | 1 << pitch.get())
    };
    sounding.iter().zip(chords).all(|(expected, chord)| keys(chord) == *expected)
}

/// Each voice by itself as a player would touch it.
pub fn touch(score: &mut Score) {
    let parts = std::mem::take(&mut score.parts);
    for part in parts {
        let mut alone = Score { parts: vec![part], ..score.clone() };
        alone.parts.truncate(1);
        accentuate(&mut alone, Ticks::ZERO);
        score.parts.append(&mut alone.parts);
    }
}

/// Puts fermatas over what is sung in the quarter notes that begin at these steps of a grid.
pub fn hold(score: &mut Score, steps: &[usize], grid: TicksPerQuarter) {
    let quarter = u64::from(score.ticks_per_quarter.get());
    for part in score.parts.iter_mut().filter(|part| !part.drums) {
        for step in steps {
            let at = Ticks(*step as u64).rescale(grid, score.ticks_per_quarter).0;
            let mut sounding = part.notes.iter().filter(|note| note.onset.0 < at + quarter && note.end().0 > at);
            part.fermatas.extend(sounding.next_back().map(|note| note.onset));
        }
        part.fermatas.sort_unstable();
        part.fermatas.dedup();
    }
}
