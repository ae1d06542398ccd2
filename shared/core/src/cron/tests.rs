use proptest::prelude::*;

use super::*;

fn at(text: &str) -> Timestamp {
    Timestamp::parse_rfc3339(text).unwrap_or_else(|| panic!("{text}"))
}

fn shown(at: Option<Timestamp>) -> String {
    at.map_or("never".into(), |at| at.to_string().replace(".000Z", "Z"))
}

/// The next fire times after `after`, as one text.
fn next(expression: &str, zone: &str, after: &str, count: usize) -> String {
    let expr = CronExpr::parse(expression).unwrap_or_else(|e| panic!("{expression}: {e}"));
    let zone = TimeZone::parse(zone).unwrap();
    let mut from = at(after);
    let mut out = Vec::new();
    for _ in 0..count {
        let Some(fire) = expr.next_after(&zone, from) else { break };
        // A window that ends at a fire time holds it; one that ends just before does not.
        assert_eq!(expr.fires_in(&zone, from, fire), Some(fire), "{expression}");
        assert_eq!(expr.fires_in(&zone, from, fire.plus_millis(-1)), None, "{expression}");
        out.push(shown(Some(fire)));
        from = fire;
    }
    out.join(" ")
}

#[test]
fn expressions_fire_when_they_say() {
    // 2026-03-01 is a Sunday.
    let rows = [
        ("0 0 8 * * *", "2026-03-01T08:00:00Z 2026-03-02T08:00:00Z"),
        ("0 8 * * *", "2026-03-01T08:00:00Z 2026-03-02T08:00:00Z"),
        ("0 0 8 * * * *", "2026-03-01T08:00:00Z 2026-03-02T08:00:00Z"),
        ("30 0 8 * * * 2027", "2027-01-01T08:00:30Z 2027-01-02T08:00:30Z"),
        ("* * * * *", "2026-03-01T00:01:00Z 2026-03-01T00:02:00Z"),
        ("* * * * * *", "2026-03-01T00:00:01Z 2026-03-01T00:00:02Z"),
        ("*/15 * * * *", "2026-03-01T00:15:00Z 2026-03-01T00:30:00Z"),
        ("5/20 0 * * *", "2026-03-01T00:05:00Z 2026-03-01T00:25:00Z"),
        ("10-12 0 * * *", "2026-03-01T00:10:00Z 2026-03-01T00:11:00Z"),
        ("0 9-17/4 * * *", "2026-03-01T09:00:00Z 2026-03-01T13:00:00Z"),
        ("0,30 8 * * *", "2026-03-01T08:00:00Z 2026-03-01T08:30:00Z"),
        // Weekdays mean the same in five, six and seven fields.
        ("0 8 * * 1", "2026-03-02T08:00:00Z 2026-03-09T08:00:00Z"),
        ("0 0 8 * * 1", "2026-03-02T08:00:00Z 2026-03-09T08:00:00Z"),
        ("0 0 8 * * 1 *", "2026-03-02T08:00:00Z 2026-03-09T08:00:00Z"),
        ("0 8 * * 0", "2026-03-01T08:00:00Z 2026-03-08T08:00:00Z"),
        ("0 8 * * 7", "2026-03-01T08:00:00Z 2026-03-08T08:00:00Z"),
        ("0 0 8 * * 7", "2026-03-01T08:00:00Z 2026-03-08T08:00:00Z"),
        ("0 8 * * SUN", "2026-03-01T08:00:00Z 2026-03-08T08:00:00Z"),
        ("0 8 * * mon-fri", "2026-03-02T08:00:00Z 2026-03-03T08:00:00Z"),
        ("0 8 * * FRI-MON", "2026-03-01T08:00:00Z 2026-03-02T08:00:00Z 2026-03-06T08:00:00Z"),
        ("0 8 * * 5-7", "2026-03-01T08:00:00Z 2026-03-06T08:00:00Z 2026-03-07T08:00:00Z"),
        // A stepped range over the week's end: Friday and Sunday, once each.
        ("0 8 * * 5-1/2", "2026-03-01T08:00:00Z 2026-03-06T08:00:00Z 2026-03-08T08:00:00Z"),
        ("0 8 * * */3", "2026-03-01T08:00:00Z 2026-03-04T08:00:00Z 2026-03-07T08:00:00Z"),
        // Day of month or weekday.
        ("0 8 13 * 5", "2026-03-06T08:00:00Z 2026-03-13T08:00:00Z 2026-03-20T08:00:00Z"),
        ("0 8 4 * MON", "2026-03-02T08:00:00Z 2026-03-04T08:00:00Z 2026-03-09T08:00:00Z"),
        ("0 8 30 2 1", "2027-02-01T08:00:00Z 2027-02-08T08:00:00Z"),
        ("0 8 4 * ?", "2026-03-04T08:00:00Z 2026-04-04T08:00:00Z"),
        ("0 8 ? * MON", "2026-03-02T08:00:00Z 2026-03-09T08:00:00Z"),
        // Months, ends of months, leap years.
        ("0 0 1 JAN *", "2027-01-01T00:00:00Z 2028-01-01T00:00:00Z"),
        ("0 0 1 apr,oct *", "2026-04-01T00:00:00Z 2026-10-01T00:00:00Z"),
        ("0 0 31 * *", "2026-03-31T00:00:00Z 2026-05-31T00:00:00Z"),
        ("0 0 29 2 *", "2028-02-29T00:00:00Z 2032-02-29T00:00:00Z"),
        ("0 0 L * *", "2026-03-31T00:00:00Z 2026-04-30T00:00:00Z"),
        ("0 0 LW * *", "2026-03-31T00:00:00Z 2026-04-30T00:00:00Z 2026-05-29T00:00:00Z"),
        ("0 0 15W * *", "2026-03-16T00:00:00Z 2026-04-15T00:00:00Z"),
        ("0 0 * * 5L", "2026-03-27T00:00:00Z 2026-04-24T00:00:00Z"),
        ("0 0 * * TUE#2", "2026-03-10T00:00:00Z 2026-04-14T00:00:00Z"),
        ("0 0 * * 7#1", "2026-04-05T00:00:00Z 2026-05-03T00:00:00Z"),
        ("0 0 0 1 1 * 2027-2028", "2027-01-01T00:00:00Z 2028-01-01T00:00:00Z"),
        ("0 0 0 1 1 * 2020", ""),
        // Nicknames and white space.
        ("@yearly", "2027-01-01T00:00:00Z"),
        ("@annually", "2027-01-01T00:00:00Z"),
        ("@monthly", "2026-04-01T00:00:00Z"),
        ("@weekly", "2026-03-08T00:00:00Z 2026-03-15T00:00:00Z"),
        ("@Daily", "2026-03-02T00:00:00Z 2026-03-03T00:00:00Z"),
        ("@midnight", "2026-03-02T00:00:00Z"),
        ("@hourly", "2026-03-01T01:00:00Z 2026-03-01T02:00:00Z"),
        ("  0   8 * *\t* ", "2026-03-01T08:00:00Z"),
    ];
    for (expression, expected) in rows {
        let count = expected.split_whitespace().count().max(1);
        assert_eq!(
            next(expression, "UTC", "2026-03-01T00:00:00Z", count),
            expected,
            "{expression}"
        );
    }
}

