//! How syllables of Latin, English and German are spoken when they are sung: a small table for each, for vowels first of all.
//!
//! Latin is the Italian one of most choirs. English is what a choir sings, not what one says: no r after a vowel, and vowels that are
//! rounder than in speech.

use super::consonants::Consonant::{self, B, Ch, D, Dh, F, G, H, K, L, M, N, P, R, S, Sh, T, Th, V, W, Y, Z};
use super::formants::Shape::{self, Ae, Ah, Aw, Ee, Eh, Oe, Oh, Oo, OpenE, Schwa, ShortI, Ue, Uh};

/// A language that is sung.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// The vowels are what they are called; the choice where words say nothing else.
    Latin,
    English,
    German,
}

/// Words that tell a language from the other two.
const ENGLISH: &[&str] = &[
    "the", "and", "of", "to", "my", "thy", "is", "we", "our", "with", "for", "thee", "thou", "god", "lord", "all",
    "you", "that", "he", "his", "be", "love", "on", "your", "shall", "let", "who", "are", "this", "heaven",
];
const GERMAN: &[&str] = &[
    "der", "die", "das", "und", "ist", "ich", "du", "wir", "uns", "mein", "dein", "sein", "nicht", "gott", "herr",
    "zu", "den", "dem", "ein", "mit", "auf", "von", "sich", "wie", "was", "mir", "dir", "o", "er", "es", "dich",
    "mich",
];
const LATIN: &[&str] = &[
    "et", "deus", "dei", "domine", "dominus", "kyrie", "eleison", "christe", "gloria", "sanctus", "agnus", "qui",
    "quae", "nobis", "tu", "te", "tua", "ave", "maria", "non", "est", "ad", "cum", "pacem", "nos", "noster", "pater",
    "sicut", "ora", "pro",
];

impl Language {
    /// That of words in small letters.
    pub fn of<'a>(words: impl Iterator<Item = &'a str>) -> Language {
        let mut counts = [0; 3];
        for word in words {
            for (count, known) in counts.iter_mut().zip([LATIN, ENGLISH, GERMAN]) {
                *count += usize::from(known.contains(&word));
            }
        }
        let [latin, english, german] = counts;
        match () {
            () if english > latin && english >= german => Language::English,
            () if german > latin && german > english => Language::German,
            () => Language::Latin,
        }
    }

    /// The shapes of a group of vowels between its consonants, one or two of them. `ends` says that nothing of the word follows.
    pub fn vowels(self, before: &str, group: &str, after: &str, ends: bool) -> Vec<Shape> {
        match self {
            Language::Latin => latin(group),
            Language::English => english(before, group, after, ends),
            Language::German => german(group, after),
        }
    }

    /// How consonants are spoken before the vowels that follow (nothing where none does).
    pub fn consonants(self, letters: &str, vowels: &str) -> Vec<Consonant> {
        let mut spoken = Vec::new();
        let mut left = letters;
        while let Some(letter) = left.chars().next() {
            let next = &left[letter.len_utf8()..];
            let following = if next.is_empty() { vowels } else { next };
            let found = self.pair(left, spoken.is_empty(), vowels).or_else(|| self.triple(left));
            let (length, consonants): (usize, &[Consonant]) =
                found.unwrap_or_else(|| (letter.len_utf8(), self.one(letter, following, vowels)));
            for consonant in consonants {
                // Doubled letters are one sound.
                if spoken.last() != Some(consonant) {
                    spoken.push(*consonant);
                }
            }
            left = &left[length..];
        }
        spoken
    }

    fn triple(self, letters: &str) -> Option<(usize, &'static [Consonant])> {
        (letters.starts_with("tch")).then_some((3, &[T, Sh][..]))
    }

    /// Letters that are one sound together.
    fn pair(self, letters: &str, first: bool, vowels: &str) -> Option<(usize, &'static [Consonant])> {
        use Language::{English, German, Latin};
        if letters.starts_with("sch") && self == German {
            return Some((3, &[Sh]));
        }
        let two = letters.get(..2)?;
        let begins = first && !vowels.is_empty();
        let found: &[Consonant] = match (two, self) {
            ("sh", _) => &[Sh],
            ("ch", English) => &[T, Sh],
            ("ch", German) => &[Ch],
            ("ch", Latin) => &[K],
            ("th", English) if begins => &[Dh],
            ("th", English) => &[Th],
            ("th", _) => &[T],
            ("ph", _) => &[F],
            ("ck", _) => &[K],
            ("rh", _) => &[R],
            ("wh", English) => &[W],
            ("wr", English) if begins => &[R],
            ("kn", English) if begins => &[N],
            ("gh", English) => &[],
            ("gn", English) => &[N],
            ("gn", Latin) => &[N, Y],
            ("mb", English) if !begins => &[M],
            ("dg", English) => &[D, Z],
            ("qu", German) => &[K, V],
            ("qu", _) => &[K, W],
            ("gu", Latin) if vowels.len() > 1 => &[G, W],
            ("ng", English | German) if !begins => &[N],
            ("sc", Latin) if is_front(vowels) => &[Sh],
            ("st", German) if begins => &[Sh, T],
            ("sp", German) if begins => &[Sh, P],
            ("tz", _) => &[T, S],
            ("dt", German) => &[T],
            _ => return None,
        };
        Some((2, found))
    }

    fn one(self, letter: char, following: &str, vowels: &str) -> &'static [Consonant] {
        use Language::{English, German, Latin};
        let front = is_front(following);
        match (letter, self) {
            ('b', German) if vowels.is_empty() => &[P],
            ('d', German) if vowels.is_empty() => &[T],
            ('b', _) => &[B],
            ('d', _) => &[D],
            ('c', Latin) if front => &[T, Sh],
            ('c', English) if front => &[S],
            ('c', German) if front => &[T, S],
            ('c' | 'k' | 'q', _) => &[K],
            ('f', _) => &[F],
            ('g', Latin) if front => &[D, Z],
            ('g', German) if vowels.is_empty() => &[K],
            ('g', _) => &[G],
            ('h', Latin) => &[],
            // Behind a vowel it makes that long.
            ('h', _) if following.is_empty() || following.starts_with(|c| !is_vowel(c)) => &[],
            ('h', _) => &[H],
            ('j', English) => &[D, Z],
            ('i' | 'j', _) => &[Y],
            ('l', _) => &[L],
            ('m', _) => &[M],
            ('n', _) => &[N],
            ('p', _) => &[P],
            ('r', English | German) if vowels.is_empty() => &[],
            ('r', _) => &[R],
            ('s', German) if following.starts_with(is_vowel) => &[Z],
            ('s' | 'ß', _) => &[S],
            ('t', _) => &[T],
            ('v', German) => &[F],
            ('v', _) => &[V],
            ('w', German) => &[V],
            ('w', _) if vowels.is_empty() => &[],
            ('w', _) => &[W],
            ('x', _) => &[K, S],
            ('y', _) => &[Y],
            ('z', German) => &[T, S],
            ('z', Latin) => &[D, Z],
            ('z', _) => &[Z],
            _ => &[],
        }
    }
}

