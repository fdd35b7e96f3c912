//! Secrets in `Debug` texts, errors and logs.

use slurm::HostKeyPolicy;
use slurm::ssh::Prompt;

use crate::common::{Site, code, error_of, password};
use crate::logs;

trials![
    servers secrets_are_in_no_debug_text_error_or_log,
];

fn secrets_are_in_no_debug_text_error_or_log(site: &Site) {
    let secrets = [password(), code(), "a wrong secret".to_owned()];
    let person =
        |prompt: &Prompt<'_>| Some(if prompt.text.contains("code") { code() } else { password() });
    let to = |server| site.server(server).host_key_policy(HostKeyPolicy::Warn);
    let locked = site.copy_of_key("id_locked");
    let right = [
        to("password").password(password()),
        to("password").prompter(person),
        to("keyboard").prompter(person),
        to("keys").identity_file(locked).prompter(person),
    ];
    let wrong = [
        to("password").password("a wrong secret"),
        to("keyboard").prompter(|_: &Prompt<'_>| Some("a wrong secret".to_owned())),
    ];
    let mut seen = Vec::new();
    for settings in right.iter().chain(&wrong) {
        seen.push(format!("{settings:?} {settings:#?}"));
    }
    for settings in right {
        seen.push(format!("{:?}", settings.check().unwrap()));
    }
    for settings in wrong {
        let error = error_of(&settings);
        seen.push(format!("{error} {error:?} {:?}", error.hint()));
    }
    // The messages of all tests that have run so far.
    seen.extend(logs::all());
    for secret in secrets {
        let shown = seen.iter().find(|text| text.contains(&secret));
        assert_eq!(shown, None);
    }
}
