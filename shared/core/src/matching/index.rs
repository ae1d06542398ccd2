//! Triggers by their keys.

use std::collections::{BTreeSet, HashMap};

use super::trie::Trie;
use super::{Listed, Snapshot, Wait, event_keys, event_subject, peripheral_subject};
use crate::condition::{Condition, Payload};
use crate::cron::CronExpr;
use crate::definition::{Auth, Signed, Trigger, WebhookTrigger};
use crate::event::{Event, Source};
use crate::event_rule::Asked;
use crate::id::SopName;
use crate::ingress;
use crate::topic::TopicFilter;

/// The active SOPs, arranged so that an event meets only triggers whose key it has.
#[derive(Debug, Default)]
pub struct Index {
    /// INVARIANT: sorted by name, each name once; a slot's order is its SOP's order.
    sops: Vec<Listed>,
    webhooks: HashMap<Box<str>, Vec<Slot>>,
    crons: HashMap<Box<str>, Vec<Slot>>,
    /// By `board/signal`, neither of which has a slash.
    peripherals: HashMap<Box<str>, Vec<Slot>>,
    /// By `source/detail type`, either of which is empty where a trigger takes any.
    events: HashMap<Box<str>, Vec<Slot>>,
    topics: Trie,
    manual: Vec<Slot>,
    /// What runs of the SOPs wait for, arranged like triggers: SOP and trigger of a slot here are those of
    /// `sops` and of its `waits`.
    waits: Option<Box<Index>>,
}

/// One trigger: positions of its SOP in the index and of itself in the SOP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Slot {
    pub(super) sop: u32,
    pub(super) trigger: u32,
}

/// An SOP that an event starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Match {
    /// Its position in [`Index::sops`].
    pub sop: usize,
    /// The first of its triggers that matched, counted from 0.
    pub trigger: usize,
}

/// What the index knows of a webhook's path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WebhookRoute {
    /// No trigger has the path: 404.
    Unknown,
    /// Triggers have the path, but none takes the method: 405.
    WrongMethod {
        /// The methods that are taken, sorted.
        allowed: Vec<String>,
    },
    /// A trigger may match, its condition permitting.
    Known {
        /// What the caller must show.
        demands: Demands,
    },
}

/// What a caller of a path must show: all that its triggers ask for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Demands {
    /// A bearer token.
    pub token: bool,
    /// A signature of each of these.
    pub signed: Vec<Signed>,
}

impl Demands {
    /// Whether nothing has to be shown.
    pub fn is_public(&self) -> bool {
        !self.token && self.signed.is_empty()
    }
}

/// One schedule of one SOP.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Schedule<'a> {
    /// Whose it is.
    pub sop: &'a Listed,
    /// When it fires.
    pub expression: &'a CronExpr,
    /// IANA time zone: the trigger's own, else the SOP's.
    pub timezone: &'a str,
}

impl Index {
    /// Arranges the SOPs of a catalog. Of two with one name the first is kept.
    pub fn build(sops: impl IntoIterator<Item = Listed>) -> Self {
        let mut sops: Vec<Listed> = sops.into_iter().collect();
        sops.sort_by(|a, b| a.name.cmp(&b.name));
        sops.dedup_by(|later, first| later.name == first.name);
        let mut index = Self { sops, ..Self::default() };
        index.waits = Self::waiting(&index.sops);
        let Self { sops, webhooks, crons, peripherals, events, topics, manual, waits: _ } =
            &mut index;
        for (at, sop) in sops.iter().enumerate() {
            for (number, trigger) in sop.triggers.iter().enumerate() {
                let slot = Slot { sop: position(at), trigger: position(number) };
                match trigger {
                    Trigger::Manual => manual.push(slot),
                    Trigger::Webhook(webhook) => {
                        webhooks.entry(webhook.path.as_str().into()).or_default().push(slot);
                    }
                    Trigger::Mqtt { topic, .. } => topics.insert(topic, slot),
                    Trigger::Cron { expression, .. } => {
                        crons.entry(expression.as_str().into()).or_default().push(slot);
                    }
                    Trigger::Peripheral { board, signal, .. } => {
                        if let Some(subject) = peripheral_subject(board, signal) {
                            peripherals.entry(subject.into()).or_default().push(slot);
                        }
                    }
                    Trigger::Event { source, detail_type, .. } => {
                        let key = event_subject(source.as_deref(), detail_type.as_deref());
                        events.entry(key.into()).or_default().push(slot);
                    }
                }
            }
        }
        index
    }

