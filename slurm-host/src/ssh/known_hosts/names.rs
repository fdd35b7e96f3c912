//! The first field of a line: which hosts it is about.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

/// The hosts of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) enum Names {
    /// Patterns with `*` and `?`; those after a `!` exclude.
    Patterns(Vec<Pattern>),
    /// One name, hashed.
    Hashed { salt: Vec<u8>, hash: Vec<u8> },
}

/// A pattern, and whether it excludes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Pattern {
    excludes: bool,
    text: String,
}

impl Names {
    /// Reads the field, or returns `None` if it is hashed in a way that is not known.
    pub(super) fn read(field: &str) -> Option<Self> {
        if let Some(rest) = field.strip_prefix('|') {
            let (salt, hash) = rest.strip_prefix("1|")?.split_once('|')?;
            let (salt, hash) = (STANDARD.decode(salt).ok()?, STANDARD.decode(hash).ok()?);
            return Some(Self::Hashed { salt, hash });
        }
        let pattern = |word: &str| match word.strip_prefix('!') {
            Some(text) => Pattern { excludes: true, text: text.to_lowercase() },
            None => Pattern { excludes: false, text: word.to_lowercase() },
        };
        Some(Self::Patterns(
            field.split(',').filter(|word| !word.is_empty()).map(pattern).collect(),
        ))
    }

    /// Returns whether the line is about the host of this name, which is in lower case.
    pub(super) fn has(&self, name: &str) -> bool {
        match self {
            Self::Patterns(patterns) => {
                let matching = || patterns.iter().filter(|pattern| matches(&pattern.text, name));
                matching().any(|pattern| !pattern.excludes)
                    && !matching().any(|pattern| pattern.excludes)
            }
            Self::Hashed { salt, hash } => {
                digest(salt, name).is_some_and(|mac| mac.verify_slice(hash).is_ok())
            }
        }
    }

    /// Returns the field for one name, hashed with `salt`.
    pub(super) fn hashed(salt: &[u8], name: &str) -> Option<String> {
        let hash = digest(salt, name)?.finalize().into_bytes();
        Some(format!("|1|{}|{}", STANDARD.encode(salt), STANDARD.encode(hash)))
    }
}

fn digest(salt: &[u8], name: &str) -> Option<Hmac<Sha1>> {
    Some(Hmac::<Sha1>::new_from_slice(salt).ok()?.chain_update(name))
}

/// Whether a pattern with `*` and `?` is about the whole of a name. Takes no more than the product of
/// their lengths.
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut p, mut n) = (0, 0);
    // Where to go on when the last `*` has to take one more.
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(&c) if c == b'?' || c == name[n] => {
                p += 1;
                n += 1;
            }
            _ => match star {
                Some((at, taken)) => {
                    star = Some((at, taken + 1));
                    p = at + 1;
                    n = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|&c| c == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_about(field: &str, name: &str) -> bool {
        Names::read(field).unwrap().has(name)
    }

    #[test]
    fn patterns_match_as_openssh_says() {
        assert!(is_about("login.example.org", "login.example.org"));
        assert!(is_about("a,LOGIN.example.org,b", "login.example.org"));
        assert!(is_about("*.example.org", "login.example.org"));
        assert!(is_about("login?.example.org", "login1.example.org"));
        assert!(is_about("[login.example.org]:2222", "[login.example.org]:2222"));
        assert!(is_about("*", "anything"));
        assert!(!is_about("login.example.org", "login.example.or"));
        assert!(!is_about("login?.example.org", "login.example.org"));
        assert!(!is_about("[login.example.org]:2222", "login.example.org"));
        assert!(!is_about("", "x"));
    }

    #[test]
    fn a_negated_pattern_excludes_whatever_else_matches() {
        assert!(is_about("*.example.org,!bad.example.org", "good.example.org"));
        assert!(!is_about("*.example.org,!bad.example.org", "bad.example.org"));
        assert!(!is_about("!bad.example.org", "good.example.org"));
    }

    #[test]
    fn a_hashed_name_is_found() {
        let field = Names::hashed(b"0123456789abcdefghij", "login.example.org").unwrap();
        assert!(field.starts_with("|1|MDEyMzQ1Njc4OWFiY2RlZmdoaWo=|"));
        assert!(is_about(&field, "login.example.org"));
        assert!(!is_about(&field, "other.example.org"));
        assert_eq!(Names::read("|2|abc|def"), None);
    }

    #[test]
    fn many_stars_do_not_take_for_ever() {
        let pattern = "*a".repeat(2000) + "b";
        assert!(!is_about(&pattern, &"a".repeat(20_000)));
    }
}
