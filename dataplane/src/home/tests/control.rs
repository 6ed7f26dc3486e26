//! A small control plane: lets miners in that call home, and answers those that enrol or renew as it is told.

use super::authority::{Authority, DAY};
use crate::home::HomeUrl;
use mujina_proto::{
    control::v1::{
        self,
        enrollment_service_server::{EnrollmentService, EnrollmentServiceServer},
    },
    home::{Attached, attach},
    serve::{serve_connection, standard_routes},
    tls::{Accepted, Alpn, Peer, PeerKind, Revocations, Serial, ServerTls, TicketSecret, server_config},
};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{net::TcpListener, sync::mpsc, task::JoinSet, time::timeout};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, service::Routes};

pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// A miner that called home.
pub(super) struct Arrived {
    pub(super) attached: Attached,
    pub(super) peer: Peer,
    pub(super) resumed: bool,
}

pub(super) struct Control {
    pub(super) authority: Arc<Authority>,
    pub(super) url: HomeUrl,
    /// Answers to the next enrolments, in order; none = a certificate.
    pub(super) answers: Arc<Mutex<VecDeque<Result<v1::EnrollResponse, Status>>>>,
    /// Public keys of the enrolments that were asked for, as requests.
    pub(super) asked: Arc<Mutex<Vec<v1::EnrollRequest>>>,
    revoked: Arc<Revoked>,
    arrivals: mpsc::Receiver<Arrived>,
    _serving: JoinSet<()>,
}

#[derive(Debug, Default)]
struct Revoked(Mutex<Vec<Serial>>);

impl Revocations for Revoked {
    fn is_revoked(&self, serial: &Serial) -> bool {
        self.0.lock().unwrap().contains(serial)
    }
}

impl Control {
    pub(super) async fn start() -> Self {
        let authority = Arc::new(Authority::new());
        let revoked = Arc::new(Revoked::default());
        let server = authority.identity(PeerKind::Server, "control", DAY);
        let tls = server_config(&server, &authority.roots(), revoked.clone(), TicketSecret::derive(b"secret")).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://localhost:{}", listener.local_addr().unwrap().port()).parse().unwrap();
        let (answers, asked) = (Arc::default(), Arc::default());
        let service =
            Service { authority: authority.clone(), answers: Arc::clone(&answers), asked: Arc::clone(&asked) };
        let (mut routes, _) = standard_routes();
        routes.add_service(EnrollmentServiceServer::new(service));
        let (arrive, arrivals) = mpsc::channel(16);
        let mut serving = JoinSet::new();
        serving.spawn(accept(listener, tls, routes.routes(), arrive));
        Self { authority, url, answers, asked, revoked, arrivals, _serving: serving }
    }

    pub(super) async fn next(&mut self) -> Arrived {
        timeout(PATIENCE, self.arrivals.recv()).await.expect("a miner calls home").unwrap()
    }

    pub(super) fn revoke(&self, peer: &Peer) {
        self.revoked.0.lock().unwrap().push(peer.serial);
    }
}

async fn accept(listener: TcpListener, tls: ServerTls, routes: Routes, arrive: mpsc::Sender<Arrived>) {
    let mut connections = JoinSet::new();
    while let Ok((tcp, _)) = listener.accept().await {
        let (tls, routes, arrive) = (tls.clone(), routes.clone(), arrive.clone());
        connections.spawn(async move {
            // Whoever is refused is no affair of this side.
            let Ok(Accepted { stream, peer, alpn, resumed }) = tls.accept(tcp, PATIENCE).await else { return };
            match alpn {
                Alpn::Http2 => drop(serve_connection(stream, routes, (), CancellationToken::new()).await),
                Alpn::Home => {
                    let attached = attach(stream).await.unwrap();
                    arrive.send(Arrived { attached, peer: peer.unwrap(), resumed }).await.unwrap();
                }
            }
        });
    }
}

struct Service {
    authority: Arc<Authority>,
    answers: Arc<Mutex<VecDeque<Result<v1::EnrollResponse, Status>>>>,
    asked: Arc<Mutex<Vec<v1::EnrollRequest>>>,
}

type Answer<T> = Result<Response<T>, Status>;

fn unused<T>() -> Answer<T> {
    Err(Status::unimplemented("no miner calls this"))
}

#[tonic::async_trait]
impl EnrollmentService for Service {
    async fn enroll(&self, request: Request<v1::EnrollRequest>) -> Answer<v1::EnrollResponse> {
        let request = request.into_inner();
        self.asked.lock().unwrap().push(request.clone());
        let planned = self.answers.lock().unwrap().pop_front();
        planned.map_or_else(
            || {
                let certificate_chain = self.authority.chain(&request.certificate_request, &request.miner);
                Ok(Response::new(v1::EnrollResponse { certificate_chain, ..Default::default() }))
            },
            |planned| planned.map(Response::new),
        )
    }

    async fn renew_certificate(
        &self,
        request: Request<v1::RenewCertificateRequest>,
    ) -> Answer<v1::RenewCertificateResponse> {
        let certificate_chain = self.authority.chain(&request.into_inner().certificate_request, "rig1");
        Ok(Response::new(v1::RenewCertificateResponse { certificate_chain }))
    }

    async fn create_enroll_token(
        &self,
        _: Request<v1::CreateEnrollTokenRequest>,
    ) -> Answer<v1::CreateEnrollTokenResponse> {
        unused()
    }

    async fn list_enroll_tokens(
        &self,
        _: Request<v1::ListEnrollTokensRequest>,
    ) -> Answer<v1::ListEnrollTokensResponse> {
        unused()
    }

    async fn revoke_enroll_token(
        &self,
        _: Request<v1::RevokeEnrollTokenRequest>,
    ) -> Answer<v1::RevokeEnrollTokenResponse> {
        unused()
    }

    async fn list_enrollments(&self, _: Request<v1::ListEnrollmentsRequest>) -> Answer<v1::ListEnrollmentsResponse> {
        unused()
    }

    async fn decide_enrollment(&self, _: Request<v1::DecideEnrollmentRequest>) -> Answer<v1::DecideEnrollmentResponse> {
        unused()
    }

    async fn list_certificates(&self, _: Request<v1::ListCertificatesRequest>) -> Answer<v1::ListCertificatesResponse> {
        unused()
    }

    async fn revoke_certificates(
        &self,
        _: Request<v1::RevokeCertificatesRequest>,
    ) -> Answer<v1::RevokeCertificatesResponse> {
        unused()
    }

    async fn issue_operator_certificate(
        &self,
        _: Request<v1::IssueOperatorCertificateRequest>,
    ) -> Answer<v1::IssueOperatorCertificateResponse> {
        unused()
    }

    async fn get_authority(&self, _: Request<v1::GetAuthorityRequest>) -> Answer<v1::GetAuthorityResponse> {
        unused()
    }
}
