//! Models that predict the next token from those before it.

use cantus_encoding::TokenId;

/// A model that predicts token by token, its state carried: one step of work a token, no window run again.
pub trait Autoregressive {
    /// What it remembers of the tokens read.
    type State<'a>
    where
        Self: 'a;

    /// The state before the first token of a piece of `bars` bars (where the model cares).
    fn start(&self, bars: usize) -> Self::State<'_>;

    /// Reads a token.
    fn advance(&self, state: &mut Self::State<'_>, token: TokenId);

    /// Unnormalised log-probabilities of the next token; minus infinity for tokens that may not follow.
    ///
    /// # Shapes
    /// `[vocabulary]`
    fn logits<'s>(&self, state: &'s mut Self::State<'_>) -> &'s mut [f32];
}
