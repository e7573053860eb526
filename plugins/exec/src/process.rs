//! Runs an executable once: one input, one output, within limits.
//!
//! The executable is the leader of a process group of its own, with an empty environment but for a search path. When it
//! has ended, was given up or takes too long, what is left of the group is killed. The group is killed before its leader
//! is reaped, so that its number cannot be another's by then.

use std::io;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

/// The search path of an executable, and of what it runs.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The most that an executable may write to its standard output, in bytes.
const MOST: usize = 4 << 20;

/// The most of its standard error that is kept, in bytes, from the beginning. The rest is read and dropped.
const WORDS: usize = 4 << 10;

/// How long somebody else may hold the output open after the executable has ended.
const DRAIN: Duration = Duration::from_millis(200);

/// How long a killed process may take to end. One that waits for a broken disk takes longer, and is left to the kernel.
const GONE: Duration = Duration::from_secs(5);

/// The longest pause between two looks whether it has ended.
const PAUSE: Duration = Duration::from_millis(20);

/// An executable with its arguments, which never change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Program {
    /// Absolute path.
    pub(crate) path: PathBuf,
    /// Its arguments.
    pub(crate) arguments: Vec<String>,
}

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
}

/// Why an executable was not run to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    #[error("it cannot be run")]
    NotStarted(#[source] io::Error),
    #[error("it took too long and was killed")]
    TimedOut,
    #[error("nobody waited for it any more")]
    GivenUp,
    #[error("it wrote more than {MOST} bytes and was killed")]
    TooMuch,
    #[error("its output cannot be read: {0}")]
    Unread(io::Error),
}

impl Program {
    /// Runs it with this input until it has ended, for `limit` at most and for as long as nobody gives it up.
    pub(crate) async fn run(
        &self,
        input: Vec<u8>,
        limit: Duration,
        given_up: &CancellationToken,
    ) -> Result<Output, RunError> {
        let deadline = Instant::now() + limit;
        let mut group = self.spawn().map_err(RunError::NotStarted)?;
        let outcome = tokio::select! {
            biased;
            () = given_up.cancelled() => Err(RunError::GivenUp),
            spoken = timeout_at(deadline, group.converse(input)) => spoken.unwrap_or(Err(RunError::TimedOut)),
        };
        let status = group.end().await;
        let (stdout, stderr) = outcome?;
        Ok(Output {
            status: status.map_err(RunError::Unread)?,
            stdout,
            stderr,
        })
    }

    fn spawn(&self) -> io::Result<Group> {
        let mut child = Command::new(&self.path)
            .args(&self.arguments)
            .env_clear()
            .env("PATH", PATH)
            .env("LANG", "C.UTF-8")
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        let leader = Pid::from_raw(id.ok_or_else(|| io::Error::other("it ended at once"))?);
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(stdin), Some(stdout), Some(stderr)) = pipes else {
            return Err(io::Error::other("it has no pipes"));
        };
        Ok(Group {
            child,
            leader,
            pipes: Some((stdin, stdout, stderr)),
        })
    }
}

/// A process group whose leader was not reaped yet.
struct Group {
    child: Child,
    leader: Pid,
    pipes: Option<(ChildStdin, ChildStdout, ChildStderr)>,
}

impl Group {
    /// Hands the input over, and reads both outputs until the leader has ended and nothing comes any more.
    async fn converse(&mut self, input: Vec<u8>) -> Result<(Vec<u8>, Vec<u8>), RunError> {
        let Some((mut stdin, mut stdout, mut stderr)) = self.pipes.take() else {
            return Err(RunError::Unread(io::Error::other("it was run before")));
        };
        let (mut written, mut said) = (Vec::new(), Vec::new());
        {
            let talk = async {
                let tell = async {
                    // One that does not read its input may still answer.
                    let _ = stdin.write_all(&input).await;
                    drop(stdin);
                    Ok(())
                };
                let heard = tokio::try_join!(tell, all(&mut stdout, &mut written), beginning(&mut stderr, &mut said));
                heard.map(drop)
            };
            tokio::pin!(talk);
            tokio::select! {
                spoken = &mut talk => spoken?,
                // A process of its own may hold the output open: what came until then is the answer.
                () = ended(self.leader) => timeout(DRAIN, &mut talk).await.unwrap_or(Ok(()))?,
            }
        }
        ended(self.leader).await;
        Ok((written, said))
    }

