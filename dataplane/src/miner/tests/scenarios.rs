//! What can happen to a board, played on whole miners: boards 6.5, line by line.
//!
//! | Line | Test |
//! |---|---|
//! | clean start | `gamma_starts_mines_and_stops`, `ember_one_mines_with_all_its_chips` |
//! | short answers until 0xA4 | `simulate: fresh_chips_answer_short_and_long_once_versions_are_rolled`, `driver::identify: chip_is_found_in_either_form_behind_garbage` |
//! | chips missing | `stack_with_a_missing_chip_is_not_run` |
//! | wrong chip id | `driver: another_chip_is_refused_with_its_id` |
//! | no input power | `driver: regulator_without_input_power_is_told_with_the_way_out` |
//! | id with a bad checksum | `id_that_never_arrives_whole_fails_the_start` |
//! | garbage at power-up | `garbage_at_power_up_changes_nothing` |
//! | byte lost in a nonce | `byte_that_is_lost_or_wrong_costs_one_nonce` |
//! | duplicate nonces | `nonces_that_come_twice_are_submitted_once` |
//! | stale nonces, unknown job, below the ticket | `nonces_that_are_not_what_they_should_be_are_never_submitted` |
//! | one chip slower | `chain::state: slow_chip_is_noted_among_its_neighbours` |
//! | hash-counting number too great | `simulate: too_great_hash_counting_number_overlaps_with_the_neighbour` |
//! | no new job for an epoch | `simulate: epoch_that_is_over_repeats`, `chain::state: late_renewal_is_counted` |
//! | heat | `heat_takes_clock_first_and_power_at_the_hard_limit` |
//! | diode open or shorted | `what_endangers_a_running_board_stops_it`, `driver: open_or_shorted_diode_is_no_temperature` |
//! | fan stands still | `what_endangers_a_running_board_stops_it` |
//! | regulator fault | `what_endangers_a_running_board_stops_it` |
//! | output does not turn on | `driver: regulator_that_does_not_turn_on_is_an_error_and_the_board_can_be_made_safe` |
//! | replies late, with another id, errors | `driver: mute_controller_is_no_reading_and_still_made_safe_once_it_answers`, `controller_that_goes_mute_ends_hashing` |
//! | unplugged in a ramp and while hashing | `cable_may_be_pulled_at_any_time` |
//! | replugged with other ttys | `cable_may_be_pulled_at_any_time` |
//! | host restarts while chips hash | `miner_that_comes_back_takes_over_a_board_that_still_hashes` |

use super::*;
use crate::simulate::{Fault, RegulatorFault};

const GAMMA: BoardKind = BoardKind::BitaxeGamma;
const EMBER_ONE: BoardKind = BoardKind::EmberOne;

async fn world(kind: BoardKind) -> World {
    World::start(kind, Options::of(kind), |_| ()).await
}

#[tokio::test]
async fn gamma_starts_mines_and_stops() {
    let mut world = world(GAMMA).await;
    assert_eq!(world.mines().await.model, "bitaxe-gamma");
    world.more_shares(10).await;
    assert_eq!(world.snapshot.borrow().boards[&world.id].totals.hardware_error, 0);
    world.stop().await;
}

#[tokio::test]
async fn ember_one_mines_with_all_its_chips() {
    let mut world = world(EMBER_ONE).await;
    world.mines().await;
    let all = |board: &BoardReport| board.chips.len() == 12 && board.chips.iter().all(|chip| chip.verified >= 3);
    let board = world.board("has twelve chips that hash", all).await;
    let bad: u64 = board.chips.iter().map(|chip| chip.errors.sum() + chip.duplicates).sum();
    assert_eq!(bad, 0, "{:?}", board.chips);
    world.stop().await;
}

#[tokio::test]
async fn stack_with_a_missing_chip_is_not_run() {
    let options = Options::of(EMBER_ONE);
    let mut world = World::start(EMBER_ONE, options, |remote| remote.inject(Fault::BrokenAfter { chips: 11 })).await;
    let board = world.rests().await;
    assert!(board.state_reason.contains("11"), "{}", board.state_reason);
    world.assert_off();
    world.remote.clear(Fault::BrokenAfter { chips: 11 });
    world.mines().await;
    world.stop().await;
}

#[tokio::test]
async fn id_that_never_arrives_whole_fails_the_start() {
    let mut world = World::start(GAMMA, Options::of(GAMMA), |remote| remote.inject(Fault::BadIdChecksum)).await;
    let board = world.rests().await;
    assert!(board.state_reason.contains("chip"), "{}", board.state_reason);
    world.assert_off();
    world.remote.clear(Fault::BadIdChecksum);
    world.mines().await;
    world.stop().await;
}

#[tokio::test]
async fn garbage_at_power_up_changes_nothing() {
    let mut world = World::start(GAMMA, Options::of(GAMMA), |remote| remote.inject(Fault::GarbageAtPowerUp)).await;
    let board = world.mines().await;
    assert_eq!(board.starts, 1);
    world.more_shares(5).await;
    world.stop().await;
}

#[tokio::test]
async fn byte_that_is_lost_or_wrong_costs_one_nonce() {
    let mut world = world(GAMMA).await;
    world.mines().await;
    for fault in [Fault::LostByte, Fault::FlippedBit] {
        world.remote.inject(fault);
        world.more_shares(5).await;
        assert!(!world.remote.has(fault), "it has happened");
    }
    let board = world.board("goes on", |board| board.state == BoardState::Mining).await;
    assert_eq!(board.starts, 1);
    world.stop().await;
}

