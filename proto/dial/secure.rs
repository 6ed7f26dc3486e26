//! Reaching a control plane over a network: TLS on every connection, by a certificate or with a token on every call.

use super::{Address, Client, DialError, endpoint, explain, io_kind};
use crate::{
    tls::{self, Alpn, ClientStream, ClientTls, Connected, Fingerprint, Roots, TlsError, client_config_pinned},
    trace::Traced,
};
use http::{HeaderValue, Request, header::AUTHORIZATION};
use hyper_util::rt::TokioIo;
use std::{
    error::Error,
    io,
    sync::{Arc, Mutex, PoisonError},
    task::{self, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::{TcpStream, lookup_host},
    time::timeout,
};
use tower::{Service, service_fn};

/// For the server's first word after a handshake.
const FIRST_WORD: Duration = Duration::from_secs(2);

/// Connects to a `https://` address, within `deadline`; when the connection is lost, the next call makes another.
///
/// # Errors
/// See [`DialError`].
pub async fn dial_tls(address: &Address, tls: &ClientTls, deadline: Duration) -> Result<Client, DialError> {
    let late = |_| DialError::Late(address.clone(), deadline);
    // Made here, because an error of the library's connector says only that there was one.
    let first = timeout(deadline, admitted(address, tls, deadline)).await.map_err(late)??;
    let first = Arc::new(Mutex::new(Some(first)));
    let (to, tls) = (address.clone(), tls.clone());
    let connector = service_fn(move |_: http::Uri| {
        let made = first.lock().unwrap_or_else(PoisonError::into_inner).take();
        let (to, tls) = (to.clone(), tls.clone());
        async move {
            let stream = match made {
                Some(stream) => stream,
                None => admitted(&to, &tls, deadline).await.map_err(io::Error::other)?,
            };
            Ok::<_, io::Error>(TokioIo::new(stream))
        }
    });
    // TLS is below the channel: to it, this is a stream like any other.
    let plain = address.to_string().replacen("https", "http", 1);
    let connecting = async { endpoint(&plain)?.connect_with_connector(connector).await };
    let channel = timeout(deadline, connecting).await.map_err(late)?;
    channel.map(Traced::new).map_err(|error| explain(address.clone(), error))
}

/// The authority of a server that is dialled for the first time. Without a fingerprint nobody is trusted: the one that was
/// found is for a person to compare.
///
/// # Errors
/// It is not reached, or has another authority than `expected`.
pub async fn first_contact(
    address: &Address,
    expected: Option<Fingerprint>,
    deadline: Duration,
) -> Result<(Fingerprint, Option<Roots>), DialError> {
    let failed = |error| DialError::Tls(address.clone(), error);
    let contact = async {
        let Some(expected) = expected else {
            let (host, stream) = tcp(address).await?;
            return Ok((tls::authority_of(host, stream, deadline).await.map_err(failed)?, None));
        };
        let pinned = client_config_pinned(expected, Alpn::Http2).map_err(failed)?;
        Ok((expected, secure(address, &pinned, deadline).await?.authority))
    };
    timeout(deadline, contact).await.map_err(|_| DialError::Late(address.clone(), deadline))?
}

/// Why no other connection was made when one was lost, where that is what is behind an error of a call.
#[must_use]
pub fn refusal<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a DialError> {
    let mut next = Some(error);
    while let Some(error) = next {
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if let Some(found) = inner.and_then(|inner| inner.downcast_ref::<DialError>()) {
            return Some(found);
        }
        next = error.source();
    }
    None
}

/// A connection on which the server has spoken: in TLS 1.3 it may still refuse our certificate after the handshake.
async fn admitted(
    address: &Address,
    tls: &ClientTls,
    deadline: Duration,
) -> Result<BufReader<ClientStream<TcpStream>>, DialError> {
    let mut stream = BufReader::new(secure(address, tls, deadline).await?.stream);
    // A server of HTTP/2 speaks at once. One that waits for us is believed.
    match timeout(FIRST_WORD, stream.fill_buf()).await {
        Ok(Err(error)) => Err(DialError::Tls(address.clone(), tls::explain(error))),
        Ok(Ok([])) => Err(DialError::Tls(address.clone(), TlsError::Broken(io::ErrorKind::UnexpectedEof.into()))),
        Ok(Ok(_)) | Err(_) => Ok(stream),
    }
}

async fn secure(address: &Address, tls: &ClientTls, deadline: Duration) -> Result<Connected<TcpStream>, DialError> {
    let (host, stream) = tcp(address).await?;
    tls.connect(host, stream, deadline).await.map_err(|error| DialError::Tls(address.clone(), error))
}

async fn tcp(address: &Address) -> Result<(&str, TcpStream), DialError> {
    let Address::Tls { host, port } = address else { return Err(DialError::NoTrust(address.clone())) };
    let unreached = |error: io::Error| match io_kind(&error) {
        Some(io::ErrorKind::ConnectionRefused) => DialError::Nobody(address.clone()),
        _ => DialError::Tls(address.clone(), TlsError::Broken(error)),
    };
    let found = lookup_host((host.as_str(), *port)).await.map_err(|_| DialError::Unknown(address.clone()))?;
    let found: Vec<_> = found.collect();
    let stream = TcpStream::connect(found.as_slice()).await.map_err(unreached)?;
    // A call is small and waited for.
    let _ = stream.set_nodelay(true);
    Ok((host, stream))
}

/// A client that shows a token with every call, if it has one.
#[derive(Debug, Clone)]
pub struct Bearing<S> {
    inner: S,
    header: Option<HeaderValue>,
}

impl<S> Bearing<S> {
    /// Without a token: the connection says who calls.
    pub const fn nothing(inner: S) -> Self {
        Self { inner, header: None }
    }

    /// With this token; `None` when it has characters that no token has.
    pub fn token(inner: S, token: &str) -> Option<Self> {
        let mut header = HeaderValue::from_str(&format!("Bearer {token}")).ok()?;
        header.set_sensitive(true);
        Some(Self { inner, header: Some(header) })
    }
}

impl<S, B> Service<Request<B>> for Bearing<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut task::Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> S::Future {
        if let Some(header) = &self.header {
            request.headers_mut().insert(AUTHORIZATION, header.clone());
        }
        self.inner.call(request)
    }
}
