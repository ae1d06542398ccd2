//! `sop doctor` against a real `sop dev`, and against nobody.

use crate::people::Town;

#[test]
fn a_host_that_is_well_is_found_well_and_what_is_not_is_told_with_its_remedy() {
    let town = Town::new();
    let anna = town.person();
    anna.write("two", "", "1. **Keep** — it.\n   - capability: noop\n");
    let before = anna.does(&["doctor"]).out;
    assert!(before.contains("warn  drift"), "{before}");
    assert!(before.contains("not active as they are here: two"), "{before}");
    assert!(before.contains("`sop push`"), "{before}");
    anna.does(&["push"]);
    let report = anna.json(&["doctor"]);
    assert_eq!(report["well"], true, "{report}");
    let findings = report["findings"].as_array().unwrap();
    let of = |part: &str| findings.iter().find(|finding| finding["part"] == part);
    for part in ["definitions", "host", "token", "clock", "tick", "catalog", "overdue", "drift"] {
        assert_eq!(of(part).map(|finding| &finding["state"]), Some(&"ok".into()), "{report}");
    }

    let stranger = anna.place.sop_cli(&["doctor", "--url", &town.url, "--token", "sop_no"]);
    assert!(stranger.code == 1 && stranger.out.contains("sop pair"), "{stranger:?}");
    let nobody = anna.place.sop_cli(&["doctor", "--url", "http://127.0.0.1:9"]);
    assert!(nobody.code == 1 && nobody.out.contains("start `sop dev`"), "{nobody:?}");
    anna.place.write("sops/two/SOP.toml", "[sop]\n");
    let broken = anna.say(&["doctor"]);
    assert!(broken.code == 1 && broken.out.contains("`sop validate`"), "{broken:?}");
}
