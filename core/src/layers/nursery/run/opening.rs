//! Opening the group of a nursery that is run.

use crate::layers::base::counted::Strong;
use crate::layers::context::scope;
use crate::layers::group::Group;
use crate::layers::lending::has_slot_of;
use crate::layers::nursery::error::GroupError;
use crate::layers::nursery::guard;
use crate::layers::nursery::mode::NurseryMode;
use crate::layers::nursery::setup::Setup;

/// Opens the group where the caller is: in its task, and in the scopes around. With `conditional` it
/// is cancelled by a future.
#[inline(never)]
pub(super) fn open<E, P: NurseryMode>(
    mut setup: Setup<P>,
    conditional: bool,
) -> Result<Strong<Group>, GroupError<E>> {
    let lends = setup.config.limiter.as_ref().is_some_and(has_slot_of);
    let (parent, around) = (setup.parent(), scope::around());
    let guarding = guard::begin(&mut setup, parent.is_none(), conditional, &around);
    let group = setup.open(parent, around, lends)?;
    if let Some(guarding) = guarding {
        guarding.opened(&group);
    }
    Ok(group)
}
