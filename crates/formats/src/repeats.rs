//! Repeats and jumps: in which order the bars of a piece are played.

use cantus_score::{Pass, Repeat, Ticks};
use std::collections::HashMap;

/// A stretch of a tune that is played at once: from and to.
pub(crate) type Stretch = (u64, u64);

/// What a bar says about the order of playing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    /// A repeat begins with it.
    pub forward: bool,
    /// A repeat ends with it: so many times in all.
    pub backward: Option<u32>,
    /// The repeat that ends with it is taken again after a jump.
    pub after_jump: bool,
    /// An ending for these passes begins with it.
    pub ending: Vec<u32>,
    /// The ending in force ends with it.
    pub ending_stops: bool,
    /// The signs at its beginning, which jumps lead to, by name: empty where it has none.
    pub segnos: Vec<String>,
    /// The codas that begin with it, by name.
    pub codas: Vec<String>,
    /// What is met at its end.
    pub leaps: Vec<Leap>,
}

/// A place where playing may go on elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Leap {
    pub kind: LeapKind,
    /// When the bar is played for these times only, from 1; where none is named, at the usual time.
    pub times: Vec<u32>,
}

/// Where playing goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LeapKind {
    /// At the beginning.
    DaCapo(Until),
    /// At the segno of this name.
    DalSegno(String, Until),
    /// After a jump, at the coda of this name.
    ToCoda(String),
    /// After a jump, nowhere.
    Fine,
}

/// How far playing goes after a jump.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    /// To the first of "fine" and "to coda" that is met; to the end, where none is.
    Any,
    /// To "fine".
    Fine,
    /// To "to coda".
    Coda,
}

/// The order of playing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Order {
    /// Bars by their numbers from 0.
    pub bars: Vec<usize>,
    /// For each of them, the how manieth time through its repeat it is, from 1; after a jump the last.
    pub passes: Vec<u32>,
    /// For each of them, where the repeat begins that it is in, and whether it is in an ending.
    pub within: Vec<(usize, bool)>,
    /// The bars with a jump to a sign that is nowhere: it was not followed.
    pub astray: Vec<usize>,
}

impl Marks {
    /// Whether an ending or a repeat is over after this bar.
    fn closes(&self) -> bool {
        self.ending_stops || self.backward.is_some()
    }
}

/// A section that is played several times in a row. Places are of [`Order::bars`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Section {
    /// Where each time through begins, and where its ending does, or else where it ends.
    pub passes: Vec<(usize, usize)>,
    pub end: usize,
}

impl Order {
    /// The bars as they stand.
    pub fn straight(bars: usize) -> Order {
        let within = vec![(0, false); bars];
        Order { bars: (0..bars).collect(), passes: vec![1; bars], within, astray: Vec::new() }
    }

    /// Whether bars are played as they stand.
    pub fn is_straight(&self) -> bool {
        self.bars.windows(2).all(|pair| pair[1] == pair[0] + 1)
    }

    /// Another order behind this one, of bars that begin with number `from`.
    pub fn extend(&mut self, other: Order, from: usize) {
        self.bars.extend(other.bars.iter().map(|bar| from + bar));
        self.passes.extend(other.passes);
        self.within.extend(other.within.iter().map(|(start, is_ending)| (from + start, *is_ending)));
        self.astray.extend(other.astray.iter().map(|bar| from + bar));
    }

    /// What is repeated: sections whose times through differ in nothing but their endings.
    pub fn sections(&self) -> Vec<Section> {
        let goes_on = |k: usize| {
            k > 0
                && self.bars[k] > self.bars[k - 1]
                && (self.within[k].0, self.passes[k]) == (self.within[k - 1].0, self.passes[k - 1])
        };
        // One time through each: where it begins, and where its ending does.
        let starts: Vec<usize> = (0..self.bars.len()).filter(|k| !goes_on(*k)).collect();
        let end = |through: usize| starts.get(through + 1).copied().unwrap_or(self.bars.len());
        let ending = |k: usize| (starts[k]..end(k)).find(|at| self.within[*at].1).unwrap_or(end(k));
        let mut sections = Vec::new();
        let mut first = 0;
        while first < starts.len() {
            let begin = self.within[starts[first]].0;
            let is_pass = |(number, k): (usize, &usize)| {
                self.bars[*k] == begin && self.within[*k].0 == begin && self.passes[*k] as usize == number + 1
            };
            let count = starts[first..].iter().enumerate().take_while(|pass| is_pass(*pass)).count();
            let passes: Vec<(usize, usize)> = (first..first + count).map(|k| (starts[k], ending(k))).collect();
            let body = |(from, to): &(usize, usize)| &self.bars[*from..*to];
            if count > 1 && passes.iter().all(|pass| body(pass) == body(&passes[0])) {
                sections.push(Section { passes, end: end(first + count - 1) });
            }
            first += count.max(1);
        }
        sections
    }
}

