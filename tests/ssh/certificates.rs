//! Certificates beside keys: logins succeed here if and only if they succeed with `ssh`.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::common::{Agent, Site, port, run, user};
use crate::people::{attempts, to};

trials![
    servers files_and_agents_with_certificates_work_as_with_ssh,
    servers certificates_of_rsa_and_ecdsa_keys_work,
    servers a_certificate_of_another_key_does_not_prevent_a_login,
    servers each_certificate_file_is_used_with_its_own_key,
    servers a_plain_key_comes_before_the_certificate_beside_it,
    servers a_certificate_without_its_key_is_reported,
];

/// Creates a key, whose certificate is all that the servers know of it. Both are files of this test.
fn certified(site: &Site, name: &str, kind: &str) -> PathBuf {
    let file = site.path(name);
    run(Command::new("ssh-keygen").args(["-q", "-t", kind, "-C", name, "-N", "", "-f"]).arg(&file));
    certify(site, name, &user());
    file
}

fn certify(site: &Site, name: &str, principal: &str) {
    run(Command::new("ssh-keygen")
        .args(["-q", "-I", "me", "-n", principal, "-s"])
        .args([&site.copy_of_key("user_ca_ed25519"), &site.path(&format!("{name}.pub"))]));
}

/// Returns whether `ssh` itself can log in with the configuration of the site.
fn ssh_is_let_in(site: &Site) -> bool {
    let status = Command::new("ssh")
        .args(["-o", "BatchMode=yes", "-l", &user(), "-p", &port("keys").to_string(), "-F"])
        .arg(site.path("config"))
        .arg("-o")
        .arg(format!("UserKnownHostsFile={}", site.path("known_hosts").display()))
        .args(["127.0.0.1", "true"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    status.success()
}

/// Asserts that this library and `ssh` both can log in, or both cannot. Returns whether they can.
fn same(site: &Site, case: &str) -> bool {
    let ours = to(site, "keys").check();
    let theirs = ssh_is_let_in(site);
    assert_eq!(ours.is_ok(), theirs, "{case}: `ssh` logs in: {theirs}, this library: {ours:?}");
    theirs
}

const IN_FILES: [&str; 3] = ["all files", "CertificateFile elsewhere", "no private key"];
const IN_AGENT: [&str; 3] = ["no agent", "the key", "the key and the certificate"];

fn files_and_agents_with_certificates_work_as_with_ssh(_: &Site) {
    let mut let_in = 0;
    for files in IN_FILES {
        for held in IN_AGENT {
            for only in ["no", "yes"] {
                let site = Site::new();
                let mine = certified(&site, "mine", "ed25519");
                let certificate = site.path("mine-cert.pub");
                let mut lines = format!("IdentityFile {}\n", mine.display());
                let agent = match held {
                    "no agent" => None,
                    "the key" => {
                        // ssh-add also adds a certificate that it finds beside the key.
                        let hidden = site.path("hidden");
                        fs::rename(&certificate, &hidden).unwrap();
                        let agent = Agent::with(&site, std::slice::from_ref(&mine));
                        fs::rename(&hidden, &certificate).unwrap();
                        Some(agent)
                    }
                    _ => Some(Agent::with(&site, std::slice::from_ref(&mine))),
                };
                match files {
                    "CertificateFile elsewhere" => {
                        fs::rename(&certificate, site.path("elsewhere")).unwrap();
                        let elsewhere = site.path("elsewhere");
                        lines += &format!("CertificateFile {}\n", elsewhere.display());
                    }
                    "no private key" => fs::remove_file(&mine).unwrap(),
                    _ => {}
                }
                lines += &format!("IdentitiesOnly {only}\n");
                if let Some(agent) = &agent {
                    lines += &format!("IdentityAgent {}\n", agent.socket.display());
                }
                site.configure(&lines);
                let case = format!("{files}, in the agent: {held}, IdentitiesOnly {only}");
                let_in += u32::from(same(&site, &case));
            }
        }
    }
    assert_eq!(let_in, 16, "all cases that have a private key");
}

fn certificates_of_rsa_and_ecdsa_keys_work(_: &Site) {
    for kind in ["rsa", "ecdsa"] {
        for held in IN_AGENT {
            let site = Site::new();
            let mine = certified(&site, "mine", kind);
            let agent = match held {
                "no agent" => None,
                "the key" => {
                    let (certificate, hidden) = (site.path("mine-cert.pub"), site.path("hidden"));
                    fs::rename(&certificate, &hidden).unwrap();
                    let agent = Agent::with(&site, std::slice::from_ref(&mine));
                    fs::rename(&hidden, &certificate).unwrap();
                    Some(agent)
                }
                _ => Some(Agent::with(&site, std::slice::from_ref(&mine))),
            };
            let mut lines = format!("IdentityFile {}\n", mine.display());
            if let Some(agent) = &agent {
                lines += &format!("IdentityAgent {}\n", agent.socket.display());
            }
            site.configure(&lines);
            assert!(same(&site, &format!("{kind}, in the agent: {held}")), "{kind}, {held}");
        }
    }
}

fn a_certificate_of_another_key_does_not_prevent_a_login(site: &Site) {
    certified(site, "other", "ed25519");
    let plain = site.copy_of_key("id_ed25519");
    let lines = format!(
        "IdentityFile {}\nCertificateFile {}",
        plain.display(),
        site.path("other-cert.pub").display()
    );
    site.configure(&lines);
    assert!(same(site, "a plain key, and a certificate of another one"));
    let agent = Agent::with(site, std::slice::from_ref(&plain));
    site.configure(&format!("IdentityAgent {}", agent.socket.display()));
    assert!(same(site, "the same, in the agent"));
}

fn each_certificate_file_is_used_with_its_own_key(site: &Site) {
    certified(site, "other", "ed25519");
    let mine = certified(site, "mine", "ed25519");
    fs::rename(site.path("mine-cert.pub"), site.path("elsewhere")).unwrap();
    site.configure(&format!(
        "IdentityFile {}\nCertificateFile {}\nCertificateFile {}",
        mine.display(),
        site.path("other-cert.pub").display(),
        site.path("elsewhere").display()
    ));
    assert!(same(site, "two certificates, of which the second belongs to the key"));
}

/// The server accepts both the key and its certificate. The method in the report says which of them was used.
fn a_plain_key_comes_before_the_certificate_beside_it(site: &Site) {
    let key = site.copy_of_key("id_ed25519");
    fs::copy(crate::common::key("id_ed25519.pub"), site.path("id_ed25519.pub")).unwrap();
    certify(site, "id_ed25519", &user());
    site.configure(&format!("IdentityFile {}", key.display()));
    let method = || to(site, "keys").check().unwrap().method;
    assert_eq!(method(), format!("publickey ({})", key.display()));
    // A certificate that the configuration names comes first.
    let certificate = site.path("id_ed25519-cert.pub");
    site.configure(&format!("CertificateFile {}", certificate.display()));
    assert_eq!(
        method(),
        format!("publickey ({}, certificate {})", key.display(), certificate.display())
    );
}

fn a_certificate_without_its_key_is_reported(site: &Site) {
    let mine = certified(site, "mine", "ed25519");
    fs::remove_file(mine).unwrap();
    let certificate = site.path("mine-cert.pub");
    site.configure(&format!("IdentityFile none\nCertificateFile {}", certificate.display()));
    assert_eq!(
        attempts(&to(site, "keys")),
        format!(
            "publickey ({}): the key of this certificate is neither in the agent nor in a file\n",
            certificate.display()
        )
    );
}
