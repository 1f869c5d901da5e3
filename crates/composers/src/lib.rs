//! The composers, one a file, and their registry.
