//! What the rows of each layout are, in the words of a card.

use crate::domain::recipe::{Format, Layout};

/// Says what a row of a format is under the names that a layout gives its columns.
pub(super) fn what(format: Format, layout: Layout) -> &'static str {
    match format {
        Format::Preference => pair(layout),
        Format::Reward => reward(layout),
        Format::Unpaired if layout == Layout::Llamafactory => {
            "Each row is a conversation with its answer (`messages`) and whether users called that answer good (`label`):\n\
             by thumbs and ratings, or bad because both answers of a comparison were."
        }
        Format::Unpaired => {
            "Each row is a prompt with one answer (`completion`) and whether users called it good (`label`):\n\
             by thumbs and ratings, or bad because both answers of a comparison were."
        }
        Format::Sft => endorsed(layout),
        Format::Prompts if layout == Layout::Verl => {
            "Each row is a prompt to whose answers somebody reacted, for training with a reward function: `prompt`, and beside\n\
             it `data_source`, `ability`, `reward_model` (a model must judge, nobody knows the right answer) and\n\
             `extra_info` (the split, and the row's place in it)."
        }
        Format::Prompts => {
            "Each row is a prompt to whose answers somebody reacted, for training with a reward function."
        }
    }
}

fn pair(layout: Layout) -> &'static str {
    match layout {
        Layout::Implicit => {
            "Each row is one conversation twice, as lists of messages: with the better answer at its end (`chosen`), and with\n\
             the worse one (`rejected`). There is no column `prompt`."
        }
        Layout::Llamafactory => {
            "Each row is a conversation so far (`messages`, a list) with a better answer (`chosen`) and a worse one\n\
             (`rejected`), one message each. `dataset_info.json` names a set for each config and split."
        }
        Layout::NemoRl => {
            "Each row is a conversation so far (`context`) and two answers (`completions`), each with its `rank`, 0 for the\n\
             better one and 1 for the worse one, and its messages (`completion`)."
        }
        Layout::OpenaiJsonl => {
            "Each line is a conversation so far (`input.messages`) with a better answer (`preferred_output`) and a worse one\n\
             (`non_preferred_output`), one message of the assistant's each."
        }
        Layout::Trl | Layout::Verl | Layout::MlxJsonl => {
            "Each row is a prompt with a better answer (`chosen`) and a worse one (`rejected`), as lists\n\
             of messages."
        }
    }
}

fn reward(layout: Layout) -> &'static str {
    match layout {
        Layout::Implicit => {
            "Each row is one conversation twice, with the better answer at its end (`chosen`) and with the worse one\n\
             (`rejected`), to train a reward model on. A column `margin`, which trainers subtract in the loss, is there only\n\
             on request."
        }
        Layout::Llamafactory => {
            "Each row is a conversation so far (`messages`) with a better answer (`chosen`) and a worse one (`rejected`), one\n\
             message each, to train a reward model on. A column `margin` is there only on request."
        }
        Layout::NemoRl => {
            "Each row is a conversation so far (`context`) and two ranked answers (`completions`: `rank`, 0 for the better one,\n\
             and `completion`), to train a reward model on. A column `margin` is there only on request."
        }
        Layout::Trl | Layout::Verl | Layout::OpenaiJsonl | Layout::MlxJsonl => {
            "Each row is a prompt with a better answer (`chosen`) and a worse one (`rejected`) to train a\n\
             reward model on. A column `margin`, which trainers subtract in the loss, is there only on request."
        }
    }
}

fn endorsed(layout: Layout) -> &'static str {
    match layout {
        Layout::Trl => {
            "Each row is a prompt with an answer that somebody endorsed, in two shapes with the same\n\
             examples: `sft_completion` (`prompt`, `completion`), on which TRL learns the answer only, and\n\
             `sft` (`messages`) for the other trainers."
        }
        Layout::OpenaiJsonl => {
            "Each line is a conversation (`messages`) that ends with an answer that somebody endorsed. An earlier turn of the\n\
             assistant's that nobody endorsed has the `weight` 0, which keeps the service from training on it."
        }
        Layout::MlxJsonl => "Each line is a conversation (`messages`) that ends with an answer that somebody endorsed.",
        Layout::Implicit | Layout::Llamafactory | Layout::NemoRl | Layout::Verl => {
            "Each row is a conversation (`messages`) that ends with an answer that somebody endorsed."
        }
    }
}

/// Says where it stands what proves a row and what it is like.
pub(super) fn proof(layout: Layout) -> &'static str {
    if layout.is_lines() {
        "The lines hold nothing but what the trainer takes. `provenance/CONFIG-SPLIT.jsonl` tells of each, line for line, its\n\
         `row_id`, which signal, votes and models are behind it, and in `metadata` the rule, the completions and the\n\
         feedback."
    } else {
        "The columns beside these say which signal, votes and models are behind a row; `metadata` names the rule, the\n\
         completions and the feedback."
    }
}
