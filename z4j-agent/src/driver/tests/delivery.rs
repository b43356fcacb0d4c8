//! Events, signs of life and declared loss.

use super::*;

#[test]
fn the_first_frames_after_hello_ack_are_a_heartbeat_with_health_and_a_status() {
    let mut bench = Bench::new(BufferLimits::default());
    let sent = bench.connect(1 << 20);
    assert_eq!(kinds(&sent), [FrameType::Heartbeat, FrameType::AgentStatus]);
    assert_eq!(
        sent[0].payload["adapter_health"]["demo.broker_type"],
        "in-process"
    );
    assert_eq!(sent[1].payload["protocol_version"], "2");
    bench.pass(Duration::from_secs(29));
    assert!(bench.turn().is_empty());
    assert_eq!(bench.driver.wake_at(), Some(Duration::from_secs(30)));
    bench.pass(Duration::from_secs(1));
    assert_eq!(
        kinds(&bench.turn()),
        [FrameType::Heartbeat, FrameType::AgentStatus]
    );
}

#[test]
fn events_wait_until_the_brain_was_told_which_workers_this_process_is() {
    let mut bench = Bench::new(BufferLimits::default());
    bench.capture("one");
    bench.greet(1 << 20);
    assert!(bench.driver.take_health_request());
    assert!(bench.driver.next_frame().is_none());
    bench.driver.health_taken(Health::new());
    assert_eq!(
        kinds(&bench.turn()),
        [
            FrameType::Heartbeat,
            FrameType::AgentStatus,
            FrameType::EventBatch
        ]
    );
}

#[test]
fn an_engine_that_does_not_say_how_it_is_delays_a_heartbeat_by_five_seconds_only() {
    let mut bench = Bench::connected();
    bench.pass(Duration::from_secs(30));
    assert!(bench.driver.take_health_request());
    assert!(bench.driver.next_frame().is_none());
    bench.pass(live::HEALTH_WAIT);
    assert_eq!(
        kinds(&bench.turn()),
        [FrameType::Heartbeat, FrameType::AgentStatus]
    );
}

#[test]
fn a_batch_is_kept_until_its_ack_and_sent_again_with_the_same_id() {
    let mut bench = Bench::connected();
    bench.capture("one");
    bench.capture("two");
    let first = bench.turn().remove(0);
    assert_eq!(first.payload["events"].as_array().unwrap().len(), 2);
    bench.pass(limits::ACK_WAIT);
    let again = bench
        .turn()
        .into_iter()
        .find(|frame| frame.kind == FrameType::EventBatch)
        .unwrap();
    assert_eq!((&again.id, &again.payload), (&first.id, &first.payload));
    bench.acknowledge(&again);
    assert_eq!(bench.driver.state().buffered_events, 0);
    bench.pass(limits::ACK_WAIT);
    assert!(!kinds(&bench.turn()).contains(&FrameType::EventBatch));
}

#[test]
fn after_a_lost_link_the_batch_is_the_same_and_goes_out_at_once() {
    let mut bench = Bench::connected();
    bench.capture("one");
    let first = bench.turn().remove(0);
    bench.driver.link_ended();
    assert_eq!(bench.waits_because(), Some(FailureClass::Connection));
    bench.pass(Duration::from_secs(1));
    let sent = bench.connect(1 << 20);
    let again = sent
        .iter()
        .find(|frame| frame.kind == FrameType::EventBatch)
        .unwrap();
    assert_eq!((&again.id, &again.payload), (&first.id, &first.payload));
}

#[test]
fn evicted_events_are_declared_in_the_next_heartbeat() {
    let mut bench = Bench::new(BufferLimits {
        events_max: 2,
        bytes_max: 1 << 20,
    });
    for number in 0..5 {
        bench.capture(&number.to_string());
    }
    bench.driver.lost_by_engine("demo", 4);
    let sent = bench.connect(1 << 20);
    let loss = &sent[0].payload["telemetry_loss"];
    assert_eq!(loss["event_records"], 3);
    assert_eq!(loss["capacity_evicted_frames"], 3);
    assert_eq!(loss["adapter_events"]["demo"], 4);
    assert_eq!(sent[0].payload["dropped_events"], 7);
    assert_eq!(sent[1].payload["telemetry_loss"], *loss);
}

#[test]
fn an_event_evicted_under_way_is_declared_lost_when_the_link_ends_without_its_ack() {
    let mut bench = Bench::new(BufferLimits {
        events_max: 1,
        bytes_max: 1 << 20,
    });
    bench.connect(1 << 20);
    bench.capture("under way");
    assert_eq!(kinds(&bench.turn()), [FrameType::EventBatch]);
    bench.capture("takes its place");
    assert_eq!(bench.driver.state().lost_events, 0);
    bench.driver.link_ended();
    assert_eq!(bench.driver.state().lost_events, 1);
}

#[test]
fn an_event_larger_than_the_brains_frames_is_dropped_counted_and_the_link_stays() {
    let mut bench = Bench::new(BufferLimits::default());
    bench.connect(2048);
    bench.capture(&"x".repeat(3_000));
    bench.capture("small");
    let sent = bench.turn();
    assert_eq!(kinds(&sent), [FrameType::EventBatch]);
    assert_eq!(sent[0].payload["events"].as_array().unwrap().len(), 1);
    bench.pass(Duration::from_secs(30));
    let beat = bench.turn().remove(0);
    assert_eq!(beat.payload["telemetry_loss"]["content_rejected_frames"], 1);
    assert_eq!(beat.payload["telemetry_loss"]["event_records"], 1);
}

#[test]
fn a_repeated_or_stale_frame_closes_the_link() {
    let mut replayed = Bench::connected();
    let frame = replayed.command_frame("c1", "retry_task");
    replayed.driver.frame_received(&frame);
    replayed.turn();
    replayed.driver.frame_received(&frame);
    replayed.turn();
    assert_eq!((replayed.closed.len(), replayed.jobs.len()), (1, 1));

    let mut stale = Bench::connected();
    let frame = stale.command_frame("c1", "retry_task");
    stale.pass(limits::FRAME_SKEW_MAX + Duration::from_secs(1));
    stale.driver.frame_received(&frame);
    stale.turn();
    assert_eq!((stale.closed.len(), stale.jobs.len()), (1, 0));
}
