//! Programs that are to run in jobs.

use std::io;
use std::path::{Path, PathBuf};

/// A program of this machine that is to run in jobs.
#[derive(Clone, Debug)]
pub struct Binary {
    /// Where it is read.
    pub path: PathBuf,
    /// What it will be called: nothing that a shell or a table of processes could stumble over.
    pub name: String,
}

impl Binary {
    /// Returns the program at `path`.
    pub fn at(path: &Path) -> Self {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let name = name.strip_suffix(" (deleted)").unwrap_or(&name);
        let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' };
        Self { path: path.to_owned(), name: name.chars().map(plain).collect() }
    }

    /// Returns the running program, also when its file was replaced or removed since it started.
    pub fn running() -> io::Result<Self> {
        let known = std::env::current_exe()?;
        let open = Path::new("/proc/self/exe");
        Ok(Self {
            path: if open.exists() { open.to_owned() } else { known.clone() },
            ..Self::at(&known)
        })
    }

    /// Returns whether it is the running program for certain.
    pub fn is_running(&self) -> bool {
        self.path == Path::new("/proc/self/exe")
    }
}
