//! `voices`: what soprano, alto, tenor and bass sing at each step of the grid.
//!
//! A step is a [`Chord`]: for each voice a pitch, or a rest. A pitch that stands in one step after another sounds on; where it is
//! struck again is lost. As a set ([`Chord::bits`]), each voice has 32 items of its own, the soprano's the highest, so that members in
//! descending order are the voices in turn, and moving all voices by a semitone moves all members by one.
//!
//! A score whose parts each play one note at a time and are named as voices is read by these names; one of four such parts without the
//! names part by part, the highest on average first. Any other is read as
//! a choir would divide it: at each step the sounding keys from the top down; three of them are sung by four voices (two in unison)
//! and of more than four the outer ones and the nearest to where the inner voices were are kept.

use cantus_score::{Note, Part, Pitch, Program, Score, Ticks, TicksPerQuarter, Velocity};

/// How many voices there are: soprano, alto, tenor, bass.
pub const VOICES: usize = 4;
/// Their names.
pub const NAMES: [&str; VOICES] = ["Soprano", "Alto", "Tenor", "Bass"];
/// General MIDI's choir: what voices sound like.
pub const CHOIR: Option<Program> = Program::new(52);
/// How many pitches each has.
pub const SPAN: usize = 32;
/// Items of all voices.
pub const ITEMS: usize = VOICES * SPAN;
/// The lowest pitch of each. Equally far apart: the distance of two items tells the interval of the two voices.
const LOWEST: [u8; VOICES] = [59, 51, 43, 35];
/// The most steps that a piece may have.
pub const MOST_STEPS: u64 = 1 << 20;
/// Where voices are thought to be before they sing.
const MIDDLE: [i32; VOICES] = [72, 65, 58, 50];

/// What the voices sing at one step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Chord([Option<u8>; VOICES]);

impl Chord {
    /// All voices rest.
    pub const REST: Chord = Chord([None; VOICES]);

    /// A chord of these pitches, from the soprano down; pitches that a voice cannot sing move by octaves.
    pub fn new(pitches: [Option<Pitch>; VOICES]) -> Chord {
        let mut chord = Chord::REST;
        for (voice, pitch) in pitches.iter().enumerate() {
            chord.0[voice] = pitch.map(|pitch| within(voice, i32::from(pitch.get())));
        }
        chord
    }

    /// What a voice sings, from 0 (the soprano).
    pub fn pitch(self, voice: usize) -> Option<Pitch> {
        self.0[voice].and_then(|pitch| Pitch::try_from(pitch).ok())
    }

    /// The chord with what one voice sings replaced.
    #[must_use]
    pub fn with(mut self, voice: usize, pitch: Option<Pitch>) -> Chord {
        self.0[voice] = pitch.map(|pitch| within(voice, i32::from(pitch.get())));
        self
    }

    /// Whether all voices rest.
    pub fn is_rest(self) -> bool {
        self == Chord::REST
    }

    /// The chord as a set of items, see [`item`].
    pub fn bits(self) -> u128 {
        self.0.iter().enumerate().fold(0, |bits, (voice, pitch)| {
            bits | pitch.map_or(0, |pitch| 1 << (SPAN * (VOICES - 1 - voice) + usize::from(pitch - LOWEST[voice])))
        })
    }

    /// The chord of a set; of several items of one voice the highest.
    pub fn from_bits(bits: u128) -> Chord {
        let mut chord = Chord::REST;
        for (voice, pitch) in chord.0.iter_mut().enumerate() {
            let own = (bits >> (SPAN * (VOICES - 1 - voice))) as u32;
            *pitch = (own != 0).then(|| LOWEST[voice] + own.ilog2() as u8);
        }
        chord
    }

    /// How many semitones it can be moved down and up before a voice leaves its range: `(-down, up)`.
    pub fn room(self) -> (i32, i32) {
        let sung = self.0.iter().enumerate().filter_map(|(voice, pitch)| Some((voice, i32::from((*pitch)?))));
        sung.fold((-(SPAN as i32), SPAN as i32), |(down, up), (voice, pitch)| {
            let low = i32::from(LOWEST[voice]);
            (down.max(low - pitch), up.min(low + SPAN as i32 - 1 - pitch))
        })
    }
}

/// The members of a set, from the highest down: the voices in turn.
pub fn items(mut bits: u128) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let item = bits.checked_ilog2()? as usize;
        bits &= !(1 << item);
        Some(item)
    })
}

/// A set with all its members moved up by so many semitones.
pub fn moved(bits: u128, semitones: i32) -> u128 {
    if semitones >= 0 { bits << semitones } else { bits >> -semitones }
}

