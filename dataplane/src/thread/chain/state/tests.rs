//! A chain's state with emulated chips at the other end, on a clock that the test turns.

use super::*;
use crate::{
    asic::bm13xx::{Model, register},
    job::{Job, header, merkle, tests::job},
    scheduler::slot::SlotSpace,
    simulate::{self, BoardKind, ChipModel, Fault, Options, Supply},
    thread::{Discard, Nonce, Work},
};
use mujina_core::units::ShareTarget;
use std::{collections::HashSet, sync::Arc};

/// A turn of the clock.
const TURN: Duration = Duration::from_millis(2);
/// As few as the emulated chips take, so that a minute of theirs takes seconds.
const GATE_BITS: u8 = 8;

pub(in crate::thread::chain) fn gamma() -> ChainSpec {
    ChainSpec {
        model: Model::Bm1370,
        chips: 1,
        address_interval: 256,
        baud: Some(1_000_000),
        gate_bits: GATE_BITS,
        results_per_second: 20.0,
        greatest_frequency: Frequency::from_megahertz(600.0),
    }
}

pub(in crate::thread::chain) fn ember_one() -> ChainSpec {
    ChainSpec { model: Model::Bm1362, chips: 12, address_interval: 16, ..gamma() }
}

/// Chips of a spec under good power, out of reset.
pub(in crate::thread::chain) fn chips(spec: &ChainSpec, now: Instant) -> simulate::Chain {
    let model = match spec.model {
        Model::Bm1362 => ChipModel::Bm1362,
        Model::Bm1366 => ChipModel::Bm1366,
        Model::Bm1368 => ChipModel::Bm1368,
        Model::Bm1370 => ChipModel::Bm1370,
        Model::Bm1397 => ChipModel::Bm1397,
    };
    let options = Options { gate_bits: spec.gate_bits, ..Options::of(BoardKind::BitaxeGamma) };
    let mut chain = simulate::Chain::new(model, spec.chips, &options, now);
    chain.supply(Supply::GOOD, now);
    chain
}

/// Work whose shares are so easy that the chips' own ticket decides.
pub(in crate::thread::chain) fn work(generation: u64, job: Job, slots: &mut SlotSpace) -> Arc<Work> {
    Arc::new(Work {
        generation,
        job: Arc::new(job),
        slot: slots.slot(0),
        ticket_target: ShareTarget::from_expected_hashes(1e12),
    })
}

pub(in crate::thread::chain) fn slots() -> SlotSpace {
    SlotSpace::new(8, [0x42; 32])
}

/// The hash of what a nonce says it is, worked out from the job alone.
pub(in crate::thread::chain) fn hash(nonce: &Nonce) -> [u8; 32] {
    let Nonce { work, extranonce, version, ntime, .. } = nonce;
    let root = merkle::root(&work.job, extranonce.as_bytes());
    header::hash(&header::with_root(&work.job, &root, *version, *ntime, nonce.nonce))
}

struct Rig {
    state: State,
    chips: simulate::Chain,
    now: Instant,
    wrote: Vec<Vec<u8>>,
    events: Vec<ThreadEvent>,
    ended: bool,
}

impl Rig {
    fn new(spec: ChainSpec) -> Self {
        let now = Instant::now();
        let chips = chips(&spec, now);
        let state = State::new(ThreadIndex(3), spec, now);
        Self {
            state,
            chips,
            now: now + Duration::from_millis(100),
            wrote: Vec::new(),
            events: Vec::new(),
            ended: false,
        }
    }

