//! Neither scanning nor speaking to chips takes memory from the allocator: nothing that could wait, or grow over weeks.

// JUSTIFICATION: an allocator that counts is the only witness; it hands everything on to the system's.

use mujina_core::units::ShareTarget;
use mujina_dataplane::{
    asic::bm13xx::{
        Model,
        command::Command,
        frame::{Decoder, ResponseForm},
        layout,
        slots::Slots,
    },
    thread::sha256d::{HeaderScanner, MAX_WIDTH, Midstate, Tail, supported},
};
use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

#[expect(unsafe_code, reason = "an allocator is unsafe by its trait")]
// SAFETY: every call goes to the system's allocator with the caller's own arguments, under the caller's own promises.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // A thread that is ending has no counter any more.
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        // SAFETY: see above.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: see above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn allocations_of(work: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.get();
    work();
    ALLOCATIONS.get() - before
}

#[test]
fn counter_sees_an_allocation() {
    assert_eq!(allocations_of(|| drop(std::hint::black_box(Box::new(1)))), 1);
}

#[test]
fn no_kernel_allocates_while_it_scans_or_takes_other_work() {
    let header = [0x5a; 80];
    let midstates = [Midstate::of(&header); MAX_WIDTH];
    for kernel in supported() {
        let mut scanner = HeaderScanner::new(kernel).expect("listed as supported");
        for width in 1..=MAX_WIDTH {
            let mut hits = 0;
            let allocations = allocations_of(|| {
                scanner.set_target(ShareTarget::from_expected_hashes(50.0));
                scanner.load(Tail::of(&header), &midstates[..width]);
                scanner.scan(u32::MAX - 500, 1500, |_| hits += 1);
            });
            assert!(hits > 0, "{kernel}: hits are reported without allocating, too");
            assert_eq!(allocations, 0, "{kernel} {width}");
        }
    }
}

#[test]
fn no_frame_to_or_from_chips_allocates() {
    let header = [0x5a; layout::HEADER_LEN];
    // A nonce of a Bitaxe Gamma, captured, behind a byte that belongs to nothing.
    let stream = [0xff, 0xaa, 0x55, 0x4c, 0x03, 0x52, 0x75, 0x0c, 0xd2, 0x05, 0xa2, 0x9c].repeat(100);
    let mut slots = Slots::new(Model::Bm1370);
    let mut found = 0;
    let allocations = allocations_of(|| {
        for turn in 0..100 {
            let id = slots.put(turn);
            std::hint::black_box(layout::whole(id, &header));
            std::hint::black_box(layout::midstates(id, &header, 0x1fff_e000, [0; 4]));
            std::hint::black_box(Command::write_all(0x08, turn).encode());
        }
        let (mut decoder, mut bytes) = (Decoder::new(ResponseForm::Long), &stream[..]);
        while decoder.next(&mut bytes).is_some() {
            found += 1;
        }
    });
    assert_eq!((found, allocations), (100, 0));
}
