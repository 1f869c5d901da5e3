mod asked;

use super::SPEC;
use super::layout::{Layout, Told, choice};
use super::past::Past;
use super::view::View;
use cantus_encoding::note_events::{Vocabulary, encode};
use cantus_model::{
    Cell, ComposeError, Composer, Given, ModelFile, Pieces, Precision, Prompt, Request, StepAt, Styles, TrainingSet,
};
use cantus_nn::cascade::{NONE, Sight};
use cantus_nn::random::{below, seeded};
use cantus_score::{Note, Part, Pitch, Program, Reading, Score, Ticks, TicksPerQuarter, Velocity};
use std::ops::ControlFlow;
use std::sync::atomic::AtomicBool;

/// A band that plays by chance: two instruments and drums, with triplets, chords, notes over bar lines.
fn band(seed: u64, moved: i32) -> Score {
    let rng = &mut seeded(seed);
    let mut score = Score::new(TicksPerQuarter::new(12).unwrap());
    for (program, low) in [(0u8, 55u64), (33, 34)] {
        let mut at = 0;
        let mut notes = Vec::new();
        while at < 12 * 4 * 12 {
            for k in 0..1 + below(rng, 3) as u64 {
                notes.push(Note {
                    onset: Ticks(at),
                    pitch: Pitch::try_from((low + 4 * k + below(rng, 4) as u64) as i64 + i64::from(moved)).unwrap(),
                    duration: Ticks([3, 4, 6, 12, 40, 500][below(rng, 6)]),
                    velocity: Velocity::try_from(40 + 8 * below(rng, 9) as u8).unwrap(),
                });
            }
            at += [0, 3, 4, 6, 12, 30][below(rng, 6)] + 1;
        }
        notes.sort_unstable();
        let programs = vec![(Ticks::ZERO, Program::new(program).unwrap())];
        score.parts.push(Part { programs, notes, ..Part::default() });
    }
    let stroke = |k: u64| Note {
        onset: Ticks(6 * k),
        pitch: Pitch::try_from(36 + 2 * (k % 4) as u8).unwrap(),
        duration: Ticks(1),
        velocity: Velocity::DEFAULT,
    };
    score.parts.push(Part { notes: (0..90).map(stroke).collect(), ..Part::of_drums() });
    score
}

fn read(score: &Score, vocabulary: &Vocabulary) -> Past {
    let (events, adjustments) = encode(score, vocabulary);
    assert!(adjustments.is_empty());
    Past::of(&events.notes, events.bars, vocabulary.clock(), |number| vocabulary.is_drums(number))
}

#[test]
fn what_is_there_is_always_allowed_and_makes_the_note_again() {
    for seed in 0..6 {
        let score = band(seed, 0);
        let vocabulary = Vocabulary::build([&score], Reading::Parts, true).unwrap();
        let layout = Layout::new(&vocabulary, 0);
        let past = read(&score, &vocabulary);
        let mut view = View::new(&vocabulary, &layout, &past, 0);
        for (j, note) in past.notes().iter().enumerate() {
            let (sight, _) = view.of_note(j);
            let drums = vocabulary.is_drums(note.instrument);
            for v in 0..choice::COUNT {
                let target = sight.targets[v];
                assert_eq!(target == NONE, drums && [choice::LENGTH, choice::END].contains(&v), "{j} {v}");
                assert!(target == NONE || sight.allowed[v] >> target & 1 == 1, "note {j}, choice {v}: {note:?}");
                let known = sight.known(v);
                assert!(known.iter().is_sorted() && known.windows(2).all(|pair| pair[0] < pair[1]), "{known:?}");
            }
            assert_eq!(view.level(note.level), *note);
        }
    }
}

