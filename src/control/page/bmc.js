// One BMC: its power, boot device, sessions and events beside one of its tabs.

import { ask, bmcPath } from "./api.js";
import { ConsoleTab } from "./console.js";
import { h, mark, note, say, write } from "./dom.js";
import { Feed } from "./feed.js";
import { HardwareTab } from "./hardware.js";
import { LogTab } from "./log.js";
import { lookUp } from "./records.js";
import { SensorsTab } from "./sensors.js";
import { StatementsTab } from "./statements.js";
import { Stream } from "./stream.js";
import { BOOT_DEVICES, control, count, device, eventText, hex, plural, POWER, span } from "./words.js";

const LOOK = 3000;
const SETTLE = 150;
const KEPT_EVENTS = 100;

const CONTROLS = [["on", "On"], ["off", "Off"], ["cycle", "Cycle"], ["reset", "Reset"], ["soft", "Soft off"], ["diag", "Diag"]];

const TABS = [
    ["sensors", "Sensors", SensorsTab],
    ["log", "Event log", LogTab],
    ["console", "Console", ConsoleTab],
    ["statements", "Statements", StatementsTab],
    ["hardware", "Hardware", HardwareTab],
];

/** The view of one BMC. Its tabs get `{ name, bmc, ask, changed }` of it, and are told of events and of every new `bmc`. */
export class BmcView {
    name;
    /** The newest Bmc that was had; null at first. */
    bmc = null;
    #fleet;
    #tab;
    #parts = {};
    #open = null;
    #stream = null;
    #timers = [];
    #events = [];
    #stop = new AbortController();
    #gone = false;
    #settling = 0;
    #said = 0;

    constructor(fleet, name, tab) {
        this.#fleet = fleet;
        this.name = name;
        this.#tab = tab;
    }

    /** What the window is called. */
    get title() {
        return this.name;
    }

