//! The tracks of bands: how often each is silent, how many of its notes are crumbs, and how far apart two tracks of a piece lie in harmony.
//!
//! The tonal distance of two tracks in a beat is that of their tonal centroids, points of three circles: of fifths, of minor thirds, and of major thirds,
//! the last one half as large. Between C major and F sharp major it is 1.97, between a chord and itself 0.
//!
//! Source: C. Harte, M. Sandler and M. Gasser, Detecting Harmonic Change in Musical Audio, 2006, section 3; as a figure of bands H.-W. Dong et al.,
//! MuseGAN, 2018, arXiv:1709.06298v2, section "Objective Metrics". Its program takes bands of seven neighbouring semitones for pitch classes, so that
//! its figures, 1.02-1.58, compare with none of these.

use crate::mean::mean;
use crate::summary::lines;
use cantus_score::{Family, Note, Score, Ticks, TicksPerQuarter, quantize};
use serde::Serialize;

/// Steps to a quarter note.
const GRID: TicksPerQuarter = TicksPerQuarter::new(4).unwrap();
/// Beats of the longest piece that is looked at.
const MOST_BEATS: usize = 1 << 18;

/// What is counted of a family's tracks.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Track {
    /// The family.
    pub family: &'static str,
    /// Pieces that have it.
    pub pieces: usize,
    /// The share of bars of all pieces in which it has no note, 0-1.
    pub empty_bars: f64,
    /// The share of its notes that last a sixteenth or less, 0-1; nothing for drums.
    pub crumbs: Option<f64>,
}

/// What is counted of two tracks.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Pair {
    /// Two families.
    pub families: (&'static str, &'static str),
    /// Their mean tonal distance over the beats in which both sound.
    pub distance: f64,
    /// The same of tracks of two pieces that do not belong together; `None` where no two pieces have both.
    pub of_others: Option<f64>,
}

/// The tracks of several pieces.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Tracks {
    /// Family by family.
    pub tracks: Vec<Track>,
    /// All pairs with a pitch that sound together.
    pub pairs: Vec<Pair>,
}

/// A piece on the grid: of each family its beats' pitch classes, its bars, its notes and how many are short.
struct Counted {
    bars: usize,
    families: [Option<Played>; Family::ALL.len()],
}

#[derive(Clone, Default)]
struct Played {
    full_bars: usize,
    notes: usize,
    short: usize,
    beats: Vec<[f64; 12]>,
}

impl Counted {
    fn of(piece: &Score) -> Counted {
        let coarse = quantize(piece, GRID, 0.5).0;
        let bars: Vec<Ticks> = coarse.bars().map(|bar| bar.start).collect();
        let beats = (coarse.end().0 as usize).div_ceil(GRID.get() as usize).min(MOST_BEATS);
        let mut families: [Option<Played>; Family::ALL.len()] = Default::default();
        let mut full = vec![[false; Family::ALL.len()]; bars.len()];
        for (part, family) in coarse.parts.iter().zip(Family::of(&coarse.parts)) {
            for note in &part.notes {
                let played = families[family.index()].get_or_insert_with(Played::default);
                played.beats.resize(beats, [0.0; 12]);
                played.notes += 1;
                played.short += usize::from(note.duration.0 <= 1);
                if let Some(bar) = bars.partition_point(|start| *start <= note.onset).checked_sub(1) {
                    full[bar][family.index()] = true;
                }
                if !part.drums {
                    sound(note, &mut played.beats);
                }
            }
        }
        for (k, played) in families.iter_mut().enumerate() {
            played.iter_mut().for_each(|played| played.full_bars = full.iter().filter(|bar| bar[k]).count());
        }
        Counted { bars: bars.len(), families }
    }

    fn played(&self, family: Family) -> Option<&Played> {
        self.families[family.index()].as_ref()
    }
}

/// Adds what a note sounds in each beat.
fn sound(note: &Note, beats: &mut [[f64; 12]]) {
    let steps = u64::from(GRID.get());
    for step in note.onset.0..note.end().0 {
        let Some(beat) = beats.get_mut((step / steps) as usize) else { break };
        beat[usize::from(note.pitch.class())] += 1.0;
    }
}

