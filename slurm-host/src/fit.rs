//! Checks by the head of its file whether a program can run on this machine.

use std::env::consts::ARCH;
use std::fs::File;
use std::io::Read;

use crate::binary::Binary;
use crate::error::{HostError, Unfit};

/// The size of the head that names the system and the processor.
const HEAD: u64 = 20;

impl Binary {
    /// Refuses a program for another system or processor than this machine's. A file without the head of a program,
    /// such as a script, is accepted.
    ///
    /// # Errors
    /// [`HostError::Unfit`], or [`HostError::File`] if the program cannot be read.
    pub fn check_here(&self) -> Result<(), HostError> {
        let reading = |error| HostError::file("read", &self.path, error);
        let (mut head, file) = (Vec::new(), File::open(&self.path).map_err(reading)?);
        file.take(HEAD).read_to_end(&mut head).map_err(reading)?;
        let (needs, has) = match made_for(&head) {
            None => return Ok(()),
            Some(MadeFor::System(system)) => (format!("the system {system}"), "Linux".to_owned()),
            Some(MadeFor::Processor(processor)) if runs_on(processor, ARCH) => return Ok(()),
            Some(MadeFor::Processor(processor)) => {
                (format!("a processor of the kind {processor}"), format!("one of the kind {ARCH}"))
            }
        };
        let program = self.path.clone();
        let fixes = format!(
            "build it for the nodes: `cargo build --release --target {ARCH}-unknown-linux-musl`; {OTHER_NODES}"
        );
        let host = "this machine".to_owned();
        Err(HostError::Unfit(Box::new(Unfit { program, needs, host, has, fixes })))
    }
}

/// Advice for clusters whose nodes differ from the machine that was checked.
pub(crate) const OTHER_NODES: &str = "if the compute nodes are of another kind than the login node, set `check = \"off\"` in \
     [default.packaging], or `check_program(ProgramCheck::Off)`";

#[derive(Debug, PartialEq, Eq)]
enum MadeFor {
    Processor(&'static str),
    System(&'static str),
}

/// Reads the head of a program: ELF, Mach-O or PE.
fn made_for(head: &[u8]) -> Option<MadeFor> {
    match head {
        [0xcf | 0xce, 0xfa, 0xed, 0xfe, ..] | [0xfe, 0xed, 0xfa, 0xcf | 0xce, ..] => {
            Some(MadeFor::System("macOS"))
        }
        [b'M', b'Z', ..] => Some(MadeFor::System("Windows")),
        [0x7f, b'E', b'L', b'F', ..] => {
            let number: [u8; 2] = head.get(18..20)?.try_into().ok()?;
            let is_little = head.get(5) == Some(&1);
            let number = match is_little {
                true => u16::from_le_bytes(number),
                false => u16::from_be_bytes(number),
            };
            // As Rust names them. Source: `elf.h`.
            Some(MadeFor::Processor(match number {
                3 => "x86",
                21 => "powerpc64",
                22 => "s390x",
                62 => "x86_64",
                183 => "aarch64",
                243 => "riscv64",
                _ => return None,
            }))
        }
        _ => None,
    }
}

fn runs_on(processor: &str, here: &str) -> bool {
    // A 64-bit kernel runs 32-bit programs; whether a 32-bit program runs on such a kernel is unknown.
    processor == here || processor == "x86" && here == "x86_64" || here == "x86"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_tells_for_what_a_program_is_made() {
        let elf = |order: u8, number: [u8; 2]| {
            let mut head = vec![0x7f, b'E', b'L', b'F', 2, order];
            head.resize(18, 0);
            head.extend(number);
            made_for(&head)
        };
        assert_eq!(elf(1, [183, 0]), Some(MadeFor::Processor("aarch64")));
        assert_eq!(elf(2, [0, 22]), Some(MadeFor::Processor("s390x")));
        assert_eq!(made_for(&[0xcf, 0xfa, 0xed, 0xfe, 7]), Some(MadeFor::System("macOS")));
        assert_eq!(made_for(b"#!/bin/sh"), None);
        assert_eq!(made_for(&[0x7f, b'E', b'L', b'F', 0, 0]), None);
    }

    #[test]
    fn this_program_runs_here() {
        Binary::running().unwrap().check_here().unwrap();
    }

    #[test]
    fn a_program_for_another_processor_is_refused_with_the_way_out() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("program");
        let mut head = vec![0x7f, b'E', b'L', b'F', 2, 1];
        head.resize(18, 0);
        // IBM Z.
        head.extend([22, 0]);
        std::fs::write(&path, head).unwrap();
        let error = Binary::at(&path).check_here().unwrap_err();
        assert!(error.to_string().contains("s390x"), "{error}");
        assert!(error.hint().unwrap().contains("check = \"off\""), "{error}");
    }
}
