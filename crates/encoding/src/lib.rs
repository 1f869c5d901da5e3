//! Scores to what a network reads, and back.
