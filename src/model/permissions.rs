//! Permissions of the files of a submission.

/// The permission bits of the files of a submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Permissions {
    pub(crate) script: u32,
    /// `None` leaves it to the umask.
    pub(crate) job_dir: Option<u32>,
}

impl Default for Permissions {
    /// By default the group can read batch scripts, as sites expect, and other users cannot.
    fn default() -> Self {
        Self { script: 0o750, job_dir: None }
    }
}

/// Checks the permission bits of batch scripts.
///
/// # Errors
/// The message says why they are not accepted.
pub(crate) fn script(mode: u32) -> Result<u32, String> {
    check(mode, 0o400, "its owner must be able to read it (0400)")
}

/// Checks the permission bits of job directories.
///
/// # Errors
/// The message says why they are not accepted.
pub(crate) fn job_dir(mode: u32) -> Result<u32, String> {
    check(mode, 0o700, "its owner must be able to use it (0700)")
}

fn check(mode: u32, needed: u32, why: &str) -> Result<u32, String> {
    if mode & !0o777 != 0 {
        Err(format!("{mode:04o} has bits outside of 0777"))
    } else if mode & needed != needed {
        Err(format!("{mode:04o} is too strict: {why}"))
    } else if mode & 0o002 != 0 {
        Err(format!("{mode:04o} would let all users write to it"))
    } else {
        Ok(mode)
    }
}

/// Reads permission bits in octal, such as `0750`.
///
/// # Errors
/// If they are not three or four octal digits.
pub(crate) fn octal(text: &str) -> Result<u32, String> {
    let digits = text.strip_prefix("0o").unwrap_or(text);
    let is_octal =
        matches!(digits.len(), 3 | 4) && digits.bytes().all(|byte| matches!(byte, b'0'..=b'7'));
    let read = u32::from_str_radix(digits, 8).ok().filter(|_| is_octal);
    read.ok_or_else(|| format!("`{text}` is not a file mode: write it in octal, such as \"0750\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permissions_are_octal_and_make_sense() {
        assert_eq!(octal("0750").and_then(script), Ok(0o750));
        assert_eq!(octal("700").and_then(job_dir), Ok(0o700));
        assert_eq!(octal("0o700").and_then(job_dir), Ok(0o700));
        for wrong in ["", "75", "0780", "rwxr-x---", "+750", "07500", "-750"] {
            assert!(octal(wrong).is_err(), "{wrong}");
        }
        assert!(script(0o050).unwrap_err().contains("owner"));
        assert!(job_dir(0o600).unwrap_err().contains("owner"));
        assert!(job_dir(0o777).unwrap_err().contains("all users"));
        assert!(script(0o4755).unwrap_err().contains("0777"));
    }
}
