//! Contexts as they are kept: how to reach a service, whom to trust there, and as whom. One private file each.
//!
//! ```text
//! <folder>/contexts/NAME.toml   0600: name, address, authority (PEM), and identity (PEM) or token
//! <folder>/current-context      the name of one of them
//! ```

use mujina_core::id::PeerName;
use mujina_proto::{
    dial::{Address, Bearing, Client as Channel, dial, dial_tls},
    tls::{Alpn, ClientTls, Identity, Roots, TlsError, client_config, read_private, write_private},
};
use serde::{Deserialize, Serialize};
use std::{
    fs, io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    time::Duration,
};

/// To a service; shows the context's token, if it has one, with every call.
pub(crate) type Client = Bearing<Channel>;

/// Why a context cannot be used or kept.
#[derive(Debug, thiserror::Error)]
pub enum SavedError {
    /// There is none of this name.
    #[error("no context is called {name}; there are {known}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// All there are.
        known: String,
    },
    /// A name that is taken by another context.
    #[error("there is another context {0}; give this one another --name, or remove that one first")]
    Taken(PeerName),
    /// A name that is taken by the context of another service.
    #[error("the context {name} is for {address}, and its key or token would be lost; give this one another --name")]
    Elsewhere {
        /// Which.
        name: PeerName,
        /// Where it goes.
        address: String,
    },
    /// Not the content of a context.
    #[error("{0} is no context; use a file that `mujina-control init` or `mujinactl context export` wrote")]
    Content(PathBuf, #[source] toml::de::Error),
    /// Fields that do not go together.
    #[error("the context {name} {wrong}")]
    Unfit {
        /// Which.
        name: String,
        /// What is wrong, and what to do.
        wrong: &'static str,
    },
    /// Its address.
    #[error("the context {0} has no usable address")]
    Address(String, #[source] mujina_proto::dial::AddressError),
    /// Its certificates or its file.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The file that says which one is in use.
    #[error("{path} names no context; choose one of {known} with `mujinactl context use NAME`")]
    Current {
        /// The file.
        path: PathBuf,
        /// All there are.
        known: String,
    },
    /// The folder of contexts.
    #[error("cannot use {0}; check its permissions")]
    Folder(PathBuf, #[source] io::Error),
}

/// A context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Saved {
    /// By which it is chosen.
    pub(crate) name: PeerName,
    /// Where the service is.
    pub(crate) address: Address,
    /// Whose server it is: the certificate of its authority as PEM. Only with `https`.
    pub(crate) authority: Option<String>,
    /// As whom calls are made.
    pub(crate) proof: Proof,
}

/// What proves who calls.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Proof {
    /// Nothing: sockets know their user.
    Nothing,
    /// A key with its certificate, as PEM.
    Identity(String),
    /// A token.
    Token(String),
}

/// Without the secret.
impl std::fmt::Debug for Proof {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Nothing => "Nothing",
            Self::Identity(_) => "Identity(***)",
            Self::Token(_) => "Token(***)",
        })
    }
}

/// The file of a context.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ContextFile {
    name: PeerName,
    address: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    authority: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    identity: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

impl Saved {
    /// Reads what a file says.
    ///
    /// # Errors
    /// It is not that of a context, or its parts do not go together.
    pub(crate) fn parse(text: &str, path: &Path) -> Result<Self, SavedError> {
        let file: ContextFile = toml::from_str(text).map_err(|error| SavedError::Content(path.into(), error))?;
        let ContextFile { name, address, authority, identity, token } = file;
        let address = address.parse().map_err(|error| SavedError::Address(name.to_string(), error))?;
        let unfit = |wrong| SavedError::Unfit { name: name.to_string(), wrong };
        let proof = match (identity, token) {
            (Some(_), Some(_)) => return Err(unfit("has an identity and a token; leave one out")),
            (Some(identity), None) => Proof::Identity(identity),
            (None, Some(token)) => Proof::Token(token),
            (None, None) => Proof::Nothing,
        };
        let saved = Self { name, address, authority, proof };
        saved.check()?;
        Ok(saved)
    }

    /// Whether its parts go together.
    pub(crate) fn check(&self) -> Result<(), SavedError> {
        self.tls().map(|_| ())
    }

    /// As a file says it.
    pub(crate) fn to_toml(&self) -> String {
        let Self { name, address, authority, proof } = self.clone();
        let (identity, token) = match proof {
            Proof::Nothing => (None, None),
            Proof::Identity(identity) => (Some(identity), None),
            Proof::Token(token) => (None, Some(token)),
        };
        let file = ContextFile { name, address: address.to_string(), authority, identity, token };
        toml::to_string_pretty(&file).expect("five texts are TOML")
    }

    /// Who it says calls, where it holds a certificate.
    pub(crate) fn identity(&self) -> Result<Option<Identity>, SavedError> {
        match &self.proof {
            Proof::Identity(pem) => Ok(Some(Identity::from_pem(pem)?)),
            Proof::Nothing | Proof::Token(_) => Ok(None),
        }
    }

