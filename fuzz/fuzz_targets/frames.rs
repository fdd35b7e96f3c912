//! No bytes make the readers of specs, outcomes and diaries panic.

#![no_main]

use libfuzzer_sys::fuzz_target;
use slurm_core::codec;
use slurm_core::events::Event;
use slurm_core::outcome::Outcome;
use slurm_core::spec::Spec;

fuzz_target!(|bytes: &[u8]| {
    let _ = Spec::from_bytes(bytes);
    let _ = Outcome::from_bytes(bytes);
    // Past the checksum, which random bytes seldom have right.
    let _ = codec::decode::<Spec>(bytes);
    let _ = codec::decode::<Outcome>(bytes);
    let _ = codec::decode::<(String, Vec<Option<Vec<u64>>>)>(bytes);
    let _ = Event::read_all(&String::from_utf8_lossy(bytes));
});
