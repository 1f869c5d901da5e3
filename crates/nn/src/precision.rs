//! With how many bits products are made while learning.

use crate::simd::Level;
use serde::{Deserialize, Serialize};

/// What the factors of a layer's products are rounded to, forward and back; parameters, sums, states and gates always have 32 bits.
///
/// Source: P. Micikevicius et al., Mixed Precision Training, ICLR 2018, arXiv:1710.03740v3, with bfloat16, whose range is that of 32
/// bits, so that no loss has to be scaled (D. Kalamkar et al., A Study of BFLOAT16 for Deep Learning Training, arXiv:1905.12322v3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Precision {
    /// 32 bits.
    #[default]
    Single,
    /// 16 bits (bfloat16), where the processor multiplies pairs of them (AVX512-BF16) faster; elsewhere 32.
    Half,
}

impl Precision {
    /// Whether pairs of 16 bits are multiplied on this processor.
    pub fn is_paired(self) -> bool {
        self == Precision::Half && Level::detect() == Level::Avx512Bf16 && pairs_pay(vendor())
    }
}

/// Whether the processors of a maker that have AVX512-BF16 multiply pairs faster than single numbers. It is known by the maker and not
/// timed: what a training gives must not depend on what else the machine does.
///
/// AMD's (Zen 4 and later) begin one instruction of either kind in a cycle, that of pairs doing twice the work. Intel's (Cooper Lake, Sapphire
/// Rapids and later) begin two of single numbers and one of pairs, which needs the numbers rounded and put in pairs besides
/// (A. Abel and J. Reineke, uops.info, ASPLOS 2019). Of others nothing is known.
fn pairs_pay(vendor: [u8; 12]) -> bool {
    &vendor == b"AuthenticAMD"
}

/// Who made the processor, as it says itself.
#[cfg(target_arch = "x86_64")]
fn vendor() -> [u8; 12] {
    static VENDOR: std::sync::OnceLock<[u8; 12]> = std::sync::OnceLock::new();
    *VENDOR.get_or_init(|| {
        let said = std::arch::x86_64::__cpuid(0);
        let mut name = [0; 12];
        for (part, word) in name.chunks_exact_mut(4).zip([said.ebx, said.edx, said.ecx]) {
            part.copy_from_slice(&word.to_le_bytes());
        }
        name
    })
}

#[cfg(not(target_arch = "x86_64"))]
fn vendor() -> [u8; 12] {
    [0; 12]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_multiplied_where_that_is_faster() {
        assert!(pairs_pay(*b"AuthenticAMD"));
        assert!(!pairs_pay(*b"GenuineIntel"));
        assert!(!pairs_pay(*b"someone else"));
        assert!(!Precision::Single.is_paired());
        let is_paired = Level::detect() == Level::Avx512Bf16 && &vendor() == b"AuthenticAMD";
        assert_eq!(Precision::Half.is_paired(), is_paired);
    }

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn the_processor_says_who_made_it() {
        assert!(vendor().iter().all(u8::is_ascii_graphic), "{:?}", vendor());
    }
}
