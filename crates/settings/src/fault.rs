//! Faults of the settings. Each has its key, a description and a remedy. All are reported together.

use std::cell::RefCell;
use std::fmt;

/// A fault of the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The path of the key, like `link[0].pool`; the file's name if the file itself has the fault.
    pub key: String,
    /// The environment variable of the value; `None` if the value is from the file.
    pub variable: Option<String>,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub remedy: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.key)?;
        if let Some(variable) = &self.variable {
            write!(f, " ({variable})")?;
        }
        write!(f, ": {}; {}", self.what, self.remedy)
    }
}

/// All faults of the settings, in the order in which the keys are documented; never empty.
///
/// Displayed with one fault on each line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Faults(Vec<Fault>);

impl Faults {
    /// Each fault.
    pub fn iter(&self) -> std::slice::Iter<'_, Fault> {
        self.0.iter()
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{fault}")?;
        }
        Ok(())
    }
}

impl From<Fault> for Faults {
    fn from(fault: Fault) -> Self {
        Self(vec![fault])
    }
}

/// Collects the faults that readers find.
#[derive(Debug, Default)]
pub struct Collector(RefCell<Vec<Fault>>);

impl Collector {
    /// Adds a fault.
    pub fn add(&self, fault: Fault) {
        self.0.borrow_mut().push(fault);
    }

    /// Adds a fault of a key without a single variable: a missing key, or a check of several keys.
    pub fn at(&self, key: impl Into<String>, what: impl Into<String>, remedy: impl Into<String>) {
        self.add(Fault {
            key: key.into(),
            variable: None,
            what: what.into(),
            remedy: remedy.into(),
        });
    }

    /// The settings, if there was no fault.
    pub fn finish<T>(self, settings: Option<T>) -> Result<T, Faults> {
        let faults = self.0.into_inner();
        match settings {
            Some(settings) if faults.is_empty() => Ok(settings),
            _ => Err(Faults(faults)),
        }
    }
}

/// The word of `known` that `word` was probably meant to be.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(word, candidate), candidate))
        .filter(|(likeness, _)| *likeness >= 0.8)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, candidate)| candidate)
}

/// Lists words as in a sentence: `"a", "b" or "c"`.
pub fn one_of<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let mut quoted: Vec<String> = words.into_iter().map(|word| format!("{word:?}")).collect();
    match quoted.pop() {
        Some(last) if quoted.is_empty() => last,
        Some(last) => format!("{} or {last}", quoted.join(", ")),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_found_and_a_strange_one_is_not() {
        assert_eq!(nearest("brige", ["address", "bridge", "pool"]), Some("bridge"));
        assert_eq!(nearest("adress", ["address", "bridge", "pool"]), Some("address"));
        assert_eq!(nearest("zzz", ["address", "bridge", "pool"]), None);
    }

    #[test]
    fn a_fault_is_one_line_with_its_key() {
        let fault = Fault {
            key: "link[0].pool".to_owned(),
            variable: Some("ORCHESTRATOR__LINK__0__POOL".to_owned()),
            what: "\"x\" is not a prefix".to_owned(),
            remedy: "write it like fd00::/112".to_owned(),
        };
        let shown = "link[0].pool (ORCHESTRATOR__LINK__0__POOL): \"x\" is not a prefix; write it like fd00::/112";
        assert_eq!(fault.to_string(), shown);
        assert_eq!(
            Faults(vec![fault.clone(), fault]).to_string(),
            format!("{shown}\n{shown}")
        );
    }
}
