//! Who is connected, and who subscribes to what.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use crate::store::sessions::Kept;
use bytes::Bytes;
use mqtt_proto::TopicName;
use sop_core::topic::{TopicFilter, TopicFilterError};
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};

use super::{
    SESSIONS_MAX, SUBSCRIPTIONS_MAX,
    codec::{Connect, Version},
    in_flight::Unreleased,
    reply::{self, Subscribed},
};

/// Messages that wait for one subscriber; a subscriber that is slower misses the next.
const WAITING_MAX: usize = 64;

/// The clients of one server.
#[derive(Debug, Default)]
pub(super) struct Registry {
    inner: Mutex<Inner>,
    /// How many clients subscribe, so that most messages are published without the lock.
    subscribers: AtomicUsize,
}

#[derive(Debug, Default)]
struct Inner {
    next: u64,
    /// Those connected, by client identifier, each with its number and what ends its connection.
    clients: HashMap<Arc<str>, (u64, oneshot::Sender<()>)>,
    subscribers: HashMap<u64, Subscriber>,
    /// Of clients that asked for it, connected or not, by client identifier.
    sessions: HashMap<Arc<str>, Session>,
    /// Sessions as they are on the disk, or are about to be.
    saved: HashMap<Arc<str>, (Duration, Filters)>,
}

/// What of a session is not yet on the disk as it is here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unsaved {
    Keep(Kept),
    Forget(String),
}

/// What a client finds again when it comes back.
#[derive(Debug)]
struct Session {
    /// The number of the last connection.
    number: u64,
    kept: Duration,
    /// When the last connection ended; none while there is one.
    left_at: Option<Instant>,
    /// Empty while the client is connected.
    filters: Filters,
    unreleased: Arc<Mutex<Unreleased>>,
}

/// Filters, each with whether the client leaves out its own messages.
type Filters = Vec<(TopicFilter, bool)>;

impl Inner {
    fn free_client_id(&mut self) -> Arc<str> {
        loop {
            let client_id = Arc::from(format!("assigned-{}", self.next));
            if !self.clients.contains_key(&client_id) {
                return client_id;
            }
            self.next += 1;
        }
    }

    /// Keeps a session; when there are too many, the one whose client left first is forgotten.
    fn keep(&mut self, client_id: Arc<str>, session: Session) {
        if self.sessions.len() >= SESSIONS_MAX {
            let left = self.sessions.iter().filter(|(_, session)| session.left_at.is_some());
            let oldest =
                left.min_by_key(|(_, session)| session.left_at).map(|(id, _)| Arc::clone(id));
            if let Some(oldest) = oldest {
                self.sessions.remove(&oldest);
            }
        }
        self.sessions.insert(client_id, session);
    }

    /// Ends a connection's subscriptions, which its session keeps if it has one.
    fn leave(&mut self, client_id: &str, number: u64) {
        let subscriber = self.subscribers.remove(&number);
        if let Some(session) = self.sessions.get_mut(client_id)
            && session.number == number
        {
            session.left_at = Some(Instant::now());
            session.filters = subscriber.map(|subscriber| subscriber.filters).unwrap_or_default();
        }
    }
}

#[derive(Debug)]
struct Subscriber {
    version: Version,
    packet_bytes_max: usize,
    filters: Filters,
    sender: mpsc::Sender<Bytes>,
}

/// A client's place in the registry, which it leaves when this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    registry: Arc<Registry>,
    number: u64,
    pub(super) client_id: Arc<str>,
    version: Version,
    packet_bytes_max: usize,
    sender: mpsc::Sender<Bytes>,
    unreleased: Arc<Mutex<Unreleased>>,
}

/// What a client hears from others.
#[derive(Debug)]
pub(super) struct Mailbox {
    /// Ends when another connection takes the client's identifier.
    pub(super) taken_over: oneshot::Receiver<()>,
    /// Encoded messages that the client subscribes to.
    pub(super) messages: mpsc::Receiver<Bytes>,
}

