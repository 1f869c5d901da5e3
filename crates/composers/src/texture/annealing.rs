//! Notes that are moved, added and taken away until what is counted of them is as it should be.

use super::tables::{KEYS, Lengths, Pairs, Places};
use super::{Pieces, Placed};
use cantus_model::{Progress, Rng};
use cantus_nn::random::{below, uniform_f64};
use cantus_score::{Note, Pitch, Ticks};

/// Changes that are tried, for each note.
const TRIES: usize = 1000;
/// The fewest changes that are tried.
const FEWEST: usize = 50_000;
/// An increase of the error by so much is kept as often as not, at the beginning and at the end.
const TEMPERATURES: (f64, f64) = (0.01, 0.00003);
/// How much places of the bar, and lengths, count beside pairs.
const PLACES_COUNT: f64 = 0.5;
const LENGTHS_COUNT: f64 = 0.5;
/// Notes of a piece that are pairs of others are so at most so many steps apart, or a bar.
const FEWEST_LAGS: usize = 16;

/// What is wanted, as it was counted of the pieces.
pub(super) struct Wish {
    to_a_bar: usize,
    lags: usize,
    /// Of what has a pitch, and of drums: what sounds, and what is struck.
    pairs: [[Vec<f64>; 2]; 2],
    /// By player.
    places: Vec<Places>,
    /// By player.
    lengths: Vec<Lengths>,
    /// Whether each player is drums.
    drums: Vec<bool>,
    /// Notes of the pieces, from which new ones are drawn.
    pool: Vec<Placed>,
    /// Notes in a step, in the mean.
    notes_a_step: f64,
}

/// Keys that sound, and keys that are struck.
struct Stream {
    sounding: Pairs,
    struck: Pairs,
}

/// Music that is being changed.
pub(super) struct Weave {
    steps: usize,
    /// What has a pitch, and drums.
    streams: [Stream; 2],
    places: Vec<Places>,
    lengths: Vec<Lengths>,
    drums: Vec<bool>,
    /// Their places are steps from the beginning.
    notes: Vec<Placed>,
}

impl Wish {
    pub fn of(pieces: &Pieces, bar_steps: u64) -> Wish {
        let to_a_bar = bar_steps as usize;
        let lags = to_a_bar.max(FEWEST_LAGS);
        let drums: Vec<bool> = pieces.players.iter().map(|(player, _)| player.drums).collect();
        let all_bars = pieces.bars.iter().map(Vec::len).sum();
        let mut places = vec![Places::silence(to_a_bar, all_bars); drums.len()];
        let mut lengths = vec![Lengths::silence(all_bars); drums.len()];
        let mut sums: [[(Vec<f64>, Vec<f64>); 2]; 2] = Default::default();
        let (mut pool, mut count, mut all_steps) = (Vec::new(), 0, 0);
        for ((notes, steps), bars) in pieces.notes.iter().zip(&pieces.bars) {
            let mut streams = [(); 2].map(|()| Stream::silence(*steps as usize, lags));
            for (part, note) in notes.iter().filter(|(_, note)| note.onset.0 < *steps) {
                let (key, first) = (note.pitch.get(), note.onset.0 as usize);
                let end = note.end().0.min(*steps) as usize;
                let stream = &mut streams[usize::from(drums[*part])];
                // A drum's length says nothing.
                let end = if drums[*part] { first + 1 } else { end };
                let free = (first..end).filter(|step| !stream.sounding.has(*step, key)).collect::<Vec<usize>>();
                for step in free {
                    stream.sounding.set(step, key, true);
                }
                if !stream.struck.has(first, key) {
                    stream.struck.set(first, key, true);
                }
                count += 1;
                let at = bars.partition_point(|bar| bar.end() <= note.onset);
                let Some(bar) = bars.get(at).filter(|bar| bar.start <= note.onset) else { continue };
                let place = (note.onset - bar.start).0 as u32;
                let length = (end - first) as u32;
                for step in 0..length as usize {
                    places[*part].sound(place as usize + step, key, 1);
                }
                places[*part].strike(place as usize, key, 1);
                lengths[*part].last(length, 1);
                pool.push(Placed { part: *part, place, key, length, velocity: note.velocity });
            }
            all_steps += *steps as usize;
            for (sums, stream) in sums.iter_mut().zip(&streams) {
                for (sums, pairs) in sums.iter_mut().zip([&stream.sounding, &stream.struck]) {
                    let (counts, of) = pairs.counted();
                    sums.0.resize(counts.len(), 0.0);
                    sums.1.resize(counts.len(), 0.0);
                    sums.0.iter_mut().zip(counts).for_each(|(sum, count)| *sum += f64::from(*count));
                    sums.1.iter_mut().zip(of).for_each(|(sum, of)| *sum += of as f64);
                }
            }
        }
        let mean =
            |(sum, of): (Vec<f64>, Vec<f64>)| sum.into_iter().zip(of).map(|(sum, of)| sum / of.max(1.0)).collect();
        let pairs = sums.map(|sums| sums.map(mean));
        Wish {
            to_a_bar,
            lags,
            pairs,
            places,
            lengths,
            drums,
            pool,
            notes_a_step: count as f64 / all_steps.max(1) as f64,
        }
    }
}

