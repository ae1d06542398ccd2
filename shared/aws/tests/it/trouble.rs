//! What callers are told when AWS throttles, refuses, answers in part, or does not answer.

mod stub;

use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use sop_aws::config::Settings;
use sop_aws::count::Meter;
use sop_aws::{DynamoStore, QueueUrls, SdkConfig, SqsQueue};
use sop_core::engine::SlotChange;
use sop_runtime::port::{
    Append, Blobs, Consumer, Heads, Journal, Message, PortError, Queue, QueueName,
};
use sop_testkit::ids::{EPOCH, fresh_head, fresh_run, fresh_tenant, input, no_change, sealed, sop};

use self::stub::{Stub, refusal};
use crate::world;

fn config(endpoint: &str) -> SdkConfig {
    Settings::emulator(endpoint, "us-east-1", ("test", "test")).load()
}

fn urls(endpoint: &str) -> QueueUrls {
    let url = format!("{endpoint}/000000000000/events");
    QueueUrls {
        events: url.clone(),
        effects: url,
        events_dead: None,
        effects_dead: None,
        arrivals_dead: None,
    }
}

async fn latest(config: &SdkConfig) -> Result<(), PortError> {
    let run = fresh_run(&fresh_tenant(), &sop("x"), EPOCH);
    DynamoStore::new(config, "table").latest(&run).await.map(|_| ())
}

#[tokio::test]
async fn what_may_pass_is_retryable_and_what_may_not_is_permanent() {
    let cases = [
        (400, "ThrottlingException", true),
        (400, "ProvisionedThroughputExceededException", true),
        (400, "RequestLimitExceeded", true),
        (500, "InternalServerError", true),
        (503, "ServiceUnavailable", true),
        (400, "ValidationException", false),
        (400, "ResourceNotFoundException", false),
        (400, "AccessDeniedException", false),
        (400, "UnrecognizedClientException", false),
    ];
    for (status, code, retryable) in cases {
        let stub = Stub::start(vec![refusal(status, code)]).await;
        let error = latest(&config(stub.endpoint())).await.unwrap_err();
        assert_eq!(error.retryable, retryable, "{code}: {error}");
        assert_eq!(stub.requests(), if retryable { 4 } else { 1 }, "{code}");
    }
}

#[tokio::test]
async fn throttling_that_passes_is_not_seen() {
    let found = (200, r#"{"Items":[],"Count":0}"#.to_owned());
    let stub = Stub::start(vec![refusal(400, "ThrottlingException"), found]).await;
    let meter = Meter::default();
    let store = DynamoStore::metered(&config(stub.endpoint()), "table", &meter);
    let run = fresh_run(&fresh_tenant(), &sop("x"), EPOCH);
    assert_eq!(store.latest(&run).await.unwrap(), None);
    assert_eq!(meter.take().requests["Query"], 2, "both attempts are counted");
}

#[tokio::test]
async fn nobody_there_is_retryable() {
    // Bound and let go again: nobody listens.
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let error = latest(&config(&format!("http://127.0.0.1:{port}"))).await.unwrap_err();
    assert!(error.retryable, "{error}");
}

#[tokio::test]
async fn a_held_counter_is_tried_again_and_then_given_up() {
    let conflict = r#"{"__type":"com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
        "Message":"cancelled","CancellationReasons":[{"Code":"None"},{"Code":"TransactionConflict"}]}"#;
    let conflict = (400, conflict.to_owned());
    let done = (200, "{}".to_owned());
    let (tenant, sop) = (fresh_tenant(), sop("x"));
    let entry = sealed(&fresh_run(&tenant, &sop, EPOCH), 0, "start");
    let slot = SlotChange { active: 1, active_max: Some(1), ..no_change(&tenant, &sop) };

    let stub = Stub::start(vec![conflict.clone(), conflict.clone(), done]).await;
    let store = DynamoStore::new(&config(stub.endpoint()), "table");
    assert_eq!(store.append(&entry, Some(&slot)).await.unwrap(), Append::Appended);

    let stub = Stub::start(vec![conflict]).await;
    let store = DynamoStore::new(&config(stub.endpoint()), "table");
    let error = store.append(&entry, Some(&slot)).await.unwrap_err();
    assert!(error.retryable, "{error}");
}

