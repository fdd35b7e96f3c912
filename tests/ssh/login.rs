//! Logging in, in every way that servers know.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use log::Level;
use slurm::error::SshError;
use slurm::ssh::{Prompt, PromptKind};
use slurm::{HostKeyPolicy, Ssh};

use crate::common::{Agent, Site, code, error_of, on_servers, password, run, user};
use crate::logs;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        on_servers("login::keys_of_every_type_work", key_types),
        on_servers("login::a_wrong_key_is_refused_and_named", wrong_key),
        on_servers("login::no_key_at_all_is_said", no_key),
        on_servers("login::a_key_that_others_can_read_is_not_used", open_key),
        on_servers("login::a_file_that_is_no_key_is_said", no_key_file),
        on_servers("login::a_certificate_beside_the_key_works", certificate),
        on_servers("login::a_certificate_in_the_agent_works", certificate_in_agent),
        on_servers("login::keys_of_the_agent_work", agent),
        on_servers("login::a_full_agent_exhausts_the_servers_patience", full_agent),
        on_servers("login::identities_only_picks_the_key_out_of_a_full_agent", identities_only),
        on_servers("login::identities_only_keeps_the_other_keys_of_the_agent_out", others_kept_out),
        on_servers("login::a_named_key_is_the_first_of_a_full_agent", named_first),
        on_servers("login::an_agent_that_is_silent_or_gone_is_passed_over", dead_agent),
        on_servers("login::an_encrypted_key_asks_for_its_passphrase_once", passphrase),
        on_servers("login::a_wrong_passphrase_may_be_tried_again", wrong_passphrase),
        on_servers("login::encrypted_keys_in_older_formats_work", older_formats),
        on_servers(
            "login::nobody_is_asked_for_the_passphrase_of_a_key_that_the_server_refuses",
            unwanted,
        ),
        on_servers(
            "login::an_encrypted_key_without_anybody_to_ask_is_an_error_that_says_so",
            no_answer,
        ),
        on_servers("login::batch_mode_of_the_configuration_asks_nobody", batch_mode),
        on_servers("login::several_questions_of_the_server_are_asked_with_their_echo", keyboard),
        on_servers("login::a_wrong_code_is_asked_for_again_and_then_refused", wrong_code),
        on_servers("login::time_in_which_a_person_types_does_not_count", slow_typist),
        on_servers("login::a_password_works_and_is_gone_afterwards", stored_password),
        on_servers("login::a_password_answers_the_one_hidden_question_for_it", stored_answer),
        on_servers("login::a_password_is_asked_for", typed_password),
        on_servers("login::a_wrong_password_is_refused", wrong_password),
        on_servers("login::a_server_that_does_not_answer_is_given_up", slow_server),
        on_servers("login::a_key_and_then_a_code", two_factors),
        on_servers("login::a_key_that_needs_a_code_too_is_said", half_of_two_factors),
        on_servers("login::a_method_that_is_switched_off_is_not_tried", switched_off),
        on_servers("login::a_banner_is_logged_without_its_escape_sequences", banner),
    ]
}

/// Settings for a server whose key is known.
fn to(site: &Site, server: &str) -> Ssh {
    site.know(server, "host_ed25519");
    site.server(server).host_key_policy(HostKeyPolicy::Reject)
}

/// The attempts of a login that failed, one a line.
fn attempts(settings: &Ssh) -> String {
    match error_of(settings) {
        SshError::Authentication { attempts, .. } => {
            attempts.iter().map(|attempt| format!("{attempt}\n")).collect()
        }
        other => panic!("expected a refused login, found {other:?}"),
    }
}

/// What was asked, and answers.
#[derive(Clone, Default)]
struct Person {
    asked: Arc<Mutex<Vec<String>>>,
}

