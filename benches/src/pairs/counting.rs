//! What counting gives to a pattern.

use super::{Pattern, STEPS, mean};
use cantus_encoding::rhythm_section::COLUMNS;
use std::collections::HashMap;

/// The negative log-likelihood of cells, each 1 with a probability of its own.
fn nats(pattern: &Pattern, rate: impl Fn(usize, usize) -> f64) -> f64 {
    let of_step = |step: usize| {
        (0..COLUMNS).map(move |column| (step, column)).fold(0.0, |sum, (step, column)| {
            let rate = rate(step, column);
            sum - if pattern.bass[step] >> column & 1 == 1 { rate.ln() } else { (1.0 - rate).ln() }
        })
    };
    (0..STEPS).map(of_step).sum()
}

/// What counting gives, the weakest first.
pub(super) fn counting(train: &[Pattern], test: &[Pattern]) -> Vec<(&'static str, f64)> {
    let all = train.len() as f64;
    let (mut by_step, mut by_column, mut cells) = ([0.0; STEPS], [0.0; COLUMNS], vec![0.0; STEPS * COLUMNS]);
    for pattern in train {
        for (step, frame) in pattern.bass.iter().enumerate() {
            for column in (0..COLUMNS).filter(|column| frame >> column & 1 == 1) {
                by_step[step] += 1.0;
                by_column[column] += 1.0;
                cells[step * COLUMNS + column] += 1.0;
            }
        }
    }
    let onsets: f64 = by_step.iter().sum();
    let one = onsets / (all * (STEPS * COLUMNS) as f64);
    let product = |step: usize, column: usize| {
        ((by_step[step] + 0.5) * (by_column[column] + 0.5) / (onsets * all)).clamp(1e-6, 0.5)
    };
    let cell = |step: usize, column: usize| (cells[step * COLUMNS + column] + 0.5) / (all + 1.0);
    let of = |rate: &dyn Fn(usize, usize) -> f64| mean(test.iter().map(|pattern| nats(pattern, rate)));
    vec![
        ("counted: one rate", of(&|_, _| one)),
        ("counted: by cell", of(&cell)),
        ("counted: by step x column", of(&product)),
        ("counted: step by step, the bass's past", sequential(train, test, false)),
        ("counted: step by step, its past, the drums here, the bar before", sequential(train, test, true)),
        ("counted: register", registers(train, test)),
    ]
}

/// Counts step by step: first whether something begins, then what. Contexts back off to shorter ones (MacKay and Peto 1995).
fn sequential(train: &[Pattern], test: &[Pattern], knows_all: bool) -> f64 {
    let begins: [&Told; 4] = [
        &|_, step, since, _| vec![step as u64 % 32, since],
        &|pattern, step, since, _| vec![step as u64 % 32, since, pattern.beat(step) as u64],
        &|pattern, step, since, _| {
            vec![step as u64 % 32, since, pattern.beat(step) as u64, before(pattern, step, 32, 3)]
        },
        &|pattern, step, since, last| {
            vec![step as u64 % 32, since, pattern.beat(step) as u64, before(pattern, step, 32, 3), last.0.min(40)]
        },
    ];
    let what: [&Told; 4] = [
        &|_, _, _, last| vec![last.0],
        &|_, _, _, last| vec![last.0, last.1],
        &|pattern, step, _, last| vec![last.0, before(pattern, step, 32, 64)],
        &|pattern, step, _, last| vec![last.0, last.1, before(pattern, step, 32, 64), step as u64 % 4],
    ];
    let depth = if knows_all { 4 } else { 1 };
    let columns = if knows_all { 4 } else { 2 };
    let (mut begin, mut column) = (Counts::default(), Counts::default());
    let walk = |pattern: &Pattern, each: &mut Each<'_>| {
        let (mut since, mut last) = (64u64, (99u64, 99u64));
        for (step, frame) in pattern.bass.iter().enumerate() {
            let contexts =
                |told: &[&Told]| told.iter().map(|told| told(pattern, step, since, last)).collect::<Vec<_>>();
            each(&contexts(&begins[..depth]), &contexts(&what[..columns]), *frame);
            if *frame != 0 {
                last = (u64::from(frame.trailing_zeros()), last.0);
                since = 0;
            }
            since = (since + 1).min(64);
        }
    };
    let item = |frame: u128| u64::from(frame.trailing_zeros());
    for pattern in train {
        walk(pattern, &mut |begins, what, frame| {
            begin.add(begins, u64::from(frame != 0));
            if frame != 0 {
                column.add(what, item(frame));
            }
        });
    }
    let chords = mean(
        train
            .iter()
            .flat_map(|pattern| &pattern.bass)
            .filter(|f| **f != 0)
            .map(|f| f64::from(u8::from(f.count_ones() > 1))),
    );
    let of = |pattern: &Pattern| {
        let mut nats = 0.0;
        walk(pattern, &mut |begins, what, frame| {
            nats -= begin.probability(begins, u64::from(frame != 0), 2).ln();
            if frame != 0 {
                nats -= column.probability(what, item(frame), COLUMNS).ln();
                // A chord's other notes: any columns above the lowest.
                nats -= match frame.count_ones() {
                    1 => (1.0 - chords).ln(),
                    more => f64::from(more - 1) * (chords / COLUMNS as f64).ln(),
                };
            }
        });
        nats
    };
    mean(test.iter().map(of))
}

/// Is shown the contexts of whether something begins, of what begins, and the frame.
type Each<'e> = dyn FnMut(&[Vec<u64>], &[Vec<u64>], u128) + 'e;

/// What a context is made of: the pattern so far, the step, the steps since the last onset, the last two columns.
type Told = dyn Fn(&Pattern, usize, u64, (u64, u64)) -> Vec<u64>;

/// What stood some steps before: in classes of none, something (`most` 3), or which column.
fn before(pattern: &Pattern, step: usize, back: usize, most: u64) -> u64 {
    match step.checked_sub(back).map(|at| pattern.bass[at]) {
        None => 0,
        Some(0) => 1,
        Some(frame) => (2 + u64::from(frame.trailing_zeros())).min(most.saturating_sub(1)),
    }
}

/// Counts of what came in contexts that back off one to the one before.
#[derive(Default)]
struct Counts {
    seen: HashMap<(usize, Vec<u64>), Seen>,
}

/// How often a context came, and each item in it.
type Seen = (f64, HashMap<u64, f64>);

impl Counts {
    fn add(&mut self, contexts: &[Vec<u64>], item: u64) {
        for (order, context) in [vec![]].iter().chain(contexts).enumerate() {
            let (all, items) = self.seen.entry((order, context.clone())).or_default();
            *all += 1.0;
            *items.entry(item).or_default() += 1.0;
        }
    }

    fn probability(&self, contexts: &[Vec<u64>], item: u64, items: usize) -> f64 {
        const STRENGTH: f64 = 20.0;
        [vec![]].iter().chain(contexts).enumerate().fold(1.0 / items as f64, |lower, (order, context)| {
            let Some((all, found)) = self.seen.get(&(order, context.clone())) else { return lower };
            (found.get(&item).copied().unwrap_or(0.0) + STRENGTH * lower) / (all + STRENGTH)
        })
    }
}

fn registers(train: &[Pattern], test: &[Pattern]) -> f64 {
    let mut counts = [0.1; 128];
    train.iter().for_each(|pattern| counts[usize::from(pattern.lowest)] += 1.0);
    let all: f64 = counts.iter().sum();
    mean(test.iter().map(|pattern| -(counts[usize::from(pattern.lowest)] / all).ln()))
}
