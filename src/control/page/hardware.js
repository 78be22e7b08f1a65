// What a BMC is made of: controllers, LAN channels, inventory, users.

import { h, write } from "./dom.js";
import { hex, plural } from "./words.js";

function table(caption, heads, rows, none) {
    if (rows.length === 0) return h("section", { class: "facts" }, h("h3", { text: caption }), h("p", { class: "hint", text: none }));
    return h("section", { class: "facts" }, h("h3", { text: caption }),
        h("div", { class: "scroll-x", tabindex: "0", role: "region", "aria-label": caption },
            h("table", {}, h("caption", { class: "unseen", text: caption }),
                h("thead", {}, h("tr", {}, heads.map((text) => h("th", { scope: "col", text })))),
                h("tbody", {}, rows.map((cells) => h("tr", {}, cells.map((cell) => h("td", { text: cell }))))))));
}

const yes = (held) => (held ? "yes" : "no");

function watchdog(it) {
    if (!it) return "none";
    return it.running ? `running, ${Math.round(it.remaining_seconds ?? 0)} s left` : "not running";
}

function inventory(devices) {
    const rows = [];
    for (const { device, size, areas } of devices) {
        const found = Object.entries(areas ?? {}).filter(([, area]) => area);
        for (const [area, fields] of found) {
            const text = Object.entries(fields).filter(([, it]) => typeof it === "string" && it !== "")
                .map(([name, it]) => `${name.replaceAll("_", " ")}: ${it}`).join(",  ");
            rows.push([device, area, text || "–"]);
        }
        if (found.length === 0) rows.push([device, "–", plural(size, "byte")]);
    }
    return rows;
}

/** The tab of a BMC. */
export class HardwareTab {
    #view;
    #box = h("div", { class: "hardware" });
    #more = h("div", { class: "hardware" }, h("p", { class: "hint", text: "Reading inventory and users …" }));
    #drawn = "";

    constructor(view) {
        this.#view = view;
    }

    mount(container) {
        container.append(this.#box, this.#more);
        this.#load();
    }

    show({ controllers, lan }) {
        const text = JSON.stringify([controllers, lan]);
        if (text === this.#drawn) return;
        this.#drawn = text;
        this.#box.replaceChildren(
            table("Controllers", ["MC", "Role", "Enabled", "Firmware", "IPMI", "Manufacturer", "Product", "Sensors", "SEL", "Watchdog"],
                controllers.map((mc) => [hex(mc.mc), mc.is_bmc ? "BMC" : "satellite", yes(mc.enabled), mc.firmware, mc.ipmi_version,
                    mc.manufacturer_id, mc.product_id, mc.sensors, mc.sel ? `${mc.sel.used} of ${mc.sel.room}` : "none",
                    watchdog(mc.watchdog)]), "There is none."),
            table("LAN channels", ["MC", "Channel", "Address", "Open", "Sessions"],
                lan.map((it) => [hex(it.mc), it.channel, it.address ?? "–", yes(it.open), it.sessions]), "There is none."));
    }

    async #load() {
        try {
            const [fru, users] = await Promise.all([this.#view.ask("GET", ["fru"]), this.#view.ask("GET", ["users"])]);
            this.#more.replaceChildren(
                table("Inventory", ["FRU device", "Area", "Says"], inventory(fru.devices), "There is none."),
                table("Users", ["Id", "Name", "Limit", "Enabled"],
                    users.users.map((user) => [user.id, user.name || "(no name)", (user.limit ?? "–").replaceAll("_", " "), yes(user.enabled)]),
                    "There is none."));
        } catch (why) {
            write(this.#more.firstChild, why.message);
        }
    }
}