/// The voice that an item belongs to.
///
/// # Panics
/// If there is no such item.
pub fn voice_of(item: usize) -> usize {
    VOICES - 1 - item / SPAN
}

/// The pitch that an item stands for.
///
/// # Panics
/// If there is no such item.
pub fn pitch_of(item: usize) -> Pitch {
    let pitch = LOWEST[voice_of(item)] + (item % SPAN) as u8;
    Pitch::try_from(pitch).expect("ranges of voices lie within those of pitches")
}

/// The item of a voice and a pitch that lies within its range.
pub fn item(voice: usize, pitch: Pitch) -> Option<usize> {
    let above = usize::from(pitch.get().checked_sub(LOWEST[voice])?);
    (above < SPAN).then(|| SPAN * (VOICES - 1 - voice) + above)
}

/// A pitch moved by octaves into a voice's range.
fn within(voice: usize, mut pitch: i32) -> u8 {
    let low = i32::from(LOWEST[voice]);
    while pitch < low {
        pitch += 12;
    }
    while pitch >= low + SPAN as i32 {
        pitch -= 12;
    }
    pitch as u8
}

/// A quantised score (one tick a step) as chords, from its first step to the end of its last note; drums are left out. Empty where
/// there is no note, and where there are more steps than [`MOST_STEPS`].
pub fn read(score: &Score) -> Vec<Chord> {
    let parts: Vec<&Part> = score.parts.iter().filter(|part| !part.drums && !part.notes.is_empty()).collect();
    let end = parts.iter().flat_map(|part| &part.notes).map(end_of).max().unwrap_or(0);
    if end > MOST_STEPS {
        return Vec::new();
    }
    match sung_by(&parts) {
        Some(voices) => read_parts(voices, end as usize),
        None => divide(parts.iter().flat_map(|part| &part.notes), end as usize),
    }
}

/// The part of each voice, where a part is a voice: by the names where all have one, each another; four without them by their height, as
/// averages say little of voices that rest or meet.
fn sung_by<'p>(parts: &[&'p Part]) -> Option<[Option<&'p Part>; VOICES]> {
    if !parts.iter().all(|part| is_one_line(part)) {
        return None;
    }
    let mut named = [None; VOICES];
    for part in parts {
        if let Some(voice) = NAMES.iter().position(|name| part.name.as_deref() == Some(name)) {
            named[voice] = Some(*part);
        }
    }
    if named.iter().flatten().count() == parts.len() {
        return Some(named);
    }
    let height = |part: &Part| {
        let sum = part.notes.iter().map(|note| u64::from(note.pitch.get())).sum::<u64>();
        std::cmp::Reverse(sum * 1000 / part.notes.len().max(1) as u64)
    };
    let mut four = <[&Part; VOICES]>::try_from(parts).ok()?;
    four.sort_by_key(|part| height(part));
    Some(four.map(Some))
}

fn end_of(note: &Note) -> u64 {
    note.onset.0.saturating_add(note.duration.0.max(1))
}

fn steps_of(note: &Note) -> std::ops::Range<usize> {
    note.onset.0 as usize..end_of(note) as usize
}

/// Whether one note is sung at a time. Where a note is held a step into the next, it was sung legato.
fn is_one_line(part: &Part) -> bool {
    part.notes.windows(2).all(|pair| pair[0].onset < pair[1].onset && end_of(&pair[0]) <= pair[1].onset.0 + 1)
}

fn read_parts(parts: [Option<&Part>; VOICES], end: usize) -> Vec<Chord> {
    let mut chords = vec![Chord::REST; end];
    for (voice, part) in parts.iter().enumerate() {
        for note in part.iter().flat_map(|part| &part.notes) {
            let pitch = within(voice, i32::from(note.pitch.get()));
            chords[steps_of(note)].iter_mut().for_each(|chord| chord.0[voice] = Some(pitch));
        }
    }
    chords
}

/// Divides keys that sound together among the voices.
fn divide<'a>(notes: impl Iterator<Item = &'a Note>, end: usize) -> Vec<Chord> {
    let mut sounding = vec![0u128; end];
    for note in notes {
        let bit = 1 << note.pitch.get();
        sounding[steps_of(note)].iter_mut().for_each(|keys| *keys |= bit);
    }
    let mut at = MIDDLE;
    let mut last: Option<(u128, Chord)> = None;
    let mut chords = Vec::with_capacity(end);
    for keys in sounding {
        let chord = match last {
            Some((same, chord)) if same == keys => chord,
            _ => divide_keys(keys, &at),
        };
        at.iter_mut().zip(chord.0).for_each(|(at, pitch)| *at = pitch.map_or(*at, i32::from));
        last = Some((keys, chord));
        chords.push(chord);
    }
    chords
}

