//! What several test programs share: scores made by proptest, and where the real data is.
#![allow(dead_code, reason = "every test program uses a part of it")]

use cantus_score::{
    Key, Meter, Mode, Note, Part, PedalSpan, Pitch, Program, Score, Tempo, Ticks, TicksPerQuarter, Velocity,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use std::path::PathBuf;

/// The folder of real data, or `None`, with a line that says which test was skipped.
pub fn data(test: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("CANTUS_DATA").map(PathBuf::from);
    if folder.is_none() {
        println!("{test}: skipped, CANTUS_DATA is not set");
    }
    folder
}

/// A note, written shortly.
pub fn note(onset: u64, pitch: u8, duration: u64, velocity: u8) -> Note {
    Note {
        onset: Ticks(onset),
        pitch: Pitch::try_from(pitch).expect("a pitch"),
        duration: Ticks(duration),
        velocity: Velocity::try_from(velocity).expect("a velocity"),
    }
}

/// Times that make collisions likely, and now and then the largest that one event can hold.
fn time() -> impl Strategy<Value = u64> {
    prop_oneof![8 => 0u64..24, 4 => 0u64..5000, 1 => Just((1 << 28) - 1), 1 => (1u64 << 28)..(1 << 30)]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![3 => "[a-zA-Z ]{0,12}", 1 => "\\PC{0,8}", 1 => "[\\x00-\\x7f]{0,8}", 1 => Just("ü".repeat(90))]
}

fn changes<T: std::fmt::Debug>(value: impl Strategy<Value = T>) -> impl Strategy<Value = Vec<(Ticks, T)>> {
    vec((time().prop_map(Ticks), value), 0..5)
}

prop_compose! {
    fn any_note()(onset in time(), pitch in prop_oneof![58u8..63, 0u8..128], duration in time(), velocity in 1u8..128) -> Note {
        note(onset, pitch, duration, velocity)
    }
}

prop_compose! {
    fn any_part()(
        name in option::of(text()),
        channel in 0u8..16,
        programs in changes((0u8..128).prop_map(|number| Program::new(number).expect("a program"))),
        notes in vec(any_note(), 0..24),
        pedal in vec((time(), time()).prop_map(|(down, up)| PedalSpan { down: Ticks(down), up: Ticks(up) }), 0..5),
    ) -> Part {
        Part { name, channel, programs, notes, pedal }
    }
}

prop_compose! {
    /// Scores of every kind, in no particular order: overlapping unisons, notes of no length, several changes at one tick.
    pub fn any_score()(
        division in prop_oneof![Just(480u32), 1u32..32768],
        title in option::of(text()),
        remarks in vec(text(), 0..3),
        tempos in changes((1u32..=u32::MAX).prop_map(|micros| Tempo::from_micros_per_quarter(micros).expect("not zero"))),
        meters in changes((1u8..=255, 0u8..8).prop_map(|(n, d)| Meter::new(n, d).expect("a metre"))),
        keys in changes((-7i8..8, any::<bool>()).prop_map(|(fifths, minor)| {
            Key::new(fifths, if minor { Mode::Minor } else { Mode::Major }).expect("a key")
        })),
        parts in vec(any_part(), 0..4),
    ) -> Score {
        let ticks_per_quarter = TicksPerQuarter::new(division).expect("not zero");
        Score { ticks_per_quarter, title, remarks, tempos, meters, keys, parts }
    }
}
