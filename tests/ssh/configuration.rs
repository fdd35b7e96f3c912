//! Settings from the user's OpenSSH configuration.

use slurm::HostKeyPolicy;
use slurm::error::SshError;

use crate::common::{Site, error_of, port, user};
use crate::roles;

trials![
    servers an_alias_has_host_user_port_key_and_known_hosts,
    servers settings_take_precedence_over_the_configuration,
    servers a_mistake_is_reported_with_the_message_of_ssh,
    servers only_allowed_algorithms_are_used,
    servers without_the_program_ssh_the_defaults_hold_and_the_log_says_so,
    servers without_a_terminal_an_encrypted_key_is_an_error,
    servers on_a_terminal_the_passphrase_is_typed_without_echo,
];

fn an_alias_has_host_user_port_key_and_known_hosts(site: &Site) {
    site.know("keys", "host_ed25519");
    site.configure(&format!(
        "Host cluster\n HostName 127.0.0.1\n User {}\n Port {}\n IdentityFile %d/none\n IdentityFile {}\n UserKnownHostsFile {}\n",
        user(),
        port("keys"),
        site.copy_of_key("id_ed25519").display(),
        site.path("known_hosts").display(),
    ));
    let settings = slurm::Ssh::to("cluster")
        .config_file(site.path("config"))
        .host_key_policy(HostKeyPolicy::Reject)
        .no_prompts();
    let report = settings.check().unwrap();
    assert_eq!(report.address(), format!("127.0.0.1:{}", port("keys")));
    assert_eq!(report.user, user());
}

fn settings_take_precedence_over_the_configuration(site: &Site) {
    site.know("keys", "host_ed25519");
    site.configure("User nobody\nPort 1\nUserKnownHostsFile /nowhere\nIdentityFile /nowhere/key\n");
    site.with_key("keys").check().unwrap();
}

fn a_mistake_is_reported_with_the_message_of_ssh(site: &Site) {
    site.configure("Prot 22");
    let error = error_of(&site.with_key("keys"));
    let text = error.to_string();
    assert!(matches!(error, SshError::Config { .. }), "{error:?}");
    assert!(text.contains("line 1: Bad configuration option: prot"), "{text}");
}

fn only_allowed_algorithms_are_used(site: &Site) {
    site.know("keys", "host_ed25519");
    site.know("keys", "host_ecdsa");
    site.configure("HostKeyAlgorithms ecdsa-sha2-nistp256\nCiphers aes256-ctr\nMACs hmac-sha2-512");
    assert_eq!(site.with_key("keys").check().unwrap().key_type, "ECDSA");
    site.configure("KexAlgorithms sntrup761x25519-sha512@openssh.com");
    let error = error_of(&site.with_key("keys"));
    assert!(error.to_string().contains("KexAlgorithms with nothing that libssh2 has"), "{error}");
}

fn without_the_program_ssh_the_defaults_hold_and_the_log_says_so(site: &Site) {
    site.know("keys", "host_ed25519");
    let key = site.copy_of_key("id_ed25519");
    let printed = roles::check(site, &key, "/nonexistent");
    assert!(printed.contains("logged in as"), "{printed}");
    assert!(printed.contains("`ssh` was not found"), "{printed}");
}

fn without_a_terminal_an_encrypted_key_is_an_error(site: &Site) {
    site.know("keys", "host_ed25519");
    let key = site.copy_of_key("id_locked");
    let printed = roles::check(site, &key, &std::env::var("PATH").unwrap());
    assert!(printed.contains("there is nobody to ask for its passphrase"), "{printed}");
}

fn on_a_terminal_the_passphrase_is_typed_without_echo(site: &Site) {
    site.know("keys", "host_ed25519");
    let key = site.copy_of_key("id_locked");
    let printed = roles::check_on_terminal(site, &key, &crate::common::password());
    assert!(printed.contains("Enter passphrase for key"), "{printed}");
    assert!(printed.contains("logged in as"), "{printed}");
    assert!(!printed.contains(&crate::common::password()), "{printed}");
}
