//! A terminal passes on any bytes that a program in the container writes.

use futures_util::StreamExt;
use orchestrator_lab::Engine;
use orchestrator_plugin::{Container, Engine as _, ExecRequest, NetworkMode, TerminalSize};
use tokio::time::timeout;

use crate::support::{PATIENCE, new_id, plugin, script};

#[tokio::test]
async fn no_byte_of_a_terminal_is_taken_for_the_length_of_a_frame() {
    let (plugin, container) = (plugin(Engine::shared()), Container::main(new_id()));
    plugin
        .ensure(&container, &script("sleep 600"), &NetworkMode::EngineNamespace)
        .await
        .unwrap();
    let command = [
        "sh",
        "-c",
        r"printf '\001\000\000\000\377\377\377\377the rest'; sleep 600",
    ];
    let request = ExecRequest {
        command: command.map(str::to_owned).into(),
        terminal: Some(TerminalSize { columns: 80, rows: 24 }),
        ..ExecRequest::default()
    };
    let mut session = plugin.exec(&container, &request).await.unwrap();
    let mut output = Vec::new();
    while !output.ends_with(b"the rest") {
        let piece = timeout(PATIENCE, session.output.next()).await.expect("it comes out");
        output.extend_from_slice(piece.expect("it goes on").expect("it is whole").bytes());
    }
    assert_eq!(output, b"\x01\x00\x00\x00\xff\xff\xff\xffthe rest");
    plugin.remove(&container).await.unwrap();
}

#[tokio::test]
async fn a_command_has_the_user_directory_and_environment_that_were_asked_for() {
    let (plugin, container) = (plugin(Engine::shared()), Container::main(new_id()));
    plugin
        .ensure(&container, &script("sleep 600"), &NetworkMode::EngineNamespace)
        .await
        .unwrap();
    let request = ExecRequest {
        command: ["sh", "-c", "echo $GREETING; pwd; cat /proc/self/status"]
            .map(str::to_owned)
            .into(),
        environment: [("GREETING".to_owned(), "hello = there".to_owned())].into(),
        user: Some("7:8".to_owned()),
        directory: Some("/tmp".into()),
        terminal: None,
    };
    let session = plugin.exec(&container, &request).await.unwrap();
    let pieces: Vec<_> = session.output.collect().await;
    let text: Vec<u8> = pieces
        .into_iter()
        .flat_map(|piece| piece.unwrap().bytes().to_vec())
        .collect();
    let text = String::from_utf8(text).unwrap();
    assert!(text.starts_with("hello = there\n/tmp\n"), "{text}");
    assert!(
        text.contains("\nUid:\t7\t7\t7\t7\n") && text.contains("\nGid:\t8\t8\t8\t8\n"),
        "{text}"
    );
    plugin.remove(&container).await.unwrap();
}
