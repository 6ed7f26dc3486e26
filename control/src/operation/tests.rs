use super::*;

#[test]
fn operation_is_as_far_as_its_targets() {
    let progress = |waiting, running, succeeded, failed, skipped| Progress {
        total: waiting + running + succeeded + failed + skipped,
        waiting,
        running,
        succeeded,
        failed,
        skipped,
    };
    for (targets, state) in [
        (progress(1, 0, 0, 1, 1), OperationState::Running),
        (progress(0, 1, 2, 0, 0), OperationState::Running),
        (progress(0, 0, 1, 1, 1), OperationState::Cancelled),
        (progress(0, 0, 3, 0, 0), OperationState::Succeeded),
        (progress(0, 0, 2, 1, 0), OperationState::PartiallyFailed),
        (progress(0, 0, 0, 3, 0), OperationState::Failed),
    ] {
        assert_eq!(OperationState::of(&targets), state, "{targets:?}");
    }
}
