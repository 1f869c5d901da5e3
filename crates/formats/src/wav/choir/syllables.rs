//! Syllables: what is written under a note becomes consonants and vowels.

use super::consonants::Consonant;
use super::formants::Shape;
use super::spelling::{Language, is_vowel};

/// A syllable as it is sung.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Syllable {
    pub onset: Vec<Consonant>,
    /// One vowel, or two of which the second comes late.
    pub vowels: Vec<Shape>,
    pub coda: Vec<Consonant>,
    /// Whether a comma or a stop follows, where singers breathe.
    pub breathes: bool,
}

/// More consonants than this nobody sings in a row.
const CONSONANTS: usize = 4;

impl Syllable {
    /// What is sung where there are no words, or none that we can read.
    pub fn ah() -> Syllable {
        Syllable { onset: Vec::new(), vowels: vec![Shape::Ah], coda: Vec::new(), breathes: false }
    }

    /// A syllable of a language; `ends` where its word ends with it. What has no vowel becomes "ah".
    pub fn of(text: &str, language: Language, ends: bool) -> Syllable {
        let words: Vec<String> = words(text);
        let mut sung = words.iter().filter_map(|word| Syllable::of_word(word, language, ends));
        let Some(mut first) = sung.next() else { return Syllable::ah() };
        // Two words on one note ("the e-"): both vowels are heard.
        if let Some(last) = sung.next_back() {
            first.vowels.truncate(1);
            first.vowels.extend(last.vowels.first());
            first.coda = last.coda;
        }
        first.vowels.truncate(2);
        first.onset.truncate(CONSONANTS);
        first.coda.truncate(CONSONANTS);
        first.breathes = text.trim_end_matches(|c| "\"'”’»)".contains(c)).ends_with([',', ';', ':', '.', '!', '?']);
        first
    }

    fn of_word(word: &str, language: Language, ends: bool) -> Option<Syllable> {
        let (before, rest) = word.split_at(onset_length(word, language));
        let (group, after) = rest.split_at(rest.find(|c| !is_vowel(c)).unwrap_or(rest.len()));
        if group.is_empty() {
            return None;
        }
        let mut vowels = language.vowels(before, group, after, ends);
        let onset = language.consonants(before, group);
        let is_silent = |tail: &str| language == Language::English && ["e", "es", "ed"].contains(&tail);
        // What stands behind the first consonants after the vowels: nothing, a silent e, or another syllable on the same note.
        let coda = match after.find(is_vowel) {
            None => after,
            Some(at) if is_silent(&after[at..]) => &after[..at],
            Some(at) => {
                let (more, end) = after[at..].split_at(after[at..].find(|c| !is_vowel(c)).unwrap_or(after.len() - at));
                vowels.truncate(1);
                vowels.extend(language.vowels("", more, end, ends).first());
                end
            }
        };
        let coda = language.consonants(coda.trim_end_matches(is_vowel), "");
        Some(Syllable { onset, vowels, coda, breathes: false })
    }
}

