//! As much of a `Cargo.toml` as the checks need: which keys stand in which table, on which line.

/// One `key = value` of a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The table that it stands in: `package`, `dependencies`, ...
    pub table: String,
    /// The key, without `.workspace` and quotes.
    pub key: String,
    /// Everything behind the first `=`.
    pub value: String,
    /// Counted from 1.
    pub line: usize,
}

/// The entries of a manifest, in order. `[dependencies.x]` reads as a key `x` in the table `dependencies`.
pub fn entries(text: &str) -> Vec<Entry> {
    let mut table = String::new();
    let mut entries = Vec::new();
    // How many brackets of an array over several lines are open.
    let mut open = 0_i64;
    for (number, line) in text.lines().enumerate() {
        let (line, number) = (line.split(" #").next().unwrap_or_default().trim(), number + 1);
        let continued = open > 0;
        if !line.starts_with('#') && (continued || line.contains('=')) {
            open += line.matches('[').count() as i64 - line.matches(']').count() as i64;
        }
        if line.is_empty() || line.starts_with('#') || continued {
            continue;
        }
        if let Some(name) = line.strip_prefix('[') {
            table = name.trim_matches(['[', ']']).trim().to_owned();
            if let Some((tables, key)) = table.rsplit_once('.')
                && tables.ends_with("dependencies")
                && tables != "workspace"
            {
                let entry = Entry { table: tables.to_owned(), key: key.to_owned(), value: String::new(), line: number };
                entries.push(entry);
            }
        } else if let Some((key, value)) = line.split_once('=') {
            let key = key.trim();
            let key = key.strip_suffix(".workspace").unwrap_or(key).trim_matches('"').to_owned();
            entries.push(Entry { table: table.clone(), key, value: value.trim().to_owned(), line: number });
        }
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_in_their_tables() {
        let text = "[package]\nname = \"a\" # the name\n\n[dependencies]\nserde.workspace = true\nburn = { version = \"1\", features = [\n  \"std = x\",\n] }\n# off = 1\n[target.'cfg(unix)'.dependencies]\nlibc = \"1\"\n[dev-dependencies.rand]\nversion = \"1\"\n";
        let found: Vec<_> = entries(text).into_iter().map(|e| (e.table, e.key, e.line)).collect();
        let expected = [
            ("package", "name", 2),
            ("dependencies", "serde", 5),
            ("dependencies", "burn", 6),
            ("target.'cfg(unix)'.dependencies", "libc", 11),
            ("dev-dependencies", "rand", 12),
            ("dev-dependencies.rand", "version", 13),
        ];
        let expected: Vec<_> = expected.iter().map(|&(t, k, n)| (t.to_owned(), k.to_owned(), n)).collect();
        assert_eq!(found, expected);
    }
}
