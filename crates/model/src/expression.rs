//! An even touch made alive: velocities by metre and melody, for encodings that carry none.

use cantus_score::{Part, Score, Velocity};

/// Louder on the downbeat (+8), a little louder on the beats (+3), and the highest note of a chord above the others (+8): what a
/// player does without thinking. Deterministic; touches the first part's notes from `from` on only.
pub fn accentuate(score: &mut Score, from: cantus_score::Ticks) {
    let bars: Vec<_> = score.bars().collect();
    let quarter = u64::from(score.ticks_per_quarter.get());
    let Some(Part { notes, .. }) = score.parts.first_mut() else { return };
    let mut bar = 0;
    for chord in notes.chunk_by_mut(|a, b| a.onset == b.onset) {
        let onset = chord[0].onset;
        if onset < from {
            continue;
        }
        while bar + 1 < bars.len() && bars[bar].end() <= onset {
            bar += 1;
        }
        let within = bars.get(bar).map_or(0, |bar| (onset - bar.start).0);
        // Compound metres (6/8, 9/8, 12/8) beat in dotted quarters.
        let beat = match bars.get(bar).map(|bar| bar.meter) {
            Some(meter) if meter.denominator() == 8 && meter.numerator() % 3 == 0 => quarter * 3 / 2,
            _ => quarter,
        };
        let metre = if within == 0 { 8 } else { 3 * i32::from(within.is_multiple_of(beat.max(1))) };
        let top = chord.len() - 1;
        for (k, note) in chord.iter_mut().enumerate() {
            let melody = if k == top { 8 } else { 0 };
            let velocity = (68 + metre + melody).clamp(1, 127) as u8;
            note.velocity = Velocity::try_from(velocity).unwrap_or(Velocity::DEFAULT);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cantus_score::{Note, Pitch, Ticks, TicksPerQuarter};

    #[test]
    fn downbeats_and_melodies_stand_out() {
        let note = |onset, pitch| Note {
            onset: Ticks(onset),
            pitch: Pitch::try_from(pitch).unwrap(),
            duration: Ticks(1),
            velocity: Velocity::DEFAULT,
        };
        let mut score = Score::new(TicksPerQuarter::new(4).unwrap());
        let notes = vec![note(0, 48u8), note(0, 72), note(1, 72), note(4, 72), note(16, 50)];
        score.parts.push(Part { notes, ..Part::default() });
        accentuate(&mut score, Ticks(1));
        let velocities: Vec<u8> = score.notes().map(|note| note.velocity.get()).collect();
        assert_eq!(velocities, [80, 80, 76, 79, 84]);
    }
}
