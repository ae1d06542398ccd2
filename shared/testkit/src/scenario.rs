//! Stories that hold on every store and queue: exactly once, through crashes at any port call.

mod busy;
mod large;
mod tickers;

use std::collections::BTreeSet;
use std::future::Future;

use futures_util::stream::{self, StreamExt};
use sop_core::event::{Data, Source};
use sop_core::id::{EventId, SopName};
use sop_runtime::flow::Door;
use sop_runtime::port::{Clock, Consumer, Queue, Store};

use crate::failing::{Fuse, Moment};
use crate::ids::sop;
use crate::patience::Passage;
use crate::world::{Mischief, Verdict, World};

pub use busy::{Busy, max_concurrent};
pub use large::{Large, large};
pub use tickers::tickers;

/// An SOP's two texts.
pub fn texts(toml: &str, steps: &[&str]) -> (String, String) {
    let numbered = steps.iter().enumerate().map(|(i, step)| format!("{}. {step}\n", i + 1));
    let body: Vec<String> = numbered.collect();
    (toml.to_owned(), format!("# SOP\n\n## Steps\n\n{}", body.join("\n")))
}

/// A step that the built-in `noop` does.
pub const NOOP: &str = "**Do** — it.\n   - capability: noop";

/// A step that needs a yes and nothing else.
pub const GATE: &str = "**Ask** — whether.\n   - kind: checkpoint";

/// A step that waits two seconds.
pub const WAIT: &str = "**Wait** — a little.\n   - capability: wait\n   - with: {\"seconds\": 2}";

/// A step that validates its input.
pub const VALIDATE: &str =
    "**Check** — it.\n   - capability: json.validate\n   - with: {\"schema\": {}}";

/// The head of an `SOP.toml` whose steps are gated by themselves alone.
pub fn toml(name: &str, keys: &str, triggers: &str) -> String {
    format!(
        "[sop]\nname = \"{name}\"\ndescription = \"d\"\nversion = \"1\"\nexecution_mode = \"auto\"\n\
         {keys}\n{triggers}"
    )
}

/// A public webhook trigger.
pub fn webhook(path: &str) -> String {
    format!("[[triggers]]\ntype = \"webhook\"\npath = \"{path}\"\nauth = \"none\"\n")
}

/// The SOPs of the story: one with all kinds of steps and a twin at the same path, one that runs one
/// run at a time, one with a cooldown, one on a schedule.
fn sops() -> Vec<(String, String)> {
    vec![
        texts(&toml("main", "", &webhook("/sop/main")), &[VALIDATE, GATE, WAIT, NOOP]),
        texts(&toml("twin", "", &webhook("/sop/main")), &[NOOP]),
        texts(
            &toml(
                "narrow",
                "max_concurrent = 1",
                "[[triggers]]\ntype = \"mqtt\"\ntopic = \"a/#\"\n",
            ),
            &[NOOP, GATE, NOOP],
        ),
        texts(&toml("calm", "cooldown_secs = 86400", &webhook("/sop/calm")), &[NOOP, NOOP]),
        texts(
            &toml("yearly", "", "[[triggers]]\ntype = \"cron\"\nexpression = \"0 8 1 3 *\"\n"),
            &[NOOP],
        ),
    ]
}

/// Plays the story to its end and sees that all is as it must be.
///
/// `fires` tells whether the world begins at the one minute of the year in which its schedule fires.
///
/// # Panics
/// When a promise is broken.
pub async fn exactly_once<S, Q, C>(mut world: World<S, Q, C>, fires: bool) -> (Verdict, u64)
where
    S: Store + Clone,
    Q: Queue + Consumer + Clone,
    C: Clock + Passage + Clone,
{
    let begun = world.plain().now();
    world.publish(&sops()).await;
    let mut expected: BTreeSet<(SopName, EventId)> = BTreeSet::new();
    if fires {
        world.tick().await;
        let parts = ["cron", "yearly", "0 8 1 3 *", "UTC"];
        expected.insert((sop("yearly"), EventId::derived(begun, &parts)));
    }
    for key in ["one", "two"] {
        let event = world.call("/sop/main", key, "{\"n\": 1}").await;
        expected.insert((sop("main"), event.clone()));
        expected.insert((sop("twin"), event));
    }
    for packet in ["7", "8", "9"] {
        let event = world.take(uplink(packet, begun)).await;
        expected.insert((sop("narrow"), event));
    }
    expected.insert((sop("calm"), world.call("/sop/calm", "first", "").await));
    world.settle().await;
    // The first has completed, so this one starts nothing.
    world.call("/sop/calm", "second", "").await;
    world.settle().await;
    let verdict = world.check(&expected).await;
    let calls = world.calls();
    world.close().await;
    (verdict, calls)
}

