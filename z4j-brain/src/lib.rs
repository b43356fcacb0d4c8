//! The z4j brain as a library: ingest, dispatch, REST and the live stream.
