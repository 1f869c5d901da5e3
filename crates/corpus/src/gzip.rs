//! Files of JSON that may be gzipped, read up to a bound.

use flate2::read::MultiGzDecoder;
use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// The most bytes of JSON that are read.
pub(crate) const MOST_BYTES: u64 = 1 << 28;
/// What a gzipped file begins with.
const MAGIC: [u8; 2] = [0x1f, 0x8b];

/// The bytes of a file as they are; of a larger one as many as show that it is.
pub(crate) fn open(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// What the bytes of a file say, gzipped or not; `None` where that is more than [`MOST_BYTES`].
pub(crate) fn unzipped(bytes: &[u8]) -> io::Result<Option<Cow<'_, [u8]>>> {
    let said = if bytes.starts_with(&MAGIC) {
        let mut unzipped = Vec::new();
        // A small file may promise a large one.
        MultiGzDecoder::new(bytes).take(MOST_BYTES + 1).read_to_end(&mut unzipped)?;
        Cow::Owned(unzipped)
    } else {
        Cow::Borrowed(bytes)
    };
    Ok((said.len() as u64 <= MOST_BYTES).then_some(said))
}
