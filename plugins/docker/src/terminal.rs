//! The two directions of a terminal in a container, byte for byte.
//!
//! The client library takes a byte below 3 at the beginning of a piece for the header of a frame, and then waits for as
//! many bytes as the next ones say. That is right for a command with pipes. But a terminal has no frames, and programs
//! inside may write any bytes. So this module makes the connection of a terminal itself.

use std::io;
use std::path::Path;

use bytes::Bytes;
use futures_util::{Stream, stream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

/// The longest head of an answer, in bytes.
const LONGEST_HEAD: usize = 16 << 10;

/// The largest piece that is read at once, in bytes.
const PIECE: usize = 8 << 10;

/// Starts the command with this id, which was created with a terminal. Returns its output and its keyboard.
///
/// # Errors
///
/// When the engine does not answer, or answers otherwise than with both directions.
pub(crate) async fn attach(
    socket: &Path,
    exec: &str,
) -> io::Result<(impl Stream<Item = io::Result<Bytes>> + Send + 'static, OwnedWriteHalf)> {
    const BODY: &str = r#"{"Detach":false,"Tty":true}"#;
    let mut connection = UnixStream::connect(socket).await?;
    let request = format!(
        "POST /exec/{exec}/start HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{BODY}",
        BODY.len()
    );
    connection.write_all(request.as_bytes()).await?;
    let rest = read_head(&mut connection).await?;
    let (read, write) = connection.into_split();
    Ok((pieces(rest, read), write))
}

/// Reads the head of the answer; returns what came after it.
async fn read_head(connection: &mut UnixStream) -> io::Result<Bytes> {
    let mut head = Vec::with_capacity(PIECE);
    let end = loop {
        if let Some(end) = find_end(&head) {
            break end;
        }
        if head.len() >= LONGEST_HEAD {
            return Err(io::Error::other("the head of the engine's answer does not end"));
        }
        if connection.read_buf(&mut head).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    };
    let rest = Bytes::from(head.split_off(end));
    let status = String::from_utf8_lossy(&head);
    let status = status.lines().next().unwrap_or_default();
    // Podman says 200 in place of 101.
    match status.split(' ').nth(1) {
        Some("101" | "200") => Ok(rest),
        _ => Err(io::Error::other(format!("the engine answers {status:?}"))),
    }
}

/// Where the head ends, when all of it is there.
fn find_end(head: &[u8]) -> Option<usize> {
    let end = head.windows(4).position(|window| window == b"\r\n\r\n")?;
    Some(end + 4)
}

/// The output: first the bytes that were read already, then those until the end.
fn pieces(rest: Bytes, read: OwnedReadHalf) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    stream::unfold((rest, Some(read)), |(rest, read)| async move {
        let mut read = read?;
        if !rest.is_empty() {
            return Some((Ok(rest), (Bytes::new(), Some(read))));
        }
        let mut piece = Vec::with_capacity(PIECE);
        match read.read_buf(&mut piece).await {
            Ok(0) => None,
            Ok(_) => Some((Ok(piece.into()), (Bytes::new(), Some(read)))),
            Err(fault) => Some((Err(fault), (Bytes::new(), None))),
        }
    })
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt;
    use tokio::net::UnixListener;

    use super::*;

    /// An engine that answers one request with these pieces.
    async fn answered(name: &str, pieces: &'static [&'static [u8]]) -> io::Result<Vec<u8>> {
        let path = std::env::temp_dir().join(format!("orchestrator-terminal-{}-{name}", std::process::id()));
        let listener = UnixListener::bind(&path).unwrap();
        let serve = async {
            let (mut connection, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 4096];
            let length = connection.read(&mut request).await.unwrap();
            assert!(request[..length].starts_with(b"POST /exec/c0ffee/start HTTP/1.1\r\n"));
            for piece in pieces {
                let _ = connection.write_all(piece).await;
            }
        };
        let ask = async {
            let (output, _keyboard) = attach(&path, "c0ffee").await?;
            let pieces: Vec<_> = output.collect().await;
            let pieces: io::Result<Vec<Bytes>> = pieces.into_iter().collect();
            Ok(pieces?.concat())
        };
        let ((), answer) = tokio::join!(serve, ask);
        std::fs::remove_file(&path).unwrap();
        answer
    }

    #[tokio::test]
    async fn every_byte_comes_out_as_it_is() {
        const PIECES: &[&[u8]] = &[
            b"HTTP/1.1 101 UPGRADED\r\nUpgrade: tcp\r\n\r\n\x01\x00\x00\x00\xff",
            b"\xff\xff\xff",
            b"\x02after",
        ];
        let output = answered("bytes", PIECES).await.unwrap();
        assert_eq!(output, b"\x01\x00\x00\x00\xff\xff\xff\xff\x02after");
    }

    #[tokio::test]
    async fn an_answer_that_is_none_is_an_error() {
        let refused = answered("refused", &[b"HTTP/1.1 409 Conflict\r\n\r\n{}"]).await;
        assert!(refused.unwrap_err().to_string().contains("409"));
        answered("ends", &[b"HTTP/1.1 101 UPG"]).await.unwrap_err();
        const LONG: &[u8] = &[b'x'; LONGEST_HEAD + 1];
        let endless = answered("endless", &[LONG]).await.unwrap_err();
        assert!(endless.to_string().contains("does not end"), "{endless}");
    }
}
