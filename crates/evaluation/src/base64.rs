//! Bytes as text: RFC 4648, section 4, without padding.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Bytes as text.
pub(crate) fn base64(bytes: &[u8]) -> String {
    let group = |chunk: &[u8]| {
        let word = chunk.iter().enumerate().fold(0u32, |word, (k, byte)| word | u32::from(*byte) << (16 - 8 * k));
        let digits = chunk.len() + 1;
        (0..digits).map(move |k| char::from(ALPHABET[(word >> (18 - 6 * k)) as usize & 63])).collect::<String>()
    };
    bytes.chunks(3).map(group).collect()
}

/// What [`base64`] wrote; `None` where that is something else.
pub(crate) fn from_base64(text: &str) -> Option<Vec<u8>> {
    let digit = |c: &u8| ALPHABET.iter().position(|known| known == c).map(|k| k as u32);
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3 + 2);
    for chunk in text.as_bytes().chunks(4) {
        let digits: Vec<u32> = chunk.iter().map(digit).collect::<Option<_>>()?;
        let word = digits.iter().enumerate().fold(0u32, |word, (k, digit)| word | digit << (18 - 6 * k));
        let length = digits.len().checked_sub(1).filter(|length| *length > 0)?;
        bytes.extend((0..length).map(|k| (word >> (16 - 8 * k)) as u8));
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_standard() {
        for (plain, coded) in [("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")] {
            assert_eq!(base64(plain.as_bytes()), coded);
            assert_eq!(from_base64(coded).as_deref(), Some(plain.as_bytes()));
        }
    }
}
