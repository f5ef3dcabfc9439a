//! Keeping what references resolved to out of messages that components wrote.

use std::collections::HashSet;

use crate::node::Node;

/// Takes the values that references gave out of a message. `None` when a part of one may still be in it.
pub(crate) fn scrub(message: &str, node: &Node) -> Option<String> {
    let mut values = Vec::new();
    node.walk(&mut |node| {
        if let Some(origin) = &node.origin {
            for text in [origin.text.as_str(), origin.text.trim()] {
                values.push((text.to_owned(), origin.written.clone()));
                values.push((text.escape_debug().to_string(), origin.written.clone()));
            }
        }
    });
    values.sort_by_key(|(text, _)| std::cmp::Reverse(text.len()));
    let mut message = message.to_owned();
    for (text, written) in &values {
        if text.chars().count() >= 4 {
            message = message.replace(text.as_str(), written);
        } else if !text.is_empty() {
            message = message
                .replace(&format!("`{text}`"), &format!("`{written}`"))
                .replace(&format!("\"{text}\""), &format!("\"{written}\""));
        }
    }
    let written: HashSet<&str> = values.iter().map(|(_, written)| written.as_str()).collect();
    let plain = written
        .iter()
        .fold(message.to_lowercase(), |message, written| {
            message.replace(&written.to_lowercase(), "")
        });
    let leaks = values.iter().any(|(text, _)| {
        let characters: Vec<char> = text.to_lowercase().chars().collect();
        characters
            .windows(6)
            .any(|window| plain.contains(&window.iter().collect::<String>()))
    });
    (!leaks).then_some(message)
}
