//! What a format has no place for.

use crate::{Format, abc, midi, musicxml};
use cantus_score::{Part, Pitch, Score, Velocity, counted};

/// What of `score` a file of this format will not hold, beside its notes: `MIDI has no place for 3 slurs, 1 fermata`. `None` where nothing
/// is lost. Sound and pictures hold what is heard and seen, and are not asked.
pub fn losses(format: Format, score: &Score) -> Option<String> {
    let kept = match format {
        Format::Midi => midi::canonicalize(score),
        Format::MusicXml | Format::Mxl => musicxml::canonicalize(score).ok()?,
        Format::Abc => abc::canonicalize(score).ok()?,
        Format::Wav | Format::Flac | Format::Svg | Format::Npz => return None,
    };
    let sum = |score: &Score, of: &dyn Fn(&Part) -> usize| -> usize {
        score.parts.iter().filter(|part| !part.notes.is_empty()).map(of).sum()
    };
    let lost = |of: &dyn Fn(&Part) -> usize| sum(score, of).saturating_sub(sum(&kept, of));
    let signs = [
        (lost(&|part| part.slurs.len()), "slur"),
        (lost(&|part| part.fermatas.len()), "fermata"),
        (score.chords.len().saturating_sub(kept.chords.len()), "chord symbol"),
        (lost(&|part| part.lyrics.len()), "syllable"),
    ];
    let signs = signs.into_iter().filter(|(count, _)| *count > 0).map(|(count, name)| counted(count, name));
    let is_gone = |of: &dyn Fn(&Part) -> usize| sum(score, of) > 0 && sum(&kept, of) == 0;
    let loud = |part: &Part| part.notes.iter().filter(|note| note.velocity != Velocity::DEFAULT).count();
    let playing = [
        (is_gone(&loud), "loudness"),
        (is_gone(&|part| part.pedal.len()), "pedal"),
        (is_gone(&|part| part.controls.len()), "controllers"),
    ];
    let playing = playing.into_iter().filter(|(is_gone, _)| *is_gone).map(|(_, name)| name.to_owned());
    let moved = moved(score, &kept);
    let time = (moved > 0).then(|| format!("the exact time of {}", counted(moved, "note")));
    let named: Vec<String> = signs.chain(playing).chain(time).collect();
    (!named.is_empty()).then(|| format!("{format} has no place for {}", named.join(", ")))
}

/// How many notes do not begin where they did, to half a tick of `score`: of tuplets its ticks say no more.
fn moved(score: &Score, kept: &Score) -> usize {
    let ticks = |score: &Score| u128::from(score.ticks_per_quarter.get());
    // In halves of a unit of both scores at once.
    let places = |of: &Score, by: u128| -> Vec<(Pitch, u128)> {
        let mut places: Vec<_> = of.notes().map(|note| (note.pitch, 2 * u128::from(note.onset.0) * by)).collect();
        places.sort_unstable();
        places
    };
    let half = ticks(kept);
    let mut there = places(kept, ticks(score)).into_iter().peekable();
    let is_gone = move |(pitch, at): &(Pitch, u128)| {
        while there.next_if(|other| *other < (*pitch, at.saturating_sub(half))).is_some() {}
        there.next_if(|other| *other <= (*pitch, at + half)).is_none()
    };
    places(score, ticks(kept)).into_iter().filter(is_gone).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use cantus_score::{Lyric, Note, PedalSpan, Slur, Ticks, TicksPerQuarter};

    #[test]
    fn what_is_lost_is_named() {
        let note = |onset, velocity: u8| Note {
            onset: Ticks(onset),
            pitch: Pitch::C4,
            duration: Ticks(4),
            velocity: Velocity::try_from(velocity).unwrap(),
        };
        let mut score = Score::new(TicksPerQuarter::new(4).unwrap());
        score.parts.push(Part { notes: vec![note(0, 80), note(4, 80), note(8, 80)], ..Part::default() });
        let said = |score: &Score| [Format::Midi, Format::Mxl, Format::Abc, Format::Wav].map(|to| losses(to, score));
        assert_eq!(said(&score), [None, None, None, None]);
        let part = &mut score.parts[0];
        part.slurs = vec![Slur { from: (Ticks(0), Pitch::C4), to: (Ticks(8), Pitch::C4) }];
        part.fermatas = vec![Ticks(4), Ticks(8)];
        let lyric = |verse| Lyric { at: Ticks(0), verse, text: "la".to_owned(), goes_on: false };
        part.lyrics = vec![lyric(1), lyric(2)];
        score.chords.push((Ticks(0), "C".to_owned()));
        let lost = "MIDI has no place for 1 slur, 2 fermatas, 1 chord symbol, 1 syllable".to_owned();
        assert_eq!(said(&score), [Some(lost), None, None, None]);
        let part = &mut score.parts[0];
        (part.slurs, part.fermatas, part.lyrics) = (Vec::new(), Vec::new(), Vec::new());
        part.notes[1] = note(4, 100);
        part.pedal = vec![PedalSpan { down: Ticks(0), up: Ticks(8) }];
        score.chords.clear();
        assert_eq!(said(&score), [None, None, Some("ABC has no place for loudness, pedal".to_owned()), None]);
        // What was played stands on paper where it was meant.
        let mut played = Score::new(TicksPerQuarter::DEFAULT);
        let at = |k: u64| Note { onset: Ticks(240 * k + 7 * k % 23), duration: Ticks(211), ..note(0, 80) };
        played.parts.push(Part { notes: (0..16).map(at).collect(), ..Part::default() });
        let [midi, paper, ..] = said(&played);
        assert_eq!(midi, None);
        assert!(paper.is_some_and(|said| said.contains("the exact time of")), "MusicXML");
    }
}
