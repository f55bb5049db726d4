//! The list of cases. Each is run twice, from one source: in a nursery, and in a local one.

mod blocking;
mod bounded;
mod cancel;
mod echo;
mod failure;
mod outcome;
mod ownership;
mod servers;
mod shutdown;
mod time;
mod token;
mod value;

/// The cases in a local nursery: the same files, in which the names that they take from here are
/// those of a local one.
pub(crate) mod local;

use crate::rule::Need;
use crate::subject::Case;
use allhome::{Nursery, nursery};
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;

/// A child's future that calls itself.
type BoxChild<T> = Pin<Box<dyn Future<Output = Result<T, Infallible>> + Send>>;

/// Passes the list on to a macro.
macro_rules! with_cases {
    ($then:ident) => {
        $then! {
            ownership:
                o01_home_means_destroyed
                o02_value_nobody_joins_is_dropped_first
                o03_run_waits_for_children_after_the_body
                o04_drop_of_run_destroys_who_waits
                o07_drop_of_handle_neither_kills_nor_detaches
                o08_spawn_after_close_is_refused
                o09_spawn_into_cancelled_is_refused_with_its_reason
                o10_children_in_flight_are_all_that_is_kept
                o11_nested_nursery_inherits_and_is_listed
                o12_spawn_from_a_destructor
                o13_handle_after_the_end
                o14_child_joined_after_the_end_and_elsewhere
                o15_ten_thousand_nurseries_deep
                o17_child_spawns_siblings;
            outcome:
                e01_ok_gives_the_value
                e02_err_is_shared_with_the_group
                e03_cancelled_gives_the_reason
                e04_panicked_gives_the_panic
                e06_joined_twice_says_taken
                e07_value_ready_in_the_last_poll_wins
                e08_never_polled_is_cancelled
                e09_join_before_and_after_the_end
                e10_join_of_cancelled_child_is_a_value
                e13_refused_child_says_why
                e16_joined_child_has_left;
            failure:
                f01_first_error_cancels_siblings_and_body
                f02_failures_in_order_of_ending
                f03_failures_are_bounded_and_counted
                f04_cancelled_children_are_counted
                f05_always_the_group_type
                f06_wait_all_cancels_nobody
                f07_isolate_gives_failure_to_the_joiner
                f08_isolate_reports_what_nobody_looked_at
                f09_panic_resumes_after_the_join
                f10_panic_is_reported_by_policy
                f11_on_panic_is_called_at_the_moment
                f12_panic_in_a_destructor_is_a_panic_of_the_child
                f13_panic_in_poll_and_destructor_are_both_kept
                f14_panic_of_the_body_joins_first
                f15_panic_of_the_hook_is_dropped
                f16_failing_body_cancels_children
                f17_converts_with_the_question_mark
                f19_payload_that_panics_in_drop
                f20_value_that_panics_in_drop
                f21_body_of_cancelled_nursery_that_returns_ok_wins;
            echo:
                f22_echo_of_a_cancel_is_no_failure
                f22_failure_of_the_task_that_asked
                f23_one_failure_is_listed_once
                f24_error_of_the_body_is_not_lost
                f25_what_counts_in_any_case
                f26_echoes_are_beside_the_failures
                f28_value_or_the_end_of_the_task;
            servers:
                f30_supervise_tells_counts_and_forgets
                f31_supervise_gives_failure_to_the_joiner
                f32_panic_under_supervise
                f33_every_failure_is_told
                f34_nursery_inside_has_a_hook_of_its_own
                f35_settle_keeps_the_value;
            cancel:
                c01_level_only_rises
                c02_one_last_poll_then_dropped
                c03_first_reason_wins_for_every_descendant
                c04_cancel_of_a_child_reaches_its_nurseries
                c05_abort_destroys_unpolled
                c07_joining_is_not_cut_short
                c08_a_task_can_ask
                c09_nursery_opened_in_a_cancelled_task
                x05_blocked_child_holds_up_nobody_in_the_queue [TwoThreads]
                x08_blocking_work_is_a_child
                x08_blocking_work_is_told [ParallelJobs];
            time:
                t01_deadline_ends_the_nursery
                t04_deadline_is_moved_from_elsewhere
                t06_move_on_and_fail
                t08_scope_ends_the_nurseries_inside
                t10_children_deadline_keeps_what_is_there
                t12_grace_is_time_to_leave
                h01_shield_keeps_cancel_and_abort_away
                h02_budget_is_spent
                n01_finalizers_run_at_the_end;
            token:
                c13_token_and_nursery_rise_together
                c13_token_is_born_with_the_level
                c14_task_token_is_cancelled_with_the_task
                c14_cancelling_it_cancels_what_hangs_on_it
                c15_nursery_hangs_on_a_token
                c16_cancelled_is_heard_deep_inside
                c16_cancelled_in_a_body
                c17_checkpoint_gives_a_turn_and_tells
                c18_exit_ends_the_task_from_any_depth
                c18_exit_of_a_body_waits_for_the_children
                c19_until_cancelled_on_the_own_token;
            shutdown:
                d02_drains_until_everybody_is_home
                d03_late_ones_are_named_with_their_level
                d05_a_token_takes_it_on_from_another_thread
                d07_a_task_inside_is_refused;
            value:
                v01_value_is_inherited_by_all_inside
                v01_value_is_inherited_by_blocking_work [ParallelJobs]
                v02_child_has_the_values_of_its_nursery
                v03_scope_inside_sets_another
                v05_values_are_there_while_it_is_destroyed
                v06_value_is_dropped_when_all_inside_is_over;
            bounded:
                l01_never_more_than_the_limit
                l04_given_back_when_home
                l06_a_wait_ends_with_the_nursery
                l15_nested_on_one_limiter;
            blocking:
                b01_told_work_ends_as_cancelled [ParallelJobs]
                b03_block_on_opens_a_nursery [ParallelJobs]
                b04_cancel_reaches_the_nursery_inside [ParallelJobs]
                b05_never_more_than_the_limit_at_once
                b06_cancel_ends_those_that_wait
                b08_panic_of_blocking_work
                b09_nursery_waits_for_blocking_work;
        }
    };
}
use with_cases;

macro_rules! cases {
    ($($module:ident: $($name:ident $([$($need:ident),*])?)*;)*) => {
        pub(crate) const CASES: &[Case] = &[$($(Case {
            name: stringify!($name),
            group: stringify!($module),
            needs: &[$($(Need::$need),*)?],
            run: |runtime| Box::pin($module::$name(runtime)),
        },)*)*];
    };
}

with_cases!(cases);
