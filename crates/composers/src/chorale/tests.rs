use super::*;
use crate::registry;
use cantus_encoding::voices::{self, NAMES, VOICES};
use cantus_model::{
    Cell, ComposeError, Composer, Composition, Given, ModelFile, Precision, Request, Sampling, StepAt, Trainable,
    TrainingSet, seeded,
};
use cantus_score::{Note, Part, Pitch, Score, Ticks, Velocity};
use std::ops::{ControlFlow, RangeInclusive};
use std::sync::atomic::AtomicBool;

fn chord(pitches: [u8; VOICES]) -> Chord {
    Chord::new(pitches.map(|pitch| Pitch::try_from(pitch).ok()))
}

/// A setting whose lower voices follow from the soprano: every phrase on one of a few chords.
fn piece(bars: u64, seed: u64) -> Score {
    let chords = [[72, 67, 64, 48], [71, 67, 62, 43], [69, 65, 60, 53], [74, 65, 59, 50]].map(chord);
    let mut sung = Vec::new();
    for beat in 0..bars * 4 {
        let which = (beat * beat * (seed + 3) / 2 + beat / 5 + seed) % 4;
        sung.extend([chords[which as usize]; 4]);
    }
    let mut score = voices::write(&sung, TicksPerQuarter::new(4).unwrap(), |step, _| step % 4 == 0);
    score.meters.push((Ticks::ZERO, Meter::COMMON));
    score
}

fn trained(epochs: u64) -> (Box<dyn Trainable>, TrainingSet) {
    let set = TrainingSet {
        train: (1..7).map(|seed| piece(8, seed)).collect(),
        valid: vec![piece(6, 8)].into(),
        attacks: false,
        ..TrainingSet::default()
    };
    let mut settings = SPEC.tiny_settings("default").unwrap();
    settings["given"] = 0.6.into();
    let mut trainable = trainer::ChoraleTrainer::create(&settings, &set, 1).unwrap();
    for epoch in 0..epochs {
        for step in 0..trainable.steps(epoch) {
            trainable.step(StepAt { epoch, step }, 0.01);
        }
    }
    (trainable, set)
}

/// A piece of which these voices, and these bars in all voices, are given.
#[derive(Clone)]
struct Arrangement {
    score: Score,
    voices: Vec<usize>,
    bars: Vec<RangeInclusive<usize>>,
    sampling: Sampling,
}

fn arranged(composer: &dyn Composer, arrangement: &Arrangement, seed: u64) -> Result<Composition, ComposeError> {
    let Arrangement { score, voices, bars, sampling } = arrangement.clone();
    let cells = voices.into_iter().map(Cell::voice).chain(bars.into_iter().map(Cell::bars)).collect();
    asked(composer, &Request::around(Given::new(score, cells)?, sampling), seed)
}

fn arrange(composer: &dyn Composer, arrangement: &Arrangement, seed: u64) -> Result<Score, ComposeError> {
    arranged(composer, arrangement, seed).map(|found| found.score)
}

fn asked(composer: &dyn Composer, request: &Request, seed: u64) -> Result<Composition, ComposeError> {
    let found = registry::compose(composer, request, &mut [seeded(seed)], &mut |_| ControlFlow::Continue(()))?.pop();
    found.ok_or(ComposeError::Stopped)
}

fn arrangement(score: Score, voices: &[usize]) -> Arrangement {
    Arrangement { score, voices: voices.to_vec(), bars: Vec::new(), sampling: Sampling::default() }
}

/// A voice's notes: onset, duration, pitch.
fn line(part: &Part) -> Vec<(u64, u64, u8)> {
    part.notes.iter().map(|note| (note.onset.0, note.duration.0, note.pitch.get())).collect()
}

