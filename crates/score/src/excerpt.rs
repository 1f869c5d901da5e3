//! A stretch of a score, and the silence before its music.

use crate::{Score, Ticks};

/// Changes in order of time from `from` on, moved to the front: of those that come to stand at one moment the last holds.
fn moved<T: Clone>(changes: &mut Vec<(Ticks, T)>, from: Ticks) {
    let mut kept: Vec<(Ticks, T)> = Vec::with_capacity(changes.len());
    for (at, value) in changes.drain(..) {
        let at = at - from;
        if kept.last().is_some_and(|(last, _)| *last == at) {
            kept.pop();
        }
        kept.push((at, value));
    }
    *changes = kept;
}

impl Score {
    /// The music from `from` on, as a piece of its own: notes that begin earlier are gone; what holds there, of tempo, metre, key and
    /// instruments, holds from the beginning.
    pub fn after(&self, from: Ticks) -> Score {
        let mut score = self.clone();
        moved(&mut score.tempos, from);
        moved(&mut score.meters, from);
        moved(&mut score.keys, from);
        moved(&mut score.chords, from);
        moved(&mut score.printed, from);
        score.markers.retain(|(at, _)| *at >= from);
        score.markers.iter_mut().for_each(|(at, _)| *at = *at - from);
        for part in &mut score.parts {
            moved(&mut part.programs, from);
            // Several controllers may be set at one moment: all are kept, in their order.
            part.controls.iter_mut().for_each(|(at, _)| *at = *at - from);
            part.lyrics.retain(|lyric| lyric.at >= from);
            part.lyrics.iter_mut().for_each(|lyric| lyric.at = lyric.at - from);
            part.notes.retain(|note| note.onset >= from);
            part.notes.iter_mut().for_each(|note| note.onset = note.onset - from);
            part.pedal.retain(|span| span.up > from);
            part.pedal.iter_mut().for_each(|span| (span.down, span.up) = (span.down - from, span.up - from));
        }
        score
    }

    /// How many whole bars there are before the first note, and where they end. Counted, not walked: a file may have millions of them.
    pub fn silent_bars(&self) -> (u64, Ticks) {
        let first = self.notes().map(|note| note.onset).min().unwrap_or_default();
        let (mut bars, mut end) = (0, Ticks::ZERO);
        let (mut start, mut meter) = (Ticks::ZERO, crate::Meter::COMMON);
        let changes = self.meters.iter().copied().take_while(|(at, _)| *at <= first);
        for (at, next) in changes.map(|(at, meter)| (at, Some(meter))).chain([(first, None)]) {
            let (length, span) = (meter.bar(self.ticks_per_quarter).0.max(1), (at - start).0);
            // A change of metre ends a bar wherever it stands; the first note ends none.
            let whole = if next.is_some() { span.div_ceil(length) } else { span / length };
            bars += whole;
            end = if next.is_some() { at } else { start + Ticks(whole * length) };
            (start, meter) = (at, next.unwrap_or(meter));
        }
        (bars, end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Note, Part, PedalSpan, Pitch, Program, TicksPerQuarter, Velocity};

    fn score(onsets: &[u64], meters: &[(u64, &str)]) -> Score {
        let note =
            |&onset| Note { onset: Ticks(onset), pitch: Pitch::C4, duration: Ticks(4), velocity: Velocity::DEFAULT };
        let mut score = Score::new(TicksPerQuarter::new(4).unwrap());
        score.parts.push(Part { notes: onsets.iter().map(note).collect(), ..Part::default() });
        score.meters = meters.iter().map(|(at, meter)| (Ticks(*at), meter.parse().unwrap())).collect();
        score
    }

    #[test]
    fn what_holds_somewhere_holds_from_there() {
        let mut piece = score(&[0, 16, 28], &[(0, "4/4"), (16, "3/4"), (40, "2/4")]);
        piece.parts[0].programs = vec![(Ticks(0), Program::PIANO), (Ticks(8), Program::new(40).unwrap())];
        piece.parts[0].pedal =
            vec![PedalSpan { down: Ticks(0), up: Ticks(4) }, PedalSpan { down: Ticks(12), up: Ticks(20) }];
        let rest = piece.after(Ticks(16));
        assert_eq!(rest.notes().map(|note| note.onset.0).collect::<Vec<_>>(), [0, 12]);
        let meters: Vec<_> = rest.meters.iter().map(|(at, meter)| (at.0, meter.to_string())).collect();
        assert_eq!(meters, [(0, "3/4".to_owned()), (24, "2/4".to_owned())]);
        assert_eq!(rest.parts[0].program(), Program::new(40).unwrap());
        assert_eq!(rest.parts[0].pedal, [PedalSpan { down: Ticks(0), up: Ticks(4) }]);
    }

    #[test]
    fn bars_of_silence_are_counted() {
        assert_eq!(score(&[0], &[]).silent_bars(), (0, Ticks(0)));
        assert_eq!(score(&[15], &[]).silent_bars(), (0, Ticks(0)));
        assert_eq!(score(&[40], &[(0, "3/4")]).silent_bars(), (3, Ticks(36)));
        assert_eq!(score(&[40], &[(16, "3/4")]).silent_bars(), (3, Ticks(40)));
        assert_eq!(score(&[16], &[(0, "4/4"), (16, "3/4")]).silent_bars(), (1, Ticks(16)));
        assert_eq!(score(&[1 << 40], &[]).silent_bars(), (1 << 36, Ticks(1 << 40)));
    }
}
