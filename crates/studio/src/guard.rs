//! The rules that keep other pages, and other machines, out. They hold for every request, before any route is looked at.
//!
//! 1. The Host header names this server (421 otherwise): a page whose name was made to point here (DNS rebinding) gets no answer.
//! 2. What changes something comes from this server's own page (403 otherwise): Origin and Sec-Fetch-Site say so, and a header stands in
//!    it that no form and no simple request of another page can send. No answer ever carries a header that would let another origin read it.
//! 3. Every answer says how it may be used: its type is not guessed, no other page may embed it or hold on to its window, and the page
//!    itself runs nothing that did not come from here.

use crate::Shared;
use crate::error::ApiError;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::sync::Arc;

/// The header that every change must carry.
pub const HEADER: &str = "x-cantus";

/// What goes with every answer. The engraver is WebAssembly.
const HEADERS: [(&str, &str); 6] = [
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
         font-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cross-origin-embedder-policy", "require-corp"),
    ("referrer-policy", "no-referrer"),
];

pub async fn guard(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let mut response = match admitted(&shared.authorities, request.method(), request.headers()) {
        Ok(()) => in_our_words(next.run(request).await).await,
        Err(refusal) => refusal.into_response(),
    };
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// What the framework refuses on its own, in the form of all other errors.
async fn in_our_words(response: Response) -> Response {
    let status = response.status();
    let is_json = response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
    if !(status.is_client_error() || status.is_server_error()) || is_json {
        return response;
    }
    let (parts, body) = response.into_parts();
    let said = axum::body::to_bytes(body, 1 << 16).await.unwrap_or_default();
    let said = String::from_utf8_lossy(&said);
    let reason = if said.is_empty() { status.canonical_reason().unwrap_or("refused").to_owned() } else { said.into() };
    let mut ours = ApiError::new(status, reason).into_response();
    if let Some(methods) = parts.headers.get(header::ALLOW) {
        ours.headers_mut().insert(header::ALLOW, methods.clone());
    }
    ours
}

/// Whether a request may go on to its route.
fn admitted(authorities: &[String], method: &Method, headers: &HeaderMap) -> Result<(), ApiError> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = match (hosts.next().and_then(|host| host.to_str().ok()), hosts.next()) {
        (Some(host), None) if authorities.iter().any(|known| known.eq_ignore_ascii_case(host)) => host,
        _ => {
            let known = authorities.join(" or ");
            return Err(ApiError::new(StatusCode::MISDIRECTED_REQUEST, format!("this is {known}, and nothing else")));
        }
    };
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let forbidden = |why: &str| Err(ApiError::new(StatusCode::FORBIDDEN, why));
    let site = text("sec-fetch-site");
    let origin = text("origin");
    let changes = !matches!(*method, Method::GET | Method::HEAD);
    if !changes {
        return Ok(());
    }
    if site.is_some_and(|site| site != "same-origin") {
        return forbidden("changes are made from the studio's own page: Sec-Fetch-Site says that this is another");
    }
    if origin.is_some_and(|origin| !origin.eq_ignore_ascii_case(&format!("http://{host}"))) {
        return forbidden("changes are made from the studio's own page: Origin says that this is another");
    }
    if site.is_none() && origin.is_none() {
        return forbidden("changes say where they come from: send Origin or Sec-Fetch-Site");
    }
    if text(HEADER).is_none() {
        return forbidden("changes carry the header `X-Cantus`");
    }
    Ok(())
}
