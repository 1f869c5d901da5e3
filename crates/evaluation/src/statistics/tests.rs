use super::*;
use cantus_score::{Pitch, TicksPerQuarter, Velocity};

/// A score on a grid of sixteenths; notes as (step, pitch, steps).
fn score(notes: &[(u64, u8, u64)]) -> Score {
    let mut score = Score::new(TicksPerQuarter::new(4).unwrap());
    let note = |&(onset, pitch, duration): &(u64, u8, u64)| Note {
        onset: Ticks(onset),
        pitch: Pitch::try_from(pitch).unwrap(),
        duration: Ticks(duration),
        velocity: Velocity::DEFAULT,
    };
    score.parts.push(Part { notes: notes.iter().map(note).collect(), ..Part::default() });
    score
}

#[test]
fn nothing_has_no_figures_and_no_panic() {
    let none = Statistics::of(&Score::new(TicksPerQuarter::DEFAULT));
    assert_eq!((none.notes, none.bars, none.pitches_used, none.longest_run), (0, 0, 0, 0));
    assert_eq!((none.polyphony, none.pitch_class_entropy, none.scale_consistency), (None, None, None));
    assert_eq!(none.note_lengths, Histogram::default());
}

#[test]
fn pitches() {
    // Two Cs, an E and an F sharp: half, a quarter, a quarter.
    let figures = Statistics::of(&score(&[(0, 60, 4), (4, 72, 4), (8, 64, 4), (12, 66, 4)]));
    assert_eq!((figures.notes, figures.pitch_range, figures.pitches_used), (4, Some(12), 4));
    assert_eq!(figures.pitch_class_entropy, Some(1.5));
    // G major has C, E and F sharp.
    assert_eq!(figures.scale_consistency, Some(1.0));
    let chromatic = Statistics::of(&score(&(0..12).map(|k| (u64::from(k), 60 + k, 1)).collect::<Vec<_>>()));
    assert_eq!(chromatic.scale_consistency, Some(7.0 / 12.0));
    assert!((chromatic.pitch_class_entropy.unwrap() - 12f64.log2()).abs() < 1e-12);
    assert_eq!(Statistics::of(&score(&[(0, 60, 1)])).pitch_class_entropy, Some(0.0));
}

#[test]
fn time() {
    // A held C under a moving voice, a silent bar, one more note.
    let figures = Statistics::of(&score(&[(0, 48, 8), (0, 60, 2), (2, 62, 2), (8, 64, 4), (32, 60, 4)]));
    assert_eq!(figures.bars, 3);
    assert_eq!(figures.empty_bar_rate, Some(1.0 / 3.0));
    // 20 steps of notes, of which 16 are distinct in time.
    assert_eq!(figures.polyphony, Some(20.0 / 16.0));
    assert_eq!(figures.active_step_rate, Some(4.0 / 36.0));
    assert_eq!([2, 4, 8].map(|steps| figures.note_lengths.share(steps)), [0.4, 0.4, 0.2]);
    // Onsets 0, 2, 8, 32: the last distance is more than four quarters.
    assert_eq!([2, 6, 16].map(|steps| figures.inter_onsets.share(steps)), [1.0 / 3.0; 3]);
}

#[test]
fn a_note_held_over_a_bar_fills_it() {
    let figures = Statistics::of(&score(&[(0, 48, 40), (44, 48, 4)]));
    assert_eq!((figures.bars, figures.empty_bar_rate), (3, Some(0.0)));
}

#[test]
fn grooves() {
    // Bars 1 and 2 have the same onsets; 2 and 3 differ at two steps of 16.
    let bars = [(0, 60, 4), (8, 60, 4), (16, 60, 4), (24, 62, 4), (32, 60, 4), (36, 60, 12)];
    assert_eq!(Statistics::of(&score(&bars)).groove_consistency, Some(1.0 - (2.0 / 16.0) / 2.0));
    assert_eq!(Statistics::of(&score(&bars[..2])).groove_consistency, None);
}

#[test]
fn drums_are_left_out() {
    let mut drums = score(&[(0, 36, 1)]);
    drums.parts[0].drums = true;
    assert_eq!(Statistics::of(&drums).notes, 0);
}

#[test]
fn histograms_overlap() {
    let histogram = |values: &[u64]| Histogram::of(values.iter().copied(), 8);
    assert_eq!(histogram(&[1, 1, 2, 4]).overlap(&histogram(&[1, 2, 2, 8])), 0.5);
    assert_eq!(histogram(&[u64::MAX]).share(8), 1.0);
    assert_eq!(histogram(&[]).overlap(&histogram(&[1])), 0.0);
}

