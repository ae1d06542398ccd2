//! Which rules AWS IoT Core is to have, so that the messages that active SOPs ask for reach the function
//! behind the MQTT door, each once.
//!
//! A rule has one topic filter. Filters that others cover need no rule; filters that overlap are joined,
//! because a message that two rules hand over would be two events; when there are still more than may be,
//! the two that lose least by it are joined. Joining lets more messages through, never fewer: the matcher
//! behind the door decides.

use crate::id::Digest;
use crate::topic::{TopicFilter, widest};

/// Levels of a topic.
/// Source: AWS IoT Core quotas: a topic has at most 7 slashes, Basic Ingest's first three levels aside.
const LEVELS_MAX: usize = 8;

/// Bytes of a topic.
/// Source: AWS IoT Core quotas.
const FILTER_BYTES_MAX: usize = 256;

/// Filters that are compared with each other; of more, their first levels alone are looked at.
const COMPARED_MAX: usize = 200;

/// Rules that may be asked for at most: an account has 1 000, and not all are ours.
/// Source: AWS IoT Core quotas.
pub const RULES_MAX: usize = 100;

/// What the description of each rule of ours begins with: a rule without it is somebody else's.
pub const MARK: &str = "Sopwith: ";

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TopicRule {
    /// `<prefix>_mqtt_` and 16 hexadecimal digits that stand for the filter.
    pub name: String,
    /// The statement.
    pub sql: String,
    /// [`MARK`] and what it is for.
    pub description: String,
}

/// What the names of the rules of the deployment `prefix` begin with.
pub fn name_prefix(prefix: &str) -> String {
    format!("{prefix}_mqtt_")
}

/// The rules for messages that match `filters`, sorted by name; at most `max` (1 to [`RULES_MAX`]) unless
/// filters of reserved topics, which begin with `$`, are more by themselves.
pub fn plan<'f>(
    prefix: &str,
    filters: impl IntoIterator<Item = &'f TopicFilter>,
    max: usize,
) -> Vec<TopicRule> {
    let mut rules: Vec<TopicRule> = arrange(filters, max.clamp(1, RULES_MAX))
        .iter()
        .flat_map(sources)
        .map(|filter| rule(prefix, &filter))
        .collect();
    rules.sort_unstable();
    rules
}

fn rule(prefix: &str, filter: &str) -> TopicRule {
    let digest = Digest::of(filter.as_bytes()).to_string();
    TopicRule {
        name: format!("{}{}", name_prefix(prefix), &digest[..16]),
        sql: format!(
            "SELECT encode(*, 'base64') AS payload, topic() AS topic, clientid() AS client, \
             traceid() AS id, timestamp() AS time FROM '{filter}'"
        ),
        description: format!("{MARK}messages that active SOPs ask for"),
    }
}

/// What rules of a filter name: the service's `a/#` leaves out `a`, which MQTT's takes in.
fn sources(filter: &TopicFilter) -> Vec<String> {
    let text = filter.as_str();
    let above = text.strip_suffix("/#").filter(|above| !above.is_empty());
    above.into_iter().chain([text]).map(str::to_owned).collect()
}

/// Few filters, none overlapping another, that match what `filters` match.
fn arrange<'f>(filters: impl IntoIterator<Item = &'f TopicFilter>, max: usize) -> Vec<TopicFilter> {
    let mut all: Vec<TopicFilter> = filters.into_iter().map(fit).collect();
    let mut levels = LEVELS_MAX;
    loop {
        all.sort_unstable();
        all.dedup();
        if all.len() <= COMPARED_MAX || levels == 0 {
            break;
        }
        levels -= 1;
        all = all.iter().map(|filter| shortened(filter, levels)).collect();
    }
    let mut kept: Vec<TopicFilter> = widest(&all).into_iter().cloned().collect();
    loop {
        let rules: usize = kept.iter().map(|filter| sources(filter).len()).sum();
        let Some((one, two, joined)) = closest(&kept, rules > max) else { return kept };
        kept.remove(one.max(two));
        kept.remove(one.min(two));
        kept.retain(|filter| !joined.covers(filter));
        kept.push(joined);
    }
}

/// The pair to be joined next, and what it becomes: one that overlaps or, where there are too many, the
/// one that keeps most of what it says.
fn closest(kept: &[TopicFilter], too_many: bool) -> Option<(usize, usize, TopicFilter)> {
    let mut best: Option<(bool, usize, usize, usize, TopicFilter)> = None;
    for (one, left) in kept.iter().enumerate() {
        for (two, right) in kept.iter().enumerate().skip(one + 1) {
            let overlap = left.overlaps(right);
            if !overlap && !too_many {
                continue;
            }
            let Some(joined) = left.join(right) else { continue };
            let said = joined.levels().map(|level| usize::from(!matches!(level, "+" | "#")) * 2);
            let said = said.sum::<usize>() + usize::from(!joined.as_str().ends_with('#'));
            if best.as_ref().is_none_or(|(o, s, ..)| (overlap, said) > (*o, *s)) {
                best = Some((overlap, said, one, two, joined));
            }
        }
    }
    best.map(|(_, _, one, two, joined)| (one, two, joined))
}