#[test]
fn moved_music_moves_what_is_heard_and_offered_and_nothing_else() {
    let scores = [band(3, 0), band(3, 4)];
    let vocabulary = Vocabulary::build(&scores, Reading::Parts, true).unwrap();
    let layout = Layout::new(&vocabulary, 0);
    let [still, moved] = scores.each_ref().map(|score| read(score, &vocabulary));
    let mut views = (View::new(&vocabulary, &layout, &still, 4), View::new(&vocabulary, &layout, &moved, 0));
    let (mut a, mut b) = (vec![0.0; layout.inputs()], vec![0.0; layout.inputs()]);
    for j in 0..still.notes().len() {
        let (expected, found) = (views.1.of_note(j).0, views.0.of_note(j).0);
        // Keys beyond the keyboard's ends are not compared: what was moved out of it is gone.
        let mut found = found;
        found.allowed[choice::PITCH] |= 15;
        let mut expected = expected;
        expected.allowed[choice::PITCH] |= 15;
        assert_eq!(found, expected, "note {j}");
        layout.read(&still, j, (4, Told::ALL), |number| vocabulary.is_drums(number), &mut a);
        layout.read(&moved, j, (0, Told::ALL), |number| vocabulary.is_drums(number), &mut b);
        assert_eq!(a, b, "note {j}");
    }
}

#[test]
fn what_comes_later_changes_nothing_that_is_known() {
    let score = band(5, 0);
    let vocabulary = Vocabulary::build([&score], Reading::Parts, true).unwrap();
    let layout = Layout::new(&vocabulary, 0);
    let whole = read(&score, &vocabulary);
    let mut growing = Past::new(whole.bars().to_vec(), vocabulary.clock());
    let (mut a, mut b) = (vec![0.0; layout.inputs()], vec![0.0; layout.inputs()]);
    for (j, note) in whole.notes().iter().enumerate() {
        let mut before = View::new(&vocabulary, &layout, &growing, 0);
        before.open(j);
        let mut after = View::new(&vocabulary, &layout, &whole, 0);
        after.open(j);
        assert_eq!(before.sight, after.sight, "note {j}");
        layout.read(&growing, j, (0, Told::ALL), |number| vocabulary.is_drums(number), &mut a);
        layout.read(&whole, j, (0, Told::ALL), |number| vocabulary.is_drums(number), &mut b);
        assert_eq!(a, b, "note {j}");
        growing.push(*note, vocabulary.is_drums(note.instrument));
    }
}

#[test]
fn who_composes_sees_at_each_choice_what_is_judged_by() {
    let score = band(7, 0);
    let vocabulary = Vocabulary::build([&score], Reading::Parts, true).unwrap();
    let (layout, past) = (Layout::new(&vocabulary, 0), read(&score, &vocabulary));
    let mut judging = View::new(&vocabulary, &layout, &past, 0);
    // Who composes has no note but those before.
    let mut written = Past::new(past.bars().to_vec(), vocabulary.clock());
    for (j, note) in past.notes().iter().enumerate() {
        let mut composing = View::new(&vocabulary, &layout, &written, 0);
        let (whole, _) = judging.of_note(j);
        let agrees = |sight: &Sight, v: usize| {
            let (here, later) = whole.candidates.split_at(sight.candidates.len());
            let same =
                here.iter().zip(&sight.candidates).all(|(a, b)| a.kinds == b.kinds && a.offers[..=v] == b.offers[..=v]);
            let nothing = later.iter().all(|candidate| candidate.offers[..=v].iter().all(|offer| *offer == NONE));
            assert!(same && nothing && whole.known(v) == sight.known(v), "choice {v} of note {j}");
            assert_eq!((whole.allowed[v], whole.marks), (sight.allowed[v], sight.marks));
        };
        composing.open(j);
        agrees(&composing.sight, choice::QUARTERS);
        composing.quarters(whole.targets[choice::QUARTERS]);
        agrees(&composing.sight, choice::PLACE);
        composing.onset(note.onset);
        agrees(&composing.sight, choice::INSTRUMENT);
        composing.instrument(note.instrument);
        agrees(&composing.sight, choice::PITCH);
        composing.pitch(note.pitch);
        if !vocabulary.is_drums(note.instrument) {
            agrees(&composing.sight, choice::LENGTH);
            composing.end_quarters(whole.targets[choice::LENGTH]);
            agrees(&composing.sight, choice::END);
            composing.length(note.length);
        }
        assert_eq!(composing.level(note.level), *note);
        let Sight { targets, known, candidates, .. } = &composing.sight;
        assert_eq!((targets, known, candidates), (&whole.targets, &whole.known, &whole.candidates), "note {j}");
        written.push(*note, vocabulary.is_drums(note.instrument));
    }
}

