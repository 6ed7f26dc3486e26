//! Profiles, from the API to the miners.

use crate::{
    miner::FakeMiner,
    world::{Control, config, paused, unbound},
};
use mujina_control::Config;
use mujina_core::units::Watts;
use mujina_proto::{control::v1, failure::Failure, types};
use std::time::{Duration, Instant};
use tonic::Code;

fn profile(paused: bool, priority: i32) -> v1::Profile {
    v1::Profile {
        name: "night".into(),
        selector: "site=cellar".into(),
        priority,
        spec: Some(v1::SpecFragment { paused: Some(paused), ..v1::SpecFragment::default() }),
        ..v1::Profile::default()
    }
}

fn apply(profile: v1::Profile) -> v1::ApplyProfileRequest {
    v1::ApplyProfileRequest { profile: Some(profile), ..v1::ApplyProfileRequest::default() }
}

#[tokio::test]
async fn profile_reaches_its_miners_and_spares_one_of_which_somebody_wants_something_else() {
    let folder = tempfile::tempdir().unwrap();
    let [one, two] = ["rig1", "rig2"].map(|name| FakeMiner::new(folder.path(), name));
    let _serving = (one.serve().await, two.serve().await);
    let miners = [("rig1", &one), ("rig2", &two)];
    let control = Control::start(config(folder.path(), &miners)).await;
    for name in ["rig1", "rig2"] {
        control.until_connected(name).await;
    }
    let dry = v1::ApplyProfileRequest { validate_only: true, ..apply(profile(true, 0)) };
    let dry = control.profiles().apply_profile(dry).await.unwrap().into_inner();
    let names: Vec<_> = dry.effects.iter().map(|effect| effect.miner.as_str()).collect();
    assert_eq!(names, ["rig1", "rig2"]);
    assert_eq!(dry.effects[0].changes[0].path, "paused");
    let stored = control.profiles().apply_profile(apply(profile(true, 0))).await.unwrap().into_inner();
    assert_eq!(stored.profile.as_ref().unwrap().generation, 1);
    for miner in [&one, &two] {
        miner.until("paused", |state| state.spec.paused).await;
    }
    // Somebody wants rig1 to hash.
    let mut hash = paused("rig1");
    hash.spec = Some(types::v1::MinerSpec::default());
    control.apply(hash).await;
    one.until("hashing", |state| !state.spec.paused).await;
    let again = control.profiles().apply_profile(apply(profile(true, 7))).await.unwrap().into_inner();
    assert_eq!(again.profile.unwrap().generation, 2);
    control.kill();
    let control = Control::start(config(folder.path(), &miners)).await;
    control.until_sync("rig1", v1::SyncState::InSync).await;
    let resolve = v1::ResolveSpecRequest { miner: "rig1".into() };
    let resolved = control.profiles().resolve_spec(resolve.clone()).await.unwrap().into_inner();
    assert_eq!(resolved.origins, [v1::FieldOrigin { path: "paused".into(), profile: String::new() }]);
    assert!(resolved.stored && !resolved.spec.unwrap().paused);
    assert!(!one.state().spec.paused);
    let clear = v1::ClearOverrideRequest { miner: "rig1".into(), validate_only: false };
    let cleared = control.profiles().clear_override(clear).await.unwrap().into_inner();
    assert_eq!(cleared.changes[0].path, "paused");
    one.until("paused again", |state| state.spec.paused).await;
    let resolved = control.profiles().resolve_spec(resolve).await.unwrap().into_inner();
    assert_eq!(resolved.origins[0].profile, "night");
    let gone = v1::DeleteProfileRequest { name: "night".into(), ..v1::DeleteProfileRequest::default() };
    control.profiles().delete_profile(gone.clone()).await.unwrap();
    let failure = Failure::from(&control.profiles().delete_profile(gone).await.unwrap_err());
    assert_eq!((failure.code, failure.reason.as_str()), (Code::NotFound, "PROFILE_NOT_FOUND"));
    assert!(two.state().spec.paused, "what nobody says any more stays as it is");
    control.stop().await;
}

#[tokio::test]
async fn profile_counts_for_a_miner_from_when_it_is_first_reached() {
    let folder = tempfile::tempdir().unwrap();
    let miner = FakeMiner::new(folder.path(), "rig1");
    let control = Control::start(config(folder.path(), &[("rig1", &miner)])).await;
    control.profiles().apply_profile(apply(profile(true, 0))).await.unwrap();
    let _serving = miner.serve().await;
    miner.until("paused", |state| state.spec.paused).await;
    control.until_sync("rig1", v1::SyncState::InSync).await;
    control.stop().await;
}

#[tokio::test]
async fn profile_pauses_and_resumes_its_miners_as_the_ramp_allows_and_holds_up_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let [one, two, three] = ["rig1", "rig2", "rig3"].map(|name| FakeMiner::new(folder.path(), name));
    let _serving = (one.serve().await, two.serve().await, three.serve().await);
    let miners = [("rig1", &one), ("rig2", &two), ("rig3", &three)];
    // Nobody measures what they draw, so that each has a second for itself.
    let ramp = Some(Watts::from_watts(5000.0));
    let control = Control::start(Config { ramp, ..config(folder.path(), &miners) }).await;
    for (name, _) in miners {
        control.until_connected(name).await;
    }
    for pause in [true, false] {
        let begun = Instant::now();
        control.profiles().apply_profile(apply(profile(pause, 0))).await.unwrap();
        let waits = |miner: &v1::Miner| {
            let is_applying = miner.sync_state() == v1::SyncState::Applying;
            is_applying && miner.sync_reason.contains("no more than 5000.0 W may be switched per second")
        };
        tokio::select! {
            _ = control.until("rig1", "waits", waits) => {}
            _ = control.until("rig2", "waits", waits) => {}
        }
        for (name, miner) in miners {
            miner.until("switched", |state| state.spec.paused == pause).await;
            control.until_sync(name, v1::SyncState::InSync).await;
        }
        assert!(begun.elapsed() >= Duration::from_secs(2), "{:?}", begun.elapsed());
    }
    // What switches no power does not wait.
    control.apply(unbound("rig1")).await;
    one.until("pools", |state| !state.spec.pool_groups.is_empty()).await;
    control.stop().await;
}
