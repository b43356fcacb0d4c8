//! The threads that read, each on its own snapshot of the last commit.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use rusqlite::{Connection, InterruptHandle};
use tokio::sync::{mpsc, oneshot};
use z4j_core::limits;
use z4j_core::store::StoreError;

use crate::fault::Fault;

/// Reads that may wait. More make their callers wait.
const READS_WAITING_MAX: usize = 256;

type Read = Box<dyn FnOnce(&Connection) + Send>;

/// The way to the readers.
#[derive(Clone)]
pub(crate) struct Readers {
    reads: mpsc::Sender<Read>,
}

impl Readers {
    /// Starts one thread for each connection. They end when the last [`Readers`] is gone.
    pub(crate) fn start(
        connections: Vec<Connection>,
    ) -> Result<(Self, Vec<JoinHandle<()>>), Fault> {
        let (sender, reads) = mpsc::channel::<Read>(READS_WAITING_MAX);
        let reads = Arc::new(Mutex::new(reads));
        let mut threads = Vec::with_capacity(connections.len());
        for db in connections {
            let reads = Arc::clone(&reads);
            let name = format!("z4j-sqlite-read-{}", threads.len());
            threads.push(
                std::thread::Builder::new()
                    .name(name)
                    .spawn(move || serve(&db, &reads))?,
            );
        }
        Ok((Self { reads: sender }, threads))
    }

    /// Waits for `work` on a snapshot of its own.
    pub(crate) async fn read<T, F>(&self, context: &'static str, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let running = Running::default();
        let slot = Arc::clone(&running.0);
        let read: Read = Box::new(move |db| {
            if reply.is_closed() {
                return;
            }
            *lock(&slot) = Some(db.get_interrupt_handle());
            let outcome = on_snapshot(db, work);
            *lock(&slot) = None;
            // Nobody may wait for it any more.
            let _ = reply.send(outcome);
        });
        let closed = || Fault::Closed.during(context);
        self.reads.send(read).await.map_err(|_| closed())?;
        let waited = tokio::time::timeout(limits::READ_TIME_MAX, answer).await;
        let outcome = waited
            .map_err(|_| Fault::TooSlow.during(context))?
            .map_err(|_| closed())?;
        outcome.map_err(|fault| fault.during(context))
    }
}

/// What runs for one caller. Dropped, because the caller's time is up or the caller is gone, it stops the statement.
#[derive(Default)]
struct Running(Arc<Mutex<Option<InterruptHandle>>>);

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(handle) = &*lock(&self.0) {
            handle.interrupt();
        }
    }
}

fn lock<T>(slot: &Mutex<T>) -> MutexGuard<'_, T> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Several statements of one read must see one state.
fn on_snapshot<T>(
    db: &Connection,
    work: impl FnOnce(&Connection) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let snapshot = db.unchecked_transaction()?;
    work(&snapshot)
}

fn serve(db: &Connection, reads: &Mutex<mpsc::Receiver<Read>>) {
    loop {
        let next = reads
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .blocking_recv();
        let Some(read) = next else { return };
        if std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| read(db))).is_err() {
            tracing::error!("a read panicked");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const ENDLESS: &str =
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";

    #[tokio::test]
    async fn a_read_that_nobody_waits_for_is_stopped() {
        let db = Connection::open_in_memory().unwrap();
        let (readers, _threads) = Readers::start(vec![db]).unwrap();
        let count = |sql: &'static str| {
            readers.read("count", move |db| {
                Ok(db.query_row(sql, [], |row| row.get::<_, i64>(0))?)
            })
        };
        let abandoned = tokio::time::timeout(Duration::from_millis(50), count(ENDLESS)).await;
        assert!(abandoned.is_err(), "it would never end");
        let next = tokio::time::timeout(limits::READ_TIME_MAX, count("SELECT 7")).await;
        assert_eq!(next.unwrap().unwrap(), 7);
    }
}
