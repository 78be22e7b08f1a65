//! The parser of all languages a user writes, made from `grammar/words.pest`,
//! `grammar/lan_conf.pest`, `grammar/command.pest`, `grammar/sdrs.pest` and `grammar/play.pest`.

/// The grammar of single statements; [`Rule`] names its rules.
#[derive(pest_derive::Parser)]
#[grammar = "../grammar/words.pest"]
#[grammar = "../grammar/lan_conf.pest"]
#[grammar = "../grammar/command.pest"]
#[grammar = "../grammar/sdrs.pest"]
#[grammar = "../grammar/play.pest"]
pub(crate) struct Grammar;
