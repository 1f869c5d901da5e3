//! Compressed MusicXML: a zip archive whose `META-INF/container.xml` names the score.

use super::MusicXmlError;
use super::document::{Document, Element};
use std::io::{Cursor, Read, Write};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter};

/// What every zip archive begins with.
const SIGNATURE: &[u8] = b"PK\x03\x04";
/// More than any container file has.
const CONTAINER_BYTES: usize = 64 << 10;
/// The score's name in archives that we write.
const SCORE: &str = "score.musicxml";
const CONTAINER: &str = "META-INF/container.xml";

/// Whether these bytes are an archive.
pub fn is_archive(bytes: &[u8]) -> bool {
    bytes.starts_with(SIGNATURE)
}

/// The score in an archive; it may have `limit` bytes.
pub fn unpack(bytes: &[u8], limit: usize) -> Result<Vec<u8>, MusicXmlError> {
    let error = |reason: String| MusicXmlError::Archive { reason };
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|found| error(printable(&found)))?;
    let name = match file(&mut archive, CONTAINER, CONTAINER_BYTES) {
        Ok(container) => rootfile(&container)?,
        Err(_) => None,
    };
    // Without a container the first file that looks like a score is meant.
    let name = name.or_else(|| {
        let names = archive.file_names().filter_map(Result::ok).map(|name| name.into_owned());
        let mut scores: Vec<String> = names.filter(|name| !name.starts_with("META-INF/") && is_score(name)).collect();
        scores.sort();
        scores.into_iter().next()
    });
    let name = name.ok_or_else(|| error("it holds no score".to_owned()))?;
    file(&mut archive, &name, limit)
}

fn is_score(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.ends_with(".xml") || name.ends_with(".musicxml")
}

/// One file of an archive. Its claimed size means nothing: it is read until it ends or is too large.
fn file(archive: &mut ZipArchive<Cursor<&[u8]>>, name: &str, limit: usize) -> Result<Vec<u8>, MusicXmlError> {
    let packed = archive.by_name(name).map_err(|found| MusicXmlError::Archive { reason: printable(&found) })?;
    let mut bytes = Vec::new();
    let read = packed.take(limit as u64 + 1).read_to_end(&mut bytes);
    read.map_err(|found| MusicXmlError::Archive { reason: printable(&found) })?;
    if bytes.len() > limit {
        return Err(MusicXmlError::TooLarge { found: bytes.len(), limit });
    }
    Ok(bytes)
}

/// The first `rootfile` of a container that is a score.
fn rootfile(container: &[u8]) -> Result<Option<String>, MusicXmlError> {
    let text = crate::text::decode_document(container);
    let mut document = Document::new(&text);
    let Some(root) = document.next_child()? else { return Ok(None) };
    let root: Element = document.element(root)?;
    let files = root.children.iter().filter(|child| child.name == "rootfiles").flat_map(|files| &files.children);
    let is_music = |file: &&Element| {
        file.attribute("media-type").is_none_or(|kind| kind.starts_with("application/vnd.recordare.musicxml"))
    };
    Ok(files.filter(is_music).find_map(|file| file.attribute("full-path")).map(str::to_owned))
}

fn printable(error: &dyn std::error::Error) -> String {
    error.to_string().escape_debug().to_string()
}

/// An archive with one score. The same score gives the same bytes: no time of day stands in it.
pub fn pack(score: &[u8]) -> Vec<u8> {
    let container = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<container>\n  <rootfiles>\n    <rootfile full-path=\"{SCORE}\" \
         media-type=\"application/vnd.recordare.musicxml+xml\"/>\n  </rootfiles>\n</container>\n"
    );
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().last_modified_time(DateTime::DEFAULT).unix_permissions(0o644);
    let stored = options.compression_method(CompressionMethod::Stored);
    let deflated = options.compression_method(CompressionMethod::Deflated);
    let files: [(&str, &[u8], _); 3] = [
        ("mimetype", b"application/vnd.recordare.musicxml", stored),
        (CONTAINER, container.as_bytes(), deflated),
        (SCORE, score, deflated),
    ];
    let mut written = Ok(());
    for (name, bytes, options) in files {
        written = written
            .and_then(|()| archive.start_file(name, options).map_err(std::io::Error::other))
            .and_then(|()| archive.write_all(bytes));
    }
    // Into memory, nothing of this can fail but for want of it.
    match written.and_then(|()| archive.finish().map_err(std::io::Error::other)) {
        Ok(cursor) => cursor.into_inner(),
        Err(error) => unreachable!("an archive in memory: {error}"),
    }
}
