//! Who carries out built-ins in a world: it does nothing, and keeps a list.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};
use sop_core::engine::EffectKey;
use sop_core::id::RunId;
use sop_runtime::flow::{Call, Notice, Perform};

/// Does every call at once and remembers it; clones share the list.
#[derive(Debug, Clone, Default)]
pub struct Performer(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    calls: BTreeMap<EffectKey, Vec<Call>>,
    active: BTreeMap<RunId, u32>,
    active_max: usize,
    notices: Vec<Notice>,
}

impl Performer {
    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// How often each try of each step was carried out.
    pub fn counts(&self) -> BTreeMap<EffectKey, usize> {
        self.with(|state| {
            state.calls.iter().map(|(key, calls)| (key.clone(), calls.len())).collect()
        })
    }

    /// The calls with `key`.
    pub fn calls(&self, key: &EffectKey) -> Vec<Call> {
        self.with(|state| state.calls.get(key).cloned().unwrap_or_default())
    }

    /// Word of gates that was sent, each once for each time it was sent.
    pub fn notices(&self) -> Vec<Notice> {
        self.with(|state| state.notices.clone())
    }

    /// The most runs for which calls were ever under way at once.
    pub fn active_max(&self) -> usize {
        self.with(|state| state.active_max)
    }
}

impl Perform for Performer {
    async fn perform(&self, call: &Call) -> Result<Value, String> {
        self.with(|state| {
            state.calls.entry(call.key.clone()).or_default().push(call.clone());
            *state.active.entry(call.key.run.clone()).or_default() += 1;
            state.active_max = state.active_max.max(state.active.len());
        });
        // Others may run meanwhile.
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
        self.with(|state| {
            let calls = state.active.entry(call.key.run.clone()).or_default();
            *calls -= 1;
            if *calls == 0 {
                state.active.remove(&call.key.run);
            }
        });
        if let Some(reason) = call.with.get("fail") {
            return Err(reason.to_string());
        }
        // As many bytes of JSON as are asked for.
        if let Some(bytes) = call.with.get("bytes").and_then(Value::as_u64) {
            let quotes = 2;
            let chars = usize::try_from(bytes).unwrap_or_default().saturating_sub(quotes);
            return Ok(Value::String("x".repeat(chars)));
        }
        Ok(json!({ "done": call.key.step, "attempt": call.key.attempt }))
    }

    async fn notify(&self, notice: &Notice) -> Result<(), String> {
        self.with(|state| state.notices.push(notice.clone()));
        Ok(())
    }
}
