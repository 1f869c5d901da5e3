//! What stands before the music: whose it is, and which parts there are.

use super::xml::{escaped, line};
use crate::notation::changes_under_notes;
use cantus_score::{Part, Pitch, Program, Score};
use std::fmt::Write;

/// The id of an instrument of part `number`, which counts from 1.
pub fn instrument_id(number: usize, instrument: usize) -> String {
    format!("P{number}-I{}", instrument + 1)
}

/// Who made it, and remarks.
pub fn identification(score: &Score, out: &mut String) {
    line(out, 1, "<identification>");
    if let Some(composer) = &score.composer {
        line(out, 2, &format!("<creator type=\"composer\">{}</creator>", escaped(composer)));
    }
    if let Some(rights) = &score.rights {
        line(out, 2, &format!("<rights>{}</rights>", escaped(rights)));
    }
    line(out, 2, "<encoding>");
    line(out, 3, "<software>Cantus</software>");
    for element in ["accidental", "beam"] {
        line(out, 3, &format!("<supports element=\"{element}\" type=\"yes\"/>"));
    }
    line(out, 2, "</encoding>");
    if !score.remarks.is_empty() {
        line(out, 2, "<miscellaneous>");
        for remark in &score.remarks {
            let text = escaped(remark);
            line(out, 3, &format!("<miscellaneous-field name=\"remark\">{text}</miscellaneous-field>"));
        }
        line(out, 2, "</miscellaneous>");
    }
    line(out, 1, "</identification>");
}

/// The entry of part `number`, which counts from 1.
pub fn score_part(part: &Part, number: usize, out: &mut String) {
    line(out, 2, &format!("<score-part id=\"P{number}\">"));
    match &part.name {
        Some(name) => line(out, 3, &format!("<part-name>{}</part-name>", escaped(name))),
        None => line(out, 3, "<part-name/>"),
    }
    let program = part.programs.first().map(|(_, program)| *program);
    let mut instruments: Vec<(String, String, Option<Program>, Option<Pitch>)> = Vec::new();
    if part.drums {
        let mut drums: Vec<Pitch> = part.notes.iter().map(|note| note.pitch).collect();
        drums.sort_unstable();
        drums.dedup();
        for drum in drums {
            let name = format!("Drum {}", drum.get());
            instruments.push((drum_id(number, drum), name, program, Some(drum)));
        }
    } else {
        for (k, program) in part_programs(part).into_iter().enumerate() {
            let name = program.unwrap_or_default().name().to_owned();
            instruments.push((instrument_id(number, k), name, program, None));
        }
    }
    for (id, name, ..) in &instruments {
        let name = format!("<instrument-name>{}</instrument-name>", escaped(name));
        line(out, 3, &format!("<score-instrument id=\"{id}\">{name}</score-instrument>"));
    }
    for (k, (id, _, program, drum)) in instruments.iter().enumerate() {
        // MuseScore plays instruments of one part with different programs only where their channels differ; it finds one itself
        // where none is named, and for other readers the part's first is meant.
        let has_channel = k == 0 || drum.is_some();
        if part.port > 0 && has_channel {
            line(out, 3, &format!("<midi-device id=\"{id}\" port=\"{}\"/>", u16::from(part.port) + 1));
        }
        let mut midi = String::new();
        if has_channel {
            let _ = write!(midi, "<midi-channel>{}</midi-channel>", part.channel + 1);
        }
        if let Some(program) = program {
            let _ = write!(midi, "<midi-program>{}</midi-program>", program.get() + 1);
        }
        if let Some(drum) = drum {
            let _ = write!(midi, "<midi-unpitched>{}</midi-unpitched>", drum.get() + 1);
        }
        line(out, 3, &format!("<midi-instrument id=\"{id}\">{midi}</midi-instrument>"));
    }
    line(out, 2, "</score-part>");
}

/// The programs of a part, each once; one alone where they change under notes, which `sound` says then.
pub fn part_programs(part: &Part) -> Vec<Option<Program>> {
    let mut programs: Vec<Option<Program>> = Vec::new();
    for (_, program) in &part.programs {
        if !programs.contains(&Some(*program)) {
            programs.push(Some(*program));
        }
    }
    if programs.is_empty() {
        programs.push(None);
    }
    if changes_under_notes(&part.programs, &part.notes) {
        programs.truncate(1);
    }
    programs
}

/// The id of a drum of part `number`.
pub fn drum_id(number: usize, drum: Pitch) -> String {
    format!("P{number}-D{}", drum.get())
}
