//! A look-ahead limiter: loud passages become softer before they come, and no sample exceeds the peak.

use super::{BLOCK, PEAK, Sink, WavError};

type Block = [[f32; 2]; BLOCK];

/// Holds one block back. Within a block the gain moves in a straight line between two values that both suit the block's peak,
/// so that the product can never exceed [`PEAK`].
pub struct Limiter {
    held: Option<(Block, f32)>,
    /// The gain at the beginning of the block held.
    gain: f32,
    /// By how much the gain may rise over a block.
    recovery: f32,
}

impl Limiter {
    pub fn new(sample_rate: u32) -> Limiter {
        // Doubles in half a second.
        let recovery = (2.0 * BLOCK as f32 / sample_rate as f32).exp2();
        Limiter { held: None, gain: 1.0, recovery }
    }

    /// Takes a block, gives the one before.
    pub fn push(&mut self, block: Block, sink: &mut Sink) -> Result<(), WavError> {
        let peak = block.as_flattened().iter().fold(0.0_f32, |peak, sample| peak.max(sample.abs()));
        let allowed = (PEAK / peak.max(PEAK)).min(1.0);
        if self.held.is_none() {
            self.gain = allowed;
        }
        self.emit(allowed, sink)?;
        self.held = Some((block, allowed));
        Ok(())
    }

    /// Gives the last block.
    pub fn finish(&mut self, sink: &mut Sink) -> Result<(), WavError> {
        self.emit(1.0, sink)
    }

    fn emit(&mut self, allowed_next: f32, sink: &mut Sink) -> Result<(), WavError> {
        let Some((mut block, allowed)) = self.held.take() else { return Ok(()) };
        let target = allowed.min(allowed_next).min(self.gain * self.recovery);
        if self.gain < 1.0 || target < 1.0 {
            let slope = (target - self.gain) / BLOCK as f32;
            for (k, frame) in block.iter_mut().enumerate() {
                let gain = self.gain + slope * k as f32;
                // Rounding may exceed the peak by an ulp.
                *frame = frame.map(|sample| (sample * gain).clamp(-PEAK, PEAK));
            }
        }
        self.gain = target;
        sink(&block)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_exceeds_the_peak_and_soft_sound_passes_untouched() {
        let mut out = Vec::new();
        let mut sink = |block: &[[f32; 2]]| {
            out.extend_from_slice(block);
            Ok(())
        };
        let mut limiter = Limiter::new(44_100);
        for loudness in [0.5, 0.5, 9.0, 0.1, 30.0, 0.1] {
            let mut block = [[0.0; 2]; BLOCK];
            for (k, frame) in block.iter_mut().enumerate() {
                *frame = [loudness * (k as f32 * 0.3).sin(), -loudness];
            }
            limiter.push(block, &mut sink).expect("the sink takes everything");
        }
        limiter.finish(&mut sink).expect("the sink takes everything");
        assert_eq!(out.len(), 6 * BLOCK);
        assert_eq!(out[7], [0.5 * (7.0_f32 * 0.3).sin(), -0.5]);
        assert!(out.as_flattened().iter().all(|sample| sample.abs() <= PEAK));
        assert!(out[2 * BLOCK + 9][1] < -0.9, "the loud block is as loud as it may be");
    }
}
