//! Why a connection ends.

use std::io;

use mqtt_proto::v5::{DisconnectReasonCode as Reason, ErrorV5};
use sop_runtime::report::chain;

/// What ends a connection. None of it is an error of the server.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error("the client said goodbye")]
    Disconnected,
    #[error("the connection broke")]
    Io(#[from] io::Error),
    #[error("the client did not send its CONNECT in time")]
    NoConnect,
    #[error("the client was not let in: {0}")]
    NotAdmitted(&'static str),
    #[error("malformed packet")]
    Malformed(#[from] ErrorV5),
    #[error("malformed packet")]
    BadForm,
    #[error("protocol error: {0}")]
    Protocol(&'static str),
    #[error("a packet of {bytes} bytes is too large")]
    TooLarge { bytes: usize },
    #[error("the topic name is not valid")]
    TopicName,
    #[error("topic aliases are not supported")]
    TopicAlias,
    #[error("subscription identifiers are not supported")]
    SubscriptionId,
    #[error("too many QoS 2 messages wait for their release")]
    TooManyUnreleased,
    #[error("a message could not be stored")]
    TryAgain,
    #[error("a message was refused")]
    Refused,
    #[error("the keep-alive passed")]
    KeepAlive,
    #[error("another connection has the same client identifier")]
    TakenOver,
    #[error("the client does not read")]
    NotReading,
    #[error("the server is shutting down")]
    ShuttingDown,
}

impl From<mqtt_proto::Error> for Fault {
    fn from(error: mqtt_proto::Error) -> Self {
        Self::Malformed(error.into())
    }
}

impl Fault {
    /// Whether the client sent what is not taken; else the connection ended as connections do, or the
    /// handler has told why.
    pub(super) fn is_refusal(&self) -> bool {
        match self {
            Self::NotAdmitted(_)
            | Self::Malformed(_)
            | Self::BadForm
            | Self::Protocol(_)
            | Self::TooLarge { .. }
            | Self::TopicName
            | Self::TopicAlias
            | Self::SubscriptionId
            | Self::TooManyUnreleased => true,
            Self::Disconnected
            | Self::Io(_)
            | Self::NoConnect
            | Self::TryAgain
            | Self::Refused
            | Self::KeepAlive
            | Self::TakenOver
            | Self::NotReading
            | Self::ShuttingDown => false,
        }
    }

    /// The fault with its cause, for the log: client's text in it is cut.
    pub(super) fn shown(&self) -> String {
        const SHOWN_CHARS_MAX: usize = 200;
        chain(self).chars().take(SHOWN_CHARS_MAX).collect()
    }

    /// The reason that an MQTT 5 client is told; none when there is nobody to tell.
    pub(super) fn reason(&self) -> Option<Reason> {
        match self {
            Self::Disconnected
            | Self::Io(_)
            | Self::NoConnect
            | Self::NotAdmitted(_)
            | Self::NotReading => None,
            Self::Malformed(ErrorV5::Common(mqtt_proto::Error::InvalidTopicName(_)))
            | Self::TopicName => Some(Reason::TopicNameInvalid),
            Self::Malformed(ErrorV5::Common(mqtt_proto::Error::InvalidTopicFilter(_))) => {
                Some(Reason::TopicFilterInvalid)
            }
            Self::Malformed(ErrorV5::InvalidPayloadFormat) => Some(Reason::PayloadFormatInvalid),
            Self::Malformed(_) | Self::BadForm => Some(Reason::MalformedPacket),
            Self::Protocol(_) => Some(Reason::ProtocolError),
            Self::TooLarge { .. } => Some(Reason::PacketTooLarge),
            Self::TopicAlias => Some(Reason::TopicAliasInvalid),
            Self::SubscriptionId => Some(Reason::SubscriptionIdentifiersNotSupported),
            Self::TooManyUnreleased => Some(Reason::ReceiveMaximumExceeded),
            Self::TryAgain => Some(Reason::ServerBusy),
            Self::Refused => Some(Reason::ImplementationSpecificError),
            Self::KeepAlive => Some(Reason::KeepAliveTimeout),
            Self::TakenOver => Some(Reason::SessionTakenOver),
            Self::ShuttingDown => Some(Reason::ServerShuttingDown),
        }
    }
}
