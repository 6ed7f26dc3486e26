use super::*;

const MILLIS: fn(u64) -> Duration = Duration::from_millis;

#[test]
fn white_is_dim_and_still_white() {
    assert_eq!(colour(LedState::NoPool, Duration::ZERO), Rgb { red: 26, green: 10, blue: 22 });
}

#[test]
fn breathing_swells_once_in_three_seconds() {
    let light = |millis| colour(LedState::Mining, MILLIS(millis)).red;
    assert_eq!([0, 1500, 3000, 4500].map(light), [0, 26, 0, 26]);
    let rising: Vec<_> = (0..=30).map(|step| light(step * 50)).collect();
    assert!(rising.is_sorted(), "{rising:?}");
}

#[test]
fn fault_blinks_twice_as_slow_as_a_second_and_locate_four_times_a_second() {
    let lit = |state, millis| colour(state, MILLIS(millis)) != Rgb::default();
    assert_eq!([0, 499, 500, 999, 1000].map(|millis| lit(LedState::Fault, millis)), [true, true, false, false, true]);
    assert_eq!([0, 124, 125, 249, 250].map(|millis| lit(LedState::Locate, millis)), [true, true, false, false, true]);
}

#[test]
fn every_state_looks_different_and_off_is_dark() {
    let states = [
        LedState::Starting,
        LedState::Mining,
        LedState::NoPool,
        LedState::Paused,
        LedState::Fault,
        LedState::Locate,
        LedState::Off,
    ];
    for (index, state) in states.iter().enumerate() {
        assert!(states.iter().skip(index + 1).all(|other| pattern(*other) != pattern(*state)), "{state:?}");
    }
    assert_eq!(colour(LedState::Off, MILLIS(1234)), Rgb::default());
}

#[test]
fn locate_covers_every_state_until_it_expires() {
    let start = Instant::now();
    let mut led = Led::new(LedState::Mining, start);
    led.locate(Duration::from_secs(10), start);
    led.show(LedState::Fault, start + Duration::from_secs(1));
    assert_eq!(led.state(start + Duration::from_secs(9)), LedState::Locate);
    assert_eq!(led.colour(start + Duration::from_secs(9)), Rgb { red: 0, green: 0, blue: 22 });
    assert_eq!(led.state(start + Duration::from_secs(10)), LedState::Fault);
    led.locate(Duration::from_secs(10), start);
    led.locate(Duration::ZERO, start);
    assert_eq!(led.state(start), LedState::Fault);
}

#[test]
fn accepted_share_flashes_over_mining_only() {
    let start = Instant::now();
    let mut led = Led::new(LedState::Mining, start);
    led.accepted(start);
    assert_eq!(led.colour(start + MILLIS(149)).red, 26);
    assert_eq!(led.colour(start + MILLIS(150)), colour(LedState::Mining, MILLIS(150)));
    led.show(LedState::Fault, start + MILLIS(200));
    led.accepted(start + MILLIS(700));
    assert_eq!(led.colour(start + MILLIS(700)), Rgb::default());
}

#[test]
fn showing_the_same_state_again_does_not_start_it_anew() {
    let start = Instant::now();
    let mut led = Led::new(LedState::Mining, start);
    led.show(LedState::Mining, start + MILLIS(1500));
    assert_eq!(led.colour(start + MILLIS(1500)).red, 26);
}
