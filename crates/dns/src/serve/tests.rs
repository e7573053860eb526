//! Queries over real sockets on loopback, and the time limits of connections on a clock that stands still.

use std::net::{Ipv6Addr, SocketAddr};
use std::num::NonZeroU32;
use std::time::Duration;

use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::AAAA;
use hickory_proto::rr::{Name, RData, Record, RecordType};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::time::Instant;

use super::*;
use crate::testing::directory;

/// A server on loopback, at the address of each of its sockets.
struct Running {
    udp: SocketAddr,
    tcp: SocketAddr,
    metrics: Metrics,
    stop: CancellationToken,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn place(forward: Vec<SocketAddr>) -> Place {
    Place {
        bridge: None,
        address: Ipv6Addr::LOCALHOST,
        port: 0,
        clients: None,
        rate: None,
        forward,
    }
}

fn shared(place: &Place) -> Arc<Shared> {
    let (_, names) = watch::channel(Arc::new(directory(100)));
    shared_of(place, names)
}

fn shared_of(place: &Place, names: watch::Receiver<Arc<Directory>>) -> Arc<Shared> {
    let metrics = Metrics::default();
    Arc::new(Shared {
        place: place.clone(),
        names,
        metrics: metrics.clone(),
        admission: Admission::new(place, [7; 16]),
        forwarder: Some(Forwarder::new(place.forward.clone(), metrics)).filter(|_| !place.forward.is_empty()),
        turns: AtomicUsize::default(),
    })
}

fn run(place: &Place) -> Running {
    run_with(place, shared(place))
}

fn run_with(place: &Place, shared: Arc<Shared>) -> Running {
    let (udp, tcp) = (place.udp().unwrap(), place.tcp().unwrap());
    let stop = CancellationToken::new();
    let running = Running {
        udp: udp.local_addr().unwrap(),
        tcp: tcp.local_addr().unwrap(),
        metrics: shared.metrics.clone(),
        stop: stop.clone(),
    };
    let sockets = Sockets {
        udp: UdpFace::new(udp, shared.clone()).unwrap(),
        tcp: TcpFace::new(tcp, shared).unwrap(),
    };
    tokio::spawn(sockets.run(stop));
    running
}

fn query(name: &str, kind: RecordType) -> Message {
    let mut message = Message::new(4711, MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(Name::from_ascii(name).unwrap(), kind));
    message
}

async fn ask_udp(server: SocketAddr, message: &Message) -> Message {
    let socket = UdpSocket::bind("[::1]:0").await.unwrap();
    socket.send_to(&message.to_vec().unwrap(), server).await.unwrap();
    let mut room = [0; 4096];
    let length = socket.recv(&mut room).await.unwrap();
    Message::from_vec(&room[..length]).unwrap()
}

async fn ask_stream(stream: &mut (impl AsyncReadExt + AsyncWriteExt + Unpin), message: &Message) -> Message {
    let bytes = message.to_vec().unwrap();
    stream.write_u16(bytes.len().try_into().unwrap()).await.unwrap();
    stream.write_all(&bytes).await.unwrap();
    let length = stream.read_u16().await.unwrap();
    let mut answer = vec![0; length.into()];
    stream.read_exact(&mut answer).await.unwrap();
    Message::from_vec(&answer).unwrap()
}

fn counted(metrics: &Metrics, line: &str) -> bool {
    metrics
        .render()
        .unwrap()
        .contains(&format!("orchestrator_dns_{line}\n"))
}

#[tokio::test]
async fn the_first_query_after_a_pause_is_answered_with_the_names_of_its_moment() {
    let place = place(Vec::new());
    let (change, names) = watch::channel(Arc::new(directory(1)));
    let server = run_with(&place, shared_of(&place, names));
    let asked = query("web.service.home.arpa.", RecordType::AAAA);
    for instances in [1, 2, 3] {
        change.send_replace(Arc::new(directory(instances)));
        let found = ask_udp(server.udp, &asked).await.answers.len();
        assert_eq!(found, usize::from(instances));
    }
}

#[tokio::test]
async fn a_long_answer_is_cut_by_udp_and_whole_by_tcp_on_one_connection_for_several() {
    let server = run(&place(Vec::new()));
    let asked = query("web.service.home.arpa.", RecordType::AAAA);
    let cut = ask_udp(server.udp, &asked).await;
    assert!(cut.metadata.truncation && cut.answers.len() < 100);
    let mut stream = TcpStream::connect(server.tcp).await.unwrap();
    for _ in 0..3 {
        assert_eq!(ask_stream(&mut stream, &asked).await.answers.len(), 100);
    }
    let other = ask_stream(&mut stream, &query("example.org.", RecordType::AAAA)).await;
    assert_eq!(other.metadata.response_code, ResponseCode::Refused);
    assert!(counted(&server.metrics, "answers_tcp_total{outcome=\"records\"} 3"));
    assert!(counted(&server.metrics, "answers_tcp_total{outcome=\"refused\"} 1"));
}

#[tokio::test]
async fn strangers_get_no_answer_and_their_connections_are_closed() {
    let stranger = Place {
        clients: Some(vec!["fd39::/64".parse().unwrap()]),
        ..place(Vec::new())
    };
    let server = run(&stranger);
    let mut stream = TcpStream::connect(server.tcp).await.unwrap();
    assert_eq!(stream.read(&mut [0]).await.unwrap_or(0), 0);
    let socket = UdpSocket::bind("[::1]:0").await.unwrap();
    let asked = query("web.service.home.arpa.", RecordType::AAAA).to_vec().unwrap();
    socket.send_to(&asked, server.udp).await.unwrap();
    // What is dropped is counted; an answer would come here.
    while !counted(&server.metrics, "dropped_total{reason=\"stranger\"} 2") {
        tokio::task::yield_now().await;
    }
    assert!(socket.try_recv(&mut [0; 512]).is_err());
}

/// One end of a connection that is served.
fn connect(place: &Place) -> (DuplexStream, tokio::task::JoinHandle<Result<(), &'static str>>) {
    let (near, far) = duplex(64 * 1024);
    let shared = shared(place);
    let source: Ipv6Addr = "fd39::7".parse().unwrap();
    let served = tokio::spawn(async move { tcp::serve(near, source, &shared).await });
    (far, served)
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_silent_half_way_or_too_long_is_closed() {
    let (mut stream, served) = connect(&place(Vec::new()));
    stream.write_all(&[0, 40, 1]).await.unwrap();
    let begin = Instant::now();
    assert_eq!(served.await.unwrap(), Err("slow"));
    assert_eq!(begin.elapsed(), Duration::from_secs(5));
    let (mut stream, served) = connect(&place(Vec::new()));
    stream.write_all(&[0xff, 0xff]).await.unwrap();
    assert_eq!(served.await.unwrap(), Err("too-long"));
    let (mut stream, served) = connect(&place(Vec::new()));
    stream.write_all(&[0, 0]).await.unwrap();
    assert_eq!(served.await.unwrap(), Err("no-query"));
    let (stream, served) = connect(&place(Vec::new()));
    drop(stream);
    assert_eq!(served.await.unwrap(), Ok(()));
}

#[tokio::test(start_paused = true)]
async fn the_rate_of_a_source_holds_within_a_connection() {
    let limited = Place {
        rate: NonZeroU32::new(2),
        ..place(Vec::new())
    };
    let (mut stream, served) = connect(&limited);
    let asked = query("home.arpa.", RecordType::SOA);
    for _ in 0..4 {
        ask_stream(&mut stream, &asked).await;
    }
    let bytes = asked.to_vec().unwrap();
    stream.write_u16(bytes.len().try_into().unwrap()).await.unwrap();
    stream.write_all(&bytes).await.unwrap();
    assert_eq!(served.await.unwrap(), Err("too-often"));
}

/// What a server elsewhere sends for a query.
type Reply = fn(Message) -> Vec<Vec<u8>>;

/// A server elsewhere, by UDP and TCP at one port.
async fn elsewhere(reply: Reply) -> SocketAddr {
    let (udp, tcp) = loop {
        let udp = UdpSocket::bind("[::1]:0").await.unwrap();
        // The same port may be taken there.
        if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()).await {
            break (udp, tcp);
        }
    };
    let address = udp.local_addr().unwrap();
    tokio::spawn(async move {
        let mut room = [0; 4096];
        while let Ok((length, from)) = udp.recv_from(&mut room).await {
            for bytes in reply(Message::from_vec(&room[..length]).unwrap()) {
                udp.send_to(&bytes, from).await.unwrap();
            }
        }
    });
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = tcp.accept().await {
            let length = stream.read_u16().await.unwrap();
            let mut asked = vec![0; length.into()];
            stream.read_exact(&mut asked).await.unwrap();
            let whole = answered(Message::from_vec(&asked).unwrap(), 100).to_vec().unwrap();
            stream.write_u16(whole.len().try_into().unwrap()).await.unwrap();
            stream.write_all(&whole).await.unwrap();
        }
    });
    address
}

