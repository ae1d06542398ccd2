//! The protocol's rules, packet by packet.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use mqtt_proto::{QoS, QosPid, TopicName, v3, v5};
use sop_local::mqtt::{Credentials, IN_FLIGHT_MAX, PACKET_BYTES_MAX, Refused};
use tokio::sync::{Semaphore, mpsc};

use super::{
    raw::{Raw, filter, pid, publish_v3, publish_v5, subscribe_v3},
    server::{Server, soon},
};

fn disconnect(reason: v5::DisconnectReasonCode) -> Option<v5::Packet> {
    Some(v5::Disconnect::new(reason).into())
}

#[tokio::test]
async fn a_client_without_an_identifier_gets_one() {
    let server = Server::accepting().await;
    let (_first, connack) = Raw::v5(&server, "").await;
    let (_second, other) = Raw::v5(&server, "").await;
    let assigned = connack.properties.assigned_client_id;
    assert!(assigned.as_deref().is_some_and(|id| !id.is_empty()));
    assert_ne!(assigned, other.properties.assigned_client_id);
    assert_eq!(connack.properties.receive_max, Some(64));
    assert!(connack.properties.max_packet_size > Some(256 * 1024));
    let (_named, connack) = Raw::v5(&server, "named").await;
    assert_eq!(connack.properties.assigned_client_id, None);
    Raw::v3(&server, "").await;
}

#[tokio::test]
async fn the_first_packet_is_judged() {
    use v3::ConnectReturnCode as Code;
    let server = Server::accepting().await;
    let mut unnamed = v3::Connect::new("".into(), 0);
    unnamed.clean_session = false;
    let long = v3::Connect::new("x".repeat(1_000).into(), 0);
    let encode = |connect: v3::Connect| v3::Packet::from(connect).encode().unwrap();
    let cases = [
        (encode(unnamed).as_ref().to_vec(), Some(Code::IdentifierRejected)),
        (encode(long).as_ref().to_vec(), Some(Code::IdentifierRejected)),
        (b"\x10\x0e\0\x06MQIsdp\x03\x02\0\0\0\0".to_vec(), Some(Code::UnacceptableProtocolVersion)),
        (b"\x10\x0c\0\x04MQTT\x06\x02\0\0\0\0".to_vec(), Some(Code::UnacceptableProtocolVersion)),
        (b"\x10\x0c\0\x04MQTT\x04\x03\0\0\0\0".to_vec(), None), // the reserved flag
        (b"\x10\x0e\0\x04MQTT\x04\x42\0\0\0\0\0\0".to_vec(), None), // a password without a user
        (b"\x10\x0d\0\x04MQTT\x04\x02\0\0\0\0\0".to_vec(), None), // a byte too many
        (b"\x11\x0c\0\x04MQTT\x04\x02\0\0\0\0".to_vec(), None), // flags of the packet type
        (b"\xc0\0".to_vec(), None),                             // a PINGREQ
        (b"GET / HTTP/1.1\r\n\r\n".to_vec(), None),
        (b"\x10\xff\xff\xff\xff\x7f".to_vec(), None),
        (b"\x10\xff\xff\xff\x7f".to_vec(), None),
    ];
    for (bytes, code) in cases {
        let mut raw = Raw::open(&server).await;
        raw.send(&bytes).await;
        let expected = code.map(|code| v3::Connack::new(false, code).into());
        assert_eq!(raw.read3().await, expected, "{bytes:?}");
        raw.closed().await;
    }
}

#[tokio::test]
async fn credentials_are_asked_for() {
    let credentials = Credentials::new("device", "secret");
    let server = Server::start_with(Some(credentials), |_| async { Ok(()) }).await;
    let cases = [
        (None, None, v5::ConnectReasonCode::BadUserNameOrPassword),
        (Some("device"), None, v5::ConnectReasonCode::BadUserNameOrPassword),
        (Some("device"), Some("wrong!"), v5::ConnectReasonCode::BadUserNameOrPassword),
        (Some("other!"), Some("secret"), v5::ConnectReasonCode::BadUserNameOrPassword),
        (Some("device"), Some("secret"), v5::ConnectReasonCode::Success),
    ];
    for (user, password, reason) in cases {
        let mut raw = Raw::open(&server).await;
        let mut connect = v5::Connect::new("a".into(), 0);
        connect.username = user.map(Into::into);
        connect.password = password.map(Into::into);
        raw.send5(connect).await;
        let Some(v5::Packet::Connack(connack)) = raw.read5().await else { panic!("no CONNACK") };
        assert_eq!(connack.reason_code, reason, "{user:?} {password:?}");
    }
}

