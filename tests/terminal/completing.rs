//! The shell completes the names that a verb takes, and has the verbs that it has outside.

use crate::at::AtTerminal;
use crate::lasting::Place;

#[test]
fn tab_completes_the_names_that_a_verb_takes() {
    let place = Place::new();
    let mut at = place.at_terminal(&["shell"], true);
    at.wait_for("orchestrator> ");
    for (typed, completed) in [
        ("template show s", "template show small"),
        ("volume rm h", "volume rm home"),
        ("volume export a", "volume export aabbccddeeff"),
        ("image rm reg", "image rm registry.example/web:"),
        ("key ls 0", "key ls 0123456789ab"),
        ("scale we", "scale web"),
        ("vol", "volume"),
    ] {
        at.types(typed);
        at.types("\t");
        at.wait_for(completed);
        // The next line begins empty.
        at.types("\u{15}");
    }
    // A name that acts on the terminal is none that is offered.
    assert!(!at.seen().contains("s\u{1b}[2J"), "{:?}", at.seen());
    at.types("exit\r");
    assert_eq!(at.ends(), 0);
}

#[test]
fn verbs_that_read_or_write_files_work_at_the_prompt() {
    let place = Place::new();
    let mut at = place.at_terminal(&["shell"], true);
    at.wait_for("orchestrator> ");
    at.types("template list sm* -o name\r");
    at.wait_for("\nsmall");
    let prompts = |at: &AtTerminal, count| at.seen().matches("orchestrator> ").count() >= count;
    at.wait_until("there is a prompt again", || prompts(&at, 2));
    at.types("exit\r");
    assert_eq!(at.ends(), 0);
}
