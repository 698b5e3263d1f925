//! The demo's chat: a page whose visitor reacts to answers, and the backend that such a page has.
//!
//! The backend goes the ways of a customer's: it records what it answers and mints feedback tokens over HTTP with its
//! secret key, which the page never sees. No model runs; the answers are written by hand.

mod answers;

use actix_web::http::header;
use actix_web::web::{Data, Path, ServiceConfig, get, post, resource};
use actix_web::{HttpResponse, Responder};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::player::{PlayError, Player};
use crate::domain::json::Json;
use crate::http::{Body, Bound, Media, NoQuery, Problem, problem};
use crate::service::ids::new_id;
use answers::{Answers, AnswersError, Voice};

/// Everything comes from the service itself, and no text of anybody's becomes markup.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; \
     form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";
/// The most rows that the page shows: a page of `GET /v1/completions`.
const MAX_ROWS: usize = 200;
/// The most messages of a conversation.
const MAX_MESSAGES: usize = 100;

/// What the addresses of the chat share.
struct Chat {
    player: Player,
    answers: Answers,
}

/// A conversation of one visitor. Whoever knows its id may react in it: the id cannot be guessed.
struct Conversation(Uuid);

impl Conversation {
    fn parse(id: &str) -> Result<Self, Problem> {
        let uuid = id.strip_prefix("chat-").and_then(|uuid| Uuid::try_parse(uuid).ok());
        uuid.map(Self).filter(|parsed| parsed.id() == id).ok_or_else(|| Problem::new(problem::NOT_FOUND))
    }

    fn id(&self) -> String {
        format!("chat-{}", self.0)
    }

    fn visitor(&self) -> String {
        format!("visitor-{}", self.0)
    }
}

/// What a visitor asks.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    /// The conversation so far; the question comes last.
    messages: Vec<Message>,
    voice: Voice,
    /// From 1; each regeneration of an answer is one more.
    attempt: u32,
    /// The completion that is regenerated.
    parent_completion_id: Option<String>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Message {
    role: Role,
    content: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum Role {
    User,
    Assistant,
}

impl Question {
    fn parse(body: &Json) -> Option<Self> {
        let question: Self = serde_json::from_str(&body.to_text()).ok()?;
        let ends_with_user = question.messages.last().is_some_and(|last| last.role == Role::User);
        (ends_with_user && question.messages.len() <= MAX_MESSAGES && question.attempt >= 1).then_some(question)
    }

    /// Answers, and writes what is recorded of it.
    fn completion(&self, conversation: &Conversation, answers: &Answers) -> Value {
        let asked = self.messages.last().map(|last| last.content.as_str()).unwrap_or_default();
        json!({
            "id": format!("{}-{}", conversation.id(), new_id()),
            "model": self.voice.model(),
            "prompt": self.messages,
            "response": {"role": "assistant", "content": answers.find(asked, self.voice, self.attempt)},
            "conversation_id": conversation.id(),
            "turn_index": self.messages.iter().filter(|message| message.role == Role::User).count() - 1,
            "attempt": self.attempt,
            "parent_completion_id": self.parent_completion_id,
            "user": conversation.visitor(),
            "task": "demo-chat",
            "language": "en",
        })
    }
}

/// Lets the pages of this service on this machine send feedback.
pub(super) async fn admit_pages(player: &Player, port: u16) -> Result<(), PlayError> {
    let origins = ["127.0.0.1", "localhost", "[::1]"].map(|host| format!("http://{host}:{port}"));
    let keys = player.get("/v1/keys").await?;
    let live = keys["keys"].as_array().into_iter().flatten().filter(|key| key["revoked_at"].is_null());
    let admits = |key: &Value| {
        origins.iter().all(|origin| key["origins"].as_array().is_some_and(|all| all.contains(&json!(origin))))
    };
    if live.into_iter().any(admits) {
        return Ok(());
    }
    let key = json!({"kind": "publishable", "name": "demo chat", "origins": origins});
    player.post("/v1/keys", &key).await.map(drop)
}

/// Returns what adds the chat's addresses to a server.
pub(super) fn routes(player: Player) -> Result<impl Fn(&mut ServiceConfig) + Clone + Send + 'static, AnswersError> {
    let chat = Data::new(Chat { player, answers: Answers::embedded()? });
    Ok(move |routes: &mut ServiceConfig| {
        routes
            .app_data(chat.clone())
            .service(resource("/demo").route(get().to(page)))
            .service(resource("/demo/chat.js").route(get().to(script)))
            .service(resource("/demo/chat.css").route(get().to(style)))
            .service(resource("/demo/chats").route(post().to(begin)))
            .service(resource("/demo/chats/{id}/token").route(post().to(mint)))
            .service(resource("/demo/chats/{id}/answers").route(post().to(answer)))
            .service(resource("/demo/chats/{id}/rows").route(get().to(rows)));
    })
}