#[test]
fn clock_changes_lose_and_double_nothing() {
    // Berlin: 2026-03-29 01:00Z, 02:00 becomes 03:00; 2026-10-25 01:00Z, 03:00 becomes 02:00.
    let spring = "2026-03-28T12:00:00Z";
    let autumn = "2026-10-24T12:00:00Z";
    let rows = [
        // In the jump: at its end, once, and back to the usual the day after.
        ("30 2 * * *", spring, "2026-03-29T01:00:00Z 2026-03-30T00:30:00Z"),
        ("0,30 2 * * *", spring, "2026-03-29T01:00:00Z 2026-03-30T00:00:00Z"),
        ("*/10 2 * * *", spring, "2026-03-29T01:00:00Z 2026-03-30T00:00:00Z"),
        ("0 2,3 * * *", spring, "2026-03-29T01:00:00Z 2026-03-30T00:00:00Z"),
        ("0 */2 * * *", "2026-03-28T23:30:00Z", "2026-03-29T01:00:00Z 2026-03-29T02:00:00Z"),
        ("0 3 * * *", spring, "2026-03-29T01:00:00Z 2026-03-30T01:00:00Z"),
        ("59 1 * * *", spring, "2026-03-29T00:59:00Z 2026-03-29T23:59:00Z"),
        // Every hour follows real time.
        ("30 * * * *", "2026-03-29T00:00:00Z", "2026-03-29T00:30:00Z 2026-03-29T01:30:00Z"),
        // Shown twice: at the first.
        ("30 2 * * *", autumn, "2026-10-25T00:30:00Z 2026-10-26T01:30:00Z"),
        ("0,30 2 * * *", autumn, "2026-10-25T00:00:00Z 2026-10-25T00:30:00Z 2026-10-26T01:00:00Z"),
        ("0 2,3 * * *", autumn, "2026-10-25T00:00:00Z 2026-10-25T02:00:00Z 2026-10-26T01:00:00Z"),
        // A start within the second showing.
        ("45 2 * * *", "2026-10-25T01:15:00Z", "2026-10-26T01:45:00Z"),
        (
            "30 * * * *",
            "2026-10-25T00:00:00Z",
            "2026-10-25T00:30:00Z 2026-10-25T01:30:00Z 2026-10-25T02:30:00Z",
        ),
        // Far from any change the zone is a plain offset.
        ("0 8 * * *", "2026-07-01T00:00:00Z", "2026-07-01T06:00:00Z 2026-07-02T06:00:00Z"),
    ];
    for (expression, after, expected) in rows {
        let count = expected.split_whitespace().count();
        assert_eq!(
            next(expression, "Europe/Berlin", after, count),
            expected,
            "{expression} {after}"
        );
    }
    // Samoa had no 30 December 2011.
    assert_eq!(
        next("0 8 * * *", "Pacific/Apia", "2011-12-30T00:00:00Z", 3),
        "2011-12-30T10:00:00Z 2011-12-30T18:00:00Z 2011-12-31T18:00:00Z"
    );
}

