//! A small MQTT server (3.1.1 and 5) that lives in the process of `sop dev`.
//!
//! It is a front door, not a broker: each message goes to a handler, and is acknowledged only after
//! the handler has said that the message is safe. It stores no retained message and publishes no will.
//! Subscribers see, at QoS 0, what is accepted while they are connected. Sessions are kept in memory and,
//! where there is a store, on the disk: clients send again what was not acknowledged only to a server that
//! knows them, also after it was killed.
//!
//! The flow: [`MqttServer::serve`] → one task a connection → frame → packet → handler (up to
//! [`IN_FLIGHT_MAX`] at a time) → acknowledgements in the order of receipt → subscribers.
//!
//! INVARIANT: no PUBACK and no PUBREC with success leaves before the handler returned `Ok`.
//!
//! Source: MQTT 3.1.1 and MQTT 5.0 (OASIS Standards, 2014 and 2019).

use std::{fmt, future::Future, io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use bytes::Bytes;
use mqtt_proto::TopicName;
use sop_core::limits::PAYLOAD_BYTES_MAX;
use sop_runtime::port::{Outlets, PortError};
use subtle::ConstantTimeEq;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    task::{JoinError, JoinSet},
    time::timeout,
};

mod codec;
mod connection;
mod fault;
mod handshake;
mod in_flight;
mod registry;
mod reply;
mod tls;
mod wire;

use registry::Registry;

pub use tls::{Tls, TlsError};

use crate::store::Sqlite;

const PUBLISH: &str = "publish to an MQTT topic";

/// Connections at one time; one more is closed at once.
pub const CONNECTIONS_MAX: usize = 1_024;

/// Bytes of one packet after its fixed header: the largest payload, and room for topic and properties.
pub const PACKET_BYTES_MAX: usize = PAYLOAD_BYTES_MAX + 16 * 1024;

/// Messages of one connection that are with the handler at one time.
pub const IN_FLIGHT_MAX: usize = 64;

/// Payload bytes of one connection that are with the handler at one time; a single larger message passes.
pub const IN_FLIGHT_BYTES_MAX: usize = 1024 * 1024;

/// QoS 2 messages of one connection that wait for their PUBREL.
pub const UNRELEASED_MAX: usize = 1_024;

/// Topic filters of one connection.
pub const SUBSCRIPTIONS_MAX: usize = 128;

/// Sessions of clients that asked for one, connected or not.
pub const SESSIONS_MAX: usize = 2 * CONNECTIONS_MAX;

/// Bytes of a client identifier.
pub const CLIENT_ID_BYTES_MAX: usize = 256;

/// How long a client has to send its CONNECT.
pub const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// A message that a client published, before it is acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// The client's identifier, or the one that the server assigned.
    pub client_id: String,
    /// A topic name: not empty, no wildcard, no U+0000.
    pub topic: String,
    /// Up to [`PACKET_BYTES_MAX`] bytes of anything.
    pub payload: Vec<u8>,
    /// 0, 1 or 2.
    pub qos: u8,
    /// Whether the client asked for the message to be kept, which this server does not do.
    pub retain: bool,
    /// The client's number for the message, used again after its acknowledgement; none at QoS 0.
    pub packet_id: Option<u16>,
    /// Whether the client says that it may have sent the message before.
    pub dup: bool,
}

/// Why a handler did not take a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It could not be made safe now: nothing is acknowledged and the connection closes, so the client
    /// sends it again.
    #[error("the message could not be stored; trying again can help")]
    TryAgain,
    /// It is larger than an event may be.
    #[error("the message is too large")]
    TooLarge,
    /// The client may not publish to this topic.
    #[error("the client may not publish to this topic")]
    NotAuthorised,
    /// The topic is one that this server does not take.
    #[error("the topic is not one that is taken here")]
    TopicNotTaken,
    /// The payload is not what the topic asks for.
    #[error("the payload is not in the form that is asked for")]
    PayloadInvalid,
}

/// A user and the password that clients of that name must send.
#[derive(Clone)]
pub struct Credentials {
    user: String,
    password: Vec<u8>,
}

impl Credentials {
    /// Returns credentials of a user and a password.
    pub fn new(user: impl Into<String>, password: impl Into<Vec<u8>>) -> Self {
        Self { user: user.into(), password: password.into() }
    }

    /// Whether both agree, in a time that depends on the lengths alone.
    fn agree(&self, user: Option<&str>, password: Option<&[u8]>) -> bool {
        let user = self.user.as_bytes().ct_eq(user.unwrap_or_default().as_bytes());
        let password = self.password.ct_eq(password.unwrap_or_default());
        (user & password).into()
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user).finish_non_exhaustive()
    }
}

/// What all connections share.
#[derive(Debug, Default)]
struct Shared {
    registry: Arc<Registry>,
    /// Who may connect; anybody where there is none.
    users: Vec<Credentials>,
    /// Whether clients that name no user may connect beside them.
    anonymous: bool,
    tls: Option<Tls>,
    /// Where sessions outlive the process.
    store: Option<Sqlite>,
}

/// An MQTT server that is bound and not yet serving.
#[derive(Debug)]
pub struct MqttServer {
    listener: TcpListener,
    shared: Shared,
}

