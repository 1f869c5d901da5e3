//! On small pieces for several voices, with and without attacks.

use super::*;
use cantus_encoding::note_stream::decode;
use cantus_encoding::piano_roll::{self, Frame, Outside};
use cantus_model::frames::{Effort, JudgesFrames as _};
use cantus_model::tokens::Place as _;
use cantus_model::{Composer as _, Judge, Request, Sampling, StepAt, Trainable, seeded};
use cantus_score::{Note, Part, Pitch, Rhythm, Ticks, TicksPerQuarter, Velocity};
use player::Player;
use std::ops::ControlFlow;

const GRID: TicksPerQuarter = TicksPerQuarter::new(4).unwrap();
const ALL: Effort = Effort { every: 1, chains: 1, temperatures: 1 };

fn note(onset: u64, pitch: u64, duration: u64) -> Note {
    Note {
        onset: Ticks(onset),
        pitch: Pitch::try_from(pitch as u8).unwrap(),
        duration: Ticks(duration),
        velocity: Velocity::DEFAULT,
    }
}

fn score(grid: TicksPerQuarter, mut notes: Vec<Note>) -> Score {
    notes.sort_unstable();
    let mut score = Score::new(grid);
    score.parts.push(Part { notes, ..Part::default() });
    score
}

/// Three voices that move at their own times; the middle one repeats its notes.
fn piece(number: u64) -> Score {
    let upper = (0..16).map(|k| note(4 * k, 67 + (k * (number + 2)) % 8, 3 + k % 2));
    let middle = (0..8).map(|k| note(8 * k, 60 + (k / 3) % 4, 8));
    let lower = (0..16).map(|k| note(4 * k, 43 + (k + number) % 12, 4));
    let mut score = score(GRID, upper.chain(middle).chain(lower).collect());
    score.meters.push((Ticks::ZERO, if number.is_multiple_of(2) { "4/4" } else { "3/4" }.parse().unwrap()));
    score
}

fn set(attacks: bool) -> TrainingSet {
    let pieces = |range: Range<u64>| range.map(piece).collect();
    TrainingSet { train: pieces(0..6), valid: pieces(6..8), attacks, ..TrainingSet::default() }
}

fn trainer(attacks: bool, steps: u64) -> TokenTrainer<Stream> {
    let settings = SPEC.tiny_settings("default").unwrap();
    let mut trainer = TokenTrainer::new(&settings, &set(attacks), 1).unwrap();
    let mut at = StepAt { epoch: 0, step: 0 };
    for _ in 0..steps {
        trainer.step(at, 0.02);
        at.step += 1;
        if at.step == trainer.steps(at.epoch) {
            at = StepAt { epoch: at.epoch + 1, step: 0 };
        }
    }
    trainer
}

fn player(attacks: bool, steps: u64) -> Player {
    Player::load(&trainer(attacks, steps).save()).unwrap()
}

fn compose(player: &Player, request: &Request, seed: u64) -> Score {
    player.compose(request, &mut seeded(seed), &mut |_| ControlFlow::Continue(())).unwrap().score
}

#[test]
fn a_frame_is_the_sum_of_its_words_and_training_judges_as_the_composer_does() {
    for attacks in [true, false] {
        let mut trainer = trainer(attacks, 20);
        let player = Player::load(&trainer.save()).unwrap();
        let mut sums = (0.0, 0.0, 0.0);
        for piece in set(attacks).valid.iter() {
            let judged = Judge::judge(&player, &piece).figures;
            let frames = player.reading().frames(&piece);
            assert_eq!(judged.tokens, frames.len() as f64);
            let (tokens, _) = player.tokens(&piece);
            let mut walked = (0.0f64, 0);
            player.walk(&tokens, |token, probabilities, _| {
                walked.0 -= probabilities[token.id().index()].ln();
                walked.1 += usize::from(token == Token::Step);
            });
            assert!((walked.0 - judged.nats).abs() < 1e-6 * judged.nats && walked.1 == frames.len());
            sums = (sums.0 + judged.nats, sums.1 + judged.tokens, sums.2 + judged.correct);
        }
        let found = trainer.validate();
        assert!((found.nats - sums.0).abs() < 1e-3 * sums.0, "{found:?} {sums:?}");
        assert_eq!(found.tokens, sums.1);
        assert!(found.accuracy() > 0.0 && found.accuracy() <= 1.0 && sums.2 <= sums.1);
        assert_eq!(found.beside, Some(0.0));
        assert!(trainer.baselines().iter().all(|baseline| baseline.nats_per_token > 0.5), "{:?}", trainer.baselines());
    }
}

