//! Run-time choice of the vector instructions, and the 32-lane panel that the products are written in.
//!
//! The binary is built for the oldest processor of its family; each kernel is compiled once per [`Level`] behind
//! `#[target_feature]`, and the best level that the processor reports is taken at run time. On other architectures
//! than x86-64 the portable form is what the compiler vectorises by itself (NEON is part of the aarch64 baseline).

use crate::buffer::Buffer;
use half::f16;

/// The widest vector instructions that kernels may use on this processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Plain Rust, vectorised by the compiler for the baseline of the target.
    Portable,
    /// AVX2, FMA and F16C: 8 lanes.
    Avx2,
    /// AVX-512 F, VL, BW and DQ: 16 lanes.
    Avx512,
    /// The same with AVX512-BF16, where one instruction multiplies and adds [`Pair`]s.
    Avx512Bf16,
}

impl Level {
    /// The best level of the processor that runs this; the detection is cached by the standard library.
    #[inline]
    pub fn detect() -> Level {
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("fma")
            {
                return if is_x86_feature_detected!("avx512bf16") { Level::Avx512Bf16 } else { Level::Avx512 };
            }
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") && is_x86_feature_detected!("f16c") {
                return Level::Avx2;
            }
        }
        Level::Portable
    }

    /// The level at which products with numbers W are made where the processor has this one: AVX-512 alone does not know pairs.
    pub(crate) fn fit<W: Number>(self) -> Level {
        if W::VALUES > 1 && self == Level::Avx512 { Level::Avx2 } else { self }
    }

    /// All levels that this processor can run, the portable one first; for tests that compare them.
    pub fn available() -> Vec<Level> {
        let all = [Level::Portable, Level::Avx2, Level::Avx512, Level::Avx512Bf16];
        all.into_iter().filter(|l| *l <= Level::detect()).collect()
    }
}

/// Compiles one element-wise function for every [`Level`] and calls the chosen one.
///
/// `per_level!(level, FUNCTION::<..>(args))` needs `FUNCTION<const FMA: bool>` to be `#[inline(always)]`: it is inlined
/// into a wrapper that carries the target features, where the compiler vectorises its loops. `FMA` tells whether
/// `mul_add` is one instruction (without it, `mul_add` is a slow library call).
macro_rules! per_level {
    ($level:expr, $function:ident ( $($arg:ident : $ty:ty),* $(,)? ) $(-> $out:ty)?) => {{
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx2,fma")]
        fn avx512($($arg: $ty),*) $(-> $out)? { $function::<true>($($arg),*) }
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx2,fma")]
        fn avx2($($arg: $ty),*) $(-> $out)? { $function::<true>($($arg),*) }
        match $level {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: a `Level` above `Portable` comes from `Level::detect`, which saw these features.
            $crate::simd::Level::Avx512 | $crate::simd::Level::Avx512Bf16 => unsafe { avx512($($arg),*) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above.
            $crate::simd::Level::Avx2 => unsafe { avx2($($arg),*) },
            _ => $function::<{ cfg!(target_arch = "aarch64") }>($($arg),*),
        }
    }};
}
pub(crate) use per_level;

/// Asks for the cache line at `p`, which need not exist: into the second-level cache, or, where `NEAR`, into the first.
#[inline(always)]
pub(crate) fn prefetch<const NEAR: bool, T>(p: *const T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: part of the baseline; a prefetch of any address is harmless.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _MM_HINT_T1, _mm_prefetch};
        if NEAR { _mm_prefetch::<_MM_HINT_T0>(p.cast()) } else { _mm_prefetch::<_MM_HINT_T1>(p.cast()) }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = p;
}

/// `a * b + c`, as one instruction where there is one.
#[inline(always)]
pub(crate) fn fma<const FMA: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FMA { a.mul_add(b, c) } else { a * b + c }
}

