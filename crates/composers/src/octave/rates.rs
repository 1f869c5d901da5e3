//! What a network must beat: notes that come at rates, each for itself.
//!
//! Both give every pitch class of every step its own probability, so that their figure is exact, and the same by either of the
//! generator's formulas.

use super::pieces::{Fragment, Piece};
use cantus_encoding::octave_roll::PitchClasses;
use cantus_model::Baseline;

/// Steps back that the second baseline looks at.
const LOOKS: [usize; 4] = [1, 4, 8, 16];
/// The beat and sixteenth of the clock that it knows: this many steps.
const PHASES: usize = 16;

/// Counts of (present, absent) by what is known.
struct Rates {
    counts: Vec<[f64; 2]>,
    of: fn(&Piece, usize, u8) -> usize,
}

impl Rates {
    fn count(size: usize, of: fn(&Piece, usize, u8) -> usize, pieces: &[Piece]) -> Rates {
        // Each side was seen half a time before: Jeffreys' prior.
        let mut counts = vec![[0.5; 2]; size];
        for piece in pieces {
            for step in 1..piece.steps() {
                for class in 0..PitchClasses::COUNT as u8 {
                    let side = usize::from(!piece.classes[step].contains(class));
                    counts[of(piece, step, class)][side] += 1.0;
                }
            }
        }
        Rates { counts, of }
    }

    fn nats(&self, piece: &Piece, step: usize) -> f64 {
        (0..PitchClasses::COUNT as u8)
            .map(|class| {
                let [present, absent] = self.counts[(self.of)(piece, step, class)];
                let chance = if piece.classes[step].contains(class) { present } else { absent };
                -(chance / (present + absent)).ln()
            })
            .sum()
    }
}

/// The phase of the clock, and whether the class began so and so many steps before.
fn past(piece: &Piece, step: usize, class: u8) -> usize {
    let bits = LOOKS.iter().map(|back| step.checked_sub(*back).is_some_and(|at| piece.classes[at].contains(class)));
    bits.fold(step % PHASES, |known, bit| 2 * known + usize::from(bit))
}

/// One rate for everything, and rates by the past, on the steps that validation counts.
pub(super) fn baselines(train: &[Piece], valid: &[Piece], to_judge: &[Fragment], fragment: usize) -> Vec<Baseline> {
    let models = [
        ("one rate for every pitch class and step", Rates::count(1, |_, _, _| 0, train)),
        ("rates by the clock and the pitch class's last bar", Rates::count(PHASES << LOOKS.len(), past, train)),
    ];
    let steps = || {
        to_judge.iter().flat_map(|judged| {
            let piece = &valid[judged.piece];
            (judged.start + 1..piece.steps().min(judged.start + fragment)).map(move |step| (piece, step))
        })
    };
    let count = steps().count().max(1) as f64;
    let baseline = |(name, rates): (&str, Rates)| Baseline {
        name: name.to_owned(),
        nats_per_token: steps().map(|(piece, step)| rates.nats(piece, step)).sum::<f64>() / count,
    };
    models.into_iter().map(baseline).collect()
}
