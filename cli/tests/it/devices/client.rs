//! An MQTT client that sends what it is told to, right or wrong.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use mqtt_proto::{Pid, v3, v5};

/// After this a client that waits for an answer has failed.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// A message whose topic need not be one.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) topic: Vec<u8>,
    pub(super) payload: Vec<u8>,
}

impl Message {
    pub(super) fn new(topic: &str, payload: &[u8]) -> Self {
        Self { topic: topic.as_bytes().to_vec(), payload: payload.to_vec() }
    }

    /// A PUBLISH, as both versions have it but for MQTT 5's properties, of which there are none.
    fn packet(&self, version: u8, qos: u8, pid: u16) -> Vec<u8> {
        let topic_bytes = u16::try_from(self.topic.len()).expect("two bytes hold the length");
        let mut body = topic_bytes.to_be_bytes().to_vec();
        body.extend(&self.topic);
        if qos > 0 {
            body.extend(pid.to_be_bytes());
        }
        if version == 5 {
            body.push(0);
        }
        body.extend(&self.payload);
        let mut packet = vec![0x30 | qos << 1];
        let mut length = body.len();
        while length > 0x7f {
            packet.push(u8::try_from(length % 0x80).expect("seven bits") | 0x80);
            length /= 0x80;
        }
        packet.push(u8::try_from(length).expect("seven bits"));
        packet.extend(body);
        packet
    }
}

pub(super) fn puback(pid: u16, reason: v5::PubackReasonCode) -> v5::Packet {
    v5::Puback::new(Pid::try_from(pid).unwrap(), reason).into()
}

pub(super) fn goodbye(reason: v5::DisconnectReasonCode) -> v5::Packet {
    v5::Disconnect::new(reason).into()
}

/// A connection that was let in.
pub(super) struct Client {
    stream: TcpStream,
    input: Vec<u8>,
    version: u8,
}

impl Client {
    fn open(address: &str, version: u8, connect: &[u8]) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(ANSWER_WITHIN)).unwrap();
        let mut client = Self { stream, input: Vec::new(), version };
        client.stream.write_all(connect).unwrap();
        client
    }

    pub(super) fn v5(address: &str, id: &str) -> Self {
        let connect = v5::Packet::from(v5::Connect::new(id.into(), 0)).encode().unwrap();
        let mut client = Self::open(address, 5, connect.as_ref());
        let Some(v5::Packet::Connack(connack)) = client.read() else { panic!("no CONNACK") };
        assert_eq!(connack.reason_code, v5::ConnectReasonCode::Success);
        client
    }

    pub(super) fn v3(address: &str, id: &str) -> Self {
        let connect = v3::Packet::from(v3::Connect::new(id.into(), 0)).encode().unwrap();
        let mut client = Self::open(address, 3, connect.as_ref());
        let mut connack = [0; 4];
        client.stream.read_exact(&mut connack).unwrap();
        assert_eq!(connack, *b"\x20\x02\0\0");
        client
    }

    pub(super) fn publish(&mut self, qos: u8, pid: u16, message: &Message) {
        // A server that refuses a packet by its length need not read the rest.
        drop(self.stream.write_all(&message.packet(self.version, qos, pid)));
    }

    /// Publishes and sees that it is acknowledged; to MQTT 5 only.
    pub(super) fn taken(&mut self, qos: u8, message: &Message) {
        self.publish(qos, 9, message);
        let pid = Pid::try_from(9).unwrap();
        if qos == 1 {
            assert_eq!(self.read(), Some(v5::Puback::new_success(pid).into()));
            return;
        }
        assert_eq!(self.read(), Some(v5::Pubrec::new_success(pid).into()));
        let release = v5::Packet::from(v5::Pubrel::new_success(pid)).encode().unwrap();
        self.stream.write_all(release.as_ref()).unwrap();
        assert_eq!(self.read(), Some(v5::Pubcomp::new_success(pid).into()));
    }

    /// Sees that the connection lives and that nothing else was said.
    pub(super) fn pings(&mut self) {
        self.stream.write_all(b"\xc0\0").unwrap();
        assert_eq!(self.read(), Some(v5::Packet::Pingresp));
    }

    /// The next packet of MQTT 5; none when the server closed the connection.
    pub(super) fn read(&mut self) -> Option<v5::Packet> {
        loop {
            if let Some(packet) = v5::Packet::decode(&self.input).unwrap() {
                self.input.drain(..packet.encode_len().unwrap());
                return Some(packet);
            }
            let mut bytes = [0; 4_096];
            match self.stream.read(&mut bytes) {
                Ok(0) => return None,
                Ok(read) => self.input.extend(&bytes[..read]),
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return None,
                Err(error) => panic!("no answer: {error}"),
            }
        }
    }

    /// Publishes, and gives all that the server says until it closes the connection.
    pub(super) fn last_words(mut self, qos: u8, message: &Message) -> Vec<u8> {
        self.publish(qos, 7, message);
        let mut words = Vec::new();
        match self.stream.read_to_end(&mut words) {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset),
        }
        words
    }
}
