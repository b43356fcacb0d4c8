//! Resumable streams: a position, the events up to it and the declared gaps move together or not at all.

use z4j_core::id::StreamId;
use z4j_core::limits::STREAMS_PER_AGENT_MAX;
use z4j_core::store::{IngestBatch, Store, StoreError, StoreErrorKind};
use z4j_core::store::{StreamGap, StreamKey, StreamSegment};

use super::scene::{Scene, at_s, batch, inserted};

fn stream(scene: &Scene<'_>, number: u128) -> StreamKey {
    StreamKey {
        project_id: scene.project,
        agent_id: scene.agent,
        stream_id: StreamId::from_u128(number),
    }
}

fn events(key: StreamKey, first: u64, last: u64) -> StreamSegment {
    StreamSegment {
        key,
        first,
        last,
        gap: None,
    }
}

fn gap(key: StreamKey, first: u64, last: u64) -> StreamSegment {
    StreamSegment {
        gap: Some("evicted".into()),
        ..events(key, first, last)
    }
}

/// One event of task `number` for each position of the segments that are no gaps.
fn batch_of(scene: &Scene<'_>, segments: Vec<StreamSegment>) -> IngestBatch {
    let positions = segments
        .iter()
        .filter(|segment| segment.gap.is_none())
        .flat_map(|segment| segment.first..=segment.last);
    let sent = positions
        .map(|position| scene.event("task.received", &format!("task-{position}"), at_s(10)));
    batch(sent).with_streams(segments)
}

/// How many events were new.
async fn put(scene: &Scene<'_>, segments: Vec<StreamSegment>) -> Result<usize, StoreError> {
    let receipt = scene.store.ingest(batch_of(scene, segments)).await?;
    Ok(inserted(&receipt))
}

async fn position(store: &dyn Store, key: StreamKey) -> u64 {
    let position = store.stream_position(key).await;
    position.expect("the position of a stream")
}

pub(super) async fn position_moves_with_the_events(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let key = stream(&scene, 1);
    assert_eq!(position(store, key).await, 0, "an unknown stream begins");
    for (first, last) in [(1, 5), (6, 6)] {
        let put = put(&scene, vec![events(key, first, last)]).await;
        put.expect("the stream goes on where it stands");
        assert_eq!(position(store, key).await, last);
    }
}

pub(super) async fn positions_sent_again_change_nothing(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let key = stream(&scene, 1);
    let first = put(&scene, vec![events(key, 1, 5)]).await;
    assert_eq!(first.expect("new positions are taken"), 5);
    let again = put(&scene, vec![events(key, 2, 4)]).await;
    assert_eq!(again.expect("known positions are taken"), 0);
    assert_eq!(
        position(store, key).await,
        5,
        "a position never moves backwards"
    );
    let overlap = put(&scene, vec![events(key, 4, 8)]).await;
    assert_eq!(overlap.expect("positions may overlap"), 3);
    assert_eq!(position(store, key).await, 8);
}

pub(super) async fn hole_refuses_the_whole_batch(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let (key, other) = (stream(&scene, 1), stream(&scene, 2));
    let sound = put(&scene, vec![events(key, 1, 2)]).await;
    sound.expect("the stream begins at 1");
    let segments = vec![events(other, 1, 1), events(key, 4, 5)];
    let refused = put(&scene, segments).await;
    let error = refused.expect_err("position 3 is missing: nothing may be acknowledged");
    assert_eq!(error.kind(), StoreErrorKind::StreamHole);
    assert_eq!(position(store, key).await, 2);
    assert_eq!(
        position(store, other).await,
        0,
        "nothing of a refused batch is written, whatever stream it belongs to"
    );
    let task = scene.task("task-4").await;
    assert!(task.is_none(), "an event beyond a hole was stored");
}

pub(super) async fn declared_gap_fills_the_hole(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let key = stream(&scene, 1);
    let segments = vec![events(key, 1, 2), gap(key, 3, 6), events(key, 7, 8)];
    for _ in 0..2 {
        let put = put(&scene, segments.clone()).await;
        put.expect("a declared gap is no hole");
        assert_eq!(position(store, key).await, 8);
        let gaps = store.stream_gaps(key, 10).await.expect("the gaps");
        let declared = StreamGap {
            first: 3,
            last: 6,
            reason: "evicted".to_owned(),
        };
        assert_eq!(gaps, [declared], "a gap that is sent again is kept once");
    }
}

