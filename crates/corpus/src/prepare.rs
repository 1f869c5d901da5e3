//! From a score as a file has it to a piece that a composer can learn from: chosen parts, one grid, one part.

use crate::holdings::knows_no_beat;
use crate::parts::select;
use crate::{ContentHash, Options, Parts, Reason};
use cantus_score::{
    Key, Meter, Note, Outer, Part, Pitch, Reading, Score, Ticks, TicksPerQuarter, Unpitched, bass_of, merge_parts,
    outer_line, pedalled, performed, quantize,
};
use serde::Serialize;

/// A score ready for encoding.
#[derive(Clone, Debug, PartialEq)]
pub struct Prepared {
    /// Read as asked for: merged, one part on the grid. It begins in the bar of its first note; remarks are left out, and so is the pedal, unless it is read apart.
    pub score: Score,
    /// What the piece is known by.
    pub hash: ContentHash,
    /// What the grid did to it.
    pub quantization: Quantization,
    /// Bars, from that of the first note to that of the last; an upbeat is none.
    pub bars: u64,
    /// Quarter notes from the first bar's beginning to the last note's end.
    pub quarters: f64,
    /// The metres in force, the one that holds longest first.
    pub meters: Vec<Meter>,
    /// The key signature at the first note, if the file has one.
    pub key: Option<Key>,
    /// Strokes of drums, which are left out.
    pub drums: usize,
    /// Whole bars of silence before the first note, which are left out.
    pub silent_bars: u64,
}

/// What putting the notes on the grid did to them. No note is lost unless it is counted here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Quantization {
    /// Notes in the chosen parts of the file.
    pub notes_read: usize,
    /// Notes gone into another: same step, same pitch.
    pub merged: usize,
    /// Notes left out by the skyline of [`Parts::Melody`].
    pub accompaniment: usize,
    /// Notes shorter than a step, now one step long.
    pub lengthened: usize,
    /// Share of onsets that were moved by more than the tolerance: all that miss the grid, triplets and ornaments included, 0-1.
    pub moved: f64,
    /// Share of onsets that miss the grid and every finer grid of the same beat (half steps and triplets of two steps), 0-1.
    ///
    /// A triplet on a grid of sixteenths is moved by a third of a step, and the music survives it. A player's onset lies anywhere:
    /// of played music 30-40% miss all of these grids, of written music hardly any. So it is this share that refuses a file.
    /// Finer grids have a quarter of the tolerance; else the three together would cover nearly everything.
    pub off_grid: f64,
}