/// The words of a text, in small letters, without anything but letters; accents and ligatures are taken apart.
pub fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for letter in text.chars().flat_map(char::to_lowercase) {
        let Some(word) = words.last_mut() else { break };
        match letter {
            'a'..='z' | 'ä' | 'ö' | 'ü' | 'ß' => word.push(letter),
            'á' | 'à' | 'â' | 'ã' | 'å' | 'ā' => word.push('a'),
            'é' | 'è' | 'ê' | 'ë' | 'ē' => word.push('e'),
            'í' | 'ì' | 'î' | 'ï' | 'ī' => word.push('i'),
            'ó' | 'ò' | 'ô' | 'õ' | 'ō' => word.push('o'),
            'ú' | 'ù' | 'û' | 'ū' => word.push('u'),
            'ý' | 'ÿ' => word.push('y'),
            'ç' => word.push('c'),
            'ñ' => word.push('n'),
            'æ' => word.push_str("ae"),
            'œ' => word.push_str("oe"),
            // "o'er" and "heav'n" are one word.
            '\'' | '’' | '‘' => {}
            _ if word.is_empty() => {}
            _ => words.push(String::new()),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// How many bytes of a word are consonants that it begins with: y and i count to them before a vowel, u after q.
fn onset_length(word: &str, language: Language) -> usize {
    let letters: Vec<(usize, char)> = word.char_indices().collect();
    let mut end = 0;
    for (k, &(at, letter)) in letters.iter().enumerate() {
        let before_vowel = letters.get(k + 1).is_some_and(|(_, next)| is_vowel(*next));
        let glides = match letter {
            'y' => k == 0 && before_vowel,
            'i' => k == 0 && before_vowel && language == Language::Latin,
            'u' => k > 0 && letters[k - 1].1 == 'q' && before_vowel,
            _ => false,
        };
        if is_vowel(letter) && !glides {
            break;
        }
        end = at + letter.len_utf8();
    }
    end
}

#[cfg(test)]
mod tests {
    use super::super::consonants::Consonant::*;
    use super::super::formants::Shape::*;
    use super::Language::{English, German, Latin};
    use super::*;

    fn sung(text: &str, language: Language) -> Syllable {
        Syllable::of(text, language, true)
    }

    /// A word, and the consonants before its vowels, these, and the consonants after them.
    type Sung<'a> = (&'a str, &'a [Consonant], &'a [Shape], &'a [Consonant]);

    fn check(language: Language, expected: &[Sung<'_>]) {
        for (text, onset, vowels, coda) in expected {
            let Syllable { onset: first, vowels: middle, coda: last, .. } = sung(text, language);
            assert_eq!((&*first, &*middle, &*last), (*onset, *vowels, *coda), "{text}");
        }
    }

    #[test]
    fn latin_is_sung_as_it_is_written() {
        check(
            Latin,
            &[
                ("Ky", &[K], &[Ee], &[]),
                ("San", &[S], &[Ah], &[N]),
                ("ctus", &[K, T], &[Oo], &[S]),
                ("cae", &[T, Sh], &[Eh], &[]),
                ("qui", &[K, W], &[Ee], &[]),
                ("Ie", &[Y], &[Eh], &[]),
                ("gnus", &[N, Y], &[Oo], &[S]),
                ("œ", &[], &[Eh], &[]),
                ("lau", &[L], &[Ah, Oo], &[]),
                ("mi", &[M], &[Ee], &[]),
            ],
        );
    }

    #[test]
    fn english_follows_its_rules_and_its_exceptions() {
        check(
            English,
            &[
                ("shine", &[Sh], &[Ah, Ee], &[N]),
                ("love", &[L], &[Uh], &[V]),
                ("Lord,", &[L], &[Aw], &[D]),
                ("heart;", &[H], &[Ah], &[T]),
                ("light", &[L], &[Ah, Ee], &[T]),
                ("1. Be", &[B], &[Ee], &[]),
                ("Thou", &[Dh], &[Ah, Oo], &[]),
                ("praise", &[P, R], &[Eh, Ee], &[S]),
                ("heav'n", &[H], &[OpenE], &[V, N]),
                ("ho", &[H], &[Oh], &[]),
                ("King", &[K], &[ShortI], &[N]),
                ("through", &[Dh, R], &[Oo], &[]),
                ("the o", &[Dh], &[Schwa, Oh], &[]),
            ],
        );
    }

    #[test]
    fn german_hisses_where_it_does() {
        check(
            German,
            &[
                ("Stein", &[Sh, T], &[Ah, Ee], &[N]),
                ("Sohn", &[Z], &[Oh], &[N]),
                ("Freu", &[F, R], &[Aw, Ee], &[]),
                ("Gott", &[G], &[Aw], &[T]),
                ("schö", &[Sh], &[Oe], &[]),
                ("ich", &[], &[ShortI], &[Ch]),
                ("wir", &[V], &[ShortI], &[]),
                ("Zion", &[T, S], &[Ee, Oh], &[N]),
                ("Süß", &[Z], &[Ue], &[S]),
            ],
        );
    }

    #[test]
    fn what_cannot_be_read_is_sung_as_ah() {
        for text in ["", " ", "♪", "123", "…", "神", "th", "-", "'", "\u{0}", "шум"] {
            for language in [Latin, English, German] {
                assert_eq!(sung(text, language), Syllable::ah(), "{text:?}");
            }
        }
        // However long a text is, and whatever is in it.
        let long: String = "strengthsäßœçqu".repeat(999);
        let syllable = sung(&long, English);
        assert!(syllable.onset.len() <= CONSONANTS && syllable.vowels.len() <= 2 && syllable.coda.len() <= CONSONANTS);
    }

    #[test]
    fn stops_say_where_to_breathe() {
        let breathes =
            ["heart;", "Lord,", "“men.”", "what?", "1. Be", "o", "Al-"].map(|text| sung(text, English).breathes);
        assert_eq!(breathes, [true, true, true, true, false, false, false]);
    }

    #[test]
    fn languages_are_told_by_their_small_words() {
        let of = |text: &str| Language::of(words(text).iter().map(String::as_str));
        assert_eq!(of("Be Thou my vision, O Lord of my heart"), English);
        assert_eq!(of("Wer nur den lieben Gott lässt walten und hoffet auf ihn"), German);
        assert_eq!(of("Kyrie eleison, Christe eleison"), Latin);
        assert_eq!(of("la la la"), Latin);
    }
}
