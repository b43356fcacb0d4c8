//! Lists over REST: pages, filters, one task with all of it.

use axum::http::StatusCode;
use serde_json::{Value, json};
use z4j_core::task::EventKind;

use crate::site::{ADMIN, Site};

async fn ids(site: &Site, cookie: &str, query: &str) -> (Vec<String>, Option<String>) {
    let path = format!("/api/v1/projects/default/tasks?{query}");
    let answer = site.get(&path).cookie(cookie).send().await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let body = answer.json();
    let items = body["items"].as_array().unwrap();
    let ids = items
        .iter()
        .map(|task| task["task_id"].as_str().unwrap().to_owned());
    (
        ids.collect(),
        body["next_cursor"].as_str().map(str::to_owned),
    )
}

async fn with_tasks() -> (Site, String) {
    let site = Site::new().await;
    let cookie = site.sign_in(ADMIN).await;
    let project = site.project(&cookie, "default").await;
    site.tasks(project, &EventKind::TaskStarted, &["a", "b", "c", "d", "e"])
        .await;
    site.tasks(project, &EventKind::TaskFailed, &["f"]).await;
    (site, cookie)
}

#[tokio::test]
async fn pages_hold_every_task_once_and_end() {
    let (site, cookie) = with_tasks().await;
    let (mut all, mut pages, mut cursor) = (Vec::new(), 0, None::<String>);
    loop {
        let after = cursor
            .map(|cursor| format!("&cursor={cursor}"))
            .unwrap_or_default();
        let (ids, next) = ids(&site, &cookie, &format!("limit=2&sort=updated_at{after}")).await;
        all.extend(ids);
        pages += 1;
        cursor = next;
        if cursor.is_none() {
            break;
        }
    }
    all.sort_unstable();
    assert_eq!(all, ["a", "b", "c", "d", "e", "f"]);
    assert_eq!(pages, 3);
}

#[tokio::test]
async fn a_cursor_is_good_for_its_own_list_order_and_project_only() {
    let (site, cookie) = with_tasks().await;
    site.project(&cookie, "other").await;
    let (_, next) = ids(&site, &cookie, "limit=2").await;
    let next = next.unwrap();
    assert!(next.len() <= 1024);
    for path in [
        format!("default/tasks?sort=updated_at&cursor={next}"),
        format!("default/commands?cursor={next}"),
        format!("default/audit?cursor={next}"),
        format!("other/tasks?cursor={next}"),
        format!("default/tasks?cursor=B{next}"),
    ] {
        let answer = site
            .get(&format!("/api/v1/projects/{path}"))
            .cookie(&cookie)
            .send()
            .await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path}");
    }
}

#[tokio::test]
async fn filters_narrow_the_list_and_an_empty_one_does_not() {
    let (site, cookie) = with_tasks().await;
    for (query, count) in [
        ("", 6),
        ("state=failure", 1),
        ("state=failure&state=started", 6),
        ("state=success", 0),
        ("name=shop.charge", 6),
        ("name=shop", 0),
        ("name=", 6),
        ("queue=default&worker=w1%40host&engine=celery", 6),
        ("engine=rq", 0),
        ("search=SHOP", 6),
        ("search=two", 6),
        ("search=%25", 0),
        ("since=2100-01-01T00:00:00Z", 0),
        ("until=2100-01-01T00:00:00Z", 6),
    ] {
        assert_eq!(ids(&site, &cookie, query).await.0.len(), count, "{query}");
    }
}

#[tokio::test]
async fn payloads_are_in_the_detail_and_not_in_the_list() {
    let (site, cookie) = with_tasks().await;
    let list = site
        .get("/api/v1/projects/default/tasks")
        .cookie(&cookie)
        .send()
        .await
        .json();
    let item = list["items"][0].as_object().unwrap();
    for member in ["args", "kwargs", "result", "traceback"] {
        assert!(!item.contains_key(member), "{member}");
    }
    let detail = site
        .get("/api/v1/projects/default/tasks/celery/f")
        .cookie(&cookie)
        .send()
        .await
        .json();
    assert_eq!(detail["args"], json!([1, "two"]));
    assert_eq!(detail["result"], Value::Null);
    assert_eq!(detail["state"], "failure");
    for member in [
        "engine",
        "task_id",
        "name",
        "queue",
        "state",
        "priority",
        "args",
        "kwargs",
        "result",
        "exception",
        "traceback",
        "retry_count",
        "eta",
        "sent_at",
        "received_at",
        "started_at",
        "finished_at",
        "runtime_ms",
        "wait_ms",
        "worker_name",
        "agent_id",
        "parent_task_id",
        "root_task_id",
        "retried_as",
        "retry_of",
        "tags",
        "created_at",
        "updated_at",
    ] {
        assert!(detail.get(member).is_some(), "the contract names {member}");
    }
    let events = site
        .get("/api/v1/projects/default/tasks/celery/f/events")
        .cookie(&cookie)
        .send()
        .await
        .json();
    assert_eq!(events["items"][0]["kind"], "task.failed");
    let tree = site
        .get("/api/v1/projects/default/tasks/celery/f/tree")
        .cookie(&cookie)
        .send()
        .await
        .json();
    assert_eq!(tree["nodes"][0]["task_id"], "f");
}

