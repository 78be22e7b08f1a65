// The sensors of a BMC, read once a second while they are looked at: lines for those with thresholds, states for the
// others, and a dialog in which one is set.

import { Chart, History } from "./chart.js";
import { h, mark, note, say, write } from "./dom.js";
import { hex, isThreshold, sensorName, sensorType, state, states, THRESHOLDS, unit, value, worst } from "./words.js";

const LOOK = 1000;

const key = (sensor) => `${sensor.mc}/${sensor.lun}/${sensor.number}`;
const path = (sensor) => ["sensors", sensor.mc, sensor.lun, sensor.number].map(String);

/** How a sensor is, in words and as a tone. */
function condition(sensor) {
    if (!sensor.present) return ["Not there", "idle"];
    if (!sensor.scanning) return ["Not scanned", "idle"];
    if (isThreshold(sensor)) {
        if (sensor.value === null && sensor.raw === null) return ["No reading", "idle"];
        const over = worst(sensor);
        return over ? [over[1], over[2]] : ["OK", "good"];
    }
    const held = sensor.states ?? [];
    return held.length > 0 ? [held.map((bit) => state(sensor, bit)).join(", "), "plain"] : ["No state", "idle"];
}

/** One sensor in the list. */
class Card {
    element;
    history;
    sensor = null;
    #value = h("b", { class: "value" });
    #unit = h("span", { class: "unit" });
    #state = h("span", { class: "state" });
    #chart = null;
    #set;