#[test]
fn a_melody_is_harmonised_and_stays_note_for_note() {
    let (trainable, _) = trained(40);
    let composer = trainable.composer();
    let whole = piece(8, 11);
    // The soprano by itself, an octave lower than the corpus has it, in ticks of its own.
    let mut melody = whole.clone();
    melody.parts.truncate(1);
    let melody = melody.transposed(-12).unwrap().rescaled(TicksPerQuarter::new(30).unwrap());
    let found = arrange(composer.as_ref(), &arrangement(melody.clone(), &[0]), 1).unwrap();
    assert_eq!(found.ticks_per_quarter.get(), 60);
    assert_eq!(line(&found.parts[0]), line(&melody.rescaled(found.ticks_per_quarter).parts[0]));
    assert_eq!(found.parts.iter().map(|part| part.name.as_deref()).collect::<Vec<_>>(), NAMES.map(Some));
    assert_eq!(found.meters, melody.meters);
    // The chords follow from the soprano: most of what is composed is what belongs to it, an octave lower as well.
    let chords = voices::read(&found.transposed(12).unwrap().rescaled(TicksPerQuarter::new(4).unwrap()));
    let expected = voices::read(&whole);
    let right = chords.iter().zip(&expected).filter(|(found, expected)| found == expected).count();
    assert!(right * 10 > expected.len() * 7, "{right} of {}", expected.len());
}

#[test]
fn what_comes_is_known_before_it_comes() {
    // The same past, given a later bar or not: the likeliest chord before it is another one, somewhere.
    let (trainable, _) = trained(20);
    let composer = trainable.composer();
    let sampling = Sampling::GREEDY;
    let keep = |last: std::ops::RangeInclusive<usize>| Arrangement {
        score: piece(8, 12),
        voices: vec![],
        bars: vec![1..=2, last],
        sampling,
    };
    let one = arrange(composer.as_ref(), &keep(4..=8), 1).unwrap();
    let other = arrange(composer.as_ref(), &keep(8..=8), 1).unwrap();
    let third_bar = |score: &Score| {
        let notes = score.parts.iter().flat_map(|part| &part.notes);
        notes.filter(|note| (32..48).contains(&note.onset.0)).map(|note| (note.onset, note.pitch)).collect::<Vec<_>>()
    };
    assert_ne!(third_bar(&one), third_bar(&other));
}

#[test]
fn kept_bars_and_voices_stay_note_for_note_and_the_rest_is_new() {
    let (trainable, _) = trained(3);
    let composer = trainable.composer();
    let source = piece(8, 12);
    let request = Arrangement { bars: vec![1..=2, 6..=6], ..arrangement(source.clone(), &[3]) };
    for seed in 0..3 {
        let found = arrange(composer.as_ref(), &request, seed).unwrap();
        assert_eq!((found.ticks_per_quarter, found.bars().count()), (source.ticks_per_quarter, 8));
        for (voice, (found, expected)) in found.parts.iter().zip(&source.parts).enumerate() {
            let is_kept = |note: &&Note| voice == 3 || matches!(note.onset.0 / 16 + 1, 1 | 2 | 6);
            let kept = |part: &Part| {
                part.notes.iter().filter(is_kept).copied().map(|n| (n.onset, n.pitch, n.duration)).collect::<Vec<_>>()
            };
            assert_eq!(kept(found), kept(expected), "{voice}");
            assert_eq!(voice == 3, line(found) == line(expected), "{voice}");
        }
    }
}

#[test]
fn bars_are_kept_by_the_numbers_that_are_printed_each_time_that_they_are_played() {
    let (trainable, _) = trained(3);
    let mut source = piece(8, 12);
    // Four bars on paper, played twice.
    source.printed = (0..8).map(|bar| (Ticks(16 * bar), 1 + bar as usize % 4)).collect();
    let request = |bars| Arrangement { bars: vec![bars], ..arrangement(source.clone(), &[]) };
    let found = arrange(trainable.composer().as_ref(), &request(2..=3), 1).unwrap();
    let kept = |score: &Score| {
        let within = |note: &&Note| matches!(note.onset.0 / 16 % 4 + 1, 2 | 3);
        let of = |part: &Part| part.notes.iter().filter(within).map(|n| (n.onset, n.pitch)).collect::<Vec<_>>();
        score.parts.iter().map(of).collect::<Vec<_>>()
    };
    assert_eq!(kept(&found), kept(&source));
    assert_ne!(found.parts, source.parts);
    let refused = arrange(trainable.composer().as_ref(), &request(5..=8), 1).unwrap_err().to_string();
    assert!(refused.contains("bars 1-4, counted as printed"), "{refused}");
}

