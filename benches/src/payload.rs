//! Frame payloads, rendered before the clock starts.

use std::collections::HashMap;

use crate::events::BenchEvent;

/// The payload of one event_batch.
#[derive(Clone, Debug)]
pub(crate) struct Payload {
    /// As it is signed.
    pub(crate) json: String,
    /// Events in it.
    pub(crate) events: u32,
    /// Tasks whose first event is in it.
    pub(crate) tasks: u32,
}

/// Payloads for each connection; the events of a task are all on one, in their order.
pub(crate) fn lanes(
    connections: usize,
    events_per_frame: usize,
    events: Vec<BenchEvent>,
) -> Vec<Vec<Payload>> {
    let mut lanes: Vec<Vec<BenchEvent>> = vec![Vec::new(); connections];
    let mut lane_of: HashMap<String, usize> = HashMap::new();
    for event in events {
        // In turns, so that all lanes have as much to do, give or take a task.
        let next = lane_of.len() % connections;
        let lane = *lane_of.entry(event.task_id.clone()).or_insert(next);
        lanes[lane].push(event);
    }
    lanes
        .iter()
        .map(|lane| lane.chunks(events_per_frame).map(payload).collect())
        .collect()
}

fn payload(events: &[BenchEvent]) -> Payload {
    let mut json = String::with_capacity(events.len() * 800);
    json.push_str(r#"{"events":["#);
    for (index, event) in events.iter().enumerate() {
        if index > 0 {
            json.push(',');
        }
        event.write(&mut json);
    }
    json.push_str("]}");
    let first = events.iter().filter(|event| event.kind == "task.received");
    Payload {
        json,
        events: u32::try_from(events.len()).unwrap_or(u32::MAX),
        tasks: u32::try_from(first.count()).unwrap_or(u32::MAX),
    }
}

#[cfg(test)]
mod tests {
    use z4j_core::time::Timestamp;

    use super::*;
    use crate::events::lifecycle;

    #[test]
    fn every_event_is_in_one_frame_and_every_task_on_one_connection() {
        let events = lifecycle(7, 500, Timestamp::EPOCH);
        for per_frame in [1, 100] {
            let lanes = lanes(10, per_frame, events.clone());
            let all = || lanes.iter().flatten();
            assert_eq!(all().map(|frame| frame.events).sum::<u32>(), 1_500);
            assert_eq!(all().map(|frame| frame.tasks).sum::<u32>(), 500);
            let each = |lane: &Vec<Payload>| lane.iter().map(|frame| frame.events).sum::<u32>();
            assert!(lanes.iter().all(|lane| each(lane) == 150));
        }
    }

    #[test]
    fn events_are_about_as_large_as_those_of_published_agents() {
        let lanes = lanes(1, 100, lifecycle(7, 5_000, Timestamp::EPOCH));
        let bytes: usize = lanes.iter().flatten().map(|frame| frame.json.len()).sum();
        assert!((650..800).contains(&(bytes / 15_000)), "{}", bytes / 15_000);
    }
}