    /// Kills what is left of the group, and reaps its leader.
    async fn end(mut self) -> io::Result<ExitStatus> {
        kill(self.leader);
        match timeout(GONE, self.child.wait()).await {
            Ok(status) => status,
            Err(_) => {
                tracing::warn!(
                    pid = self.leader.as_raw(),
                    "an executable of an engine was killed and does not end; it may wait for a disk"
                );
                Err(io::Error::other("it was killed and does not end"))
            }
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // `None` once it was reaped.
        if self.child.id().is_some() {
            kill(self.leader);
        }
    }
}

/// Kills a process group whose leader was not reaped.
fn kill(leader: Pid) {
    // There is nothing to be done about a group that is gone.
    let _ = killpg(leader, Signal::SIGKILL);
}

/// Returns when a child has ended, and leaves it to be reaped.
async fn ended(leader: Pid) {
    let mut pause = Duration::from_millis(1);
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    while let Ok(WaitStatus::StillAlive) = waitid(Id::Pid(leader), flags) {
        sleep(pause).await;
        pause = (pause * 2).min(PAUSE);
    }
}

/// Reads to the end, and fails when there is too much.
async fn all(from: &mut (impl AsyncRead + Unpin), into: &mut Vec<u8>) -> Result<(), RunError> {
    let most = u64::try_from(MOST).unwrap_or(u64::MAX);
    let read = from.take(most + 1).read_to_end(into).await;
    match read.map_err(RunError::Unread)? {
        count if count > MOST => Err(RunError::TooMuch),
        _ => Ok(()),
    }
}

/// Reads to the end, and keeps the beginning.
async fn beginning(from: &mut (impl AsyncRead + Unpin), into: &mut Vec<u8>) -> Result<(), RunError> {
    let mut piece = [0; 4096];
    loop {
        let count = from.read(&mut piece).await.map_err(RunError::Unread)?;
        if count == 0 {
            return Ok(());
        }
        let room = WORDS.saturating_sub(into.len()).min(count);
        into.extend_from_slice(&piece[..room]);
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn shell(script: &str) -> Program {
        Program {
            path: "/bin/sh".into(),
            arguments: vec!["-c".to_owned(), script.to_owned()],
        }
    }

    const LONG: Duration = Duration::from_secs(60);

    async fn run(script: &str, limit: Duration) -> Result<Output, RunError> {
        shell(script)
            .run(b"input".to_vec(), limit, &CancellationToken::new())
            .await
    }

    /// Waits until a file has a number in it.
    async fn number(path: &std::path::Path) -> i32 {
        loop {
            let text = fs::read_to_string(path).unwrap_or_default();
            if let Ok(number) = text.trim().parse() {
                return number;
            }
            sleep(Duration::from_millis(5)).await;
        }
    }

    fn is_alive(pid: i32) -> bool {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit(") ")
            .next()
            .is_some_and(|rest| !rest.is_empty() && !rest.starts_with('Z'))
    }

    async fn until_dead(pid: i32) {
        while is_alive(pid) {
            sleep(Duration::from_millis(5)).await;
        }
    }

    fn place(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("orchestrator-exec-{}-{name}", std::process::id()))
    }

    #[tokio::test]
    async fn input_output_and_exit_code_are_passed_on() {
        let output = run("cat; echo oops >&2; exit 3", LONG).await.unwrap();
        assert_eq!(output.stdout, b"input");
        assert_eq!(output.stderr, b"oops\n");
        assert_eq!(output.status.code(), Some(3));
    }

    #[tokio::test]
    async fn the_environment_is_a_search_path_and_a_language() {
        let output = run("env; pwd", LONG).await.unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let mut lines: Vec<_> = text
            .lines()
            .filter(|line| !line.starts_with("_=") && !line.starts_with("PWD="))
            .collect();
        lines.sort_unstable();
        assert_eq!(lines, ["/", "LANG=C.UTF-8", &format!("PATH={PATH}")]);
    }

    #[tokio::test]
    async fn one_that_reads_nothing_may_answer() {
        let input = vec![b'x'; 1 << 20];
        let program = shell("exec 0<&-; echo here");
        let output = program.run(input, LONG, &CancellationToken::new()).await.unwrap();
        assert_eq!(output.stdout, b"here\n");
    }

    #[tokio::test]
    async fn too_much_output_is_the_end_and_too_many_words_are_dropped() {
        let much = run("yes", LONG).await.unwrap_err();
        assert!(matches!(much, RunError::TooMuch), "{much}");
        let words = run("head -c 1000000 /dev/zero >&2; echo done", LONG).await.unwrap();
        assert_eq!((words.stderr.len(), words.stdout.as_slice()), (WORDS, &b"done\n"[..]));
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_or_no_program_is_an_error() {
        for path in ["/no/such/program", "/etc/hostname", "/"] {
            let program = Program {
                path: path.into(),
                arguments: Vec::new(),
            };
            let fault = program
                .run(Vec::new(), LONG, &CancellationToken::new())
                .await
                .unwrap_err();
            assert!(matches!(fault, RunError::NotStarted(_)), "{path}: {fault}");
        }
    }

    #[tokio::test]
    async fn one_that_takes_too_long_is_killed_with_its_helpers() {
        let file = place("slow");
        let script = format!("trap '' TERM; sleep 600 & echo $! >{}; wait; sleep 600", file.display());
        let fault = run(&script, Duration::from_millis(300)).await.unwrap_err();
        assert!(matches!(fault, RunError::TimedOut), "{fault}");
        until_dead(number(&file).await).await;
        fs::remove_file(file).unwrap();
    }

    #[tokio::test]
    async fn one_that_is_given_up_or_dropped_is_killed_with_its_helpers() {
        let file = place("given-up");
        let script = format!("sleep 600 & echo $! >{}; wait", file.display());
        let given_up = CancellationToken::new();
        let program = shell(&script);
        let (outcome, helper) = tokio::join!(program.run(Vec::new(), LONG, &given_up), async {
            let helper = number(&file).await;
            given_up.cancel();
            helper
        });
        assert!(matches!(outcome, Err(RunError::GivenUp)));
        assert!(
            !is_alive(helper) || {
                until_dead(helper).await;
                true
            }
        );
        fs::remove_file(&file).unwrap();

        let token = CancellationToken::new();
        let helper = {
            let run = program.run(Vec::new(), LONG, &token);
            tokio::pin!(run);
            tokio::select! {
                _ = &mut run => panic!("it runs"),
                helper = number(&file) => helper,
            }
        };
        until_dead(helper).await;
        fs::remove_file(file).unwrap();
    }

    #[tokio::test]
    async fn a_helper_in_its_group_that_holds_the_output_open_is_killed_and_the_answer_counts() {
        let file = place("holder");
        let script = format!("echo answer; sleep 600 & echo $! >{}; exit 0", file.display());
        let output = run(&script, LONG).await.unwrap();
        assert_eq!(output.stdout, b"answer\n");
        until_dead(number(&file).await).await;
        fs::remove_file(file).unwrap();
    }

    #[tokio::test]
    async fn what_left_the_group_outlives_the_call() {
        let file = place("daemon");
        let script = format!(
            "setsid sh -c 'echo $$ >{}; exec sleep 600' </dev/null >/dev/null 2>&1 & while ! test -s {}; do :; done",
            file.display(),
            file.display()
        );
        run(&script, LONG).await.unwrap();
        let daemon = number(&file).await;
        assert!(is_alive(daemon));
        nix::sys::signal::kill(Pid::from_raw(daemon), Signal::SIGKILL).unwrap();
        fs::remove_file(file).unwrap();
    }
}