#[test]
fn a_bass_out_of_a_piano_score_is_the_lowest_line() {
    let (trainable, _) = trained(1);
    let source = piece(4, 3);
    let merged = Score { parts: vec![cantus_score::merge_parts(&source.parts)], ..source.clone() };
    let found = arrange(trainable.composer().as_ref(), &arrangement(merged, &[3]), 5).unwrap();
    assert_eq!(line(&found.parts[3]), line(&source.parts[3]));
}

#[test]
fn a_harmonised_line_ends_on_the_tonic_with_all_voices_at_once() {
    let (trainable, _) = trained(2);
    let composer = trainable.composer();
    // A tune in C of three bars and a half of 3/4, the last note held: sounded in ticks of its own.
    let mut melody = Score::new(TicksPerQuarter::new(24).unwrap());
    melody.meters.push((Ticks::ZERO, "3/4".parse().unwrap()));
    let pitches = [67u8, 64, 67, 72, 71, 69, 67, 69, 71, 72];
    let note = |(k, pitch): (usize, &u8)| Note {
        onset: Ticks(24 * k as u64),
        pitch: Pitch::try_from(*pitch).unwrap(),
        duration: Ticks(if k == 9 { 48 } else { 24 }),
        velocity: Velocity::DEFAULT,
    };
    melody.parts.push(Part { notes: pitches.iter().enumerate().map(note).collect(), ..Part::default() });
    let word = cantus_score::Lyric { at: Ticks(72), verse: 1, text: "sing".to_owned(), goes_on: false };
    melody.parts[0].lyrics.push(word.clone());
    let mut legato = arrangement(melody, &[0]);
    for seed in 0..12 {
        legato.sampling.temperature = if seed == 11 { 0.0 } else { 1.0 };
        let found = arranged(composer.as_ref(), &legato, seed).unwrap();
        assert!(found.remarks.iter().any(|remark| remark.contains("4/4, this piece in 3/4")), "{:?}", found.remarks);
        let last: Vec<&Note> = found.score.parts.iter().map(|part| part.notes.last().unwrap()).collect();
        assert!(last.iter().all(|note| note.onset == Ticks(24 * 9) && note.end() == Ticks(24 * 11)), "{last:?}");
        assert!(last.iter().all(|note| [0, 4, 7].contains(&note.pitch.class())), "{last:?}");
        assert_eq!(last[3].pitch.class(), 0);
        assert_eq!(found.score.parts[0].lyrics, std::slice::from_ref(&word));
        assert!(found.score.parts[1].lyrics.is_empty());
    }
    // A whole phrase further, the tune stops in the air: nobody forces it home.
    legato.score.parts[0].notes[9].pitch = Pitch::try_from(74u8).unwrap();
    arrange(composer.as_ref(), &legato, 1).unwrap();
}

#[test]
fn a_line_beyond_its_voice_says_so_and_nothing_lies_below_a_piano() {
    let (trainable, _) = trained(1);
    let composer = trainable.composer();
    let found = |semitones: i32, voice: usize| {
        let mut melody = piece(4, 5);
        melody.parts.truncate(1);
        let melody = melody.transposed(semitones).unwrap();
        arranged(composer.as_ref(), &arrangement(melody, &[voice]), 3).unwrap()
    };
    let remarks = |semitones, voice| found(semitones, voice).remarks.join("; ");
    assert_eq!(remarks(0, 0), "");
    let low = remarks(-24, 0);
    assert!(low.contains("2 octaves below") && low.contains("a soprano") && low.contains("2 octaves lower"), "{low}");
    assert!(low.contains("--voice bass would suit it"), "{low}");
    let high = remarks(12, 0);
    assert!(high.contains("1 octave above") && high.contains("1 octave higher") && !high.contains("--voice"), "{high}");
    let deep = found(-48, 0).score;
    assert!(deep.parts[1..].iter().flat_map(|part| &part.notes).all(|note| note.pitch.get() >= 21));
}

