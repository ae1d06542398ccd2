//! From bytes to what a client asks, for both protocol versions.
//!
//! The packets themselves are read by `mqtt-proto`; this file cuts the stream into frames, so that a
//! packet that is too large is refused before it is read, and makes one type of the two versions'.

use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use mqtt_proto::{Pid, Protocol, QosPid, TopicFilter, TopicName, v3, v5};

use super::{PACKET_BYTES_MAX, fault::Fault};

/// The first byte of a CONNECT.
pub(super) const CONNECT: u8 = 0x10;

/// The protocol of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    V311,
    V5,
}

/// One packet as it came: the first byte, and all that follows the length.
#[derive(Debug)]
pub(super) struct Frame {
    first: u8,
    body: Bytes,
}

/// A CONNECT of either version.
#[derive(Debug)]
pub(super) struct Connect {
    pub(super) version: Version,
    pub(super) client_id: String,
    /// Whether an earlier session is forgotten.
    pub(super) clean: bool,
    /// How long the session outlives the connection.
    pub(super) kept: Duration,
    pub(super) keep_alive_secs: u16,
    pub(super) user: Option<String>,
    pub(super) password: Option<Bytes>,
    /// Whether MQTT 5's enhanced authentication is asked for.
    pub(super) has_auth_method: bool,
    /// Bytes of the largest packet that the client takes.
    pub(super) packet_bytes_max: usize,
}

/// The first packet of a connection.
#[derive(Debug)]
pub(super) enum First {
    Connect(Box<Connect>),
    /// A CONNECT of a protocol that is neither 3.1.1 nor 5.
    OtherProtocol,
}

/// A PUBLISH of either version.
#[derive(Debug)]
pub(super) struct Publish {
    pub(super) dup: bool,
    pub(super) retain: bool,
    pub(super) qos_pid: QosPid,
    pub(super) topic: TopicName,
    pub(super) payload: Bytes,
}

/// A packet after the CONNECT.
#[derive(Debug)]
pub(super) enum Packet {
    Publish(Publish),
    Release(Pid),
    /// Filters, each with whether the client leaves out its own messages.
    Subscribe(Pid, Vec<(TopicFilter, bool)>),
    Unsubscribe(Pid, Vec<TopicFilter>),
    Ping,
    Disconnect,
    /// An acknowledgement, which the server never waits for.
    Ack,
}

/// Takes the next whole frame off the front of `input`; none when bytes are missing.
///
/// # Errors
/// A length that is not one, or above [`PACKET_BYTES_MAX`].
pub(super) fn take_frame(input: &mut BytesMut) -> Result<Option<Frame>, Fault> {
    const LENGTH_BYTES_MAX: usize = 4;
    let Some(&first) = input.first() else { return Ok(None) };
    let mut length = 0_usize;
    for at in 0..LENGTH_BYTES_MAX {
        let Some(&byte) = input.get(1 + at) else { return Ok(None) };
        length |= usize::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 != 0 {
            continue;
        }
        if length > PACKET_BYTES_MAX {
            return Err(Fault::TooLarge { bytes: length });
        }
        let header = 2 + at;
        if input.len() < header + length {
            return Ok(None);
        }
        input.advance(header);
        return Ok(Some(Frame { first, body: input.split_to(length).freeze() }));
    }
    Err(mqtt_proto::Error::InvalidVarByteInt.into())
}

impl Frame {
    fn remaining_len(&self) -> Result<u32, Fault> {
        u32::try_from(self.body.len()).map_err(|_| Fault::TooLarge { bytes: self.body.len() })
    }

    /// Reads the first packet of a connection, which must be a CONNECT.
    pub(super) fn first(&self) -> Result<First, Fault> {
        if self.first != CONNECT {
            return Err(Fault::Protocol("the first packet is not a CONNECT"));
        }
        let (body, at) = (&self.body[..], &mut 0);
        let connect = match Protocol::decode(body, at) {
            Ok(Protocol::V500) => {
                let length = self.remaining_len()?;
                let header = v5::Header::new_with(self.first, length, length)?;
                Connect::from(v5::Connect::decode(body, &mut 0, header)?)
            }
            Ok(Protocol::V311) => {
                let connect = v3::Connect::decode_buffer_with_protocol(body, at, Protocol::V311)?;
                if *at != body.len() || (connect.username.is_none() && connect.password.is_some()) {
                    return Err(Fault::BadForm);
                }
                Connect::from(connect)
            }
            Ok(Protocol::V310) | Err(mqtt_proto::Error::InvalidProtocol(..)) => {
                return Ok(First::OtherProtocol);
            }
            Err(error) => return Err(error.into()),
        };
        Ok(First::Connect(Box::new(connect)))
    }

