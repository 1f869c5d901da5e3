//! Times that can be written down.
//!
//! Source: the choice of a subdivision for each beat by its distance from the onsets and its simplicity is the usual first step of
//! transcription; see E. Cambouropoulos, "From MIDI to traditional musical notation", AAAI Workshop on AI and Music 2000.

use super::played::{self, ENOUGH, SIMPLE};
use super::{QUARTER, RESOLUTION, gcd};
use cantus_score::{Meter, Note, Score, Ticks, TicksPerQuarter};

/// Parts of a quarter note that note values and tuplets of 3, 5, 7 and 9 can name.
const WRITABLE: [u64; 20] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 14, 16, 18, 20, 24, 28, 32, 36, 48];
/// How far from their places, in quarters, onsets lie that no note value can name, where nothing more is known.
const SPREAD: f64 = 0.025;
/// The parts of a quarter that most music knows, the simpler first; all with sixteenths.
const USUAL: [u64; 5] = [4, 8, 12, 16, 24];
/// The share of onsets that what is usual holds: an ornament now and then is not usual.
const NEARLY_ALL: f64 = 0.95;
/// Of so many beats one that no note values name is an ornament, and of fewer it is how somebody plays.
const OFTEN: usize = 5;
/// So many bits of surprise that no onset needed the places that ends need: it is no chance.
const SURPRISE: f64 = 20.0;

/// The time in [`RESOLUTION`] that is nearest to `at` among multiples of a quarter over `steps`.
pub fn nearest(at: Ticks, from: TicksPerQuarter, steps: u32) -> u64 {
    match TicksPerQuarter::new(steps) {
        Some(to) => at.rescale(from, to).0.saturating_mul(QUARTER / u64::from(steps)),
        None => 0,
    }
}

/// Of a quarter divided into equal parts the fewest that name this time, in [`RESOLUTION`].
fn denominator(at: u64) -> u64 {
    QUARTER / gcd(QUARTER, at % QUARTER)
}

/// Whether note values can name a time.
fn is_writable(at: u64) -> bool {
    WRITABLE.contains(&denominator(at))
}

/// The fewest equal parts of a quarter that name all times.
fn places(times: impl Iterator<Item = u64>) -> u64 {
    QUARTER / times.fold(QUARTER, |common, at| gcd(common, at % QUARTER))
}

/// A time in [`RESOLUTION`]: exact where it [`is_writable`], else rounded.
pub(super) fn fine(at: Ticks, per_quarter: TicksPerQuarter) -> u64 {
    at.rescale(per_quarter, const { TicksPerQuarter::new(RESOLUTION).unwrap() }).0
}

/// The changes of metre, moved where bars would have lengths that no note value has.
pub fn snap_meters(score: &Score) -> Vec<(Ticks, Meter)> {
    let per_quarter = score.ticks_per_quarter;
    let ticks = u64::from(per_quarter.get());
    let mut meters: Vec<(Ticks, Meter)> = Vec::new();
    for &(at, meter) in &score.meters {
        let denominator = ticks / super::gcd(ticks, at.0 % ticks);
        let is_dyadic = denominator.is_power_of_two() && denominator <= 32;
        let at = if is_dyadic { fine(at, per_quarter) } else { nearest(at, per_quarter, 8) };
        meters.push((Ticks(at), meter));
    }
    crate::midi::last_wins(&mut meters);
    meters
}

