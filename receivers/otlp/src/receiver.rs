//! Both protocols, from their configuration to the end of their connections.

use std::sync::Arc;

use futures_util::future::OptionFuture;
use sluice_component::{BoxError, BoxFuture, BuildContext, BuildError, Outlet, Receiver};
use sluice_net::{Gate, Intake, Listener};
use tokio_util::sync::CancellationToken;

use crate::Config;
use crate::door::Door;
use crate::grpc::GrpcService;
use crate::http::{HttpService, Paths};

/// One protocol, bound but not serving yet.
struct Bound {
    listener: Listener,
    gate: Gate,
    intake: Intake,
}

/// The receiver.
pub(crate) struct OtlpReceiver {
    grpc: Option<Bound>,
    http: Option<(Bound, Paths)>,
}

impl OtlpReceiver {
    pub(crate) fn new(config: &Config, context: &BuildContext) -> Result<Self, BuildError> {
        let at = |key: &'static str| {
            move |error: BuildError| BuildError(format!("protocols.{key}: {error}"))
        };
        let grpc = match &config.protocols.grpc {
            None => None,
            Some(grpc) => Some(Bound {
                gate: grpc.gate(context).map_err(at("grpc"))?,
                intake: grpc.intake(),
                listener: grpc.bind(context).map_err(at("grpc"))?,
            }),
        };
        let http = match &config.protocols.http {
            None => None,
            Some(http) => {
                let server = http.server();
                let bound = Bound {
                    gate: server.gate(context).map_err(at("http"))?,
                    intake: server.intake(),
                    listener: server.bind(context).map_err(at("http"))?,
                };
                Some((bound, Paths::new(http)))
            }
        };
        Ok(Self { grpc, http })
    }

    /// Replaces what bounds the bodies, for tests.
    #[cfg(test)]
    pub(crate) fn adjust(mut self, mut change: impl FnMut(&mut Listener, &mut Intake)) -> Self {
        for bound in self
            .grpc
            .iter_mut()
            .chain(self.http.iter_mut().map(|(bound, _)| bound))
        {
            change(&mut bound.listener, &mut bound.intake);
        }
        self
    }
}

impl Receiver for OtlpReceiver {
    fn run(
        self: Box<Self>,
        outlet: Outlet,
        stop: CancellationToken,
    ) -> BoxFuture<'static, Result<(), BoxError>> {
        let Self { grpc, http } = *self;
        // Before the future: the ports are taken over when this returns.
        let grpc = grpc.map(|bound| {
            let (listener, door) = bound.open(outlet.clone());
            listener.serve("grpc", Arc::new(GrpcService::new(door)), stop.clone())
        });
        let http = http.map(|(bound, paths)| {
            let (listener, door) = bound.open(outlet);
            listener.serve("http", Arc::new(HttpService::new(door, paths)), stop)
        });
        Box::pin(async move {
            let (grpc, http) = tokio::join!(OptionFuture::from(grpc), OptionFuture::from(http));
            grpc.transpose()?;
            http.transpose()?;
            Ok(())
        })
    }
}

impl Bound {
    fn open(self, outlet: Outlet) -> (Listener, Door) {
        (self.listener, Door::new(outlet, self.gate, self.intake))
    }
}
