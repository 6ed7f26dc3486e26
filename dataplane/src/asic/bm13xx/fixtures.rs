//! Bytes as they were seen on wires, or worked out by hand, with their origin.
//!
//! "Captured" = seen on real hardware. "Computed" = follows from every rule that is known, and was never on a wire.

/// Bytes from hexadecimal digits; spaces and line ends are ignored.
pub(super) fn bytes(hex: &str) -> Vec<u8> {
    let digits: String = hex.split_whitespace().collect();
    hex::decode(digits).expect("hexadecimal digits")
}

pub(super) fn array<const N: usize>(hex: &str) -> [u8; N] {
    bytes(hex).try_into().unwrap_or_else(|bytes: Vec<u8>| panic!("{} bytes, not {N}", bytes.len()))
}

/// Header of the share that a Bitaxe Gamma found and a public pool accepted, at difficulty 29588; captured. The base version
/// was 0x20000000.
pub(super) const GAMMA_HEADER: &str = "0040b420 fd55646bc162b96dfcd4f201a3f4670d1d3996bc965201000000000000000000
    06ddf5f08c36414b95ea54db71a0c28761a98bcf6355919e044f88725519a7cb d7685468 043a0217 4c035275";
/// The job it was found for, as Mujina sent it under job byte 0x68; captured.
pub(super) const GAMMA_JOB: &str = "55AA 21566801 00000000 043A0217 D7685468
    5519A7CB044F88726355919E61A98BCF71A0C28795EA54DB8C36414B06DDF5F0
    0000000000000000965201001D3996BCA3F4670DFCD4F201C162B96DFD55646B 00000020 721C";
/// The answer; captured.
pub(super) const GAMMA_NONCE: &str = "AA55 4C03 5275 0CD2 05A2 9C";
/// Its hash, as explorers show it.
pub(super) const GAMMA_HASH: &str = "0000000000023704cface997bcf7388694ea43dae96c51d80658687a7d8827fe";

/// Header of block 881,423.
pub(super) const BLOCK_HEADER: &str = "0060592e e3c96a8a70ca15fe215e99f84ab64c43e1b5d2c43b5401000000000000000000
    76f63a35f1b8b5016d3eb0cce2eebbdf58bf8fbea4e870c8f770346bdfcf622d 69c19a67 8a9a0217 02fb05ff";
/// Its job under job byte 0x18 and base version 0x20000000; computed.
pub(super) const BLOCK_JOB: &str =
    "55AA21561801000000008A9A021769C19A67DFCF622DF770346BA4E870C858BF8FBEE2EEBBDF6D3EB0CCF1B8B501
    76F63A3500000000000000003B540100E1B5D2C44AB64C43215E99F870CA15FEE3C96A8A000000208814";
/// What a BM1370 (job 3, ticket 2^8) and a BM1362 or BM1366 would answer; computed.
pub(super) const BLOCK_NONCES: [&str; 2] = ["AA55 02FB05FF 4C3B 72CB 9D", "AA55 02FB05FF 4C1B 72CB 94"];
/// Its hash.
pub(super) const BLOCK_HASH: &str = "0000000000000000000269d52c24ea451225613aab095d90d771d4e29aa96cdd";

/// Other jobs with a whole header: ESP-Miner's under job byte 0x18, and one of a stock S19j Pro under job byte 0 that names
/// another length; captured.
pub(super) const JOBS: [&str; 2] = [
    "55AA215618010000000038FA0117DC17D6681516AB3D1642BB1FE2E2377F8AC583E5DA996C6BC7053EAE564B0203CC4ED237
    0000000000000000A25C0000A1E7AB5E5F2446A35F9CBBEA3F5316E54E3993DE000000206B18",
    "55AA2136000100000000267702176E49B66790523E5B37DF504AE0A13FC0F2CB93B94A6B42224F7521631476B5D6DC20CC27
    0000000000000000DD4100007DF8A587A31DD9FFE1CC3AAD8B1F17EEFA0284080000002062B9",
];