fn uplink(packet: &str, at: sop_core::Timestamp) -> Door {
    Door {
        source: Source::Mqtt,
        subject: "a/b".into(),
        data: Data::Text(format!("{{\"packet\": {packet}}}")),
        transport_id: Some(packet.to_owned()),
        time: Some(at),
        actor: None,
    }
}

/// Which of the port calls a matrix lets a process die at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Points {
    /// Each: before and after its effect, without and with mischief.
    All,
    /// Each, after its effect, without mischief: for the store that is also before the next.
    After,
    /// At about this many, spread evenly, once each: before or after, with or without mischief by turns.
    Spread(u64),
}

impl Points {
    /// The plans of a matrix whose undisturbed story makes `calls` port calls.
    fn plans(self, calls: u64) -> Vec<Plan> {
        let all = (1..=calls).flat_map(Plan::of_call);
        match self {
            Self::All => all.collect(),
            Self::After => all
                .filter(|it| it.moment == Moment::After && it.mischief == Mischief::default())
                .collect(),
            Self::Spread(count) => {
                let step = (calls / count.max(1)).max(1);
                let spread = all.filter(|it| (it.call - 1) % step == 0);
                // Of the four plans of a call, one after the other.
                let turns = spread.enumerate().filter(|(i, _)| i % 4 == i / 4 % 4);
                turns.map(|(_, plan)| plan).collect()
            }
        }
    }
}

/// Stories of a matrix that are played at once.
const AT_ONCE: usize = 8;

/// What a matrix went through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Matrix {
    /// Port calls of the undisturbed story.
    pub calls: u64,
    /// Stories played.
    pub played: u64,
    /// Effects that were carried out more than once, over all of them.
    pub repeated: usize,
}

/// Plays the story undisturbed, then with a process that dies at each of its port calls, before and
/// after its effect, and with messages that come twice, again and in another order.
///
/// `make` makes a fresh world.
///
/// # Panics
/// When a promise is broken; the message before it on stderr tells the plan.
pub async fn crash_matrix<S, Q, C, F, Fut>(make: F, points: Points, fires: bool) -> Matrix
where
    S: Store + Clone,
    Q: Queue + Consumer + Clone,
    C: Clock + Passage + Clone,
    F: Fn(Fuse, Mischief) -> Fut,
    Fut: Future<Output = World<S, Q, C>>,
{
    let world = make(Fuse::whole(), Mischief::default()).await;
    let (undisturbed, calls) = Box::pin(exactly_once(world, fires)).await;
    assert_eq!(undisturbed.repeated, 0, "undisturbed, every effect is carried out exactly once");
    let mut matrix = Matrix { calls, played: 1, repeated: 0 };
    // Stories are apart, and some wait for real time to pass.
    let stories = points.plans(calls).into_iter().map(|plan| {
        let world = Box::pin(make(Fuse::dead_from(plan.call, plan.moment), plan.mischief));
        async move {
            let _told = Told(plan);
            Box::pin(exactly_once(world.await, fires)).await.0.repeated
        }
    });
    let mut stories = stream::iter(stories).buffer_unordered(AT_ONCE);
    while let Some(repeated) = stories.next().await {
        matrix.played += 1;
        matrix.repeated += repeated;
    }
    matrix
}

#[derive(Debug, Clone, Copy)]
struct Plan {
    call: u64,
    moment: Moment,
    mischief: Mischief,
}

impl Plan {
    /// The four of one call.
    fn of_call(call: u64) -> impl Iterator<Item = Self> {
        [Moment::Before, Moment::After].into_iter().flat_map(move |moment| {
            [Mischief::default(), Mischief::all(call)].map(|mischief| Self {
                call,
                moment,
                mischief,
            })
        })
    }
}

/// Tells the plan when the story panics.
struct Told(Plan);

impl Drop for Told {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the process died at {:?}", self.0);
        }
    }
}
