//! Who may do what: one table of role and permission.

mod permission;
mod role;
mod table;

pub use permission::{ParsePermissionError, Permission};
pub use role::{ParseRoleError, Role};
pub use table::{allows, permissions_of};
