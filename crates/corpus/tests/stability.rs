//! The split depends on the music alone.

mod fixture;

use cantus_corpus::{ContentHash, Corpus, Options, Split, read};
use fixture::{piece, save};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::path::Path;

fn corpus(place: &Path) -> Corpus {
    // A third, so that the exception for empty sides does not come in.
    let options = Options { valid_share: 0.33, ..Options::default() };
    read(place, &options, &mut |_| ()).expect("a corpus")
}

fn sides(corpus: &Corpus) -> BTreeMap<ContentHash, Split> {
    corpus.pieces.iter().map(|piece| (piece.hash, piece.split)).collect()
}

/// No side is empty by the rule alone.
fn is_plain(corpus: &Corpus) -> bool {
    !corpus.report.remarks.iter().any(|remark| remark.contains("was chosen for it"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn renaming_adding_removing_and_transposing_move_nothing(
        seeds in prop::collection::hash_set(0u64..1_000_000, 12..24),
        shift in -12i32..=12,
        silence in 0u64..3,
        salt in 0u64..1000,
    ) {
        let seeds: Vec<u64> = seeds.into_iter().collect();
        let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for (k, seed) in seeds.iter().enumerate() {
            save(&piece(*seed, 40, 50), &first.path().join(format!("{k}.mid")));
            // The same pieces under other names, in other keys, a few bars later; the last one left out, another one added.
            let mut copy = piece(*seed, 40, 50).transposed(shift).unwrap();
            copy.parts[0].notes.iter_mut().for_each(|note| note.onset.0 += silence * 4 * 480);
            if k + 1 < seeds.len() {
                save(&copy, &second.path().join(format!("{}/{k}.kar", (seed ^ salt) % 7)));
            }
        }
        save(&piece(2_000_000 + salt, 40, 50), &second.path().join("new.midi"));
        let (one, two) = (corpus(first.path()), corpus(second.path()));
        prop_assume!(is_plain(&one) && is_plain(&two));
        let (before, after) = (sides(&one), sides(&two));
        prop_assert_eq!(before.len(), seeds.len());
        let common = before.iter().filter(|(hash, split)| after.get(hash) == Some(split)).count();
        prop_assert_eq!(common, seeds.len() - 1);
    }

    #[test]
    fn the_fingerprint_knows_music_and_no_names(seeds in prop::collection::hash_set(0u64..1_000_000, 3..6)) {
        let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for (k, seed) in seeds.iter().enumerate() {
            save(&piece(*seed, 40, 50), &first.path().join(format!("{k}.mid")));
            save(&piece(*seed, 40, 50), &second.path().join(format!("{}.mid", 9 - k)));
        }
        let fingerprint = corpus(first.path()).fingerprint();
        prop_assert_eq!(corpus(second.path()).fingerprint(), fingerprint);
        save(&piece(3_000_000, 40, 50), &second.path().join("new.mid"));
        prop_assert_ne!(corpus(second.path()).fingerprint(), fingerprint);
    }
}

#[test]
fn the_hash_spreads_evenly() {
    let place = tempfile::tempdir().unwrap();
    for seed in 0..200 {
        save(&piece(seed, 40, 50), &place.path().join(format!("{seed}.mid")));
    }
    let valid = corpus(place.path()).pieces_of(Split::Valid).count();
    // 66 are expected; the bounds are four standard deviations away, and the pieces are always the same.
    assert!((40..=92).contains(&valid), "{valid}");
}

#[test]
fn neither_side_stays_empty() {
    let place = tempfile::tempdir().unwrap();
    for seed in 0..3 {
        save(&piece(seed, 40, 50), &place.path().join(format!("{seed}.mid")));
    }
    for (valid_share, valid) in [(0.0, 1), (1.0, 2)] {
        let options = Options { valid_share, ..Options::default() };
        let corpus = read(place.path(), &options, &mut |_| ()).unwrap();
        assert_eq!(corpus.pieces_of(Split::Valid).count(), valid);
        // The smallest hashes are the validation pieces, also where the exception chose them.
        assert!(corpus.pieces.iter().take(valid).all(|piece| piece.split == Split::Valid));
        assert_eq!(corpus.report.totals.valid, valid);
    }
}
