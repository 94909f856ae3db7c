//! Users and groups, and the ids that containers have for them.

pub mod groups;
pub mod subids;
