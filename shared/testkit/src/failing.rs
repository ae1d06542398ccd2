//! Ports that fail when a test says so: the crash between any two lines of a flow.
//!
//! Run a flow once with [`Fuse::whole`] and ask [`Fuse::calls`] how many port calls it made; then run it
//! again for each of them with [`Fuse::at`] or [`Fuse::dead_from`], on fresh ports, and see that what is
//! left behind heals.

mod queue;
mod store;

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sop_runtime::port::PortError;

/// On which side of its effect a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Nothing has happened.
    Before,
    /// It has happened, but the caller is not told.
    After,
}

/// What a fuse does when its call comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Plan {
    Hold,
    Fail { call: u64, moment: Moment },
    Die { call: u64, moment: Moment },
}

/// Counts port calls and makes one, or all from one on, fail; clones are one fuse.
#[derive(Debug, Clone)]
pub struct Fuse(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    plan: Plan,
    calls: u64,
    blown: bool,
}

#[derive(Debug, thiserror::Error)]
#[error("call {call} was made to fail {side} its effect")]
struct Blown {
    call: u64,
    side: &'static str,
}

impl Fuse {
    fn new(plan: Plan) -> Self {
        Self(Arc::new(Mutex::new(State { plan, calls: 0, blown: false })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A fuse that never blows and only counts.
    pub fn whole() -> Self {
        Self::new(Plan::Hold)
    }

    /// A fuse that makes call number `call`, counted from 1, fail; those after it succeed again.
    pub fn at(call: u64, moment: Moment) -> Self {
        Self::new(Plan::Fail { call, moment })
    }

    /// A fuse that makes call number `call`, counted from 1, fail, and all after it before they do
    /// anything: the process is dead.
    pub fn dead_from(call: u64, moment: Moment) -> Self {
        Self::new(Plan::Die { call, moment })
    }

    /// How many calls were made, failed ones included.
    pub fn calls(&self) -> u64 {
        self.state().calls
    }

    /// Whether a call has failed.
    pub fn has_blown(&self) -> bool {
        self.state().blown
    }

    /// Lets every call from now on succeed: the process is started again.
    pub fn mend(&self) {
        self.state().plan = Plan::Hold;
    }

    /// Counts a call; tells its number and on which side it must fail, if it must.
    fn next(&self) -> (u64, Option<Moment>) {
        let mut state = self.state();
        state.calls += 1;
        let now = state.calls;
        let moment = match state.plan {
            Plan::Fail { call, moment } | Plan::Die { call, moment } if call == now => Some(moment),
            Plan::Die { call, .. } if call < now => Some(Moment::Before),
            Plan::Hold | Plan::Fail { .. } | Plan::Die { .. } => None,
        };
        state.blown |= moment.is_some();
        (now, moment)
    }

    /// Makes `call`, unless it is to fail.
    async fn guard<T>(
        &self,
        action: &'static str,
        call: impl Future<Output = Result<T, PortError>> + Send,
    ) -> Result<T, PortError> {
        let (number, moment) = self.next();
        let blown = |side| Err(PortError::retryable(action, Blown { call: number, side }));
        match moment {
            None => call.await,
            Some(Moment::Before) => blown("before"),
            Some(Moment::After) => {
                call.await?;
                blown("after")
            }
        }
    }
}

/// A store, a queue or both, whose calls fail as its fuse says.
#[derive(Debug, Clone)]
pub struct Failing<P> {
    inner: P,
    fuse: Fuse,
}

impl<P> Failing<P> {
    /// `inner`, guarded by `fuse`; ports that share a fuse are counted together.
    pub fn new(inner: P, fuse: &Fuse) -> Self {
        Self { inner, fuse: fuse.clone() }
    }

    /// The port itself, which never fails by the fuse.
    pub fn inner(&self) -> &P {
        &self.inner
    }
}

#[cfg(test)]
mod tests {
    use sop_core::Timestamp;
    use sop_core::id::Tenant;
    use sop_runtime::port::CronCursor;

    use super::*;
    use crate::memory::Memory;

    async fn moved(fuse: &Fuse) -> (Vec<bool>, Vec<i64>) {
        let (memory, tenant) = (Memory::default(), Tenant::default());
        let port = Failing::new(memory.clone(), fuse);
        let (mut answers, mut reached) = (Vec::new(), Vec::new());
        for to in 1..=4 {
            answers.push(port.advance(&tenant, Timestamp::from_millis(to)).await.is_ok());
            let there = memory.last_check(&tenant).await.unwrap();
            reached.push(there.map_or(0, Timestamp::as_millis));
        }
        (answers, reached)
    }

    #[tokio::test]
    async fn the_chosen_call_fails_before_or_after_its_effect() {
        let cases = [
            (Fuse::whole(), [true, true, true, true], [1, 2, 3, 4]),
            (Fuse::at(2, Moment::Before), [true, false, true, true], [1, 1, 3, 4]),
            (Fuse::at(2, Moment::After), [true, false, true, true], [1, 2, 3, 4]),
            (Fuse::dead_from(2, Moment::Before), [true, false, false, false], [1, 1, 1, 1]),
            (Fuse::dead_from(2, Moment::After), [true, false, false, false], [1, 2, 2, 2]),
            (Fuse::at(9, Moment::Before), [true, true, true, true], [1, 2, 3, 4]),
        ];
        for (fuse, answers, reached) in cases {
            assert_eq!(moved(&fuse).await, (answers.to_vec(), reached.to_vec()), "{fuse:?}");
            assert_eq!(fuse.calls(), 4, "failed calls count, too");
            assert_eq!(fuse.has_blown(), answers.contains(&false));
        }
    }

    #[tokio::test]
    async fn a_mended_fuse_holds_and_ports_share_it() {
        let (memory, tenant) = (Memory::default(), Tenant::default());
        let fuse = Fuse::dead_from(1, Moment::Before);
        let ports = [Failing::new(memory.clone(), &fuse), Failing::new(memory, &fuse)];
        for port in &ports {
            let error = port.last_check(&tenant).await.unwrap_err();
            assert!(error.retryable);
            assert_eq!(error.to_string(), "could not read the cron cursor");
        }
        fuse.mend();
        for port in &ports {
            assert_eq!(port.last_check(&tenant).await.unwrap(), None);
        }
        assert_eq!(fuse.calls(), 4);
    }
}
