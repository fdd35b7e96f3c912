//! Writing an argument so that sbatch's lexer gives it back unchanged.

/// Returns the `#SBATCH` line for one argument of sbatch's command line.
///
/// The part after `=` is quoted when it holds anything that the lexer treats specially. In quotes a
/// backslash still escapes, so quotes and backslashes are escaped; blanks are not, because sbatch
/// before 24.05 ends a token at an escaped blank outside quotes.
pub(crate) fn line(argument: &str) -> String {
    let (name, value) = match argument.split_once('=') {
        Some((name, value)) if is_plain(name) => (name, Some(value)),
        _ => ("", None),
    };
    let mut line = String::from("#SBATCH ");
    match value {
        Some(value) => {
            line.push_str(name);
            line.push('=');
            push_quoted(&mut line, value);
        }
        None => push_quoted(&mut line, argument),
    }
    line
}

fn is_plain(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_./:,%+@=".contains(&byte))
}

fn push_quoted(line: &mut String, text: &str) {
    if text.is_empty() || is_plain(text) {
        line.push_str(text);
        return;
    }
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
