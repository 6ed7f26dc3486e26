//! A board that does what a test says, and minds what is done to it: hardware, chain and opener over one state.

use crate::{
    asic::bm13xx::{ChainError, ChainSpec},
    board::{
        hardware::{Hardware, HardwareError, OpenError, Opened, Opener, Survey},
        known::Board,
        led::Rgb,
        task::chain::{ChainLink, Chains},
        thermal::{FanReading, Readings, RegulatorReading},
    },
    thread::chain::{ChainOrder, ChainReport},
    transport::device::BoardDevice,
};
use mujina_core::{
    board::{ChipErrors, ChipReport, RailReport, SafeStateReport},
    id::BoardId,
    units::{Amperes, Celsius, Frequency, HashRate, Volts, Watts},
};
use std::{
    collections::BTreeMap,
    io,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};
use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};

/// A board on the bench. Clones are the same board.
#[derive(Clone)]
pub(crate) struct Bench(Arc<Mutex<State>>);

pub(crate) struct State {
    /// What was done, in order: `open`, `power`, `restart`, `voltage`, `safe`, `fan`, `chain`, `bring up`, `clock`, `halt`,
    /// `golden`, with its number.
    pub(crate) calls: Vec<String>,
    /// When it was looked at.
    pub(crate) looks: Vec<Instant>,
    /// When it was made safe.
    pub(crate) safes: Vec<Instant>,
    /// How often a step still fails.
    pub(crate) fails: BTreeMap<&'static str, u32>,
    /// A step that panics.
    pub(crate) panics: Option<&'static str>,
    /// A step that does not end.
    pub(crate) hangs: Option<&'static str>,
    /// What should not have been done.
    pub(crate) violations: Vec<String>,
    board: Board,
    pub(crate) temperatures: BTreeMap<String, Result<Celsius, String>>,
    pub(crate) answers: bool,
    /// Whether the safe state is read back.
    pub(crate) confirms: bool,
    pub(crate) rpm: Option<u32>,
    pub(crate) duty: f64,
    pub(crate) status_word: u16,
    pub(crate) watts: f64,
    pub(crate) powered: bool,
    pub(crate) released: bool,
    pub(crate) voltage: Volts,
    pub(crate) has_led: bool,
    pub(crate) lights: Vec<Rgb>,
    pub(crate) clock: Frequency,
    /// Whether there is work.
    pub(crate) works: bool,
    pub(crate) up: bool,
    pub(crate) lost: u32,
    pub(crate) silent: Option<String>,
    pub(crate) golden: bool,
    /// Ends the thread of the chain without a word.
    pub(crate) chain_ends: bool,
    pub(crate) chains: u32,
}

impl Bench {
    pub(crate) fn new(board: Board) -> Self {
        let limits = board.limits(32);
        let temperature = |name: &String| (name.clone(), Ok(Celsius::from_degrees(40.0)));
        Self(Arc::new(Mutex::new(State {
            calls: Vec::new(),
            looks: Vec::new(),
            safes: Vec::new(),
            fails: BTreeMap::new(),
            panics: None,
            hangs: None,
            violations: Vec::new(),
            temperatures: limits.sensors.keys().map(temperature).collect(),
            board,
            answers: true,
            confirms: true,
            rpm: Some(2400),
            duty: 0.0,
            status_word: 0,
            watts: 14.0,
            powered: false,
            released: false,
            voltage: Volts::ZERO,
            has_led: limits.series,
            lights: Vec::new(),
            clock: Frequency::ZERO,
            works: true,
            up: false,
            lost: 0,
            silent: None,
            golden: true,
            chain_ends: false,
            chains: 0,
        })))
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        // A panic that the test planned may have held it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn heat(&self, sensor: &str, degrees: f64) {
        self.state().temperatures.insert(sensor.into(), Ok(Celsius::from_degrees(degrees)));
    }

    /// Calls that begin with this.
    pub(crate) fn count(&self, call: &str) -> usize {
        self.state().calls.iter().filter(|done| done.starts_with(call)).count()
    }

    async fn step(&self, name: &'static str, detail: impl Into<String>) -> Result<(), HardwareError> {
        let detail = detail.into();
        let (hangs, fails) = {
            let mut state = self.state();
            state.calls.push(format!("{name} {detail}").trim().to_owned());
            if state.panics == Some(name) {
                state.panics = None;
                drop(state);
                panic!("as the test planned");
            }
            let left = state.fails.entry(name).or_default();
            let fails = *left > 0;
            *left = left.saturating_sub(1);
            (state.hangs == Some(name), fails)
        };
        if hangs {
            std::future::pending::<()>().await;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        if fails { Err(HardwareError::Part { part: name, problem: "as planned".into() }) } else { Ok(()) }
    }
}

impl State {
    fn mind(&mut self, good: bool, what: &str) {
        if !good {
            self.violations.push(format!("{what} after {:?}", self.calls.last()));
        }
    }
}

pub(crate) struct FakeHardware(Bench);

impl Hardware for FakeHardware {
    async fn power_up(&mut self, voltage: Volts) -> Result<(), HardwareError> {
        self.0.step("power", format!("{:.3}", voltage.volts())).await?;
        let mut state = self.0.state();
        let released = state.released;
        state.mind(!released, "power with reset released");
        (state.powered, state.voltage, state.clock) = (true, voltage, Frequency::ZERO);
        Ok(())
    }

