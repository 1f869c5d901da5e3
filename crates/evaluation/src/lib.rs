//! Statistics of music and baselines; knows traits, no model.
