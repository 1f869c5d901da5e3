//! Models that predict the next token from those before it.

use crate::{ComposeError, Request, Rng};
use cantus_encoding::TokenId;

/// A model that predicts token by token, its state carried: one step of work a token, no window run again.
pub trait Autoregressive {
    /// What it remembers of the tokens read.
    type State;

    /// The state before the first token of a piece of `bars` bars (where the model cares).
    fn start(&self, bars: usize) -> Self::State;

    /// Reads a token.
    fn advance(&self, state: &mut Self::State, token: TokenId);

    /// Unnormalised log-probabilities of the next token; minus infinity for tokens that may not follow.
    ///
    /// # Shapes
    /// `[vocabulary]`
    fn logits<'s>(&self, state: &'s mut Self::State) -> &'s mut [f32];

    /// Draws the next token and reads it.
    ///
    /// # Errors
    /// [`ComposeError::NoToken`] where nothing may follow.
    fn draw(&self, state: &mut Self::State, request: &Request, rng: &mut Rng) -> Result<TokenId, ComposeError> {
        let token = request.sampling.draw(self.logits(state), rng).ok_or(ComposeError::NoToken)?;
        let token = TokenId(token as u32);
        self.advance(state, token);
        Ok(token)
    }
}
