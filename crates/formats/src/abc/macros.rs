//! Macros: signs that stand for others (ABC standard 2.1, section 9).
//!
//! A static macro, `m: ~g2 = {a}g{f}g`, stands for itself. In a transposing one, `m: ~n2 = {o}n{m}n`, `n` is any note, and the letters from
//! `h` to `z` are the notes that lie as far from it as they lie from `n` in the alphabet.

use std::borrow::Cow;

/// A macro has so many signs at most (section 9: 31 and 200).
const LONGEST: [usize; 2] = [31, 200];
/// A tune has so many macros at most.
const MOST_MACROS: usize = 100;
/// A line grows to so many signs at most.
const MOST: usize = 100_000;
const NAMES: [char; 7] = ['C', 'D', 'E', 'F', 'G', 'A', 'B'];
/// Octaves that are told apart, up and down.
const FARTHEST: i32 = 9;

/// Those of a tune: what is written, and what it stands for. The later ones come first.
#[derive(Clone, Debug, Default)]
pub(super) struct Macros(Vec<(Vec<char>, Vec<char>)>);

impl Macros {
    /// Takes the text of a field; nothing where it is no macro.
    pub fn define(&mut self, text: &str) {
        let Some((target, stands_for)) = text.split_once('=') else { return };
        let [target, stands_for] = [target, stands_for].map(|text| text.trim().chars().collect::<Vec<char>>());
        if !target.is_empty() && target.len() <= LONGEST[0] && stands_for.len() <= LONGEST[1] {
            self.0.insert(0, (target, stands_for));
            self.0.truncate(MOST_MACROS);
        }
    }

    /// A line of music in which all that macros stand for is written out; texts, decorations, fields and comments are left as they are.
    pub fn expand<'t>(&self, line: &'t str) -> Cow<'t, str> {
        if self.0.is_empty() {
            return Cow::Borrowed(line);
        }
        let signs: Vec<char> = line.chars().collect();
        let mut written = String::with_capacity(line.len());
        let mut at = 0;
        while at < signs.len() {
            if signs[at] == '%' {
                written.extend(&signs[at..]);
                break;
            }
            let found = self.0.iter().find_map(|(target, stands_for)| {
                let (length, note) = matched(target, &signs[at..])?;
                Some((length, stands_for, note))
            });
            match found {
                Some((length, stands_for, note)) if written.len() < MOST => {
                    for sign in stands_for {
                        match note {
                            Some(note) if matches!(sign, 'h'..='z') => {
                                written.push_str(&name_of(note + *sign as i32 - 'n' as i32));
                            }
                            _ => written.push(*sign),
                        }
                    }
                    at += length;
                }
                _ => {
                    let length = kept(&signs[at..]);
                    written.extend(&signs[at..at + length]);
                    at += length;
                }
            }
        }
        Cow::Owned(written)
    }
}

/// Of how many signs what stands at the beginning of these is a macro, and of which note.
fn matched(target: &[char], signs: &[char]) -> Option<(usize, Option<i32>)> {
    let (mut at, mut note) = (0, None);
    for sign in target {
        match sign {
            'n' if note.is_none() => {
                let (found, length) = note_of(&signs[at..])?;
                (note, at) = (Some(found), at + length);
            }
            sign => {
                signs.get(at).filter(|other| *other == sign)?;
                at += 1;
            }
        }
    }
    // `~G2` is not the beginning of `~G24`.
    let goes_on = |next: &&char| target.last().is_some_and(char::is_ascii_digit) && next.is_ascii_digit();
    signs.get(at).filter(goes_on).is_none().then_some((at, note))
}

/// The note at the beginning of these signs, counted in steps of a scale from C, and how many signs it has.
fn note_of(signs: &[char]) -> Option<(i32, usize)> {
    let name = signs.first()?;
    let step = NAMES.iter().position(|known| *known == name.to_ascii_uppercase())? as i32;
    let marks = signs[1..].iter().take_while(|sign| matches!(sign, '\'' | ',')).count();
    let octaves = signs[1..=marks].iter().fold(i32::from(name.is_lowercase()), |octaves, sign| {
        (octaves + if *sign == '\'' { 1 } else { -1 }).clamp(-FARTHEST, FARTHEST)
    });
    Some((step + 7 * octaves, 1 + marks))
}

fn name_of(note: i32) -> String {
    let (octave, name) = (note.div_euclid(7), NAMES[note.rem_euclid(7) as usize]);
    match octave {
        ..=0 => format!("{name}{}", ",".repeat(octave.unsigned_abs() as usize)),
        _ => format!("{}{}", name.to_ascii_lowercase(), "'".repeat(octave as usize - 1)),
    }
}

/// How many signs at the beginning of these are one text, decoration or inline field; one where they are none.
fn kept(signs: &[char]) -> usize {
    let end = match signs {
        ['"', ..] => Some('"'),
        ['!', ..] => Some('!'),
        ['[', letter, ':', ..] if letter.is_ascii_alphabetic() => Some(']'),
        _ => None,
    };
    let closes = end.and_then(|end| signs[1..].iter().position(|sign| *sign == end));
    closes.map_or(1, |closes| closes + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(macros: &[&str], line: &str) -> String {
        let mut all = Macros::default();
        macros.iter().for_each(|text| all.define(text));
        all.expand(line).into_owned()
    }

    #[test]
    fn what_a_macro_stands_for_is_written_out() {
        assert_eq!(expanded(&["~G2 = {A}G{F}G"], "~G2 A2 ~G24 | ~G2"), "{A}G{F}G A2 ~G24 | {A}G{F}G");
        // Nothing in texts, decorations, fields and comments; no macro, no change.
        let line = "\"~G2\" !~G2! [r:~G2] ~G2 % ~G2";
        assert_eq!(expanded(&["~G2 = GG"], line), "\"~G2\" !~G2! [r:~G2] GG % ~G2");
        assert_eq!(expanded(&["~G2", "= G", "~G2 ="], "A ~G2 A"), "A  A");
        // The later one holds.
        assert_eq!(expanded(&["T = a", "T = b"], "T"), "b");
    }

    #[test]
    fn notes_are_moved_along_the_scale() {
        let roll = ["~n3 = n{o}n{m}n"];
        assert_eq!(expanded(&roll, "~G3 ~c3 ~B3 ~C3 ~c'3"), "G{A}G{F}G c{d}c{B}c B{c}B{A}B C{D}C{B,}C c'{d'}c'{b}c'");
        assert_eq!(expanded(&roll, "~^f3 G3"), "~^f3 G3", "an accidental is no part of it");
        assert_eq!(expanded(&["~n2 = h n z"], "~C2"), "D, C a");
    }

    #[test]
    fn lines_do_not_grow_without_end() {
        let long = format!("q = {}", "q".repeat(200));
        assert_eq!(expanded(&[&long], "q").len(), 200, "what is written out is not a macro again");
        assert!(expanded(&[&long], &"q".repeat(50_000)).len() < 160_000);
    }
}
