use super::*;
use proptest::prelude::*;

#[test]
fn filters_match_as_the_standard_says() {
    let rows = [
        // The examples of section 4.7.1.
        ("sport/tennis/player1/#", "sport/tennis/player1", true),
        ("sport/tennis/player1/#", "sport/tennis/player1/ranking", true),
        ("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true),
        ("sport/tennis/player1/#", "sport/tennis/player2", false),
        ("sport/#", "sport", true),
        ("sport/#", "sport/", true),
        ("sport/#", "sports", false),
        ("#", "sport", true),
        ("#", "/", true),
        ("#", "/finance", true),
        ("sport/tennis/+", "sport/tennis/player1", true),
        ("sport/tennis/+", "sport/tennis/player2", true),
        ("sport/tennis/+", "sport/tennis/player1/ranking", false),
        ("sport/tennis/+", "sport/tennis", false),
        ("sport/+", "sport", false),
        ("sport/+", "sport/", true),
        ("+", "sport", true),
        ("+", "sport/", false),
        ("+/tennis/#", "sport/tennis", true),
        ("+/tennis/#", "sport/tennis/a/b", true),
        ("+/tennis/#", "sport/golf", false),
        ("sport/+/player1", "sport/tennis/player1", true),
        ("sport/+/player1", "sport//player1", true),
        ("sport/+/player1", "sport/a/b/player1", false),
        ("+/+", "/finance", true),
        ("/+", "/finance", true),
        ("+", "/finance", false),
        // Section 4.7.2: topics that begin with `$`.
        ("#", "$SYS/broker/load", false),
        ("#", "$SYS", false),
        ("+/monitor/Clients", "$SYS/monitor/Clients", false),
        ("+/#", "$SYS/monitor", false),
        ("+", "$SYS", false),
        ("$SYS/#", "$SYS/monitor/Clients", true),
        ("$SYS/#", "$SYS", true),
        ("$SYS/monitor/+", "$SYS/monitor/Clients", true),
        ("$SYS/+/Clients", "$SYS/monitor/Clients", true),
        ("a/#", "a/$b", true),
        ("a/+", "a/$b", true),
        ("$shared/a", "$shared/a", true),
        // Section 4.7.3: case, spaces, empty levels, no normalisation.
        ("ACCOUNTS", "Accounts", false),
        ("Accounts payable", "Accounts payable", true),
        ("/finance", "finance", false),
        ("finance/", "finance", false),
        ("a//b", "a//b", true),
        ("a//b", "a/b", false),
        ("a/+/b", "a//b", true),
        ("/", "/", true),
        ("/+", "/", true),
        ("+/+", "/", true),
        ("+/+/+", "/", false),
        ("//#", "/", true),
        ("//#", "a", false),
        ("/#", "/", true),
        ("+/#", "a", true),
        ("+/+/#", "a", false),
        ("\u{e5}", "a\u{30a}", false),
        ("ops/deploy", "ops/deploy", true),
        ("sensors/alert", "sensors/alert", true),
        // What is not a topic name matches nothing.
        ("#", "", false),
        ("a/+", "a/+", false),
        ("a/#", "a/#", false),
        ("+", "a\0b", false),
    ];
    for (filter, topic, expected) in rows {
        let parsed = TopicFilter::parse(filter).unwrap();
        assert_eq!(parsed.matches(topic), expected, "`{filter}` on `{topic}`");
    }
}

#[test]
fn filters_that_break_a_rule_name_the_level() {
    let rows = [
        ("", "a topic filter has at least one character"),
        ("a/#/c", "level 2 of the topic filter is `#`, which may only come last"),
        ("#/", "level 1 of the topic filter is `#`, which may only come last"),
        ("a/b#", "level 2 of the topic filter, `b#`, mixes `#` with other characters"),
        ("a/#b", "level 2 of the topic filter, `#b`, mixes `#` with other characters"),
        ("sport+", "level 1 of the topic filter, `sport+`, mixes `+` with other characters"),
        ("a/b/++", "level 3 of the topic filter, `++`, mixes `+` with other characters"),
        ("a/\0", "level 2 of the topic filter has the character U+0000"),
        (
            "$share/group/a/#",
            "level 1 of the topic filter is `$share`: triggers take no shared subscriptions",
        ),
    ];
    for (filter, expected) in rows {
        let error = TopicFilter::parse(filter).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
    assert!(TopicFilter::parse(&"a".repeat(TOPIC_BYTES_MAX)).is_ok());
    assert_eq!(
        TopicFilter::parse(&"a".repeat(TOPIC_BYTES_MAX + 1)),
        Err(TopicFilterError::TooLong { bytes: TOPIC_BYTES_MAX + 1 })
    );
    assert!(TopicFilterError::Shared.help().is_some());
}

#[test]
fn names_have_no_wildcards() {
    assert_eq!(check_name("a/b//c "), Ok(()));
    assert_eq!(check_name(""), Err(TopicNameError::Empty));
    assert_eq!(check_name("a/b+/c"), Err(TopicNameError::Wildcard { level: 2, wildcard: '+' }));
    assert_eq!(check_name("a/b/#"), Err(TopicNameError::Wildcard { level: 3, wildcard: '#' }));
    assert_eq!(check_name("a\0"), Err(TopicNameError::Nul { level: 1 }));
    let long = "/".repeat(TOPIC_BYTES_MAX + 1);
    assert_eq!(check_name(&long), Err(TopicNameError::TooLong { bytes: TOPIC_BYTES_MAX + 1 }));
    assert!(TopicFilter::parse("#").unwrap().matches(&long[1..]));
}

proptest! {
    #[test]
    fn any_text_is_judged_without_panic(filter in ".*", topic in ".*") {
        if let Ok(filter) = TopicFilter::parse(&filter) {
            filter.matches(&topic);
        }
        let _ = check_name(&topic);
    }

    #[test]
    fn a_name_is_a_filter_for_itself(topic in "[a-c$/]{1,8}") {
        prop_assume!(!topic.starts_with("$share/"));
        let filter = TopicFilter::parse(&topic).unwrap();
        prop_assert!(filter.matches(&topic));
    }
}