#[test]
fn what_sounds_offers_its_end_and_what_came_offers_itself() {
    // A melody over a held bass, twice.
    let mut score = Score::new(TicksPerQuarter::new(12).unwrap());
    let note = |onset, pitch: u8, duration| Note {
        onset: Ticks(onset),
        pitch: Pitch::try_from(pitch).unwrap(),
        duration: Ticks(duration),
        velocity: Velocity::DEFAULT,
    };
    let once = |from: u64| [note(from, 48, 48), note(from, 60, 24), note(from + 24, 64, 24)];
    score.parts.push(Part { notes: [once(0), once(48)].concat(), ..Part::default() });
    score.parts[0].notes.sort_unstable();
    let vocabulary = Vocabulary::build([&score], Reading::Parts, true).unwrap();
    let (layout, past) = (Layout::new(&vocabulary, 0), read(&score, &vocabulary));
    let mut view = View::new(&vocabulary, &layout, &past, 0);
    // The third note: where the melody's first ends; it lasts as long as the bass.
    let (sight, _) = view.of_note(2);
    let offers = |v: usize| sight.candidates.iter().any(|candidate| candidate.offers[v] == sight.targets[v]);
    assert!(offers(choice::QUARTERS) && offers(choice::LENGTH), "{sight:?}");
    // The last note: all of it has been before.
    let (sight, _) = view.of_note(5);
    let whole = |candidate: &&cantus_nn::cascade::Candidate| {
        (0..choice::COUNT).filter(|v| sight.targets[*v] != NONE).all(|v| candidate.offers[v] == sight.targets[v])
    };
    assert!(sight.candidates.iter().any(|candidate| whole(&candidate)), "{sight:?}");
}

/// Quarters over a bass, in C, as so many bars; no two pieces alike.
fn tune(bars: u64, seed: u64) -> Score {
    let rng = &mut seeded(seed);
    let mut score = Score::new(TicksPerQuarter::new(4).unwrap());
    let mut notes = Vec::new();
    for quarter in 0..4 * bars {
        let pitch = [60, 62, 64, 65, 67, 69, 71, 72][below(rng, 8)];
        let note = |pitch: u8, duration| Note {
            onset: Ticks(4 * quarter),
            pitch: Pitch::try_from(pitch).unwrap(),
            duration: Ticks(duration),
            velocity: Velocity::DEFAULT,
        };
        notes.push(note(pitch, 4));
        if quarter % 4 == 0 {
            notes.push(note([36, 41, 43][below(rng, 3)], 16));
        }
    }
    notes.sort_unstable();
    score.parts.push(Part { notes, ..Part::default() });
    score.meters.push((Ticks::ZERO, cantus_score::Meter::COMMON));
    score
}

fn tunes() -> TrainingSet {
    let train = (1..7).map(|seed| tune(8, seed)).collect();
    TrainingSet { train, valid: vec![tune(6, 8)].into(), ..TrainingSet::default() }
}

fn made(composer: &dyn Composer, request: &Request, seed: u64) -> Score {
    composer.compose(request, &mut seeded(seed), &mut |_| ControlFlow::Continue(())).unwrap().score
}

/// What begins in each bar, counted from its beginning.
fn by_bars(score: &Score) -> Vec<Vec<(u64, u8)>> {
    let score = score.rescaled(TicksPerQuarter::new(4).unwrap());
    let notes = |bar: u64| {
        let inside = score.notes().filter(move |note| note.onset.0 / 16 == bar);
        let mut inside: Vec<(u64, u8)> = inside.map(|note| (note.onset.0 % 16, note.pitch.get())).collect();
        inside.sort_unstable();
        inside
    };
    (0..8).map(notes).collect()
}

