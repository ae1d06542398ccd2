//! Which rules a bus of Amazon EventBridge is to have, so that the events that active SOPs ask for reach the
//! function behind the event door.
//!
//! A source has a rule of its own, named after it: what SOPs ask of that source changes the rule where it
//! is, and no event falls between two rules. An event that two rules hand over is one event, by its id, so
//! rules may overlap. What does not fit is widened, never narrowed: first detail types go, then sources
//! share rules, at last one rule takes all. The matcher behind the door decides.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::event::ended;
use crate::id::Digest;

/// Characters of an event pattern.
/// Source: Amazon EventBridge quotas, event pattern size, as long as nobody has it raised.
const PATTERN_CHARS_MAX: usize = 2_048;

/// Bytes of a source or a detail type inside a pattern, its quotes included; of a longer one the beginning is
/// asked for. Shorter by far than a pattern, so that each fits into one.
const TEXT_BYTES_MAX: usize = 256;

/// Rules that may be asked for at most: a bus has 300, in some regions 100, and not all are ours.
/// Source: Amazon EventBridge quotas.
pub const RULES_MAX: usize = 100;

/// What the description of each rule of ours begins with: a rule without it is somebody else's.
pub const MARK: &str = "Sopwith: ";

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRule {
    /// `<prefix>-events-` and 16 hexadecimal digits that stand for the source, or for what shares the rule.
    pub name: String,
    /// The event pattern, an object.
    pub pattern: Value,
    /// [`MARK`] and what it is for.
    pub description: String,
}

/// What an SOP asks of a bus: source and detail type, either of which may be any.
pub type Asked<'a> = (Option<&'a str>, Option<&'a str>);

/// What the names of the rules of the deployment `prefix` begin with.
pub fn name_prefix(prefix: &str) -> String {
    format!("{prefix}-events-")
}

/// The rules for events that are asked for, sorted by name; at most `max` (1 to [`RULES_MAX`]).
///
/// Events of [`ended::SOURCE`], which need no bus to come to us, are never asked of the bus.
pub fn plan<'a>(
    prefix: &str,
    asked: impl IntoIterator<Item = Asked<'a>>,
    max: usize,
) -> Vec<EventRule> {
    let max = max.clamp(1, RULES_MAX);
    let demand = Demand::of(asked);
    let planned = demand.by_source(max).or_else(|| demand.by_shares(max));
    let everything = || vec![("everything".to_owned(), json!({ "source": others() }))];
    let mut rules: Vec<EventRule> = planned
        .unwrap_or_else(everything)
        .into_iter()
        .map(|(key, pattern)| rule(prefix, &key, pattern))
        .collect();
    rules.sort_unstable_by(|one, other| one.name.cmp(&other.name));
    rules
}

fn rule(prefix: &str, key: &str, pattern: Value) -> EventRule {
    let digest = Digest::of(key.as_bytes()).to_string();
    EventRule {
        name: format!("{}{}", name_prefix(prefix), &digest[..16]),
        pattern,
        description: format!("{MARK}events that active SOPs ask for"),
    }
}

/// What a rule is for, and its pattern.
type Planned = (String, Value);

/// All that is asked for, each once.
#[derive(Debug, Default)]
struct Demand<'a> {
    /// Detail types of each source; none asked for by name means any.
    sources: BTreeMap<&'a str, Option<BTreeSet<&'a str>>>,
    /// Detail types of whatever source.
    kinds: BTreeSet<&'a str>,
    everything: bool,
}

impl<'a> Demand<'a> {
    fn of(asked: impl IntoIterator<Item = Asked<'a>>) -> Self {
        let mut demand = Self::default();
        for (source, kind) in asked {
            match (source, kind) {
                (Some(ended::SOURCE), _) => {}
                (Some(source), None) => {
                    demand.sources.insert(source, None);
                }
                (Some(source), Some(kind)) => {
                    let kinds =
                        demand.sources.entry(source).or_insert_with(|| Some(BTreeSet::new()));
                    if let Some(kinds) = kinds {
                        kinds.insert(kind);
                    }
                }
                (None, Some(kind)) => {
                    demand.kinds.insert(kind);
                }
                (None, None) => demand.everything = true,
            }
        }
        // What comes from whatever source need not come twice.
        demand.sources.retain(|_, kinds| {
            kinds.as_mut().is_none_or(|kinds| {
                kinds.retain(|kind| !demand.kinds.contains(kind));
                !kinds.is_empty()
            })
        });
        demand
    }

