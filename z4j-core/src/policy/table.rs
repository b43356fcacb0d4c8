//! The table.

use super::{Permission, Role};

const EVERYONE: &[Role] = &[Role::Viewer, Role::Auditor, Role::Operator, Role::Admin];
const OVERSIGHT: &[Role] = &[Role::Auditor, Role::Admin];
const OPERATIONS: &[Role] = &[Role::Operator, Role::Admin];
const OWNERS: &[Role] = &[Role::Admin];

/// Who holds a permission. A new permission does not compile without a row.
const fn holders(permission: Permission) -> &'static [Role] {
    match permission {
        Permission::ProjectRead
        | Permission::AgentRead
        | Permission::TaskRead
        | Permission::CommandRead
        | Permission::WorkerRead
        | Permission::QueueRead
        | Permission::StreamRead => EVERYONE,
        Permission::AuditRead => OVERSIGHT,
        Permission::TaskRetry | Permission::TaskCancel => OPERATIONS,
        Permission::AgentMint
        | Permission::AgentRevoke
        | Permission::ProjectManage
        | Permission::MemberManage => OWNERS,
    }
}

/// Whether a role holds a permission.
#[must_use]
pub fn allows(role: Role, permission: Permission) -> bool {
    holders(permission).contains(&role)
}

/// Every permission that a role holds.
#[must_use]
pub fn permissions_of(role: Role) -> Vec<Permission> {
    Permission::ALL
        .iter()
        .copied()
        .filter(|permission| allows(role, *permission))
        .collect()
}
