//! Engines. Adapters for real queues implement [`z4j_core::engine::Engine`] in their own crates or behind a feature.
