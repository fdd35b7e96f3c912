//! The check of host keys against known_hosts, under every policy.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use log::Level;
use slurm::HostKeyPolicy::{Auto, Reject, Warn};
use slurm::error::SshError;
use slurm::ssh::{HostKeyError, HostKeyProblem, Prompt};

use crate::common::{POLICIES, Site, error_of, fingerprint, key, password, port, public_key, run};
use crate::logs;

trials![
    servers a_known_key_is_accepted_under_reject,
    servers reject_refuses_an_unknown_key_and_says_how_to_add_it,
    servers warn_accepts_an_unknown_key_logs_it_and_saves_nothing,
    servers auto_saves_one_line_and_knows_the_key_the_next_time,
    servers auto_hashes_the_name_if_openssh_would,
    servers a_changed_key_is_refused_under_every_policy,
    servers a_host_that_changes_its_key_is_refused,
    servers a_key_of_another_type_than_the_known_one_is_a_changed_key,
    servers a_hashed_entry_is_found,
    servers patterns_and_negated_patterns_hold,
    servers a_key_known_without_a_port_counts_for_any_port,
    servers a_revoked_key_is_refused_under_every_policy,
    servers revoked_host_keys_of_the_configuration_hold,
    servers a_host_known_only_by_a_certificate_authority_is_refused_with_a_reason,
    servers a_marked_line_that_cannot_be_parsed_is_an_error_with_its_place,
    servers the_server_is_asked_for_the_known_type_of_key,
    servers a_host_with_only_an_rsa_key_is_known,
    servers the_known_hosts_of_the_system_count,
    servers strictness_of_the_configuration_holds_unless_a_policy_is_set,
    servers no_password_is_asked_for_before_the_host_key_is_checked,
];

fn host_key_error(error: SshError) -> HostKeyError {
    match error {
        SshError::HostKey(error) => *error,
        other => panic!("expected a host key error, found {other:?}"),
    }
}

fn a_known_key_is_accepted_under_reject(site: &Site) {
    site.know("keys", "host_ed25519");
    let report = site.with_key("keys").check().unwrap();
    assert_eq!((report.key_type, report.fingerprint), fingerprint("host_ed25519"));
}

fn reject_refuses_an_unknown_key_and_says_how_to_add_it(site: &Site) {
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
    // The command in the hint adds the key.
    run(Command::new("sh").arg("-c").arg(command));
    site.with_key("keys").check().unwrap();
}

