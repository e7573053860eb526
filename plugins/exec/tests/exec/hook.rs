//! A web hook in memory: it answers requests of the protocol by the fake engine.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use orchestrator_plugin::{Engine, Id, Mark};
use orchestrator_plugin_exec::answer;
use orchestrator_plugin_fake::{FakeEngine, FakeWorld};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// The engines of the sites that asked so far. One that holds a turn holds it for all requests of its site.
type Engines = Arc<Mutex<HashMap<Id, Arc<FakeEngine>>>>;

/// Whose turn it is to change a container: requests about one follow one another, also those whose caller has hung up.
type Turns = Arc<Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>>;

/// A web server that ends when it is dropped.
pub(crate) struct Hook {
    pub(crate) address: SocketAddr,
    serving: JoinHandle<()>,
}

impl Hook {
    /// Serves a world.
    pub(crate) async fn start(world: FakeWorld) -> Self {
        let listener = TcpListener::bind("[::1]:0").await.expect("a port of the loopback");
        let address = listener.local_addr().expect("an address");
        let (engines, turns) = (Engines::default(), Turns::default());
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // What was asked for is done, also when nobody waits for it any more.
                tokio::spawn(serve(stream, world.clone(), engines.clone(), turns.clone()));
            }
        });
        Self { address, serving }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/engine", self.address)
    }
}

impl Drop for Hook {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(mut stream: TcpStream, world: FakeWorld, engines: Engines, turns: Turns) {
    let Some(body) = body(&mut stream).await else { return };
    let request: Value = serde_json::from_slice(&body).unwrap_or_default();
    let changes = ["ADD", "STOP", "DELETE"].iter().any(|verb| request["verb"] == **verb);
    let name = request["container"]["engine_name"].to_string();
    let turn = turns.lock().unwrap().entry(name).or_default().clone();
    let _turn = match changes {
        true => Some(turn.lock().await),
        false => None,
    };
    let make = |mark: Mark| {
        let mut engines = engines.lock().unwrap();
        let made = || Arc::new(FakeEngine::new("fake", world.clone(), mark));
        let engine: Arc<dyn Engine> = engines.entry(mark.site).or_insert_with(made).clone();
        engine
    };
    let answer = answer(make, &body).await.to_string();
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        answer.len()
    );
    let _ = stream.write_all((head + &answer).as_bytes()).await;
}

/// The body of a request.
async fn body(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut read = Vec::new();
    loop {
        if let Some(end) = read.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&read[..end]).to_ascii_lowercase();
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
            let body = end + 4;
            if read.len() >= body + length.unwrap_or(0) {
                return Some(read.split_off(body));
            }
        }
        if stream.read_buf(&mut read).await.ok()? == 0 {
            return None;
        }
    }
}
