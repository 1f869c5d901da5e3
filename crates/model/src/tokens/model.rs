//! A trained network: judging and composing token by token, the state carried, one step of work a token.

use super::network::features;
use super::{Draft, Grammar, Place, TokenSettings};
use crate::{
    ComposeError, Evaluation, Habits, Judge, Judgement, Kind, ModelError, ModelFile, Moment, Progress, Rng, Sampling,
    checkpoint, layers, said,
};
use cantus_encoding::TokenId;
use cantus_nn::inference::{Dense, Lookup, LstmCell, Scratch};
use cantus_score::Score;

/// A trained network.
#[derive(Debug)]
pub struct TokenModel<G> {
    /// Its settings.
    pub settings: TokenSettings,
    /// Its vocabulary.
    pub grammar: G,
    /// What its corpus was like beside the notes, where that is known.
    pub habits: Option<Habits>,
    /// Number of parameters.
    pub parameters: usize,
    token: Lookup,
    contexts: Vec<Lookup>,
    marks: Option<Dense>,
    cells: Vec<LstmCell>,
    output: Dense,
}

/// The grammar that a model file keeps.
pub(super) fn grammar<G: Grammar>(file: &ModelFile) -> Result<G, ModelError> {
    serde_json::from_value(file.header.encoding[G::NAME].clone())
        .map_err(|error| ModelError::Metadata { problem: error.to_string() })
}

impl<G: Grammar> TokenModel<G> {
    /// Out of a model file.
    ///
    /// # Errors
    /// [`ModelError`], naming what does not fit.
    pub fn load(file: &ModelFile) -> Result<TokenModel<G>, ModelError> {
        let metadata = |problem: String| ModelError::Metadata { problem };
        let (settings, _) = TokenSettings::read::<G::OwnSettings>(&file.header.settings).map_err(metadata)?;
        let grammar: G = grammar(file)?;
        let TokenSettings { embedding, hidden, layers, .. } = settings;
        let table = |name: &str, rows: usize| {
            Ok::<_, ModelError>(Lookup::new(embedding, file.tensor(name, &[rows, embedding])?.to_vec()))
        };
        let cell = |layer: usize| {
            let input = if layer == 0 { embedding } else { hidden };
            layers::cell(file, &format!("lstms.{layer}"), (input, hidden), LstmCell::new)
        };
        let (size, sizes, traits) = (grammar.size(), grammar.contexts(), grammar.traits().iter().sum::<usize>());
        Ok(TokenModel {
            token: table("token.table", size)?,
            contexts: (0..sizes.len())
                .map(|k| table(&format!("contexts.{k}.table"), sizes[k]))
                .collect::<Result<_, _>>()?,
            marks: (grammar.marks() > 0)
                .then(|| layers::dense(file, "marks", (grammar.marks(), embedding), Dense::sparse))
                .transpose()?,
            cells: (0..layers).map(cell).collect::<Result<_, _>>()?,
            output: layers::dense(file, "output", (features::<G>(&settings), size + traits), Dense::new)?,
            habits: file.header.habits.clone(),
            parameters: checkpoint::parameters(file),
            settings,
            grammar,
        })
    }

    /// What a person would want to know of the network, in a line.
    pub fn describe(&self) -> String {
        let TokenSettings { embedding, hidden, layers, .. } = self.settings;
        format!("embedding {embedding}, {layers} LSTM layers of {hidden}, {} parameters", self.parameters)
    }

    /// What the network holds before the first token of a piece.
    pub fn rows(&self) -> Rows {
        let zeros = |cell: &LstmCell| (vec![0.0; cell.hidden()], vec![0.0; cell.hidden()]);
        Rows {
            input: vec![0.0; self.token.width()],
            layers: self.cells.iter().map(zeros).collect(),
            outputs: vec![0.0; self.output.output()],
            seen: Vec::new(),
            scratch: Scratch::new(),
            n: 1,
        }
    }

    /// Reads a token of a single piece, which now stands at `place`.
    pub fn read(&self, token: TokenId, place: &impl Place, rows: &mut Rows) {
        self.embed(token, place, &mut rows.input);
        self.step(rows);
    }

