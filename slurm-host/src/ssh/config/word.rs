//! Names that stand on command lines.

use crate::error::SshError;

/// Hosts and users stand on command lines, some of them of a shell (`ProxyCommand`). OpenSSH refuses the
/// same characters.
pub(super) fn check_word(what: &'static str, value: &str) -> Result<(), SshError> {
    // Some directories have users like `DOMAIN\me` and `me@domain`.
    let bad_of_host = |c: char| what != "a user" && "\\[]/@,".contains(c);
    let bad = |c: char| {
        c.is_whitespace() || c.is_control() || "'`\"$;&<>|(){}".contains(c) || bad_of_host(c)
    };
    let message = if value.is_empty() {
        "it is empty".to_owned()
    } else if value.starts_with('-') {
        "it would be taken for an option".to_owned()
    } else if value.ends_with('\\') {
        "it ends in a backslash".to_owned()
    } else if let Some(c) = value.chars().find(|&c| bad(c)) {
        format!("it has {c:?} in it")
    } else {
        return Ok(());
    };
    Err(SshError::Setting { what, value: value.to_owned(), message })
}
