//! Which filters say what others say too.

use super::TopicFilter;

impl TopicFilter {
    /// Whether every topic that `other` matches is one that this filter matches.
    ///
    /// A filter that begins with a wildcard does not match `$SYS` and its like, so it covers none that
    /// names such a level.
    pub fn covers(&self, other: &Self) -> bool {
        if self.0.starts_with(['+', '#']) && other.0.starts_with('$') {
            return false;
        }
        let (mut ours, mut theirs) = (self.levels(), other.levels());
        loop {
            match (ours.next(), theirs.next()) {
                (Some("#"), _) | (None, None) => return true,
                (Some("+"), Some(level)) if level != "#" => {}
                (Some(level), Some(their)) if level == their => {}
                (Some(_), _) | (None, Some(_)) => return false,
            }
        }
    }

    /// Whether some topic matches both filters.
    pub fn overlaps(&self, other: &Self) -> bool {
        let reserved =
            |one: &Self, two: &Self| one.0.starts_with('$') && two.0.starts_with(['+', '#']);
        if reserved(self, other) || reserved(other, self) {
            return false;
        }
        let (mut left, mut right) = (self.levels(), other.levels());
        loop {
            match (left.next(), right.next()) {
                (Some("#"), _) | (_, Some("#")) | (None, None) => return true,
                (Some(one), Some(two)) if one == two || one == "+" || two == "+" => {}
                (Some(_), _) | (None, Some(_)) => return false,
            }
        }
    }

    /// The narrowest filter of the language that covers both; `None` when one names a `$` level in front
    /// and the other does not name the same.
    pub fn join(&self, other: &Self) -> Option<Self> {
        if self.covers(other) {
            return Some(self.clone());
        }
        if other.covers(self) {
            return Some(other.clone());
        }
        let (mut left, mut right) = (self.levels(), other.levels());
        let mut joined: Vec<&str> = Vec::new();
        loop {
            match (left.next(), right.next()) {
                (None, None) => break,
                (Some(one), Some(two)) if one == two => joined.push(one),
                (Some(one), Some(two)) if one != "#" && two != "#" => {
                    let reserved = |level: &str| joined.is_empty() && level.starts_with('$');
                    if reserved(one) || reserved(two) {
                        return None;
                    }
                    joined.push("+");
                }
                // `a` and `a/b` meet in `a/#`, which matches both.
                (Some(one), Some(two))
                    if joined.is_empty()
                        && [one, two].iter().any(|level| level.starts_with('$')) =>
                {
                    return None;
                }
                (Some(_), _) | (None, Some(_)) => {
                    joined.push("#");
                    break;
                }
            }
        }
        // Every topic has a first level.
        let text = if joined == ["+", "#"] { "#".to_owned() } else { joined.join("/") };
        Some(Self(text.into()))
    }
}

/// The filters that no other of them covers, sorted: together they match what all of them match.
pub fn widest<'f>(filters: impl IntoIterator<Item = &'f TopicFilter>) -> Vec<&'f TopicFilter> {
    let mut filters: Vec<&TopicFilter> = filters.into_iter().collect();
    filters.sort_unstable();
    filters.dedup();
    let covered = |filter: &TopicFilter| {
        filters
            .iter()
            .any(|other| **other != *filter && other.covers(filter) && !filter.covers(other))
    };
    // Of two that say the same in other words the first stays.
    let repeated = |at: usize, filter: &TopicFilter| {
        filters[..at].iter().any(|other| other.covers(filter) && filter.covers(other))
    };
    let kept = filters.iter().enumerate();
    kept.filter(|(at, filter)| !covered(filter) && !repeated(*at, filter))
        .map(|(_, f)| *f)
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn filter(text: &str) -> TopicFilter {
        TopicFilter::parse(text).unwrap()
    }

    #[test]
    fn a_filter_covers_what_matches_less() {
        for (wide, narrow, covers) in [
            ("#", "a/b", true),
            ("#", "$SYS/a", false),
            ("+/a", "$SYS/a", false),
            ("$SYS/#", "$SYS/a", true),
            ("a/#", "a", true),
            ("a/#", "a/+/c", true),
            ("a/#", "a/#", true),
            ("a/+", "a/b", true),
            ("a/+", "a/#", false),
            ("a/+", "a", false),
            ("a/b", "a/+", false),
            ("+/+", "a/+", true),
            ("+", "#", false),
            ("a", "a/#", false),
        ] {
            assert_eq!(filter(wide).covers(&filter(narrow)), covers, "{wide} {narrow}");
        }
    }

    #[test]
    fn filters_overlap_where_one_topic_matches_both() {
        for (one, two, overlap) in [
            ("a/+", "+/b", true),
            ("a/b", "a/c", false),
            ("a/#", "a", true),
            ("a/#", "+/b/c", true),
            ("a/+", "a/b/c", false),
            ("#", "$SYS/a", false),
            ("a", "a", true),
        ] {
            assert_eq!(filter(one).overlaps(&filter(two)), overlap, "{one} {two}");
            assert_eq!(filter(two).overlaps(&filter(one)), overlap, "{two} {one}");
        }
    }

    #[test]
    fn the_widest_stay() {
        let all = ["a/b", "a/+", "a/#", "b/+/c", "b/x/c", "$SYS/#", "$SYS/x"].map(filter);
        let kept: Vec<&str> = widest(&all).into_iter().map(TopicFilter::as_str).collect();
        assert_eq!(kept, ["$SYS/#", "a/#", "b/+/c"]);
    }

    #[test]
    fn two_filters_meet_in_the_narrowest_that_covers_both() {
        for (one, two, met) in [
            ("a/b", "a/c", Some("a/+")),
            ("a/b", "a/b/c", Some("a/b/#")),
            ("a/b/c", "x/b/d", Some("+/b/+")),
            ("a", "b/c", Some("#")),
            ("a/#", "b", Some("#")),
            ("#", "a", Some("#")),
            ("$SYS/a", "$SYS/b", Some("$SYS/+")),
            ("$SYS/a", "b/a", None),
            ("$SYS", "#", None),
        ] {
            let joined = filter(one).join(&filter(two));
            assert_eq!(joined.as_ref().map(TopicFilter::as_str), met, "{one} {two}");
        }
    }

    proptest! {
        #[test]
        fn whoever_covers_matches(
            wide in "(\\+|a|b|\\$x)(/(\\+|a|b)){0,2}(/#)?",
            narrow in "(\\+|a|b|\\$x)(/(\\+|a|b)){0,2}(/#)?",
            topic in "(a|b|\\$x)(/(a|b|c)){0,3}",
        ) {
            let (wide, narrow) = (filter(&wide), filter(&narrow));
            if wide.covers(&narrow) && narrow.matches(&topic) {
                prop_assert!(wide.matches(&topic));
            }
            if wide.matches(&topic) && narrow.matches(&topic) {
                prop_assert!(wide.overlaps(&narrow));
            }
            if let Some(joined) = wide.join(&narrow) {
                prop_assert!(joined.covers(&wide) && joined.covers(&narrow));
                prop_assert!(TopicFilter::parse(joined.as_str()).is_ok());
            }
        }
    }
}
