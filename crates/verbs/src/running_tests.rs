//! The verbs over what runs, on an API in memory.

mod world;

use orchestrator_model::Timestamp;
use serde_json::{Value, json};

use self::world::{Printed, Somebody, World, id};
use crate::local::{Local, Nothing};
use crate::{Failure, Line, Session};

const NOW: Timestamp = Timestamp(1_700_000_000_000);

async fn run_with(line: &[&str], world: &World, local: &dyn Local) -> (Printed, Result<(), Failure>) {
    let line = Line::parse(line.iter().copied()).unwrap_or_else(|misuse| panic!("{line:?}: {}", misuse.text));
    let mut printed = Printed::default();
    let mut session = Session {
        api: world,
        sink: &mut printed,
        output: line.output,
        now: NOW,
        local,
        limit: None,
    };
    let outcome = line.verb.run(&mut session).await;
    (printed, outcome)
}

async fn run(line: &str, world: &World) -> (Printed, Result<(), Failure>) {
    run_with(&line.split(' ').collect::<Vec<_>>(), world, &Nothing).await
}

/// The names of a list.
async fn names(line: &str) -> Vec<String> {
    let (printed, outcome) = run(line, &World::default()).await;
    outcome.unwrap();
    printed.lines
}

#[tokio::test]
async fn patterns_and_numbers_select_instances_in_the_order_of_their_numbers() {
    let twelve: Vec<String> = (0..12).map(|n| format!("web-{n}")).collect();
    assert_eq!(
        names("grep web -o name").await,
        twelve,
        "the name of a service means all of its instances"
    );
    // Two instances of one client differ by their slots. A name with a slot is found by patterns only.
    assert!(names("grep -o name").await.contains(&"web-1-default".to_owned()));
    assert_eq!(names("grep web-3 -o name").await, ["web-3"]);
    assert_eq!(
        names("grep web -i 0 2-4 -o name").await,
        ["web-0", "web-2", "web-3", "web-4"]
    );
    assert_eq!(names("grep {web-5,web-7} -o name").await, ["web-5", "web-7"]);
    let (printed, _) = run("grep web-3", &World::default()).await;
    assert_eq!(
        printed.lines,
        [
            "INSTANCE  OWNER        SLOT  ADDRESS     HOST   STATE",
            "web-3     service web  3     fd39::aaaa  local  ready"
        ]
    );
    for (line, code) in [
        ("grep db-*", 3),
        ("grep web -i 40", 3),
        ("grep web -i 4-2", 2),
        ("grep nobody", 3),
    ] {
        let (_, outcome) = run(line, &World::default()).await;
        assert_eq!(outcome.unwrap_err().code(), code, "{line}");
    }
}

#[tokio::test]
async fn a_client_that_is_named_like_an_instance_of_a_service_gets_no_command_for_it() {
    let world = World::default();
    run("exec web-1 -- exit 0", &world).await.1.unwrap();
    let asked = world.asked("EXEC");
    assert_eq!(asked.len(), 1);
    assert!(asked[0].contains(&id(1)), "{asked:?}");
}

#[tokio::test]
async fn a_command_in_one_instance_is_passed_on_as_it_is_with_its_exit_code() {
    let world = World::default();
    let (printed, outcome) = run("exec web-0 -- say abc", &world).await;
    outcome.unwrap();
    assert_eq!(
        (printed.raw.as_slice(), printed.lines.len()),
        (&b"abc\nand more"[..], 0)
    );
    for code in [7_u8, 1, 137] {
        let (_, outcome) = run(&format!("exec web-0 -- exit {code}"), &world).await;
        let failure = outcome.unwrap_err();
        assert_eq!((failure.code(), failure.is_said()), (code, true));
    }
    let failure = run("exec web-0 -- exit 4096", &world).await.1.unwrap_err();
    assert_eq!(
        failure.code(),
        255,
        "what is no exit code of a system is still a failure"
    );
    // One that breaks off is no success.
    let failure = run("exec web-0 -- break", &world).await.1.unwrap_err();
    assert!(failure.to_string().contains("broke off"), "{failure}");
    let failure = run("exec web-0 -- nonsense", &world).await.1.unwrap_err();
    assert_eq!(failure.code(), 1);
}

