//! Which syllable is sung when.

use super::spelling::Language;
use super::syllables::{Syllable, words};
use cantus_score::{Lyric, Part, Score, Ticks};

/// The words of a score.
pub struct Words {
    /// Of each part: what is sung from when on.
    parts: Vec<Vec<(Ticks, Syllable)>>,
    /// The part whose words those without any of their own sing, too.
    lent: Option<usize>,
}

impl Words {
    /// The verse that is sung is the first, and at the second time through a repeat the second, where there is one.
    pub fn of(score: &Score) -> Words {
        let sung: Vec<Vec<&Lyric>> = score.parts.iter().map(|part| verse(score, part)).collect();
        let whole = joined(sung.iter().flatten().copied());
        let language = Language::of(whole.iter().map(String::as_str));
        let syllables = |lyrics: &Vec<&Lyric>| {
            lyrics.iter().map(|lyric| (lyric.at, Syllable::of(&lyric.text, language, !lyric.goes_on))).collect()
        };
        let parts: Vec<Vec<_>> = sung.iter().map(syllables).collect();
        // The first of those that have the most.
        let lent = (0..parts.len()).rev().max_by_key(|part| parts[*part].len()).filter(|part| !parts[*part].is_empty());
        Words { parts, lent }
    }

    /// What a part sings: its own words, or else those of the part that has the most; nothing where there are none.
    pub fn of_part(&self, part: usize) -> &[(Ticks, Syllable)] {
        match (self.parts.get(part), self.lent) {
            (Some(own), _) if !own.is_empty() => own,
            (_, Some(lent)) => &self.parts[lent],
            _ => &[],
        }
    }
}

/// One syllable for each moment.
fn verse<'a>(score: &Score, part: &'a Part) -> Vec<&'a Lyric> {
    if part.drums {
        return Vec::new();
    }
    let mut lyrics: Vec<&Lyric> = part.lyrics.iter().collect();
    lyrics.sort_by_key(|lyric| (lyric.at, lyric.verse));
    let at_once = lyrics.chunk_by(|a, b| a.at == b.at);
    let chosen = at_once.filter_map(|verses| {
        let repeat = score.repeats.iter().find(|repeat| repeat.start() <= verses[0].at && verses[0].at < repeat.end);
        let time = repeat.map_or(1, |repeat| repeat.passes.iter().filter(|pass| pass.start <= verses[0].at).count());
        let fits = verses.iter().find(|lyric| usize::from(lyric.verse) == time);
        fits.or(verses.first()).copied()
    });
    chosen.collect()
}

/// Whole words, in small letters.
fn joined<'a>(lyrics: impl Iterator<Item = &'a Lyric>) -> Vec<String> {
    let mut text = String::new();
    for lyric in lyrics {
        text.push_str(&lyric.text);
        if !lyric.goes_on {
            text.push(' ');
        }
    }
    words(&text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cantus_score::{Pass, Repeat, TicksPerQuarter};

    fn lyric(at: u64, verse: u8, text: &str) -> Lyric {
        Lyric { at: Ticks(at), verse, text: text.to_owned(), goes_on: false }
    }

    #[test]
    fn parts_without_words_sing_those_of_another() {
        let mut score = Score::new(TicksPerQuarter::DEFAULT);
        let part = |lyrics| Part { lyrics, ..Part::default() };
        score.parts =
            vec![part(vec![]), part(vec![lyric(0, 1, "the"), lyric(4, 1, "Lord")]), part(vec![lyric(8, 1, "my")])];
        let words = Words::of(&score);
        assert_eq!(words.of_part(0), words.of_part(1));
        assert_eq!(words.of_part(0).len(), 2);
        assert_eq!(words.of_part(2), [(Ticks(8), Syllable::of("my", Language::English, true))]);
        score.parts.iter_mut().for_each(|part| part.lyrics.clear());
        assert!(Words::of(&score).of_part(1).is_empty());
    }

    #[test]
    fn the_second_time_has_the_second_verse() {
        let mut score = Score::new(TicksPerQuarter::DEFAULT);
        let both = |at| [lyric(at, 1, "mi"), lyric(at, 2, "do")];
        score.parts.push(Part { lyrics: [both(0), both(8), both(16)].concat(), ..Part::default() });
        let pass = |start| Pass { start: Ticks(start), ending: Ticks(start + 8) };
        score.repeats.push(Repeat { passes: vec![pass(0), pass(8)], end: Ticks(16) });
        let words = Words::of(&score);
        let vowels: Vec<_> = words.of_part(0).iter().map(|(_, syllable)| syllable.vowels[0]).collect();
        let [mi, other] = ["mi", "do"].map(|text| Syllable::of(text, Language::Latin, true).vowels[0]);
        assert_eq!(vowels, [mi, other, mi]);
    }
}