#[test]
fn a_critic_that_learns_at_the_end_changes_the_music_and_no_likelihood() {
    let set = tunes();
    let mut settings = SPEC.tiny_settings("default").unwrap();
    settings["critic"] = 2.into();
    let trainable = SPEC.creates().unwrap()(&settings, &set, 1).unwrap();
    let (model, going) = (trainable.save(), AtomicBool::new(false));
    let finish = |model: &ModelFile, stop: &AtomicBool| {
        let mut told = Vec::new();
        (trainable.finish(model, stop, &mut |done| told.push(done)).unwrap(), told)
    };
    assert!(finish(&model, &AtomicBool::new(true)).0.is_none(), "whoever stops it has no critic");
    let (finished, told) = finish(&model, &going);
    let finished = finished.unwrap();
    assert_eq!(told, [0.0, 0.5, 1.0], "a round is half of two");
    assert_eq!(finish(&model, &going).0.as_ref(), Some(&finished), "the same again");
    assert!(finish(&finished, &going).0.is_none(), "it has learnt already");

    let (without, with) = ((SPEC.load)(&model).unwrap(), (SPEC.load)(&finished).unwrap());
    let judged = |composer: &dyn Composer| composer.judge().unwrap().judge(&set.valid.get(0)).figures;
    assert_eq!(judged(without.as_ref()), judged(with.as_ref()));
    let request = Request::new(4, with.default_sampling());
    assert_ne!(made(without.as_ref(), &request, 3), made(with.as_ref(), &request, 3));
    let bytes = finished.to_bytes(Precision::Full).unwrap();
    let loaded = (SPEC.load)(&ModelFile::from_bytes(&bytes).unwrap()).unwrap();
    assert_eq!(made(with.as_ref(), &request, 3), made(loaded.as_ref(), &request, 3));

    let mut damaged = finished.clone();
    let critic = damaged.tensors.get_mut("critic.turns").unwrap();
    critic.values.pop();
    critic.shape[0] -= 1;
    assert!((SPEC.load)(&damaged).is_err());
}

#[test]
fn what_a_form_repeats_comes_again_note_for_note() {
    let model = SPEC.creates().unwrap()(&SPEC.tiny_settings("default").unwrap(), &tunes(), 1).unwrap().save();
    let composer = (SPEC.load)(&model).unwrap();
    let mut request = Request::new(8, composer.default_sampling()).formed("ABAC".parse().unwrap());
    for seed in 1..5 {
        let bars = by_bars(&made(composer.as_ref(), &request, seed));
        assert_eq!((&bars[4], &bars[5]), (&bars[0], &bars[1]), "seed {seed}");
        assert_ne!((&bars[2], &bars[3]), (&bars[0], &bars[1]), "seed {seed}");
    }
    // A prompt is part of the form.
    request = request.after(Prompt::new(&tune(8, 3), 2).unwrap());
    let bars = by_bars(&made(composer.as_ref(), &request, 1));
    assert_eq!(&bars[..2], &by_bars(&tune(8, 3))[..2]);
    assert_eq!(&bars[4..6], &bars[..2]);
}

#[test]
fn a_piece_has_the_form_of_one_of_the_corpus() {
    // All pieces say their first two bars again as fifth and sixth.
    let again = |seed: u64| {
        let mut score = tune(8, seed);
        let notes = &mut score.parts[0].notes;
        let first: Vec<Note> = notes.iter().filter(|note| note.onset.0 < 32).copied().collect();
        notes.retain(|note| !(64..96).contains(&note.onset.0));
        notes.extend(first.into_iter().map(|note| Note { onset: note.onset + Ticks(64), ..note }));
        notes.sort_unstable();
        score
    };
    let set = TrainingSet { train: (1..7).map(again).collect(), ..tunes() };
    let model = SPEC.creates().unwrap()(&SPEC.tiny_settings("default").unwrap(), &set, 1).unwrap().save();
    let composer = (SPEC.load)(&model).unwrap();
    let request = Request::new(8, composer.default_sampling());
    for seed in 1..5 {
        let bars = by_bars(&made(composer.as_ref(), &request, seed));
        assert_eq!(&bars[4..6], &bars[..2], "seed {seed}");
    }
}

