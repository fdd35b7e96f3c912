//! Logins with answers: passwords, codes, and keys before them.

use std::time::{Duration, Instant};

use log::Level;
use slurm::error::SshError;
use slurm::ssh::Prompt;

use crate::common::{Site, code, error_of, log_of, password, until, user};
use crate::logs;
use crate::people::{Person, attempts, to};

trials![
    servers each_question_of_the_server_is_asked_with_or_without_echo,
    servers a_wrong_code_is_asked_for_again_and_then_refused,
    servers connect_timeout_does_not_include_the_time_for_typing,
    servers a_password_works_once_and_is_then_deleted,
    servers a_password_answers_the_one_hidden_question_for_it,
    servers a_password_is_asked_for,
    servers a_wrong_password_is_refused,
    servers a_server_that_does_not_answer_is_a_timeout,
    servers a_key_and_then_a_code_log_in,
    servers the_error_says_that_a_key_needs_a_code_too,
    alone a_method_that_needs_answers_is_skipped_without_a_prompter,
    servers a_prompt_without_an_answer_times_out,
    servers a_method_that_is_switched_off_is_not_tried,
    servers a_banner_is_logged_without_its_escape_sequences,
];

fn answer(prompt: &Prompt<'_>) -> String {
    if prompt.text.contains("code") { code() } else { password() }
}