/// What is repeated, where the bar at a place of the order begins `at` a time.
pub(crate) fn repeats(order: &Order, at: impl Fn(usize) -> Ticks) -> Vec<Repeat> {
    let pass = |(start, ending): (usize, usize)| Pass { start: at(start), ending: at(ending) };
    let repeat = |Section { passes, end }| Repeat { passes: passes.into_iter().map(pass).collect(), end: at(end) };
    order.sections().into_iter().map(repeat).collect()
}

/// The order in which bars are played; `None` where it has more than `limit`.
///
/// A repeat goes back to where a repeat last began, or to where the last one ended, or to the beginning. Its endings are played in their
/// passes only, and there are as many passes as endings name.
///
/// A jump is followed once, when its bar is not to be repeated any more. After it repeats are not taken again, but for those that say
/// so, and of endings the last is played, until a coda is reached or the bar of the jump once more: what follows is new. "Fine" and "to
/// coda" mean something after a jump only. What names the times at which it holds is followed at just these.
pub(crate) fn play_order(marks: &[Marks], limit: usize) -> Option<Order> {
    let mut player = Player::new(marks);
    while player.at < marks.len() {
        if !player.bar(limit) {
            return None;
        }
    }
    Some(player.order)
}

struct Player<'a> {
    marks: &'a [Marks],
    order: Order,
    at: usize,
    /// Where the repeat began that is being played.
    start: usize,
    pass: u32,
    ending: Option<&'a [u32]>,
    /// The jump that is being followed: how far, and which bar it stands in.
    jump: Option<(Until, usize)>,
    signs: Option<Signs<'a>>,
}

/// What only pieces with jumps need.
#[derive(Default)]
struct Signs<'a> {
    segnos: HashMap<&'a str, Vec<usize>>,
    codas: HashMap<&'a str, Vec<usize>>,
    /// Every sign, whatever its name.
    all_segnos: Vec<usize>,
    all_codas: Vec<usize>,
    /// For each bar the one, from itself on, that ends the repeat around it.
    ends: Vec<Option<usize>>,
    /// How often each bar has been played.
    times: Vec<u32>,
    /// The jumps that have been followed, or lead nowhere.
    done: Vec<bool>,
}