/// `e^x` to about 2 units in the last place, without branches, so that a loop over it vectorises.
///
/// Arguments are held within +-87, where the result is a normal number; NaN stays NaN. Cody and Waite's reduction by multiples of
/// ln 2 in two parts, and the polynomial of Cephes' `expf` (S. Moshier) on [-ln 2 / 2, ln 2 / 2].
#[inline(always)]
pub(crate) fn exp<const FMA: bool>(x: f32) -> f32 {
    // Adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits of the mantissa.
    const ROUND: f32 = 12_582_912.0;
    let clamped = x.clamp(-87.0, 87.0);
    let shifted = fma::<FMA>(clamped, std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = fma::<FMA>(n, -0.693_359_4, clamped);
    let r = fma::<FMA>(n, 2.121_944_4e-4, r);
    let p = 1.987_569_1e-4;
    let p = fma::<FMA>(p, r, 1.398_2e-3);
    let p = fma::<FMA>(p, r, 8.333_452e-3);
    let p = fma::<FMA>(p, r, 4.166_579_6e-2);
    let p = fma::<FMA>(p, r, 1.666_666_5e-1);
    let p = fma::<FMA>(p, r, 0.5);
    let y = fma::<FMA>(p, r * r, r) + 1.0;
    y * f32::from_bits(shifted.to_bits().wrapping_add(127) << 23)
}

/// `1 / (1 + e^-x)`.
#[inline(always)]
pub(crate) fn sigmoid<const FMA: bool>(x: f32) -> f32 {
    1.0 / (1.0 + exp::<FMA>(-x))
}

/// `tanh x`, as `2 sigmoid(2x) - 1`: absolute error about 1e-7.
#[inline(always)]
pub(crate) fn tanh<const FMA: bool>(x: f32) -> f32 {
    2.0 / (1.0 + exp::<FMA>(-2.0 * x)) - 1.0
}

/// Thirty-two lanes of `f32`, in as many registers as the level needs.
///
/// # Safety
/// Implementors may use instructions of their level: their methods must only run inside a function that enables the
/// matching target features, on a processor that has them. Pointers must be valid for 32 values, unaligned.
pub(crate) unsafe trait Panel: Copy {
    /// All lanes zero.
    unsafe fn zero() -> Self;
    /// Reads 32 values.
    unsafe fn load(p: *const f32) -> Self;
    /// Writes 32 values.
    unsafe fn store(self, p: *mut f32);
    /// `self + a * b`, lane by lane, `a` in every lane.
    unsafe fn fma(self, a: f32, b: Self) -> Self;
    /// Reads 32 values of 16 bits (IEEE binary16).
    unsafe fn load_half(p: *const f16) -> Self;
    /// `self` + the product of the two numbers of `a` with those of `b`, lane by lane; `a` and `b` hold the bits of [`Pair`]s, `a` the
    /// same one in every lane.
    unsafe fn dot(self, a: f32, b: Self) -> Self;
}

/// Lanes of a [`Panel`].
pub(crate) const LANES: usize = 32;

/// How the numbers of a matrix are stored; sums are always made in 32 bits.
pub trait Number: Copy + Send + Sync + 'static {
    /// Memory for many of them.
    type Storage: std::ops::DerefMut<Target = [Self]> + Clone + std::fmt::Debug + Send + Sync;
    /// Values along the common axis of a product that one of them holds; what the matrix is multiplied with is held alike.
    const VALUES: usize;

    /// Memory for `len` of them, with unspecified contents.
    fn storage(len: usize) -> Self::Storage;

    /// The nearest number of this kind, given the values that it is to hold.
    fn of(value: impl Fn(usize) -> f32) -> Self;

    /// `sum + x * w`, lane by lane.
    ///
    /// # Safety
    /// As for [`Panel`]'s methods.
    #[doc(hidden)]
    #[allow(private_bounds)]
    unsafe fn multiply_add<P: Panel>(sum: P, x: f32, w: P) -> P;

    /// Reads 32 of them.
    ///
    /// # Safety
    /// As for [`Panel`]'s methods.
    #[doc(hidden)]
    #[allow(private_bounds)]
    unsafe fn load<P: Panel>(p: *const Self) -> P;
}

impl Number for f32 {
    type Storage = Buffer;
    const VALUES: usize = 1;

