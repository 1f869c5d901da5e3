//! What is sung: lyric events, and the text events of karaoke files.
//!
//! The MIDI Association's RP-017: a syllable an event, a space at the end of a word. Older files put the space (karaoke: `/` for
//! a line, `\` for a verse) before a word, or a hyphen where it goes on. All three are read, the first is written.

use cantus_score::{Lyric, Ticks};

/// The syllables in the texts of one track, in order of time.
pub(super) fn syllables<'a>(texts: impl IntoIterator<Item = (Ticks, &'a str)>) -> Vec<Lyric> {
    let texts: Vec<(Ticks, &str)> = texts.into_iter().collect();
    let spaces_end = texts.iter().any(|(_, text)| text.ends_with(is_space) && !word(text).is_empty());
    let spaces_begin = texts.iter().enumerate().any(|(k, (_, text))| {
        // A space before the very first word says nothing.
        text.starts_with(['/', '\\']) || k > 0 && text.starts_with(is_space) && !word(text).is_empty()
    });
    let mut lyrics: Vec<Lyric> = Vec::with_capacity(texts.len());
    for (at, text) in texts {
        let syllable = word(text);
        if let Some(last) = lyrics.last_mut().filter(|_| text.starts_with(begins_a_word) || syllable.is_empty()) {
            last.goes_on = false;
        }
        if syllable.is_empty() {
            continue;
        }
        let after = text.trim_end_matches(is_space).ends_with('-');
        let goes_on = after || if spaces_end { !text.ends_with(is_space) } else { spaces_begin };
        lyrics.push(Lyric { at, verse: 1, text: syllable.to_owned(), goes_on });
    }
    if let Some(last) = lyrics.last_mut() {
        last.goes_on = false;
    }
    lyrics
}

/// The texts of the first verse; the others have no place in the format.
pub(super) fn texts(lyrics: &[Lyric]) -> Vec<(Ticks, String)> {
    let mut sung: Vec<&Lyric> =
        lyrics.iter().filter(|lyric| lyric.verse == 1 && !word(&lyric.text).is_empty()).collect();
    sung.sort_by_key(|lyric| lyric.at);
    let last = sung.len().saturating_sub(1);
    let text = |(k, lyric): (usize, &&Lyric)| {
        let end = if lyric.goes_on && k < last { "" } else { " " };
        (lyric.at, format!("{}{end}", word(&lyric.text)))
    };
    sung.iter().enumerate().map(text).collect()
}

/// A text without what stands around it.
fn word(text: &str) -> &str {
    text.trim_start_matches(|c| is_space(c) || begins_a_word(c)).trim_end_matches(|c| is_space(c) || c == '-')
}

fn is_space(c: char) -> bool {
    c.is_whitespace() || c.is_control()
}

fn begins_a_word(c: char) -> bool {
    matches!(c, '/' | '\\') || is_space(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(texts: &[&str]) -> Vec<(String, bool)> {
        let lyrics = syllables(texts.iter().zip(0..).map(|(text, at)| (Ticks(at), *text)));
        lyrics.into_iter().map(|lyric| (lyric.text, lyric.goes_on)).collect()
    }

    #[test]
    fn all_conventions_say_the_same() {
        let expected = [("Hap", true), ("py", false), ("birth", true), ("day", false), ("to", false)];
        let expected = expected.map(|(text, goes_on)| (text.to_owned(), goes_on));
        assert_eq!(read(&["Hap", "py ", "birth", "day ", "to "]), expected);
        assert_eq!(read(&["Hap", "py", " birth", "day", " to"]), expected);
        assert_eq!(read(&["\\Hap", "py", "/birth", "day", " to"]), expected);
        assert_eq!(read(&["Hap-", "py", "birth-", "day", "to"]), expected);
        assert_eq!(read(&["Hap-", "py ", "birth-", "day\r", "\n", "to"]), expected);
    }

    #[test]
    fn what_is_written_is_read() {
        let lyric = |at, text: &str, goes_on| Lyric { at: Ticks(at), verse: 1, text: text.to_owned(), goes_on };
        let sung = [lyric(0, "a", true), lyric(4, "men", false), lyric(8, "so", true), lyric(9, "-", false)];
        let texts = texts(&sung);
        let again = syllables(texts.iter().map(|(at, text)| (*at, text.as_str())));
        assert_eq!(again, [lyric(0, "a", true), lyric(4, "men", false), lyric(8, "so", false)]);
    }
}
