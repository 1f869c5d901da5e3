//! What the command line and the studio both do: find models, compose pieces that say how they came to be, begin trainings and go on
//! with them.
//!
//! Nothing here talks to a person: progress goes to the caller's functions, and what failed is a typed error.

mod base;
mod best;
mod codes;
mod composing;
mod files;
mod finding;
mod folder;
mod listening;
mod models;
mod playing;
mod provenance;
mod rehearsal;
mod shelf;
mod textures;
mod training;

pub use base::Base;
pub use best::{Opinion, Standing, order};
pub use cantus_composers::performing::{Lesson, PerformError, Performance};
pub use cantus_composers::proofreading::{BarProof, Change, Exam, Mended, Proof};
pub use codes::{CodeOrigin, Done, blend, vary};
pub use composing::{BARS, PROMPT_BARS, compose, fresh_seed, request, silence, tempo, write};
pub use files::{ReadError, read};
pub use finding::{FoundBars, find};
pub use folder::{Gathered, gather, reading_of};
pub use listening::{Ear, PROOFREADER, SchoolingError, ear, examine, gather_music, proofreader_settings, teach};
pub use models::{
    ARRANGER, BUILT_IN, BuiltIn, CHORALES, DEFAULT, LoadError, Model, TUNES, accompanist, built_in, from_bytes, load,
    originality, run_named,
};
pub use playing::{PIANIST, Player, PlayingOrigin, perform, player};
pub use provenance::{AgainOrigin, ArrangementOrigin, PromptOrigin, Provenance};
pub use rehearsal::{
    Bounded, Gathering, Passed, Rehearsal, RehearsalError, Results, Table, gather_lessons, judge_player,
    player_settings, rehearse,
};
pub use shelf::{Figure, Listed, RUNS, models};
pub use textures::{TextureOrigin, more_of};
pub use training::{Paused, Plan, WorkshopError, begin, create};
