//! Sockets, clocks, signals, children and consoles: the room with input and output.
