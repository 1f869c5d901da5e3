//! A whole piece of music.

use crate::chords;
use crate::{Bar, Bars, Key, Meter, Note, Part, PedalSpan, Repeat, Tempo, TempoMap, Ticks, TicksPerQuarter};

/// A piece of music: parts over one time line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Score {
    /// How many ticks make a quarter note.
    pub ticks_per_quarter: TicksPerQuarter,
    /// The piece's name.
    pub title: Option<String>,
    /// Who composed it.
    pub composer: Option<String>,
    /// Whose it is: a copyright notice or a licence.
    pub rights: Option<String>,
    /// Remarks that travel with the piece (MIDI text events): how it was composed, by whom.
    pub remarks: Vec<String>,
    /// Tempo changes in order of time; before the first, 120 quarters per minute.
    pub tempos: Vec<(Ticks, Tempo)>,
    /// Metre changes in order of time; before the first, 4/4.
    pub meters: Vec<(Ticks, Meter)>,
    /// Key signatures in order of time.
    pub keys: Vec<(Ticks, Key)>,
    /// Chord symbols in order of time, as lead sheets write them: `Am7`, `F#/A#`, `N.C.`.
    pub chords: Vec<(Ticks, String)>,
    /// Names of places in order of time: rehearsal marks, sections.
    pub markers: Vec<(Ticks, String)>,
    /// Where repeats and jumps have been played out: when each bar begins, in order of time, with its number on paper, from 1, an upbeat
    /// being 0. Empty where bars come as they are printed: then they are counted.
    pub printed: Vec<(Ticks, usize)>,
    /// What is repeated on paper, in order of time, none within another. It is played out here: the times through need not be the same any
    /// more, and who writes them as a repeat has to see whether they are.
    pub repeats: Vec<Repeat>,
    /// The parts.
    pub parts: Vec<Part>,
}

impl Score {
    /// A piece without a note.
    pub fn new(ticks_per_quarter: TicksPerQuarter) -> Score {
        Score {
            ticks_per_quarter,
            title: None,
            composer: None,
            rights: None,
            remarks: Vec::new(),
            tempos: Vec::new(),
            meters: Vec::new(),
            keys: Vec::new(),
            chords: Vec::new(),
            markers: Vec::new(),
            printed: Vec::new(),
            repeats: Vec::new(),
            parts: Vec::new(),
        }
    }

    /// All notes, part by part.
    pub fn notes(&self) -> impl Iterator<Item = &Note> {
        self.parts.iter().flat_map(|part| &part.notes)
    }

    /// The notes of all parts but drums.
    pub fn pitched_notes(&self) -> impl Iterator<Item = &Note> {
        self.parts.iter().filter(|part| !part.drums).flat_map(|part| &part.notes)
    }

    /// How many notes there are.
    pub fn note_count(&self) -> usize {
        self.parts.iter().map(|part| part.notes.len()).sum()
    }

    /// When the last note ends or the last pedal is released.
    pub fn end(&self) -> Ticks {
        self.parts.iter().map(Part::end).max().unwrap_or_default()
    }

