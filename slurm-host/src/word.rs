//! Words of a shell.

/// Returns `text` as one word of a POSIX shell.
pub fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./=:,@%+".contains(c);
    if !text.is_empty() && text.chars().all(plain) { text.to_owned() } else { quoted_word(text) }
}

/// Returns `text` as one word in single quotes, so that people find it in a script as they wrote it.
pub fn quoted_word(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn a_shell_takes_back_every_word() {
        let hostile = [
            "",
            "a b",
            "$(touch x)",
            "it's",
            "`id`",
            "a\nb",
            "\"",
            "\\",
            "*",
            "~",
            "#x",
            "ü",
            "-n",
        ];
        for text in hostile {
            let line = format!("printf %s {}", shell_word(text));
            let output = Command::new("sh").args(["-c", &line]).output().unwrap();
            assert_eq!(String::from_utf8_lossy(&output.stdout), text, "{line}");
        }
    }
}
