//! What a piece is to be before a note of it is written: sections, phrases, cadences, and a chord for each stretch of each bar.

use super::Dice;
use super::pulse::Pulse;
use super::scale::{DEGREES, Harmony, Scale};
use cantus_model::{Form, FormError, Section};
use cantus_score::Progression;

/// Bars of a section, and of a phrase, where there is room for them.
const SECTION: usize = 8;
const PHRASE: usize = 4;
/// How often a dominant has its seventh, and a bar two chords: under a melody, and in four voices.
const SEVENTH: f32 = 0.5;
const TWO_CHORDS: [f32; 2] = [0.2, 0.6];

/// How a phrase ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cadence {
    /// On the dominant, open.
    Half,
    /// On the tonic.
    Full,
}

/// What a bar does with the motif.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// The motif as it is.
    Motif,
    /// The same so many steps higher.
    Sequence(i32),
    /// Its steps turned upside down.
    Inverted,
    /// With a neighbouring note.
    Ornamented,
    /// With fewer notes.
    Thinned,
    /// The first half of it, twice as slow.
    Augmented,
    /// A second motif.
    Contrast,
    /// The end of a phrase.
    Cadence(Cadence),
    /// The same as an earlier bar, counted from 0, or that varied.
    Again(usize, bool),
}

/// A bar.
#[derive(Clone, Debug)]
pub(super) struct Bar {
    /// From when on, in ticks of the bar, which harmony holds; the first from its beginning on.
    pub harmonies: Vec<(u64, Harmony)>,
    pub rule: Rule,
    /// Which motif it is made of: that of its section.
    pub motif: usize,
    /// Where its phrase begins.
    pub phrase: usize,
    /// How high it is to lie, in steps over the middle.
    pub height: i32,
    /// Whether a phrase ends with it.
    pub ends: bool,
}

impl Bar {
    /// What holds at a tick of the bar.
    pub(super) fn harmony(&self, at: u64) -> &Harmony {
        let held = self.harmonies.iter().rev().find(|(from, _)| *from <= at);
        held.map_or(&self.harmonies[0].1, |(_, harmony)| harmony)
    }
}

/// The form of so many bars where none is asked for: sections of eight bars, of which the first comes again.
pub(super) fn usual_form(bars: usize, dice: &mut Dice<'_>) -> Result<Form, FormError> {
    let sections = ((bars + SECTION / 2 - 1) / SECTION).clamp(1, 200);
    let names: &[&str] = match sections {
        1 => &["A"],
        2 if dice.chance(0.5) => &["A", "A'"],
        2 => &["A", "B"],
        3 => &["A", "B", "A'"],
        4 if dice.chance(0.5) => &["A", "A'", "B", "A'"],
        4 => &["A", "B", "A", "C"],
        // A rondo.
        _ => &["A", "B", "A'", "C", "A", "D", "A'", "B'"],
    };
    let name = |k: usize| if sections > 4 && k + 1 == sections { "A" } else { names[k % names.len()] };
    // Whole sections first; the last one is as long as what is left.
    let length = |k: usize| if k + 1 == sections { bars - (sections - 1) * SECTION } else { SECTION };
    (0..sections).map(|k| format!("{}{} ", name(k), length(k))).collect::<String>().parse()
}

