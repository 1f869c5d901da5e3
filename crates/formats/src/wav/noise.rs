//! Noise that is the same every time.

/// White noise, -1 to 1, from a xorshift generator.
#[derive(Clone, Debug)]
pub struct Noise(u32);

impl Noise {
    /// Any seed will do.
    pub fn new(seed: u32) -> Noise {
        Noise(seed.wrapping_mul(0x9E37_79B9) | 1)
    }

    pub fn next(&mut self) -> f32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0.cast_signed() as f32 / 2_147_483_648.0
    }
}
