//! A host on memory, moved message by message.

use sop_core::definition::SourceFiles;
use sop_core::engine::{Decision, Input, Run};
use sop_core::id::{EventId, InputId, RunId, Tenant};
use sop_core::journal::Entry;
use sop_runtime::flow::{self, Answer, Hook, Host, Published, Submitted, dispatch, execute};
use sop_runtime::port::{Consumer, Heads, Journal, QueueName};
use sop_testkit::scenario::{texts, toml};
use sop_testkit::world::Performer;
use sop_testkit::{ManualClock, Memory};

pub type Memo = Host<Memory, Memory, ManualClock>;

pub struct House {
    pub memory: Memory,
    pub clock: ManualClock,
    pub host: Memo,
    pub performer: Performer,
}

pub fn files((toml, markdown): (String, String)) -> SourceFiles {
    SourceFiles { directory: "sops/x".into(), toml, markdown: Some(markdown) }
}

impl House {
    pub fn new() -> Self {
        let clock = ManualClock::default();
        let memory = Memory::new(clock.clone());
        let host = Host::new(memory.clone(), memory.clone(), clock.clone());
        Self { memory, clock, host, performer: Performer::default() }
    }

    /// Another host over the same ports, which remembers nothing.
    pub fn other(&self) -> Memo {
        Host::new(self.memory.clone(), self.memory.clone(), self.clock.clone())
    }

    pub async fn publish(&self, name: &str, keys: &str, triggers: &str, steps: &[&str]) {
        let files = [files(texts(&toml(name, keys, triggers), steps))];
        match flow::publish(&self.host, files[..].into(), flow::Push::Publish, "author")
            .await
            .unwrap()
        {
            Published::Active { .. } | Published::Drafted { .. } => {}
            Published::Invalid { diagnostics } => panic!("{diagnostics:#?}"),
        }
    }

    pub async fn post(&self, path: &str, key: Option<&str>, body: &[u8]) -> Answer {
        let hook = Hook { method: "POST", raw_path: path, bearer: None, key, trace: None, body };
        flow::hook(&self.host, hook).await.unwrap()
    }

    pub async fn event(&self, path: &str) -> EventId {
        match self.post(path, None, b"").await {
            Answer::Accepted(told) => told.event_id,
            answer => panic!("{answer:?}"),
        }
    }

    /// The messages of `queue` that can be received now; they are acknowledged.
    pub async fn received(&self, queue: QueueName) -> Vec<String> {
        let received = self.memory.receive(queue, 1_000, 60_000).await.unwrap();
        let receipts: Vec<_> = received.iter().map(|one| one.receipt.clone()).collect();
        self.memory.acknowledge(queue, &receipts).await.unwrap();
        received.into_iter().map(|one| one.body).collect()
    }

    /// Dispatches what the events queue has now, once; how many messages.
    pub async fn dispatch(&self) -> usize {
        let messages = self.received(QueueName::Events).await;
        for message in &messages {
            dispatch(&self.host, message).await.unwrap();
        }
        messages.len()
    }

    /// Executes what the effects queue has now, once; how many messages.
    pub async fn execute(&self) -> usize {
        let messages = self.received(QueueName::Effects).await;
        for message in &messages {
            execute(&self.host, (&self.performer, &()), message).await.unwrap();
        }
        messages.len()
    }

    /// Goes on until nothing can be received now.
    pub async fn run_out(&self) {
        while self.dispatch().await + self.execute().await > 0 {}
    }

    pub async fn runs(&self) -> Vec<RunId> {
        let page = self.memory.runs(&Tenant::default(), None, 1_000).await.unwrap();
        page.heads.into_iter().map(|head| head.run).collect()
    }

    pub async fn only_run(&self) -> RunId {
        let runs = self.runs().await;
        assert_eq!(runs.len(), 1, "{runs:?}");
        runs.into_iter().next().unwrap()
    }

    pub async fn newest(&self, run: &RunId) -> Entry {
        self.memory.latest(run).await.unwrap().unwrap().open().unwrap()
    }

    pub async fn run(&self, run: &RunId) -> Run {
        self.newest(run).await.after
    }

    pub async fn approve(&self, run: &RunId, gate: u32, id: &str) -> Submitted {
        let input = Input::Decide { gate, decision: Decision::Approve { comment: None } };
        let id = InputId::parse(id).unwrap();
        flow::submit(&self.host, run, &id, "ann", input, None).await.unwrap()
    }

    /// Effects that were carried out more than once.
    pub fn repeated(&self) -> Vec<String> {
        let counts = self.performer.counts();
        counts.iter().filter(|(_, n)| **n > 1).map(|(key, n)| format!("{key}: {n}")).collect()
    }
}