    /// A rule a source; `None` when they are too many.
    fn by_source(&self, max: usize) -> Option<Vec<Planned>> {
        let mut planned = self.any_source(max)?;
        for (source, kinds) in &self.sources {
            let wide = json!({ "source": [text(source)] });
            let narrow = kinds.as_ref().map(|kinds| {
                let kinds: Vec<Value> = kinds.iter().map(|kind| text(kind)).collect();
                json!({ "source": [text(source)], "detail-type": kinds })
            });
            let pattern = narrow.filter(fits).unwrap_or(wide);
            planned.push((format!("source {source}"), pattern));
        }
        (planned.len() <= max).then_some(planned)
    }

    /// Rules that sources share, without their detail types; `None` when they are too many.
    fn by_shares(&self, max: usize) -> Option<Vec<Planned>> {
        let mut planned = self.any_source(max)?;
        let names: Vec<&str> = self.sources.keys().copied().collect();
        let sources = |shared: &[Value]| json!({ "source": shared });
        planned.extend(shares("sources", &names, max - planned.len(), sources)?);
        Some(planned)
    }

    /// Rules for detail types of whatever source.
    fn any_source(&self, max: usize) -> Option<Vec<Planned>> {
        if self.everything {
            return None;
        }
        let names: Vec<&str> = self.kinds.iter().copied().collect();
        let kinds = |shared: &[Value]| json!({ "source": others(), "detail-type": shared });
        shares("detail types", &names, max, kinds)
    }
}

/// As few rules as texts can share, at most `max`. Which one a text is in depends on itself and on their number
/// alone, so that one text more changes one rule.
fn shares(
    of: &str,
    texts: &[&str],
    max: usize,
    pattern: impl Fn(&[Value]) -> Value,
) -> Option<Vec<Planned>> {
    if texts.is_empty() {
        return Some(Vec::new());
    }
    (1..=max).find_map(|number| {
        let mut shared = vec![Vec::new(); number];
        for each in texts {
            let place = Digest::of(each.as_bytes()).to_string();
            let place = usize::from_str_radix(&place[..8], 16).expect("a digest is hexadecimal");
            shared[place % number].push(text(each));
        }
        let filled = shared.iter().enumerate().filter(|(_, texts)| !texts.is_empty());
        let planned: Vec<Planned> = filled
            .map(|(place, texts)| (format!("{of} {place} of {number}"), pattern(texts)))
            .collect();
        planned.iter().all(|(_, pattern)| fits(pattern)).then_some(planned)
    })
}

fn fits(pattern: &Value) -> bool {
    pattern.to_string().len() <= PATTERN_CHARS_MAX
}

/// Every source but our own.
fn others() -> Value {
    json!([{ "anything-but": [ended::SOURCE] }])
}