    fn storage(len: usize) -> Buffer {
        Buffer::unspecified(len)
    }
    #[inline(always)]
    fn of(value: impl Fn(usize) -> f32) -> f32 {
        value(0)
    }
    #[inline(always)]
    #[allow(private_bounds)]
    unsafe fn multiply_add<P: Panel>(sum: P, x: f32, w: P) -> P {
        // SAFETY: the caller's promise.
        unsafe { sum.fma(x, w) }
    }
    #[inline(always)]
    #[allow(private_bounds)]
    unsafe fn load<P: Panel>(p: *const f32) -> P {
        // SAFETY: the caller's promise.
        unsafe { P::load(p) }
    }
}

impl Number for f16 {
    type Storage = Vec<f16>;
    const VALUES: usize = 1;

    fn storage(len: usize) -> Vec<f16> {
        vec![f16::ZERO; len]
    }
    #[inline(always)]
    fn of(value: impl Fn(usize) -> f32) -> f16 {
        f16::from_f32(value(0))
    }
    #[inline(always)]
    #[allow(private_bounds)]
    unsafe fn multiply_add<P: Panel>(sum: P, x: f32, w: P) -> P {
        // SAFETY: the caller's promise.
        unsafe { sum.fma(x, w) }
    }
    #[inline(always)]
    #[allow(private_bounds)]
    unsafe fn load<P: Panel>(p: *const f16) -> P {
        // SAFETY: the caller's promise.
        unsafe { P::load_half(p) }
    }
}

/// Two values that follow one another on the common axis of a product, rounded to 16 bits (bfloat16, to nearest, ties to even): the
/// first in the low half.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct Pair(u32);

impl Pair {
    /// Infinities and the NaNs that arithmetic makes stay what they are.
    #[inline(always)]
    pub(crate) fn new(first: f32, second: f32) -> Pair {
        let rounded = |value: f32| {
            let bits = value.to_bits();
            bits.wrapping_add(0x7fff + (bits >> 16 & 1))
        };
        Pair(rounded(first) >> 16 | rounded(second) & 0xffff_0000)
    }

    /// The bits, in the form in which [`Panel::dot`] takes them.
    #[inline(always)]
    pub(crate) fn bits(self) -> f32 {
        f32::from_bits(self.0)
    }

    /// Both values.
    #[inline(always)]
    pub(crate) fn values(bits: f32) -> [f32; 2] {
        [bits.to_bits() << 16, bits.to_bits() & 0xffff_0000].map(f32::from_bits)
    }
}

/// Many [`Pair`]s.
#[derive(Clone, Debug)]
pub struct Pairs(Buffer);

impl std::ops::Deref for Pairs {
    type Target = [Pair];

    fn deref(&self) -> &[Pair] {
        // SAFETY: a pair is transparently 32 bits, of which every pattern is one.
        unsafe { std::slice::from_raw_parts(self.0.as_ptr().cast(), self.0.len()) }
    }
}

impl std::ops::DerefMut for Pairs {
    fn deref_mut(&mut self) -> &mut [Pair] {
        // SAFETY: as above, and every pattern is a float.
        unsafe { std::slice::from_raw_parts_mut(self.0.as_mut_ptr().cast(), self.0.len()) }
    }
}

impl Number for Pair {
    type Storage = Pairs;
    const VALUES: usize = 2;

    fn storage(len: usize) -> Pairs {
        Pairs(Buffer::unspecified(len))
    }
    #[inline(always)]
    fn of(value: impl Fn(usize) -> f32) -> Pair {
        Pair::new(value(0), value(1))
    }
    #[inline(always)]
    #[allow(private_bounds)]
    unsafe fn multiply_add<P: Panel>(sum: P, x: f32, w: P) -> P {
        // SAFETY: the caller's promise.
        unsafe { sum.dot(x, w) }
    }
    #[inline(always)]
    #[allow(private_bounds)]
    unsafe fn load<P: Panel>(p: *const Pair) -> P {
        // SAFETY: the caller's promise; only bits are moved.
        unsafe { P::load(p.cast()) }
    }
}

