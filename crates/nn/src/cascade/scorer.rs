//! Judging and drawing with a trained head: choice after choice, without burn.

use super::copying::Attention;
use super::kernel::{Parameters, mask};
use super::{CLASSES, CascadeShape, KeyShape, Sight};
use crate::inference::Dense;
use crate::joint::softmax;
use crate::plane::{self, Plane, add};

/// A trained head.
#[derive(Clone, Debug)]
pub struct CascadeScorer {
    shape: CascadeShape,
    state: Dense,
    outputs: Vec<Dense>,
    context: Option<Dense>,
    sentinel: Option<Dense>,
    parameters: Parameters,
}

impl CascadeScorer {
    /// Out of a head's parameters, by their names in it and their shapes.
    ///
    /// # Errors
    /// The first that `lookup` gives.
    pub fn new<'v, E>(
        shape: CascadeShape,
        mut lookup: impl FnMut(&str, &[usize]) -> Result<&'v [f32], E>,
    ) -> Result<CascadeScorer, E> {
        let (features, hidden, count) = (shape.features, shape.hidden, shape.choices.len());
        let mut dense = |name: &str, input: usize, output: usize| {
            let weight = lookup(&format!("{name}.weight"), &[output, input])?;
            Ok(Dense::new(input, output, weight, lookup(&format!("{name}.bias"), &[output])?))
        };
        let state = dense("state", features, count * hidden)?;
        let outputs = shape.choices.iter().enumerate();
        let outputs = outputs
            .map(|(v, choice)| dense(&format!("outputs.{v}"), hidden, choice.classes))
            .collect::<Result<_, E>>()?;
        let context = shape.keys.map(|keys| dense("shared.context", features, 2 * keys.channels)).transpose()?;
        let sentinel = (shape.kinds > 0).then(|| dense("copying.sentinel", features, count)).transpose()?;
        let mut parameters = Parameters::default();
        for (v, choice) in shape.choices.iter().enumerate() {
            parameters.known.push(lookup(&format!("known.{v}"), &[choice.known.max(1), hidden])?.to_vec());
        }
        if let Some(KeyShape { channels, reach, sources, .. }) = shape.keys {
            parameters.patches = lookup("shared.patches", &[sources, 2 * reach + 1, channels])?.to_vec();
            parameters.degrees = lookup("shared.degrees", &[CLASSES, channels])?.to_vec();
        }
        if shape.kinds > 0 {
            parameters.scores = lookup("copying.scores", &[count, shape.kinds])?.to_vec();
            parameters.penalties = lookup("copying.penalties", &[count])?.to_vec();
            parameters.gates = lookup("copying.gates", &[count, shape.marks])?.to_vec();
            parameters.trust = lookup("copying.trust", &[count])?.to_vec();
        }
        Ok(CascadeScorer { shape, state, outputs, context, sentinel, parameters })
    }

    /// The sizes.
    pub fn shape(&self) -> &CascadeShape {
        &self.shape
    }

    /// A tuple's memory, to be used for any number of tuples.
    pub fn deciding(&self) -> Deciding<'_> {
        let (hidden, count) = (self.shape.hidden, self.shape.choices.len());
        let channels = self.shape.keys.map_or(0, |keys| keys.channels);
        Deciding {
            scorer: self,
            state: vec![0.0; count * hidden],
            context: vec![0.0; 2 * channels],
            sentinel: vec![0.0; count],
            unit: vec![0.0; hidden],
            base: Vec::new(),
            units: Vec::new(),
            probabilities: Vec::new(),
            attention: Attention::default(),
        }
    }
}

/// A tuple that is being chosen or judged.
#[derive(Clone, Debug)]
pub struct Deciding<'a> {
    scorer: &'a CascadeScorer,
    state: Vec<f32>,
    context: Vec<f32>,
    sentinel: Vec<f32>,
    unit: Vec<f32>,
    base: Vec<f32>,
    units: Vec<f32>,
    probabilities: Vec<f32>,
    attention: Attention,
}

impl Deciding<'_> {
    /// Begins a tuple whose past has these features.
    ///
    /// # Shapes
    /// `features`: `[F]`
    pub fn open(&mut self, features: &[f32]) {
        let scorer = self.scorer;
        scorer.state.forward(features, &mut self.state);
        scorer.context.iter().for_each(|context| context.forward(features, &mut self.context));
        scorer.sentinel.iter().for_each(|sentinel| sentinel.forward(features, &mut self.sentinel));
        self.attention.open();
    }

    /// The probabilities of the classes of choice `v`; of `sight` what this choice may know is looked at, and its candidates, to which more
    /// may have come since the choice before. Copying may be given a trust of one's own, 0-1, in the place of the gate's.
    pub fn probabilities(&mut self, v: usize, sight: &Sight, trust: Option<f32>) -> &[f32] {
        let CascadeScorer { shape, parameters, .. } = self.scorer;
        let hidden = shape.hidden;
        self.unit.copy_from_slice(&self.state[v * hidden..][..hidden]);
        for known in sight.known(v) {
            add(&mut self.unit, &parameters.known[v][usize::from(*known) * hidden..][..hidden], 1.0);
        }
        self.unit.iter_mut().for_each(|u| *u = u.max(0.0));
        self.probabilities.resize(shape.choices[v].classes, 0.0);
        self.scorer.outputs[v].forward(&self.unit, &mut self.probabilities);
        if let Some(keys) = shape.keys.filter(|keys| keys.choice == v && !sight.heard.is_empty()) {
            let plane = Plane { keys: shape.choices[v].classes, channels: keys.channels, reach: keys.reach };
            let size = plane.keys * keys.channels;
            self.base.resize(size, 0.0);
            self.units.resize(size, 0.0);
            let (a, mixing) = self.context.split_at(keys.channels);
            plane.excite(a, &parameters.patches, &sight.heard, &mut self.base);
            plane.attune(&sight.classes, &parameters.degrees, &mut self.base);
            plane::decide(&self.base, &[], mixing, &mut self.units, &mut self.probabilities);
        }
        mask(&mut self.probabilities, sight.allowed[v]);
        softmax(&mut self.probabilities);
        if shape.kinds > 0 {
            let tables = parameters.tables(shape, v);
            let candidates = &sight.candidates;
            let gate = self.attention.weigh(candidates, v, sight.allowed[v], sight.marks, tables, self.sentinel[v]);
            if let Some(logit) = gate {
                let g = trust.unwrap_or(1.0 / (1.0 + (-logit).exp()));
                self.probabilities.iter_mut().for_each(|p| *p *= 1.0 - g);
                self.attention.spread(candidates, v, g, &mut self.probabilities);
            }
        }
        &self.probabilities
    }

    /// Goes on to the next choice: `class` was chosen.
    pub fn choose(&mut self, v: usize, sight: &Sight, class: u8) {
        if self.scorer.shape.kinds > 0 {
            self.attention.choose(&sight.candidates, v, class, self.scorer.parameters.penalties[v]);
        }
    }
}
