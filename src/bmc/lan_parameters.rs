//! LAN configuration parameters of a channel.
