//! Two hands of a keyboard player.

use cantus_score::{Note, Program};

/// Where the hands may part: from C3 to C5, around middle C.
const SPLITS: std::ops::RangeInclusive<u8> = 48..=72;

/// The notes of the right and of the left hand, or `None` where one staff is enough.
///
/// Two staves have keyboards and harps with chords whose notes lie on both sides of middle C, further than one staff reaches comfortably. The
/// place where the hands part follows the music: of all paths through the onsets the cheapest, where a hand's stretch beyond an
/// octave costs most, a cut through a close chord less, and moving the place or leaving middle C a little.
pub fn hands(program: Program, notes: &[Note]) -> Option<(Vec<Note>, Vec<Note>)> {
    let is_keyboard = program.get() < 24 || program.get() == 46;
    let low = notes.iter().map(|note| note.pitch.get()).min()?;
    let high = notes.iter().map(|note| note.pitch.get()).max()?;
    if !is_keyboard || low >= 55 || high <= 65 || high - low < 20 {
        return None;
    }
    let chords: Vec<&[Note]> = notes.chunk_by(|a, b| a.onset == b.onset).collect();
    // A tune is played by one hand, however far it goes.
    if 10 * chords.iter().filter(|chord| chord.len() > 1).count() < chords.len() {
        return None;
    }
    let places: Vec<u8> = SPLITS.collect();
    let mut costs: Vec<f64> = vec![0.0; places.len()];
    let mut from: Vec<Vec<usize>> = Vec::with_capacity(chords.len());
    let mut sounding: Vec<Note> = Vec::new();
    for chord in &chords {
        sounding.retain(|note| note.end() > chord[0].onset);
        sounding.extend_from_slice(chord);
        let mut pitches: Vec<u8> = sounding.iter().map(|note| note.pitch.get()).collect();
        pitches.sort_unstable();
        // The cheapest way to each place: moving costs a quarter of a semitone, so that neighbours are enough to look at, twice.
        let mut origin: Vec<usize> = (0..places.len()).collect();
        for k in 1..places.len() {
            if costs[k - 1] + MOVE < costs[k] {
                (costs[k], origin[k]) = (costs[k - 1] + MOVE, origin[k - 1]);
            }
        }
        for k in (0..places.len() - 1).rev() {
            if costs[k + 1] + MOVE < costs[k] {
                (costs[k], origin[k]) = (costs[k + 1] + MOVE, origin[k + 1]);
            }
        }
        for (cost, &place) in costs.iter_mut().zip(&places) {
            *cost += cost_of(&pitches, place);
        }
        from.push(origin);
    }
    let mut at = (0..places.len()).min_by(|a, b| costs[*a].total_cmp(&costs[*b]))?;
    let (mut upper, mut lower) = (Vec::new(), Vec::new());
    for (chord, origin) in chords.iter().zip(&from).rev() {
        for note in *chord {
            if note.pitch.get() >= places[at] { upper.push(*note) } else { lower.push(*note) }
        }
        at = origin[at];
    }
    upper.sort_unstable();
    lower.sort_unstable();
    Some((upper, lower))
}

/// What moving the place by a semitone costs.
const MOVE: f64 = 0.25;

/// What it costs to part the sounding `pitches`, in order, at `place`.
fn cost_of(pitches: &[u8], place: u8) -> f64 {
    let cut = pitches.partition_point(|pitch| *pitch < place);
    let (left, right) = pitches.split_at(cut);
    let stretch = |hand: &[u8]| match hand {
        [low, .., high] => f64::from((high - low).saturating_sub(12)),
        _ => 0.0,
    };
    let gap = match (left.last(), right.first()) {
        (Some(below), Some(above)) => f64::from(4u8.saturating_sub(above - below)) * 0.3,
        _ => 0.0,
    };
    stretch(left) + stretch(right) + gap + f64::from(place.abs_diff(60)) * 0.05
}

#[cfg(test)]
mod tests {
    use super::*;
    use cantus_score::{Pitch, Ticks, Velocity};

    fn notes(list: &[(u64, u8)]) -> Vec<Note> {
        let note = |&(onset, pitch): &(u64, u8)| Note {
            onset: Ticks(onset),
            pitch: Pitch::try_from(pitch).unwrap(),
            duration: Ticks(1),
            velocity: Velocity::DEFAULT,
        };
        list.iter().map(note).collect()
    }

    #[test]
    fn the_place_follows_the_hands() {
        // Both hands climb: the left one ends above middle C.
        let climbing: Vec<_> =
            (0..12).flat_map(|k| [(k, 48 + k as u8), (k, 52 + k as u8), (k, 67 + k as u8)]).collect();
        let (upper, lower) = hands(Program::PIANO, &notes(&climbing)).unwrap();
        assert_eq!((upper.len(), lower.len()), (12, 24));
        assert!(lower.iter().any(|note| note.pitch.get() == 63));
    }

    #[test]
    fn one_staff_is_enough_for_a_flute_or_a_tune() {
        let wide = notes(&[(0, 40), (0, 80)]);
        assert!(hands(Program::PIANO, &notes(&[(0, 40), (1, 80)])).is_none());
        assert!(hands(Program::PIANO, &wide).is_some());
        assert!(hands(Program::new(73).unwrap(), &wide).is_none());
        assert!(hands(Program::PIANO, &notes(&[(0, 60), (1, 84)])).is_none());
    }
}
