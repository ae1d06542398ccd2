//! Queues.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, params};
use sop_core::Timestamp;
use sop_runtime::port::{Consumer, Delivery, Message, PortError, Queue, QueueName, RECEIVES_MAX};
use tokio::sync::Notify;

use crate::store::{Sqlite, integer};

/// What wakes the receivers of each queue.
#[derive(Default)]
pub(super) struct Watches {
    events: Arc<Notify>,
    effects: Arc<Notify>,
}

impl Watches {
    fn of(&self, queue: QueueName) -> &Arc<Notify> {
        match queue {
            QueueName::Events => &self.events,
            QueueName::Effects => &self.effects,
        }
    }
}

impl Sqlite {
    /// Tells when `queue` may have something new: a message was sent or released, at once or with a
    /// delay. One receiver is woken, or the next one that waits.
    ///
    /// A receiver that found nothing waits for this or for [`Sqlite::next_visible_at`], whichever is first.
    pub fn watch(&self, queue: QueueName) -> &Notify {
        self.0.watches.of(queue)
    }

    /// When the next message of `queue` can be received, which may be past; `None` when it holds none.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn next_visible_at(&self, queue: QueueName) -> Result<Option<Timestamp>, PortError> {
        self.read("look at a queue", |connection| {
            connection
                .prepare_cached(
                    "SELECT visible_at FROM message WHERE queue = ?1 ORDER BY visible_at LIMIT 1",
                )?
                .query_row([queue.as_str()], |row| row.get(0).map(Timestamp::from_millis))
                .optional()
        })
    }

    /// How many messages `queue` holds, received or not, dead letters not counted.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn backlog(&self, queue: QueueName) -> Result<u64, PortError> {
        self.read("count a queue", |connection| {
            connection
                .prepare_cached("SELECT count(*) FROM message WHERE queue = ?1")?
                .query_row([queue.as_str()], |row| row.get(0).map(i64::unsigned_abs))
        })
    }

    /// As [`Sqlite::write`], and wakes a receiver of `queue` when the change is durable.
    pub(super) async fn write_and_wake<T: Send + 'static>(
        &self,
        action: &'static str,
        queue: QueueName,
        work: impl FnMut(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, PortError> {
        let watch = self.0.watches.of(queue).clone();
        self.0.writer.write(action, work, move |_| watch.notify_one()).await
    }
}

impl Queue for Sqlite {
    async fn send(&self, queue: QueueName, messages: &[Message]) -> Result<(), PortError> {
        if messages.is_empty() {
            return Ok(());
        }
        let (messages, now) = (messages.to_vec(), self.0.clock.now());
        self.write_and_wake("send messages", queue, move |connection| {
            let mut insert = connection.prepare_cached(
                "INSERT INTO message (queue, visible_at, attempts, held, body)
                 VALUES (?1, ?2, 0, 0, ?3)",
            )?;
            for message in &messages {
                let visible_at = now.plus_millis(i64::from(message.delay_secs) * 1_000);
                insert.execute(params![queue.as_str(), visible_at.as_millis(), message.body])?;
            }
            Ok(())
        })
        .await
    }
}

impl Consumer for Sqlite {
    async fn receive(
        &self,
        queue: QueueName,
        limit: usize,
        visibility_ms: u32,
    ) -> Result<Vec<Delivery>, PortError> {
        let now = self.0.clock.now();
        let until = now.plus_millis(visibility_ms.into());
        self.write("receive messages", move |connection| {
            receive(connection, queue, limit, now, until)
        })
        .await
    }

    async fn acknowledge(&self, queue: QueueName, receipts: &[String]) -> Result<(), PortError> {
        let places: Vec<_> = receipts.iter().filter_map(|receipt| place(receipt)).collect();
        if places.is_empty() {
            return Ok(());
        }
        self.write("acknowledge messages", move |connection| {
            let mut delete = connection.prepare_cached(
                "DELETE FROM message WHERE id = ?1 AND attempts = ?2 AND queue = ?3",
            )?;
            for (id, attempts) in &places {
                delete.execute(params![id, attempts, queue.as_str()])?;
            }
            Ok(())
        })
        .await
    }