/// The tonal centroid of pitch classes; `None` where nothing sounds.
fn centroid(classes: &[f64; 12]) -> Option<[f64; 6]> {
    use std::f64::consts::PI;
    let all: f64 = classes.iter().sum();
    if all == 0.0 {
        return None;
    }
    let mut point = [0.0; 6];
    for (class, share) in classes.iter().enumerate() {
        for (circle, (angle, radius)) in
            [(7.0 * PI / 6.0, 1.0), (3.0 * PI / 2.0, 1.0), (2.0 * PI / 3.0, 0.5)].into_iter().enumerate()
        {
            let turn = class as f64 * angle;
            point[2 * circle] += share / all * radius * turn.sin();
            point[2 * circle + 1] += share / all * radius * turn.cos();
        }
    }
    Some(point)
}

/// The distances of two tracks in the beats in which both sound.
fn distances<'a>(one: &'a Played, other: &'a Played) -> impl Iterator<Item = f64> + 'a {
    one.beats.iter().zip(&other.beats).filter_map(|(one, other)| {
        let (one, other) = (centroid(one)?, centroid(other)?);
        Some(one.iter().zip(other).map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt())
    })
}

impl Tracks {
    /// Of these pieces; `None` where no piece has two families.
    pub fn of(pieces: &[&Score]) -> Option<Tracks> {
        let counted: Vec<Counted> = pieces.iter().map(|piece| Counted::of(piece)).collect();
        let is_band = |piece: &Counted| piece.families.iter().flatten().count() > 1;
        if !counted.iter().any(is_band) {
            return None;
        }
        let bars: usize = counted.iter().map(|piece| piece.bars).sum();
        let track = |family: &Family| {
            let played: Vec<&Played> = counted.iter().filter_map(|piece| piece.played(*family)).collect();
            let sum = |of: &dyn Fn(&Played) -> usize| played.iter().map(|played| of(played)).sum::<usize>() as f64;
            let crumbs = sum(&|played| played.short) / sum(&|played| played.notes);
            (!played.is_empty()).then(|| Track {
                family: family.name(),
                pieces: played.len(),
                empty_bars: 1.0 - sum(&|played| played.full_bars) / bars.max(1) as f64,
                crumbs: (*family != Family::Drums).then_some(crumbs),
            })
        };
        let mut pairs = Vec::new();
        for (k, one) in Family::ALL.iter().enumerate().skip(1) {
            for other in &Family::ALL[k + 1..] {
                let both: Vec<(&Played, &Played)> =
                    counted.iter().filter_map(|piece| Some((piece.played(*one)?, piece.played(*other)?))).collect();
                let together = mean(both.iter().flat_map(|(one, other)| distances(one, other)));
                // Each piece's first track with the next one's second.
                let others =
                    (0..both.len()).filter(|_| both.len() > 1).map(|k| (both[k].0, both[(k + 1) % both.len()].1));
                let of_others = mean(others.flat_map(|(one, other)| distances(one, other)));
                if let Some(distance) = together {
                    pairs.push(Pair { families: (one.name(), other.name()), distance, of_others });
                }
            }
        }
        Some(Tracks { tracks: Family::ALL.iter().filter_map(track).collect(), pairs })
    }

