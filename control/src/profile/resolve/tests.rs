use super::*;
use crate::profile::TuningFragment;
use mujina_core::{
    id::Generation,
    pool::PoolStrategy,
    spec::{GroupDraft, PoolDraft, TuningModeDraft},
    text::Secret,
};
use proptest::prelude::*;

const URL: &str = "stratum2+tcp://pool.example/9auqWEzQDVyd2oe1JVGFLMLHZtCo2FFqZwtKA5gd9xbuEu7PH72";

fn pools(user: &str) -> Fragment {
    let pool = PoolDraft { name: "main".into(), url: URL.into(), user: user.into(), ..PoolDraft::default() };
    let group = GroupDraft { name: "main".into(), strategy: Some(PoolStrategy::Failover), pools: vec![pool] };
    Fragment { pool_groups: Some(vec![group]), ..Fragment::default() }
}

fn board(tuning: TuningFragment) -> Fragment {
    Fragment { boards: [("bitaxe-gamma".to_owned(), tuning)].into(), ..Fragment::default() }
}

fn paused(paused: bool) -> Fragment {
    Fragment { paused: Some(paused), ..Fragment::default() }
}

fn profile(name: &str, selector: &str, priority: i32, fragment: Fragment) -> Profile {
    let (name, selector) = (name.parse().unwrap(), selector.parse().unwrap());
    Profile { name, selector, priority, fragment, etag: "e".into(), generation: Generation(1) }
}

fn subject(labels: &[(&str, &str)]) -> Subject {
    let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    Subject { labels, own: Fragment::default() }
}

fn of(name: &str) -> Source {
    Source::Profile(name.parse().unwrap())
}

#[test]
fn each_field_comes_from_the_highest_priority_that_says_it() {
    let warm =
        TuningFragment { fan_target: Some(70.0), mode: Some(TuningModeDraft::Power(15.0)), ..Default::default() };
    let quiet = TuningFragment { fan_target: Some(55.0), ..Default::default() };
    let profiles = [
        profile("night", "site=a", 20, board(quiet)),
        profile("base", "", 0, Fragment { paused: Some(false), ..pools("alice") }),
        profile("summer", "site=a", 10, board(warm)),
        profile("elsewhere", "site=b", 99, pools("mallory")),
    ];
    let Resolved { spec, parts, provenance, .. } = resolve(&subject(&[("site", "a")]), &profiles).unwrap();
    assert_eq!(parts, SpecParts::ALL);
    assert_eq!(spec.pools().next().unwrap().user, "alice");
    assert_eq!(spec.boards["bitaxe-gamma"].fan_target.unwrap().degrees(), 55.0);
    let expected = [
        ("boards[bitaxe-gamma].fan_target_celsius", of("night")),
        ("boards[bitaxe-gamma].mode", of("summer")),
        ("paused", of("base")),
        ("pool_groups", of("base")),
    ];
    assert_eq!(provenance, expected.map(|(path, source)| (path.to_owned(), source)).into());
}

#[test]
fn pools_are_taken_whole_and_the_miners_own_wish_comes_first() {
    let mut other = pools("bob");
    other.pool_groups.as_mut().unwrap()[0].name = "other".into();
    let profiles = [profile("one", "", 1, pools("alice")), profile("two", "", 2, other)];
    let groups = |subject: &Subject| -> Vec<String> {
        let resolved = resolve(subject, &profiles).unwrap();
        resolved.spec.pool_groups.iter().map(|group| group.name.to_string()).collect()
    };
    assert_eq!(groups(&subject(&[])), ["other"]);
    let own = Subject { own: pools("carol"), ..subject(&[]) };
    assert_eq!(groups(&own), ["main"]);
    assert_eq!(resolve(&own, &profiles).unwrap().provenance["pool_groups"], Source::Own);
}

#[test]
fn nothing_said_is_nothing_to_change() {
    let resolved = resolve(&subject(&[]), &[profile("a", "site=x", 1, paused(true))]).unwrap();
    assert_eq!((resolved.parts, resolved.provenance.len()), (SpecParts::NONE, 0));
}