/// Who sings which of the keys, given where the voices were: no two cross, and together they move as little as possible.
fn divide_keys(keys: u128, at: &[i32; VOICES]) -> Chord {
    let mut keys: Vec<i32> = (0..128).rev().filter(|k| keys >> k & 1 == 1).collect();
    let nearest = |voice: usize, keys: &[i32]| keys.iter().map(|key| (key - at[voice]).abs()).min().unwrap_or(0);
    while keys.len() > VOICES {
        // Of the inner keys the one goes that neither inner voice is near to.
        let far = |k: &usize| nearest(1, &keys[*k..=*k]).min(nearest(2, &keys[*k..=*k]));
        let Some(worst) = (1..keys.len() - 1).max_by_key(far) else { break };
        keys.remove(worst);
    }
    // All ways to give each voice a key, or none, from the top down. Of one or two keys others rest; three are sung by all.
    let shared = keys.len() == VOICES - 1;
    let mut best: Option<(i32, [Option<i32>; VOICES])> = None;
    let mut consider = |sung: [Option<i32>; VOICES]| {
        let cost = |(voice, key): (usize, &Option<i32>)| {
            key.map_or(0, |key| (key - at[voice]).abs() + 12 * i32::from(i32::from(within(voice, key)) != key))
        };
        let cost = sung.iter().enumerate().map(cost).sum();
        if best.is_none_or(|(least, _)| cost < least) {
            best = Some((cost, sung));
        }
    };
    match keys[..] {
        [a, b, c, d] => consider([Some(a), Some(b), Some(c), Some(d)]),
        [a, b, c] if shared => {
            [[a, a, b, c], [a, b, b, c], [a, b, c, c]].into_iter().for_each(|sung| consider(sung.map(Some)));
        }
        [a, b] => {
            for (first, second) in [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)] {
                let mut sung = [None; VOICES];
                (sung[first], sung[second]) = (Some(a), Some(b));
                consider(sung);
            }
        }
        [a] => (0..VOICES).for_each(|voice| consider(std::array::from_fn(|k| (k == voice).then_some(a)))),
        _ => {}
    }
    let sung = best.map_or([None; VOICES], |(_, sung)| sung);
    Chord(std::array::from_fn(|voice| sung[voice].map(|key| within(voice, key))))
}

/// Chords as a score of four parts, one tick a step. A pitch that stays is one note, struck again at the steps for which `again` says
/// so of the voice.
pub fn write(chords: &[Chord], steps_per_quarter: TicksPerQuarter, again: impl Fn(usize, usize) -> bool) -> Score {
    let mut score = Score::new(steps_per_quarter);
    for (voice, name) in NAMES.into_iter().enumerate() {
        let mut part = Part {
            name: Some(name.to_owned()),
            channel: voice as u8,
            programs: CHOIR.map(|program| (Ticks::ZERO, program)).into_iter().collect(),
            ..Part::default()
        };
        let mut last: Option<Pitch> = None;
        for (step, chord) in chords.iter().enumerate() {
            let pitch = chord.pitch(voice);
            match (pitch, part.notes.last_mut()) {
                (Some(_), Some(note)) if pitch == last && !again(step, voice) => note.duration += Ticks(1),
                (Some(pitch), _) => part.notes.push(Note {
                    onset: Ticks(step as u64),
                    pitch,
                    duration: Ticks(1),
                    velocity: Velocity::DEFAULT,
                }),
                (None, _) => {}
            }
            last = pitch;
        }
        score.parts.push(part);
    }
    score
}

