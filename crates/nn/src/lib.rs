//! Fused layers, losses and optimisers over burn; no music.