#[tokio::test]
async fn nonces_that_come_twice_are_submitted_once() {
    let mut world = world(GAMMA).await;
    world.mines().await;
    for fault in [Fault::RepeatedNonces, Fault::LatchedNonce] {
        let duplicates = |board: &BoardReport| board.chips.iter().map(|chip| chip.duplicates).sum::<u64>();
        let before = duplicates(&world.mines().await);
        world.remote.inject(fault);
        world.board("counts them", |board| duplicates(board) >= before + 5).await;
        world.remote.clear(fault);
    }
    world.more_shares(5).await;
    let totals = world.snapshot.borrow().boards[&world.id].totals;
    assert!(totals.duplicate >= 10, "they are counted: {totals:?}");
    assert_eq!(totals.rejected.sum(), 0, "{totals:?}");
    world.stop().await;
}

#[tokio::test]
async fn nonces_that_are_not_what_they_should_be_are_never_submitted() {
    let mut world = world(GAMMA).await;
    world.mines().await;
    world.remote.inject(Fault::StaleNonces);
    world.more_shares(10).await;
    world.remote.clear(Fault::StaleNonces);
    for fault in [Fault::UnknownJob, Fault::BelowTicket] {
        let errors = |board: &BoardReport| board.chips.iter().map(|chip| chip.errors.sum()).sum::<u64>();
        let before = errors(&world.board("is there", |board| !board.chips.is_empty()).await);
        world.remote.inject(fault);
        world.board("counts errors", |board| errors(board) > before).await;
        world.remote.clear(fault);
    }
    world.mines().await;
    world.more_shares(5).await;
    let totals = world.snapshot.borrow().boards[&world.id].totals;
    assert_eq!(totals.rejected.sum(), 0, "{totals:?}");
    world.stop().await;
}

#[tokio::test]
async fn heat_takes_clock_first_and_power_at_the_hard_limit() {
    let options = Options { time_scale: 10.0, ..Options::of(GAMMA) };
    let mut world = World::start(GAMMA, options, |_| ()).await;
    world.mines().await;
    world.remote.inject(Fault::Heat { degrees_per_minute: 60 });
    world.board("is slower", |board| board.tuning.limited_by.iter().any(|cause| cause.contains("temperature"))).await;
    let board = world.rests().await;
    assert!(board.state_reason.contains("°C"), "{}", board.state_reason);
    world.assert_off();
    world.remote.clear(Fault::Heat { degrees_per_minute: 60 });
    // It cools down, and its next start is not for ever away.
    world.mines().await;
    world.stop().await;
}

#[tokio::test]
async fn what_endangers_a_running_board_stops_it() {
    let cases = [
        (GAMMA, Fault::DiodeOpen, "asic"),
        (GAMMA, Fault::FanStall, "fan"),
        (GAMMA, Fault::Regulator(RegulatorFault::OverCurrent), "regulator"),
        (EMBER_ONE, Fault::DiodeShort, "asic"),
        (EMBER_ONE, Fault::StuckChip { chip: 7 }, "1 of 12"),
    ];
    for (kind, fault, word) in cases {
        let mut world = world(kind).await;
        world.mines().await;
        world.remote.inject(fault);
        let board = world.rests().await;
        assert!(board.state_reason.contains(word), "{fault:?}: {}", board.state_reason);
        assert!(board.safe_state.as_ref().is_some_and(|safe| safe.confirmed), "{fault:?}: {board:?}");
        world.assert_off();
        assert!(!board.faults.is_empty(), "{fault:?}");
        world.stop().await;
    }
}

#[tokio::test]
async fn controller_that_goes_mute_ends_hashing() {
    let mut world = world(GAMMA).await;
    world.mines().await;
    world.remote.inject(Fault::ControlMute);
    world.board("has a fault", |board| !board.faults.is_empty()).await;
    let safe = |board: &BoardReport| board.safe_state.clone().filter(|safe| safe.reason.contains("polls"));
    let board = world.board("is made safe", |board| safe(board).is_some()).await;
    assert!(!safe(&board).unwrap().confirmed, "{board:?}");
    // It follows and does not say so.
    world.assert_off();
    world.remote.clear(Fault::ControlMute);
    world.board("is known to be safe", |board| board.safe_state.as_ref().is_some_and(|safe| safe.confirmed)).await;
    world.stop().await;
}

#[tokio::test]
async fn cable_may_be_pulled_at_any_time() {
    let mut world = world(GAMMA).await;
    world.board("ramps", |board| board.starts > 0 && board.tuning.frequency.is_some()).await;
    world.unplug().await;
    // The ttys are others, and the board had lost its power.
    world.plug.send(DeviceEvent::Arrived(world.remote.replug().unwrap())).await.unwrap();
    world.mines().await;
    world.more_shares(5).await;
    world.unplug().await;
    // This time it hashes on, powered from elsewhere.
    assert!(world.remote.physics().running);
    world.plug.send(DeviceEvent::Arrived(world.remote.reconnect().unwrap())).await.unwrap();
    world.mines().await;
    world.more_shares(5).await;
    assert_eq!(world.snapshot.borrow().threads.len(), 1, "the thread has come back under its name");
    world.stop().await;
}

#[tokio::test]
async fn miner_that_comes_back_takes_over_a_board_that_still_hashes() {
    let mut first = world(GAMMA).await;
    first.mines().await;
    first.unplug().await;
    let World { board, remote, cancel, mut miner, .. } = first;
    cancel.cancel();
    timeout(DEADLINE, miner.ended()).await.expect("an end in time").unwrap();
    assert!(remote.physics().running, "as after kill -9: nobody could stop it");
    remote.reconnect().unwrap();
    let mut second = World::on(board, Options::of(GAMMA).gate_bits).await;
    second.mines().await;
    second.more_shares(5).await;
    assert_eq!(second.snapshot.borrow().boards[&second.id].totals.hardware_error, 0);
    second.stop().await;
}
