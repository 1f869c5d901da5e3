//! What every composer must keep, run over the whole registry: an entry there is all that it takes to be tested here.

mod composing;
mod corpus;
mod exam;
mod files;
mod habits;
mod hostile;
mod prompts;
mod requests;
mod settings;
mod subject;
mod training;
