//! Rust source as the checks see it: comments apart from code, strings apart from both, tests apart from the program.
//!
//! This is a scanner, not a parser: it knows where comments, strings and characters begin and end, which is enough to
//! look for words without being fooled by them.

/// A source file taken apart. All texts have the same lines as the file, so that a place in one is a place in all.
#[derive(Debug)]
pub struct Source {
    /// The code: comments and the contents of strings are blank.
    pub code: String,
    /// The same without what is compiled for tests only.
    pub program: String,
    /// The strings of the program.
    pub strings: Vec<Literal>,
}

/// A string in the code, as written between its quotes.
#[derive(Debug, PartialEq, Eq)]
pub struct Literal {
    /// What it says.
    pub text: String,
    /// The line where it begins, from 1.
    pub line: usize,
}

impl Source {
    /// Takes a file apart.
    pub fn new(text: &str) -> Self {
        let (code, literals) = mask(text);
        let program = without_tests(&code);
        let kept = |at: &usize| program.as_bytes().get(*at) == Some(&b'"');
        let strings = literals
            .into_iter()
            .filter(|(at, _)| kept(at))
            .map(|(at, text)| Literal { text, line: line_of(&code, at) });
        Self { strings: strings.collect(), code, program }
    }
}

/// The line of a byte, from 1.
pub fn line_of(text: &str, at: usize) -> usize {
    1 + text.as_bytes().iter().take(at).filter(|&&byte| byte == b'\n').count()
}

/// Where `word` stands in `text` without a letter, digit or underscore on either side of it (where the word itself
/// begins or ends with one).
pub fn find_word(text: &str, word: &str) -> Vec<usize> {
    let is_word = |byte: Option<&u8>| byte.is_some_and(|&byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let bytes = text.as_bytes();
    let (first, last) = (word.as_bytes().first(), word.as_bytes().last());
    text.match_indices(word)
        .map(|(at, _)| at)
        .filter(|&at| !(is_word(first) && at > 0 && is_word(bytes.get(at - 1))))
        .filter(|&at| !(is_word(last) && is_word(bytes.get(at + word.len()))))
        .collect()
}

/// Blanks comments and the contents of strings and characters, byte for byte; gives the strings with the place of their
/// opening quote.
fn mask(text: &str) -> (String, Vec<(usize, String)>) {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut literals = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        let after_word = at > 0 && (bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_');
        let end = if rest.starts_with(b"//") {
            at + rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len())
        } else if rest.starts_with(b"/*") {
            at + block_comment(rest)
        } else if let Some((open, close)) = (!after_word).then(|| raw_string(rest)).flatten() {
            literals.push((at + open - 1, text[at + open..at + close].to_owned()));
            blank(&mut out[at + open..at + close]);
            at += close + 1;
            continue;
        } else if rest[0] == b'"' {
            let close = quoted(rest, b'"');
            literals.push((at, text[at + 1..at + close].to_owned()));
            blank(&mut out[at + 1..at + close]);
            at += close + 1;
            continue;
        } else if rest[0] == b'\'' && is_character(rest) {
            let close = quoted(rest, b'\'');
            blank(&mut out[at + 1..at + close]);
            at += close + 1;
            continue;
        } else {
            at += 1;
            continue;
        };
        blank(&mut out[at..end]);
        at = end;
    }
    // Only whole characters were replaced, by spaces.
    (String::from_utf8_lossy(&out).into_owned(), literals)
}

fn blank(bytes: &mut [u8]) {
    bytes.iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
}