fn warn_accepts_an_unknown_key_logs_it_and_saves_nothing(site: &Site) {
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

fn auto_saves_one_line_and_knows_the_key_the_next_time(site: &Site) {
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

fn auto_hashes_the_name_if_openssh_would(site: &Site) {
    site.configure("HashKnownHosts yes");
    site.with_key("keys").host_key_policy(Auto).check().unwrap();
    assert!(site.read("known_hosts").starts_with("|1|"));
    // OpenSSH finds the line that this library wrote.
    let name = format!("[127.0.0.1]:{}", port("keys"));
    let found =
        run(Command::new("ssh-keygen").arg("-F").arg(name).arg("-f").arg(site.path("known_hosts")));
    assert!(found.contains(&public_key("host_ed25519")), "{found}");
    site.with_key("keys").check().unwrap();
}

fn a_changed_key_is_refused_under_every_policy(site: &Site) {
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

fn a_host_that_changes_its_key_is_refused(site: &Site) {
    site.configure("HostKeyAlias cluster");
    site.with_key("keys").host_key_policy(Auto).check().unwrap();
    let error = host_key_error(error_of(&site.with_key("changed").host_key_policy(Auto)));
    assert_eq!(error.host, "cluster");
    assert!(matches!(error.problem, HostKeyProblem::Changed(_)), "{error}");
}

fn a_key_of_another_type_than_the_known_one_is_a_changed_key(site: &Site) {
    site.know("rsa", "host_ed25519");
    for policy in POLICIES {
        let error = host_key_error(error_of(&site.with_key("rsa").host_key_policy(policy)));
        assert!(matches!(error.problem, HostKeyProblem::Changed(_)), "{error}");
        assert_eq!(error.key_type, "RSA");
    }
}

fn a_hashed_entry_is_found(site: &Site) {
    site.know("keys", "host_ed25519");
    run(Command::new("ssh-keygen").args(["-q", "-H", "-f"]).arg(site.path("known_hosts")));
    assert!(site.read("known_hosts").starts_with("|1|"));
    site.with_key("keys").check().unwrap();
    let error = host_key_error(error_of(&site.with_key("onesession")));
    assert_eq!(error.problem, HostKeyProblem::Unknown);
}

fn patterns_and_negated_patterns_hold(site: &Site) {
    let excluded = format!("[127.0.0.*]:*,![127.0.0.1]:{}", port("onesession"));
    site.know_as(&excluded, "host_ed25519");
    site.with_key("keys").check().unwrap();
    let error = host_key_error(error_of(&site.with_key("onesession")));
    assert_eq!(error.problem, HostKeyProblem::Unknown);
}

fn a_key_known_without_a_port_counts_for_any_port(site: &Site) {
    site.know_as("127.0.0.1", "host_ed25519");
    site.with_key("keys").check().unwrap();
    // Another host may answer on another port of the same address.
    let error = host_key_error(error_of(&site.with_key("changed")));
    assert_eq!(error.problem, HostKeyProblem::Unknown);
}

fn a_revoked_key_is_refused_under_every_policy(site: &Site) {
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

fn revoked_host_keys_of_the_configuration_hold(site: &Site) {
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

fn a_host_known_only_by_a_certificate_authority_is_refused_with_a_reason(site: &Site) {
    site.know_as("@cert-authority *", "host_rsa");
    for policy in POLICIES {
        let error = host_key_error(error_of(&site.with_key("keys").host_key_policy(policy)));
        assert!(matches!(error.problem, HostKeyProblem::Authority(_)), "{error}");
        assert!(error.to_string().contains("host certificates cannot be checked"), "{error}");
    }
    site.know("keys", "host_ed25519");
    site.with_key("keys").check().unwrap();
}

fn a_marked_line_that_cannot_be_parsed_is_an_error_with_its_place(site: &Site) {
    site.know("keys", "host_ed25519");
    let before = site.read("known_hosts");
    site.write("known_hosts", &format!("{before}@revoked * ssh-rsa AAAA"));
    let error = error_of(&site.with_key("keys").host_key_policy(Auto));
    let place = format!("{}:2: ", site.path("known_hosts").display());
    assert!(error.to_string().starts_with(&place), "{error}");
    // A plain line that cannot be parsed is skipped, as by OpenSSH.
    site.write("known_hosts", &format!("{before}* ssh-rsa AAAA"));
    site.with_key("keys").check().unwrap();
}

fn the_server_is_asked_for_the_known_type_of_key(site: &Site) {
    site.know("keys", "host_ecdsa");
    let report = site.with_key("keys").check().unwrap();
    assert_eq!((report.key_type, report.fingerprint), fingerprint("host_ecdsa"));
}

fn a_host_with_only_an_rsa_key_is_known(site: &Site) {
    site.know("rsa", "host_rsa");
    let report = site.with_key("rsa").check().unwrap();
    assert_eq!((report.key_type, report.fingerprint), fingerprint("host_rsa"));
}

fn the_known_hosts_of_the_system_count(site: &Site) {
    site.know("keys", "host_ed25519");
    std::fs::rename(site.path("known_hosts"), site.path("system")).unwrap();
    site.configure(&format!("GlobalKnownHostsFile /none {}", site.path("system").display()));
    site.with_key("keys").check().unwrap();
}

fn strictness_of_the_configuration_holds_unless_a_policy_is_set(site: &Site) {
    // These settings have no policy of their own.
    let settings = site.server("keys").identity_file(site.copy_of_key("id_ed25519"));
    site.configure("StrictHostKeyChecking no");
    settings.check().unwrap();
    assert_eq!(logs::at(Level::Warn).len(), 1, "`no` means `warn`");
    site.configure("StrictHostKeyChecking yes");
    assert_eq!(host_key_error(error_of(&settings)).problem, HostKeyProblem::Unknown);
    settings.clone().host_key_policy(Warn).check().unwrap();
    site.configure("StrictHostKeyChecking accept-new");
    settings.check().unwrap();
    assert_eq!(site.read("known_hosts").lines().count(), 1);
}

fn no_password_is_asked_for_before_the_host_key_is_checked(site: &Site) {
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
