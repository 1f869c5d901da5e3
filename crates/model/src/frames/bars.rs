//! Where bars begin among the steps of a piece, and which steps come again.

use crate::{Form, FormError, Prompt, Recall, Rng};
use cantus_nn::random::uniform;
use cantus_score::{Meter, TicksPerQuarter};

/// Ticks to a step of composed scores: bars of every metre end on one.
const FINE: u32 = 16;
/// Where a section comes again varied, the share of its stretches of two quarters that are composed anew: notes that differ one by one would
/// be ornaments of no style.
const ANEW: f32 = 0.4;

/// The bars of one metre among the steps of a grid.
#[derive(Clone, Copy, Debug)]
pub struct BarSteps {
    /// The grid made so fine that bars begin and end on a tick.
    pub fine: TicksPerQuarter,
    /// How many of its ticks a bar has.
    pub ticks: u64,
}

impl BarSteps {
    /// Bars of `meter`, of steps of `grid`.
    pub fn new(grid: TicksPerQuarter, meter: Meter) -> BarSteps {
        let fine = TicksPerQuarter::new(grid.get() * FINE).unwrap_or(grid);
        BarSteps { fine, ticks: meter.bar(fine).0.max(1) }
    }

    /// The first step that begins in bar `bar`, from 0.
    pub fn first_step(&self, bar: usize) -> usize {
        (bar as u64 * self.ticks).div_ceil(u64::from(FINE)) as usize
    }

    /// Whether a step is the first of its bar.
    pub fn begins_bar(&self, step: usize) -> bool {
        (step as u64 * u64::from(FINE)) % self.ticks < u64::from(FINE)
    }

    /// Bars that are over after so many steps.
    pub fn done(&self, steps: usize) -> u64 {
        steps as u64 * u64::from(FINE) / self.ticks
    }

    /// For each step of a piece the earlier one that it repeats: the piece begins with a prompt of `heard` steps, if any, and goes on
    /// for `bars` bars.
    ///
    /// # Errors
    /// [`FormError`], where the form does not fit the piece.
    pub fn recalled_steps(
        &self,
        form: &Form,
        (prompt, heard): (Option<&Prompt>, usize),
        bars: usize,
        grid: TicksPerQuarter,
        rng: &mut Rng,
    ) -> Result<Vec<Option<usize>>, FormError> {
        let mut starts: Vec<usize> = prompt.map_or_else(Vec::new, |prompt| prompt_starts(prompt, grid));
        starts.extend((0..=bars).map(|bar| heard + self.first_step(bar)));
        recalled_steps(form, &starts, 2 * grid.get() as usize, rng)
    }
}

/// The first step of each of the prompt's bars.
fn prompt_starts(prompt: &Prompt, grid: TicksPerQuarter) -> Vec<usize> {
    let from = prompt.score().ticks_per_quarter;
    let starts = prompt.bar_starts().skip(usize::from(prompt.has_upbeat()));
    starts.map(|start| start.rescale(from, grid).0 as usize).collect()
}

/// The same, given the first step of each bar and the end; what is varied is left out by stretches of so many steps.
fn recalled_steps(
    form: &Form,
    starts: &[usize],
    stretch: usize,
    rng: &mut Rng,
) -> Result<Vec<Option<usize>>, FormError> {
    let bars = starts.len().saturating_sub(1);
    let mut steps = vec![None; starts.last().copied().unwrap_or(0)];
    for (bar, recall) in form.recalls(bars)?.into_iter().enumerate() {
        let Some(Recall { bar: earlier, is_varied }) = recall else { continue };
        let length = (starts[bar + 1] - starts[bar]).min(starts[earlier + 1] - starts[earlier]);
        for from in (0..length).step_by(stretch) {
            if !(is_varied && uniform(rng) < ANEW) {
                (from..length.min(from + stretch)).for_each(|k| steps[starts[bar] + k] = Some(starts[earlier] + k));
            }
        }
    }
    Ok(steps)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cantus_nn::random::seeded;

    #[test]
    fn bars_that_are_no_whole_number_of_steps_begin_at_the_next_one() {
        let bars = |grid: u32, meter: &str| BarSteps::new(TicksPerQuarter::new(grid).unwrap(), meter.parse().unwrap());
        let eighths = bars(1, "7/8");
        assert_eq!([0, 1, 2, 3].map(|bar| eighths.first_step(bar)), [0, 4, 7, 11]);
        assert_eq!((0..8).filter(|step| eighths.begins_bar(*step)).collect::<Vec<_>>(), [0, 4, 7]);
        assert_eq!((eighths.done(3), eighths.done(4), eighths.done(7)), (0, 1, 2));
        assert_eq!(bars(4, "4/4").first_step(3), 48);
    }

    #[test]
    fn a_form_says_which_steps_come_again() {
        let bars = BarSteps::new(TicksPerQuarter::new(4).unwrap(), Meter::COMMON);
        let grid = TicksPerQuarter::new(4).unwrap();
        let recalled = |form: &str, bars_of_piece: usize| {
            bars.recalled_steps(&form.parse().unwrap(), (None, 0), bars_of_piece, grid, &mut seeded(1))
        };
        let literally = recalled("AAB", 3).unwrap();
        assert!((0..48).all(|step| literally[step] == if (16..32).contains(&step) { Some(step - 16) } else { None }));
        let varied = recalled("AA'", 16).unwrap();
        let kept = varied[128..].iter().flatten().count();
        assert!(varied[..128].iter().all(Option::is_none) && (32..112).contains(&kept), "{kept}");
        assert!(recalled("A2 B2", 5).is_err());
    }
}
