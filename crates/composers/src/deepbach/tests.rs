use super::chain::{Conditionals, Direction, settle, sweep};
use super::lines::{Lines, Told};
use super::trained::Trained;
use super::walk::Walk;
use super::*;
use crate::registry;
use cantus_encoding::voice_lines::{Sites, Symbol};
use cantus_encoding::voices::{self, Chord, NAMES, VOICES};
use cantus_model::{
    Cell, ComposeError, Composer, Composition, Control, Given, Kind, Request, Sampling, StepAt, Trainable, Unit, seeded,
};
use cantus_nn::random::{below, uniform};
use cantus_score::{Meter, Note, Part, Pitch, Score, Ticks, TicksPerQuarter};
use std::ops::ControlFlow;

const GRID: TicksPerQuarter = TicksPerQuarter::new(4).unwrap();

fn symbol(index: usize) -> Symbol {
    Symbol::new(index).unwrap()
}

/// A setting whose lower voices follow from the soprano.
fn piece(bars: u64, seed: u64) -> Score {
    let chords = [[72, 67, 64, 48], [71, 67, 62, 43], [69, 65, 60, 53], [74, 65, 59, 50]]
        .map(|pitches: [u8; VOICES]| Chord::new(pitches.map(|pitch| Pitch::try_from(pitch).ok())));
    let sung: Vec<Chord> = (0..bars * 4)
        .flat_map(|beat| [chords[((beat * beat * (seed + 3) / 2 + beat / 5 + seed) % 4) as usize]; 4])
        .collect();
    let mut score = voices::write(&sung, GRID, |step, _| step % 4 == 0);
    score.meters.push((Ticks::ZERO, Meter::COMMON));
    score
}

fn set() -> TrainingSet {
    TrainingSet {
        train: (1..7).map(|seed| piece(8, seed)).collect(),
        valid: vec![piece(6, 8)].into(),
        attacks: true,
        ..TrainingSet::default()
    }
}

fn created(changes: &[(&str, serde_json::Value)]) -> Box<dyn Trainable> {
    let mut settings = SPEC.tiny_settings("default").unwrap();
    changes.iter().for_each(|(name, value)| settings[*name] = value.clone());
    SPEC.creates().unwrap()(&settings, &set(), 1).unwrap()
}

fn learn(trainable: &mut dyn Trainable, epochs: u64) {
    for epoch in 0..epochs {
        for step in 0..trainable.steps(epoch) {
            trainable.step(StepAt { epoch, step }, 0.01);
        }
    }
}

fn trained(epochs: u64) -> Box<dyn Trainable> {
    let mut trainable = created(&[]);
    learn(trainable.as_mut(), epochs);
    trainable
}

fn compose(composer: &dyn Composer, request: &Request, seed: u64) -> Result<Composition, ComposeError> {
    let found = registry::compose(composer, request, &mut [seeded(seed)], &mut |_| ControlFlow::Continue(()))?.pop();
    found.ok_or(ComposeError::Stopped)
}

fn line(part: &Part) -> Vec<(u64, u64, u8)> {
    part.notes.iter().map(|note| (note.onset.0, note.duration.0, note.pitch.get())).collect()
}

/// Two voices at two steps, each of which is one of three symbols; what may stand at a site is a table of all others.
struct Toy {
    sites: [usize; 4],
    /// By the site, and by the three others as a number of base 3.
    table: [[[f32; 3]; 27]; 4],
    row: Vec<f32>,
    draws: usize,
}

const THREE: [usize; 3] = [5, 9, Symbol::HOLD.index()];

impl Toy {
    fn new(seed: u64) -> Toy {
        let rng = &mut seeded(seed);
        let mut row = || {
            let weights: [f32; 3] = std::array::from_fn(|_| 0.1 + uniform(rng));
            weights.map(|weight| weight / weights.iter().sum::<f32>())
        };
        let table = std::array::from_fn(|_| std::array::from_fn(|_| row()));
        Toy { sites: [0; 4], table, row: vec![0.0; SYMBOLS], draws: 0 }
    }

    fn given(&self, sites: &[usize; 4], site: usize) -> [f32; 3] {
        let others = (0..4).filter(|other| *other != site).fold(0, |number, other| 3 * number + sites[other]);
        self.table[site][others]
    }

    /// The distribution after a site was drawn.
    fn drawn(&self, from: &[f64], site: usize) -> Vec<f64> {
        let mut to = vec![0.0; 81];
        for (state, probability) in from.iter().enumerate() {
            let mut sites = of_state(state);
            for (k, share) in self.given(&sites.clone(), site).into_iter().enumerate() {
                sites[site] = k;
                to[state_of(&sites)] += probability * f64::from(share);
            }
        }
        to
    }
}

