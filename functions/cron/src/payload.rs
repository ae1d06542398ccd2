//! EventBridge Scheduler's shape: whatever the schedule's input is, a call is a tick.

use serde::Serialize;
use sop_runtime::flow::Ticked;

/// The schedule's input, which nobody reads: the store knows when the last tick was.
pub type Schedule = serde::de::IgnoredAny;

/// What a tick did, for the caller who asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tick {
    /// Schedules that fired.
    pub fired: usize,
    /// Overdue runs that were woken.
    pub woken: usize,
    /// SOPs whose queue was looked at.
    pub congested: usize,
}

impl From<Ticked> for Tick {
    fn from(Ticked { fired, woken, congested }: Ticked) -> Self {
        Self { fired, woken, congested }
    }
}

#[cfg(test)]
mod tests {
    use sop_core::Timestamp;
    use sop_runtime::flow::{self, Host};
    use sop_runtime::port::CronCursor;
    use sop_testkit::{ManualClock, Memory};

    use super::*;

    #[test]
    fn any_input_is_a_tick() {
        for input in [
            "{}",
            "null",
            r#"{"version":"0","id":"53dc4d37","detail-type":"Scheduled Event","source":"aws.scheduler",
                "account":"123456789012","time":"2026-03-01T08:00:00Z","region":"eu-west-1",
                "resources":["arn:aws:scheduler:eu-west-1:123456789012:schedule/default/sop-tick"],"detail":"{}"}"#,
        ] {
            serde_json::from_str::<Schedule>(input).unwrap();
        }
    }

    #[tokio::test]
    async fn a_tick_moves_the_window_and_says_what_it_did() {
        let clock = ManualClock::default();
        let memory = Memory::new(clock.clone());
        let host = Host::new(memory.clone(), memory.clone(), clock);
        let tick = Tick::from(flow::tick(&host).await.unwrap());
        assert_eq!(serde_json::to_string(&tick).unwrap(), r#"{"fired":0,"woken":0,"congested":0}"#);
        let checked: Option<Timestamp> = memory.last_check(&host.tenant).await.unwrap();
        assert_eq!(checked, Some(host.now()));
    }
}
