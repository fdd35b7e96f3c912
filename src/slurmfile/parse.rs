//! From TOML to settings.

use std::collections::BTreeMap;

use slurm_core::options::{self, OptionInput, Source};
use slurm_core::requeue::OnTimeout;
use slurm_core::variable::VariableName;
use toml::de::{DeTable, DeValue};

use super::Environment;
use super::reader::{Reader, Value};
use crate::error::Problem;
use crate::model::{check_shell, permissions};

/// The sections of an environment.
pub(super) const SECTIONS: &[&str] =
    &["cluster", "submit", "packaging", "callbacks", "shell", "login", "setup", "env"];
/// The settings of `cluster`.
pub(super) const CLUSTER_KEYS: &[&str] =
    &["backend", "job_base_dir", "script_permissions", "job_dir_permissions", "ssh"];

/// Settings of `submit` that are options of the attribute and not of sbatch.
pub(super) const REQUEUE_KEYS: &[&str] = &["on_timeout", "max_requeues"];

/// Reads all environments, or returns all problems.
pub(super) fn environments(
    text: &str,
    name: &str,
) -> Result<BTreeMap<String, Environment>, Vec<Problem>> {
    let mut reader = Reader { text, name, problems: Vec::new() };
    let document = match DeTable::parse(text) {
        Ok(document) => document.into_inner(),
        Err(error) => {
            reader.problem(error.span().unwrap_or(0..0), error.message().to_owned());
            return Err(reader.problems);
        }
    };
    let mut environments = BTreeMap::new();
    for (name, value) in &document {
        if let Some(table) = reader.table(value, "an environment") {
            environments
                .insert(name.get_ref().to_string(), reader.environment(name.get_ref(), table));
        }
    }
    reader.problems.sort_by_key(|problem| (problem.line, problem.column));
    if reader.problems.is_empty() { Ok(environments) } else { Err(reader.problems) }
}

impl<'a> Reader<'a> {
    fn environment(&mut self, own: &str, table: &DeTable<'a>) -> Environment {
        let mut environment = Environment::default();
        for (name, value) in table {
            match name.get_ref().as_ref() {
                "cluster" => self.cluster(value, &mut environment),
                "submit" => self.submit(value, &mut environment),
                "packaging" => self.packaging(value, &mut environment),
                "callbacks" => environment.callbacks = self.callbacks(value, own),
                "shell" => environment.shell = self.shell(value),
                "login" => environment.login = self.login(value),
                "setup" => environment.setup = self.setup(value),
                "env" => environment.env = self.env(value),
                other => self.unknown(name.span(), "section", other, SECTIONS),
            }
        }
        environment
    }

    fn cluster(&mut self, value: &Value<'a>, environment: &mut Environment) {
        let Some(table) = self.table(value, "`cluster`") else { return };
        for (name, value) in table {
            match name.get_ref().as_ref() {
                "backend" => {
                    environment.backend = self.word(value, "a backend");
                }
                "job_base_dir" => {
                    environment.job_base_dir = self.path(value, "a directory");
                }
                "script_permissions" => {
                    environment.script_permissions = self.permissions(value, permissions::script);
                }
                "job_dir_permissions" => {
                    environment.job_dir_permissions = self.permissions(value, permissions::job_dir);
                }
                "runner_binary" => {
                    self.problem(name.span(), "`runner_binary` belongs to `packaging`");
                }
                #[cfg(feature = "ssh")]
                "ssh" => {
                    if let Some(table) = self.table(value, "`ssh`") {
                        environment.ssh = self.ssh(table);
                    }
                }
                #[cfg(not(feature = "ssh"))]
                "ssh" => self.problem(name.span(), "this program was built without SSH"),
                other => {
                    self.unknown(name.span(), "setting", other, CLUSTER_KEYS);
                }
            }
        }
    }