pub(super) async fn gap_takes_nothing_that_is_stored(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let key = stream(&scene, 1);
    let stored = put(&scene, vec![events(key, 1, 4)]).await;
    stored.expect("the stream begins at 1");
    let late = put(&scene, vec![gap(key, 3, 6)]).await;
    late.expect("a gap may overlap what is stored");
    let gaps = store.stream_gaps(key, 10).await.expect("the gaps");
    let bounds: Vec<_> = gaps.iter().map(|gap| (gap.first, gap.last)).collect();
    assert_eq!(bounds, [(5, 6)], "stored and declared positions are apart");
    assert_eq!(position(store, key).await, 6);
}

pub(super) async fn forgotten_stream_begins_anew(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let key = stream(&scene, 1);
    let at = |seconds, segments| {
        let mut batch = batch_of(&scene, segments);
        batch.received_at = at_s(seconds);
        batch
    };
    let declared = store.ingest(at(20, vec![gap(key, 1, 3)])).await;
    let _ = declared.expect("a stream may begin with a gap");
    let others = 0..u128::from(STREAMS_PER_AGENT_MAX);
    let others = others.map(|number| events(stream(&scene, 1_000 + number), 1, 1));
    let begun = store.ingest(at(30, others.collect())).await;
    let _ = begun.expect("an agent may begin streams");
    assert_eq!(position(store, key).await, 0, "it moved longest ago");
    let gaps = store.stream_gaps(key, 10).await.expect("the gaps");
    assert_eq!(gaps, [], "what was declared is forgotten with its stream");
    let again = store.ingest(at(40, vec![gap(key, 1, 5)])).await;
    let _ = again.expect("a forgotten stream begins anew");
    let gaps = store.stream_gaps(key, 10).await.expect("the gaps");
    let bounds: Vec<_> = gaps.iter().map(|gap| (gap.first, gap.last)).collect();
    assert_eq!(bounds, [(1, 5)]);
}

pub(super) async fn stream_of_the_batch_is_not_forgotten(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let key = stream(&scene, 1);
    let at = |seconds, segments| {
        let mut batch = batch_of(&scene, segments);
        batch.received_at = at_s(seconds);
        batch
    };
    let first = store.ingest(at(20, vec![events(key, 1, 3)])).await;
    let _ = first.expect("the stream begins at 1");
    let others = 1..u128::from(STREAMS_PER_AGENT_MAX);
    let others = others.map(|number| events(stream(&scene, 1_000 + number), 1, 1));
    let begun = store.ingest(at(30, others.collect())).await;
    let _ = begun.expect("an agent may have so many streams");
    let one_more = vec![
        events(key, 4, 4),
        events(stream(&scene, 5_000), 1, 1),
        gap(key, 5, 6),
    ];
    // The clock was set back meanwhile.
    let both = store.ingest(at(10, one_more)).await;
    let _ = both.expect("the oldest stream goes on beside a new one");
    assert_eq!(
        position(store, key).await,
        6,
        "a stream that moves in the batch is not the one that moved longest ago"
    );
    let gaps = store.stream_gaps(key, 10).await.expect("the gaps");
    let bounds: Vec<_> = gaps.iter().map(|gap| (gap.first, gap.last)).collect();
    assert_eq!(bounds, [(5, 6)]);
    let new = position(store, stream(&scene, 5_000)).await;
    assert_eq!(new, 1, "nor is the new one");
}

pub(super) async fn streams_are_apart(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let mine = stream(&scene, 1);
    let put = put(&scene, vec![events(mine, 1, 3)]).await;
    put.expect("the stream begins at 1");
    let others = [
        stream(&scene, 2),
        StreamKey {
            agent_id: scene.second_agent,
            ..mine
        },
        StreamKey {
            project_id: scene.other_project,
            ..mine
        },
    ];
    for other in others {
        assert_eq!(
            position(store, other).await,
            0,
            "a stream belongs to one agent of one project, whatever name it has"
        );
    }
}

pub(super) async fn concurrent_parts_of_a_stream_leave_no_hole(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let key = stream(&scene, 1);
    // The second part can only be taken after the first, and whoever is refused comes again.
    let send = |first, last| {
        let scene = &scene;
        async move {
            loop {
                match put(scene, vec![events(key, first, last)]).await {
                    Ok(_) => break,
                    Err(error) => assert_eq!(error.kind(), StoreErrorKind::StreamHole),
                }
                tokio::task::yield_now().await;
            }
        }
    };
    futures_util::future::join_all((0..10).map(|part| send(part * 10 + 1, part * 10 + 10))).await;
    assert_eq!(position(store, key).await, 100);
    for number in 1..=100 {
        let task = scene.task(&format!("task-{number}")).await;
        assert!(task.is_some(), "position {number} has no event");
    }
}