#[tokio::test]
async fn a_second_connection_takes_the_identifier_over() {
    let server = Server::accepting().await;
    let (mut first, _) = Raw::v5(&server, "twin").await;
    let (mut second, _) = Raw::v5(&server, "twin").await;
    assert_eq!(first.read5().await, disconnect(v5::DisconnectReasonCode::SessionTakenOver));
    first.closed().await;
    second.send5(v5::Packet::Pingreq).await;
    assert_eq!(second.read5().await, Some(v5::Packet::Pingresp));
    let mut third = Raw::v3(&server, "twin").await;
    second.closed().await;
    third.send3(v3::Packet::Pingreq).await;
    assert_eq!(third.read3().await, Some(v3::Packet::Pingresp));
}

#[tokio::test]
async fn a_silent_client_is_let_go_after_its_keep_alive() {
    let server = Server::accepting().await;
    let mut raw = Raw::open(&server).await;
    raw.send5(v5::Connect::new("quiet".into(), 1)).await;
    assert!(matches!(raw.read5().await, Some(v5::Packet::Connack(_))));
    assert_eq!(raw.read5().await, disconnect(v5::DisconnectReasonCode::KeepAliveTimeout));
    raw.closed().await;
}

#[tokio::test]
async fn what_breaks_the_rules_ends_the_connection() {
    use v5::DisconnectReasonCode as Reason;
    let server = Server::accepting().await;
    let connect = v5::Packet::from(v5::Connect::new("a".into(), 0)).encode().unwrap();
    let mut too_large = vec![0x30];
    let length = PACKET_BYTES_MAX + 1;
    too_large.extend([length as u8 | 0x80, (length >> 7) as u8 | 0x80, (length >> 14) as u8]);
    too_large.resize(too_large.len() + length, b'x');
    let mut alias = v5::Publish::new(QosPid::Level0, TopicName::try_from("a").unwrap(), "".into());
    alias.properties.topic_alias = Some(1);
    let alias = v5::Packet::from(alias).encode().unwrap();
    let cases: [(&[u8], Reason); 14] = [
        (connect.as_ref(), Reason::ProtocolError),
        (&too_large, Reason::PacketTooLarge),
        (b"\x30\x06\0\x03a/+\0", Reason::TopicNameInvalid),
        (b"\x30\x04\0\x01#\0", Reason::TopicNameInvalid),
        (b"\x30\x04\0\x01\0\0", Reason::TopicNameInvalid),
        (b"\x30\x03\0\0\0", Reason::TopicNameInvalid),
        (b"\x30\x04\0\x01\xff\0", Reason::MalformedPacket),
        (b"\x32\x06\0\x01a\0\0\0", Reason::MalformedPacket), // packet identifier 0
        (b"\x36\x06\0\x01a\0\x01\0", Reason::MalformedPacket), // QoS 3
        (alias.as_ref(), Reason::TopicAliasInvalid),
        (b"\x82\x06\0\x01\0\0\0\0", Reason::TopicFilterInvalid), // an empty filter
        (b"\x82\x08\0\x01\0\0\x03a/#\x40", Reason::MalformedPacket), // a reserved option
        (b"\xf0\0", Reason::ProtocolError),                      // AUTH
        (b"\xd0\0", Reason::ProtocolError),                      // PINGRESP
    ];
    for (bytes, reason) in cases {
        let (mut raw, _) = Raw::v5(&server, "").await;
        raw.try_send(bytes).await;
        assert_eq!(raw.read5().await, disconnect(reason), "{:?}", &bytes[..bytes.len().min(12)]);
        raw.closed().await;
        if bytes != alias.as_ref() {
            let mut raw = Raw::v3(&server, "").await;
            raw.try_send(bytes).await;
            assert_eq!(raw.read3().await, None);
        }
    }
}

