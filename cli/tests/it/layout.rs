//! Files of definitions: what they share, how they are laid out, how they are printed.

use std::fs;

use crate::cli::Place;

const WORKSPACE: &str = "[defaults]\npriority = \"high\"\n\n[groups.ops]\nmembers = [\"anna\"]\n\n\
                         [policies.production]\ngroup = \"ops\"\n";

fn read(place: &Place, path: &str) -> String {
    fs::read_to_string(place.path().join(path)).unwrap()
}

fn place() -> Place {
    let place = Place::new();
    place.sop("deploy", "[[triggers]]\ntype = \"manual\"\n");
    place.write(
        "sops/deploy/SOP.md",
        "# Deploy\n\n## Steps\n\n1. **Look** — Closely.\n   - kind: checkpoint\n   - policy: production\n",
    );
    place
}

#[test]
fn definitions_are_checked_under_their_workspace() {
    let place = place();
    let said = place.sop_cli(&["validate"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.out.contains("error[SOP0703]: unknown policy `production`"), "{said:?}");
    place.write("sops/workspace.toml", WORKSPACE);
    for dir in ["./sops", "sops/deploy"] {
        assert_eq!(place.sop_cli(&["validate", dir, "--deny", "warnings"]).code, 0, "{dir}");
    }
    let shown = place.sop_cli(&["show", "deploy", "--format", "json"]).json();
    assert_eq!(shown["priority"], "high");
    assert_eq!(shown["policies"]["production"]["members"][0], "anna");
    place.write("sops/workspace.toml", "[groups.ops]\nmembers = []\n");
    let said = place.sop_cli(&["validate"]);
    assert_eq!(said.code, 1);
    assert!(said.out.contains("error[SOP0705]: nobody is in the group `ops`"), "{said:?}");
    assert!(said.out.contains("--> sops/workspace.toml:1:9"), "{said:?}");
    let said = place.sop_cli(&["push"]);
    assert_eq!(said.code, 1, "{said:?}");
}

#[test]
fn a_schema_that_is_none_is_found() {
    let place = place();
    place.write(
        "sops/deploy/SOP.md",
        "## Steps\n\n1. **Look** — Closely.\n   - output: {\"type\": \"text\"}\n",
    );
    let said = place.sop_cli(&["validate"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.out.contains("error[SOP0112]: `output` is not a JSON Schema"), "{said:?}");
    assert!(said.out.contains("SOP.md:4:14"), "{said:?}");
}

#[test]
fn a_definition_is_printed_as_the_files_that_say_it() {
    let place = place();
    place.write("sops/workspace.toml", WORKSPACE);
    let digest = place.sop_cli(&["show", "deploy", "--format", "json"]).out;
    let [toml, markdown] = ["toml", "md"].map(|format| {
        let said = place.sop_cli(&["show", "deploy", "--format", format]);
        assert_eq!(said.code, 0, "{said:?}");
        said.out
    });
    assert!(toml.starts_with("[sop]\nname = \"deploy\"\n"), "{toml}");
    place.write("sops/deploy/SOP.toml", &toml);
    place.write("sops/deploy/SOP.md", &markdown);
    assert_eq!(place.sop_cli(&["show", "deploy", "--format", "json"]).out, digest);
    assert_eq!(place.sop_cli(&["list", "--format", "toml"]).code, 2);
}

#[test]
fn files_are_laid_out_once() {
    let place = place();
    assert_eq!(place.sop_cli(&["fmt", "--check"]).code, 0);
    let ugly = "# Why\n[sop]\nname=\"deploy\" # it\ndescription = \"d\"\n[[triggers]]\ntype = \"manual\"\n";
    place.write("sops/deploy/SOP.toml", ugly);
    place.write(
        "sops/deploy/SOP.md",
        "Intro  \n\n## Steps\n1) **Look** - Closely.\n   * tools: a,b\n",
    );
    place.write("sops/workspace.toml", "[limits]\nmax_concurrent_total=5\n");
    let said = place.sop_cli(&["fmt", "--check"]);
    assert_eq!((said.code, said.out.lines().count()), (1, 3), "{said:?}");
    assert_eq!(read(&place, "sops/deploy/SOP.toml"), ugly);
    let said = place.sop_cli(&["fmt"]);
    assert_eq!((said.code, said.out.lines().count()), (0, 3), "{said:?}");
    assert_eq!(
        read(&place, "sops/deploy/SOP.toml"),
        "# Why\n[sop]\nname = \"deploy\" # it\ndescription = \"d\"\n\n[[triggers]]\ntype = \"manual\"\n"
    );
    assert_eq!(
        read(&place, "sops/deploy/SOP.md"),
        "Intro  \n\n## Steps\n1. **Look** — Closely.\n   - tools: a, b\n"
    );
    assert_eq!(place.sop_cli(&["fmt", "--check", "sops/deploy"]).code, 0);
    place.write("sops/deploy/SOP.toml", "[sop\n");
    let said = place.sop_cli(&["fmt"]);
    assert_eq!((said.code, said.out.as_str()), (1, ""), "{said:?}");
    assert!(said.err.contains("has errors and is left as it is"), "{said:?}");
}

#[test]
fn what_new_writes_is_laid_out_and_has_its_schema() {
    let place = Place::new();
    for trigger in ["manual", "webhook", "mqtt", "cron", "peripheral"] {
        place.sop_cli(&["new", &format!("my-{trigger}"), "--trigger", trigger]);
    }
    let said = place.sop_cli(&["fmt", "--check"]);
    assert_eq!((said.code, said.out.as_str()), (0, ""), "{said:?}");
    let toml = read(&place, "sops/my-cron/SOP.toml");
    let line = toml.lines().next().unwrap().strip_prefix("#:schema ").unwrap();
    let schema = read(&place, &format!("sops/my-cron/{line}"));
    assert!(schema.contains("\"title\": \"SOP.toml\""), "{schema}");
}
