//! Whether an instance answers.
//!
//! Connections are made through the bridge of its link and no other way: when the link has lost its address, they would
//! follow the machine's default route and be held against the instance.

use std::io;
use std::net::{Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, sleep, timeout_at};

use crate::NoAnswer;
use crate::reaction::{Reaction, reaction};

/// The wait between the first two tries; it doubles with each up to [`longest_pause`].
const FIRST_PAUSE: Duration = Duration::from_millis(1);
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

/// Waits until a TCP connection to `place` is taken; with `reacting`, until it is reacted to.
///
/// # Errors
///
/// The last refusal, once `within` has passed.
pub(super) async fn tcp(place: &Place, within: Duration, reacting: bool) -> Result<(), NoAnswer> {
    let began = Instant::now();
    let deadline = began + within;
    let mut pause = FIRST_PAUSE;
    loop {
        let refusal = match connect(place, deadline.min(Instant::now() + TRY_LIMIT)).await {
            Ok(_) if !reacting => return Ok(()),
            Ok(mut stream) => match reaction(&mut stream, deadline.min(Instant::now() + REACTION_LIMIT)).await {
                Reaction::Reacted => return Ok(()),
                Reaction::Taken => NoAnswer::Mute,
            },
            Err(refusal) => refusal,
        };
        if Instant::now() + pause >= deadline {
            return Err(refusal);
        }
        sleep(pause).await;
        pause = (pause * 2).min(longest_pause(began.elapsed()));
    }
}

/// The longest wait between two tries, after so long: an answer that is awaited for minutes may be seen a second late, so
/// that thousands who never answer cost little.
fn longest_pause(waited: Duration) -> Duration {
    (waited / 20).clamp(Duration::from_millis(50), Duration::from_secs(1))
}

/// Connects through the interface of the place, and no other way.
///
/// # Errors
///
/// Why the connection was not taken until the deadline.
pub(super) async fn connect(place: &Place, deadline: Instant) -> Result<TcpStream, NoAnswer> {
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

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;
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
            let mut stream = connect(&place, Instant::now() + LONG).await.unwrap();
            assert_eq!(reaction(&mut stream, Instant::now() + LONG).await, Reaction::Reacted);
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
        let mut stream = connect(&place, Instant::now() + limit).await.unwrap();
        assert_eq!(reaction(&mut stream, Instant::now() + limit).await, Reaction::Taken);
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
        let refused = connect(&elsewhere, Instant::now() + LONG).await.unwrap_err();
        assert!(matches!(refused, NoAnswer::Local(_)), "{refused}");
    }
}