/// Commands of captures and of ESP-Miner; the sources show each as a whole frame.
pub(super) const COMMANDS: &[&str] = &[
    "55AA 52 05 00 00 0A",
    "55AA 42 05 02 08 1E",
    "55AA 53 05 00 00 03",
    "55AA 51 09 00 18 F000C100 04",
    "55AA 41 09 02 18 F000C100 13",
    "55AA 51 09 00 A4 9000FFFF 1C",
    "55AA 51 09 00 A4 8000FFFF 18",
    "55AA 51 09 00 A8 00070000 03",
    "55AA 51 09 00 A8 00000000 01",
    "55AA 51 09 00 18 B000C100 14",
    "55AA 51 09 00 18 FF0FC100 00",
    "55AA 51 09 00 3C 80008B00 12",
    "55AA 51 09 00 3C 8000800C 11",
    "55AA 51 09 00 3C 80008540 0C",
    "55AA 51 09 00 3C 80008008 05",
    "55AA 51 09 00 3C 80008020 19",
    "55AA 51 09 00 3C 80008018 1F",
    "55AA 51 09 00 3C 80008074 10",
    "55AA 51 09 00 3C 80008DEE 1B",
    "55AA 51 09 00 14 000000FF 08",
    "55AA 51 09 00 58 00011111 0D",
    "55AA 51 09 00 58 02111111 06",
    "55AA 41 09 08 58 0001F111 1F",
    "55AA 51 09 00 54 00000002 18",
    "55AA 51 09 00 54 00000003 1D",
    "55AA 51 09 00 B9 00004480 0D",
    "55AA 51 09 00 68 5AA55AA5 1C",
    "55AA 51 09 00 68 C0700111 00",
    "55AA 41 09 00 2C 007C0003 03",
    "55AA 41 09 78 2C 00130003 19",
    "55AA 41 09 00 A8 000701F0 15",
    "55AA 41 09 00 18 F000C100 0C",
    "55AA 41 09 00 3C 80008B00 1A",
    "55AA 41 09 00 3C 8000800C 19",
    "55AA 41 09 00 3C 800082AA 05",
    "55AA 41 09 00 3C 80008540 04",
    "55AA 41 09 00 3C 80008020 11",
    "55AA 41 09 00 3C 80008018 17",
    "55AA 41 09 02 A8 00000002 1C",
    "55AA 41 09 02 18 B000C100 03",
    "55AA 41 09 02 3C 80008540 1B",
    "55AA 41 09 02 3C 80008008 12",
    "55AA 41 09 02 3C 800082AA 1A",
    "55AA 51 09 00 80 00000000 1C",
    "55AA 51 09 00 84 00000000 11",
    "55AA 51 09 00 20 00000001 02",
    "55AA 51 09 00 28 0600000F 18",
    "55AA 51 09 00 70 0F0F0F00 19",
    "55AA 51 09 00 B0 10020000 1B",
    "55AA 52 05 00 B4 1B",
    "55AA 41 09 01 00 13700001 0A",
    "55AA 40 05 00 00 1C",
    "55AA 40 05 02 00 01",
    // One source prints 15 as the checksum of this one; 03 is what all of them send.
    "55AA 40 05 04 00 03",
    "55AA 40 05 06 00 1E",
    "55AA 40 05 08 00 07",
    "55AA 40 05 0A 00 1A",
    "55AA 40 05 0C 00 18",
    "55AA 40 05 0E 00 05",
    "55AA 40 05 10 00 0F",
    "55AA 40 05 12 00 12",
    "55AA 40 05 14 00 10",
    "55AA 40 05 16 00 0D",
    "55AA 40 05 20 00 1F",
    "55AA 40 05 30 00 0C",
    "55AA 40 05 40 00 1A",
    "55AA 40 05 50 00 09",
    "55AA 40 05 60 00 19",
    "55AA 40 05 70 00 0A",
    "55AA 40 05 80 00 10",
    "55AA 40 05 90 00 03",
    "55AA 40 05 A0 00 13",
    "55AA 40 05 B0 00 00",
];

/// A nonce of a capture, and what it says: core, counter, address, job id as a number, sub-core, version bits.
pub(super) struct CapturedNonce {
    pub(super) body: &'static str,
    pub(super) core: u8,
    pub(super) counter: Option<u32>,
    pub(super) address: Option<u8>,
    pub(super) job: u8,
    pub(super) sub_core: u8,
    pub(super) version: u16,
}

const fn captured(body: &'static str, core: u8, job: u8, sub_core: u8, version: u16) -> CapturedNonce {
    CapturedNonce { body, core, counter: None, address: None, job, sub_core, version }
}

/// Of BM1370 (Bitaxe Gamma, S21 Pro); captured. The first bytes of the nonce give cores that the sheet does not list.
pub(super) const BM1370_NONCES: [CapturedNonce; 7] = [
    CapturedNonce { counter: Some(0x00_a640), ..captured("1800A640 0299 22F9 91", 12, 9, 9, 0x22f9) },
    captured("0735CDCF 025E 002E 96", 3, 5, 14, 0x002e),
    captured("460332E7 00C3 2C83 99", 35, 12, 3, 0x2c83),
    captured("7B8D8160 0255 0085 81", 61, 5, 5, 0x0085),
    captured("322A845A 0252 01B2 8C", 25, 5, 2, 0x01b2),
    captured("500341D6 0081 1801 9B", 40, 8, 1, 0x1801),
    captured("4C035275 0CD2 05A2 9C", 38, 13, 2, 0x05a2),
];

