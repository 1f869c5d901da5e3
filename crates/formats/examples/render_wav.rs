//! Renders a MIDI file with the built-in instruments and prints how fast.
//!
//! `cargo run --release -p cantus-formats --example render_wav -- in.mid out.wav`

use cantus_formats::midi::{Limits, read};
use cantus_formats::wav::{Settings, Sound, write};
use std::error::Error;
use std::time::Instant;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let input = arguments.next().ok_or("name a MIDI file")?;
    let output = arguments.next().ok_or("name a WAV file")?;
    let score = read(&std::fs::read(input)?, &Limits::default())?.score;
    let start = Instant::now();
    let out = std::io::BufWriter::new(std::fs::File::create(output)?);
    let written = write(&score, &Sound::BuiltIn, &Settings::default(), out)?;
    let took = start.elapsed().as_secs_f64();
    println!(
        "{} notes, {:.1} s of sound, peak {:.3}: {took:.3} s, {:.0} times faster than real time",
        score.note_count(),
        written.seconds,
        written.peak,
        written.seconds / took
    );
    Ok(())
}
