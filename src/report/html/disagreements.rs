//! Answers on which people reacted in opposite ways. Texts are text, whatever they hold.

use super::figure;
use crate::report::comparison::Comparison;
use crate::report::comparison::ratings::{Answer, Disagreement};
use crate::report::markup::Element;

/// Makes the section, where there are any.
pub(super) fn section(comparison: &Comparison) -> Option<Element> {
    let (all, note) = (&comparison.depth.disagreements, comparison.depth.disagreements_note);
    if all.is_empty() {
        let why = Element::new("p").class("lead").text(note?);
        return Some(figure::section("examples", "Does it look right?").child(why));
    }
    let lead = "Sampled answers on which people reacted in opposite ways: one side's answer to a prompt of a task was taken \
                and the other's was not, or what was said of an answer is not what was done with it. They are examples to \
                look at, chosen because they disagree, and no evidence of how often they do.";
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
        .children(disagreement.control.as_ref().map(|it| answer("Control", "control", it)))
        .children(disagreement.candidate.as_ref().map(|it| answer("Candidate", "candidate", it)));
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
