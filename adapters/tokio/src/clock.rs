//! Whether tokio's clock can be paused in this build.
//!
//! It can if any crate of the build turns on tokio's feature `test-util`, which no feature of this
//! crate can know of. So the compiler is asked: with that feature `tokio::time` has a function
//! `pause`, and what a block imports comes before what stands around the block.

/// Where tokio has none.
#[allow(dead_code, reason = "where tokio has one, that one is called")]
fn pause() -> Missing {
    Missing
}

struct Missing;

/// What a `pause` returns, which says whose it is.
trait Paused {
    const BY_TOKIO: bool;
}

impl Paused for Missing {
    const BY_TOKIO: bool = false;
}

impl Paused for () {
    const BY_TOKIO: bool = true;
}

const fn is_tokio_s<P: Paused>(_: fn() -> P) -> bool {
    P::BY_TOKIO
}

/// If not, tokio's clock is that of the system, in whichever context it is asked.
pub(crate) const CAN_BE_PAUSED: bool = {
    #[allow(unused_imports, reason = "without test-util nothing of it is used")]
    use tokio::time::*;
    is_tokio_s(pause)
};