#[test]
fn what_cannot_be_arranged_is_refused_by_name() {
    let (trainable, _) = trained(0);
    let composer = trainable.composer();
    let refusal = |request: &Arrangement| arrange(composer.as_ref(), request, 1).unwrap_err().to_string();
    assert!(refusal(&arrangement(piece(2, 1), &[4])).contains("no voice 5"));
    assert!(refusal(&arrangement(piece(2, 1), &[])).contains("nothing is given"));
    assert!(refusal(&arrangement(piece(2, 1), &[0, 1, 2, 3])).contains("everything is given"));
    assert!(refusal(&arrangement(Score::new(TicksPerQuarter::DEFAULT), &[0])).contains("no note"));
    let beyond = Arrangement { bars: vec![1..=3], ..arrangement(piece(2, 1), &[]) };
    assert!(refusal(&beyond).contains("bars 1-3"));
}

#[test]
fn windows_in_rows_give_the_nats_of_whole_pieces_one_by_one() {
    let (mut trainable, set) = trained(2);
    let settings = trainable.save().header.settings;
    assert_eq!(settings["averaging"], 0.5);
    // Nothing given, no average: what is learnt from is what is judged.
    let mut settings = settings;
    settings["given"] = 0.0.into();
    settings["averaging"] = 0.0.into();
    trainable = trainer::ChoraleTrainer::create(&settings, &set, 1).unwrap();
    for step in 0..5 {
        assert!(trainable.step(StepAt { epoch: 0, step }, 0.02).finite);
    }
    let composer = trainable.composer();
    let judge = composer.judge().unwrap();
    let epoch: Vec<_> =
        (0..trainable.steps(1)).map(|step| trainable.step(StepAt { epoch: 1, step }, 0.0).batch).collect();
    let (found, counted) = epoch.iter().fold((0.0, 0.0), |sum, batch| (sum.0 + batch.nats, sum.1 + batch.tokens));
    let chords: usize = set.train.iter().map(|piece| voices::read(&piece).len()).sum();
    assert_eq!(counted, chords as f64);
    // Judging leaves out the first chord of each piece, and reads weights rounded to 16 bits.
    let judged: f64 = set.train.iter().map(|piece| judge.judge(&piece).figures.nats).sum();
    assert!(judged < found && found - judged < 0.2 * found, "{found} {judged}");
}

#[test]
fn the_future_changes_no_figure_but_the_length_does() {
    let (trainable, _) = trained(2);
    let composer = player::ChoraleComposer::open(&trainable.save()).unwrap();
    let chords = voices::read(&piece(8, 3));
    let mut permuted = chords.clone();
    permuted[64..].reverse();
    let figures = composer.judge_chords(&[chords.clone(), permuted, chords[..100].to_vec()]);
    assert_eq!(figures[0][..64], figures[1][..64]);
    // Far from the end, nothing tells how long the piece is.
    assert_eq!(figures[0][..30], figures[2][..30]);
    assert_ne!(figures[0][64..100], figures[2][64..100]);
}

#[test]
fn what_a_form_asks_for_comes_again() {
    let (trainable, _) = trained(3);
    let composer = trainable.composer();
    let bar = |score: &Score, bar: u64| -> Vec<_> {
        let within = |note: &&Note| note.onset.0 / 256 == bar;
        score.notes().filter(within).map(|note| (note.onset.0 % 256, note.pitch, note.duration)).collect()
    };
    let compose = |form: &str, bars: usize, seed: u64| {
        let request = Request::new(bars, Sampling::default()).formed(form.parse().unwrap());
        composer.compose(&request, &mut seeded(seed), &mut |_| ControlFlow::Continue(())).map(|found| found.score)
    };
    let (mut same, mut varied, mut other) = (0, 0, 0);
    for seed in 0..6 {
        // Sections of two bars; a tick is a sixteenth of a step.
        let score = compose("ABA'A", 8, seed).unwrap();
        assert_eq!(score.ticks_per_quarter.get(), 64);
        same += usize::from(bar(&score, 0) == bar(&score, 6)) + usize::from(bar(&score, 1) == bar(&score, 7));
        varied += usize::from(bar(&score, 0) == bar(&score, 4)) + usize::from(bar(&score, 1) == bar(&score, 5));
        other += usize::from(bar(&score, 0) == bar(&score, 2)) + usize::from(bar(&score, 1) == bar(&score, 3));
    }
    assert!(same > varied && same > 3 && other < 3, "{same} {varied} {other}");
    assert!(matches!(compose("A8 B8", 8, 1), Err(ComposeError::Form(_))));
    // A theme that is given comes back.
    let theme = piece(2, 5);
    let prompt = cantus_model::Prompt::new(&theme, 2).unwrap();
    let request = Request::new(6, Sampling::default()).after(prompt).formed("ABA".parse().unwrap());
    let found = composer.compose(&request, &mut seeded(1), &mut |_| ControlFlow::Continue(())).unwrap().score;
    let chords = voices::read(&found.rescaled(TicksPerQuarter::new(4).unwrap()));
    let again = chords[64..].iter().zip(&voices::read(&theme)).filter(|(found, theme)| found == theme).count();
    assert!(again > 24, "{again} of 32 steps");
}

