//! Text of unknown encoding.

use std::borrow::Cow;

/// UTF-8 where it is, else Latin-1, which never fails. Control characters stay: whoever prints escapes them.
pub fn decode(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(bytes.iter().map(|&byte| char::from(byte)).collect()),
    }
}

/// The text of a document, which may begin with a byte order mark: UTF-16, or as [`decode`].
pub fn decode_document(bytes: &[u8]) -> Cow<'_, str> {
    let wide = |bytes: &[u8], word: fn([u8; 2]) -> u16| {
        let words = bytes.chunks_exact(2).map(|pair| word([pair[0], pair[1]]));
        char::decode_utf16(words).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
    };
    match bytes {
        [0xFF, 0xFE, rest @ ..] => Cow::Owned(wide(rest, u16::from_le_bytes)),
        [0xFE, 0xFF, rest @ ..] => Cow::Owned(wide(rest, u16::from_be_bytes)),
        [0xEF, 0xBB, 0xBF, rest @ ..] => decode(rest),
        _ => decode(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn utf8_is_kept_and_everything_else_becomes_latin1() {
        assert_eq!(decode("Für Elise".as_bytes()), "Für Elise");
        assert_eq!(decode(b"F\xFCr Elise"), "Für Elise");
        assert_eq!(decode(b"\x1b[31m"), "\u{1b}[31m");
    }

    #[test]
    fn a_byte_order_mark_is_believed() {
        assert_eq!(decode_document(b"\xEF\xBB\xBFX:1"), "X:1");
        assert_eq!(decode_document(b"\xFF\xFEX\0:\0"), "X:");
        assert_eq!(decode_document(b"\xFE\xFF\0X\0:\0"), "X:");
        assert_eq!(decode_document(b"X\xFC"), "Xü");
    }
}
