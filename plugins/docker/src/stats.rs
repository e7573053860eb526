//! Resource usage of a container.

use std::time::Duration;

use bollard::models::{ContainerMemoryStats, ContainerStatsResponse};
use bollard::query_parameters::StatsOptionsBuilder;
use futures_util::StreamExt;
use orchestrator_plugin::{Container, EngineError, Stats};

use crate::DockerEngine;
use crate::errors::ApiError;

impl DockerEngine {
    /// Measures once.
    pub(crate) async fn measure(&self, container: &Container) -> Result<Stats, EngineError> {
        let (name, reference) = self.running(container, "measure").await?;
        let options = StatsOptionsBuilder::new().stream(false).one_shot(true).build();
        let measured = self
            .connection
            .ask(|docker| async move {
                let first = docker.stats(&reference, Some(options)).boxed().next().await;
                first.unwrap_or_else(|| {
                    Err(ApiError::IOError {
                        err: std::io::Error::other("the engine measured nothing"),
                    })
                })
            })
            .await;
        measured
            .map(stats)
            .map_err(|error| self.connection.explain("measure", &name, error))
    }
}

fn stats(answer: ContainerStatsResponse) -> Stats {
    let cpu = answer.cpu_stats.and_then(|cpu| cpu.cpu_usage?.total_usage);
    Stats {
        cpu: Duration::from_nanos(cpu.unwrap_or_default()),
        memory: answer.memory_stats.map(memory).unwrap_or_default(),
        pids: answer.pids_stats.and_then(|pids| pids.current),
    }
}

/// The memory in use without the inactive page cache, as `docker stats` shows it.
fn memory(memory: ContainerMemoryStats) -> u64 {
    let details = memory.stats.unwrap_or_default();
    // The first is the word of cgroups version 1, the second that of version 2.
    let cache = details.get("total_inactive_file").or(details.get("inactive_file"));
    let usage = memory.usage.unwrap_or_default();
    usage.saturating_sub(cache.copied().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn the_page_cache_is_not_counted() {
        let used = |word: &str| {
            memory(ContainerMemoryStats {
                usage: Some(1000),
                stats: Some(HashMap::from([(word.to_owned(), 300)])),
                ..ContainerMemoryStats::default()
            })
        };
        assert_eq!(used("total_inactive_file"), 700);
        assert_eq!(used("inactive_file"), 700);
        assert_eq!(used("something_else"), 1000);
    }
}