#[tokio::test]
async fn a_refusal_is_told_to_mqtt_5_and_ends_a_3_1_1_connection() {
    let cases = [
        (Refused::TooLarge, v5::PubackReasonCode::QuotaExceeded),
        (Refused::NotAuthorised, v5::PubackReasonCode::NotAuthorized),
        (Refused::TopicNotTaken, v5::PubackReasonCode::TopicNameInvalid),
        (Refused::PayloadInvalid, v5::PubackReasonCode::PayloadFormatInvalid),
    ];
    for (why, reason) in cases {
        let server = Server::start(move |_| async move { Err(why) }).await;
        let (mut raw, _) = Raw::v5(&server, "a").await;
        raw.send5(publish_v5(QosPid::Level0, "a", b"")).await;
        raw.send5(publish_v5(QosPid::Level1(pid(7)), "a", b"")).await;
        assert_eq!(raw.read5().await, Some(v5::Puback::new(pid(7), reason).into()));
        raw.send5(publish_v5(QosPid::Level2(pid(8)), "a", b"")).await;
        let Some(v5::Packet::Pubrec(pubrec)) = raw.read5().await else { panic!("no PUBREC") };
        assert_eq!(pubrec.reason_code as u8, reason as u8);
        let mut raw = Raw::v3(&server, "b").await;
        raw.send3(publish_v3(QosPid::Level0, "a", b"")).await;
        raw.send3(v3::Packet::Pingreq).await;
        assert_eq!(raw.read3().await, Some(v3::Packet::Pingresp));
        raw.send3(publish_v3(QosPid::Level1(pid(7)), "a", b"")).await;
        assert_eq!(raw.read3().await, None);
    }
}

#[tokio::test]
async fn acknowledgements_come_in_the_order_of_receipt() {
    let gates: Arc<Vec<_>> = Arc::new((0..3).map(|_| Semaphore::new(0)).collect());
    let (started, mut starts) = mpsc::unbounded_channel();
    let (handler_gates, done) = (Arc::clone(&gates), Arc::new(Semaphore::new(0)));
    let handler_done = Arc::clone(&done);
    let server = Server::start(move |published| {
        let (gates, done) = (Arc::clone(&handler_gates), Arc::clone(&handler_done));
        let at = usize::from(published.payload[0]);
        started.send(at).unwrap();
        async move {
            gates[at].acquire().await.unwrap().forget();
            done.add_permits(1);
            Ok(())
        }
    })
    .await;
    let mut raw = Raw::v3(&server, "a").await;
    for at in 0..3 {
        let message = QosPid::Level1(pid(10 + u16::from(at)));
        raw.send3(publish_v3(message, "a", &[at])).await;
        assert_eq!(soon("the handler", starts.recv()).await, Some(usize::from(at)));
    }
    gates[2].add_permits(1);
    gates[1].add_permits(1);
    soon("two answers", done.acquire_many(2)).await.unwrap().forget();
    raw.send3(v3::Packet::Pingreq).await;
    assert_eq!(raw.read3().await, Some(v3::Packet::Pingresp));
    gates[0].add_permits(1);
    for at in 10..13 {
        assert_eq!(raw.read3().await, Some(v3::Packet::Puback(pid(at))));
    }
}

#[tokio::test]
async fn no_more_than_the_bound_is_with_the_handler() {
    let (gate, with_handler) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicUsize::new(0)));
    let (opened, counted) = (Arc::clone(&gate), Arc::clone(&with_handler));
    let server = Server::start(move |_| {
        assert!(counted.fetch_add(1, Ordering::SeqCst) < IN_FLIGHT_MAX);
        let (gate, counted) = (Arc::clone(&opened), Arc::clone(&counted));
        async move {
            gate.acquire().await.unwrap().forget();
            counted.fetch_sub(1, Ordering::SeqCst);
            Ok(())
        }
    })
    .await;
    let mut raw = Raw::v3(&server, "a").await;
    let messages = u16::try_from(3 * IN_FLIGHT_MAX).unwrap();
    for at in 1..=messages {
        raw.send3(publish_v3(QosPid::Level1(pid(at)), "a", b"x")).await;
    }
    gate.add_permits(usize::from(messages));
    for at in 1..=messages {
        assert_eq!(raw.read3().await, Some(v3::Packet::Puback(pid(at))));
    }
}

