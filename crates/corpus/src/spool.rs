//! Bytes that are put away and asked for again by their place: what does not fit into a bounded part of memory goes into a temporary file.
//!
//! The file lies in the folder that `TMPDIR` names, else in `/var/tmp` where there is one (`/tmp` is memory on many systems), else where the
//! system puts such files. It loses its name as soon as it is open, where the system allows that: so it is gone when the program ends,
//! however it ends.

use flate2::Crc;
use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes that stay in memory.
pub(crate) const IN_MEMORY: usize = 64 << 20;

/// What has been read cannot be put away, or not be had again.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// It cannot be written.
    #[error(
        "the music that was read does not fit into {} MB of memory and cannot be put into a temporary file in `{}`: {source}; make room there, \
         or let the environment variable TMPDIR name a folder that has room",
        IN_MEMORY >> 20,
        folder.display()
    )]
    Put {
        /// Where the file was to be.
        folder: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It cannot be read back.
    #[error(
        "part {} of the music that was read cannot be read back from the temporary file in `{}`: {source}; see whether that disk is full or \
         damaged, let the environment variable TMPDIR name a folder elsewhere if so, and begin again",
        index + 1,
        folder.display()
    )]
    Get {
        /// Which of the pieces that were put away, counted from 0.
        index: u32,
        /// Where the file is.
        folder: PathBuf,
        /// What the system says, or what is wrong with the bytes.
        source: io::Error,
    },
}

/// Where bytes have been put, and what tells whether these are still the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    index: u32,
    at: u64,
    length: u32,
    sum: u32,
}

impl Place {
    fn of(bytes: &[u8], index: u32, at: u64) -> Place {
        Place { index, at, length: bytes.len() as u32, sum: sum(bytes) }
    }
}

fn sum(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum()
}

/// Takes bytes, one piece after another.
#[derive(Debug)]
pub(crate) struct Spool {
    folder: PathBuf,
    /// So many bytes stay in memory.
    room: usize,
    memory: Vec<u8>,
    file: Option<(BufWriter<File>, Named)>,
    /// Bytes in the file.
    written: u64,
    /// Pieces that were put away.
    count: u32,
}

/// Gives back what a [`Spool`] took.
#[derive(Debug)]
pub(crate) struct Spooled {
    folder: PathBuf,
    memory: Vec<u8>,
    file: Option<(Mutex<File>, Named)>,
}

impl Default for Spool {
    fn default() -> Spool {
        let usual = || Some(PathBuf::from("/var/tmp")).filter(|folder| folder.is_dir());
        let folder = match std::env::var_os("TMPDIR") {
            None => usual().unwrap_or_else(std::env::temp_dir),
            Some(_) => std::env::temp_dir(),
        };
        Spool::new(folder, IN_MEMORY)
    }
}

impl Spool {
    /// A spool that keeps `room` bytes in memory and puts others into a file in `folder`.
    pub(crate) fn new(folder: PathBuf, room: usize) -> Spool {
        Spool { folder, room, memory: Vec::new(), file: None, written: 0, count: 0 }
    }

    /// Puts bytes away.
    ///
    /// # Errors
    /// [`SpoolError::Put`], where the file cannot be made or its disk is full.
    pub(crate) fn put(&mut self, bytes: &[u8]) -> Result<Place, SpoolError> {
        let index = self.count;
        self.count += 1;
        // Once there is a file, all goes into it: places count on in one order.
        if self.file.is_none() && self.memory.len() + bytes.len() <= self.room {
            let at = self.memory.len() as u64;
            self.memory.extend_from_slice(bytes);
            return Ok(Place::of(bytes, index, at));
        }
        let error = |folder: &Path, source| SpoolError::Put { folder: folder.to_owned(), source };
        let (file, _) = match &mut self.file {
            Some(file) => file,
            none => none.insert(temporary(&self.folder).map_err(|source| error(&self.folder, source))?),
        };
        file.write_all(bytes).map_err(|source| error(&self.folder, source))?;
        let at = self.memory.len() as u64 + self.written;
        self.written += bytes.len() as u64;
        Ok(Place::of(bytes, index, at))
    }

    /// Ends the taking.
    ///
    /// # Errors
    /// [`SpoolError::Put`], where the disk is full.
    pub(crate) fn close(mut self) -> Result<Arc<Spooled>, SpoolError> {
        let file = match self.file {
            None => None,
            Some((file, named)) => {
                let whole = file.into_inner().map_err(io::IntoInnerError::into_error);
                let file = whole.map_err(|source| SpoolError::Put { folder: self.folder.clone(), source })?;
                Some((Mutex::new(file), named))
            }
        };
        self.memory.shrink_to_fit();
        Ok(Arc::new(Spooled { folder: self.folder, memory: self.memory, file }))
    }
}

impl Spooled {
    /// A spool of one piece, which stays in memory.
    pub(crate) fn of(bytes: Vec<u8>) -> (Arc<Spooled>, Place) {
        let place = Place::of(&bytes, 0, 0);
        (Arc::new(Spooled { folder: PathBuf::new(), memory: bytes, file: None }), place)
    }