    /// Whom it trusts.
    pub(crate) fn roots(&self) -> Result<Option<Roots>, SavedError> {
        Ok(self.authority.as_deref().map(Roots::from_pem).transpose()?)
    }

    /// The secure connections that it makes; `None` = it makes plain ones.
    fn tls(&self) -> Result<Option<ClientTls>, SavedError> {
        let unfit = |wrong| Err(SavedError::Unfit { name: self.name.to_string(), wrong });
        match (&self.address, self.roots()?) {
            (Address::Tls { .. }, Some(roots)) => {
                Ok(Some(client_config(self.identity()?.as_ref(), &roots, Alpn::Http2)?))
            }
            (Address::Tls { .. }, None) => unfit("has no authority for its https address; run `mujinactl login` again"),
            (_, Some(_)) => unfit("has an authority and an address without TLS; use https, or leave the authority out"),
            (_, None) if self.proof != Proof::Nothing => {
                unfit("would send its secret over a connection without TLS; use an https address")
            }
            (_, None) => Ok(None),
        }
    }

    /// Connects.
    pub(crate) async fn dial(&self, deadline: Duration) -> Result<Client, super::CliError> {
        let channel = match self.tls()? {
            Some(tls) => dial_tls(&self.address, &tls, deadline).await?,
            None => dial(&self.address, deadline).await?,
        };
        let Proof::Token(token) = &self.proof else { return Ok(Bearing::nothing(channel)) };
        let wrong = "has a token with characters that no token has; run `mujinactl login` again";
        let unfit = || SavedError::Unfit { name: self.name.to_string(), wrong };
        Ok(Bearing::token(channel, token).ok_or_else(unfit)?)
    }
}

/// The folder of contexts.
#[derive(Debug, Clone)]
pub(crate) struct Contexts {
    folder: PathBuf,
}

impl Contexts {
    /// Those below this folder, which need not be there.
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    fn file(&self, name: &PeerName) -> PathBuf {
        self.folder.join("contexts").join(format!("{name}.toml"))
    }

    fn current_file(&self) -> PathBuf {
        self.folder.join("current-context")
    }

    /// All names in order.
    pub(crate) fn names(&self) -> Result<Vec<PeerName>, SavedError> {
        let folder = self.folder.join("contexts");
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(SavedError::Folder(folder, error)),
        };
        // Other files are none of ours.
        let name = |entry: io::Result<fs::DirEntry>| {
            entry.ok()?.file_name().to_str()?.strip_suffix(".toml")?.parse::<PeerName>().ok()
        };
        let mut names: Vec<_> = entries.filter_map(name).collect();
        names.sort();
        Ok(names)
    }

    /// Whether a context for `address` may take the place of whatever has this name: only of one for the same address, which
    /// need not be usable otherwise.
    ///
    /// # Errors
    /// It may not, or it cannot be read where the other one goes.
    pub(crate) fn may_keep(&self, name: &PeerName, address: &Address) -> Result<(), SavedError> {
        let path = self.file(name);
        let text = match read_private(&path) {
            Ok(text) => text,
            Err(TlsError::Read(_, error)) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let kept: ContextFile = toml::from_str(&text).map_err(|error| SavedError::Content(path, error))?;
        if kept.address.parse().is_ok_and(|kept: Address| kept == *address) {
            return Ok(());
        }
        Err(SavedError::Elsewhere { name: name.clone(), address: kept.address })
    }

    /// One of them.
    pub(crate) fn get(&self, name: &PeerName) -> Result<Saved, SavedError> {
        let path = self.file(name);
        match read_private(&path) {
            Ok(text) => Saved::parse(&text, &path),
            Err(TlsError::Read(_, error)) if error.kind() == io::ErrorKind::NotFound => Err(self.unknown(name)?),
            Err(error) => Err(error.into()),
        }
    }

    fn unknown(&self, name: &PeerName) -> Result<SavedError, SavedError> {
        Ok(SavedError::Unknown { name: name.to_string(), known: self.known()? })
    }

    /// All names, for a message.
    fn known(&self) -> Result<String, SavedError> {
        let known: Vec<_> = self.names()?.iter().map(ToString::to_string).collect();
        Ok(if known.is_empty() { "none".into() } else { known.join(", ") })
    }

    /// The name of the one that is in use.
    pub(crate) fn current_name(&self) -> Result<Option<PeerName>, SavedError> {
        let path = self.current_file();
        match fs::read_to_string(&path) {
            // To go to another service instead, silently, would be worse than to stop.
            Ok(text) => match text.trim().parse() {
                Ok(name) => Ok(Some(name)),
                Err(_) => Err(SavedError::Current { path, known: self.known()? }),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(SavedError::Folder(path, error)),
        }
    }

    /// The one that is in use.
    pub(crate) fn current(&self) -> Result<Option<Saved>, SavedError> {
        self.current_name()?.map(|name| self.get(&name)).transpose()
    }

    /// The one that knows whom to trust at this address.
    pub(crate) fn of_address(&self, address: &Address) -> Result<Option<Saved>, SavedError> {
        let current = self.current_name()?;
        let names = self.names()?;
        let in_order = current.iter().chain(names.iter());
        for name in in_order {
            match self.get(name) {
                Ok(saved) if saved.address == *address => return Ok(Some(saved)),
                // One that cannot be read may not keep others from being used.
                Ok(_) | Err(_) => {}
            }
        }
        Ok(None)
    }

    /// Keeps a context, in the place of one of the same name only as `replace` says; the first becomes the one in use.
    pub(crate) fn keep(&self, saved: &Saved, replace: Replace) -> Result<(), SavedError> {
        let path = self.file(&saved.name);
        match replace {
            Replace::SameAddress => self.may_keep(&saved.name, &saved.address)?,
            Replace::Never => match self.get(&saved.name) {
                Ok(other) if other != *saved => return Err(SavedError::Taken(saved.name.clone())),
                Ok(_) | Err(SavedError::Unknown { .. }) => {}
                Err(error) => return Err(error),
            },
        }
        self.make_folder()?;
        write_private(&path, &saved.to_toml())?;
        match self.current_name() {
            Ok(Some(_)) => Ok(()),
            Ok(None) | Err(SavedError::Current { .. }) => self.select(&saved.name),
            Err(error) => Err(error),
        }
    }

    /// Uses one from now on.
    pub(crate) fn select(&self, name: &PeerName) -> Result<(), SavedError> {
        self.get(name)?;
        Ok(write_private(&self.current_file(), &format!("{name}\n"))?)
    }

    /// Forgets one.
    pub(crate) fn remove(&self, name: &PeerName) -> Result<(), SavedError> {
        let path = self.file(name);
        match fs::remove_file(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(self.unknown(name)?),
            Err(error) => return Err(SavedError::Folder(path, error)),
        }
        if self.current_name()?.as_ref() == Some(name) {
            let current = self.current_file();
            fs::remove_file(&current).map_err(|error| SavedError::Folder(current, error))?;
        }
        Ok(())
    }

    fn make_folder(&self) -> Result<(), SavedError> {
        let folder = self.folder.join("contexts");
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder);
        made.map_err(|error| SavedError::Folder(folder, error))
    }
}