#[test]
fn a_window_makes_one_event_the_last() {
    let minutely = CronExpr::parse("* * * * *").unwrap();
    let zone = TimeZone::UTC;
    let window = |from, upto| shown(minutely.fires_in(&zone, at(from), at(upto)));
    assert_eq!(window("2026-03-01T00:00:00Z", "2026-03-01T00:05:30Z"), "2026-03-01T00:05:00Z");
    assert_eq!(window("2026-03-01T00:00:00Z", "2026-03-01T00:00:59.999Z"), "never");
    assert_eq!(window("2026-03-01T00:00:00Z", "2026-03-01T00:01:00Z"), "2026-03-01T00:01:00Z");
    assert_eq!(window("2026-03-01T00:00:59.999Z", "2026-03-01T00:01:00Z"), "2026-03-01T00:01:00Z");
    assert_eq!(window("2026-03-01T00:01:00Z", "2026-03-01T00:01:30Z"), "never");
    assert_eq!(window("2026-03-01T00:05:00Z", "2026-03-01T00:01:00Z"), "never");
    // Down for three days.
    let daily = CronExpr::parse("0 2 * * *").unwrap();
    let berlin = TimeZone::parse("Europe/Berlin").unwrap();
    let late = daily.fires_in(&berlin, at("2026-10-23T00:30:00Z"), at("2026-10-25T01:30:00Z"));
    assert_eq!(shown(late), "2026-10-25T00:00:00Z");
    let far = Timestamp::from_millis(i64::MAX);
    assert_eq!(daily.fires_in(&berlin, far, far), None);
    assert_eq!(daily.next_after(&berlin, far), None);
}

