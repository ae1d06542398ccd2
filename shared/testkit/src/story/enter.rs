//! The inputs of a story, made as the doors and the people make them.

use sop_core::engine::{Decision, Fact, Input as Move, Run, Stand, Stored, Verdict};
use sop_core::event::{Data, Source};
use sop_core::id::{Digest, EventId, InputId, RunId, SopName};
use sop_core::{ingress, matching, signature, topic};
use sop_runtime::flow::{self, Door, Hook, Perform, Sender, Submitted};
use sop_runtime::port::{Clock, Journal, PortError, Role, Secrets, Token, Tokens};

use crate::story::format::{Act, Arrival, Input};
use crate::story::play::{PlayError, Stage, minute_from};

/// The secrets of a story: whoever sends a webhook knows the one there is. Stories are about what is sent.
struct StorySecrets;

impl StorySecrets {
    /// In the form that each scheme has.
    const SECRET: &str = "c3Rvcnk=";
}

impl Secrets for StorySecrets {
    async fn secret(&self, _name: &str) -> Result<Option<String>, PortError> {
        Ok(Some(Self::SECRET.to_owned()))
    }
}

impl<P: Perform> Stage<'_, P> {
    /// Makes the input with the number `number`, and lets what follows at once happen.
    pub(super) async fn enter(
        &mut self,
        number: usize,
        input: &Input,
        act: &Act,
    ) -> Result<(), PlayError> {
        let wrong = |reason: String| PlayError::Input { number, reason };
        match act {
            Act::Arrive { door, payload } => {
                self.arrive(number, &input.by, door, payload).await?;
            }
            Act::Cron => {
                let at = self.next_fire().await?;
                let at = at.ok_or_else(|| wrong("no schedule fires any more".to_owned()))?;
                return self.run_until(minute_from(at)).await;
            }
            Act::Manual { payload } => {
                let data = ingress::webhook_body(payload.as_bytes());
                let data = data.map_err(|rejected| wrong(rejected.to_string()))?;
                let sop = self.sop.clone();
                flow::run_by_hand(&self.host, &sop, &input.by, data, None).await?;
            }
            Act::Rerun { from } => {
                let run = self.of(input).ok_or_else(|| wrong("there is no run".to_owned()))?;
                let key = number.to_string();
                let done = flow::rerun(&self.host, &run, *from, &input.by, &key).await?;
                if let flow::Rerun::Refused { reason } = done {
                    let now = self.host.now();
                    self.trace.say_of(now, &run, format!("{} is refused: {reason}", input.by));
                }
            }
            Act::Archive { sop } => {
                let name = SopName::parse(sop).map_err(|error| wrong(error.to_string()))?;
                flow::archive(&self.host, &name, &input.by).await?;
                let now = self.host.now();
                self.trace.say(now, format!("{} archives {name}", input.by));
            }
            Act::Approve { .. }
            | Act::Deny { .. }
            | Act::Amend { .. }
            | Act::Revise { .. }
            | Act::Complete { .. }
            | Act::Fail { .. }
            | Act::Cancel { .. }
            | Act::Pause
            | Act::Resume
            | Act::Retry => self.submit(number, input, act).await?,
        }
        self.deliver().await
    }

    async fn arrive(
        &mut self,
        number: usize,
        by: &str,
        door: &Arrival,
        payload: &str,
    ) -> Result<(), PlayError> {
        let wrong = |reason: String| PlayError::Input { number, reason };
        let (source, subject) = match door {
            Arrival::Webhook { path, method, key } => {
                return self.hook(by, (path, method, key.as_deref()), payload).await;
            }
            Arrival::Mqtt { topic } => {
                topic::check_name(topic).map_err(|error| wrong(error.to_string()))?;
                (Source::Mqtt, topic.clone())
            }
            Arrival::Peripheral { subject } => {
                let parts = subject.split_once('/');
                let name =
                    parts.and_then(|(board, signal)| matching::peripheral_subject(board, signal));
                let name =
                    name.ok_or_else(|| wrong(format!("`{subject}` is not `board/signal`")))?;
                (Source::Peripheral, name)
            }
            Arrival::Event { subject } => {
                if !matching::is_event_subject(subject) {
                    return Err(wrong(format!("`{subject}` is not `source/detail type`")));
                }
                (Source::Event, subject.clone())
            }
        };
        let data = match payload {
            "" => Data::Empty,
            text => Data::Text(text.to_owned()),
        };
        let door = Door { source, subject, data, transport_id: None, time: None, actor: None };
        flow::accept(&self.host, door).await?;
        Ok(())
    }

    async fn hook(
        &mut self,
        by: &str,
        (path, method, key): (&str, &str, Option<&str>),
        payload: &str,
    ) -> Result<(), PlayError> {
        let token = format!("token-of-{by}");
        let known = Token {
            hash: Digest::of(token.as_bytes()),
            tenant: self.host.tenant.clone(),
            subject: by.to_owned(),
            role: Role::Operator,
            issued_at: self.host.now(),
            expires_at: None,
            revoked_at: None,
        };
        self.host.store.put_token(&known).await.map_err(flow::FlowError::from)?;
        let active = self.host.active().await?;
        let decoded = ingress::decode_path(path).unwrap_or_default();
        let demands = active.index.webhook_demands(&decoded, method);
        let is_public = demands.as_ref().is_some_and(matching::Demands::is_public);
        let bearer = (!is_public).then_some(token.as_str());
        let body = payload.as_bytes();
        let mut signed = Vec::new();
        for signature in demands.iter().flat_map(|demands| &demands.signed) {
            let now = self.host.now();
            let id = match key {
                Some(key) => key.to_owned(),
                None => EventId::from_random(now, &self.host.clock.chance()).to_string(),
            };
            let headers = signature::sign(signature.scheme, StorySecrets::SECRET, &id, now, body);
            signed.extend(headers.unwrap_or_default());
        }
        let headers: Vec<(&str, &str)> =
            signed.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let sender = Sender { address: None, headers: &headers };
        let hook = Hook { method, raw_path: path, bearer, key, trace: None, body };
        let said = match flow::take_hook(&self.host, &StorySecrets, hook, sender).await?.answer {
            // The log says the rest.
            flow::Answer::Accepted(_) | flow::Answer::NoMatch { .. } => return Ok(()),
            flow::Answer::Challenge(_) => "is answered, and is no event".to_owned(),
            flow::Answer::Duplicate(_) => "came before under this key".to_owned(),
            flow::Answer::Rejected(rejected) => format!("is refused: {rejected}"),
            flow::Answer::Unauthorized => "is refused: no bearer token".to_owned(),
            flow::Answer::MethodNotAllowed { allowed, .. } => {
                format!("is refused: only {} is taken", allowed.join(", "))
            }
            flow::Answer::WrongSecret => "is refused: no webhook secret".to_owned(),
            flow::Answer::Unsigned(why) => format!("is refused: {why}"),
            flow::Answer::NoSecret => "is refused: a secret is missing".to_owned(),
            flow::Answer::Forbidden(role) => format!("is refused: `{}` may not", role.as_str()),
            flow::Answer::TooMany => "is refused: too many in this minute".to_owned(),
            flow::Answer::KeyReused => "is refused: the key came with something else".to_owned(),
        };
        let now = self.host.now();
        self.trace.say(now, format!("{method} {path} {said}"));
        Ok(())
    }

    async fn submit(&mut self, number: usize, input: &Input, act: &Act) -> Result<(), PlayError> {
        let wrong = |reason: String| PlayError::Input { number, reason };
        let run = self.whose(input, act).ok_or_else(|| wrong("there is no run".to_owned()))?;
        let seen = &self.seen[&run].run;
        let (moves, value) = moves(seen, act);
        let id = InputId::parse(&format!("story-{number}")).expect("visible ASCII");
        let done = flow::submit(&self.host, &run, &id, &input.by, moves, value.as_deref()).await?;
        if let Submitted::Refused(refusal) = done {
            // What the ledger says need not be said twice.
            let newest = self.host.store.latest(&run).await.map_err(flow::FlowError::from)?;
            let entry = newest.map(|sealed| sealed.open()).transpose();
            let entry = entry.map_err(flow::FlowError::from)?;
            let is_on_ledger = entry.is_some_and(|entry| {
                entry.input == id && matches!(entry.fact, Fact::Refused { .. })
            });
            if !is_on_ledger {
                let now = self.host.now();
                self.trace.say_of(now, &run, format!("{} is refused: {refusal}", input.by));
            }
        }
        Ok(())
    }

    /// The run that `input` names, else the newest.
    fn of(&self, input: &Input) -> Option<RunId> {
        match input.run {
            Some(number) => self.trace.run(number).cloned(),
            None => self.trace.runs().last().cloned(),
        }
    }

    /// The run that `input` names, else the oldest that waits for it, else the newest.
    fn whose(&self, input: &Input, act: &Act) -> Option<RunId> {
        if input.run.is_some() {
            return self.of(input);
        }
        let mut runs = self.trace.runs().iter();
        let waits = |run: &RunId| self.seen.get(run).is_some_and(|seen| waits_for(&seen.run, act));
        runs.find(|run| waits(run)).cloned().or_else(|| self.of(input))
    }
}

