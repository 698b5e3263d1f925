//! Defaults, file and environment laid over one another. The defaults say which keys exist and of which type they are.

use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::error::ConfigError;

/// Every key with its default and its description.
pub(super) const DEFAULTS: &str = include_str!("../../config/default.toml");

/// Section of the places that the operator names.
const DESTINATIONS: &str = "exports.destinations.";

/// Every key of such a place, not set.
const DESTINATION: &str = r#"
kind = ""
path = ""
endpoint = ""
allow_http = false
region = "us-east-1"
bucket = ""
prefix = ""
ca_file = ""
access_key_id = ""
secret_access_key = ""
"#;

/// Every key of a serving engine, not set.
const TARGET: &str = r#"
name = ""
engine = ""
url = ""
interval_seconds = 5
model = ""
instance = ""
kv_usage_spec = ""
running_requests_spec = ""
queued_requests_spec = ""
"#;

/// Reads an environment variable.
pub(super) type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Variables that have a name of their own besides the one made from the key; the own name yields to the other.
const OWN_NAMES: [(&str, &str); 1] = [("database.url", "DATABASE_URL")];

/// Lays file and environment over the defaults.
pub(super) fn merge(file: Option<&Path>, env: Environment<'_>) -> Result<Table, ConfigError> {
    let mut merged: Table = parse(Path::new("config/default.toml"), DEFAULTS)?;
    if let Some(path) = choose_file(file, env) {
        let text = std::fs::read_to_string(&path).map_err(|source| ConfigError::File { path: path.clone(), source })?;
        lay_file_over(&mut merged, &parse(&path, &text)?, &path, "")?;
    }
    lay_environment_over(&mut merged, env, "")?;
    Ok(merged)
}

/// The file that was asked for must exist; the one in the working directory may.
fn choose_file(file: Option<&Path>, env: Environment<'_>) -> Option<PathBuf> {
    let usual = Path::new("afterword.toml");
    let asked = file.map(Path::to_owned).or_else(|| read(env, "AFTERWORD_CONFIG").map(PathBuf::from));
    asked.or_else(|| usual.is_file().then(|| usual.to_owned()))
}

fn parse(path: &Path, text: &str) -> Result<Table, ConfigError> {
    text.parse().map_err(|error: toml::de::Error| {
        let offset = error.span().map_or(0, |span| span.start).min(text.len());
        let line = text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1;
        ConfigError::Syntax { path: path.to_owned(), line }
    })
}

fn lay_file_over(merged: &mut Table, file: &Table, path: &Path, section: &str) -> Result<(), ConfigError> {
    for (name, value) in file {
        let key = format!("{section}{name}");
        if section == DESTINATIONS && !merged.contains_key(name) {
            // The one place where the operator chooses names; what is below them is known.
            merged.insert(name.clone(), Value::Table(parse(Path::new("a destination"), DESTINATION)?));
        }
        let Some(known) = merged.get_mut(name) else {
            let hint = nearest(merged.keys(), name).map(|near| format!("{section}{near}"));
            return Err(ConfigError::UnknownKey { path: path.to_owned(), key, hint });
        };
        match (known, value) {
            (Value::Table(known), Value::Table(value)) => lay_file_over(known, value, path, &format!("{key}."))?,
            (Value::Array(known), Value::Array(sections)) => *known = lay_sections(sections, path, &key)?,
            (known, value) if known.same_type(value) && !is_negative(value) => *known = value.clone(),
            (known, _) => {
                let origin = path.display().to_string();
                return Err(ConfigError::WrongType { origin, key, expected: type_name(known) });
            }
        }
    }
    Ok(())
}

/// Lays each section of a list over the defaults of such a section. Serving engines are the one list that there is.
fn lay_sections(sections: &[Value], path: &Path, key: &str) -> Result<Vec<Value>, ConfigError> {
    let lay = |(nth, section): (usize, &Value)| {
        let key = format!("{key}[{}]", nth + 1);
        let Value::Table(section) = section else {
            return Err(ConfigError::WrongType { origin: path.display().to_string(), key, expected: "a section" });
        };
        let mut laid = parse(Path::new("a serving engine"), TARGET)?;
        lay_file_over(&mut laid, section, path, &format!("{key}."))?;
        Ok(Value::Table(laid))
    };
    sections.iter().enumerate().map(lay).collect()
}

fn lay_environment_over(merged: &mut Table, env: Environment<'_>, section: &str) -> Result<(), ConfigError> {
    for (name, known) in merged.iter_mut() {
        let key = format!("{section}{name}");
        if let Value::Table(table) = known {
            lay_environment_over(table, env, &format!("{key}."))?;
            continue;
        }
        let made_name = format!("AFTERWORD_{}", key.replace('.', "_").to_uppercase());
        let own_name = OWN_NAMES.iter().find(|(owner, _)| *owner == key).map(|(_, own)| (*own).to_owned());
        let found = std::iter::once(made_name).chain(own_name).find_map(|name| Some((read(env, &name)?, name)));
        if let Some((text, origin)) = found {
            let expected = type_name(known);
            *known = parse_like(known, &text).ok_or(ConfigError::WrongType { origin, key, expected })?;
        }
    }
    Ok(())
}

/// Reads a variable; an empty one counts as absent, as compose files set it where there is no value.
fn read(env: Environment<'_>, name: &str) -> Option<String> {
    env(name).filter(|value| !value.is_empty())
}

fn parse_like(known: &Value, text: &str) -> Option<Value> {
    match known {
        Value::Integer(_) => text.parse().ok().map(Value::Integer).filter(|value| !is_negative(value)),
        Value::Boolean(_) => text.parse().ok().map(Value::Boolean),
        Value::Array(_) => None,
        _ => Some(Value::String(text.to_owned())),
    }
}

/// No number of the configuration may be less than nothing.
fn is_negative(value: &Value) -> bool {
    value.as_integer().is_some_and(|number| number < 0)
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Integer(_) => "a whole number, not negative",
        Value::Boolean(_) => "true or false",
        Value::Table(_) => "a section",
        Value::Array(_) => "a list of sections in the file",
        _ => "text",
    }
}

/// Finds the name that shares most with an unknown one: at least half of the pairs of neighbouring letters.
fn nearest<'a>(names: impl Iterator<Item = &'a String>, unknown: &str) -> Option<&'a String> {
    let pairs = |text: &str| -> Vec<[u8; 2]> { text.as_bytes().windows(2).map(|pair| [pair[0], pair[1]]).collect() };
    let wanted = pairs(unknown);
    let score = |name: &String| {
        let own = pairs(name);
        let n_shared = wanted.iter().filter(|pair| own.contains(pair)).count();
        200 * n_shared / (wanted.len() + own.len()).max(1)
    };
    names
        .map(|name| (score(name), name))
        .filter(|(score, _)| *score >= 50)
        .max_by_key(|(score, _)| *score)
        .map(|(_, name)| name)
}
