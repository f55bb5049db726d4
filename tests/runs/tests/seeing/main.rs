//! What a look sees: what each task does, why it waits, and which can never go on.

mod dead;
mod dumps;
mod guard;
mod guarded_programs;
mod pages;
mod parts;
mod programs;
mod proofs;
mod reasons;
mod roots;
mod stacks;
mod states;
mod through;
mod watch;
mod written;
