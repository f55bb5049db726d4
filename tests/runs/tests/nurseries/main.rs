//! What a nursery promises of its children, whatever they, their runtime and their owner do.

mod adoption;
mod big_futures;
mod block_on;
mod blocking;
mod chains;
mod did_not_happen;
mod echo;
mod from_destructors;
mod go;
mod hostile;
mod join_all;
mod kept;
mod left_wakers;
mod lent;
mod local_nurseries;
mod lost;
mod nothing_left;
mod runtime_ends;
mod thread_end;
mod tree;
mod unpolled;
mod values;
mod verbs;