fn of_state(state: usize) -> [usize; 4] {
    [state / 27, state / 9 % 3, state / 3 % 3, state % 3]
}

fn state_of(sites: &[usize; 4]) -> usize {
    sites.iter().fold(0, |number, symbol| 3 * number + symbol)
}

impl Conditionals for Toy {
    fn turn(&mut self, _: Direction) {}

    fn reach(&mut self, _: usize) {}

    fn symbols(&mut self, step: usize, voice: usize) -> &[f32] {
        let given = self.given(&self.sites.clone(), 2 * step + voice);
        THREE.iter().zip(given).for_each(|(symbol, probability)| self.row[*symbol] = probability);
        self.draws += 1;
        &self.row
    }

    fn set(&mut self, step: usize, voice: usize, symbol: Symbol) {
        self.sites[2 * step + voice] = THREE.iter().position(|known| *known == symbol.index()).unwrap();
    }
}

#[test]
fn the_chain_visits_states_as_often_as_its_transition_matrix_says() {
    let mut toy = Toy::new(3);
    // There and back: the first voice first, then the last one.
    let order = [0, 1, 2, 3, 3, 2, 1, 0];
    let mut expected = vec![1.0 / 81.0; 81];
    for _ in 0..200 {
        expected = order.iter().fold(expected, |from, site| toy.drawn(&from, *site));
    }
    let (rng, mut counts, times) = (&mut seeded(1), vec![0.0; 81], 120_000);
    let sampling = Sampling { temperature: 1.0, top_k: 0, top_p: 1.0 };
    for _ in 0..times {
        for direction in [Direction::Forward, Direction::Back] {
            sweep(&mut toy, (0..2, &[0b11; 2]), direction, &sampling, rng).unwrap();
        }
        counts[state_of(&toy.sites)] += 1.0 / f64::from(times);
    }
    let distance: f64 =
        counts.iter().zip(&expected).map(|(found, expected)| (found - expected).abs()).sum::<f64>() / 2.0;
    assert!(distance < 0.02, "{distance}");
    // Of other conditionals it is another distribution: the test can fail.
    let other =
        order.iter().cycle().take(1600).fold(vec![1.0 / 81.0; 81], |from, site| Toy::new(4).drawn(&from, *site));
    let distance: f64 = counts.iter().zip(&other).map(|(found, other)| (found - other).abs()).sum::<f64>() / 2.0;
    assert!(distance > 0.1, "{distance}");
}

#[test]
fn only_free_sites_are_drawn_and_each_once_a_sweep() {
    let mut toy = Toy::new(5);
    toy.sites = [1, 2, 0, 1];
    let sampling = Sampling { temperature: 4.0, top_k: 0, top_p: 1.0 };
    for k in 0..20 {
        let direction = if k % 2 == 0 { Direction::Forward } else { Direction::Back };
        sweep(&mut toy, (0..2, &[0b10, 0b01]), direction, &sampling, &mut seeded(k)).unwrap();
        assert_eq!((toy.sites[0], toy.sites[3]), (1, 1));
    }
    assert_eq!(toy.draws, 40);
}

/// Counts how often each site is drawn.
struct Count(Vec<[usize; VOICES]>, Vec<f32>);

impl Conditionals for Count {
    fn turn(&mut self, _: Direction) {}

    fn reach(&mut self, _: usize) {}

    fn symbols(&mut self, _: usize, _: usize) -> &[f32] {
        &self.1
    }

    fn set(&mut self, step: usize, voice: usize, _: Symbol) {
        self.0[step][voice] += 1;
    }
}

#[test]
fn a_piece_that_is_twice_as_long_gets_twice_the_draws() {
    let draws = |steps: usize| {
        let mut count = Count(vec![[0; VOICES]; steps], vec![0.5; SYMBOLS]);
        let free = vec![0b1111; steps];
        let task = (&Sampling::default(), 7);
        let progress = &mut |_| ControlFlow::Continue(());
        settle(&mut count, (0..steps, &free), task, &mut seeded(1), progress).unwrap();
        assert!(count.0.iter().flatten().all(|draws| *draws == 7), "each site once a sweep");
        count.0.iter().flatten().sum::<usize>()
    };
    assert_eq!(draws(128), 2 * draws(64));
}

/// Sites with all kinds of symbols.
fn some_sites(steps: usize, seed: u64) -> Vec<Sites> {
    let rng = &mut seeded(seed);
    let mut any = || if uniform(rng) < 0.6 { Symbol::HOLD } else { symbol(below(rng, SYMBOLS)) };
    (0..steps).map(|_| std::array::from_fn(|_| any())).collect()
}

