//! Logins with keys, from the agent and from files.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use slurm::ssh::PromptKind;

use crate::common::{Agent, Site, error_of, password, run, user};
use crate::people::{Person, attempts, to};

trials![
    servers keys_of_every_type_work,
    servers a_wrong_key_is_refused_and_named,
    servers a_missing_key_is_reported,
    servers a_key_that_others_can_read_is_not_used,
    servers a_file_that_is_not_a_key_is_reported,
    servers a_certificate_beside_the_key_works,
    servers a_certificate_in_the_agent_works,
    servers keys_of_the_agent_work,
    servers an_agent_with_more_keys_than_the_server_tries_is_refused_with_a_hint,
    servers identities_only_selects_the_key_of_a_full_agent,
    servers identities_only_excludes_the_other_keys_of_the_agent,
    servers a_named_key_is_tried_before_the_others_of_a_full_agent,
    servers a_missing_or_silent_agent_is_skipped,
    servers an_encrypted_key_asks_for_its_passphrase_once,
    servers a_wrong_passphrase_may_be_tried_again,
    servers encrypted_keys_in_older_formats_work,
    servers no_passphrase_is_asked_for_a_refused_key,
    servers an_encrypted_key_without_a_prompter_is_an_error_that_says_so,
    servers batch_mode_asks_no_questions,
];

fn keys_of_every_type_work(site: &Site) {
    for name in ["id_ed25519", "id_ecdsa", "id_rsa"] {
        let file = site.copy_of_key(name);
        let report = to(site, "keys").identity_file(&file).check().unwrap();
        assert_eq!(report.method, format!("publickey ({})", file.display()));
        assert_eq!(report.user, user());
    }
}

fn a_wrong_key_is_refused_and_named(site: &Site) {
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

fn a_missing_key_is_reported(site: &Site) {
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

fn a_key_that_others_can_read_is_not_used(site: &Site) {
    let file = site.copy_of_key("id_ed25519");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let tried = attempts(&to(site, "keys").identity_file(&file));
    assert!(tried.contains(&format!("chmod 600 {}", file.display())), "{tried}");
}

fn a_file_that_is_not_a_key_is_reported(site: &Site) {
    let file = site.write("notes", "not a key\n");
    let tried = attempts(&to(site, "keys").identity_file(&file));
    assert_eq!(tried, format!("publickey ({}): is not a private key\n", file.display()));
}

/// Creates a key, whose certificate is all that the server knows of it.
fn certified(site: &Site) -> PathBuf {
    let file = site.new_key("mine", "");
    run(Command::new("ssh-keygen")
        .args(["-q", "-I", "me", "-n", &user(), "-s"])
        .args([&site.copy_of_key("user_ca_ed25519"), &site.path("mine.pub")]));
    file
}

fn a_certificate_beside_the_key_works(site: &Site) {
    let file = certified(site);
    to(site, "keys").identity_file(&file).check().unwrap();
    // It works under another name too.
    fs::rename(site.path("mine-cert.pub"), site.path("certificate")).unwrap();
    attempts(&to(site, "keys").identity_file(&file));
    site.configure(&format!("CertificateFile {}", site.path("certificate").display()));
    to(site, "keys").identity_file(&file).check().unwrap();
}

fn a_certificate_in_the_agent_works(site: &Site) {
    let agent = Agent::with(site, &[certified(site)]);
    site.configure(&format!("IdentityAgent {}\nIdentityFile none", agent.socket.display()));
    assert_eq!(to(site, "keys").check().unwrap().method, "publickey (agent: mine)");
}

fn keys_of_the_agent_work(site: &Site) {
    let agent = Agent::with(site, &[site.copy_of_key("id_ecdsa")]);
    site.configure(&format!("IdentityAgent {}\nIdentityFile none", agent.socket.display()));
    let report = to(site, "keys").check().unwrap();
    assert_eq!(report.method, "publickey (agent: slurm-sdk-test id_ecdsa)");
}

/// Starts an agent that holds more keys than the MaxAuthTries of sshd, and the key that the server accepts as
/// the last one.
fn full(site: &Site) -> Agent {
    let mut keys: Vec<PathBuf> = (0..8).map(|n| site.new_key(&format!("other{n}"), "")).collect();
    keys.push(site.copy_of_key("id_ed25519"));
    let agent = Agent::with(site, &keys);
    site.configure(&format!("IdentityAgent {}", agent.socket.display()));
    agent
}

fn an_agent_with_more_keys_than_the_server_tries_is_refused_with_a_hint(site: &Site) {
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

fn identities_only_selects_the_key_of_a_full_agent(site: &Site) {
    let _agent = full(site);
    // The private key is only in the agent. The file of the public key selects it.
    fs::copy(crate::common::key("id_ed25519.pub"), site.path("id_ed25519.pub")).unwrap();
    fs::remove_file(site.path("id_ed25519")).unwrap();
    site.configure(&format!(
        "IdentitiesOnly yes\nIdentityFile {}",
        site.path("id_ed25519").display()
    ));
    let report = to(site, "keys").check().unwrap();
    assert_eq!(report.method, "publickey (agent: slurm-sdk-test id_ed25519)");
    // The configuration may name the file of the public key too.
    site.configure(&format!(
        "IdentitiesOnly yes\nIdentityFile {}",
        site.path("id_ed25519.pub").display()
    ));
    to(site, "keys").check().unwrap();
}

fn identities_only_excludes_the_other_keys_of_the_agent(site: &Site) {
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

fn a_named_key_is_tried_before_the_others_of_a_full_agent(site: &Site) {
    let _agent = full(site);
    let file = site.path("id_ed25519");
    let report = to(site, "keys").identity_file(file).check().unwrap();
    assert_eq!(report.method, "publickey (agent: slurm-sdk-test id_ed25519)");
}

fn a_missing_or_silent_agent_is_skipped(site: &Site) {
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

fn an_encrypted_key_asks_for_its_passphrase_once(site: &Site) {
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

fn a_wrong_passphrase_may_be_tried_again(site: &Site) {
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

fn encrypted_keys_in_older_formats_work(site: &Site) {
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

fn no_passphrase_is_asked_for_a_refused_key(site: &Site) {
    let person = Person::default();
    let file = site.new_key("unknown", "a passphrase");
    let settings =
        person.answers(to(site, "keys").identity_file(&file), |_| "a passphrase".to_owned());
    let tried = attempts(&settings);
    assert!(tried.contains("the server does not accept this key"), "{tried}");
    assert_eq!(person.asked(), [""; 0]);
}

fn an_encrypted_key_without_a_prompter_is_an_error_that_says_so(site: &Site) {
    let file = site.copy_of_key("id_locked");
    let error = error_of(&to(site, "keys").identity_file(&file));
    let why = "the key is encrypted, and there is nobody to ask for its passphrase";
    assert!(error.to_string().contains(why), "{error}");
    assert!(error.hint().unwrap().contains("ssh-add"), "{:?}", error.hint());
}

fn batch_mode_asks_no_questions(site: &Site) {
    site.configure("BatchMode yes");
    let person = Person::default();
    let settings = person.answers(to(site, "password"), |_| password());
    assert_eq!(attempts(&settings), "password: there is nobody to ask\n");
    assert_eq!(person.asked(), [""; 0]);
}