/// The notes of each part at times that can be written, none of them without length.
///
/// What is written stays as it is; what is played is moved to places of its beats ([`played`]). Ends are judged for themselves: many a
/// line that stands on its beats has notes that last a little longer or shorter than they are written.
pub fn snap_notes(score: &Score) -> Vec<Vec<Note>> {
    let (at, ticks) = (|at: Ticks| fine(at, score.ticks_per_quarter), u64::from(score.ticks_per_quarter.get()));
    let moved =
        |note: &Note| Note { onset: Ticks(at(note.onset)), duration: Ticks(at(note.end()) - at(note.onset)), ..*note };
    let mut parts: Vec<Vec<Note>> = score.parts.iter().map(|part| part.notes.iter().map(moved).collect()).collect();
    let mut lines: Vec<Line> = parts.iter().map(|notes| Line::of(notes, ticks)).collect();
    let all: f64 = lines.iter().map(|line| line.evidence).sum();
    lines.iter_mut().for_each(|line| line.decide(all));
    let ends: Vec<Ends> = parts.iter().zip(&lines).map(|(notes, line)| Ends::of(notes, line)).collect();
    let is_exact = |(line, ends): (&Line, &Ends)| {
        !line.is_played && line.raw.iter().all(|at| is_writable(*at)) && *ends == Ends::Written
    };
    // Where nothing moves, beats need not be looked at.
    let beats = if lines.iter().zip(&ends).all(is_exact) { Beats::default() } else { Beats::of(&lines, ticks) };
    for ((notes, line), ends) in parts.iter_mut().zip(&mut lines).zip(ends) {
        line.place(&beats);
        notes.iter_mut().for_each(|note| *note = line.snap(note, &beats, ends));
        notes.sort_unstable();
    }
    parts
}

/// The onsets of a part, each once.
struct Line {
    /// As they are.
    raw: Vec<u64>,
    /// Where they are written.
    placed: Vec<u64>,
    /// The parts of a quarter that hold nearly all of them, and sixteenths.
    usual: u64,
    /// The share of them that these hold.
    share: f64,
    /// How many beats have some that no note value can name, and how many there are.
    beside: (usize, usize),
    /// By how many bits they are rather played than written.
    evidence: f64,
    /// How far from their places they lie if they are played.
    spread: f64,
    is_played: bool,
}

impl Line {
    fn of(notes: &[Note], ticks: u64) -> Line {
        let mut raw: Vec<u64> = notes.iter().map(|note| note.onset.0).collect();
        raw.sort_unstable();
        raw.dedup();
        let places = places(raw.iter().copied());
        let is_beside =
            |beat: &[u64]| beat.iter().any(|at| !is_writable(*at)) && played::rounded_tuplet(beat, ticks).is_none();
        let beats = played::beats(&raw).map(|(beat, _)| usize::from(is_beside(beat)));
        let beside = beats.fold((0, 0), |(beside, all), is_beside| (beside + is_beside, all + 1));
        let (evidence, spread) = played::evidence(&raw, places, ticks);
        let on = |usual: u64| raw.iter().filter(|at| usual.is_multiple_of(denominator(**at))).count() as f64;
        let share = |usual: u64| on(usual) / raw.len().max(1) as f64;
        let all = with_sixteenths(places);
        let usual = USUAL.into_iter().find(|usual| share(*usual) >= NEARLY_ALL).unwrap_or(all);
        let share = share(usual);
        Line { raw, placed: Vec::new(), usual, share, beside, evidence, spread, is_played: false }
    }

    /// Whether it is played. A part that says too little for itself is as `all` parts together are.
    fn decide(&mut self, all: f64) {
        // Times that no note value can name, and not a few among many: nobody writes them.
        let is_nameless = OFTEN * self.beside.0 > self.beside.1;
        self.is_played = is_nameless || self.evidence >= ENOUGH || all >= ENOUGH && self.evidence > -ENOUGH;
    }

    /// Decides where the onsets are written.
    fn place(&mut self, beats: &Beats) {
        let place = |&at: &u64| if !self.is_played && is_writable(at) { at } else { beats.snap(at) };
        self.placed = self.raw.iter().map(place).collect();
    }

    /// Whether it is usual that something ends here: at one of the places that hold nearly all onsets, or that those of this beat need.
    fn is_usual(&self, end: u64, onsets: &[u64]) -> bool {
        let needed = denominator(end);
        self.usual.is_multiple_of(needed) || with_sixteenths(of_beat(onsets, end)).is_multiple_of(needed)
    }