#[test]
fn the_future_changes_no_frame_and_strokes_are_part_of_it() {
    for attacks in [true, false] {
        let player = player(attacks, 20);
        let frames: Vec<Vec<Frame>> = set(attacks).train.iter().map(|piece| player.reading().frames(&piece)).collect();
        let whole = player.judge_frames(&frames, ALL, 0);
        for (piece, whole) in frames.iter().zip(&whole) {
            let half = player.judge_frames(&[piece[..piece.len() / 2].to_vec()], ALL, 0);
            assert_eq!(half[0], whole[..piece.len() / 2]);
            let figures: Vec<_> = whole.iter().flatten().collect();
            assert!(
                figures.iter().all(|f| f.nats >= f.strokes - 1e-9 && f.strokes >= -1e-9 && f.hits <= f.union + 1e-9)
            );
            assert_eq!(figures.iter().any(|f| f.strokes > 0.01), attacks);
        }
        let some = player.judge_frames(&frames, Effort { every: 5, ..ALL }, 0).concat();
        assert!(
            some.iter().zip(whole.concat()).enumerate().all(|(k, (some, all))| *some == all.filter(|_| k % 5 == 0))
        );
    }
}

#[test]
fn the_second_step_of_all_pieces_of_two_keys_is_certain() {
    // Of all keys but two nothing is left: the frames of these two must share the whole of the probability.
    let player = player(true, 20);
    let keys: Vec<Key> = [40, 50].into_iter().filter_map(Key::new).collect();
    let (mut spot, mut rows) = (player.begin(), player.model.rows());
    let first = [player.start_of_usual(), Token::Strike(keys[1]).id(), Token::Step.id()];
    for token in first {
        spot.read(token);
        player.model.read(token, &spot, &mut rows);
    }
    /// The probability of all frames that go on from here.
    fn sum(
        player: &Player,
        spot: &spot::Spot<'_>,
        rows: &cantus_model::tokens::Rows,
        keys: &[Key],
        frames: &mut usize,
    ) -> f64 {
        let mut here = rows.clone();
        let logits = player.model.predict(spot, &mut here).to_vec();
        let may: Vec<Token> = (0..WORDS as u32)
            .filter_map(|id| Token::of(TokenId(id)))
            .filter(|token| spot.cursor.permits(*token) && token.key().is_none_or(|key| keys.contains(&key)))
            .collect();
        let all: f64 = may.iter().map(|token| f64::from(logits[token.id().index()]).exp()).sum();
        let mut found = 0.0;
        for token in may {
            let p = f64::from(logits[token.id().index()]).exp() / all;
            if token == Token::Step {
                *frames += 1;
                found += p;
                continue;
            }
            let (mut next, mut after) = (spot.clone(), rows.clone());
            next.read(token.id());
            player.model.read(token.id(), &next, &mut after);
            found += p * sum(player, &next, &after, keys, frames);
        }
        found
    }
    let mut frames = 0;
    let found = sum(&player, &spot, &rows, &keys, &mut frames);
    // Key 50 is held, struck again or silent; key 40 is struck or silent.
    assert!((found - 1.0).abs() < 1e-6 && frames == 6, "{found} {frames}");
}

#[test]
fn the_pitches_of_a_rhythm_share_all_probability() {
    let player = player(true, 20);
    let nats = |notes: Vec<Note>| player.given_rhythm(&score(GRID, notes)).unwrap().nats;
    let all: f64 = (21..109).map(|pitch| (-nats(vec![note(0, pitch, 2)])).exp()).sum();
    assert!((all - 1.0).abs() < 1e-6, "{all}");
    // A note that is struck while another sounds has one of the other keys.
    let during = |pitch: u64| nats(vec![note(0, 60, 2), note(1, pitch, 1)]) - nats(vec![note(0, 60, 2)]);
    let all: f64 = (21..109).filter(|pitch| *pitch != 60).map(|pitch| (-during(pitch)).exp()).sum();
    assert!((all - 1.0).abs() < 1e-5, "{all}");
    let pairs = (21..109).flat_map(|low| (low + 1..109).map(move |high| (low, high)));
    let all: f64 = pairs.map(|(low, high)| (-nats(vec![note(0, low, 2), note(0, high, 1)])).exp()).sum();
    assert!((all - 1.0).abs() < 1e-6, "{all}");
    // Knowing the rhythm, a piece is no less likely than without.
    for piece in set(true).valid.iter() {
        let (given, whole) = (player.given_rhythm(&piece).unwrap(), Judge::judge(&player, &piece).figures);
        assert!(given.nats < whole.nats && given.nats > 0.0 && given.notes == piece.note_count() as f64);
    }
}

/// When notes begin and end.
fn times(score: &Score, grid: TicksPerQuarter) -> Vec<(Ticks, Ticks)> {
    let fine = score.rescaled(grid);
    let mut times: Vec<(Ticks, Ticks)> = fine.notes().map(|note| (note.onset, note.end())).collect();
    times.sort_unstable();
    times
}

