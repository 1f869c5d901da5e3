//! Which chords a piece stands in: found from what sounds, beat by beat.
//!
//! Source: B. Pardo and W. Birmingham, "Algorithms for Chordal Analysis", Computer Music Journal 26(2), 2002: chords as templates that are
//! held against what sounds, and the best way through a piece instead of the best answer to each of its segments. Departures: segments are
//! beats; a change costs more where it is less expected, within a bar; the lowest note speaks for its chord's root.

use crate::{Bar, Chord, Note, Pitch, Progression, Quality, Score, Ticks, TicksPerQuarter, find_key};

/// What it costs, where all that sounds for a beat counts 1, that a chord changes: with a bar, in its middle, on another beat.
const CHANGE: [f64; 3] = [0.3, 0.5, 0.8];
/// That a note of the chord does not sound in a beat, and that the lowest one is its root.
const ABSENT: f64 = 0.06;
const ROOT: f64 = 0.25;
/// The lowest note is the bass where no note within so many beats is lower by more than so many semitones.
const AROUND: usize = 2;
const NEAR: u8 = 2;
/// What speaks against a quality that is not a triad, for each note that it has more, and against one that is rare.
const RICHER: f64 = 0.03;
const RARE: f64 = 0.06;

/// A beat as it sounds.
struct Beat {
    from: Ticks,
    /// What a change with it costs.
    change: f64,
    /// The share of each pitch class in what sounds, 0-11 from C on; all 0 where nothing does.
    shares: [f64; 12],
    /// The lowest pitch.
    lowest: Option<Pitch>,
    /// Its class, where it is about as low as the lowest one around: what is broken begins with its bass.
    bass: Option<u8>,
}

/// The chords of a piece and when they begin; nothing where it has no pitch.
pub fn find_chords(score: &Score) -> Vec<(Ticks, Chord)> {
    let beats = beats(score);
    let chords: Vec<Chord> =
        Quality::all().flat_map(|quality| (0..12).map(move |root| Chord::new(root, quality))).collect();
    // For each beat and chord, whether the best way to it changes there; and from which chord.
    let mut ways: Vec<(Vec<bool>, usize)> = Vec::with_capacity(beats.len());
    let mut best = vec![0.0; chords.len()];
    for (k, beat) in beats.iter().enumerate() {
        let from = first_best(&best);
        // Silence changes nothing.
        let changed = if beat.lowest.is_some() { best[from] - beat.change } else { f64::NEG_INFINITY };
        let changes: Vec<bool> = best.iter().map(|stays| k > 0 && changed > *stays).collect();
        for (k, chord) in chords.iter().enumerate() {
            best[k] = if changes[k] { changed } else { best[k] } + fit(*chord, beat);
        }
        ways.push((changes, from));
    }
    let mut at = first_best(&best);
    let mut found: Vec<(Ticks, Chord)> = Vec::new();
    for (k, (changes, from)) in ways.iter().enumerate().rev() {
        if k == 0 || changes[at] {
            found.push((beats[k].from, chords[at]));
            at = *from;
        }
    }
    found.reverse();
    found
}

/// A piece with the symbols of the chords that it stands in; one that has symbols keeps its own.
#[must_use]
pub fn with_chords(mut score: Score) -> Score {
    if score.chords.is_empty() {
        let key = score.keys.first().map(|(_, key)| *key).or_else(|| find_key(score.pitched_notes()));
        let flats = key.is_some_and(|key| key.fifths() < 0);
        score.chords = find_chords(&score).into_iter().map(|(at, chord)| (at, chord.symbol(flats))).collect();
    }
    score
}

/// The chords of a piece, bar by bar from its first whole one on: its symbols, or, where it has none, those that it stands in. `None` where
/// it has neither chords nor pitches.
pub fn progression_of(score: &Score) -> Option<Progression> {
    let marked = with_chords(score.clone());
    let chords = &marked.chords;
    let at = |time: Ticks| {
        let begun = chords.partition_point(|(from, _)| *from <= time);
        chords[..begun].last().and_then(|(_, symbol)| Chord::named(symbol))
    };
    let in_bar = |bar: Bar| {
        let beat = bar.meter.beat(marked.ticks_per_quarter).0.max(1);
        let beats: Vec<Option<Chord>> =
            (0..bar.length.0.div_ceil(beat).max(1)).map(|k| at(bar.start + Ticks(k * beat))).collect();
        // As few as say the same.
        let says = |count: &usize| {
            beats.len().is_multiple_of(*count)
                && beats.chunks(beats.len() / count).all(|chunk| chunk.iter().all(|chord| *chord == chunk[0]))
        };
        let count = (1..=beats.len()).find(says).unwrap_or(beats.len());
        beats.chunks(beats.len() / count).map(|chunk| chunk[0]).collect::<Vec<_>>()
    };
    if chords.is_empty() {
        return None;
    }
    let upbeat = usize::from(marked.upbeat().is_some());
    let bars: Vec<Vec<Option<Chord>>> = marked.bars().skip(upbeat).map(in_bar).collect();
    Progression::new(bars).filter(|_| chords.iter().any(|(_, symbol)| Chord::named(symbol).is_some()))
}