/// The filter as a rule can have it: what the service cannot say becomes a wildcard.
fn fit(filter: &TopicFilter) -> TopicFilter {
    let speakable = |level: &str| {
        !level.contains(['\'', '"', '\\', '$', '{']) && !level.chars().any(char::is_control)
    };
    let levels: Vec<&str> = filter
        .levels()
        .enumerate()
        .map(
            |(at, level)| {
                if speakable(level) || (at == 0 && is_reserved(level)) { level } else { "+" }
            },
        )
        .collect();
    let mut fitted = shortened(&parsed(&levels.join("/")), LEVELS_MAX - 1);
    let mut levels = LEVELS_MAX - 1;
    while fitted.as_str().len() > FILTER_BYTES_MAX && levels > 0 {
        levels -= 1;
        fitted = shortened(&fitted, levels);
    }
    fitted
}

fn is_reserved(level: &str) -> bool {
    level.strip_prefix('$').is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_alphanumeric()))
}

/// The filter's first `levels` levels, and `#` for what follows them beyond one.
fn shortened(filter: &TopicFilter, levels: usize) -> TopicFilter {
    let all: Vec<&str> = filter.levels().collect();
    if all.len() <= levels + 1 && levels > 0 {
        return filter.clone();
    }
    let kept = all[..levels.min(all.len())].iter().copied().filter(|level| *level != "#");
    parsed(&kept.chain(["#"]).collect::<Vec<_>>().join("/"))
}

fn parsed(text: &str) -> TopicFilter {
    TopicFilter::parse(text).expect("whole levels of a filter, and wildcards, are a filter")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn filters(texts: &[&str]) -> Vec<TopicFilter> {
        texts.iter().map(|text| TopicFilter::parse(text).unwrap()).collect()
    }

    fn froms(texts: &[&str], max: usize) -> Vec<String> {
        let from = |rule: TopicRule| rule.sql.split('\'').nth(3).unwrap().to_owned();
        let mut froms: Vec<String> =
            plan("sopwith", &filters(texts), max).into_iter().map(from).collect();
        froms.sort_unstable();
        froms
    }

    #[test]
    fn rules_are_few_and_never_overlap() {
        for (asked, max, expected) in [
            (&[][..], 20, &[][..]),
            (&["a/b", "a/b"], 20, &["a/b"]),
            (&["a/b", "a/+", "c"], 20, &["a/+", "c"]),
            // The service's `a/#` leaves out `a`.
            (&["a/#"], 20, &["a", "a/#"]),
            (&["a/#", "a", "a/b/c"], 20, &["a", "a/#"]),
            (&["#", "a"], 20, &["#"]),
            // Two rules would hand `a/b` over twice.
            (&["a/+", "+/b"], 20, &["+/+"]),
            (&["a/1", "a/2", "b/1"], 2, &["a/+", "b/1"]),
            (&["a/1", "a/2", "b/1"], 1, &["+/+"]),
            (&["a/1", "a/2/3", "b"], 1, &["#"]),
            (&["it's/a", "b"], 20, &["+/a", "b"]),
            (&["a/b/c/d/e/f/g/h/i/j"], 20, &["a/b/c/d/e/f/g", "a/b/c/d/e/f/g/#"]),
        ] {
            assert_eq!(froms(asked, max), expected, "{asked:?}");
        }
    }

    #[test]
    fn ten_thousand_filters_become_few_rules() {
        let many: Vec<TopicFilter> = (0..10_000)
            .map(|n| TopicFilter::parse(&format!("site/{}/line/{n}", n % 50)).unwrap())
            .collect();
        let rules = plan("sopwith", &many, 20);
        assert!((1..=20).contains(&rules.len()), "{}", rules.len());
    }

    #[test]
    fn a_name_stands_for_its_filter_and_tells_whose_it_is() {
        let [rule] = &plan("sopwith", &filters(&["sensors/alert"]), 20)[..] else { panic!("one") };
        assert_eq!(
            rule,
            &plan("sopwith", &filters(&["x/y", "sensors/alert"]), 20)[..]
                .iter()
                .find(|other| other.name == rule.name)
                .unwrap()
                .clone()
        );
        assert!(rule.name.starts_with(&name_prefix("sopwith")) && rule.name.len() == 29);
        assert!(rule.description.starts_with(MARK));
    }

    proptest! {
        #[test]
        fn whatever_is_asked_for_comes_once(
            asked in prop::collection::vec("(\\+|a|b|c')(/(\\+|a|b)){0,3}(/#)?", 1..12),
            topic in "(a|b|c')(/(a|b|c)){0,4}",
            max in 1_usize..8,
        ) {
            let asked: Vec<TopicFilter> =
                asked.iter().map(|text| TopicFilter::parse(text).unwrap()).collect();
            let kept = arrange(&asked, max);
            let wanted = asked.iter().any(|filter| filter.matches(&topic));
            let comes = kept.iter().filter(|filter| filter.matches(&topic)).count();
            prop_assert!(comes <= 1, "{kept:?}");
            prop_assert!(!wanted || comes == 1, "{kept:?}");
            prop_assert!(kept.iter().map(|filter| sources(filter).len()).sum::<usize>() <= max.max(1) || kept.len() == 1);
        }
    }
}
