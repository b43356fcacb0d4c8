//! Commands and their answers.

use super::*;

#[test]
fn a_command_is_acknowledged_at_once_run_once_and_answered_again_when_it_repeats() {
    let mut bench = Bench::connected();
    let sent = bench.command("c1", "retry_task");
    assert_eq!(kinds(&sent), [FrameType::CommandAck]);
    assert_eq!(
        (
            sent[0].id.as_str(),
            &sent[0].payload["delivery_claim_token"]
        ),
        ("c1", &json!("claim"))
    );
    assert_eq!(
        kinds(&bench.command("c1", "retry_task")),
        [FrameType::CommandAck]
    );
    assert_eq!(bench.jobs.len(), 1);
    assert!(
        matches!(&bench.jobs[0].job, Job::Engine(0, command) if command.action == "retry_task")
    );

    let result = Map::from_iter([("new_task_id".to_owned(), json!("t-2"))]);
    let key = bench.jobs[0].key.clone();
    bench.driver.job_finished(&key, &JobOutcome::Done(result));
    let answer = bench.turn().remove(0);
    assert_eq!(answer.kind, FrameType::CommandResult);
    assert_eq!(answer.payload["status"], "success");
    assert_eq!(answer.payload["result"]["new_task_id"], "t-2");

    let repeated = bench.command("c1", "retry_task");
    assert_eq!(
        kinds(&repeated),
        [FrameType::CommandAck, FrameType::CommandResult]
    );
    assert_eq!(repeated[1].payload["result"]["new_task_id"], "t-2");
    assert_eq!(bench.jobs.len(), 1);
}

#[test]
fn a_failed_command_may_be_tried_again() {
    let mut bench = Bench::connected();
    bench.command("c1", "retry_task");
    let key = bench.jobs[0].key.clone();
    bench
        .driver
        .job_finished(&key, &JobOutcome::Failed("no such task".to_owned()));
    assert_eq!(bench.turn()[0].payload["error"], "no such task");
    bench.command("c1", "retry_task");
    assert_eq!(bench.jobs.len(), 2);
}

#[test]
fn a_result_survives_the_link_that_its_command_came_on() {
    let mut bench = Bench::connected();
    bench.command("c1", "retry_task");
    bench.driver.link_ended();
    let key = bench.jobs[0].key.clone();
    let outcome = JobOutcome::Unknown {
        operation: "retry_task".to_owned(),
        reason: "no answer".to_owned(),
    };
    bench.driver.job_finished(&key, &outcome);
    bench.pass(Duration::from_secs(1));
    let sent = bench.connect(1 << 20);
    assert_eq!(sent[0].kind, FrameType::CommandResult);
    assert_eq!(sent[0].id, "c1");
    assert_eq!(
        sent[0].payload["result"],
        json!({"indeterminate": true, "operation": "retry_task"})
    );
    assert!(!kinds(&sent).contains(&FrameType::CommandAck));
}

#[test]
fn a_result_that_a_dead_link_took_is_sent_again_and_an_old_one_is_not() {
    let mut bench = Bench::connected();
    let answered = |bench: &mut Bench, id: &str, outcome: JobOutcome| {
        bench.command(id, "retry_task");
        let key = bench.jobs[bench.jobs.len() - 1].key.clone();
        bench.driver.job_finished(&key, &outcome);
        let answer = bench.turn().remove(0);
        assert_eq!(
            (answer.kind, answer.id.as_str()),
            (FrameType::CommandResult, id)
        );
    };
    let done = || JobOutcome::Done(Map::new());
    let failed = || JobOutcome::Failed("no such task".to_owned());
    answered(&mut bench, "old", done());
    bench.pass(limits::IDLE_WAIT);
    bench.pass(Duration::from_secs(1));
    answered(&mut bench, "c1", done());
    answered(&mut bench, "c2", failed());
    // The brain may have given this one out again, and then the failure would speak for the second try.
    let refused = bench.command("c3", "cancel_task");
    assert_eq!(
        kinds(&refused),
        [FrameType::CommandAck, FrameType::CommandResult]
    );
    assert_eq!(refused[1].payload["status"], "failed");
    bench.driver.link_ended();
    bench.pass(Duration::from_secs(1));
    let sent = bench.connect(1 << 20);
    let results: Vec<&str> = sent
        .iter()
        .filter(|frame| frame.kind == FrameType::CommandResult)
        .map(|frame| frame.id.as_str())
        .collect();
    assert_eq!(results, ["c1", "c2"]);
}