#[test]
fn a_composer_without_memory_refuses_a_form() {
    let set = TrainingSet {
        train: vec![piece(8, 1)].into(),
        valid: vec![piece(6, 8)].into(),
        attacks: false,
        ..TrainingSet::default()
    };
    let mut settings = SPEC.tiny_settings("default").unwrap();
    settings["candidates"] = 0.into();
    let trainable = trainer::ChoraleTrainer::create(&settings, &set, 1).unwrap();
    let request = Request::new(4, Sampling::default()).formed("AA".parse().unwrap());
    let found = asked(trainable.composer().as_ref(), &request, 1);
    assert!(matches!(found, Err(ComposeError::Control { composer: "chorale", control: "form", .. })));
}

#[test]
fn velocities_are_those_of_a_player() {
    let (trainable, _) = trained(1);
    let found = arrange(trainable.composer().as_ref(), &arrangement(piece(4, 1), &[0]), 1).unwrap();
    let downbeat = found.parts[3].notes.iter().find(|note| note.onset.0 == 0).unwrap();
    assert!(downbeat.velocity > Velocity::DEFAULT, "{:?}", downbeat.velocity);
}

#[test]
fn a_critic_that_learns_at_the_end_changes_the_music_and_no_likelihood() {
    let set = TrainingSet {
        train: (1..7).map(|seed| piece(8, seed)).collect(),
        valid: vec![piece(6, 8)].into(),
        attacks: false,
        ..TrainingSet::default()
    };
    let mut settings = SPEC.tiny_settings("default").unwrap();
    settings["critic"] = 2.into();
    let trainable = trainer::ChoraleTrainer::create(&settings, &set, 1).unwrap();
    let (model, going) = (trainable.save(), AtomicBool::new(false));
    let finish = |model: &cantus_model::ModelFile, stop: &AtomicBool| {
        let mut told = Vec::new();
        (trainable.finish(model, stop, &mut |done| told.push(done)).unwrap(), told)
    };
    assert!(finish(&model, &AtomicBool::new(true)).0.is_none(), "whoever stops it has no critic");
    let (finished, told) = finish(&model, &going);
    let finished = finished.unwrap();
    assert_eq!(told, [0.0, 0.5, 1.0], "a round is half of two");
    assert_eq!(finish(&model, &going).0.as_ref(), Some(&finished), "the same again");
    assert!(finish(&finished, &going).0.is_none(), "it has learnt already");
    // File data never panics: a model that lacks a tensor is refused.
    let mut damaged = model.clone();
    let name = damaged.tensors.keys().next().unwrap().clone();
    damaged.tensors.remove(&name);
    assert!(trainable.finish(&damaged, &going, &mut |_| ()).is_err());

    let (without, with) = ((SPEC.load)(&model).unwrap(), (SPEC.load)(&finished).unwrap());
    let judged = |composer: &dyn Composer| composer.judge().unwrap().judge(&set.valid.get(0)).figures;
    assert_eq!(judged(without.as_ref()), judged(with.as_ref()));
    let compose = |composer: &dyn Composer, sampling: Sampling| {
        let request = Request::new(4, sampling);
        composer.compose(&request, &mut seeded(3), &mut |_| ControlFlow::Continue(())).unwrap().score
    };
    let usual = with.default_sampling();
    assert_ne!(compose(without.as_ref(), usual), compose(with.as_ref(), usual));
    let bytes = finished.to_bytes(Precision::Full).unwrap();
    let loaded = (SPEC.load)(&ModelFile::from_bytes(&bytes).unwrap()).unwrap();
    assert_eq!(compose(with.as_ref(), usual), compose(loaded.as_ref(), usual));
    // What is given stays, under a critic's eyes as well.
    let melody = piece(4, 11);
    let found = arrange(with.as_ref(), &arrangement(melody.clone(), &[0]), 1).unwrap();
    assert_eq!(line(&found.parts[0]), line(&melody.parts[0]));

    let mut damaged = finished.clone();
    let critic = damaged.tensors.get_mut("critic.turns").unwrap();
    critic.values.pop();
    critic.shape[0] -= 1;
    assert!((SPEC.load)(&damaged).is_err());
}

