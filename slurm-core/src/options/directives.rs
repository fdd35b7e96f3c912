//! `#SBATCH` lines, written so that sbatch's lexer gives every argument back unchanged.

/// Returns the `#SBATCH` line for one argument of sbatch's command line.
///
/// The value is quoted when it holds anything that the lexer treats specially. In quotes a
/// backslash still escapes, so quotes and backslashes are escaped; blanks are not, because sbatch
/// before 24.05 ends a token at an escaped blank outside quotes.
pub(crate) fn line(argument: &str) -> String {
    let mut line = String::from("#SBATCH ");
    match argument.split_once('=') {
        Some((name, value)) if is_plain(name) => {
            line.push_str(name);
            line.push('=');
            if !value.is_empty() {
                push(&mut line, value);
            }
        }
        _ if separates_components(argument) => push_quoted(&mut line, argument),
        _ => push(&mut line, argument),
    }
    line
}

/// Whether sbatch takes the argument, unquoted, for the border between two components of a job.
fn separates_components(argument: &str) -> bool {
    ["hetjob", "packjob"].iter().any(|word| argument.eq_ignore_ascii_case(word))
}

/// Whether the lexer gives the text back as it stands, wherever in a line it stands.
fn is_plain(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:,%+@".contains(&byte);
    !text.is_empty() && !text.starts_with(':') && text.bytes().all(plain)
}

fn push(line: &mut String, text: &str) {
    if is_plain(text) {
        line.push_str(text);
    } else {
        push_quoted(line, text);
    }
}

fn push_quoted(line: &mut String, text: &str) {
    let quote = if text.contains('\'') { '"' } else { '\'' };
    line.push(quote);
    for letter in text.chars() {
        if letter == quote || letter == '\\' {
            line.push('\\');
        }
        line.push(letter);
    }
    line.push(quote);
}
