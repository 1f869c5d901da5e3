//! A whole piece of music.

use crate::chords;
use crate::{Bars, Key, Meter, Note, Part, PedalSpan, Tempo, TempoMap, Ticks, TicksPerQuarter};

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
            parts: Vec::new(),
        }
    }

    /// All notes, part by part.
    pub fn notes(&self) -> impl Iterator<Item = &Note> {
        self.parts.iter().flat_map(|part| &part.notes)
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
        score.chords.iter_mut().chain(&mut score.markers).for_each(|(ticks, _)| *ticks = at(*ticks));
        for part in &mut score.parts {
            part.programs.iter_mut().for_each(|(ticks, _)| *ticks = at(*ticks));
            part.controls.iter_mut().for_each(|(ticks, _)| *ticks = at(*ticks));
            part.lyrics.iter_mut().for_each(|lyric| lyric.at = at(lyric.at));
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

    /// The music before `end`: notes that begin later are gone, notes that sound on are cut there.
    pub fn before(&self, end: Ticks) -> Score {
        let mut score = self.clone();
        score.tempos.retain(|(at, _)| *at < end);
        score.meters.retain(|(at, _)| *at < end);
        score.keys.retain(|(at, _)| *at < end);
        score.chords.retain(|(at, _)| *at < end);
        score.markers.retain(|(at, _)| *at < end);
        for part in &mut score.parts {
            part.programs.retain(|(at, _)| *at < end);
            part.controls.retain(|(at, _)| *at < end);
            part.lyrics.retain(|lyric| lyric.at < end);
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

    /// How many whole bars of silence lead to the first note, and where they end. It walks through them: of more than a million, a million.
    pub fn silence(&self) -> (usize, Ticks) {
        let first = self.notes().map(|note| note.onset).min().unwrap_or_default();
        let silent = self.bars().take(1_000_000).map(|bar| bar.end()).take_while(|end| *end <= first);
        silent.fold((0, Ticks::ZERO), |(bars, _), end| (bars + 1, end))
    }

    /// The music from `start` on, which becomes its beginning. Notes that began before are gone; tempo, metre, key and programs hold on.
    pub fn after(&self, start: Ticks) -> Score {
        let mut score = self.clone();
        moved_forward(&mut score.tempos, start);
        moved_forward(&mut score.meters, start);
        moved_forward(&mut score.keys, start);
        for named in [&mut score.chords, &mut score.markers] {
            named.retain(|(at, _)| *at >= start);
            named.iter_mut().for_each(|(at, _)| *at = *at - start);
        }
        for part in &mut score.parts {
            moved_forward(&mut part.programs, start);
            part.controls.iter_mut().for_each(|(at, _)| *at = *at - start);
            part.lyrics.retain(|lyric| lyric.at >= start);
            part.lyrics.iter_mut().for_each(|lyric| lyric.at = lyric.at - start);
            part.notes.retain(|note| note.onset >= start);
            part.notes.iter_mut().for_each(|note| note.onset = note.onset - start);
            part.pedal.retain(|span| span.up > start);
            for span in &mut part.pedal {
                *span = PedalSpan { down: span.down - start, up: span.up - start };
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
        }
        Some(score)
    }
}

/// Changes moved towards the beginning by `by`: of those that come to stand at one moment the last holds.
fn moved_forward<T: Copy>(changes: &mut Vec<(Ticks, T)>, by: Ticks) {
    let mut kept: Vec<(Ticks, T)> = Vec::with_capacity(changes.len());
    for &(at, value) in changes.iter() {
        let at = at - by;
        if kept.last().is_some_and(|(last, _)| *last == at) {
            kept.pop();
        }
        kept.push((at, value));
    }
    *changes = kept;
}

/// All notes of `parts` in one part. A pitch struck twice at one moment stays once (the longer, then the louder); a note that
/// would sound on under the next stroke of its own pitch is released there, as a piano's key must be.
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
    fn transposition_that_leaves_the_keyboard_is_refused() {
        let mut score = Score::new(TicksPerQuarter::DEFAULT);
        score.parts.push(part(&[note(0, 120, 8)]));
        assert!(score.transposed(8).is_none());
        assert_eq!(score.transposed(7).unwrap().parts[0].notes[0].pitch.get(), 127);
    }

    #[test]
    fn what_comes_after_silence_becomes_the_beginning() {
        let mut score = Score::new(TicksPerQuarter::new(4).unwrap());
        let pitch = crate::Pitch::C4;
        let note = |onset| Note { onset: Ticks(onset), pitch, duration: Ticks(2), velocity: crate::Velocity::DEFAULT };
        score.parts.push(Part { notes: vec![note(45), note(48)], ..Part::default() });
        score.parts[0].programs =
            vec![(Ticks(0), crate::Program::PIANO), (Ticks(30), crate::Program::new(40).unwrap())];
        score.parts[0].pedal = vec![PedalSpan { down: Ticks(30), up: Ticks(50) }];
        let tempo = |quarters| Tempo::from_quarters_per_minute(quarters).unwrap();
        score.tempos = vec![(Ticks(0), tempo(60.0)), (Ticks(20), tempo(90.0)), (Ticks(47), tempo(80.0))];
        score.markers = vec![(Ticks(0), "intro".into()), (Ticks(48), "verse".into())];
        assert_eq!(score.silence(), (2, Ticks(32)));
        let after = score.after(Ticks(32));
        assert_eq!(after.notes().map(|note| note.onset.0).collect::<Vec<_>>(), [13, 16]);
        assert_eq!(after.tempos, [(Ticks(0), tempo(90.0)), (Ticks(15), tempo(80.0))]);
        assert_eq!(after.parts[0].programs, [(Ticks(0), crate::Program::new(40).unwrap())]);
        assert_eq!(after.parts[0].pedal, [PedalSpan { down: Ticks(0), up: Ticks(18) }]);
        assert_eq!(after.markers, [(Ticks(16), "verse".to_owned())]);
        assert_eq!(after.silence(), (0, Ticks::ZERO));
        assert_eq!(Score::new(TicksPerQuarter::DEFAULT).silence(), (0, Ticks::ZERO));
    }
}
