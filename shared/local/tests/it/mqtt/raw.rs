//! A client that sends exactly the bytes it is told to.

use bytes::BytesMut;
use mqtt_proto::{Pid, QoS, QosPid, TopicFilter, TopicName, v3, v5};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::server::{Server, soon};

pub struct Raw {
    stream: TcpStream,
    input: BytesMut,
}

pub fn pid(pid: u16) -> Pid {
    Pid::try_from(pid).unwrap()
}

pub fn filter(filter: &str) -> TopicFilter {
    TopicFilter::try_from(filter).unwrap()
}

pub fn publish_v3(message: QosPid, topic: &str, payload: &[u8]) -> v3::Packet {
    let topic = TopicName::try_from(topic).unwrap();
    v3::Publish::new(message, topic, payload.to_vec().into()).into()
}

pub fn publish_v5(message: QosPid, topic: &str, payload: &[u8]) -> v5::Packet {
    let topic = TopicName::try_from(topic).unwrap();
    v5::Publish::new(message, topic, payload.to_vec().into()).into()
}

pub fn subscribe_v3(id: u16, topic: &str) -> v3::Packet {
    v3::Subscribe::new(pid(id), vec![(filter(topic), QoS::Level1)]).into()
}

impl Raw {
    pub async fn open(server: &Server) -> Self {
        Self { stream: TcpStream::connect(server.addr).await.unwrap(), input: BytesMut::new() }
    }

    /// Connects with MQTT 3.1.1.
    pub async fn v3(server: &Server, client_id: &str) -> Self {
        let mut raw = Self::open(server).await;
        raw.send3(v3::Connect::new(client_id.into(), 0)).await;
        let welcome = v3::Connack::new(false, v3::ConnectReturnCode::Accepted);
        assert_eq!(raw.read3().await, Some(welcome.into()));
        raw
    }

    /// Connects with MQTT 5.
    pub async fn v5(server: &Server, client_id: &str) -> (Self, v5::Connack) {
        let mut raw = Self::open(server).await;
        raw.send5(v5::Connect::new(client_id.into(), 0)).await;
        let Some(v5::Packet::Connack(connack)) = raw.read5().await else { panic!("no CONNACK") };
        assert_eq!(connack.reason_code, v5::ConnectReasonCode::Success);
        (raw, connack)
    }

    pub async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    /// Sends what the server may already refuse to read.
    pub async fn try_send(&mut self, bytes: &[u8]) {
        drop(self.stream.write_all(bytes).await);
    }

    pub async fn send3(&mut self, packet: impl Into<v3::Packet>) {
        self.send(packet.into().encode().unwrap().as_ref()).await;
    }

    pub async fn send5(&mut self, packet: impl Into<v5::Packet>) {
        self.send(packet.into().encode().unwrap().as_ref()).await;
    }

    /// Waits for a packet; none when the server closed the connection.
    pub async fn read3(&mut self) -> Option<v3::Packet> {
        self.read(|bytes| {
            let packet = v3::Packet::decode(bytes).unwrap()?;
            let length = packet.encode_len().unwrap();
            Some((packet, length))
        })
        .await
    }

    /// Waits for a packet; none when the server closed the connection.
    pub async fn read5(&mut self) -> Option<v5::Packet> {
        self.read(|bytes| {
            let packet = v5::Packet::decode(bytes).unwrap()?;
            let length = packet.encode_len().unwrap();
            Some((packet, length))
        })
        .await
    }

    async fn read<P>(&mut self, decode: impl Fn(&[u8]) -> Option<(P, usize)>) -> Option<P> {
        loop {
            if let Some((packet, length)) = decode(&self.input) {
                drop(self.input.split_to(length));
                return Some(packet);
            }
            match soon("a packet", self.stream.read_buf(&mut self.input)).await {
                Ok(0) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    /// Waits until the server has closed the connection, whatever it still says.
    pub async fn closed(&mut self) {
        let mut rest = Vec::new();
        drop(soon("the end of the connection", self.stream.read_to_end(&mut rest)).await);
    }
}
