//! Takes requests from root, one on each connection.

use std::fs::{self, Permissions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::Duration;

use nix::sys::socket::getsockopt;
use nix::sys::socket::sockopt::PeerCredentials;
use orchestrator_ahead::Ahead;

use crate::namespace::{self, Rooms};
use crate::request::{Request, Verb};

/// How long a connection may take to ask, and to take the answer.
const LIMIT: Duration = Duration::from_secs(5);
/// The longest request, in bytes.
const LONGEST: u64 = 64;

/// Listens at `path` for root alone. A socket that an earlier process left is replaced.
pub(crate) fn listen(path: &Path) -> io::Result<UnixListener> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Answers the one request of a connection: `ok`, or what is wrong.
pub(crate) fn answer(stream: UnixStream, rooms: &Rooms) {
    let said = match take(&stream).and_then(|line| carry_out(&line, rooms)) {
        Ok(()) => "ok\n".to_owned(),
        Err(reason) => {
            eprintln!("{reason}");
            format!("{reason}\n")
        }
    };
    // A caller that has gone asks again.
    let _ = (&stream).write_all(said.as_bytes());
}

fn take(stream: &UnixStream) -> Result<String, String> {
    let failed = |error: io::Error| format!("cannot read a request: {error}");
    stream.set_read_timeout(Some(LIMIT)).map_err(failed)?;
    stream.set_write_timeout(Some(LIMIT)).map_err(failed)?;
    let peer = getsockopt(stream, PeerCredentials).map_err(|errno| failed(errno.into()))?;
    if peer.uid() != 0 {
        return Err(format!(
            "process {} is user {}; only root may ask",
            peer.pid(),
            peer.uid()
        ));
    }
    let mut line = String::new();
    BufReader::new(stream.take(LONGEST))
        .read_line(&mut line)
        .map_err(failed)?;
    match line.strip_suffix('\n') {
        Some(line) => Ok(line.to_owned()),
        None => Err("a request is one line".to_owned()),
    }
}

fn carry_out(line: &str, rooms: &Rooms) -> Result<(), String> {
    let request = Request::parse(line)?;
    let directory = &rooms.directory;
    let (path, site) = (request.path_in(directory), request.site_in(directory));
    let done = match request.verb {
        Verb::Make => {
            rooms.ahead.iter().for_each(Ahead::wait);
            namespace::make(&site, &path)
        }
        Verb::Remove => namespace::remove(&site, &path),
    };
    done.map_err(|error| format!("cannot {line}: {error}"))
}