/// Whether a letter is a vowel's.
pub fn is_vowel(letter: char) -> bool {
    "aeiouyäöü".contains(letter)
}

fn is_front(vowels: &str) -> bool {
    vowels.starts_with(['e', 'i', 'y', 'ä', 'ö', 'ü']) || ["ae", "oe"].contains(&vowels)
}

fn latin(group: &str) -> Vec<Shape> {
    let one = |letter: char| match letter {
        'a' => Ah,
        'e' | 'ä' | 'ö' => Eh,
        'o' => Oh,
        'u' => Oo,
        'ü' => Ue,
        _ => Ee,
    };
    match group {
        "ae" | "oe" => vec![Eh],
        // What is written with one letter twice is one vowel.
        "aa" | "ee" | "ii" | "oo" | "uu" => group.chars().take(1).map(one).collect(),
        _ => group.chars().map(one).collect(),
    }
}

fn german(group: &str, after: &str) -> Vec<Shape> {
    let is_open = after.is_empty() || after.starts_with('h') || after == "ß";
    match group {
        "ei" | "ai" | "ey" | "ay" => vec![Ah, Ee],
        "au" => vec![Ah, Oo],
        "eu" | "äu" => vec![Aw, Ee],
        "a" | "aa" => vec![Ah],
        "ee" => vec![Eh],
        "e" if is_open => vec![Eh],
        "e" if matches!(after, "n" | "l" | "r") => vec![OpenE],
        "e" | "ä" => vec![OpenE],
        "ie" => vec![Ee],
        "i" if is_open => vec![Ee],
        "i" => vec![ShortI],
        "o" if !is_open && after.len() > 1 => vec![Aw],
        "o" | "oo" => vec![Oh],
        "u" | "uu" => vec![Oo],
        "ö" | "oe" => vec![Oe],
        "ü" | "ue" | "y" => vec![Ue],
        _ => latin(group),
    }
}

