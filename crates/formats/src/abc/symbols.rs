//! What stands in quotes and between exclamation marks (standard 2.1, sections 4.14, 4.18 and 4.19).

use super::error::Name;
use super::tune::{Sign, Tune};
use super::{Oddity, jumps};

/// A decoration's name: a jump and a fermata are kept, what is not known is warned of.
pub fn decoration(tune: &mut Tune, name: &str) {
    if let Some(sign) = jumps::decoration(name) {
        tune.sign(sign);
        return;
    }
    if ["fermata", "invertedfermata"].contains(&name) {
        tune.voice().fermata = true;
        return;
    }
    if sounds(name) && !tune.decorations.contains(name) {
        tune.warn(Oddity::Decoration(Name::new(name)));
    }
}

/// Whether a decoration that is no jump may change pitches, rhythm or the order of playing: octave lines, tremolos, unknown ways to say
/// a jump. Trills and the like are left to the player, dynamics concern loudness only, and other names are for the eye.
fn sounds(name: &str) -> bool {
    let lower = name.to_lowercase();
    let begins = ["8v", "15m", "15v", "22m", "/", "trem"].iter().any(|begin| lower.starts_with(begin));
    begins || ["coda", "segno", "capo", "d.c", "d.s", "fine"].iter().any(|word| lower.contains(word))
}

/// A single letter: what `U:` says of it, or else the standard (section 4.16); those that matter here are coda, segno and fermata.
pub fn letter(tune: &mut Tune, letter: char) {
    match tune.symbols.get(&letter).cloned() {
        Some(name) => decoration(tune, &name),
        None if letter == 'O' => tune.sign(Sign::Coda),
        None if letter == 'S' => tune.sign(Sign::Segno),
        None if letter == 'H' => tune.voice().fermata = true,
        None => {}
    }
}

/// Text in quotes: a chord symbol is kept, and so is a jump; other words are for the eye.
pub fn quoted(tune: &mut Tune, text: &str) {
    let plain = text.trim_start_matches(['^', '_', '<', '>', '@']);
    if plain.len() == text.len() && is_chord(text.trim()) {
        let symbol = text.trim().to_owned();
        tune.voice().symbols.push(symbol);
    } else if let Some(sign) = jumps::annotation(plain) {
        tune.sign(sign);
    }
}

/// Whether `text` is a chord symbol: a root, what kind of chord, perhaps a bass. `Fine` and `Coda` are none.
pub fn is_chord(text: &str) -> bool {
    const KINDS: [&str; 20] = [
        "maj", "min", "dim", "aug", "sus", "add", "omit", "alt", "no", "m", "M", "-", "+", "°", "o", "ø", "Δ", "j",
        "^", "*",
    ];
    if ["N.C.", "N.C", "NC"].contains(&text) {
        return true;
    }
    let is_root = |c: char| matches!(c, 'A'..='G');
    let mut rest = match text.strip_prefix(is_root) {
        Some(rest) if text.len() <= 32 => rest,
        _ => return false,
    };
    while !rest.is_empty() {
        let bass =
            rest.strip_prefix('/').and_then(|bass| bass.strip_prefix(|c: char| is_root(c) || c.is_ascii_digit()));
        let sign = rest.strip_prefix(|c: char| c.is_ascii_digit() || "#b♯♭(),".contains(c));
        match bass.or(sign).or_else(|| KINDS.iter().find_map(|kind| rest.strip_prefix(kind))) {
            Some(after) => rest = after,
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chords_are_told_from_words() {
        for chord in [
            "C", "Am7", "F#m7b5", "Bbmaj7", "Gsus4", "D/F#", "C6/9", "E7(#9)", "Cdim", "A+", "Bm7-5", "N.C.", "G7/B",
            "C°", "Dadd9",
        ] {
            assert!(is_chord(chord), "{chord}");
        }
        for words in [
            "Fine", "Coda", "D.C.", "Da Capo", "Allegro", "Chorus", "Bridge", "Andante", "a", "4", "", "D.S.", "Cresc",
            "/C", "f#",
        ] {
            assert!(!is_chord(words), "{words}");
        }
    }
}