impl Person {
    /// Settings in which this person answers what `answer` says.
    fn answers(
        &self,
        settings: Ssh,
        answer: impl Fn(&Prompt<'_>) -> String + Send + Sync + 'static,
    ) -> Ssh {
        let asked = Arc::clone(&self.asked);
        settings.prompter(move |prompt: &Prompt<'_>| {
            let echo = if prompt.echo { "shown" } else { "hidden" };
            asked.lock().unwrap().push(format!("{}|{}|{echo}", prompt.instruction, prompt.text));
            Some(answer(prompt))
        })
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn key_types(site: &Site) {
    for name in ["id_ed25519", "id_ecdsa", "id_rsa"] {
        let file = site.copy_of_key(name);
        let report = to(site, "keys").identity_file(&file).check().unwrap();
        assert_eq!(report.method, format!("publickey ({})", file.display()));
        assert_eq!(report.user, user());
    }
}

fn wrong_key(site: &Site) {
    let file = site.new_key("mine", "");
    let settings = to(site, "keys").identity_file(&file);
    let tried = attempts(&settings);
    assert_eq!(
        tried,
        format!("publickey ({}): the server does not accept this key\n", file.display())
    );
    let error = error_of(&settings);
    assert!(error.to_string().contains(&tried.trim_end().to_owned()), "{error}");
    assert!(
        error.hint().unwrap().starts_with("the server accepts publickey"),
        "{:?}",
        error.hint()
    );
}

fn no_key(site: &Site) {
    site.configure("IdentityFile none");
    assert_eq!(
        attempts(&to(site, "keys")),
        "publickey: there is no key, neither in an agent nor in a file\n"
    );
    let missing = site.path("missing");
    assert_eq!(
        attempts(&to(site, "keys").identity_file(&missing)),
        format!("publickey ({}): does not exist\n", missing.display())
    );
}

fn open_key(site: &Site) {
    let file = site.copy_of_key("id_ed25519");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let tried = attempts(&to(site, "keys").identity_file(&file));
    assert!(tried.contains(&format!("chmod 600 {}", file.display())), "{tried}");
}

fn no_key_file(site: &Site) {
    let file = site.write("notes", "not a key\n");
    let tried = attempts(&to(site, "keys").identity_file(&file));
    assert_eq!(tried, format!("publickey ({}): is not a private key\n", file.display()));
}

/// A key that the server knows by its certificate alone.
fn certified(site: &Site) -> PathBuf {
    let file = site.new_key("mine", "");
    run(Command::new("ssh-keygen")
        .args(["-q", "-I", "me", "-n", &user(), "-s"])
        .args([&site.copy_of_key("user_ca_ed25519"), &site.path("mine.pub")]));
    file
}

fn certificate(site: &Site) {
    let file = certified(site);
    to(site, "keys").identity_file(&file).check().unwrap();
    // Also with another name.
    fs::rename(site.path("mine-cert.pub"), site.path("certificate")).unwrap();
    attempts(&to(site, "keys").identity_file(&file));
    site.configure(&format!("CertificateFile {}", site.path("certificate").display()));
    to(site, "keys").identity_file(&file).check().unwrap();
}

fn certificate_in_agent(site: &Site) {
    let agent = Agent::with(site, &[certified(site)]);
    site.configure(&format!("IdentityAgent {}\nIdentityFile none", agent.socket.display()));
    assert_eq!(to(site, "keys").check().unwrap().method, "publickey (agent: mine)");
}

fn agent(site: &Site) {
    let agent = Agent::with(site, &[site.copy_of_key("id_ecdsa")]);
    site.configure(&format!("IdentityAgent {}\nIdentityFile none", agent.socket.display()));
    let report = to(site, "keys").check().unwrap();
    assert_eq!(report.method, "publickey (agent: slurm-sdk-test id_ecdsa)");
}

/// More keys than sshd's MaxAuthTries, and at the end the one that it takes.
fn full(site: &Site) -> Agent {
    let mut keys: Vec<PathBuf> = (0..8).map(|n| site.new_key(&format!("other{n}"), "")).collect();
    keys.push(site.copy_of_key("id_ed25519"));
    let agent = Agent::with(site, &keys);
    site.configure(&format!("IdentityAgent {}", agent.socket.display()));
    agent
}

fn full_agent(site: &Site) {
    let _agent = full(site);
    site.configure("IdentityFile none");
    let error = error_of(&to(site, "keys"));
    let text = error.to_string();
    assert!(
        text.contains("publickey (agent: other0): the server does not accept this key"),
        "{text}"
    );
    assert!(text.contains("perhaps after too many attempts"), "{text}");
    assert!(error.hint().unwrap().contains("IdentitiesOnly"), "{:?}", error.hint());
}

fn identities_only(site: &Site) {
    let _agent = full(site);
    // The private key is in the agent alone; its public key says which.
    fs::copy(crate::common::key("id_ed25519.pub"), site.path("id_ed25519.pub")).unwrap();
    fs::remove_file(site.path("id_ed25519")).unwrap();
    site.configure(&format!(
        "IdentitiesOnly yes\nIdentityFile {}",
        site.path("id_ed25519").display()
    ));
    let report = to(site, "keys").check().unwrap();
    assert_eq!(report.method, "publickey (agent: slurm-sdk-test id_ed25519)");
    // The public key's file may be named as well.
    site.configure(&format!(
        "IdentitiesOnly yes\nIdentityFile {}",
        site.path("id_ed25519.pub").display()
    ));
    to(site, "keys").check().unwrap();
}

fn others_kept_out(site: &Site) {
    let agent = Agent::with(site, &[site.copy_of_key("id_ed25519")]);
    let named = site.new_key("named", "");
    site.configure(&format!("IdentityAgent {}", agent.socket.display()));
    to(site, "keys").identity_file(&named).check().unwrap();
    site.configure("IdentitiesOnly yes");
    assert_eq!(
        attempts(&to(site, "keys").identity_file(&named)),
        format!("publickey ({}): the server does not accept this key\n", named.display())
    );
}

fn named_first(site: &Site) {
    let _agent = full(site);
    let file = site.path("id_ed25519");
    let report = to(site, "keys").identity_file(file).check().unwrap();
    assert_eq!(report.method, "publickey (agent: slurm-sdk-test id_ed25519)");
}

fn dead_agent(site: &Site) {
    let key = site.copy_of_key("id_ed25519");
    let settings =
        || to(site, "keys").identity_file(&key).connect_timeout(Duration::from_millis(1500));
    let socket = site.path("agent");
    site.configure(&format!("IdentityAgent {}", socket.display()));
    let silent = UnixListener::bind(&socket).unwrap();
    settings().check().unwrap();
    drop(silent);
    settings().check().unwrap();
    fs::remove_file(&socket).unwrap();
    settings().check().unwrap();
}

fn passphrase(site: &Site) {
    let person = Person::default();
    let file = site.copy_of_key("id_locked");
    let settings = person.answers(to(site, "keys").identity_file(&file), |prompt| {
        assert_eq!(prompt.kind, PromptKind::Passphrase);
        password()
    });
    settings.check().unwrap();
    assert_eq!(
        person.asked(),
        [format!("|Enter passphrase for key '{}': |hidden", file.display())]
    );
}

fn wrong_passphrase(site: &Site) {
    let file = site.copy_of_key("id_locked");
    let person = Person::default();
    let seen = person.clone();
    let settings = person.answers(to(site, "keys").identity_file(&file), move |_| {
        if seen.asked().len() < 2 { "wrong".to_owned() } else { password() }
    });
    settings.check().unwrap();
    assert_eq!(person.asked().len(), 2);
    let person = Person::default();
    let settings = person.answers(to(site, "keys").identity_file(&file), |_| "wrong".to_owned());
    let tried = attempts(&settings);
    assert_eq!(tried, format!("publickey ({}): the passphrase is wrong\n", file.display()));
    assert_eq!(person.asked().len(), 3);
}

fn older_formats(site: &Site) {
    for format in ["PEM", "PKCS8"] {
        let file = site.copy_of_key("id_rsa");
        run(Command::new("ssh-keygen")
            .args(["-q", "-p", "-m", format, "-N", &password(), "-f"])
            .arg(&file));
        assert!(fs::read_to_string(&file).unwrap().contains("ENCRYPTED"), "{format}");
        let person = Person::default();
        let seen = person.clone();
        let settings = person.answers(to(site, "keys").identity_file(&file), move |_| {
            if seen.asked().len() < 2 { "wrong".to_owned() } else { password() }
        });
        settings.check().unwrap();
        assert_eq!(person.asked().len(), 2, "{format}");
    }
}

fn unwanted(site: &Site) {
    let person = Person::default();
    let file = site.new_key("unknown", "a passphrase");
    let settings =
        person.answers(to(site, "keys").identity_file(&file), |_| "a passphrase".to_owned());
    let tried = attempts(&settings);
    assert!(tried.contains("the server does not accept this key"), "{tried}");
    assert_eq!(person.asked(), [""; 0]);
}

fn no_answer(site: &Site) {
    let file = site.copy_of_key("id_locked");
    let error = error_of(&to(site, "keys").identity_file(&file));
    let why = "the key is encrypted, and there is nobody to ask for its passphrase";
    assert!(error.to_string().contains(why), "{error}");
    assert!(error.hint().unwrap().contains("ssh-add"), "{:?}", error.hint());
}

fn batch_mode(site: &Site) {
    site.configure("BatchMode yes");
    let person = Person::default();
    let settings = person.answers(to(site, "password"), |_| password());
    assert_eq!(attempts(&settings), "password: there is nobody to ask\n");
    assert_eq!(person.asked(), [""; 0]);
}

fn answer(prompt: &Prompt<'_>) -> String {
    if prompt.text.contains("code") { code() } else { password() }
}

fn keyboard(site: &Site) {
    let person = Person::default();
    let report = person.answers(to(site, "keyboard"), answer).check().unwrap();
    assert_eq!(report.method, "keyboard-interactive");
    let who = format!("{}@127.0.0.1", user());
    assert_eq!(
        person.asked(),
        [
            format!("|({who}) Take the token.\nPassword: |hidden"),
            format!("|({who}) One-time code: |shown")
        ]
    );
}

fn wrong_code(site: &Site) {
    let person = Person::default();
    let settings = person.answers(to(site, "keyboard"), |_| "0".to_owned());
    let tried = attempts(&settings);
    assert!(
        tried.starts_with("keyboard-interactive: the server did not accept the answers\n"),
        "{tried}"
    );
    assert_eq!(person.asked().len(), 6, "two questions, three times");
    let silent = attempts(&to(site, "keyboard"));
    assert_eq!(silent, "keyboard-interactive: there is nobody to ask\n");
}

fn slow_typist(site: &Site) {
    let settings = to(site, "keyboard").connect_timeout(Duration::from_millis(3000));
    let settings = Person::default().answers(settings, |prompt| {
        std::thread::sleep(Duration::from_millis(1600));
        answer(prompt)
    });
    settings.check().unwrap();
}

fn stored_password(site: &Site) {
    let settings = to(site, "password").password(password());
    let clone = settings.clone();
    assert!(format!("{settings:?}").contains("password: set"), "{settings:?}");
    assert_eq!(settings.check().unwrap().method, "password");
    for settings in [settings, clone] {
        assert!(format!("{settings:?}").contains("password: not set"), "{settings:?}");
        assert_eq!(attempts(&settings), "password: there is nobody to ask\n");
    }
}

fn stored_answer(site: &Site) {
    let settings = to(site, "pam").password(password());
    assert_eq!(settings.check().unwrap().method, "keyboard-interactive");
    // It answers no other question.
    let person = Person::default();
    let settings = person.answers(to(site, "keyboard").password(password()), answer);
    settings.check().unwrap();
    let code = format!("|({}@127.0.0.1) One-time code: |shown", user());
    assert_eq!(person.asked(), [code]);
}

fn typed_password(site: &Site) {
    let person = Person::default();
    let settings = person.answers(to(site, "password"), |_| password());
    assert_eq!(settings.check().unwrap().method, "password");
    assert_eq!(person.asked(), [format!("|{}@127.0.0.1's password: |hidden", user())]);
}

fn wrong_password(site: &Site) {
    let settings = to(site, "password").password("wrong");
    let tried = attempts(&settings);
    assert!(tried.starts_with("password (as set): "), "{tried}");
}

fn slow_server(site: &Site) {
    for method in ["password", "keyboard-interactive"] {
        site.configure(&format!("PreferredAuthentications {method}"));
        let before = Instant::now();
        let limit = Duration::from_millis(1500);
        let error = error_of(&to(site, "slow").password(password()).connect_timeout(limit));
        assert!(matches!(error, SshError::Timeout { .. }), "{method}: {error:?}");
        assert!(before.elapsed() < Duration::from_secs(20), "{:?}", before.elapsed());
    }
}

fn two_factors(site: &Site) {
    let person = Person::default();
    let settings = to(site, "twofactor").identity_file(site.copy_of_key("id_ed25519"));
    let report = person.answers(settings, answer).check().unwrap();
    assert_eq!(report.method, "keyboard-interactive");
    assert_eq!(person.asked().len(), 2);
}

fn half_of_two_factors(site: &Site) {
    let file = site.copy_of_key("id_ed25519");
    let tried = attempts(&to(site, "twofactor").identity_file(&file));
    let expected = format!(
        "publickey ({}): accepted, but the server wants another method too\n\
         keyboard-interactive: there is nobody to ask\n",
        file.display()
    );
    assert_eq!(tried, expected);
}

fn switched_off(site: &Site) {
    site.configure("PasswordAuthentication no");
    let tried = attempts(&to(site, "password").password(password()));
    assert_eq!(tried, "password: not tried: not supported, or switched off\n");
    site.configure("PreferredAuthentications publickey\nPasswordAuthentication yes");
    let tried = attempts(&to(site, "password").password(password()));
    assert_eq!(tried, "password: not tried: not supported, or switched off\n");
}

fn banner(site: &Site) {
    to(site, "noisy").identity_file(site.copy_of_key("id_ed25519")).check().unwrap();
    let said = logs::at(Level::Info);
    let banner = "says: Welcome.\n\u{fffd}[2JAuthorized users alone.";
    assert!(said.iter().any(|line| line.ends_with(banner)), "{said:?}");
}
