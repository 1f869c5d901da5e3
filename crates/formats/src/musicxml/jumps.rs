//! Da capo, dal segno, coda and fine, as documents say them.
//!
//! What is played stands in attributes of `sound` (MusicXML 4.0, "The sound element") and of `barline`. Where a direction has none of
//! them, its sign or its words are believed: many programs write what is seen only. As in all programs that read MusicXML, a jump, "to
//! coda" and "fine" hold at the end of their measure, wherever in it they stand.

use super::document::Element;
use crate::repeats::{Leap, LeapKind, Marks, Until};

/// What one measure of a part says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Jumps {
    pub segnos: Vec<String>,
    pub codas: Vec<String>,
    pub leaps: Vec<Leap>,
    /// It has the sign of a coda without a word: whether the way there or the coda itself, the whole piece tells.
    pub coda_sign: bool,
}

/// The numbers in a list like `1,2`, at most a hundred.
pub fn passes(text: &str) -> Vec<u32> {
    let numbers = text.split(|c: char| !c.is_ascii_digit()).filter_map(|pass| pass.parse().ok());
    numbers.filter(|pass| (1..100).contains(pass)).take(100).collect()
}

impl Jumps {
    /// What a `sound` says; whether that is anything.
    pub fn sound(&mut self, sound: &Element) -> bool {
        let times = sound.attribute("time-only").map(passes).unwrap_or_default();
        let name = |attribute: &str| sound.attribute(attribute).map(|name| name.trim().to_owned());
        let yes = |attribute: &str| sound.attribute(attribute).is_some_and(|value| value != "no");
        let before = (self.segnos.len(), self.codas.len(), self.leaps.len());
        self.segnos.extend(name("segno"));
        self.codas.extend(name("coda"));
        let kinds = [
            yes("fine").then_some(LeapKind::Fine),
            name("tocoda").map(LeapKind::ToCoda),
            name("dalsegno").map(|name| LeapKind::DalSegno(name, Until::Any)),
            yes("dacapo").then_some(LeapKind::DaCapo(Until::Any)),
        ];
        self.leaps.extend(kinds.into_iter().flatten().map(|kind| Leap { kind, times: times.clone() }));
        before != (self.segnos.len(), self.codas.len(), self.leaps.len())
    }

    /// What the sign or the words of a `direction-type` say.
    pub fn direction_type(&mut self, kind: &Element) {
        for child in &kind.children {
            match child.name.as_str() {
                "segno" => self.segnos.push(String::new()),
                "coda" => self.coda_sign = true,
                "words" => self.leaps.extend(words(&child.text).map(|kind| Leap { kind, times: Vec::new() })),
                _ => {}
            }
        }
    }

    /// Takes the signs out that playing begins at, for the next measure.
    pub fn take_signs(&mut self) -> Jumps {
        let (segnos, codas) = (std::mem::take(&mut self.segnos), std::mem::take(&mut self.codas));
        Jumps { segnos, codas, ..Jumps::default() }
    }

    pub fn extend(&mut self, other: Jumps) {
        self.segnos.extend(other.segnos);
        self.codas.extend(other.codas);
        self.leaps.extend(other.leaps);
        self.coda_sign |= other.coda_sign;
    }
}

/// What words of a score say about the order of playing, where they say nothing else.
pub fn words(text: &str) -> Option<LeapKind> {
    // `D7/c` is a chord.
    if text.chars().any(|c| !c.is_alphabetic() && !c.is_whitespace() && !".,;:-()[]\"'".contains(c)) {
        return None;
    }
    let text = text.replace("Da Capo", "D.C.").replace("Dal Segno", "D.S.").to_lowercase();
    let text = text.replace("da capo", "dc").replace("dal segno", "ds");
    let letters: String = text.chars().filter(|c| c.is_alphabetic()).collect();
    let until = |rest: &str| match rest {
        "" => Some(Until::Any),
        "alfine" => Some(Until::Fine),
        "alcoda" | "etpoicoda" | "epoicoda" | "epoilacoda" => Some(Until::Coda),
        _ => None,
    };
    match letters.as_str() {
        "fine" => Some(LeapKind::Fine),
        "tocoda" => Some(LeapKind::ToCoda(String::new())),
        letters => match letters.split_at_checked(2)? {
            ("dc", rest) => until(rest).map(LeapKind::DaCapo),
            ("ds", rest) => until(rest).map(|until| LeapKind::DalSegno(String::new(), until)),
            _ => None,
        },
    }
}

/// Puts the jumps of all measures into their marks. Of signs without words the first leads to the second.
pub fn settle(measures: &mut [(Marks, Jumps)]) {
    let says_to_coda =
        |(_, jumps): &(Marks, Jumps)| jumps.leaps.iter().any(|leap| matches!(leap.kind, LeapKind::ToCoda(_)));
    let signs = measures.iter().filter(|(_, jumps)| jumps.coda_sign).count();
    let mut leads = signs > 1 && !measures.iter().any(says_to_coda);
    for (marks, jumps) in measures {
        marks.segnos = std::mem::take(&mut jumps.segnos);
        marks.codas = std::mem::take(&mut jumps.codas);
        marks.leaps = std::mem::take(&mut jumps.leaps);
        if jumps.coda_sign && std::mem::take(&mut leads) {
            marks.leaps.insert(0, Leap { kind: LeapKind::ToCoda(String::new()), times: Vec::new() });
        } else if jumps.coda_sign && !marks.leaps.iter().any(|leap| matches!(leap.kind, LeapKind::ToCoda(_))) {
            marks.codas.push(String::new());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_understood() {
        assert_eq!(words("D.C. al Fine"), Some(LeapKind::DaCapo(Until::Fine)));
        assert_eq!(words("D. S. al Coda"), Some(LeapKind::DalSegno(String::new(), Until::Coda)));
        assert_eq!(words("Da Capo"), Some(LeapKind::DaCapo(Until::Any)));
        assert_eq!(words("Dal segno"), Some(LeapKind::DalSegno(String::new(), Until::Any)));
        assert_eq!(words("FINE"), Some(LeapKind::Fine));
        assert_eq!(words("To Coda"), Some(LeapKind::ToCoda(String::new())));
        for other in ["", "D", "dolce", "D.S. Bach", "fine tune", "ü", "dc.x", "D7/c", "D/S"] {
            assert_eq!(words(other), None, "{other}");
        }
    }
}