    fn perform(&mut self) {
        for action in self.state.take_actions() {
            match action {
                Action::Write(bytes) => {
                    let _ = self.chips.receive(&bytes, self.now);
                    self.wrote.push(bytes);
                }
                Action::SetBaud(_) | Action::Discard => {}
                Action::Tell(event) => self.events.push(event),
                Action::Answer(answer) => answer.send(),
                Action::End => self.ended = true,
            }
        }
    }

    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.now += TURN;
            let bytes = self.chips.run(self.now);
            self.state.receive(&bytes, self.now);
            if self.state.due().is_some_and(|due| due <= self.now) {
                self.state.tick(self.now);
            }
            self.perform();
        }
    }

    fn run_for_answer<T>(&mut self, mut answer: oneshot::Receiver<T>) -> T {
        for _ in 0..20_000 {
            match answer.try_recv() {
                Ok(answer) => return answer,
                Err(oneshot::error::TryRecvError::Empty) => self.run(TURN),
                Err(oneshot::error::TryRecvError::Closed) => panic!("an order was dropped"),
            }
        }
        panic!("no answer in 40 s");
    }

    fn order<T>(&mut self, order: impl FnOnce(oneshot::Sender<T>) -> ChainOrder) -> oneshot::Receiver<T> {
        let (reply, answer) = oneshot::channel();
        self.state.order(order(reply), self.now);
        self.perform();
        answer
    }

    fn bring_up(&mut self) -> Result<(), ChainError> {
        let answer = self.order(ChainOrder::BringUp);
        self.run_for_answer(answer)
    }

    fn set(&mut self, megahertz: f64) -> Result<Frequency, ChainError> {
        let answer = self.order(|reply| ChainOrder::SetFrequency(Frequency::from_megahertz(megahertz), reply));
        self.run_for_answer(answer)
    }

    fn give(&mut self, assignment: Assignment) {
        self.state.assign(assignment, self.now);
        self.perform();
    }

    fn report(&mut self) -> ChainReport {
        self.state.report(self.now, SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000))
    }

    fn nonces(&self) -> Vec<&Nonce> {
        self.events
            .iter()
            .filter_map(|event| if let ThreadEvent::Nonce(nonce) = event { Some(nonce) } else { None })
            .collect()
    }

    fn discarded(&self) -> Vec<Discard> {
        let reason = |event: &ThreadEvent| match event {
            ThreadEvent::Discarded { reason, .. } => Some(*reason),
            _ => None,
        };
        self.events.iter().filter_map(reason).collect()
    }
}

fn hashes_well(spec: ChainSpec, megahertz: f64) -> Rig {
    let mut rig = Rig::new(spec);
    let mut slots = slots();
    rig.give(Assignment::Work(work(1, job(), &mut slots)));
    assert_eq!(rig.bring_up(), Ok(()));
    let reached = rig.set(megahertz).unwrap().megahertz();
    assert!((reached - megahertz).abs() < 3.2, "{reached}");
    rig.run(Duration::from_secs(20));
    let nonces = rig.nonces();
    assert!(nonces.len() > 100, "{}", nonces.len());
    let hashes: HashSet<_> = nonces.iter().map(|nonce| hash(nonce)).collect();
    assert_eq!(hashes.len(), nonces.len(), "a header came twice");
    assert!(nonces.iter().all(|nonce| nonce.ticket_target.is_met_by(hash(nonce))));
    let extranonces: HashSet<_> = nonces.iter().map(|nonce| nonce.extranonce.as_bytes().to_vec()).collect();
    assert!(extranonces.len() >= 10, "work was renewed: {}", extranonces.len());
    assert_eq!(rig.discarded(), []);
    assert_eq!(rig.chips.violations(), []);
    assert_eq!(rig.chips.statistics().duplicates, 0);
    rig
}

#[test]
fn lone_chip_hashes_without_errors_and_duplicates() {
    let mut rig = hashes_well(gamma(), 525.0);
    let report = rig.report();
    assert!(report.up && report.hashing && report.failure.is_none());
    assert_eq!((report.late_renewals, report.line_errors), (0, 0));
    let [chip] = report.chips.as_slice() else { panic!("{report:?}") };
    assert_eq!(chip.notes, Vec::<String>::new());
    let (rate, error) = (chip.hash_rate.unwrap().hashes_per_second(), chip.relative_error.unwrap());
    let nominal = chip.nominal_hash_rate.hashes_per_second();
    assert!((rate / nominal - 1.0).abs() < 5.0 * error, "{rate} of {nominal} ± {error}");
}

#[test]
fn all_chips_of_a_long_chain_hash_and_are_told_apart() {
    let mut rig = hashes_well(ember_one(), 400.0);
    let report = rig.report();
    assert_eq!(report.chips.len(), 12);
    assert!(report.chips.iter().all(|chip| chip.verified > 3 && chip.notes.is_empty()), "{:?}", report.chips);
}

