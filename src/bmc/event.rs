//! Events: from a sensor to the event receiver, its SEL and its event message buffer.
