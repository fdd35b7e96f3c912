//! Whether a program can run on the host.

use std::path::Path;

use goblin::elf::{Elf, VerneedSection, header};

use super::host::Facts;
use crate::error::{HostError, Unfit};

/// What a program needs of a machine, as far as its file tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Needs {
    /// The processor, as `uname -m` names it.
    machine: Option<&'static str>,
    /// The highest version of glibc that it asks for.
    glibc: Option<(u32, u32)>,
    /// The program that loads it; none if it is linked statically.
    pub(super) loader: Option<String>,
}

impl Needs {
    /// Reads the head and the tables of a program; whatever is no ELF file needs nothing that is known.
    pub(super) fn of(program: &[u8]) -> Self {
        let Ok(elf) = Elf::parse(program) else { return Self::default() };
        let mut glibc = None;
        for library in elf.verneed.iter().flat_map(VerneedSection::iter) {
            let names = library.iter().filter_map(|needed| elf.dynstrtab.get_at(needed.vna_name));
            glibc = glibc.max(names.filter_map(|name| version(name.strip_prefix("GLIBC_")?)).max());
        }
        Self { machine: machine(&elf), glibc, loader: elf.interpreter.map(str::to_owned) }
    }

    /// Says so if the host is not one that it can run on; `loader_is_there` tells whether the host has
    /// its loader.
    pub(super) fn check(
        &self,
        program: &Path,
        host: &str,
        facts: &Facts,
        loader_is_there: bool,
    ) -> Result<(), HostError> {
        let unfit = |needs: String, has: String| {
            let machine = self.machine.unwrap_or("x86_64");
            let machine = if needs.starts_with("a processor") { &facts.machine } else { machine };
            Err(HostError::Unfit(Box::new(Unfit {
                program: program.to_owned(),
                needs,
                host: host.to_owned(),
                has,
                fixes: fixes(machine, version_in(&facts.libc)),
            })))
        };
        if let Some(machine) = self.machine
            && !facts.machine.is_empty()
            && machine != facts.machine
            && !(machine == "i686" && facts.machine == "x86_64")
        {
            return unfit(
                format!("a processor of the kind {machine}"),
                format!("one of the kind {}", facts.machine),
            );
        }
        if let (Some(needed), Some(there)) = (self.glibc, version_in(&facts.libc))
            && is_glibc(&facts.libc)
            && needed > there
        {
            let [needed, there] = [needed, there].map(|(major, minor)| format!("{major}.{minor}"));
            return unfit(format!("glibc {needed}"), format!("glibc {there}"));
        }
        match &self.loader {
            Some(loader) if !loader_is_there => {
                let has = if facts.libc.is_empty() { "another C library" } else { &facts.libc };
                unfit(format!("the loader {loader}"), has.to_owned())
            }
            _ => Ok(()),
        }
    }
}

fn machine(elf: &Elf<'_>) -> Option<&'static str> {
    Some(match elf.header.e_machine {
        header::EM_X86_64 => "x86_64",
        header::EM_386 => "i686",
        header::EM_AARCH64 => "aarch64",
        header::EM_PPC64 if elf.little_endian => "ppc64le",
        header::EM_PPC64 => "ppc64",
        header::EM_RISCV if elf.is_64 => "riscv64",
        header::EM_S390 => "s390x",
        _ => return None,
    })
}

/// Reads `2.36` or `2.36.1`.
fn version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

fn version_in(libc: &str) -> Option<(u32, u32)> {
    libc.split_whitespace().rev().find_map(version)
}

fn is_glibc(libc: &str) -> bool {
    ["glibc", "GNU", "GLIBC"].iter().any(|name| libc.contains(name))
}

/// The commands that build a program which fits.
fn fixes(machine: &str, glibc: Option<(u32, u32)>) -> String {
    let machine = match machine {
        "ppc64le" => "powerpc64le",
        "riscv64" => "riscv64gc",
        other => other,
    };
    let zig = glibc.map_or_else(String::new, |(major, minor)| format!(".{major}.{minor}"));
    format!(
        "build one for it: `cargo zigbuild --release --target {machine}-unknown-linux-gnu{zig}`, or `cargo build --release --target \
         {machine}-unknown-linux-musl`, or `RUSTFLAGS='-C target-feature=+crt-static' cargo build --release --target \
         {machine}-unknown-linux-gnu`, and name it with --runner-binary; {}",
        crate::fit::OTHER_NODES
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(machine: &str, libc: &str) -> Facts {
        Facts { machine: machine.to_owned(), libc: libc.to_owned(), ..Facts::default() }
    }

    fn check(needs: &Needs, facts: &Facts) -> Result<(), String> {
        let checked = needs.check(Path::new("program"), "login", facts, true);
        checked.map_err(|error| format!("{error}; {}", error.hint().unwrap_or_default()))
    }

    #[test]
    fn this_program_says_what_it_needs() {
        let needs = Needs::of(&std::fs::read("/proc/self/exe").unwrap());
        assert_eq!(needs.machine, Some(std::env::consts::ARCH));
        assert!(needs.glibc.is_some_and(|version| version >= (2, 2)), "{needs:?}");
        assert!(needs.loader.is_some());
    }

    #[test]
    fn what_does_not_fit_is_told_with_what_would() {
        let needs = Needs {
            machine: Some("x86_64"),
            glibc: Some((2, 34)),
            loader: Some("/lib64/ld-linux-x86-64.so.2".to_owned()),
        };
        assert_eq!(check(&needs, &facts("x86_64", "glibc 2.36")), Ok(()));
        let error = check(&needs, &facts("x86_64", "glibc 2.17")).unwrap_err();
        assert!(error.contains("needs glibc 2.34") && error.contains("has glibc 2.17"), "{error}");
        assert!(
            error.contains("cargo zigbuild --release --target x86_64-unknown-linux-gnu.2.17"),
            "{error}"
        );
        assert!(error.contains("+crt-static") && error.contains("linux-musl"), "{error}");
        let error = check(&needs, &facts("aarch64", "glibc 2.36")).unwrap_err();
        assert!(
            error.contains("x86_64") && error.contains("--target aarch64-unknown-linux-gnu.2.36"),
            "{error}"
        );
        let musl = facts("x86_64", "musl libc (x86_64)");
        let error = needs.check(Path::new("program"), "login", &musl, false).unwrap_err();
        assert!(error.to_string().contains("ld-linux-x86-64.so.2"), "{error}");
    }

    #[test]
    fn what_is_no_program_needs_nothing() {
        for bytes in [&b""[..], b"#!/bin/sh\n", &[0x7f, b'E', b'L', b'F', 0, 0]] {
            assert_eq!(Needs::of(bytes), Needs::default());
        }
    }
}