fn waits_for(run: &Run, act: &Act) -> bool {
    match act {
        Act::Approve { step, .. }
        | Act::Deny { step, .. }
        | Act::Amend { step, .. }
        | Act::Revise { step, .. } => gate_at(run, *step).is_some(),
        Act::Complete { step, .. } | Act::Fail { step, .. } => run
            .live(*step)
            .is_some_and(|live| matches!(live.stand, Stand::Person { .. } | Stand::Unknown)),
        Act::Cancel { .. } | Act::Pause => !run.is_finished(),
        Act::Resume => run.is_paused(),
        Act::Retry => run.is_finished(),
        Act::Arrive { .. }
        | Act::Cron
        | Act::Manual { .. }
        | Act::Rerun { .. }
        | Act::Archive { .. } => false,
    }
}

/// The revision of the gate that is open before `step`.
fn gate_at(run: &Run, step: u32) -> Option<u32> {
    run.live(step)?.stand.gate().map(|gate| gate.gate)
}

/// What `act` is to `run`, and the text that it brings.
fn moves(run: &Run, act: &Act) -> (Move, Option<String>) {
    let decide = |step: u32, gate: Option<u32>, decision: Decision| {
        // Where none is open, the latest there was: that is refused as it should be.
        let gate = gate.or_else(|| gate_at(run, step)).unwrap_or(run.gates);
        (Move::Decide { gate, decision }, None)
    };
    match act {
        Act::Approve { step, gate, comment } => {
            decide(*step, *gate, Decision::Approve { comment: comment.clone() })
        }
        Act::Deny { step, gate, reason } => {
            decide(*step, *gate, Decision::Deny { reason: reason.clone() })
        }
        Act::Amend { step, gate, value } => {
            decide(*step, *gate, Decision::Amend { value: value.clone() })
        }
        Act::Revise { step, gate, guidance } => {
            decide(*step, *gate, Decision::Revise { guidance: guidance.clone() })
        }
        Act::Complete { step, output } => {
            let text = output.as_ref().map(ToString::to_string);
            let output = text.as_deref().map(Stored::of);
            (Move::Report { step: *step, verdict: Verdict::Completed { output } }, text)
        }
        Act::Fail { step, reason } => {
            let verdict = Verdict::Failed { reason: reason.clone() };
            (Move::Report { step: *step, verdict }, None)
        }
        Act::Cancel { reason } => (Move::Cancel { reason: reason.clone() }, None),
        Act::Pause => (Move::Pause, None),
        Act::Resume => (Move::Resume, None),
        Act::Retry => (Move::Retry, None),
        Act::Arrive { .. }
        | Act::Cron
        | Act::Manual { .. }
        | Act::Rerun { .. }
        | Act::Archive { .. } => unreachable!("no person's input to a run"),
    }
}