#[test]
fn on_its_way_the_network_sees_what_it_would_see_of_the_piece_as_it_stands() {
    for configuration in ["default", "source"] {
        let settings = SPEC.tiny_settings(configuration).unwrap();
        let file = SPEC.creates().unwrap()(&settings, &set(), 1).unwrap().save();
        let corpus = Corpus::of(&set()).unwrap();
        let model = Trained::open(&file, Settings::read(&settings).unwrap(), &corpus.choir).unwrap();
        let told = || Told { scale: Some(2), fermatas: Some(vec![false; 24]), ..Told::default() };
        let mut walk = Walk::new(&model, Lines::new(some_sites(24, 1)), told(), 3..20);
        let rng = &mut seeded(7);
        for k in 0..4 {
            let direction = if k % 2 == 0 { Direction::Forward } else { Direction::Back };
            walk.turn(direction);
            let steps: Vec<usize> = if k % 2 == 0 { (3..20).collect() } else { (3..20).rev().collect() };
            for step in steps {
                walk.reach(step);
                for voice in 0..VOICES {
                    let found = walk.logarithms(step, voice).to_vec();
                    let mut anew = Walk::new(&model, Lines::new(walk.lines().sites().to_vec()), told(), 0..24);
                    anew.turn(Direction::Forward);
                    (0..=step).for_each(|step| anew.reach(step));
                    assert_eq!(anew.logarithms(step, voice), found, "{configuration} {step} {voice} {direction:?}");
                    if uniform(rng) < 0.5 {
                        walk.set(step, voice, symbol(below(rng, SYMBOLS)));
                    }
                }
            }
        }
        assert_eq!(walk.lines().sites()[..3], some_sites(24, 1)[..3]);
    }
}

#[test]
fn windows_in_rows_give_the_nats_of_whole_pieces_one_by_one() {
    // Nothing told, no average, whole pieces: what is learnt from is what is judged.
    let settings =
        [("untold", 0.999_999.into()), ("averaging", 0.0.into()), ("window", 128.into()), ("batch", 4.into())];
    let mut trainable = created(&settings);
    learn(trainable.as_mut(), 3);
    let epoch: Vec<_> =
        (0..trainable.steps(9)).map(|step| trainable.step(StepAt { epoch: 9, step }, 0.0).batch).collect();
    let (found, counted) = epoch.iter().fold((0.0, 0.0), |sum, batch| (sum.0 + batch.nats, sum.1 + batch.tokens));
    let composer = trainable.composer();
    let judge = composer.judge().unwrap();
    let judged: Vec<_> = set().train.iter().map(|piece| judge.judge(&piece).figures).collect();
    let nats: f64 = judged.iter().map(|figures| figures.nats).sum();
    assert_eq!(counted, judged.iter().map(|figures| figures.tokens).sum::<f64>());
    // Judging reads weights rounded to 16 bits.
    assert!((nats - found).abs() < 0.01 * found, "{found} {nats}");
    assert_eq!((judge.kind(), trainable.unit()), (Kind::PseudoLikelihood, Unit::Site));
    assert!(judged.iter().all(|figures| figures.of_notes_per_quarter().is_none()), "it compares with nothing else");
}

#[test]
fn a_melody_is_harmonised_and_stays_note_for_note() {
    let composer = trained(30).composer();
    let whole = piece(8, 11);
    let mut melody = whole.clone();
    melody.parts.truncate(1);
    let melody = melody.transposed(-12).unwrap().rescaled(TicksPerQuarter::new(30).unwrap());
    let given = Given::new(melody.clone(), vec![Cell::voice(0)]).unwrap();
    let found = compose(composer.as_ref(), &Request::around(given, composer.default_sampling()), 1).unwrap().score;
    assert_eq!(line(&found.parts[0]), line(&melody.rescaled(found.ticks_per_quarter).parts[0]));
    assert_eq!(found.parts.iter().map(|part| part.name.as_deref()).collect::<Vec<_>>(), NAMES.map(Some));
    // The chords follow from the soprano: most of what is composed is what belongs to it, an octave lower as well.
    let chords = voices::read(&found.transposed(12).unwrap().rescaled(GRID));
    let expected = voices::read(&whole);
    let right = chords.iter().zip(&expected).filter(|(found, expected)| found == expected).count();
    assert!(right * 10 > expected.len() * 6, "{right} of {}", expected.len());
}

