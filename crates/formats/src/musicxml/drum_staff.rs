//! Which drum stands where on the five lines of a drum kit.
//!
//! Source: N. Weinberg, "Guidelines for Drumset Notation", Percussive Notes 32 (1994), which notation programs follow.

use super::document::Element;
use cantus_score::Pitch;

/// Where a drum is written: step and octave as in the treble clef, and whether its head is a cross.
type Place = (char, i32, bool);

/// Keys of General MIDI's percussion map. The first of a place is what is read there.
const PLACES: [(u8, Place); 26] = [
    (36, ('F', 4, false)),
    (35, ('E', 4, false)),
    (44, ('D', 4, true)),
    (38, ('C', 5, false)),
    (40, ('C', 5, false)),
    (37, ('C', 5, true)),
    (39, ('D', 5, true)),
    (41, ('G', 4, false)),
    (43, ('A', 4, false)),
    (45, ('B', 4, false)),
    (47, ('D', 5, false)),
    (48, ('E', 5, false)),
    (50, ('F', 5, false)),
    (42, ('G', 5, true)),
    (46, ('G', 5, true)),
    (51, ('F', 5, true)),
    (59, ('F', 5, true)),
    (53, ('F', 5, true)),
    (49, ('A', 5, true)),
    (57, ('B', 5, true)),
    (52, ('C', 6, true)),
    (55, ('B', 5, true)),
    (54, ('B', 4, true)),
    (56, ('E', 5, true)),
    (64, ('A', 4, true)),
    (63, ('A', 4, true)),
];

/// The drum that an `unpitched` note without an instrument stands for: that of its place, or the one nearest to it.
pub fn drum_at(note: &Element) -> Option<Pitch> {
    let place = note.child("unpitched")?;
    // A line of its own needs no place (MusicXML 4.0, "The unpitched element"): it is the middle of the staff.
    let step = place.text_of("display-step").and_then(|step| step.chars().next()).unwrap_or('B');
    let octave: i32 = place.number("display-octave").unwrap_or(4);
    let head = note.text_of("notehead").unwrap_or_default();
    let is_cross = ["x", "cross", "circle-x", "diamond"].contains(&head);
    if (step, octave, head) == ('G', 5, "circle-x") {
        return Pitch::try_from(46u8).ok();
    }
    let height =
        |step: char, octave: i32| octave.clamp(-20, 20) * 7 + "CDEFGAB".find(step).map_or(6, |found| found as i32);
    let here = height(step, octave);
    let distance =
        |(_, (step, octave, cross)): &&(u8, Place)| (height(*step, *octave).abs_diff(here), *cross != is_cross);
    let (key, _) = PLACES.iter().min_by_key(distance)?;
    Pitch::try_from(*key).ok()
}

/// Where a drum is written.
pub fn place_of(drum: Pitch) -> Place {
    let known = PLACES.iter().find(|(key, _)| *key == drum.get()).map(|(_, place)| *place);
    known.unwrap_or_else(|| {
        // Others stand where their number lies among nine places of the staff.
        let place = i32::from(drum.get()).rem_euclid(9) + 2;
        (['C', 'D', 'E', 'F', 'G', 'A', 'B'][(place % 7) as usize], 4 + place / 7, false)
    })
}
