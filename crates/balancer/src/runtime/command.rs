//! The words of each step in the runtime API.

use std::collections::BTreeMap;

use super::session::{ask, in_one_line};
use super::{Balancer, Control, RuntimeFault};
use crate::config::{self, Layout};
use crate::name::CertificateName;
use crate::step::{MapName, Step};

/// The most bytes of lines in one command. HAProxy takes a command that fits into one buffer (`tune.bufsize`).
const IN_ONE_COMMAND: usize = 12 * 1024;

/// Takes one step. Returns whether it is done; a server that still has connections cannot be removed yet.
pub(super) async fn take(balancer: &dyn Balancer, layout: &Layout, step: &Step) -> Result<bool, RuntimeFault> {
    let worker = Worker { balancer, step };
    match step {
        Step::Add {
            backend,
            server,
            address,
        } => {
            let parameters = config::text::parameters(*server, *address);
            let command = format!("add server {backend}/{server} {parameters}");
            worker.expecting("New server registered", &command).await
        }
        Step::Check(backend, server) => worker.quietly(&format!("enable health {backend}/{server}")).await,
        Step::Ready(backend, server) => {
            worker
                .quietly(&format!("set server {backend}/{server} state ready"))
                .await
        }
        Step::Drain(backend, server) => {
            worker
                .quietly(&format!("set server {backend}/{server} state drain"))
                .await
        }
        Step::Stop(backend, server) => {
            worker
                .quietly(&format!("set server {backend}/{server} state maint"))
                .await
        }
        Step::Move(backend, server, to) => {
            let command = format!("set server {backend}/{server} addr {} port {}", to.ip(), to.port());
            // "no need to change" where it has that address already.
            let answer = worker.ask(&command).await?;
            match answer.contains("changed") || answer.contains("no need") {
                true => Ok(true),
                false => Err(worker.refused(&answer)),
            }
        }
        Step::Cut(backend, server) => {
            worker
                .quietly(&format!("shutdown sessions server {backend}/{server}"))
                .await
        }
        Step::Remove(backend, server) => {
            let answer = worker.ask(&format!("del server {backend}/{server}")).await?;
            match answer.contains("Server deleted") || answer.contains("No such server") {
                true => Ok(true),
                false if answer.contains("connections") || answer.contains("maintenance") => Ok(false),
                false => Err(worker.refused(&answer)),
            }
        }
        Step::Map(map, entries) => worker.replace(layout, *map, entries).await,
        Step::Bring(name, certificate) => worker.bring(layout, name, certificate.pem.as_str()).await,
        Step::Show(name, certificate) => {
            let list = layout.path(config::LIST);
            let line = config::line(layout, name, certificate);
            worker
                .expecting("Success!", &format!("add ssl crt-list {list} <<\n{line}"))
                .await
        }
        Step::Hide(name, line) => {
            let list = layout.path(config::LIST);
            let path = layout.path(&name.file());
            worker
                .expecting("deleted", &format!("del ssl crt-list {list} {path}:{line}"))
                .await
        }
        Step::Forget(name) => {
            let path = layout.path(&name.file());
            worker.expecting("deleted", &format!("del ssl cert {path}")).await
        }
    }
}

struct Worker<'w> {
    balancer: &'w dyn Balancer,
    step: &'w Step,
}

impl Worker<'_> {
    async fn ask(&self, command: &str) -> Result<String, RuntimeFault> {
        ask(self.balancer, Control::Worker, command, &self.step.to_string()).await
    }

    /// Sends a command that answers nothing when it succeeds.
    async fn quietly(&self, command: &str) -> Result<bool, RuntimeFault> {
        let answer = self.ask(command).await?;
        match answer.trim().is_empty() {
            true => Ok(true),
            false => Err(self.refused(&answer)),
        }
    }

    async fn expecting(&self, text: &str, command: &str) -> Result<bool, RuntimeFault> {
        let answer = self.ask(command).await?;
        match answer.contains(text) {
            true => Ok(true),
            false => Err(self.refused(&answer)),
        }
    }

    fn refused(&self, answer: &str) -> RuntimeFault {
        RuntimeFault::Refused {
            balancer: self.balancer.name(),
            doing: self.step.to_string(),
            answer: in_one_line(answer),
        }
    }

    /// Replaces a map in one transaction: requests see all of the old one, or all of the new one.
    async fn replace(
        &self,
        layout: &Layout,
        map: MapName,
        entries: &BTreeMap<String, String>,
    ) -> Result<bool, RuntimeFault> {
        let path = layout.path(map.file());
        let answer = self.ask(&format!("prepare map {path}")).await?;
        let version = answer.trim().strip_prefix("New version created: ");
        let version: u32 = version
            .and_then(|number| number.trim().parse().ok())
            .ok_or_else(|| self.refused(&answer))?;
        for lines in chunks(entries) {
            self.quietly(&format!("add map @{version} {path} <<\n{lines}")).await?;
        }
        self.quietly(&format!("commit map @{version} {path}")).await
    }

    async fn bring(&self, layout: &Layout, name: &CertificateName, pem: &str) -> Result<bool, RuntimeFault> {
        let path = layout.path(&name.file());
        // One that is there is filled again; a change that was begun and not ended is given up.
        self.ask(&format!("new ssl cert {path}")).await?;
        self.ask(&format!("abort ssl cert {path}")).await?;
        self.expecting("Transaction", &format!("set ssl cert {path} <<\n{pem}"))
            .await?;
        self.expecting("Success!", &format!("commit ssl cert {path}")).await
    }
}

/// Lines of a map, as many as fit into one command.
fn chunks(entries: &BTreeMap<String, String>) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for (key, value) in entries {
        let line = format!("{key} {value}\n");
        match all.last_mut() {
            Some(last) if last.len() + line.len() <= IN_ONE_COMMAND => last.push_str(&line),
            _ => all.push(line),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_of_any_size_goes_into_commands_that_fit() {
        let entries: BTreeMap<String, String> = (0..5000)
            .map(|n| (format!("host-{n}.example/"), "spread-1".into()))
            .collect();
        let chunks = chunks(&entries);
        assert!(chunks.iter().all(|chunk| chunk.len() <= IN_ONE_COMMAND));
        assert_eq!(chunks.concat().lines().count(), 5000);
        assert!(super::chunks(&BTreeMap::new()).is_empty());
    }
}
