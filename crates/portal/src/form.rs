//! Forms as browsers send them (`application/x-www-form-urlencoded`).

use std::collections::BTreeMap;

use crate::Request;

/// The fields of a form; `None` if the request is no form, or not text.
pub(crate) fn fields(request: &Request) -> Option<BTreeMap<String, String>> {
    let kind = request.content_type.as_deref()?.split(';').next()?.trim();
    if !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return None;
    }
    let pairs = request.body.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty());
    let read = |pair: &[u8]| {
        let mut parts = pair.splitn(2, |byte| *byte == b'=');
        Some((decode(parts.next()?)?, decode(parts.next().unwrap_or_default())?))
    };
    pairs.map(read).collect()
}

/// Decodes `%41` and `+`.
fn decode(coded: &[u8]) -> Option<String> {
    let mut bytes = Vec::with_capacity(coded.len());
    let mut rest = coded.iter();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => digit(*rest.next()?)? << 4 | digit(*rest.next()?)?,
            other => *other,
        });
    }
    String::from_utf8(bytes).ok()
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use hyper::Method;

    use super::*;

    fn read(kind: &str, body: &str) -> Option<BTreeMap<String, String>> {
        fields(&Request {
            method: Method::POST,
            content_type: Some(kind.to_owned()),
            body: bytes::Bytes::copy_from_slice(body.as_bytes()),
            ..Request::get("/")
        })
    }

    #[test]
    fn fields_are_decoded_and_what_is_no_form_is_refused() {
        let form = "application/x-www-form-urlencoded";
        let read_form = read(form, "keys=a%20b+c%0D%0A%C3%BC&token=&x").unwrap();
        assert_eq!(read_form["keys"], "a b c\r\nü");
        assert_eq!((read_form["token"].as_str(), read_form["x"].as_str()), ("", ""));
        for bad in ["a=%4", "a=%zz", "a=%ff", "%=1"] {
            assert_eq!(read(form, bad), None, "{bad}");
        }
        assert_eq!(read("text/plain", "a=b"), None);
        assert!(read("Application/X-WWW-Form-Urlencoded; charset=utf-8", "a=b").is_some());
    }
}