    /// What `read` makes of the bytes that were put at a place of this spool; `None` is said of bytes that it cannot read.
    ///
    /// # Errors
    /// [`SpoolError::Get`], where they cannot be read back, or are not what was put there.
    pub(crate) fn get<T>(&self, place: Place, read: impl FnOnce(&[u8]) -> Option<T>) -> Result<T, SpoolError> {
        let error = |source| SpoolError::Get { index: place.index, folder: self.folder.clone(), source };
        let bytes = self.bytes(place).map_err(error)?;
        let is_same = sum(&bytes) == place.sum;
        let found = if is_same { read(&bytes) } else { None };
        found.ok_or_else(|| error(io::Error::new(io::ErrorKind::InvalidData, "what is there is not what was written")))
    }

    fn bytes(&self, place: Place) -> io::Result<Vec<u8>> {
        let (at, mut bytes) = (place.at as usize, vec![0; place.length as usize]);
        if let Some((file, _)) = self.file.as_ref().filter(|_| at >= self.memory.len()) {
            let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
            file.seek(SeekFrom::Start(place.at - self.memory.len() as u64))?;
            file.read_exact(&mut bytes)?;
        } else {
            self.memory.get(at..).unwrap_or_default().read_exact(&mut bytes)?;
        }
        Ok(bytes)
    }
}

/// The name of a file, if it has one still; the file goes with it.
#[derive(Debug)]
struct Named(Option<PathBuf>);

impl Drop for Named {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            // Nobody is left to be told.
            let _ = fs::remove_file(path);
        }
    }
}

/// A file of our own in `folder`.
fn temporary(folder: &Path) -> io::Result<(BufWriter<File>, Named)> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    loop {
        let name = format!("cantus-{}-{}.spool", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = folder.join(name);
        match File::options().read(true).write(true).create_new(true).open(&path) {
            // One that an earlier process of the same number left behind.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
            Ok(file) => {
                let still_named = fs::remove_file(&path).is_err();
                return Ok((BufWriter::with_capacity(1 << 20, file), Named(still_named.then_some(path))));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_away_comes_back_from_memory_and_from_the_file() {
        let folder = tempfile::tempdir().unwrap();
        for room in [0, 7, 100, 1 << 20] {
            let mut spool = Spool::new(folder.path().to_owned(), room);
            let pieces: Vec<Vec<u8>> = (0..40u8).map(|k| vec![k; usize::from(k) % 7]).collect();
            let places: Vec<Place> = pieces.iter().map(|piece| spool.put(piece).unwrap()).collect();
            let spooled = spool.close().unwrap();
            assert!(spooled.memory.len() <= room && (spooled.file.is_some() == (room <= 100)), "{room}");
            let got = |place: &Place| spooled.get(*place, |bytes| Some(bytes.to_vec())).unwrap();
            assert!(places.iter().zip(&pieces).rev().all(|(place, piece)| got(place) == *piece));
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left behind");
    }

    #[test]
    fn a_folder_without_room_is_named_with_what_to_do() {
        let mut spool = Spool::new(PathBuf::from("/there/is/none"), 2);
        spool.put(b"ab").unwrap();
        let error = spool.put(b"c").unwrap_err().to_string();
        assert!(error.contains("`/there/is/none`") && error.contains("TMPDIR"), "{error}");
    }

    /// A spool whose first piece is in memory, and its second in the file; what is there is `changed` once they are put away.
    fn damaged(folder: &Path, changed: impl Fn(&mut Vec<u8>)) -> [Result<Vec<u8>, SpoolError>; 2] {
        let mut spool = Spool::new(folder.to_owned(), 4);
        let places = [b"abcd", b"efgh"].map(|bytes| spool.put(bytes).unwrap());
        let mut spooled = Arc::into_inner(spool.close().unwrap()).unwrap();
        changed(&mut spooled.memory);
        let (file, _) = spooled.file.as_mut().unwrap();
        let file = file.get_mut().unwrap();
        let mut bytes = b"efgh".to_vec();
        changed(&mut bytes);
        file.set_len(0).unwrap();
        file.seek(SeekFrom::Start(0)).unwrap();
        file.write_all(&bytes).unwrap();
        // The memory's length says where the file begins.
        spooled.memory.resize(4, 0);
        places.map(|place| spooled.get(place, |bytes| Some(bytes.to_vec())))
    }

    #[test]
    fn what_is_no_longer_there_is_an_error_that_says_which_piece_and_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        assert!(damaged(folder.path(), |_| ()).iter().all(Result::is_ok));
        let ways: [fn(&mut Vec<u8>); 3] = [|bytes| bytes.truncate(bytes.len() - 1), Vec::clear, |bytes| bytes[2] ^= 1];
        for changed in ways {
            for (number, got) in damaged(folder.path(), changed).into_iter().enumerate() {
                let error = got.unwrap_err();
                assert!(matches!(error, SpoolError::Get { index, .. } if index as usize == number), "{error:?}");
                let said = error.to_string();
                assert!(said.starts_with(&format!("part {} of the music", number + 1)), "{said}");
                assert!(said.contains(&*folder.path().to_string_lossy()) && said.contains("TMPDIR"), "{said}");
            }
        }
    }
}
