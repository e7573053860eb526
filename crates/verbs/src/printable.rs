//! Makes text safe for a terminal. Text of clients and servers must not control the terminal, nor change the order of
//! other text.

use std::fmt::Write as _;

/// Replaces each character that is invisible but has an effect.
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if acts(c) { '\u{fffd}' } else { c }).collect()
}

/// [`printable`] for several lines.
pub fn printable_lines(text: &str) -> String {
    text.chars()
        .map(|c| if acts(c) && c != '\n' { '\u{fffd}' } else { c })
        .collect()
}

/// Escapes each such character in JSON (RFC 8259, section 7). The meaning of the JSON stays the same.
pub fn escape_json(json: &str) -> String {
    // Outside of strings only the line feeds of the layout occur.
    escape(json, |escaped, c| {
        if c == '\n' {
            escaped.push(c);
            return;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            // Writing into a string does not fail.
            let _ = write!(escaped, "\\u{unit:04x}");
        }
    })
}

/// Escapes each such character in a line of a log as Rust does: `\n`, `\u{202e}`.
pub fn escape_line(line: &str) -> String {
    escape(line, |escaped, c| match c {
        '\n' | '\r' | '\t' => escaped.extend(c.escape_default()),
        _ => escaped.extend(c.escape_unicode()),
    })
}

fn escape(text: &str, mut put: impl FnMut(&mut String, char)) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if acts(c) {
            put(&mut escaped, c);
        } else {
            escaped.push(c);
        }
    }
    escaped
}

/// Whether a character affects a terminal or the text around it: controls, line and paragraph separators, direction
/// marks (UAX #9), and characters without width.
fn acts(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}'
                | '\u{34f}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "a\u{1b}[2J\u{9b}1m\rb\nc\u{202e}d\u{2066}e\u{200f}f\u{2028}g\u{e0041}";

    #[test]
    fn what_acts_is_not_printed() {
        let bad = '\u{fffd}';
        let printed = format!("a{bad}[2J{bad}1m{bad}b{bad}c{bad}d{bad}e{bad}f{bad}g{bad}");
        assert_eq!(printable(HOSTILE), printed);
        assert_eq!(printable_lines("a\r\nb"), format!("a{bad}\nb"));
        assert_eq!(printable("größe 日本 עברית"), "größe 日本 עברית");
    }

    #[test]
    fn json_says_the_same_without_what_acts() {
        let json = serde_json::to_string_pretty(&[HOSTILE]).unwrap();
        let escaped = escape_json(&json);
        assert!(!escaped.chars().any(|c| acts(c) && c != '\n'), "{escaped}");
        assert_eq!(serde_json::from_str::<Vec<String>>(&escaped).unwrap(), [HOSTILE]);
    }

    #[test]
    fn a_line_of_a_log_stays_one_line() {
        assert_eq!(escape_line("a\nERROR b\u{202e}\u{1b}c"), "a\\nERROR b\\u{202e}\\u{1b}c");
    }
}
