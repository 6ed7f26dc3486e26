use super::*;
use crate::job::tests::job;
use mujina_core::status::PhaseName;

const URL: &str = "stratum2+tcp://pool.example/9auqWEzQDVyd2oe1JVGFLMLHZtCo2FFqZwtKA5gd9xbuEu7PH72";

fn pool() -> PoolSpec {
    PoolSpec {
        name: "test".parse().unwrap(),
        endpoint: URL.parse().unwrap(),
        user: "alice".into(),
        password: None,
        nominal_hash_rate: None,
        quota: mujina_core::pool::DEFAULT_QUOTA,
        options: mujina_core::pool::PoolOptions::default(),
    }
}

/// A prober whose connections do as `script` says.
fn prober<F: Future<Output = ()> + Send + 'static>(
    script: impl Fn(ConnectionPlan) -> F + Send + Sync + 'static,
) -> Prober {
    let identity = MinerIdentity { vendor: "Mujina".into(), hardware_version: "cpu".into(), firmware: "0".into() };
    let (_, rate) = watch::channel(Some(HashRate::from_megahashes_per_second(5.0)));
    Prober::new(Arc::new(move |plan| Box::pin(script(plan))), identity, rate)
}

async fn tell(plan: &ConnectionPlan, event: ConnectionEvent) {
    plan.events.send((plan.id, event)).await.unwrap();
}

fn phase(name: PhaseName) -> ConnectionEvent {
    ConnectionEvent::Phase { name, elapsed: Duration::from_millis(2), detail: "x".into() }
}

#[tokio::test(start_paused = true)]
async fn good_pool_is_left_in_order_after_its_first_job_and_no_share_is_sent() {
    let prober = prober(|mut plan| async move {
        assert_eq!(*plan.hash_rate.borrow(), Some(HashRate::from_megahashes_per_second(5.0)));
        tell(&plan, phase(PhaseName::Tcp)).await;
        let facts = ConnectionFacts { peer_address: "192.0.2.7:1".into(), authenticated: true, ..Default::default() };
        tell(&plan, ConnectionEvent::Facts(Box::new(facts))).await;
        tell(&plan, ConnectionEvent::Opened { extranonce_size: 8 }).await;
        tell(&plan, ConnectionEvent::Job(Arc::new(job()))).await;
        tell(&plan, phase(PhaseName::FirstJob)).await;
        plan.close.cancelled().await;
        assert!(!plan.abort.is_cancelled());
        assert!(plan.shares.try_recv().is_err());
        tell(&plan, ConnectionEvent::Ended { failure: None, redirect: None }).await;
    });
    let (sender, mut phases) = mpsc::channel(8);
    let Report { failure, connection } = prober.probe(pool(), sender).unwrap().await;
    assert_eq!(failure, None);
    assert!(connection.authenticated && connection.ready_at.is_some());
    assert_eq!((connection.peer_address.as_str(), connection.jobs, connection.extranonce_size), ("192.0.2.7:1", 1, 8));
    assert_eq!(connection.authority_fingerprint.len(), 16);
    let names: Vec<_> = connection.phases.iter().map(|phase| phase.name).collect();
    assert_eq!(names, [PhaseName::Tcp, PhaseName::FirstJob]);
    assert_eq!(phases.try_recv().unwrap(), connection.phases[0]);
}

#[tokio::test(start_paused = true)]
async fn failure_of_the_pool_is_the_report_with_its_phase() {
    let prober = prober(|plan| async move {
        let failure = PoolFailure {
            kind: FailureKind::Authentication,
            message: "wrong key".into(),
            phase: Some(PhaseName::Noise),
            recovery: Recovery::Park,
        };
        tell(&plan, ConnectionEvent::Ended { failure: Some(failure), redirect: None }).await;
    });
    let report = prober.probe(pool(), mpsc::channel(1).0).unwrap().await;
    let failure = report.failure.unwrap();
    assert_eq!((failure.kind, failure.phase), (FailureKind::Authentication, Some(PhaseName::Noise)));
    assert_eq!(report.connection.ready_at, None);
}

#[tokio::test(start_paused = true)]
async fn mute_pool_is_cut_at_the_deadline_and_one_that_does_not_let_go_is_left_behind() {
    let heeds = prober(|plan| async move {
        plan.abort.cancelled().await;
        tell(&plan, ConnectionEvent::Ended { failure: None, redirect: None }).await;
    });
    let ignores = prober(|plan| async move {
        std::future::pending::<()>().await;
        drop(plan);
    });
    for prober in [heeds, ignores] {
        let began = Instant::now();
        let failure = prober.probe(pool(), mpsc::channel(1).0).unwrap().await.failure.unwrap();
        assert_eq!(failure.kind, FailureKind::Mute);
        assert!(began.elapsed() >= DEADLINE && began.elapsed() <= DEADLINE + FAREWELL * 3);
    }
}

#[tokio::test(start_paused = true)]
async fn third_test_is_refused_until_one_ended_or_was_given_up() {
    let prober = prober(|plan| async move { plan.abort.cancelled().await });
    let begin = || prober.probe(pool(), mpsc::channel(1).0);
    let (first, second) = (begin().unwrap(), begin().unwrap());
    assert_eq!(begin().err(), Some(Busy));
    drop(first);
    let third = begin().unwrap();
    assert_eq!(begin().err(), Some(Busy));
    drop((second, third));
    assert!(begin().is_ok());
}

#[tokio::test(start_paused = true)]
async fn task_that_ends_without_a_word_is_a_failure_and_not_a_good_pool() {
    let prober = prober(|plan| async move { drop(plan) });
    let failure = prober.probe(pool(), mpsc::channel(1).0).unwrap().await.failure.unwrap();
    assert_eq!(failure.kind, FailureKind::Vanished);
}
