//! Who may connect: the authority, tokens to enrol with, certificates, and their end.
//!
//! ```text
//!  token ──▶ enrol ──▶ (approve) ──▶ certificate ──▶ renew, at two thirds of its life ──▶ …
//!              │ attempts                  │
//!              ▼                           ▼
//!         too many: wait            revoke ──▶ revocations ──▶ handshakes refused, connections closed
//! ```
//!
//! All state is in the store, each step one transaction; only failed attempts are remembered by the process. Called by the
//! API and by the listeners; the authority's key is in a file beside the database, never in it.

mod attempts;
mod authority;
mod enrolment;
mod enrolments;
mod revoked;
mod token;
mod trials;

use attempts::Attempts;
pub use authority::{Authority, AuthorityError, Issued};
pub use enrolment::{Ask, Certificate, Credential, Decision, EnrolError, Enrolment, Origin, Outcome};
pub use enrolments::Enrolments;
pub use revoked::{Revocation, Revoked};
pub use token::{NewToken, StoredToken, TokenRefusal};
pub use trials::Trials;
