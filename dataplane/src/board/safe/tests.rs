//! Over pseudo-terminals, with a controller on a thread of its own and without a runtime.

use super::*;
use nix::{
    fcntl::OFlag,
    pty::{PtyMaster, grantpt, posix_openpt, ptsname_r, unlockpt},
    sys::termios::{SetArg, cfmakeraw, tcgetattr, tcsetattr},
};
use std::{
    fs::{File, OpenOptions},
    io::{Read, Write},
    path::PathBuf,
    sync::mpsc,
    thread::JoinHandle,
};

/// How a controller behaves.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mood {
    Well,
    /// Answers nothing.
    Hung,
    /// Its regulator does not turn off.
    StuckOn,
    /// Loses the first of every two requests.
    Forgetful,
}

/// A controller that is asked for the safe state of a Bitaxe or an EmberOne.
struct Controller {
    path: PathBuf,
    requests: mpsc::Receiver<Vec<u8>>,
    registry: Registry,
    /// Keeps the raw mode of the terminal, as whoever uses the port does.
    _user: File,
    _thread: JoinHandle<()>,
}

impl Controller {
    fn new(mood: Mood) -> Self {
        let mut master = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let path = PathBuf::from(ptsname_r(&master).unwrap());
        let user = OpenOptions::new().read(true).write(true).open(&path).unwrap();
        let mut termios = tcgetattr(&user).unwrap();
        cfmakeraw(&mut termios);
        tcsetattr(&user, SetArg::TCSANOW, &termios).unwrap();
        let (sender, requests) = mpsc::channel();
        let thread = thread::spawn(move || {
            let mut count = 0;
            while let Some(request) = read_request(&mut master) {
                count += 1;
                sender.send(request.clone()).unwrap();
                let loses = mood == Mood::Forgetful && count % 2 == 1;
                if mood != Mood::Hung && !loses {
                    master.write_all(&answer(&request, mood)).unwrap();
                }
            }
        });
        Self { path, requests, registry: Registry::default(), _user: user, _thread: thread }
    }

    fn guard(&self, board: &str, steps: Vec<SafeStep>) -> SafeGuard {
        SafeGuard::new(&self.registry, board.parse().unwrap(), &self.path, Protocol::V0, steps, Takeover::default())
            .unwrap()
    }

    /// Page, command and data of everything that was asked.
    fn asked(&self) -> Vec<Vec<u8>> {
        self.requests.try_iter().map(|request| request[4..].to_vec()).collect()
    }
}

fn read_request(master: &mut PtyMaster) -> Option<Vec<u8>> {
    let mut length = [0; 2];
    master.read_exact(&mut length).ok()?;
    let mut request = vec![0; usize::from(u16::from_le_bytes(length))];
    request[..2].copy_from_slice(&length);
    master.read_exact(&mut request[2..]).ok()?;
    Some(request)
}

/// In V0: lines follow what they are told, the regulator's OPERATION reads as it was written.
fn answer(request: &[u8], mood: Mood) -> Vec<u8> {
    let id = request[2];
    match request[4..] {
        [0x06, _, level] => vec![1, 0, id, level],
        [0x06, _] => vec![1, 0, id, 0],
        [0x05, 0x20, _, ref bytes @ ..] => vec![1, 0, id, u8::try_from(bytes.len()).unwrap()],
        [0x05, 0x40, 0x24, 0x01, 1] => vec![1, 0, id, if mood == Mood::StuckOn { 0x80 } else { 0 }],
        ref other => panic!("{other:02x?}"),
    }
}

#[test]
fn bitaxe_is_made_safe_in_order_and_proven() {
    let controller = Controller::new(Mood::Well);
    let guard = controller.guard("a", bitaxe_steps());
    guard.arm();
    let [outcome] = &controller.registry.make_all_safe("test")[..] else { panic!() };
    assert!(outcome.confirmed, "{outcome:?}");
    assert_eq!(outcome.detail, "reset low, core off, fan full");
    let expected: [&[u8]; 5] = [
        &[0x06, 0, 0],
        &[0x06, 0],
        &[0x05, 0x20, 0x24, 0x01, 0x00],
        &[0x05, 0x40, 0x24, 0x01, 1],
        &[0x05, 0x20, 0x4C, 0x4C, 0x3F],
    ];
    assert_eq!(controller.asked(), expected);
    drop(guard);
    assert_eq!(controller.asked(), Vec::<Vec<u8>>::new(), "it was disarmed by being made safe");
}