#[test]
fn tie_names_both_profiles_and_a_higher_word_or_another_field_settles_it() {
    let mut profiles = vec![
        profile("b", "", 5, paused(true)),
        profile("a", "", 5, paused(false)),
        profile("c", "", 5, pools("alice")),
    ];
    let error = resolve(&subject(&[]), &profiles).unwrap_err();
    assert_eq!(
        error.to_string(),
        "profiles a and b both say paused with priority 5; give one a higher priority, or let only one select the miner"
    );
    let own = Subject { own: paused(true), ..subject(&[]) };
    assert_eq!(resolve(&own, &profiles).unwrap().provenance["paused"], Source::Own);
    profiles.push(profile("d", "", 6, paused(true)));
    assert_eq!(resolve(&subject(&[]), &profiles).unwrap().provenance["paused"], of("d"));
    // Higher ties are ties, whatever is below.
    profiles.push(profile("e", "", 6, paused(true)));
    assert!(matches!(resolve(&subject(&[]), &profiles), Err(ResolveError::Tie { first, .. }) if first.as_str() == "d"));
}

#[test]
fn problems_are_told_with_whoever_said_the_field() {
    let soft = TuningFragment { soft_limits: [("asic".into(), 70.0)].into(), ..Default::default() };
    let hard = TuningFragment {
        hard_limits: [("asic".into(), 65.0)].into(),
        mode: Some(TuningModeDraft::Power(-1.0)),
        ..Default::default()
    };
    let profiles = [
        profile("limits", "", 1, board(soft)),
        profile("power", "", 2, board(hard)),
        profile("pools", "", 3, pools("")),
    ];
    let ResolveError::Invalid(blamed) = resolve(&subject(&[]), &profiles).unwrap_err() else { panic!() };
    let found: Vec<_> = blamed.iter().map(|one| (one.problem.field.as_str(), one.sources.clone())).collect();
    assert_eq!(
        found,
        [
            ("pool_groups[main].pools[main].user", vec![of("pools")]),
            ("boards[bitaxe-gamma].power_watts", vec![of("power")]),
            ("boards[bitaxe-gamma].soft_limits_celsius[asic]", vec![of("limits"), of("power")]),
        ]
    );
    let text = ResolveError::Invalid(blamed).to_string();
    assert!(text.ends_with("(from profile limits and profile power)"), "{text}");
    // A problem of all boards at once is everybody's who names one.
    let many = |from: u32| Fragment {
        boards: (from..from + 40).map(|i| (format!("board-{i}"), TuningFragment::default())).collect(),
        ..Fragment::default()
    };
    let profiles = [profile("low", "", 1, many(0)), profile("high", "", 2, many(40))];
    let ResolveError::Invalid(blamed) = resolve(&subject(&[]), &profiles).unwrap_err() else { panic!() };
    assert_eq!(blamed[0].sources, [of("high"), of("low")]);
}

#[test]
fn preview_names_the_miners_that_change_and_how_with_passwords_masked() {
    let with_password = |password: Option<&str>, user: &str| {
        let mut fragment = pools(user);
        fragment.pool_groups.as_mut().unwrap()[0].pools[0].password = password.map(Secret::from);
        fragment
    };
    let before = [profile("base", "", 0, with_password(Some("x"), "alice"))];
    let after = [before[0].clone(), profile("site", "site=a", 1, with_password(None, "bob"))];
    let miners: BTreeMap<MinerName, Subject> = [("rig1", subject(&[("site", "a")])), ("rig2", subject(&[]))]
        .map(|(name, one)| (name.parse().unwrap(), one))
        .into();
    let found = affected(&before, &after, &miners);
    assert_eq!(found.len(), 1);
    let changed: Vec<_> = found[0].changes.iter().map(|change| (change.path.as_str(), change.after.as_str())).collect();
    assert_eq!((found[0].miner.as_str(), changed), ("rig1", vec![("pool_groups[main].pools[main].user", "bob")]));
    let new_password = [profile("base", "", 0, with_password(Some("y"), "alice"))];
    let changes = &affected(&before, &new_password, &miners)[0].changes;
    assert_eq!((changes[0].before.as_str(), changes[0].after.as_str()), ("***", "***"));
    // A profile that goes leaves what it said, and that is told.
    let gone = &affected(&after, &before[..0], &miners)[0];
    assert_eq!((&gone.changes[..], &gone.let_go[..]), (&[][..], &["pool_groups".to_owned()][..]));
    let tied = [before[0].clone(), profile("other", "", 0, pools("bob"))];
    assert!(affected(&before, &tied, &miners).iter().all(|one| matches!(one.problem, Some(ResolveError::Tie { .. }))));
    // The first word on a part is a change even where it says what would be so anyway.
    assert_eq!(affected(&[], &[profile("on", "", 0, paused(false))], &miners)[0].changes[0].path, "paused");
}