    /// The network's own logits of the next tokens, all of them, of a single piece that stands at `place`.
    ///
    /// # Shapes
    /// `[V]`
    pub fn predict<'r>(&self, place: &impl Place, rows: &'r mut Rows) -> &'r mut [f32] {
        self.forward(rows);
        self.logits(place, &mut rows.outputs)
    }

    /// The outputs of all rows.
    fn forward(&self, rows: &mut Rows) {
        let last = rows.layers.last().map_or(&rows.input, |(h, _)| h);
        if G::SKIP {
            rows.seen.clear();
            let (hidden, width) = (last.len() / rows.n.max(1), self.token.width());
            for (h, x) in last.chunks_exact(hidden).zip(rows.input.chunks_exact(width)) {
                rows.seen.extend_from_slice(h);
                rows.seen.extend_from_slice(x);
            }
            self.output.forward(&rows.seen, &mut rows.outputs);
        } else {
            self.output.forward(last, &mut rows.outputs);
        }
    }

    /// The logits of the next tokens at `place`, out of the outputs of a row.
    fn logits<'r>(&self, place: &impl Place, outputs: &'r mut [f32]) -> &'r mut [f32] {
        let (logits, mut of_classes) = outputs.split_at_mut(self.grammar.size());
        let traits = self.grammar.traits();
        if traits.is_empty() {
            return logits;
        }
        let mut classes = vec![0; traits.len() * logits.len()];
        place.classes(&mut classes);
        for (count, classes) in traits.into_iter().zip(classes.chunks_exact(logits.len())) {
            let here;
            (here, of_classes) = of_classes.split_at_mut(count);
            logits.iter_mut().zip(classes).for_each(|(logit, class)| *logit += here[*class as usize]);
        }
        logits
    }

    /// A row's input for the token that was read last.
    fn embed(&self, token: TokenId, place: &impl Place, input: &mut [f32]) {
        input.copy_from_slice(self.token.row(token.0));
        let mut known = Vec::with_capacity(self.contexts.len());
        place.contexts(&mut known);
        for (table, index) in self.contexts.iter().zip(known) {
            input.iter_mut().zip(table.row(index)).for_each(|(sum, x)| *sum += x);
        }
        if let Some(table) = &self.marks {
            let (mut marks, mut told) = (vec![0.0; self.grammar.marks()], vec![0.0; input.len()]);
            place.marks(&mut marks);
            table.forward(&marks, &mut told);
            input.iter_mut().zip(told).for_each(|(sum, x)| *sum += x);
        }
    }

    /// Advances the network by a token, all rows at once.
    fn step(&self, rows: &mut Rows) {
        for (k, cell) in self.cells.iter().enumerate() {
            let (below, here) = rows.layers.split_at_mut(k);
            let x = below.last().map_or(&rows.input, |(h, _)| h);
            let (h, c) = &mut here[0];
            cell.step(x, h, c, &mut rows.scratch);
        }
    }

    /// Writes drafts to their ends, all going forward a token at a time: the weights are read once for all of them. Each becomes what it
    /// would be alone. A draft comes with what the network holds of it, and has a generator of its own. `progress` is told the share
    /// that is written.
    ///
    /// # Errors
    /// [`ComposeError`], where the model gives no number or `progress` says to stop.
    pub fn write<D: Draft>(
        &self,
        drafts: Vec<(D, &Rows)>,
        sampling: &Sampling,
        rngs: &mut [Rng],
        progress: Progress<'_>,
    ) -> Result<Vec<D>, ComposeError> {
        let (drafts, states): (Vec<D>, Vec<&Rows>) = drafts.into_iter().unzip();
        let mut rows = Rows::stacked(&states);
        let mut done: Vec<Option<D>> = drafts.iter().map(|_| None).collect();
        let all = drafts.iter().map(|draft| draft.written().1).sum::<usize>() as f64;
        let mut drafts: Vec<(usize, D)> = drafts.into_iter().enumerate().collect();
        let (outputs, width) = (self.output.output(), self.token.width());
        let (mut finished, mut reported) = (0, 0);
        while !drafts.is_empty() {
            self.forward(&mut rows);
            // From the last to the first: a piece that is finished leaves, and the last one takes its row.
            for k in (0..drafts.len()).rev() {
                let (number, draft) = &mut drafts[k];
                let next = match draft.intended() {
                    Some(token) => token,
                    None => {
                        let logits = self.logits(draft.place(), &mut rows.outputs[k * outputs..(k + 1) * outputs]);
                        draft.place().forbid(logits);
                        draft.mask(logits);
                        let next = sampling.draw(logits, &mut rngs[*number]);
                        TokenId(next.ok_or(ComposeError::NoToken)? as u32)
                    }
                };
                if draft.take(next) {
                    self.embed(next, draft.place(), &mut rows.input[k * width..(k + 1) * width]);
                } else {
                    let (number, draft) = drafts.swap_remove(k);
                    rows.swap_remove(k);
                    finished += draft.written().1;
                    done[number] = Some(draft);
                }
            }
            self.step(&mut rows);
            let written = finished + drafts.iter().map(|(_, draft)| draft.written().0).sum::<usize>();
            if written > reported {
                reported = written;
                if progress(written as f64 / all).is_break() {
                    return Err(ComposeError::Stopped);
                }
            }
        }
        Ok(done.into_iter().flatten().collect())
    }
}

