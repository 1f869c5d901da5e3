//! The studio as a client meets it: over a real socket, on a port of its own.

mod browser;
mod client;
mod composing;
mod generated;
mod page;
mod safety;
mod training;
