//! Whether a setting makes sense. What is wrong begins with the setting's name.

/// It is within a range.
///
/// # Errors
/// What is wrong.
pub fn within(name: &str, value: usize, low: usize, high: usize) -> Result<(), String> {
    if (low..=high).contains(&value) { Ok(()) } else { Err(format!("{name} = {value} is outside {low}-{high}")) }
}

/// It is a share that leaves something over: 0-1, 1 excluded.
///
/// # Errors
/// What is wrong.
pub fn share<F: PartialOrd + From<u8> + std::fmt::Display>(name: &str, value: F) -> Result<(), String> {
    let is_share = (F::from(0)..F::from(1)).contains(&value);
    if is_share { Ok(()) } else { Err(format!("{name} = {value} is outside 0-1 (1 excluded)")) }
}

/// It is at least 0, and at most so much.
///
/// # Errors
/// What is wrong.
pub fn at_most(name: &str, value: f64, most: f64) -> Result<(), String> {
    if (0.0..=most).contains(&value) { Ok(()) } else { Err(format!("{name} = {value} is outside 0-{most}")) }
}

/// It is over 0, and finite.
///
/// # Errors
/// What is wrong.
pub fn positive(name: &str, value: f64) -> Result<(), String> {
    if value > 0.0 && value.is_finite() { Ok(()) } else { Err(format!("{name} = {value} must be a positive number")) }
}
