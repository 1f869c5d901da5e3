//! Composing with the sources' networks: a training window is read, then word by word, the state carried.

use super::SPEC;
use super::window_settings::{KERAS_EPS, WindowSettings};
use cantus_encoding::TokenId;
use cantus_encoding::pitch_class_chord::{Vocabulary, decode, encode};
use cantus_model::{
    ComposeError, Composer, ComposerSpec, Composition, Habits, Intent, ModelError, ModelFile, Progress, Request, Rng,
    Sampling, checkpoint, layers,
};
use cantus_nn::inference::{Dense, LstmCell, Scratch};
use cantus_nn::random::below;
use cantus_score::{Meter, Pitch, Ticks, TicksPerQuarter};

/// What a piano has: the words know pitch classes alone.
const PIANO: (u8, u8) = (Pitch::PIANO.0.get(), Pitch::PIANO.1.get());
/// Words to a 4/4 bar: one every half quarter.
const WORDS_A_BAR: usize = 8;

/// One of the sources' networks, ready to compose.
#[derive(Debug)]
pub(super) struct WindowComposer {
    settings: WindowSettings,
    vocabulary: Vocabulary,
    pub cells: Vec<LstmCell>,
    /// Batch normalisation as it acts after training: a factor and a summand for each feature.
    pub norms: Vec<(Vec<f32>, Vec<f32>)>,
    dense: Dense,
    output: Dense,
    windows: Vec<Vec<TokenId>>,
    habits: Option<Habits>,
    parameters: usize,
}

impl WindowComposer {
    pub(super) fn load(file: &ModelFile) -> Result<WindowComposer, ModelError> {
        let metadata = |problem: String| ModelError::Metadata { problem };
        let settings: WindowSettings =
            serde_json::from_value(file.header.settings.clone()).map_err(|e| metadata(e.to_string()))?;
        settings.check().map_err(metadata)?;
        let vocabulary: Vocabulary = serde_json::from_value(file.header.encoding["pitch_class_chord"].clone())
            .map_err(|e| metadata(e.to_string()))?;
        let mut cells = Vec::new();
        let mut input = 1;
        for (k, &hidden) in settings.layers.iter().enumerate() {
            cells.push(layers::cell(file, &format!("lstms.{k}"), (input, hidden), LstmCell::new)?);
            input = hidden;
        }
        let widths = settings.layers.iter().copied().chain([settings.dense]).filter(|_| settings.batch_norm);
        let norms = widths
            .enumerate()
            .map(|(k, width)| {
                let tensor = |name: &str| file.tensor(&format!("norms.{k}.{name}"), &[width]);
                let (gamma, beta, mean, variance) =
                    (tensor("gamma")?, tensor("beta")?, tensor("mean")?, tensor("variance")?);
                let factor: Vec<f32> =
                    gamma.iter().zip(variance).map(|(g, v)| g / (v + KERAS_EPS as f32).sqrt()).collect();
                let summand = beta.iter().zip(mean).zip(&factor).map(|((b, m), f)| b - m * f).collect();
                Ok((factor, summand))
            })
            .collect::<Result<_, ModelError>>()?;
        let size = vocabulary.len();
        let layer = |name: &str, input, output| layers::dense(file, name, (input, output), Dense::new);
        let dense = layer("dense", input, settings.dense)?;
        let words: Vec<Vec<u32>> =
            serde_json::from_value(file.header.encoding["windows"].clone()).map_err(|e| metadata(e.to_string()))?;
        let windows: Vec<Vec<TokenId>> =
            words.into_iter().map(|window| window.into_iter().map(TokenId).collect()).collect();
        if windows.iter().flatten().any(|token| vocabulary.word(*token).is_none()) {
            return Err(metadata("a window holds an unknown word".to_owned()));
        }
        if windows.is_empty() {
            return Err(metadata("no window to start from".to_owned()));
        }
        Ok(WindowComposer {
            output: layer("output", settings.dense, size)?,
            dense: if settings.relu { dense.with_relu() } else { dense },
            cells,
            norms,
            windows,
            habits: file.header.habits.clone(),
            parameters: checkpoint::parameters(file),
            settings,
            vocabulary,
        })
    }

