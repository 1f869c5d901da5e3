//! What controllers and bends do to sound over time.
//!
//! General MIDI's levels: volume (controller 7) and expression (11) each act with the square of their value; 100 and 127 are
//! where they begin, and leave the sound as it is. Controller 10 is the place, 64 the middle, with equal power. A bend of 8192
//! goes as far as registered parameter 0 says, two semitones at first.

use cantus_score::{Control, Part, Ticks};
use std::f32::consts::{FRAC_PI_2, SQRT_2};

/// How a part's sound is shaped from some sample on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shape {
    /// Factors for left and right.
    pub gains: [f32; 2],
    /// The factor of its frequencies.
    pub bend: f32,
}

impl Shape {
    /// Sound as it is.
    pub const PLAIN: Shape = Shape { gains: [1.0; 2], bend: 1.0 };

    /// Adds `plain` to `out`, with gains that go from these to the next ones' on the way: a jump would click.
    pub fn ramp(&self, next: &Shape, plain: &[[f32; 2]], out: &mut [[f32; 2]]) {
        let length = out.len() as f32;
        for (k, (out, plain)) in out.iter_mut().zip(plain).enumerate() {
            let way = k as f32 / length;
            for side in 0..2 {
                out[side] += plain[side] * (self.gains[side] + (next.gains[side] - self.gains[side]) * way);
            }
        }
    }
}

/// The shapes of a part, each with the sample from which it holds.
#[derive(Debug, PartialEq)]
pub struct Curves {
    shapes: Vec<(u64, Shape)>,
}

/// A channel's controllers.
struct Channel {
    volume: u8,
    expression: u8,
    pan: u8,
    /// The registered parameter that data entry changes; above 0 it is none that is heard.
    parameter: [u8; 2],
    /// How far a bend goes, in semitones and cents.
    range: [u8; 2],
    bend: i16,
}

impl Channel {
    fn set(&mut self, control: Control) {
        match control {
            Control::Controller { number, value } => match number {
                Control::VOLUME => self.volume = value,
                Control::PAN => self.pan = value,
                Control::EXPRESSION => self.expression = value,
                101 => self.parameter[0] = value,
                100 => self.parameter[1] = value,
                // A parameter of the maker's own takes the place of a registered one.
                98 | 99 => self.parameter = [127; 2],
                6 if self.parameter == [0, 0] => self.range[0] = value,
                38 if self.parameter == [0, 0] => self.range[1] = value,
                _ => {}
            },
            Control::Bend(bend) => self.bend = bend,
            Control::Pressure(_) => {}
        }
    }

    fn shape(&self) -> Shape {
        let level = f32::from(self.volume) / 100.0 * (f32::from(self.expression) / 127.0);
        let gain = level * level;
        let semitones = f32::from(self.range[0]) + f32::from(self.range[1]) / 100.0;
        let bend = if self.bend == 0 { 1.0 } else { (semitones * f32::from(self.bend) / 8192.0 / 12.0).exp2() };
        let gains = if self.pan == 64 {
            [gain; 2]
        } else {
            // 0 and 1 are both the very left, so that 64 is the middle.
            let angle = f32::from(self.pan.saturating_sub(1)) / 126.0 * FRAC_PI_2;
            [SQRT_2 * gain * angle.cos(), SQRT_2 * gain * angle.sin()]
        };
        Shape { gains, bend }
    }
}

impl Curves {
    /// What shapes a part, or `None` where nothing does.
    pub fn of(part: &Part, sample: impl Fn(Ticks) -> u64) -> Option<Curves> {
        let mut channel =
            Channel { volume: 100, expression: 127, pan: 64, parameter: [127; 2], range: [2, 0], bend: 0 };
        let mut shapes: Vec<(u64, Shape)> = Vec::new();
        let mut last = Shape::PLAIN;
        for at_one_time in part.controls.chunk_by(|a, b| a.0 == b.0) {
            at_one_time.iter().for_each(|(_, control)| channel.set(*control));
            let shape = channel.shape();
            if shape != last {
                shapes.push((sample(at_one_time[0].0), shape));
                last = shape;
            }
        }
        (!shapes.is_empty()).then_some(Curves { shapes })
    }

    /// The shape at a sample.
    pub fn at(&self, sample: u64) -> Shape {
        let begun = self.shapes.partition_point(|(from, _)| *from <= sample);
        begun.checked_sub(1).map_or(Shape::PLAIN, |index| self.shapes[index].1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curves(controls: &[(u64, Control)]) -> Option<Curves> {
        let controls = controls.iter().map(|(at, control)| (Ticks(*at), *control)).collect();
        Curves::of(&Part { controls, ..Part::default() }, |ticks| ticks.0)
    }

    fn controller(number: u8, value: u8) -> Control {
        Control::Controller { number, value }
    }

    #[test]
    fn where_nothing_differs_there_are_no_curves() {
        assert_eq!(curves(&[]), None);
        assert_eq!(curves(&[(0, controller(7, 100)), (0, controller(10, 64)), (3, controller(91, 7))]), None);
    }

    #[test]
    fn levels_act_with_their_square_and_places_with_equal_power() {
        let curves = curves(&[(0, controller(7, 50)), (9, controller(10, 0)), (20, controller(7, 0))]).unwrap();
        assert_eq!(curves.at(0).gains, [0.25; 2]);
        let [left, right] = curves.at(9).gains;
        assert!((left - 0.25 * SQRT_2).abs() < 1e-6 && right.abs() < 1e-6);
        assert_eq!(curves.at(u64::MAX).gains, [0.0; 2]);
    }

    #[test]
    fn bends_go_as_far_as_the_range_says() {
        let range = [(4, controller(101, 0)), (4, controller(100, 0)), (4, controller(6, 12))];
        let bends = [&[(0, Control::Bend(-8192))], range.as_slice(), &[(8, Control::Bend(0))]].concat();
        let curves = curves(&bends).unwrap();
        assert!((curves.at(3).bend - (-1.0_f32 / 6.0).exp2()).abs() < 1e-6);
        assert!((curves.at(4).bend - 0.5).abs() < 1e-6);
        assert_eq!(curves.at(8).bend, 1.0);
    }
}