#[test]
fn other_models_hash_as_well() {
    for model in [Model::Bm1366, Model::Bm1368] {
        hashes_well(ChainSpec { model, ..gamma() }, 485.0);
    }
    hashes_well(ChainSpec { model: Model::Bm1397, ..gamma() }, 425.0);
}

/// Bytes of the job in what was written.
fn job_of(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0x55, 0xaa, 0x21])
}

#[test]
fn new_job_is_the_first_thing_on_the_line() {
    let mut rig = Rig::new(gamma());
    let mut slots = slots();
    rig.give(Assignment::Work(work(1, job(), &mut slots)));
    assert!(rig.wrote.is_empty(), "chips in reset are told nothing");
    rig.bring_up().unwrap();
    rig.run(Duration::from_secs(1));
    rig.wrote.clear();
    rig.events.clear();
    rig.give(Assignment::Work(work(2, Job { prev_hash: [8; 32], ..job() }, &mut slots)));
    assert!(rig.wrote.first().is_some_and(|bytes| job_of(bytes)), "{:?}", rig.wrote);
    let Some(ThreadEvent::Started { generation: 2, gap: Some(gap), .. }) = rig.events.first() else {
        panic!("{:?}", rig.events);
    };
    assert!(*gap < Duration::from_millis(2));
    rig.run(Duration::from_secs(3));
    assert!(rig.nonces().iter().any(|nonce| nonce.work.generation == 2));
    assert_eq!(rig.discarded(), []);
}

#[test]
fn idle_chips_stop_and_go_on_with_the_next_work() {
    let mut rig = Rig::new(gamma());
    let mut slots = slots();
    rig.give(Assignment::Work(work(1, job(), &mut slots)));
    rig.bring_up().unwrap();
    rig.run(Duration::from_secs(1));
    rig.give(Assignment::Idle);
    assert!(matches!(rig.events.last(), Some(ThreadEvent::Idle { generation: 1, .. })));
    let (events, hashes) = (rig.events.len(), slots.hashes());
    assert!(hashes > 0);
    rig.run(Duration::from_secs(3));
    assert_eq!((rig.events.len(), slots.hashes()), (events, hashes));
    assert!(!rig.report().hashing);
    rig.give(Assignment::Work(work(2, job(), &mut slots)));
    assert!(matches!(rig.events.last(), Some(ThreadEvent::Started { generation: 2, gap: None, .. })));
    rig.run(Duration::from_secs(5));
    assert!(rig.nonces().iter().any(|nonce| nonce.work.generation == 2));
    assert_eq!((rig.discarded(), rig.chips.violations()), (vec![], vec![]));
}

#[test]
fn job_that_forbids_rolling_is_hashed_with_its_own_version() {
    let mut rig = Rig::new(gamma());
    let mut slots = slots();
    rig.give(Assignment::Work(work(1, job(), &mut slots)));
    rig.bring_up().unwrap();
    rig.run(Duration::from_secs(2));
    for (generation, version_mask) in [(2, 0), (3, 0x00ff_e000)] {
        let fixed = Job { version: 0x2000_4000, version_mask, ..job() };
        rig.give(Assignment::Work(work(generation, fixed, &mut slots)));
        rig.run(Duration::from_secs(5));
        let nonces = rig.nonces();
        let of_it: Vec<_> = nonces.iter().filter(|nonce| nonce.work.generation == generation).collect();
        assert!(!of_it.is_empty());
        assert!(of_it.iter().all(|nonce| nonce.work.job.allows_version(nonce.version)));
        assert!(of_it.iter().all(|nonce| nonce.ticket_target.is_met_by(hash(nonce))));
    }
    assert!(!rig.discarded().contains(&Discard::HardwareError), "{:?}", rig.report());
    assert_eq!(rig.chips.violations(), []);
}

#[test]
fn used_up_search_space_is_told_once_and_goes_on_with_the_next_second() {
    let mut rig = Rig::new(gamma());
    let mut slots = SlotSpace::new(1, [0x42; 32]);
    let small = Job { extranonce_size: 1, ..job() };
    rig.give(Assignment::Work(work(1, small, &mut slots)));
    let slot = slots.slot(0);
    let ntime = job().min_ntime;
    let work = rig.state.working.current().cloned().unwrap();
    rig.bring_up().unwrap();
    while slot.next(work.job.fingerprint(), ntime + 6000).is_some() {}
    rig.run(Duration::from_secs(3));
    let exhausted = |event: &&ThreadEvent| matches!(event, ThreadEvent::Exhausted { generation: 1, .. });
    assert_eq!(rig.events.iter().filter(exhausted).count(), 1);
    assert!(!rig.report().hashing);
    assert!(rig.state.due().is_some(), "it is tried again");
}