    fn norm(&self, layer: usize, x: &mut [f32]) {
        if let Some((factor, summand)) = self.norms.get(layer) {
            x.iter_mut().zip(factor).zip(summand).for_each(|((x, f), s)| *x = *x * f + s);
        }
    }

    /// Reads a word; `layers` holds outputs and cells of each layer, `logits` gets the next word's.
    pub fn read(&self, token: TokenId, layers: &mut [(Vec<f32>, Vec<f32>)], scratch: &mut Scratch, logits: &mut [f32]) {
        let mut x = vec![token.0 as f32 / self.vocabulary.len() as f32];
        for (k, (cell, (h, c))) in self.cells.iter().zip(layers).enumerate() {
            cell.step(&x, h, c, scratch);
            x.clone_from(h);
            self.norm(k, &mut x);
        }
        let mut z = vec![0.0; self.settings.dense];
        self.dense.forward(&x, &mut z);
        self.norm(self.cells.len(), &mut z);
        self.output.forward(&z, logits);
    }
}

impl Composer for WindowComposer {
    fn spec(&self) -> &'static ComposerSpec {
        &SPEC
    }

    fn default_sampling(&self) -> Sampling {
        Sampling::GREEDY
    }

    fn describe(&self) -> Vec<(String, String)> {
        let layers: Vec<String> = self.settings.layers.iter().map(usize::to_string).collect();
        let network =
            format!("LSTM {}, dense {}, {} parameters", layers.join(" and "), self.settings.dense, self.parameters);
        [("network", network), ("vocabulary", format!("{} note names and chords", self.vocabulary.len()))]
            .map(|(name, value)| (name.to_owned(), value))
            .into()
    }

    fn compose(&self, request: &Request, rng: &mut Rng, progress: Progress<'_>) -> Result<Composition, ComposeError> {
        let mut layers: Vec<_> =
            self.cells.iter().map(|cell| (vec![0.0; cell.hidden()], vec![0.0; cell.hidden()])).collect();
        let mut scratch = Scratch::new();
        let mut logits = vec![0.0; self.vocabulary.len()];
        let mut remarks = Vec::new();
        let intent = Intent::of(self.habits.as_ref(), request, rng)?;
        let mut meter = intent.meter().unwrap_or(Meter::COMMON);
        let (start, bars) = match request.prompt() {
            None => (self.windows[below(rng, self.windows.len())].clone(), request.bars()),
            Some(prompt) => {
                let grid = TicksPerQuarter::new(4).unwrap_or(TicksPerQuarter::DEFAULT);
                let (words, replaced) = encode(&prompt.on_grid(grid), &self.vocabulary);
                if replaced > 0 {
                    remarks.push(format!(
                        "{replaced} notes or chords of the prompt are unknown to the model, which heard the nearest in their place; \
                         the prompt itself is kept as it is"
                    ));
                }
                meter = prompt.score().meters.last().map_or(meter, |(_, meter)| *meter);
                (words, request.bars() - prompt.bars())
            }
        };
        // The sources know no bars: as many words as fill those asked for, in the prompt's metre.
        let end = Ticks(meter.bar(TicksPerQuarter::DEFAULT).0 * bars as u64);
        let words = end.0.div_ceil(u64::from(TicksPerQuarter::DEFAULT.get()) / 2) as usize;
        start.iter().for_each(|token| self.read(*token, &mut layers, &mut scratch, &mut logits));
        let mut tokens = Vec::new();
        for k in 0..words {
            let next = TokenId(request.sampling.draw(&logits, rng).ok_or(ComposeError::NoToken)? as u32);
            self.read(next, &mut layers, &mut scratch, &mut logits);
            tokens.push(next);
            if k % WORDS_A_BAR == 0 && progress(k as f64 / words as f64).is_break() {
                return Err(ComposeError::Stopped);
            }
        }
        // The last word sounds on for half a quarter; the piece ends with its bar.
        let mut composed = decode(&tokens, &self.vocabulary).before(end);
        let score = match request.prompt() {
            Some(prompt) => prompt.join(&composed, Ticks::ZERO),
            None => {
                composed.meters.extend(intent.meter().map(|meter| (Ticks::ZERO, meter)));
                intent.finish(&mut composed, PIANO);
                composed
            }
        };
        Ok(Composition::new(score, remarks))
    }
}
