//! Things that only one component may own, and references between components and extensions.

use std::path::{Component as Part, Path, PathBuf};

use sluice_component::{Claim, ComponentId};

use super::Pipeline;
use super::components::Components;
use super::running::View;
use crate::{Diagnostic, Span};

/// Reports ports and paths claimed twice, and extensions that a running component names but the service does not start.
pub(super) fn check(
    components: &Components,
    pipelines: &[Pipeline],
    extensions: &[ComponentId],
    found: &mut Vec<Diagnostic>,
) {
    let mut running: Vec<View<'_>> = components.running(pipelines, extensions).collect();
    running.sort_by_key(|view| view.key_span);
    let mut taken: Vec<(Claim, String, Span)> = Vec::new();
    for view in &running {
        for (index, claim) in view.claims.iter().enumerate() {
            let (text, what, help) = match claim {
                Claim::Listen(address) => (
                    address.clone(),
                    "the address",
                    "each needs a port of its own",
                ),
                Claim::Path(path) => (
                    path.display().to_string(),
                    "the path",
                    "each needs a path of its own",
                ),
            };
            let places = view.block.find_text(&text);
            let earlier = view.claims[..index]
                .iter()
                .filter(|other| *other == claim)
                .count();
            let span = places
                .get(earlier)
                .or(places.last())
                .copied()
                .unwrap_or(view.key_span);
            if let Some((_, owner, first)) = taken.iter().find(|(other, _, _)| clash(claim, other))
            {
                // An address that came out of a reference is not shown.
                let shown = if is_from_reference(view, &text) {
                    String::new()
                } else {
                    format!(" `{text}`")
                };
                found.push(
                    Diagnostic::error(
                        span,
                        format!(
                            "{what}{shown} is claimed by {owner} and by {} `{}`",
                            view.class, view.written
                        ),
                    )
                    .with_related(*first, "first here")
                    .with_help(help),
                );
            }
            taken.push((
                claim.clone(),
                format!("{} `{}`", view.class, view.written),
                span,
            ));
        }
        for written in &view.extensions {
            let started = extensions.iter().any(|id| id.to_string() == *written);
            if !started {
                let span = view
                    .block
                    .find_text(written)
                    .first()
                    .copied()
                    .unwrap_or(view.key_span);
                let is_defined = components
                    .extensions
                    .defined
                    .keys()
                    .any(|id| id.to_string() == *written);
                // What a token gives in the wrong place is no id, and not shown.
                let is_shown = is_defined || !is_from_reference(view, written);
                let diagnostic = Diagnostic::error(
                    span,
                    if is_shown {
                        format!("extension `{written}` is not in `service.extensions`")
                    } else {
                        "what this reference gives is not in `service.extensions`".to_owned()
                    },
                );
                found.push(diagnostic.with_help(if is_defined {
                    format!("add it there: `extensions: [{written}]`")
                } else {
                    "define it under `extensions` and add it to `service.extensions`".to_owned()
                }));
            }
        }
    }
}

fn is_from_reference(view: &View<'_>, text: &str) -> bool {
    let mut is_reference = false;
    view.block
        .walk(&mut |node| is_reference |= node.origin.is_some() && node.text() == Some(text));
    is_reference
}

fn clash(a: &Claim, b: &Claim) -> bool {
    match (a, b) {
        (Claim::Listen(a), Claim::Listen(b)) => addresses_clash(a, b),
        (Claim::Path(a), Claim::Path(b)) => tidy(a) == tidy(b),
        _ => false,
    }
}

/// One port on one host: the same name, a name for the loopback, or every address. Port 0 is always free.
fn addresses_clash(a: &str, b: &str) -> bool {
    let (Some((a_host, a_port)), Some((b_host, b_port))) = (a.rsplit_once(':'), b.rsplit_once(':'))
    else {
        return a == b;
    };
    if a_port != b_port || a_port == "0" {
        return false;
    }
    let any = |host: &str| matches!(host, "" | "0.0.0.0" | "[::]" | "*");
    let loopback = |host: &str| matches!(host, "127.0.0.1" | "[::1]");
    any(a_host)
        || any(b_host)
        || a_host == b_host
        || (a_host == "localhost" && loopback(b_host))
        || (b_host == "localhost" && loopback(a_host))
}

/// A path without `.` and, where that is plain from the text, `..`.
fn tidy(path: &Path) -> PathBuf {
    let mut tidy = PathBuf::new();
    for part in path.components() {
        match part {
            Part::CurDir => {}
            Part::ParentDir if matches!(tidy.components().next_back(), Some(Part::Normal(_))) => {
                tidy.pop();
            }
            part => tidy.push(part),
        }
    }
    tidy
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_clash_when_one_socket_would_take_the_others_port() {
        for (a, b, expected) in [
            ("localhost:4317", "127.0.0.1:4317", true),
            ("localhost:4317", "localhost:4318", false),
            ("0.0.0.0:4317", "10.0.0.1:4317", true),
            (":4317", "[::1]:4317", true),
            ("127.0.0.1:4317", "[::1]:4317", false),
            ("127.0.0.1:0", "127.0.0.1:0", false),
            ("10.0.0.1:1", "10.0.0.2:1", false),
        ] {
            assert_eq!(addresses_clash(a, b), expected, "{a} {b}");
            assert_eq!(addresses_clash(b, a), expected, "{b} {a}");
        }
    }

    #[test]
    fn paths_are_one_however_they_are_written() {
        assert_eq!(
            tidy(Path::new("./out/../out/a.json")),
            tidy(Path::new("out/a.json"))
        );
        assert_ne!(tidy(Path::new("../a")), tidy(Path::new("a")));
    }
}