/// `score` as a corpus with these options would hold it.
///
/// # Errors
/// Why it would not be used.
pub fn prepare(score: &Score, options: &Options) -> Result<Prepared, Reason> {
    let pitched: Vec<&Part> = score.parts.iter().filter(|part| !part.drums && !part.notes.is_empty()).collect();
    let reading = options.way();
    let merges = reading == Reading::Merged;
    if let Some(Unpitched { strokes, chords }) = Unpitched::of(score).filter(|found| merges || found.strokes == 0) {
        return Err(Reason::NoNotes { drums: strokes, chords });
    }
    if let Some(allowed) = options.max_note_tracks.filter(|allowed| pitched.len() > *allowed) {
        return Err(Reason::TooManyParts { found: pitched.len(), allowed });
    }
    let (low, high) = Pitch::PIANO;
    let beyond = |note: &&Note| !(low..=high).contains(&note.pitch);
    let mut chosen = select(pitched, options.parts);
    if options.parts == Parts::Band {
        let has_drums = score.parts.iter().any(|part| part.drums && !part.notes.is_empty());
        let lacks = [(!has_drums, "drums"), (bass_of(&score.parts).is_none(), "bass")];
        let lacks: Vec<&'static str> = lacks.into_iter().filter(|(lacks, _)| *lacks).map(|(_, part)| part).collect();
        if !lacks.is_empty() {
            return Err(Reason::NoBand { lacks });
        }
    }
    if !merges && matches!(options.parts, Parts::All | Parts::Band) {
        chosen.extend(score.parts.iter().filter(|part| part.drums && !part.notes.is_empty()));
    }
    let notes = chosen.iter().flat_map(|part| &part.notes).filter(beyond).count();
    if options.piano_only && notes > 0 {
        return Err(Reason::BeyondPiano { notes });
    }
    if chosen.is_empty() {
        return Err(Reason::NoSuchPart { wanted: options.parts });
    }
    let kept_drums = chosen.iter().any(|part| part.drums);
    let mut chosen = notes_alone(score, chosen);
    if reading == Reading::Parts {
        // As one instrument, music has no symbols and no signs beside its notes.
        chosen.chords.clone_from(&score.chords);
        chosen.repeats.clone_from(&score.repeats);
    }
    let drums = score.parts.iter().filter(|part| part.drums && !kept_drums).map(|part| part.notes.len()).sum();
    let (score, quantization) = match reading {
        Reading::Merged => on_grid(&chosen, options),
        Reading::Parts => apart(&chosen, options),
        Reading::Performed => as_played(&chosen, performed(&chosen)),
        Reading::Pedalled => as_played(&chosen, pedalled(&chosen)),
    };
    let hash =
        if merges && options.steps() == Options::GRID { ContentHash::of(&score) } else { known_by(&chosen, options) };
    let (score, silent_bars) = from_first_bar(&score);

    let span = Span::of(&score);
    let meters = span.meters(&score.meters);
    let outside: Vec<Meter> = meters.iter().copied().filter(|meter| !options.meters.allows(*meter)).collect();
    if !outside.is_empty() {
        return Err(Reason::Meter { found: outside.iter().map(Meter::to_string).collect() });
    }
    if quantization.off_grid > options.max_off_grid && (merges || knows_no_beat(&chosen)) {
        return Err(Reason::OffGrid { share: quantization.off_grid, allowed: options.max_off_grid });
    }
    let (notes, with_upbeat) = (score.note_count(), span.bars(&score));
    let bars = with_upbeat - u64::from(score.upbeat().is_some());
    let (min_bars, min_notes) = (options.least_bars(), options.least_notes());
    // An upbeat and the last bar, which it shortens, often make one: a piece is not refused for want of half a bar.
    if with_upbeat < min_bars || notes < min_notes {
        return Err(Reason::TooShort { notes, bars, min_notes, min_bars });
    }
    let key = score.keys.iter().take_while(|(at, _)| *at <= span.first).last().map(|(_, key)| *key);
    let quarters = span.end.quarters(score.ticks_per_quarter);
    Ok(Prepared { hash, score, quantization, bars, quarters, meters, key, drums, silent_bars })
}

/// A score of the chosen parts: their notes and pedal, and what time and keys are like. How else they are played, sung and called is left
/// out.
fn notes_alone(score: &Score, chosen: Vec<&Part>) -> Score {
    let part = |part: &Part| Part {
        name: part.name.clone(),
        channel: part.channel,
        drums: part.drums,
        programs: part.programs.clone(),
        notes: part.notes.clone(),
        pedal: part.pedal.clone(),
        ..Part::default()
    };
    Score {
        title: score.title.clone(),
        tempos: score.tempos.clone(),
        meters: score.meters.clone(),
        keys: score.keys.clone(),
        parts: chosen.into_iter().map(part).collect(),
        ..Score::new(score.ticks_per_quarter)
    }
}

/// What a piece is known by, however it is read: its notes on the usual grid, those with a pitch where there are any. So whatever reads
/// it, the same pieces are duplicates, and fall to the same side of the split.
fn known_by(chosen: &Score, options: &Options) -> ContentHash {
    let mut known = chosen.clone();
    // Drums alone are known by their strokes.
    if known.parts.iter().any(|part| !part.drums) {
        known.parts.retain(|part| !part.drums);
    }
    ContentHash::of(&on_grid(&known, &Options { grid: None, ..options.clone() }).0)
}

