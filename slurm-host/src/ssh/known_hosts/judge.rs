//! What known_hosts says about a key.

use std::path::Path;

use super::line::{Key, Line, Marker, read};
use crate::error::{KeyPlace, SshError};

/// What known_hosts says about a host's key.
#[derive(Debug, PartialEq, Eq)]
pub(in super::super) enum Verdict {
    /// The host has it.
    Known,
    /// Nothing is known about the host.
    Unknown,
    /// The host has others.
    Changed(Vec<KeyPlace>),
    /// It is revoked.
    Revoked(KeyPlace),
    /// A certificate authority would have to sign it.
    Authority(KeyPlace),
}

/// The files of known hosts, in the order in which they are read.
pub(in super::super) struct Known<'a> {
    pub(super) lines: Vec<(&'a Path, &'a Line)>,
}

impl<'a> Known<'a> {
    /// Keeps the lines that are about one of the names.
    ///
    /// # Errors
    ///
    /// A line with a marker that cannot be read might forbid the connection.
    pub(super) fn about(
        lines: impl Iterator<Item = (&'a Path, &'a Line)>,
        names: &[String],
    ) -> Result<Self, SshError> {
        let mut about = Vec::new();
        for (file, line) in lines {
            let matches = match &line.names {
                Some(hosts) => names.iter().any(|name| hosts.has(name)),
                // Hashed in a way that is not known: it may be about any host.
                None => line.marker != Marker::None,
            };
            if !matches {
                continue;
            }
            let place = || place(file, line);
            let unreadable = |message: String| SshError::KnownHosts { place: place(), message };
            match (&line.marker, &line.key) {
                (Marker::Other(marker), _) => {
                    return Err(unreadable(format!("unknown marker `{marker}`")));
                }
                (Marker::None, Err(problem)) => {
                    log::warn!("{}: {problem}, so the line is ignored", place());
                }
                (_, Err(problem)) => return Err(unreadable((*problem).to_owned())),
                (_, Ok(_)) if line.names.is_none() => {
                    return Err(unreadable("the name is hashed in an unknown way".to_owned()));
                }
                (_, Ok(_)) => about.push((file, line)),
            }
        }
        Ok(Self { lines: about })
    }

    /// Judges a key that the host of this name has shown.
    ///
    /// OpenSSH takes a key of a type that it has not seen of the host for a new one. Here it is a changed
    /// one: whoever sits between could offer another type to be taken for unknown.
    pub(super) fn judge(&self, blob: &[u8], name: &str, portless: Option<&str>) -> Verdict {
        let with =
            |marker: Marker| self.lines.iter().filter(move |(_, line)| line.marker == marker);
        let has = |line: &Line| line.key.as_ref().is_ok_and(|key| key.blob == blob);
        if let Some((file, line)) = with(Marker::Revoked).find(|(_, line)| has(line)) {
            return Verdict::Revoked(place(file, line));
        }
        let is_about = |line: &Line, name: &str| line.names.as_ref().is_some_and(|n| n.has(name));
        let plain = |name| with(Marker::None).filter(move |(_, line)| is_about(line, name));
        if plain(name).chain(portless.into_iter().flat_map(plain)).any(|(_, line)| has(line)) {
            return Verdict::Known;
        }
        let others: Vec<KeyPlace> = plain(name).map(|(file, line)| place(file, line)).collect();
        if !others.is_empty() {
            return Verdict::Changed(others);
        }
        match with(Marker::Authority).next() {
            Some((file, line)) => Verdict::Authority(place(file, line)),
            None => Verdict::Unknown,
        }
    }

    /// Returns the types of the keys that are known of the host.
    pub(super) fn key_types(&self) -> Vec<&'a str> {
        let plain = |(_, line): &(&'a Path, &'a Line)| {
            (line.marker == Marker::None).then_some(line.key.as_ref().ok()?)
        };
        self.lines.iter().filter_map(plain).map(|key: &Key| key.algorithm.as_str()).collect()
    }
}

/// Reads a file and judges a key by it alone.
pub(in super::super) fn look_up(
    file: &Path,
    text: &str,
    name: &str,
    blob: &[u8],
) -> Option<Verdict> {
    let lines = read(text);
    let lines = lines.iter().map(|line| (file, line));
    let known = Known::about(lines, &[name.to_owned()]).ok()?;
    Some(known.judge(blob, name, None))
}