impl MqttServer {
    /// Binds a TCP socket; port 0 lets the system choose (see [`local_addr`](Self::local_addr)).
    ///
    /// Without [`with_users`](Self::with_users) every client may connect, so `addr` should be a loopback address.
    ///
    /// # Errors
    /// What the system says, as when the port is taken.
    pub async fn bind(addr: SocketAddr) -> io::Result<Self> {
        Ok(Self { listener: TcpListener::bind(addr).await?, shared: Shared::default() })
    }

    /// Returns the address that clients connect to.
    ///
    /// # Errors
    /// What the system says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Lets in clients with one of these credentials and, where `anonymous`, those that name no user.
    ///
    /// With no credentials every client is let in.
    #[must_use]
    pub fn with_users(mut self, users: Vec<Credentials>, anonymous: bool) -> Self {
        self.shared.users = users;
        self.shared.anonymous = anonymous;
        self
    }

    /// Encrypts every connection.
    #[must_use]
    pub fn with_tls(mut self, tls: Tls) -> Self {
        self.shared.tls = Some(tls);
        self
    }

    /// Keeps sessions in `store`, and takes up those that it has.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn with_sessions(mut self, store: Sqlite) -> Result<Self, PortError> {
        self.shared.registry.restore(store.sessions()?);
        self.shared.store = Some(store);
        Ok(self)
    }

    /// Returns a handle that sends messages to the subscribers.
    pub fn publisher(&self) -> Publisher {
        Publisher(Arc::clone(&self.shared.registry))
    }

    /// Serves clients until `shutdown` ends.
    ///
    /// The handler is called once for each message received, concurrently and from one task a connection;
    /// it must not block the thread. After `shutdown` no message is read any more; those with the handler
    /// have a few seconds to finish and are acknowledged, then all connections are closed. Dropping the
    /// returned future closes everything at once.
    pub async fn serve<H, Fut>(self, handler: H, shutdown: impl Future)
    where
        H: Fn(Published) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Result<(), Refused>> + Send + 'static,
    {
        let Self { listener, shared } = self;
        let shared = Arc::new(shared);
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let (stop, stopping) = watch::channel(false);
        let mut connections = JoinSet::new();
        let mut shutdown = pin!(shutdown);
        loop {
            let stream = tokio::select! {
                biased;
                _ = &mut shutdown => break,
                Some(ended) = connections.join_next() => {
                    log_ended(ended);
                    continue;
                }
                stream = accept(&listener) => stream,
            };
            let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
                tracing::warn!(max = CONNECTIONS_MAX, "mqtt connection closed: too many");
                continue;
            };
            let (shared, handler, stopping) =
                (Arc::clone(&shared), handler.clone(), stopping.clone());
            connections.spawn(async move {
                match &shared.tls {
                    None => connection::run(stream, &shared, handler, stopping).await,
                    Some(tls) => match timeout(CONNECT_WITHIN, tls.0.accept(stream)).await {
                        Ok(Ok(stream)) => {
                            connection::run(stream, &shared, handler, stopping).await;
                        }
                        Ok(Err(error)) => {
                            let help = "the client has to speak TLS, and to trust the certificate";
                            tracing::warn!(%error, help, "mqtt client refused");
                        }
                        Err(_) => tracing::debug!("mqtt client not let in: no TLS in time"),
                    },
                }
                drop(place);
            });
        }
        drop(listener);
        stop.send_replace(true);
        while let Some(ended) = connections.join_next().await {
            log_ended(ended);
        }
    }
}

/// Sends messages to the subscribers of one [`MqttServer`], not to its handler.
#[derive(Debug, Clone)]
pub struct Publisher(Arc<Registry>);

impl Publisher {
    /// Sends a message at QoS 0 to the clients that subscribe to `topic` now, and says to how many.
    ///
    /// A client that does not keep up misses messages. A `topic` that is not a topic name reaches none.
    pub fn publish(&self, topic: &str, payload: impl Into<Bytes>) -> usize {
        match TopicName::try_from(topic) {
            Ok(topic) if !topic.is_empty() => self.0.publish(None, &topic, &payload.into()),
            Ok(_) | Err(_) => 0,
        }
    }
}

/// Word goes to whoever is subscribed now; there is no SNS on one machine.
impl Outlets for Publisher {
    async fn mqtt(&self, topic: &str, payload: &str) -> Result<(), PortError> {
        if !TopicName::try_from(topic).is_ok_and(|topic| !topic.is_empty()) {
            return Err(PortError::permanent(PUBLISH, "not an MQTT topic name"));
        }
        self.publish(topic, payload.to_owned());
        Ok(())
    }

    async fn sns(&self, topic_arn: &str, subject: &str, message: &str) -> Result<(), PortError> {
        ().sns(topic_arn, subject, message).await
    }
}

/// Waits for a connection; outlives errors such as no free file descriptor.
async fn accept(listener: &TcpListener) -> TcpStream {
    const PAUSE: Duration = Duration::from_millis(50);
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "mqtt connection without nodelay");
                }
                return stream;
            }
            Err(error) => {
                tracing::warn!(%error, "mqtt could not accept a connection");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

fn log_ended(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "mqtt connection ended by a panic of its handler");
    }
}
