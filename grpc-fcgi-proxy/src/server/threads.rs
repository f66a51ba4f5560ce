//! The threads that serve: each has a runtime of its own, and a connection stays on its thread with all of its calls.
//!
//! So a call is never handed from one thread to another on its way to php-fpm and back. A runtime that shares its tasks
//! among threads wakes another thread for each, which costs more than the work of a call itself.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};

use tokio::runtime::{Builder, Handle};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The threads; they end when this is dropped.
#[derive(Debug)]
pub struct Workers {
    workers: Vec<Worker>,
    /// All that runs on them.
    tasks: TaskTracker,
    stop: CancellationToken,
}

#[derive(Debug)]
struct Worker {
    runtime: Handle,
    busy: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

impl Workers {
    /// Starts so many.
    ///
    /// # Errors
    ///
    /// If the system has no more threads, or no more file descriptors.
    pub fn start(count: usize) -> io::Result<Self> {
        let mut workers = Self {
            workers: Vec::with_capacity(count),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        };
        for _ in 0..count {
            let worker = Worker::start(workers.stop.clone())?;
            workers.workers.push(worker);
        }
        Ok(workers)
    }

    /// What has been given to them and has not ended.
    #[must_use]
    pub fn tasks(&self) -> &TaskTracker {
        &self.tasks
    }

    /// Runs the task on the thread that has the fewest.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let busy = |worker: &&Worker| worker.busy.load(Ordering::Relaxed);
        if let Some(worker) = self.workers.iter().min_by_key(busy) {
            let busy = Busy::begin(&worker.busy);
            let task = async move {
                task.await;
                drop(busy);
            };
            self.tasks.spawn_on(task, &worker.runtime);
        }
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.stop.cancel();
        for worker in &mut self.workers {
            if let Some(thread) = worker.thread.take() {
                // It has nothing to say, not even if a task of it panicked.
                let _ = thread.join();
            }
        }
    }
}

impl Worker {
    fn start(stop: CancellationToken) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let thread = thread::Builder::new()
            .name("worker".to_owned())
            .spawn(move || runtime.block_on(stop.cancelled()))?;
        Ok(Self {
            runtime: handle,
            busy: Arc::default(),
            thread: Some(thread),
        })
    }
}

/// A task that counts until it ends, or is dropped.
struct Busy(Arc<AtomicUsize>);

impl Busy {
    fn begin(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn tasks_go_to_the_thread_that_has_the_fewest() {
        let workers = Workers::start(3).unwrap();
        let (say, mut hear) = mpsc::unbounded_channel();
        let release = CancellationToken::new();
        for _ in 0..6 {
            let (say, release) = (say.clone(), release.clone());
            workers.spawn(async move {
                say.send(thread::current().id()).unwrap();
                release.cancelled().await;
            });
        }
        let mut counts = std::collections::HashMap::new();
        for _ in 0..6 {
            *counts.entry(hear.recv().await.unwrap()).or_insert(0) += 1;
        }
        assert_eq!(counts.into_values().collect::<Vec<_>>(), [2, 2, 2]);
        release.cancel();
        workers.tasks().close();
        workers.tasks().wait().await;
    }

    #[test]
    fn what_still_runs_ends_with_the_threads() {
        let workers = Workers::start(1).unwrap();
        let (dropped, was_dropped) = std::sync::mpsc::channel::<()>();
        workers.spawn(async move {
            let _held = dropped;
            std::future::pending().await
        });
        drop(workers);
        assert!(was_dropped.try_recv().is_err());
        assert_eq!(was_dropped.recv(), Err(std::sync::mpsc::RecvError));
    }
}
