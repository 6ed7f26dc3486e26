# What a change must pass before it is committed.
check:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps
    cargo test --workspace

# A pool, a miner, a control plane and a live view of them.
demo *ARGS:
    cargo run --release --bin mujina-demo -- {{ARGS}}

# Speed of the hashing kernels and of the path of a share.
bench:
    cargo bench -p mujina-dataplane

# Licences, advisories, sources.
deny:
    cargo deny check
