//! Who may do what, spelled out once more by hand.

use z4j_core::policy::{Permission, Role, allows, permissions_of};

/// Columns: viewer, auditor, operator, admin.
const EXPECTED: [(&str, [bool; 4]); 14] = [
    ("project.read", [true, true, true, true]),
    ("agent.read", [true, true, true, true]),
    ("agent.mint", [false, false, false, true]),
    ("agent.revoke", [false, false, false, true]),
    ("task.read", [true, true, true, true]),
    ("task.retry", [false, false, true, true]),
    ("task.cancel", [false, false, true, true]),
    ("command.read", [true, true, true, true]),
    ("worker.read", [true, true, true, true]),
    ("queue.read", [true, true, true, true]),
    ("stream.read", [true, true, true, true]),
    ("audit.read", [false, true, false, true]),
    ("project.manage", [false, false, false, true]),
    ("member.manage", [false, false, false, true]),
];

#[test]
fn every_role_has_exactly_its_permissions() {
    assert_eq!(Permission::ALL.len(), EXPECTED.len());
    for (name, row) in EXPECTED {
        let permission: Permission = name.parse().unwrap();
        for (role, expected) in Role::ALL.into_iter().zip(row) {
            assert_eq!(allows(role, permission), expected, "{role} {name}");
        }
    }
}

#[test]
fn the_list_of_a_role_is_what_the_table_allows_it() {
    for role in Role::ALL {
        let listed = permissions_of(role);
        for permission in Permission::ALL {
            assert_eq!(listed.contains(permission), allows(role, *permission));
        }
    }
    assert_eq!(permissions_of(Role::Admin), Permission::ALL);
}

#[test]
fn auditor_and_operator_are_siblings() {
    let (auditor, operator) = (
        permissions_of(Role::Auditor),
        permissions_of(Role::Operator),
    );
    assert!(
        auditor
            .iter()
            .any(|permission| !operator.contains(permission))
    );
    assert!(
        operator
            .iter()
            .any(|permission| !auditor.contains(permission))
    );
}

#[test]
fn names_are_read_back_and_others_refused() {
    for permission in Permission::ALL {
        assert_eq!(
            permission.as_str().parse::<Permission>().unwrap(),
            *permission
        );
        assert_eq!(
            serde_json::to_value(permission).unwrap(),
            permission.as_str()
        );
    }
    for role in Role::ALL {
        assert_eq!(role.as_str().parse::<Role>().unwrap(), role);
        assert_eq!(serde_json::to_value(role).unwrap(), role.as_str());
    }
    assert!("task.write".parse::<Permission>().is_err());
    assert!("owner".parse::<Role>().is_err());
}

#[test]
fn what_roles_see_of_themselves_is_as_published() {
    let lists: Vec<(Role, Vec<Permission>)> = Role::ALL
        .into_iter()
        .map(|role| (role, permissions_of(role)))
        .collect();
    insta::assert_json_snapshot!(lists);
}
