//! What is different from chip to chip, in one table.

use super::{
    Model,
    frame::ResponseForm,
    pll::{PllLimits, VcoBit},
    response::ResultHeader,
};
use std::fmt;

/// The constants of one model.
#[derive(Debug)]
pub struct Constants {
    /// First two bytes of its chip id register.
    pub chip_id: u16,
    /// Cores that hash.
    pub cores: u16,
    /// Hashing pipelines of one core: versions that it hashes side by side.
    pub sub_cores: u8,
    /// Hashes per clock of a whole chip.
    pub hashing_units: u16,
    /// How long its answers are once it is set up.
    pub form: ResponseForm,
    /// What a job looks like to it.
    pub job_format: JobFormat,
    /// Which job ids it may be given.
    pub job_ids: JobIds,
    /// How its answers name the job.
    pub result_header: ResultHeader,
    /// Its clock.
    pub pll: PllLimits,
    /// Ticks by which a sweep may overrun its deadline, as far as that is guarded against (see `nonce_space`).
    pub overrun_guard: u32,
    /// Whether the nonce names the chip in fixed bits, by its address.
    pub names_chip: bool,
}

/// What a job looks like on the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobFormat {
    /// The whole header; the chip rolls versions.
    Header,
    /// The state of the hash after the first 64 bytes, for one or four versions that the host rolled.
    Midstates,
}

/// Job ids as bytes of the job frame, in the order in which they are given out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobIds {
    /// From one to the next.
    pub step: u8,
    /// Where they wrap.
    pub modulus: u16,
    /// How many there are.
    pub count: u8,
}

/// ESP-Miner takes every third of the four-bit ids, which come round after 16. Why every third is documented nowhere.
const FOUR_BITS: JobIds = JobIds { step: 24, modulus: 128, count: 16 };

static BM1397: Constants = Constants {
    chip_id: 0x1397,
    cores: 168,
    sub_cores: 4,
    hashing_units: 672,
    form: ResponseForm::Short,
    job_format: JobFormat::Midstates,
    job_ids: JobIds { step: 4, modulus: 128, count: 32 },
    result_header: ResultHeader::SixAndTwo,
    // Limits of its PLL are not known; ESP-Miner keeps to these dividers.
    pll: PllLimits {
        feedback: (60, 200),
        vco: (700, 2500),
        less_one: false,
        vco_bit: VcoBit::Never,
        equal_posts: false,
    },
    overrun_guard: 0,
    names_chip: true,
};

static BM1362: Constants = Constants {
    chip_id: 0x1362,
    // 64 and a runt, of whose sub-cores five work.
    cores: 65,
    sub_cores: 8,
    hashing_units: 514,
    form: ResponseForm::Long,
    job_format: JobFormat::Header,
    // Factory firmware of the S19j Pro uses all five bits.
    job_ids: JobIds { step: 8, modulus: 256, count: 32 },
    result_header: ResultHeader::FiveAndThree,
    // The rule of Mujina: it gives 71 of the 76 values of a captured S19j Pro ramp, and lower VCOs for the rest.
    pll: PllLimits {
        feedback: (16, 250),
        vco: (2000, 3200),
        less_one: true,
        vco_bit: VcoBit::From2400,
        equal_posts: true,
    },
    overrun_guard: 200,
    names_chip: true,
};

static BM1366: Constants = Constants {
    chip_id: 0x1366,
    cores: 112,
    sub_cores: 8,
    hashing_units: 894,
    form: ResponseForm::Long,
    job_format: JobFormat::Header,
    job_ids: JobIds { step: 8, modulus: 128, count: 16 },
    result_header: ResultHeader::FiveAndThree,
    pll: PllLimits {
        feedback: (144, 235),
        vco: (1800, 2938),
        less_one: true,
        vco_bit: VcoBit::From2400,
        equal_posts: false,
    },
    overrun_guard: 200,
    names_chip: true,
};

static BM1368: Constants = Constants {
    chip_id: 0x1368,
    cores: 80,
    sub_cores: 16,
    hashing_units: 1276,
    form: ResponseForm::Long,
    job_format: JobFormat::Header,
    job_ids: FOUR_BITS,
    result_header: ResultHeader::FourAndFour,
    pll: PllLimits {
        feedback: (144, 235),
        vco: (1800, 2938),
        less_one: true,
        vco_bit: VcoBit::From2400,
        equal_posts: false,
    },
    overrun_guard: 200,
    names_chip: false,
};

static BM1370: Constants = Constants {
    chip_id: 0x1370,
    cores: 128,
    sub_cores: 16,
    hashing_units: 2040,
    form: ResponseForm::Long,
    job_format: JobFormat::Header,
    job_ids: FOUR_BITS,
    result_header: ResultHeader::FourAndFour,
    pll: PllLimits {
        feedback: (160, 239),
        vco: (1600, 3200),
        less_one: true,
        vco_bit: VcoBit::From2400,
        equal_posts: false,
    },
    // ESP-Miner: twice 134, the overrun that was measured on this chip. Mujina keeps 200.
    overrun_guard: 268,
    names_chip: false,
};

impl Model {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Bm1397, Self::Bm1362, Self::Bm1366, Self::Bm1368, Self::Bm1370];

    /// What is particular to this model.
    #[must_use]
    pub fn constants(self) -> &'static Constants {
        match self {
            Self::Bm1397 => &BM1397,
            Self::Bm1362 => &BM1362,
            Self::Bm1366 => &BM1366,
            Self::Bm1368 => &BM1368,
            Self::Bm1370 => &BM1370,
        }
    }

    /// The model of a chip id.
    #[must_use]
    pub fn of_chip_id(chip_id: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|model| model.constants().chip_id == chip_id)
    }

    /// Whether the chip rolls the version by itself, under a mask that is written to it.
    #[must_use]
    pub fn rolls_versions(self) -> bool {
        self.constants().job_format == JobFormat::Header
    }
}

impl fmt::Display for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Bm1397 => "BM1397",
            Self::Bm1362 => "BM1362",
            Self::Bm1366 => "BM1366",
            Self::Bm1368 => "BM1368",
            Self::Bm1370 => "BM1370",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn job_ids_come_round_after_their_count() {
        for model in Model::ALL {
            let JobIds { step, modulus, count } = model.constants().job_ids;
            let ids: HashSet<_> = (0..u16::from(count)).map(|turn| turn * u16::from(step) % modulus).collect();
            assert_eq!(ids.len(), usize::from(count), "{model}");
            assert_eq!(u16::from(count) * u16::from(step) % modulus, 0, "{model}");
        }
    }

    #[test]
    fn chip_ids_name_their_model() {
        assert!(Model::ALL.into_iter().all(|model| Model::of_chip_id(model.constants().chip_id) == Some(model)));
        assert_eq!(Model::of_chip_id(0x1373), None);
        assert_eq!(Model::Bm1370.to_string(), "BM1370");
    }
}
