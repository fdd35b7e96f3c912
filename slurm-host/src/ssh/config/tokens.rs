//! `%h`, `~` and `${VARIABLE}` in values of the configuration.

use std::env;
use std::path::PathBuf;

/// What the tokens stand for.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Tokens {
    /// `%h`: the name or address that is connected to.
    pub(super) hostname: String,
    /// `%n`: the name as it was given.
    pub(super) given: String,
    /// `%p`.
    pub(super) port: u16,
    /// `%r`: the user on the other side.
    pub(super) user: String,
    /// `%k`: the name in known_hosts.
    pub(super) key_name: String,
    /// `%j`: the jump host.
    pub(super) jump: String,
    /// `%d`: the home directory.
    pub(super) home: PathBuf,
}

impl Tokens {
    /// Replaces the tokens of a command. What is none of them stays.
    pub(in super::super) fn expand(&self, text: &str) -> String {
        let mut expanded = String::with_capacity(text.len());
        let mut rest = text.chars();
        while let Some(c) = rest.next() {
            if c != '%' {
                expanded.push(c);
                continue;
            }
            match rest.next() {
                Some('%') | None => expanded.push('%'),
                Some('h') => expanded.push_str(&self.hostname),
                Some('n') => expanded.push_str(&self.given),
                Some('p') => expanded.push_str(&self.port.to_string()),
                Some('r') => expanded.push_str(&self.user),
                Some('k') => expanded.push_str(&self.key_name),
                Some('j') => expanded.push_str(&self.jump),
                Some('d') => expanded.push_str(&self.home.to_string_lossy()),
                Some('i') => {
                    expanded.push_str(&rustix::process::getuid().as_raw().to_string());
                }
                Some('u') => expanded.push_str(&env::var("USER").unwrap_or_default()),
                Some('l') => expanded.push_str(&node_name()),
                Some('L') => expanded.push_str(node_name().split('.').next().unwrap_or_default()),
                Some(other) => expanded.extend(['%', other]),
            }
        }
        expanded
    }

    /// Replaces the tokens, variables and `~` of a file's name.
    pub(in super::super) fn path(&self, text: &str) -> PathBuf {
        let text = variables(&self.expand(text));
        match text.strip_prefix("~/") {
            Some(rest) => self.home.join(rest),
            None => PathBuf::from(text),
        }
    }
}

fn node_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

fn variables(text: &str) -> String {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, (name, after))) =
        rest.split_once("${").and_then(|(before, from)| Some((before, from.split_once('}')?)))
    {
        expanded.push_str(before);
        expanded.push_str(&env::var(name).unwrap_or_default());
        rest = after;
    }
    expanded + rest
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn tokens() -> Tokens {
        Tokens {
            hostname: "10.0.0.1".to_owned(),
            given: "login".to_owned(),
            port: 2222,
            user: "me".to_owned(),
            home: PathBuf::from("/home/me"),
            ..Tokens::default()
        }
    }

    #[test]
    fn tokens_of_a_command_are_replaced_once() {
        assert_eq!(tokens().expand("nc %h %p %n %r %%h %x %"), "nc 10.0.0.1 2222 login me %h %x %");
    }

    #[test]
    fn the_tilde_of_a_path_is_the_home_directory() {
        assert_eq!(tokens().path("~/.ssh/id_%h"), Path::new("/home/me/.ssh/id_10.0.0.1"));
        assert_eq!(tokens().path("/a~/${NO_SUCH_VARIABLE_}b${"), Path::new("/a~/b${"));
    }
}