    /// The index of what runs of `sops` wait for; none when they wait for nothing.
    fn waiting(sops: &[Listed]) -> Option<Box<Self>> {
        if sops.iter().all(|sop| sop.waits.is_empty()) {
            return None;
        }
        let waiting = sops.iter().map(|sop| Listed {
            triggers: sop.waits.iter().map(|wait| wait.on.clone()).collect(),
            waits: Vec::new(),
            ..sop.clone()
        });
        Some(Box::new(Self::build(waiting)))
    }

    /// What runs may wait for that the event is, each with its SOP.
    pub fn awaited(&self, event: &Event, payload: &Payload<'_>) -> Vec<(&Listed, &Wait)> {
        let Some(waits) = &self.waits else { return Vec::new() };
        let mut found = Vec::new();
        for slot in waits.candidates(event) {
            let sop = &self.sops[slot.sop as usize];
            let wait = &sop.waits[slot.trigger as usize];
            if condition(&wait.on).is_none_or(|condition| condition.holds(payload)) {
                found.push((sop, wait));
            }
        }
        found
    }

    /// Whether a trigger, or what a run waits for, names an event of a bus with `subject`, its condition aside.
    pub fn names_event(&self, subject: &str) -> bool {
        let mut keys = event_keys(subject).into_iter().flatten();
        keys.any(|key| self.events.contains_key(key.as_str()))
            || self.waits.as_ref().is_some_and(|waits| waits.names_event(subject))
    }

    /// The SOPs, sorted by name, those that are archived and still waited for among them.
    pub fn sops(&self) -> &[Listed] {
        &self.sops
    }

    /// The active SOP named `name`.
    pub fn find(&self, name: &SopName) -> Option<&Listed> {
        self.position(name).map(|at| &self.sops[at]).filter(|sop| !sop.archived)
    }

    /// The SOPs that are active, sorted by name.
    pub fn active(&self) -> impl Iterator<Item = &Listed> {
        self.sops.iter().filter(|sop| !sop.archived)
    }

    pub(super) fn position(&self, name: &SopName) -> Option<usize> {
        self.sops.binary_search_by(|sop| sop.name.cmp(name)).ok()
    }

    /// The SOPs that the event starts, sorted by name, each once.
    ///
    /// The payload is parsed only when a trigger whose key fits has a condition.
    pub fn matches(&self, event: &Event, payload: &Payload<'_>) -> Vec<Match> {
        let mut found: Vec<Match> = Vec::new();
        for slot in self.candidates(event) {
            let (sop, trigger) = (slot.sop as usize, slot.trigger as usize);
            if found.last().is_some_and(|last| last.sop == sop) {
                continue;
            }
            let wanted = &self.sops[sop].triggers[trigger];
            if takes_method(wanted, event) && condition(wanted).is_none_or(|it| it.holds(payload)) {
                found.push(Match { sop, trigger });
            }
        }
        found
    }

    /// Whether the event starts an SOP, or is what one of an SOP's runs may wait for.
    pub fn wants(&self, event: &Event, payload: &Payload<'_>) -> bool {
        !self.matches(event, payload).is_empty() || !self.awaited(event, payload).is_empty()
    }

    /// The triggers whose key the event has, in order; webhooks of whatever method.
    pub(super) fn candidates(&self, event: &Event) -> Vec<Slot> {
        let subject = event.subject.as_str();
        let mut slots = match event.source {
            Source::Webhook => self.webhooks.get(subject).cloned().unwrap_or_default(),
            Source::Cron => self.crons.get(subject).cloned().unwrap_or_default(),
            Source::Peripheral => self.peripherals.get(subject).cloned().unwrap_or_default(),
            Source::Event => {
                let keys = event_keys(subject).into_iter().flatten();
                let found = keys.filter_map(|key| self.events.get(key.as_str()));
                let mut slots: Vec<Slot> = found.flatten().copied().collect();
                slots.sort_unstable();
                slots
            }
            // It starts its target without a trigger.
            Source::Sop => Vec::new(),
            Source::Manual => match &event.target {
                Some(name) => self.manual_of(name),
                None => self.manual.clone(),
            },
            Source::Mqtt => {
                let mut slots = Vec::new();
                self.topics.find(subject, &mut slots);
                slots.sort_unstable();
                slots
            }
        };
        if let Some(target) = &event.target {
            let only = self.position(target);
            slots.retain(|slot| Some(slot.sop as usize) == only);
        }
        slots
    }

