//! Whether an instance answers.
//!
//! Connections are made through the bridge of its link and no other way: when the link has lost its address, they would
//! follow the machine's default route and be held against the instance.

use std::io;
use std::net::{Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, sleep, timeout_at};

/// The wait between the first two tries; it doubles with each up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(50);
/// A connection that is not taken is given up after this: the peer may have come up after its SYN was lost.
const TRY_LIMIT: Duration = Duration::from_millis(300);
/// How long a server has to close a connection that was closed on our side.
const REACTION_LIMIT: Duration = Duration::from_secs(2);

/// Where an instance is to answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// Its address.
    pub(super) address: Ipv6Addr,
    /// The TCP port.
    pub(super) port: u16,
    /// The interface through which it is reached: its bridge.
    pub(super) interface: String,
}

/// How an instance took a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// It closed it after us, or sent something: its process is at work.
    Reacted,
    /// It was taken, perhaps by the kernel alone: that queues connections for a process that does nothing.
    Taken,
}

/// Why there was no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoAnswer {
    /// Nothing listens there, or what does closed the connection at once.
    #[error("it refuses connections")]
    Refused,
    /// No neighbour has the address.
    #[error("nothing has its address")]
    Unreachable,
    /// Nothing came back.
    #[error("it takes no connection")]
    TimedOut,
    /// The connection was taken, and a process that reacted before does not any more.
    #[error("it takes connections and does nothing with them")]
    Mute,
    /// The fault is on this machine: no route, no address, no socket. Nothing is known of the instance.
    #[error("{0}")]
    Local(#[from] io::Error),
}

impl NoAnswer {
    fn of(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset => Self::Refused,
            io::ErrorKind::HostUnreachable => Self::Unreachable,
            io::ErrorKind::TimedOut => Self::TimedOut,
            _ => Self::Local(error),
        }
    }
}

/// Waits until a TCP connection to `place` is taken; with `reacting`, until it is reacted to.
///
/// # Errors
///
/// The last refusal, once `within` has passed.
pub(super) async fn tcp(place: &Place, within: Duration, reacting: bool) -> Result<(), NoAnswer> {
    let deadline = Instant::now() + within;
    let mut pause = FIRST_PAUSE;
    loop {
        let refusal = match connect(place, deadline.min(Instant::now() + TRY_LIMIT)).await {
            Ok(_) if !reacting => return Ok(()),
            Ok(stream) => match reaction(stream, deadline.min(Instant::now() + REACTION_LIMIT)).await {
                Answer::Reacted => return Ok(()),
                Answer::Taken => NoAnswer::Mute,
            },
            Err(refusal) => refusal,
        };
        if Instant::now() + pause >= deadline {
            return Err(refusal);
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Asks once, within `limit`, and with `reacting` looks whether the connection is reacted to.
///
/// # Errors
///
/// Why the connection was not taken. One that is taken and not reacted to is an [`Answer::Taken`].
pub(super) async fn once(place: &Place, limit: Duration, reacting: bool) -> Result<Answer, NoAnswer> {
    let deadline = Instant::now() + limit;
    let stream = connect(place, deadline).await?;
    match reacting {
        true => Ok(reaction(stream, deadline).await),
        false => Ok(Answer::Taken),
    }
}

async fn connect(place: &Place, deadline: Instant) -> Result<TcpStream, NoAnswer> {
    let socket = TcpSocket::new_v6()?;
    match socket.bind_device(Some(place.interface.as_bytes())) {
        // Kernels before 5.7 want CAP_NET_RAW for it; without, any way is taken.
        Err(error) if error.kind() != io::ErrorKind::PermissionDenied => return Err(error.into()),
        _ => {}
    }
    let to = SocketAddr::from((place.address, place.port));
    match timeout_at(deadline, socket.connect(to)).await {
        Ok(connected) => connected.map_err(NoAnswer::of),
        Err(_) => Err(NoAnswer::TimedOut),
    }
}

/// Closes our side. A server that is at work closes its side in turn, or says something first; a process that is
/// stopped or hangs does neither.
async fn reaction(mut stream: TcpStream, deadline: Instant) -> Answer {
    if stream.shutdown().await.is_err() {
        return Answer::Reacted;
    }
    match timeout_at(deadline, stream.read(&mut [0])).await {
        Ok(_) => Answer::Reacted,
        Err(_) => Answer::Taken,
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    fn place(port: u16) -> Place {
        Place {
            address: Ipv6Addr::LOCALHOST,
            port,
            interface: "lo".to_owned(),
        }
    }

    async fn listener() -> (TcpListener, Place) {
        let server = TcpListener::bind("[::1]:0").await.unwrap();
        let port = server.local_addr().unwrap().port();
        (server, place(port))
    }

    #[tokio::test]
    async fn an_answer_is_seen() {
        let (_server, place) = listener().await;
        tcp(&place, Duration::from_secs(5), false).await.unwrap();
    }

    #[tokio::test]
    async fn silence_ends_when_its_time_is_over() {
        // Nobody listens on a port that was just given back; how the kernel says so is its own affair.
        let closed = std::net::TcpListener::bind("[::1]:0").unwrap();
        let port = closed.local_addr().unwrap().port();
        drop(closed);
        let refused = tcp(&place(port), Duration::from_millis(50), false).await;
        refused.unwrap_err();
    }

    #[tokio::test]
    async fn a_server_that_closes_in_turn_reacts() {
        let (server, place) = listener().await;
        let serve = async {
            loop {
                let (mut stream, _) = server.accept().await.unwrap();
                let mut request = Vec::new();
                stream.read_to_end(&mut request).await.unwrap();
            }
        };
        let ask = async {
            let answer = once(&place, LONG, true).await.unwrap();
            assert_eq!(answer, Answer::Reacted);
            tcp(&place, LONG, true).await.unwrap();
        };
        tokio::select! {
            () = serve => {}
            () = ask => {}
        }
    }

    #[tokio::test]
    async fn a_connection_that_only_the_kernel_took_is_told_apart() {
        let (_server, place) = listener().await;
        let limit = Duration::from_millis(50);
        let answer = once(&place, limit, true).await.unwrap();
        assert_eq!(answer, Answer::Taken);
        let silent = tcp(&place, limit, true).await.unwrap_err();
        assert!(matches!(silent, NoAnswer::Mute), "{silent}");
    }

    #[tokio::test]
    async fn another_way_than_the_link_s_is_not_taken() {
        let (_server, place) = listener().await;
        let elsewhere = Place {
            interface: "nowhere".to_owned(),
            ..place
        };
        let refused = once(&elsewhere, LONG, false).await.unwrap_err();
        assert!(matches!(refused, NoAnswer::Local(_)), "{refused}");
    }

    #[test]
    fn a_fault_of_this_machine_says_nothing_of_the_instance() {
        for kind in [
            io::ErrorKind::NetworkUnreachable,
            io::ErrorKind::AddrNotAvailable,
            io::ErrorKind::PermissionDenied,
            io::ErrorKind::OutOfMemory,
        ] {
            assert!(matches!(NoAnswer::of(kind.into()), NoAnswer::Local(_)), "{kind}");
        }
        let unreachable = NoAnswer::of(io::ErrorKind::HostUnreachable.into());
        assert!(matches!(unreachable, NoAnswer::Unreachable));
    }
}
