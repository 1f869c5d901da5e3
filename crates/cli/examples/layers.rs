//! What each layer of a song costs a model that writes layer after layer, on the pieces of a folder that it did not learn from: nats a quarter note of
//! the melody with its bars, of the chords, of the drums. No layer depends on those above it, so a layer costs what a piece does without
//! those above, less what it does without the layer, too. And how drums repeat themselves in these pieces and in compositions.
//!
//! `cargo run --release --example layers -- MODEL FOLDER [COMPOSITIONS]`

use cantus_corpus::{Options, Split};
use cantus_model::{Request, seeded};
use cantus_score::{Part, Score, Ticks, TicksPerQuarter, key_of, melody_line};
use std::collections::BTreeSet;
use std::error::Error;
use std::ops::ControlFlow;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [name, folder, rest @ ..] = &arguments[..] else { return Err("layers MODEL FOLDER [COMPOSITIONS]".into()) };
    let most: usize = rest.first().map_or(Ok(20), |most| most.parse())?;
    let model = cantus_workshop::load(name)?;
    let spec = model.composer.spec();
    let choice = Some((spec, spec.configurations[0].name));
    let gathered = cantus_workshop::gather(Path::new(folder), &Options::open(), choice, &mut |_| {})?;
    let held_out: Vec<Score> =
        gathered.corpus.pieces_of(Split::Valid).map(|piece| piece.score()).collect::<Result<_, _>>()?;
    let judge = model.composer.judge().ok_or("the model judges nothing")?;
    let nats = |piece: &Score| judge.judge(piece).figures.nats;
    let (mut melody, mut chords, mut drums) = ((0.0, 0.0), (0.0, 0.0), (0.0, 0.0));
    for piece in &held_out {
        let quarters = piece.end().quarters(piece.ticks_per_quarter);
        let [whole, pitched, line] =
            [piece.clone(), without_drums(piece), melody_alone(piece)].map(|piece| nats(&piece));
        let has_drums = piece.parts.iter().any(|part| part.drums && !part.notes.is_empty());
        let add = |(sum, all): &mut (f64, f64), nats: f64, is_there: bool| {
            if is_there {
                (*sum, *all) = (*sum + nats, *all + quarters);
            }
        };
        add(&mut melody, line, line > 0.0);
        add(&mut chords, pitched - line, pitched > 0.0);
        add(&mut drums, whole - pitched, has_drums);
    }
    let layers = [("melody and bars", melody), ("chords", chords), ("drums", drums)];
    for (layer, (sum, quarters)) in layers.into_iter().filter(|(_, (_, quarters))| *quarters > 0.0) {
        println!("{layer}: {:.3} nats a quarter, {quarters:.0} quarters", sum / quarters);
    }
    println!("{} pieces: {:.1}% of sixteenths are struck as a bar before", held_out.len(), 100.0 * repeats(&held_out));
    let request = Request::new(32, model.usual_sampling());
    let mut rngs: Vec<_> = (0..most as u64).map(seeded).collect();
    let composed = cantus_workshop::write(&model, &request, &mut rngs, &mut |_| ControlFlow::Continue(()))?;
    let composed: Vec<Score> = composed.into_iter().map(|composition| composition.score).collect();
    println!("{} compositions: {:.1}%", composed.len(), 100.0 * repeats(&composed));
    Ok(())
}

/// The piece in the key that it has with all its parts.
fn in_its_key(piece: &Score) -> Score {
    let keys = key_of(piece).map(|key| (Ticks::ZERO, key)).into_iter().collect();
    Score { keys, ..piece.clone() }
}

fn without_drums(piece: &Score) -> Score {
    let mut piece = in_its_key(piece);
    piece.parts.retain(|part| !part.drums);
    piece
}

fn melody_alone(piece: &Score) -> Score {
    let notes = melody_line(piece);
    Score { parts: vec![Part { notes, ..Part::default() }], chords: Vec::new(), ..in_its_key(piece) }
}

/// The share of sixteenths at which the same is struck as a bar of sixteen before, where either is struck at all or not.
fn repeats(pieces: &[Score]) -> f64 {
    let sixteenth = TicksPerQuarter::new(4).expect("four is a number of ticks");
    let (mut same, mut all) = (0, 0);
    for piece in pieces {
        let mut struck: BTreeSet<(u64, u8)> = BTreeSet::new();
        for note in piece.parts.iter().filter(|part| part.drums).flat_map(|part| &part.notes) {
            struck.insert((note.onset.rescale(piece.ticks_per_quarter, sixteenth).0, note.pitch.get()));
        }
        let Some(last) = struck.last().map(|(at, _)| *at) else { continue };
        let at = |step: u64| struck.range((step, 0)..(step + 1, 0)).map(|(_, pitch)| *pitch).collect::<Vec<u8>>();
        for step in 16..=last {
            all += 1;
            same += u64::from(at(step) == at(step - 16));
        }
    }
    same as f64 / (all as f64).max(1.0)
}
