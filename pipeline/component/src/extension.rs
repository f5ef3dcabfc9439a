//! Extensions serve other components: authenticators for servers and clients.

use std::fmt;
use std::sync::Arc;

/// Judges the credentials of an incoming request.
pub trait ServerAuth: Send + Sync + 'static {
    /// `header` gives a request header's value by lower-case name. Compares in constant time.
    fn check(&self, header: &dyn Fn(&str) -> Option<String>) -> bool;
    /// The `WWW-Authenticate` value for a 401.
    fn challenge(&self) -> &'static str;
}

/// Adds credentials to an outgoing request.
pub trait ClientAuth: Send + Sync + 'static {
    /// Header names (lower case) and values. The values are secrets.
    fn headers(&self) -> Vec<(String, crate::Secret)>;
}

/// A built extension. Each part is there if the extension has it.
#[derive(Clone, Default)]
pub struct Extension {
    /// For servers that name it as `authenticator`.
    pub server_auth: Option<Arc<dyn ServerAuth>>,
    /// For clients that name it as `authenticator`.
    pub client_auth: Option<Arc<dyn ClientAuth>>,
}

impl fmt::Debug for Extension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Extension {{ server_auth: {}, client_auth: {} }}",
            self.server_auth.is_some(),
            self.client_auth.is_some()
        )
    }
}
