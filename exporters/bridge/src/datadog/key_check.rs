//! Whether Datadog knows the API key, asked before the first log.
//!
//! The intake says 403 to a key that nobody has, but may take logs under one of another site and throw them away. So the
//! site's own API is asked first.

use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use http::{HeaderMap, Method};
use url::Url;

use crate::delivery::{Http, Outcome};

/// Asked until there is an answer that counts; several attempts at once may each ask.
#[derive(Debug)]
pub(super) struct KeyCheck {
    url: Url,
    /// Send nothing before the key was found valid.
    is_strict: bool,
    is_done: AtomicBool,
}

impl KeyCheck {
    pub(super) fn new(url: Url, is_strict: bool) -> Self {
        Self {
            url,
            is_strict,
            is_done: AtomicBool::new(false),
        }
    }

    /// Sees to it that logs may be sent. Unless it is strict, an answer is only told of: a proxy may know the intake and
    /// not the API.
    pub(super) async fn done(&self, http: &Http) -> Result<(), Outcome> {
        if self.is_done.load(Ordering::Relaxed) {
            return Ok(());
        }
        let asked = http
            .send(Method::GET, &self.url, HeaderMap::new(), Bytes::new())
            .await;
        let wrong = match asked {
            Ok(answer) if answer.status.is_success() => None,
            Ok(answer) if matches!(answer.status.as_u16(), 401 | 403) => {
                Some("the API key is invalid or belongs to another site".to_owned())
            }
            Ok(answer) => Some(format!(
                "the API key could not be checked: HTTP {}",
                answer.status.as_u16()
            )),
            Err(error) => Some(format!("the API key could not be checked: {error}")),
        };
        match wrong {
            Some(why) if self.is_strict => return Err(Outcome::Hold(why)),
            Some(why) => tracing::warn!(url = %self.url, "{why}"),
            None => {}
        }
        self.is_done.store(true, Ordering::Relaxed);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::HeaderName;
    use sluice_testing::datadog;

    use super::*;
    use crate::delivery::{HttpKeys, parse_url};

    async fn checked(
        double: &datadog::Double,
        key: &str,
        path: &str,
        is_strict: bool,
    ) -> Result<(), String> {
        let fixed = [(HeaderName::from_static("dd-api-key"), key)];
        let http = HttpKeys::default()
            .build(&crate::tests::context(), Duration::from_secs(5), &fixed)
            .expect("a client");
        let check = KeyCheck::new(parse_url(&double.url(path)).expect("a URL"), is_strict);
        check
            .done(&http)
            .await
            .map_err(|outcome| format!("{outcome:?}"))
    }

    #[tokio::test]
    async fn a_strict_check_holds_until_the_key_is_found_valid_and_another_only_warns() {
        let double = datadog::Double::start().await;
        let path = "/api/v1/validate";
        for is_strict in [true, false] {
            assert_eq!(
                checked(&double, datadog::API_KEY, path, is_strict).await,
                Ok(())
            );
        }
        assert_eq!(checked(&double, "another", path, false).await, Ok(()));
        assert_eq!(
            checked(&double, datadog::API_KEY, "/nowhere", false).await,
            Ok(())
        );
        let held = checked(&double, "another", path, true)
            .await
            .expect_err("held");
        assert!(
            held.starts_with("Hold") && held.contains("another site"),
            "{held}"
        );
        let held = checked(&double, datadog::API_KEY, "/nowhere", true)
            .await
            .expect_err("held");
        assert!(held.contains("HTTP 404"), "{held}");
    }

    #[tokio::test]
    async fn a_check_is_made_once() {
        let double = datadog::Double::start().await;
        let http = HttpKeys::default()
            .build(&crate::tests::context(), Duration::from_secs(5), &[])
            .expect("a client");
        let check = KeyCheck::new(
            parse_url(&double.url("/api/v1/validate")).expect("a URL"),
            false,
        );
        for _ in 0..3 {
            assert!(check.done(&http).await.is_ok());
        }
        assert_eq!(double.traffic().read(|traffic| traffic.seen.len()), 1);
    }
}
