// What numbers of the specification are called, and what has happened in one sentence.

/** A BMC's power in words. */
export const POWER = { on: "on", off: "off", unknown: "not known" };

/** Thresholds from the highest to the lowest: field of a sensor, name, tone, short name. */
export const THRESHOLDS = [
    ["upper_non_recoverable", "Upper non-recoverable", "fatal", "UNR"],
    ["upper_critical", "Upper critical", "bad", "UC"],
    ["upper_non_critical", "Upper non-critical", "warn", "UNC"],
    ["lower_non_critical", "Lower non-critical", "warn", "LNC"],
    ["lower_critical", "Lower critical", "bad", "LC"],
    ["lower_non_recoverable", "Lower non-recoverable", "fatal", "LNR"],
];

const THRESHOLD_EVENTS = ["Lower non-critical", "Lower critical", "Lower non-recoverable", "Upper non-critical", "Upper critical",
    "Upper non-recoverable"];

const SENSOR_TYPES = { 1: "Temperature", 2: "Voltage", 3: "Current", 4: "Fan", 5: "Chassis intrusion", 6: "Security", 7: "Processor",
    8: "Power supply", 9: "Power unit", 10: "Cooling device", 11: "Other units", 12: "Memory", 13: "Drive slot", 15: "POST",
    16: "Event logging", 17: "Watchdog 1", 18: "System event", 19: "Critical interrupt", 20: "Button", 25: "Chip set", 27: "Cable",
    29: "Boot initiated", 30: "Boot error", 31: "OS boot", 32: "OS stop", 33: "Slot", 34: "ACPI power", 35: "Watchdog 2",
    37: "Entity presence", 40: "Management subsystem", 41: "Battery", 43: "Version change" };

// Table 42-3, the states of sensors with event type 6Fh, for the types that are met.
const STATES = {
    5: ["Chassis open", "Drive bay open", "I/O card area open", "Processor area open", "LAN unplugged", "Dock lost", "Fan area open"],
    7: ["Internal error", "Thermal trip", "Self-test failed", "Hang in POST", "Start failed", "Configuration error", "SM BIOS error",
        "Present", "Disabled", "Terminator present", "Throttled", "Machine check", "Corrected machine check"],
    8: ["Present", "Failed", "Failing soon", "Input lost", "Input lost or out of range", "Input out of range", "Configuration error",
        "Standby"],
    9: ["Off", "Power cycled", "240 VA off", "Interlock off", "Input lost", "Soft power failed", "Failed", "Failing soon"],
    12: ["Corrected error", "Uncorrected error", "Parity error", "Scrub failed", "Disabled", "Too many corrected errors", "Present",
        "Configuration error", "Spare", "Throttled", "Too hot"],
    13: ["Present", "Fault", "Failing soon", "Hot spare", "Consistency check", "Critical array", "Failed array", "Rebuilding",
        "Rebuild aborted"],
    16: ["Memory errors off", "Event type off", "Log cleared", "All events off", "Log full", "Log almost full"],
    20: ["Power pressed", "Sleep pressed", "Reset pressed", "Latch open", "Service request"],
    33: ["Fault", "Identify", "Device present", "Ready to add", "Ready to remove", "Slot power off", "Removal asked"],
    35: ["Timer expired", "Hard reset", "Power down", "Power cycle", "", "", "", "", "Timer interrupt"],
    37: ["Present", "Absent", "Disabled"],
    41: ["Low", "Failed", "Present"],
};

// Table 42-2, the states of generic event types.
const GENERIC = {
    2: ["Idle", "Active", "Busy"],
    3: ["Deasserted", "Asserted"],
    4: ["Failure not predicted", "Failure predicted"],
    5: ["Limit not exceeded", "Limit exceeded"],
    6: ["Performance met", "Performance lags"],
    7: ["OK", "Non-critical from OK", "Critical from less", "Non-recoverable from less", "Non-critical from more",
        "Critical from non-recoverable", "Non-recoverable", "Monitor", "Information"],
    8: ["Absent", "Present"],
    9: ["Disabled", "Enabled"],
    10: ["Running", "In test", "Power off", "On line", "Off line", "Off duty", "Degraded", "Power save", "Install error"],
    11: ["Redundant", "Redundancy lost", "Redundancy degraded"],
    12: ["D0", "D1", "D2", "D3"],
};

const UNITS = { "degrees C": "°C", "degrees F": "°F", "%": "%" };

/** An address or number as the specification writes it. */
export function hex(number) {
    return `0x${number.toString(16).padStart(2, "0")}`;
}

/** A whole number with separators. */
export const count = new Intl.NumberFormat("en").format;

/** "1 session", "2 sessions". */
export function plural(number, one) {
    return `${count(number)} ${one}${number === 1 ? "" : "s"}`;
}

/** A unit as short as it is usual. */
export function unit(text) {
    return UNITS[text] ?? text ?? "";
}

/** A value with no more decimals than it has. */
export function value(number) {
    if (number === null || number === undefined) return "–";
    const places = Math.abs(number) >= 100 ? 1 : 3;
    return String(Number(number.toFixed(places)));
}

/** What a sensor measures. */
export function sensorType(number) {
    return SENSOR_TYPES[number] ?? `Type ${hex(number)}`;
}

/** What a sensor is called. */
export function sensorName(sensor) {
    return sensor.name ?? `Sensor ${sensor.number}`;
}

/** A state bit of a discrete sensor. */
export function state(sensor, bit) {
    const list = sensor.event_type === 0x6f ? STATES[sensor.sensor_type] : GENERIC[sensor.event_type];
    return list?.[bit] || `State ${bit}`;
}

