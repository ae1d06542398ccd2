//! One run, played: its ledger, the values it holds and the counters of its SOP.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::Value;
use sop_core::definition::Definition;
use sop_core::engine::{
    Answer, Beginning, Fact, Given, How, Identity, Input, Need, Phase, Place, Refusal, Run, Stand,
    Stored, Transition, decide, start, value_of_text,
};
use sop_core::id::Digest;
use sop_core::journal::{Entry, Sealed, verify};
use sop_core::template::Rendered;

use super::{at, cause, did, identity, settle};

/// A run and all that was ever recorded of it.
#[derive(Clone)]
pub(super) struct Play {
    pub(super) sop: Definition,
    pub(super) entries: Vec<Entry>,
    pub(super) sealed: Vec<Sealed>,
    pub(super) last: Transition,
    blobs: BTreeMap<Digest, String>,
}

impl Play {
    pub(super) fn start(sop: Definition) -> Self {
        Self::start_with(sop, None, false)
    }

    pub(super) fn start_with(sop: Definition, payload: Option<&str>, queued: bool) -> Self {
        let identity = identity(&sop);
        Self::start_as(sop, identity, payload, queued)
    }

    pub(super) fn start_as(
        sop: Definition,
        identity: Identity,
        payload: Option<&str>,
        queued: bool,
    ) -> Self {
        let mut blobs = BTreeMap::new();
        let payload = payload.map(|text| keep(text, &mut blobs));
        let last = settle(
            |values| {
                let (identity, payload) = (identity.clone(), payload.clone());
                let beginning = Beginning { identity, payload, reused: Vec::new() };
                let given = Given { cause: cause("event", "event"), now: at(0), queued, values };
                start(&sop, beginning, given)
            },
            |need| match need {
                Need::Value(place) if *place == Place::own(0) => {
                    payload.as_ref().map(|stored| value_of_text(&text_of(stored, &blobs)))
                }
                other => panic!("{other:?} is not known at the start"),
            },
        )
        .expect("a start is never refused");
        let mut play = Self { sop, entries: vec![], sealed: vec![], last: last.clone(), blobs };
        play.push(last);
        play
    }

    fn push(&mut self, transition: Transition) {
        for blob in &transition.blobs {
            self.blobs.insert(blob.digest, blob.text.clone());
        }
        self.entries.push(transition.entry.clone());
        self.sealed.push(transition.entry.seal());
        self.last = transition;
    }

    /// Keeps `text` as a store would.
    pub(super) fn keep(&mut self, text: &str) -> Stored {
        keep(text, &mut self.blobs)
    }

    pub(super) fn run(&self) -> &Run {
        &self.last.entry.after
    }

    /// Applies `input` of `by` at second `secs`.
    pub(super) fn give(&mut self, secs: i64, by: &str, input: &Input) -> Result<Fact, Refusal> {
        self.give_at(secs, by, input, false)
    }

    /// The same, with or without a free slot.
    pub(super) fn give_at(
        &mut self,
        secs: i64,
        by: &str,
        input: &Input,
        queued: bool,
    ) -> Result<Fact, Refusal> {
        let newest = self.sealed.last().expect("it has begun");
        let newest = (newest.seq, newest.hash);
        let id = format!("input-{}", newest.0 + 1);
        let transition = settle(
            |values| {
                let given = Given { cause: cause(&id, by), now: at(secs), queued, values };
                decide(&self.sop, self.run(), newest, input, given)
            },
            |need| self.value(need, newest.0 + 1, input),
        )?;
        let fact = transition.entry.fact.clone();
        self.push(transition);
        Ok(fact)
    }

    fn value(&self, need: &Need, seq: u64, input: &Input) -> Option<Value> {
        let stored = match need {
            Need::Value(place) if place.seq == seq => match input {
                Input::Outcome { verdict: super::Verdict::Completed { output }, .. }
                | Input::Report { verdict: super::Verdict::Completed { output }, .. } => {
                    output.clone()
                }
                Input::Event { payload, .. } => payload.clone(),
                _ => None,
            },
            Need::Value(place) => {
                let entry = &self.entries[usize::try_from(place.seq).unwrap()];
                entry.fact.brings().cloned()
            }
            Need::Args(step) => {
                let seq = self.run().live(*step).and_then(|live| live.args).expect("it has args");
                return Some(serde_json::to_value(self.args(*step, seq)).unwrap());
            }
        };
        stored.map(|stored| value_of_text(&text_of(&stored, &self.blobs)))
    }