#[test]
fn errors_name_the_field() {
    let rows = [
        ("", "a cron expression has five, six or seven fields; this one has 0"),
        ("* * * *", "a cron expression has five, six or seven fields; this one has 4"),
        ("* * * * * * * *", "a cron expression has five, six or seven fields; this one has 8"),
        ("60 * * * *", "`60` in the minute field is out of range"),
        ("* 24 * * *", "`24` in the hour field is out of range"),
        ("* * 0 * *", "`0` in the day of month field is out of range"),
        ("* * 32 * *", "`32` in the day of month field is out of range"),
        ("* * * 13 *", "`13` in the month field is out of range"),
        ("* * * * 8", "`8` in the weekday field is out of range"),
        ("60 * * * * *", "`60` in the second field is out of range"),
        ("0 0 0 1 1 * 1969", "`1969` in the year field is out of range"),
        ("1MON * * * *", "`1MON` in the minute field is not a value"),
        ("* * * * 5MON", "`5MON` in the weekday field is not a value"),
        ("* * * MON *", "`MON` in the month field is not a value"),
        ("1,,2 * * * *", "`` in the minute field is not a value"),
        ("-5 * * * *", "`-5` in the minute field is not a value"),
        ("+5 * * * *", "`+5` in the minute field is not a value"),
        ("* * * * +1", "`+1` in the weekday field is not a value"),
        ("5-1 * * * *", "`5-1` in the minute field runs backwards"),
        ("*/0 * * * *", "`*/0` in the minute field has no step of 1 or more that fits the field"),
        ("*/99 * * * *", "`*/99` in the minute field has no step of 1 or more that fits the field"),
        ("/5 * * * *", "`/5` in the minute field is not a value"),
        ("? * * * *", "`?` in the minute field is not a value"),
        ("* * * * 1#6", "`1#6` in the weekday field counts weekdays of a month from 1 to 5"),
        ("* * 1#2 * *", "`1#2` in the day of month field is not a value"),
        ("L * * * *", "`L` in the minute field is not a value"),
        ("* * L,15W * *", "`L,15W` in the day of month field has both `L` and `W`"),
        ("* * W * *", "`W` in the day of month field is not a value"),
        ("0 0 30 2 *", "`0 0 30 2 *` never fires"),
        ("0 0 31 2,4,6,9,11 *", "`0 0 31 2,4,6,9,11 *` never fires"),
        ("0 0 0 29 2 * 2026-2027", "`0 0 0 29 2 * 2026-2027` never fires"),
        ("@reboot", "unknown nickname `@reboot`"),
        ("@every 5m", "unknown nickname `@every 5m`"),
    ];
    for (text, expected) in rows {
        let error = CronExpr::parse(text).expect_err(text);
        assert_eq!(error.to_string(), expected, "{text}");
        assert!(error.help().is_some(), "{text}");
    }
    let help = CronExpr::parse("* * * 13 *").unwrap_err();
    assert_eq!(help.help(), Some("values are 1 to 12, or JAN to DEC"));
    assert!(CronExpr::parse(&"1,".repeat(2_000)).is_err());
}

#[test]
fn zones_are_known_by_name() {
    assert_eq!(TimeZone::parse("Europe/Berlin").unwrap().as_str(), "Europe/Berlin");
    assert_eq!(TimeZone::default().to_string(), "UTC");
    let rows = [
        ("europe/berlin", "did you mean `Europe/Berlin`?"),
        ("Berlin", "did you mean `Europe/Berlin`?"),
        ("America/New York", "did you mean `America/New_York`?"),
        ("Mars", "write a name of the IANA database, such as `Europe/Berlin` or `UTC`"),
        ("", "write a name of the IANA database, such as `Europe/Berlin` or `UTC`"),
    ];
    for (name, help) in rows {
        let error = TimeZone::parse(name).unwrap_err();
        assert_eq!(error.help(), Some(help));
        assert_eq!(error.to_string(), format!("unknown time zone `{name}`"));
    }
}

#[test]
fn serialises_as_its_text() {
    let expr = CronExpr::parse("0 0 8 * * *").unwrap();
    let json = serde_json::to_string(&expr).unwrap();
    assert_eq!(json, "\"0 0 8 * * *\"");
    assert_eq!(serde_json::from_str::<CronExpr>(&json).unwrap(), expr);
}

