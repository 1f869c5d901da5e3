//! Directives: `%%MIDI program 41`, `I:propagate-accidentals not`.
//!
//! Source: for `MIDI` the manual of abc2midi, which everybody follows; for accidentals the standard 2.1, section 11.3. What would change
//! pitches, rhythm, order or instruments, and is not obeyed here, is warned of; what concerns the eye or loudness is passed over.

use super::Oddity;
use super::error::Name;
use super::tune::{Propagation, Tune, Voice};
use crate::notation::Step;
use cantus_score::{Part, Pitch, Program};

/// Directives of other programs that change what sounds.
const AUDIBLE: [&str; 13] = [
    "abc-include",
    "clip",
    "drummap",
    "grace",
    "map",
    "microscale",
    "percmap",
    "playtempo",
    "shift",
    "soundfont",
    "temperament",
    "voicecombine",
    "voicemap",
];

/// What follows `%%MIDI` and concerns loudness, or an accompaniment that is not played here.
const QUIET: [&str; 24] = [
    "beat",
    "beataccents",
    "beatmod",
    "beatstring",
    "nobeataccents",
    "vol",
    "volinc",
    "deltaloudness",
    "control",
    "chordvol",
    "bassvol",
    "chordprog",
    "bassprog",
    "chordname",
    "gchordoff",
    "drumoff",
    "droneoff",
    "trim",
    "expand",
    "snt",
    "chordattack",
    "randomchordattack",
    "stressmodel",
    "makechordchannels",
];

/// A directive without `%%` or `I:` before it.
pub fn directive(tune: &mut Tune, text: &str) {
    let text = text.split('%').next().unwrap_or_default().trim();
    let (name, rest) = text.split_once(|c: char| c.is_whitespace() || c == '=').unwrap_or((text, ""));
    // `I:MIDI=program 32` and `I:MIDI = program 32` are in use.
    let words: Vec<&str> = rest.trim_start().trim_start_matches('=').split_whitespace().collect();
    if name.eq_ignore_ascii_case("MIDI") {
        if !midi(tune, &words) {
            let shown = words.iter().take(1).fold("MIDI".to_owned(), |name, word| name + " " + word);
            tune.warn(Oddity::Directive(Name::new(&shown)));
        }
        return;
    }
    let is_obeyed = match (name, &words[..]) {
        ("propagate-accidentals", [how]) => match *how {
            "not" => propagate(tune, Propagation::Not),
            "octave" => propagate(tune, Propagation::Octave),
            "pitch" => propagate(tune, Propagation::Pitch),
            _ => false,
        },
        ("percmap", [note, rest @ ..]) => rest.iter().any(|word| map_drum(tune, note, word)),
        ("deco", [name, ..]) => {
            tune.decorations.insert((*name).to_owned());
            true
        }
        // It is for those who print; the notes stay.
        ("transpose", _) => true,
        (name, _) => !AUDIBLE.contains(&name),
    };
    if !is_obeyed {
        tune.warn(Oddity::Directive(Name::new(name)));
    }
}

/// Whether what stands before the key and before all voices holds for them all.
fn is_for_all(tune: &Tune) -> bool {
    tune.in_header && tune.named.is_empty()
}

fn propagate(tune: &mut Tune, how: Propagation) -> bool {
    if is_for_all(tune) {
        tune.start.propagation = how;
    }
    if tune.in_header {
        tune.voices.iter_mut().for_each(|voice| voice.propagation = how);
    } else {
        tune.voice().propagation = how;
    }
    true
}

/// What stands after `MIDI`; whether it is obeyed, or nothing is lost where it is not.
fn midi(tune: &mut Tune, words: &[&str]) -> bool {
    let semitones = |word: &str| word.parse::<i32>().ok().map(|number| number.clamp(-120, 120));
    let program = |word: &str| word.parse().ok().and_then(Program::new);
    let channel =
        |word: &str| word.parse::<u8>().ok().filter(|number| (1..=16).contains(number)).map(|number| number - 1);
    match words {
        ["program", number] => {
            let Some(program) = program(number) else { return false };
            if is_for_all(tune) {
                tune.start.program = Some(program);
            }
            let voice = tune.voice();
            let at = voice.cursor;
            voice.programs.push((at, program));
            true
        }
        ["program", of, number, ..] => {
            let (Some(channel), Some(program)) = (channel(of), program(number)) else { return false };
            let at = tune.voices.get(tune.current).map_or(0, |voice| voice.cursor);
            tune.programs[usize::from(channel)].push((at, program));
            true
        }
        ["channel", number, ..] => {
            let Some(channel) = channel(number) else { return false };
            let voice = tune.voice();
            // A voice is on drums, or it is not.
            let stays = voice.notes.is_empty()
                || (voice.channel == Some(Part::DRUM_CHANNEL)) == (channel == Part::DRUM_CHANNEL);
            if stays {
                voice.channel = Some(channel);
            }
            stays
        }
        [how @ ("transpose" | "rtranspose"), number, ..] => {
            let Some(semitones) = semitones(number) else { return false };
            let adds = *how == "rtranspose";
            let moved = |before: i32| if adds { (before + semitones).clamp(-120, 120) } else { semitones };
            if is_for_all(tune) {
                tune.start.shift.midi = moved(tune.start.shift.midi);
            }
            let voice = tune.voice();
            voice.shift.midi = moved(voice.shift.midi);
            true
        }
        ["drummap", note, key, ..] => map_drum(tune, note, key),
        ["nobarlines", ..] => propagate(tune, Propagation::Not),
        ["barlines", ..] => propagate(tune, Propagation::Pitch),
        [name, ..] => QUIET.contains(name),
        [] => true,
    }
}

/// `^F 42`: which key of the kit a note of drums stands for; whether the words say so.
fn map_drum(tune: &mut Tune, note: &str, key: &str) -> bool {
    let Some(key) = key.parse::<u8>().ok().and_then(|key| Pitch::try_from(key).ok()) else { return false };
    let Some(written) = written_pitch(note) else { return false };
    tune.drum_map.insert(written, key);
    // In a header with a voice of drums it is meant for that one, and a voice with notes stays what it is.
    let is_for_another = tune.in_header && tune.voices.iter().any(Voice::is_drums);
    if !is_for_all(tune) && !is_for_another && tune.voice().notes.is_empty() {
        tune.voice().has_kit = true;
    }
    true
}

/// `^c'` as a pitch, without a key.
fn written_pitch(note: &str) -> Option<Pitch> {
    let letters = note.trim_start_matches(['^', '_', '=']);
    let alter: i64 =
        note[..note.len() - letters.len()].chars().map(|c| i64::from(c == '^') - i64::from(c == '_')).sum();
    let mut signs = letters.chars();
    let letter = signs.next()?;
    let step = Step::from_letter(letter)?;
    let mut octave = if letter.is_ascii_lowercase() { 5 } else { 4 };
    for mark in signs {
        octave += match mark {
            '\'' => 1,
            ',' => -1,
            _ => return None,
        };
    }
    Pitch::try_from(12 * (octave + 1) + i64::from(step.semitones()) + alter).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_of_a_kit_are_read() {
        let key = |note| written_pitch(note).map(Pitch::get);
        assert_eq!((key("C"), key("^f"), key("_B,,"), key("g''")), (Some(60), Some(78), Some(46), Some(103)));
        assert_eq!((key(""), key("H"), key("C2"), key("C,,,,,,,,,,")), (None, None, None, None));
    }
}
