//! One command to HAProxy, and its answer.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep, timeout};

use super::{Balancer, Control, RuntimeFault, Stream};

/// How long HAProxy may take for one command.
const WITHIN: Duration = Duration::from_secs(4);
/// How long its sockets may be without a listener.
const STARTING: Duration = Duration::from_secs(1);
/// How long it is left alone then.
const PAUSE: Duration = Duration::from_millis(20);
/// The most bytes of an answer: the states of tens of thousands of servers.
const LONGEST: u64 = 32 * 1024 * 1024;

/// Sends one command and returns the answer. `doing` says what it is for.
pub(super) async fn ask(
    balancer: &dyn Balancer,
    control: Control,
    command: &str,
    doing: &str,
) -> Result<String, RuntimeFault> {
    match timeout(WITHIN, exchange(balancer, control, command)).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(cause)) => Err(RuntimeFault::NoAnswer {
            balancer: balancer.name(),
            doing: doing.to_owned(),
            cause,
        }),
        Err(_elapsed) => Err(RuntimeFault::Slow {
            balancer: balancer.name(),
            doing: doing.to_owned(),
            within: WITHIN,
        }),
    }
}

async fn exchange(balancer: &dyn Balancer, control: Control, command: &str) -> io::Result<String> {
    let mut stream = dial(balancer, control).await?;
    stream.write_all(command.as_bytes()).await?;
    stream.write_all(b"\n").await?;
    // The master closes the connection only when nothing more can come.
    stream.shutdown().await?;
    let mut answer = Vec::new();
    stream.take(LONGEST).read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// Connects. While HAProxy starts or reads its files anew, nobody listens on its sockets for a moment.
async fn dial(balancer: &dyn Balancer, control: Control) -> io::Result<Box<dyn Stream>> {
    let until = Instant::now() + STARTING;
    loop {
        match balancer.dial(control).await {
            Err(fault) if is_starting(&fault) && Instant::now() < until => sleep(PAUSE).await,
            outcome => return outcome,
        }
    }
}

fn is_starting(fault: &io::Error) -> bool {
    matches!(fault.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound)
}

/// An answer in one line for a log: short, and without control characters.
pub(super) fn in_one_line(answer: &str) -> String {
    let first = answer
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty())
        .unwrap_or("no answer");
    first.chars().filter(|c| !c.is_control()).take(200).collect()
}