#[tokio::test]
async fn a_qos_2_message_is_handled_once_until_its_release() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let server = Server::start(move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
        async { Ok(()) }
    })
    .await;
    let mut raw = Raw::v3(&server, "a").await;
    for expected in 1..=2 {
        for _ in 0..3 {
            raw.send3(publish_v3(QosPid::Level2(pid(5)), "a", b"x")).await;
            assert_eq!(raw.read3().await, Some(v3::Packet::Pubrec(pid(5))));
        }
        for _ in 0..2 {
            raw.send3(v3::Packet::Pubrel(pid(5))).await;
            assert_eq!(raw.read3().await, Some(v3::Packet::Pubcomp(pid(5))));
        }
        assert_eq!(calls.load(Ordering::SeqCst), expected);
    }
    let (mut raw, _) = Raw::v5(&server, "b").await;
    raw.send5(v5::Pubrel::new_success(pid(9))).await;
    let reason = v5::PubcompReasonCode::PacketIdentifierNotFound;
    assert_eq!(raw.read5().await, Some(v5::Pubcomp::new(pid(9), reason).into()));
}

#[tokio::test]
async fn a_session_is_found_again() {
    let server = Server::accepting().await;
    let connect = |clean| {
        let mut connect = v3::Connect::new("a".into(), 0);
        connect.clean_session = clean;
        connect
    };
    let accepted = |present| {
        Some(v3::Packet::from(v3::Connack::new(present, v3::ConnectReturnCode::Accepted)))
    };
    let mut keeper = Raw::open(&server).await;
    keeper.send3(connect(false)).await;
    assert_eq!(keeper.read3().await, accepted(false));
    keeper.send3(subscribe_v3(1, "news")).await;
    assert!(matches!(keeper.read3().await, Some(v3::Packet::Suback(_))));
    keeper.send3(publish_v3(QosPid::Level2(pid(5)), "a", b"x")).await;
    assert_eq!(keeper.read3().await, Some(v3::Packet::Pubrec(pid(5))));
    // Once after a goodbye, once by taking over.
    keeper.send3(v3::Packet::Disconnect).await;
    keeper.closed().await;
    for _ in 0..2 {
        let mut again = Raw::open(&server).await;
        again.send3(connect(false)).await;
        assert_eq!(again.read3().await, accepted(true));
        assert_eq!(server.publisher.publish("news", "1"), 1);
        assert_eq!(again.read3().await, Some(publish_v3(QosPid::Level0, "news", b"1")));
        keeper = again;
    }
    keeper.send3(v3::Packet::Pubrel(pid(5))).await;
    assert_eq!(keeper.read3().await, Some(v3::Packet::Pubcomp(pid(5))));
    let mut anew = Raw::open(&server).await;
    anew.send3(connect(true)).await;
    assert_eq!(anew.read3().await, accepted(false));
    assert_eq!(server.publisher.publish("news", "2"), 0);
    let mut last = Raw::open(&server).await;
    last.send3(connect(false)).await;
    assert_eq!(last.read3().await, accepted(false));
}