#[tokio::test]
async fn messages_that_were_not_taken_are_sent_again_alone() {
    let fault = |sender: bool| {
        format!(r#"{{"Id":"1","Code":"InternalError","Message":"m","SenderFault":{sender}}}"#)
    };
    let part = |failed: &str| (200, format!(r#"{{"Successful":[],"Failed":[{failed}]}}"#));
    let messages: Vec<_> =
        ["a", "b", "c"].map(|body| Message { body: body.into(), delay_secs: 0 }).into();

    let stub = Stub::start(vec![part(&fault(false)), part("")]).await;
    let queue = SqsQueue::new(&config(stub.endpoint()), urls(stub.endpoint()));
    queue.send(QueueName::Events, &messages).await.unwrap();
    let bodies = stub.bodies();
    let sent = |body: &str| body.matches("MessageBody").count();
    assert_eq!((sent(&bodies[0]), sent(&bodies[1])), (3, 1));
    assert!(bodies[1].contains(r#""MessageBody":"b""#), "{}", bodies[1]);

    let stub = Stub::start(vec![part(&fault(true))]).await;
    let queue = SqsQueue::new(&config(stub.endpoint()), urls(stub.endpoint()));
    let error = queue.send(QueueName::Events, &messages).await.unwrap_err();
    assert!(!error.retryable, "what the sender did wrong stays wrong");
}

#[tokio::test]
async fn keys_that_were_not_processed_are_asked_for_again() {
    let head = fresh_head(&fresh_tenant(), &sop("x"), EPOCH);
    let run = &head.run;
    let json = serde_json::to_string(&head).unwrap().replace('"', "\\\"");
    let key = format!(r#""PK":{{"S":"RUN#{run}"}},"SK":{{"S":"HEAD"}}"#);
    let index = format!(r#"{{"Items":[{{{key},"S1":{{"S":"{run}"}}}}],"Count":1}}"#);
    let nothing =
        format!(r#"{{"Responses":{{}},"UnprocessedKeys":{{"table":{{"Keys":[{{{key}}}]}}}}}}"#);
    let all = format!(
        r#"{{"Responses":{{"table":[{{{key},"b":{{"S":"{json}"}}}}]}},"UnprocessedKeys":{{}}}}"#
    );
    let stub = Stub::start(vec![(200, index), (200, nothing), (200, all)]).await;
    let store = DynamoStore::new(&config(stub.endpoint()), "table");
    let page = store.runs(&head.tenant, None, 10).await.unwrap();
    assert_eq!((page.heads, page.next), (vec![head], None));
    assert_eq!(stub.requests(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_for_good_is_permanent() {
    let config = world::config();
    let store = DynamoStore::new(&config, "no-such-table");
    let run = fresh_run(&fresh_tenant(), &sop("x"), EPOCH);
    let error = store.append(&sealed(&run, 0, "start"), None).await.unwrap_err();
    assert!(!error.retryable, "a table that is not there");

    let store = DynamoStore::new(&config, &world::table(&config).await);
    let text = "x".repeat(256 * 1024 + 1);
    let digest = sop_core::Digest::of(text.as_bytes());
    assert!(!store.put_blob(&digest, &text).await.unwrap_err().retryable, "too large a value");
    let mut entry = sealed(&run, 0, "start");
    entry.input = input("y");
    entry.seq = 10_000_000_000;
    assert!(!store.append(&entry, None).await.unwrap_err().retryable, "a seq beyond ten digits");

    let queue = SqsQueue::new(&config, world::queues(&config).await);
    let huge = Message { body: "x".repeat(1024 * 1024 + 1), delay_secs: 0 };
    let error = queue.send(QueueName::Events, &[huge]).await.unwrap_err();
    assert!(!error.retryable, "too large a message");
    assert_eq!(queue.receive(QueueName::Events, 1, 1_000).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn characters_that_sqs_refuses_arrive_all_the_same() {
    let config = world::config();
    let queue = SqsQueue::new(&config, world::queues(&config).await).waiting(2);
    let text = "a\u{fffe}\u{ffff}\u{1f6b0}\u{0}";
    let body = serde_json::to_string(text).unwrap();
    queue.send(QueueName::Events, &[Message { body, delay_secs: 0 }]).await.unwrap();
    let deadline = Duration::from_secs(10);
    let received = tokio::time::timeout(deadline, async {
        loop {
            let mut received = queue.receive(QueueName::Events, 1, 30_000).await.unwrap();
            if let Some(delivery) = received.pop() {
                return delivery;
            }
        }
    });
    let body = received.await.unwrap().body;
    assert_eq!(serde_json::from_str::<String>(&body).unwrap(), text);
}
