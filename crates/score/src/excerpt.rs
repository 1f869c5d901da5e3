//! A stretch of a score, and the silence before its music.

use crate::meter::late;
use crate::{Score, Ticks};
use std::borrow::Cow;

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
    /// The music from `from` on, as a piece of its own: notes that begin earlier are gone, and slurs from them; what holds there, of tempo, metre, key and
    /// instruments, holds from the beginning.
    pub fn after(&self, from: Ticks) -> Score {
        let mut score = self.clone();
        moved(&mut score.tempos, from);
        moved(&mut score.meters, from);
        moved(&mut score.keys, from);
        moved(&mut score.chords, from);
        moved(&mut score.printed, from);
        score.repeats.retain(|repeat| repeat.start() >= from);
        score.repeats.iter_mut().for_each(|repeat| *repeat = repeat.map(|at| at - from));
        score.markers.retain(|(at, _)| *at >= from);
        score.markers.iter_mut().for_each(|(at, _)| *at = *at - from);
        for part in &mut score.parts {
            moved(&mut part.programs, from);
            // Several controllers may be set at one moment: all are kept, in their order.
            part.controls.iter_mut().for_each(|(at, _)| *at = *at - from);
            part.lyrics.retain(|lyric| lyric.at >= from);
            part.lyrics.iter_mut().for_each(|lyric| lyric.at = lyric.at - from);
            part.slurs.retain(|slur| slur.from.0 >= from);
            part.slurs.iter_mut().for_each(|slur| (slur.from.0, slur.to.0) = (slur.from.0 - from, slur.to.0 - from));
            part.fermatas.retain(|at| *at >= from);
            part.fermatas.iter_mut().for_each(|at| *at = *at - from);
            part.notes.retain(|note| note.onset >= from);
            part.notes.iter_mut().for_each(|note| note.onset = note.onset - from);
            part.pedal.retain(|span| span.up > from);
            part.pedal.iter_mut().for_each(|span| (span.down, span.up) = (span.down - from, span.up - from));
        }
        score
    }

    /// The score without the whole bars of silence before its first note.
    pub fn sounding(&self) -> Cow<'_, Score> {
        let (silent, from) = self.silent_bars();
        if silent > 0 { Cow::Owned(self.after(from)) } else { Cow::Borrowed(self) }
    }

    /// How many whole bars there are before the first note, and where they end. Counted, not walked: a file may have millions of them.
    pub fn silent_bars(&self) -> (u64, Ticks) {
        let first = self.notes().map(|note| note.onset).min().unwrap_or_default();
        let (mut bars, mut end) = (0, Ticks::ZERO);
        let (mut start, mut meter) = (Ticks::ZERO, crate::Meter::COMMON);
        let changes = self.meters.iter().copied().take_while(|(at, _)| *at <= first);
        for (at, next) in changes.map(|(at, meter)| (at, Some(meter))).chain([(first, None)]) {
            let (length, span) = (meter.bar(self.ticks_per_quarter).0.max(1), (at - start).0);
            if start == Ticks::ZERO && at <= late(self.ticks_per_quarter) {
                // It belongs to the beginning.
                meter = next.unwrap_or(meter);
                continue;
            }
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
    use crate::{Note, Part, PedalSpan, Pitch, Program, Slur, TicksPerQuarter, Velocity};

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
    fn a_metre_that_is_named_late_makes_no_bar_of_silence() {
        let mut piece = score(&[1, 481], &[(1, "3/4")]);
        piece.ticks_per_quarter = TicksPerQuarter::DEFAULT;
        assert_eq!(piece.silent_bars(), (0, Ticks(0)));
        piece.parts[0].notes.remove(0);
        piece.parts[0].notes[0].onset = Ticks(2 * 1440 + 1);
        assert_eq!(piece.silent_bars(), (2, Ticks(2880)));
    }

    #[test]
    fn slurs_and_fermatas_go_with_their_notes() {
        let mut piece = score(&[0, 4, 8, 12], &[]);
        let slur = |from, to| Slur { from: (Ticks(from), Pitch::C4), to: (Ticks(to), Pitch::C4) };
        (piece.parts[0].slurs, piece.parts[0].fermatas) =
            (vec![slur(0, 4), slur(4, 8), slur(8, 12)], vec![Ticks(4), Ticks(12)]);
        let signs = |piece: &Score| (piece.parts[0].slurs.clone(), piece.parts[0].fermatas.clone());
        assert_eq!(signs(&piece.before(Ticks(9))), (vec![slur(0, 4), slur(4, 8)], vec![Ticks(4)]));
        assert_eq!(signs(&piece.after(Ticks(4))), (vec![slur(0, 4), slur(4, 8)], vec![Ticks(0), Ticks(8)]));
        let fine = piece.rescaled(TicksPerQuarter::new(12).unwrap());
        assert_eq!(signs(&fine), (vec![slur(0, 12), slur(12, 24), slur(24, 36)], vec![Ticks(12), Ticks(36)]));
        assert_eq!(fine.rescaled(piece.ticks_per_quarter), piece);
        // Half notes: what begins together needs no slur.
        let coarse = score(&[0, 1, 8], &[]);
        let coarse =
            Score { parts: vec![Part { slurs: vec![slur(0, 1), slur(1, 8)], ..coarse.parts[0].clone() }], ..coarse };
        assert_eq!(signs(&coarse.rescaled(TicksPerQuarter::new(1).unwrap())).0, [slur(0, 2)]);
        let higher = piece.transposed(2).unwrap();
        assert!(higher.parts[0].slurs.iter().all(|slur| (slur.from.1.get(), slur.to.1.get()) == (62, 62)));
        assert_eq!(signs(&Score { parts: vec![crate::merge_parts(&piece.parts)], ..piece }), (vec![], vec![]));
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
