//! From what the server answers to bytes, for both protocol versions.

use bytes::Bytes;
use mqtt_proto::{Error, Pid, QosPid, TopicName, VarBytes, v3, v5};

use super::{IN_FLIGHT_MAX, PACKET_BYTES_MAX, Refused, codec::Version};

const ENCODES: &str = "a packet of checked strings below the length limit encodes";

fn v3(packet: impl Into<v3::Packet>) -> VarBytes {
    packet.into().encode().expect(ENCODES)
}

fn v5(packet: impl Into<v5::Packet>) -> VarBytes {
    packet.into().encode().expect(ENCODES)
}

/// Says that a client is let in. `resumed` is whether its session was here, and `assigned` the identifier
/// of a client that came without one.
pub(super) fn welcome(version: Version, resumed: bool, assigned: Option<&str>) -> VarBytes {
    const FIXED_HEADER_BYTES_MAX: usize = 5;
    match version {
        Version::V311 => v3(v3::Connack::new(resumed, v3::ConnectReturnCode::Accepted)),
        Version::V5 => {
            let mut connack = v5::Connack::new(resumed, v5::ConnectReasonCode::Success);
            let properties = &mut connack.properties;
            properties.receive_max = u16::try_from(IN_FLIGHT_MAX).ok();
            properties.max_packet_size =
                u32::try_from(PACKET_BYTES_MAX + FIXED_HEADER_BYTES_MAX).ok();
            properties.subscription_id_available = Some(false);
            properties.shared_subscription_available = Some(false);
            properties.assigned_client_id = assigned.map(Into::into);
            v5(connack)
        }
    }
}

/// Why a client is not let in.
#[derive(Debug, Clone, Copy)]
pub(super) enum Denial {
    ClientId,
    Credentials,
    AuthMethod,
}

/// Says that a client is not let in.
pub(super) fn denial(version: Version, why: Denial) -> VarBytes {
    use v3::ConnectReturnCode as Code;
    use v5::ConnectReasonCode as Reason;
    let (code, reason) = match why {
        Denial::ClientId => (Code::IdentifierRejected, Reason::ClientIdentifierNotValid),
        Denial::Credentials => (Code::BadUserNameOrPassword, Reason::BadUserNameOrPassword),
        Denial::AuthMethod => (Code::NotAuthorized, Reason::BadAuthMethod),
    };
    match version {
        Version::V311 => v3(v3::Connack::new(false, code)),
        Version::V5 => v5(v5::Connack::new(false, reason)),
    }
}

/// Says that the protocol is not one that is spoken here, in the form that every client reads.
pub(super) fn other_protocol() -> VarBytes {
    v3(v3::Connack::new(false, v3::ConnectReturnCode::UnacceptableProtocolVersion))
}

/// Acknowledges a message: nothing at QoS 0, PUBACK at 1 and PUBREC at 2.
pub(super) fn taken(version: Version, message: QosPid) -> Option<VarBytes> {
    match (message, version) {
        (QosPid::Level0, _) => None,
        (QosPid::Level1(pid), Version::V311) => Some(v3(v3::Packet::Puback(pid))),
        (QosPid::Level1(pid), Version::V5) => Some(v5(v5::Puback::new_success(pid))),
        (QosPid::Level2(pid), Version::V311) => Some(v3(v3::Packet::Pubrec(pid))),
        (QosPid::Level2(pid), Version::V5) => Some(v5(v5::Pubrec::new_success(pid))),
    }
}

/// Refuses a message for good; none where the protocol has no words for it.
pub(super) fn refused(version: Version, message: QosPid, why: Refused) -> Option<VarBytes> {
    use v5::{PubackReasonCode as Ack, PubrecReasonCode as Rec};
    let (ack, rec) = match why {
        Refused::TryAgain => return None,
        Refused::TooLarge => (Ack::QuotaExceeded, Rec::QuotaExceeded),
        Refused::NotAuthorised => (Ack::NotAuthorized, Rec::NotAuthorized),
        Refused::TopicNotTaken => (Ack::TopicNameInvalid, Rec::TopicNameInvalid),
        Refused::PayloadInvalid => (Ack::PayloadFormatInvalid, Rec::PayloadFormatInvalid),
    };
    match (message, version) {
        (QosPid::Level0, _) | (_, Version::V311) => None,
        (QosPid::Level1(pid), Version::V5) => Some(v5(v5::Puback::new(pid, ack))),
        (QosPid::Level2(pid), Version::V5) => Some(v5(v5::Pubrec::new(pid, rec))),
    }
}

