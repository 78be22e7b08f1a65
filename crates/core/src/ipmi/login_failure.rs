//! Why somebody did not get in.

/// Why a login failed, as far as the BMC knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum LoginFailure {
    /// There is no such user, or none who may log in this way.
    NoSuchUser,
    /// The password is another one.
    WrongPassword,
    /// The client refuses RAKP message 2, most often because its password is another one.
    RefusedByClient,
    /// Nothing came after RAKP message 2.
    GivenUp,
    /// The privilege asked for is above that of the user or the channel.
    Privilege,
    /// The cipher suite or authentication type is closed.
    Method,
    /// All sessions are in use, or all that the user may have.
    NoRoom,
    /// A message of the login is malformed.
    Malformed,
}

impl LoginFailure {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::NoSuchUser,
        Self::WrongPassword,
        Self::RefusedByClient,
        Self::GivenUp,
        Self::Privilege,
        Self::Method,
        Self::NoRoom,
        Self::Malformed,
    ];

    /// In words.
    pub const fn text(self) -> &'static str {
        match self {
            Self::NoSuchUser => "no such user",
            Self::WrongPassword => "wrong password",
            Self::RefusedByClient => "refused by the client",
            Self::GivenUp => "given up",
            Self::Privilege => "privilege not allowed",
            Self::Method => "method not allowed",
            Self::NoRoom => "no room",
            Self::Malformed => "malformed",
        }
    }
}
