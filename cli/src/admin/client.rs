//! The other end: a command that asks a running instance.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail};
use futures_util::StreamExt as _;
use serde::Serialize;
use sluice_ledger::Lock;

use super::{Report, socket};

/// A question that has a short answer waits no longer for it.
const PATIENCE: Duration = Duration::from_secs(5);

/// Whether an instance runs on the ledger in `directory`.
pub(crate) fn is_running(directory: &Path) -> bool {
    Lock::is_held(directory)
}

/// Posts `request` and shows each report as it comes; the last one is returned, also when it broke off after that.
///
/// # Errors
/// The instance does not answer, or refuses.
pub(crate) async fn follow(
    directory: &Path,
    path: &str,
    request: &impl Serialize,
    mut show: impl FnMut(&Report),
) -> anyhow::Result<Report> {
    let response = post(directory, path, request).await?;
    let (mut lines, mut pending) = (response.bytes_stream(), Vec::new());
    let mut last = Report::default();
    while let Some(Ok(piece)) = lines.next().await {
        pending.extend_from_slice(&piece);
        while let Some(end) = pending.iter().position(|b| *b == b'\n') {
            let line: Vec<u8> = pending.drain(..=end).collect();
            last = serde_json::from_slice(&line)
                .context("the running instance is of another version")?;
            show(&last);
        }
    }
    if !last.done && last.error.is_none() {
        last.error = Some("the running instance ended before it was done".to_owned());
    }
    Ok(last)
}

/// What the running instance says of itself.
///
/// # Errors
/// The instance does not answer.
pub(crate) async fn status(directory: &Path) -> anyhow::Result<serde_json::Value> {
    let (client, _place) = client(directory)?;
    let request = client.get("http://sluice/api/v1/status");
    let answer = request.timeout(PATIENCE).send().await?;
    Ok(serde_json::from_slice(
        &answer.error_for_status()?.bytes().await?,
    )?)
}

/// Posts `request` and gives the answer.
///
/// # Errors
/// The instance does not answer or refuses.
pub(crate) async fn post(
    directory: &Path,
    path: &str,
    request: &impl Serialize,
) -> anyhow::Result<reqwest::Response> {
    let response = ask(directory, path, request).await?;
    if response.status().is_success() {
        return Ok(response);
    }
    let status = response.status();
    let body: serde_json::Value =
        serde_json::from_slice(&response.bytes().await?).unwrap_or_default();
    match body.get("error").and_then(|e| e.as_str()) {
        Some(why) => bail!("{why}"),
        None => bail!("the running instance answered {status}"),
    }
}

/// Posts `request` and gives the answer, whatever it is.
///
/// # Errors
/// The instance does not answer.
pub(crate) async fn ask(
    directory: &Path,
    path: &str,
    request: &impl Serialize,
) -> anyhow::Result<reqwest::Response> {
    let (client, _place) = client(directory)?;
    client
        .post(format!("http://sluice{path}"))
        .header("content-type", "application/json")
        .body(serde_json::to_vec(request)?)
        .send()
        .await
        .with_context(|| {
            format!(
                "the instance that uses {} does not answer on its socket",
                directory.display()
            )
        })
}

/// A client of the socket, and what must stay open for it.
fn client(directory: &Path) -> anyhow::Result<(reqwest::Client, socket::Place)> {
    let place = socket::place(directory)
        .with_context(|| format!("cannot reach {}", directory.display()))?;
    let client = reqwest::Client::builder()
        .unix_socket(place.path.as_path())
        .no_proxy()
        .build()
        .context("no HTTP client")?;
    Ok((client, place))
}
