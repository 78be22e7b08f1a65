//! The parser of all languages a user writes, made from `grammar/words.pest`,
//! `grammar/lan_conf.pest`, `grammar/command.pest` and `grammar/sdrs.pest`.

/// The grammar of single statements; [`Rule`] names its rules.
#[derive(pest_derive::Parser)]
#[grammar = "../grammar/words.pest"]
#[grammar = "../grammar/lan_conf.pest"]
#[grammar = "../grammar/command.pest"]
#[grammar = "../grammar/sdrs.pest"]
pub(crate) struct Grammar;
