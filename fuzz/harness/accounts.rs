//! Who may log in to the simulator, as its configuration says.

use ipmi_sim::crypto::Secret;

/// Who logs in.
#[derive(Clone, Copy)]
pub struct Account {
    pub name: &'static [u8],
    pub password: &'static [u8],
}

impl Account {
    pub fn of_channel(self, key: Option<&[u8; 20]>) -> ipmi_sim_client::Account {
        let key = key.map(|key| Secret::new(*key));
        ipmi_sim_client::Account { key, ..ipmi_sim_client::Account::new(self.name, self.password) }
    }
}

pub const ADMINISTRATOR: Account = Account { name: b"ipmiusr", password: b"test" };
pub const OPERATOR: Account = Account { name: b"oper", password: b"oper-secret" };
pub const USER: Account = Account { name: b"lowly", password: b"low-secret" };
pub const ANONYMOUS: Account = Account { name: b"", password: b"test" };
pub const BMC_KEY: &[u8; 20] = b"abcdefghijklmnopqrs\0";