fn place(file: &Path, line: &Line) -> KeyPlace {
    KeyPlace { file: file.to_owned(), line: line.number }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    fn blob(algorithm: &str, tail: &str) -> Vec<u8> {
        let length = u32::try_from(algorithm.len()).unwrap();
        [&length.to_be_bytes(), algorithm.as_bytes(), tail.as_bytes()].concat()
    }

    fn key(algorithm: &str, tail: &str) -> String {
        format!("{algorithm} {}", STANDARD.encode(blob(algorithm, tail)))
    }

    fn judge(text: &str, shown: &[u8], name: &str, portless: Option<&str>) -> Verdict {
        let lines = read(text);
        let file = Path::new("kh");
        let names: Vec<String> =
            [Some(name), portless].into_iter().flatten().map(str::to_owned).collect();
        let known = Known::about(lines.iter().map(|line| (file, line)), &names).unwrap();
        known.judge(shown, name, portless)
    }

    fn at(line: usize) -> KeyPlace {
        KeyPlace { file: "kh".into(), line }
    }

    #[test]
    fn one_of_several_keys_is_enough() {
        let text = format!("a {}\na {}\n", key("ssh-rsa", "1"), key("ssh-ed25519", "2"));
        assert_eq!(judge(&text, &blob("ssh-ed25519", "2"), "a", None), Verdict::Known);
        assert_eq!(judge(&text, &blob("ssh-rsa", "1"), "a", None), Verdict::Known);
        assert_eq!(judge(&text, &blob("ssh-rsa", "1"), "b", None), Verdict::Unknown);
    }

    #[test]
    fn another_key_is_a_changed_one_also_of_another_type() {
        let text = format!("a {}\n", key("ssh-ed25519", "1"));
        for shown in [blob("ssh-ed25519", "2"), blob("ssh-rsa", "2")] {
            assert_eq!(judge(&text, &shown, "a", None), Verdict::Changed(vec![at(1)]));
        }
    }

    #[test]
    fn a_revoked_key_is_refused_though_it_is_known() {
        let key = key("ssh-ed25519", "1");
        let text = format!("a {key}\n@revoked * {key}\n");
        let shown = blob("ssh-ed25519", "1");
        assert_eq!(judge(&text, &shown, "a", None), Verdict::Revoked(at(2)));
    }

    #[test]
    fn a_key_known_without_a_port_counts_for_any_port_and_proves_no_change() {
        let text = format!("a {}\n", key("ssh-ed25519", "1"));
        let judge = |tail| judge(&text, &blob("ssh-ed25519", tail), "[a]:2222", Some("a"));
        assert_eq!(judge("1"), Verdict::Known);
        assert_eq!(judge("2"), Verdict::Unknown);
    }

    #[test]
    fn an_authority_alone_does_not_make_a_key_known() {
        let text = format!("@cert-authority * {}\n", key("ssh-ed25519", "ca"));
        let shown = blob("ssh-ed25519", "1");
        assert_eq!(judge(&text, &shown, "a", None), Verdict::Authority(at(1)));
        // Not even if the host shows the authority's own key.
        let authority = blob("ssh-ed25519", "ca");
        assert_eq!(judge(&text, &authority, "a", None), Verdict::Authority(at(1)));
        let text = format!("{text}a {}\n", key("ssh-ed25519", "1"));
        assert_eq!(judge(&text, &shown, "a", None), Verdict::Known);
    }

    #[test]
    fn a_marked_line_that_cannot_be_read_is_an_error_with_its_place() {
        for (text, message) in [
            ("\n@revoked * ssh-rsa", "kh:2: the line has no key"),
            ("@later a ssh-rsa AAAA", "kh:1: unknown marker `@later`"),
            ("@revoked |9|x|y ssh-rsa !", "kh:1: the key is not in base64"),
        ] {
            let lines = read(text);
            let lines = lines.iter().map(|line| (Path::new("kh"), line));
            let error = Known::about(lines, &["a".to_owned()]).map(|_| ()).unwrap_err();
            assert_eq!(error.to_string(), message);
        }
        assert_eq!(judge("@revoked b ssh-rsa", b"", "a", None), Verdict::Unknown);
    }
}
