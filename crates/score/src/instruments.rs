//! The names of General MIDI's instruments, and what a person calls them by.

use crate::Program;
use std::fmt;
use std::str::FromStr;

/// By program, 0-127. Source: MIDI Manufacturers Association, "General MIDI 1 Sound Set".
#[rustfmt::skip]
const NAMES: [&str; 128] = [
    "Acoustic Grand Piano", "Bright Acoustic Piano", "Electric Grand Piano", "Honky-tonk Piano", "Electric Piano 1",
    "Electric Piano 2", "Harpsichord", "Clavinet", "Celesta", "Glockenspiel", "Music Box", "Vibraphone", "Marimba",
    "Xylophone", "Tubular Bells", "Dulcimer", "Drawbar Organ", "Percussive Organ", "Rock Organ", "Church Organ",
    "Reed Organ", "Accordion", "Harmonica", "Tango Accordion", "Nylon Guitar", "Steel Guitar", "Jazz Guitar",
    "Clean Guitar", "Muted Guitar", "Overdriven Guitar", "Distortion Guitar", "Guitar Harmonics", "Acoustic Bass",
    "Fingered Bass", "Picked Bass", "Fretless Bass", "Slap Bass 1", "Slap Bass 2", "Synth Bass 1", "Synth Bass 2",
    "Violin", "Viola", "Cello", "Contrabass", "Tremolo Strings", "Pizzicato Strings", "Orchestral Harp", "Timpani",
    "String Ensemble 1", "String Ensemble 2", "Synth Strings 1", "Synth Strings 2", "Choir Aahs", "Voice Oohs",
    "Synth Voice", "Orchestra Hit", "Trumpet", "Trombone", "Tuba", "Muted Trumpet", "French Horn", "Brass Section",
    "Synth Brass 1", "Synth Brass 2", "Soprano Sax", "Alto Sax", "Tenor Sax", "Baritone Sax", "Oboe", "English Horn",
    "Bassoon", "Clarinet", "Piccolo", "Flute", "Recorder", "Pan Flute", "Blown Bottle", "Shakuhachi", "Whistle",
    "Ocarina", "Square Lead", "Sawtooth Lead", "Calliope Lead", "Chiff Lead", "Charang Lead", "Voice Lead",
    "Fifths Lead", "Bass and Lead", "New Age Pad", "Warm Pad", "Polysynth Pad", "Choir Pad", "Bowed Pad",
    "Metallic Pad", "Halo Pad", "Sweep Pad", "Rain", "Soundtrack", "Crystal", "Atmosphere", "Brightness", "Goblins",
    "Echoes", "Sci-fi", "Sitar", "Banjo", "Shamisen", "Koto", "Kalimba", "Bagpipe", "Fiddle", "Shanai", "Tinkle Bell",
    "Agogo", "Steel Drums", "Woodblock", "Taiko Drum", "Melodic Tom", "Synth Drum", "Reverse Cymbal",
    "Guitar Fret Noise", "Breath Noise", "Seashore", "Bird Tweet", "Telephone Ring", "Helicopter", "Applause",
    "Gunshot",
];

/// The families of eight programs each, in order. Source: the same.
const FAMILIES: [&str; 16] = [
    "piano",
    "chromatic percussion",
    "organ",
    "guitar",
    "bass",
    "strings",
    "ensemble",
    "brass",
    "reed",
    "pipe",
    "lead",
    "pad",
    "effects",
    "ethnic",
    "percussive",
    "sound effects",
];

impl Program {
    /// What General MIDI calls it.
    pub const fn name(self) -> &'static str {
        NAMES[self.get() as usize]
    }
}

/// An instrument as a person asks for it: drums, or any one of some programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Player {
    words: String,
    /// Whether a kit is asked for.
    pub drums: bool,
    /// The programs that will do.
    pub programs: Vec<Program>,
}

/// Instruments that play together: `piano, bass, drums`.
///
/// Each is `drums`, a program's number from 1 to 128, a family of General MIDI (piano, guitar, bass, strings, brass ...), or a word of a
/// program's name (flute, cello).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Players(Vec<Player>);

impl Players {
    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Player> {
        self.0.iter()
    }
}

/// Words that are no instrument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlayerError(String);

impl fmt::Display for PlayerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is no instrument; give names parted by commas, as in `piano, bass, drums`: a family ({}), a General MIDI name (flute, cello), \
             or a program's number from 1 to 128",
            self.0,
            FAMILIES.join(", ")
        )
    }
}

impl std::error::Error for PlayerError {}

impl fmt::Display for Player {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

impl FromStr for Player {
    type Err = PlayerError;

    fn from_str(text: &str) -> Result<Player, PlayerError> {
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
        let drums = matches!(&words[..], "drum" | "drums" | "drum kit" | "kit");
        let family = FAMILIES.iter().position(|family| *family == words || family.strip_suffix('s') == Some(&words));
        let is_name = NAMES.iter().any(|name| name.to_lowercase() == words);
        let is_meant = |number: &u8| match (words.parse::<u8>(), family) {
            (Ok(asked), _) => asked == number + 1,
            (_, Some(family)) => usize::from(*number) / 8 == family,
            // A whole name, or words of one.
            _ if is_name => NAMES[usize::from(*number)].to_lowercase() == words,
            _ => format!(" {} ", NAMES[usize::from(*number)].to_lowercase()).contains(&format!(" {words} ")),
        };
        let programs: Vec<Program> =
            (0..128).filter(|number| !drums && is_meant(number)).filter_map(Program::new).collect();
        if words.is_empty() || programs.is_empty() && !drums {
            return Err(PlayerError(text.trim().to_owned()));
        }
        Ok(Player { words, drums, programs })
    }
}

impl FromStr for Players {
    type Err = PlayerError;

    fn from_str(text: &str) -> Result<Players, PlayerError> {
        Ok(Players(text.split(',').map(str::parse).collect::<Result<_, _>>()?))
    }
}

impl fmt::Display for Players {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<&str> = self.iter().map(|player| &player.words[..]).collect();
        f.write_str(&words.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instruments_are_asked_for_in_words() {
        let numbers = |text: &str| -> Vec<Vec<u8>> {
            let players: Players = text.parse().unwrap();
            players.iter().map(|player| player.programs.iter().map(|program| program.get()).collect()).collect()
        };
        assert_eq!(numbers("flute"), [[73]]);
        assert_eq!(numbers("Bass, 1,string"), [(32..40).collect::<Vec<u8>>(), vec![0], (40..48).collect()]);
        assert_eq!(numbers("alto  sax"), [[65]]);
        assert_eq!(numbers("sax"), [[64, 65, 66, 67]]);
        let players: Players = " Drum Kit,piano".parse().unwrap();
        assert!(players.iter().next().is_some_and(|player| player.drums && player.programs.is_empty()));
        assert_eq!(players.to_string().parse(), Ok(players));
        for wrong in ["", "piano,", "kazoo", "129", "0", "-1"] {
            let error = wrong.parse::<Players>().unwrap_err().to_string();
            assert!(error.contains("is no instrument") && error.contains("brass"), "{error}");
        }
        assert_eq!(Program::new(127).unwrap().name(), "Gunshot");
    }
}
