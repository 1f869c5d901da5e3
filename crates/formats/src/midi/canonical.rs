//! The form in which a score comes back from a MIDI file.

use super::drums::{MELODY_BANK, RHYTHM_BANKS};
use super::{MAX_TEMPO, controller, words};
use crate::channels::{Seat, seats};
use cantus_score::{Control, Note, Part, PedalSpan, Score, Tempo, Ticks};

/// What a MIDI file can say of `score`: `read(write(score)) == canonicalize(score)`, within the reader's limits.
///
/// - Parts without notes are gone; the others keep their order, name, programs and controllers.
/// - Drums are on channel 9, pitches never, and parts that differ in anything but their notes and words on different channels: those that
///   cannot stay where they are take other channels, then other ports.
/// - Notes are sorted. Notes of one pitch in one part that overlap are paired first in, first out: the n-th onset gets the
///   n-th end, as a reader of on and off events must assume.
/// - Pedal spans are sorted, empty ones gone, overlapping ones joined (spans that only touch stay apart).
/// - Tempos, metres, keys and programs are sorted; at one tick the last one wins. Tempos are cut to 24 bits.
/// - Controllers are sorted by time; the sustain pedal's, the channel modes (from 120) and banks that say the contrary of
///   [`Part::drums`] are gone.
/// - Of the words there is one verse, without what stands around a syllable; the last word is complete.
/// - Empty texts are no texts. Composer, chord symbols, slurs and fermatas have no place.
pub fn canonicalize(score: &Score) -> Score {
    let mut canonical = Score::new(score.ticks_per_quarter);
    canonical.title = score.title.clone().filter(|title| !title.is_empty());
    canonical.remarks = score.remarks.iter().filter(|remark| !remark.is_empty()).cloned().collect();
    canonical.tempos = score.tempos.iter().map(|&(at, tempo)| (at, clamp(tempo))).collect();
    canonical.meters = score.meters.clone();
    canonical.keys = score.keys.clone();
    last_wins(&mut canonical.tempos);
    last_wins(&mut canonical.meters);
    last_wins(&mut canonical.keys);
    canonical.rights = score.rights.clone().filter(|rights| !rights.is_empty());
    canonical.markers = score.markers.iter().filter(|(_, marker)| !marker.is_empty()).cloned().collect();
    in_order(&mut canonical.markers);
    canonical.parts = score.parts.iter().filter(|part| !part.notes.is_empty()).map(canonical_part).collect();
    let seats = seats(&canonical.parts);
    for (part, seat) in canonical.parts.iter_mut().zip(seats) {
        // A channel beyond 15 stays what it is: the writer refuses it.
        if let Some(Seat { port, channel }) = seat.filter(|_| part.channel < 16) {
            (part.port, part.channel) = (port, channel);
        }
    }
    canonical
}

fn canonical_part(part: &Part) -> Part {
    let mut programs = part.programs.clone();
    last_wins(&mut programs);
    Part {
        name: part.name.clone().filter(|name| !name.is_empty()),
        port: part.port,
        channel: part.channel,
        drums: part.drums,
        programs,
        notes: first_in_first_out(&part.notes),
        pedal: join(part.pedal.clone()),
        controls: controls(part),
        lyrics: words::syllables(words::texts(&part.lyrics).iter().map(|(at, text)| (*at, text.as_str()))),
        ..Part::default()
    }
}

fn controls(part: &Part) -> Vec<(Ticks, Control)> {
    let within = |control: Control| match control {
        Control::Controller { number, value } => Control::Controller { number, value: value.min(127) },
        Control::Bend(bend) => Control::Bend(bend.clamp(-0x2000, 0x1FFF)),
        Control::Pressure(pressure) => Control::Pressure(pressure.min(127)),
    };
    let controls = part.controls.iter().map(|(at, control)| (*at, within(*control)));
    let mut controls: Vec<_> = controls.filter(|(_, control)| keeps(part.drums, control)).collect();
    controls.sort_by_key(|(at, _)| *at);
    controls
}

