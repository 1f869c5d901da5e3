//! Text of unknown encoding.

/// UTF-8 where it is, else Latin-1, which never fails. Control characters stay: whoever prints escapes them.
pub fn decode(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().map(|&byte| char::from(byte)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn utf8_is_kept_and_everything_else_becomes_latin1() {
        assert_eq!(decode("Für Elise".as_bytes()), "Für Elise");
        assert_eq!(decode(b"F\xFCr Elise"), "Für Elise");
        assert_eq!(decode(b"\x1b[31m"), "\u{1b}[31m");
    }
}
