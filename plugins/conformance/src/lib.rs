//! The conformance suite: tests that every engine must pass. A plugin's own tests run it.
//!
//! A plugin's tests implement [`Subject`] for the engine under test, and call the macro:
//!
//! ```text
//! orchestrator_conformance::suite!(MySubject::new());
//! ```
//!
//! Each test makes a subject, and acts on it through the plugin and by hand. Subjects may share one engine, because
//! every test has its own sites. The suite tests that the engine's capabilities work, and that the missing ones are
//! refused with the typed error.
//!
//! The functions are bodies of tests: they panic if the engine does not behave as it must. [`run()`] runs them without
//! a test harness, against an engine for which nobody wrote a [`Subject`] ([`Bare`]). It turns each panic into a line of
//! a report.

mod bare;
pub mod cancellation;
pub mod capabilities;
mod case;
pub mod files;
pub mod images;
pub mod lifecycle;
pub mod marks;
mod panics;
pub mod pins;
mod run;
pub mod sessions;
pub mod several;
pub mod stop;
mod subject;
mod support;
pub mod watch;

pub use bare::{Bare, Parts, Publish};
pub use case::{Case, cases};
pub use run::{Outcome, run};
pub use subject::{Act, Held, Need, Program, Published, Subject, Tool};

/// Makes a test for each part of the contract. The argument is an expression that makes a [`Subject`]. A test that
/// needs a hand which the subject does not lend is left out.
#[macro_export]
macro_rules! suite {
    ($subject:expr) => {
        $crate::for_each_case! { tests $subject }
    };
}

/// Hands the whole contract to another macro of this crate: each case with the hands and the capabilities that it needs.
#[doc(hidden)]
#[macro_export]
macro_rules! for_each_case {
    ($then:ident $($with:tt)*) => {
        $crate::$then! { $($with)*;
            lifecycle::the_engine_says_who_it_is [] [],
            lifecycle::a_container_is_made_found_listed_and_removed [] [],
            lifecycle::a_network_that_is_shown_early_is_its_own [] [],
            lifecycle::one_in_a_prepared_network_starts_when_that_is_wired [] [PreparedNamespace],
            lifecycle::every_state_is_listed [Created] [],
            lifecycle::one_that_was_created_and_not_started_is_started [Created] [],
            lifecycle::one_that_was_stopped_by_hand_starts_again_as_another_process [Kill] [],
            lifecycle::one_that_was_paused_by_hand_goes_on [Pause] [],
            lifecycle::one_that_was_removed_by_hand_is_made_anew [Remove] [],
            lifecycle::one_that_was_renamed_by_hand_is_found_kept_and_removed [Rename] [],
            lifecycle::a_container_outlives_its_image [Tag] [],
            lifecycle::many_calls_at_once_for_one_container_make_one [] [],
            lifecycle::many_removals_at_once_all_succeed [] [],
            lifecycle::one_that_ends_at_once_says_how [] [],
            lifecycle::a_missing_image_is_reported_and_nothing_is_left [] [],
            cancellation::a_call_that_was_cut_short_at_any_request_is_finished_by_the_next [Hold] [],
            cancellation::a_daemon_that_was_killed_at_any_request_is_followed_by_one_that_goes_on [Hold] [],
            cancellation::nothing_outlives_a_removal_that_came_while_it_was_made [Hold] [],
            cancellation::a_removal_that_was_cut_short_is_finished_by_the_next [Hold] [],
            marks::a_stranger_with_our_name_is_left_alone [Strangers] [],
            marks::two_sites_on_one_engine_do_not_see_each_other [] [],
            marks::a_copy_of_a_recorded_container_is_not_ours [Copy] [],
            marks::a_copy_alone_is_neither_found_nor_removed_nor_started [Copy] [],
            marks::what_took_the_place_of_a_recorded_one_is_ours_before_it_is_recorded [Remove] [],
            marks::of_two_that_nobody_recorded_the_copy_stays [Copy] [],
            stop::a_stopped_container_does_not_run_and_starts_again_with_what_it_wrote [] [],
            stop::stopping_what_does_not_run_or_is_not_there_is_success [] [],
            stop::a_paused_container_is_stopped_too [Pause] [],
            stop::a_stranger_s_container_of_that_name_runs_on [] [],
            watch::a_removal_by_hand_is_reported [Remove] [],
            watch::an_end_and_a_start_by_hand_are_reported [Kill, Start] [],
            watch::what_happens_as_soon_as_the_watch_began_is_reported [Remove] [],
            watch::another_site_s_containers_are_not_reported [] [],
            watch::a_watch_that_nobody_listens_to_ends [] [],
            watch::several_containers_are_reported_by_their_names [Remove] [],
            several::containers_of_one_instance_are_kept_apart [] [],
            several::later_containers_share_the_network_of_the_first [] [SharedNamespace],
            several::one_that_shares_follows_the_first_when_that_starts_again [] [SharedNamespace],
            several::one_that_shares_follows_the_first_when_that_is_made_anew [Remove] [SharedNamespace],
            several::nothing_shares_the_network_of_what_does_not_run [] [SharedNamespace],
            capabilities::what_the_engine_cannot_do_is_refused_and_nothing_is_left [] [],
            capabilities::each_network_that_the_engine_can_do_is_what_it_reports [] [],
            capabilities::the_environment_is_reported_by_its_prefix [] [Environment],
            capabilities::devices_are_given [] [Devices, Exec],
            capabilities::name_servers_are_configured [] [Resolver, Exec],
            files::files_are_there_at_the_first_start_and_stay_as_the_container_left_them [] [Files, Exec],
            files::a_source_that_was_not_read_is_refused [] [Files],
            files::volumes_are_shared_and_outlive_their_container [Volumes] [Volumes, Exec],
            files::a_directory_of_the_host_is_mounted [] [Volumes, Exec],
            files::files_are_copied_in_and_out [] [Copy, Exec],
            images::an_archive_is_loaded_and_its_image_started_and_removed [Archive] [Images],
            images::an_archive_that_ends_too_early_or_is_none_leaves_nothing [Archive] [Images],
            images::an_image_that_a_container_uses_is_kept [Archive] [Images],
            images::an_image_goes_with_its_last_name [Archive, Tag] [Images],
            images::a_container_is_made_by_the_digest_after_the_name_has_moved [Archive] [Images],
            pins::an_id_makes_a_container_of_its_image [] [ImagePins],
            pins::an_id_means_its_image_after_the_name_has_moved [Publish] [ImagePins],
            images::an_image_is_pulled_with_credentials_and_progress [] [Pull],
            sessions::a_command_runs_with_input_output_and_exit_code [] [Exec],
            sessions::a_command_has_a_terminal_that_can_be_resized [] [ExecTerminal],
            sessions::nothing_runs_in_what_does_not_run [] [],
            sessions::what_was_written_is_read_and_followed [Kill] [Logs],
            sessions::what_a_container_uses_is_measured [] [Stats],
            sessions::what_a_container_wrote_is_measured [] [Disk],
            sessions::a_container_is_paused_and_goes_on [] [Pause],
        }
    };
}

/// Makes a test of each case: for [`suite!`].
#[doc(hidden)]
#[macro_export]
macro_rules! tests {
    ($subject:expr; $($module:ident :: $name:ident [$($need:ident),*] [$($capability:ident),*],)*) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                let subject = $subject;
                let needs: &[$crate::Need] = &[$($crate::Need::$need),*];
                if needs.iter().all(|need| $crate::Subject::lends(&subject, *need)) {
                    $crate::$module::$name(&subject).await;
                }
            }
        )*
    };
}
