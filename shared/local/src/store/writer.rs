//! The one thread that writes.
//!
//! Group commit: while one transaction is on its way to the disk, the next writes gather; all that are
//! there go into the next transaction. Alone, a write waits for nobody; in a crowd, they share an fsync.

use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};

use rusqlite::{Connection, TransactionBehavior};
use sop_runtime::port::PortError;
use tokio::sync::oneshot;

use crate::store::error::port_error;

/// Changes that one transaction holds: bounds how long the first of them waits.
const BATCH_MAX: usize = 1_024;

/// A change, and whom to tell.
trait Job: Send {
    /// Makes the change; may be called again after a rollback.
    fn run(&mut self, connection: &Connection) -> rusqlite::Result<()>;
    /// Tells the caller that it is durable, or why it is not.
    fn answer(self: Box<Self>, committed: rusqlite::Result<()>);
}

struct Change<T, W, D> {
    work: W,
    made: Option<T>,
    reply: oneshot::Sender<rusqlite::Result<T>>,
    durable: D,
}

impl<T, W, D> Job for Change<T, W, D>
where
    T: Send,
    W: FnMut(&Connection) -> rusqlite::Result<T> + Send,
    D: FnOnce(&T) + Send,
{
    fn run(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        self.made = Some((self.work)(connection)?);
        Ok(())
    }

    fn answer(self: Box<Self>, committed: rusqlite::Result<()>) {
        let Self { made, reply, durable, .. } = *self;
        let answer = committed.map(|()| made.expect("only what was made is committed"));
        if let Ok(made) = &answer {
            durable(made);
        }
        // The caller may have gone; what it asked for is done all the same.
        drop(reply.send(answer));
    }
}

/// The way to the writing thread.
pub(super) struct Writer {
    jobs: Option<Sender<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, thiserror::Error)]
#[error("the store's writer has stopped")]
struct Stopped;

impl Writer {
    /// Starts the thread, which owns `connection` from now on.
    pub(super) fn start(connection: Connection) -> io::Result<Self> {
        let (jobs, queue) = channel();
        let thread = thread::Builder::new()
            .name("sop-store".into())
            .spawn(move || serve(connection, &queue))?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread) })
    }

    /// Has `work` done and committed; `durable` is called then, even when nobody waits for the answer
    /// any more.
    ///
    /// `work` must look before it writes: what it writes before it says "no" stays.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        action: &'static str,
        work: impl FnMut(&Connection) -> rusqlite::Result<T> + Send + 'static,
        durable: impl FnOnce(&T) + Send + 'static,
    ) -> Result<T, PortError> {
        let stopped = || PortError::permanent(action, Stopped);
        let (reply, answer) = oneshot::channel();
        let job = Box::new(Change { work, made: None, reply, durable });
        self.jobs.as_ref().ok_or_else(stopped)?.send(job).map_err(|_| stopped())?;
        let answer = answer.await.map_err(|_| stopped())?;
        answer.map_err(|source| port_error(action, source))
    }
}

impl Drop for Writer {
    /// Waits until all writes are done and the file is closed.
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // A panic there was reported there.
            drop(thread.join());
        }
    }
}

fn serve(mut connection: Connection, queue: &Receiver<Box<dyn Job>>) {
    let mut batch = Vec::new();
    while let Ok(job) = queue.recv() {
        batch.push(job);
        while batch.len() < BATCH_MAX
            && let Ok(job) = queue.try_recv()
        {
            batch.push(job);
        }
        match commit(&mut connection, &mut batch) {
            Ok(()) => batch.drain(..).for_each(|job| job.answer(Ok(()))),
            // One of them failed, or the disk did: alone, each gets the answer that is its own.
            Err(_) => batch.drain(..).for_each(|mut job| {
                let committed = commit(&mut connection, std::slice::from_mut(&mut job));
                job.answer(committed);
            }),
        }
    }
}

/// Makes all changes of `batch` durable, or none.
fn commit(connection: &mut Connection, batch: &mut [Box<dyn Job>]) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    batch.iter_mut().try_for_each(|job| job.run(&transaction))?;
    transaction.commit()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection() -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE t (x INTEGER PRIMARY KEY)").unwrap();
        connection
    }

    fn insert(connection: &Connection, x: i64) -> rusqlite::Result<usize> {
        connection.execute("INSERT INTO t VALUES (?1)", [x])
    }

    /// A change that fails after a write leaves nothing, and those beside it stand.
    #[tokio::test]
    async fn a_change_that_fails_fails_alone() {
        let writer = Writer::start(connection()).unwrap();
        let (go, wait) = channel();
        let gate = writer.write("wait", move |_| Ok(wait.recv().is_ok()), |_| {});
        let good = writer.write("insert", |connection| insert(connection, 1), |_| {});
        let bad = writer.write(
            "insert",
            |connection| {
                insert(connection, 2)?;
                insert(connection, 1)
            },
            |_| {},
        );
        let last = writer.write("insert", |connection| insert(connection, 3), |_| {});
        // The gate holds the writer until the other three wait to go into one transaction.
        let open = async move { go.send(()) };
        let (gate, good, bad, last, opened) = tokio::join!(gate, good, bad, last, open);
        assert!(gate.is_ok() && opened.is_ok());
        assert_eq!((good.unwrap(), last.unwrap()), (1, 1));
        let error = bad.unwrap_err();
        assert!(!error.retryable);
        assert_eq!(error.to_string(), "could not insert");
        let sum = writer
            .write(
                "sum",
                |connection| {
                    connection.query_one("SELECT sum(x) FROM t", [], |row| row.get::<_, i64>(0))
                },
                |_| {},
            )
            .await;
        assert_eq!(sum.unwrap(), 4);
    }
}
