//! A folder of files becomes a corpus: preflight report, filters, grid check, splits.
