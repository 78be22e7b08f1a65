//! The statements of a LAN block.

use super::values::{auths, boolean, privilege, udp_port};
use super::{Block, NAME_MAX, Place, Reader};
use crate::config::arguments::{Arguments, Fault, Found};
use crate::config::grammar::Rule;
use crate::settings::model::{LanConfig, Setting};

/// UDP port when `addr` has none.
const RMCP_PORT: u16 = 623;
/// Characters kept of a key, as of a name.
const KEY_MAX: usize = 19;

impl Reader<'_> {
    /// A statement of the LAN block `block`, which is put back unless this ends it.
    pub(super) fn lan_statement(
        &mut self,
        place: Place<'_>,
        form: Rule,
        keyword: &Found<'_>,
        arguments: Result<Arguments<'_>, Fault>,
        mut block: Block,
    ) -> Result<(), Fault> {
        if form == Rule::endlan {
            self.close(block);
            return Ok(());
        }
        let result = arguments.and_then(|mut a| self.lan_setting(place, form, keyword, &mut a, &mut block.lan));
        self.block = Some(block);
        result
    }

    fn lan_setting(
        &mut self,
        place: Place<'_>,
        form: Rule,
        keyword: &Found<'_>,
        a: &mut Arguments<'_>,
        lan: &mut LanConfig,
    ) -> Result<(), Fault> {
        match form {
            Rule::addr => {
                let address = self.address(place, a, Some(RMCP_PORT))?;
                self.note_unknown(place, a, "the port is 623");
                if let Some(known) = &lan.address {
                    let message = format!("LAN address already set, line {}", known.span.line);
                    return Err(keyword.fault(message));
                }
                lan.address = Some(address);
            }
            Rule::advertised_port => lan.advertised_port = Some(udp_port(a)?),
            Rule::alert_port => lan.alert_port = Some(udp_port(a)?),
            Rule::priv_limit => lan.privilege_limit = Some(privilege(a)?),
            Rule::allowed_auths => {
                let auths = auths(a)?;
                self.note_unknown(place, a, "the line ends there");
                let index = match keyword.text {
                    "allowed_auths_callback" => 0,
                    "allowed_auths_user" => 1,
                    "allowed_auths_operator" => 2,
                    _ => 3,
                };
                if let Some(slot) = lan.allowed_auths.get_mut(index) {
                    *slot = auths;
                }
            }
            Rule::guid => {
                lan.guid = Some(match a.next_if_uuid() {
                    Some(guid) => guid,
                    None => self.bytes(place, a, "GUID", NAME_MAX, &[32])?,
                });
            }
            Rule::bmc_key => {
                let key = self.bytes(place, a, "key", KEY_MAX, &[32, 40])?;
                lan.bmc_key = Some(key).filter(|key| *key != [0; 20]);
                if lan.bmc_key.is_none() {
                    self.warn(
                        place,
                        keyword.range.clone(),
                        "an empty key is none: the user's password takes its place",
                    );
                }
            }
            Rule::lan_config_program => {
                let (command, range) = a.string()?;
                let mc = self.controller().address;
                let setting = Setting { mc, channel: Some(lan.channel), keyword: "lan_config_program" };
                self.config.places.push((setting, place.span(range)));
                lan.config_program = Some(command);
            }
            Rule::pef_alerting => lan.pef_alerting = boolean(a)?,
            Rule::per_msg_auth => lan.per_message_auth = boolean(a)?,
            _ => return Err(keyword.fault("this statement has no meaning yet")),
        }
        Ok(())
    }
}
