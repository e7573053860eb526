//! A command in one instance.

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use orchestrator_api_types::{Exec, ExecEnd, FRAMES, Frame, FrameDecoder, FrameKind};

use super::Job;
use crate::api::{Api, CallError, Stream};
use crate::failure::Failure;
use crate::local::{Typed, Typing};
use crate::page;
use crate::select::Selected;
use crate::session::{Channel, Session};
use crate::timed::within;

/// A command that runs.
pub(super) struct Running {
    name: String,
    answer: Stream,
    decoder: FrameDecoder,
}

/// What comes from a command that runs.
pub(super) enum Said {
    /// What it wrote.
    Wrote(Channel, Bytes),
    /// Its exit code.
    Ended(i64),
}

impl Running {
    /// Begins a command. What is typed is its input.
    pub(super) async fn begin(
        one: &Selected,
        exec: &Exec,
        files: &[Bytes],
        typing: Option<Typing>,
        api: &dyn Api,
    ) -> Result<Self, Failure> {
        // Plain text and numbers, of which JSON can be made.
        let start = Frame::new(FrameKind::Start, serde_json::to_vec(exec).unwrap_or_default());
        let files = files
            .iter()
            .flat_map(|file| Frame::split(FrameKind::File, file.clone()));
        let first: Vec<Bytes> = std::iter::once(start)
            .chain(files)
            .map(|frame| frame.encode())
            .collect();
        let typed = typing.unwrap_or_else(|| Box::pin(stream::empty()));
        // An input that ends has an end of its own, so that the request may go on.
        let end = stream::iter(exec.input.then(|| Frame::new(FrameKind::Input, "").encode()));
        let body = stream::iter(first).chain(typed.map(|typed| frame(&typed))).chain(end);
        let body = body.map(Ok);
        let answer = api
            .exchange(&format!("{}/exec", one.path()), FRAMES, Box::pin(body))
            .await?;
        Ok(Self {
            name: one.name.clone(),
            answer,
            decoder: FrameDecoder::default(),
        })
    }

    /// What comes next. Nothing comes after its end.
    pub(super) async fn next(&mut self) -> Result<Said, Failure> {
        let broke_off = || Failure::BrokeOff {
            name: self.name.clone(),
        };
        loop {
            match self.decoder.take() {
                Ok(Some(Frame { kind, payload })) => match kind {
                    FrameKind::Output => return Ok(Said::Wrote(Channel::Output, payload)),
                    FrameKind::Error => return Ok(Said::Wrote(Channel::Error, payload)),
                    FrameKind::End => return ended(page::parse(&payload, "the end of a command")?),
                    _ => {}
                },
                Ok(None) => match self.answer.next().await {
                    Some(Ok(bytes)) => self.decoder.feed(&bytes),
                    None | Some(Err(_)) => return Err(broke_off()),
                },
                Err(_) => return Err(broke_off()),
            }
        }
    }
}

fn frame(typed: &Typed) -> Bytes {
    match typed {
        Typed::Bytes(bytes) => Frame::new(FrameKind::Input, bytes.clone()).encode(),
        Typed::Size(size) => Frame::new(FrameKind::Size, serde_json::to_vec(size).unwrap_or_default()).encode(),
    }
}

fn ended(end: ExecEnd) -> Result<Said, Failure> {
    match end {
        ExecEnd {
            problem: Some(problem), ..
        } => Err(CallError::Problem(Box::new(problem)).into()),
        ExecEnd { exit_code, .. } => Ok(Said::Ended(exit_code.unwrap_or(1))),
    }
}

/// The result of a verb whose command ended so.
pub(super) fn result(code: i64) -> Result<(), Failure> {
    match code {
        0 => Ok(()),
        // A system knows exit codes of one byte.
        code => Err(Failure::Exit {
            code: u8::try_from(code.clamp(1, 255)).unwrap_or(1),
        }),
    }
}

/// Runs a command without input, and passes on what it writes as it is.
pub(super) async fn alone(one: &Selected, job: &Job, session: &mut Session<'_>) -> Result<(), Failure> {
    let limit = session.limit;
    let work = async {
        let running = Running::begin(one, &job.exec, &job.files, None, session.api).await?;
        pass_on(running, false, session).await
    };
    within(limit, work).await
}

/// The same with input: what is typed at the terminal, or what comes on standard input.
pub(super) async fn with_input(
    one: &Selected,
    job: Job,
    is_interactive: bool,
    session: &mut Session<'_>,
) -> Result<(), Failure> {
    let missing = |doing, what: &str| {
        let what = what.to_owned();
        move |source| Failure::Local { doing, what, source }
    };
    let Job { mut exec, files } = job;
    exec.input = true;
    let (typing, _guard) = match is_interactive {
        true => {
            let terminal = session.local.terminal().map_err(missing("use", "the terminal"))?;
            exec.terminal = Some(terminal.size);
            (terminal.typing, Some(terminal.guard))
        }
        false => (session.local.input().map_err(missing("read", "standard input"))?, None),
    };
    let limit = session.limit;
    let work = async {
        let running = Running::begin(one, &exec, &files, Some(typing), session.api).await?;
        pass_on(running, is_interactive, session).await
    };
    within(limit, work).await
}

async fn pass_on(mut running: Running, is_terminal: bool, session: &mut Session<'_>) -> Result<(), Failure> {
    loop {
        match running.next().await? {
            Said::Wrote(_, bytes) if is_terminal => session.sink.write(Channel::Terminal, &bytes),
            Said::Wrote(channel, bytes) => session.sink.write(channel, &bytes),
            Said::Ended(code) => return result(code),
        }
        .map_err(Failure::Print)?;
    }
}
