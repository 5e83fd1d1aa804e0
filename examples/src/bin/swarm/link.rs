//! A link: all connections from one member to another lead through it, so that it can fall silent,
//! break, and come from another address, as networks do.

use std::io;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::AtomicU16;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::net::TcpSocket;
use tokio::net::TcpStream;
use tokio::sync::watch;

/// The way from one member to another.
pub(crate) struct Link {
    /// Where the one dials the other.
    pub(crate) port: u16,
    state: watch::Sender<State>,
}

#[derive(Clone, Copy, Debug)]
struct State {
    /// Bytes that are on their way wait until it is open again: what TCP makes of lost packets.
    is_silent: bool,
    /// Connections that began under another address are over at the end that has moved. The other end
    /// hears nothing of it.
    source: Ipv4Addr,
}

impl Link {
    /// Leads to the port that `target` holds, whoever listens there.
    pub(crate) async fn open(source: Ipv4Addr, target: Arc<AtomicU16>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let (state, watched) = watch::channel(State { is_silent: false, source });
        tokio::spawn(serve(listener, target, watched));
        Ok(Self { port, state })
    }

    /// Lets nothing through, or lets through what has waited.
    pub(crate) fn set_silent(&self, is_silent: bool) {
        self.state.send_modify(|state| state.is_silent = is_silent);
    }

    /// Moves the end that dials to another address.
    pub(crate) fn roam(&self, source: Ipv4Addr) {
        self.state.send_modify(|state| state.source = source);
    }
}

async fn serve(listener: TcpListener, target: Arc<AtomicU16>, state: watch::Receiver<State>) {
    while let Ok((client, _)) = listener.accept().await {
        let (target, state) = (Arc::clone(&target), state.clone());
        tokio::spawn(async move {
            // What fails ends the connection, and both ends see that.
            let _ = carry(client, &target, state).await;
        });
    }
}

async fn carry(
    mut client: TcpStream,
    target: &AtomicU16,
    mut state: watch::Receiver<State>,
) -> io::Result<()> {
    let source = state.borrow().source;
    let moved = |state: &State| state.source != source;
    if state.wait_for(|state| !state.is_silent).await.is_err() {
        return Ok(());
    }
    let port = target.load(Ordering::Relaxed);
    let mut server = connect(source, port).await?;
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let is_half_open = {
        let (client_reads, client_writes) = client.split();
        let (server_reads, server_writes) = server.split();
        let mut up = pin!(pump(client_reads, server_writes, state.clone()));
        let mut down = pin!(pump(server_reads, client_writes, state.clone()));
        tokio::select! {
            _ = &mut up => false,
            _ = &mut down => false,
            _ = state.wait_for(moved) => true,
        }
    };
    if is_half_open {
        drop(client);
        tokio::time::sleep(HALF_OPEN).await;
    }
    Ok(())
}

/// Only Linux has all of 127/8 to come from.
async fn connect(source: Ipv4Addr, port: u16) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    if cfg!(target_os = "linux") {
        socket.bind(SocketAddr::from((source, 0)))?;
    }
    socket.connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await
}

async fn pump(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    mut state: watch::Receiver<State>,
) -> io::Result<()> {
    let mut bytes = vec![0; 16 * 1_024];
    loop {
        if state.wait_for(|state| !state.is_silent).await.is_err() {
            return Ok(());
        }
        let count = tokio::select! {
            count = from.read(&mut bytes) => count?,
            _ = state.wait_for(|state| state.is_silent) => continue,
        };
        if count == 0 {
            return Ok(());
        }
        to.write_all(bytes.get(..count).unwrap_or_default()).await?;
    }
}

/// Longer than any node takes to find out by itself.
const HALF_OPEN: Duration = Duration::from_secs(180);

#[cfg(test)]
mod tests {
    use super::*;

    async fn linked() -> (Link, TcpStream, TcpStream) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let link = Link::open(Ipv4Addr::LOCALHOST, Arc::new(AtomicU16::new(port))).await;
        let link = link.expect("a port");
        let client = TcpStream::connect((Ipv4Addr::LOCALHOST, link.port)).await.expect("a link");
        let (server, _) = listener.accept().await.expect("the other end");
        (link, client, server)
    }

    async fn read(stream: &mut TcpStream) -> Option<u8> {
        let read = tokio::time::timeout(Duration::from_millis(200), stream.read_u8()).await;
        read.ok().map(|byte| byte.unwrap_or(0))
    }

    #[tokio::test]
    async fn a_silent_link_lets_nothing_through_until_it_is_heard_again() {
        let (link, mut client, mut server) = linked().await;
        client.write_u8(1).await.expect("it is open");
        assert_eq!(read(&mut server).await, Some(1));
        link.set_silent(true);
        client.write_u8(2).await.expect("the near end takes it");
        assert_eq!(read(&mut server).await, None);
        link.set_silent(false);
        assert_eq!(read(&mut server).await, Some(2));
    }

    #[tokio::test]
    async fn the_end_that_stays_does_not_see_that_the_other_has_moved() {
        let (link, mut client, mut server) = linked().await;
        client.write_u8(1).await.expect("it is open");
        assert_eq!(read(&mut server).await, Some(1));
        link.roam(Ipv4Addr::new(127, 0, 0, 2));
        assert_eq!(read(&mut client).await, Some(0), "its connection is over");
        assert_eq!(read(&mut server).await, None);
    }
}
