//! Chord symbols: `harmony` as text, and text as `harmony`.

use super::document::Element;

/// The kinds of MusicXML 4.0 ("kind-value") with what lead sheets write for them. The first of a text is the one that is written.
const KINDS: [(&str, &str); 33] = [
    ("major", ""),
    ("minor", "m"),
    ("dominant", "7"),
    ("major-seventh", "maj7"),
    ("minor-seventh", "m7"),
    ("diminished", "dim"),
    ("augmented", "aug"),
    ("diminished-seventh", "dim7"),
    ("half-diminished", "m7b5"),
    ("augmented-seventh", "aug7"),
    ("major-minor", "mmaj7"),
    ("major-sixth", "6"),
    ("minor-sixth", "m6"),
    ("dominant-ninth", "9"),
    ("major-ninth", "maj9"),
    ("minor-ninth", "m9"),
    ("dominant-11th", "11"),
    ("major-11th", "maj11"),
    ("minor-11th", "m11"),
    ("dominant-13th", "13"),
    ("major-13th", "maj13"),
    ("minor-13th", "m13"),
    ("suspended-second", "sus2"),
    ("suspended-fourth", "sus4"),
    ("power", "5"),
    ("Neapolitan", "N6"),
    ("Italian", "It6"),
    ("French", "Fr6"),
    ("German", "Ger6"),
    ("pedal", "ped"),
    ("Tristan", "Tristan"),
    ("none", "N.C."),
    ("other", ""),
];

const SHARPS: [&str; 12] = ["C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"];

/// The symbol of a `harmony`, moved by `semitones`; `None` for one without a root, as figures and functions are.
pub fn read(harmony: &Element, semitones: i32) -> Option<String> {
    let kind = harmony.child("kind")?;
    let value = kind.text.as_str();
    let known = KINDS.iter().find(|(name, _)| *name == value).map_or("", |(_, text)| *text);
    let shown = kind.attribute("text").map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "));
    let kind = shown.unwrap_or_else(|| known.to_owned());
    let root = harmony.child("root");
    let is_named = root.and_then(|root| root.child("root-step")?.attribute("text")).is_none_or(|text| !text.is_empty());
    if value == "none" || !is_named {
        return Some(kind).filter(|kind| !kind.is_empty());
    }
    let mut symbol = name(root?, "root", semitones)? + &kind;
    for degree in harmony.all("degree").filter(|degree| degree.attribute("print-object") != Some("no")) {
        let value: u8 = degree.number("degree-value").filter(|value| (1..=99).contains(value))?;
        let alter = sign(degree.text_of("degree-alter"))?;
        symbol += &match degree.text_of("degree-type") {
            Some("subtract") => format!("(no{value})"),
            Some("add") if alter.is_empty() => format!("(add{value})"),
            _ => format!("({alter}{value})"),
        };
    }
    if let Some(bass) = harmony.child("bass") {
        symbol = format!("{symbol}/{}", name(bass, "bass", semitones)?);
    }
    Some(symbol)
}

/// The letter and its accidentals.
fn name(element: &Element, what: &str, semitones: i32) -> Option<String> {
    let step = element.text_of(&format!("{what}-step"))?;
    let letter = step.chars().next().filter(|letter| ('A'..='G').contains(letter) && step.len() == 1)?;
    let alter = sign(element.text_of(&format!("{what}-alter")))?;
    let name = format!("{letter}{alter}");
    if semitones % 12 == 0 {
        return Some(name);
    }
    let natural = SHARPS.iter().position(|name| *name == step)? as i32;
    let alter = alter.chars().map(|sign| if sign == '#' { 1 } else { -1 }).sum::<i32>();
    Some(SHARPS[(natural + alter + semitones).rem_euclid(12) as usize].to_owned())
}

/// Semitones as accidentals.
fn sign(alter: Option<&str>) -> Option<&'static str> {
    let alter: f64 = alter.map_or(Some(0.0), |text| text.parse().ok())?;
    Some(match alter.round() as i32 {
        0 => "",
        1 => "#",
        2 => "##",
        -1 => "b",
        -2 => "bb",
        _ => return None,
    })
}