#[test]
fn ember_one_loses_its_supplies_in_order() {
    let controller = Controller::new(Mood::Well);
    let guard = controller.guard("a", ember_one_steps());
    guard.arm();
    let outcomes = controller.registry.make_all_safe("test");
    assert!(outcomes[0].confirmed, "{outcomes:?}");
    let writes: Vec<_> = controller.asked().into_iter().filter(|asked| asked.len() == 3 || asked[1] == 0x20).collect();
    let expected: [&[u8]; 4] = [&[0x06, 0, 0], &[0x05, 0x20, 0x24, 0x01, 0x00], &[0x06, 1, 0], &[0x06, 2, 0]];
    assert_eq!(writes, expected);
}

#[test]
fn board_that_stays_on_is_not_called_safe_and_the_rest_is_still_done() {
    let controller = Controller::new(Mood::StuckOn);
    let guard = controller.guard("a", bitaxe_steps());
    guard.arm();
    let outcomes = controller.registry.make_all_safe("test");
    assert!(!outcomes[0].confirmed && outcomes[0].detail.contains("core off failed: reads back [80]"), "{outcomes:?}");
    assert_eq!(controller.asked().last().unwrap(), &[0x05, 0x20, 0x4C, 0x4C, 0x3F], "the fan is still driven");
}

#[test]
fn request_that_gets_lost_is_asked_again() {
    let controller = Controller::new(Mood::Forgetful);
    let guard = controller.guard("a", bitaxe_steps());
    guard.arm();
    let outcomes = controller.registry.make_all_safe("test");
    assert!(outcomes[0].confirmed, "{outcomes:?}");
}

#[test]
fn hung_controller_keeps_no_other_board_from_being_safe() {
    let (hung, mut well) = (Controller::new(Mood::Hung), Controller::new(Mood::Well));
    well.registry = hung.registry.clone();
    let guards = [hung.guard("hung", bitaxe_steps()), well.guard("well", ember_one_steps())];
    guards.iter().for_each(SafeGuard::arm);
    let outcomes = hung.registry.make_all_safe("test");
    let confirmed: BTreeMap<_, _> =
        outcomes.iter().map(|outcome| (outcome.board.as_str(), outcome.confirmed)).collect();
    assert_eq!(confirmed, BTreeMap::from([("hung", false), ("well", true)]));
}

#[test]
fn unplugged_board_is_reported_as_not_proven() {
    let master = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let path = PathBuf::from(ptsname_r(&master).unwrap());
    let registry = Registry::default();
    let guard =
        SafeGuard::new(&registry, "a".parse().unwrap(), &path, Protocol::V0, bitaxe_steps(), Takeover::default())
            .unwrap();
    guard.arm();
    drop(master);
    let outcomes = registry.make_all_safe("test");
    assert!(!outcomes[0].confirmed && outcomes[0].detail.contains("the port"), "{outcomes:?}");
}

#[test]
fn armed_guard_that_is_dropped_makes_its_board_safe_and_no_other() {
    let (first, mut second) = (Controller::new(Mood::Well), Controller::new(Mood::Well));
    second.registry = first.registry.clone();
    let guards = [first.guard("a", bitaxe_steps()), second.guard("b", bitaxe_steps())];
    guards.iter().for_each(SafeGuard::arm);
    let [a, b] = guards;
    drop(a);
    assert_eq!(first.asked().first().unwrap(), &[0x06, 0, 0]);
    assert_eq!(second.asked(), Vec::<Vec<u8>>::new());
    b.disarm();
    drop(b);
    assert_eq!(second.asked(), Vec::<Vec<u8>>::new());
}

#[test]
fn user_of_the_port_is_cut_off_first() {
    let controller = Controller::new(Mood::Well);
    let takeover = Takeover::default();
    let guard = SafeGuard::new(
        &controller.registry,
        "a".parse().unwrap(),
        &controller.path,
        Protocol::V0,
        bitaxe_steps(),
        takeover.clone(),
    )
    .unwrap();
    guard.arm();
    assert!(!takeover.is_taken());
    drop(guard);
    assert!(takeover.is_taken());
}

#[test]
fn panic_of_a_supervising_thread_makes_boards_safe_before_it_unwinds() {
    let mut controller = Controller::new(Mood::Well);
    controller.registry = Registry::of_process();
    let guard = controller.guard("a", bitaxe_steps());
    guard.arm();
    install_panic_hook(|thread| thread == Some("boards under test"));
    let panic = |name: &str| {
        let thread = thread::Builder::new().name(name.into()).spawn(|| panic!("as planned")).unwrap();
        assert!(thread.join().is_err());
    };
    panic("some other");
    assert_eq!(controller.asked(), Vec::<Vec<u8>>::new());
    panic("boards under test");
    assert_eq!(controller.asked().first().unwrap(), &[0x06, 0, 0]);
}
