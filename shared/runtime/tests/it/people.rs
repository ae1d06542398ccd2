//! What people do.

use sop_core::engine::{Decision, End, Input, Phase, Refusal, Verdict};
use sop_core::event::Data;
use sop_core::id::RunId;
use sop_runtime::flow::{self, ByHand, FlowError, Submitted};
use sop_testkit::ids::{input, sop};
use sop_testkit::scenario::{GATE, NOOP, webhook};

use crate::house::House;

async fn at_first_gate(steps: &[&str]) -> (House, RunId) {
    let house = House::new();
    house.publish("ask", "", &webhook("/sop/a"), steps).await;
    house.event("/sop/a").await;
    house.run_out().await;
    let run = house.only_run().await;
    (house, run)
}

async fn submit(house: &House, run: &RunId, id: &str, what: Input) -> Submitted {
    flow::submit(&house.host, run, &input(id), "ann", what, None).await.unwrap()
}

/// The same decision sent again is answered as the first, however far the run has got; its copy and a
/// redelivery of it change nothing.
#[tokio::test]
async fn a_decision_sent_again_is_one() {
    let (house, run) = at_first_gate(&[GATE, NOOP, GATE, NOOP]).await;
    assert_eq!(house.approve(&run, 1, "a").await, Submitted::Applied);
    assert_eq!(house.approve(&run, 1, "a").await, Submitted::Applied, "at once");
    house.run_out().await;
    assert_eq!(house.approve(&run, 1, "a").await, Submitted::Applied, "later");
    let superseded = Refusal::Superseded { named: 1, open: 2 };
    assert_eq!(house.approve(&run, 1, "b").await, Submitted::Refused(superseded));
    let never = Refusal::GateNotOpen { named: 3 };
    assert_eq!(house.approve(&run, 3, "c").await, Submitted::Refused(never));
    assert_eq!(house.approve(&run, 2, "d").await, Submitted::Applied);
    house.run_out().await;
    house.clock.advance(5_000);
    house.run_out().await;
    assert!(house.run(&run).await.is_finished());
    assert_eq!(house.approve(&run, 2, "d").await, Submitted::Applied, "though it is over");
    assert_eq!(house.approve(&run, 2, "e").await, Submitted::Refused(Refusal::AlreadyFinished));
    assert_eq!(house.repeated(), [""; 0]);
    assert_eq!(house.newest(&run).await.seq, 4, "start, yes, done, yes, done");
}

/// Of two that decide at once, one counts and the other hears why not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_two_decisions_counts() {
    for _ in 0..50 {
        let (house, run) = at_first_gate(&[GATE]).await;
        let decide = |host: crate::house::Memo, id: &'static str, decision: Decision| {
            let run = run.clone();
            tokio::spawn(async move {
                let what = Input::Decide { gate: 1, decision };
                flow::submit(&host, &run, &input(id), id, what, None).await.unwrap()
            })
        };
        let yes = decide(house.other(), "ann", Decision::Approve { comment: None });
        let no = decide(house.other(), "bob", Decision::Deny { reason: "no".into() });
        let (yes, no) = (yes.await.unwrap(), no.await.unwrap());
        let end = match house.run(&run).await.phase {
            Phase::Finished { end, .. } => end,
            phase => panic!("{phase:?}"),
        };
        let refused = Submitted::Refused(Refusal::AlreadyFinished);
        match end {
            End::Completed => assert_eq!((yes, no), (Submitted::Applied, refused)),
            End::Cancelled { reason } => {
                assert_eq!((yes, no), (refused, Submitted::Applied));
                assert_eq!(reason, "denied: no");
            }
            End::Failed { reason } => panic!("{reason}"),
        }
        assert_eq!(house.newest(&run).await.seq, 1);
    }
}

/// What does not fit the run is refused and writes nothing, not even a copy.
#[tokio::test]
async fn what_does_not_fit_is_refused() {
    let (house, run) = at_first_gate(&[GATE, "**Do** — it by hand."]).await;
    let done = |step| Input::Report { step, verdict: Verdict::Completed { output: None } };
    for (what, refusal) in [
        (done(1), Refusal::NotAwaited { step: 1 }),
        (done(2), Refusal::NotAwaited { step: 2 }),
        (done(0), Refusal::NotAwaited { step: 0 }),
        (done(u32::MAX), Refusal::NotAwaited { step: u32::MAX }),
        (
            Input::Decide { gate: 0, decision: Decision::Approve { comment: None } },
            Refusal::GateNotOpen { named: 0 },
        ),
    ] {
        assert_eq!(submit(&house, &run, "x", what).await, Submitted::Refused(refusal));
    }
    house.clock.advance(60_000);
    assert_eq!(house.dispatch().await, 0, "no copies");
    assert_eq!(house.newest(&run).await.seq, 0);
    let nobody = RunId::parse("00000000000000000000000000").unwrap();
    let error =
        flow::submit(&house.host, &nobody, &input("x"), "ann", done(1), None).await.unwrap_err();
    assert!(matches!(error, FlowError::NoRun(_)), "{error}");
}

/// A start by hand under a key is one start.
#[tokio::test]
async fn a_start_by_hand_under_a_key_is_one() {
    let house = House::new();
    let manual = "[[triggers]]\ntype = \"manual\"\n";
    house.publish("hand", "", manual, &[NOOP]).await;
    house.publish("hook", "", &webhook("/sop/a"), &[NOOP]).await;
    let start = async |name: &str, key| {
        flow::run_by_hand(&house.host, &sop(name), "ann", Data::Empty, key).await.unwrap()
    };
    let first = start("hand", Some("k")).await;
    assert!(matches!(first, ByHand::Started { .. }), "{first:?}");
    house.clock.advance(60_000);
    assert_eq!(start("hand", Some("k")).await, first, "the same run");
    let other = Data::Text("{}".into());
    let reused = flow::run_by_hand(&house.host, &sop("hand"), "ann", other, Some("k")).await;
    assert_eq!(reused.unwrap(), ByHand::KeyReused);
    assert_ne!(start("hand", Some("l")).await, first);
    assert_ne!(start("hand", None).await, first);
    let none = start("hook", None).await;
    assert!(matches!(none, ByHand::NotStarted { .. }), "it has no manual trigger: {none:?}");
    assert_eq!(start("nobody", None).await, ByHand::NoSop);
    house.clock.advance(5_000);
    house.run_out().await;
    assert_eq!(house.runs().await.len(), 3, "copies start nothing");
    assert_eq!(house.repeated(), [""; 0]);
}