#[tokio::test]
async fn a_command_in_many_needs_a_yes_and_has_an_exit_code_for_each() {
    let world = World::default();
    let failure = run("exec web -- exit 0", &world).await.1.unwrap_err();
    assert!(
        failure.to_string().contains("12 instances") && failure.code() == 2,
        "{failure}"
    );
    let line = ["exec", "web", "--", "exit", "0"];
    let refused = run_with(&line, &world, &Somebody(false)).await.1.unwrap_err();
    assert!(matches!(refused, Failure::NotWanted), "{refused}");
    assert!(world.asked("EXEC").is_empty());
    run_with(
        &["exec", "web", "-i", "0", "1", "--", "exit", "0"],
        &world,
        &Somebody(true),
    )
    .await
    .1
    .unwrap();
    assert_eq!(world.asked("EXEC").len(), 2);

    let (mut printed, outcome) = run("exec web --force -- say abc", &world).await;
    printed.lines.sort();
    assert_eq!(printed.lines.len(), 22, "two lines of eleven");
    assert!(
        printed.lines.contains(&"web-0  | abc".to_owned()),
        "{:?}",
        printed.lines
    );
    assert!(
        printed.lines.contains(&"web-11 | and more".to_owned()),
        "{:?}",
        printed.lines
    );
    assert_eq!(printed.errors, "web-2  | broken\n");
    assert_eq!(printed.warned, ["web-2: exit code 9"]);
    let failure = outcome.unwrap_err();
    assert_eq!((failure.to_string().as_str(), failure.code()), ("1 of 12 failed", 1));

    let (printed, outcome) = run("exec web -i 1-2 --yes -o json -- say abc", &world).await;
    assert_eq!(outcome.unwrap_err().code(), 1);
    let outcomes: Value = serde_json::from_str(&printed.lines.join("\n")).unwrap();
    let codes: Vec<_> = outcomes
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (&one["name"], &one["exit_code"]))
        .collect();
    assert_eq!(codes, [(&json!("web-1"), &json!(0)), (&json!("web-2"), &json!(9))]);
    assert_eq!(outcomes[0]["stdout"], "abc\nand more");
}

