//! A board put together: controller, parts, physics and chips, and the wires between. Pure: time is given.

use super::{
    BoardKind, Fault, Options, PhysicsReport, RegulatorFault,
    chain::{Chain, Supply},
    fault::Faults,
    mcu::{Bus, Firmware, Mcu, Nak, Outcome, Protocol},
    part::{Diode, Ds4432u, Emc2101, Ina260, Measured, Part, Tmp451, Tmp1075, Tps546},
    physics::{Board, Drive, Physics},
    record::{Event, Log, Violation},
};
use mujina_core::units::{Amperes, Celsius, Frequency, Volts, Watts};
use std::time::{Duration, Instant};

/// Output lines of the controller.
const RESET: u8 = 0;
const CORE_ENABLE: u8 = 1;
const IO_ENABLE: u8 = 2;
/// Most that physics lets pass in one step, in seconds.
const STEP: f64 = 1.0;

/// A board with power.
#[derive(Debug)]
pub(super) struct Assembly {
    pub(super) chain: Chain,
    pub(super) mcu: Mcu,
    wires: Wires,
    time_scale: f64,
    refreshed: Instant,
}

/// Everything that the controller reaches.
#[derive(Debug)]
struct Wires {
    kind: BoardKind,
    board: Board,
    parts: Vec<Box<dyn Part>>,
    gpio: [bool; 3],
    physics: Physics,
    core: f64,
    has_core: bool,
    ambient: f64,
    cooling: f64,
    measured: Measured,
    log: Log,
    faults: Faults,
    now: Instant,
}

impl Assembly {
    pub(super) fn new(kind: BoardKind, options: &Options, faults: Faults, log: Log, now: Instant) -> Self {
        let model = options.model.unwrap_or(kind.chip_model());
        let chips = options.chips.unwrap_or(kind.chips());
        let chain = Chain::with(model, chips, options, faults.clone(), log.clone(), now);
        let mut assembly = Self {
            chain,
            mcu: Mcu::new(firmware(kind, options.release)),
            wires: Wires::new(kind, options, faults, log, now),
            time_scale: options.time_scale.max(0.0),
            refreshed: now,
        };
        assembly.refresh(now);
        assembly
    }

    /// The controller began anew: its lines are as at power-on, the parts keep their state.
    pub(super) fn restart_controller(&mut self, now: Instant) {
        self.wires.gpio = power_on_lines(self.wires.kind);
        self.mcu.forget();
        self.refresh(now);
    }

    /// Takes a packet on the control port.
    pub(super) fn control(&mut self, packet: &[u8], now: Instant) -> Outcome {
        let faults = self.wires.faults.clone();
        if faults.has(Fault::ControlDead) || faults.has(Fault::ControllerHang) {
            return Outcome::Nothing;
        }
        self.refresh(now);
        let outcome = self.mcu.packet(packet, now, &mut self.wires);
        self.refresh(now);
        match outcome {
            Outcome::Reply(_) if faults.has(Fault::ControlMute) => Outcome::Nothing,
            Outcome::Reply(mut reply) => {
                if let Some(id) = reply.get_mut(2).filter(|_| faults.has(Fault::WrongReplyId)) {
                    *id = id.wrapping_add(1);
                }
                Outcome::Reply(reply)
            }
            other => other,
        }
    }

    /// Discards the beginning of a request that has waited too long.
    pub(super) fn discard(&mut self, now: Instant) {
        self.wires.now = now;
        self.mcu.discard(now, &mut self.wires);
    }

    /// Whether the data port lives.
    pub(super) fn moves_data(&self) -> bool {
        let faults = &self.wires.faults;
        !faults.has(Fault::DataDead) && !faults.has(Fault::ControllerHang)
    }

    /// Lets time pass for physics, and tells chips and parts what it did.
    pub(super) fn refresh(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.refreshed).as_secs_f64() * self.time_scale;
        self.refreshed = self.refreshed.max(now);
        self.wires.now = now;
        let (clock, activity) = (self.chain.clock(), self.chain.activity());
        let mut left = passed;
        while left > 0.0 {
            self.wires.pass(left.min(STEP), clock, activity);
            left -= STEP;
        }
        self.wires.settle();
        let supply = self.wires.supply(clock);
        if supply.running != self.chain.is_running() {
            self.wires.log.note(Event::Running(supply.running), now);
        }
        self.chain.supply(supply, now);
    }

    /// What an instrument would measure.
    pub(super) fn report(&self) -> PhysicsReport {
        let Wires { physics, core, .. } = &self.wires;
        PhysicsReport {
            chip: Celsius::from_degrees(physics.chip),
            regulator: Celsius::from_degrees(physics.regulator),
            input: Volts::from_volts(physics.input),
            core: Volts::from_volts(*core),
            current: Amperes::from_amperes(physics.current),
            power: Watts::from_watts(physics.power),
            rpm: physics.rpm,
            fan_duty: self.wires.fan_duty(),
            clock: Frequency::from_megahertz(self.chain.clock() / 1e6),
            running: self.chain.is_running(),
            hung: self.chain.is_hung(),
        }
    }

    /// When it must be looked at again though nothing came.
    pub(super) fn wakes_at(&self, now: Instant) -> Instant {
        let tick = if self.chain.activity() > 0.0 { Duration::from_millis(5) } else { Duration::from_millis(50) };
        let times = [self.mcu.discards_at(), self.chain.next_due()];
        times.into_iter().flatten().fold(now + tick, Instant::min)
    }
}

