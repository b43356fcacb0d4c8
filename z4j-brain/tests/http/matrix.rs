//! Every route by everybody: the table decides, and who is no member cannot tell a project from none.

use axum::http::{Method, StatusCode};
use z4j_brain::route_table;
use z4j_core::policy::{Permission, Role, allows};

use crate::site::{ADMIN, Site};

/// Everybody there is: a cookie, and the roles by project slug.
struct Person {
    name: &'static str,
    cookie: Option<String>,
    own_role: Option<Role>,
    is_instance_admin: bool,
}

async fn everybody(site: &Site) -> Vec<Person> {
    let admin = site.sign_in(ADMIN).await;
    site.project(&admin, "other").await;
    let mut people = vec![
        Person {
            name: "anonymous",
            cookie: None,
            own_role: None,
            is_instance_admin: false,
        },
        Person {
            name: "instance admin",
            cookie: Some(admin),
            own_role: Some(Role::Admin),
            is_instance_admin: true,
        },
    ];
    let roles = [Role::Viewer, Role::Auditor, Role::Operator, Role::Admin];
    for role in roles {
        let email = format!("{role}.of.default@example.org");
        let cookie = Some(site.person(&email, Some(("default", role))).await);
        people.push(Person {
            name: role.as_str(),
            cookie,
            own_role: Some(role),
            is_instance_admin: false,
        });
    }
    let cookie = Some(
        site.person("stranger@example.org", Some(("other", Role::Admin)))
            .await,
    );
    people.push(Person {
        name: "stranger",
        cookie,
        own_role: None,
        is_instance_admin: false,
    });
    people
}

/// What must come back: a status that the gate gives, or `None` when the gate lets the request through.
fn expected(gate: &str, person: &Person, slug: &str) -> Option<StatusCode> {
    if gate == "password_sign_in" {
        return None;
    }
    if person.cookie.is_none() {
        return Some(StatusCode::UNAUTHORIZED);
    }
    match gate {
        "signed_in" => None,
        "instance_admin" => (!person.is_instance_admin).then_some(StatusCode::FORBIDDEN),
        permission => {
            let permission: Permission = permission.parse().unwrap();
            let role = match slug {
                "default" => person.own_role,
                "other" if person.is_instance_admin || person.name == "stranger" => {
                    Some(Role::Admin)
                }
                _ => None,
            };
            match role {
                None => Some(StatusCode::NOT_FOUND),
                Some(role) if allows(role, permission) => None,
                Some(_) => Some(StatusCode::FORBIDDEN),
            }
        }
    }
}

#[tokio::test]
async fn matrix_of_every_route_and_everybody_follows_the_table() {
    let site = Site::new().await;
    let people = everybody(&site).await;
    let table = route_table();
    assert!(table.len() > 25, "the table is not empty");
    let mut tried = 0;
    for (method, path, gate) in &table {
        for person in &people {
            if path.ends_with("/auth/logout") && person.cookie.is_some() {
                continue;
            }
            for slug in ["default", "other", "nowhere"] {
                check(&site, (method, path, gate), person, slug).await;
                tried += 1;
            }
        }
    }
    assert!(tried > 500, "{tried}");
}

async fn check(site: &Site, (method, path, gate): (&str, &str, &str), person: &Person, slug: &str) {
    let url = path
        .replace("{slug}", slug)
        .replace("{id}", "01a2086d-a882-748e-b8c2-a46a49ce5ba3")
        .replace("{engine}", "celery")
        .replace("{task_id}", "t-1");
    assert!(
        !url.contains('{'),
        "a parameter that this test does not know: {url}"
    );
    let mut call = site.call(method.parse::<Method>().unwrap(), &url);
    if let Some(cookie) = &person.cookie {
        call = call.cookie(cookie);
    }
    let said = format!("{method} {url} by {}", person.name);
    let names_a_thing = path.contains("{id}") || path.contains("{task_id}");
    match expected(gate, person, slug) {
        Some(StatusCode::NOT_FOUND) => {
            let answer = call.send().await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{said}");
            let mut body = answer.json();
            body["request_id"] = "".into();
            let text = r#"{"details":{},"error":"not_found","message":"There is nothing here.","request_id":""}"#;
            assert_eq!(body.to_string(), text, "{said}");
        }
        Some(status) => {
            let answer = call.send().await;
            assert_eq!(answer.status, status, "{said}");
        }
        None => {
            // A stream has no end, so only its head is looked at. Writes come without a body, so they do nothing.
            let status = call.open().await.status();
            assert_ne!(status, StatusCode::UNAUTHORIZED, "{said}");
            assert_ne!(status, StatusCode::FORBIDDEN, "{said}");
            assert!(names_a_thing || status != StatusCode::NOT_FOUND, "{said}");
            assert!(!status.is_server_error(), "{said}");
        }
    }
}

#[tokio::test]
async fn routes_outside_the_table_are_these_and_none_of_them_tells_anything() {
    let site = Site::new().await;
    let open = [
        ("/health", 200),
        ("/health/ready", 200),
        ("/metrics", 404),
        ("/ws", 400),
        ("/ws/agent", 400),
        ("/setup", 200),
        ("/", 200),
    ];
    for (path, status) in open {
        let answer = site.get(path).send().await;
        assert_eq!(answer.status.as_u16(), status, "{path}");
    }
}

#[tokio::test]
async fn demoted_and_removed_rights_count_from_the_next_request() {
    let site = Site::new().await;
    let cookie = site
        .person("op@example.org", Some(("default", Role::Operator)))
        .await;
    let list = || {
        site.get("/api/v1/projects/default/tasks")
            .cookie(&cookie)
            .send()
    };
    assert_eq!(list().await.status, StatusCode::OK);
    site.operator()
        .set_password("op@example.org", &"another-otter-entirely".into())
        .await
        .unwrap();
    assert_eq!(list().await.status, StatusCode::UNAUTHORIZED);
}
