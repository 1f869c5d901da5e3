//! A folder, and who is to learn from it: read as suits both.

use crate::training::{WorkshopError, check_reading};
use cantus_composers::registry::{self, Choice};
use cantus_corpus::{Corpus, Folder, Music, Options, Parts, Progress};
use cantus_model::{Around, ComposerSpec, CorpusCard};
use cantus_score::{Reading, TicksPerQuarter};
use cantus_training::training_set;
use std::path::Path;

/// Music to learn from, and the composer that does.
#[derive(Debug)]
pub struct Gathered {
    /// The one that was asked for, or the one that suits.
    pub spec: &'static ComposerSpec,
    /// The configuration of it.
    pub configuration: &'static str,
    /// The music, as it reads it.
    pub corpus: Corpus,
}

impl Gathered {
    fn of(spec: &'static ComposerSpec, corpus: Corpus) -> Gathered {
        Gathered { spec, configuration: spec.configurations[0].name, corpus }
    }

    /// Why this composer learns from this music, in a sentence.
    pub fn why(&self) -> String {
        format!("the composer for it is `{}`, which writes {}", self.spec.id, self.spec.writes)
    }
}

/// Reads a folder, each file once, for a composer; where none is asked for, chooses the one that suits what the folder holds. How it is read, where `options`
/// leave it open, follows from the composer and the folder.
///
/// # Errors
/// [`WorkshopError::Corpus`], where there is too little to learn from; [`WorkshopError::Reading`], where the composer does not read as
/// `options` ask for; [`WorkshopError::Create`], where it learns nothing.
pub fn gather(
    folder: &Path,
    options: &Options,
    asked: Option<Choice>,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Gathered, WorkshopError> {
    if let Some((spec, _)) = asked {
        // Before anything is read for it.
        spec.creates()?;
        options.reading.map_or(Ok(()), |reading| check_reading(spec, reading))?;
    }
    let folder = Folder::read(folder, options, progress)?;
    let Some((spec, configuration)) = asked else { return gather_for_any(&folder, options, progress) };
    Ok(Gathered { spec, configuration, corpus: read_for(spec, &folder, options, progress)? })
}

fn read_for(
    spec: &'static ComposerSpec,
    folder: &Folder,
    options: &Options,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Corpus, WorkshopError> {
    // Who does not read part by part reads everything in its own way.
    let own = spec.reads.first().filter(|_| !spec.reads.contains(&Reading::Parts));
    let parts = parts_for(spec, options.parts);
    let options = Options { reading: options.reading.or(own.copied()), parts, ..options.clone() };
    let corpus = folder.corpus(&options, progress)?;
    let found = corpus.report.options.way();
    if spec.reads.contains(&found) {
        return Ok(corpus);
    }
    let options = Options { reading: spec.reads.first().copied(), ..options };
    Ok(folder.corpus(&options, progress)?)
}

fn gather_for_any(
    folder: &Folder,
    options: &Options,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Gathered, WorkshopError> {
    let corpus = folder.corpus(options, progress)?;
    let way = corpus.report.options.way();
    // Some are made for music of one kind, and read it as one instrument.
    if corpus.report.music() == Some(Music::Voices) && options.reading.is_none_or(|reading| reading == Reading::Merged)
    {
        if way == Reading::Merged {
            return Ok(Gathered::of(made_for(&corpus).unwrap_or_else(|| first_for(way)), corpus));
        }
        let merged = Options { reading: Some(Reading::Merged), ..options.clone() };
        // Too little to learn from when it is merged: it is none of these.
        if let Ok(merged) = folder.corpus(&merged, progress)
            && let Some(spec) = made_for(&merged)
        {
            return Ok(Gathered::of(spec, merged));
        }
    }
    Ok(Gathered::of(first_for(way), corpus))
}

/// The first composer that reads music so.
fn first_for(reading: Reading) -> &'static ComposerSpec {
    let able = registry::COMPOSERS.iter().copied().find(|spec| spec.reads.contains(&reading));
    able.unwrap_or_else(registry::default)
}

/// The composer that is made for a corpus more than others are.
fn made_for(corpus: &Corpus) -> Option<&'static ComposerSpec> {
    let set = training_set(corpus);
    registry::COMPOSERS.iter().copied().find(|spec| spec.is_made_for.is_some_and(|is_made_for| is_made_for(&set)))
}

/// Which parts of pieces are learnt from where the options leave it open: who writes one part to others learns from pieces that have both.
fn parts_for(spec: &ComposerSpec, parts: Parts) -> Parts {
    if spec.around.contains(&Around::Parts) && parts == Parts::All { Parts::Band } else { parts }
}

/// How the music of a model of such a composer was read, as far as its file says.
pub fn reading_of(composer: &str, card: &CorpusCard) -> Options {
    let usual = Options::default();
    let reading = card.reading.as_deref().and_then(|name| name.parse().ok());
    let parts = registry::find(composer).map_or(usual.parts, |spec| parts_for(spec, usual.parts));
    Options { reading: reading.or(usual.reading), grid: card.grid.and_then(TicksPerQuarter::new), parts, ..usual }
}
