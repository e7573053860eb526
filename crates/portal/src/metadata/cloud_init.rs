//! The files that cloud-init's data source NoCloud reads: with `ds=nocloud;s=http://[ADDRESS]/`, an image that has
//! cloud-init sets itself up.

use hyper::StatusCode;
use serde_json::json;

use crate::Response;
use crate::facts::InstanceFacts;

/// The value of the template that is the user data.
const USER_DATA: &str = "user-data";
/// The user data of an instance whose template has none.
const NOTHING: &str = "#cloud-config\n{}\n";

/// The file at a path; `None` if cloud-init reads no such file.
pub(super) fn answer(path: &str, facts: &InstanceFacts) -> Option<Response> {
    let text = |body: &str| Some(Response::text(StatusCode::OK, body));
    match path {
        // JSON is YAML.
        "/meta-data" => text(&format!(
            "{}\n",
            json!({
                "instance-id": facts.id.to_string(),
                "local-hostname": facts.hostname,
                "public-keys": facts.authorized_keys,
            })
        )),
        "/user-data" => text(facts.values.get(USER_DATA).map_or(NOTHING, String::as_str)),
        "/vendor-data" => text(NOTHING),
        _ => None,
    }
}