impl Registry {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Every change under the lock is a single insertion or removal, so a panic leaves it whole.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives a client its place, and says whether its session was here; another connection with the same
    /// identifier loses its own.
    ///
    /// An empty identifier is replaced by one that nobody has.
    pub(super) fn enter(self: &Arc<Self>, connect: &Connect) -> (Place, Mailbox, bool) {
        let (end, taken_over) = oneshot::channel();
        let (sender, messages) = mpsc::channel(WAITING_MAX);
        let mut inner = self.lock();
        inner.next += 1;
        let client_id = match &*connect.client_id {
            "" => inner.free_client_id(),
            given => Arc::from(given),
        };
        let number = inner.next;
        if let Some((other, _)) = inner.clients.insert(Arc::clone(&client_id), (number, end)) {
            inner.leave(&client_id, other);
        }
        let session = inner.sessions.remove(&client_id).filter(|session| {
            let alive = session.left_at.is_none_or(|left_at| left_at.elapsed() < session.kept);
            alive && !connect.clean
        });
        let resumed = session.is_some();
        let (filters, unreleased) =
            session.map(|session| (session.filters, session.unreleased)).unwrap_or_default();
        unreleased.lock().unwrap_or_else(PoisonError::into_inner).resume();
        if !connect.kept.is_zero() {
            let (kept, unreleased) = (connect.kept, Arc::clone(&unreleased));
            let session = Session { number, kept, left_at: None, filters: Vec::new(), unreleased };
            inner.keep(Arc::clone(&client_id), session);
        }
        let &Connect { version, packet_bytes_max, .. } = connect;
        if !filters.is_empty() {
            let sender = sender.clone();
            inner
                .subscribers
                .insert(number, Subscriber { version, packet_bytes_max, filters, sender });
        }
        self.settle(&mut inner, number);
        drop(inner);
        let registry = Arc::clone(self);
        let place =
            Place { registry, number, client_id, version, packet_bytes_max, sender, unreleased };
        (place, Mailbox { taken_over, messages }, resumed)
    }

    /// Takes up the sessions of an earlier process, whose clients left when it ended.
    pub(super) fn restore(&self, sessions: Vec<Kept>) {
        let mut inner = self.lock();
        for Kept { client, kept, filters } in sessions {
            let client: Arc<str> = client.into();
            inner.saved.insert(Arc::clone(&client), (kept, filters.clone()));
            let left_at = Some(Instant::now());
            let session = Session { number: 0, kept, left_at, filters, unreleased: Arc::default() };
            inner.keep(client, session);
        }
    }

    /// Whether any client subscribes to anything.
    pub(super) fn has_subscribers(&self) -> bool {
        self.subscribers.load(Ordering::Relaxed) > 0
    }

    /// Sends a message to those who subscribe to it, and says to how many.
    pub(super) fn publish(&self, from: Option<u64>, topic: &TopicName, payload: &Bytes) -> usize {
        let mut encoded: [Option<Bytes>; 2] = [None, None];
        let mut reached = 0;
        let inner = self.lock();
        for (&number, subscriber) in &inner.subscribers {
            let own = from == Some(number);
            let mut filters = subscriber.filters.iter();
            if !filters.any(|(filter, no_local)| !(own && *no_local) && filter.matches(topic)) {
                continue;
            }
            let slot = match subscriber.version {
                Version::V311 => &mut encoded[0],
                Version::V5 => &mut encoded[1],
            };
            let packet = match slot {
                Some(packet) => packet,
                None => match reply::message(subscriber.version, topic, payload) {
                    Ok(packet) => slot.insert(packet),
                    Err(error) => {
                        tracing::debug!(%error, "mqtt message not sent to subscribers");
                        continue;
                    }
                },
            };
            if packet.len() > subscriber.packet_bytes_max {
                continue;
            }
            match subscriber.sender.try_send(packet.clone()) {
                Ok(()) => reached += 1,
                Err(error) => tracing::debug!(%error, "mqtt subscriber misses a message"),
            }
        }
        reached
    }
}