/// A text as a pattern asks for it: to the letter, or what a long one begins with.
fn text(text: &str) -> Value {
    let whole = json!(text);
    if whole.to_string().len() <= TEXT_BYTES_MAX {
        return whole;
    }
    let mut end = TEXT_BYTES_MAX / 2;
    // A character may be written as six.
    while !text.is_char_boundary(end) || json!(text[..end]).to_string().len() > TEXT_BYTES_MAX {
        end -= 1;
    }
    json!({ "prefix": text[..end] })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn patterns(asked: &[Asked<'_>], max: usize) -> Vec<String> {
        let mut all: Vec<String> = plan("sopwith", asked.iter().copied(), max)
            .iter()
            .map(|it| it.pattern.to_string())
            .collect();
        all.sort_unstable();
        all
    }

    /// Whether the bus would hand the event over: what of its patterns the planner uses.
    fn takes(rule: &EventRule, source: &str, kind: &str) -> bool {
        let field = |name: &str, text: &str| {
            let Some(wanted) = rule.pattern.get(name) else { return true };
            wanted.as_array().unwrap().iter().any(|wanted| {
                let prefix = wanted["prefix"].as_str();
                let others = wanted["anything-but"].as_array();
                *wanted == json!(text)
                    || prefix.is_some_and(|prefix| text.starts_with(prefix))
                    || others.is_some_and(|but| !but.contains(&json!(text)))
            })
        };
        field("source", source) && field("detail-type", kind)
    }

    #[test]
    fn each_source_has_a_rule_of_its_own() {
        let s3 = (Some("aws.s3"), Some("Object Created"));
        for (asked, max, expected) in [
            (&[][..], 20, &[][..]),
            (&[s3, s3], 20, &[r#"{"detail-type":["Object Created"],"source":["aws.s3"]}"#]),
            (
                &[s3, (Some("aws.s3"), Some("Object Deleted")), (Some("shop"), None)],
                20,
                &[
                    r#"{"detail-type":["Object Created","Object Deleted"],"source":["aws.s3"]}"#,
                    r#"{"source":["shop"]}"#,
                ],
            ),
            (&[s3, (Some("aws.s3"), None)], 20, &[r#"{"source":["aws.s3"]}"#]),
            // What comes from whatever source need not come twice.
            (
                &[s3, (None, Some("Object Created"))],
                20,
                &[r#"{"detail-type":["Object Created"],"source":[{"anything-but":["sopwith"]}]}"#],
            ),
            (&[(Some("it's \"a\""), None)], 20, &[r#"{"source":["it's \"a\""]}"#]),
            // Too many: their detail types go.
            (&[s3, (Some("b"), Some("x"))], 1, &[r#"{"source":["aws.s3","b"]}"#]),
            (
                &[s3, (Some("b"), None), (None, Some("x"))],
                1,
                &[r#"{"source":[{"anything-but":["sopwith"]}]}"#],
            ),
            (&[s3, (None, None)], 20, &[r#"{"source":[{"anything-but":["sopwith"]}]}"#]),
            (&[(Some("sopwith"), None), (Some("sopwith"), Some("x"))], 20, &[]),
        ] {
            assert_eq!(patterns(asked, max), expected, "{asked:?}, {max}");
        }
    }

    #[test]
    fn a_rule_keeps_its_name_when_more_is_asked_of_its_source() {
        let of = |kinds: &[&'static str]| {
            plan("sopwith", kinds.iter().map(|kind| (Some("shop"), Some(*kind))), 20)
        };
        let (one, two) = (of(&["a"]), of(&["a", "b"]));
        assert_eq!(one[0].name, two[0].name);
        assert_ne!(one[0].pattern, two[0].pattern);
        assert!(one[0].name.starts_with("sopwith-events-") && one[0].name.len() == 31);
        assert!(one[0].description.starts_with(MARK));
    }

    #[test]
    fn what_does_not_fit_is_widened() {
        let kinds: Vec<String> = (0..200).map(|n| format!("Kind number {n}")).collect();
        let of_one: Vec<Asked<'_>> =
            kinds.iter().map(|kind| (Some("shop"), Some(&**kind))).collect();
        assert_eq!(patterns(&of_one, 20), [r#"{"source":["shop"]}"#]);
        let of_any: Vec<Asked<'_>> = kinds.iter().map(|kind| (None, Some(&**kind))).collect();
        assert!((2..=20).contains(&plan("sopwith", of_any.iter().copied(), 20).len()));
        assert_eq!(patterns(&of_any, 1).len(), 1);
        let sources: Vec<String> = (0..10_000).map(|n| format!("com.example.{n}")).collect();
        let many = |number: usize| sources[..number].iter().map(|source| (Some(&**source), None));
        assert!((2..=20).contains(&plan("sopwith", many(800), 20).len()));
        assert_eq!(plan("sopwith", many(10_000), 20).len(), 1);
        let long = "ü\u{1}".repeat(2_000);
        let [rule] = &plan("sopwith", [(Some(&*long), Some(&*long))], 20)[..] else {
            panic!("one")
        };
        assert!(fits(&rule.pattern) && takes(rule, &long, &long));
    }

    proptest! {
        #[test]
        fn whatever_is_asked_for_comes_and_fits(
            asked in prop::collection::vec(
                (prop::option::of("(a|b|sopwith|[a-z]{1,300})"), prop::option::of("(x|y|[ -~]{1,300})")),
                0..40,
            ),
            max in 1_usize..30,
        ) {
            let asked: Vec<Asked<'_>> =
                asked.iter().map(|(source, kind)| (source.as_deref(), kind.as_deref())).collect();
            let rules = plan("sopwith", asked.iter().copied(), max);
            prop_assert!(rules.len() <= max);
            let names: BTreeSet<&str> = rules.iter().map(|rule| &*rule.name).collect();
            prop_assert_eq!(names.len(), rules.len());
            prop_assert!(rules.iter().all(|rule| fits(&rule.pattern)));
            for (source, kind) in asked {
                let (source, kind) = (source.unwrap_or("elsewhere"), kind.unwrap_or("else"));
                let comes = rules.iter().any(|rule| takes(rule, source, kind));
                prop_assert_eq!(comes, source != ended::SOURCE, "{} {}", source, kind);
            }
        }
    }
}
