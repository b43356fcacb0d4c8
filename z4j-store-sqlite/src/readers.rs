//! The threads that read, each on its own snapshot of the last commit.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};
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
        let read: Read = Box::new(move |db| {
            // Nobody may wait for it any more.
            let _ = reply.send(on_snapshot(db, work));
        });
        let closed = || Fault::Closed.during(context);
        self.reads.send(read).await.map_err(|_| closed())?;
        let outcome = answer.await.map_err(|_| closed())?;
        outcome.map_err(|fault| fault.during(context))
    }
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
