//! The file in which LLaMA-Factory looks data sets up: what each is called, and which column is what.

use serde_json::{Map, Value, json};

use super::export_manifest::Part;
use crate::columnar::shape::Config;
use crate::dataset::example::Split;

/// Name of the file.
pub(super) const DATASET_INFO: &str = "dataset_info.json";

/// Writes the file: a data set for each config and split, the train split under the config's own name.
///
/// The folder is named as a script with a subset and a split, because a plain folder would be read with every split in
/// one.
pub(super) fn dataset_info(parts: &[Part]) -> String {
    let mut sets = Map::new();
    for Part { shape, split, .. } in parts {
        let name = match split {
            Split::Train => shape.name().to_owned(),
            Split::Validation | Split::Test => format!("{}_{}", shape.name(), split.as_str()),
        };
        let mut set = json!({
            "script_url": ".",
            "subset": shape.name(),
            "split": split.as_str(),
            "formatting": "sharegpt",
            "columns": {"messages": "messages"},
            "tags": {
                "role_tag": "role",
                "content_tag": "content",
                "user_tag": "user",
                "assistant_tag": "assistant",
                "system_tag": "system",
            },
        });
        match shape.config {
            Config::Dpo | Config::Reward => {
                set["ranking"] = Value::Bool(true);
                set["columns"] = json!({"messages": "messages", "chosen": "chosen", "rejected": "rejected"});
            }
            Config::Kto => set["columns"] = json!({"messages": "messages", "kto_tag": "label"}),
            Config::Sft | Config::SftCompletion | Config::Prompts | Config::Ties => (),
        }
        sets.insert(name, set);
    }
    // A map of strings always serialises.
    serde_json::to_string_pretty(&Value::Object(sets)).unwrap_or_default() + "\n"
}
