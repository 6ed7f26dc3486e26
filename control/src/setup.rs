//! Setting a control plane up for a fleet: an authority, a certificate, a first admin, a configuration.

use crate::{
    access::{Binding, Caller, Role},
    config::CONFIG,
    identity::{Authority, AuthorityError, EnrolError, Enrolments},
    selector::Selector,
    store::{Store, StoreError},
};
use mujina_core::id::PeerName;
use mujina_proto::tls::{Fingerprint, TlsError, create_private};
use serde_json::json;
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

/// Folder of the authority within the state folder.
pub const AUTHORITY: &str = "authority";
/// What the first admin carries to where `mujinactl` runs.
pub const ADMIN_CONTEXT: &str = "admin.context.toml";

/// What to set up.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Holds everything.
    pub state_dir: PathBuf,
    /// Where miners and operators will connect to.
    pub listen: SocketAddr,
    /// Names and addresses by which they reach it; the first is in the admin's context.
    pub names: Vec<String>,
    /// Name of the first admin.
    pub admin: PeerName,
}

/// What was set up.
#[derive(Debug, Clone)]
pub struct Made {
    /// Of the authority: people compare it.
    pub authority: Fingerprint,
    /// The admin's context.
    pub context: PathBuf,
    /// The configuration; `None` = there was one, which was left as it is.
    pub config: Option<PathBuf>,
}

/// Why it was not set up.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The authority.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// The admin's certificate.
    #[error(transparent)]
    Enrol(#[from] EnrolError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Files.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

impl Setup {
    /// Makes everything. One that was interrupted goes on where it was; one that came to its end is left as it is.
    ///
    /// # Errors
    /// It was set up before, or something cannot be written.
    pub async fn run(self, now: SystemTime) -> Result<Made, SetupError> {
        let Self { state_dir, listen, names, admin } = self;
        let (folder, context) = (state_dir.join(AUTHORITY), state_dir.join(ADMIN_CONTEXT));
        let authority = match Authority::create(&folder, &names, now) {
            Err(AuthorityError::Exists(_)) if !context.exists() => Authority::open(&folder, now)?,
            made => made?,
        };
        let authority = Arc::new(authority);
        let (store, _lock) = Store::open(&state_dir).await?;
        let enrolments = Enrolments::new(store.clone(), authority.clone()).await?;
        let by = Caller::itself("the owner of the machine", "mujina-control init");
        let identity = enrolments.issue_operator_here(&admin, &by, now).await?;
        bind(&store, &admin, &by, now).await?;
        store.close().await;
        let config = write_config(&state_dir, listen, &names)?;
        let host = names.first().map(|name| host(name)).unwrap_or_default();
        let text = format!(
            "# Lets its bearer command the fleet as {admin}: mujinactl context import FILE\n\
             name = \"{admin}\"\naddress = \"https://{host}:{}\"\nauthority = '''\n{}'''\nidentity = '''\n{}'''\n",
            listen.port(),
            authority.roots().to_pem(),
            identity.to_pem(),
        );
        // Last: its presence says that all else is there.
        create_private(&context, &text)?;
        Ok(Made { authority: authority.fingerprint(), context, config })
    }
}

async fn bind(store: &Store, admin: &PeerName, by: &Caller, now: SystemTime) -> Result<(), StoreError> {
    let subject = format!("operator:{admin}").parse().expect("names of peers are names of subjects");
    let id = uuid::Uuid::new_v4().simple().to_string();
    let binding = Binding { id, subject, role: Role::Admin, selector: Selector::default() };
    let mut write = store.write().await?;
    if write.insert_binding(&binding, &by.person(), now).await? {
        let diff =
            json!([{ "path": "bindings", "before": null, "after": format!("{} {}", binding.subject, binding.role) }]);
        write.append_audit(by.record(&binding.id, diff)).await?;
    }
    write.commit().await
}

fn write_config(state_dir: &Path, listen: SocketAddr, names: &[String]) -> Result<Option<PathBuf>, TlsError> {
    let path = state_dir.join(CONFIG);
    let names: Vec<_> = names.iter().map(|name| format!("\"{name}\"")).collect();
    let text = format!("[api]\nlisten_tls = \"{listen}\"\nnames = [{}]\n", names.join(", "));
    match create_private(&path, &text) {
        Ok(()) => Ok(Some(path)),
        Err(TlsError::Write(_, cause)) if cause.kind() == std::io::ErrorKind::AlreadyExists => Ok(None),
        Err(error) => Err(error),
    }
}

/// A host as a URL has it.
fn host(name: &str) -> String {
    if name.contains(':') { format!("[{name}]") } else { name.into() }
}
