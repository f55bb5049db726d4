//! Deep trees, dropped handles, many threads.

use crate::{assert_same, poll};
use allhome::CancelToken;
use std::pin::pin;
use std::task::Waker;
use std::thread;

const DEEP: usize = 100_000;

/// A chain, and all of its tokens.
fn chain(root: &CancelToken) -> Vec<CancelToken> {
    let mut tokens = vec![root.clone()];
    for _ in 0..DEEP {
        tokens.push(tokens[tokens.len() - 1].child());
    }
    tokens
}

/// On a stack that any recursion would run over.
fn on_a_small_stack(f: impl FnOnce() + Send + 'static) {
    thread::Builder::new().stack_size(64 * 1024).spawn(f).unwrap().join().unwrap();
}

#[test]
fn k16_deep_chains_are_cancelled_and_dropped_in_any_order() {
    on_a_small_stack(|| {
        for order in 0..4 {
            let root = CancelToken::new();
            let mut tokens = chain(&root);
            let leaf = tokens[DEEP].clone();
            if order != 1 {
                assert!(root.cancel());
                assert_same(&leaf, &root);
            }
            match order {
                0 => tokens.into_iter().rev().for_each(drop),
                1 => tokens.into_iter().for_each(drop),
                2 => {
                    // every third, then the others from below
                    let mut number = 0;
                    tokens.retain(|_| {
                        number += 1;
                        number % 3 != 0
                    });
                    tokens.into_iter().rev().for_each(drop);
                }
                _ => {
                    // all but the leaf, which frees them all at the end
                    drop((tokens, root));
                    assert!(leaf.is_cancelled());
                }
            }
        }
    });
}

/// Each is a child of two that are themselves such children.
#[test]
fn k16_deep_webs_are_cancelled_and_dropped() {
    on_a_small_stack(|| {
        let root = CancelToken::new();
        let mut pair = [root.child(), root.child()];
        for _ in 0..DEEP / 2 {
            pair = [CancelToken::any(&pair), CancelToken::any(&pair)];
        }
        root.cancel();
        assert_same(&pair[0], &root);
        assert_same(&pair[1], &root);
    });
}

#[test]
fn k17_children_of_a_dropped_token_stay_where_they_were() {
    let root = CancelToken::new();
    let middle = root.child();
    let children: Vec<_> = (0..1_000).map(|_| middle.child()).collect();
    drop(middle);
    let late = children[0].child();
    root.cancel();
    assert!(children.iter().all(CancelToken::is_cancelled) && late.is_cancelled());
    assert_same(&late, &root);
}

/// Threads make, wait, register, drop and cancel at random; every token that was not dropped is
/// cancelled.
#[test]
fn k20_threads_on_one_tree() {
    for round in 0..200_u32 {
        let root = CancelToken::new();
        let threads: Vec<_> = (0..4_u32)
            .map(|number| {
                let parent = root.clone();
                thread::spawn(move || {
                    let mut seed = round * 4 + number + 1;
                    let mut kept = vec![parent.child()];
                    for _ in 0..100 {
                        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                        let at = (seed >> 16) as usize % kept.len();
                        match seed >> 29 {
                            0 | 1 => kept.push(kept[at].child()),
                            2 => kept.push(parent.child()),
                            3 => kept.push(CancelToken::any([&kept[at], &parent])),
                            4 => {
                                let _ = poll(pin!(kept[at].cancelled()), Waker::noop());
                            }
                            5 => drop(kept[at].on_cancel(|_| ())),
                            6 if kept.len() > 1 => drop(kept.swap_remove(at)),
                            _ if seed & 0xff00 == 0 => {
                                parent.cancel();
                            }
                            _ => (),
                        }
                    }
                    kept
                })
            })
            .collect();
        let kept: Vec<_> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        root.cancel();
        for token in kept {
            assert_same(&token, &root);
        }
    }
}
