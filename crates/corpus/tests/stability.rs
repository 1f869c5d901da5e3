//! The split depends on the music alone.

mod fixture;

use cantus_corpus::{ContentHash, Corpus, Options, Split, read};
use cantus_score::{Score, Ticks};
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
        let fingerprint = corpus(first.path()).fingerprint().unwrap();
        prop_assert_eq!(corpus(second.path()).fingerprint().unwrap(), fingerprint);
        save(&piece(3_000_000, 40, 50), &second.path().join("new.mid"));
        prop_assert_ne!(corpus(second.path()).fingerprint().unwrap(), fingerprint);
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

/// A piece as somebody plays it: in another tempo, never in time, in another key.
fn played(seed: u64, player: u64) -> Score {
    let mut piece = piece(seed, 200, 50);
    for (k, note) in piece.parts[0].notes.iter_mut().enumerate() {
        note.onset = Ticks(note.onset.0 * (8 + player) / 8 + (k as u64 * player * 7919) % 60);
        note.duration = Ticks(100);
    }
    piece.transposed(player as i32).unwrap()
}

#[test]
fn performances_of_one_composition_stand_on_one_side_and_move_no_other() {
    let place = tempfile::tempdir().unwrap();
    for seed in 0..40 {
        save(&piece(seed, 200, 50), &place.path().join(format!("{seed}.mid")));
    }
    let before = sides(&corpus(place.path()));
    for (seed, player) in (0..6).flat_map(|seed| (1..4).map(move |player| (seed, player))) {
        save(&played(seed, player), &place.path().join(format!("{}/by {player}.mid", 100 - seed)));
    }
    let open = Options { valid_share: 0.33, max_off_grid: 1.0, ..Options::default() };
    let all = read(place.path(), &open, &mut |_| ()).unwrap();
    assert_eq!(all.pieces.len(), 40 + 18);
    let side = |name: String| all.pieces.iter().find(|piece| piece.path == name).unwrap().split;
    for seed in 0..6 {
        let written = side(format!("{seed}.mid"));
        assert!((1..4).all(|player| side(format!("{}/by {player}.mid", 100 - seed)) == written), "{seed}");
    }
    let after = sides(&all);
    let number = |path: &str| path.trim_end_matches(".mid").parse::<u64>().ok();
    let alone: Vec<_> = all.pieces.iter().filter(|piece| number(&piece.path).is_some_and(|seed| seed >= 6)).collect();
    assert!(alone.len() == 34 && alone.iter().all(|piece| after[&piece.hash] == before[&piece.hash]));
    assert!(all.report.remarks.iter().any(|remark| remark.starts_with("24 pieces are versions of 6 compositions")));
}

#[test]
fn any_number_of_threads_reads_the_same() {
    let place = tempfile::tempdir().unwrap();
    for seed in 0..150 {
        // Some are duplicates, some are no music.
        save(&piece(seed % 140, 40, 50), &place.path().join(format!("{seed}.mid")));
    }
    (0..150).step_by(20).for_each(|k| std::fs::write(place.path().join(format!("{k}.mid")), "no music").unwrap());
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let mut told = Vec::new();
        let options = Options::default();
        let read = || read(place.path(), &options, &mut |at| told.push((at.done, at.path.to_owned())));
        let corpus = pool.install(read).unwrap();
        (corpus.pieces, corpus.report, told)
    };
    let one = with(1);
    assert!(one.1.totals.refused.len() == 2 && one.0.len() > 120);
    assert_eq!(with(3), one);
}