#[test]
fn who_is_asked_for_plays_and_nobody_else() {
    let composer = trained(&bands(), 0);
    let asking = |words: &str| {
        let mut request = Request::new(6, composer.default_sampling());
        request.controls.set("instruments", words).unwrap();
        request
    };
    let playing = |score: &Score| -> Vec<(bool, u8)> {
        let heard = score.parts.iter().filter(|part| !part.notes.is_empty());
        heard.map(|part| (part.drums, part.program().get())).collect()
    };
    for (words, expected) in [("bass", vec![(false, 33)]), ("drums", vec![(true, 0)]), ("piano", vec![(false, 0)])] {
        assert_eq!(playing(&made(composer.as_ref(), &asking(words), 1)), expected);
    }
    let refused = composer.compose(&asking("bass, flute"), &mut seeded(1), &mut |_| ControlFlow::Continue(()));
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("`flute`") && refused.contains("Fingered Bass, drums"), "{refused}");
}

#[test]
fn a_style_is_told_and_has_habits_of_its_own() {
    // The same tunes low in 3/4 and high in 4/4.
    let piece = |k: usize| {
        let (mut piece, is_low) = (tune(8, k as u64 / 2), k.is_multiple_of(2));
        for note in &mut piece.parts[0].notes {
            note.pitch = Pitch::try_from(note.pitch.get() - if is_low { 24 } else { 0 }).unwrap();
        }
        piece.meters = vec![(Ticks::ZERO, if is_low { "3/4" } else { "4/4" }.parse().unwrap())];
        (["low", "high"][k % 2].to_owned(), piece)
    };
    let pieces = |range: std::ops::Range<usize>| Pieces::on(range.map(piece).collect::<Vec<_>>());
    let set = TrainingSet { train: pieces(0..8), valid: pieces(8..10), ..tunes() };
    let composer = trained(&set, 0);
    assert_eq!(composer.styles(), ["high", "low"]);
    for (style, meter) in [("low", "3/4"), ("high", "4/4")] {
        let mut request = Request::new(6, composer.default_sampling());
        request.controls.set("style", style).unwrap();
        let score = made(composer.as_ref(), &request, 1);
        assert_eq!(score.meters[0].1.to_string(), meter);
        let known: Vec<u8> = (0..8)
            .map(piece)
            .filter(|(of, _)| of == style)
            .flat_map(|(_, piece)| piece.parts[0].notes.clone())
            .map(|note| note.pitch.get())
            .collect();
        let written: Vec<u8> = score.parts.iter().flat_map(|part| &part.notes).map(|note| note.pitch.get()).collect();
        assert!(written.iter().min() >= known.iter().min() && written.iter().max() <= known.iter().max());
    }
    // The network reads it where it is told, and only there.
    let vocabulary = Vocabulary::build(set.all(), Reading::Merged, false).unwrap();
    let (layout, past) = (Layout::new(&vocabulary, 2), read(&set.train.get(0), &vocabulary));
    let reading = |styles: Styles, told: Told| {
        let mut row = vec![0.0; layout.inputs()];
        layout.read(&past.clone().in_styles(styles), 3, (0, told), |number| vocabulary.is_drums(number), &mut row);
        row
    };
    let row = |style: Option<usize>, told: Told| reading(Styles::one(style), told);
    let untold = Told { style: false, ..Told::ALL };
    assert_ne!(row(Some(0), Told::ALL), row(Some(1), Told::ALL));
    assert_eq!(row(Some(0), untold), row(None, Told::ALL));
    assert_eq!(layout.inputs(), Layout::new(&vocabulary, 0).inputs() + 3);
    // Of two styles it reads as much as is asked for.
    let mixed = reading(Styles::read("low=3, high", composer.styles()).unwrap(), Told::ALL);
    for ((mixed, high), low) in mixed.iter().zip(row(Some(0), Told::ALL)).zip(row(Some(1), Told::ALL)) {
        assert!((mixed - (0.25 * high + 0.75 * low)).abs() < 1e-6);
    }
    // A piece has the metre of one of them.
    let mut request = Request::new(4, composer.default_sampling());
    request.controls.set("style", "low, high").unwrap();
    let meters = (1..=12).map(|seed| made(composer.as_ref(), &request, seed).meters[0].1.to_string());
    let meters = meters.collect::<std::collections::BTreeSet<String>>();
    assert_eq!(Vec::from_iter(meters), ["3/4", "4/4"]);
    // A style that is overdone by nothing is as it is, and otherwise another piece; a strength is of a style.
    let learnt = trained(&set, 60);
    let overdone = |strength: &str| {
        let mut request = Request::new(4, learnt.default_sampling());
        request.controls.set("style", "low").unwrap();
        request.controls.set("strength", strength).unwrap();
        made(learnt.as_ref(), &request, 1)
    };
    request.controls.set("style", "low").unwrap();
    assert_eq!(overdone("0"), made(learnt.as_ref(), &request, 1));
    assert_ne!(overdone("2"), overdone("0"));
    request.controls.set("strength", "1").unwrap();
    request.controls.style = None;
    let refused = request.check(composer.as_ref(), &[&SPEC]).unwrap_err().to_string();
    assert_eq!(refused, "a strength is that of a style: say which of high, low");
    assert!(request.controls.set("strength", "4").is_err());
}

