//! What a part's name says about drums.

/// Names of kits and of percussion as a whole, in the languages that files come in.
const KITS: &[&str] = &[
    "drums",
    "drumkit",
    "drumkits",
    "drumset",
    "drumsets",
    "drumloop",
    "drumline",
    "percussion",
    "percussions",
    "perc",
    "percs",
    "schlagzeug",
    "schlagwerk",
    "perkussion",
    "trommeln",
    "batterie",
    "percussioni",
    "percussione",
    "batteria",
    "batería",
    "bateria",
    "percusión",
    "percusion",
    "percusiones",
    "percussão",
    "percussao",
    "slagwerk",
    "drumstel",
    "slagverk",
    "trummor",
    "trommer",
    "slagtøj",
    "rummut",
    "lyömäsoittimet",
    "perkusja",
    "perkuse",
    "bicí",
    "dobok",
    "ütőhangszerek",
    "ударные",
    "барабаны",
    "перкуссия",
    "ドラム",
    "ドラムス",
    "パーカッション",
    "鼓",
    "鼓组",
    "鼓組",
    "打击乐",
    "打擊樂",
    "드럼",
];

/// What makes a kit of the word `drum` before it.
const AFTER_DRUM: &[&str] =
    &["kit", "kits", "set", "machine", "loop", "loops", "track", "rack", "part", "beat", "beats", "pad", "pads"];

/// Single drums and cymbals. They may stand in titles, too: alone they say drums only where nothing but such words stands.
const DRUMS: &[&str] = &[
    "drum",
    "drummer",
    "trommel",
    "snare",
    "snares",
    "kick",
    "kicks",
    "hihat",
    "hihats",
    "hats",
    "hi",
    "hat",
    "toms",
    "cymbal",
    "cymbals",
    "clap",
    "claps",
    "shaker",
    "tambourine",
    "cowbell",
    "bongo",
    "bongos",
    "conga",
    "congas",
    "maracas",
    "cajon",
    "djembe",
];

/// What may stand beside them and says nothing.
const NEUTRAL: &[&str] = &[
    "kit",
    "kits",
    "set",
    "track",
    "loop",
    "part",
    "midi",
    "gm",
    "gs",
    "xg",
    "ch",
    "chan",
    "channel",
    "standard",
    "acoustic",
    "electric",
    "electronic",
    "rock",
    "jazz",
    "pop",
    "room",
    "power",
    "brush",
    "main",
    "left",
    "right",
    "l",
    "r",
    "and",
];

/// Instruments with pitches, and words that tell one from a kit: `Steel Drums`, `Tuned Percussion`, `Bass & Drums`.
const PITCHED: &[&str] = &[
    "steel",
    "steelpan",
    "pan",
    "pans",
    "tongue",
    "slit",
    "log",
    "timpani",
    "timp",
    "timps",
    "timpano",
    "pauken",
    "timbales",
    "kettle",
    "kettledrum",
    "kettledrums",
    "tuned",
    "pitched",
    "melodic",
    "melody",
    "mallet",
    "mallets",
    "glockenspiel",
    "glock",
    "xylophone",
    "marimba",
    "vibraphone",
    "vibes",
    "celesta",
    "bell",
    "bells",
    "chime",
    "chimes",
    "crotales",
    "synth",
    "lead",
    "bass",
    "piano",
    "keys",
    "keyboard",
    "guitar",
    "gtr",
    "organ",
    "strings",
    "brass",
    "horns",
    "choir",
    "vocal",
    "vocals",
    "vox",
    "voice",
    "flute",
    "fife",
    "fifes",
    "pipe",
    "pipes",
];

/// Words of titles: a piece may be called `Drums of Autumn`.
const SENTENCE: &[&str] = &[
    "the", "a", "an", "of", "my", "your", "in", "on", "to", "for", "with", "no", "without", "der", "die", "das", "le",
    "la", "les", "de", "del", "di",
];

