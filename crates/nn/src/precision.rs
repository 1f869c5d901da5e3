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
    /// 16 bits (bfloat16), where the processor multiplies pairs of them (AVX512-BF16); elsewhere 32.
    Half,
}

impl Precision {
    /// Whether pairs of 16 bits are multiplied on this processor.
    pub fn is_paired(self) -> bool {
        self == Precision::Half && Level::detect() == Level::Avx512Bf16
    }
}