    fn submit(&mut self, value: &Value<'a>, environment: &mut Environment) {
        let Some(table) = self.table(value, "`submit`") else { return };
        for (name, value) in table {
            let key = name.get_ref();
            if let ("extra", DeValue::Array(flags)) = (key.as_ref(), value.get_ref()) {
                for flag in flags.iter() {
                    let Some(text) = self.text(flag, "a flag of sbatch") else { continue };
                    if let Err(error) = environment.submit.extra(text) {
                        self.problem(flag.span(), error.to_string());
                    }
                }
                continue;
            }
            if let ("extra", DeValue::String(text)) = (key.as_ref(), value.get_ref())
                && text.starts_with('-')
            {
                self.problem(value.span(), format!("write flags as a list: extra = [\"{text}\"]"));
                continue;
            }
            match key.replace('-', "_").as_str() {
                "on_timeout" => {
                    environment.on_timeout = self.on_timeout(value);
                    continue;
                }
                "max_requeues" => {
                    environment.max_requeues = self.number(value, "a number of times");
                    continue;
                }
                _ => {}
            }
            if let Err(error) = options::lookup(key) {
                match options::closest(key, REQUEUE_KEYS.iter().copied()) {
                    Some(_) => self.unknown(name.span(), "option", key, REQUEUE_KEYS),
                    None => self.problem(name.span(), error.to_string()),
                }
                continue;
            }
            let Some(input) = self.input(value) else { continue };
            if let Err(error) = environment.submit.put(key, input, Source::Slurmfile) {
                self.problem(value.span(), error.to_string());
            }
        }
        for conflict in environment.submit.conflicts() {
            // The task may set the missing option.
            if conflict.kind != options::ConflictKind::Needs {
                let at = table
                    .iter()
                    .find(|(name, _)| name.get_ref().replace('-', "_") == conflict.second);
                self.problem(
                    at.map_or(value.span(), |(name, _)| name.span()),
                    conflict.to_string(),
                );
            }
        }
    }

    fn on_timeout(&mut self, value: &Value<'a>) -> Option<OnTimeout> {
        let text = self.text(value, "`on_timeout`")?;
        let action = text.parse();
        action.map_err(|error| self.problem(value.span(), format!("`on_timeout`: {error}"))).ok()
    }

    fn input(&mut self, value: &Value<'a>) -> Option<OptionInput> {
        Some(match value.get_ref() {
            DeValue::String(text) => text.as_ref().into(),
            DeValue::Integer(number) if number.radix() == 10 => {
                number.as_str().replace('_', "").into()
            }
            DeValue::Boolean(set) => (*set).into(),
            DeValue::Array(items) => {
                let items: Option<Vec<String>> =
                    items.iter().map(|item| self.text(item, "an item of the list")).collect();
                items?.into()
            }
            other => {
                let found = other.type_str();
                self.problem(
                    value.span(),
                    format!(
                        "an option is a string, an integer, a boolean or a list, not a {found}"
                    ),
                );
                return None;
            }
        })
    }

    fn shell(&mut self, value: &Value<'a>) -> Option<String> {
        let text = self.text(value, "a shell")?;
        match check_shell(&text) {
            Ok(()) => Some(text),
            Err(message) => {
                self.problem(value.span(), message);
                None
            }
        }
    }

    fn login(&mut self, value: &Value<'a>) -> Option<bool> {
        if let DeValue::Boolean(login) = value.get_ref() {
            return Some(*login);
        }
        self.problem(value.span(), "`login` must be true or false");
        None
    }

    fn setup(&mut self, value: &Value<'a>) -> Vec<String> {
        let DeValue::Array(lines) = value.get_ref() else {
            self.problem(
                value.span(),
                "`setup` is a list of lines: setup = [\"module load cuda\"]",
            );
            return Vec::new();
        };
        let mut setup = Vec::new();
        for line in lines.iter() {
            match self.text(line, "a line of `setup`") {
                Some(text) if text.contains('\0') => {
                    self.problem(line.span(), "a line cannot hold a NUL")
                }
                Some(text) => setup.push(text),
                None => {}
            }
        }
        setup
    }

