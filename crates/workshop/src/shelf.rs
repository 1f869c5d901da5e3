//! The models that there are, and how a person calls them.

// tidy: allow(circle): the shelf lists the built-in models, and a name that is none is answered with the list
use crate::models::{BUILT_IN, BuiltIn};
use cantus_composers::registry;
use cantus_model::{ComposerSpec, CorpusCard, Kind, Unit};
use cantus_training::run_folder::RunFiles;
use cantus_training::{Metrics, RunDescription};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// The folder in which trainings lie where no other is named.
pub const RUNS: &str = "runs";

/// A model that can be named.
#[derive(Clone, Debug, Serialize)]
pub struct Listed {
    /// What it is called by: a built-in name, or that of a run's folder.
    pub name: String,
    /// The run's folder; nothing where it is built in.
    pub run: Option<PathBuf>,
    /// Its composer, with the configuration where the run says it.
    pub composer: String,
    /// What it learnt from.
    pub corpus: CorpusCard,
    /// Its figure on pieces that it did not learn from; nothing where it has none yet.
    pub figure: Option<Figure>,
    /// How often a machine listener tells its pieces from real ones, 0-1; of those that are built in.
    pub told: Option<f64>,
}

/// How likely a model finds pieces that it did not learn from.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Figure {
    /// Nats per what it predicts at once.
    pub nats_per_unit: f64,
    /// What that is.
    pub unit: Unit,
    /// Nats per quarter note.
    pub nats_per_quarter: f64,
    /// What kind of figure it is.
    pub kind: Kind,
}

/// The built-in models, composers that need none, then those of the runs in the folder `runs` that have one, by name.
pub fn models(runs: &Path) -> Vec<Listed> {
    let mut listed: Vec<Listed> = BUILT_IN.iter().filter_map(of_built_in).collect();
    listed.extend(registry::COMPOSERS.iter().filter_map(|spec| of_rules(spec)));
    let folders = std::fs::read_dir(runs).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut trained: Vec<Listed> = folders.filter_map(|folder| of_run(&folder)).collect();
    trained.sort_by(|a, b| a.name.cmp(&b.name));
    listed.extend(trained);
    listed
}

fn of_built_in(model: &BuiltIn) -> Option<Listed> {
    let header = model.header()?;
    let figure = header.training.as_ref().map(|training| Figure {
        nats_per_unit: training.validation.nats_per_token,
        unit: training.validation.unit,
        nats_per_quarter: training.validation.nats_per_quarter,
        kind: training.validation.kind,
    });
    Some(Listed {
        name: model.name.to_owned(),
        run: None,
        composer: header.composer,
        corpus: header.corpus,
        figure,
        told: model.told,
    })
}

/// A composer that learns nothing is its own model.
fn of_rules(spec: &ComposerSpec) -> Option<Listed> {
    let header = spec.untaught(spec.configurations.first()?.name)?.header;
    Some(Listed {
        name: spec.id.to_owned(),
        run: None,
        composer: header.composer,
        corpus: header.corpus,
        figure: None,
        told: None,
    })
}

fn of_run(folder: &Path) -> Option<Listed> {
    let files = RunFiles::at(folder).ok().filter(|files| files.best_path().is_file())?;
    let description: RunDescription = files.description().ok()?;
    // Of a run whose figures cannot be read the rest is still true.
    let metrics: Vec<Metrics> = files.metrics().unwrap_or_default();
    let best = metrics.iter().rev().find(|line| line.best);
    Some(Listed {
        name: folder.file_name()?.to_string_lossy().into_owned(),
        run: Some(folder.to_owned()),
        composer: format!("{}:{}", description.composer, description.configuration),
        corpus: description.corpus,
        figure: best.map(|line| Figure {
            nats_per_unit: line.valid.nats_per_token,
            unit: description.unit,
            nats_per_quarter: line.valid.nats_per_quarter,
            kind: description.likelihood,
        }),
        told: None,
    })
}

