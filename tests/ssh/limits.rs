//! Hosts that do not exist, or do not answer.

use std::io::Write;
use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use slurm::error::SshError;

use crate::common::{Site, error_of};

trials![
    sink an_address_that_answers_nothing_is_a_timeout,
    anywhere a_port_that_accepts_and_stays_silent_is_a_timeout,
    anywhere a_server_that_stops_in_the_key_exchange_is_a_timeout,
    anywhere a_server_that_disconnects_differs_from_a_silent_one,
    anywhere a_closed_port_is_reported,
    anywhere a_host_without_an_address_is_reported,
    anywhere a_host_name_that_looks_like_an_option_runs_no_command,
];

const LIMIT: Duration = Duration::from_millis(600);

fn times_out(site: &Site, listener: &TcpListener) {
    let before = Instant::now();
    let port = listener.local_addr().unwrap().port();
    let error = error_of(&site.to("127.0.0.1").user("me").port(port).connect_timeout(LIMIT));
    assert_eq!(
        error.to_string(),
        format!("127.0.0.1 port {port}: the key exchange did not end within 0.6 s")
    );
    assert!(error.hint().unwrap().contains("connect_timeout"), "{:?}", error.hint());
    assert!(before.elapsed() < Duration::from_secs(20), "{:?}", before.elapsed());
}

fn an_address_that_answers_nothing_is_a_timeout(site: &Site) {
    let before = Instant::now();
    let sink = std::env::var("SLURM_SDK_TEST_SSHD_SINK").unwrap();
    let error = error_of(&site.to(&sink).user("me").connect_timeout(LIMIT));
    assert_eq!(error.to_string(), format!("{sink}: connecting did not end within 0.6 s"));
    assert!(before.elapsed() < Duration::from_secs(20), "{:?}", before.elapsed());
}

fn a_port_that_accepts_and_stays_silent_is_a_timeout(site: &Site) {
    times_out(site, &TcpListener::bind("127.0.0.1:0").unwrap());
}

fn a_server_that_stops_in_the_key_exchange_is_a_timeout(site: &Site) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = listener.try_clone().unwrap();
    // The connection stays open until the client has closed it.
    let server = thread::spawn(move || {
        let mut stream = server.accept().unwrap().0;
        stream.write_all(b"SSH-2.0-Silent\r\n").unwrap();
        std::io::copy(&mut stream, &mut std::io::sink())
    });
    times_out(site, &listener);
    let _ = server.join().unwrap();
}

fn a_server_that_disconnects_differs_from_a_silent_one(site: &Site) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = thread::spawn(move || {
        listener.accept().unwrap().0.write_all(b"SSH-2.0-Rude\r\n").unwrap();
    });
    let error = error_of(&site.to("127.0.0.1").user("me").port(port));
    assert!(matches!(error, SshError::Protocol { step: "the key exchange", .. }), "{error:?}");
    server.join().unwrap();
}

fn a_closed_port_is_reported(site: &Site) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let error = error_of(&site.to("127.0.0.1").user("me").port(port));
    assert!(
        error.to_string().starts_with(&format!("cannot connect to 127.0.0.1 port {port}: ")),
        "{error}"
    );
    assert!(error.hint().unwrap().contains("nothing listens on port"), "{:?}", error.hint());
}

fn a_host_without_an_address_is_reported(site: &Site) {
    let error = error_of(&site.to("no-such-host.invalid").user("me"));
    assert!(
        error.to_string().starts_with("the address of no-such-host.invalid cannot be found"),
        "{error}"
    );
    assert!(error.hint().unwrap().contains("alias"), "{:?}", error.hint());
}

fn a_host_name_that_looks_like_an_option_runs_no_command(site: &Site) {
    let trace = site.path("trace");
    let host = format!("-oProxyCommand=touch\t{}", trace.display());
    let error = error_of(&site.to(&host));
    assert!(matches!(error, SshError::Setting { .. }), "{error:?}");
    // A host name in the configuration runs no command either.
    site.configure(&format!("Host trick\n HostName x;touch${{IFS}}{}\n", trace.display()));
    site.to("trick").check().unwrap_err();
    assert!(!trace.exists());
}
