//! The configuration of `webhook`.

use std::net::IpAddr;
use std::path::PathBuf;

use sluice_component::{
    BuildContext, BuildError, ByteSize, Checked, Claim, Problems, Receiver, ReceiverConfig,
};

use crate::formats::{Format, Mapping, Normalise};
use crate::receiver::Webhook;
use crate::verify::VerifyConfig;

sluice_net::http_server_config! {
    /// `webhook`: events posted over HTTP.
    ///
    /// `max_request_body_size` is 20 MiB unless set.
    pub struct Config {
        /// Path that events are posted to. Default `/`. Others are answered 404, and methods other than POST 405.
        pub path: String = "/".to_owned(),
        /// Who wrote the events: `policy_gateway`, `keeptrusts`, `llm_gateway`, `json` (default; any objects) or `raw`
        /// (the whole body becomes one record). A body holds one event, a list, or several one after the other;
        /// anything malformed refuses all of it with 400. At most 20000 events a request, 28 objects inside one another.
        pub format: Format = Format::Json,
        /// How a sender proves who it is. Default: anybody may post.
        pub verify: Option<VerifyConfig> = None,
        /// How much of the normalised view stands beside the source's object: `short` (default), `full` or `off`.
        pub normalise: Normalise = Normalise::Short,
        /// The event's field that `user.id` is taken from; a dot leads into an object. Default: the format's own choice
        /// (for `policy_gateway` `policy_user`, else `quota_subject`, else `user_id`), which is also taken where the
        /// event has no such field.
        pub subject_field: Option<String> = None,
    }
    defaults { max_request_body_size: ByteSize(20 << 20) }
}

impl Config {
    /// How the bodies become records.
    #[must_use]
    pub fn mapping(&self) -> Mapping {
        Mapping {
            format: self.format,
            normalise: self.normalise,
            subject_field: self.subject_field.clone(),
        }
    }
}

impl Checked for Config {
    fn check(&self, problems: &mut Problems) {
        self.server().check(problems);
        check_path("path", &self.path, problems);
        match &self.verify {
            Some(verify) => problems.at("verify", |p| verify.check(p)),
            None => {
                let authenticates = self.auth.is_some()
                    || self
                        .tls
                        .as_ref()
                        .is_some_and(|tls| tls.client_ca_file.is_some());
                if !authenticates && !is_loopback(&self.endpoint) {
                    problems
                        .warning("anybody who reaches this address can post events")
                        .help("add `verify`, `auth`, or `tls` with `client_ca_file`");
                }
            }
        }
        if self
            .subject_field
            .as_ref()
            .is_some_and(|field| field.trim().is_empty())
        {
            problems.at("subject_field", |p| {
                p.error("is empty")
                    .help("leave it out for the format's own choice");
            });
        }
    }

    fn claims(&self) -> Vec<Claim> {
        vec![Claim::Listen(self.endpoint.clone())]
    }

    fn extensions(&self) -> Vec<String> {
        self.auth
            .iter()
            .map(|auth| auth.authenticator.clone())
            .collect()
    }

    fn files(&self) -> Vec<PathBuf> {
        self.tls
            .iter()
            .flat_map(sluice_net::TlsServerConfig::files)
            .collect()
    }
}

impl ReceiverConfig for Config {
    fn build(&self, context: &BuildContext) -> Result<Box<dyn Receiver>, BuildError> {
        Ok(Box::new(Webhook::bind(self, context)?))
    }
}

/// A path on the server: absolute, without query.
pub(crate) fn check_path(key: &str, path: &str, problems: &mut Problems) {
    if !path.starts_with('/') || path.contains(['?', '#', ' ']) {
        problems.at(key, |p| {
            p.error(format!("`{path}` is not a path"))
                .help("write it with a leading `/`, without query");
        });
    }
}

pub(crate) fn is_loopback(endpoint: &str) -> bool {
    let host = endpoint.rsplit_once(':').map_or(endpoint, |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || host
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}