fn each_question_of_the_server_is_asked_with_or_without_echo(site: &Site) {
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

fn a_wrong_code_is_asked_for_again_and_then_refused(site: &Site) {
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

fn connect_timeout_does_not_include_the_time_for_typing(site: &Site) {
    let settings = to(site, "keyboard").connect_timeout(Duration::from_millis(3000));
    let settings = Person::default().answers(settings, |prompt| {
        std::thread::sleep(Duration::from_millis(1600));
        answer(prompt)
    });
    settings.check().unwrap();
}

fn a_password_works_once_and_is_then_deleted(site: &Site) {
    let settings = to(site, "password").password(password());
    let clone = settings.clone();
    assert!(format!("{settings:?}").contains("password: set"), "{settings:?}");
    assert_eq!(settings.check().unwrap().method, "password");
    for settings in [settings, clone] {
        assert!(format!("{settings:?}").contains("password: not set"), "{settings:?}");
        assert_eq!(attempts(&settings), "password: there is nobody to ask\n");
    }
}

fn a_password_answers_the_one_hidden_question_for_it(site: &Site) {
    let settings = to(site, "pam").password(password());
    assert_eq!(settings.check().unwrap().method, "keyboard-interactive");
    // The password answers no other question.
    let person = Person::default();
    let settings = person.answers(to(site, "keyboard").password(password()), answer);
    settings.check().unwrap();
    let code = format!("|({}@127.0.0.1) One-time code: |shown", user());
    assert_eq!(person.asked(), [code]);
}

fn a_password_is_asked_for(site: &Site) {
    let person = Person::default();
    let settings = person.answers(to(site, "password"), |_| password());
    assert_eq!(settings.check().unwrap().method, "password");
    assert_eq!(person.asked(), [format!("|{}@127.0.0.1's password: |hidden", user())]);
}

fn a_wrong_password_is_refused(site: &Site) {
    let settings = to(site, "password").password("wrong");
    let tried = attempts(&settings);
    assert!(tried.starts_with("password (as set): "), "{tried}");
}

fn a_server_that_does_not_answer_is_a_timeout(site: &Site) {
    for method in ["password", "keyboard-interactive"] {
        site.configure(&format!("PreferredAuthentications {method}"));
        let before = Instant::now();
        let limit = Duration::from_millis(1500);
        let error = error_of(&to(site, "slow").password(password()).connect_timeout(limit));
        assert!(matches!(error, SshError::Timeout { .. }), "{method}: {error:?}");
        assert!(before.elapsed() < Duration::from_secs(20), "{:?}", before.elapsed());
    }
}

fn a_key_and_then_a_code_log_in(site: &Site) {
    let person = Person::default();
    let settings = to(site, "twofactor").identity_file(site.copy_of_key("id_ed25519"));
    let report = person.answers(settings, answer).check().unwrap();
    assert_eq!(report.method, "keyboard-interactive");
    assert_eq!(person.asked().len(), 2);
}

fn the_error_says_that_a_key_needs_a_code_too(site: &Site) {
    let file = site.copy_of_key("id_ed25519");
    let tried = attempts(&to(site, "twofactor").identity_file(&file));
    let expected = format!(
        "publickey ({}): accepted, but the server wants another method too\n\
         keyboard-interactive: there is nobody to ask\n",
        file.display()
    );
    assert_eq!(tried, expected);
}

/// Returns the number of lines in the log of a server that report a failed login.
fn failures(server: &str) -> usize {
    let log = std::fs::read_to_string(log_of(server)).unwrap();
    log.lines().filter(|line| line.contains("PAM: Authentication failure")).count()
}

fn a_method_that_needs_answers_is_skipped_without_a_prompter(site: &Site) {
    // The server logs a failure if its question gets a wrong answer: `failures` finds such lines.
    let before = failures("keyboard");
    let settings = Person::default().answers(to(site, "keyboard"), |_| "wrong".to_owned());
    attempts(&settings);
    until("the server notes failures", || failures("keyboard") > before);
    for server in ["keyboard", "twofactor", "pam"] {
        let before = (failures(server), std::fs::read_to_string(log_of(server)).unwrap().len());
        let settings = to(site, server).identity_file(site.copy_of_key("id_ed25519"));
        let tried = attempts(&settings);
        assert!(tried.ends_with("keyboard-interactive: there is nobody to ask\n"), "{tried}");
        // The server logs the end of this second connection after the end of the first one.
        let _ = settings.check();
        until("the server has closed the connection", || {
            let log = std::fs::read_to_string(log_of(server)).unwrap();
            log[before.1..].matches("Connection closed by authenticating user").count() >= 2
        });
        assert_eq!(failures(server), before.0, "{server}");
    }
}

fn a_prompt_without_an_answer_times_out(site: &Site) {
    let before = Instant::now();
    let settings = to(site, "keyboard").prompt_timeout(Duration::from_millis(300));
    let settings = Person::default().answers(settings, |_| {
        std::thread::sleep(Duration::from_secs(600));
        String::new()
    });
    let error = error_of(&settings);
    let why = "keyboard-interactive: the question was not answered within 0.3 s";
    assert!(error.to_string().contains(why), "{error}");
    assert!(error.hint().unwrap().contains("prompt_timeout"), "{:?}", error.hint());
    assert!(before.elapsed() < Duration::from_secs(60), "{:?}", before.elapsed());
    // After one question without an answer, no other question for a password or a passphrase follows.
    let person = Person::default();
    let file = site.copy_of_key("id_locked");
    let settings = to(site, "twofactor").identity_file(file);
    let settings = settings.prompt_timeout(Duration::from_millis(300));
    let settings = person.answers(settings, |_| {
        std::thread::sleep(Duration::from_secs(600));
        String::new()
    });
    let tried = attempts(&settings);
    assert!(tried.contains("the key is encrypted, and the question was not answered"), "{tried}");
    assert_eq!(person.asked().len(), 1);
}

fn a_method_that_is_switched_off_is_not_tried(site: &Site) {
    site.configure("PasswordAuthentication no");
    let tried = attempts(&to(site, "password").password(password()));
    assert_eq!(tried, "password: not tried: not supported, or switched off\n");
    site.configure("PreferredAuthentications publickey\nPasswordAuthentication yes");
    let tried = attempts(&to(site, "password").password(password()));
    assert_eq!(tried, "password: not tried: not supported, or switched off\n");
}

fn a_banner_is_logged_without_its_escape_sequences(site: &Site) {
    to(site, "noisy").identity_file(site.copy_of_key("id_ed25519")).check().unwrap();
    let logged = logs::at(Level::Info);
    let banner = "says: Welcome.\n\u{fffd}[2JAuthorized users alone.";
    assert!(logged.iter().any(|line| line.ends_with(banner)), "{logged:?}");
}