/// The notes of all parts on the grid, in one part.
fn on_grid(score: &Score, options: &Options) -> (Score, Quantization) {
    let (quantized, grid) = quantize(score, options.steps(), options.tolerance);
    let merged = merge_parts(&quantized.parts);
    let mut result = Quantization {
        notes_read: grid.notes,
        merged: grid.notes - merged.notes.len(),
        accompaniment: 0,
        lengthened: grid.lengthened,
        moved: grid.off_grid_share(),
        off_grid: off_grid_share(score, options),
    };
    let mut part = Part { programs: Vec::new(), name: None, channel: 0, pedal: Vec::new(), ..merged };
    // The first part's instrument speaks for all; where it changes later, the piece does not.
    part.programs.extend(merged.programs.first().map(|(_, program)| (Ticks::ZERO, *program)));
    if options.parts == Parts::Melody {
        // Of the notes as they were played: on the grid, a line that was played legato overlaps by whole steps.
        let notes = merge_parts(&score.parts).notes;
        let line = outer_line(&notes, Outer::Highest, score.ticks_per_quarter, options.steps());
        let line =
            Score { parts: vec![Part { notes: line, ..Part::default() }], ..Score::new(score.ticks_per_quarter) };
        let line = merge_parts(&quantize(&line, options.steps(), options.tolerance).0.parts).notes;
        result.accompaniment = part.notes.len() - line.len();
        part.notes = line;
    }
    (Score { parts: vec![part], ..quantized }, result)
}

/// Every part by itself on the grid, drums among them; the pedal is left out.
fn apart(score: &Score, options: &Options) -> (Score, Quantization) {
    let (mut quantized, grid) = quantize(score, options.steps(), options.tolerance);
    for part in &mut quantized.parts {
        *part = Part { pedal: Vec::new(), ..merge_parts([&*part]) };
    }
    let result = Quantization {
        notes_read: grid.notes,
        merged: grid.notes - quantized.note_count(),
        accompaniment: 0,
        lengthened: grid.lengthened,
        moved: grid.off_grid_share(),
        off_grid: off_grid_share(score, options),
    };
    (quantized, result)
}

/// Every part of `score` as it was played; there is no grid to miss.
fn as_played(score: &Score, mut played: Score) -> (Score, Quantization) {
    for part in &mut played.parts {
        *part = merge_parts([&*part]);
    }
    let notes_read = score.note_count();
    let merged = notes_read - played.note_count();
    (played, Quantization { notes_read, merged, ..Quantization::default() })
}

/// See [`Quantization::off_grid`].
fn off_grid_share(score: &Score, options: &Options) -> f64 {
    let per_quarter = f64::from(score.ticks_per_quarter.get());
    let step = per_quarter / f64::from(options.steps().get());
    let miss = |note: &&Note| {
        let onset = (note.onset.0 % u64::from(score.ticks_per_quarter.get())) as f64;
        let misses = |step_share: f64, tolerance: f64| {
            let grid = step * step_share;
            // At least half a tick: a grid line need not fall on a whole one.
            (onset - (onset / grid).round() * grid).abs() > (tolerance * step).max(0.5)
        };
        let fine = options.tolerance / 4.0;
        misses(1.0, options.tolerance) && misses(0.5, fine) && misses(2.0 / 3.0, fine)
    };
    score.notes().filter(miss).count() as f64 / score.note_count().max(1) as f64
}

/// `score` without the whole bars of silence before its first note, and how many those were; changes that come when the music is over
/// are dropped.
fn from_first_bar(score: &Score) -> (Score, u64) {
    let (silent_bars, from) = score.silent_bars();
    let mut score = score.after(from);
    let end = score.end();
    score.tempos.retain(|(at, _)| *at < end);
    score.meters.retain(|(at, _)| *at < end);
    score.keys.retain(|(at, _)| *at < end);
    score.chords.retain(|(at, _)| *at < end);
    (score, silent_bars)
}

