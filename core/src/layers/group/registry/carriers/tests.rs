//! The numbers alone: no carrier, no group.

use super::{Carriers, Launch, Role};
use crate::layers::base::guarded::Foreign;
use std::task::Waker;

fn noop() -> Option<Foreign<Waker>> {
    Some(Foreign::new(Waker::noop().clone()))
}

fn spawned(launch: Launch) -> Option<Role> {
    match launch {
        Launch::Spawn(role) => Some(role),
        Launch::None => None,
        Launch::Call(_) => panic!("the parked carrier is called"),
    }
}

fn is_called(launch: &Launch) -> bool {
    matches!(launch, Launch::Call(_))
}

#[test]
fn as_many_as_the_width_and_then_one_spare() {
    let mut carriers = Carriers::default();
    assert_eq!(spawned(carriers.want(1, 2)), Some(Role::Free));
    assert_eq!(spawned(carriers.want(1, 2)), None, "one is on its way");
    assert_eq!(spawned(carriers.want(2, 2)), Some(Role::Free));
    assert_eq!(spawned(carriers.want(3, 2)), None, "one is still scheduled");
    for _ in 0..2 {
        assert!(carriers.arrive(Role::Free).is_none());
    }
    assert_eq!(spawned(carriers.want(1, 2)), Some(Role::Spare));
    assert_eq!(spawned(carriers.want(9, 2)), None, "there is one spare");
}

#[test]
fn a_runtime_of_one_thread_has_no_spare() {
    let mut carriers = Carriers::default();
    assert_eq!(spawned(carriers.want(1, 1)), Some(Role::Free));
    assert!(carriers.arrive(Role::Free).is_none());
    assert_eq!(spawned(carriers.want(5, 1)), None);
}

#[test]
fn one_that_is_free_may_be_kept() {
    let mut carriers = Carriers::default();
    let _free = carriers.want(1, 2);
    assert!(carriers.want_each_wake(2), "it may be kept");
    assert!(carriers.arrive(Role::Free).is_none());
    assert_eq!(spawned(carriers.want(1, 2)), Some(Role::Free));
    assert!(carriers.want_each_wake(2), "it may be kept, too");
    assert_eq!(spawned(carriers.want(2, 2)), Some(Role::Spare), "one of the two is not");
    assert!(!carriers.want_each_wake(2));
    assert_eq!(spawned(carriers.want(3, 2)), None);
}

#[test]
fn each_thread_has_a_carrier_then_wakes_stay_away() {
    let mut carriers = Carriers::default();
    for waiting in 1..=2 {
        let _free = carriers.want(waiting, 2);
    }
    assert!(carriers.leave_a_thread(2));
    for _ in 0..2 {
        assert!(carriers.arrive(Role::Free).is_none());
    }
    assert!(!carriers.leave_a_thread(2) && !carriers.want_each_wake(2));
}

#[test]
fn the_one_that_launches_another_is_free_too() {
    let mut carriers = Carriers::default();
    let _free = carriers.want(1, 3);
    assert!(carriers.arrive(Role::Free).is_none());
    assert_eq!(spawned(carriers.make_way(1, 3)), None, "it is for the caller");
    assert_eq!(spawned(carriers.make_way(9, 3)), Some(Role::Free));
    assert_eq!(spawned(carriers.want(9, 3)), Some(Role::Free), "the third of three");
    assert_eq!(spawned(carriers.want(9, 3)), None);
    for _ in 0..2 {
        assert!(carriers.arrive(Role::Free).is_none());
    }
    assert_eq!(spawned(carriers.make_way(9, 3)), Some(Role::Spare), "the third may be kept");
    assert_eq!(spawned(carriers.make_way(9, 3)), None);
}

#[test]
fn a_spare_that_arrives_is_active_and_may_leave() {
    let mut carriers = Carriers::default();
    let _free = carriers.want(1, 2);
    let _free = carriers.want(2, 2);
    for _ in 0..2 {
        assert!(carriers.arrive(Role::Free).is_none());
    }
    let _spare = carriers.want(1, 2);
    assert!(carriers.arrive(Role::Spare).is_none());
    for _ in 0..3 {
        assert!(!carriers.are_gone());
        carriers.retire();
    }
    assert!(carriers.are_gone());
}

#[test]
fn park_then_call_then_arrive() {
    let mut carriers = Carriers::default();
    let _free = carriers.want(1, 1);
    assert!(carriers.arrive(Role::Free).is_none());
    carriers.park(noop());
    assert!(carriers.has_parked() && !carriers.are_gone());
    let launch = carriers.want(1, 1);
    assert!(is_called(&launch));
    assert_eq!(spawned(carriers.want(1, 1)), None, "the called one is free");
    assert!(carriers.has_parked(), "it has not come yet");
    assert!(carriers.arrive(Role::Parked).is_none(), "its waker was used");
    carriers.retire();
    assert!(carriers.are_gone());
}

#[test]
fn park_then_arrive_unasked() {
    let mut carriers = Carriers::default();
    let _free = carriers.want(1, 1);
    assert!(carriers.arrive(Role::Free).is_none());
    carriers.park(noop());
    assert!(carriers.arrive(Role::Parked).is_some(), "the waker comes back");
    assert!(!carriers.has_parked());
    carriers.yields();
    assert_eq!(spawned(carriers.want(1, 1)), None, "it is free");
    assert!(carriers.arrive(Role::Free).is_none());
    carriers.retire();
    assert!(carriers.are_gone());
}

#[test]
fn park_without_a_waker_cannot_be_called() {
    let mut carriers = Carriers::default();
    let _free = carriers.want(1, 1);
    assert!(carriers.arrive(Role::Free).is_none());
    carriers.park(None);
    assert_eq!(spawned(carriers.want_called(1, 1)), None);
    assert_eq!(spawned(carriers.want(1, 1)), Some(Role::Free));
    assert!(carriers.unpark().is_none());
}

#[test]
fn unpark_then_arrive() {
    let mut carriers = Carriers::default();
    let _free = carriers.want(1, 1);
    assert!(carriers.arrive(Role::Free).is_none());
    carriers.park(noop());
    assert!(carriers.unpark().is_some());
    assert!(carriers.unpark().is_none());
    assert!(carriers.arrive(Role::Parked).is_none());
    carriers.retire();
    assert!(carriers.are_gone());
}

#[test]
fn bound_then_unbound() {
    let mut carriers = Carriers::default();
    let _free = carriers.want(1, 1);
    assert!(carriers.arrive(Role::Free).is_none());
    carriers.retire();
    assert!(carriers.are_gone(), "a bound carrier sees to its own child alone");
    carriers.unbind();
    assert!(!carriers.are_gone());
}

#[test]
fn a_lock_is_busy_while_most_holds_wait() {
    let mut carriers = Carriers::default();
    (0..1_000).for_each(|hold| carriers.note_lock(hold % 2 == 0));
    assert!(!carriers.find_the_lock_busy(), "every second");
    (0..1_000).for_each(|_| carriers.note_lock(true));
    assert!(carriers.find_the_lock_busy(), "each");
    (0..8).for_each(|_| carriers.note_lock(false));
    assert!(!carriers.find_the_lock_busy(), "it is over");
}

#[test]
fn what_is_due_is_taken_once() {
    let mut carriers = Carriers::default();
    carriers.set_due();
    assert!(carriers.is_due() && carriers.take_due());
    assert!(!carriers.is_due() && !carriers.take_due());
}
