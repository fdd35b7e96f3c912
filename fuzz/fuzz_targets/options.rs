//! No value of any option makes its parser panic, and every canonical form is one.

#![no_main]

use libfuzzer_sys::fuzz_target;
use slurm_core::options::OPTIONS;

fuzz_target!(|input: (u8, &str)| {
    let (choice, text) = input;
    let spec = &OPTIONS[usize::from(choice) % OPTIONS.len()];
    match spec.parse(text) {
        Ok(value) => {
            if let Some(canonical) = value.as_str() {
                assert_eq!(spec.parse(canonical).as_ref(), Ok(&value), "{}: {text:?}", spec.name);
            }
        }
        Err(error) => {
            assert!(text.get(error.range()).is_some(), "{}: {text:?}", spec.name);
            let _ = error.to_string();
        }
    }
});