impl Stream {
    fn silence(steps: usize, lags: usize) -> Stream {
        Stream { sounding: Pairs::silence(steps, lags), struck: Pairs::silence(steps, lags) }
    }
}

impl Weave {
    /// As many notes as the pieces have, at random bars, each at its place of the bar.
    pub fn begin(wish: &Wish, steps: usize, rng: &mut Rng) -> Weave {
        let streams = [0, 1].map(|stream: usize| {
            let [sounding, struck] = [0, 1].map(|k: usize| wish.pairs[stream][k].clone());
            Stream { sounding: Pairs::like(sounding, steps, wish.lags), struck: Pairs::like(struck, steps, wish.lags) }
        });
        let places = wish.places.iter().map(|places| Places::like(places, steps / wish.to_a_bar)).collect();
        let lengths = wish.lengths.iter().map(|lengths| Lengths::like(lengths, steps / wish.to_a_bar)).collect();
        let mut weave = Weave { steps, streams, places, lengths, drums: wish.drums.clone(), notes: Vec::new() };
        if wish.pool.is_empty() {
            return weave;
        }
        for _ in 0..(wish.notes_a_step * steps as f64).round() as usize {
            let note = weave.draw(wish, rng);
            if weave.has_room(&note) {
                weave.put(note, 1);
                weave.notes.push(note);
            }
        }
        weave
    }

    /// A note of the pieces, in any bar.
    fn draw(&self, wish: &Wish, rng: &mut Rng) -> Placed {
        let mut note = wish.pool[below(rng, wish.pool.len())];
        let bar = below(rng, self.steps / wish.to_a_bar);
        note.place += (bar * wish.to_a_bar) as u32;
        note.length = note.length.min(self.steps as u32 - note.place);
        note
    }

    /// Whether nothing sounds where a note would.
    fn has_room(&self, note: &Placed) -> bool {
        let pairs = &self.streams[usize::from(self.drums[note.part])].sounding;
        let (first, end) = (note.place as usize, (note.place + note.length) as usize);
        end <= self.steps && (first..end).all(|step| !pairs.has(step, note.key))
    }

    /// A note begins to sound (1) or does no longer (-1): by how much the error changes.
    fn put(&mut self, note: Placed, by: i32) -> f64 {
        let stream = &mut self.streams[usize::from(self.drums[note.part])];
        let (first, end) = (note.place as usize, (note.place + note.length) as usize);
        let mut pairs = stream.struck.set(first, note.key, by > 0);
        let mut places = self.places[note.part].strike(first, note.key, by);
        for step in first..end {
            pairs += stream.sounding.set(step, note.key, by > 0);
            places += self.places[note.part].sound(step, note.key, by);
        }
        let lengths = self.lengths[note.part].last(note.length, by);
        pairs + PLACES_COUNT * places + LENGTHS_COUNT * lengths
    }