/** How many states of a discrete sensor have a name. */
export function states(sensor) {
    const list = sensor.event_type === 0x6f ? STATES[sensor.sensor_type] : GENERIC[sensor.event_type];
    return list?.length ?? 15;
}

/** Whether a sensor has thresholds and values instead of states. */
export function isThreshold(sensor) {
    return sensor.event_type === 1;
}

/** The worst threshold that a sensor has crossed: its row of THRESHOLDS. */
export function worst(sensor) {
    const rank = { fatal: 3, bad: 2, warn: 1 };
    const crossed = THRESHOLDS.filter(([field]) => sensor.crossed?.includes(field));
    return crossed.sort((a, b) => rank[b[2]] - rank[a[2]])[0] ?? null;
}

/** What a record of the event log says. */
export function recordText(record) {
    const { event } = record;
    if (!event) return `Record type ${hex(record.record_type)}`;
    const first = parseInt(event.data.slice(0, 2), 16);
    const offset = first & 0x0f;
    if (event.event_type === 1) {
        const way = offset % 2 ? "going high" : "going low";
        return `${THRESHOLD_EVENTS[offset >> 1] ?? `Threshold ${offset}`}, ${way}`;
    }
    return state(event, offset);
}

/** How bad what a record says is: `good`, `warn`, `bad` or `plain`. */
export function recordTone(record) {
    const { event } = record;
    if (!event || event.event_type !== 1) return "plain";
    if (!event.asserted) return "good";
    const offset = parseInt(event.data.slice(0, 2), 16) & 0x0f;
    return (offset >> 1) % 3 === 0 ? "warn" : "bad";
}

const CONTROLS = { on: "Power on", off: "Power off", cycle: "Power cycle", reset: "Reset", soft: "Soft shutdown",
    diag: "Diagnostic interrupt" };

/** A power control in words. */
export function control(word) {
    return CONTROLS[word] ?? word;
}

const DEVICES = { none: "No override", pxe: "Network (PXE)", disk: "Disk", safe: "Disk, safe mode", diag: "Diagnostics", cdrom: "CD or DVD",
    bios: "Firmware set-up", floppy: "Floppy",
    remote_floppy: "Remote floppy", remote_cdrom: "Remote CD or DVD", remote_primary: "Remote primary medium", remote_disk: "Remote disk" };

/** A boot device in words. */
export function device(word) {
    return DEVICES[word] ?? word;
}

/** The boot devices that can be chosen. */
export const BOOT_DEVICES = Object.keys(DEVICES);

const EVENTS = {
    power_asked: (e) => `${control(e.control)} asked for`,
    power_done: (e) => `Power is ${e.power}`,
    reset: (e) => `${control(e.control)} done`,
    boot_device_set: (e) => `Boots from: ${device(e.device)}${e.boots === "all" ? ", from now on" : ", next time"}`,
    login: (e) => `${e.user_name || `User ${e.user}`} logged in${e.client ? ` from ${e.client}` : ""}`,
    login_failed: (e) => `Login failed${e.client ? ` from ${e.client}` : ""}${e.reason ? `: ${e.reason}` : ""}`,
    logout: () => "A session ended",
    sol_opened: () => "Serial over LAN opened",
    sol_closed: () => "Serial over LAN closed",
    sel_added: (e) => logged(e.record),
    alert_sent: (e) => `Alert to ${e.destination}${e.acknowledged === null ? "" : e.acknowledged ? ", acknowledged" : ", not acknowledged"}`,
    watchdog_expired: () => "Watchdog expired",
    user_changed: (e) => `User ${e.user} changed`,
    bmc_added: () => "Added",
    bmc_removed: () => "Removed",
    fault_set: () => "A fault was set",
    fault_cleared: () => "A fault was cleared",
    lost: (e) => `${plural(e.lost ?? 0, "event")} missed`,
};

function logged(record) {
    if (!record?.event) return `Record ${record?.id ?? record} logged`;
    const over = record.event.asserted ? "" : " is over";
    return `${sensorName({ name: record.event.name, number: record.event.sensor })}: ${recordText(record)}${over}`;
}

/** What has happened. */
export function eventText(event) {
    return EVENTS[event.kind]?.(event) ?? event.kind.replaceAll("_", " ");
}

/** How it is coloured. */
export function eventTone(event) {
    if (event.kind === "sel_added" && event.record?.id) return recordTone(event.record);
    if (["login_failed", "watchdog_expired", "lost", "fault_set"].includes(event.kind)) return "warn";
    if (event.kind === "power_done") return event.power === "on" ? "good" : "plain";
    return "plain";
}

const CLOCK = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const DAY = new Intl.DateTimeFormat("en-GB", { year: "numeric", month: "2-digit", day: "2-digit" });

/** The time of a day, as the clock here shows it. */
export function clock(time) {
    const date = new Date(time);
    return Number.isNaN(date.getTime()) ? "" : CLOCK.format(date);
}

/** Day and time, as the clock here shows them. */
export function moment(time) {
    if (!time) return "no time";
    const date = new Date(time);
    if (Number.isNaN(date.getTime())) return time;
    const [day, month, year] = DAY.format(date).split("/");
    return `${year}-${month}-${day} ${CLOCK.format(date)}`;
}

/** Seconds as people say them. */
export function span(seconds) {
    if (seconds < 60) return `${Math.floor(seconds)} s`;
    if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
    return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}
