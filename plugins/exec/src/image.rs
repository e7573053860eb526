//! Ids of images that an executable gives, for one that makes containers by them. Pure.

/// The longest id, in bytes.
const LONGEST: usize = 255;

/// The id of an image as a template is pinned to it: recorded, shown, and passed back in `spec.image` as it came.
///
/// # Errors
///
/// The reason, when the text is not 1 to 255 printable ASCII characters without spaces.
pub(crate) fn image_id(text: &str) -> Result<String, String> {
    match text.len() {
        0 => Err("it gives no id of the image".to_owned()),
        length if length > LONGEST => Err(format!(
            "its id of the image has {length} bytes, and may have {LONGEST}; use a digest"
        )),
        _ if !text.bytes().all(|byte| byte.is_ascii_graphic()) => {
            Err("its id of the image has other characters than printable ASCII without spaces; use a digest".to_owned())
        }
        _ => Ok(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_taken_as_it_came_or_not_at_all() {
        let longest = "a".repeat(LONGEST);
        for good in ["sha256:00ff", "x", "a/b@2\"'", &longest] {
            assert_eq!(image_id(good).as_deref(), Ok(good));
        }
        let too_long = "a".repeat(LONGEST + 1);
        for (bad, why) in [
            ("", "no id"),
            (" x", "printable"),
            ("x\n", "printable"),
            ("\u{1b}[2J", "printable"),
            ("ä", "printable"),
            (too_long.as_str(), "256 bytes"),
        ] {
            let reason = image_id(bad).unwrap_err();
            assert!(reason.contains(why), "{bad:?}: {reason}");
        }
    }
}
