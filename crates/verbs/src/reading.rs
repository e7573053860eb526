//! Reads files whole, whose size is bounded.

use futures_util::StreamExt;

use crate::failure::Failure;
use crate::local::Local;

/// The text of a file that a line names, or of standard input for "-".
///
/// # Errors
///
/// When there is none, it cannot be read, it has more than `largest` bytes, or it is no text.
pub(crate) async fn read_text(name: &str, largest: usize, local: &dyn Local) -> Result<String, Failure> {
    let bytes = read_bytes(name, largest, local).await?;
    String::from_utf8(bytes).map_err(|_| Failure::Given {
        what: format!("{name} is no text in UTF-8"),
    })
}

/// The bytes of a file that a line names, or of standard input for "-".
///
/// # Errors
///
/// When there is none, it cannot be read, or it has more than `largest` bytes.
pub(crate) async fn read_bytes(name: &str, largest: usize, local: &dyn Local) -> Result<Vec<u8>, Failure> {
    let fault = |source| Failure::Local {
        doing: "read",
        what: name.to_owned(),
        source,
    };
    let mut pieces = local.open(name).await.map_err(fault)?.pieces;
    let mut bytes = Vec::new();
    while let Some(piece) = pieces.next().await {
        bytes.extend_from_slice(&piece.map_err(fault)?);
        if bytes.len() > largest {
            return Err(Failure::Given {
                what: format!("{name} has more than {largest} bytes, and is not read"),
            });
        }
    }
    Ok(bytes)
}
