//! The studio: a web page, and the server behind it, for composing, training and listening on one's own machine.
//!
//! [`Studio::open`] binds 127.0.0.1 and takes up the library, a folder that holds all of it: pieces, prompts, uploaded music and the runs
//! trained on it, and every job that is not done yet as a manifest. So a job survives that the program ends, however it ends.
//!
//! One thread trains and one composes; everything else answers requests. What happens is told through one stream of events.
//!
//! Three rules keep the machine safe from other pages in the same browser and from whoever shares the network: see `guard.rs`. Nothing
//! that a client sends becomes a path: it is compared with what the server knows, or made into a name by the server.

mod api;
mod composing;
mod crew;
mod error;
mod estimate;
mod events;
mod guard;
mod library;
mod models;
mod page;
mod preflight;
mod prompts;
mod reading;
mod rendering;
mod sources;
mod trainings;

use cantus_training::run_folder::RunFolderError;
use composing::Composing;
use events::Events;
use library::Library;
use models::Models;
use prompts::Prompts;
use sources::Sources;
use std::fs::{File, TryLockError};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::Notify;
use trainings::Trainings;

/// How a studio is opened.
#[derive(Clone, Debug)]
pub struct Config {
    /// The port on 127.0.0.1; 0 takes any that is free.
    pub port: u16,
    /// The folder in which everything is kept; made where there is none.
    pub library: PathBuf,
    /// The folder whose run folders are offered as models, too.
    pub runs: PathBuf,
}

/// Why the studio cannot open.
#[derive(Debug, thiserror::Error)]
pub enum StudioError {
    /// The port.
    #[error(
        "port {port} of 127.0.0.1 cannot be used ({error}); is a studio open already? Otherwise choose another with --port"
    )]
    Port {
        /// The port asked for.
        port: u16,
        /// What the system says.
        error: io::Error,
    },
    /// Another process works in the library.
    #[error("another studio works in the library `{}`; use that one, or name another folder with --library", .0.display())]
    Busy(PathBuf),
    /// The library.
    #[error("the library `{}` cannot be used: {error}", path.display())]
    Library {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// A file of the library cannot be written.
    #[error(transparent)]
    Write(#[from] RunFolderError),
}

/// What all requests and both workers share.
struct Shared {
    /// What a Host header may say.
    authorities: Vec<String>,
    ids: Ids,
    events: Events,
    library: Library,
    models: Models,
    prompts: Prompts,
    composing: Composing,
    trainings: Trainings,
    sources: Sources,
    /// Held as long as the studio is open; the operating system ends it with the process.
    _lock: File,
}

/// An open studio.
pub struct Studio {
    listener: TcpListener,
    address: SocketAddr,
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
    stop: Arc<Notify>,
}

/// Closes a studio from another thread.
#[derive(Clone, Debug)]
pub struct Closer(Arc<Notify>);

impl Closer {
    /// Ends [`Studio::run`]: what is running is saved first.
    pub fn close(&self) {
        self.0.notify_one();
    }
}

impl Studio {
    /// Binds the port, reads the library, and goes on with its jobs.
    ///
    /// # Errors
    /// [`StudioError`].
    pub fn open(config: &Config) -> Result<Studio, StudioError> {
        let port = |error| StudioError::Port { port: config.port, error };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, config.port)).map_err(port)?;
        let address = listener.local_addr().map_err(port)?;
        listener.set_nonblocking(true).map_err(port)?;
        let library = Library::open(&config.library)?;
        let lock = lock(&config.library)?;
        let trainings = Trainings::open(&config.library.join("trainings"))?;
        let shared = Arc::new(Shared {
            authorities: ["127.0.0.1", "localhost"].map(|host| format!("{host}:{}", address.port())).into(),
            ids: Ids::default(),
            events: Events::default(),
            models: Models::new(config.runs.clone()),
            prompts: Prompts::open(config.library.join("prompts"))?,
            composing: Composing::open(&config.library.join("jobs"))?,
            library,
            trainings,
            sources: Sources::default(),
            _lock: lock,
        });
        let workers = [composing::work as fn(&Shared), trainings::work].map(|work| {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || work(&shared))
        });
        Ok(Studio { listener, address, shared, workers: workers.into(), stop: Arc::new(Notify::new()) })
    }

    /// Where it answers.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What closes it.
    pub fn closer(&self) -> Closer {
        Closer(Arc::clone(&self.stop))
    }

    /// Answers requests until it is closed; then saves what is running.
    ///
    /// # Errors
    /// What the operating system says of the socket.
    pub fn run(self) -> io::Result<()> {
        let router = api::router(Arc::clone(&self.shared));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let served = runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(self.listener)?;
            tokio::select! {
                served = async { axum::serve(listener, router).await } => served,
                () = self.stop.notified() => Ok(()),
            }
        });
        self.shared.composing.close();
        self.shared.trainings.close();
        // A rendering that nobody waits for any more is no reason to wait.
        runtime.shutdown_background();
        for worker in self.workers {
            worker.join().unwrap_or_default();
        }
        served
    }
}

/// One studio a library.
fn lock(library: &Path) -> Result<File, StudioError> {
    let path = library.join("lock");
    let file = File::options().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(|error| StudioError::Library { path: path.clone(), error })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StudioError::Busy(library.to_owned())),
        Err(TryLockError::Error(error)) => Err(StudioError::Library { path, error }),
    }
}

/// Makes a folder with its parents.
fn make_folder(path: &Path) -> Result<(), StudioError> {
    std::fs::create_dir_all(path).map_err(|error| StudioError::Library { path: path.to_owned(), error })
}

/// The manifests (`*.json`) of a folder that can be read, in order of their names.
fn manifests<T: serde::de::DeserializeOwned>(folder: &Path) -> Result<Vec<T>, StudioError> {
    let failed = |error| StudioError::Library { path: folder.to_owned(), error };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            paths.push(path);
        }
    }
    paths.sort();
    let read = |path: PathBuf| serde_json::from_slice(&std::fs::read(path).ok()?).ok();
    Ok(paths.into_iter().filter_map(read).collect())
}

/// Names for things, each larger than the one before: the time in microseconds, in hexadecimal.
#[derive(Default)]
struct Ids(AtomicU64);

impl Ids {
    fn next(&self) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros() as u64;
        let last = self.0.fetch_max(now, Ordering::Relaxed);
        let id = if now > last { now } else { self.0.fetch_add(1, Ordering::Relaxed) + 1 };
        format!("{id:014x}")
    }
}

/// Seconds since 1970.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use super::Ids;

    #[test]
    fn ids_rise() {
        let ids = Ids::default();
        let made: Vec<String> = (0..1000).map(|_| ids.next()).collect();
        assert!(made.windows(2).all(|pair| pair[0] < pair[1]));
    }
}