    /// Reads a packet that follows the CONNECT.
    pub(super) fn packet(&self, version: Version) -> Result<Packet, Fault> {
        let mut at = 0;
        let packet = match version {
            Version::V311 => self.packet_v3(&mut at)?,
            Version::V5 => self.packet_v5(&mut at)?,
        };
        if at == self.body.len() { Ok(packet) } else { Err(Fault::BadForm) }
    }

    fn packet_v3(&self, at: &mut usize) -> Result<Packet, Fault> {
        let length = self.remaining_len()?;
        let header = v3::Header::new_with(self.first, length, length)?;
        let body = &self.body[..];
        match header.typ {
            v3::PacketType::Publish => {
                let publish = v3::Publish::decode(body, at, header)?;
                let v3::Publish { dup, retain, qos_pid, topic_name: topic, payload } = publish;
                publish_of(Publish { dup, retain, qos_pid, topic, payload })
            }
            v3::PacketType::Pubrel => pid(body, at).map(Packet::Release),
            v3::PacketType::Subscribe => {
                let v3::Subscribe { pid, topics } = v3::Subscribe::decode(body, at, header)?;
                let filters = topics.into_iter().map(|(filter, _)| (filter, false)).collect();
                Ok(Packet::Subscribe(pid, filters))
            }
            v3::PacketType::Unsubscribe => {
                let v3::Unsubscribe { pid, topics } = v3::Unsubscribe::decode(body, at, header)?;
                Ok(Packet::Unsubscribe(pid, topics))
            }
            v3::PacketType::Pingreq => Ok(Packet::Ping),
            v3::PacketType::Disconnect => Ok(Packet::Disconnect),
            v3::PacketType::Puback | v3::PacketType::Pubrec | v3::PacketType::Pubcomp => {
                pid(body, at).map(|_| Packet::Ack)
            }
            v3::PacketType::Connect => Err(Fault::Protocol("a second CONNECT")),
            v3::PacketType::Connack
            | v3::PacketType::Suback
            | v3::PacketType::Unsuback
            | v3::PacketType::Pingresp => Err(Fault::Protocol("a packet that only servers send")),
        }
    }

    fn packet_v5(&self, at: &mut usize) -> Result<Packet, Fault> {
        let length = self.remaining_len()?;
        let header = v5::Header::new_with(self.first, length, length)?;
        let body = &self.body[..];
        match header.typ {
            v5::PacketType::Publish => publish_v5(v5::Publish::decode(body, at, header)?),
            v5::PacketType::Pubrel => {
                Ok(Packet::Release(v5::Pubrel::decode(body, at, header)?.pid))
            }
            v5::PacketType::Subscribe => {
                let subscribe = v5::Subscribe::decode(body, at, header)?;
                if subscribe.properties.subscription_id.is_some() {
                    return Err(Fault::SubscriptionId);
                }
                let filters = subscribe.topics.into_iter();
                let filters = filters.map(|(filter, options)| (filter, options.no_local)).collect();
                Ok(Packet::Subscribe(subscribe.pid, filters))
            }
            v5::PacketType::Unsubscribe => {
                let unsubscribe = v5::Unsubscribe::decode(body, at, header)?;
                Ok(Packet::Unsubscribe(unsubscribe.pid, unsubscribe.topics))
            }
            v5::PacketType::Pingreq => Ok(Packet::Ping),
            v5::PacketType::Disconnect => {
                v5::Disconnect::decode(body, at, header)?;
                Ok(Packet::Disconnect)
            }
            v5::PacketType::Puback => {
                v5::Puback::decode(body, at, header)?;
                Ok(Packet::Ack)
            }
            v5::PacketType::Pubrec => {
                v5::Pubrec::decode(body, at, header)?;
                Ok(Packet::Ack)
            }
            v5::PacketType::Pubcomp => {
                v5::Pubcomp::decode(body, at, header)?;
                Ok(Packet::Ack)
            }
            v5::PacketType::Connect => Err(Fault::Protocol("a second CONNECT")),
            v5::PacketType::Connack
            | v5::PacketType::Suback
            | v5::PacketType::Unsuback
            | v5::PacketType::Pingresp
            | v5::PacketType::Auth => {
                Err(Fault::Protocol("a packet that clients do not send here"))
            }
        }
    }
}

fn pid(body: &[u8], at: &mut usize) -> Result<Pid, Fault> {
    let (bytes, _) = body.split_first_chunk::<2>().ok_or(Fault::BadForm)?;
    *at = 2;
    Ok(Pid::try_from(u16::from_be_bytes(*bytes))?)
}

fn publish_v5(publish: v5::Publish) -> Result<Packet, Fault> {
    if publish.properties.topic_alias.is_some() {
        return Err(Fault::TopicAlias);
    }
    if publish.properties.subscription_id.is_some() {
        return Err(Fault::Protocol("a subscription identifier in a client's PUBLISH"));
    }
    let v5::Publish { dup, retain, qos_pid, topic_name: topic, payload, properties: _ } = publish;
    publish_of(Publish { dup, retain, qos_pid, topic, payload })
}