    fn manual_of(&self, name: &SopName) -> Vec<Slot> {
        let Some(at) = self.position(name) else { return Vec::new() };
        let triggers = self.sops[at].triggers.iter();
        let number = triggers.enumerate().find(|(_, trigger)| matches!(trigger, Trigger::Manual));
        number
            .map(|(number, _)| Slot { sop: position(at), trigger: position(number) })
            .into_iter()
            .collect()
    }

    /// What a request for `path` with `method` (upper case) meets, before anything is read of it.
    ///
    /// A path asks for all that its triggers, for whatever method, ask for: public only when every one says so.
    pub fn webhook_route(&self, path: &str, method: &str) -> WebhookRoute {
        let Some(slots) = self.webhooks.get(path) else {
            return match &self.waits {
                Some(waits) => waits.webhook_route(path, method),
                None => WebhookRoute::Unknown,
            };
        };
        let webhooks: Vec<&WebhookTrigger> =
            slots.iter().filter_map(|slot| self.webhook(*slot)).collect();
        let takes =
            |webhook: &&WebhookTrigger| webhook.method.as_deref().is_none_or(|m| m == method);
        if !webhooks.iter().any(takes) {
            let methods: BTreeSet<String> =
                webhooks.iter().filter_map(|webhook| webhook.method.clone()).collect();
            return WebhookRoute::WrongMethod { allowed: methods.into_iter().collect() };
        }
        let mut demands = Demands::default();
        for webhook in webhooks {
            match &webhook.auth {
                Auth::None => {}
                Auth::Bearer => demands.token = true,
                Auth::Signed(signed) if demands.signed.contains(signed) => {}
                Auth::Signed(signed) => demands.signed.push(signed.clone()),
            }
        }
        WebhookRoute::Known { demands }
    }

    /// What a caller of `path` with `method` must show; `None` when no trigger takes it.
    pub fn webhook_demands(&self, path: &str, method: &str) -> Option<Demands> {
        match self.webhook_route(path, method) {
            WebhookRoute::Known { demands } => Some(demands),
            WebhookRoute::Unknown | WebhookRoute::WrongMethod { .. } => None,
        }
    }

    /// The webhook triggers whose path is almost `path`: what a caller that found none may have meant. At most
    /// five, and each SOP is looked at: for answers that say no.
    pub fn near_webhooks(&self, path: &str) -> Vec<(&Listed, &Trigger)> {
        const NEAR_MAX: usize = 5;
        const TYPOS_MAX: usize = 2;
        let is_near = |known: &str| {
            let (whole, part) =
                if known.len() > path.len() { (known, path) } else { (path, known) };
            let goes_on = whole.strip_prefix(part).is_some_and(|rest| rest.starts_with('/'));
            goes_on
                || known.eq_ignore_ascii_case(path)
                || strsim::damerau_levenshtein(known, path) <= TYPOS_MAX
        };
        let all = self.sops.iter().flat_map(|sop| sop.triggers.iter().map(move |on| (sop, on)));
        let near = all.filter(|(_, trigger)| match trigger {
            Trigger::Webhook(webhook) => webhook.path != path && is_near(&webhook.path),
            Trigger::Manual
            | Trigger::Mqtt { .. }
            | Trigger::Cron { .. }
            | Trigger::Peripheral { .. }
            | Trigger::Event { .. } => false,
        });
        near.take(NEAR_MAX).collect()
    }

    fn webhook(&self, slot: Slot) -> Option<&WebhookTrigger> {
        match &self.sops[slot.sop as usize].triggers[slot.trigger as usize] {
            Trigger::Webhook(webhook) => Some(webhook),
            Trigger::Manual
            | Trigger::Mqtt { .. }
            | Trigger::Cron { .. }
            | Trigger::Peripheral { .. }
            | Trigger::Event { .. } => None,
        }
    }