    fn snap(&self, note: &Note, beats: &Beats, ends: Ends) -> Note {
        let end = note.end().0;
        let k = self.raw.partition_point(|onset| *onset < note.onset.0);
        let onset = self.placed.get(k).copied().unwrap_or(note.onset.0);
        let stays = match ends {
            Ends::Written => is_writable(end),
            Ends::Mended => self.is_usual(end, &self.raw),
            Ends::Played => false,
        };
        let end = if stays { end } else { self.release(note, k) };
        let end = if end > onset { end } else { onset + beats.step(onset) };
        Note { onset: Ticks(onset), duration: Ticks(end - onset), ..*note }
    }

    /// Where a note that was played ends on paper. `k` is its onset's number.
    ///
    /// A player holds a note a little too long, or leaves it a little too early; on paper it lasts until the next one begins. What is
    /// clearly a rest is one.
    fn release(&self, note: &Note, k: usize) -> u64 {
        let (begin, end) = (note.onset.0, note.end().0);
        let next = (k + 1..self.raw.len()).find(|next| self.placed[*next] > self.placed[k]);
        if let Some((raw, placed)) = next.map(|next| (self.raw[next], self.placed[next])) {
            let between = raw - begin;
            let is_legato = end >= raw && end - raw <= (between / 2).min(QUARTER / 4);
            let gap = raw.saturating_sub(end);
            let is_detached = end < raw
                && (gap <= QUARTER / 8
                    || 5 * gap <= between
                    || between <= QUARTER * 9 / 8 && 16 * (end - begin) > 9 * between);
            if is_legato || is_detached {
                return placed;
            }
        }
        // Another voice may go on where this one ends.
        let after = self.raw.partition_point(|onset| *onset < end);
        let near = [after.checked_sub(1), Some(after)].into_iter().flatten().filter(|j| *j > k && *j < self.raw.len());
        match near.min_by_key(|j| self.raw[*j].abs_diff(end)) {
            Some(j) if self.raw[j].abs_diff(end) <= QUARTER / 8 => self.placed[j],
            _ => self.rest(end, end - begin),
        }
    }

    /// Where a rest begins after a note of this length: the longer it was, at the simpler a place.
    fn rest(&self, end: u64, length: u64) -> u64 {
        let spread = (0.12 * length as f64 / QUARTER as f64).max(0.06);
        let beat = with_sixteenths(of_beat(&self.placed, end));
        let known = SIMPLE.iter().filter(|(division, _)| beat.is_multiple_of(*division));
        let cost = |&(division, cost): &(u64, f64)| cost + played::misses((&[end], None), division, spread);
        let best = known.min_by(|a, b| cost(a).total_cmp(&cost(b)));
        best.map_or(end, |(division, _)| to_place(end, QUARTER / division))
    }
}

/// The fewest equal parts of a quarter that name the onsets of the beat that `at` falls into.
fn of_beat(onsets: &[u64], at: u64) -> u64 {
    let from = at / QUARTER * QUARTER;
    let inside = onsets.partition_point(|onset| *onset < from)..onsets.partition_point(|onset| *onset < from + QUARTER);
    places(onsets[inside].iter().copied())
}

/// The parts of a quarter that hold these and sixteenths.
fn with_sixteenths(places: u64) -> u64 {
    places / gcd(places, 4) * 4
}

/// How the ends of a part's notes are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ends {
    /// As they are.
    Written,
    /// Those that lie on no usual place of the beat are moved.
    Mended,
    /// All are moved.
    Played,
}

impl Ends {
    /// What the ends of a part tell. Of ends on finer places than are usual, articulation is the reason where onsets, too, would have
    /// needed such places if they were written.
    fn of(notes: &[Note], line: &Line) -> Ends {
        if line.is_played {
            return Ends::Played;
        }
        let ends = || notes.iter().filter(|note| note.duration > Ticks::ZERO).map(|note| note.end().0);
        let finer = places(ends()) / gcd(places(ends()), line.usual);
        if finer == 1 {
            return Ends::Written;
        }
        let beside = ends().filter(|end| !line.is_usual(*end, &line.raw)).count();
        // Onsets that could lie on any of the finer places would all lie on the usual ones by such a chance.
        let (on, chance) = (line.share, 1.0 / finer as f64);
        let off = if on < 1.0 { (1.0 - on) * ((1.0 - on) / (1.0 - chance)).log2() } else { 0.0 };
        let surprise = line.raw.len() as f64 * (on * (on / chance).log2() + off);
        let is_nameless = finer.is_multiple_of(5) || finer.is_multiple_of(7) || ends().any(|end| !is_writable(end));
        match beside > 0 && (is_nameless || surprise >= SURPRISE) {
            false => Ends::Written,
            true if 4 * beside >= notes.len() => Ends::Played,
            true => Ends::Mended,
        }
    }
}