    fn env(&mut self, value: &Value<'a>) -> BTreeMap<VariableName, String> {
        let mut variables = BTreeMap::new();
        let Some(table) = self.table(value, "`env`") else { return variables };
        for (name, value) in table {
            let name = match name.get_ref().parse::<VariableName>() {
                Ok(name) => name,
                Err(error) => {
                    self.problem(name.span(), error.to_string());
                    continue;
                }
            };
            match self.text(value, "a variable's value") {
                Some(text) if text.contains('\0') => {
                    self.problem(value.span(), "a value cannot hold a NUL")
                }
                Some(text) => {
                    variables.insert(name, text);
                }
                None => {}
            }
        }
        variables
    }
}

#[cfg(test)]
mod tests {
    use crate::error::Error;
    use crate::model::BackendKind;
    use crate::slurmfile::Slurmfile;

    fn problems(text: &str) -> Vec<String> {
        match Slurmfile::parse(text, "Slurmfile") {
            Err(Error::Slurmfile(error)) => error.to_string().lines().map(str::to_owned).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_environment_builds_on_default() {
        let text = "[default]\nsetup = ['a']\n[default.cluster]\nbackend = 'slurm'\njob_base_dir = '~/j'\n\
                    [default.submit]\nmem = '1G'\ntime = 5\nexclusive = true\nmail_type = ['END', 'FAIL']\n\
                    [gpu]\nsetup = ['b']\nenv = { A = 'x y' }\n[gpu.submit]\nmem-per-cpu = '2G'\ntime = '1:00:00'\n\
                    extra = ['--foo=1']\n";
        let file = Slurmfile::parse(text, "Slurmfile").unwrap();
        let gpu = file.environment("gpu").unwrap();
        assert_eq!(
            (gpu.backend, gpu.setup.join(" "), gpu.env["A"].as_str()),
            (Some(BackendKind::Slurm), "a b".to_owned(), "x y")
        );
        let args = [
            "--exclusive",
            "--mail-type=END,FAIL",
            "--mem-per-cpu=2G",
            "--time=01:00:00",
            "--foo=1",
        ];
        assert_eq!(gpu.submit.to_args(), args);
        assert_eq!(file.environment("default").unwrap().submit.to_args().len(), 4);
        assert!(file.environment("cpu").unwrap_err().hint().unwrap().contains("gpu"));
    }

    #[test]
    fn all_problems_are_reported_with_their_places() {
        let text = "[default.submit]\npartiton = 'x'\ntime = '4 h'\nmem = 1.5\n[default.clutser]\n[default.cluster]\n\
                    backend = 'slrum'\njob_base_dir = 7\n[default.env]\n2X = 'a'\n";
        assert_eq!(
            problems(text),
            [
                "Slurmfile:2:1: unknown option `partiton`; did you mean `partition`?",
                "Slurmfile:3:8: `time`: `4 h`: no blank may stand in a time; write `04:00:00`",
                "Slurmfile:4:7: an option is a string, an integer, a boolean or a list, not a float",
                "Slurmfile:5:10: unknown section `clutser`; did you mean `cluster`?",
                "Slurmfile:7:11: unknown backend `slrum`; did you mean `slurm`?",
                "Slurmfile:8:16: a directory is a string, not an integer",
                "Slurmfile:10:1: `2X` cannot be a variable's name: letters, digits and `_`, no digit first",
            ]
        );
        assert!(
            problems("[default.submit]\ntime = \n")[0].starts_with("Slurmfile:2:"),
            "broken TOML"
        );
        assert_eq!(
            problems(
                "[default.submit]\non_timeout = 'retry'\nmax-requeues = 'often'\non_timout = 'fail'\n"
            ),
            [
                "Slurmfile:2:14: `on_timeout`: unknown action `retry`: expected requeue or fail",
                "Slurmfile:3:16: a number of times is a whole number",
                "Slurmfile:4:1: unknown option `on_timout`; did you mean `on_timeout`?",
            ]
        );
        let both = problems("[default.submit]\nmem = '1G'\nmem_per_cpu = '1G'\n");
        assert!(both[0].starts_with("Slurmfile:3:1: "), "{both:?}");
    }
}