/// The elements within the `harmony` of a symbol: [`read`] gives the symbol again, whatever it is.
pub fn write(symbol: &str, escaped: impl Fn(&str) -> String) -> String {
    // `C6/9` has a slash, and no bass.
    let whole = match symbol.rsplit_once('/') {
        Some((chord, bass)) => root_of(bass).filter(|(.., rest)| rest.is_empty()).map(|bass| (chord, Some(bass))),
        None => None,
    };
    let (chord, bass) = whole.unwrap_or((symbol, None));
    let alter = |what: &str, alter: i32| match alter {
        0 => String::new(),
        alter => format!("<{what}-alter>{alter}</{what}-alter>"),
    };
    match root_of(chord) {
        Some((step, root_alter, rest)) if is_canonical(rest) => {
            let kind = KINDS.iter().find(|(_, text)| *text == rest).map_or("other", |(name, _)| *name);
            let bass = bass.map_or(String::new(), |(step, bass_alter, _)| {
                format!("<bass><bass-step>{step}</bass-step>{}</bass>", alter("bass", bass_alter))
            });
            format!(
                "<root><root-step>{step}</root-step>{}</root><kind text=\"{}\">{kind}</kind>{bass}",
                alter("root", root_alter),
                escaped(rest)
            )
        }
        _ => {
            let kind = if symbol == "N.C." { "none" } else { "other" };
            format!("<root><root-step text=\"\">C</root-step></root><kind text=\"{}\">{kind}</kind>", escaped(symbol))
        }
    }
}

/// Whether what follows a root is not lost when it is read.
fn is_canonical(rest: &str) -> bool {
    !rest.starts_with(char::is_whitespace) && !rest.ends_with(char::is_whitespace) && rest != "N.C."
}

/// The root that a symbol begins with: letter, semitones, what follows.
fn root_of(symbol: &str) -> Option<(char, i32, &str)> {
    let mut letters = symbol.chars();
    let step = letters.next().filter(|letter| ('A'..='G').contains(letter))?;
    let rest = letters.as_str();
    let (alter, signs) = [(2, "##"), (1, "#"), (-2, "bb"), (-1, "b")]
        .into_iter()
        .find(|(_, signs)| rest.starts_with(signs))
        .unwrap_or((0, ""));
    Some((step, alter, &rest[signs.len()..]))
}

#[cfg(test)]
mod tests {
    use super::super::document::Document;
    use super::*;

    fn parse(inside: &str) -> Option<String> {
        let text = format!("<harmony>{inside}</harmony>");
        let mut document = Document::new(&text);
        let start = document.next_child().unwrap().unwrap();
        read(&document.element(start).unwrap(), 0)
    }

    #[test]
    fn symbols_come_back() {
        for symbol in [
            "C",
            "Am7",
            "F#m7b5/A#",
            "Bbmaj7",
            "C6/9",
            "N.C.",
            "G7(b9)",
            "E##",
            "Cbbb",
            "iv",
            "D/x",
            "A<b>&\"",
            "G/B",
            "x/G",
        ] {
            let escaped = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
            assert_eq!(parse(&write(symbol, escaped)).as_deref(), Some(symbol), "{symbol}");
        }
        assert!(write("Am7", str::to_owned).contains(">minor-seventh<"));
    }

    #[test]
    fn kinds_degrees_and_basses_are_named() {
        let root = "<root><root-step>B</root-step><root-alter>-1</root-alter></root>";
        let symbol = |rest: &str| parse(&format!("{root}{rest}")).unwrap();
        assert_eq!(symbol("<kind>major</kind>"), "Bb");
        assert_eq!(symbol("<kind>half-diminished</kind>"), "Bbm7b5");
        assert_eq!(symbol("<kind text=\"-7\">minor-seventh</kind>"), "Bb-7");
        let degree = |kind: &str, value: u8, alter: i32| {
            format!(
                "<degree><degree-value>{value}</degree-value><degree-alter>{alter}</degree-alter><degree-type>{kind}</degree-type></degree>"
            )
        };
        assert_eq!(symbol(&format!("<kind>dominant</kind>{}", degree("add", 9, -1))), "Bb7(b9)");
        assert_eq!(symbol(&format!("<kind>major</kind>{}", degree("add", 9, 0))), "Bb(add9)");
        assert_eq!(symbol(&format!("<kind>major</kind>{}", degree("subtract", 3, 0))), "Bb(no3)");
        assert_eq!(symbol("<kind>minor</kind><bass><bass-step>D</bass-step></bass>"), "Bbm/D");
        assert_eq!(parse("<function>V</function><kind>dominant</kind>"), None);
        assert_eq!(parse("<root><root-step>C</root-step></root><kind>none</kind>").as_deref(), Some("N.C."));
    }
}
