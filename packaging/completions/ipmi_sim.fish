complete -c ipmi_sim -s c -l config-file -d 'Configuration: channels, users, serial ports; see ipmi_lan(5) [default: /etc/ipmi/lan.conf]' -r -F
complete -c ipmi_sim -s f -l command-file -d 'Emulator commands run at start; see ipmi_sim_cmd(5) [default: /etc/ipmi/NAME.emu, if it exists]' -r -F
complete -c ipmi_sim -s x -l command-string -d 'One more emulator command, run after the command file' -r
complete -c ipmi_sim -s s -l state-dir -d 'Keep the state in DIR/ipmi_sim/NAME [default: see below]' -r -f -a "(__fish_complete_directories)"
complete -c ipmi_sim -l init -d 'Write a commented configuration to start from, DIR/lan.conf and DIR/sim.emu, and exit. Nothing is overwritten' -r -f -a "(__fish_complete_directories)"
complete -c ipmi_sim -l fleet -d 'Many BMCs: one for each row of FILE, a list in CSV whose header names their $variables ($name is a must; columns conf and emu are files of their own), or for each folder in DIR with a lan.conf' -r -F
complete -c ipmi_sim -l count -d 'N BMCs of one configuration, in which $name, $index, $addr and $port are each one\'s own' -r
complete -c ipmi_sim -l addresses -d 'The addresses of those BMCs, as 127.64.0.0/16 or fd00::/64; the network\'s own address and broadcast are left out' -r
complete -c ipmi_sim -l ports -d 'Their UDP port, or several as 6230-6239: then each address is there with the first, then with the next [default: 623]' -r
complete -c ipmi_sim -l slice -d 'Slice I of N: only those BMCs of the list, folder or number, so that several processes share them' -r
complete -c ipmi_sim -l programs -d 'How many helper programs of all BMCs may run at once' -r
complete -c ipmi_sim -l pid-file -d 'Write the process id to FILE; refuse to start while another process holds it' -r -F
complete -c ipmi_sim -l seed -d 'For tests: draw everything by lot from this number, so that a run can be repeated. Session ids, challenges and keys can be guessed then by whoever knows the number' -r
complete -c ipmi_sim -l program-timeout -d 'How long a chassis control or LAN configuration program may take' -r
complete -c ipmi_sim -l control -d 'Open the control door at a unix socket, for `ipmi_simctl` and programs: HTTP and JSON, to drive and watch the BMCs' -r -F
complete -c ipmi_sim -l http -d 'Open the control door at a TCP port, for browsers and programs; port 0 is a free one. Beyond loopback it needs a token' -r
complete -c ipmi_sim -l http-token-file -d 'The token that whoever comes by --http has to have: the first line of FILE' -r -F
complete -c ipmi_sim -l log-format -d 'Format of lines on standard error: with json, each is an object with time, level and message' -r -f -a "text\t'Time, level and message'
json\t'One JSON object a line, with `time`, `level` and `message`'"
complete -c ipmi_sim -l pcap -d 'Record LAN traffic in FILE for Wireshark, passwords of unencrypted sessions included' -r -F
complete -c ipmi_sim -s p -l nopersist -d 'Neither read nor write persistent state'
complete -c ipmi_sim -l demo -d 'Start a BMC to try, without any file: on the loopback address, port 9623 or a free one, user admin, password admin; no state is kept'
complete -c ipmi_sim -s n -l nostdio -d 'No console on standard input and output'
complete -c ipmi_sim -l ready-line -d 'Print `ipmi_sim NAME is ready` on standard output when everything is open; for a fleet NAME is `fleet of N`'
complete -c ipmi_sim -s d -l debug -d 'Log more: once raw packets, twice messages by name, three times both, four times serial over LAN. RUST_LOG (error, warn, info, debug) selects how much of it goes to standard error'
complete -c ipmi_sim -l check -d 'Check both files and the state folder, say what is wrong with them and what would be served, and exit with status 0 or 1'
complete -c ipmi_sim -l strict -d 'Refuse to start when a command fails or something cannot be done as written'
complete -c ipmi_sim -l ping -d 'Ask whether a running program answers on every LAN channel of the configuration, and exit with status 0 or 1 within a second; a large fleet takes longer'
complete -c ipmi_sim -s v -l version -d 'Print the version, check the configuration file if there is one, and exit'
complete -c ipmi_sim -s ? -l help -d 'Print this text and exit'
complete -c ipmi_sim -l usage -d 'Print a short usage and exit'
