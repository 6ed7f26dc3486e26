use super::*;
use crate::rollout::{Size, Strategy};
use proptest::{prelude::*, strategy::Strategy as _};

fn targets(count: usize) -> Targets {
    let labels = |i: usize| {
        let mut labels = BTreeMap::from([("role".into(), if i % 7 == 3 { "canary" } else { "worker" }.to_owned())]);
        if !i.is_multiple_of(5) {
            labels.insert("rack".into(), format!("r{}", i % 3));
        }
        labels
    };
    (0..count).map(|i| (format!("rig{i:03}").parse().unwrap(), labels(i))).collect()
}

fn strategy(waves: &[&str], order: Order, canary: Option<&str>) -> Strategy {
    Strategy {
        waves: waves.iter().map(|size| size.parse().unwrap()).collect(),
        order,
        canary: canary.map(|text| text.parse().unwrap()),
        ..Strategy::default()
    }
}

fn names(wave: &[MinerName]) -> Vec<&str> {
    wave.iter().map(MinerName::as_str).collect()
}

#[test]
fn last_size_is_repeated_until_nobody_is_left() {
    let sizes = |waves: &[&str], count| -> Vec<usize> {
        plan(&targets(count), &strategy(waves, Order::Name, None)).iter().map(Vec::len).collect()
    };
    assert_eq!(sizes(&["1", "25%"], 20), [1, 5, 5, 5, 4]);
    assert_eq!(sizes(&["1", "10%", "100%"], 20), [1, 2, 17]);
    assert_eq!(sizes(&["100%", "1"], 20), [20]);
    assert_eq!(sizes(&["1"], 0), Vec::<usize>::new());
}

#[test]
fn canaries_go_first_in_the_order_of_all() {
    let by_rack = plan(&targets(12), &strategy(&["2", "100%"], Order::Label("rack".into()), Some("role=canary")));
    // rig003 is of rack r0, rig010 has none.
    assert_eq!(names(&by_rack[0]), ["rig003", "rig010"]);
    assert_eq!(names(&by_rack[1])[..3], ["rig006", "rig009", "rig001"]);
    assert_eq!(names(&by_rack[1])[8..], ["rig000", "rig005"]);
}

#[test]
fn random_order_is_that_of_its_seed_and_no_other() {
    let order = |seed| plan(&targets(40), &strategy(&["100%"], Order::Random(seed), None)).concat();
    assert_eq!(order(1), order(1));
    assert_ne!(order(1), order(2));
    // Pinned: a preview must be what a newer version rolls out.
    assert_eq!(names(&plan(&targets(4), &strategy(&["100%"], Order::Random(7), None))[0]), PINNED);
}

const PINNED: [&str; 4] = ["rig000", "rig003", "rig001", "rig002"];

fn orders() -> impl proptest::strategy::Strategy<Value = Order> {
    prop_oneof![Just(Order::Name), any::<u64>().prop_map(Order::Random), Just(Order::Label("rack".into()))]
}

fn sizes() -> impl proptest::strategy::Strategy<Value = Size> {
    prop_oneof![(1..30_u32).prop_map(Size::Count), (1..=100_u8).prop_map(Size::Percent)]
}

proptest! {
    #[test]
    fn every_target_is_in_exactly_one_wave_and_no_wave_is_empty_or_too_big(
        count in 0..120_usize, waves in prop::collection::vec(sizes(), 1..6), order in orders(), canary: bool,
    ) {
        let targets = targets(count);
        let strategy = Strategy { waves: waves.clone(), ..strategy(&[], order, canary.then_some("role=canary")) };
        let planned = plan(&targets, &strategy);
        let mut all = planned.concat();
        if canary {
            let is_canary = |name: &MinerName| targets[name]["role"] == "canary";
            let first_other = all.iter().position(|name| !is_canary(name)).unwrap_or(all.len());
            prop_assert!(all[first_other..].iter().all(|name| !is_canary(name)));
        }
        all.sort();
        prop_assert_eq!(all, targets.keys().cloned().collect::<Vec<_>>());
        for (i, wave) in planned.iter().enumerate() {
            let size = waves.get(i).or(waves.last()).unwrap().of(count);
            prop_assert!(!wave.is_empty() && wave.len() <= size);
            prop_assert!(wave.len() == size || i + 1 == planned.len());
        }
    }

    #[test]
    fn newcomer_does_not_reorder_the_others(count in 1..60_usize, order in orders()) {
        let strategy = strategy(&["100%"], order, None);
        let newcomer: MinerName = format!("rig{:03}", count - 1).parse().unwrap();
        let mut with = plan(&targets(count), &strategy).concat();
        with.retain(|name| *name != newcomer);
        prop_assert_eq!(with, plan(&targets(count - 1), &strategy).concat());
    }
}
