//! What a look sees: what each task does, why it waits, and which can never go on.

mod dumps;
mod parts;
mod programs;
mod proofs;
mod reasons;
mod roots;
mod stacks;
mod states;
mod through;