    /// As tables for a terminal, those of a corpus first.
    pub fn beside(&self, corpus: &Tracks) -> String {
        let percent = |share: f64| format!("{:.0}%", 100.0 * share);
        let number = |x: Option<f64>| x.map(|x| format!("{x:.2}")).unwrap_or_default();
        let mut rows = vec![["", "empty bars", "", "notes of a 16th", ""].map(str::to_owned).to_vec()];
        for family in Family::ALL.map(Family::name) {
            let both = [corpus, self].map(|all| all.tracks.iter().find(|track| track.family == family));
            if both.iter().flatten().count() > 0 {
                let empty = both.map(|track| track.map(|track| percent(track.empty_bars)).unwrap_or_default());
                let crumbs = both.map(|track| track.and_then(|track| track.crumbs).map(percent).unwrap_or_default());
                rows.push([&[family.to_owned()][..], &empty, &crumbs].concat());
            }
        }
        let mut pairs = vec![["tonal distance", "", "", "of other pieces' tracks"].map(str::to_owned).to_vec()];
        for pair in &corpus.pairs {
            let own = self.pairs.iter().find(|own| own.families == pair.families).map(|own| own.distance);
            let (one, other) = pair.families;
            pairs.push(vec![
                format!("{one} and {other}"),
                number(Some(pair.distance)),
                number(own),
                number(pair.of_others),
            ]);
        }
        if corpus.pairs.is_empty() { lines(&rows) } else { format!("{}\n{}", lines(&rows), lines(&pairs)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cantus_score::{Part, Pitch, Program, Velocity};

    fn chord(classes: [usize; 3]) -> [f64; 12] {
        let mut all = [0.0; 12];
        classes.iter().for_each(|class| all[*class] = 1.0);
        all
    }

    fn apart(one: [f64; 12], other: [f64; 12]) -> f64 {
        let played = |beat| Played { beats: vec![beat], ..Played::default() };
        distances(&played(one), &played(other)).next().unwrap()
    }

    #[test]
    fn the_distance_of_c_and_f_sharp_major_by_hand() {
        // A tritone turns the circles of fifths by 7 pi, of minor thirds by 9 pi, and of major thirds by 4 pi: it negates the first two and leaves the
        // third. C, E and G lie on the first at 0, 4 * 7 pi / 6 and 7 * 7 pi / 6, and so on.
        let [c, f_sharp] = [chord([0, 4, 7]), chord([6, 10, 1])];
        let length = |angle: f64| {
            let turn = |class: f64| (class * angle).sin_cos();
            let (x, y) =
                [0.0, 4.0, 7.0].map(turn).iter().fold((0.0, 0.0), |(x, y), (sin, cos)| (x + sin / 3.0, y + cos / 3.0));
            f64::hypot(x, y)
        };
        use std::f64::consts::PI;
        let expected = 2.0 * f64::hypot(length(7.0 * PI / 6.0), length(3.0 * PI / 2.0));
        assert!((apart(c, f_sharp) - expected).abs() < 1e-9 && (expected - 1.97).abs() < 0.01, "{expected}");
        assert!(apart(c, c) < 1e-12 && apart(c, chord([9, 0, 4])) < 0.8);
    }

    fn part(program: u8, notes: &[(u64, u8, u64)]) -> Part {
        let note = |&(onset, pitch, duration): &(u64, u8, u64)| Note {
            onset: Ticks(onset),
            pitch: Pitch::try_from(pitch).unwrap(),
            duration: Ticks(duration),
            velocity: Velocity::DEFAULT,
        };
        let programs = vec![(Ticks::ZERO, Program::new(program).unwrap())];
        Part { programs, notes: notes.iter().map(note).collect(), ..Part::default() }
    }

    #[test]
    fn bands_are_counted_track_by_track() {
        let drums = Part { notes: part(0, &[(0, 36, 1), (16, 36, 1)]).notes, ..Part::of_drums() };
        let keys = part(0, &[(0, 60, 16), (16, 64, 1)]);
        let bass = part(33, &[(0, 36, 4)]);
        let piece = Score { parts: vec![drums, keys, bass], ..Score::new(GRID) };
        let other = piece.transposed(6).unwrap();
        let found = Tracks::of(&[&piece, &other]).unwrap();
        let counted: Vec<_> = found.tracks.iter().map(|track| (track.family, track.empty_bars, track.crumbs)).collect();
        assert_eq!(counted, [("drums", 0.0, None), ("keys", 0.0, Some(0.5)), ("bass", 0.5, Some(0.0))]);
        let [pair] = &found.pairs[..] else { panic!("{found:?}") };
        assert_eq!((pair.families, pair.distance), (("keys", "bass"), 0.0));
        assert!(pair.of_others.unwrap() > 1.5);
        assert!(found.beside(&found).contains("keys and bass"));
        assert_eq!(Tracks::of(&[&Score { parts: vec![part(0, &[(0, 60, 4)])], ..Score::new(GRID) }]), None);
    }
}
