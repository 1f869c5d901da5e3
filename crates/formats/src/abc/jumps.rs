//! Da capo, dal segno, coda and fine (standard 2.1, section 4.14; the longer names are of the drafts of 2.2), sections and parts.

use super::tune::{Sign, Voice, VoiceBar};
use crate::musicxml::words_of_jump;
use crate::repeats::{Leap, LeapKind, Marks, Until};

/// What a decoration's name says about the order of playing.
pub fn decoration(name: &str) -> Option<Sign> {
    Some(match name {
        "segno" => Sign::Segno,
        "coda" => Sign::Coda,
        "dacapo" => Sign::Leap(LeapKind::DaCapo(Until::Any)),
        // "Da" with the sign of a coda: the way there.
        "dacoda" => Sign::Leap(LeapKind::ToCoda(String::new())),
        _ => Sign::Leap(words_of_jump(name)?),
    })
}

/// What an annotation says about it, where it says nothing else.
pub fn annotation(text: &str) -> Option<Sign> {
    let text = text.trim();
    match text.to_ascii_lowercase().as_str() {
        "segno" | "𝄋" => Some(Sign::Segno),
        "coda" | "𝄌" => Some(Sign::Coda),
        _ => words_of_jump(text).map(Sign::Leap),
    }
}

/// Which part of `order` begins at a `P:` that says `name` (section 3.1.9): `A`, `A slow`, and `Verse` for an order that has a `V`; words
/// like `D.S.` and `Fine` name none.
pub fn part_label(name: &str, order: &str) -> Option<char> {
    let label = name.chars().next().filter(char::is_ascii_alphabetic)?;
    let word = name.split_whitespace().next().unwrap_or_default();
    let is_alone = word.trim_end_matches(['.', ':']).len() == 1;
    (is_alone || order.contains(label) && annotation(name).is_none()).then_some(label)
}

/// A repeat whose beginning is not written goes back to the double bar line that came last (section 4.8).
pub fn begin_sections(marks: &mut [Marks], bars: &[VoiceBar]) {
    let (mut is_begun, mut section) = (false, None);
    for k in 0..marks.len() {
        if marks[k].forward {
            is_begun = true;
        } else if bars[k].is_section && marks[k].ending.is_empty() {
            section = Some(k);
        }
        if marks[k].backward.is_some() {
            if let Some(from) = section.filter(|_| !is_begun) {
                marks[from].forward = true;
            }
            (is_begun, section) = (false, None);
        }
    }
}

impl Voice {
    /// A double bar line has been written.
    pub fn begin_section(&mut self) {
        if let Some(bar) = self.bars.last_mut() {
            bar.is_section = true;
        }
    }

    /// Gives the signs of the bar that was written from `start` on to the bars that they belong to. A sign to which a jump leads
    /// begins a bar; a jump, "to coda" and "fine" end one: that in which they stand.
    pub fn settle_signs(&mut self, start: u64) {
        let now = self.cursor;
        // The bar that was written, and the one that begins now.
        let next = self.bars.len() - 1;
        let Some(written) = (if start == now { next.checked_sub(1) } else { Some(next - 1) }) else { return };
        let mut waiting = Vec::new();
        for (at, sign) in std::mem::take(&mut self.signs) {
            let (is_first, is_last) = (at <= start, at >= now);
            // Between two bar lines: what begins there is yet to come.
            let begins = if is_last || start == now { next } else { written };
            match sign {
                Sign::Segno | Sign::Coda if start == now => waiting.push((at, sign)),
                Sign::Segno => self.bars[begins].marks.segnos.push(String::new()),
                Sign::Coda => self.bars[begins].coda_signs += 1,
                Sign::Leap(kind) => {
                    // The way to a coda leaves where it stands; a word over the first note of a bar is of the whole bar.
                    let leaves = match (&kind, is_first && start != now) {
                        (LeapKind::ToCoda(_), true) => written.checked_sub(1),
                        _ => Some(written),
                    };
                    if let Some(bar) = leaves {
                        self.bars[bar].marks.leaps.push(Leap { kind, times: Vec::new() });
                    }
                }
            }
        }
        self.signs = waiting;
    }
}

/// Tells the signs of codas apart: of several, where nothing says "to coda", the first is the way to the others.
pub fn settle_codas(bars: &mut [VoiceBar]) {
    let leads = |bar: &VoiceBar| bar.marks.leaps.iter().any(|leap| matches!(leap.kind, LeapKind::ToCoda(_)));
    let signs: usize = bars.iter().map(|bar| bar.coda_signs).sum();
    let mut first = signs > 1 && !bars.iter().any(leads);
    for k in 0..bars.len() {
        if bars[k].coda_signs > 0 && std::mem::take(&mut first) {
            if let Some(before) = k.checked_sub(1) {
                bars[before].marks.leaps.insert(0, Leap { kind: LeapKind::ToCoda(String::new()), times: Vec::new() });
            }
        } else if bars[k].coda_signs > 0 {
            bars[k].marks.codas.push(String::new());
        }
    }
}
