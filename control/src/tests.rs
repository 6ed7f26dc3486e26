//! Whole control planes against miners that are made up here.