/// Eight bars, each a semitone higher than the one before it; the first two come again at step `at`, if at any.
fn returning(seed: u64, at: Option<usize>) -> Score {
    let up = |(step, chord): (usize, &Chord)| Chord::from_bits(voices::moved(chord.bits(), step as i32 / 16 - 4));
    let mut chords: Vec<Chord> = voices::read(&piece(8, seed)).iter().enumerate().map(up).collect();
    let opening = chords[..32].to_vec();
    at.into_iter().for_each(|at| chords[at..at + 32].copy_from_slice(&opening));
    voices::write(&chords, TicksPerQuarter::new(4).unwrap(), |step, _| step % 16 == 0)
}

#[test]
fn the_beginning_comes_again_as_often_as_in_the_corpus() {
    let returns = [Some(48), Some(32), None, Some(48), None, Some(32)];
    let train = returns.iter().zip(1..).map(|(at, seed)| returning(seed, *at)).collect();
    let set = TrainingSet { train, valid: vec![piece(6, 8)].into(), attacks: false, ..TrainingSet::default() };
    assert_eq!(Corpus::of(&set).unwrap().returns, returns);

    let settings = SPEC.tiny_settings("default").unwrap();
    let model = trainer::ChoraleTrainer::create(&settings, &set, 1).unwrap().save();
    let composer = player::ChoraleComposer::open(&model).unwrap();
    let comes_again = |score: &Score| {
        let chords = voices::read(&score.rescaled(TicksPerQuarter::new(4).unwrap()));
        [32, 48].into_iter().any(|at| chords[at..at + 32] == chords[..32])
    };
    let compose = |request: &Request, seed: u64| {
        composer.compose(request, &mut seeded(seed), &mut |_| ControlFlow::Continue(())).unwrap().score
    };
    // A network that has learnt nothing repeats nothing by itself.
    let own = Request::new(8, Sampling { temperature: 1.0, top_k: 0, top_p: 1.0 });
    let share = (0..100).filter(|seed| comes_again(&compose(&own, *seed))).count() as f64 / 100.0;
    assert!((share - 4.0 / 6.0).abs() < 0.15, "{share}");
    // A form says itself what comes again, and so does a piece that ends before.
    let formed = own.clone().formed("ABCD".parse().unwrap());
    assert!((0..10).all(|seed| !comes_again(&compose(&formed, seed))));
    assert_eq!(compose(&Request { length: cantus_model::Length::Bars(2), ..own }, 1).bars().count(), 2);
}

#[test]
fn music_for_four_voices_is_told_from_a_tune_over_chords() {
    let four = |move_alone: bool| {
        let held = [72, 67, 64, 48];
        let sung = (0..64u64).flat_map(|beat| {
            let mut chord = held.map(|pitch| pitch + (beat % 3) as u8);
            let first = chord;
            // The tune goes on in eighths, and in music for voices a tenor at times does.
            chord[0] += 2;
            chord[2] += if move_alone && beat % 4 == 0 { 1 } else { 0 };
            [first, first, chord, chord].map(self::chord)
        });
        voices::write(&sung.collect::<Vec<_>>(), TicksPerQuarter::new(4).unwrap(), |step, _| step % 4 == 0)
    };
    let is_made = |piece: Score| {
        let set = TrainingSet { train: vec![piece].into(), ..TrainingSet::default() };
        SPEC.is_made_for.unwrap()(&set)
    };
    assert!(is_made(four(true)));
    assert!(!is_made(four(false)));
}
