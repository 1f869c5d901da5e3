//! On which side of the split a piece stands.

use crate::{ContentHash, Split};
use std::collections::HashMap;

/// The sides of pieces.
#[derive(Debug, PartialEq)]
pub(crate) struct Sides {
    /// Of each piece, in their order.
    pub splits: Vec<Split>,
    /// Which side would have been empty, and the first of the pieces that were moved to it.
    pub moved: Option<(Split, usize)>,
}

/// The sides of pieces by their hashes and compositions, which are numbers of pieces. See [`read`](crate::read) for the rule.
pub(crate) fn sides(hashes: &[ContentHash], compositions: &[usize], valid_share: f64) -> Sides {
    let mut members: HashMap<usize, Vec<usize>> = HashMap::new();
    for (piece, composition) in compositions.iter().enumerate() {
        members.entry(*composition).or_default().push(piece);
    }
    // With nothing but one composition its pieces have to do.
    let mut groups: Vec<Vec<usize>> = match members.len() {
        1 => (0..hashes.len()).map(|piece| vec![piece]).collect(),
        _ => members.into_values().collect(),
    };
    let place = |group: &[usize]| match group {
        [alone] => hashes[*alone].fraction(),
        // One piece speaks for all, whichever are on its side: no composition gets a larger chance by being played often.
        group => {
            group.iter().map(|piece| hashes[*piece]).min_by_key(ContentHash::lot).map_or(0.0, |hash| hash.fraction())
        }
    };
    groups.sort_by(|a, b| place(a).total_cmp(&place(b)).then_with(|| a.cmp(b)));
    let mut valid = groups.iter().take_while(|group| place(group) < valid_share).count();
    let mut moved = None;
    match groups.len() {
        0 => {}
        1 => valid = 0,
        _ if valid == 0 => {
            valid = 1;
            moved = Some((Split::Valid, groups[0][0]));
        }
        all if valid == all => {
            valid = all - 1;
            moved = Some((Split::Train, groups[valid][0]));
        }
        _ => {}
    }
    let mut splits = vec![Split::Train; hashes.len()];
    groups[..valid].iter().flatten().for_each(|piece| splits[*piece] = Split::Valid);
    Sides { splits, moved }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Split::{Train, Valid};
    use cantus_score::{Note, Part, Pitch, Score, Ticks, TicksPerQuarter, Velocity};

    /// Different hashes, in order.
    fn hashes(count: u8) -> Vec<ContentHash> {
        let hash = |interval: u8| {
            let note = |k: u8| Note {
                onset: Ticks(u64::from(k)),
                pitch: Pitch::try_from(k * interval).unwrap(),
                duration: Ticks(1),
                velocity: Velocity::DEFAULT,
            };
            let notes = vec![note(0), note(1)];
            ContentHash::of(&Score {
                parts: vec![Part { notes, ..Part::default() }],
                ..Score::new(TicksPerQuarter::DEFAULT)
            })
        };
        let mut hashes: Vec<ContentHash> = (0..count).map(hash).collect();
        hashes.sort();
        hashes
    }

    #[test]
    fn pieces_that_are_alone_stand_where_their_hashes_say() {
        let hashes = hashes(60);
        let alone: Vec<usize> = (0..60).collect();
        let Sides { splits, moved } = sides(&hashes, &alone, 0.3);
        let expected = hashes.iter().map(|hash| if hash.fraction() < 0.3 { Valid } else { Train });
        assert!(splits.iter().copied().eq(expected) && moved.is_none());
        // A composition in several versions stands on one side, and moves no other piece.
        let mut compositions = alone;
        (1..60).step_by(7).for_each(|piece| compositions[piece] = 1);
        let together = sides(&hashes, &compositions, 0.3).splits;
        let of_it: Vec<Split> = (1..60).step_by(7).map(|piece| together[piece]).collect();
        assert!(of_it.iter().all(|split| *split == of_it[0]));
        let is_other = |piece: &usize| piece % 7 != 1;
        assert!((0..60).filter(is_other).all(|piece| together[piece] == splits[piece]));
    }

    #[test]
    fn neither_side_stays_empty() {
        let hashes = hashes(4);
        let splits = |compositions: &[usize], share: f64| sides(&hashes[..compositions.len()], compositions, share);
        assert_eq!(
            splits(&[0, 1, 2, 3], 0.0),
            Sides { splits: vec![Valid, Train, Train, Train], moved: Some((Valid, 0)) }
        );
        assert_eq!(
            splits(&[0, 1, 2, 3], 1.1),
            Sides { splits: vec![Valid, Valid, Valid, Train], moved: Some((Train, 3)) }
        );
        let [none, all] = [0.0, 1.1].map(|share| splits(&[0, 1, 0, 1], share).splits);
        assert!(none[0] == none[2] && none[1] == none[3] && none[0] != none[1] && none == all);
        // Of one composition alone its versions are divided.
        assert_eq!(splits(&[0, 0, 0], 0.0).splits, [Valid, Train, Train]);
        assert_eq!(splits(&[0], 1.1), Sides { splits: vec![Train], moved: None });
        assert_eq!(splits(&[], 0.5), Sides { splits: vec![], moved: None });
    }
}