impl Place {
    /// Adds filters, or replaces those that are there, with an outcome for each.
    pub(super) fn subscribe(&self, wanted: &[(mqtt_proto::TopicFilter, bool)]) -> Vec<Subscribed> {
        let mut inner = self.registry.lock();
        let subscriber = inner.subscribers.entry(self.number).or_insert_with(|| Subscriber {
            version: self.version,
            packet_bytes_max: self.packet_bytes_max,
            filters: Vec::new(),
            sender: self.sender.clone(),
        });
        let filters = &mut subscriber.filters;
        let outcomes = wanted.iter().map(|(filter, no_local)| {
            let filter = match TopicFilter::parse(filter) {
                Ok(filter) => filter,
                Err(TopicFilterError::Shared) => return Subscribed::Shared,
                Err(_) => return Subscribed::Invalid,
            };
            if let Some((_, was)) = filters.iter_mut().find(|(other, _)| *other == filter) {
                *was = *no_local;
                return Subscribed::Granted;
            }
            if filters.len() >= SUBSCRIPTIONS_MAX {
                return Subscribed::TooMany;
            }
            filters.push((filter, *no_local));
            Subscribed::Granted
        });
        let outcomes = outcomes.collect();
        self.registry.settle(&mut inner, self.number);
        outcomes
    }

    /// Removes filters, and says of each whether it was there.
    pub(super) fn unsubscribe(&self, unwanted: &[mqtt_proto::TopicFilter]) -> Vec<bool> {
        let mut inner = self.registry.lock();
        let Some(subscriber) = inner.subscribers.get_mut(&self.number) else {
            return vec![false; unwanted.len()];
        };
        let existed = unwanted.iter().map(|filter| {
            let before = subscriber.filters.len();
            subscriber.filters.retain(|(other, _)| other.as_str() != &**filter);
            subscriber.filters.len() < before
        });
        let existed = existed.collect();
        self.registry.settle(&mut inner, self.number);
        existed
    }

    /// What of the session has changed since this was last asked; the caller saves it.
    pub(super) fn unsaved(&self) -> Option<Unsaved> {
        let mut inner = self.registry.lock();
        let session = inner.sessions.get(&self.client_id);
        let now = session.filter(|session| session.number == self.number).map(|session| {
            let live = inner.subscribers.get(&self.number);
            let filters = live.map(|subscriber| subscriber.filters.clone()).unwrap_or_default();
            (session.kept, filters)
        });
        let client = self.client_id.as_ref().to_owned();
        match now {
            Some(now) if inner.saved.get(&self.client_id) == Some(&now) => None,
            Some((kept, filters)) => {
                inner.saved.insert(Arc::clone(&self.client_id), (kept, filters.clone()));
                Some(Unsaved::Keep(Kept { client, kept, filters }))
            }
            None => inner.saved.remove(&self.client_id).map(|_| Unsaved::Forget(client)),
        }
    }

    /// Says that what was asked for last could not be saved: it is asked for again.
    pub(super) fn not_saved(&self) {
        self.registry.lock().saved.remove(&self.client_id);
    }

    /// The QoS 2 messages of the session.
    pub(super) fn unreleased(&self) -> MutexGuard<'_, Unreleased> {
        self.unreleased.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a message of this client to those who subscribe to it.
    pub(super) fn publish(&self, topic: &TopicName, payload: &Bytes) {
        self.registry.publish(Some(self.number), topic, payload);
    }

    /// Whether a message would have anyone to go to.
    pub(super) fn has_audience(&self) -> bool {
        self.registry.has_subscribers()
    }
}

impl Registry {
    /// Forgets a subscriber without filters, and counts those that are left.
    fn settle(&self, inner: &mut Inner, number: u64) {
        if inner.subscribers.get(&number).is_some_and(|subscriber| subscriber.filters.is_empty()) {
            inner.subscribers.remove(&number);
        }
        self.subscribers.store(inner.subscribers.len(), Ordering::Relaxed);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut inner = self.registry.lock();
        if inner.clients.get(&self.client_id).is_some_and(|(number, _)| *number == self.number) {
            inner.clients.remove(&self.client_id);
        }
        inner.leave(&self.client_id, self.number);
        self.registry.settle(&mut inner, self.number);
    }
}
