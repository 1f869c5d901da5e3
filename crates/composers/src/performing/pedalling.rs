//! When pedals move: counted, and drawn as it was counted.

use super::lesson::PedalMove;
use super::touch::PEDAL;
use cantus_nn::random::{Rng, uniform_f64};
use serde::{Deserialize, Serialize};

/// Quantiles that are kept of a number.
const KEPT: usize = 11;

/// When pedals moved, in quantiles of seconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pedalling {
    /// After a chord, where the pedal was up; it moves once, or more often.
    up: [Vec<f32>; 2],
    /// The same, where it was down.
    down: [Vec<f32>; 2],
    /// From the first to the last of several moves, where it was up, and where it was down.
    again: [Vec<f32>; 2],
}

/// What the pedal does from a chord to the next.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Moves {
    /// Seconds after the chord at which it moves.
    pub first: Option<f64>,
    /// Seconds after this at which it moves back.
    pub again: Option<f64>,
}

impl Pedalling {
    /// Of all moves.
    pub(super) fn of<'a>(moves: impl Iterator<Item = &'a PedalMove> + Clone) -> Pedalling {
        let first = |down: bool, several: bool| {
            let of = moves.clone().filter(move |found| found.down == down && found.again.is_some() == several);
            quantiles(of.map(|found| found.first).collect())
        };
        let again = |down: bool| {
            let of = moves.clone().filter(move |found| found.down == down);
            quantiles(of.filter_map(|found| found.again).collect())
        };
        Pedalling {
            up: [first(false, false), first(false, true)],
            down: [first(true, false), first(true, true)],
            again: [again(false), again(true)],
        }
    }

    /// Moves for a class of pedalling, where the pedal is down or up.
    pub(super) fn draw(&self, down: bool, class: u8, rng: &mut Rng) -> Moves {
        // Both are always drawn, so that one choice does not shift what is drawn later.
        let (first, again) = (uniform_f64(rng), uniform_f64(rng));
        let firsts = if down { &self.down } else { &self.up };
        match usize::from(class) {
            1 => Moves { first: Some(at(&firsts[0], first)), again: None },
            2..PEDAL => {
                Moves { first: Some(at(&firsts[1], first)), again: Some(at(&self.again[usize::from(down)], again)) }
            }
            _ => Moves::default(),
        }
    }

    /// Whether a file's numbers make sense.
    ///
    /// # Errors
    /// What is wrong.
    pub(super) fn check(&self) -> Result<(), String> {
        let all = self.up.iter().chain(&self.down).chain(&self.again);
        let fits = |quantiles: &Vec<f32>| {
            (quantiles.is_empty() || quantiles.len() == KEPT)
                && quantiles.iter().all(|x| x.is_finite() && x.abs() < 1e4)
        };
        if all.into_iter().all(fits) { Ok(()) } else { Err("its quantiles of pedal moves are no numbers".to_owned()) }
    }
}

fn quantiles(mut numbers: Vec<f64>) -> Vec<f32> {
    numbers.sort_by(f64::total_cmp);
    let Some(last) = numbers.len().checked_sub(1) else { return Vec::new() };
    (0..KEPT).map(|k| numbers[last * k / (KEPT - 1)] as f32).collect()
}

/// The number at a share of a distribution; a moment after the chord where nothing was counted.
fn at(quantiles: &[f32], share: f64) -> f64 {
    let Some(last) = quantiles.len().checked_sub(1) else { return 0.1 };
    let place = share * last as f64;
    let low = (place as usize).min(last);
    let (a, b) = (f64::from(quantiles[low]), f64::from(quantiles[(low + 1).min(last)]));
    a + (b - a) * (place - low as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cantus_nn::random::seeded;

    #[test]
    fn moves_are_drawn_as_they_were_counted() {
        let of = |down: bool, first: f64, again: Option<f64>| PedalMove { down, first, again };
        let moves: Vec<PedalMove> = (0..=100)
            .flat_map(|k| {
                let x = f64::from(k) / 100.0;
                [of(false, x, None), of(true, 2.0 + x, Some(0.5)), of(true, -x, None)]
            })
            .collect();
        let pedalling = Pedalling::of(moves.iter());
        pedalling.check().unwrap();
        let rng = &mut seeded(1);
        let mean = (0..2000).map(|_| pedalling.draw(false, 1, rng).first.unwrap()).sum::<f64>() / 2000.0;
        assert!((mean - 0.5).abs() < 0.03, "{mean}");
        for _ in 0..50 {
            assert_eq!(pedalling.draw(true, 0, rng), Moves::default());
            let Moves { first, again } = pedalling.draw(true, 2, rng);
            assert!((2.0..=3.0).contains(&first.unwrap()) && (again.unwrap() - 0.5).abs() < 1e-6);
        }
        assert_eq!(Pedalling::default().draw(false, 1, rng), Moves { first: Some(0.1), again: None });
        let wrong = Pedalling { up: [vec![f32::NAN; KEPT], vec![]], ..Pedalling::default() };
        assert!(wrong.check().is_err());
    }
}