/// What each quarter of the piece is divided into.
#[derive(Default)]
struct Beats {
    /// In order: the beat's number and its division. Beats without an onset are not named.
    divisions: Vec<(u64, u64)>,
}

impl Beats {
    fn of(lines: &[Line], ticks: u64) -> Beats {
        let mut onsets: Vec<u64> = lines.iter().flat_map(|line| &line.raw).copied().collect();
        onsets.sort_unstable();
        onsets.dedup();
        let spread = lines.iter().filter(|line| line.is_played).map(|line| line.spread).fold(SPREAD, f64::max);
        let divisions = played::beats(&onsets).map(|beat| {
            let is_nameless = beat.0.iter().any(|at| !is_writable(*at));
            let tuplet = is_nameless.then(|| played::rounded_tuplet(beat.0, ticks)).flatten();
            (played::beat_of(beat.0[0]), tuplet.unwrap_or_else(|| best_division(beat, spread)))
        });
        Beats { divisions: divisions.collect() }
    }

    fn division(&self, at: u64) -> Option<u64> {
        let found = self.divisions.binary_search_by_key(&played::beat_of(at), |(beat, _)| *beat);
        found.ok().map(|k| self.divisions[k].1)
    }

    /// The length of a step at a time. Where nothing begins, it is a sixteenth.
    fn step(&self, at: u64) -> u64 {
        QUARTER / self.division(at).unwrap_or(4)
    }

    fn snap(&self, at: u64) -> u64 {
        to_place(at, self.step(at))
    }
}

fn to_place(at: u64, step: u64) -> u64 {
    (at + step / 2) / step * step
}