impl<G: Grammar> Judge for TokenModel<G> {
    fn kind(&self) -> Kind {
        Kind::Exact
    }

    fn protocol(&self) -> String {
        G::PROTOCOL.to_owned()
    }

    fn judge(&self, piece: &Score) -> Judgement {
        let (tokens, is_adjusted) = self.grammar.encode(piece);
        let (mut place, mut rows) = (self.grammar.begin(&tokens), self.rows());
        let quarters = piece.end().quarters(piece.ticks_per_quarter);
        let mut figures = Evaluation { quarters, ..Evaluation::default() };
        // What is begun of a unit: when, its nats so far, and whether all of it is right.
        let (mut moments, mut begun) = (Vec::new(), None);
        tokens.iter().take(1).for_each(|token| place.read(*token));
        for pair in tokens.windows(2) {
            self.read(pair[0], &place, &mut rows);
            let (logits, target) = (self.predict(&place, &mut rows), pair[1].index());
            place.forbid(logits);
            let (nats, is_right) = said(logits, target);
            figures.nats += nats;
            let beside = if self.grammar.is_of_notes(pair[1]) { 0.0 } else { nats };
            figures.beside = figures.beside.map(|sum| sum + beside);
            place.read(pair[1]);
            let (at, steps) = place.at(pair[1]);
            let at = at.rescale(steps, piece.ticks_per_quarter);
            let (at, before, all) = begun.take().unwrap_or((at, 0.0, true));
            let (nats, is_right) = (before + nats, all && is_right);
            if self.grammar.completes(pair[1]) {
                figures.tokens += 1.0;
                figures.correct += if is_right { 1.0 } else { 0.0 };
                moments.push(Moment { at, nats });
            } else {
                begun = Some((at, nats, is_right));
            }
        }
        // Several rows may have been read one after another.
        moments.sort_by_key(|moment: &Moment| moment.at);
        Judgement { figures, moments, is_adjusted }
    }
}

/// What the network holds of pieces that go forward together, a row for each.
#[derive(Clone, Debug)]
pub struct Rows {
    /// `[n, E]`
    input: Vec<f32>,
    /// Outputs and cells of each layer, `[n, H]`.
    layers: Vec<(Vec<f32>, Vec<f32>)>,
    /// Logits of the tokens and of the classes of [`Grammar::traits`], `[n, V + C]`.
    outputs: Vec<f32>,
    /// `[n, F]`, where the output sees more than the last layer.
    seen: Vec<f32>,
    scratch: Scratch,
    n: usize,
}

impl Rows {
    /// Copies of single rows, one after another.
    fn stacked(rows: &[&Rows]) -> Rows {
        let all = |values: &dyn Fn(&Rows) -> &[f32]| -> Vec<f32> {
            rows.iter().flat_map(|row| values(row).iter().copied()).collect()
        };
        let layers = rows.first().map_or(0, |row| row.layers.len());
        Rows {
            input: all(&|row| &row.input),
            layers: (0..layers).map(|k| (all(&|row| &row.layers[k].0), all(&|row| &row.layers[k].1))).collect(),
            outputs: all(&|row| &row.outputs),
            seen: Vec::new(),
            scratch: Scratch::new(),
            n: rows.len(),
        }
    }

    /// Takes row `k` away and puts the last one in its place.
    fn swap_remove(&mut self, k: usize) {
        let last = self.n - 1;
        let states = self.layers.iter_mut().flat_map(|(h, c)| [h, c]);
        for values in states.chain([&mut self.input, &mut self.outputs]) {
            let width = values.len() / (last + 1);
            values.copy_within(last * width.., k * width);
            values.truncate(last * width);
        }
        self.n = last;
    }
}
