//! What happens, told to every open page.

use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::stream::{self, Stream};
use serde::Serialize;
use std::convert::Infallible;
use tokio::sync::broadcast::{self, error::RecvError};

/// Events that a slow page may fall behind; after that it is told to look at everything anew.
const BEHIND: usize = 256;

/// The one stream of events.
pub struct Events(broadcast::Sender<(&'static str, String)>);

impl Default for Events {
    fn default() -> Events {
        Events(broadcast::Sender::new(BEHIND))
    }
}

impl Events {
    /// Tells every open page; that none is open is no error.
    pub fn tell(&self, kind: &'static str, what: &impl Serialize) {
        if let Ok(json) = serde_json::to_string(what) {
            self.0.send((kind, json)).unwrap_or_default();
        }
    }

    /// Something is gone.
    pub fn gone(&self, kind: &'static str, id: &str) {
        self.tell("gone", &serde_json::json!({ "kind": kind, "id": id }));
    }

    /// The stream for one page.
    pub fn listen(&self) -> Sse<impl Stream<Item = Result<Event, Infallible>> + use<>> {
        let receiver = self.0.subscribe();
        // The first event says that the page is connected, so that it asks for what it missed.
        let events = stream::unfold((receiver, true), |(mut receiver, first)| async move {
            let event = if first {
                Event::default().event("hello").data("{}")
            } else {
                match receiver.recv().await {
                    Ok((kind, json)) => Event::default().event(kind).data(json),
                    Err(RecvError::Lagged(_)) => Event::default().event("hello").data("{}"),
                    Err(RecvError::Closed) => return None,
                }
            };
            Some((Ok(event), (receiver, false)))
        });
        Sse::new(events).keep_alive(KeepAlive::default())
    }
}