    /// The arguments of `step` that entry `seq` holds.
    pub(super) fn args(&self, step: u32, seq: u64) -> Rendered {
        let entry = &self.entries[usize::try_from(seq).unwrap()];
        let found = entry.asked.iter().rev().find_map(|answer| match answer {
            Answer::Rendered { step: number, args, secrets } if *number == step => {
                let value = value_of_text(&text_of(args, &self.blobs));
                Some(Rendered { value, secrets: secrets.clone() })
            }
            _ => None,
        });
        found.expect("the entry holds its arguments")
    }

    /// The value at `place`.
    pub(super) fn value_at(&self, place: Option<&Place>) -> Value {
        let place = place.expect("there is a value");
        let stored = self.entries[usize::try_from(place.seq).unwrap()].fact.brings();
        stored.map_or(Value::Null, |stored| value_of_text(&text_of(stored, &self.blobs)))
    }

    /// Applies inputs that have to be taken.
    pub(super) fn all(mut self, inputs: &[(i64, &str, Input)]) -> Self {
        for (secs, by, input) in inputs {
            if let Err(refusal) = self.give(*secs, by, input) {
                panic!("{input:?} is refused: {refusal}\n{}", self.told());
            }
        }
        self
    }

    /// How each step has come to its end, in that order: `1 done, 3 skipped`.
    pub(super) fn past(&self) -> String {
        let word = |how| match how {
            How::Done => "done",
            How::Failed => "failed",
            How::Skipped => "skipped",
            How::Denied => "denied",
            How::Stopped => "stopped",
        };
        let past = self.run().past.iter();
        past.map(|past| format!("{} {}", past.step, word(past.how))).collect::<Vec<_>>().join(", ")
    }

    /// What the run stands at: `2 approval 1, 3 person`, or how it ended.
    pub(super) fn stands(&self) -> String {
        stands(self.run())
    }

    /// The whole ledger, a line an entry.
    pub(super) fn told(&self) -> String {
        let mut text = String::new();
        for entry in &self.entries {
            writeln!(text, "{} {} -> {}", entry.seq, did(&entry.fact), stands(&entry.after))
                .unwrap();
        }
        text
    }

    /// Checks the ledger: each entry's state follows from the one before.
    pub(super) fn verify(&self) {
        if let Err(error) = verify(&self.sealed, &self.sop) {
            panic!("{error}\n{}", self.told());
        }
    }
}

fn keep(text: &str, blobs: &mut BTreeMap<Digest, String>) -> Stored {
    let stored = Stored::of(text);
    if let Stored::Blob { digest, .. } = &stored {
        blobs.insert(*digest, text.to_owned());
    }
    stored
}

fn text_of(stored: &Stored, blobs: &BTreeMap<Digest, String>) -> String {
    match stored {
        Stored::Inline(text) => text.clone(),
        Stored::Blob { digest, .. } => {
            blobs.get(digest).expect("stored before it is named").clone()
        }
    }
}

/// A word for what a step waits for.
pub(super) fn on(stand: &Stand) -> String {
    match stand {
        Stand::Slot => "slot".into(),
        Stand::Approval(gate) => format!("approval {}", gate.gate),
        Stand::Person { .. } => "person".into(),
        Stand::Performer { .. } => "performer".into(),
        Stand::Timer { .. } => "timer".into(),
        Stand::Retry { .. } => "retry".into(),
        Stand::Event { .. } => "event".into(),
        Stand::Child { .. } => "child".into(),
        Stand::Unknown => "unknown".into(),
    }
}

pub(super) fn stands(run: &Run) -> String {
    use sop_core::engine::End;
    let live: Vec<String> =
        run.live.iter().map(|live| format!("{} {}", live.step, on(&live.stand))).collect();
    let live = live.join(", ");
    match &run.phase {
        Phase::Held { step, .. } => format!("held before {step}"),
        Phase::Open => live,
        Phase::Paused { held: Some(step), .. } => format!("paused before {step}"),
        Phase::Paused { .. } => format!("paused: {live}"),
        Phase::Finished { step, end: End::Completed, .. } => format!("completed at {step}"),
        Phase::Finished { step, end: End::Failed { reason }, .. } => {
            format!("failed at {step}: {reason}")
        }
        Phase::Finished { step, end: End::Cancelled { reason }, .. } => {
            format!("cancelled at {step}: {reason}")
        }
    }
}
