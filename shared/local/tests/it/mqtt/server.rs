//! A server under test.

use std::{future::Future, net::SocketAddr, time::Duration};

use sop_local::mqtt::{Credentials, MqttServer, Published, Publisher, Refused};
use tokio::{sync::oneshot, task::JoinHandle, time::timeout};

/// How long a test waits for anything that must happen.
const DEADLINE: Duration = Duration::from_secs(20);

/// Waits for what must happen.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(DEADLINE, future).await.unwrap_or_else(|_| panic!("{what}: it did not happen in time"))
}

pub struct Server {
    pub addr: SocketAddr,
    pub publisher: Publisher,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Server {
    pub async fn start<H, Fut>(handler: H) -> Self
    where
        H: Fn(Published) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Result<(), Refused>> + Send + 'static,
    {
        Self::start_with(None, handler).await
    }

    pub async fn start_with<H, Fut>(credentials: Option<Credentials>, handler: H) -> Self
    where
        H: Fn(Published) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Result<(), Refused>> + Send + 'static,
    {
        let mut server = MqttServer::bind(([127, 0, 0, 1], 0).into()).await.unwrap();
        if let Some(credentials) = credentials {
            server = server.with_users(vec![credentials], false);
        }
        let (addr, publisher) = (server.local_addr().unwrap(), server.publisher());
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(server.serve(handler, stopped));
        Self { addr, publisher, stop, task }
    }

    pub async fn accepting() -> Self {
        Self::start(|_| async { Ok(()) }).await
    }

    /// Asks the server to stop, and returns what ends when it has.
    pub fn stop(self) -> JoinHandle<()> {
        self.stop.send(()).unwrap();
        self.task
    }
}