#[tokio::test]
async fn numbers_agree_with_the_list() {
    let (site, cookie) = with_tasks().await;
    let get = |path: &str| {
        site.get(&format!("/api/v1/projects/default/{path}"))
            .cookie(&cookie)
            .send()
    };
    let stats = get("stats?window_minutes=60").await.json();
    assert_eq!(stats["states"]["started"], 5);
    assert_eq!(stats["states"]["failure"], 1);
    assert_eq!(stats["finished"]["failure"], 1);
    assert_eq!(stats["failure_rate"], 1.0);
    let trends = get("trends?window_minutes=60&bucket_minutes=5")
        .await
        .json();
    let buckets = trends["buckets"].as_array().unwrap();
    assert!(buckets.len() >= 12);
    let failures: u64 = buckets
        .iter()
        .map(|bucket| bucket["failure"].as_u64().unwrap())
        .sum();
    assert_eq!(failures, 1);
    assert_eq!(buckets.last().unwrap()["complete"], false);
    let facets = get("tasks/facets").await.json();
    assert_eq!(
        facets["names"][0],
        json!({ "value": "shop.charge", "count": 6 })
    );
    assert!(
        facets["states"]
            .as_array()
            .unwrap()
            .contains(&json!({ "value": "started", "count": 5 }))
    );
}

#[tokio::test]
async fn commands_without_anybody_to_do_them_leave_no_row() {
    let (site, cookie) = with_tasks().await;
    let issue = |verb: &str, task: &str| {
        let body = json!({ "engine": "celery", "task_id": task });
        site.post(&format!("/api/v1/projects/default/commands/{verb}"))
            .cookie(&cookie)
            .json(&body)
            .send()
    };
    for (verb, task, status, error) in [
        ("retry-task", "f", 409, "no_agent"),
        ("cancel-task", "a", 409, "no_agent"),
        ("cancel-task", "f", 409, "task_finished"),
        ("retry-task", "nope", 404, "task_not_found"),
    ] {
        let answer = issue(verb, task).await;
        assert_eq!(
            (answer.status.as_u16(), answer.error().as_str()),
            (status, error),
            "{verb} {task}"
        );
    }
    let list = site
        .get("/api/v1/projects/default/commands")
        .cookie(&cookie)
        .send()
        .await
        .json();
    assert_eq!(list, json!({ "items": [], "next_cursor": null }));
}

#[tokio::test]
async fn projects_are_made_by_instance_admins_with_a_slug_that_fits() {
    let site = Site::new().await;
    let cookie = site.sign_in(ADMIN).await;
    let create = |slug: &str| {
        site.post("/api/v1/projects")
            .cookie(&cookie)
            .json(&json!({ "slug": slug }))
            .send()
    };
    assert_eq!(create("shop-2").await.status, StatusCode::CREATED);
    let taken = create("shop-2").await;
    assert_eq!(
        (taken.status, taken.error().as_str()),
        (StatusCode::CONFLICT, "slug_taken")
    );
    for slug in ["ab", "Shop", "a_b", &"x".repeat(51), "../x"] {
        assert_eq!(
            create(slug).await.status,
            StatusCode::UNPROCESSABLE_ENTITY,
            "{slug}"
        );
    }
    let one = site
        .get("/api/v1/projects/shop-2")
        .cookie(&cookie)
        .send()
        .await
        .json();
    assert_eq!(
        (one["slug"].as_str(), one["role"].as_str()),
        (Some("shop-2"), Some("admin"))
    );
}
