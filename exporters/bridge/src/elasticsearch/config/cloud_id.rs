//! Elastic Cloud ids: `LABEL:base64(HOST[:PORT]$ES_UUID[:PORT]$KIBANA_UUID…)`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The URL of the Elasticsearch that an id names.
///
/// # Errors
/// Text that is no such id.
pub(super) fn url(id: &str) -> Result<String, String> {
    let wrong = || "is not a cloud id".to_owned();
    let encoded = id.rsplit(':').next().unwrap_or_default();
    let decoded = STANDARD.decode(encoded.trim()).map_err(|_| wrong())?;
    let text = String::from_utf8(decoded).map_err(|_| wrong())?;
    // A Kibana id, and more, may follow: every `$` ends a part.
    let mut parts = text.split('$');
    let (host, element) = (
        parts.next().unwrap_or_default(),
        parts.next().unwrap_or_default(),
    );
    let (host, host_port) = port(host);
    let (element, element_port) = port(element);
    if host.is_empty() || element.is_empty() {
        return Err(wrong());
    }
    Ok(format!(
        "https://{element}.{host}:{}",
        element_port.or(host_port).unwrap_or("443")
    ))
}

fn port(text: &str) -> (&str, Option<&str>) {
    text.split_once(':')
        .map_or((text, None), |(name, port)| (name, Some(port)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_names_its_elasticsearch_with_the_nearest_port() {
        for (inside, expected) in [
            (
                "us-east-1.aws.found.io$abc$kib",
                Ok("https://abc.us-east-1.aws.found.io:443"),
            ),
            (
                "us-east-1.aws.found.io:9243$abc$kib",
                Ok("https://abc.us-east-1.aws.found.io:9243"),
            ),
            (
                "us-east-1.aws.found.io:9243$abc:9244$kib:1",
                Ok("https://abc.us-east-1.aws.found.io:9244"),
            ),
            ("host$abc", Ok("https://abc.host:443")),
            ("host", Err(())),
            ("$abc", Err(())),
        ] {
            let id = format!("my:deployment:{}", STANDARD.encode(inside));
            assert_eq!(
                url(&id).map_err(|_| ()),
                expected.map(str::to_owned),
                "{inside}"
            );
        }
        assert!(url("label:%%%").is_err());
    }
}
