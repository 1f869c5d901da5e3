//! Drums by the names of instruments, where a document gives no key (`midi-unpitched`).

use cantus_score::Pitch;

/// Keys of General MIDI's percussion map, with the words of their names that tell them apart. Source: MIDI Manufacturers
/// Association, "General MIDI 1 Percussion Key Map". Of several whose words a name has, that with the most is meant; of equals the first.
#[rustfmt::skip]
const NAMES: [(u8, &str); 65] = [
    (35, "acoustic bass drum"), (36, "bass drum"), (36, "kick"), (37, "side stick"), (37, "cross stick"), (37, "rim"),
    (37, "rimshot"), (38, "snare"), (39, "clap"), (40, "electric snare"), (41, "floor tom"), (41, "low floor tom"),
    (43, "high floor tom"), (45, "low tom"), (47, "tom"), (47, "mid tom"), (47, "low mid tom"), (48, "hi mid tom"),
    (48, "high mid tom"), (50, "high tom"), (50, "hi tom"), (42, "hi hat"), (42, "hihat"), (44, "pedal hi hat"),
    (44, "pedal hihat"), (44, "foot hi hat"), (46, "open hi hat"), (46, "open hihat"), (49, "crash"), (57, "crash 2"),
    (51, "ride"), (53, "ride bell"), (59, "ride 2"), (52, "china"), (52, "chinese cymbal"), (55, "splash"),
    (54, "tambourine"), (56, "cowbell"), (58, "vibraslap"), (60, "bongo"), (60, "bongos"), (61, "low bongo"),
    (63, "conga"), (63, "congas"), (62, "mute conga"), (64, "low conga"), (65, "timbale"), (65, "timbales"),
    (66, "low timbale"), (67, "agogo"), (68, "low agogo"), (69, "cabasa"), (70, "maracas"), (70, "shaker"),
    (72, "whistle"), (71, "short whistle"), (73, "guiro"), (74, "long guiro"), (75, "claves"), (76, "wood block"),
    (76, "woodblock"), (77, "low wood block"), (79, "cuica"), (80, "mute triangle"), (81, "triangle"),
];

/// The drum that an instrument of this name is, if it is one.
pub fn drum_named(name: &str) -> Option<Pitch> {
    let name = name.to_lowercase();
    let words: Vec<&str> = name.split(|c: char| !c.is_alphanumeric()).collect();
    let fits = |(_, drum): &&(u8, &str)| drum.split(' ').all(|word| words.contains(&word));
    let count = |(_, drum): &&(u8, &str)| std::cmp::Reverse(drum.split(' ').count());
    let (key, _) = NAMES.iter().filter(fits).min_by_key(count)?;
    Pitch::try_from(*key).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_telling_name_counts() {
        let key = |name| drum_named(name).map(Pitch::get);
        let found =
            ["Bass Drum 1", "Acoustic Bass Drum", "Concert Bass Drum", "Snare Drum", "Open Hi-Hat", "Hi-hat (closed)"];
        assert_eq!(found.map(key), [36, 35, 36, 38, 46, 42].map(Some));
        assert_eq!(
            ["Crash Cymbal 2", "TRIANGLE", "Low Wood Block", "Electric Snare"].map(key),
            [57, 81, 77, 40].map(Some)
        );
        assert_eq!(["Drumset", "Percussion", "", "Bassoon"].map(key), [None; 4]);
    }
}
