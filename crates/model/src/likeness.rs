//! Which earlier places of a row resemble the present: what composers share that offer what stood there.

/// For how many things, `most` at the most, a row is the same from two of them on.
pub fn alike<T: PartialEq>(row: &[T], a: usize, b: usize, most: usize) -> usize {
    let (Some(one), Some(other)) = (row.get(a..), row.get(b..)) else { return 0 };
    one.iter().zip(other).take(most).take_while(|(a, b)| a == b).count()
}

/// The likest of candidates and the likest that has another token, of equals the first: each a token, how much alike it was before, and how
/// much alike it is from there on.
pub fn likest<T: PartialEq>(candidates: impl Iterator<Item = (T, usize, usize)>) -> Vec<(T, usize, usize)> {
    let mut found: Vec<(T, usize, usize)> = Vec::with_capacity(3);
    for next in candidates {
        let score = |(_, behind, ahead): &(T, usize, usize)| behind + ahead;
        if let Some(same) = found.iter_mut().find(|known| known.0 == next.0) {
            if score(&next) > score(same) {
                *same = next;
            }
        } else {
            found.push(next);
        }
        // The likest first; of equals the earlier found.
        found.sort_by_key(|known| std::cmp::Reverse(score(known)));
        found.truncate(2);
    }
    found
}