    /** Shows it. */
    mount(main) {
        const parts = this.#parts;
        parts.banner = h("p", { class: "banner", role: "status", hidden: true });
        parts.content = h("section", { class: "tab", id: "tab", "aria-label": "" });
        parts.root = h("div", { class: "bmc" }, this.#head(), h("div", { class: "work" }, this.#tabs(), parts.banner, parts.content),
            this.#side());
        main.append(parts.root);
        this.#stream = new Stream(`/v1/events?bmc=${encodeURIComponent(this.name)}`, {
            event: (kind, event) => this.#happened(kind, event),
        }, "0");
        this.#timers.push(setInterval(() => !document.hidden && this.refresh(), LOOK));
        this.tab = this.#tab;
        this.#fleet.addEventListener("link", () => this.#linked(), { signal: this.#stop.signal });
        this.refresh();
    }

    /** Leaves it. */
    close() {
        this.#stop.abort();
        this.#stream?.close();
        this.#open?.close?.();
        this.#timers.forEach(clearInterval);
        clearTimeout(this.#settling);
    }

    /** Shows one of its tabs. */
    set tab(wanted) {
        const [key, label, Tab] = TABS.find(([name]) => name === wanted) ?? TABS[0];
        if (this.#open?.key === key) return;
        this.#open?.close?.();
        for (const link of this.#parts.tabs.querySelectorAll("a")) {
            mark(link, "aria-current", link.dataset.tab === key ? "page" : null);
        }
        const { content } = this.#parts;
        content.replaceChildren();
        mark(content, "aria-label", label);
        content.className = `tab ${key}`;
        this.#open = new Tab(this);
        this.#open.key = key;
        this.#open.mount(content);
        if (this.bmc) this.#open.show?.(this.bmc);
    }

    /** A request about this BMC. */
    ask(method, rest, body, query = "") {
        return ask(method, bmcPath(this.name, ...rest) + query, body);
    }

    /** Gets it again, and soon. */
    changed() {
        clearTimeout(this.#settling);
        this.#settling = setTimeout(() => this.refresh(), SETTLE);
        this.#fleet.stale(this.name);
    }

    /** Gets it again. */
    async refresh() {
        if (this.#gone) return;
        try {
            this.bmc = await this.ask("GET", []);
        } catch (why) {
            if (!this.#stop.signal.aborted) this.#failed(why);
            return;
        }
        if (this.#stop.signal.aborted) return;
        this.#fleet.put(this.bmc);
        this.#banner("");
        this.#draw();
        this.#open?.show?.(this.bmc);
    }

    #failed(why) {
        if (why.status === 404) {
            this.#gone = true;
            this.#stream?.close();
            this.#open?.close?.();
            this.#open = null;
            this.#parts.root.replaceWith(h("div", { class: "empty" },
                h("h1", { text: "There is no such BMC" }), h("p", { text: why.message }), h("p", {}, h("a", { href: "#/", text: "All BMCs" }))));
        } else if (why.status !== 401) {
            this.#banner(`What is shown is not fresh. ${why.message}.`.replace("..", "."));
        }
    }

    #banner(text) {
        write(this.#parts.banner, text);
        this.#parts.banner.hidden = text === "";
        this.#parts.root.classList.toggle("stale", text !== "");
    }

    #linked() {
        if (this.#fleet.link.word === "live") this.#stream?.again();
    }

    #head() {
        const parts = this.#parts;
        parts.lamp = h("span", { class: "lamp big", "aria-hidden": "true" });
        parts.power = h("span", { class: "power-word", text: "…" });
        parts.sub = h("p", { class: "sub" });
        parts.alarms = h("span", { class: "badge warn", hidden: true });
        const buttons = CONTROLS.map(([key, label]) => h("button", {
            type: "button", "data-control": key, title: control(key), "aria-label": label === control(key) ? null : control(key),
            onclick: (event) => this.#power(key, event.currentTarget), text: label,
        }));
        return h("header", { class: "head" },
            h("div", { class: "who" }, parts.lamp,
                h("div", {}, h("h1", { class: "mono" }, this.name), parts.sub), parts.power, parts.alarms),
            h("div", { class: "controls", role: "group", "aria-label": "Power control" }, buttons));
    }

    #tabs() {
        const path = `#/bmc/${encodeURIComponent(this.name)}`;
        this.#parts.logCount = h("span", { class: "count" });
        this.#parts.sensorCount = h("span", { class: "count" });
        const counts = { log: this.#parts.logCount, sensors: this.#parts.sensorCount };
        this.#parts.tabs = h("nav", { class: "tabs", "aria-label": "Of this BMC" },
            TABS.map(([key, label]) => h("a", { href: `${path}/${key}`, "data-tab": key }, label, counts[key])));
        return this.#parts.tabs;
    }

    #side() {
        const parts = this.#parts;
        parts.sessions = h("ul", { class: "plain" });
        parts.sessionCount = h("span", { class: "count" });
        parts.feed = new Feed({ named: "alone", empty: "No event yet." });
        return h("aside", { class: "side", "aria-label": "State" },
            h("section", { "aria-labelledby": "boot" }, h("h2", { id: "boot", text: "Boot" }), this.#boot()),
            h("section", { "aria-labelledby": "sessions" }, h("h2", { id: "sessions" }, "Sessions", parts.sessionCount), parts.sessions),
            h("section", { class: "grow", "aria-labelledby": "events" }, h("h2", { id: "events", text: "Events" }), parts.feed.element));
    }

    #boot() {
        const parts = this.#parts;
        parts.device = h("select", { id: "device" }, BOOT_DEVICES.map((key) => h("option", { value: key, text: device(key) })));
        parts.boots = h("select", { id: "boots" }, h("option", { value: "next", text: "Next boot" }),
            h("option", { value: "all", text: "All boots" }));
        parts.bootNow = h("p", { class: "now", text: "…" });
        const form = h("form", { class: "boot" }, parts.bootNow,
            h("label", { for: "device", class: "unseen", text: "Boot device" }), parts.device,
            h("label", { for: "boots", class: "unseen", text: "For how many boots" }), parts.boots,
            h("button", { type: "submit", text: "Set", "aria-label": "Set the boot device" }));
        form.addEventListener("submit", (event) => {
            event.preventDefault();
            this.#do("Boot device", () => this.ask("PUT", ["boot"], { device: parts.device.value, boots: parts.boots.value }));
        });
        return form;
    }

    async #power(key, button) {
        if (button.getAttribute("aria-busy") === "true") return;
        mark(button, "aria-busy", "true");
        await this.#do(control(key), () => this.ask("POST", ["power"], { control: key }));
        mark(button, "aria-busy", null);
    }

    async #do(what, how) {
        try {
            await how();
            say(`${what}: done`);
        } catch (why) {
            if (why.status !== 401) note(`${what}: ${why.message}`);
        }
        await this.refresh();
        this.#fleet.stale(this.name);
    }

    #draw() {
        const { bmc } = this;
        const parts = this.#parts;
        parts.lamp.className = `lamp big ${bmc.power}`;
        write(parts.power, bmc.state === "running" ? `Power ${POWER[bmc.power] ?? bmc.power}` : bmc.state);
        parts.power.className = `power-word ${bmc.power}`;
        parts.alarms.hidden = bmc.alarms === 0;
        write(parts.alarms, `▲ ${plural(bmc.alarms, "alarm")}`);
        const main = bmc.controllers.find((mc) => mc.is_bmc) ?? bmc.controllers[0];
        const facts = [bmc.addresses.join(", ") || "no address"];
        if (main) facts.push(`MC ${hex(main.mc)}`, `IPMI ${main.ipmi_version}`, `firmware ${main.firmware}`);
        if (bmc.counts?.requests) facts.push(plural(bmc.counts.requests, "request"));
        if (bmc.counts?.failed_logins) facts.push(plural(bmc.counts.failed_logins, "failed login"));
        write(parts.sub, facts.join("  ·  "));
        const boot = bmc.boot ?? { device: "none", boots: null };
        const often = boot.boots === "all" ? "all boots" : "next boot";
        write(parts.bootNow, boot.device === "none" ? "As the firmware is set up" : `${device(boot.device)}, ${often}`);
        write(parts.logCount, bmc.sel_records > 0 ? count(bmc.sel_records) : "");
        const sensors = bmc.controllers.reduce((sum, mc) => sum + mc.sensors, 0);
        write(parts.sensorCount, sensors > 0 ? count(sensors) : "");
        this.#drawSessions(bmc.sessions_open ?? []);
    }

    #drawSessions(sessions) {
        const parts = this.#parts;
        write(parts.sessionCount, sessions.length > 0 ? count(sessions.length) : "");
        if (sessions.length === 0) {
            parts.sessions.replaceChildren(h("li", { class: "hint", text: "Nobody is logged in." }));
            return;
        }
        parts.sessions.replaceChildren(...sessions.map((one) => h("li", { class: "session" },
            h("b", { text: one.user_name || `User ${one.user}` }), " ",
            h("span", { class: "badge", text: one.privilege }), one.sol && h("span", { class: "badge", text: "SOL" }),
            h("span", { class: "quiet-text", text: `${one.client} · IPMI ${one.ipmi_version} · idle ${span(one.idle_seconds)}` }))));
    }

    #happened(kind, event) {
        if (kind === "lost") {
            // What was before the history begins is nobody's loss.
            if (this.#events.length === 0) return;
            this.#events.unshift({ kind, time: new Date().toISOString(), lost: event.lost });
        } else {
            if (event.bmc !== this.name) return;
            this.#events.unshift(event);
            if (event.kind === "sel_added") this.#lookUp(event);
            else this.#tell(event);
            this.changed();
            this.#open?.happened?.(event);
        }
        if (this.#events.length > KEPT_EVENTS) this.#events.length = KEPT_EVENTS;
        this.#parts.feed.events = this.#events;
    }

    #lookUp(event) {
        lookUp(event, (more) => {
            const at = this.#events.indexOf(event);
            if (at < 0) return;
            this.#events[at] = more;
            this.#parts.feed.events = this.#events;
            this.#tell(more);
        });
    }

    /** What is new is said, but not faster than it can be heard, and not what was before. */
    #tell(event) {
        const age = Date.now() - new Date(event.time).getTime();
        if (age > 5000 || performance.now() - this.#said < 1500) return;
        this.#said = performance.now();
        say(eventText(event));
    }
}
