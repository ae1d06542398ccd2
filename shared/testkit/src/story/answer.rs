//! Who carries out built-ins in a story: what the story says they answer, and what computes by itself.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use sop_core::engine::EffectKey;
use sop_core::id::SopName;
use sop_runtime::flow::{Call, Notice, Perform};
use sop_runtime::port::{PortError, Secrets};

use crate::story::format::{Answer, Says};

/// Built-ins that touch nothing: they are carried out as they are.
const PURE: &[&str] = &["json.validate", "noop", "transform"];

/// A call that was made.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Made {
    pub(super) sop: SopName,
    pub(super) step: u32,
    pub(super) capability: String,
    pub(super) with: Value,
    pub(super) input: Value,
}

/// Answers as the story says, then with `{"done": step}`.
pub(super) struct Answers<'p, P> {
    pure: &'p P,
    state: Mutex<State>,
}

struct State {
    /// What is left of the story's answers.
    left: Vec<Answer>,
    chosen: BTreeMap<EffectKey, (SopName, Answer)>,
    made: Vec<Made>,
    notices: Vec<Notice>,
}

impl<'p, P> Answers<'p, P> {
    /// `own` is the SOP that answers without a name are for.
    pub(super) fn new(own: &SopName, answers: &[Answer], pure: &'p P) -> Self {
        let own = |answer: &Answer| {
            let sop = answer.sop.clone().unwrap_or_else(|| own.to_string());
            Answer { sop: Some(sop), ..answer.clone() }
        };
        let left = answers.iter().map(own).collect();
        let (chosen, made, notices) = (BTreeMap::new(), Vec::new(), Vec::new());
        Self { pure, state: Mutex::new(State { left, chosen, made, notices }) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the call with `key`, a step of `sop`, will be answered: the same whenever it is asked.
    pub(super) fn choose(&self, sop: &SopName, key: &EffectKey) -> Answer {
        let mut state = self.state();
        if let Some((_, answer)) = state.chosen.get(key) {
            return answer.clone();
        }
        let is_it = |answer: &Answer| {
            answer.sop.as_deref() == Some(sop.as_str())
                && answer.step == key.step
                && answer.times > 0
        };
        let answer = match state.left.iter_mut().find(|answer| is_it(answer)) {
            Some(answer) => {
                answer.times -= 1;
                answer.clone()
            }
            None => Answer { sop: None, step: key.step, times: 0, delay_ms: 0, says: Says::Usual },
        };
        state.chosen.insert(key.clone(), (sop.clone(), answer.clone()));
        answer
    }

    /// Answers that nothing has asked for.
    pub(super) fn unused(&self) -> Vec<Answer> {
        self.state().left.iter().filter(|answer| answer.times > 0).cloned().collect()
    }

    pub(super) fn made(&self) -> Vec<Made> {
        self.state().made.clone()
    }

    /// Word of gates since this was asked last.
    pub(super) fn take_notices(&self) -> Vec<Notice> {
        std::mem::take(&mut self.state().notices)
    }
}

impl<P: Perform> Perform for Answers<'_, P> {
    async fn perform(&self, call: &Call) -> Result<Value, String> {
        let chosen = self.state().chosen.get(&call.key).cloned();
        let Some((sop, answer)) = chosen else { return Err("nobody asked for this".to_owned()) };
        self.state().made.push(Made {
            sop,
            step: call.key.step,
            capability: call.capability.clone(),
            with: call.with.clone(),
            input: call.input.clone(),
        });
        let output = match answer.says {
            Says::Output(output) => output,
            Says::Fail(reason) => return Err(reason),
            Says::Hang | Says::Usual if PURE.contains(&call.capability.as_str()) => {
                return self.pure.perform(call).await;
            }
            Says::Hang | Says::Usual => json!({ "done": call.key.step }),
        };
        // An answer has to fit the step's schemas as the real one has: whoever computes sees to that.
        let given = Call { capability: "transform".to_owned(), with: output, ..call.clone() };
        self.pure.perform(&given).await
    }

    async fn notify(&self, notice: &Notice) -> Result<(), String> {
        self.state().notices.push(notice.clone());
        Ok(())
    }
}

/// Every secret there could be.
pub(super) struct AnySecret;

impl Secrets for AnySecret {
    async fn secret(&self, name: &str) -> Result<Option<String>, PortError> {
        Ok(Some(format!("the-secret-{name}")))
    }
}