/// Ends a QoS 2 exchange; `known` is whether the message was one that waited for its release.
pub(super) fn released(version: Version, pid: Pid, known: bool) -> VarBytes {
    match version {
        Version::V311 => v3(v3::Packet::Pubcomp(pid)),
        Version::V5 if known => v5(v5::Pubcomp::new_success(pid)),
        Version::V5 => v5(v5::Pubcomp::new(pid, v5::PubcompReasonCode::PacketIdentifierNotFound)),
    }
}

/// What became of one filter of a SUBSCRIBE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subscribed {
    Granted,
    Invalid,
    Shared,
    TooMany,
}

/// Answers a SUBSCRIBE, one outcome a filter.
pub(super) fn subscribed(version: Version, pid: Pid, outcomes: &[Subscribed]) -> VarBytes {
    match version {
        Version::V311 => {
            let codes = outcomes.iter().map(|outcome| match outcome {
                Subscribed::Granted => v3::SubscribeReturnCode::MaxLevel0,
                Subscribed::Invalid | Subscribed::Shared | Subscribed::TooMany => {
                    v3::SubscribeReturnCode::Failure
                }
            });
            v3(v3::Suback::new(pid, codes.collect()))
        }
        Version::V5 => {
            let codes = outcomes.iter().map(|outcome| match outcome {
                Subscribed::Granted => v5::SubscribeReasonCode::GrantedQoS0,
                Subscribed::Invalid => v5::SubscribeReasonCode::TopicFilterInvalid,
                Subscribed::Shared => v5::SubscribeReasonCode::SharedSubscriptionNotSupported,
                Subscribed::TooMany => v5::SubscribeReasonCode::QuotaExceeded,
            });
            v5(v5::Suback::new(pid, codes.collect()))
        }
    }
}

/// Answers an UNSUBSCRIBE, with whether each filter was subscribed.
pub(super) fn unsubscribed(version: Version, pid: Pid, existed: &[bool]) -> VarBytes {
    match version {
        Version::V311 => v3(v3::Packet::Unsuback(pid)),
        Version::V5 => {
            let codes = existed.iter().map(|existed| match existed {
                true => v5::UnsubscribeReasonCode::Success,
                false => v5::UnsubscribeReasonCode::NoSubscriptionExisted,
            });
            v5(v5::Unsuback::new(pid, codes.collect()))
        }
    }
}

/// Answers a PINGREQ.
pub(super) fn pong() -> VarBytes {
    v3(v3::Packet::Pingresp)
}

/// Tells an MQTT 5 client why its connection ends; MQTT 3.1.1 has no words for it.
pub(super) fn goodbye(version: Version, reason: v5::DisconnectReasonCode) -> Option<VarBytes> {
    match version {
        Version::V311 => None,
        Version::V5 => Some(v5(v5::Disconnect::new(reason))),
    }
}

/// Encodes a message for subscribers, at QoS 0.
///
/// # Errors
/// The packet is longer than MQTT allows.
pub(super) fn message(
    version: Version,
    topic: &TopicName,
    payload: &Bytes,
) -> Result<Bytes, Error> {
    let (topic, payload) = (topic.clone(), payload.clone());
    let bytes = match version {
        Version::V311 => {
            v3::Packet::from(v3::Publish::new(QosPid::Level0, topic, payload)).encode()?
        }
        Version::V5 => {
            v5::Packet::from(v5::Publish::new(QosPid::Level0, topic, payload)).encode()?
        }
    };
    Ok(match bytes {
        VarBytes::Dynamic(bytes) => Bytes::from(bytes),
        VarBytes::Fixed2(bytes) => Bytes::copy_from_slice(&bytes),
        VarBytes::Fixed4(bytes) => Bytes::copy_from_slice(&bytes),
    })
}
