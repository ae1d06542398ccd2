//! The layout of TOML files: spaces and blank lines. Comments, values and the order of keys are their author's.

use toml_edit::{Decor, DocumentMut, Item, KeyMut, Table};

/// `text` laid out in the one way; `None` when it is not TOML.
///
/// One space around `=`, one blank line before a table, at most one between keys, none at the ends.
pub(crate) fn format_toml(text: &str) -> Option<String> {
    let newline = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let unix = text.replace("\r\n", "\n");
    let mut document: DocumentMut = unix.parse().ok()?;
    table(document.as_table_mut());
    let trailing = remarks(document.trailing().as_str().unwrap_or_default(), true);
    document.set_trailing(trailing.trim_end_matches('\n'));
    let mut out = document.to_string();
    out = out.trim_matches('\n').to_owned();
    if !out.is_empty() {
        out.push('\n');
    }
    let read = |text: &str| toml::from_str::<toml::Table>(text).ok();
    let is_same = read(&out).is_some_and(|after| read(&unix) == Some(after));
    Some(if is_same { out.replace('\n', newline) } else { text.to_owned() })
}

fn table(parent: &mut Table) {
    let mut is_first = true;
    for (key, item) in parent.iter_mut() {
        match item {
            Item::Value(value) if !value.is_inline_table() || !is_dotted(value) => {
                pair(key, value.decor_mut(), is_first);
            }
            Item::Table(inner) if !inner.is_dotted() => {
                if !inner.is_implicit() {
                    header(inner.decor_mut());
                }
                table(inner);
            }
            Item::ArrayOfTables(list) => {
                for inner in list.iter_mut() {
                    header(inner.decor_mut());
                    table(inner);
                }
            }
            Item::None | Item::Value(_) | Item::Table(_) => {}
        }
        is_first = false;
    }
}

fn is_dotted(value: &toml_edit::Value) -> bool {
    value.as_inline_table().is_some_and(toml_edit::InlineTable::is_dotted)
}

fn pair(mut key: KeyMut<'_>, value: &mut Decor, is_first: bool) {
    let before = text(key.leaf_decor().prefix());
    key.leaf_decor_mut().set_prefix(remarks(&before, !is_first));
    key.leaf_decor_mut().set_suffix(" ");
    value.set_prefix(" ");
    let after = text(value.suffix()).trim_end().to_owned();
    value.set_suffix(after);
}

fn header(decor: &mut Decor) {
    let before = remarks(&text(decor.prefix()), false);
    decor.set_prefix(format!("\n{before}"));
    let after = text(decor.suffix()).trim_end().to_owned();
    decor.set_suffix(after);
}

fn text(raw: Option<&toml_edit::RawString>) -> String {
    raw.and_then(toml_edit::RawString::as_str).unwrap_or_default().to_owned()
}

/// The lines between two entries: comments without indentation, each run of blank lines as one. One at the
/// beginning stays when `may_lead`.
fn remarks(between: &str, may_lead: bool) -> String {
    let mut out = String::new();
    let mut is_blank = true;
    // What follows the last line end is the indentation of the next entry.
    let lines = between.rsplit_once('\n').map_or("", |(lines, _)| lines);
    if between.contains('\n') {
        is_blank = !may_lead;
        for line in lines.split('\n').map(str::trim) {
            if !(line.is_empty() && is_blank) {
                out += line;
                out.push('\n');
            }
            is_blank = line.is_empty();
        }
    }
    let _ = is_blank;
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const UGLY: &str = "\n\n#:schema x.json\n# About it.\n\n\n[sop]   # head\n\n  name=\"x\"\t# its name\n\n\n   # why\n\
        description   =   '''\na\n\n\n  b=c\n'''\nowner = \"o\"\n\n[sop.input]\ntype=\"object\"\nproperties = {a = 1}\n[[triggers]]\n\
        type = \"manual\"\n\n\n\n[[triggers]]\ntype=\"mqtt\"\ntopic =\"a\"\n# the end\n\n\n";

    const LAID_OUT: &str = "#:schema x.json\n# About it.\n\n[sop]   # head\nname = \"x\"\t# its name\n\n# why\n\
        description = '''\na\n\n\n  b=c\n'''\nowner = \"o\"\n\n[sop.input]\ntype = \"object\"\nproperties = {a = 1}\n\n[[triggers]]\n\
        type = \"manual\"\n\n[[triggers]]\ntype = \"mqtt\"\ntopic = \"a\"\n# the end\n";

    #[test]
    fn only_spaces_and_blank_lines_change() {
        assert_eq!(format_toml(UGLY).unwrap(), LAID_OUT);
        assert_eq!(format_toml(LAID_OUT).unwrap(), LAID_OUT);
        let windows = UGLY.replace('\n', "\r\n");
        assert_eq!(format_toml(&windows).unwrap(), LAID_OUT.replace('\n', "\r\n"));
    }

    #[test]
    fn odd_texts_are_survived() {
        for text in [
            "",
            "\n",
            "# only\n",
            "a.b.c = 1\n",
            "[a.b]\n[a]\nx = 1\n",
            "a = [\n  1, # one\n]\n",
            "x = 1",
            "\u{feff}[sop]\nx=1\n",
        ] {
            let once = format_toml(text).unwrap();
            assert_eq!(format_toml(&once).unwrap(), once, "{text:?}");
        }
        assert_eq!(format_toml("[sop"), None);
    }
}