    async fn restart_chips(&mut self) -> Result<(), HardwareError> {
        self.0.step("restart", "").await?;
        let mut state = self.0.state();
        let powered = state.powered;
        state.mind(powered, "reset released without power");
        state.released = true;
        Ok(())
    }

    async fn set_voltage(&mut self, voltage: Volts) -> Result<(), HardwareError> {
        self.0.step("voltage", format!("{:.3}", voltage.volts())).await?;
        let mut state = self.0.state();
        state.voltage = voltage;
        state.mind_voltage();
        Ok(())
    }

    async fn make_safe(&mut self, reason: &str) -> SafeStateReport {
        // It does not fail as steps do: it says what it could not prove.
        let _ = self.0.step("safe", reason).await;
        let mut state = self.0.state();
        let up = state.up;
        state.mind(!up, "made safe before the chain was halted");
        state.safes.push(Instant::now());
        let confirmed = state.confirms;
        if confirmed {
            (state.powered, state.released) = (false, false);
        }
        let detail = if confirmed { "reset low, core off" } else { "nothing answers" };
        SafeStateReport { at: SystemTime::now(), reason: reason.into(), confirmed, detail: detail.into() }
    }

    async fn survey(&mut self) -> Survey {
        if self.0.state().hangs == Some("survey") {
            std::future::pending::<()>().await;
        }
        let panics = self.0.state().panics == Some("survey");
        assert!(!panics, "as the test planned");
        let mut state = self.0.state();
        state.looks.push(Instant::now());
        if !state.answers {
            let readings = Readings { problem: "as planned".into(), ..Readings::default() };
            return Survey { readings, rails: Vec::new() };
        }
        let fan =
            state.board.limits(32).fan.map(|_| FanReading { duty: state.duty, rpm: state.rpm, write_failed: None });
        let core = state.powered.then_some(state.voltage);
        let regulator = Some(RegulatorReading {
            status_word: state.status_word,
            voltage: core,
            current: Some(Amperes::from_amperes(10.0)),
            input: Some(Volts::from_volts(12.0)),
        });
        let temperatures = state.temperatures.clone();
        let readings = Readings { answered: true, temperatures, fan, regulator, ..Readings::default() };
        let power = Some(Watts::from_watts(state.watts));
        let rail =
            |name: &str, set, voltage, power| RailReport { name: name.into(), set, voltage, current: None, power };
        let input = Some(Volts::from_volts(12.0));
        Survey { readings, rails: vec![rail("core", core, core, power), rail("input", None, input, None)] }
    }

    async fn drive_fan(&mut self, percent: f64) {
        self.0.state().duty = percent;
    }

    async fn shine(&mut self, light: Rgb) {
        self.0.state().lights.push(light);
    }

    fn has_led(&self) -> bool {
        self.0.state().has_led
    }
}

/// As a panic or a task that was cut leaves it.
impl Drop for FakeHardware {
    fn drop(&mut self) {
        let mut state = self.0.state();
        if state.powered && state.confirms {
            state.calls.push("last resort".into());
            (state.powered, state.released, state.up) = (false, false, false);
        }
    }
}

impl State {
    /// Chips must have the voltage that their clock needs.
    fn mind_voltage(&mut self) {
        let limits = self.board.limits(32);
        let enough = self.voltage.volts() + 1e-6 >= limits.curve.at(self.clock).volts();
        let bears = limits.voltage.contains(self.voltage) && self.clock <= limits.frequency.greatest;
        self.mind(enough, "too little voltage");
        self.mind(bears, "more than the board bears");
    }
}

/// All boards of a test, by serial number.
#[derive(Clone, Default)]
pub(crate) struct Benches(Arc<Mutex<BTreeMap<String, Bench>>>);

impl Benches {
    pub(crate) fn add(&self, serial: &str, board: Board) -> Bench {
        let bench = Bench::new(board);
        self.0.lock().unwrap().insert(serial.into(), bench.clone());
        bench
    }

    fn find(&self, serial: &str) -> Bench {
        self.0.lock().unwrap().get(serial).expect("a board on the bench").clone()
    }
}

/// The device of a board; its ports have these numbers.
pub(crate) fn device(place: &str, serial: &str, family: (&str, &str), tty: u32) -> BoardDevice {
    BoardDevice {
        place: place.into(),
        manufacturer: family.0.into(),
        product: family.1.into(),
        serial: serial.into(),
        release: 0,
        control: format!("/fake/{serial}/tty{tty}").into(),
        data: format!("/fake/{serial}/tty{}", tty + 1).into(),
    }
}

impl Opener for Benches {
    type Hardware = FakeHardware;