/// The bars of a piece in this form.
pub(super) fn bars(
    form: &[Section],
    (scale, pulse): (Scale, &Pulse),
    has_voices: bool,
    progression: Option<(&Progression, bool)>,
    dice: &mut Dice<'_>,
) -> Vec<Bar> {
    let two_chords = TWO_CHORDS[usize::from(has_voices)];
    let mut bars: Vec<Bar> = Vec::new();
    let letters: Vec<char> = form.iter().map(|section| section.letter).collect();
    let last = letters.last().copied();
    for (k, section) in form.iter().enumerate() {
        let first = letters.iter().position(|letter| *letter == section.letter).unwrap_or(k);
        let motif = letters[..first].iter().collect::<std::collections::BTreeSet<_>>().len();
        // What leads back to a section that was there ends open.
        let is_open = k > 0 && Some(section.letter) != last && first == k;
        let height = if motif % 2 == 1 { 2 } else { 0 };
        let length = section.bars.len();
        if first < k {
            let from = form[first].bars.start;
            let known = form[first].bars.len().min(length);
            for bar in 0..known {
                let earlier = bars[from + bar].clone();
                let is_cadence = matches!(earlier.rule, Rule::Cadence(_));
                // A cadence comes again as it was.
                let rule = Rule::Again(from + bar, section.is_varied && !is_cadence);
                let phrase = section.bars.start + (earlier.phrase - from);
                bars.push(Bar { rule, phrase, ..earlier });
            }
            if known == length && bars.last().is_some_and(|bar| bar.ends) {
                continue;
            }
        }
        let done = bars.len() - section.bars.start;
        let phrases = (length - done).div_ceil(PHRASE).max(1);
        for phrase in 0..phrases {
            let share = |k: usize| k * (length - done) / phrases;
            let cadence = match (phrase + 1 == phrases, is_open) {
                (true, false) => Cadence::Full,
                (true, true) => Cadence::Half,
                (false, _) if phrase % 2 == 0 => Cadence::Half,
                (false, _) => Cadence::Full,
            };
            let from = section.bars.start + done + share(phrase);
            let count = share(phrase + 1) - share(phrase);
            // A consequent begins as its antecedent does.
            let antecedent =
                (phrase % 2 == 1 && progression.is_none()).then(|| from - (share(phrase) - share(phrase - 1)));
            let antecedent = antecedent.filter(|antecedent| from - antecedent == count && count > 2);
            let made =
                Phrase { from, count, cadence, motif, height, begins: phrase == 0 && motif % 2 == 0, two_chords };
            match antecedent {
                Some(antecedent) => {
                    let kept = count / 2;
                    for bar in 0..kept {
                        let earlier = bars[antecedent + bar].clone();
                        bars.push(Bar { rule: Rule::Again(antecedent + bar, false), phrase: from, ..earlier });
                    }
                    let rest = made.bars(scale, pulse, dice);
                    bars.extend(rest.into_iter().skip(kept));
                }
                None => bars.extend(made.bars(scale, pulse, dice)),
            }
        }
    }
    // The piece ends on its tonic, whatever its last section was.
    if let Some(bar) = bars.last_mut() {
        if !matches!(bar.rule, Rule::Cadence(Cadence::Full)) || bar.harmonies.len() > 1 {
            bar.rule = Rule::Cadence(Cadence::Full);
            bar.ends = true;
        }
        bar.harmonies = vec![(0, scale.on(0, false))];
    }
    if let Some((progression, flats)) = progression {
        for (k, bar) in bars.iter_mut().enumerate() {
            bar.harmonies = asked(progression, k, scale, pulse, flats, bar);
        }
    }
    bars
}

/// The chords that are asked for in a bar; where none is to be played, what was planned holds.
fn asked(
    progression: &Progression,
    bar: usize,
    scale: Scale,
    pulse: &Pulse,
    flats: bool,
    planned: &Bar,
) -> Vec<(u64, Harmony)> {
    let groups = pulse.groups.len();
    let mut harmonies: Vec<(u64, Harmony)> = Vec::new();
    for (group, at) in pulse.starts().enumerate() {
        let found = progression.at(bar, group, groups).map(|chord| scale.with(chord, flats));
        let harmony = found.unwrap_or_else(|| planned.harmony(at).clone());
        if harmonies.last().is_none_or(|(_, last)| last.chord != harmony.chord) {
            harmonies.push((at, harmony));
        }
    }
    harmonies
}

/// A phrase that is to be made.
struct Phrase {
    from: usize,
    count: usize,
    cadence: Cadence,
    motif: usize,
    height: i32,
    /// Whether it stands at the beginning of a section that begins at home.
    begins: bool,
    /// How often a bar has two chords.
    two_chords: f32,
}

