//! Searches for texts that many, few and no tasks hold.

use z4j_core::store::{PageRequest, TaskFilter, TaskSort, TaskSummary};
use z4j_core::task::TaskState;

use super::{Bench, search};

pub(super) async fn searches(bench: &Bench) {
    let none = TaskFilter::default();
    let sample = bench
        .page(&none, TaskSort::ReceivedDesc, PageRequest::first(30))
        .await
        .items;
    let of = |make: fn(&TaskSummary) -> String| {
        sample
            .iter()
            .map(|task| search(&make(task)))
            .collect::<Vec<_>>()
    };
    let given = |texts: &[&str]| texts.iter().map(|text| search(text)).collect::<Vec<_>>();
    let kinds = [
        ("whole task id", of(|task| task.key.task_id.clone())),
        (
            "8 characters of a task id",
            of(|task| task.key.task_id.chars().take(8).collect()),
        ),
        (
            "4 characters of a task id",
            of(|task| task.key.task_id.chars().skip(9).take(4).collect()),
        ),
        (
            "part of a frequent name",
            given(&["receipts", "DELIVER", "shop.", "billing"]),
        ),
        (
            "part of a rare name",
            given(&["nightly", "stock.rec", "legacy"]),
        ),
        (
            "argument of 50 in 10 million",
            given(&["user1234@", "user77@", "user199999@", "user5@"]),
        ),
        (
            "argument of 1 in 8",
            given(&["vienna", "Berlin", "\"city\": \"Rome\""]),
        ),
        (
            "argument of one task",
            given(&[
                "\"order_id\": 4711,",
                "\"order_id\": 5000001,",
                "\"order_id\": 9999999,",
            ]),
        ),
        ("number of 2 in 1000", given(&["4711", "8150", "1999"])),
        (
            "nothing: a word",
            given(&["nonesuch", "zzqqzz", "pneumonoultra"]),
        ),
        (
            "nothing: a number",
            given(&["000000000001", "777777777777"]),
        ),
        ("two characters", given(&["ab", "42", "p."])),
    ];
    for (what, filters) in &kinds {
        bench
            .measure(&format!("search: {what}"), TaskSort::UpdatedDesc, filters)
            .await;
    }
    let failed: Vec<TaskFilter> = given(&["vienna", "receipts", "user1234@", "nonesuch"])
        .into_iter()
        .map(|filter| TaskFilter {
            states: vec![TaskState::Failure],
            ..filter
        })
        .collect();
    bench
        .measure("search among failures", TaskSort::UpdatedDesc, &failed)
        .await;
    bench
        .measure(
            "search, by run time",
            TaskSort::RuntimeDesc,
            &given(&["vienna", "user1234@", "nonesuch"]),
        )
        .await;
    bench
        .deep(
            "search of 1 in 8, pages 1 to 1000",
            TaskSort::UpdatedDesc,
            &search("vienna"),
        )
        .await;
}