/// Whether a day is one that the fields name; the slow and obvious way.
fn plainly_matches(day: chrono::NaiveDate, days: &[String], weekdays: &[String]) -> bool {
    use chrono::Datelike;
    let length = u32::from(day.num_days_in_month());
    let weekday = day.weekday().num_days_from_sunday();
    let is_working = |number: u32| {
        let weekday = day.with_day(number).unwrap().weekday().num_days_from_sunday();
        (1..=5).contains(&weekday)
    };
    let by_day = days.iter().any(|item| match item.as_str() {
        "*" => true,
        "L" => day.day() == length,
        "LW" => (1..=length).rev().find(|d| is_working(*d)) == Some(day.day()),
        item => match item.strip_suffix('W') {
            None => item.parse() == Ok(day.day()),
            Some(wanted) => {
                // The nearest working day of the same month: one day off, or two at the month's ends.
                let wanted: i64 = wanted.parse().unwrap();
                let near = [0, -1, 1, -2, 2].into_iter().map(|off| wanted + off);
                let mut near = near.filter_map(|d| u32::try_from(d).ok());
                wanted <= i64::from(length)
                    && near.find(|d| (1..=length).contains(d) && is_working(*d)) == Some(day.day())
            }
        },
    });
    let by_weekday = weekdays.iter().any(|item| {
        let named = |text: &str| text.parse::<u32>().unwrap() % 7 == weekday;
        if item == "*" {
            true
        } else if let Some(number) = item.strip_suffix('L') {
            named(number) && day.day() + 7 > length
        } else if let Some((number, nth)) = item.split_once('#') {
            named(number) && nth.parse() == Ok((day.day() - 1) / 7 + 1)
        } else {
            named(item)
        }
    });
    match (days[0] == "*", weekdays[0] == "*") {
        (false, false) => by_day || by_weekday,
        (true, _) => by_weekday,
        (false, true) => by_day,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_text_is_parsed_without_panic(text in ".{0,40}") {
        let _ = CronExpr::parse(&text);
        let _ = TimeZone::parse(&text);
    }

    #[test]
    fn likely_text_is_parsed_and_searched_without_panic(
        text in "[0-9*]{1,2}( [0-9*]){1,2} ([1-9]|3[01]|L|LW|[1-9]W|\\*/[1-9]|1-[1-9],L)( [1-9*]) ([0-7](L|#[1-5])?|[0-7]-[0-7](/[1-7])?|\\*)( 20[23][0-9])?",
        millis: i64,
    ) {
        if let Ok(expr) = CronExpr::parse(&text) {
            let (zone, soon) = (TimeZone::UTC, at("1970-01-01T00:00:00Z"));
            expr.next_after(&zone, Timestamp::from_millis(millis));
            let has_year = text.split(' ').count() == 7;
            prop_assert!(has_year || expr.next_after(&zone, soon).is_some());
        }
    }

    /// The days that fire are those that a plain reading of the two day fields names.
    #[test]
    fn days_agree_with_a_plain_reading(
        days in prop_oneof![
            Just(vec!["*".to_owned()]),
            prop::collection::vec("([1-9]|[12][0-9]|3[01]|L)", 1..4),
            prop::collection::vec("([1-9]|LW|[1-9]W|[12][0-9]W)", 1..4),
        ],
        weekdays in prop_oneof![
            Just(vec!["*".to_owned()]),
            prop::collection::vec("[0-7](L|#[1-5])?", 1..4),
        ],
    ) {
        use chrono::NaiveDate;
        let text = format!("0 0 {} * {}", days.join(","), weekdays.join(","));
        let Ok(expr) = CronExpr::parse(&text) else { return Ok(()) };
        let mut fire = at("2027-12-31T23:59:59Z");
        let mut day = NaiveDate::from_ymd_opt(2028, 1, 1).unwrap();
        while day < NaiveDate::from_ymd_opt(2029, 1, 1).unwrap() {
            let midnight = at(&format!("{day}T00:00:00Z"));
            if plainly_matches(day, &days, &weekdays) {
                prop_assert_eq!(expr.next_after(&TimeZone::UTC, fire), Some(midnight), "{}", text);
                fire = midnight;
            }
            day = day.succ_opt().unwrap();
        }
        let next = expr.next_after(&TimeZone::UTC, fire);
        prop_assert!(next.is_none_or(|next| next >= at("2029-01-01T00:00:00Z")), "{}", text);
    }

    /// Ticks that cover time without a gap see each fire time that is the last of its window, and
    /// only times that a longer look ahead sees too.
    #[test]
    fn windows_agree_with_looking_ahead(
        expression in prop::sample::select(vec![
            "*/7 * * * *", "0,20 1-3 * * *", "30 2 * * *", "15 */2 * * 0", "*/20 2 * * *", "10 0 2 * * 0",
        ]),
        hours in prop::collection::vec(1_i64..400, 1..20),
        start in prop::sample::select(vec!["2026-03-28T22:00:00Z", "2026-10-24T22:00:00Z"]),
    ) {
        let expr = CronExpr::parse(expression).unwrap();
        let zone = TimeZone::parse("Europe/Berlin").unwrap();
        let mut from = at(start);
        for minutes in hours {
            let upto = from.plus_millis(minutes * 60_000);
            let (mut last, mut probe) = (None, from);
            while let Some(fire) = expr.next_after(&zone, probe).filter(|fire| *fire <= upto) {
                prop_assert!(fire > probe);
                last = Some(fire);
                probe = fire;
            }
            prop_assert_eq!(expr.fires_in(&zone, from, upto), last);
            from = upto;
        }
    }
}
