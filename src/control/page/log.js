// The system event log of the BMC, the newest record first.

import { confirmed, h, mark, note, say, write } from "./dom.js";
import { count, hex, moment, plural, recordText, recordTone, sensorType } from "./words.js";

const PAGE = 500;
const MOST = 5000;
const SHOWN = 200;
const SETTLE = 150;

function row(record) {
    const { event } = record;
    const tone = recordTone(record);
    const name = event ? event.name ?? `Sensor ${event.sensor}` : "–";
    const way = event ? (event.asserted ? "Asserted" : "Deasserted") : "–";
    return h("tr", { class: `tone-${tone}` },
        h("td", { class: "number", text: record.id }),
        h("td", { class: "number nowrap", text: moment(record.time) }),
        h("td", { class: "nowrap" }, h("b", { text: name }), h("span", { class: "quiet-text", text: event ? ` ${sensorType(event.sensor_type)}` : "" })),
        h("td", { class: "what", text: recordText(record) }),
        h("td", { text: way }),
        h("td", { class: "mono quiet-text", text: record.raw, title: event ? `from ${hex(event.generator)}, data ${event.data}` : null }));
}

/** The tab of a BMC. */
export class LogTab {
    #view;
    #body = h("tbody");
    #used = h("span", { class: "used" });
    #meter = h("meter", { min: 0, max: 1, value: 0, "aria-label": "How full the log is" });
    #empty = h("p", { class: "hint", text: "Reading the log …" });
    #table;
    #more;
    #records = [];
    #shown = SHOWN;
    #settling = 0;
    #closed = false;

    constructor(view) {
        this.#view = view;
    }

    mount(container) {
        const heads = ["Id", "Time", "Sensor", "Event", "Direction", "Raw"];
        this.#table = h("table", {}, h("caption", { class: "unseen", text: "System event log, the newest record first" }),
            h("thead", {}, h("tr", {}, heads.map((text) => h("th", { scope: "col", text })))), this.#body);
        this.#more = h("button", { type: "button", text: "Show more", onclick: () => this.#showMore() });
        container.append(
            h("div", { class: "row tools" }, this.#used, this.#meter,
                h("button", { type: "button", class: "danger", text: "Clear the log", onclick: () => this.#clear() })),
            this.#empty, h("div", { class: "scroll-x", tabindex: "0", role: "region", "aria-label": "Records" }, this.#table), this.#more);
        this.#load();
    }

    close() {
        this.#closed = true;
        clearTimeout(this.#settling);
    }

    happened(event) {
        if (event.kind === "sel_added") this.#soon();
    }

    /** A log that others changed has another number of records. */
    show(bmc) {
        if (bmc.sel_records !== this.#records.length && this.#records.length < MOST) this.#soon();
    }

    #soon() {
        clearTimeout(this.#settling);
        this.#settling = setTimeout(() => this.#load(), SETTLE);
    }

    async #load() {
        try {
            const records = [];
            let after = null;
            let page;
            do {
                const more = after === null ? "" : `&after=${after}`;
                page = await this.#view.ask("GET", ["sel"], undefined, `?limit=${PAGE}${more}`);
                records.push(...page.records);
                after = page.next;
            } while (after !== null && after !== undefined && records.length < MOST);
            if (this.#closed) return;
            this.#records = records.reverse();
            this.#draw(page);
        } catch (why) {
            if (!this.#closed) write(this.#empty, `The log cannot be read. ${why.message}`);
        }
    }

    #draw({ used, room }) {
        write(this.#used, room ? `${count(used)} of ${plural(room, "record")}` : plural(used, "record"));
        mark(this.#meter, "max", Math.max(room ?? 0, 1));
        this.#meter.value = used;
        this.#empty.hidden = this.#records.length > 0;
        write(this.#empty, "The log is empty.");
        this.#table.hidden = this.#records.length === 0;
        this.#rows();
    }

    #rows() {
        const old = new Map([...this.#body.children].map((element) => [element.dataset.of, element]));
        const rows = this.#records.slice(0, this.#shown).map((record) => {
            const of = `${record.id} ${record.raw}`;
            const element = old.get(of) ?? row(record);
            element.dataset.of = of;
            return element;
        });
        this.#body.replaceChildren(...rows);
        this.#more.hidden = this.#records.length <= this.#shown;
    }

    #showMore() {
        this.#shown += SHOWN;
        this.#rows();
    }

    async #clear() {
        if (!(await confirmed(`Clear the event log of ${this.#view.name}?`, "Clear"))) return;
        try {
            await this.#view.ask("DELETE", ["sel"]);
            say("The log is cleared");
            this.#view.changed();
            await this.#load();
        } catch (why) {
            note(why.message);
        }
    }
}