/// Where the music of a score lies. Bars are counted, not walked: a hostile file may have millions of empty ones.
struct Span {
    first: Ticks,
    end: Ticks,
}

impl Span {
    fn of(score: &Score) -> Span {
        let first = score.notes().map(|note| note.onset).min().unwrap_or_default();
        Span { first, end: score.end() }
    }

    /// Stretches of one metre, as (metre, ticks), up to the end.
    fn stretches(&self, changes: &[(Ticks, Meter)]) -> Vec<(Meter, Ticks)> {
        let starts = std::iter::once((Ticks::ZERO, Meter::COMMON)).chain(changes.iter().copied());
        let ends = changes.iter().map(|(at, _)| *at).chain([self.end]);
        let stretches = starts.zip(ends).map(|((start, meter), end)| (meter, end.min(self.end) - start));
        stretches.filter(|(_, length)| *length > Ticks::ZERO).collect()
    }

    fn meters(&self, changes: &[(Ticks, Meter)]) -> Vec<Meter> {
        let mut held: Vec<(Meter, Ticks)> = Vec::new();
        for (meter, length) in self.stretches(changes) {
            match held.iter_mut().find(|(known, _)| *known == meter) {
                Some((_, sum)) => *sum += length,
                None => held.push((meter, length)),
            }
        }
        held.sort_by_key(|(_, length)| std::cmp::Reverse(*length));
        held.into_iter().map(|(meter, _)| meter).collect()
    }

