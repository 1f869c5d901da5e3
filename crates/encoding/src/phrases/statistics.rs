//! What is counted of a phrase: by what sets of phrases are compared.

use super::{BARS, KEYS, LENGTH, Layout, STEPS};

/// Pitch classes.
const CLASSES: usize = 12;
/// Numbers of a track: onsets at each step of a bar, pitch classes (or kinds of drums), and five more.
const NUMBERS: usize = STEPS + CLASSES + 5;

impl Layout {
    /// How many numbers [`statistics`](Layout::statistics) gives.
    pub fn counted(&self) -> usize {
        self.tracks.len() * NUMBERS
    }

    /// Numbers of a phrase, each about 0-1: of every track how often something begins at each step of a bar, how much of what sounds is of each pitch
    /// class or kind of drum, how many bars are empty, how many steps sound, how many keys at once (of four), how high they are, and how many notes
    /// have one step.
    ///
    /// # Panics
    /// If there are fewer cells than a phrase has.
    pub fn statistics(&self, cells: &[bool]) -> Vec<f32> {
        let width = self.width();
        let rows: Vec<&[bool]> = cells.chunks_exact(width).take(LENGTH).collect();
        let mut numbers = Vec::with_capacity(self.counted());
        for (k, (track, start)) in self.tracks.iter().zip(self.starts()).enumerate() {
            let keys = if track.is_drums() { track.width() } else { KEYS };
            let mut own = [0.0f32; NUMBERS];
            let tones = self.tones(k, &rows);
            let mut begun = [false; LENGTH];
            tones.iter().for_each(|tone| begun[tone.step] = true);
            for step in (0..LENGTH).filter(|step| begun[*step]) {
                own[step % STEPS] += 1.0 / BARS as f32;
            }
            let (mut sounding, mut all, mut height) = (0.0f32, 0.0f32, 0.0f32);
            for row in &rows {
                let keys: Vec<usize> = (0..keys).filter(|key| row[start + key]).collect();
                sounding += f32::from(!keys.is_empty());
                all += keys.len() as f32;
                for key in keys {
                    let class = if track.is_drums() { key } else { (usize::from(track.lowest) + key) % CLASSES };
                    own[STEPS + class] += 1.0;
                    height += key as f32 / KEYS as f32;
                }
            }
            own[STEPS..STEPS + CLASSES].iter_mut().for_each(|share| *share /= all.max(1.0));
            let is_empty = |bar: &&[&[bool]]| bar.iter().all(|row| !row[start..start + keys].contains(&true));
            let short = tones.iter().filter(|tone| tone.length == 1).count() as f32;
            own[STEPS + CLASSES..].copy_from_slice(&[
                rows.chunks(STEPS).filter(is_empty).count() as f32 / BARS as f32,
                sounding / LENGTH as f32,
                all / sounding.max(1.0) / 4.0,
                height / all.max(1.0),
                short / (tones.len() as f32).max(1.0),
            ]);
            numbers.extend(own);
        }
        numbers
    }
}

#[cfg(test)]
mod tests {
    use super::super::GRID;
    use super::*;
    use cantus_score::{Note, Part, Pitch, Score, Ticks, Velocity};

    #[test]
    fn a_phrase_counted_by_hand() {
        // C4 and E4 for a whole bar, then a sixteenth of G4 in the third bar.
        let note = |onset: u64, pitch: u8, duration: u64| Note {
            onset: Ticks(onset),
            pitch: Pitch::try_from(pitch).unwrap(),
            duration: Ticks(duration),
            velocity: Velocity::DEFAULT,
        };
        let notes = vec![note(0, 60, 16), note(0, 64, 16), note(36, 67, 1), note(63, 60, 1)];
        let score = Score { parts: vec![Part { notes, ..Part::default() }], ..Score::new(GRID) };
        let layout = Layout::of([&score]);
        let mut cells = vec![false; layout.cells()];
        layout.phrases(&score, 4)[0].0.iter().for_each(|cell| cells[*cell as usize] = true);
        let found = layout.statistics(&cells);
        assert_eq!(found.len(), layout.counted());
        let (begun, rest) = found.split_at(STEPS);
        assert_eq!((begun[0], begun[4], begun[15], begun.iter().sum::<f32>()), (0.25, 0.25, 0.25, 0.75));
        let (classes, rest) = rest.split_at(CLASSES);
        let near = |a: f32, b: f32| (a - b).abs() < 1e-6;
        assert!(near(classes[0], 0.5) && near(classes[4], 16.0 / 34.0) && near(classes[7], 1.0 / 34.0));
        assert_eq!((rest[0], rest[1], rest[4]), (0.25, 18.0 / 64.0, 0.5));
        assert!(near(rest[2], 34.0 / 18.0 / 4.0));
        let silence = layout.statistics(&vec![false; layout.cells()]);
        assert!(silence.iter().all(|x| x.is_finite()) && silence[STEPS + CLASSES] == 1.0);
    }
}
