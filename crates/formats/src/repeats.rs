//! Repeats: in which order the bars of a piece are played.

/// What a bar says about repeats.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    /// A repeat begins with it.
    pub forward: bool,
    /// A repeat ends with it: so many times in all.
    pub backward: Option<u32>,
    /// An ending for these passes begins with it.
    pub ending: Vec<u32>,
    /// The ending in force ends with it.
    pub ending_stops: bool,
}

impl Marks {
    /// Whether an ending or a repeat is over after this bar.
    fn closes(&self) -> bool {
        self.ending_stops || self.backward.is_some()
    }
}

/// The order in which bars are played, as their numbers from 0; `None` where it has more than `limit`.
///
/// A repeat goes back to where a repeat last began, or to where the last one ended, or to the beginning. Its endings are played in their
/// passes only, and there are as many passes as endings name.
pub(crate) fn play_order(marks: &[Marks], limit: usize) -> Option<Vec<usize>> {
    let mut order = Vec::with_capacity(marks.len().min(limit));
    let (mut start, mut pass, mut at) = (0, 1, 0);
    let mut ending: Option<&[u32]> = None;
    while let Some(mark) = marks.get(at) {
        if mark.forward && at != start {
            (start, pass, ending) = (at, 1, None);
        }
        if !mark.ending.is_empty() {
            ending = Some(&mark.ending);
        }
        let in_ending = ending.is_some();
        let is_played = ending.is_none_or(|passes| passes.contains(&pass));
        if is_played {
            if order.len() == limit {
                return None;
            }
            order.push(at);
        }
        if mark.closes() {
            ending = None;
            if is_played && mark.backward.is_some_and(|times| pass < passes_from(marks, start).max(times)) {
                pass += 1;
                at = start;
                continue;
            }
            let is_over = marks.get(at + 1).is_none_or(|next| next.ending.is_empty());
            if is_over && (in_ending || mark.backward.is_some()) {
                (start, pass) = (at + 1, 1);
            }
        }
        at += 1;
    }
    Some(order)
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

    /// One bar a letter: `[` forward, `]` backward, a digit an ending, `.` its end.
    fn order(text: &str) -> String {
        let mut marks: Vec<Marks> = Vec::new();
        let mut letters = Vec::new();
        let mut next = Marks::default();
        for c in text.chars() {
            match c {
                '[' => next.forward = true,
                ']' => marks.last_mut().unwrap().backward = Some(2),
                '.' => marks.last_mut().unwrap().ending_stops = true,
                '1'..='9' => next.ending.push(c.to_digit(10).unwrap()),
                letter => {
                    letters.push(letter);
                    marks.push(std::mem::take(&mut next));
                }
            }
        }
        let order = play_order(&marks, 1000).unwrap();
        order.into_iter().map(|k| letters[k]).collect()
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
    fn endless_repeats_are_refused() {
        let marks = vec![Marks { backward: Some(u32::MAX), ..Marks::default() }; 2];
        assert_eq!(play_order(&marks, 1000), None);
    }
}