/// What to do about a name that no model has, with all that there are.
pub(crate) fn advice(name: &str, runs: &Path) -> String {
    let names: Vec<String> = models(runs).into_iter().map(|model| model.name).collect();
    let there_are = format!("There are: {}", names.join(", "));
    let id = name.split(':').next().unwrap_or(name);
    if let Some(unknown) = registry::choose(name).err().filter(|error| error.is_of_rules()) {
        unknown.to_string()
    } else if let Some(like) = nearest(name, &names) {
        format!("did you mean `{like}`? {there_are}")
    } else if registry::find(id).is_some() {
        format!("`{id}` is a composer, which learns: `cantus train FOLDER -c {name}` makes a model of it. {there_are}")
    } else {
        format!("name one of these, a .safetensors file, or a run's folder. {there_are}")
    }
}

/// The name that was most likely meant: one that begins or ends alike, or is a few letters away.
fn nearest<'a>(name: &str, names: &'a [String]) -> Option<&'a str> {
    let name = name.to_lowercase();
    let distance = |known: &str| {
        let known = known.to_lowercase();
        let is_part = name.len() > 2 && (known.contains(&name) || name.contains(&known));
        if is_part { 0 } else { letters_apart(&name, &known) }
    };
    let (distance, known) = names.iter().map(|known| (distance(known), known)).min_by_key(|(distance, _)| *distance)?;
    (distance * 3 <= name.chars().count()).then_some(known)
}

/// How many letters have to be changed, added or left out (V. Levenshtein 1966).
fn letters_apart(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut before = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let change = before + usize::from(x != *y);
            before = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(before + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CHORALES;

    #[test]
    fn letters_are_counted() {
        for (a, b, apart) in [("", "abc", 3), ("kitten", "sitting", 3), ("lstm", "lstm", 0), ("ab", "ba", 2)] {
            assert_eq!((letters_apart(a, b), letters_apart(b, a)), (apart, apart), "{a} {b}");
        }
    }

    #[test]
    fn the_nearest_name_is_one_that_could_be_meant() {
        let names = ["hymns", "chorales", "chopin-lstm"].map(str::to_owned);
        let found = |name| nearest(name, &names);
        assert_eq!(found("chorale"), Some("chorales"));
        assert_eq!(found("Chopin"), Some("chopin-lstm"));
        assert_eq!(found("hyms"), Some("hymns"));
        assert_eq!(found("jazz"), None);
        assert_eq!(found(""), None);
    }

    #[test]
    fn the_built_in_models_are_always_there() {
        let listed = models(Path::new("there is no such folder"));
        let names: Vec<&str> = listed.iter().map(|model| &model.name[..]).collect();
        let built_in: Vec<&str> = BUILT_IN.iter().map(|model| model.name).collect();
        assert_eq!(names[..2], ["hymns", "chorales"]);
        // Then those who need no model.
        assert!(names.starts_with(&built_in) && names[built_in.len()..] == ["patterns"], "{names:?}");
        for model in &listed[..built_in.len()] {
            assert!(model.corpus.licence.is_some() && model.corpus.train_pieces > 0, "{model:?}");
            assert!(model.figure.is_some_and(|figure| figure.nats_per_quarter > 0.0), "{model:?}");
            let recipe = format!("{}/../../recipes/", env!("CARGO_MANIFEST_DIR"));
            let recipe = match &model.name[..] {
                CHORALES => format!("{recipe}chorale-jsb16.toml"),
                name => format!("{recipe}{}-{name}.toml", model.composer),
            };
            let (text, told) = (std::fs::read_to_string(&recipe).unwrap(), model.told);
            let says = told.map_or_else(String::new, |told| format!("listener = \"{:.0}%", 100.0 * told));
            assert!(text.contains(&says) && told.is_some() == text.contains("listener ="), "{recipe}: {says}");
        }
    }
}
