//! The services of a file: one, a list, or several under `service`.

use serde_json::{Map, Value as Json};

use super::{FileError, MOST_SERVICES};

/// The key of a list of services.
const LIST: &str = "service";

/// The services of all documents of a file, in order; at least one.
pub(super) fn split(roots: Vec<Json>) -> Result<Vec<Json>, FileError> {
    let mut all = Vec::new();
    for root in roots {
        match root {
            // A document of YAML with nothing between two separators.
            Json::Null => {}
            Json::Array(list) => add_list("", list, &mut all)?,
            Json::Object(keys) if keys.contains_key(LIST) => add_under_key(keys, &mut all)?,
            Json::Object(keys) if keys.is_empty() => {}
            Json::Object(keys) => all.push(Json::Object(keys)),
            _ => {
                let place = "the file".to_owned();
                return Err(FileError::NoService { place });
            }
        }
    }
    match all.len() {
        0 => Err(FileError::Empty),
        count if count > MOST_SERVICES => Err(FileError::TooMany { count }),
        _ => Ok(all),
    }
}

fn add_under_key(mut keys: Map<String, Json>, all: &mut Vec<Json>) -> Result<(), FileError> {
    let list = keys.remove(LIST);
    if let Some(key) = keys.keys().next() {
        return Err(FileError::Beside { key: key.clone() });
    }
    match list {
        Some(Json::Array(list)) => add_list(LIST, list, all),
        Some(one) => add_list(LIST, vec![one], all),
        None => Ok(()),
    }
}

fn add_list(key: &str, list: Vec<Json>, all: &mut Vec<Json>) -> Result<(), FileError> {
    for (index, one) in list.into_iter().enumerate() {
        if !one.is_object() {
            let place = format!("{key}[{index}]");
            return Err(FileError::NoService { place });
        }
        all.push(one);
    }
    Ok(())
}
