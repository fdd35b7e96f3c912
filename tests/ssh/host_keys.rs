//! Host keys against known_hosts, under every policy.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use libtest_mimic::Trial;
use log::Level;
use slurm::HostKeyPolicy::{Auto, Reject, Warn};
use slurm::error::SshError;
use slurm::ssh::{HostKeyError, HostKeyProblem, Prompt};

use crate::common::{
    POLICIES, Site, error_of, fingerprint, key, on_servers, password, port, public_key, run,
};
use crate::logs;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        on_servers("host_keys::a_known_key_is_accepted_under_reject", known),
        on_servers(
            "host_keys::reject_refuses_an_unknown_key_and_says_how_it_becomes_known",
            reject,
        ),
        on_servers("host_keys::warn_accepts_an_unknown_key_logs_it_and_saves_nothing", warn),
        on_servers("host_keys::auto_saves_one_line_and_knows_the_key_the_next_time", auto),
        on_servers("host_keys::auto_hashes_the_name_if_openssh_would", auto_hashed),
        on_servers("host_keys::a_changed_key_is_refused_under_every_policy", changed),
        on_servers("host_keys::a_host_that_changes_its_key_is_refused", changes),
        on_servers(
            "host_keys::a_key_of_another_type_than_the_known_one_is_a_changed_key",
            other_type,
        ),
        on_servers("host_keys::a_hashed_entry_is_found", hashed),
        on_servers("host_keys::patterns_and_negation_hold", patterns),
        on_servers("host_keys::a_key_known_without_a_port_counts_for_any_port", portless),
        on_servers("host_keys::a_revoked_key_is_refused_under_every_policy", revoked),
        on_servers("host_keys::revoked_host_keys_of_the_configuration_hold", revoked_file),
        on_servers("host_keys::a_certificate_authority_alone_is_refused_with_a_reason", authority),
        on_servers(
            "host_keys::a_marked_line_that_cannot_be_read_is_refused_with_its_place",
            unreadable,
        ),
        on_servers("host_keys::the_known_type_of_key_is_the_one_that_is_asked_for", preferred),
        on_servers("host_keys::a_host_with_an_rsa_key_alone_is_known", rsa),
        on_servers("host_keys::the_systems_known_hosts_count", system),
        on_servers(
            "host_keys::strictness_of_the_configuration_holds_unless_a_policy_is_set",
            strict,
        ),
        on_servers("host_keys::nothing_is_asked_before_the_key_was_checked", before_credentials),
    ]
}

fn host_key_error(error: SshError) -> HostKeyError {
    match error {
        SshError::HostKey(error) => *error,
        other => panic!("expected an error of the host key, found {other:?}"),
    }
}

fn known(site: &Site) {
    site.know("keys", "host_ed25519");
    let report = site.with_key("keys").check().unwrap();
    assert_eq!((report.key_type, report.fingerprint), fingerprint("host_ed25519"));
}

fn reject(site: &Site) {
    let error = host_key_error(error_of(&site.with_key("keys")));
    let (key_type, fingerprint) = fingerprint("host_ed25519");
    let port = port("keys");
    assert_eq!(
        error.to_string(),
        format!("the host key of [127.0.0.1]:{port} is not known: {key_type} {fingerprint}")
    );
    let file = site.path("known_hosts");
    let command = format!("ssh-keyscan -p {port} 127.0.0.1 >> {}", file.display());
    assert!(error.hint().ends_with(&command), "{}", error.hint());
    // What the hint says helps.
    run(Command::new("sh").arg("-c").arg(command));
    site.with_key("keys").check().unwrap();
}

fn warn(site: &Site) {
    site.with_key("keys").host_key_policy(Warn).check().unwrap();
    let (key_type, fingerprint) = fingerprint("host_ed25519");
    assert_eq!(
        logs::at(Level::Warn),
        [format!(
            "the host key of [127.0.0.1]:{} is not known and was accepted: {key_type} {fingerprint}",
            port("keys")
        )]
    );
    assert!(!site.path("known_hosts").exists());
}