#[test]
fn bars_and_parts_are_written_anew_and_the_rest_stays() {
    let composer = trained(&bands(), 0);
    let source = band(9, 0).rescaled(TicksPerQuarter::new(480).unwrap());
    let bar_of = |note: &Note| (note.onset.0 / 1920) as usize + 1;
    // The piano in bars 1 to 4 and everything in bar 7 stays; then all but the bass in bars 3 to 5.
    let some = [Cell { voice: Some(0), bars: Some(1..=4) }, Cell::bars(7..=7)];
    let but_bass = [Cell::bars(1..=2), Cell::bars(6..=source.last_bar()), Cell::voice(0), Cell::voice(2)];
    let first = |part: usize, bar: usize| part == 0 && bar <= 4 || bar == 7;
    let second = |part: usize, bar: usize| part != 1 || !(3..=5).contains(&bar);
    for (cells, is_first) in [(some.to_vec(), true), (but_bass.to_vec(), false)] {
        let stays = |part: usize, bar: usize| if is_first { first(part, bar) } else { second(part, bar) };
        let given = Given::new(source.clone(), cells).unwrap();
        let request = Request::around(given, composer.default_sampling());
        for seed in 1..4 {
            let found = made(composer.as_ref(), &request, seed);
            assert_eq!((found.ticks_per_quarter, found.parts.len()), (source.ticks_per_quarter, 3));
            let mut written = 0;
            for (k, (now, before)) in found.parts.iter().zip(&source.parts).enumerate() {
                let (kept, new): (Vec<Note>, Vec<Note>) = now.notes.iter().partition(|note| stays(k, bar_of(note)));
                let given: Vec<Note> = before.notes.iter().filter(|note| stays(k, bar_of(note))).copied().collect();
                assert_eq!(kept, given, "part {k}, seed {seed}");
                written += new.len();
                // A key is not struck while it is held by what is new.
                let is_free = |note: &Note| {
                    let is_held = |of: &Note| of.pitch == note.pitch && of.onset < note.onset && of.end() > note.onset;
                    !new.iter().any(is_held)
                };
                assert!(now.drums || now.notes.iter().all(is_free), "part {k}, seed {seed}");
            }
            assert!(written > 10, "{written} new notes");
            assert_eq!(made(composer.as_ref(), &request, seed), found);
        }
    }
    let refused = |cells: Vec<Cell>| {
        let request = Request::around(Given::new(source.clone(), cells).unwrap(), composer.default_sampling());
        composer.compose(&request, &mut seeded(1), &mut |_| ControlFlow::Continue(())).unwrap_err()
    };
    assert!(matches!(refused(vec![Cell::voice(3)]), ComposeError::Voice { voice: 4, voices: 3 }));
    assert!(matches!(refused((0..3).map(Cell::voice).collect()), ComposeError::EverythingGiven));
    let again = Given::except(source.clone(), vec![Cell { voice: Some(3), bars: Some(2..=2) }]).unwrap();
    let request = Request::around(again, composer.default_sampling());
    let beyond = composer.compose(&request, &mut seeded(1), &mut |_| ControlFlow::Continue(())).unwrap_err();
    assert!(matches!(beyond, ComposeError::Voice { voice: 4, voices: 3 }), "{beyond}");
}

