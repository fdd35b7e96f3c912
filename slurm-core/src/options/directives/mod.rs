//! `#SBATCH` lines: writing them, and reading them as sbatch does.

mod lex;
mod quote;

pub use lex::{DirectiveError, Lexed, lex};
pub(crate) use quote::line;