fn auto(site: &Site) {
    let file = site.path("new/known_hosts");
    let settings = site.with_key("keys").known_hosts_file(&file);
    settings.clone().host_key_policy(Auto).check().unwrap();
    settings.clone().host_key_policy(Auto).check().unwrap();
    let line = format!("[127.0.0.1]:{} {}\n", port("keys"), public_key("host_ed25519"));
    assert_eq!(site.read("new/known_hosts"), line);
    let mode = |path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(file), mode(site.path("new"))), (0o600, 0o700));
    settings.host_key_policy(Reject).check().unwrap();
    assert_eq!(logs::at(Level::Warn), [""; 0]);
}

fn auto_hashed(site: &Site) {
    site.configure("HashKnownHosts yes");
    site.with_key("keys").host_key_policy(Auto).check().unwrap();
    assert!(site.read("known_hosts").starts_with("|1|"));
    // OpenSSH finds what we wrote.
    let name = format!("[127.0.0.1]:{}", port("keys"));
    let found =
        run(Command::new("ssh-keygen").arg("-F").arg(name).arg("-f").arg(site.path("known_hosts")));
    assert!(found.contains(&public_key("host_ed25519")), "{found}");
    site.with_key("keys").check().unwrap();
}

fn changed(site: &Site) {
    site.write("known_hosts", "# mine\n");
    site.know("keys", "changed_ed25519");
    let file = site.path("known_hosts");
    let before = site.read("known_hosts");
    let name = format!("[127.0.0.1]:{}", port("keys"));
    let command = format!("ssh-keygen -f {} -R '{name}'", file.display());
    for policy in POLICIES {
        let error = host_key_error(error_of(&site.with_key("keys").host_key_policy(policy)));
        let (key_type, fingerprint) = fingerprint("host_ed25519");
        assert_eq!(
            error.to_string(),
            format!(
                "the host key of {name} has changed: it is now {key_type} {fingerprint}, and not the one in {}:2",
                file.display()
            )
        );
        assert!(error.hint().ends_with(&command), "{}", error.hint());
    }
    assert_eq!(site.read("known_hosts"), before, "nothing was saved");
    run(Command::new("sh").arg("-c").arg(command));
    site.with_key("keys").host_key_policy(Auto).check().unwrap();
}

fn changes(site: &Site) {
    site.configure("HostKeyAlias cluster");
    site.with_key("keys").host_key_policy(Auto).check().unwrap();
    let error = host_key_error(error_of(&site.with_key("changed").host_key_policy(Auto)));
    assert_eq!(error.host, "cluster");
    assert!(matches!(error.problem, HostKeyProblem::Changed(_)), "{error}");
}

fn other_type(site: &Site) {
    site.know("rsa", "host_ed25519");
    for policy in POLICIES {
        let error = host_key_error(error_of(&site.with_key("rsa").host_key_policy(policy)));
        assert!(matches!(error.problem, HostKeyProblem::Changed(_)), "{error}");
        assert_eq!(error.key_type, "RSA");
    }
}

fn hashed(site: &Site) {
    site.know("keys", "host_ed25519");
    run(Command::new("ssh-keygen").args(["-q", "-H", "-f"]).arg(site.path("known_hosts")));
    assert!(site.read("known_hosts").starts_with("|1|"));
    site.with_key("keys").check().unwrap();
    let error = host_key_error(error_of(&site.with_key("onesession")));
    assert_eq!(error.problem, HostKeyProblem::Unknown);
}

fn patterns(site: &Site) {
    let excluded = format!("[127.0.0.*]:*,![127.0.0.1]:{}", port("onesession"));
    site.know_as(&excluded, "host_ed25519");
    site.with_key("keys").check().unwrap();
    let error = host_key_error(error_of(&site.with_key("onesession")));
    assert_eq!(error.problem, HostKeyProblem::Unknown);
}

fn portless(site: &Site) {
    site.know_as("127.0.0.1", "host_ed25519");
    site.with_key("keys").check().unwrap();
    // Another host may live behind another port.
    let error = host_key_error(error_of(&site.with_key("changed")));
    assert_eq!(error.problem, HostKeyProblem::Unknown);
}

fn revoked(site: &Site) {
    site.know("keys", "host_ed25519");
    site.know_as("@revoked *", "host_ed25519");
    for policy in POLICIES {
        let error = host_key_error(error_of(&site.with_key("keys").host_key_policy(policy)));
        assert!(
            error
                .to_string()
                .contains(&format!("is revoked in {}:2", site.path("known_hosts").display())),
            "{error}"
        );
    }
}