/// The first of those with the highest value.
fn first_best(values: &[f64]) -> usize {
    (0..values.len()).fold(0, |best, k| if values[k] > values[best] { k } else { best })
}

/// How well a chord suits a beat.
fn fit(chord: Chord, beat: &Beat) -> f64 {
    let of_chord = (0..12).filter(|class| chord.has(*class));
    let (mut inside, mut absent, mut notes) = (0.0, 0, 0);
    for class in of_chord {
        let share = beat.shares[usize::from(class)];
        inside += share;
        absent += usize::from(share == 0.0);
        notes += 1;
    }
    if beat.lowest.is_none() {
        return 0.0;
    }
    let root = if beat.bass == Some(chord.root()) { ROOT } else { 0.0 };
    let rare = match chord.quality() {
        Quality::Major | Quality::Minor | Quality::Seventh | Quality::MinorSeventh => 0.0,
        _ => RARE,
    };
    inside + root - ABSENT * absent as f64 - RICHER * (notes - 3) as f64 - rare
}

/// The beats from the first note with a pitch to the last one's end.
fn beats(score: &Score) -> Vec<Beat> {
    let mut notes: Vec<Note> = score.pitched_notes().copied().collect();
    notes.sort_unstable();
    let end = notes.iter().map(|note| note.end().max(note.onset + Ticks(1))).max().unwrap_or_default();
    let begins: Vec<(Ticks, f64)> = score
        .bars()
        .take_while(|bar| bar.start < end)
        .flat_map(|bar| begins(&bar, score.ticks_per_quarter).collect::<Vec<_>>())
        .collect();
    let ends = begins.iter().skip(1).map(|(at, _)| *at).chain([end]);
    let longest = notes.iter().map(|note| note.duration.0).max().unwrap_or(0);
    let beat = |((from, change), to): (&(Ticks, f64), Ticks)| {
        let first = notes.partition_point(|note| note.onset.0 + longest < from.0);
        let near = notes[first..].iter().take_while(|note| note.onset < to);
        let (mut shares, mut lowest) = ([0.0; 12], None);
        for note in near.filter(|note| note.end().max(note.onset + Ticks(1)) > *from) {
            let sounds = note.end().min(to).0.saturating_sub(note.onset.max(*from).0).max(1);
            shares[usize::from(note.pitch.class())] += sounds as f64;
            lowest = lowest.map_or(Some(note.pitch), |lowest| Some(note.pitch.min(lowest)));
        }
        let all: f64 = shares.iter().sum();
        if all > 0.0 {
            shares.iter_mut().for_each(|share| *share /= all);
        }
        Beat { from: *from, change: *change, shares, lowest, bass: None }
    };
    let mut all: Vec<Beat> = begins.iter().zip(ends).map(beat).collect();
    let lowest: Vec<Option<Pitch>> = all.iter().map(|beat| beat.lowest).collect();
    for (k, beat) in all.iter_mut().enumerate() {
        let around = lowest[k.saturating_sub(AROUND)..].iter().take(2 * AROUND + 1).flatten().min();
        let is_low = |pitch: &Pitch| around.is_some_and(|lowest| pitch.get() <= lowest.get() + NEAR);
        beat.bass = beat.lowest.filter(is_low).map(Pitch::class);
    }
    let first = all.iter().position(|beat| beat.lowest.is_some()).unwrap_or(all.len());
    all.into_iter().skip(first).collect()
}

