//! The studio as a client meets it: over a real socket, on a port of its own.

mod client;
mod composing;
mod safety;
mod training;