/// Of BM1362 (S19j Pro, 126 chips two addresses apart); captured.
pub(super) const BM1362_NONCES: [CapturedNonce; 2] = [
    CapturedNonce {
        counter: Some(0x0_8ee1),
        address: Some(0xdc),
        ..captured("6DB88EE1 0104 0354 94", 54, 0, 4, 0x0354)
    },
    CapturedNonce { address: Some(0xe4), ..captured("81C977D0 00F2 7C3E 89", 64, 30, 2, 0x7c3e) },
];

/// Register values as whole frames, with value, address and register. The first five captured, the rest computed.
pub(super) const REGISTER_VALUES: [(&str, u32, u8, u8); 9] = [
    ("AA55 13700000 00 00 06", 0x1370_0000, 0, 0x00),
    ("AA55 13700000 00 00 0000 10", 0x1370_0000, 0, 0x00),
    ("AA55 0000C100 00 18 02", 0x0000_c100, 0, 0x18),
    ("AA55 13680000 00 00 0000 0F", 0x1368_0000, 0, 0x00),
    ("AA55 8000080C 00 B4 0000 1A", 0x8000_080c, 0, 0xb4),
    ("AA55 13971800 00 00 06", 0x1397_1800, 0, 0x00),
    ("AA55 13660000 00 00 0000 05", 0x1366_0000, 0, 0x00),
    ("AA55 13620300 00 00 0000 1E", 0x1362_0300, 0, 0x00),
    ("AA55 13620300 00 00 0D", 0x1362_0300, 0, 0x00),
];

/// A frame of a Bitaxe Gamma that came damaged (a report to ESP-Miner); captured.
pub(super) const DAMAGED: &str = "AA55 9009 5590 097B 9302 FE";

/// BM1397: the midstate and the rest of a job that a hardware test of ESP-Miner sends, and its nonce; the hash was computed.
pub(super) const BM1397_TEST_MIDSTATE: &str = "7E027035 B1ACBAF2 3EA01A52 7344FAF7 6AB476D3 28216118 B7760F7B 1B22D229";
/// Merkle root's end, ntime, nbits, nonce, as in the header.
pub(super) const BM1397_TEST_TAIL: &str = "50E37161 A0847364 3AAE0517 9B044C0A";
pub(super) const BM1397_TEST_NONCE: &str = "AA55 9B044C0A 00 1A 94";
pub(super) const BM1397_TEST_HASH: &str = "000000000002d330e1b68e2ab8a0039df1eeaa77654c5743f7b70e03817ef55a";

/// BM1397: header of a verifier script of ESP-Miner (nonce zero), and its job under job byte 4; the frame with the midstate
/// in all four places was computed.
pub(super) const BM1397_HEADER: &str = "04000020 35fd44bf837bdc13c6e5607db472b528a804d248490700000000000000000000
    cd1be82132ef0d12053dcece1fa0247fcfdb61d4dbd3eb32ea9ef9b4c604a846 d88b6564 01dd0517 00000000";
pub(super) const BM1397_JOB: &str =
    "55AA219604040000000001DD0517D88B6564C604A8464D3185F25F7D5DE0E3591741CB21CAE11574DDD65D490D3D68739F8A
    52EADF911223A956E9EF56CB49D27F0829C7AFEAD0908EAD93772919D4BC33EFCB6996584176317EF2641293A3EFFCA4188675380C97DAA3
    2F37D00D3228F08966C0B97D73828AE1E589678BC3F03B5A863835599CD73C42E3B67BBDC47F5B51EAEC465A1F08";
/// BM1397: block 881,423 under job byte 0x18 and base version 0x2e592000, with its nonce as the first; computed.
pub(super) const BM1397_BLOCK_JOB: &str =
    "55AA2196180402FB05FF8A9A021769C19A67DFCF622D9FC6355CAED4B065C2150667D9BD0A0974F94EE14DF107391D5481A72EE6C52F
    82BFFE4A44C6677BBF2291B9B12AED3FC253C7A912C9882AA1722F5BC585F4F5FBAB56148FADF862592173216D4DB3DD0F85939B90D0
    855530AE1C089E96646D0A6F5E1933C3F1A9C6CE3A203D347705235511FCD1002DB47A43E0B1A4358B4A9B8B";
pub(super) const BM1397_BLOCK_NONCE: &str = "AA55 02FB05FF 00 1A 89";

/// A nonce for [`GAMMA_JOB`] on scaled chips (gate of 16 bits, no ticket mask): frame, core, sub-core, counter, leading zeros,
/// hash. Computed, in the order in which a chip sweeps: the first batch of versions, so the version is the sub-core.
pub(super) type ScaledNonce = (&'static str, u8, u8, u32, u32, &'static str);