/// Checks what the decoder leaves to its caller.
fn publish_of(publish: Publish) -> Result<Packet, Fault> {
    if publish.topic.is_empty() {
        return Err(Fault::TopicName);
    }
    if publish.dup && publish.qos_pid == QosPid::Level0 {
        return Err(Fault::Protocol("a QoS 0 message that says it was sent before"));
    }
    Ok(Packet::Publish(publish))
}

impl From<v3::Connect> for Connect {
    fn from(connect: v3::Connect) -> Self {
        Self {
            version: Version::V311,
            client_id: connect.client_id.as_ref().to_owned(),
            clean: connect.clean_session,
            kept: if connect.clean_session { Duration::ZERO } else { Duration::MAX },
            keep_alive_secs: connect.keep_alive,
            user: connect.username.map(|user| user.as_ref().to_owned()),
            password: connect.password,
            has_auth_method: false,
            packet_bytes_max: usize::MAX,
        }
    }
}

impl From<v5::Connect> for Connect {
    fn from(connect: v5::Connect) -> Self {
        let packet_bytes_max = connect.properties.max_packet_size.unwrap_or(u32::MAX);
        Self {
            version: Version::V5,
            client_id: connect.client_id.as_ref().to_owned(),
            clean: connect.clean_start,
            kept: match connect.properties.session_expiry_interval {
                None => Duration::ZERO,
                Some(u32::MAX) => Duration::MAX,
                Some(secs) => Duration::from_secs(secs.into()),
            },
            keep_alive_secs: connect.keep_alive,
            user: connect.username.map(|user| user.as_ref().to_owned()),
            password: connect.password,
            has_auth_method: connect.properties.auth_method.is_some(),
            packet_bytes_max: usize::try_from(packet_bytes_max).unwrap_or(usize::MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    #[test]
    fn a_frame_is_cut_only_when_it_is_whole() {
        let packet = v3::Packet::Publish(v3::Publish::new(
            QosPid::Level0,
            TopicName::try_from("a/b").unwrap(),
            vec![7; 300].into(),
        ));
        let bytes = packet.encode().unwrap();
        let bytes = bytes.as_ref();
        for cut in 0..bytes.len() {
            let mut input = BytesMut::from(&bytes[..cut]);
            assert!(take_frame(&mut input).unwrap().is_none());
            assert_eq!(input.len(), cut);
        }
        let mut input = BytesMut::from(bytes);
        input.extend_from_slice(b"\xc0");
        let frame = take_frame(&mut input).unwrap().unwrap();
        assert!(matches!(frame.packet(Version::V311), Ok(Packet::Publish(_))));
        assert_eq!(&input[..], b"\xc0");
    }

    #[test]
    fn a_length_is_refused_before_its_bytes_come() {
        let cases: [(&[u8], bool); 4] = [
            (b"\x30\xff\xff\xff\x7f", true),
            (b"\x30\xff\xff\xff\xff", false),
            (b"\x30\x81\x80\x20", true),
            (b"\x30\x80\x80\x80\x80\x01", false),
        ];
        for (bytes, too_large) in cases {
            let fault = take_frame(&mut BytesMut::from(bytes)).unwrap_err();
            assert_eq!(matches!(fault, Fault::TooLarge { .. }), too_large, "{bytes:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_096))]

        #[test]
        fn no_bytes_make_the_decoder_panic(first in any::<u8>(), body in vec(any::<u8>(), 0..64)) {
            let frame = Frame { first, body: body.into() };
            drop((frame.first(), frame.packet(Version::V311), frame.packet(Version::V5)));
        }

        #[test]
        fn no_change_of_a_real_packet_makes_the_decoder_panic(
            at in any::<prop::sample::Index>(), byte in any::<u8>(), which in 0..2_usize,
        ) {
            let mut connect = v5::Connect::new("a".into(), 30);
            connect.properties.receive_max = Some(9);
            connect.username = Some("user".into());
            let topic = TopicName::try_from("a/b").unwrap();
            let mut publish = v5::Publish::new(QosPid::Level1(Pid::default()), topic, "21".into());
            publish.properties.payload_is_utf8 = Some(true);
            publish.properties.content_type = Some("text/plain".into());
            let packets = [v5::Packet::from(connect), v5::Packet::from(publish)];
            let bytes = packets[which].encode().unwrap();
            let mut body = bytes.as_ref()[2..].to_vec();
            let at = at.index(body.len());
            body[at] = byte;
            let frame = Frame { first: bytes.as_ref()[0], body: body.into() };
            drop((frame.first(), frame.packet(Version::V5)));
        }
    }
}