#[test]
fn halt_ends_a_ramp_and_a_second_bring_up_takes_the_work_up_again() {
    let mut rig = Rig::new(ember_one());
    let mut slots = slots();
    rig.give(Assignment::Work(work(1, job(), &mut slots)));
    rig.bring_up().unwrap();
    let ramp = rig.order(|reply| ChainOrder::SetFrequency(Frequency::from_megahertz(500.0), reply));
    rig.run(Duration::from_secs(1));
    let halted = rig.order(ChainOrder::Halt);
    assert_eq!(rig.run_for_answer(ramp), Err(ChainError::Halted));
    rig.run_for_answer(halted);
    rig.wrote.clear();
    rig.run(Duration::from_secs(2));
    assert!(rig.wrote.is_empty(), "a halted chain is told nothing");
    assert!(!rig.report().up);
    rig.chips.supply(Supply { running: false, ..Supply::GOOD }, rig.now);
    rig.chips.supply(Supply::GOOD, rig.now);
    rig.run(Duration::from_millis(100));
    let before = rig.nonces().len();
    rig.bring_up().unwrap();
    rig.run(Duration::from_secs(5));
    assert!(rig.nonces().len() > before);
    assert_eq!((rig.discarded(), rig.chips.violations()), (vec![], vec![]));
}

#[test]
fn clock_never_exceeds_the_greatest_that_is_allowed() {
    let mut rig = Rig::new(gamma());
    rig.bring_up().unwrap();
    let reached = rig.set(2000.0).unwrap();
    assert!(reached.megahertz() <= 600.0 && reached.megahertz() > 595.0, "{reached}");
    let rates: Vec<_> = rig.events.iter().filter(|event| matches!(event, ThreadEvent::Rate { .. })).collect();
    assert_eq!(rates.len(), 2, "after the bring-up and after the ramp");
    assert!(rig.wrote.iter().any(|bytes| bytes.get(5) == Some(&register::HASH_COUNTING_NUMBER)));
    let back = rig.set(100.0).unwrap();
    assert!((back.megahertz() - 100.0).abs() < 3.2, "{back}");
}

#[test]
fn missing_chips_fail_the_bring_up() {
    let mut rig = Rig::new(ember_one());
    rig.chips.inject(Fault::BrokenAfter { chips: 5 });
    assert_eq!(rig.bring_up(), Err(ChainError::ChipsMissing { found: 5, expected: 12 }));
    let refused = rig.set(100.0);
    assert_eq!(refused, Err(ChainError::Halted));
}

#[test]
fn every_chip_finds_golden_nonces_but_a_stuck_one() {
    let mut rig = Rig::new(ember_one());
    let mut slots = slots();
    rig.give(Assignment::Work(work(1, job(), &mut slots)));
    rig.bring_up().unwrap();
    rig.set(300.0).unwrap();
    let search = |time| move |reply| ChainOrder::FindGoldenNonces(Duration::from_secs(time), reply);
    let answer = rig.order(search(30));
    assert_eq!(rig.run_for_answer(answer), Ok(vec![true; 12]));
    rig.chips.inject(Fault::StuckChip { chip: 4 });
    let answer = rig.order(search(10));
    let found = rig.run_for_answer(answer).unwrap();
    assert_eq!(found, (0..12).map(|chip| chip != 4).collect::<Vec<_>>());
    rig.events.clear();
    rig.run(Duration::from_secs(20));
    assert!(!rig.nonces().is_empty(), "work goes on afterwards");
    let notes = rig.report().chips.into_iter().map(|chip| chip.notes);
    let odd: Vec<_> =
        (0..).zip(notes).filter(|(_, notes)| !notes.is_empty()).map(|(index, _): (u32, _)| index).collect();
    assert_eq!(odd, [4]);
}