// SAFETY: uses no instruction beyond the baseline.
unsafe impl Panel for [f32; LANES] {
    #[inline(always)]
    unsafe fn zero() -> Self {
        [0.0; LANES]
    }
    #[inline(always)]
    unsafe fn load(p: *const f32) -> Self {
        // SAFETY: the caller promises 32 readable values.
        unsafe { p.cast::<Self>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn load_half(p: *const f16) -> Self {
        // SAFETY: the caller promises 32 readable values.
        unsafe { p.cast::<[f16; LANES]>().read_unaligned() }.map(f16::to_f32)
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut f32) {
        // SAFETY: the caller promises 32 writable values.
        unsafe { p.cast::<Self>().write_unaligned(self) }
    }
    #[inline(always)]
    unsafe fn fma(mut self, a: f32, b: Self) -> Self {
        for (s, b) in self.iter_mut().zip(b) {
            *s = fma::<{ cfg!(target_arch = "aarch64") }>(a, b, *s);
        }
        self
    }
    #[inline(always)]
    unsafe fn dot(mut self, a: f32, b: Self) -> Self {
        let [first, second] = Pair::values(a);
        for (s, b) in self.iter_mut().zip(b) {
            let b = Pair::values(b);
            *s = *s + second * b[1] + first * b[0];
        }
        self
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{LANES, Pair, Panel};
    use half::f16;
    use std::arch::x86_64::*;

    // SAFETY: AVX-512F instructions only, as the trait demands of the caller.
    unsafe impl Panel for [__m512; LANES / 16] {
        #[inline(always)]
        unsafe fn zero() -> Self {
            // SAFETY: the caller enables AVX-512F.
            unsafe { [_mm512_setzero_ps(); 2] }
        }
        #[inline(always)]
        unsafe fn load(p: *const f32) -> Self {
            // SAFETY: the caller enables AVX-512F and promises 32 readable values.
            unsafe { [_mm512_loadu_ps(p), _mm512_loadu_ps(p.add(16))] }
        }
        #[inline(always)]
        unsafe fn load_half(p: *const f16) -> Self {
            // SAFETY: the caller enables AVX-512F and promises 32 readable values.
            unsafe { [0, 16].map(|at| _mm512_cvtph_ps(_mm256_loadu_si256(p.add(at).cast()))) }
        }
        #[inline(always)]
        unsafe fn store(self, p: *mut f32) {
            // SAFETY: the caller enables AVX-512F and promises 32 writable values.
            unsafe {
                _mm512_storeu_ps(p, self[0]);
                _mm512_storeu_ps(p.add(16), self[1]);
            }
        }
        #[inline(always)]
        unsafe fn fma(self, a: f32, b: Self) -> Self {
            // SAFETY: the caller enables AVX-512F.
            unsafe {
                let a = _mm512_set1_ps(a);
                [_mm512_fmadd_ps(a, b[0], self[0]), _mm512_fmadd_ps(a, b[1], self[1])]
            }
        }
        #[inline(always)]
        unsafe fn dot(self, a: f32, b: Self) -> Self {
            // SAFETY: the caller enables AVX512-BF16, too; the types are 64 bytes without a meaning of their own.
            unsafe {
                let pairs = |lanes: __m512| std::mem::transmute::<__m512, __m512bh>(lanes);
                let a = pairs(_mm512_set1_ps(a));
                [_mm512_dpbf16_ps(self[0], a, pairs(b[0])), _mm512_dpbf16_ps(self[1], a, pairs(b[1]))]
            }
        }
    }

    // SAFETY: AVX, F16C and FMA instructions only, as the trait demands of the caller.
    unsafe impl Panel for [__m256; LANES / 8] {
        #[inline(always)]
        unsafe fn zero() -> Self {
            // SAFETY: the caller enables AVX2 and FMA.
            unsafe { [_mm256_setzero_ps(); 4] }
        }
        #[inline(always)]
        unsafe fn load(p: *const f32) -> Self {
            // SAFETY: the caller enables AVX2 and FMA and promises 32 readable values.
            unsafe {
                [_mm256_loadu_ps(p), _mm256_loadu_ps(p.add(8)), _mm256_loadu_ps(p.add(16)), _mm256_loadu_ps(p.add(24))]
            }
        }
        #[inline(always)]
        unsafe fn load_half(p: *const f16) -> Self {
            // SAFETY: the caller enables AVX2 and F16C and promises 32 readable values.
            unsafe { [0, 8, 16, 24].map(|at| _mm256_cvtph_ps(_mm_loadu_si128(p.add(at).cast()))) }
        }
        #[inline(always)]
        unsafe fn store(self, p: *mut f32) {
            for (i, v) in self.into_iter().enumerate() {
                // SAFETY: the caller enables AVX2 and FMA and promises 32 writable values.
                unsafe { _mm256_storeu_ps(p.add(8 * i), v) }
            }
        }
        #[inline(always)]
        unsafe fn fma(self, a: f32, b: Self) -> Self {
            // SAFETY: the caller enables AVX2 and FMA.
            unsafe {
                let a = _mm256_set1_ps(a);
                [
                    _mm256_fmadd_ps(a, b[0], self[0]),
                    _mm256_fmadd_ps(a, b[1], self[1]),
                    _mm256_fmadd_ps(a, b[2], self[2]),
                    _mm256_fmadd_ps(a, b[3], self[3]),
                ]
            }
        }
        #[inline(always)]
        unsafe fn dot(self, a: f32, b: Self) -> Self {
            // SAFETY: the caller enables AVX2 and FMA; lanes are shifted and masked as the integers that they are.
            unsafe {
                let [first, second] = Pair::values(a).map(|a| _mm256_set1_ps(a));
                let mask = _mm256_set1_epi32(0xffff_0000_u32 as i32);
                std::array::from_fn(|i| {
                    let bits = _mm256_castps_si256(b[i]);
                    let (low, high) = (_mm256_slli_epi32::<16>(bits), _mm256_and_si256(bits, mask));
                    let sum = _mm256_fmadd_ps(second, _mm256_castsi256_ps(high), self[i]);
                    _mm256_fmadd_ps(first, _mm256_castsi256_ps(low), sum)
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worst(level: Level, f: fn(Level, &mut [f32]), exact: fn(f64) -> f64, relative: bool) -> f64 {
        let inputs: Vec<f32> = (-3000..=3000).map(|i| i as f32 * 0.01).collect();
        let mut outputs = inputs.clone();
        f(level, &mut outputs);
        inputs
            .iter()
            .zip(&outputs)
            .map(|(x, y)| {
                let e = exact(f64::from(*x));
                (f64::from(*y) - e).abs() / if relative { e.abs() } else { 1.0 }
            })
            .fold(0.0, f64::max)
    }

    #[inline(always)]
    fn map_exp<const FMA: bool>(v: &mut [f32]) {
        v.iter_mut().for_each(|x| *x = exp::<FMA>(*x));
    }
    #[inline(always)]
    fn map_sigmoid<const FMA: bool>(v: &mut [f32]) {
        v.iter_mut().for_each(|x| *x = sigmoid::<FMA>(*x));
    }
    #[inline(always)]
    fn map_tanh<const FMA: bool>(v: &mut [f32]) {
        v.iter_mut().for_each(|x| *x = tanh::<FMA>(*x));
    }

    #[test]
    fn elementary_functions_are_accurate_at_every_level() {
        for level in Level::available() {
            let e = worst(level, |l, v| per_level!(l, map_exp(v: &mut [f32])), f64::exp, true);
            assert!(e < 3e-7, "{level:?}: exp {e:e}");
            let e = worst(level, |l, v| per_level!(l, map_sigmoid(v: &mut [f32])), |x| 1.0 / (1.0 + (-x).exp()), false);
            assert!(e < 2e-7, "{level:?}: sigmoid {e:e}");
            let e = worst(level, |l, v| per_level!(l, map_tanh(v: &mut [f32])), f64::tanh, false);
            assert!(e < 3e-7, "{level:?}: tanh {e:e}");
        }
    }
}