impl Wires {
    fn new(kind: BoardKind, options: &Options, faults: Faults, log: Log, now: Instant) -> Self {
        let (board, ambient) = (Board::of(kind), options.ambient.degrees());
        let physics = Physics::new(board, ambient);
        let measured = Measured {
            chip: ambient,
            circuit_board: ambient,
            regulator: ambient,
            ambient,
            input: physics.input,
            core: 0.0,
            current: 0.0,
            power: 0.0,
            rpm: 0.0,
            diode: Diode::Good,
        };
        let parts: Vec<Box<dyn Part>> = match kind {
            BoardKind::EmberOne => {
                vec![Box::new(Tps546::new(measured)), Box::new(Tmp1075::at(0x4a)), Box::new(Tmp451::new())]
            }
            BoardKind::BitaxeMax => {
                vec![Box::new(Ds4432u::default()), Box::new(Ina260::default()), Box::new(Emc2101::new())]
            }
            BoardKind::BitaxeGamma | BoardKind::BitaxeUltra | BoardKind::BitaxeSupra => {
                vec![Box::new(Tps546::new(measured)), Box::new(Emc2101::new())]
            }
        };
        let (gpio, cooling) = (power_on_lines(kind), options.cooling);
        let (core, has_core) = (0.0, false);
        Self { kind, board, parts, gpio, physics, core, has_core, ambient, cooling, measured, log, faults, now }
    }

    fn line(&self, line: u8) -> bool {
        self.gpio.get(usize::from(line)).copied().unwrap_or_default()
    }

    fn fan_duty(&self) -> f64 {
        self.parts.iter().find_map(|part| part.fan_duty()).unwrap_or(self.cooling)
    }

    fn pass(&mut self, seconds: f64, clock: f64, activity: f64) {
        let heat = |fault| if let Fault::Heat { degrees_per_minute } = fault { Some(degrees_per_minute) } else { None };
        let drive = Drive {
            core: self.core,
            clock,
            activity,
            has_input: !self.faults.has(Fault::NoInput),
            fan_duty: self.fan_duty(),
            fan_stalls: self.faults.has(Fault::FanStall),
            ambient: self.ambient,
            heating: self.faults.find(heat).map_or(0.0, f64::from) / 60.0,
        };
        self.physics.step(seconds, &drive);
    }

    /// Brings parts and core voltage to agree with lines, faults and physics.
    fn settle(&mut self) {
        let physics = self.physics;
        let diode = if self.faults.has(Fault::DiodeOpen) {
            Diode::Open
        } else if self.faults.has(Fault::DiodeShort) {
            Diode::Short
        } else {
            Diode::Good
        };
        if !self.faults.has(Fault::TemperatureStuck) {
            self.measured.chip = physics.chip;
            self.measured.circuit_board = physics.circuit_board;
            self.measured.regulator = physics.regulator;
        }
        self.measured = Measured {
            input: physics.input,
            core: self.core,
            current: physics.current,
            power: physics.power,
            rpm: physics.rpm,
            diode,
            ..self.measured
        };
        let has_input = !self.faults.has(Fault::NoInput);
        let control = !self.kind.is_emberone() || self.line(CORE_ENABLE);
        let refuses = self.faults.has(Fault::OperationRefused);
        let all = [
            RegulatorFault::OverTemperature,
            RegulatorFault::OverCurrent,
            RegulatorFault::OverVoltage,
            RegulatorFault::InputLow,
        ];
        let pressed: Vec<_> = all.into_iter().filter(|fault| self.faults.has(Fault::Regulator(*fault))).collect();
        let (mut core, mut is_faulted) = (0.0, false);
        for part in &mut self.parts {
            part.measure(&self.measured);
            if let Some(volts) = part.trimmed_volts() {
                core = if has_input { volts } else { 0.0 };
            }
            if let Some(regulator) = part.regulator() {
                regulator.surround(has_input, control, refuses, pressed.clone());
                (core, is_faulted) = (regulator.output(), regulator.is_faulted());
            }
        }
        self.take_core(core, is_faulted);
    }