#[test]
fn a_rhythm_is_kept_note_for_note_whatever_it_is() {
    let fine = TicksPerQuarter::new(480).unwrap();
    let off_grid = score(fine, (0..60).map(|k| note(137 * k, 40 + (7 * k) % 40, 100 + 31 * (k % 9))).collect());
    let dense = score(fine, (0..20).flat_map(|k| (0..7).map(move |n| note(60 * k + 5 * n, 30 + 8 * n, 59))).collect());
    let clusters = score(GRID, (0..6).flat_map(|k| (0..30).map(move |n| note(2 * k, 40 + n, 2))).collect());
    let mut upbeat = score(GRID, (0..9).map(|k| note(4 * k, 60, 4)).collect());
    upbeat.meters = vec![(Ticks::ZERO, "1/4".parse().unwrap()), (Ticks(4), "4/4".parse().unwrap())];
    let rests = score(GRID, vec![note(7, 60, 1), note(100, 61, 50)]);
    for attacks in [true, false] {
        for steps in [0, 30] {
            let player = player(attacks, steps);
            for (number, given) in [&piece(1), &off_grid, &dense, &clusters, &upbeat, &rests].into_iter().enumerate() {
                let rhythm = Rhythm::of(given).unwrap();
                let mut request = Request::new(7, Sampling::default());
                request.controls.set("rhythm", &rhythm.to_string()).unwrap();
                let mut pitches = std::collections::BTreeSet::new();
                for seed in 0..3 {
                    let composed = compose(&player, &request, seed);
                    let grid = given.ticks_per_quarter.common(composed.ticks_per_quarter);
                    let merged = cantus_score::merge_parts(&given.parts);
                    let expected = Score { parts: vec![merged], ..given.clone() };
                    assert_eq!(times(&composed, grid), times(&expected, grid), "{attacks} {steps} {number}");
                    assert_eq!(
                        composed.named_meters().first().map(|(_, meter)| *meter),
                        given.named_meters().first().map(|(_, meter)| *meter)
                    );
                    assert_eq!((composed.bar_count(), request.bars()), (given.bar_count(), given.bar_count()));
                    // No key sounds twice at once.
                    assert_eq!(cantus_score::merge_parts(&composed.parts).notes.len(), composed.note_count());
                    pitches.insert(composed.notes().map(|note| note.pitch).collect::<Vec<_>>());
                }
                assert!(pitches.len() > 1, "the seed decides the pitches");
            }
        }
    }
}

#[test]
fn a_rhythm_for_more_hands_than_there_are_keys_is_refused() {
    let player = player(true, 0);
    let lengths = vec!["1"; 90].join(".");
    for (text, is_fine) in
        [(format!("4; ; ; 0:{lengths}"), false), (format!("4; ; ; 0:{}", &lengths[..2 * 88 - 1]), true)]
    {
        let mut request = Request::new(1, Sampling::default());
        request.controls.set("rhythm", &text).unwrap();
        let found = player.compose(&request, &mut seeded(1), &mut |_| ControlFlow::Continue(()));
        match found {
            Ok(composed) => assert!(is_fine && composed.score.note_count() == 88),
            Err(error) => assert!(!is_fine && error.to_string().contains("more than 88"), "{error}"),
        }
    }
}

#[test]
fn whatever_is_drawn_decodes_and_clocks_are_those_of_the_metre() {
    let player = player(true, 10);
    for seed in 0..6 {
        let sampling = Sampling { temperature: 1.5, ..Sampling::default() };
        let composed = compose(&player, &Request::new(5, sampling), seed);
        let frames = piano_roll::encode(&cantus_model::merged_on_grid(&composed, GRID), Outside::Refuse).unwrap();
        assert_eq!(decode(&encode(&frames)), frames);
    }
    let clock = |meter: &str, upbeat: Option<&str>| {
        let mut piece = score(GRID, vec![note(0, 60, 64)]);
        piece.meters = match upbeat {
            Some(short) => vec![(Ticks::ZERO, short.parse().unwrap()), (Ticks(4), meter.parse().unwrap())],
            None => vec![(Ticks::ZERO, meter.parse().unwrap())],
        };
        Clock::of(&piece)
    };
    assert_eq!(clock("4/4", None), Clock { bar: 256, over: 0 });
    assert_eq!(clock("3/4", Some("1/4")), Clock { bar: 192, over: 128 });
    assert_eq!(clock("7/32", None), Clock { bar: 56, over: 0 });
    assert_eq!(clock("4/4", None).beginning_at(20), Clock { bar: 256, over: 192 });
}
