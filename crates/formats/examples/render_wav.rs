//! Renders a music file with the built-in instruments, or has a choir sing it, and prints how fast.
//!
//! `cargo run --release -p cantus-formats --example render_wav -- in.mid out.wav [choir]`

use cantus_formats::wav::{Choir, Settings, Sound, write};
use cantus_formats::{Format, Limits, read};
use std::error::Error;
use std::path::Path;
use std::time::Instant;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let input = arguments.next().ok_or("name a music file")?;
    let output = arguments.next().ok_or("name a WAV file")?;
    let sound = match arguments.next().as_deref() {
        None => Sound::BuiltIn,
        Some("choir") => Sound::Choir(Choir::default()),
        Some(other) => return Err(format!("there is no sound `{other}`; name choir, or none").into()),
    };
    let format = Format::to_read(Path::new(&input))?;
    let mut pieces = read(format, &std::fs::read(input)?, &Limits::default())?;
    let score = pieces.swap_remove(0).reading?.score;
    let start = Instant::now();
    let out = std::io::BufWriter::new(std::fs::File::create(output)?);
    let written = write(&score, &sound, &Settings::default(), out)?;
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