impl Phrase {
    fn bars(&self, scale: Scale, pulse: &Pulse, dice: &mut Dice<'_>) -> Vec<Bar> {
        let degrees = self.degrees(scale, dice);
        let rules = self.rules(dice);
        let dominant = scale.mode.dominant();
        let bar = |k: usize| {
            let degree = degrees[k];
            let seventh = dice.chance(SEVENTH);
            let mut harmonies = vec![(0, scale.on(degree, seventh && k + 1 < self.count))];
            let is_split = dice.chance(self.two_chords);
            if let (Some(next), Some(middle), true) = (degrees.get(k + 1), pulse.middle(), is_split) {
                // A bar that leads home is divided before its chord, others after theirs.
                let leads = degree == dominant && *next == 0 && k + 2 == self.count;
                let from = if leads { degrees.get(k.wrapping_sub(1)).copied().unwrap_or(0) } else { degree };
                let to = if leads { degree } else { *next };
                let between = |by: usize| match by {
                    by if by == from || by == to || by == dominant => 0.0,
                    by => scale.mode.follows(from, by) * scale.mode.follows(by, to),
                };
                if let Some(by) = dice.weighted(&std::array::from_fn::<f32, DEGREES, _>(between)) {
                    let by = scale.on(by, false);
                    let last = (middle, harmonies[0].1.clone());
                    harmonies = if leads { vec![(0, by), last] } else { vec![(0, last.1), (middle, by)] };
                }
            }
            // An arch: up to the third quarter of the phrase, and down again.
            let arch = [0, 1, 2, 1][(4 * k / self.count.max(1)).min(3)];
            Bar {
                harmonies,
                rule: rules[k],
                motif: self.motif,
                phrase: self.from,
                height: self.height + arch,
                ends: k + 1 == self.count,
            }
        };
        (0..self.count).map(bar).collect()
    }

    /// A degree for each bar: drawn among all ways that end as the phrase does, as likely as they are.
    fn degrees(&self, scale: Scale, dice: &mut Dice<'_>) -> Vec<usize> {
        let (mode, dominant) = (scale.mode, scale.mode.dominant());
        let end = if self.cadence == Cadence::Full { 0 } else { dominant };
        let may_stand = |k: usize, degree: usize| match self.count - 1 - k {
            0 => degree == end,
            1 if self.cadence == Cadence::Full => degree == dominant,
            // The dominant is kept for the end.
            _ if k > 0 => degree != dominant || self.cadence == Cadence::Full && self.count > 3 && k == 1,
            _ => !self.begins || degree == 0,
        };
        // For each bar and degree how likely what follows is, from the last bar back.
        let mut ahead = vec![[0.0f32; DEGREES]; self.count];
        for k in (0..self.count).rev() {
            for degree in (0..DEGREES).filter(|degree| may_stand(k, *degree)) {
                ahead[k][degree] = match ahead.get(k + 1) {
                    Some(next) => (0..DEGREES).map(|to| mode.follows(degree, to) * next[to]).sum(),
                    None => 1.0,
                };
            }
        }
        let mut degrees: Vec<usize> = Vec::with_capacity(self.count);
        for (k, ahead) in ahead.iter().enumerate() {
            let from = degrees.last().copied();
            let weight = |to: usize| ahead[to] * from.map_or_else(|| begins_with(to), |from| mode.follows(from, to));
            let weights: [f32; DEGREES] = std::array::from_fn(weight);
            degrees.push(dice.weighted(&weights).unwrap_or(if k + 1 == self.count { end } else { 0 }));
        }
        degrees
    }

    /// What its bars do with the motif.
    fn rules(&self, dice: &mut Dice<'_>) -> Vec<Rule> {
        let up = if dice.chance(0.5) { 1 } else { -1 };
        let ways: [[Rule; 3]; 6] = [
            [Rule::Motif, Rule::Sequence(up), Rule::Contrast],
            [Rule::Motif, Rule::Sequence(up), Rule::Sequence(2 * up)],
            [Rule::Motif, Rule::Contrast, Rule::Motif],
            [Rule::Motif, Rule::Inverted, Rule::Ornamented],
            [Rule::Motif, Rule::Ornamented, Rule::Contrast],
            [Rule::Motif, Rule::Thinned, Rule::Augmented],
        ];
        let way = dice.pick(&ways);
        let rule = |k: usize| if k + 1 == self.count { Rule::Cadence(self.cadence) } else { way[k % way.len()] };
        (0..self.count).map(rule).collect()
    }
}

/// How often a phrase begins on a degree where it need not begin on the tonic.
fn begins_with(degree: usize) -> f32 {
    [3.0, 1.0, 0.3, 2.0, 1.0, 1.5, 0.0][degree]
}
