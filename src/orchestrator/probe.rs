//! Whether an instance answers.

use std::net::{Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout_at};

/// The wait between the first two tries; it doubles with each up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(50);
/// A try that is not answered is given up after this: the peer may have come up after its SYN was lost.
const TRY_LIMIT: Duration = Duration::from_millis(300);

/// Waits until a TCP connection to `address` and `port` is accepted.
///
/// # Errors
///
/// The last refusal, once `within` has passed.
pub(super) async fn tcp(address: Ipv6Addr, port: u16, within: Duration) -> Result<(), std::io::Error> {
    let deadline = Instant::now() + within;
    let mut pause = FIRST_PAUSE;
    loop {
        let give_up = deadline.min(Instant::now() + TRY_LIMIT);
        let refusal = match timeout_at(give_up, TcpStream::connect(SocketAddr::from((address, port)))).await {
            Ok(Ok(_)) => return Ok(()),
            Ok(Err(refusal)) => refusal,
            Err(_) => std::io::ErrorKind::TimedOut.into(),
        };
        if Instant::now() + pause >= deadline {
            return Err(refusal);
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_answer_is_seen() {
        let server = tokio::net::TcpListener::bind("[::1]:0").await.unwrap();
        let port = server.local_addr().unwrap().port();
        tcp(Ipv6Addr::LOCALHOST, port, Duration::from_secs(5)).await.unwrap();
    }

    #[tokio::test]
    async fn silence_ends_when_its_time_is_over() {
        // Nobody listens on a port that was just given back; how the kernel says so is its own affair.
        let closed = std::net::TcpListener::bind("[::1]:0").unwrap();
        let port = closed.local_addr().unwrap().port();
        drop(closed);
        let refused = tcp(Ipv6Addr::LOCALHOST, port, Duration::from_millis(50)).await;
        refused.unwrap_err();
    }
}