fn answered(asked: Message, records: u16) -> Message {
    let mut answer = asked.clone().into_response();
    let name = asked.queries[0].name().clone();
    let record = |n| Record::from_rdata(name.clone(), 60, RData::AAAA(AAAA(crate::testing::address(n))));
    answer.add_answers((0..records).map(record));
    answer
}

#[tokio::test]
async fn other_names_are_asked_elsewhere_and_only_an_answer_to_the_question_counts() {
    let server = elsewhere(|asked| {
        assert_eq!(asked.edns.as_ref().unwrap().options().as_ref().len(), 0);
        assert_ne!(asked.metadata.id, 4711, "the number is ours");
        let other = |change: fn(&mut Message)| {
            let mut other = answered(asked.clone(), 5);
            change(&mut other);
            other.to_vec().unwrap()
        };
        vec![
            b"nonsense".to_vec(),
            other(|answer| answer.metadata.id ^= 1),
            other(|answer| answer.metadata.message_type = MessageType::Query),
            other(|answer| {
                answer.queries[0].set_query_type(RecordType::A);
            }),
            other(|answer| answer.queries.clear()),
            answered(asked.clone(), 1).to_vec().unwrap(),
        ]
    });
    let running = run(&place(vec![server.await]));
    let mut asked = query("example.org.", RecordType::AAAA);
    asked.edns = Some(Edns::new());
    let answer = ask_udp(running.udp, &asked).await;
    assert_eq!((answer.metadata.id, answer.answers.len()), (4711, 1));
    // Its own names it does not ask anybody.
    let own = ask_udp(running.udp, &query("db.service.home.arpa.", RecordType::AAAA)).await;
    assert_eq!(own.metadata.response_code, ResponseCode::NXDomain);
    assert!(counted(&running.metrics, "forwarded_total{outcome=\"answered\"} 1"));
}

