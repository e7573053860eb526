//! Has the operator's program make another image for the tests.

use std::io;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use orchestrator_model::show_lifespan;
use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The longest that the program is waited for after it was killed, before the process ends.
const GONE: Duration = Duration::from_secs(1);

/// The operator's program that makes images.
#[derive(Debug, Clone)]
pub(super) struct Publisher {
    program: PathBuf,
    limit: Duration,
    stop: CancellationToken,
    running: TaskTracker,
}

impl Publisher {
    /// A program that may take this long for each image.
    pub(super) fn new(program: PathBuf, limit: Duration) -> Self {
        Self {
            program,
            limit,
            stop: CancellationToken::new(),
            running: TaskTracker::new(),
        }
    }

    /// Ends the process at SIGINT and SIGTERM, with the code that a shell gives to it. The terminal sends SIGINT only to its
    /// own process group, of which the program is none: it is killed first.
    ///
    /// # Errors
    ///
    /// When the operating system does not report signals.
    pub(super) fn end_with_this_process(&self) -> io::Result<()> {
        for kind in [SignalKind::interrupt(), SignalKind::terminate()] {
            let (publisher, mut awaited) = (self.clone(), signal(kind)?);
            tokio::spawn(async move {
                if awaited.recv().await.is_some() {
                    publisher.end().await;
                    std::process::exit(128 + kind.as_raw_value());
                }
            });
        }
        Ok(())
    }

    /// Kills the program, if it runs.
    async fn end(&self) {
        self.stop.cancel();
        self.running.close();
        let _ = timeout(GONE, self.running.wait()).await;
    }

    /// Has the program make another image under this name.
    ///
    /// # Panics
    ///
    /// When it does not, or not in time; then it is killed with all that it has started in its process group. That is a
    /// line of the report.
    pub(super) async fn publish(self, name: String) {
        let running = self.running.clone();
        running.track_future(self.run(name)).await;
    }

    async fn run(self, name: String) {
        let shown = self.program.display();
        let mut group = match Group::spawn(Command::new(&self.program).arg(&name)) {
            Ok(group) => group,
            Err(fault) => panic!("{shown} could not be run: {fault}"),
        };
        let mut said = Vec::new();
        let ended = tokio::select! {
            biased;
            () = self.stop.cancelled() => panic!("{shown} {name} was stopped"),
            ended = timeout(self.limit, group.end(&mut said)) => ended,
        };
        let status = match ended {
            Ok(Ok(status)) => status,
            Ok(Err(fault)) => panic!("{shown} could not be waited for: {fault}"),
            Err(_) => panic!("{shown} {name} did not end within {}", show_lifespan(self.limit)),
        };
        let said = String::from_utf8_lossy(&said);
        assert!(status.success(), "{shown} {name} ended with {status}: {said}");
    }
}

/// A program in a process group of its own, which is killed when this is dropped before the program has ended.
struct Group(Child);

impl Group {
    fn spawn(command: &mut Command) -> io::Result<Self> {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        command.process_group(0).kill_on_drop(true).spawn().map(Self)
    }

    /// Reads what it reports, and then waits for its end. It is reaped last: until then its number is that of its group.
    async fn end(&mut self, said: &mut Vec<u8>) -> io::Result<ExitStatus> {
        if let Some(mut stderr) = self.0.stderr.take() {
            stderr.read_to_end(said).await?;
        }
        self.0.wait().await
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // There is no number once it was reaped.
        if let Some(leader) = self.0.id().and_then(|id| i32::try_from(id).ok()) {
            // There is nothing to be done about a group that is gone.
            let _ = killpg(Pid::from_raw(leader), Signal::SIGKILL);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use orchestrator_model::Id;

    use super::*;

    /// Longer than anything here takes.
    const LONG: Duration = Duration::from_secs(30);

    #[tokio::test]
    #[should_panic(expected = "sleep 600 did not end within")]
    async fn a_program_that_makes_an_image_and_does_not_end_is_not_waited_for() {
        let publisher = Publisher::new("sleep".into(), Duration::from_secs(1));
        publisher.publish("600".to_owned()).await;
    }

    #[tokio::test]
    #[should_panic(expected = "nowhere ended with")]
    async fn a_program_that_fails_is_told_with_its_exit_code() {
        Publisher::new("ls".into(), LONG).publish("/nowhere".to_owned()).await;
    }

    /// A program that waits for a child, and writes its number into the file that it is given.
    struct Parent(PathBuf);

    impl Parent {
        fn new() -> Self {
            let place = std::env::temp_dir().join(format!("orchestrator-publish-{}", Id::random().unwrap()));
            fs::create_dir(&place).unwrap();
            let script = "#!/bin/sh\nsleep 600 &\necho $! >\"$1.new\"; mv \"$1.new\" \"$1\"; wait\n";
            fs::write(place.join("program"), script).unwrap();
            fs::set_permissions(place.join("program"), fs::Permissions::from_mode(0o755)).unwrap();
            Self(place)
        }

        fn publisher(&self, limit: Duration) -> Publisher {
            Publisher::new(self.0.join("program"), limit)
        }

        fn number(&self) -> String {
            self.0.join("number").display().to_string()
        }

        /// The number of the child, once it is there.
        async fn child(&self) -> i32 {
            until(|| Some(fs::read_to_string(self.number()).ok()?.trim().parse().unwrap())).await
        }
    }

    impl Drop for Parent {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    async fn until<T>(mut is_so: impl FnMut() -> Option<T>) -> T {
        let waited = timeout(LONG, async {
            loop {
                if let Some(is_so) = is_so() {
                    return is_so;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
        waited.await.expect("it is so soon")
    }

    /// A dead process that nobody has reaped yet is gone, too.
    fn is_gone(process: i32) -> Option<()> {
        let state = fs::read_to_string(format!("/proc/{process}/stat")).ok();
        let state = state.and_then(|stat| Some(stat.rsplit_once(") ")?.1.to_owned()));
        state.is_none_or(|state| state.starts_with('Z')).then_some(())
    }

    fn reason(ended: Result<(), tokio::task::JoinError>) -> String {
        let panic = ended.unwrap_err().into_panic();
        panic.downcast_ref::<String>().unwrap().clone()
    }

    #[tokio::test]
    async fn a_program_that_takes_too_long_is_killed_with_its_children() {
        let parent = Parent::new();
        let publisher = parent.publisher(Duration::from_secs(5));
        let running = tokio::spawn(publisher.publish(parent.number()));
        let child = parent.child().await;
        assert!(is_gone(child).is_none());
        let reason = reason(running.await);
        assert!(reason.contains("did not end within"), "{reason}");
        until(|| is_gone(child)).await;
    }

    #[tokio::test]
    async fn a_program_that_runs_when_this_process_is_to_end_is_killed_with_its_children() {
        let parent = Parent::new();
        let publisher = parent.publisher(LONG);
        let running = tokio::spawn(publisher.clone().publish(parent.number()));
        let child = parent.child().await;
        publisher.end().await;
        assert!(publisher.running.is_empty(), "it is waited for");
        until(|| is_gone(child)).await;
        let reason = reason(running.await);
        assert!(reason.contains("was stopped"), "{reason}");
    }
}