/// Words, and syllables of words, that the rules of English would get wrong.
const EXCEPTIONS: &[(&[&str], &[Shape])] = &[
    (&["the", "a"], &[Schwa]),
    (&["to", "do", "who", "whom", "whose", "two", "you", "through", "move", "lose", "tomb", "womb"], &[Oo]),
    (&["good", "would", "could", "should", "look", "took", "foot", "stood", "book", "full", "put", "push"], &[Oo]),
    (
        &[
            "of", "love", "loves", "loved", "come", "comes", "some", "son", "sons", "one", "won", "done", "none",
            "doth", "does", "blood", "bove", "tongue", "young", "touch", "noth", "moth", "broth", "cov", "glov", "lov",
        ],
        &[Uh],
    ),
    (&["word", "words", "work", "works", "world", "worth", "earth", "heard", "search"], &[Schwa]),
    (&["heart", "hearts", "are", "fa", "al", "hal"], &[Ah]),
    (&["great", "break", "they", "obey"], &[Eh, Ee]),
    (
        &[
            "head", "heav", "heavn", "heaven", "bread", "death", "dead", "breath", "read", "health", "said", "pleas",
            "treas", "gain", "there", "where", "their", "bear", "wear", "friend", "friends", "spread",
        ],
        &[OpenE],
    ),
    (
        &[
            "what", "was", "want", "watch", "wash", "shall", "wa", "war", "ward", "warm", "your", "pour", "four",
            "door", "thought", "brought", "sought", "bought", "wrought", "walk", "talk",
        ],
        &[Aw],
    ),
    (&["have", "has", "had", "shalt", "hast", "hath"], &[Ae]),
    (&["give", "gives", "live", "lives", "liv", "giv", "been", "build", "wind"], &[ShortI]),
    (
        &[
            "know", "knows", "known", "show", "shown", "low", "flow", "flows", "blow", "snow", "grow", "own", "row",
            "though", "soul", "souls", "most", "both", "host", "hosts", "ghost", "old", "cold", "gold", "fold", "hold",
            "bold", "told", "roll",
        ],
        &[Oh],
    ),
    (
        &[
            "eye", "eyes", "i", "thy", "my", "by", "high", "nigh", "sign", "find", "kind", "mind", "blind", "child",
            "mild", "wild", "christ", "cry", "sky", "why", "fly", "try",
        ],
        &[Ah, Ee],
    ),
    (&["key", "keys", "peo", "people"], &[Ee]),
];

fn english(before: &str, group: &str, after: &str, ends: bool) -> Vec<Shape> {
    let whole = format!("{before}{group}{after}");
    if let Some((_, shapes)) = EXCEPTIONS.iter().find(|(words, _)| words.contains(&whole.as_str())) {
        return shapes.to_vec();
    }
    // "shine": the e is silent and makes the vowel before it long.
    let stem = ["es", "ed", "e"].iter().find_map(|end| after.strip_suffix(end));
    let is_long = ends && stem.is_some_and(|stem| !stem.is_empty() && !stem.contains(is_vowel) && stem.len() <= 2);
    let is_open = after.is_empty();
    let shapes: &[Shape] = match group {
        "ee" | "ea" | "ie" | "ei" | "ey" | "eo" => &[Ee],
        "ai" | "ay" => &[Eh, Ee],
        "oa" | "oe" => &[Oh],
        "oo" | "ui" | "ue" | "eu" => &[Oo],
        "ou" => &[Ah, Oo],
        "au" => &[Aw],
        "oi" | "oy" => &[Aw, Ee],
        "ia" | "ya" => &[Ee, Ah],
        "io" => &[Ee, Schwa],
        "a" if after.starts_with('w') => &[Aw],
        "o" if after.starts_with('w') => &[Ah, Oo],
        "e" if after.starts_with('w') => &[Oo],
        "i" if after.starts_with("gh") => &[Ah, Ee],
        "a" if is_long => &[Eh, Ee],
        "e" if is_long => &[Ee],
        "i" | "y" if is_long => &[Ah, Ee],
        "o" if is_long => &[Oh],
        "u" if is_long => &[Oo],
        "a" if after.starts_with("ll") || after.starts_with("lt") => &[Aw],
        "a" if is_open || after.starts_with('r') || after.starts_with('h') => &[Ah],
        "a" => &[Ae],
        "e" if is_open => &[Ee],
        "e" if after.starts_with('r') => &[Schwa],
        "e" => &[OpenE],
        "i" if after.starts_with('r') => &[Schwa],
        "i" => &[ShortI],
        "o" if is_open => &[Oh],
        "o" => &[Aw],
        "u" if is_open => &[Oo],
        "u" if after.starts_with('r') => &[Schwa],
        "u" => &[Uh],
        "y" if is_open => &[Ee],
        "y" => &[ShortI],
        _ => return latin(group),
    };
    shapes.to_vec()
}
