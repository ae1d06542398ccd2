//! How two traces differ, line by line.

/// The lines of `before` and `after`: those of both with two spaces before them, those of one with `-` or
/// `+`. Long runs of equal lines are left out.
pub fn diff(before: &str, after: &str) -> String {
    let old: Vec<&str> = lines(before);
    let new: Vec<&str> = lines(after);
    let common = table(&old, &new);
    let (mut i, mut j) = (0, 0);
    let mut out: Vec<(char, &str)> = Vec::new();
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            out.push((' ', new[j]));
            i += 1;
            j += 1;
        } else if j == new.len() || i < old.len() && common[i + 1][j] >= common[i][j + 1] {
            out.push(('-', old[i]));
            i += 1;
        } else {
            out.push(('+', new[j]));
            j += 1;
        }
    }
    shown(&out)
}

/// The lines of a trace, without what does not count: spaces at both ends, empty lines.
pub(super) fn lines(text: &str) -> Vec<&str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect()
}

/// Whether `found` is the trace `expected`, in which a line `...` stands for any number of lines.
pub(super) fn fits(expected: &str, found: &str) -> bool {
    let (expected, found) = (lines(expected), lines(found));
    let mut parts = expected.split(|line| *line == "...");
    let first = parts.next().unwrap_or_default();
    let Some(mut left) = found.strip_prefix(first) else { return false };
    let parts: Vec<&[&str]> = parts.collect();
    let Some((last, between)) = parts.split_last() else { return left.is_empty() };
    for part in between {
        let at = (0..=left.len()).find(|at| left[*at..].starts_with(part));
        let Some(at) = at else { return false };
        left = &left[at + part.len()..];
    }
    left.ends_with(last)
}

/// Lengths of the longest common subsequences of what is left.
fn table(old: &[&str], new: &[&str]) -> Vec<Vec<usize>> {
    let mut common = vec![vec![0; new.len() + 1]; old.len() + 1];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            common[i][j] = if old[i] == new[j] {
                common[i + 1][j + 1] + 1
            } else {
                common[i + 1][j].max(common[i][j + 1])
            };
        }
    }
    common
}

/// Equal lines that are shown before and after a change.
const AROUND: usize = 2;

fn shown(out: &[(char, &str)]) -> String {
    let mut text = String::new();
    let mut left_out = false;
    for (at, (mark, line)) in out.iter().enumerate() {
        let near = &out[at.saturating_sub(AROUND)..(at + AROUND + 1).min(out.len())];
        if near.iter().all(|(mark, _)| *mark == ' ') {
            left_out = true;
            continue;
        }
        if std::mem::take(&mut left_out) {
            text.push_str("  ...\n");
        }
        text.push_str(&format!("{mark} {line}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ellipsis_stands_for_any_lines() {
        assert!(fits("a\nb", " a\n\nb "));
        assert!(!fits("a", "a\nb"));
        for expected in ["...", "a\n...", "...\nd", "a\n...\nc\n...\nd", "a\nb\n...\nc\nd"] {
            assert!(fits(expected, "a\nb\nc\nd"), "{expected}");
        }
        for expected in ["a\n...\nb", "b\n...", "a\n...\nc\n...\nb\n...", "a\nb\nc\nd\n...\nd"] {
            assert!(!fits(expected, "a\nb\nc\nd"), "{expected}");
        }
    }

    #[test]
    fn shows_what_went_and_what_came() {
        assert_eq!(diff("a\n  b\nc\n", "a\nx\nc"), "  a\n- b\n+ x\n  c\n");
        assert_eq!(diff("a\nb", " a \n\nb\n"), "");
        assert_eq!(diff("1\n2\n3\n4\n5", "1\n2\n3\n4\n5\n6"), "  ...\n  4\n  5\n+ 6\n");
    }
}
