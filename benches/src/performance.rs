//! Writes docs/PERFORMANCE.md and its pictures: what things cost, over how many of them there are.
//!
//! A [`Topic`](topics::Topic) is measured to [`Figures`](figures::Figures), which a
//! [picture](plot::draw) and a [chapter](page::write) are made of.

pub mod figures;
pub mod page;
pub mod plot;
pub mod topics;
