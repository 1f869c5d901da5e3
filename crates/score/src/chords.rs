//! Chord symbols as text.

/// The names of the pitch classes from C on, with sharps and with flats.
const SHARPS: [&str; 12] = ["C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"];
const FLATS: [&str; 12] = ["C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B"];

/// The symbol of the same chord moved by `semitones`: root and bass move, the rest stays. What has no root (`N.C.`) stays whole.
pub(crate) fn transposed(symbol: &str, semitones: i32, flats: bool) -> String {
    let names = if flats { &FLATS } else { &SHARPS };
    let moved = |text: &str| {
        let (class, rest) = root(text)?;
        let class = (class + semitones).rem_euclid(12);
        Some(format!("{}{rest}", names[class as usize]))
    };
    match symbol.rsplit_once('/') {
        // `C6/9` has a slash, and no bass.
        Some((chord, bass)) if root(bass).is_some() => {
            let chord = moved(chord).unwrap_or_else(|| chord.to_owned());
            format!("{chord}/{}", moved(bass).unwrap_or_else(|| bass.to_owned()))
        }
        _ => moved(symbol).unwrap_or_else(|| symbol.to_owned()),
    }
}

/// The pitch class that `text` begins with, and what follows its name.
fn root(text: &str) -> Option<(i32, &str)> {
    let mut letters = text.chars();
    let natural = match letters.next()? {
        'C' => 0,
        'D' => 2,
        'E' => 4,
        'F' => 5,
        'G' => 7,
        'A' => 9,
        'B' => 11,
        _ => return None,
    };
    let rest = letters.as_str();
    let kind = rest.trim_start_matches(['#', 'b']);
    let accidentals = &rest[..rest.len() - kind.len()];
    let alter: i32 = accidentals.chars().map(|sign| if sign == '#' { 1 } else { -1 }).sum();
    Some((natural + alter, kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_and_basses_move_and_the_rest_stays() {
        assert_eq!(transposed("Am7", 2, false), "Bm7");
        assert_eq!(transposed("F#/A#", -1, false), "F/A");
        assert_eq!(transposed("Bbmaj7/D", 1, false), "Bmaj7/D#");
        assert_eq!(transposed("Cmaj7", 3, true), "Ebmaj7");
        assert_eq!(transposed("C6/9", 2, false), "D6/9");
        assert_eq!(transposed("N.C.", 2, false), "N.C.");
    }
}
