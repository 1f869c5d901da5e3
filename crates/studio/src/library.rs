//! The library: every piece, as a MIDI file and a manifest.
//!
//! ```text
//! pieces/ID.json, ID.mid          a piece; it is there once its manifest is
//! pieces/ID.deleted, ID.mid       a piece that was deleted, until the studio opens anew
//! prompts/, jobs/, trainings/     see prompts.rs, composing.rs and trainings.rs
//! ```

use crate::{StudioError, make_folder, manifests};
use cantus_training::run_folder::{RunFolderError, write_atomically};
use cantus_workshop::Provenance;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The extension of a manifest whose piece was deleted.
const DELETED: &str = "deleted";

/// What the score of a piece is called that says more than its MIDI file.
const SHEET: &str = "musicxml";

/// The best rating; 0 is none.
pub const BEST_RATING: u8 = 5;

/// A piece as its manifest keeps it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Piece {
    pub id: String,
    /// Seconds since 1970.
    pub created: u64,
    pub title: String,
    /// The model's name, for people.
    pub model: String,
    /// What a request calls it.
    #[serde(default)]
    pub model_id: Option<String>,
    /// Whether it is music for a choir, which sings it unless asked otherwise.
    #[serde(default)]
    pub choir: bool,
    pub origin: Provenance,
    pub notes: usize,
    pub seconds: f64,
    /// Quarters a minute at the beginning.
    pub tempo: f64,
    #[serde(default)]
    pub rating: u8,
    /// What the composer wants the listener to know.
    #[serde(default)]
    pub remarks: Vec<String>,
    #[serde(default)]
    pub originality: Option<Originality>,
}

/// How much of a piece stands in the training music.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Originality {
    /// All of it in a sentence; `None` of a piece from before there was one.
    #[serde(default)]
    pub text: Option<String>,
    /// The share of its melody's 8-note runs that do, 0-1; `None` where it is too short to have one.
    pub share: Option<f64>,
    /// At most so many notes of its melody in a row; 0 for none.
    pub longest: usize,
    /// Where these stand in this piece.
    #[serde(default)]
    pub passage: Option<Passage>,
    /// What half of the real pieces stay under, 0-1.
    pub usual: Option<f64>,
    /// What nearly all real pieces stay under, 0-1.
    pub high: Option<f64>,
}

/// Where something stands in a piece.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Passage {
    /// The bar in which it begins, from 1, and the one in which its last note begins.
    pub bars: (usize, usize),
    /// When its first and its last note begin.
    pub seconds: (f64, f64),
}

/// All pieces.
pub struct Library {
    pieces_path: PathBuf,
    shelf: Mutex<Shelf>,
}

#[derive(Default)]
struct Shelf {
    pieces: BTreeMap<String, Piece>,
    /// What can be brought back.
    deleted: BTreeMap<String, Piece>,
}

impl Library {
    pub fn open(root: &Path) -> Result<Library, StudioError> {
        let pieces_path = root.join("pieces");
        make_folder(&pieces_path)?;
        empty(&pieces_path).map_err(|error| StudioError::Library { path: pieces_path.clone(), error })?;
        let pieces = manifests::<Piece>(&pieces_path)?.into_iter().map(|piece| (piece.id.clone(), piece)).collect();
        Ok(Library { pieces_path, shelf: Mutex::new(Shelf { pieces, ..Shelf::default() }) })
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All of them, the newest first.
    pub fn list(&self) -> Vec<Piece> {
        self.shelf().pieces.values().rev().cloned().collect()
    }

    pub fn get(&self, id: &str) -> Option<Piece> {
        self.shelf().pieces.get(id).cloned()
    }

    /// The MIDI file of a piece that [`Library::get`] or [`Library::list`] gave.
    pub fn midi(&self, piece: &Piece) -> std::io::Result<Vec<u8>> {
        fs::read(self.path(&piece.id, "mid"))
    }

    /// Its score as MusicXML, where there is more on paper than MIDI has a place for: chord symbols, repeats, slurs.
    pub fn sheet(&self, piece: &Piece) -> Option<Vec<u8>> {
        fs::read(self.path(&piece.id, SHEET)).ok()
    }

    fn path(&self, id: &str, extension: &str) -> PathBuf {
        self.pieces_path.join(format!("{id}.{extension}"))
    }

    pub fn add(&self, piece: Piece, midi: &[u8], sheet: Option<&[u8]>) -> Result<(), RunFolderError> {
        write_atomically(&self.path(&piece.id, "mid"), |file| file.write_all(midi))?;
        if let Some(sheet) = sheet {
            write_atomically(&self.path(&piece.id, SHEET), |file| file.write_all(sheet))?;
        }
        self.write(&piece)?;
        self.shelf().pieces.insert(piece.id.clone(), piece);
        Ok(())
    }

    fn write(&self, piece: &Piece) -> Result<(), RunFolderError> {
        let json = serde_json::to_vec_pretty(piece).unwrap_or_default();
        write_atomically(&self.path(&piece.id, "json"), |file| file.write_all(&json))
    }

    /// Changes what a person may change of a piece; `None` where there is no such piece.
    pub fn change(&self, id: &str, change: impl FnOnce(&mut Piece)) -> Result<Option<Piece>, RunFolderError> {
        let mut shelf = self.shelf();
        let Some(piece) = shelf.pieces.get_mut(id) else { return Ok(None) };
        let mut changed = piece.clone();
        change(&mut changed);
        self.write(&changed)?;
        piece.clone_from(&changed);
        Ok(Some(changed))
    }

    /// Deletes a piece; `false` where there is none. It can be brought back for as long as the studio is open.
    pub fn delete(&self, id: &str) -> std::io::Result<bool> {
        let mut shelf = self.shelf();
        let Some(piece) = shelf.pieces.get(id).cloned() else { return Ok(false) };
        // Without its manifest the other file is no piece.
        fs::rename(self.path(&piece.id, "json"), self.path(&piece.id, DELETED))?;
        shelf.pieces.remove(id);
        shelf.deleted.insert(piece.id.clone(), piece);
        Ok(true)
    }

    /// Brings back what was deleted; `None` where there is no such thing.
    pub fn restore(&self, id: &str) -> std::io::Result<Option<Piece>> {
        let mut shelf = self.shelf();
        let Some(piece) = shelf.deleted.get(id).cloned() else { return Ok(None) };
        fs::rename(self.path(&piece.id, DELETED), self.path(&piece.id, "json"))?;
        shelf.deleted.remove(id);
        shelf.pieces.insert(piece.id.clone(), piece.clone());
        Ok(Some(piece))
    }
}

/// Removes what was deleted while the studio was open before.
fn empty(pieces: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(pieces)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == DELETED) {
            // Notes first: whatever ends the program now, the next start finds the rest.
            let notes = ["mid", SHEET].map(|extension| path.with_extension(extension));
            if notes.iter().all(|path| fs::remove_file(path).is_ok() || !path.exists()) {
                fs::remove_file(path)?;
            }
        }
    }
    Ok(())
}
