use std::time::Duration;

use orchestrator_api_types as wire;
use orchestrator_runtime::tasks::{TaskState, TaskStatus};

use super::IntoWire;

impl IntoWire for TaskState {
    type Wire = wire::TaskState;

    fn into_wire(self) -> wire::TaskState {
        match self {
            Self::Running => wire::TaskState::Running,
            Self::Waiting => wire::TaskState::Waiting,
            Self::Failing => wire::TaskState::Failing,
        }
    }
}

impl IntoWire for TaskStatus {
    type Wire = wire::Task;

    fn into_wire(self) -> wire::Task {
        let Self {
            name,
            purpose,
            state,
            since,
            last_start,
            last_duration,
            last_result,
            failures,
            next_try,
            detail,
        } = self;
        wire::Task {
            name,
            purpose: purpose.to_owned(),
            state: state.into_wire(),
            since,
            last_start,
            last_duration_ms: last_duration.map(milliseconds),
            last_result: last_result.as_ref().map(|result| match result {
                Ok(()) => wire::TaskResult::Ok,
                Err(_) => wire::TaskResult::Failed,
            }),
            reason: last_result.and_then(Result::err),
            failures,
            next_try,
            detail,
        }
    }
}

fn milliseconds(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