    async fn open(&mut self, device: &BoardDevice, _: &BoardId) -> Result<Opened<FakeHardware>, OpenError> {
        let bench = self.find(&device.serial);
        bench.step("open", device.control.display().to_string()).await?;
        let mut state = bench.state();
        (state.powered, state.released, state.up) = (false, false, false);
        let board = state.board;
        drop(state);
        Ok(Opened { board, hardware: FakeHardware(bench), facts: [("firmware".into(), "1.0".into())].into() })
    }
}

impl Chains for Benches {
    fn start(&mut self, _: &BoardId, spec: ChainSpec, port: PathBuf) -> io::Result<ChainLink> {
        let serial = port.parent().and_then(|path| path.file_name()).and_then(|name| name.to_str()).unwrap();
        let bench = self.find(serial);
        bench.state().calls.push("chain".into());
        if bench.state().fails.get("chain").is_some_and(|left| *left > 0) {
            return Err(io::Error::other("as planned"));
        }
        bench.state().chains += 1;
        let (orders, taken) = mpsc::channel(4);
        let (teller, report) = watch::channel(ChainReport::default());
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(chain(bench, spec, taken, teller));
        tasks.detach_all();
        Ok(ChainLink { orders, report })
    }
}

/// A chain: follows orders, takes the time that real ones take, and tells how it is.
async fn chain(
    bench: Bench,
    spec: ChainSpec,
    mut orders: mpsc::Receiver<ChainOrder>,
    teller: watch::Sender<ChainReport>,
) {
    let mut waiting = None;
    loop {
        let order = match waiting.take() {
            Some(order) => Some(order),
            None => tokio::select! {
                order = orders.recv() => order,
                () = tokio::time::sleep(Duration::from_millis(250)) => {
                    if std::mem::take(&mut bench.state().chain_ends) {
                        bench.state().up = false;
                        return;
                    }
                    tell(&bench, &spec, &teller);
                    continue;
                }
            },
        };
        let Some(order) = order else {
            bench.state().up = false;
            return;
        };
        if let ChainOrder::Halt(reply) = order {
            bench.state().calls.push("halt".into());
            bench.state().up = false;
            tell(&bench, &spec, &teller);
            let _ = reply.send(());
            continue;
        }
        let (name, time, detail) = {
            let clock = bench.state().clock;
            match &order {
                ChainOrder::BringUp(_) => ("bring up", Duration::from_millis(800), String::new()),
                ChainOrder::SetFrequency(to, _) => {
                    let way = (to.megahertz() - clock.megahertz()).abs();
                    ("clock", Duration::from_secs_f64(way / 62.5), format!("{:.2}", to.megahertz()))
                }
                _ => ("golden", Duration::from_secs(2), String::new()),
            }
        };
        let released = bench.state().released;
        bench.state().mind(released, "bytes for chips in reset");
        let done = tokio::select! {
            done = async { tokio::time::sleep(time).await; bench.step(name, detail).await } => done,
            next = orders.recv() => { waiting = next; if waiting.is_none() { bench.state().up = false; return } continue }
        };
        let refused = |_| ChainError::Silent { index: 0, step: "what the test planned".into() };
        {
            let mut state = bench.state();
            match &order {
                ChainOrder::BringUp(_) if done.is_ok() => {
                    (state.up, state.clock) = (true, Frequency::from_megahertz(56.25));
                }
                ChainOrder::SetFrequency(to, _) if done.is_ok() => {
                    state.clock = *to;
                    state.mind_voltage();
                }
                _ => {}
            }
        }
        tell(&bench, &spec, &teller);
        let clock = bench.state().clock;
        let golden = bench.state().golden;
        match order {
            ChainOrder::BringUp(reply) => drop(reply.send(done.map_err(refused))),
            ChainOrder::SetFrequency(_, reply) => drop(reply.send(done.map(|()| clock).map_err(refused))),
            ChainOrder::FindGoldenNonces(_, reply) => {
                let found = (0..spec.chips).map(|chip| golden || chip > 0).collect();
                drop(reply.send(done.map(|()| found).map_err(refused)));
            }
            ChainOrder::Halt(reply) => drop(reply.send(())),
        }
    }
}

fn tell(bench: &Bench, spec: &ChainSpec, teller: &watch::Sender<ChainReport>) {
    let state = bench.state();
    let chip = |index: u8| ChipReport {
        index: index.into(),
        address: 0,
        chip_id: spec.model.constants().chip_id,
        verified: 0,
        errors: ChipErrors::default(),
        duplicates: 0,
        hash_rate: None,
        relative_error: None,
        nominal_hash_rate: HashRate::default(),
        last_nonce_at: None,
        notes: Vec::new(),
    };
    let up = state.up;
    teller.send_replace(ChainReport {
        up,
        hashing: up && state.works,
        frequency: up.then_some(state.clock),
        chips: (0..spec.chips).map(chip).collect(),
        lost_chips: if up { state.lost } else { 0 },
        failure: state.silent.clone().filter(|_| up),
        ..ChainReport::default()
    });
}