    /// Bars, an upbeat counted as one.
    fn bars(&self, score: &Score) -> u64 {
        let per_quarter: TicksPerQuarter = score.ticks_per_quarter;
        let stretches = self.stretches(&score.meters);
        stretches.into_iter().map(|(meter, length)| length.0.div_ceil(meter.bar(per_quarter).0)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cantus_score::Velocity;

    fn score(notes: &[(u64, u8, u64)], meters: &[(u64, &str)]) -> Score {
        let mut score = Score::new(TicksPerQuarter::DEFAULT);
        let note = |&(onset, pitch, duration): &(u64, u8, u64)| Note {
            onset: Ticks(onset),
            pitch: Pitch::try_from(pitch).unwrap(),
            duration: Ticks(duration),
            velocity: Velocity::DEFAULT,
        };
        score.parts.push(Part { notes: notes.iter().map(note).collect(), ..Part::default() });
        score.meters = meters.iter().map(|(at, meter)| (Ticks(*at), meter.parse().unwrap())).collect();
        score
    }

    fn lenient() -> Options {
        Options { min_bars: Some(0), min_notes: Some(0), ..Options::default() }
    }

    #[test]
    fn triplets_are_moved_but_not_off_the_grid() {
        let triplets: Vec<_> = (0..24).map(|k| (k * 160, 60 + (k % 12) as u8, 160)).collect();
        let prepared = prepare(&score(&triplets, &[]), &lenient()).unwrap();
        assert_eq!(prepared.quantization.off_grid, 0.0);
        assert_eq!(prepared.quantization.moved, 16.0 / 24.0);
        assert_eq!(prepared.score.note_count(), 24);
    }

    #[test]
    fn played_music_is_off_the_grid() {
        // Steps of an irrational number of quarters meet every phase equally often.
        let played: Vec<_> = (0..500).map(|k| ((k as f64 * 480.0 * 0.618_034) as u64, 60, 100)).collect();
        match prepare(&score(&played, &[]), &lenient()) {
            Err(Reason::OffGrid { share, allowed }) => {
                assert!((0.3..0.45).contains(&share) && allowed == 0.2, "{share}")
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn merged_notes_are_counted() {
        let prepared = prepare(&score(&[(0, 60, 480), (10, 60, 480), (480, 62, 10)], &[]), &lenient()).unwrap();
        let quantization = prepared.quantization;
        assert_eq!((quantization.notes_read, quantization.merged, quantization.lengthened), (3, 1, 1));
        assert_eq!(prepared.score.note_count(), 2);
    }

    #[test]
    fn empty_bars_before_the_music_are_cut_and_the_upbeat_stays() {
        // Two bars of 4/4, then 3/4 whose second bar has the first note on its third beat.
        let notes = [(3840 + 1440 + 960, 60, 480), (3840 + 2880, 62, 480)];
        let mut late = score(&notes, &[(0, "4/4"), (3840, "3/4"), (99_000, "2/4")]);
        late.tempos = [(0, 60.0), (3900, 80.0), (6300, 100.0)]
            .map(|(at, quarters)| (Ticks(at), cantus_score::Tempo::from_quarters_per_minute(quarters).unwrap()))
            .to_vec();
        let prepared = prepare(&late, &lenient()).unwrap();
        let onsets: Vec<u64> = prepared.score.notes().map(|note| note.onset.0).collect();
        assert_eq!(onsets, [8, 12]);
        assert_eq!(prepared.score.meters, [(Ticks(0), "3/4".parse().unwrap())]);
        let tempos: Vec<_> =
            prepared.score.tempos.iter().map(|(at, tempo)| (at.0, tempo.quarters_per_minute().round())).collect();
        assert_eq!(tempos, [(0, 80.0), (9, 100.0)]);
        assert_eq!((prepared.bars, prepared.quarters), (2, 4.0));
        assert_eq!(prepared.silent_bars, 3);
    }

    #[test]
    fn metres_are_those_that_sound() {
        let notes = [(0, 60, 480), (1440, 62, 480), (2880, 64, 1920)];
        let prepared = prepare(&score(&notes, &[(0, "3/4"), (2880, "4/4")]), &lenient()).unwrap();
        assert_eq!(prepared.meters, ["3/4".parse().unwrap(), Meter::COMMON]);
        assert_eq!(prepared.bars, 3);
        let only = Options { meters: "3/4".parse().unwrap(), ..lenient() };
        let refused = prepare(&score(&notes, &[(0, "3/4"), (2880, "4/4")]), &only).unwrap_err();
        assert_eq!(refused, Reason::Meter { found: vec!["4/4".into()] });
    }

    #[test]
    fn an_upbeat_is_no_bar_and_yet_makes_a_piece_long_enough() {
        // An upbeat of a quarter, then three bars of 3/4 of which the last lacks it.
        let notes: Vec<_> = (0..9).map(|k| (480 * k, 60 + k as u8, 480)).collect();
        let piece = score(&notes, &[(0, "1/4"), (480, "3/4")]);
        assert_eq!(prepare(&piece, &Options { min_bars: Some(4), ..lenient() }).unwrap().bars, 3);
        let refused = prepare(&piece, &Options { min_bars: Some(5), ..lenient() }).unwrap_err();
        assert_eq!(refused, Reason::TooShort { notes: 9, bars: 3, min_notes: 0, min_bars: 5 });
    }

    #[test]
    fn notes_beyond_a_piano_are_refused_where_that_is_asked_for() {
        let high = score(&[(0, 60, 480), (480, 109, 480), (960, 20, 480), (1440, 108, 480)], &[]);
        assert!(prepare(&high, &lenient()).is_ok());
        let refused = prepare(&high, &Options { piano_only: true, ..lenient() });
        assert_eq!(refused.unwrap_err(), Reason::BeyondPiano { notes: 2 });
    }

    #[test]
    fn a_band_keeps_its_parts_and_a_performance_its_time() {
        let mut band = score(&[(0, 60, 480), (480, 62, 200)], &[]);
        band.parts.push(Part { notes: band.parts[0].notes.clone(), ..Part::of_drums() });
        band.parts[0].pedal = vec![cantus_score::PedalSpan { down: Ticks(500), up: Ticks(960) }];
        let read = |reading| prepare(&band, &Options { reading: Some(reading), ..lenient() }).unwrap();
        assert_eq!(read(Reading::Merged).score.parts.len(), 1);
        let parts = read(Reading::Parts);
        assert_eq!(
            parts.score.parts.iter().map(|part| (part.drums, part.notes.len())).collect::<Vec<_>>(),
            [(false, 2), (true, 2)]
        );
        assert_eq!((parts.drums, parts.score.ticks_per_quarter.get()), (0, 4));
        let played = read(Reading::Performed);
        let spans: Vec<_> = played.score.parts[0].notes.iter().map(|note| (note.onset.0, note.duration.0)).collect();
        // Hundredths of a second at 120 quarters a minute; the pedal holds the second note until quarter 2.
        assert_eq!(spans, [(0, 50), (50, 50)]);
        let apart = read(Reading::Pedalled);
        let spans: Vec<_> = apart.score.parts[0].notes.iter().map(|note| (note.onset.0, note.duration.0)).collect();
        assert_eq!(spans, [(0, 50), (50, 21)]);
        assert_eq!(apart.score.parts[0].pedal, [cantus_score::PedalSpan { down: Ticks(52), up: Ticks(100) }]);
        // It is the same piece in every reading, and on every grid.
        let fine = Options { grid: TicksPerQuarter::new(24), ..lenient() };
        assert_eq!(
            [parts.hash, played.hash, apart.hash, prepare(&band, &fine).unwrap().hash],
            [read(Reading::Merged).hash; 4]
        );
        // Nothing is off a grid where there is none.
        let odd: Vec<_> = (0..40).map(|k| (k * 311, 60 + (k % 5) as u8, 200)).collect();
        let odd = score(&odd, &[]);
        assert!(prepare(&odd, &Options { reading: Some(Reading::Performed), ..lenient() }).is_ok());
        let mut drums = score(&[(0, 36, 120)], &[]);
        drums.parts[0].drums = true;
        assert!(prepare(&drums, &Options { reading: Some(Reading::Parts), ..lenient() }).is_ok());
    }

    #[test]
    fn a_band_has_drums_and_a_bass() {
        let options = Options { reading: Some(Reading::Parts), parts: Parts::Band, ..lenient() };
        let mut band = score(&[(0, 40, 480), (480, 38, 480)], &[]);
        let lacks = |score: &Score| match prepare(score, &options) {
            Ok(prepared) => Ok(prepared.score.parts.len()),
            Err(Reason::NoBand { lacks }) => Err(lacks),
            Err(other) => panic!("{other:?}"),
        };
        assert_eq!(lacks(&band), Err(vec!["drums", "bass"]));
        band.parts.push(Part { notes: band.parts[0].notes.clone(), ..Part::of_drums() });
        assert_eq!(lacks(&band), Ok(2));
        band.parts[0].notes = [(0, 60u8), (0, 64), (480, 65), (480, 69)]
            .map(|(onset, pitch)| Note {
                onset: Ticks(onset),
                pitch: Pitch::try_from(pitch).unwrap(),
                ..band.parts[0].notes[0]
            })
            .to_vec();
        assert_eq!(lacks(&band), Err(vec!["bass"]));
        assert!(prepare(&band, &options).unwrap_err().to_string().contains("no bass"));
    }

    #[test]
    fn drums_are_no_pitches() {
        let mut drums = score(&[(0, 36, 120)], &[]);
        drums.parts[0].drums = true;
        let refused = Reason::NoNotes { drums: 1, chords: 0 };
        assert_eq!(prepare(&drums, &lenient()).unwrap_err(), refused);
        drums.parts.push(score(&[(0, 60, 480)], &[]).parts.remove(0));
        let prepared = prepare(&drums, &lenient()).unwrap();
        assert_eq!((prepared.score.note_count(), prepared.drums), (1, 1));
    }
}