fn block_comment(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        if rest[at..].starts_with(b"/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if rest[at..].starts_with(b"*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    rest.len()
}

/// `r"..."`, `r#"..."#`, `br"..."`: where the content begins and ends.
fn raw_string(rest: &[u8]) -> Option<(usize, usize)> {
    let prefix = if rest.starts_with(b"br") { 2 } else { usize::from(rest[0] == b'r') };
    let hashes = rest[prefix..].iter().take_while(|&&byte| byte == b'#').count();
    if prefix == 0 || rest.get(prefix + hashes) != Some(&b'"') {
        return None;
    }
    let open = prefix + hashes + 1;
    let mut closing = vec![b'"'];
    closing.resize(1 + hashes, b'#');
    let length = rest[open..].windows(closing.len()).position(|window| window == closing);
    Some((open, open + length.unwrap_or(rest.len() - open)))
}

/// Where the closing quote is; the end where there is none.
fn quoted(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != quote {
        at += if rest[at] == b'\\' { 2 } else { 1 };
    }
    at.min(rest.len())
}

/// Tells `'a'` and `'\n'` from the lifetime `'a`.
fn is_character(rest: &[u8]) -> bool {
    let Some(&next) = rest.get(1) else { return false };
    let is_name = next.is_ascii_alphabetic() || next == b'_';
    next == b'\\' || !is_name || rest.get(2) == Some(&b'\'')
}

/// Blanks every item behind a `#[cfg(test)]` and the attribute itself.
fn without_tests(code: &str) -> String {
    let mut out = code.as_bytes().to_vec();
    let mut from = 0;
    while let Some(found) = code[from..].find("#[cfg(test)]") {
        let start = from + found;
        let end = end_of_item(code.as_bytes(), start);
        blank(&mut out[start..end]);
        from = end;
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The end of an item: its `;` or the brace that closes it, whichever comes first outside of other brackets.
fn end_of_item(code: &[u8], start: usize) -> usize {
    let mut depth = 0;
    for (at, byte) in code.iter().enumerate().skip(start) {
        match byte {
            b'{' | b'(' | b'[' => depth += 1,
            b'}' | b')' | b']' => {
                depth -= 1;
                if depth <= 0 && *byte == b'}' {
                    return at + 1;
                }
            }
            b';' | b',' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    code.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_strings_and_characters_are_blanked_in_place() {
        let text =
            "let a = \"x // y\"; // b\n/* c /* d */ e */ let f: &'f str = r#\"g\"h\"#; let i = ['\"', '\\'', 'j'];\n";
        let source = Source::new(text);
        assert_eq!(source.code.len(), text.len());
        assert_eq!(source.code.lines().count(), text.lines().count());
        for gone in ["y", "b", "c", "d", "e */", "g", "h", "j"] {
            assert!(find_word(&source.code, gone).is_empty(), "{gone} in {}", source.code);
        }
        for kept in ["let a", "let f", "&'f str", "let i"] {
            assert!(source.code.contains(kept), "{kept} in {}", source.code);
        }
        let strings: Vec<_> = source.strings.iter().map(|s| (s.text.as_str(), s.line)).collect();
        assert_eq!(strings, [("x // y", 1), ("g\"h", 2)]);
    }

    #[test]
    fn what_is_for_tests_is_not_program() {
        let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() { \"in test\"; }\n}\n#[cfg(test)]\nuse c::d;\nfn e() { \"in program\"; }\n";
        let source = Source::new(text);
        assert!(source.code.contains("fn b") && !source.program.contains("fn b"));
        assert!(!source.program.contains("c::d"));
        assert!(source.program.contains("fn a") && source.program.contains("fn e"));
        assert_eq!(source.strings, [Literal { text: "in program".into(), line: 8 }]);
    }

    #[test]
    fn words_are_whole() {
        assert_eq!(find_word("my_lstm lstms lstm, LSTM", "lstm"), [14]);
        assert_eq!(find_word("std::fs::read, std::fsx", "std::fs"), [0]);
    }

    #[test]
    fn unfinished_texts_end() {
        for text in ["\"", "'", "r#\"", "/*", "\"\\", "#[cfg(test)] mod", "b'", "é'é", "'\\"] {
            Source::new(text);
        }
    }
}