/// Whether a context may take the place of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Replace {
    /// Only of one that says the same.
    Never,
    /// Only of one for the same address.
    SameAddress,
}

impl From<SavedError> for super::CliError {
    fn from(error: SavedError) -> Self {
        Self::Saved(Box::new(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_that_names_no_context_in_use_stops_the_command_until_one_is_chosen() {
        let folder = tempfile::tempdir().unwrap();
        let contexts = Contexts::new(folder.path().into());
        let saved = |name: &str| Saved {
            name: name.parse().unwrap(),
            address: "unix:///run/a.sock".parse().unwrap(),
            authority: None,
            proof: Proof::Nothing,
        };
        contexts.keep(&saved("lab"), Replace::Never).unwrap();
        contexts.keep(&saved("home"), Replace::Never).unwrap();
        assert_eq!(contexts.current().unwrap(), Some(saved("lab")));
        for text in ["", "../lab", "no such"] {
            fs::write(contexts.current_file(), text).unwrap();
            let error = contexts.current().unwrap_err();
            assert!(matches!(error, SavedError::Current { .. }), "{text}: {error:?}");
            assert!(error.to_string().contains("choose one of home, lab"), "{text}: {error}");
        }
        contexts.select(&"home".parse().unwrap()).unwrap();
        assert_eq!(contexts.current().unwrap(), Some(saved("home")));
        fs::write(contexts.current_file(), "").unwrap();
        contexts.keep(&saved("lab"), Replace::Never).unwrap();
        assert_eq!(contexts.current().unwrap(), Some(saved("lab")));
    }

    #[test]
    fn context_takes_the_place_of_one_for_the_same_address_only() {
        let folder = tempfile::tempdir().unwrap();
        let contexts = Contexts::new(folder.path().into());
        let to = |address: &str| Saved {
            name: "ann".parse().unwrap(),
            address: address.parse().unwrap(),
            authority: None,
            proof: Proof::Nothing,
        };
        let (north, south) = (to("unix:///run/north.sock"), to("unix:///run/south.sock"));
        contexts.keep(&north, Replace::SameAddress).unwrap();
        contexts.keep(&north, Replace::SameAddress).unwrap();
        let error = contexts.keep(&south, Replace::SameAddress).unwrap_err();
        assert!(
            error.to_string().contains("unix:///run/north.sock") && error.to_string().contains("--name"),
            "{error}"
        );
        assert_eq!(contexts.get(&north.name).unwrap(), north);
        // What is kept cannot be used, but it is known where it goes.
        let unusable = "name = \"ann\"\naddress = \"unix:///run/north.sock\"\ntoken = \"t\"\n";
        write_private(&contexts.file(&north.name), unusable).unwrap();
        contexts.keep(&south, Replace::SameAddress).unwrap_err();
        contexts.keep(&north, Replace::SameAddress).unwrap();
        assert_eq!(contexts.get(&north.name).unwrap(), north);
        write_private(&contexts.file(&north.name), "no context").unwrap();
        contexts.keep(&north, Replace::SameAddress).unwrap_err();
    }
}
