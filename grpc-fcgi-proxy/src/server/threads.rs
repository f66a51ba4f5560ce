//! The threads that serve: each has a runtime of its own, and a connection stays on one thread with all of its calls.
//!
//! So a call never changes threads between HTTP/2 and php-fpm. A runtime that shares its tasks among threads wakes another
//! thread for each, which costs more than the work of a call.
//!
//! tokio-util's `LocalPoolHandle` does not fit: it panics where the system refuses a thread or a file descriptor, and its
//! threads can be neither named nor joined.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use tokio::runtime::{Builder, Handle};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The threads, which end when this is dropped.
#[derive(Debug)]
pub(crate) struct Threads {
    threads: Vec<ServingThread>,
    /// The tasks on all of them.
    tasks: TaskTracker,
    stop: CancellationToken,
}

#[derive(Debug)]
struct ServingThread {
    runtime: Handle,
    /// The number of tasks on this thread.
    load: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

impl Threads {
    /// Starts `count` threads. Fails if the system is out of threads or file descriptors.
    pub(crate) fn start(count: usize) -> io::Result<Self> {
        let mut threads = Self {
            threads: Vec::with_capacity(count),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        };
        for _ in 0..count {
            let thread = ServingThread::start(threads.stop.clone())?;
            threads.threads.push(thread);
        }
        Ok(threads)
    }

    /// The runtimes of all threads.
    pub(crate) fn runtimes(&self) -> Vec<Handle> {
        let runtimes = self.threads.iter().map(|thread| thread.runtime.clone());
        runtimes.collect()
    }

    /// The tasks that have not ended.
    pub(super) fn tasks(&self) -> &TaskTracker {
        &self.tasks
    }

    /// Runs the task on the thread with the lowest load.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let load = |thread: &&ServingThread| thread.load.load(Ordering::Relaxed);
        if let Some(thread) = self.threads.iter().min_by_key(load) {
            let counted = CountedTask::begin(&thread.load);
            let task = async move {
                task.await;
                drop(counted);
            };
            self.tasks.spawn_on(task, &thread.runtime);
        }
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.stop.cancel();
        for thread in &mut self.threads {
            if let Some(thread) = thread.thread.take() {
                // A panic was reported by the panic hook.
                let _ = thread.join();
            }
        }
    }
}

impl ServingThread {
    /// The runtime is made and dropped in its thread: where no thread starts, none may be dropped.
    fn start(stop: CancellationToken) -> io::Result<Self> {
        let (sender, started) = mpsc::sync_channel(1);
        let thread = thread::Builder::new()
            .name("serve".to_owned())
            .spawn(move || {
                let runtime = Builder::new_current_thread().enable_all().build();
                let handle = runtime.as_ref().map(|runtime| runtime.handle().clone());
                // The receiver waits.
                let _ = sender.send(handle.map_err(|error| io::Error::from(error.kind())));
                if let Ok(runtime) = runtime {
                    runtime.block_on(stop.cancelled());
                }
            })?;
        Ok(Self {
            runtime: started.recv().map_err(io::Error::other)??,
            load: Arc::default(),
            thread: Some(thread),
        })
    }
}

/// Counts towards a thread's load until it is dropped.
struct CountedTask(Arc<AtomicUsize>);

impl CountedTask {
    fn begin(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for CountedTask {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::unbounded_channel;

    use super::*;

    #[tokio::test]
    async fn tasks_go_to_the_thread_with_the_lowest_load() {
        let threads = Threads::start(3).unwrap();
        let (sender, mut receiver) = unbounded_channel();
        let release = CancellationToken::new();
        for _ in 0..6 {
            let (sender, release) = (sender.clone(), release.clone());
            threads.spawn(async move {
                sender.send(thread::current().id()).unwrap();
                release.cancelled().await;
            });
        }
        let mut counts = std::collections::HashMap::new();
        for _ in 0..6 {
            *counts.entry(receiver.recv().await.unwrap()).or_insert(0) += 1;
        }
        assert_eq!(counts.into_values().collect::<Vec<_>>(), [2, 2, 2]);
        release.cancel();
        threads.tasks().close();
        threads.tasks().wait().await;
    }

    #[test]
    fn running_tasks_end_with_the_threads() {
        let threads = Threads::start(1).unwrap();
        let (dropped, was_dropped) = std::sync::mpsc::channel::<()>();
        threads.spawn(async move {
            let _held = dropped;
            std::future::pending().await
        });
        drop(threads);
        assert!(was_dropped.try_recv().is_err());
        assert_eq!(was_dropped.recv(), Err(std::sync::mpsc::RecvError));
    }
}