fn revoked_file(site: &Site) {
    site.know("keys", "host_ed25519");
    let file = site.path("revoked");
    site.configure(&format!("RevokedHostKeys {}", file.display()));
    let error = error_of(&site.with_key("keys"));
    assert!(error.to_string().ends_with("RevokedHostKeys names it, and it is missing"), "{error}");
    site.write("revoked", &public_key("changed_ed25519"));
    site.with_key("keys").check().unwrap();
    site.write("revoked", &format!("# gone\n{} x\n", public_key("host_ed25519")));
    let error = host_key_error(error_of(&site.with_key("keys")));
    assert!(error.to_string().contains(&format!("{}:2", file.display())), "{error}");
    run(Command::new("ssh-keygen").args(["-q", "-k", "-f"]).arg(&file).arg(key("host_rsa.pub")));
    let error = error_of(&site.with_key("keys"));
    assert!(error.to_string().contains("KRL"), "{error}");
}

fn authority(site: &Site) {
    site.know_as("@cert-authority *", "host_rsa");
    for policy in POLICIES {
        let error = host_key_error(error_of(&site.with_key("keys").host_key_policy(policy)));
        assert!(matches!(error.problem, HostKeyProblem::Authority(_)), "{error}");
        assert!(error.to_string().contains("host certificates cannot be checked"), "{error}");
    }
    site.know("keys", "host_ed25519");
    site.with_key("keys").check().unwrap();
}

fn unreadable(site: &Site) {
    site.know("keys", "host_ed25519");
    let before = site.read("known_hosts");
    site.write("known_hosts", &format!("{before}@revoked * ssh-rsa AAAA"));
    let error = error_of(&site.with_key("keys").host_key_policy(Auto));
    let place = format!("{}:2: ", site.path("known_hosts").display());
    assert!(error.to_string().starts_with(&place), "{error}");
    // A plain line that makes no sense says nothing, as for OpenSSH.
    site.write("known_hosts", &format!("{before}* ssh-rsa AAAA"));
    site.with_key("keys").check().unwrap();
}

fn preferred(site: &Site) {
    site.know("keys", "host_ecdsa");
    let report = site.with_key("keys").check().unwrap();
    assert_eq!((report.key_type, report.fingerprint), fingerprint("host_ecdsa"));
}

fn rsa(site: &Site) {
    site.know("rsa", "host_rsa");
    let report = site.with_key("rsa").check().unwrap();
    assert_eq!((report.key_type, report.fingerprint), fingerprint("host_rsa"));
}

fn system(site: &Site) {
    site.know("keys", "host_ed25519");
    std::fs::rename(site.path("known_hosts"), site.path("system")).unwrap();
    site.configure(&format!("GlobalKnownHostsFile /none {}", site.path("system").display()));
    site.with_key("keys").check().unwrap();
}

fn strict(site: &Site) {
    // Without a policy of its own.
    let settings = site.server("keys").identity_file(site.copy_of_key("id_ed25519"));
    site.configure("StrictHostKeyChecking no");
    settings.check().unwrap();
    assert_eq!(logs::at(Level::Warn).len(), 1, "it is `warn`");
    site.configure("StrictHostKeyChecking yes");
    assert_eq!(host_key_error(error_of(&settings)).problem, HostKeyProblem::Unknown);
    settings.clone().host_key_policy(Warn).check().unwrap();
    site.configure("StrictHostKeyChecking accept-new");
    settings.check().unwrap();
    assert_eq!(site.read("known_hosts").lines().count(), 1);
}

fn before_credentials(site: &Site) {
    site.know("password", "changed_ed25519");
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let settings = site.server("password").prompter(move |_: &Prompt<'_>| {
        count.fetch_add(1, Ordering::SeqCst);
        Some(password())
    });
    for policy in POLICIES {
        host_key_error(error_of(&settings.clone().host_key_policy(policy)));
    }
    assert_eq!(asked.load(Ordering::SeqCst), 0);
    site.write("known_hosts", "");
    settings.host_key_policy(Warn).check().unwrap();
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}
