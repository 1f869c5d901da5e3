//! The program as a person meets it: commands, files, messages, exit codes.

mod accompany;
mod codes;
mod collage;
mod common;
mod compose;
mod doctor;
mod evaluate;
mod harmonise;
mod inspect;
mod interrupted;
mod listen;
mod messages;
mod models;
mod perform;
mod render;
mod studio;
mod texture;
mod train;
mod usage;