/// Whether the name of a track or an instrument speaks of pitches, and of no drum: `Lead Vocal`, `Piano`, `Melody`.
pub fn names_pitches(name: &str) -> bool {
    let name = name.to_lowercase();
    let any = |lists: &[&[&str]]| {
        name.split(|c: char| !c.is_alphabetic()).any(|word| lists.iter().any(|list| list.contains(&word)))
    };
    any(&[PITCHED]) && !any(&[KITS, DRUMS])
}

/// Whether the name of a track, a voice or an instrument says drums: `Drums`, `Rock Drum Kit`, `Perc 2`, `Schlagzeug`, `Kick`.
///
/// Whole words count, in whatever case. A name that speaks of something with pitches (`Steel Drums`, `Timpani`, `Drum & Bass
/// lead`) does not, nor does a title (`Little Drummer Boy`). It is the last thing to ask: what a file says by channel, bank,
/// message or program comes first.
pub fn names_drums(name: &str) -> bool {
    let name = name.to_lowercase();
    let words = || name.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty());
    if !words().any(|word| KITS.contains(&word) || DRUMS.contains(&word)) {
        return false;
    }
    let words: Vec<&str> = words().collect();
    let any = |list: &[&str]| words.iter().any(|word| list.contains(word));
    // `Bass Drum` is a drum, and no bass.
    let pitched = words.iter().enumerate().any(|(k, word)| {
        PITCHED.contains(word)
            && !(*word == "bass" && matches!(words.get(k + 1), Some(&("drum" | "drums"))) && words.len() == 2)
    });
    if pitched {
        return false;
    }
    let whole_kit = any(KITS) || words.windows(2).any(|pair| pair[0] == "drum" && AFTER_DRUM.contains(&pair[1]));
    let nothing_else = words
        .iter()
        .all(|word| KITS.contains(word) || DRUMS.contains(word) || NEUTRAL.contains(word) || *word == "bass");
    nothing_else || whole_kit && !any(SENTENCE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instruments_with_pitches_are_told_from_drums() {
        for name in ["Piano", "Lead Vocal", "melody 1", "Fretless Bass", "STRINGS"] {
            assert!(names_pitches(name), "{name}");
        }
        for name in ["", "Track 10", "Drums", "Bass Drum", "Kick", "Drum & Bass lead", "Perc"] {
            assert!(!names_pitches(name), "{name}");
        }
    }

    #[test]
    fn kits_and_percussion_are_drums() {
        for name in [
            "Drums",
            "DRUMS",
            "drums 2",
            "Drum Kit",
            "drum_kit",
            "Drums(1)",
            "Rock Drums",
            "Ludwig Drum Set",
            "Drum Machine",
            "Drum-Track",
            "Percussion",
            "Perc",
            "Perc.",
            "Schlagzeug",
            "batterie",
            "Batería",
            "Ударные",
            "Kick",
            "Kick & Snare",
            "Hi-Hat",
            "Bass Drum",
            "Drum",
            "Drummer",
            "Drums and Percussion",
            "808 Drums",
            "Orchestral Percussion",
        ] {
            assert!(names_drums(name), "{name}");
        }
    }

    #[test]
    fn pitched_instruments_titles_and_other_names_are_not() {
        for name in [
            "Steel Drums",
            "Steel Drum",
            "Timpani",
            "Drum & Bass synth lead",
            "Drums & Bass",
            "Tuned Percussion",
            "Mallet Percussion",
            "Little Drummer Boy",
            "The Drummer",
            "Drums of Autumn",
            "The Battle Drum",
            "Percussion: Glockenspiel",
            "Drumlin",
            "Conundrum",
            "Percussive Organ",
            "Log Drum",
            "Bass",
            "Rock Bass",
            "Piano",
            "",
            "1",
            "Standard",
            "Humdrum",
            "Tongue Drum",
            "Synth Drum",
            "Bass Drum & Bass",
        ] {
            assert!(!names_drums(name), "{name}");
        }
    }
}