impl<'a> Signs<'a> {
    fn new(marks: &'a [Marks]) -> Signs<'a> {
        let mut signs = Signs { times: vec![0; marks.len()], done: vec![false; marks.len()], ..Signs::default() };
        for (k, mark) in marks.iter().enumerate() {
            mark.segnos.iter().for_each(|name| signs.segnos.entry(name).or_default().push(k));
            mark.codas.iter().for_each(|name| signs.codas.entry(name).or_default().push(k));
            signs.all_segnos.extend((!mark.segnos.is_empty()).then_some(k));
            signs.all_codas.extend((!mark.codas.is_empty()).then_some(k));
        }
        signs.ends = vec![None; marks.len()];
        for (k, mark) in marks.iter().enumerate().rev() {
            let next = marks.get(k + 1).filter(|next| !next.forward).and_then(|_| signs.ends[k + 1]);
            signs.ends[k] = if mark.backward.is_some() { Some(k) } else { next };
        }
        signs
    }

    /// The segno of this name, or else any, that was last met before bar `at` ends; or else the first after it.
    fn segno(&self, name: &str, at: usize) -> Option<usize> {
        let found = self.segnos.get(name).unwrap_or(&self.all_segnos);
        let after = found.partition_point(|bar| *bar <= at);
        found.get(after.saturating_sub(1)).copied()
    }

    /// The coda of this name, or else any, that comes next after bar `at`; or else the last before it.
    fn coda(&self, name: &str, at: usize) -> Option<usize> {
        let found = self.codas.get(name).unwrap_or(&self.all_codas);
        let after = found.partition_point(|bar| *bar <= at);
        found.get(after).or(found.last()).copied()
    }
}

impl<'a> Player<'a> {
    fn new(marks: &'a [Marks]) -> Player<'a> {
        let signs = marks.iter().any(|mark| !mark.leaps.is_empty()).then(|| Signs::new(marks));
        Player { marks, order: Order::default(), at: 0, start: 0, pass: 1, ending: None, jump: None, signs }
    }

    /// Plays the next bar and goes on to the one after it; `false` where there are too many.
    fn bar(&mut self, limit: usize) -> bool {
        let (at, mark) = (self.at, &self.marks[self.at]);
        if mark.forward && at != self.start {
            self.begin(at);
        }
        if !mark.ending.is_empty() {
            self.ending = Some(&mark.ending);
        }
        let in_ending = self.ending.is_some();
        let is_played = self.ending.is_none_or(|passes| passes.contains(&self.pass));
        if is_played {
            if self.order.bars.len() == limit {
                return false;
            }
            self.order.bars.push(at);
            self.order.passes.push(self.pass);
            self.order.within.push((self.start, in_ending));
            if let Some(signs) = &mut self.signs {
                signs.times[at] = signs.times[at].saturating_add(1);
            }
            if let Some(next) = self.timed_leap(mark) {
                self.at = next;
                return true;
            }
        }
        if mark.closes() {
            self.ending = None;
        }
        let may_repeat = self.jump.is_none() || mark.after_jump;
        let passes = || passes_from(self.marks, self.start);
        if is_played && may_repeat && mark.backward.is_some_and(|times| self.pass < passes().max(times)) {
            self.pass += 1;
            self.at = self.start;
            return true;
        }
        if is_played && let Some(next) = self.leap(mark, in_ending) {
            self.at = next;
            return true;
        }
        if mark.closes() {
            let is_over = self.marks.get(at + 1).is_none_or(|next| next.ending.is_empty());
            if is_over && (in_ending || mark.backward.is_some()) {
                self.begin(at + 1);
            }
        }
        self.at += 1;
        true
    }

    /// A repeat begins: with the first pass, or after a jump with the last.
    fn begin(&mut self, at: usize) {
        (self.start, self.pass, self.ending) = (at, 1, None);
        if self.jump.is_none() {
            return;
        }
        let end = self.signs.as_ref().and_then(|signs| *signs.ends.get(at)?).map(|end| &self.marks[end]);
        if end.is_none_or(|end| !end.after_jump) {
            self.pass = match passes_from(self.marks, at) {
                0 => end.and_then(|end| end.backward).unwrap_or(1),
                highest => highest,
            };
        }
    }

    /// Where to go on because this time is named.
    fn timed_leap(&mut self, mark: &Marks) -> Option<usize> {
        let time = *self.signs.as_ref()?.times.get(self.at)?;
        let leap = mark.leaps.iter().find(|leap| leap.times.contains(&time))?;
        self.follow(&leap.kind)
    }

    /// Where to go on after a bar that is not repeated again.
    fn leap(&mut self, mark: &Marks, in_ending: bool) -> Option<usize> {
        self.signs.as_ref()?;
        let mut usual = mark.leaps.iter().filter(|leap| leap.times.is_empty()).map(|leap| &leap.kind).peekable();
        usual.peek()?;
        // The bar of the jump, reached again: what follows has not been heard.
        let is_back = self.jump.is_some_and(|(_, from)| from == self.at);
        let until = self.jump.filter(|_| !is_back).map(|(until, _)| until);
        let met = usual.clone().find(|kind| match kind {
            LeapKind::Fine => matches!(until, Some(Until::Any | Until::Fine)),
            LeapKind::ToCoda(_) => matches!(until, Some(Until::Any | Until::Coda)),
            _ => false,
        });
        if let Some(kind) = met
            && let Some(next) = self.follow(kind)
        {
            return Some(next);
        }
        if is_back {
            self.jump = None;
        }
        let jump = usual.find(|kind| matches!(kind, LeapKind::DaCapo(_) | LeapKind::DalSegno(..)))?;
        let comes_again = !in_ending && self.jump.is_none() && {
            let signs = self.signs.as_ref()?;
            let passes = || passes_from(self.marks, self.start);
            let end = signs.ends[self.at].filter(|end| *end > self.at).and_then(|end| self.marks[end].backward);
            end.is_some_and(|times| self.pass < passes().max(times))
        };
        let signs = self.signs.as_mut()?;
        if comes_again || std::mem::replace(&mut signs.done[self.at], true) {
            return None;
        }
        self.follow(jump)
    }

    /// Goes where `kind` leads; `None` where that is nowhere.
    fn follow(&mut self, kind: &LeapKind) -> Option<usize> {
        let (at, signs) = (self.at, self.signs.as_mut()?);
        let (next, jump) = match kind {
            LeapKind::Fine => return Some(self.marks.len()),
            LeapKind::DaCapo(until) => (Some(0), Some((*until, at))),
            LeapKind::DalSegno(name, until) => (signs.segno(name, at), Some((*until, at))),
            LeapKind::ToCoda(name) => (signs.coda(name, at), None),
        };
        let Some(next) = next else {
            if self.order.astray.last() != Some(&at) {
                self.order.astray.push(at);
            }
            return None;
        };
        self.jump = jump;
        self.begin(next);
        Some(next)
    }
}

/// The highest pass that an ending of the repeat from `start` on names.
fn passes_from(marks: &[Marks], start: usize) -> u32 {
    let mut highest = 0;
    for (k, mark) in marks.iter().enumerate().skip(start) {
        // An ending that begins again with 1, or a new beginning, belongs to the next repeat.
        if k > start && mark.forward || highest > 0 && mark.ending.contains(&1) {
            break;
        }
        highest = highest.max(mark.ending.iter().copied().max().unwrap_or(0));
        if mark.closes() && marks.get(k + 1).is_none_or(|next| next.ending.is_empty()) {
            break;
        }
    }
    highest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leap(kind: LeapKind) -> Leap {
        Leap { kind, times: Vec::new() }
    }

    /// One bar a letter. Before it: `[` forward, a digit an ending, `$` a segno, `%` a coda. After it: `]` backward, `!` that is taken
    /// after a jump, too, `.` an ending's end, `^` da capo, `<` dal segno, `>` to coda, `|` fine.
    fn marks(text: &str) -> (Vec<Marks>, Vec<char>) {
        let mut marks: Vec<Marks> = Vec::new();
        let mut letters = Vec::new();
        let mut next = Marks::default();
        for c in text.chars() {
            let last = marks.last_mut();
            match c {
                '[' => next.forward = true,
                '$' => next.segnos.push(String::new()),
                '%' => next.codas.push(String::new()),
                '1'..='9' => next.ending.push(c.to_digit(10).unwrap()),
                ']' => last.unwrap().backward = Some(2),
                '!' => last.unwrap().after_jump = true,
                '.' => last.unwrap().ending_stops = true,
                '^' => last.unwrap().leaps.push(leap(LeapKind::DaCapo(Until::Any))),
                '<' => last.unwrap().leaps.push(leap(LeapKind::DalSegno(String::new(), Until::Any))),
                '>' => last.unwrap().leaps.push(leap(LeapKind::ToCoda(String::new()))),
                '|' => last.unwrap().leaps.push(leap(LeapKind::Fine)),
                letter => {
                    letters.push(letter);
                    marks.push(std::mem::take(&mut next));
                }
            }
        }
        (marks, letters)
    }

    fn order(text: &str) -> String {
        let (marks, letters) = marks(text);
        play_order(&marks, 1000).unwrap().bars.into_iter().map(|k| letters[k]).collect()
    }

    #[test]
    fn repeats_and_endings_are_followed() {
        assert_eq!(order("abc"), "abc");
        assert_eq!(order("ab]c"), "ababc");
        assert_eq!(order("a[bc]d"), "abcbcd");
        assert_eq!(order("ab][cd]"), "ababcdcd");
        // The end of one repeat begins the next.
        assert_eq!(order("ab]cd]"), "ababcdcd");
        assert_eq!(order("[a1b]2c.d"), "abacd");
        assert_eq!(order("[a1b]2c.[d1e]2f."), "abacdedf");
        assert_eq!(order("[a1b]2c.d1e]2f."), "abacdedf");
        // Three passes, two of them with the same ending; endings of several bars; a first ending without a second.
        assert_eq!(order("[a12b]3c."), "ababac");
        assert_eq!(order("[a1bc]2de.f"), "abcadef");
        assert_eq!(order("[a1b]cd"), "abacd");
        // A repeat sign after the last ending means nothing.
        assert_eq!(order("[a1b]2c]d"), "abacd");
    }

    #[test]
    fn what_is_repeated_is_known() {
        // The times through in brackets, endings behind a bar line.
        let sections = |text: &str| {
            let (marks, letters) = marks(text);
            let order = play_order(&marks, 1000).unwrap();
            let played = |from: usize, to: usize| order.bars[from..to].iter().map(|k| letters[*k]).collect::<String>();
            let shown = |section: Section| {
                let ends = section.passes.iter().skip(1).map(|(start, _)| *start).chain([section.end]);
                let pass = |((from, ending), end)| format!("{}|{}", played(from, ending), played(ending, end));
                section.passes.iter().copied().zip(ends).map(pass).collect::<Vec<_>>().join(" ")
            };
            order.sections().into_iter().map(shown).collect::<Vec<_>>()
        };
        assert_eq!(sections("abc"), [""; 0]);
        assert_eq!(sections("ab]c"), ["ab| ab|"]);
        assert_eq!(sections("a[b]cd]"), ["b| b|", "cd| cd|"]);
        assert_eq!(sections("[a1b]2c.d"), ["a|b a|c"]);
        assert_eq!(sections("[a1b]cd"), ["a|b a|"]);
        assert_eq!(sections("[a12b]3c.[d]"), ["a|b a|b a|c", "d| d|"]);
        // After a jump repeats are not taken again: what comes then is no time through.
        assert_eq!(sections("[ab]c^"), ["ab| ab|"]);
    }

    #[test]
    fn jumps_are_followed() {
        assert_eq!(order("abc^"), "abcabc");
        assert_eq!(order("ab|cd^"), "abcdab");
        assert_eq!(order("ab>cd^%e"), "abcdabe");
        assert_eq!(order("a$bc>d<%ef"), "abcdbcef");
        assert_eq!(order("a$bc|d<"), "abcdbc");
        // What follows a jump that is led through comes after it.
        assert_eq!(order("ab^cd"), "ababcd");
        // "Fine" and "to coda" mean nothing without a jump.
        assert_eq!(order("ab|c>d%e"), "abcde");
        // The nearest sign is meant: the segno before, the coda after.
        assert_eq!(order("$ab<$cd<e"), "ababcdcde");
    }

    #[test]
    fn repeats_are_not_taken_again_after_a_jump() {
        assert_eq!(order("[ab]c|d^"), "ababcdabc");
        assert_eq!(order("[a1b]2c.|[d]e^"), "abacddeac");
        // Where a repeat says so, it is.
        assert_eq!(order("[ab]!c|d^"), "ababcdababc");
        assert_eq!(order("[a1b]!2c.|d^"), "abacdabac");
        // In the coda all is new.
        assert_eq!(order("[a]b>c^%[d]e"), "aabcabdde");
        // A jump waits for its repeat, also in the middle of one; in an ending that is not repeated it does not.
        assert_eq!(order("ab|[c]^"), "abccab");
        assert_eq!(order("[ab^c]d"), "abcababcd");
        assert_eq!(order("[a1b^2c.d"), "abacd");
    }

    #[test]
    fn names_and_times_are_obeyed() {
        let (mut two, letters) = marks("abcdef");
        let played = |marks: &[Marks]| -> String {
            play_order(marks, 1000).unwrap().bars.into_iter().map(|k| letters[k]).collect()
        };
        two[0].segnos.push("x".to_owned());
        two[1].segnos.push("y".to_owned());
        two[2].leaps.push(leap(LeapKind::ToCoda("v".to_owned())));
        two[3].leaps.push(leap(LeapKind::DalSegno("x".to_owned(), Until::Coda)));
        two[4].codas.push("u".to_owned());
        two[5].codas.push("v".to_owned());
        assert_eq!(played(&two), "abcdabcf");
        // As far as "fine" only: "to coda" is passed over.
        two[3].leaps[0].kind = LeapKind::DalSegno("y".to_owned(), Until::Fine);
        two[4].leaps.push(leap(LeapKind::Fine));
        assert_eq!(played(&two), "abcdbcdef");
        // "To coda" the second time, without a jump.
        let (mut timed, _) = marks("[abc]d%ef");
        timed[1].leaps.push(Leap { kind: LeapKind::ToCoda(String::new()), times: vec![2] });
        assert_eq!(played(&timed), "abcabef");
        // A da capo at the first and second time.
        let (mut twice, _) = marks("abc");
        twice[1].leaps.push(Leap { kind: LeapKind::DaCapo(Until::Any), times: vec![1, 2] });
        assert_eq!(played(&twice), "abababc");
    }

    #[test]
    fn passes_are_told() {
        let (marks, _) = marks("[a1b]2c.|d^");
        assert_eq!(play_order(&marks, 100).unwrap().passes, [1, 1, 2, 2, 1, 2, 2]);
    }

    #[test]
    fn a_jump_to_nowhere_is_told() {
        let (marks, _) = marks("ab<c>d^");
        let order = play_order(&marks, 1000).unwrap();
        assert_eq!(order.bars, [0, 1, 2, 3, 0, 1, 2, 3]);
        assert_eq!(order.astray, [1, 2]);
    }

    #[test]
    fn endless_orders_are_refused() {
        let marks = vec![Marks { backward: Some(u32::MAX), ..Marks::default() }; 2];
        assert_eq!(play_order(&marks, 1000), None);
        // Every bar goes back to the beginning: as often as there are bars, and no oftener.
        let back = vec![Marks { leaps: vec![leap(LeapKind::DaCapo(Until::Any))], ..Marks::default() }; 100];
        assert!(play_order(&back, 100_000).is_some());
        assert_eq!(play_order(&back, 1000), None);
    }
}