#[tokio::test]
async fn files_and_input_go_with_a_command_and_a_line_from_elsewhere_has_neither() {
    let world = World::default();
    let line = [
        "exec", "web-0", "--file", "dir/a.sh", "--file", "b:/opt/b", "--", "exit", "0",
    ];
    run_with(&line, &world, &Somebody(true)).await.1.unwrap();
    let asked = world.asked("EXEC");
    assert!(asked[0].contains(r#"["/tmp/a.sh=10", "/opt/b=10"] 20"#), "{asked:?}");
    let (printed, outcome) = run_with(&["exec", "web-0", "--stdin", "--", "cat"], &world, &Somebody(true)).await;
    outcome.unwrap();
    assert_eq!(printed.raw, b"typed");
    for line in [
        "exec web-0 --file a -- exit 0",
        "exec -it web-0 sh",
        "exec --stdin web-0 cat",
    ] {
        let failure = run(line, &world).await.1.unwrap_err();
        assert!(matches!(failure, Failure::Local { .. }), "{line}: {failure}");
    }
    let failure = run_with(&["exec", "--stdin", "web", "cat"], &world, &Somebody(true))
        .await
        .1
        .unwrap_err();
    assert!(
        failure.to_string().contains("one only") && failure.code() == 2,
        "{failure}"
    );
}

#[tokio::test(start_paused = true)]
async fn logs_are_merged_in_the_order_of_time_and_act_on_no_terminal() {
    let world = World::default();
    let bad = '\u{fffd}';
    for line in ["log web-0 web-1", "log -f web-0 web-1"] {
        let (printed, outcome) = run(line, &world).await;
        outcome.unwrap();
        let expected: Vec<String> = (0..6)
            .map(|n| format!("web-{} | second {n}{bad}[2J", (n + 1) % 2))
            .collect();
        assert_eq!(printed.lines, expected, "{line}");
    }
    let (printed, _) = run("log web-1 --since 1m -n 5 -o wide", &world).await;
    assert_eq!(
        printed.lines[0],
        format!("2023-11-14T22:13:00.000Z stdout second 0{bad}[2J")
    );
    let asked = world.asked("STREAM");
    assert!(
        asked
            .last()
            .unwrap()
            .ends_with("/log?since=2023-11-14T22%3A12%3A20.000Z&tail=5"),
        "{asked:?}"
    );
    assert_eq!(run("log web-1 --since soon", &world).await.1.unwrap_err().code(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_log_that_breaks_off_fails_and_what_came_is_shown() {
    let world = World::default();
    for line in ["log web-5", "log -f web-5"] {
        let (printed, outcome) = run(line, &world).await;
        let failure = outcome.unwrap_err();
        assert!(
            failure.to_string().contains("web-5 broke off") && failure.code() == 1,
            "{line}: {failure}"
        );
        assert_eq!(printed.lines.len(), 3, "{line}");
    }
    let (printed, outcome) = run("log web-4 web-5", &world).await;
    assert_eq!(outcome.unwrap_err().to_string(), "1 of 2 failed");
    assert_eq!(printed.lines.len(), 6);
    assert!(printed.warned[0].starts_with("web-5: the log"), "{:?}", printed.warned);
}

#[tokio::test(start_paused = true)]
async fn the_last_lines_of_an_instance_that_is_gone_are_found_by_its_name() {
    let world = World::default();
    let (printed, outcome) = run("log web-77", &world).await;
    outcome.unwrap();
    assert_eq!(printed.lines.len(), 3);
    let asked = world.asked("STREAM");
    assert!(asked[0].contains(&id(78)), "the last one of that name: {asked:?}");
    let (_, outcome) = run("exec web-77 -- exit 0", &world).await;
    assert_eq!(outcome.unwrap_err().code(), 3, "nothing runs in what is gone");
    assert_eq!(run("log web-78", &world).await.1.unwrap_err().code(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_switch_waits_until_it_is_done_and_says_what_is_not() {
    let world = World::default();
    let (printed, outcome) = run("off web-0", &world).await;
    outcome.unwrap();
    assert_eq!(printed.lines, ["web-0 is off"]);
    let failure = run("off web-3 -t 3s", &world).await.1.unwrap_err();
    assert_eq!(
        (failure.to_string().as_str(), failure.code()),
        ("web-3 is not there after 3s; it is ready", 7)
    );
    run("off web-3 --no-wait", &world).await.1.unwrap();
    let (printed, outcome) = run("reset {web-4,web-5} --force", &world).await;
    outcome.unwrap();
    assert_eq!(printed.lines, ["web-4 was restarted", "web-5 was restarted"]);
    assert_eq!(
        run("on web-*", &world).await.1.unwrap_err().code(),
        2,
        "more than one needs a yes"
    );
    assert!(world.asked("POST").iter().all(|asked| !asked.ends_with("/on")));
    let (printed, outcome) = run("kill web-6", &world).await;
    outcome.unwrap();
    assert_eq!(printed.lines, ["web-6 is gone"]);
    assert_eq!(world.asked("DELETE").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn use_and_ports_are_shown() {
    let world = World::default();
    let (printed, outcome) = run("poll web-0", &world).await;
    outcome.unwrap();
    assert_eq!(
        printed.lines,
        [
            "INSTANCE  CONTAINER  CPU     MEMORY   PROCESSES",
            "web-0     main       50.0 %  2.0 KiB  3"
        ]
    );
    let (printed, _) = run("port 8080 web-0 -o name", &world).await;
    assert_eq!(printed.lines, [id(0)]);
    let (printed, _) = run("port 8080 web-0", &world).await;
    assert!(printed.lines[1].contains("[fd39::2:7]:8080"), "{:?}", printed.lines);
}

#[tokio::test]
async fn other_verbs_take_patterns_too() {
    let world = World::default();
    assert_eq!(run("rm web-*", &world).await.1.unwrap_err().code(), 2);
    let (printed, outcome) = run("rm {web-1,web-2} --force", &world).await;
    outcome.unwrap();
    assert_eq!(
        printed.lines.len(),
        3,
        "the client's instance has a name that matches, too"
    );
    run("pin web-0", &world).await.1.unwrap();
    assert_eq!(world.asked(&format!("POST /v1/instances/{}/pin", id(0))).len(), 1);
}

#[tokio::test]
async fn single_instances_of_a_service_are_shown_by_their_numbers() {
    let world = World::default();
    let (printed, outcome) = run("show web -i 0 2-4 -o name", &world).await;
    outcome.unwrap();
    assert_eq!(
        printed.lines.join("\n").split('\n').collect::<Vec<_>>(),
        [id(0), id(2), id(3), id(4)]
    );
    let failure = run("show web -i 40", &world).await.1.unwrap_err();
    assert_eq!(failure.code(), 3, "{failure}");
    // What is asked is the policy of these alone.
    let world = World::default();
    run("policy web -i 1 3 -o json", &world).await.1.unwrap();
    let asked = world.asked("GET /v1/instances/");
    let asked: Vec<String> = asked.into_iter().filter(|path| path.ends_with("/policy")).collect();
    assert_eq!(asked, [1, 3].map(|n| format!("GET /v1/instances/{}/policy", id(n))));
    assert_eq!(run("policy web -i 40", &world).await.1.unwrap_err().code(), 3);
}
