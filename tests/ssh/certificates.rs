//! Certificates beside keys: logins succeed here if and only if they succeed with `ssh`.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::common::{Agent, Site, port, run, user};
use crate::people::{attempts, to};

trials![
    servers the_whole_table_is_as_with_ssh,
    servers those_of_rsa_and_ecdsa_keys_work_too,
    servers one_of_another_key_spoils_no_login,
    servers several_files_are_matched_by_their_keys,
    servers a_plain_key_comes_before_the_one_beside_it,
    servers a_certificate_without_its_key_is_reported,
];

/// A key that the servers know by its certificate alone, both in files of the test's own.
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

/// Whether `ssh` itself is let in by the configuration of the site.
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

/// Asserts that both are let in, or neither.
fn same(site: &Site, case: &str) -> bool {
    let ours = to(site, "keys").check();
    let theirs = ssh_is_let_in(site);
    assert_eq!(ours.is_ok(), theirs, "{case}: ssh is let in: {theirs}, and here: {ours:?}");
    theirs
}

const IN_FILES: [&str; 3] = ["all files", "CertificateFile elsewhere", "no private key"];
const IN_AGENT: [&str; 3] = ["no agent", "the key", "the key and the certificate"];

fn the_whole_table_is_as_with_ssh(_: &Site) {
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
                        // ssh-add takes the certificate that it finds beside the key.
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
    assert_eq!(let_in, 16, "all but those without any private key");
}

fn those_of_rsa_and_ecdsa_keys_work_too(_: &Site) {
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

fn one_of_another_key_spoils_no_login(site: &Site) {
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

fn several_files_are_matched_by_their_keys(site: &Site) {
    certified(site, "other", "ed25519");
    let mine = certified(site, "mine", "ed25519");
    fs::rename(site.path("mine-cert.pub"), site.path("elsewhere")).unwrap();
    site.configure(&format!(
        "IdentityFile {}\nCertificateFile {}\nCertificateFile {}",
        mine.display(),
        site.path("other-cert.pub").display(),
        site.path("elsewhere").display()
    ));
    assert!(same(site, "two certificates, the second is the key's"));
}

/// The server takes either; which one was taken is in its own words.
fn a_plain_key_comes_before_the_one_beside_it(site: &Site) {
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