pub(super) const BM1370_SCALED: [ScaledNonce; 4] = [
    ("AA55 60000023 00D4 0004 94", 48, 4, 35, 16, "00008279afe579fb699f551344912ceb032b78293860ba95a394e02dfdcb9d01"),
    ("AA55 940000BF 00DD 000D 9C", 74, 13, 191, 16, "0000e677ec84fc8d6c5fd7eee87961f1a92997a1306c3affd105a7775626e772"),
    ("AA55 02000115 06D3 0003 9B", 1, 3, 277, 19, "00001de84426b2e4093407121074224636aeaa9d40430134897421328e66030b"),
    (
        "AA55 F200012D 00DD 000D 98",
        121,
        13,
        301,
        16,
        "0000f94ac25e74f37afafbf9cdda1d4a96dd98e490a04f76aca9a80f98078a6e",
    ),
];

/// The same for the BM1362 with address 2.
pub(super) const BM1362_SCALED: [ScaledNonce; 4] = [
    ("AA55 0C040107 066E 0006 80", 6, 6, 263, 19, "0000157314bd6bc75f3fa05f4937e981f94981032ad2f2c16e7853bdb322cc5e"),
    ("AA55 0004015A 026A 0002 8B", 0, 2, 346, 17, "000054b777ad27e9c8deb8c2c135da1e9bae4672fcdaef7bf36f51d9a2593729"),
    ("AA55 26040221 006C 0004 8D", 19, 4, 545, 16, "00008517a412668e309ca50082d3a6c54cb954b902ed685c923a780ec349a622"),
    ("AA55 5E040419 0268 0000 93", 47, 0, 1049, 17, "00005c683c7c6432b5f73510024e517ea16b5266b7e6cdac572d90263dfdff03"),
];

/// A clock in megahertz, and its register.
pub(super) type Clock = (f64, u32);

/// BM1370, by the rule of ESP-Miner; worked out by hand.
pub(super) const BM1370_CLOCKS: [Clock; 13] = [
    (50.0, 0x40a8_0265),
    (56.25, 0x40bd_0265),
    (62.5, 0x40af_0264),
    (100.0, 0x40a0_0243),
    (200.0, 0x40a0_0241),
    (300.0, 0x40a8_0260),
    (400.0, 0x40a0_0240),
    (500.0, 0x40a0_0230),
    (525.0, 0x40a8_0230),
    (550.0, 0x40b0_0230),
    (575.0, 0x40b8_0230),
    (600.0, 0x50c0_0230),
    (625.0, 0x50c8_0230),
];

/// BM1366 and BM1368, by the rule of ESP-Miner; worked out by hand.
pub(super) const BM1366_CLOCKS: [Clock; 11] = [
    (50.0, 0x40a8_0265),
    (56.25, 0x40bd_0265),
    (62.5, 0x4096_0254),
    (200.0, 0x40a0_0241),
    (400.0, 0x40a0_0240),
    (485.0, 0x50c2_0240),
    (490.0, 0x50c4_0240),
    (500.0, 0x40a0_0230),
    (525.0, 0x40a8_0230),
    (550.0, 0x40b0_0230),
    (575.0, 0x40b8_0230),
];

/// BM1362, by the rule of newer Mujina; worked out by hand.
pub(super) const BM1362_CLOCKS: [Clock; 9] = [
    (50.0, 0x40a8_0265),
    (56.25, 0x40a2_0255),
    (62.5, 0x40af_0264),
    (100.0, 0x40a0_0243),
    (200.0, 0x40a0_0241),
    (300.0, 0x40a8_0260),
    (400.0, 0x40a0_0240),
    (500.0, 0x40a0_0230),
    (525.0, 0x40a8_0230),
];

/// BM1397; ESP-Miner.
pub(super) const BM1397_CLOCKS: [Clock; 5] =
    [(400.0, 0x4040_0221), (425.0, 0x4044_0221), (450.0, 0x4048_0221), (500.0, 0x4050_0221), (600.0, 0x4060_0221)];

/// Ramp of an S19j Pro from 56.25 to 525 MHz: feedback divider and post dividers, the reference always 2; captured.
pub(super) const S19J_PRO_RAMP: &str = "
    A255 AF64 A554 A863 B663 A853 B453 A862 AA43 A252 AB52 B452 BD52 A542 A161 A861 AF61 B661 A251 A851 AE51 B451 BA51
    A041 A541 AA41 AF41 B441 B941 BE41 C341 A031 A431 A831 AC31 B031 B431 A160 BC31 A860 C431 AF60 CC31 B660 D431 A250
    A550 A850 AB50 AE50 B150 B450 B750 BA50 BD50 A040 C350 A540 C950 AA40 CF50 AF40 D550 B440 DB50 B940 E150 BE40 E750
    C340 ED50 A030 A230 A430 A630 A830";
/// Clocks of that ramp for which the rule here gives a lower VCO.
pub(super) const LOWER_VCO: [f64; 5] = [100.0, 125.0, 131.25, 225.0, 237.5];