    /// The bars that cover the piece.
    pub fn bars(&self) -> Bars<'_> {
        Bars::new(&self.meters, self.ticks_per_quarter, self.end())
    }

    /// The length of the upbeat, if there is one, and the metre of the bars that it leads to: see [`upbeat`](crate::upbeat).
    pub fn upbeat(&self) -> Option<(Ticks, Meter)> {
        crate::upbeat(&self.meters, self.ticks_per_quarter, self.end())
    }

    /// The number of the first of [`Score::bars`]: 1, or 0 where it is an upbeat, which nobody counts.
    pub fn first_bar(&self) -> usize {
        usize::from(self.upbeat().is_none())
    }

    /// The bars with their numbers as printed: counted from [`Score::first_bar`] on, or where repeats have been played out those of
    /// [`Score::printed`], so that a number may come several times.
    pub fn numbered_bars(&self) -> impl Iterator<Item = (usize, Bar)> {
        let mut printed = self.printed.iter().peekable();
        let mut known = None;
        (self.first_bar()..).zip(self.bars()).map(move |(counted, bar)| {
            while let Some((_, number)) = printed.next_if(|(at, _)| *at <= bar.start) {
                known = Some(*number);
            }
            (known.unwrap_or(counted), bar)
        })
    }

    /// The highest of the numbers of [`Score::numbered_bars`]. It walks through all of them.
    pub fn last_bar(&self) -> usize {
        self.numbered_bars().map(|(number, _)| number).max().unwrap_or_default()
    }

    /// How many bars the piece has, the upbeat not counted. It walks through all of them.
    pub fn bar_count(&self) -> usize {
        self.bars().count() + self.first_bar() - 1
    }

    /// The metres as one names them, with where they begin: see [`named_meters`](crate::named_meters).
    pub fn named_meters(&self) -> Vec<(Ticks, Meter)> {
        crate::named_meters(&self.meters, self.ticks_per_quarter, self.end())
    }

    /// From ticks to seconds.
    pub fn tempo_map(&self) -> TempoMap {
        TempoMap::new(&self.tempos, self.ticks_per_quarter)
    }

    /// The tempo that holds for most of the piece: the median over time, which a few slow bars at the end, or a thousand small
    /// changes, do not move.
    pub fn prevailing_tempo(&self) -> Tempo {
        let end = self.end();
        let mut spans: Vec<(Tempo, u64)> = Vec::new();
        let mut at = (Ticks::ZERO, Tempo::DEFAULT);
        for &(tick, tempo) in self.tempos.iter().chain([&(end, Tempo::DEFAULT)]) {
            spans.push((at.1, (tick.min(end) - at.0).0));
            at = (tick, tempo);
        }
        spans.sort_unstable();
        let half = spans.iter().map(|(_, span)| span).sum::<u64>() / 2;
        let mut passed = 0;
        let median = spans.iter().find(|(_, span)| {
            passed += span;
            passed > half
        });
        median.map_or(Tempo::DEFAULT, |(tempo, _)| *tempo)
    }

    /// The lowest and the highest pitch, or `None` without a note.
    pub fn pitch_range(&self) -> Option<(crate::Pitch, crate::Pitch)> {
        let low = self.notes().map(|note| note.pitch).min()?;
        let high = self.notes().map(|note| note.pitch).max()?;
        Some((low, high))
    }

    /// The same music in other ticks. Rounds, where the new ticks are coarser.
    pub fn rescaled(&self, to: TicksPerQuarter) -> Score {
        let from = self.ticks_per_quarter;
        let at = |ticks: Ticks| ticks.rescale(from, to);
        let mut score = self.clone();
        score.ticks_per_quarter = to;
        score.tempos.iter_mut().for_each(|(ticks, _)| *ticks = at(*ticks));
        score.meters.iter_mut().for_each(|(ticks, _)| *ticks = at(*ticks));
        score.keys.iter_mut().for_each(|(ticks, _)| *ticks = at(*ticks));
        score.printed.iter_mut().for_each(|(ticks, _)| *ticks = at(*ticks));
        score.repeats.iter_mut().for_each(|repeat| *repeat = repeat.map(at));
        score.chords.iter_mut().chain(&mut score.markers).for_each(|(ticks, _)| *ticks = at(*ticks));
        for part in &mut score.parts {
            part.programs.iter_mut().for_each(|(ticks, _)| *ticks = at(*ticks));
            part.controls.iter_mut().for_each(|(ticks, _)| *ticks = at(*ticks));
            part.lyrics.iter_mut().for_each(|lyric| lyric.at = at(lyric.at));
            part.slurs.iter_mut().for_each(|slur| (slur.from.0, slur.to.0) = (at(slur.from.0), at(slur.to.0)));
            // In coarser ticks its notes may begin together.
            part.slurs.retain(|slur| slur.from.0 < slur.to.0);
            part.slurs.sort_unstable();
            part.fermatas.iter_mut().for_each(|ticks| *ticks = at(*ticks));
            part.fermatas.dedup();
            for note in &mut part.notes {
                let end = at(note.end());
                note.onset = at(note.onset);
                note.duration = end - note.onset;
            }
            part.notes.sort_unstable();
            for span in &mut part.pedal {
                *span = PedalSpan { down: at(span.down), up: at(span.up) };
            }
        }
        score
    }

    /// The music before `end`: notes that begin later are gone, slurs to them, and repeats that end later; notes that sound on are cut there.
    pub fn before(&self, end: Ticks) -> Score {
        let mut score = self.clone();
        score.tempos.retain(|(at, _)| *at < end);
        score.meters.retain(|(at, _)| *at < end);
        score.keys.retain(|(at, _)| *at < end);
        score.chords.retain(|(at, _)| *at < end);
        score.markers.retain(|(at, _)| *at < end);
        score.printed.retain(|(at, _)| *at < end);
        score.repeats.retain(|repeat| repeat.end <= end);
        for part in &mut score.parts {
            part.programs.retain(|(at, _)| *at < end);
            part.controls.retain(|(at, _)| *at < end);
            part.lyrics.retain(|lyric| lyric.at < end);
            part.slurs.retain(|slur| slur.to.0 < end);
            part.fermatas.retain(|at| *at < end);
            part.notes.retain(|note| note.onset < end);
            for note in &mut part.notes {
                note.duration = note.duration.min(end - note.onset);
            }
            part.pedal.retain(|span| span.down < end);
            for span in &mut part.pedal {
                span.up = span.up.min(end);
            }
        }
        score
    }

    /// The music moved by `semitones`, or `None` where a note would leave the MIDI range. Drums stay.
    pub fn transposed(&self, semitones: i32) -> Option<Score> {
        let mut score = self.clone();
        for (_, key) in &mut score.keys {
            *key = key.transposed(semitones);
        }
        for (at, chord) in &mut score.chords {
            let key = score.keys.iter().take_while(|(from, _)| from <= at).last();
            *chord = chords::transposed(chord, semitones, key.is_some_and(|(_, key)| key.fifths() < 0));
        }
        for part in score.parts.iter_mut().filter(|part| !part.drums) {
            for note in &mut part.notes {
                note.pitch = note.pitch.transposed(semitones)?;
            }
            for (_, pitch) in part.slurs.iter_mut().flat_map(|slur| [&mut slur.from, &mut slur.to]) {
                *pitch = pitch.transposed(semitones)?;
            }
        }
        Some(score)
    }
}

