//! The studio as a client meets it: over a real socket, on a port of its own.

mod browser;
mod client;
mod codes;
mod composing;
mod generated;
mod page;
mod page_library;
mod page_prompt;
mod page_stand;
mod page_training;
mod safety;
mod training;
