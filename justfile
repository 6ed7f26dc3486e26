# What a change must pass before it is committed.
check:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps
    cargo test --workspace

# A pool, a miner, a control plane and a live view of them.
demo *ARGS:
    cargo run --release --bin mujina-demo -- {{ARGS}}

# Speed of the hashing kernels on this machine.
bench:
    cargo run --release --bin mujina-dataplane -- bench hash

# The same beside the sha2 crate built without SHA extensions: what the portable kernel is compared with.
bench-soft:
    cargo run --release --bin mujina-dataplane --features soft-sha2 -- bench hash

# The whole data plane beside bare kernels on all cores, and its API meanwhile.
bench-mining *ARGS:
    cargo bench -p mujina-testbed --bench mining -- {{ARGS}}

# How soon a new job is in force on all cores.
bench-switch *ARGS:
    cargo bench -p mujina-testbed --bench switch -- {{ARGS}}

# What a frame to chips and one from them cost.
bench-chips:
    cargo bench -p mujina-testbed --bench chips

# How fast jobs reach the chips of real chains, and their nonces the pool.
bench-chains *ARGS:
    cargo bench -p mujina-testbed --bench chains -- {{ARGS}}

# Time to the first answer, memory and processor time of the program itself.
bench-footprint *ARGS:
    cargo build --release --bin mujina-dataplane
    cargo bench -p mujina-testbed --bench footprint -- {{ARGS}}

# What a thousand miners cost a control plane, and how soon they follow it.
bench-fleet *ARGS:
    cargo build --release -p mujinactl
    cargo run --release -p mujina-testbed --bin mujina-testbed -- fleet --miners 1000 --measure {{ARGS}}

# How fast a control plane takes statistics, and what that costs.
bench-ingestion *ARGS:
    cargo bench -p mujina-testbed --bench ingestion -- {{ARGS}}

# Bytes that each flood of a hostile pool makes a data plane grow by.
bench-floods *ARGS:
    cargo bench -p mujina-testbed --bench floods -- {{ARGS}}

# A million shares through pools that drop, delay, batch, judge late and hang up.
chaos:
    cargo test -p mujina-dataplane --lib ledger_balances_at_every_step_of_a_million_shares -- --ignored

# What leaving a pool costs: gaps and lost shares.
bench-pools *ARGS:
    cargo bench -p mujina-testbed --bench pools -- {{ARGS}}

# How fast jobs and shares pass through.
bench-latency *ARGS:
    cargo bench -p mujina-testbed --bench latency -- {{ARGS}}

# Mining through faults, for as long as one likes.
soak *ARGS:
    cargo run --release --bin mujina-soak -- {{ARGS}}

# An hour of twelve emulated boards, ten times as fast, and all that can happen to them.
soak-boards *ARGS:
    cargo run --release --bin mujina-soak -- boards {{ARGS}}

# Licences, advisories, sources.
deny:
    cargo deny check
