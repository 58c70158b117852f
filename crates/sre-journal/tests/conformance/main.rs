//! What every journal must do, as tests that know only its traits.
//!
//! A second implementation adds a [`Storage`](support::Storage) and a line at the end of this file,
//! and runs all of them unchanged.

mod blob_owners;
mod clocks;
mod faults;
mod outbox;
mod queue;
mod reader;
mod receipt_queue;
mod recovery;
mod retention;
mod skill_catalog;
mod support;
mod verdict_ledger;

/// One test of the test runner for each test of the suite.
macro_rules! suite {
    ($implementation:ident over $storage:expr; $($module:ident: $($test:ident)*;)*) => {
        mod $implementation {
            $(mod $module {
                $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    crate::$module::$test(&$storage).await;
                })*
            })*
        }
    };
}

macro_rules! conformance {
    ($implementation:ident over $storage:expr) => {
        suite! {
            $implementation over $storage;
            queue:
                an_order_is_accepted_once_and_conflicts_with_another_of_its_id
                an_order_keeps_what_running_it_needs
                submitters_take_turns_and_priorities_count_within_one
                a_dropped_lease_gives_the_order_back_and_its_attempt_does_not_count
                an_order_that_waits_is_cancelled_at_once_and_one_that_runs_is_asked
                a_watch_wakes_with_the_result;
            recovery:
                an_interrupted_attempt_counts
                a_worker_that_lost_its_lease_changes_nothing
                a_holder_that_is_silent_loses_its_leases_and_a_jump_of_the_clock_ends_no_lease
                a_dead_holders_cancelled_order_ends_as_cancelled
                a_deregistered_holder_is_not_found_dead;
            clocks:
                an_order_that_waits_too_long_ends_and_one_that_runs_does_not
                a_wall_clock_that_jumps_ahead_ends_no_waiting_order
                a_wall_clock_that_jumps_back_keeps_no_order_waiting
                a_wall_clock_that_jumps_back_delays_no_retry;
            reader:
                an_order_is_shown_with_its_invocation_while_open_and_when_finished
                lists_are_filtered_and_paged_newest_first
                events_are_numbered_without_gaps;
            outbox:
                each_callback_is_delivered_once_and_submitters_take_turns
                a_delivery_under_an_old_token_records_nothing
                a_callback_that_failed_is_due_after_its_pause;
            receipt_queue:
                receipts_are_due_in_batches_limited_by_orders_and_by_bytes
                an_issued_receipt_is_counted_once_and_a_failed_one_is_due_later
                the_recorded_log_size_never_shrinks;
            verdict_ledger:
                an_inconclusive_check_counts_until_another_decides
                an_order_is_final_with_enough_keys_and_its_callback_waits_for_that
                a_dispute_makes_a_held_callback_due
                a_key_is_heard_a_limited_number_of_times;
            skill_catalog:
                a_skill_is_listed_once_under_its_first_submitter;
            blob_owners:
                a_submitter_may_use_its_uploads_until_they_are_purged;
            retention:
                a_purged_order_is_gone_and_its_id_stays_reserved
                an_order_is_kept_while_its_callback_or_receipt_is_due
                roots_are_what_kept_orders_skills_and_uploads_need;
            faults:
                no_fault_of_a_write_loses_an_order_or_does_it_twice;
        }
    };
}

conformance!(sqlite over crate::support::Sqlite::new());
