//! Joiners: tasks that wait for many children, and need not all of them.
//!
//! | file           | what it is                                                              |
//! |----------------|-------------------------------------------------------------------------|
//! | `joinable`     | the handles that can be waited for by many: sealed, one for each kind of child |
//! | `joined`       | a child that has ended, as its joiner gets it                           |
//! | `children`     | handles, of which the next that has ended is found in one step          |
//! | `joiner`       | the trait of those that decide how many outcomes are enough             |
//! | `driver`       | feeds a joiner, and sends those home that are not needed                |
//! | `join_with`, `hedge` | the futures of it                                                 |
//! | `joiners`      | the joiners that the crate brings                                       |

pub(crate) mod children;
mod driver;
pub(crate) mod hedge;
pub(crate) mod join_with;
pub(crate) mod joinable;
pub(crate) mod joined;
pub(crate) mod joiner;
pub(crate) mod joiners;
pub(crate) mod not_enough;
pub(crate) mod race_ext;