/// What a beat is divided into, given its onsets and how far they usually lie from their places.
fn best_division(beat: (&[u64], Option<u64>), spread: f64) -> u64 {
    let cost = |&(division, cost): &(u64, f64)| cost + played::misses(beat, division, spread);
    let best = SIMPLE.iter().min_by(|a, b| cost(a).total_cmp(&cost(b)));
    best.map_or(1, |(division, _)| *division)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cantus_score::{Part, Pitch, Velocity};

    #[test]
    fn the_simplest_division_that_fits_is_chosen() {
        let division = |onsets: &[f64]| {
            let onsets: Vec<u64> = onsets.iter().map(|onset| (onset * QUARTER as f64) as u64).collect();
            best_division((&onsets, None), SPREAD)
        };
        assert_eq!(division(&[0.01]), 1);
        assert_eq!(division(&[0.0, 0.51]), 2);
        assert_eq!(division(&[0.01, 0.32, 0.67]), 3);
        assert_eq!(division(&[0.0, 0.26, 0.5, 0.74]), 4);
        assert_eq!(division(&[0.02, 0.16, 0.34, 0.5, 0.66, 0.84]), 6);
        assert_eq!(division(&[0.0, 0.125, 0.25, 0.375]), 8);
    }

    #[test]
    fn what_tuplets_can_name_is_fine() {
        for (at, writable) in [(0, true), (1680 + 560, true), (336, true), (240, true), (35, true), (112, false)] {
            assert_eq!(is_writable(6 * at), writable, "{at}");
        }
        assert_eq!(nearest(Ticks(490), TicksPerQuarter::DEFAULT, 8), QUARTER);
    }

    /// Onsets and lengths, in 16ths of a quarter, of a line given in ticks.
    fn placed(per_quarter: u32, line: impl IntoIterator<Item = (u64, u64)>) -> Vec<(u64, u64)> {
        let mut score = Score::new(TicksPerQuarter::new(per_quarter).unwrap());
        let note = |(onset, duration)| Note {
            onset: Ticks(onset),
            pitch: Pitch::C4,
            duration: Ticks(duration),
            velocity: Velocity::DEFAULT,
        };
        score.parts.push(Part { notes: line.into_iter().map(note).collect(), ..Part::default() });
        let in_16ths = |note: &Note| (16 * note.onset.0 / QUARTER, 16 * note.duration.0 / QUARTER);
        snap_notes(&score)[0].iter().map(in_16ths).collect()
    }

    /// Numbers that look like chance, each -1, 0 or 1.
    fn touch(k: u64) -> i64 {
        (k * k * 7919 + 13 * k) as i64 % 3 - 1
    }

    #[test]
    fn a_scale_that_is_played_has_the_lengths_of_a_scale() {
        for per_quarter in [24u64, 48, 96, 120, 384, 480, 960] {
            for step in [per_quarter, per_quarter / 2] {
                for length in [75, 80, 90, 95, 100, 105, 110] {
                    let unit = (per_quarter / 30).max(1) as i64;
                    let line = (0..24).map(|k| {
                        let onset = (k * step) as i64 + if k == 0 { 0 } else { unit * touch(k) };
                        (onset as u64, ((step * length / 100) as i64 + unit * touch(k + 5)) as u64)
                    });
                    let expected: Vec<_> =
                        (0..24).map(|k| (16 * k * step / per_quarter, 16 * step / per_quarter)).collect();
                    let found = placed(per_quarter as u32, line);
                    assert_eq!(found[..23], expected[..23], "{per_quarter} {step} {length}");
                }
            }
        }
    }

    #[test]
    fn ends_alone_may_be_played() {
        // Quarters that overlap by a 24th, or are a tenth too short, or a twentieth.
        for length in [500, 432, 456] {
            assert_eq!(
                placed(480, (0..16).map(|k| (480 * k, length))),
                (0..16).map(|k| (16 * k, 16)).collect::<Vec<_>>()
            );
        }
        // Eighths before rests.
        assert_eq!(placed(480, (0..16).map(|k| (480 * k, 228))), (0..16).map(|k| (16 * k, 8)).collect::<Vec<_>>());
    }

    #[test]
    fn a_tuplet_that_ticks_only_round_is_one_and_moves_nothing_else() {
        // Eighths and rests of a sixteenth before sixteenths, and one beat of five, six, seven ... notes; an ornament no tuplet names.
        for (count, ticks) in [5, 6, 7, 9, 10, 11, 14].into_iter().flat_map(|count| [(count, 480), (count, 960)]) {
            let beats = (0..40u64).flat_map(|beat| {
                let onsets: Vec<(u64, u64)> = match beat {
                    21 => (0..count).map(|k| ((k * ticks + count / 2) / count, ticks / count)).collect(),
                    _ => vec![(0, ticks / 2), (ticks / 4 * 3, ticks / 4)],
                };
                onsets.into_iter().map(move |(at, length)| (ticks * beat + at, length))
            });
            let of_beat = |beat: u64| {
                let found = placed(ticks as u32, beats.clone()).into_iter();
                found.filter(|(at, _)| at / 16 == beat).map(|(at, length)| (at % 16, length)).collect::<Vec<_>>()
            };
            for beat in (0..40).filter(|beat| *beat != 21) {
                assert_eq!(of_beat(beat), [(0, 8), (12, 4)], "{count} of {ticks} at {beat}");
            }
            if QUARTER.is_multiple_of(count) {
                assert_eq!(
                    of_beat(21),
                    (0..count).map(|k| (16 * k / count, 16 / count)).collect::<Vec<_>>(),
                    "{count}"
                );
            }
        }
    }

    #[test]
    fn what_is_written_stays() {
        // Triplets, quintuplets, 32nds; dotted eighths; a few that say little.
        for (length, count) in [(160, 30), (96, 30), (60, 30), (360, 30), (20, 3)] {
            let line = (0..count).map(|k| (480 * (k * length / 480) + k * length % 480, length));
            let expected: Vec<_> = line.clone().map(|(onset, length)| (16 * onset / 480, 16 * length / 480)).collect();
            assert_eq!(placed(480, line), expected, "{length}");
        }
    }
}
