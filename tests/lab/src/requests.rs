//! HTTP requests at a steady rate, each of which is counted.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::Namespace;

/// How long one request may take until it counts as failed.
const PATIENCE: Duration = Duration::from_secs(5);

/// Clients that ask until they are stopped. Half of them keep their connection, the others open one for each request.
pub struct Requests {
    stop: Arc<AtomicBool>,
    asked: Arc<AtomicU64>,
    clients: Vec<JoinHandle<Tally>>,
}

/// What became of requests.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// How many there were.
    pub requests: u64,
    /// Why some failed: no connection, no whole answer in time, or another status than 200.
    pub failures: Vec<String>,
    /// How often each first line of an answer came.
    pub answers: BTreeMap<String, u64>,
    /// From the moment at which a request was due until its whole answer was there, of each that did not fail.
    pub times: Vec<Duration>,
}

impl Requests {
    /// Asks from a namespace, `rate` times a second in all, by so many clients at once. A client that is late sends its
    /// next request at once, and the delay counts.
    pub fn start(from: &Namespace, to: SocketAddr, host: &str, rate: u32, clients: u32) -> Self {
        let (stop, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let begun = Instant::now();
        let one = |number: u32| {
            let client = Client {
                to,
                request: format!("GET / HTTP/1.1\r\nHost: {host}\r\n"),
                keeps: number.is_multiple_of(2),
                connection: None,
            };
            // The clients take turns.
            let first = begun + Duration::from_secs(1) * number / rate.max(1);
            let every = Duration::from_secs(1) * clients / rate.max(1);
            let (stop, asked) = (stop.clone(), asked.clone());
            thread::spawn(move || client.run(first, every, &stop, &asked))
        };
        // A thread is in the namespace of the one that starts it.
        let clients = from.within(|| (0..clients).map(one).collect());
        Self { stop, asked, clients }
    }

    /// How many requests have ended so far.
    pub fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }

    /// Stops when the requests that are under way have ended.
    pub fn stop(self) -> Tally {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Tally::default();
        for client in self.clients {
            match client.join() {
                Ok(tally) => all.add(tally),
                Err(_) => all.failures.push("a client ended".to_owned()),
            }
        }
        all.times.sort_unstable();
        all
    }
}

impl Tally {
    /// The time that so many of a thousand did not exceed.
    pub fn time(&self, of_thousand: usize) -> Duration {
        let last = self.times.len().saturating_sub(1);
        let place = (self.times.len() * of_thousand / 1000).min(last);
        self.times.get(place).copied().unwrap_or_default()
    }

    /// Adds those of another tally.
    pub fn add(&mut self, other: Self) {
        self.requests += other.requests;
        self.failures.extend(other.failures);
        self.times.extend(other.times);
        for (answer, count) in other.answers {
            *self.answers.entry(answer).or_default() += count;
        }
    }
}

/// One client.
struct Client {
    to: SocketAddr,
    request: String,
    /// Whether it keeps its connection.
    keeps: bool,
    connection: Option<BufReader<TcpStream>>,
}

impl Client {
    fn run(mut self, first: Instant, every: Duration, stop: &AtomicBool, asked: &AtomicU64) -> Tally {
        let (mut tally, mut due) = (Tally::default(), first);
        while !stop.load(Ordering::Relaxed) {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            match self.ask() {
                Ok(line) => {
                    *tally.answers.entry(line).or_default() += 1;
                    tally.times.push(due.elapsed());
                }
                Err(fault) => tally.failures.push(fault.to_string()),
            }
            tally.requests += 1;
            asked.fetch_add(1, Ordering::Relaxed);
            due += every;
        }
        tally
    }

    /// Asks once; the first line of the page comes back.
    fn ask(&mut self) -> io::Result<String> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.connect()?,
        };
        let end = if self.keeps {
            "\r\n"
        } else {
            "Connection: close\r\n\r\n"
        };
        let request = [self.request.as_str(), end].concat();
        connection.get_mut().write_all(request.as_bytes())?;
        let (page, is_last) = read_answer(&mut connection)?;
        if self.keeps && !is_last {
            self.connection = Some(connection);
        } else {
            read_end(&mut connection)?;
        }
        Ok(page.lines().next().unwrap_or_default().to_owned())
    }

    fn connect(&self) -> io::Result<BufReader<TcpStream>> {
        let stream = TcpStream::connect_timeout(&self.to, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(BufReader::new(stream))
    }
}

/// Reads an answer with a length: the page, and whether the connection is closed after it.
fn read_answer(connection: &mut impl BufRead) -> io::Result<(String, bool)> {
    let mut line = String::new();
    connection.read_line(&mut line)?;
    let is_good = line.split(' ').nth(1) == Some("200");
    let status = line.trim_end().to_owned();
    let (mut length, mut is_last) = (None, false);
    loop {
        line.clear();
        if connection.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().ok(),
            "connection" => is_last = value.trim().eq_ignore_ascii_case("close"),
            _ => {}
        }
    }
    if !is_good {
        return Err(io::Error::other(status));
    }
    let length = length.ok_or_else(|| io::Error::other("the answer has no length"))?;
    let mut page = vec![0; length];
    connection.read_exact(&mut page)?;
    Ok((String::from_utf8_lossy(&page).into_owned(), is_last))
}

/// Waits for the end of a connection. The end that closes first keeps the connection's ports for a minute (TIME-WAIT). If
/// that were the client, it would soon look long for a port that is free.
fn read_end(connection: &mut impl Read) -> io::Result<()> {
    match connection.read(&mut [0])? {
        0 => Ok(()),
        _ => Err(io::Error::other(
            "there are bytes behind the last answer of a connection",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_is_cut_or_has_another_status_has_failed() {
        let read = |text: &str| read_answer(&mut text.as_bytes());
        let page = read("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\none");
        assert_eq!(page.unwrap(), ("one".to_owned(), false));
        let last = read("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
        assert_eq!(last.unwrap(), (String::new(), true));
        assert!(read_end(&mut "".as_bytes()).is_ok() && read_end(&mut "x".as_bytes()).is_err());
        for text in [
            "",
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\non",
            "HTTP/1.1 200 OK\r\n\r\none",
            "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn tallies_are_added_and_times_are_found_by_their_part() {
        let of = |answer: &str, times: std::ops::RangeInclusive<u64>| Tally {
            requests: 1,
            failures: vec!["503".to_owned()],
            answers: [(answer.to_owned(), 2)].into(),
            times: times.map(Duration::from_millis).collect(),
        };
        let mut all = of("one", 1..=500);
        all.add(of("two", 501..=1000));
        assert_eq!((all.requests, all.failures.len(), all.answers.len()), (2, 2, 2));
        assert_eq!(all.time(500), Duration::from_millis(501));
        assert_eq!(all.time(1000), Duration::from_millis(1000));
    }
}
