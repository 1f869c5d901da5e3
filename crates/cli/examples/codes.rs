//! What the codes of a model are worth, on the pieces of a folder that it did not learn from: how tunes come back, what lies between two, what variations
//! do.
//!
//! `cargo run --release --example codes -- MODEL FOLDER [PIECES]`

use cantus_corpus::{Options, Split};
use cantus_encoding::TokenId;
use cantus_encoding::melody_steps::{MelodySteps, OUTCOMES, SILENCE};
use cantus_model::latent::{self, Ability, Aspect, BLENDING, Latent, Sketch, VARYING, Way, Wish};
use cantus_model::ngram::Trigram;
use cantus_model::{Judge, Sampling, home, seeded};
use cantus_score::Score;
use std::error::Error;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [name, folder, rest @ ..] = &arguments[..] else { return Err("codes MODEL FOLDER [PIECES]".into()) };
    let most: usize = rest.first().map_or(Ok(60), |most| most.parse())?;
    let model = cantus_workshop::load(name)?;
    let spec = model.composer.spec();
    let choice = Some((spec, spec.configurations[0].name));
    let gathered = cantus_workshop::gather(Path::new(folder), &Options::default(), choice, &mut |_| {})?;
    let of = |split, most: usize| -> Result<Vec<Score>, Box<dyn Error>> {
        let pieces: Vec<_> = gathered.corpus.pieces_of(split).collect();
        let every = (pieces.len() / most.max(1)).max(1);
        Ok(pieces.into_iter().step_by(every).take(most).map(|piece| piece.score()).collect::<Result<_, _>>()?)
    };
    let held_out = of(Split::Valid, most)?;
    let quarters: f64 = held_out.iter().map(|piece| piece.end().quarters(piece.ticks_per_quarter)).sum();
    if let Some(judge) = model.composer.judge() {
        likelihoods(judge, &held_out, quarters);
    }
    let codes = cantus_composers::registry::latent(model.composer.as_ref(), Ability::Blend)?;
    reconstruction(codes, &held_out);
    let trigram = Counted::of(&of(Split::Train, usize::MAX)?, codes);
    composed(&model, &trigram)?;
    blends(codes, &held_out, &trigram)?;
    variations(codes, &held_out)
}

fn likelihoods(judge: &dyn Judge, pieces: &[Score], quarters: f64) {
    let nats: f64 = pieces.iter().map(|piece| judge.judge(piece).figures.nats).sum();
    println!("{}: {:.3} nats a quarter", judge.kind(), nats / quarters);
    let begun = Instant::now();
    let estimates: Option<Vec<f64>> = pieces.iter().map(|piece| judge.estimate(piece)).collect();
    if let Some(estimates) = estimates {
        println!(
            "estimate: {:.3} nats a quarter ({:.1} s)",
            estimates.iter().sum::<f64>() / quarters,
            begun.elapsed().as_secs_f64()
        );
    }
}

/// Codes' means, written out greedily, each step from what was written before.
fn reconstruction(codes: &dyn Latent, pieces: &[Score]) {
    let (mut all, mut right, mut onsets, mut met, mut nats, mut sections) = (0, 0, 0, 0, 0.0, 0);
    for piece in pieces {
        let coded = codes.encode(piece);
        for code in &coded.codes {
            nats += cantus_nn::gaussian::divergence(&code.mean, &code.log_variance);
            sections += 1;
        }
        let sketch = Sketch {
            bars: coded.melody.bars.clone(),
            upbeat: coded.melody.upbeat,
            codes: coded.codes.iter().map(|code| code.mean.clone()).collect(),
            ..Sketch::default()
        };
        let found = codes.decode(&[sketch], &Sampling::GREEDY, &mut [seeded(1)], &mut |_| ControlFlow::Continue(()));
        let Ok(found) = found else { continue };
        for (own, found) in coded.melody.steps.iter().zip(&found[0]) {
            all += 1;
            right += usize::from(own == found);
            if *own > SILENCE {
                onsets += 1;
                met += usize::from(own == found);
            }
        }
    }
    println!(
        "reconstruction, greedy: all steps {:.3}, onsets {:.3}; {:.1} nats a section",
        f64::from(right as u32) / f64::from(all as u32),
        f64::from(met as u32) / f64::from(onsets as u32),
        nats / f64::from(sections)
    );
}

/// A trigram of the steps, in the key without accidentals.
struct Counted {
    trigram: Trigram,
    per_quarter: f64,
}

fn tokens(melody: &MelodySteps) -> Vec<TokenId> {
    let before = [OUTCOMES as u32; 1];
    before.into_iter().chain(melody.steps.iter().map(|step| u32::from(*step))).map(TokenId).collect()
}

impl Counted {
    fn of(pieces: &[Score], codes: &dyn Latent) -> Counted {
        let all: Vec<Vec<TokenId>> =
            pieces.iter().map(|piece| tokens(&MelodySteps::of(&home(piece).0, codes.grid()))).collect();
        Counted { trigram: Trigram::train(&all, OUTCOMES + 1), per_quarter: f64::from(codes.grid().get()) }
    }

