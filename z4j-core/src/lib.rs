//! Ids, machines, wire frames and the seams of z4j: no runtime, no socket, no SQL.
