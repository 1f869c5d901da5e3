//! Files that a person named.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// A file that cannot be read: which, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// There is none.
    #[error("there is no file `{}`; check its name", .0.display())]
    Missing(PathBuf),
    /// The system forbids it.
    #[error("`{}` may not be read; change its permissions, or copy it", .0.display())]
    Forbidden(PathBuf),
    /// A folder.
    #[error("`{}` is a folder, not a file", .0.display())]
    Folder(PathBuf),
    /// Something else.
    #[error("`{}` cannot be read: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
}

/// The bytes of a file.
///
/// # Errors
/// [`ReadError`], which says what to do.
pub fn read(path: &Path) -> Result<Vec<u8>, ReadError> {
    std::fs::read(path).map_err(|error| {
        let path = path.to_owned();
        match error.kind() {
            ErrorKind::NotFound => ReadError::Missing(path),
            ErrorKind::PermissionDenied => ReadError::Forbidden(path),
            ErrorKind::IsADirectory => ReadError::Folder(path),
            _ => ReadError::Io { path, error },
        }
    })
}
