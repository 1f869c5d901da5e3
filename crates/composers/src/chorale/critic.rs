//! What a critic hears of chorales, and how it learns; see [`cantus_model::critic`].

mod hearing;
mod learning;

pub(super) use hearing::{Hearing, KINDS};
pub(super) use learning::{MOST_PIECES, learn};
