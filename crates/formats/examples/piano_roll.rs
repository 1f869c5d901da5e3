//! Draws the piano roll of a MIDI file.
//!
//! `cargo run --release -p cantus-formats --example piano_roll -- in.mid out.svg [BARS [PROMPT_TICKS]]`

use cantus_formats::midi::{Limits, read};
use cantus_formats::svg::{Roll, piano_roll};
use cantus_score::Ticks;
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let input = arguments.next().ok_or("name a MIDI file")?;
    let output = arguments.next().ok_or("name an SVG file")?;
    let max_bars = arguments.next().map_or(Ok(64), |bars| bars.parse())?;
    let prompt_end = arguments.next().map(|ticks| ticks.parse().map(Ticks)).transpose()?;
    let score = read(&std::fs::read(input)?, &Limits::default())?.score;
    std::fs::write(output, piano_roll(&score, &Roll { max_bars, prompt_end, ..Roll::default() })?)?;
    Ok(())
}
