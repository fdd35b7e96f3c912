//! The output of `ssh -G`.

/// What `ssh -G` printed, as far as it matters here. Nothing is expanded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Options {
    pub(super) hostname: Option<String>,
    pub(super) user: Option<String>,
    pub(super) port: Option<u16>,
    pub(super) address_family: Option<String>,
    pub(super) identity_files: Vec<String>,
    pub(super) identity_agent: Option<String>,
    pub(super) identities_only: bool,
    pub(super) certificate_files: Vec<String>,
    pub(super) user_known_hosts: Option<Vec<String>>,
    pub(super) global_known_hosts: Option<Vec<String>>,
    pub(super) revoked_host_keys: Option<String>,
    pub(super) hash_known_hosts: bool,
    pub(super) host_key_alias: Option<String>,
    pub(super) strict_host_key_checking: Option<String>,
    pub(super) known_hosts_command: Option<String>,
    pub(super) proxy_jump: Option<String>,
    pub(super) proxy_command: Option<String>,
    pub(super) proxy_use_fdpass: bool,
    pub(super) control_path: Option<String>,
    pub(super) connect_timeout: Option<u64>,
    pub(super) server_alive_interval: Option<u64>,
    pub(super) batch_mode: bool,
    pub(super) password_prompts: Option<u32>,
    pub(super) preferred_authentications: Option<Vec<String>>,
    /// Methods that are switched off.
    pub(super) disabled: Vec<&'static str>,
    pub(super) host_key_algorithms: Option<Vec<String>>,
    pub(super) kex_algorithms: Option<Vec<String>>,
    pub(super) ciphers: Option<Vec<String>>,
    pub(super) macs: Option<Vec<String>>,
    pub(super) compression: bool,
}

/// Reads the output of `ssh -G`: an option a line, its name in lower case and then its value. What is not
/// understood is as if it were not there.
pub(in super::super) fn read(text: &str) -> Options {
    let mut options = Options::default();
    for line in text.lines() {
        let (name, value) = line.split_once(' ').unwrap_or((line, ""));
        if !value.is_empty() {
            options.set(name, value);
        }
    }
    options
}

impl Options {
    fn set(&mut self, name: &str, value: &str) {
        let text = || (value != "none").then(|| value.to_owned());
        let list = || Some(value.split(',').map(str::to_owned).collect());
        match name {
            "hostname" => self.hostname = Some(value.to_owned()),
            "user" => self.user = Some(value.to_owned()),
            "port" => self.port = value.parse().ok(),
            "addressfamily" => self.address_family = Some(value.to_owned()),
            "identityfile" => self.identity_files.extend(text()),
            // `none` means something here: no agent at all.
            "identityagent" => self.identity_agent = Some(value.to_owned()),
            "identitiesonly" => self.identities_only = yes(value),
            "certificatefile" => self.certificate_files.extend(text()),
            "userknownhostsfile" => self.user_known_hosts = Some(files(value)),
            "globalknownhostsfile" => self.global_known_hosts = Some(files(value)),
            "revokedhostkeys" => self.revoked_host_keys = text(),
            "hashknownhosts" => self.hash_known_hosts = yes(value),
            "hostkeyalias" => self.host_key_alias = text(),
            "stricthostkeychecking" => self.strict_host_key_checking = Some(value.to_owned()),
            "knownhostscommand" => self.known_hosts_command = text(),
            "proxyjump" => self.proxy_jump = text(),
            "proxycommand" => self.proxy_command = text(),
            "proxyusefdpass" => self.proxy_use_fdpass = yes(value),
            // `ssh -G` has replaced its tokens, `%C` too.
            "controlpath" => self.control_path = text(),
            "connecttimeout" => self.connect_timeout = value.parse().ok(),
            "serveraliveinterval" => self.server_alive_interval = value.parse().ok(),
            "batchmode" => self.batch_mode = yes(value),
            "numberofpasswordprompts" => self.password_prompts = value.parse().ok(),
            "preferredauthentications" => self.preferred_authentications = list(),
            "pubkeyauthentication" => self.switch("publickey", value),
            "kbdinteractiveauthentication" | "challengeresponseauthentication" => {
                self.switch("keyboard-interactive", value);
            }
            "passwordauthentication" => self.switch("password", value),
            "hostkeyalgorithms" => self.host_key_algorithms = list(),
            "kexalgorithms" => self.kex_algorithms = list(),
            "ciphers" => self.ciphers = list(),
            "macs" => self.macs = list(),
            "compression" => self.compression = yes(value),
            _ => {}
        }
    }

    fn switch(&mut self, method: &'static str, value: &str) {
        if matches!(value, "no" | "false") {
            self.disabled.push(method);
        }
    }
}

fn yes(value: &str) -> bool {
    matches!(value, "yes" | "true")
}

/// Files are printed with blanks between them and no quotes. They begin as paths do, so what begins
/// otherwise is the rest of a path with a blank in it.
fn files(value: &str) -> Vec<String> {
    let mut files: Vec<String> = Vec::new();
    for word in value.split(' ') {
        match files.last_mut() {
            Some(last) if !word.starts_with(['/', '~', '%', '$']) && word != "none" => {
                last.push(' ');
                last.push_str(word);
            }
            _ => files.push(word.to_owned()),
        }
    }
    files.retain(|file| file != "none" && !file.is_empty());
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_of_ssh_is_understood() {
        let options = read(
            "user me\nhostname login1.example.org\nport 2222\nidentitiesonly yes\n\
             pubkeyauthentication true\npasswordauthentication no\nhashknownhosts yes\n\
             identityfile ~/my keys/id\nidentityfile none\nidentityfile %d/x\nidentityagent none\n\
             userknownhostsfile /home/a b/known_hosts ~/.ssh/known_hosts2\nglobalknownhostsfile none\n\
             proxyjump a,me@b:22\nproxycommand none\nconnecttimeout none\nmacs a,b\nnonsense\n",
        );
        let expected = Options {
            hostname: Some("login1.example.org".to_owned()),
            user: Some("me".to_owned()),
            port: Some(2222),
            identities_only: true,
            disabled: vec!["password"],
            hash_known_hosts: true,
            identity_files: vec!["~/my keys/id".to_owned(), "%d/x".to_owned()],
            identity_agent: Some("none".to_owned()),
            user_known_hosts: Some(vec![
                "/home/a b/known_hosts".to_owned(),
                "~/.ssh/known_hosts2".to_owned(),
            ]),
            global_known_hosts: Some(vec![]),
            proxy_jump: Some("a,me@b:22".to_owned()),
            macs: Some(vec!["a".to_owned(), "b".to_owned()]),
            ..Options::default()
        };
        assert_eq!(options, expected);
    }
}
