//! Nothing but the measurements under `benches/`.
