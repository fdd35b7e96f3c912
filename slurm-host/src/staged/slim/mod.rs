//! Programs without the debug information that only debuggers read.
//!
//! Four fifths of a program that is built for debugging describe types and variables. Backtraces need none of that:
//! names of functions come from the symbol table, files and lines from the line tables and from one small entry for
//! each unit of code. So only these are staged.
//!
//! Only sections that the kernel does not load are changed: the loaded part stays identical and in place.

mod elf;
mod lines;

/// Returns the program with line tables as its only debug information, or `None` if that would not make it smaller,
/// or if anything about the file is unusual: it is then staged as it is.
pub(crate) fn slim(program: &[u8]) -> Option<Vec<u8>> {
    let file = elf::Layout::of(program)?;
    let lines = lines::only(&file)?;
    let slim = file.with(&lines.sections())?;
    (slim.len() < program.len() / 10 * 9).then_some(slim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_no_program_is_touched() {
        let this = std::fs::read("/proc/self/exe").unwrap();
        for bytes in [&b""[..], b"#!/bin/sh\n", &this[..64], &this[..this.len() / 2]] {
            assert_eq!(slim(bytes), None);
        }
        // The program may search for appended data at the end of its file.
        assert_eq!(slim(&[&this[..], b"payload"].concat()), None);
    }

    #[test]
    fn a_program_that_is_slim_stays_as_it_is() {
        let this = std::fs::read("/proc/self/exe").unwrap();
        let once = slim(&this).expect("tests are built with debug information");
        assert_eq!(slim(&once), None);
    }
}
