//! What accompanies a melody: a bass and a chord, together or one after the other.

use super::Dice;
use super::plan::Bar;
use super::pulse::Pulse;
use cantus_score::Chord;

/// Between which MIDI pitches chords lie in the mean, and where the bass begins.
const CHORDS: (i32, i32) = (48, 62);
const BASS: i32 = 36;

/// A note: when it begins in the bar, how long it lasts, its pitch.
pub(super) type Sound = (u64, u64, i32);

/// How chords are played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Texture {
    /// Held.
    Held,
    /// The bass, then the chord.
    Struck,
    /// Low, high, middle, high (after Domenico Alberti).
    Alberti,
    /// From below upwards.
    Broken,
}

impl Texture {
    /// One that suits a metre; calm pieces hold their chords.
    pub(super) fn draw(pulse: &Pulse, density: f32, dice: &mut Dice<'_>) -> Texture {
        let is_by_three = pulse.groups.len() == 3 || pulse.groups.iter().all(|group| *group == 3 * pulse.unit);
        let weights =
            [1.2 - density, 0.8, if is_by_three { 0.1 } else { density }, if is_by_three { 0.8 } else { 0.3 }];
        let all = [Texture::Held, Texture::Struck, Texture::Alberti, Texture::Broken];
        dice.weighted(&weights).map_or(Texture::Struck, |k| all[k])
    }

    /// The notes under a bar; `voicing` are the chord's notes that were played last.
    pub(super) fn play(self, bar: &Bar, pulse: &Pulse, is_last: bool, voicing: &mut Vec<i32>) -> Vec<Sound> {
        let whole = pulse.bar();
        let ends = bar.harmonies.iter().skip(1).map(|(at, _)| *at).chain([whole]);
        let mut sounds = Vec::new();
        for ((from, harmony), end) in bar.harmonies.iter().zip(ends) {
            *voicing = nearest(harmony.chord, voicing);
            let bass = bass(harmony.chord);
            let texture = if is_last { Texture::Held } else { self };
            texture.stretch((*from, end), bass, voicing, pulse, &mut sounds);
        }
        sounds.sort_unstable();
        sounds
    }

    fn stretch(self, (from, end): (u64, u64), bass: i32, chord: &[i32], pulse: &Pulse, sounds: &mut Vec<Sound>) {
        let groups: Vec<(u64, u64)> = pulse
            .starts()
            .zip(&pulse.groups)
            .map(|(at, length)| (at, *length))
            .filter(|(at, _)| (from..end).contains(at))
            .collect();
        match self {
            Texture::Held => {
                sounds.push((from, end - from, bass));
                sounds.extend(chord.iter().map(|pitch| (from, end - from, *pitch)));
            }
            Texture::Struck => {
                for (k, (at, length)) in groups.iter().enumerate() {
                    let units: Vec<u64> = (0..length / pulse.unit).map(|unit| at + unit * pulse.unit).collect();
                    // A group of several units has its own bass.
                    let is_bass = k == 0 || units.len() > 1 || groups.len() == 4 && k == 2;
                    let (low, rest) = if is_bass { units.split_at(1) } else { units.split_at(0) };
                    sounds.extend(low.iter().map(|at| (*at, pulse.unit, bass)));
                    let alone = is_bass && rest.is_empty() && groups.len() == 1;
                    let struck = if alone { low } else { rest };
                    sounds
                        .extend(struck.iter().flat_map(|at| chord.iter().map(move |pitch| (*at, pulse.unit, *pitch))));
                }
            }
            Texture::Alberti | Texture::Broken => {
                let order: &[usize] = if self == Texture::Alberti { &[0, 2, 1, 2] } else { &[0, 1, 2, 1] };
                let step = if pulse.unit.is_multiple_of(2) && pulse.unit >= 96 { pulse.unit / 2 } else { pulse.unit };
                if self == Texture::Broken {
                    sounds.push((from, end - from, bass));
                }
                let onsets = (from..end).step_by(step as usize);
                sounds.extend(
                    onsets.enumerate().map(|(k, at)| (at, step.min(end - at), chord[order[k % 4] % chord.len()])),
                );
            }
        }
    }
}

/// The root as a bass.
fn bass(chord: Chord) -> i32 {
    let class = i32::from(chord.root());
    // Between E1 and D#2.
    BASS - 8 + (class - (BASS - 8)).rem_euclid(12) + 12 * i32::from((class - (BASS - 8)).rem_euclid(12) < 4)
}

/// Three notes of a chord, as near as can be to those before.
fn nearest(chord: Chord, before: &[i32]) -> Vec<i32> {
    let mut over: Vec<i32> = chord.quality().classes().iter().map(|class| i32::from(*class)).collect();
    if over.len() > 3 {
        // Of four the fifth can be missed.
        over.remove(2);
    }
    let mean = |pitches: &[i32]| pitches.iter().sum::<i32>() as f64 / pitches.len().max(1) as f64;
    let wanted = if before.is_empty() { f64::from(CHORDS.0 + CHORDS.1) / 2.0 } else { mean(before) };
    let inversions = (CHORDS.0 - 12..CHORDS.1).filter_map(|low| {
        let start = over.iter().position(|over| (low - i32::from(chord.root()) - over).rem_euclid(12) == 0)?;
        let mut pitches = vec![low];
        for k in 1..over.len() {
            let class = i32::from(chord.root()) + over[(start + k) % over.len()];
            let last = pitches[k - 1];
            pitches.push(last + (class - last).rem_euclid(12).max(1));
        }
        let is_within = mean(&pitches) >= f64::from(CHORDS.0) && mean(&pitches) <= f64::from(CHORDS.1);
        is_within.then_some(pitches)
    });
    let apart = |pitches: &[i32]| (mean(pitches) - wanted).abs();
    inversions.min_by(|a, b| apart(a).total_cmp(&apart(b))).unwrap_or_else(|| vec![CHORDS.0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chords_move_as_little_as_they_can() {
        let chord = |symbol: &str| Chord::named(symbol).unwrap();
        let c = nearest(chord("C"), &[]);
        assert_eq!(c.iter().map(|pitch| pitch % 12).collect::<std::collections::BTreeSet<_>>(), [0, 4, 7].into());
        let g = nearest(chord("G"), &c);
        assert!((g.iter().sum::<i32>() - c.iter().sum::<i32>()).abs() <= 6, "{c:?} {g:?}");
        for (symbol, class) in [("C", 0), ("Eb", 3), ("E", 4), ("Bm7b5", 11), ("F#", 6)] {
            assert_eq!(bass(chord(symbol)) % 12, class);
            assert!((28..=43).contains(&bass(chord(symbol))));
        }
    }
}