    /// Tries changes, and keeps what makes the error less; what makes it greater ever more seldom.
    pub fn anneal(&mut self, wish: &Wish, rng: &mut Rng, progress: Progress<'_>) -> Result<(), ()> {
        if wish.pool.is_empty() {
            return Ok(());
        }
        let tries = (TRIES * self.notes.len()).max(FEWEST);
        let (hot, cold) = TEMPERATURES;
        for tried in 0..tries {
            if tried % 4096 == 0 && progress(tried as f64 / tries as f64).is_break() {
                return Err(());
            }
            let temperature = hot * (cold / hot).powf(tried as f64 / tries as f64);
            let what = below(rng, 8);
            let number = if what == 0 || self.notes.is_empty() { None } else { Some(below(rng, self.notes.len())) };
            let before = number.map(|number| self.notes[number]);
            let after = match before {
                None => Some(self.draw(wish, rng)),
                Some(_) if what == 1 => None,
                Some(note) => Some(self.changed(wish, note, what, rng)),
            };
            let mut change = before.map_or(0.0, |note| self.put(note, -1));
            let fits = after.is_none_or(|note| self.has_room(&note));
            if let Some(note) = after.filter(|_| fits) {
                change += self.put(note, 1);
            }
            if fits && (change <= 0.0 || uniform_f64(rng) < (-change / temperature).exp()) {
                match (number, after) {
                    (None, Some(note)) => self.notes.push(note),
                    (Some(number), None) => {
                        self.notes.swap_remove(number);
                    }
                    (Some(number), Some(note)) => self.notes[number] = note,
                    (None, None) => {}
                }
            } else {
                for (note, by) in
                    after.filter(|_| fits).map(|note| (note, -1)).into_iter().chain(before.map(|note| (note, 1)))
                {
                    self.put(note, by);
                }
            }
        }
        Ok(())
    }

    /// A note moved in pitch, in time, made longer or shorter, or another in its place.
    fn changed(&self, wish: &Wish, note: Placed, what: usize, rng: &mut Rng) -> Placed {
        let far = |most: usize, rng: &mut Rng| {
            let by = 1 + below(rng, most) as i32;
            if below(rng, 2) == 0 { by } else { -by }
        };
        let mut note = note;
        match what {
            2 | 3 => {
                let key = i32::from(note.key) + far(12, rng);
                note.key = key.clamp(0, KEYS as i32 - 1) as u8;
            }
            4 => {
                let place = i64::from(note.place) + i64::from(far(wish.to_a_bar, rng));
                note.place = place.clamp(0, self.steps as i64 - i64::from(note.length)) as u32;
            }
            5 if !self.drums[note.part] => {
                let length = i64::from(note.length) + i64::from(far(4, rng));
                note.length = length.clamp(1, i64::from(self.steps as u32 - note.place)) as u32;
            }
            _ => note = self.draw(wish, rng),
        }
        note
    }

    /// How far what sounds together and one after another is from what it should be.
    pub fn error_of_pairs(&self) -> f64 {
        self.streams.iter().map(|stream| stream.sounding.error()).sum()
    }

    /// The notes, each with its player.
    pub fn notes(&self) -> impl Iterator<Item = (usize, Note)> {
        self.notes.iter().filter_map(|note| {
            let pitch = Pitch::try_from(note.key).ok()?;
            let (onset, duration) = (Ticks(note.place.into()), Ticks(note.length.into()));
            Some((note.part, Note { onset, pitch, duration, velocity: note.velocity }))
        })
    }
}
