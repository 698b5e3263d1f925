//! Answers side by side on which people reacted in opposite ways. Texts are text, whatever they hold.

use super::figure;
use crate::report::comparison::Comparison;
use crate::report::comparison::ratings::{Answer, Disagreement};
use crate::report::markup::Element;

/// Makes the section, where there are any.
pub(super) fn section(comparison: &Comparison) -> Option<Element> {
    let all = &comparison.depth.disagreements;
    if all.is_empty() {
        return None;
    }
    let lead = "Sampled answers to prompts of one task on which people reacted in opposite ways. They are examples to look \
                at, chosen because they disagree, and no evidence of how often they do.";
    let list = Element::new("ol").class("pairs").children(all.iter().map(one));
    Some(
        figure::section("examples", "Does it look right?")
            .child(Element::new("p").class("lead").text(lead))
            .child(list),
    )
}

fn one(disagreement: &Disagreement) -> Element {
    let task = disagreement
        .task
        .as_ref()
        .map(|task| Element::new("p").class("eyebrow").text("Task ").child(figure::name(task)));
    let sides = Element::new("div")
        .class("pair")
        .child(answer("Control", "control", &disagreement.control))
        .child(answer("Candidate", "candidate", &disagreement.candidate));
    Element::new("li").children(task).child(sides)
}

fn answer(side: &str, class: &str, answer: &Answer) -> Element {
    let said = |what: &str, text: &str| {
        [Element::new("dt").text(what), Element::new("dd").child(Element::new("bdi").class("said").text(text))]
    };
    let head = Element::new("p")
        .child(figure::swatch(class))
        .child(Element::new("b").text(side))
        .text(" ")
        .child(Element::new("code").child(figure::name(&answer.completion_id)));
    let list = Element::new("dl")
        .children(said("Asked", &answer.prompt))
        .children(said("Answered", &answer.response))
        .children(said("People", &answer.reactions.join(", ")));
    Element::new("div").child(head).child(list)
}