#[test]
fn profile_is_stored_once_and_again_when_somebody_wrote_over_it() {
    let resolved = resolve(&subject(&[]), &[profile("base", "", 0, pools("alice"))]).unwrap();
    let (fresh, parts) = (Base::default(), SpecParts { pool_groups: true, ..SpecParts::NONE });
    assert_eq!((resolved.parts, resolved.to_store(&fresh)), (parts, Err(MergeError::NoBase)));
    let mut desired = WantedSpec { spec: MinerSpec { paused: true, ..MinerSpec::default() }, ..WantedSpec::default() };
    let base = |desired: &WantedSpec| resolved.to_store(&Base { desired: Some(desired), confirmed: None }).unwrap();
    let stored = base(&desired).unwrap();
    // What nobody says stays.
    assert!(stored.spec.paused);
    assert_eq!(base(&stored), None);
    // A password that the profile does not say is not its business.
    desired = stored.clone();
    desired.spec.pool_groups[0].pools[0].password = Some(Secret::from("x"));
    desired.left_to_miner.clear();
    assert_eq!(base(&desired), None);
    desired.spec.pool_groups[0].pools[0].user = "mallory".into();
    assert_eq!(base(&desired).unwrap().spec.pools().next().unwrap().user, "alice");
    let silent = resolve(&subject(&[]), &[]).unwrap();
    assert_eq!(silent.to_store(&fresh), Ok(None));
}

fn fragments() -> impl proptest::strategy::Strategy<Value = Fragment> {
    let tuning = (prop::option::of(1..30_u32), prop::option::of(40..60_u32)).prop_map(|(power, fan)| TuningFragment {
        mode: power.map(|watts| TuningModeDraft::Power(f64::from(watts))),
        fan_target: fan.map(f64::from),
        ..Default::default()
    });
    (any::<Option<bool>>(), prop::option::of(tuning), prop::option::of("[a-z]{1,8}")).prop_map(
        |(paused, tuning, user)| {
            let boards = tuning.map(|tuning| ("bitaxe-gamma".to_owned(), tuning)).into_iter().collect();
            let pool_groups = user.and_then(|user| pools(&user).pool_groups);
            Fragment { pool_groups, paused, boards }
        },
    )
}

proptest! {
    #[test]
    fn order_of_the_profiles_does_not_matter_and_every_field_is_that_of_its_source(
        fragments in prop::collection::vec((fragments(), -2..3_i32), 0..6), own in fragments(), rotate in 0..6_usize,
    ) {
        let mut profiles: Vec<_> = fragments
            .into_iter()
            .enumerate()
            .map(|(i, (fragment, priority))| profile(&format!("p{i}"), "", priority, fragment))
            .collect();
        let subject = Subject { own: own.clone(), ..subject(&[]) };
        let first = resolve(&subject, &profiles);
        let by = rotate.min(profiles.len());
        profiles.rotate_left(by);
        prop_assert_eq!(&resolve(&subject, &profiles), &first);
        if let Ok(resolved) = first {
            for (path, source) in &resolved.provenance {
                let says = |fragment: &Fragment| fragment.fields().iter().any(|(said, _)| said == path);
                let Source::Profile(name) = source else {
                    prop_assert!(says(&own));
                    continue;
                };
                let winner = profiles.iter().find(|profile| profile.name == *name).unwrap();
                prop_assert!(says(&winner.fragment) && !says(&own));
                let better = |other: &&Profile| other.priority >= winner.priority && other.name != winner.name;
                prop_assert!(!profiles.iter().filter(better).any(|other| says(&other.fragment)));
            }
            prop_assert_eq!(affected(&profiles, &profiles, &[("rig1".parse().unwrap(), subject)].into()), []);
        } else {
            let same = |a: &Profile| profiles.iter().any(|b| a.name != b.name && a.priority == b.priority);
            prop_assert!(profiles.iter().any(same));
        }
    }
}
