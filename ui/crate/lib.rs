//! The built z4j dashboard as embedded files.
