use super::*;
use cantus_score::{Note, Part, Pitch, Score, Ticks, TicksPerQuarter, Velocity};

struct Draws(u64);

impl Draws {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

fn note(onset: u64, pitch: u64, duration: u64) -> Note {
    Note {
        onset: Ticks(onset),
        pitch: Pitch::try_from(pitch as i64).unwrap(),
        duration: Ticks(duration),
        velocity: Velocity::DEFAULT,
    }
}

/// 24 bars of 4/4 on a grid of sixteenths: a melody in quarters and eighths over a bass in half notes.
pub fn random_piece(seed: u64) -> Score {
    const SCALE: [u64; 7] = [0, 2, 4, 5, 7, 9, 11];
    let mut draws = Draws(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5555);
    let mut notes = Vec::new();
    for half in 0..48 {
        notes.push(note(8 * half, 40 + SCALE[draws.below(7) as usize], 8));
        let mut at = 0;
        while at < 8 {
            let length = if draws.below(2) == 0 || at == 6 { 2 } else { 4 };
            notes.push(note(8 * half + at, 60 + SCALE[draws.below(7) as usize], length));
            at += length;
        }
    }
    notes.sort_unstable();
    let mut score = Score::new(TicksPerQuarter::new(4).unwrap());
    score.parts.push(Part { notes, ..Part::default() });
    score
}

/// The piece in another key and `faster` times as fast.
pub fn transformed(score: &Score, semitones: i32, faster: u64) -> Score {
    let mut score = score.transposed(semitones).unwrap();
    for note in &mut score.parts[0].notes {
        (note.onset, note.duration) = (Ticks(note.onset.0 / faster), Ticks(note.duration.0 / faster));
    }
    score
}

fn index(pieces: u64) -> (Index, Vec<Score>) {
    let scores: Vec<Score> = (0..pieces).map(random_piece).collect();
    let names: Vec<String> = (0..pieces).map(|k| format!("corpus/{k}.mid")).collect();
    (Index::new(names.iter().map(String::as_str).zip(&scores)), scores)
}

/// `host` with bars `from..from + 8` of `source` in the place of its bars from `at` on, `semitones` higher and twice as fast.
fn planted(host: &Score, source: &Score, from: u64, at: u64, semitones: i32) -> Score {
    let inside = |note: &&Note| (16 * from..16 * (from + 8)).contains(&note.onset.0);
    let moved = source.parts[0].notes.iter().filter(inside).map(|note| Note {
        onset: Ticks((note.onset.0 - 16 * from) / 2 + 16 * at),
        duration: Ticks(note.duration.0 / 2),
        pitch: note.pitch.transposed(semitones).unwrap(),
        ..*note
    });
    let mut score = host.clone();
    let notes = &mut score.parts[0].notes;
    notes.retain(|note| !(16 * at..16 * (at + 4)).contains(&note.onset.0));
    notes.extend(moved);
    notes.sort_unstable();
    score
}

#[test]
fn a_planted_copy_is_found_with_its_file_and_bar() {
    let (index, scores) = index(40);
    let host = random_piece(777);
    let score = planted(&host, &scores[23], 11, 9, 5);
    let found = index.check(&score);
    let passage = found.longest.clone().unwrap();
    assert_eq!((passage.piece.as_str(), passage.their_bar, passage.bar, passage.bars), ("corpus/23.mid", 12, 10, 4));
    assert_eq!((passage.transposition, passage.tempo), (5, 2.0));
    assert_eq!((passage.voice, passage.their_voice), (Voice::Chords, Voice::Chords));
    let all = |note: &&Note| (176..304).contains(&note.onset.0);
    assert_eq!(passage.notes, scores[23].parts[0].notes.iter().filter(all).count());
    // The rest of the piece is its own.
    let clean = index.check(&host);
    assert!(clean.longest.as_ref().is_none_or(|passage| passage.onsets < 12), "{clean:?}");
    assert!(found.melody[1] > Some(0.1) && clean.melody[1] < Some(0.1), "{found:?} {clean:?}");
    let real: Vec<_> = (0..40).map(|k| index.check_left_out(&scores[k], k)).collect();
    let held_out = super::super::HeldOut::of(&real);
    assert!(held_out.is_exceeded_by(&found) && !held_out.is_exceeded_by(&clean), "{held_out:?}");
}

#[test]
fn a_piece_is_its_own_copy_unless_it_is_left_out() {
    let (index, scores) = index(10);
    let whole = index.check(&transformed(&scores[4], -3, 2));
    assert_eq!((whole.melody, whole.chords), ([Some(1.0); 3], [Some(1.0); 3]));
    let passage = whole.longest.unwrap();
    assert_eq!((passage.piece.as_str(), passage.their_bar, passage.bar), ("corpus/4.mid", 1, 1));
    assert_eq!((passage.transposition, passage.tempo), (-3, 2.0));
    assert_eq!(index.find("corpus/4.mid"), Some(4));
    let without = index.check_left_out(&scores[4], 4);
    assert!(without.longest.as_ref().is_none_or(|passage| passage.piece != "corpus/4.mid"), "{without:?}");
    assert!(without.melody[2] < Some(0.05), "{without:?}");
}

/// The longest passage by comparing every pair of places, against the index.
#[test]
fn the_longest_passage_is_the_longest() {
    let (index, _) = index(12);
    for seed in 500..510 {
        let score = random_piece(seed);
        let mut best = 0;
        for line in lines(&score) {
            for (_, other) in &index.lines {
                if (line.voice == Voice::Chords) != (other.voice == Voice::Chords) {
                    continue;
                }
                for (at, their) in
                    (0..line.events.len()).flat_map(|at| (0..other.events.len()).map(move |their| (at, their)))
                {
                    let same = |length: usize| match (line.gram(at, length), other.gram(their, length)) {
                        (Some(ours), Some(theirs)) => ours == theirs,
                        _ => false,
                    };
                    best = best.max((4..).take_while(|length| same(*length)).last().unwrap_or(0));
                }
            }
        }
        assert_eq!(index.check(&score).longest.map_or(0, |passage| passage.onsets), best, "seed {seed}");
    }
}

#[test]
fn nothing_and_silence_are_original() {
    let empty = Index::new([]);
    assert_eq!(empty.check(&random_piece(1)).longest, None);
    assert_eq!(empty.check(&random_piece(1)).melody, [Some(0.0); 3]);
    let (index, _) = index(2);
    assert_eq!(index.check(&Score::new(TicksPerQuarter::DEFAULT)), Originality::default());
}
