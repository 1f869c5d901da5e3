//! Threads of their own for what trains, so that nobody waits behind it.
//!
//! A program has one pool of threads that all share who ask for none of their own. A critic that learns gives it a hundred pieces to
//! compose, each of which is work for several threads again; what another asks of the pool then lies until a thread runs out of all
//! that, which is for minutes. With threads of its own a training and whoever composes share the processor alone.

use rayon::{ThreadPool, ThreadPoolBuilder};

/// As many threads as everybody else has, who does not meet them.
pub struct Crew(Option<ThreadPool>);

impl Crew {
    pub fn new() -> Crew {
        // Where the system gives no more threads, it is better to wait than not to train.
        Crew(ThreadPoolBuilder::new().thread_name(|k| format!("training-{k}")).build().ok())
    }

    /// Does the work, and whatever it spreads over threads, within the crew; waits for it.
    pub fn work<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        match &self.0 {
            Some(pool) => pool.install(work),
            None => work(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Crew;
    use rayon::prelude::*;
    use std::sync::mpsc::channel;
    use std::sync::{Condvar, Mutex};
    use std::time::Duration;

    /// Longer than anybody waits for what comes at all.
    const PATIENCE: Duration = Duration::from_secs(60);

    #[test]
    fn others_compute_while_all_of_the_crew_is_busy() {
        let (busy, over, done) = (Mutex::new(0), Mutex::new(false), Condvar::new());
        let (begun, all_busy) = channel();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let crew = Crew::new();
                crew.work(|| {
                    rayon::broadcast(|context| {
                        let mut count = busy.lock().unwrap();
                        *count += 1;
                        if *count == context.num_threads() {
                            begun.send(()).unwrap();
                        }
                        drop(count);
                        let over = over.lock().unwrap();
                        let (over, _) = done.wait_timeout_while(over, PATIENCE, |over| !*over).unwrap();
                        assert!(*over, "whoever composes had to wait for the crew");
                    });
                });
            });
            all_busy.recv_timeout(PATIENCE).unwrap();
            assert_eq!((0..1000u64).into_par_iter().sum::<u64>(), 499_500);
            *over.lock().unwrap() = true;
            done.notify_all();
        });
    }
}
