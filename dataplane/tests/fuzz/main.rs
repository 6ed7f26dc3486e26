//! Fuzz targets: a test each, with a corpus beside it. CONTRIBUTING says how one is fuzzed for longer, and how one is added.

mod kernels;
mod responses;