    async fn release(
        &self,
        queue: QueueName,
        receipt: &str,
        delay_ms: u32,
    ) -> Result<(), PortError> {
        let Some((id, attempts)) = place(receipt) else { return Ok(()) };
        let visible_at = self.0.clock.now().plus_millis(delay_ms.into()).as_millis();
        self.write_and_wake("release a message", queue, move |connection| {
            connection
                .prepare_cached(
                    "UPDATE message SET visible_at = ?1, held = 0
                     WHERE id = ?2 AND attempts = ?3 AND queue = ?4",
                )?
                .execute(params![visible_at, id, attempts, queue.as_str()])
                .map(drop)
        })
        .await
    }

    async fn dead_letters(&self, queue: QueueName, limit: usize) -> Result<Vec<String>, PortError> {
        self.read("list dead letters", |connection| {
            connection
                .prepare_cached(
                    "SELECT body FROM dead_letter WHERE queue = ?1 ORDER BY id LIMIT ?2",
                )?
                .query_map(params![queue.as_str(), integer(limit)], |row| row.get(0))?
                .collect()
        })
    }
}

/// The message and the attempt that `receipt` is of. Another attempt has another receipt, and ids are
/// never used again, so that an old receipt means nothing.
fn place(receipt: &str) -> Option<(i64, u32)> {
    let (id, attempt) = receipt.split_once('.')?;
    Some((id.parse().ok()?, attempt.parse().ok()?))
}

/// A message that can be received.
struct Visible {
    id: i64,
    attempts: u32,
    body: String,
}

/// Up to `limit` messages of `queue`, longest visible first.
fn visible(
    connection: &Connection,
    queue: QueueName,
    limit: usize,
    now: Timestamp,
) -> rusqlite::Result<Vec<Visible>> {
    connection
        .prepare_cached(
            "SELECT id, attempts, body FROM message WHERE queue = ?1 AND visible_at <= ?2
             ORDER BY visible_at, id LIMIT ?3",
        )?
        .query_map(params![queue.as_str(), now.as_millis(), integer(limit)], |row| {
            Ok(Visible { id: row.get(0)?, attempts: row.get(1)?, body: row.get(2)? })
        })?
        .collect()
}

/// Hides up to `limit` visible messages of `queue` until `until` and returns them. Those that were
/// received too often go to the dead letters.
fn receive(
    connection: &Connection,
    queue: QueueName,
    limit: usize,
    now: Timestamp,
    until: Timestamp,
) -> rusqlite::Result<Vec<Delivery>> {
    let fresh = loop {
        let found = visible(connection, queue, limit, now)?;
        let (spent, fresh): (Vec<_>, Vec<_>) =
            found.into_iter().partition(|message| message.attempts >= RECEIVES_MAX);
        if spent.is_empty() {
            break fresh;
        }
        spent.iter().try_for_each(|message| bury(connection, message, now))?;
    };
    let mut hide = connection.prepare_cached(
        "UPDATE message SET visible_at = ?2, attempts = ?3, held = 1 WHERE id = ?1",
    )?;
    let take = |Visible { id, attempts, body }| {
        let attempt = attempts + 1;
        hide.execute(params![id, until.as_millis(), attempt])?;
        Ok(Delivery { receipt: format!("{id}.{attempt}"), body, attempt })
    };
    fresh.into_iter().map(take).collect()
}

/// Moves `message` to the dead letters.
fn bury(connection: &Connection, message: &Visible, now: Timestamp) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO dead_letter (id, queue, died_at, body)
             SELECT id, queue, ?2, body FROM message WHERE id = ?1",
        )?
        .execute([message.id, now.as_millis()])?;
    connection.prepare_cached("DELETE FROM message WHERE id = ?1")?.execute([message.id]).map(drop)
}

/// Makes the messages visible that a process held when it ended: nobody works on them any more.
///
/// Their attempts count, so that a message that ends the process goes to the dead letters, too.
pub(super) fn free_held(connection: &Connection, now: Timestamp) -> rusqlite::Result<usize> {
    connection.execute(
        "UPDATE message SET visible_at = ?1, held = 0
         WHERE queue IN ('events', 'effects') AND visible_at > ?1 AND held = 1",
        [now.as_millis()],
    )
}
