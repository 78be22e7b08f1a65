// A value over the last two minutes against its thresholds, as SVG in the pixels that it has.

import { mark, svg } from "./dom.js";
import { THRESHOLDS, value as shown } from "./words.js";

/** How long a chart looks back, in ms. */
export const WINDOW = 120_000;

/** The newest readings of a sensor. */
export class History {
    points = [];

    /** Keeps a reading; null where there was none. */
    add(time, value) {
        this.points.push([time, value]);
        while (this.points.length > 2 && this.points[1][0] < time - WINDOW) this.points.shift();
    }
}

function range(points, thresholds) {
    const values = points.map(([, value]) => value).filter((value) => value !== null);
    values.push(...Object.values(thresholds ?? {}).filter((value) => value !== null));
    if (values.length === 0) return [0, 1];
    let low = Math.min(...values);
    let high = Math.max(...values);
    // Where only one side has thresholds, there is room on the other, which is the good one.
    const [uppers, lowers] = ["upper", "lower"].map((side) => Object.entries(thresholds ?? {})
        .filter(([field, value]) => field.startsWith(side) && value !== null).map(([, value]) => value));
    if (uppers.length > 0 && lowers.length === 0) low = Math.min(low, Math.min(...uppers) - (high - Math.min(...uppers)) * 2);
    if (lowers.length > 0 && uppers.length === 0) high = Math.max(high, Math.max(...lowers) + (Math.max(...lowers) - low) * 2);
    const room = (high - low) * 0.12 || Math.abs(high) * 0.1 || 1;
    return [low - room, high + room];
}

/** `size`: "small" without words, "large" with them. */
export class Chart {
    element;
    #large;
    #bands = svg("g", { class: "bands" });
    #marks = svg("g", { class: "marks" });
    #times = svg("g", { class: "marks" });
    #line = svg("path", { class: "trace" });
    #dot = svg("circle", { class: "head-dot", r: 2.5 });
    #size = null;
    #last = null;
    #watch;

    constructor(size) {
        this.#large = size === "large";
        this.element = svg("svg", { class: `chart ${size}`, "aria-hidden": "true" }, this.#bands, this.#marks, this.#times, this.#line, this.#dot);
        this.#watch = new ResizeObserver(([entry]) => {
            this.#size = [entry.contentRect.width, entry.contentRect.height];
            if (this.#last) this.draw(...this.#last);
        });
        this.#watch.observe(this.element);
    }

    /** Ends it. */
    close() {
        this.#watch.disconnect();
    }

    /** Draws it as of a time. */
    draw(now, points, thresholds) {
        this.#last = [now, points, thresholds];
        if (!this.#size || this.#size[0] === 0) return;
        const [width, height] = this.#size;
        const narrow = width < 460;
        const right = this.#large ? width - (narrow ? 74 : 170) : width - 4;
        const [low, high] = range(points, thresholds);
        const x = (time) => right - ((now - time) / WINDOW) * right;
        const y = (value) => height - ((value - low) / (high - low)) * height;
        this.#drawBands(thresholds, y, right, height);
        this.#drawMarks(thresholds, y, right, height, narrow);
        if (this.#large) this.#drawTimes(right, height);
        this.#drawTrace(points, x, y);
    }

    #drawBands(thresholds, y, right, height) {
        const bands = [];
        const upper = THRESHOLDS.slice(0, 3).filter(([field]) => (thresholds?.[field] ?? null) !== null);
        let edge = 0;
        for (const [field, , tone] of upper) {
            bands.push([edge, y(thresholds[field]), tone]);
            edge = y(thresholds[field]);
        }
        const lower = THRESHOLDS.slice(3).reverse().filter(([field]) => (thresholds?.[field] ?? null) !== null);
        edge = height;
        for (const [field, , tone] of lower) {
            bands.push([y(thresholds[field]), edge, tone]);
            edge = y(thresholds[field]);
        }
        this.#fit(this.#bands, bands.length, "rect");
        bands.forEach(([top, bottom, tone], at) => {
            const rect = this.#bands.children[at];
            const box = { class: tone, x: 0, y: top.toFixed(1), width: right.toFixed(1), height: Math.max(0, bottom - top).toFixed(1) };
            for (const [name, value] of Object.entries(box)) mark(rect, name, value);
        });
    }

    #drawMarks(thresholds, y, right, height, narrow) {
        const set = THRESHOLDS.filter(([field]) => (thresholds?.[field] ?? null) !== null);
        this.#fit(this.#marks, set.length * (this.#large ? 2 : 1), "path", "text");
        let before = -20;
        set.forEach(([field, label, tone, short], at) => {
            const place = y(thresholds[field]);
            const line = this.#marks.children[this.#large ? at * 2 : at];
            mark(line, "class", tone);
            mark(line, "d", `M0 ${place.toFixed(1)}H${right.toFixed(1)}`);
            if (!this.#large) return;
            // Labels of thresholds that are close together keep a line's height between them.
            before = Math.min(Math.max(place + 4, before + 14, 11), height - (set.length - 1 - at) * 14 - 2);
            const text = this.#marks.children[at * 2 + 1];
            mark(text, "x", (right + 8).toFixed(1));
            mark(text, "y", before.toFixed(1));
            const words = `${shown(thresholds[field])}  ${narrow ? short : label}`;
            if (text.textContent !== words) text.textContent = words;
        });
    }

    #drawTimes(right, height) {
        this.#fit(this.#times, 2, "text", "text");
        [[6, "2 min ago", "start"], [right - 6, "now", "end"]].forEach(([x, words, anchor], at) => {
            const text = this.#times.children[at];
            const box = { x: x.toFixed(1), y: (height - 6).toFixed(1), "text-anchor": anchor };
            for (const [name, value] of Object.entries(box)) mark(text, name, value);
            if (text.textContent !== words) text.textContent = words;
        });
    }

    #drawTrace(points, x, y) {
        let path = "";
        let pen = "M";
        for (const [time, value] of points) {
            if (value === null) {
                pen = "M";
                continue;
            }
            path += `${pen}${Math.max(0, x(time)).toFixed(1)} ${y(value).toFixed(1)}`;
            pen = "L";
        }
        mark(this.#line, "d", path);
        const last = points.at(-1);
        const there = last !== undefined && last[1] !== null;
        mark(this.#dot, "visibility", there ? "visible" : "hidden");
        if (there) {
            mark(this.#dot, "cx", x(last[0]).toFixed(1));
            mark(this.#dot, "cy", y(last[1]).toFixed(1));
        }
    }

    /** As many children as wanted, of these kinds in turn. */
    #fit(group, count, ...kinds) {
        const turn = this.#large ? kinds : kinds.slice(0, 1);
        while (group.children.length > count) group.lastChild.remove();
        while (group.children.length < count) group.append(svg(turn[group.children.length % turn.length]));
    }
}