/// Whether a part of drums, or of pitches, can have this control.
pub(super) fn keeps(drums: bool, control: &Control) -> bool {
    match *control {
        Control::Controller { number: controller::BANK, value } if drums => value != MELODY_BANK,
        Control::Controller { number: controller::BANK, value } => !RHYTHM_BANKS.contains(&value),
        Control::Controller { number, .. } => number != controller::SUSTAIN && number < controller::MODES,
        Control::Bend(_) | Control::Pressure(_) => true,
    }
}

/// In order of time, and nothing twice.
pub(super) fn in_order(markers: &mut Vec<(Ticks, String)>) {
    markers.sort_by_key(|(at, _)| *at);
    markers.dedup();
}

/// The tempo that 24 bits can hold.
pub(crate) fn clamp(tempo: Tempo) -> Tempo {
    Tempo::from_micros_per_quarter(tempo.micros_per_quarter().min(MAX_TEMPO)).unwrap_or(tempo)
}

/// Sorts by time and keeps the last of several changes at one tick.
pub(crate) fn last_wins<T: Copy>(changes: &mut Vec<(Ticks, T)>) {
    if !changes.is_sorted_by_key(|(at, _)| *at) {
        changes.sort_by_key(|(at, _)| *at);
    }
    // `dedup_by` hands over (later, earlier) and removes the later: its value is moved into the earlier one first.
    changes.dedup_by(|later, earlier| {
        let same = later.0 == earlier.0;
        if same {
            *earlier = *later;
        }
        same
    });
}

/// Sorted spans; those that overlap are one.
pub(super) fn join(mut spans: Vec<PedalSpan>) -> Vec<PedalSpan> {
    spans.retain(|span| span.down < span.up);
    if spans.windows(2).all(|pair| pair[0].up <= pair[1].down) {
        return spans;
    }
    spans.sort_unstable();
    let mut joined: Vec<PedalSpan> = Vec::with_capacity(spans.len());
    for span in spans {
        match joined.last_mut() {
            Some(last) if span.down < last.up => last.up = last.up.max(span.up),
            _ => joined.push(span),
        }
    }
    joined
}

/// Sorted notes, those of one pitch paired first in, first out.
pub(super) fn first_in_first_out(notes: &[Note]) -> Vec<Note> {
    let mut notes = notes.to_vec();
    notes.sort_unstable_by_key(|note| (note.pitch, note.onset, note.duration, note.velocity));
    let mut ends = Vec::new();
    for unison in notes.chunk_by_mut(|a, b| a.pitch == b.pitch) {
        ends.clear();
        ends.extend(unison.iter().map(Note::end));
        ends.sort_unstable();
        for (note, &end) in unison.iter_mut().zip(&ends) {
            note.duration = end - note.onset;
        }
    }
    notes.sort_unstable();
    notes
}

#[cfg(test)]
mod tests {
    use super::*;
    use cantus_score::{Pitch, Velocity};

    fn note(onset: u64, duration: u64, velocity: u8) -> Note {
        Note {
            onset: Ticks(onset),
            pitch: Pitch::C4,
            duration: Ticks(duration),
            velocity: Velocity::try_from(velocity).expect("a velocity"),
        }
    }

    #[test]
    fn a_unison_within_another_trades_ends_with_it() {
        assert_eq!(first_in_first_out(&[note(0, 10, 1), note(4, 2, 2)]), [note(0, 6, 1), note(4, 6, 2)]);
        // Equal onsets: the shorter one was struck first.
        assert_eq!(first_in_first_out(&[note(0, 9, 1), note(0, 3, 2)]), [note(0, 3, 2), note(0, 9, 1)]);
    }

    #[test]
    fn the_last_change_at_a_tick_wins() {
        let mut changes = vec![(Ticks(4), 'c'), (Ticks(0), 'a'), (Ticks(4), 'd'), (Ticks(0), 'b')];
        last_wins(&mut changes);
        assert_eq!(changes, [(Ticks(0), 'b'), (Ticks(4), 'd')]);
    }

    #[test]
    fn overlapping_pedals_are_one_and_touching_ones_are_two() {
        let span = |down, up| PedalSpan { down: Ticks(down), up: Ticks(up) };
        let joined = join(vec![span(8, 9), span(0, 4), span(2, 6), span(6, 7), span(3, 3)]);
        assert_eq!(joined, [span(0, 6), span(6, 7), span(8, 9)]);
    }
}
