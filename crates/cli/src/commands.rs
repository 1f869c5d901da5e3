//! The commands, one a file.

// tidy: allow(registry): the command is called so
pub mod accompany;
pub mod blend;
pub mod compose;
pub mod composers;
pub mod evaluate;
pub mod harmonise;
pub mod inspect;
pub mod listen;
pub mod map;
pub mod models;
pub mod perform;
pub mod render;
pub mod studio;
pub mod texture;
pub mod train;
pub mod vary;
