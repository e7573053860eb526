//! Patterns over names: `web-*`, `db-?`, `{web,db}-0`.

/// Whether a text is a pattern and not a name.
pub(crate) fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '{'])
}

/// Whether a pattern matches a whole name. `*` stands for any text, `?` for one character, and `{a,b}` for one of its
/// parts. Letters of either case are the same, as in host names.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    let name: Vec<char> = name.to_lowercase().chars().collect();
    alternatives(&pattern.to_lowercase())
        .iter()
        .any(|pattern| fits(&pattern.chars().collect::<Vec<_>>(), &name))
}

/// The most patterns that one with braces stands for.
const MOST: usize = 64;

/// The patterns without braces that a pattern stands for. Braces that are not closed stand for themselves.
fn alternatives(pattern: &str) -> Vec<String> {
    let mut open = vec![String::new()];
    let mut rest = pattern;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((inside, after)) = after.split_once('}') else {
            break;
        };
        let parts = || inside.split(',');
        if open.len().saturating_mul(parts().count()) > MOST {
            break;
        }
        let combined = open
            .iter()
            .flat_map(|begun| parts().map(move |part| format!("{begun}{before}{part}")));
        open = combined.collect();
        rest = after;
    }
    open.iter().map(|begun| format!("{begun}{rest}")).collect()
}

/// Compares from left to right. After a mismatch the last `*` takes one character more, so that no pattern is slow.
fn fits(pattern: &[char], name: &[char]) -> bool {
    let (mut at, mut read) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while read < name.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, read));
                at += 1;
            }
            Some(wanted) if *wanted == '?' || *wanted == name[read] => {
                at += 1;
                read += 1;
            }
            _ => match star {
                Some((place, taken)) => {
                    star = Some((place, taken + 1));
                    (at, read) = (place + 1, taken + 1);
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|rest| *rest == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_names() {
        for (pattern, name, fit) in [
            ("web-*", "web-0", true),
            ("web-*", "web-", true),
            ("web-*", "webs-0", false),
            ("*", "", true),
            ("*-?", "db-1", true),
            ("*-?", "db-12", false),
            ("WEB-*", "Web-1", true),
            ("{web,db}-0", "db-0", true),
            ("{web,db}-{0,1}", "web-1", true),
            ("{web,db}-0", "mail-0", false),
            ("{web", "{web", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-b-b-d", false),
            ("fd39::*", "fd39::2:7", true),
        ] {
            assert_eq!(matches(pattern, name), fit, "{pattern} {name}");
        }
        assert!(is_pattern("web-*") && !is_pattern("web-0"));
    }

    #[test]
    fn no_pattern_is_slow() {
        let pattern = "*a".repeat(100);
        assert!(!matches(&pattern, &"a".repeat(99)));
        assert!(matches(&pattern, &"a".repeat(10_000)));
        assert!(!matches(&"{a,b}".repeat(40), "a"));
    }
}
