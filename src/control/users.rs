//! `/v1/bmcs/NAME/users`: who may log in. Passwords come in and never go out.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use super::problem::Problem;
use super::query::{Mc, Path, Query, number};
use super::views::word::{self, LEVELS};
use super::{Control, body};
use crate::ipmi::UserNumber;
use crate::sim::{Password, Simulator, UserAccount, UserChange, UserFault, UserLimit};

/// The word for no access.
const NO_ACCESS: &str = "no_access";

impl From<UserFault> for Problem {
    fn from(fault: UserFault) -> Self {
        let status = match fault {
            UserFault::NoController => StatusCode::NOT_FOUND,
            UserFault::NotKept => StatusCode::INTERNAL_SERVER_ERROR,
            UserFault::Nameless | UserFault::Name | UserFault::Password => StatusCode::UNPROCESSABLE_ENTITY,
        };
        Self::new(status, fault.to_string())
    }
}

/// A user.
#[derive(Debug, Serialize)]
pub(super) struct User {
    id: u8,
    name: String,
    limit: &'static str,
    enabled: bool,
}

impl User {
    fn of(account: UserAccount) -> Self {
        let UserAccount { number, name, privilege, enabled } = account;
        let limit = privilege.map_or(NO_ACCESS, |level| word::of(&LEVELS, &level));
        Self { id: number.get(), name, limit, enabled }
    }
}

/// All of a controller.
#[derive(Debug, Serialize)]
pub(super) struct Users {
    mc: u8,
    users: Vec<User>,
}

/// `GET .../users`.
pub(super) async fn list(
    State(control): State<Control>,
    Path(name): Path<String>,
    Query(mc): Query<Mc>,
) -> Result<Json<Users>, Problem> {
    let look = move |system: &Simulator| {
        let mc = mc.or(system.bmc_address());
        system.users_of(mc).map(|users| (mc, users))
    };
    let (mc, users) = control.door.look(&name, move |entry| look(entry.system())).await??;
    Ok(Json(Users { mc: mc.0, users: users.into_iter().map(User::of).collect() }))
}

/// What is to be another.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Change {
    name: Option<String>,
    password: Option<String>,
    limit: Option<String>,
    enabled: Option<bool>,
}

/// `PUT .../users/ID`: as a client's change, and answered when it is on the disk.
pub(super) async fn change(
    State(control): State<Control>,
    Path((name, id)): Path<(String, String)>,
    Query(mc): Query<Mc>,
    body::Json(change): body::Json<Change>,
) -> Result<Json<User>, Problem> {
    let number = number::decimal(&id).and_then(UserNumber::new);
    let number = number.ok_or_else(|| Problem::missing(format!("users are 1 to 63: there is no user '{id}'")))?;
    let limit = match change.limit.as_deref() {
        None => None,
        Some(NO_ACCESS) => Some(UserLimit::NoAccess),
        Some(text) => Some(UserLimit::Level(word::value(&LEVELS, text, "limit").map_err(Problem::malformed)?)),
    };
    let password = change.password.map(Password::from);
    let change = UserChange { name: change.name, password, limit, enabled: change.enabled };
    let begin = move |system: &mut Simulator, now, done, out: &mut _| {
        let mc = mc.or(system.bmc_address());
        system.change_user(now, (mc, number), &change, done, out);
    };
    Ok(Json(User::of(control.door.call_then(&name, begin).await??)))
}
