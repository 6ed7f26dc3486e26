//! Tests of whole chains and boards.