    constructor(sensor, history, open) {
        this.history = history;
        const name = sensorName(sensor);
        this.#set = h("button", { type: "button", class: "quiet set", text: "Set", "aria-label": `Set ${name}`, onclick: () => open(this) });
        const title = h("h4", { text: name, title: `MC ${hex(sensor.mc)}, LUN ${sensor.lun}, sensor ${sensor.number}` });
        if (isThreshold(sensor)) {
            this.#chart = new Chart("small");
            this.element = h("li", { class: "sensor analog" },
                h("div", { class: "row" }, title, this.#set),
                h("div", { class: "row reading" }, h("span", {}, this.#value, this.#unit), this.#state), this.#chart.element);
        } else {
            this.element = h("li", { class: "sensor discrete" }, h("div", { class: "row" }, title, this.#set), this.#state);
        }
    }

    close() {
        this.#chart?.close();
    }

    show(sensor, now) {
        const before = this.sensor;
        this.sensor = sensor;
        const [text, tone] = condition(sensor);
        write(this.#state, tone === "good" || tone === "idle" || tone === "plain" ? text : `▲ ${text}`);
        mark(this.#state, "class", `state ${tone}`);
        mark(this.element, "data-tone", tone);
        if (!isThreshold(sensor)) return;
        write(this.#value, sensor.value !== null ? value(sensor.value) : sensor.raw !== null ? hex(sensor.raw) : "–");
        write(this.#unit, sensor.value !== null ? unit(sensor.unit) : sensor.raw !== null ? "raw" : "");
        this.#chart.draw(now, this.history.points, sensor.thresholds);
        if (before && worst(before)?.[0] !== worst(sensor)?.[0]) {
            say(`${sensorName(sensor)}: ${text}, ${value(sensor.value)} ${sensor.unit ?? ""}`);
        }
    }
}

/** The tab of a BMC. */
export class SensorsTab {
    #view;
    #cards = new Map();
    #shape = "";
    #list;
    #hint;
    #timer = 0;
    #closed = false;
    #busy = false;
    #sheet = null;

    constructor(view) {
        this.#view = view;
    }

    mount(container) {
        this.#hint = h("p", { class: "hint", text: "Reading the sensors …" });
        this.#list = h("div", { class: "sensors" });
        container.append(this.#hint, this.#list);
        this.#timer = setInterval(() => !document.hidden && this.#look(), LOOK);
        this.#look();
    }

    close() {
        this.#closed = true;
        clearInterval(this.#timer);
        this.#sheet?.element.close();
        for (const card of this.#cards.values()) card.close();
    }

    happened(event) {
        if (event.kind === "sel_added") this.#look();
    }

    async #look() {
        if (this.#busy || this.#closed) return;
        this.#busy = true;
        try {
            const { sensors } = await this.#view.ask("GET", ["sensors"]);
            if (!this.#closed) this.#draw(sensors);
        } catch {
            // The view tells that the server is gone; the lines have a gap.
            for (const card of this.#cards.values()) card.history.add(Date.now(), null);
        }
        this.#busy = false;
    }

    #draw(sensors) {
        const shape = sensors.map((sensor) => `${key(sensor)} ${sensor.name} ${sensor.event_type}`).join();
        if (shape !== this.#shape || sensors.length === 0) this.#build(sensors, shape);
        const now = Date.now();
        for (const sensor of sensors) {
            const card = this.#cards.get(key(sensor));
            if (isThreshold(sensor)) card.history.add(now, sensor.value ?? sensor.raw);
            card.show(sensor, now);
        }
        this.#sheet?.show(now);
    }

    #build(sensors, shape) {
        this.#shape = shape;
        const old = this.#cards;
        for (const card of old.values()) card.close();
        this.#cards = new Map();
        const groups = new Map();
        for (const sensor of sensors) {
            const title = isThreshold(sensor) ? sensorType(sensor.sensor_type) : "States";
            const history = old.get(key(sensor))?.history ?? new History();
            const card = new Card(sensor, history, (it) => this.#openSheet(it));
            this.#cards.set(key(sensor), card);
            if (!groups.has(title)) groups.set(title, []);
            groups.get(title).push(card);
        }
        const states = groups.get("States");
        groups.delete("States");
        if (states) groups.set("States", states);
        this.#hint.hidden = sensors.length > 0;
        write(this.#hint, "This BMC has no sensors.");
        this.#list.replaceChildren(...[...groups].map(([title, cards]) => h("section", { class: title === "States" ? "group discrete" : "group" },
            h("h3", { text: title }), h("ul", { class: "cards" }, cards.map((card) => card.element)))));
    }

    #openSheet(card) {
        this.#sheet = new Sheet(this.#view, card, () => this.#look());
        this.#sheet.element.addEventListener("close", () => {
            this.#sheet = null;
        });
        this.#sheet.show(Date.now());
    }
}

/** The dialog of one sensor. */
class Sheet {
    element;
    #view;
    #card;
    #look;
    #chart = null;
    #now = h("p", { class: "now" });
    #follows = h("p", { class: "hint follows" });
    #wrong = h("p", { class: "wrong", role: "alert" });
    #nearest = h("p", { class: "hint nearest", role: "status" });
    #input = null;
    #boxes = [];

    constructor(view, card, look) {
        this.#view = view;
        this.#card = card;
        this.#look = look;
        const { sensor } = card;
        const close = h("button", { type: "button", class: "quiet", "aria-label": "Close", text: "✕", onclick: () => this.element.close() });
        const where = `${sensorType(sensor.sensor_type)}  ·  MC ${hex(sensor.mc)}  ·  LUN ${sensor.lun}  ·  sensor ${sensor.number}`;
        this.element = h("dialog", { class: "sheet", "aria-labelledby": "sheet-title" },
            h("div", { class: "row" }, h("h2", { id: "sheet-title", text: sensorName(sensor) }), close),
            h("p", { class: "quiet-text", text: where }), this.#now, this.#follows,
            isThreshold(sensor) ? this.#analog(sensor) : this.#discrete(sensor));
        this.element.addEventListener("close", () => {
            this.#chart?.close();
            this.element.remove();
        });
        document.body.append(this.element);
        this.element.showModal();
        this.#input?.focus();
        this.#input?.select();
    }

    show(now) {
        const { sensor, history } = this.#card;
        const [text, tone] = condition(sensor);
        const reading = isThreshold(sensor) && sensor.value !== null ? `${value(sensor.value)} ${unit(sensor.unit)}  ·  ` : "";
        const raw = isThreshold(sensor) && sensor.raw !== null ? `  ·  raw ${hex(sensor.raw)}` : "";
        write(this.#now, `${reading}${text}${raw}`);
        mark(this.#now, "class", `now ${tone}`);
        this.#follows.hidden = !sensor.follows;
        write(this.#follows, sensor.follows ? `It follows ${sensor.follows}, until it is set.` : "");
        this.#chart?.draw(now, history.points, sensor.thresholds);
    }

    #analog(sensor) {
        this.#chart = new Chart("large");
        const raw = sensor.value === null && sensor.unit === null;
        const label = raw ? "Raw reading, 0 to 255" : `Value${sensor.unit ? ` in ${sensor.unit}` : ""}`;
        this.#input = h("input", { type: "number", id: "sensor-value", step: "any", required: true, value: sensor.value ?? sensor.raw ?? "" });
        const form = h("form", { class: "set-form" }, h("label", { for: "sensor-value", text: label }), this.#input,
            h("button", { type: "submit", class: "main", text: "Set" }), this.#nearest, this.#wrong);
        form.addEventListener("submit", (event) => {
            event.preventDefault();
            this.#put(raw ? { raw: Math.round(this.#input.valueAsNumber) } : { value: this.#input.valueAsNumber });
        });
        return h("div", {}, h("div", { class: "plot" }, this.#chart.element), this.#shortcuts(sensor), form);
    }

    /** One button for each threshold: a value just over it, and one that is in order. */
    #shortcuts(sensor) {
        const set = THRESHOLDS.filter(([field]) => (sensor.thresholds?.[field] ?? null) !== null);
        if (set.length === 0) return null;
        const normal = this.#normal(sensor);
        const button = (text, number, tone) => h("button", {
            type: "button", class: `chip ${tone}`, text, onclick: () => {
                this.#input.value = value(number);
                this.#put({ value: number });
            },
        });
        return h("div", { class: "shortcuts", role: "group", "aria-label": "Set it to" },
            button(`In order  ${value(normal)}`, normal, "good"),
            set.map(([field, label, tone]) => button(`${label}  ${value(sensor.thresholds[field])}`, sensor.thresholds[field], tone)));
    }

    /** A value that crosses nothing: one that was read, or one between the innermost thresholds. */
    #normal(sensor) {
        const limits = sensor.thresholds;
        const low = Math.max(...["lower_non_critical", "lower_critical", "lower_non_recoverable"].map((field) => limits[field] ?? -Infinity));
        const high = Math.min(...["upper_non_critical", "upper_critical", "upper_non_recoverable"].map((field) => limits[field] ?? Infinity));
        const read = this.#card.history.points.map(([, point]) => point).find((point) => point !== null && point > low && point < high);
        if (read !== undefined) return read;
        if (low > -Infinity && high < Infinity) return (low + high) / 2;
        return high < Infinity ? high - Math.abs(high) * 0.3 : low + Math.abs(low) * 0.5;
    }

    #discrete(sensor) {
        const count = Math.max(states(sensor), ...(sensor.states ?? []).map((bit) => bit + 1));
        this.#boxes = Array.from({ length: Math.min(count, 15) }, (_, bit) => h("input", {
            type: "checkbox", id: `state-${bit}`, value: bit, checked: sensor.states?.includes(bit),
        }));
        const form = h("form", { class: "set-form states" },
            h("fieldset", {}, h("legend", { text: "States that hold" }),
                this.#boxes.map((box, bit) => h("label", { for: `state-${bit}` }, box, ` ${state(sensor, bit)}`))),
            h("button", { type: "submit", class: "main", text: "Set" }), this.#wrong);
        form.addEventListener("submit", (event) => {
            event.preventDefault();
            this.#put({ states: this.#boxes.filter((box) => box.checked).map((box) => Number(box.value)) });
        });
        this.#input = null;
        return form;
    }

    /** A reading is a byte, so that not every value can be shown. */
    #nearestText({ value: asked }, { value: became }) {
        if (asked === undefined || typeof became !== "number" || Math.abs(became - asked) < 1e-6) return "";
        return `It shows ${value(became)}, the nearest value that it has.`;
    }

    async #put(body) {
        write(this.#wrong, "");
        try {
            const shows = await this.#view.ask("PUT", path(this.#card.sensor), body);
            write(this.#nearest, this.#nearestText(body, shows));
            this.#look();
            this.#view.changed();
            say(`${sensorName(this.#card.sensor)} set`);
        } catch (why) {
            if (why.status === 401) note(why.message);
            else write(this.#wrong, why.message);
        }
    }
}