#[tokio::test]
async fn filters_match_by_the_letter() {
    let cases = [
        ("a/#", "a", 1),
        ("a/#", "a/b/c", 1),
        ("a/#", "ab", 0),
        ("a/+", "a", 0),
        ("a/+", "a/", 1),
        ("a/+/c", "a/b/c", 1),
        ("+", "/", 0),
        ("+/+", "/", 1),
        ("#", "$SYS/load", 0),
        ("+/load", "$SYS/load", 0),
        ("$SYS/#", "$SYS/load", 1),
        ("A", "a", 0),
    ];
    let server = Server::accepting().await;
    let mut raw = Raw::v3(&server, "a").await;
    for (wanted, topic, reached) in cases {
        raw.send3(subscribe_v3(1, wanted)).await;
        assert!(matches!(raw.read3().await, Some(v3::Packet::Suback(_))));
        assert_eq!(server.publisher.publish(topic, ""), reached, "{wanted} and {topic}");
        raw.send3(v3::Unsubscribe::new(pid(2), vec![filter(wanted)])).await;
        while raw.read3().await != Some(v3::Packet::Unsuback(pid(2))) {}
        assert_eq!(server.publisher.publish(topic, ""), 0);
    }
}

#[tokio::test]
async fn subscriptions_are_bounded_and_not_shared() {
    let server = Server::accepting().await;
    let (mut raw, _) = Raw::v5(&server, "a").await;
    let own =
        v5::SubscriptionOptions { no_local: true, ..v5::SubscriptionOptions::new(QoS::Level0) };
    // The library that encodes lets `a/+b` through.
    let mut topics = vec![(filter("$share/g/a"), own), (filter("a/+b"), own), (filter("own"), own)];
    topics.extend((0..200).map(|at| (filter(&format!("f/{at}")), own)));
    raw.send5(v5::Subscribe::new(pid(1), topics)).await;
    let Some(v5::Packet::Suback(suback)) = raw.read5().await else { panic!("no SUBACK") };
    let granted = |code: &&v5::SubscribeReasonCode| **code == v5::SubscribeReasonCode::GrantedQoS0;
    assert_eq!(suback.topics[0], v5::SubscribeReasonCode::SharedSubscriptionNotSupported);
    assert_eq!(suback.topics[1], v5::SubscribeReasonCode::TopicFilterInvalid);
    assert_eq!(suback.topics.iter().filter(granted).count(), 128);
    assert_eq!(suback.topics[202], v5::SubscribeReasonCode::QuotaExceeded);
    raw.send5(publish_v5(QosPid::Level1(pid(2)), "own", b"x")).await;
    assert_eq!(raw.read5().await, Some(v5::Puback::new_success(pid(2)).into()));
    assert_eq!(server.publisher.publish("own", "y"), 1);
    assert_eq!(raw.read5().await, Some(publish_v5(QosPid::Level0, "own", b"y")));
}

#[tokio::test]
async fn a_goodbye_does_not_lose_what_was_read() {
    let (sender, mut received) = mpsc::unbounded_channel();
    let server = Server::start(move |published| {
        let sender = sender.clone();
        async move {
            tokio::task::yield_now().await;
            sender.send(published.payload).map_err(|_| Refused::TryAgain)
        }
    })
    .await;
    let mut raw = Raw::v3(&server, "a").await;
    raw.send3(publish_v3(QosPid::Level0, "a", b"x")).await;
    raw.send3(v3::Packet::Disconnect).await;
    raw.closed().await;
    assert_eq!(soon("the message", received.recv()).await.as_deref(), Some(&b"x"[..]));
}

#[tokio::test]
async fn a_stop_acknowledges_what_is_with_the_handler() {
    let gate = Arc::new(Semaphore::new(0));
    let (started, mut starts) = mpsc::unbounded_channel();
    let opened = Arc::clone(&gate);
    let server = Server::start(move |_| {
        started.send(()).unwrap();
        let gate = Arc::clone(&opened);
        async move {
            gate.acquire().await.unwrap().forget();
            Ok(())
        }
    })
    .await;
    let (mut raw, _) = Raw::v5(&server, "a").await;
    raw.send5(publish_v5(QosPid::Level1(pid(3)), "a", b"x")).await;
    soon("the handler", starts.recv()).await;
    let stopped = server.stop();
    gate.add_permits(1);
    assert_eq!(raw.read5().await, Some(v5::Puback::new_success(pid(3)).into()));
    assert_eq!(raw.read5().await, disconnect(v5::DisconnectReasonCode::ServerShuttingDown));
    drop(raw);
    soon("the stop", stopped).await.unwrap();
}