#[test]
fn nonces_that_come_twice_are_counted_and_go_no_further() {
    let mut rig = Rig::new(gamma());
    let mut slots = slots();
    rig.give(Assignment::Work(work(1, job(), &mut slots)));
    rig.bring_up().unwrap();
    rig.set(525.0).unwrap();
    rig.chips.inject(Fault::RepeatedNonces);
    rig.run(Duration::from_secs(60));
    let hashes: HashSet<_> = rig.nonces().iter().map(|nonce| hash(nonce)).collect();
    assert_eq!(hashes.len(), rig.nonces().len());
    assert!(rig.discarded().iter().all(|reason| *reason == Discard::Duplicate));
    let [chip] = rig.report().chips.try_into().unwrap();
    assert!(chip.duplicates > 100 && usize::try_from(chip.duplicates) == Ok(rig.discarded().len()));
    assert!(chip.notes.iter().any(|note| note.contains("repeats itself")), "{:?}", chip.notes);
}

#[test]
fn wrong_nonces_count_as_errors_of_the_chip() {
    for (fault, count) in [
        (Fault::BelowTicket, (|errors| errors.wrong_hash) as fn(mujina_core::board::ChipErrors) -> u64),
        (Fault::UnknownJob, |errors| errors.unknown_job + errors.wrong_hash),
    ] {
        let mut rig = Rig::new(gamma());
        let mut slots = slots();
        rig.give(Assignment::Work(work(1, job(), &mut slots)));
        rig.bring_up().unwrap();
        rig.set(525.0).unwrap();
        rig.chips.inject(fault);
        rig.events.clear();
        rig.run(Duration::from_secs(10));
        let [chip] = rig.report().chips.try_into().unwrap();
        assert!(count(chip.errors) > 20, "{fault:?}: {chip:?}");
        assert!(rig.discarded().contains(&Discard::HardwareError));
        assert!(chip.notes.iter().any(|note| note.contains("wrong")), "{:?}", chip.notes);
    }
}

#[test]
fn slow_chip_is_noted_among_its_neighbours() {
    let mut rig = Rig::new(ember_one());
    let mut slots = slots();
    rig.give(Assignment::Work(work(1, job(), &mut slots)));
    rig.bring_up().unwrap();
    rig.set(400.0).unwrap();
    rig.chips.inject(Fault::SlowChip { chip: 5, percent: 20 });
    rig.run(Duration::from_secs(60));
    for chip in rig.report().chips {
        let is_noted = chip.notes.iter().any(|note| note.contains("of what its clock should give"));
        assert_eq!(is_noted, chip.index == 5, "{chip:?}");
    }
}

#[test]
fn silence_of_all_chips_is_a_failure() {
    let mut rig = Rig::new(gamma());
    let mut slots = slots();
    rig.give(Assignment::Work(work(1, job(), &mut slots)));
    rig.bring_up().unwrap();
    rig.run(Duration::from_secs(5));
    assert_eq!(rig.report().failure, None);
    rig.chips.inject(Fault::StuckChip { chip: 0 });
    rig.run(Duration::from_secs(5));
    assert!(rig.report().failure.is_some());
}

#[test]
fn late_renewal_is_counted() {
    let mut rig = Rig::new(ChainSpec { model: Model::Bm1397, ..gamma() });
    let mut slots = slots();
    rig.give(Assignment::Work(work(1, job(), &mut slots)));
    rig.bring_up().unwrap();
    rig.set(425.0).unwrap();
    rig.run(Duration::from_secs(1));
    assert_eq!(rig.report().late_renewals, 0);
    rig.now += Duration::from_secs(2);
    rig.run(TURN);
    assert_eq!(rig.report().late_renewals, 1);
}

#[test]
fn chain_that_is_told_to_stop_stops_its_chips_and_ends() {
    let mut rig = Rig::new(gamma());
    let mut slots = slots();
    rig.give(Assignment::Work(work(1, job(), &mut slots)));
    rig.bring_up().unwrap();
    rig.wrote.clear();
    rig.give(Assignment::Stop);
    assert!(rig.ended);
    assert_eq!(rig.wrote.len(), 1);
    assert!(rig.wrote.first().is_some_and(|bytes| bytes.get(5..10) == Some(&[0x10, 0, 0, 0, 0])));
}
