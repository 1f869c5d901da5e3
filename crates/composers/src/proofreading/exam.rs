//! How well a proofreader hears: with faults that are made by chance in music that it has not learnt from.

use super::breaking::{self, Fault, Made, break_tones, cut_at_bars, shuffled};
use super::mending::mend_sheet;
use super::network::Question;
use super::search::{BARS, crossed, edit, liking};
use super::sheet::{COMMON_BAR, Sheet, Tone};
use super::verdict::{Ear, doubt};
use cantus_nn::random::{Rng, below, derive, uniform};
use rayon::prelude::*;
use std::collections::BTreeSet;
use std::ops::ControlFlow;

/// Excerpts of eight bars that are told from broken ones.
const CROPS: u64 = 200;
/// Bars of which one has a wrong note.
const AMONG: usize = 16;
/// Pieces in which it is looked for.
const ASKED: u64 = 200;
/// Tones of a piece that are broken before it is mended.
const TO_MEND: f32 = 0.05;

/// Faults by which excerpts are broken: each as often as the others.
const EVERY: [(Fault, f32); 4] =
    [(Fault::Pitch, 0.25), (Fault::Time, 0.25), (Fault::Added, 0.25), (Fault::Dropped, 0.25)];

/// What came of an exam.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Exam {
    /// How often sound excerpts are found sounder than broken ones, 0-1, by what was done to them.
    pub told: Vec<(&'static str, f64)>,
    /// How sound things are found on average, 0-1: music first, then what is none.
    pub soundness: Vec<(&'static str, f64)>,
    /// The soundest that searches of three kinds find, 0-1.
    pub searches: Vec<(&'static str, f64)>,
    /// Which of sixteen bars has one note moved: how often the first guess is right, and one of three.
    pub bar: [f64; 2],
    /// Excerpts in which it was asked for.
    pub asked: usize,
    /// Of whole pieces in which one note in twenty is broken, by how: the share of broken notes that are put back just as they were, and the share of
    /// sound ones that are touched.
    pub mended: Vec<(&'static str, [f64; 2])>,
}

/// An excerpt of a piece that is long enough.
fn crop(sheets: &[&Sheet], bars: usize, rng: &mut Rng) -> Sheet {
    let sheet = sheets[below(rng, sheets.len())];
    sheet.excerpt(below(rng, sheet.bar_count() - bars + 1), bars)
}

/// How often a number of the first is larger than one of the second; half of it where they are equal.
fn larger(first: &[f32], second: &[f32]) -> f64 {
    let won = |a: &f32, b: &f32| {
        if a > b {
            1.0
        } else if a == b {
            0.5
        } else {
            0.0
        }
    };
    let sum: f64 = first.iter().flat_map(|a| second.iter().map(move |b| won(a, b))).sum();
    sum / (first.len() * second.len()).max(1) as f64
}

pub(super) fn examine(ear: &Ear, sheets: &[Sheet], seed: u64) -> Exam {
    let long = |bars: usize| -> Vec<&Sheet> {
        sheets.iter().filter(|sheet| sheet.bar_count() >= bars && sheet.tones.len() >= 2 * bars).collect()
    };
    let mut exam = Exam::default();
    let pieces = long(BARS);
    if pieces.is_empty() {
        return exam;
    }
    let each = |label: &str,
                say: &(dyn Fn(&Sheet) -> f32 + Sync),
                make: &(dyn Fn(&Sheet, &mut Rng) -> Sheet + Sync)|
     -> Vec<f32> {
        (0..CROPS)
            .into_par_iter()
            .map(|k| {
                let sheet = crop(&pieces, BARS, &mut derive(seed, "crop", &[k]));
                say(&make(&sheet, &mut derive(seed, label, &[k])))
            })
            .collect()
    };
    let score =
        |label: &str, make: &(dyn Fn(&Sheet, &mut Rng) -> Sheet + Sync)| each(label, &|sheet| liking(ear, sheet), make);
    let order = |sheet: &Sheet| -ear.mean(sheet, &ear.raw(sheet), Question::Torn);
    let mean = |scores: &[f32]| scores.iter().map(|score| f64::from(*score)).sum::<f64>() / scores.len().max(1) as f64;
    let sound = score("sound", &|sheet, _| sheet.clone());
    for (name, share) in [("2% broken", 0.02), ("5% broken", 0.05), ("10% broken", 0.1)] {
        let broken = score(name, &|sheet, rng| break_tones(sheet, share, &EVERY, rng).0.sheet);
        exam.told.push((name, larger(&sound, &broken)));
    }
    let cut = each("cut", &order, &|sheet, _| cut_at_bars(sheet));
    exam.told
        .push(("bars shuffled", larger(&cut, &each("shuffled", &order, &|sheet, rng| shuffled(sheet, rng).sheet))));
    let quarters =
        |sheet: &Sheet| Sheet::new(sheet.tones.clone(), (0..=sheet.steps() / 4).map(|quarter| 4 * quarter).collect());
    let mixed = |sheet: &Sheet, rng: &mut Rng| sheet.with(shuffled(&quarters(sheet), rng).sheet.tones);
    let cut = each("cut", &order, &|sheet, _| sheet.with(cut_at_bars(&quarters(sheet)).tones));
    exam.told.push(("quarters shuffled", larger(&cut, &each("mixed", &order, &mixed))));
    let average = |logarithms: Vec<f32>| mean(&logarithms.into_iter().map(f32::exp).collect::<Vec<f32>>());
    exam.soundness.push(("music", average(sound)));
    exam.soundness.push(("silence", average(vec![liking(ear, &pieces[0].with(Vec::new()))])));
    for (name, chance) in [
        ("all keys", 1.0),
        ("noise, 1% of the keys", 0.01),
        ("noise, 3%", 0.03),
        ("noise, 10%", 0.1),
        ("noise, 30%", 0.3),
        ("noise, 50%", 0.5),
    ] {
        let noises: Vec<f32> = (0..6u64)
            .into_par_iter()
            .map(|k| liking(ear, &breaking::plain_noise(BARS, chance, &mut derive(seed, name, &[k]))))
            .collect();
        exam.soundness.push((name, average(noises)));
    }
    type Search = fn(&Ear, &mut Rng) -> f32;
    let searches: [(&'static str, Search); 3] = [
        ("climbing from noise", climb),
        ("annealing from silence", anneal),
        ("crossing music with noise", breed_noise),
    ];
    for (name, search) in searches {
        let best: Vec<f32> = (0..3u64).into_par_iter().map(|k| search(ear, &mut derive(seed, name, &[k]))).collect();
        exam.searches.push((name, f64::from(best.into_iter().fold(f32::NEG_INFINITY, f32::max).exp())));
    }
    let pieces = long(AMONG);
    if !pieces.is_empty() {
        let ranks: Vec<usize> = (0..ASKED)
            .into_par_iter()
            .filter_map(|k| {
                rank(ear, &crop(&pieces, AMONG, &mut derive(seed, "bar", &[k])), &mut derive(seed, "moved", &[k]))
            })
            .collect();
        exam.asked = ranks.len();
        let within = |most: usize| ranks.iter().filter(|rank| **rank < most).count() as f64 / ranks.len().max(1) as f64;
        exam.bar = [within(1), within(3)];
    }
    exam.mended = mends(ear, sheets, seed);
    exam
}

/// Whole pieces, broken in two ways and mended.
pub(super) fn mends(ear: &Ear, sheets: &[Sheet], seed: u64) -> Vec<(&'static str, [f64; 2])> {
    let mut mended = Vec::new();
    for (name, faults) in
        [("pitches moved", &[(Fault::Pitch, 1.0)][..]), ("pitches, times, added, dropped", &EVERY[..])]
    {
        let sums = sheets
            .par_iter()
            .enumerate()
            .filter(|(_, sheet)| !sheet.tones.is_empty())
            .map(|(k, sheet)| repaired(ear, sheet, faults, &mut derive(seed, name, &[k as u64])))
            .reduce(|| [0; 4], |a, b| std::array::from_fn(|k| a[k] + b[k]));
        let share = |part: usize, all: usize| part as f64 / all.max(1) as f64;
        mended.push((name, [share(sums[0], sums[1]), share(sums[2], sums[3])]));
    }
    mended
}

/// Breaks a sheet and has it mended: broken tones that are as they were, all broken ones, sound ones that were touched, all sound ones.
fn repaired(ear: &Ear, sheet: &Sheet, faults: &[(Fault, f32)], rng: &mut Rng) -> [usize; 4] {
    let (marked, made) = break_tones(sheet, TO_MEND, faults, rng);
    let Some(edits) = mend_sheet(ear, &marked.sheet, &mut |_| ControlFlow::Continue(())) else { return [0; 4] };
    let mut tones: BTreeSet<Tone> = marked.sheet.tones.iter().copied().collect();
    for (was, is) in edits {
        tones.retain(|tone| Some(*tone) != was);
        tones.extend(is);
    }
    let is_back =
        |made: &&Made| made.was.is_none_or(|was| tones.contains(&was)) && made.is.is_none_or(|is| !tones.contains(&is));
    let back = made.iter().filter(is_back).count();
    let broken: BTreeSet<Tone> = made.iter().filter_map(|made| made.was).collect();
    let sound = sheet.tones.iter().filter(|tone| !broken.contains(tone));
    let touched = sound.clone().filter(|tone| !tones.contains(tone)).count();
    [back, made.len(), touched, sound.count()]
}

/// How many bars are more suspect than the one in which a note was moved.
fn rank(ear: &Ear, sheet: &Sheet, rng: &mut Rng) -> Option<usize> {
    let one = 1.0 / sheet.tones.len() as f32;
    let (marked, made) = break_tones(sheet, one, &[(Fault::Pitch, 1.0)], rng);
    let place = marked.sheet.bar(made.first()?.is?.at);
    let odds = ear.log_odds(&marked.sheet);
    let mut doubts = vec![0.0f32; marked.sheet.bar_count()];
    for (bar, doubt_of) in doubts.iter_mut().enumerate() {
        let heard = marked
            .sheet
            .tones
            .iter()
            .zip(&odds)
            .filter(|(tone, _)| marked.sheet.bar(tone.at) == bar)
            .map(|(_, odds)| odds);
        *doubt_of = doubt(heard);
    }
    Some(doubts.iter().filter(|other| **other > doubts[place]).count())
}

/// Takes any change of a few tones that is liked better.
fn climb(ear: &Ear, rng: &mut Rng) -> f32 {
    let mut sheet = breaking::plain_noise(BARS, 0.03, rng);
    let mut best = liking(ear, &sheet);
    for _ in 0..1500 {
        let other = edit(&sheet, 1 + below(rng, 2), rng);
        let liked = liking(ear, &other);
        if liked >= best {
            (best, sheet) = (liked, other);
        }
    }
    best
}

/// Takes worse ones, too, less and less often.
fn anneal(ear: &Ear, rng: &mut Rng) -> f32 {
    const TURNS: usize = 1500;
    let mut sheet = Sheet::new(Vec::new(), (0..=BARS as i32).map(|bar| bar * COMMON_BAR).collect());
    let mut now = liking(ear, &sheet);
    let mut best = now;
    for turn in 0..TURNS {
        let heat = 1.0 - 0.99 * turn as f32 / TURNS as f32;
        let other = edit(&sheet, 1, rng);
        let liked = liking(ear, &other);
        if liked >= now || uniform(rng) < ((liked - now) / heat).exp() {
            (now, sheet) = (liked, other);
        }
        best = best.max(now);
    }
    best
}

/// A larger genetic search than those that are learnt from, without a mutation but of whole steps.
fn breed_noise(ear: &Ear, rng: &mut Rng) -> f32 {
    const MANY: usize = 60;
    const BEST: usize = 15;
    let mut many: Vec<(f32, Sheet)> =
        (0..MANY).map(|_| breaking::plain_noise(BARS, 0.06, rng)).map(|sheet| (liking(ear, &sheet), sheet)).collect();
    for _ in 0..30 {
        many.sort_by(|a, b| b.0.total_cmp(&a.0));
        many.truncate(BEST);
        while many.len() < MANY {
            let (one, two) = (below(rng, BEST), below(rng, BEST));
            let mut child = crossed(&many[one].1, &many[two].1, rng);
            // A step of the one stands in another place of the other.
            let (from, to) = (4 * below(rng, 4 * BARS) as i32, 4 * below(rng, 4 * BARS) as i32);
            let mut tones = child.tones.clone();
            tones.retain(|tone| tone.at != to);
            tones.extend(child.between(from, from + 1).iter().map(|tone| Tone { at: to, ..*tone }));
            child = child.with(tones);
            many.push((liking(ear, &child), child));
        }
    }
    many.into_iter().map(|(liked, _)| liked).fold(f32::NEG_INFINITY, f32::max)
}
