//! SoundFonts that the system has: named to whoever writes sound, never used unasked, so that a piece sounds alike everywhere.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Where SoundFonts usually lie: the person's own folders, then the system's. `variable` reads the environment.
pub fn usual_folders(variable: impl Fn(&str) -> Option<OsString>) -> Vec<PathBuf> {
    let of_own = |name: &str, below: &[&str]| -> Vec<PathBuf> {
        let folder = variable(name).map(PathBuf::from).filter(|folder| folder.is_absolute());
        folder.map_or_else(Vec::new, |folder| below.iter().map(|path| folder.join(path)).collect())
    };
    let (own, shared): (Vec<PathBuf>, &[&str]) = if cfg!(windows) {
        let own = [of_own("USERPROFILE", &["SoundFonts"]), of_own("ProgramData", &["soundfonts"])].concat();
        (own, &[r"C:\soundfonts"])
    } else if cfg!(target_os = "macos") {
        let shared = &["/Library/Audio/Sounds/Banks", "/opt/homebrew/share/soundfonts", "/usr/local/share/soundfonts"];
        (of_own("HOME", &["Library/Audio/Sounds/Banks"]), shared)
    } else {
        let shared = &[
            "/usr/local/share/soundfonts",
            "/usr/local/share/sounds/sf2",
            "/usr/share/soundfonts",
            "/usr/share/sounds/sf2",
        ];
        (of_own("HOME", &[".local/share/soundfonts", ".local/share/sounds/sf2"]), shared)
    };
    own.into_iter().chain(shared.iter().map(PathBuf::from)).collect()
}

/// The first SoundFont in these folders, by name. Compressed ones (`.sf3`) cannot be played, and are not named.
pub fn first(folders: &[PathBuf]) -> Option<PathBuf> {
    folders.iter().find_map(|folder| {
        let inside = std::fs::read_dir(folder).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
        inside.filter(|path| is_soundfont(path)).min()
    })
}

fn is_soundfont(path: &Path) -> bool {
    let ends = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("sf2"));
    // A link that leads nowhere is none, nor is a folder.
    ends && path.is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_folder_that_has_one_counts_and_names_are_in_order() {
        let place = tempfile::tempdir().expect("a folder");
        let folders = ["none", "compressed", "two", "more"].map(|name| place.path().join(name));
        for folder in &folders[1..] {
            std::fs::create_dir(folder).expect("a folder");
        }
        let write = |folder: &Path, name: &str| std::fs::write(folder.join(name), b"RIFF").expect("a file");
        write(&folders[1], "Small.sf3");
        std::fs::create_dir(folders[1].join("folder.sf2")).expect("a folder");
        assert_eq!(first(&folders), None);
        write(&folders[2], "b.sf2");
        write(&folders[2], "a.SF2");
        write(&folders[2], "0.txt");
        write(&folders[3], "0.sf2");
        assert_eq!(first(&folders), Some(folders[2].join("a.SF2")));
    }

    #[test]
    fn a_home_comes_before_the_system_and_may_be_missing() {
        let place = tempfile::tempdir().expect("a folder");
        let (name, home) = (if cfg!(windows) { "USERPROFILE" } else { "HOME" }, place.path());
        let with = usual_folders(|asked| (asked == name).then(|| home.into()));
        let without = usual_folders(|_| None);
        assert!(!without.is_empty() && with.ends_with(&without));
        assert!(with.len() > without.len() && with[0].starts_with(home), "{with:?}");
        assert_eq!(usual_folders(|_| Some("not/absolute".into())), without);
    }
}