#[tokio::test]
async fn an_answer_from_elsewhere_that_is_too_long_is_cut_and_asked_for_by_tcp() {
    let server = elsewhere(|asked| {
        let mut cut = answered(asked, 1);
        cut.metadata.truncation = true;
        vec![cut.to_vec().unwrap()]
    });
    let running = run(&place(vec![server.await]));
    let asked = query("example.org.", RecordType::AAAA);
    assert!(ask_udp(running.udp, &asked).await.metadata.truncation);
    let mut stream = TcpStream::connect(running.tcp).await.unwrap();
    let whole = ask_stream(&mut stream, &asked).await;
    assert_eq!((whole.metadata.id, whole.answers.len()), (4711, 100));
    // One that is longer than the client takes is cut here.
    let long = elsewhere(|asked| vec![answered(asked, 40).to_vec().unwrap()]).await;
    let running = run(&place(vec![long]));
    let cut = ask_udp(running.udp, &asked).await;
    assert!(cut.metadata.truncation && cut.answers.is_empty());
}

#[tokio::test]
async fn the_next_server_is_asked_when_one_is_not_there_and_none_is_a_failure() {
    let closed = UdpSocket::bind("[::1]:0").await.unwrap().local_addr().unwrap();
    let server = elsewhere(|asked| vec![answered(asked, 1).to_vec().unwrap()]).await;
    let running = run(&place(vec![closed, server]));
    let asked = query("example.org.", RecordType::AAAA);
    assert_eq!(ask_udp(running.udp, &asked).await.answers.len(), 1);
    let running = run(&place(vec![closed]));
    let failed = ask_udp(running.udp, &asked).await;
    assert_eq!(failed.metadata.response_code, ResponseCode::ServFail);
    assert!(counted(&running.metrics, "forwarded_total{outcome=\"unreachable\"} 1"));
    // Who wants no recursion gets none.
    let mut only_here = asked.clone();
    only_here.metadata.recursion_desired = false;
    assert_eq!(
        ask_udp(running.udp, &only_here).await.metadata.response_code,
        ResponseCode::Refused
    );
}

#[tokio::test(start_paused = true)]
async fn servers_that_never_answer_are_given_up_and_one_client_cannot_take_all_places() {
    let silent = UdpSocket::bind("[::1]:0").await.unwrap();
    let metrics = Metrics::default();
    let forwarder = Forwarder::new(vec![silent.local_addr().unwrap()], metrics.clone());
    let asked = query("example.org.", RecordType::AAAA).to_vec().unwrap();
    let mut refused = asked.clone();
    refused[2] |= 0x80;
    let ask = |peer| {
        forwarder.ask(
            crate::testing::address(peer),
            asked.clone(),
            refused.clone(),
            crate::Transport::Udp,
        )
    };
    let mut under_way: Vec<_> = (0..33).map(|_| Box::pin(ask(1))).collect();
    let begin = Instant::now();
    let late = under_way.pop().unwrap().await;
    assert_eq!((late[3] & 0xf, begin.elapsed()), (2, Duration::ZERO));
    assert!(counted(&metrics, "forwarded_total{outcome=\"full\"} 1"));
    let failed = ask(2).await;
    assert_eq!((failed[3] & 0xf, begin.elapsed()), (2, Duration::from_millis(4500)));
    assert!(counted(&metrics, "forwarded_total{outcome=\"timed-out\"} 1"));
}