async fn page(_: NoQuery) -> impl Responder {
    let policy = (header::CONTENT_SECURITY_POLICY, POLICY);
    HttpResponse::Ok().content_type("text/html; charset=utf-8").insert_header(policy).body(include_str!("chat.html"))
}

async fn script(_: NoQuery) -> impl Responder {
    HttpResponse::Ok().content_type("text/javascript; charset=utf-8").body(include_str!("chat.js"))
}

async fn style(_: NoQuery) -> impl Responder {
    HttpResponse::Ok().content_type("text/css; charset=utf-8").body(include_str!("chat.css"))
}

/// Begins a conversation. The body is empty JSON, so that pages of other origins cannot send it without asking.
async fn begin(_: NoQuery, body: Body, chat: Data<Chat>) -> Result<HttpResponse, Problem> {
    body.receive(Media::Json, Bound::Browser).await?;
    let conversation = Conversation(new_id());
    Ok(HttpResponse::Created().json(json!({
        "id": conversation.id(),
        "user": conversation.visitor(),
        "suggestions": chat.answers.suggestions(),
    })))
}

/// Mints a token for the visitor's reactions in the conversation.
async fn mint(_: NoQuery, id: Path<String>, body: Body, chat: Data<Chat>) -> Result<HttpResponse, Problem> {
    let conversation = Conversation::parse(&id)?;
    body.receive(Media::Json, Bound::Browser).await?;
    let wanted = json!({"subject": conversation.visitor(), "conversation_id": conversation.id()});
    let minted = chat.player.post("/v1/feedback-tokens", &wanted).await.map_err(|error| told(&error))?;
    Ok(HttpResponse::Ok().json(json!({"token": minted["token"]})))
}

/// Answers a question and records the answer before the page sees it.
async fn answer(_: NoQuery, id: Path<String>, body: Body, chat: Data<Chat>) -> Result<HttpResponse, Problem> {
    let conversation = Conversation::parse(&id)?;
    let received = body.receive(Media::Json, Bound::Browser).await?;
    let question = Question::parse(received.json()).ok_or_else(|| Problem::new(problem::MALFORMED_REQUEST))?;
    let completion = question.completion(&conversation, &chat.answers);
    chat.player.post("/v1/completions", &completion).await.map_err(|error| told(&error))?;
    Ok(HttpResponse::Created().json(json!({
        "completion_id": completion["id"],
        "model": completion["model"],
        "text": completion["response"]["content"],
    })))
}

/// Shows what is stored of a conversation. Its completions have ids that begin with its own, so they follow it.
async fn rows(_: NoQuery, id: Path<String>, chat: Data<Chat>) -> Result<HttpResponse, Problem> {
    let id = Conversation::parse(&id)?.id();
    let path = format!("/v1/completions?cursor={id}&limit={MAX_ROWS}");
    let mut listed = chat.player.get(&path).await.map_err(|error| told(&error))?;
    let is_of_conversation = |row: &Value| row["conversation_id"] == id.as_str();
    if let Some(rows) = listed["completions"].as_array_mut() {
        rows.retain(is_of_conversation);
    }
    Ok(HttpResponse::Ok().json(json!({"completions": listed["completions"]})))
}

/// Hands on what the service said, as far as a page may know it.
fn told(error: &PlayError) -> Problem {
    match error {
        PlayError::Refused { status, code, .. } => Problem::of_code(code, *status),
        _ => Problem::new(problem::INTERNAL_ERROR),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conversation_is_known_by_the_id_that_it_was_given_and_by_no_other() {
        let id = "chat-01890a5d-ac96-774b-bcce-b302099a8057";

        assert_eq!(Conversation::parse(id).unwrap().visitor(), "visitor-01890a5d-ac96-774b-bcce-b302099a8057");
        for other in ["", "chat-", "chat-x", "demo1-u0001-c00", "chat-01890A5D-AC96-774B-BCCE-B302099A8057", &id[5..]] {
            assert!(Conversation::parse(other).is_err(), "{other}");
        }
    }

    #[test]
    fn a_question_is_the_last_word_of_its_visitor() {
        let parse = |messages: Value, attempt: i64| {
            let body =
                json!({"messages": messages, "voice": "brief", "attempt": attempt, "parent_completion_id": null});
            Question::parse(&Json::parse(body.to_string().as_bytes()).unwrap()).is_some()
        };
        let (user, assistant) = (json!({"role": "user", "content": "a"}), json!({"role": "assistant", "content": "b"}));

        assert!(parse(json!([user, assistant, user]), 1));
        for messages in [json!([]), json!([user, assistant]), json!([{"role": "system", "content": "a"}]), json!("a")] {
            assert!(!parse(messages.clone(), 1), "{messages}");
        }
        assert!(!parse(json!([user]), 0) && !parse(json!(vec![user; MAX_MESSAGES + 1]), 1));
    }
}
