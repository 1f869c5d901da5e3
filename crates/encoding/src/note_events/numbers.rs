//! Whole numbers as classes: small ones each their own, large ones eight to the octave.

/// Numbers below this are classes of their own.
const EXACT: u32 = 32;
/// Classes to an octave beyond.
const STEPS: u32 = 8;
/// Octaves beyond.
const OCTAVES: u32 = 11;
/// How many classes there are: numbers below 65,536, and larger ones cut there.
pub const NUMBERS: usize = (EXACT + STEPS * OCTAVES) as usize;

/// The class of a number.
pub fn number_of(n: u32) -> u8 {
    if n < EXACT {
        return n as u8;
    }
    let n = n.min((EXACT << OCTAVES) - 1);
    let octave = n.ilog2() - EXACT.ilog2();
    let width = (EXACT << octave) / STEPS;
    (EXACT + octave * STEPS + (n - (EXACT << octave)) / width) as u8
}

/// The numbers of a class: the first, and how many. Any of them is as likely as another.
pub fn spread_of(class: u8) -> (u32, u32) {
    let class = u32::from(class);
    if class < EXACT {
        return (class, 1);
    }
    let (octave, step) = ((class - EXACT) / STEPS, (class - EXACT) % STEPS);
    let width = (EXACT << octave) / STEPS;
    ((EXACT << octave) + step * width, width)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_follow_one_another_without_a_gap() {
        let mut next = 0;
        for class in 0..NUMBERS as u8 {
            let (first, width) = spread_of(class);
            assert_eq!(first, next);
            for n in [first, first + width / 2, first + width - 1] {
                assert_eq!(number_of(n), class, "{n}");
            }
            next = first + width;
        }
        assert_eq!(next, 65_536);
        assert_eq!(number_of(u32::MAX), NUMBERS as u8 - 1);
    }
}
