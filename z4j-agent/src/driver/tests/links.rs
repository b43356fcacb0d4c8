//! Failed links, back-off and stopping.

use super::*;

#[test]
fn refused_credentials_are_tried_again_slowly_and_lost_links_quickly() {
    let mut bench = Bench::new(BufferLimits::default());
    let mut delays = Vec::new();
    for _ in 0..3 {
        assert!(bench.driver.dial_now());
        bench.driver.link_opened();
        bench.closed_by_brain(4401);
        let delay = bench
            .driver
            .wake_at()
            .unwrap()
            .saturating_sub(bench.env.elapsed());
        delays.push(delay.as_secs());
        bench.pass(delay);
    }
    assert_eq!(bench.waits_because(), Some(FailureClass::Auth));
    // Ten seconds, doubled each time, and three tenths of chance.
    assert_eq!(delays, [13, 26, 52]);

    let mut live = Bench::connected();
    live.closed_by_brain(4401);
    assert_eq!(live.waits_because(), Some(FailureClass::Connection));
    assert!(live.driver.wake_at().unwrap() <= Duration::from_secs(1));
}

#[test]
fn a_session_that_dies_before_an_ack_does_not_make_the_delays_start_anew() {
    let mut bench = Bench::new(BufferLimits::default());
    let mut delays = Vec::new();
    for _ in 0..4 {
        bench.connect(1 << 20);
        bench.driver.link_ended();
        let delay = bench
            .driver
            .wake_at()
            .unwrap()
            .saturating_sub(bench.env.elapsed());
        delays.push(delay.as_secs());
        bench.pass(delay);
    }
    assert_eq!(delays, [1, 2, 4, 8]);
    bench.connect(1 << 20);
    bench.capture("one");
    let batch = bench.turn().remove(0);
    bench.acknowledge(&batch);
    bench.driver.link_ended();
    let delay = bench
        .driver
        .wake_at()
        .unwrap()
        .saturating_sub(bench.env.elapsed());
    assert_eq!(delay.as_secs(), 1);
}

#[test]
fn a_brain_that_does_not_answer_the_hello_is_left_after_ten_seconds() {
    let mut bench = Bench::new(BufferLimits::default());
    assert!(bench.driver.dial_now());
    bench.driver.link_opened();
    bench.driver.next_frame().expect("a hello");
    bench.driver.frame_sent();
    assert_eq!(bench.driver.wake_at(), Some(limits::HELLO_WAIT));
    bench.pass(limits::HELLO_WAIT);
    assert!(bench.turn().is_empty());
    assert_eq!(bench.closed.len(), 1);
    assert_eq!(bench.waits_because(), Some(FailureClass::Connection));
}

#[test]
fn a_stop_delivers_what_is_buffered_and_then_closes_normally() {
    let mut bench = Bench::connected();
    bench.capture("last words");
    bench
        .driver
        .stop(bench.env.elapsed() + Duration::from_secs(5));
    bench.driver.captures_ended();
    let batch = bench.turn().remove(0);
    assert!(!bench.driver.is_stopped());
    bench.acknowledge(&batch);
    assert!(bench.turn().is_empty());
    assert!(bench.driver.is_stopped());
    assert_eq!(
        bench
            .closed
            .iter()
            .map(|reason| reason.code)
            .collect::<Vec<_>>(),
        [1000]
    );
    assert_eq!(bench.driver.state().buffered_events, 0);
}

#[test]
fn a_stop_ends_at_its_deadline_when_the_brain_does_not_acknowledge() {
    let mut bench = Bench::connected();
    bench.capture("last words");
    bench.driver.captures_ended();
    bench
        .driver
        .stop(bench.env.elapsed() + Duration::from_secs(5));
    bench.turn();
    bench.pass(Duration::from_secs(5));
    bench.turn();
    assert!(bench.driver.is_stopped());
    assert_eq!(bench.driver.state().buffered_events, 1);
}
