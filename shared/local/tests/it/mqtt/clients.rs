//! What a device's client library sees, with MQTT 3.1.1 and with MQTT 5.

macro_rules! suite {
    ($client:ident, $event:ident, $packet:ident, $qos:ident, $options:path) => {
        use std::{
            collections::HashSet,
            sync::{
                Arc,
                atomic::{AtomicUsize, Ordering},
            },
        };

        use sop_local::mqtt::Refused;
        use tokio::sync::{Semaphore, mpsc};

        use super::super::server::{Server, soon};

        fn client(server: &Server, id: &str) -> ($client, EventLoop) {
            $client::new($options(server, id), 10)
        }

        /// Polls until the server sends a packet that `wanted` wants.
        async fn until(events: &mut EventLoop, wanted: impl Fn(&$packet) -> bool) {
            let poll = async {
                loop {
                    if let $event::Incoming(packet) = events.poll().await.unwrap() {
                        if wanted(&packet) {
                            return;
                        }
                    }
                }
            };
            soon("the packet", poll).await;
        }

        #[tokio::test]
        async fn messages_of_each_qos_reach_the_handler() {
            let (sender, mut received) = mpsc::unbounded_channel();
            let server = Server::start(move |published| {
                let sent = sender.send(published);
                async move { sent.map_err(|_| Refused::TryAgain) }
            })
            .await;
            let (client, mut events) = client(&server, "device-1");
            for qos in [$qos::AtMostOnce, $qos::AtLeastOnce, $qos::ExactlyOnce] {
                client.publish("plant/1/temp", qos, false, vec![qos as u8; 3]).await.unwrap();
            }
            until(&mut events, |packet| matches!(packet, $packet::PubComp(_))).await;
            for qos in 0..3 {
                let published = received.recv().await.unwrap();
                assert_eq!(published.client_id, "device-1");
                assert_eq!(published.topic, "plant/1/temp");
                assert_eq!((published.qos, published.payload), (qos, vec![qos; 3]));
                assert_eq!(published.packet_id.is_some(), qos > 0);
                assert!(!published.retain && !published.dup);
            }
            assert!(received.try_recv().is_err(), "a message came twice");
        }

        #[tokio::test]
        async fn a_message_is_acknowledged_only_when_the_handler_is_done() {
            let gate = Arc::new(Semaphore::new(0));
            let opened = Arc::clone(&gate);
            let server = Server::start(move |_| {
                let gate = Arc::clone(&opened);
                async move {
                    gate.acquire().await.unwrap().forget();
                    Ok(())
                }
            })
            .await;
            let (client, mut events) = client(&server, "device-1");
            for qos in [$qos::AtLeastOnce, $qos::ExactlyOnce] {
                client.publish("plant/1/temp", qos, false, "21").await.unwrap();
                client.subscribe("other", $qos::AtMostOnce).await.unwrap();
                // The server answers the SUBSCRIBE, which it read after the PUBLISH.
                until(&mut events, |packet| {
                    assert!(!matches!(packet, $packet::PubAck(_) | $packet::PubRec(_)));
                    matches!(packet, $packet::SubAck(_))
                })
                .await;
                gate.add_permits(1);
                until(&mut events, |packet| {
                    matches!(packet, $packet::PubAck(_) | $packet::PubComp(_))
                })
                .await;
            }
        }

        #[tokio::test]
        async fn a_message_that_could_not_be_stored_comes_again() {
            let calls = Arc::new(AtomicUsize::new(0));
            let counted = Arc::clone(&calls);
            let server = Server::start(move |published| {
                assert_eq!(published.payload, b"21");
                let first = counted.fetch_add(1, Ordering::SeqCst) == 0;
                async move { if first { Err(Refused::TryAgain) } else { Ok(()) } }
            })
            .await;
            let (client, mut events) = client(&server, "device-1");
            client.publish("plant/1/temp", $qos::AtLeastOnce, false, "21").await.unwrap();
            let poll = async {
                let mut breaks = 0;
                loop {
                    match events.poll().await {
                        Ok($event::Incoming($packet::PubAck(_))) => return breaks,
                        Ok(_) => {}
                        Err(_) => breaks += 1,
                    }
                }
            };
            assert_eq!(soon("the acknowledgement", poll).await, 1);
            assert_eq!(calls.load(Ordering::SeqCst), 2);
        }

        #[tokio::test]
        async fn five_thousand_messages_are_all_acknowledged() {
            const MESSAGES: usize = 5_000;
            let (sender, mut received) = mpsc::unbounded_channel();
            let server = Server::start(move |published| {
                let sent = sender.send(published.payload);
                async move {
                    tokio::task::yield_now().await;
                    sent.map_err(|_| Refused::TryAgain)
                }
            })
            .await;
            let (client, mut events) = client(&server, "device-1");
            let publish = async {
                for at in 0..MESSAGES {
                    let payload = at.to_string();
                    client.publish("plant", $qos::AtLeastOnce, false, payload).await.unwrap();
                }
            };
            let acks = async {
                for _ in 0..MESSAGES {
                    until(&mut events, |packet| matches!(packet, $packet::PubAck(_))).await;
                }
            };
            soon("all acknowledgements", async { tokio::join!(publish, acks) }).await;
            let mut seen = HashSet::new();
            while let Ok(payload) = received.try_recv() {
                assert!(seen.insert(payload), "a message came twice");
            }
            assert_eq!(seen.len(), MESSAGES);
        }

        #[tokio::test]
        async fn subscribers_see_what_is_accepted() {
            let server = Server::start(|published| async move {
                if published.topic == "plant/no" { Err(Refused::NotAuthorised) } else { Ok(()) }
            })
            .await;
            let (subscriber, mut events) = client(&server, "subscriber");
            subscriber.subscribe("plant/#", $qos::AtLeastOnce).await.unwrap();
            until(&mut events, |packet| matches!(packet, $packet::SubAck(_))).await;
            let (publisher, mut sending) = client(&server, "publisher");
            for topic in ["plant/no", "elsewhere", "plant/1"] {
                publisher.publish(topic, $qos::AtMostOnce, true, "21").await.unwrap();
            }
            let sending = tokio::spawn(async move { while sending.poll().await.is_ok() {} });
            until(&mut events, |packet| match packet {
                $packet::Publish(publish) => {
                    assert_eq!(AsRef::<[u8]>::as_ref(&publish.topic), b"plant/1");
                    assert_eq!(&publish.payload[..], b"21");
                    true
                }
                _ => false,
            })
            .await;
            assert_eq!(server.publisher.publish("plant/2", "22"), 1);
            until(&mut events, |packet| matches!(packet, $packet::Publish(_))).await;
            sending.abort();
        }
    };
}

mod v311 {
    use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, Packet, QoS};

    fn options(server: &Server, id: &str) -> MqttOptions {
        let mut options = MqttOptions::new(id, "127.0.0.1", server.addr.port());
        options.set_clean_session(false);
        options
    }

    suite!(AsyncClient, Event, Packet, QoS, options);
}

mod v5 {
    use rumqttc::v5::{
        AsyncClient, Event, EventLoop, MqttOptions,
        mqttbytes::{QoS, v5::ConnectProperties, v5::Packet},
    };

    fn options(server: &Server, id: &str) -> MqttOptions {
        let mut options = MqttOptions::new(id, "127.0.0.1", server.addr.port());
        options.set_clean_start(false);
        let mut properties = ConnectProperties::new();
        properties.session_expiry_interval = Some(60);
        options.set_connect_properties(properties);
        options
    }

    suite!(AsyncClient, Event, Packet, QoS, options);
}
