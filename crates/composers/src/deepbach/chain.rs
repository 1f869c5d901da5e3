//! Gibbs sampling from end to end.
//!
//! A sweep goes from the first step to the last, the next one back. At each step the voices are drawn in turn, each given all other sites
//! as they are: nothing is drawn from what is out of date. And little is computed twice, since on the way forward what has been read
//! after a step stands from the sweep before, and on the way back what was read before it: a sweep advances one of the two LSTMs.

use cantus_encoding::voice_lines::Symbol;
use cantus_encoding::voices::VOICES;
use cantus_model::{ComposeError, Progress, Rng, Sampling};
use std::ops::Range;

/// How much hotter than asked for the first sweep is.
const HEAT: f64 = 1.5;

/// Which way a sweep goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Forward,
    Back,
}

/// What is drawn from: each site given all others as they are.
pub(super) trait Conditionals {
    /// A sweep begins.
    fn turn(&mut self, direction: Direction);

    /// It comes to a step, of which nothing has been drawn yet; it has come to all steps on its way before it.
    fn reach(&mut self, step: usize);

    /// What may stand at a site of that step: the probability of each symbol.
    fn symbols(&mut self, step: usize, voice: usize) -> &[f32];

    /// Puts a symbol there.
    fn set(&mut self, step: usize, voice: usize, symbol: Symbol);
}

/// Draws each of the free sites once. `free` are the voices that are drawn at each step, a bit each, the soprano the lowest.
///
/// # Errors
/// [`ComposeError::NoToken`], where the conditionals are no numbers.
pub(super) fn sweep(
    conditionals: &mut impl Conditionals,
    (steps, free): (Range<usize>, &[u8]),
    direction: Direction,
    sampling: &Sampling,
    rng: &mut Rng,
) -> Result<(), ComposeError> {
    conditionals.turn(direction);
    let mut draw = |step: usize, voices: &mut dyn Iterator<Item = usize>| {
        conditionals.reach(step);
        for voice in voices.filter(|voice| free[step] >> voice & 1 == 1) {
            let symbols = conditionals.symbols(step, voice);
            if symbols.iter().any(|probability| probability.is_nan()) {
                return Err(ComposeError::NoToken);
            }
            // What makes pitches surer must not slow the rhythm, in which holding is likelier than anything else.
            let drawn = sampling.draw_beside(symbols.to_vec(), Some(Symbol::HOLD.index()), rng);
            let symbol = drawn.and_then(Symbol::new).ok_or(ComposeError::NoToken)?;
            conditionals.set(step, voice, symbol);
        }
        Ok(())
    };
    let mut steps = steps;
    match direction {
        Direction::Forward => steps.try_for_each(|step| draw(step, &mut (0..VOICES))),
        Direction::Back => steps.rev().try_for_each(|step| draw(step, &mut (0..VOICES).rev())),
    }
}

/// Draws each of the free sites so many times, there and back. The temperature falls to the one asked for, which the last third has.
///
/// # Errors
/// [`ComposeError::NoToken`], where the conditionals are no numbers; [`ComposeError::Stopped`], where `progress` breaks it off.
pub(super) fn settle(
    conditionals: &mut impl Conditionals,
    (steps, free): (Range<usize>, &[u8]),
    (sampling, sweeps): (&Sampling, usize),
    rng: &mut Rng,
    progress: Progress<'_>,
) -> Result<(), ComposeError> {
    for k in 0..sweeps {
        let direction = if k % 2 == 0 { Direction::Forward } else { Direction::Back };
        sweep(conditionals, (steps.clone(), free), direction, &cooled(sampling, k, sweeps), rng)?;
        if progress((k + 1) as f64 / sweeps as f64).is_break() {
            return Err(ComposeError::Stopped);
        }
    }
    Ok(())
}

/// How the symbols of sweep `k` of `sweeps` are drawn.
fn cooled(sampling: &Sampling, k: usize, sweeps: usize) -> Sampling {
    let hot = (1.0 - 1.5 * k as f64 / sweeps as f64).max(0.0);
    let temperature = (sampling.temperature * (1.0 + (HEAT - 1.0) * hot)).min(Sampling::MOST_TEMPERATURE);
    Sampling { temperature, ..*sampling }
}