    fn take_core(&mut self, core: f64, is_faulted: bool) {
        let (had, has) = (self.has_core, core > 0.0);
        let rises =
            self.physics.chip_volts(core) > self.board.most && self.physics.chip_volts(self.core) <= self.board.most;
        (self.core, self.has_core) = (core, has);
        if rises {
            self.log.complain(Violation::OverVoltage, &[], self.now);
        }
        if had == has {
            return;
        }
        self.log.note(Event::CorePower(has), self.now);
        // A rail that cannot be switched says nothing about orders.
        let is_switched = self.kind != BoardKind::BitaxeMax;
        if is_switched && self.line(RESET) {
            if has {
                self.log.complain(Violation::PowerBeforeReset, &[], self.now);
            } else if !is_faulted {
                self.log.complain(Violation::PowerCutWhileRunning, &[], self.now);
            }
        }
    }

    fn supply(&self, clock: f64) -> Supply {
        let io = !self.kind.is_emberone() || self.line(IO_ENABLE);
        let health = self.physics.health(self.core, clock);
        let running = self.has_core && io && self.line(RESET);
        let Measured { chip: temperature, .. } = self.measured;
        let volts = self.physics.chip_volts(self.core);
        Supply { running, wrong: health.wrong, hangs: health.hangs, temperature, volts }
    }

    fn part(&mut self, address: u8) -> Result<&mut Box<dyn Part>, Nak> {
        let is_silent = self.faults.has(Fault::PartSilent { address });
        let found = self.parts.iter_mut().find(|part| part.address() == address && !is_silent && part.answers());
        found.ok_or(Nak)
    }
}

impl Bus for Wires {
    fn i2c_frequency(&mut self, hertz: u32) {
        self.log.note(Event::I2cFrequency(hertz), self.now);
    }

    fn i2c_write(&mut self, address: u8, bytes: &[u8]) -> Result<(), Nak> {
        self.log.note(Event::I2cWrite { address, bytes: bytes.to_vec() }, self.now);
        if !self.parts.iter().any(|part| part.address() == address) {
            self.complain(Violation::NoPart, &[address]);
        }
        if self.faults.has(Fault::I2cError) {
            return Err(Nak);
        }
        let part = self.part(address)?;
        if bytes.is_empty() {
            return Ok(());
        }
        if let Err(violation) = part.write(bytes) {
            self.complain(violation, &[&[address], bytes].concat());
        }
        self.settle();
        Ok(())
    }

    fn i2c_read(&mut self, address: u8, count: usize) -> Result<Vec<u8>, Nak> {
        if self.faults.has(Fault::I2cError) {
            return Err(Nak);
        }
        Ok(self.part(address)?.read(count))
    }

    fn gpio(&mut self, line: u8) -> bool {
        self.line(line)
    }

    fn set_gpio(&mut self, line: u8, high: bool) {
        self.log.note(Event::Gpio { line, high }, self.now);
        let rises = high && !self.line(line);
        if let Some(place) = self.gpio.get_mut(usize::from(line)) {
            *place = high;
        }
        if line == RESET && rises && !self.has_core {
            self.complain(Violation::ResetBeforePower, &[]);
        }
        self.settle();
    }

    fn led(&mut self, colour: [u8; 3]) {
        self.log.note(Event::Led(colour), self.now);
    }

    /// The ratios of the dividers are not known: constants, but for what is off.
    fn adc(&mut self, input: bool) -> u16 {
        match (input, self.has_core) {
            (true, _) if self.faults.has(Fault::NoInput) => 0,
            (true, _) => 0x0900,
            (false, true) => 0x0600,
            (false, false) => 0,
        }
    }

    fn complain(&mut self, violation: Violation, bytes: &[u8]) {
        self.log.complain(violation, bytes, self.now);
    }
}

fn power_on_lines(kind: BoardKind) -> [bool; 3] {
    [kind.is_emberone(), false, false]
}

fn firmware(kind: BoardKind, release: u16) -> Firmware {
    let is_emberone = kind.is_emberone();
    // 0xJJMN: hardware revision, minor, patch.
    let is_new = is_emberone && release >> 4 & 0x0f >= 1;
    Firmware {
        protocol: if is_new { Protocol::V1 } else { Protocol::V0 },
        gpio_lines: if is_emberone { 3 } else { 1 },
        has_led: is_emberone,
        has_input_adc: is_emberone,
        has_system: is_new,
    }
}