/// What [`write()`] makes of [`read`]: four parts, all notes equally loud, no pitch struck again without a rest.
pub fn canonicalize(score: &Score) -> Score {
    write(&read(score), score.ticks_per_quarter, |_, _| false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pitch(pitch: u8) -> Pitch {
        Pitch::try_from(pitch).unwrap()
    }

    fn chord(pitches: [u8; VOICES]) -> Chord {
        Chord::new(pitches.map(|p| (p > 0).then(|| pitch(p))))
    }

    fn any_chord() -> impl Strategy<Value = Chord> {
        prop::array::uniform4(prop::option::of(0..SPAN as u8))
            .prop_map(|above| Chord(std::array::from_fn(|voice| above[voice].map(|above| LOWEST[voice] + above))))
    }

    fn merged(score: &Score) -> Score {
        Score { parts: vec![cantus_score::merge_parts(&score.parts)], ..score.clone() }
    }

    proptest! {
        #[test]
        fn a_chord_is_its_set_and_moves_as_a_whole(chord in any_chord(), by in -40i32..40) {
            prop_assert_eq!(Chord::from_bits(chord.bits()), chord);
            let items: Vec<usize> = (0..VOICES).filter_map(|voice| item(voice, chord.pitch(voice)?)).collect();
            prop_assert_eq!(super::items(chord.bits()).collect::<Vec<_>>(), items.clone());
            prop_assert!(items.is_sorted_by(|a, b| a > b), "voices in turn are items in descending order");
            prop_assert_eq!(items.iter().fold(0, |bits, item| bits | 1u128 << item), chord.bits());
            for item in items {
                prop_assert_eq!(chord.pitch(voice_of(item)), Some(pitch_of(item)));
            }
            let (down, up) = chord.room();
            if !chord.is_rest() && (down..=up).contains(&by) {
                let moved = Chord::from_bits(super::moved(chord.bits(), by));
                for voice in 0..VOICES {
                    prop_assert_eq!(moved.pitch(voice), chord.pitch(voice).and_then(|pitch| pitch.transposed(by)));
                }
            }
        }

        #[test]
        fn parts_survive_as_chords(chords in prop::collection::vec(any_chord(), 1..40)) {
            let score = write(&chords, TicksPerQuarter::new(4).unwrap(), |_, _| false);
            prop_assert_eq!(canonicalize(&score), score.clone());
            // Without their names, who sings what is found, and stays.
            let unnamed = Score {
                parts: score.parts.iter().map(|part| Part { name: None, ..part.clone() }).collect(),
                ..score.clone()
            };
            let found = canonicalize(&unnamed);
            prop_assert_eq!(canonicalize(&found), found.clone());
            // Where all voices sing, and lie in order on average, nothing at all is lost.
            let means: Vec<f64> = score.parts.iter()
                .map(|part| part.notes.iter().map(|note| f64::from(note.pitch.get())).sum::<f64>() / part.notes.len() as f64)
                .collect();
            if means.is_sorted_by(|a, b| a > b) {
                prop_assert_eq!(found, score);
            }
        }
    }

    #[test]
    fn a_voice_that_lies_higher_on_average_keeps_its_place() {
        // Three keys are sung by four voices, tenor and bass in unison; the tenor alone goes on, lower.
        let mut score =
            write(&[[0, 72, 66, 52], [0, 0, 43, 0]].map(chord), TicksPerQuarter::new(4).unwrap(), |_, _| false);
        score.parts.iter_mut().for_each(|part| part.name = None);
        assert_eq!(read(&score), [[72, 66, 52, 52], [0, 0, 43, 0]].map(chord));
        let score = canonicalize(&score);
        assert_eq!(canonicalize(&score), score);
    }

    #[test]
    fn merged_voices_are_divided_again() {
        let chords = [
            chord([72, 67, 64, 48]),
            chord([72, 67, 64, 48]),
            // Alto and tenor meet; then the upper two.
            chord([71, 65, 65, 43]),
            chord([67, 67, 59, 47]),
            // The bass rests, then all, then the soprano goes on alone.
            chord([69, 65, 62, 0]),
            chord([0, 0, 0, 0]),
            chord([69, 0, 0, 0]),
        ];
        let score = write(&chords, TicksPerQuarter::new(4).unwrap(), |_, _| false);
        let found = read(&merged(&score));
        assert_eq!(found.len(), chords.len());
        for (k, (found, expected)) in found.iter().zip(&chords).enumerate() {
            // Of three keys all voices sing: the fifth chord has a bass.
            let expected = if k == 4 { chord([69, 65, 62, 62]) } else { *expected };
            assert_eq!(*found, expected, "{k}");
        }
    }

    #[test]
    fn more_keys_than_voices_lose_inner_ones() {
        let keys = [84u8, 72, 67, 64, 60, 36].into_iter().fold(0u128, |keys, k| keys | 1 << k);
        assert_eq!(divide_keys(keys, &[72, 66, 60, 48]), chord([84, 67, 60, 36]));
    }

    #[test]
    fn what_a_voice_cannot_sing_moves_by_octaves() {
        let found = chord([100, 40, 90, 20]);
        assert_eq!([0, 1, 2, 3].map(|voice| found.pitch(voice).unwrap().get()), [88, 52, 66, 44]);
    }

    #[test]
    fn a_pitch_that_stays_is_struck_again_where_asked() {
        let chords = [chord([72, 67, 64, 48]); 8];
        let score = write(&chords, TicksPerQuarter::new(4).unwrap(), |step, _| step == 4);
        let spans: Vec<_> = score.parts[3].notes.iter().map(|note| (note.onset.0, note.duration.0)).collect();
        assert_eq!(spans, [(0, 4), (4, 4)]);
    }
}