    /// Nats a quarter.
    fn nats(&self, melodies: &[MelodySteps]) -> f64 {
        let all: Vec<Vec<TokenId>> = melodies.iter().map(tokens).collect();
        self.trigram.nats_per_token(&all, 3) * self.per_quarter
    }
}

fn composed(model: &cantus_workshop::Model, trigram: &Counted) -> Result<(), Box<dyn Error>> {
    let request = cantus_model::Request::new(16, model.usual_sampling());
    let mut rngs: Vec<_> = (0..60).map(seeded).collect();
    let pieces = cantus_workshop::write(model, &request, &mut rngs, &mut |_| ControlFlow::Continue(()))?;
    let codes = cantus_composers::registry::latent(model.composer.as_ref(), Ability::Blend)?;
    let melodies: Vec<MelodySteps> =
        pieces.iter().map(|piece| MelodySteps::of(&home(&piece.score).0, codes.grid())).collect();
    println!("composed, trigram: {:.2} nats a quarter", trigram.nats(&melodies));
    Ok(())
}

fn blends(codes: &dyn Latent, pieces: &[Score], trigram: &Counted) -> Result<(), Box<dyn Error>> {
    let melody = |piece: &Score| MelodySteps::of(&home(piece).0, codes.grid());
    let real: Vec<MelodySteps> = pieces.iter().map(melody).collect();
    let mut pairs = Vec::new();
    for (k, one) in pieces.iter().enumerate() {
        let metre = |piece: &Score| piece.meters.last().map(|(_, meter)| *meter);
        if let Some(other) = pieces.iter().skip(k + 1).find(|other| metre(other) == metre(one)) {
            pairs.push([one, other]);
        }
    }
    print!("trigram, nats a quarter: real {:.2}; ", trigram.nats(&real));
    let mut ways: Vec<Vec<f64>> = vec![Vec::new(); pairs.len()];
    let begun = Instant::now();
    for at in [0.1, 0.25, 0.5, 0.75, 0.9] {
        let mut blended = Vec::new();
        for (k, pair) in pairs.iter().enumerate() {
            let made = latent::blend(codes, *pair, Way::At(at), &BLENDING, &mut seeded(k as u64), &mut |_| {
                ControlFlow::Continue(())
            })?;
            let found = melody(&made.score);
            let shared = |of: &MelodySteps| {
                let steps =
                    of.steps.iter().zip(&found.steps).filter(|(own, found)| **own > SILENCE || **found > SILENCE);
                let (same, all) = steps.fold((0u32, 0u32), |(same, all), (a, b)| (same + u32::from(a == b), all + 1));
                f64::from(same) / f64::from(all.max(1))
            };
            ways[k].push(shared(&melody(pair[1])) - shared(&melody(pair[0])));
            blended.push(found);
        }
        print!("{at}: {:.2}; ", trigram.nats(&blended));
    }
    let count = (5 * pairs.len()) as f64;
    let mean = |k: usize| ways.iter().map(|way| way[k]).sum::<f64>() / ways.len() as f64;
    let rising = ways.iter().flat_map(|way| way.windows(2)).filter(|pair| pair[1] >= pair[0] - 1e-9).count();
    println!(
        "\n  nearer to the second than to the first: {:?}; {:.0}% of the ways rise; {:.3} s each",
        (0..5).map(|k| (mean(k) * 100.0).round() / 100.0).collect::<Vec<f64>>(),
        100.0 * rising as f64 / (4 * ways.len()) as f64,
        begun.elapsed().as_secs_f64() / count
    );
    Ok(())
}

fn variations(codes: &dyn Latent, pieces: &[Score]) -> Result<(), Box<dyn Error>> {
    let melody = |piece: &Score| MelodySteps::of(piece, codes.grid());
    for asked in Aspect::ALL {
        let (mut moved, mut count, mut of_asked, mut of_others, mut kept) = (0, 0, 0.0, 0.0, 0.0);
        let begun = Instant::now();
        for (k, piece) in pieces.iter().enumerate() {
            let wish = Wish { more: vec![asked], ..Wish::default() };
            let mut rngs = [seeded(k as u64)];
            let varied = latent::vary(codes, piece, &wish, &VARYING, &mut rngs, &mut |_| ControlFlow::Continue(()))?;
            let (own, found) = (melody(piece), melody(&varied[0].score));
            let all = 0..own.steps.len();
            let by = |aspect: Aspect| (aspect.of(&found, &all) - aspect.of(&own, &all)) / aspect.usual();
            moved += usize::from(by(asked) > 0.0);
            of_asked += by(asked);
            let others = Aspect::ALL.into_iter().filter(|other| *other != asked);
            of_others += others.map(|other| by(other).abs()).sum::<f64>() / 2.0;
            let same = own.steps.iter().zip(&found.steps).filter(|(a, b)| a == b).count();
            kept += same as f64 / own.steps.len() as f64;
            count += 1;
        }
        let count = f64::from(count);
        println!(
            "more {}: moved as asked {:.0}%, by {:.2} usual steps; others by {:.2}; {:.0}% of the steps stay; {:.3} s each",
            asked.name(),
            100.0 * moved as f64 / count,
            of_asked / count,
            of_others / count,
            100.0 * kept / count,
            begun.elapsed().as_secs_f64() / count
        );
    }
    Ok(())
}
