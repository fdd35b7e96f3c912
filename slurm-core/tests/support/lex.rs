//! sbatch's own lexer of `#SBATCH` lines.

use std::fmt;

/// What sbatch reads from a script's directives.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Lexed {
    /// The arguments of each component of the job; one component unless there is a `hetjob` line.
    pub(crate) components: Vec<Vec<String>>,
}

/// A script that sbatch refuses to lex.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DirectiveError {
    /// A quote that is not closed in its line.
    UnmatchedQuote {
        /// The line, counted from 1.
        line: usize,
        /// The quote.
        quote: char,
    },
    /// A token that starts with `:`.
    UnexpectedColon {
        /// The line, counted from 1.
        line: usize,
    },
}

impl fmt::Display for DirectiveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnmatchedQuote { line, quote } => {
                write!(f, "line {line}: the quote {quote} is not closed")
            }
            Self::UnexpectedColon { line } => write!(f, "line {line}: a token starts with `:`"),
        }
    }
}

/// Reads the `#SBATCH` lines of a script as sbatch 22.05 does.
///
/// Slurm's source: `_opt_batch_script`, `get_argument` in `src/sbatch/opt.c`. From 24.05 on an
/// escaped blank outside quotes belongs to the token; before, it ends it.
///
/// # Errors
///
/// Returns what makes sbatch give up.
pub(crate) fn lex(script: &str) -> Result<Lexed, DirectiveError> {
    let mut components = vec![Vec::new()];
    for (number, line) in script.split('\n').enumerate() {
        let rest = line.strip_prefix("#SBATCH").or_else(|| line.strip_prefix("#SLURM"));
        let Some(rest) = rest else {
            let first = line.bytes().find(|byte| !is_space(*byte));
            if first.is_none_or(|byte| byte == b'#') {
                continue;
            }
            break;
        };
        let bytes = rest.as_bytes();
        if separator_length(skip_blanks(bytes)) > 0 {
            components.push(Vec::new());
        }
        if let Some(arguments) = components.last_mut() {
            lex_line(number + 1, bytes, arguments)?;
        }
    }
    Ok(Lexed { components })
}

fn lex_line(
    line: usize,
    mut rest: &[u8],
    arguments: &mut Vec<String>,
) -> Result<(), DirectiveError> {
    loop {
        rest = skip_blanks(rest);
        // sbatch overwrites the word with blanks, which are not skipped again: an empty token, and
        // with it the end of the line.
        if separator_length(rest) > 0 {
            return Ok(());
        }
        match rest.first() {
            None => return Ok(()),
            Some(b':') => return Err(DirectiveError::UnexpectedColon { line }),
            Some(_) => {}
        }
        let (token, length) = lex_token(line, rest)?;
        let Some(token) = token else { return Ok(()) };
        arguments.push(String::from_utf8_lossy(&token).into_owned());
        rest = &rest[length..];
    }
}

/// One token and the bytes it took; no token when nothing but empty quotes or a comment was found.
fn lex_token(line: usize, text: &[u8]) -> Result<(Option<Vec<u8>>, usize), DirectiveError> {
    let mut token: Option<Vec<u8>> = None;
    let mut quote = None;
    let mut escaped = false;
    let mut index = 0;
    while let Some(&byte) = text.get(index) {
        if quote.is_none() && is_space(byte) {
            break;
        }
        if escaped {
            escaped = false;
        } else if byte == b'\\' {
            escaped = true;
            index += 1;
            continue;
        } else if let Some(open) = quote {
            if byte == open {
                quote = None;
                index += 1;
                continue;
            }
        } else if byte == b'"' || byte == b'\'' {
            quote = Some(byte);
            index += 1;
            continue;
        } else if byte == b'#' {
            break;
        }
        token.get_or_insert_with(Vec::new).push(byte);
        index += 1;
    }
    match quote {
        Some(quote) => Err(DirectiveError::UnmatchedQuote { line, quote: char::from(quote) }),
        None => Ok((token, index)),
    }
}

/// The length of `hetjob` or `packjob` at the start, when it is a word of its own.
fn separator_length(text: &[u8]) -> usize {
    for word in [&b"packjob"[..], b"hetjob"] {
        let starts = text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
        if starts && text.get(word.len()).is_none_or(|byte| is_space(*byte)) {
            return word.len();
        }
    }
    0
}

fn skip_blanks(text: &[u8]) -> &[u8] {
    let blanks = text.iter().take_while(|byte| is_space(**byte)).count();
    &text[blanks..]
}

/// C's `isspace` in the C locale.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r')
}