/// When the beats of a bar begin, and what a change there costs.
fn begins(bar: &Bar, per_quarter: TicksPerQuarter) -> impl Iterator<Item = (Ticks, f64)> {
    let beat = bar.meter.beat(per_quarter).0.max(1);
    let (start, count) = (bar.start, bar.length.0.div_ceil(beat).max(1));
    (0..count).map(move |k| {
        let change = match k {
            0 => CHANGE[0],
            _ if 2 * k == count => CHANGE[1],
            _ => CHANGE[2],
        };
        (start + Ticks(k * beat), change)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Part, Velocity};

    /// Notes as (quarter, quarters, pitch).
    fn score(notes: impl IntoIterator<Item = (u64, u64, u8)>) -> Score {
        let mut score = Score::new(TicksPerQuarter::new(1).unwrap());
        let note = |(onset, duration, pitch)| Note {
            onset: Ticks(onset),
            pitch: Pitch::try_from(pitch).unwrap(),
            duration: Ticks(duration),
            velocity: Velocity::DEFAULT,
        };
        score.parts.push(Part { notes: notes.into_iter().map(note).collect(), ..Part::default() });
        score
    }

    fn told(score: &Score) -> String {
        let found = find_chords(score);
        found.iter().map(|(at, chord)| format!("{}:{}", at.0, chord.symbol(false))).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn every_chord_is_found_in_blocks_and_in_arpeggios() {
        for quality in [Quality::Major, Quality::Minor, Quality::Seventh, Quality::MinorSeventh, Quality::Diminished] {
            for root in 0..12 {
                let chord = Chord::new(root, quality);
                let keys: Vec<u8> = quality.classes().iter().map(|over| 48 + root + over).collect();
                // A bar of the chord, after a bar of another.
                let other = Chord::new(root + 6, Quality::Major);
                let others = [0, 4, 7].map(|over| (0, 4, 48 + other.root() + over));
                let block = keys.iter().map(|key| (4, 4, *key));
                let symbols = format!("0:{} 4:{}", other.symbol(false), chord.symbol(false));
                assert_eq!(told(&score(others.into_iter().chain(block))), symbols);
                let broken = (0..4u64).map(|k| (4 + k, 1, keys[k as usize % keys.len()]));
                assert_eq!(told(&score(others.into_iter().chain(broken))), symbols, "broken");
            }
        }
    }

    #[test]
    fn passing_notes_are_no_chords_and_symbols_that_are_there_stay() {
        // C for a bar with a melody of c d e f over it, G7 for half a bar, C.
        let held = |from: u64, quarters: u64, keys: &[u8]| -> Vec<(u64, u64, u8)> {
            keys.iter().map(|key| (from, quarters, *key)).collect()
        };
        let notes = [
            held(0, 4, &[48, 52, 55]),
            (0..4).map(|k| (k, 1, [72, 74, 76, 77][k as usize])).collect(),
            held(4, 2, &[43, 59, 62, 65]),
            held(6, 2, &[48, 52, 55, 60]),
        ];
        let piece = score(notes.concat());
        assert_eq!(told(&piece), "0:C 4:G7 6:C");
        let written = with_chords(piece.clone());
        assert_eq!(
            written.chords,
            [(Ticks(0), "C".to_owned()), (Ticks(4), "G7".to_owned()), (Ticks(6), "C".to_owned())]
        );
        let mut named = piece;
        named.chords = vec![(Ticks(0), "Cmaj9".to_owned())];
        assert_eq!(with_chords(named.clone()), named);
        // Flats where the key has them; drums and silence have no chords.
        let flat = with_chords(score(held(0, 4, &[46, 50, 53]).into_iter().chain(held(4, 4, &[51, 55, 58]))));
        assert_eq!(flat.chords.iter().map(|(_, symbol)| &symbol[..]).collect::<Vec<_>>(), ["Bb", "Eb"]);
        let mut drums = score(held(0, 4, &[36, 40]));
        drums.parts[0].drums = true;
        assert_eq!(find_chords(&drums), []);
        assert_eq!(find_chords(&Score::new(TicksPerQuarter::DEFAULT)), []);
    }

    #[test]
    fn silence_changes_nothing_and_compound_metres_have_long_beats() {
        let mut piece = score([
            (0, 6, 48),
            (0, 6, 52),
            (0, 6, 55),
            (18, 3, 53),
            (18, 3, 57),
            (18, 3, 48),
            (21, 3, 55),
            (21, 3, 59),
            (21, 3, 50),
        ]);
        piece.ticks_per_quarter = TicksPerQuarter::new(2).unwrap();
        piece.meters = vec![(Ticks(0), "6/8".parse().unwrap())];
        let found = told(&piece);
        assert!(found == "0:C 18:F 21:G", "{found}");
    }

    #[test]
    fn a_piece_says_its_chords_bar_by_bar_as_text_that_is_read_back() {
        let mut marked = score([(0, 16, 60)]);
        marked.chords = [(0, "Am"), (2, "F/A"), (4, "C"), (8, "N.C."), (12, "G7"), (13, "C9"), (15, "G7")]
            .map(|(at, symbol)| (Ticks(at), symbol.to_owned()))
            .into();
        let told = progression_of(&marked).unwrap().to_string();
        assert_eq!(told, "Am F | C | N.C. | G7 C7 C7 G7");
        assert_eq!(told.parse(), Ok(progression_of(&marked).unwrap()));
        // What has no symbols says what it stands in; one bar of two chords is one bar.
        let sounding = score([(0, 2, 48), (0, 2, 52), (0, 2, 55), (2, 2, 43), (2, 2, 47), (2, 2, 50)]);
        let found = progression_of(&sounding).unwrap();
        assert_eq!((found.to_string().as_str(), found.to_string().parse()), ("C G |", Ok(found.clone())));
        assert_eq!(progression_of(&score([])), None);
    }
}