/// All notes of `parts` in one part. A pitch struck twice at one moment stays once (the longer, then the louder); a note that
/// would sound on under the next stroke of its own pitch is released there, as a piano's key must be. Words, slurs, fermatas and controllers
/// are left out.
pub fn merge_parts<'a>(parts: impl IntoIterator<Item = &'a Part>) -> Part {
    let mut merged = Part::default();
    for (k, part) in parts.into_iter().enumerate() {
        if k == 0 {
            merged.name.clone_from(&part.name);
            merged.programs.clone_from(&part.programs);
            merged.channel = part.channel;
            merged.drums = part.drums;
        }
        merged.notes.extend_from_slice(&part.notes);
        merged.pedal.extend_from_slice(&part.pedal);
    }
    merged.notes = one_key_at_a_time(merged.notes);
    merged.pedal.sort_unstable();
    merged.pedal = merged.pedal.into_iter().fold(Vec::new(), |mut spans: Vec<PedalSpan>, span| {
        match spans.last_mut() {
            Some(last) if span.down <= last.up => last.up = last.up.max(span.up),
            _ => spans.push(span),
        }
        spans
    });
    merged
}

/// Notes as one keyboard can play them: see [`merge_parts`].
fn one_key_at_a_time(mut notes: Vec<Note>) -> Vec<Note> {
    notes.sort_unstable_by_key(|note| (note.pitch, note.onset, note.duration, note.velocity));
    let mut kept: Vec<Note> = Vec::with_capacity(notes.len());
    for note in notes {
        if let Some(last) = kept.last_mut().filter(|last| last.pitch == note.pitch) {
            if last.onset == note.onset {
                // Sorted by duration: the later one is at least as long.
                *last = Note { velocity: last.velocity.max(note.velocity), ..note };
                continue;
            }
            last.duration = last.duration.min(note.onset - last.onset);
        }
        kept.push(note);
    }
    kept.sort_unstable();
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Pitch, Velocity};

    fn note(onset: u64, pitch: u8, duration: u64) -> Note {
        Note {
            onset: Ticks(onset),
            pitch: Pitch::try_from(pitch).unwrap(),
            duration: Ticks(duration),
            velocity: Velocity::DEFAULT,
        }
    }

    fn part(notes: &[Note]) -> Part {
        Part { notes: notes.to_vec(), ..Part::default() }
    }

    #[test]
    fn merging_keeps_one_stroke_a_moment_and_releases_before_the_next() {
        let merged = merge_parts(&[part(&[note(0, 60, 8), note(0, 64, 2)]), part(&[note(0, 60, 4), note(4, 60, 4)])]);
        assert_eq!(merged.notes, [note(0, 60, 4), note(0, 64, 2), note(4, 60, 4)]);
    }

    #[test]
    fn cutting_keeps_what_begins_before() {
        let mut score = Score::new(TicksPerQuarter::new(4).unwrap());
        score.parts.push(part(&[note(0, 60, 8), note(4, 62, 4), note(8, 64, 1)]));
        let cut = score.before(Ticks(6));
        assert_eq!(cut.parts[0].notes, [note(0, 60, 6), note(4, 62, 2)]);
        assert_eq!(cut.end(), Ticks(6));
    }

    #[test]
    fn bars_have_the_numbers_that_are_printed() {
        let mut score = Score::new(TicksPerQuarter::new(1).unwrap());
        score.parts.push(part(&(0..17).map(|at| note(at, 60, 1)).collect::<Vec<_>>()));
        score.meters = vec![(Ticks(0), crate::Meter::COMMON), (Ticks(1), crate::Meter::COMMON)];
        let numbers = |score: &Score| score.numbered_bars().map(|(number, _)| number).collect::<Vec<_>>();
        assert_eq!((numbers(&score), score.last_bar()), (vec![0, 1, 2, 3, 4], 4));
        // Two bars are repeated; the second time the upbeat is within a bar.
        score.printed = vec![(Ticks(0), 0), (Ticks(1), 1), (Ticks(5), 2), (Ticks(8), 0), (Ticks(9), 1), (Ticks(13), 2)];
        assert_eq!((numbers(&score), score.last_bar()), (vec![0, 1, 2, 1, 2], 2));
        let passes = [0, 8].map(|at| crate::Pass { start: Ticks(at), ending: Ticks(at + 8) }).to_vec();
        score.repeats = vec![Repeat { passes, end: Ticks(16) }];
        assert_eq!(score.rescaled(TicksPerQuarter::new(3).unwrap()).rescaled(score.ticks_per_quarter), score);
        assert_eq!((score.before(Ticks(15)).repeats, score.after(Ticks(1)).repeats), (vec![], vec![]));
        assert_eq!(
            (score.before(Ticks(16)).repeats, score.after(Ticks(0)).repeats),
            (score.repeats.clone(), score.repeats.clone())
        );
        assert_eq!(numbers(&score.rescaled(TicksPerQuarter::new(3).unwrap())), [0, 1, 2, 1, 2]);
        assert_eq!(numbers(&score.before(Ticks(9))), [0, 1, 2]);
        assert_eq!(numbers(&score.after(Ticks(9))), [1, 2]);
    }

    #[test]
    fn transposition_that_leaves_the_keyboard_is_refused() {
        let mut score = Score::new(TicksPerQuarter::DEFAULT);
        score.parts.push(part(&[note(0, 120, 8)]));
        assert!(score.transposed(8).is_none());
        assert_eq!(score.transposed(7).unwrap().parts[0].notes[0].pitch.get(), 127);
    }
}
