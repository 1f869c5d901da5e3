//! What a network must beat: notes that come at rates, each for itself.
//!
//! Both give every pitch class of every step its own probability, so that their figure is exact, and the same by either of the
//! generator's formulas.

use super::pieces::{Piece, to_judge};
use super::settings::OctaveSettings;
use cantus_encoding::octave_roll::PitchClasses;
use cantus_model::{Baseline, Repertoire};

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
    fn new(size: usize, of: fn(&Piece, usize, u8) -> usize) -> Rates {
        // Each side was seen half a time before: Jeffreys' prior.
        Rates { counts: vec![[0.5; 2]; size], of }
    }

    fn count(&mut self, piece: &Piece) {
        for step in 1..piece.steps() {
            for class in 0..PitchClasses::COUNT as u8 {
                let side = usize::from(!piece.classes[step].contains(class));
                self.counts[(self.of)(piece, step, class)][side] += 1.0;
            }
        }
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
pub(super) fn baselines(
    train: &Repertoire<OctaveSettings>,
    valid: &Repertoire<OctaveSettings>,
    settings: &OctaveSettings,
) -> Vec<Baseline> {
    let mut models = [Rates::new(1, |_, _, _| 0), Rates::new(PHASES << LOOKS.len(), past)];
    for piece in train.iter() {
        models.iter_mut().for_each(|rates| rates.count(&piece));
    }
    let (mut nats, mut count) = ([0.0; 2], 0usize);
    for piece in valid.iter() {
        for judged in to_judge([piece.steps()].into_iter(), settings) {
            for step in judged.start + 1..piece.steps().min(judged.start + settings.fragment) {
                nats.iter_mut().zip(&models).for_each(|(nats, rates)| *nats += rates.nats(&piece, step));
                count += 1;
            }
        }
    }
    let names = ["one rate for every pitch class and step", "rates by the clock and the pitch class's last bar"];
    let baseline =
        |(name, nats): (&str, f64)| Baseline { name: name.to_owned(), nats_per_token: nats / count.max(1) as f64 };
    names.into_iter().zip(nats).map(baseline).collect()
}