#[test]
fn polyphony_counts_pitches_and_not_notes() {
    // Two parts hold the same C: one pitch. A triad for two steps of ten.
    let mut figures = score(&[(0, 60, 8), (2, 64, 2), (2, 67, 2)]);
    figures.parts.push(Part { notes: score(&[(4, 60, 6)]).parts[0].notes.clone(), ..Part::default() });
    let figures = Statistics::of(&figures);
    assert_eq!((figures.polyphony, figures.polyphony_rate), (Some(14.0 / 10.0), Some(0.2)));
    assert_eq!((figures.notes, figures.notes_per_onset), (4, Some(4.0 / 3.0)));
    assert_eq!((figures.pitches_used, figures.pitch_classes_used), (3, 3));
}

#[test]
fn four_bars_are_looked_at_together() {
    // One class to a bar, so that 4 bars have 4: 2 bits, in all three stretches of six bars; the piece has 6 classes.
    let bars: Vec<_> = (0..6).map(|bar| (16 * bar, 60 + bar as u8, 16)).collect();
    let figures = Statistics::of(&score(&bars));
    assert_eq!(figures.pitch_class_entropy_of_4_bars, Some(2.0));
    assert!((figures.pitch_class_entropy.unwrap() - 6f64.log2()).abs() < 1e-12);
    assert_eq!(Statistics::of(&score(&bars[..2])).pitch_class_entropy_of_4_bars, Some(1.0));
}

#[test]
fn keys_have_scales() {
    let mut piece = score(&[(0, 62, 4), (4, 66, 4), (8, 65, 4), (12, 69, 4)]);
    let key = |fifths, mode| vec![(Ticks::ZERO, cantus_score::Key::new(fifths, mode).unwrap())];
    piece.keys = key(2, cantus_score::Mode::Major);
    assert_eq!(Statistics::of(&piece).in_key_rate, Some(0.75), "F natural is not in D major");
    piece.keys = key(-1, cantus_score::Mode::Minor);
    assert_eq!(Statistics::of(&piece).in_key_rate, Some(0.75), "F sharp is not in D minor");
    piece.keys.clear();
    assert_eq!(Statistics::of(&piece).in_key_rate, None);
    assert_eq!(pitch_in_scale_rate(&piece.parts[0].notes, 0, cantus_score::Mode::Major), Some(0.75));
}

#[test]
fn beats_without_sound() {
    // Quarters 0 and 3 of five sound.
    let figures = Statistics::of(&score(&[(0, 60, 4), (13, 62, 2), (19, 62, 1)]));
    assert_eq!(figures.empty_beat_rate, Some(2.0 / 5.0));
    assert_eq!(figures.empty_bar_rate, Some(0.0));
}

#[test]
fn a_note_leads_to_what_begins_when_it_ends() {
    let figures = Statistics::of(&score(&[(0, 60, 4), (4, 62, 4), (4, 64, 2), (8, 60, 4), (16, 65, 4)]));
    let share = |from: usize, to: usize| figures.transitions.share(12 * from + to);
    // C to D and to E, D to C; E ends where nothing begins, and so does the last C.
    assert_eq!(
        [share(0, 2), share(0, 4), share(2, 0), share(4, 0), share(0, 5)],
        [1.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0, 0.0, 0.0]
    );
    assert_eq!(figures.mean_interval, Some((4.0 + 4.0 + 5.0) / 3.0));
}

#[test]
fn lengths_have_classes() {
    // A quarter, a dotted quarter, a half and a sixteenth tied (nearest: a half), a sixteenth.
    let figures = Statistics::of(&score(&[(0, 60, 4), (4, 62, 6), (10, 64, 9), (19, 64, 1)]));
    assert_eq!([2, 6, 1, 4].map(|class| figures.length_classes.share(class)), [0.25; 4]);
    assert_eq!(figures.qualified_note_rate, Some(1.0));
    assert_eq!(figures.mean_inter_onset, Some((4.0 + 6.0 + 9.0) / 3.0 / 4.0));
}

#[test]
fn drums_are_heard_in_the_groove_alone() {
    let mut piece = score(&[(0, 60, 4)]);
    let drums = Part { drums: true, ..score(&[(16, 36, 1), (28, 36, 4)]).parts[0].clone() };
    piece.parts.push(drums);
    let figures = Statistics::of(&piece);
    assert_eq!((figures.notes, figures.bars, figures.empty_bar_rate), (1, 2, Some(0.0)));
    assert_eq!(figures.groove_consistency, Some(1.0 - 1.0 / 16.0));
    assert_eq!((figures.pitches_used, figures.active_step_rate), (1, Some(1.0 / 32.0)));
}