    /// The schedules of all SOPs, by name and then in the author's order.
    pub fn schedules(&self) -> impl Iterator<Item = Schedule<'_>> {
        self.sops.iter().flat_map(|sop| {
            sop.triggers.iter().filter_map(move |trigger| match trigger {
                Trigger::Cron { expression, timezone } => Some(Schedule {
                    sop,
                    expression,
                    timezone: timezone.as_deref().unwrap_or(&sop.timezone),
                }),
                Trigger::Manual
                | Trigger::Webhook(_)
                | Trigger::Mqtt { .. }
                | Trigger::Peripheral { .. }
                | Trigger::Event { .. } => None,
            })
        })
    }

    /// What starts the SOPs, and what their runs wait for.
    fn wanted(&self) -> impl Iterator<Item = &Trigger> {
        let triggers = self.sops.iter().flat_map(|sop| &sop.triggers);
        let waits = self.sops.iter().flat_map(|sop| sop.waits.iter().map(|wait| &wait.on));
        triggers.chain(waits)
    }

    /// The topic filters of all SOPs, sorted, each once: what a broker is to be asked for.
    pub fn topic_filters(&self) -> BTreeSet<&TopicFilter> {
        self.wanted()
            .filter_map(|trigger| match trigger {
                Trigger::Mqtt { topic, .. } => Some(topic),
                Trigger::Manual
                | Trigger::Webhook(_)
                | Trigger::Cron { .. }
                | Trigger::Peripheral { .. }
                | Trigger::Event { .. } => None,
            })
            .collect()
    }

    /// The sources and detail types of all SOPs, sorted, each pair once: what a bus is to be asked for.
    pub fn bus_events(&self) -> BTreeSet<Asked<'_>> {
        self.wanted()
            .filter_map(|trigger| match trigger {
                Trigger::Event { source, detail_type, .. } => {
                    Some((source.as_deref(), detail_type.as_deref()))
                }
                Trigger::Manual
                | Trigger::Webhook(_)
                | Trigger::Mqtt { .. }
                | Trigger::Cron { .. }
                | Trigger::Peripheral { .. } => None,
            })
            .collect()
    }

    /// The topic filters of all SOPs, those of uplinks among them: what a broker elsewhere is to be asked for.
    pub fn broker_filters(&self) -> Vec<TopicFilter> {
        let uplinks = self.wanted().filter_map(|trigger| match trigger {
            Trigger::Peripheral { board, signal, .. } => {
                TopicFilter::parse(&ingress::uplink_topic(board, signal)).ok()
            }
            Trigger::Manual
            | Trigger::Webhook(_)
            | Trigger::Mqtt { .. }
            | Trigger::Cron { .. }
            | Trigger::Event { .. } => None,
        });
        let uplinks: BTreeSet<TopicFilter> = uplinks.collect();
        self.topic_filters().into_iter().cloned().chain(uplinks).collect()
    }
}

impl From<Snapshot> for Index {
    fn from(snapshot: Snapshot) -> Self {
        Self::build(snapshot.sops)
    }
}

/// The condition of a trigger, if it has one.
pub(super) fn condition(trigger: &Trigger) -> Option<&Condition> {
    match trigger {
        Trigger::Manual | Trigger::Cron { .. } => None,
        Trigger::Webhook(webhook) => webhook.condition.as_ref(),
        Trigger::Mqtt { condition, .. }
        | Trigger::Peripheral { condition, .. }
        | Trigger::Event { condition, .. } => condition.as_ref(),
    }
}

/// Whether a webhook takes the event's method; true of all other triggers.
fn takes_method(trigger: &Trigger, event: &Event) -> bool {
    match trigger {
        Trigger::Webhook(webhook) => webhook.method.is_none() || webhook.method == event.method,
        Trigger::Manual
        | Trigger::Mqtt { .. }
        | Trigger::Cron { .. }
        | Trigger::Peripheral { .. }
        | Trigger::Event { .. } => true,
    }
}

fn position(at: usize) -> u32 {
    u32::try_from(at).expect("a catalog has fewer than 2^32 triggers")
}