#[test]
fn all_that_is_given_stays_whatever_cells_are_composed_anew() {
    let composer = trained(2).composer();
    // A bass note is held over the bar before what is composed anew, and one into the bar after it.
    let mut source = piece(8, 12);
    let bass = &mut source.parts[3].notes;
    bass.retain(|note| ![64, 96].contains(&note.onset.0));
    for note in bass.iter_mut().filter(|note| [60, 92].contains(&note.onset.0)) {
        note.duration = Ticks(8);
    }
    let cells = [(Some(1), 3..=4), (Some(3), 5..=6), (None, 8..=8)];
    let again: Vec<Cell> = cells.iter().map(|(voice, bars)| Cell { voice: *voice, bars: Some(bars.clone()) }).collect();
    let given = Given::except(source.clone(), again).unwrap();
    for seed in 0..3 {
        let request = Request::around(given.clone(), Sampling::default());
        let found = compose(composer.as_ref(), &request, seed).unwrap().score;
        assert_eq!((found.bars().count(), found.ticks_per_quarter), (8, GRID));
        for (voice, (found, expected)) in found.parts.iter().zip(&source.parts).enumerate() {
            let is_again = |note: &&Note| {
                let bar = note.onset.0 as usize / 16 + 1;
                cells.iter().any(|(of, bars)| of.is_none_or(|of| of == voice) && bars.contains(&bar))
            };
            let plain = |note: &Note| (note.onset.0, note.duration.0, note.pitch.get());
            let kept = |part: &Part| part.notes.iter().filter(|note| !is_again(note)).map(plain).collect::<Vec<_>>();
            if voice == 3 {
                // What reached over into a bar that is given goes on there.
                let over = (96, 4, expected.notes.iter().find(|note| note.onset.0 == 92).unwrap().pitch.get());
                let mut expected = kept(expected);
                expected.push(over);
                expected.sort_unstable();
                assert_eq!(kept(found), expected);
            } else {
                assert_eq!(kept(found), kept(expected), "{voice}");
            }
            assert!(
                found.notes.windows(2).all(|pair| pair[0].end() <= pair[1].onset),
                "{voice} sings one note at a time"
            );
        }
        assert!((0..VOICES).filter(|voice| line(&found.parts[*voice]) != line(&source.parts[*voice])).count() > 2);
    }
}

#[test]
fn what_cannot_be_composed_anew_is_refused_by_name() {
    let composer = trained(0).composer();
    let refusal = |again: Vec<Cell>| {
        let given = Given::except(piece(4, 1), again).map_err(|error| error.to_string())?;
        let found = compose(composer.as_ref(), &Request::around(given, Sampling::default()), 1);
        found.map(|_| ()).map_err(|error| error.to_string())
    };
    let told = |again: Vec<Cell>| refusal(again).unwrap_err();
    assert!(told(vec![Cell { voice: Some(4), bars: None }]).contains("no voice 5"));
    assert!(told(vec![Cell { voice: Some(1), bars: Some(3..=5) }]).contains("bars 3-5 cannot be composed anew"));
    assert!(told(vec![]).contains("everything is given"));
    assert!(told(vec![Cell { voice: None, bars: None }]).contains("nothing is given"));
    assert!(refusal((0..3).map(Cell::voice).collect()).is_ok());
}

#[test]
fn cadences_stand_where_they_are_asked_for() {
    let composer = trained(3).composer();
    assert!(composer.can(Control::Cadences));
    let mut request = Request::new(8, Sampling::default());
    request.controls.set("cadences", "12").unwrap();
    let found = compose(composer.as_ref(), &request, 1).unwrap().score;
    let quarters = |score: &Score, at: &Ticks| at.quarters(score.ticks_per_quarter);
    for part in &found.parts {
        let held: Vec<f64> = part.fermatas.iter().map(|at| quarters(&found, at)).collect();
        assert_eq!(held.len(), 3, "{held:?}");
        assert!(held.iter().zip([11.0, 23.0, 31.0]).all(|(at, asked)| *at < asked + 1.0), "{held:?}");
        assert!(part.fermatas.iter().all(|at| part.notes.iter().any(|note| note.onset == *at)));
    }
    for wrong in ["0", "-3", "x", "5000"] {
        assert!(request.controls.set("cadences", wrong).unwrap_err().contains("1 to 1000"));
    }
    // A piece's own stay, and are told.
    let mut source = piece(4, 2);
    source.parts[0].fermatas = vec![Ticks(28), Ticks(60)];
    let given = Given::new(source.clone(), vec![Cell::voice(0)]).unwrap();
    let found = compose(composer.as_ref(), &Request::around(given, Sampling::default()), 1).unwrap().score;
    assert_eq!(found.parts[0].fermatas, source.parts[0].fermatas);
    assert!(found.parts.iter().all(|part| part.fermatas.len() == 2));
}
