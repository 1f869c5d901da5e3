//! Numbers of things, as people say them.

/// `1 bar`, `3 bars`; of things whose plural is made with an `s`.
pub fn counted(count: usize, thing: &str) -> String {
    if count == 1 { format!("1 {thing}") } else { format!("{count} {thing}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_said_as_one() {
        assert_eq!([0, 1, 2].map(|count| counted(count, "bar")), ["0 bars", "1 bar", "2 bars"]);
    }
}