#[test]
fn a_result_that_no_frame_can_carry_is_left_out_and_said_so() {
    let mut bench = Bench::new(BufferLimits::default());
    bench.connect(1024);
    bench.command("c1", "retry_task");
    let key = bench.jobs[0].key.clone();
    let large = Map::from_iter([("text".to_owned(), json!("x".repeat(2_000)))]);
    bench.driver.job_finished(&key, &JobOutcome::Done(large));
    let answer = bench.turn().remove(0);
    assert_eq!(answer.payload["status"], "success");
    assert_eq!(answer.payload["result"]["result_dropped"], true);
}

#[test]
fn a_tampered_command_closes_the_link_and_nothing_runs() {
    let mut bench = Bench::connected();
    let frame = bench.command_frame("c1", "retry_task");
    let text = String::from_utf8(frame).unwrap().replace("t-1", "t-9");
    bench.driver.frame_received(text.as_bytes());
    assert!(bench.turn().is_empty());
    assert_eq!(bench.closed.len(), 1);
    assert!(bench.jobs.is_empty());
    assert_eq!(bench.waits_because(), Some(FailureClass::Connection));
}

#[test]
fn while_it_stops_the_agent_refuses_new_commands_with_a_reason() {
    let mut bench = Bench::connected();
    bench.capture("keeps it from ending");
    bench
        .driver
        .stop(bench.env.elapsed() + Duration::from_secs(5));
    bench.turn();
    let sent = bench.command("c1", "retry_task");
    assert_eq!(
        kinds(&sent),
        [FrameType::CommandAck, FrameType::CommandResult]
    );
    assert_eq!(sent[1].payload["error"], "the agent is stopping");
    assert!(bench.jobs.is_empty());
}

#[test]
fn a_flood_of_commands_is_bounded_and_makes_the_agent_stop_reading() {
    let mut bench = Bench::connected();
    for number in 0..COMMANDS_OPEN_MAX + 300 {
        assert!(bench.driver.wants_frames() || number >= ANSWERS_WAITING_MAX / 2);
        let frame = bench.command_frame(&format!("c{number}"), "retry_task");
        bench.driver.frame_received(&frame);
    }
    assert!(!bench.driver.wants_frames());
    bench.turn();
    assert!(bench.driver.wants_frames());
    assert_eq!(bench.jobs.len(), COMMANDS_OPEN_MAX);
}

#[test]
fn however_many_answers_wait_the_next_link_is_greeted() {
    let mut bench = Bench::connected();
    for number in 0..COMMANDS_OPEN_MAX + 300 {
        let frame = bench.command_frame(&format!("c{number}"), "retry_task");
        bench.driver.frame_received(&frame);
    }
    bench.driver.link_ended();
    for key in bench.driver.take_jobs().into_iter().map(|job| job.key) {
        bench
            .driver
            .job_finished(&key, &JobOutcome::Done(Map::new()));
    }
    assert!(bench.driver.wants_frames());
    bench.pass(Duration::from_secs(1));
    let sent = bench.connect(1 << 20);
    let is_result = |frame: &&Sent| frame.kind == FrameType::CommandResult;
    assert_eq!(
        sent.iter().filter(is_result).count(),
        COMMANDS_OPEN_MAX + 300
    );
}
