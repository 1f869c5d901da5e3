//! The contract between composers and everything around them.
