use super::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// The proxy, the client's end and the server's end of a connection through it.
async fn connected() -> (FaultProxy, TcpListener, TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = FaultProxy::start(listener.local_addr().unwrap()).await.unwrap();
    let client = TcpStream::connect(proxy.address()).await.unwrap();
    let (server, _) = listener.accept().await.unwrap();
    // The listener may know of the connection before the proxy does.
    proxy.wait_for(|counts| counts.connected == 1).await.unwrap();
    (proxy, listener, client, server)
}

async fn read(stream: &mut TcpStream, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    timeout(PATIENCE, stream.read_exact(&mut bytes)).await.expect("bytes come").unwrap();
    bytes
}

#[tokio::test]
async fn bytes_and_the_end_pass_both_ways() {
    let (proxy, _listener, mut client, mut server) = connected().await;
    client.write_all(b"up").await.unwrap();
    client.shutdown().await.unwrap();
    let mut up = Vec::new();
    server.read_to_end(&mut up).await.unwrap();
    server.write_all(b"down").await.unwrap();
    drop(server);
    let mut down = Vec::new();
    client.read_to_end(&mut down).await.unwrap();
    assert_eq!((up, down), (b"up".to_vec(), b"down".to_vec()));
    let counts = proxy.wait_for(|counts| counts.closed == 1).await.unwrap();
    assert_eq!((counts.opened, counts.connected, counts.upstream_bytes, counts.downstream_bytes), (1, 1, 2, 4));
    proxy.stop().await;
}

#[tokio::test]
async fn split_bytes_arrive_in_pieces_and_complete() {
    let (proxy, _listener, mut client, mut server) = connected().await;
    proxy.set(Direction::Downstream, Flow::Split { bytes: 3, pause: Duration::from_millis(20) });
    server.write_all(b"0123456789").await.unwrap();
    let mut pieces: Vec<Vec<u8>> = Vec::new();
    while pieces.concat().len() < 10 {
        let mut piece = vec![0; 10];
        let count = timeout(PATIENCE, client.read(&mut piece)).await.unwrap().unwrap();
        piece.truncate(count);
        pieces.push(piece);
    }
    assert_eq!(pieces.concat(), b"0123456789");
    assert!(pieces.len() > 1, "{pieces:?}");
    assert_eq!(pieces[0], b"012");
}

#[tokio::test]
async fn stalled_bytes_come_when_the_stall_ends_and_the_other_direction_goes_on() {
    let (proxy, _listener, mut client, mut server) = connected().await;
    proxy.set(Direction::Upstream, Flow::Stall);
    client.write_all(b"held").await.unwrap();
    server.write_all(b"free").await.unwrap();
    assert_eq!(read(&mut client, 4).await, b"free");
    assert_eq!(proxy.counts().upstream_bytes, 0);
    proxy.set(Direction::Upstream, Flow::Pass);
    assert_eq!(read(&mut server, 4).await, b"held");
}

#[tokio::test]
async fn stalled_sender_is_held_back_instead_of_buffered() {
    let (proxy, _listener, client, _server) = connected().await;
    proxy.set(Direction::Upstream, Flow::Stall);
    let chunk = vec![0; 1 << 20];
    let mut taken = 0;
    // Loopback sockets hold some megabytes; a proxy that buffers would take all of this.
    while taken < 64 << 20 {
        match client.try_write(&chunk) {
            Ok(count) => taken += count,
            Err(_) if timeout(Duration::from_millis(300), client.writable()).await.is_err() => break,
            Err(_) => {}
        }
    }
    assert!(taken < 64 << 20, "{taken} bytes were taken");
}

#[tokio::test]
async fn swallowed_bytes_are_gone_for_good() {
    let (proxy, _listener, mut client, mut server) = connected().await;
    proxy.set(Direction::Upstream, Flow::Blackhole);
    // The first megabytes would fill the sockets if nobody read them.
    client.write_all(&vec![1; 32 << 20]).await.unwrap();
    proxy.set(Direction::Upstream, Flow::Pass);
    client.write_all(&[2]).await.unwrap();
    let mut last = 0;
    while last != 2 {
        last = timeout(PATIENCE, server.read_u8()).await.unwrap().unwrap();
    }
    assert!(proxy.counts().upstream_bytes < 32 << 20);
}

#[tokio::test]
async fn throttled_bytes_keep_their_rate() {
    let (proxy, _listener, mut client, mut server) = connected().await;
    proxy.set(Direction::Upstream, Flow::Throttle { bytes_per_second: 2000 });
    let begin = std::time::Instant::now();
    client.write_all(&[7; 600]).await.unwrap();
    assert_eq!(read(&mut server, 600).await, [7; 600]);
    assert!(begin.elapsed() >= Duration::from_millis(200), "{:?}", begin.elapsed());
}

#[tokio::test]
async fn cut_resets_or_closes_both_ends_and_spares_later_connections() {
    let (proxy, listener, mut client, mut server) = connected().await;
    proxy.cut(Cut::Reset).await;
    for end in [&mut client, &mut server] {
        assert_eq!(end.read_u8().await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    }
    let mut client = TcpStream::connect(proxy.address()).await.unwrap();
    let (mut server, _) = listener.accept().await.unwrap();
    client.write_all(b"x").await.unwrap();
    assert_eq!(read(&mut server, 1).await, b"x");
    proxy.cut(Cut::Close).await;
    for end in [&mut client, &mut server] {
        assert_eq!(end.read_u8().await.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
    assert_eq!(proxy.counts().live(), 0);
}

#[tokio::test]
async fn port_refuses_and_comes_back_while_old_connections_live() {
    let (proxy, listener, mut client, mut server) = connected().await;
    proxy.refuse().await.unwrap();
    let refused = TcpStream::connect(proxy.address()).await.unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    client.write_all(b"old").await.unwrap();
    assert_eq!(read(&mut server, 3).await, b"old");
    proxy.admit().await.unwrap();
    let _again = TcpStream::connect(proxy.address()).await.unwrap();
    timeout(PATIENCE, listener.accept()).await.unwrap().unwrap();
}

#[tokio::test]
async fn connections_go_where_the_proxy_points_and_a_dead_upstream_resets_them() {
    let (proxy, _listener, _client, _server) = connected().await;
    let other = TcpListener::bind("127.0.0.1:0").await.unwrap();
    proxy.point_to(other.local_addr().unwrap());
    let _new = TcpStream::connect(proxy.address()).await.unwrap();
    timeout(PATIENCE, other.accept()).await.unwrap().unwrap();
    proxy.point_to(free_address());
    let mut lost = TcpStream::connect(proxy.address()).await.unwrap();
    assert!(timeout(PATIENCE, lost.read_u8()).await.unwrap().is_err());
}
