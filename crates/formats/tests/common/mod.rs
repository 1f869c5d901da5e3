//! What several test programs share: scores made by proptest, and where the real data is.
#![allow(dead_code, reason = "every test program uses a part of it")]

pub mod hearing;

use cantus_score::{
    Control, Key, Lyric, Meter, Mode, Note, Part, PedalSpan, Pitch, Program, Score, Slur, Tempo, Ticks,
    TicksPerQuarter, Velocity,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::Index;
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

fn any_control() -> impl Strategy<Value = Control> {
    let controller = |number: BoxedStrategy<u8>| {
        (number, 0u8..128).prop_map(|(number, value)| Control::Controller { number, value })
    };
    let bank = prop_oneof![Just(0u8), Just(120), Just(121), Just(126), Just(127)];
    prop_oneof![
        3 => controller(prop_oneof![Just(0u8), Just(6), Just(7), Just(11), Just(64), Just(100), Just(101)].boxed()),
        1 => controller((0u8..128).boxed()),
        1 => bank.prop_map(|value| Control::Controller { number: 0, value }),
        1 => (-8192i16..8192).prop_map(Control::Bend),
        1 => (0u8..128).prop_map(Control::Pressure),
    ]
}

prop_compose! {
    fn any_lyric()(at in time(), verse in 1u8..3, text in prop_oneof![4 => "[a-z]{1,5}", 1 => text(), 1 => " ?[/\\\\-][a-z]{0,2}-? ?"], goes_on in any::<bool>()) -> Lyric {
        Lyric { at: Ticks(at), verse, text, goes_on }
    }
}

/// Names of all kinds, some of which say drums.
fn any_name() -> impl Strategy<Value = Option<String>> {
    prop_oneof![3 => option::of(text()), 1 => Just(Some("Drums".to_owned())), 1 => Just(Some("Kick 2".to_owned()))]
}

prop_compose! {
    fn any_part()(
        name in any_name(),
        (port, channel, drums) in (prop_oneof![3 => Just(0u8), 1 => any::<u8>()], prop_oneof![0u8..16, Just(9u8), Just(0u8)], any::<bool>()),
        programs in changes(prop_oneof![0u8..128, Just(0u8)].prop_map(|number| Program::new(number).expect("a program"))),
        notes in vec(any_note(), 0..24),
        pedal in vec((time(), time()).prop_map(|(down, up)| PedalSpan { down: Ticks(down), up: Ticks(up) }), 0..5),
        controls in prop_oneof![2 => Just(Vec::new()), 1 => vec((time().prop_map(Ticks), any_control()), 0..12)],
        lyrics in prop_oneof![2 => Just(Vec::new()), 1 => vec(any_lyric(), 0..6)],
    ) -> Part {
        Part { name, port, channel, drums, programs, notes, pedal, controls, lyrics, ..Part::default() }
    }
}

/// Parts of which some share a channel and all that belongs to it.
fn any_parts() -> impl Strategy<Value = Vec<Part>> {
    (vec(any_part(), 0..4), any::<bool>()).prop_map(|(mut parts, alike)| {
        if let (true, [first, .., last]) = (alike, parts.as_mut_slice()) {
            *last = Part {
                notes: std::mem::take(&mut last.notes),
                lyrics: std::mem::take(&mut last.lyrics),
                ..first.clone()
            };
        }
        parts
    })
}

prop_compose! {
    /// Scores of every kind, in no particular order: overlapping unisons, notes of no length, several changes at one tick,
    /// drums and pitches on any channel of any port.
    pub fn any_score_at_all()(
        division in prop_oneof![Just(480u32), 1u32..32768],
        (title, rights) in (option::of(text()), option::of(text())),
        remarks in vec(text(), 0..3),
        markers in changes(text()),
        tempos in changes((1u32..=u32::MAX).prop_map(|micros| Tempo::from_micros_per_quarter(micros).expect("not zero"))),
        meters in changes((1u8..=255, 0u8..8).prop_map(|(n, d)| Meter::new(n, d).expect("a metre"))),
        keys in changes((-7i8..8, any::<bool>()).prop_map(|(fifths, minor)| {
            Key::new(fifths, if minor { Mode::Minor } else { Mode::Major }).expect("a key")
        })),
        parts in any_parts(),
    ) -> Score {
        let ticks_per_quarter = TicksPerQuarter::new(division).expect("not zero");
        Score { title, rights, remarks, markers, tempos, meters, keys, parts, ..Score::new(ticks_per_quarter) }
    }
}

/// As [`any_score_at_all`], on one port, with drums on their usual channel and only there.
pub fn any_score() -> impl Strategy<Value = Score> {
    any_score_at_all().prop_map(|mut score| {
        for part in &mut score.parts {
            (part.port, part.drums) = (0, part.channel == Part::DRUM_CHANNEL);
        }
        score
    })
}

/// Steps that note values and tuplets can name.
const GRIDS: [u32; 8] = [1, 2, 3, 4, 6, 8, 12, 24];

prop_compose! {
    fn grid_part()(
        name in option::of("[A-Za-z][A-Za-z &<>\"']{0,10}[a-z]"),
        channel in prop_oneof![4 => 0u8..9, 1 => Just(9u8)],
        program in option::of((0u8..128).prop_map(|number| Program::new(number).expect("a program"))),
        notes in vec((0u64..60, prop_oneof![58u8..66, 30u8..90], 1u64..20, prop_oneof![Just(80u8), 1u8..128]), 1..40),
    ) -> Part {
        let programs = program.map(|program| (Ticks::ZERO, program)).into_iter().collect();
        let mut notes: Vec<Note> = notes.into_iter().map(|(onset, pitch, duration, velocity)| note(onset, pitch, duration, velocity)).collect();
        notes.sort_unstable();
        Part { name, channel, drums: channel == Part::DRUM_CHANNEL, programs, notes, ..Part::default() }
    }
}

prop_compose! {
    /// Written music: notes on a grid, metres and keys at bar lines, often more polyphonic than any hand.
    pub fn grid_score()(
        steps in prop::sample::select(GRIDS.to_vec()),
        title in option::of("[A-Za-z][A-Za-z .]{0,8}[a-z]"),
        remarks in vec("[a-z{}:\"]{1,20}", 0..3),
        tempo in option::of(20.0f64..300.0),
        meter in prop::sample::select(vec!["4/4", "3/4", "6/8", "2/2", "5/8", "7/16", "12/8", "1/4"]),
        upbeat in prop_oneof![2 => Just(0u64), 1 => 1u64..4],
        key in option::of((-7i8..8, any::<bool>())),
        parts in vec(grid_part(), 1..4),
    ) -> Score {
        let mut score = Score::new(TicksPerQuarter::new(steps).expect("not zero"));
        score.title = title;
        score.remarks = remarks;
        let meter: Meter = meter.parse().expect("a metre");
        score.meters.push((Ticks::ZERO, meter));
        if upbeat > 0 {
            // An upbeat of whole quarters.
            score.meters.push((Ticks(upbeat * u64::from(steps)), meter));
        }
        score.tempos.extend(tempo.and_then(Tempo::from_quarters_per_minute).map(|tempo| (Ticks::ZERO, tempo)));
        score.keys.extend(key.and_then(|(fifths, minor)| Key::new(fifths, if minor { Mode::Minor } else { Mode::Major })).map(|key| (Ticks::ZERO, key)));
        score.parts = parts;
        score
    }
}

/// Slurs between any two notes of a part, and fermatas over notes, rests and what lies between.
pub fn mark(part: &mut Part, slurs: &[(Index, Index)], fermatas: &[u64]) {
    if part.notes.is_empty() {
        return;
    }
    let end = |index: &Index| {
        let note = index.get(&part.notes);
        (note.onset, note.pitch)
    };
    part.slurs = slurs.iter().map(|(from, to)| Slur { from: end(from), to: end(to) }).collect();
    part.slurs.retain(|slur| slur.from.0 < slur.to.0);
    part.slurs.sort_unstable();
    part.fermatas = fermatas.iter().map(|at| Ticks(*at)).collect();
    part.fermatas.sort_unstable();
    part.fermatas.dedup();
}

/// What stands beside the notes of one part: port, drums, programs, pedal, words, slurs and fermatas, at steps of time.
type PartBeside =
    (u8, bool, Vec<(u64, u8)>, Vec<(u64, u64)>, Vec<(u64, u8, String, bool)>, (Vec<(Index, Index)>, Vec<u64>));

prop_compose! {
    fn part_beside()(
        port in prop_oneof![4 => Just(0u8), 1 => 0u8..3],
        drums in prop::bool::weighted(0.2),
        programs in vec((0u64..70, 40u8..44), 0..4),
        pedal in vec((0u64..90, 0u64..20), 0..6),
        lyrics in vec((0u64..70, 0u8..4, "[a-z<&' ]{0,6}", any::<bool>()), 0..8),
        signs in (vec(any::<(Index, Index)>(), 0..24), vec(0u64..80, 0..6)),
    ) -> PartBeside {
        (port, drums, programs, pedal, lyrics, signs)
    }
}

prop_compose! {
    /// A score of `scores` with all that stands beside the notes on paper; not only at notes, and not in order.
    pub fn with_words_and_signs(scores: BoxedStrategy<Score>)(
        mut score in scores,
        composer in option::of(text()),
        rights in option::of(text()),
        chords in vec((0u64..80, prop_oneof!["[A-G][#b]?(m|7|maj7|sus4)?(/[A-G]b?)?", text()]), 0..6),
        markers in vec((0u64..80, text()), 0..3),
        parts in vec(part_beside(), 4),
    ) -> Score {
        (score.composer, score.rights) = (composer, rights);
        score.chords = chords.into_iter().map(|(at, text)| (Ticks(at), text)).collect();
        score.markers = markers.into_iter().map(|(at, text)| (Ticks(at), text)).collect();
        for (part, (port, drums, programs, pedal, lyrics, (slurs, fermatas))) in score.parts.iter_mut().zip(parts) {
            mark(part, &slurs, &fermatas);
            (part.port, part.drums) = (port, drums);
            let program = |(at, number)| (Ticks(at), Program::new(number).expect("a program"));
            part.programs.extend(programs.into_iter().map(program));
            part.pedal = pedal.into_iter().map(|(down, length)| PedalSpan { down: Ticks(down), up: Ticks(down + length) }).collect();
            part.lyrics = lyrics.into_iter().map(|(at, verse, text, goes_on)| Lyric { at: Ticks(at), verse, text, goes_on }).collect();
        }
        score
    }
}