/// Four bands to learn from, one to be judged by.
fn bands() -> TrainingSet {
    TrainingSet {
        train: (1..5).map(|seed| band(seed, 0)).collect(),
        valid: (5..6).map(|seed| band(seed, 0)).collect(),
        reading: Reading::Parts,
        ..tunes()
    }
}

/// A small composer after so many steps.
fn trained(set: &TrainingSet, steps: u64) -> Box<dyn Composer> {
    let mut trainable = SPEC.creates().unwrap()(&SPEC.tiny_settings("default").unwrap(), set, 1).unwrap();
    let of = trainable.steps(0);
    for step in 0..steps {
        trainable.step(StepAt { epoch: step / of, step: step % of }, 0.01);
    }
    (SPEC.load)(&trainable.save()).unwrap()
}

#[test]
fn a_melody_is_accompanied_by_who_plays_with_it() {
    let composer = trained(&bands(), 60);
    let melody: Vec<Note> = tune(8, 2).parts[0].notes.iter().filter(|note| note.pitch.get() >= 60).copied().collect();
    let alone = Score { parts: vec![Part { notes: melody.clone(), ..Part::default() }], ..tune(8, 2) };
    let given = Given::new(alone, vec![Cell::voice(0)]).unwrap();
    let found = made(composer.as_ref(), &Request::around(given, composer.default_sampling()), 2);
    let times = found.ticks_per_quarter.get() / 4;
    let onsets =
        |notes: &[Note]| -> Vec<(u64, u8)> { notes.iter().map(|note| (note.onset.0, note.pitch.get())).collect() };
    let expected: Vec<(u64, u8)> =
        melody.iter().map(|note| (note.onset.0 * u64::from(times), note.pitch.get())).collect();
    // The melody stays the highest line of its part; bass and drums come in as parts of their own.
    let tops: Vec<(u64, u8)> = onsets(&found.parts[0].notes).into_iter().filter(|at| expected.contains(at)).collect();
    assert_eq!(tops, expected);
    let playing: Vec<(bool, u8)> = found.parts.iter().map(|part| (part.drums, part.program().get())).collect();
    assert_eq!(playing.len(), 3, "{playing:?}");
    assert!(playing.contains(&(true, 0)) && playing.contains(&(false, 33)), "{playing:?}");
    assert!(found.parts.iter().all(|part| part.notes.len() > 4 && part.notes.is_sorted()));
}

#[test]
fn what_comes_after_decides_what_is_written_before_it() {
    // Two kinds of tunes: those that begin low end low, those that begin high end high; the middle says which.
    let tune = |number: u64| {
        let high = number.is_multiple_of(2);
        let mut score = tune(6, number % 3);
        for note in &mut score.parts[0].notes {
            note.pitch = Pitch::try_from(i64::from(note.pitch.get()) - if high { 0 } else { 24 }).unwrap();
        }
        score
    };
    let set = TrainingSet { train: (0..8).map(tune).collect(), valid: (8..10).map(tune).collect(), ..tunes() };
    let composer = trained(&set, 120);
    for number in [0, 1] {
        let given = Given::new(tune(number), vec![Cell::bars(3..=6)]).unwrap();
        let found = made(composer.as_ref(), &Request::around(given, composer.default_sampling()), 1);
        let middle = |score: &Score| {
            let keys: Vec<f64> =
                score.notes().filter(|note| note.onset.0 < 32).map(|n| f64::from(n.pitch.get())).collect();
            keys.iter().sum::<f64>() / keys.len() as f64
        };
        let (found, expected) = (middle(&found), middle(&tune(number)));
        assert!((found - expected).abs() < 9.0, "tune {number}: {found} for {expected}");
    }
}
