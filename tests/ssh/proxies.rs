//! Jump hosts and proxy commands.

use std::path::Path;
use std::time::{Duration, Instant};

use slurm::HostKeyPolicy;
use slurm::error::SshError;

use crate::common::{Site, error_of, jump_host, key, port, until, user};

trials![
    servers a_host_is_reached_through_a_jump_host,
    servers a_host_is_reached_through_two_jump_hosts,
    servers a_host_is_reached_through_a_proxy_command,
    servers a_jump_host_with_an_unknown_key_is_refused_under_reject,
    servers the_error_quotes_the_proxys_stderr,
    servers the_error_names_a_proxy_that_ends_without_output,
    servers a_silent_proxy_is_a_timeout_and_is_ended,
    servers a_proxy_ends_with_the_connection,
];

/// Configures an alias for the host behind the jump host. The keys of both are known.
fn behind(site: &Site, how: &str) {
    let identity = site.copy_of_key("id_ed25519");
    site.know("inner", "host_ed25519");
    site.know("keys", "host_ed25519");
    let jump = format!("[{}]:{}", jump_host(), port("jump"));
    site.know_as(&jump, "host_ed25519");
    site.configure(&format!(
        "Host behind\n HostName 127.0.0.1\n Port {}\n {how}\n\
         Host gate\n HostName {}\n Port {}\n UserKnownHostsFile {}\n\
         Host *\n User {}\n IdentityFile {}\n",
        port("inner"),
        jump_host(),
        port("jump"),
        site.path("known_hosts").display(),
        user(),
        identity.display(),
    ));
}

fn settings(site: &Site) -> slurm::Ssh {
    site.to("behind").host_key_policy(HostKeyPolicy::Reject)
}

fn a_host_is_reached_through_a_jump_host(site: &Site) {
    if jump_host() != "127.0.0.1" {
        behind(site, "");
        let error = error_of(&settings(site));
        assert!(matches!(error, SshError::Connect { .. }), "it is reachable directly: {error:?}");
    }
    behind(site, "ProxyJump gate");
    let report = settings(site).check().unwrap();
    assert_eq!((report.port, report.proxied), (port("inner"), true));
    behind(site, &format!("ProxyJump {}@{}:{}", user(), jump_host(), port("jump")));
    settings(site).check().unwrap();
}

fn a_host_is_reached_through_two_jump_hosts(site: &Site) {
    behind(site, &format!("ProxyJump {}@127.0.0.1:{},gate", user(), port("keys")));
    // OpenSSH passes the path of the configuration to all jump hosts but the last one, but it passes no
    // options.
    site.configure(&format!(
        "Host 127.0.0.1\n UserKnownHostsFile {}\n",
        site.path("known_hosts").display()
    ));
    settings(site).check().unwrap();
}

fn a_host_is_reached_through_a_proxy_command(site: &Site) {
    behind(site, &format!("ProxyCommand ssh -F {} -W %h:%p gate", site.path("config").display()));
    let report = settings(site).check().unwrap();
    assert!(report.proxied);
}

fn a_jump_host_with_an_unknown_key_is_refused_under_reject(site: &Site) {
    behind(site, "ProxyJump gate");
    site.write("known_hosts", "");
    site.know("inner", "host_ed25519");
    let error = error_of(&settings(site));
    assert!(matches!(error, SshError::Proxy { .. }), "{error:?}");
    assert!(error.to_string().contains("Host key verification failed"), "{error}");
    site.know_as(&format!("[{}]:{}", jump_host(), port("jump")), "host_ed25519");
    settings(site).check().unwrap();
}

fn the_error_quotes_the_proxys_stderr(site: &Site) {
    behind(site, "ProxyCommand sh -c 'echo the gate of %h is closed >&2; exit 3'");
    let error = error_of(&settings(site));
    assert_eq!(
        error.to_string(),
        format!(
            "`sh -c 'echo the gate of 127.0.0.1 is closed >&2; exit 3'` did not connect to 127.0.0.1 port {}: the gate of 127.0.0.1 is closed",
            port("inner")
        )
    );
}

fn the_error_names_a_proxy_that_ends_without_output(site: &Site) {
    behind(site, "ProxyCommand true");
    let error = error_of(&settings(site));
    assert!(matches!(&error, SshError::Proxy { command, .. } if command == "true"), "{error:?}");
}

fn is_running(pid_file: &Path) -> bool {
    let pid = std::fs::read_to_string(pid_file).unwrap();
    Path::new("/proc").join(pid.trim()).exists()
}

fn a_silent_proxy_is_a_timeout_and_is_ended(site: &Site) {
    let pid_file = site.path("pid");
    behind(site, &format!("ProxyCommand sh -c 'echo $$ > {}; sleep 600'", pid_file.display()));
    let before = Instant::now();
    let error = error_of(&settings(site).connect_timeout(Duration::from_millis(700)));
    assert!(matches!(error, SshError::Timeout { step: "the key exchange", .. }), "{error:?}");
    assert!(before.elapsed() < Duration::from_secs(20));
    assert!(!is_running(&pid_file), "the proxy has ended and is reaped");
}

fn a_proxy_ends_with_the_connection(site: &Site) {
    let pid_file = site.path("pid");
    behind(
        site,
        &format!(
            "ProxyCommand sh -c 'echo $$ > {}; exec ssh -F {} -W %h:%p gate'",
            pid_file.display(),
            site.path("config").display()
        ),
    );
    settings(site).check().unwrap();
    assert!(!is_running(&pid_file), "the proxy has ended and is reaped");
    // The proxy also ends if the login fails.
    let settings = site.to("behind").host_key_policy(HostKeyPolicy::Warn);
    site.write("id_ed25519", &std::fs::read_to_string(key("id_ed25519.pub")).unwrap());
    until("the other end is closed", || settings.check().is_err());
    assert!(!is_running(&pid_file));
}
